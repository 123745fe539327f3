/**
 * A value as it comes back from its encoding, found without encoding it: what the others will read.
 *
 * Whoever judges, encodes and applies one value in turn has to be sure that all three see the same one. An application
 * still holds the arrays and objects that it hands over, and they may be more than data: they may change later, or show
 * another face each time they are looked at. The copy is read once, is nobody else's, and has every part in the one form
 * that decoding gives it: -0 is 0, a bigint that is a safe integer is a number, a platform's bytes are plain bytes, keys
 * stand in the order of the encoding.
 *
 * Law (test/journal/Plain.test.ts): for all that has an encoding, `plain(v)` is `decode(encode(v))`, and encodes alike.
 * It refuses nothing: what has no encoding stays what it is, for `encode` to die on.
 */
import { depthMaxDefault, isPlain, type Cbor } from "./Cbor.ts"
import { compareEncodedText } from "./TextOrder.ts"

export const plain = (value: Cbor, depthLeft: number = depthMaxDefault): Cbor => {
  switch (typeof value) {
    case "number":
      return value === 0 ? 0 : value
    case "bigint":
      return isSafe(value) ? Number(value) : value
    case "object":
      if (value === null) return null
      if (value instanceof Uint8Array) return new Uint8Array(value)
      if (depthLeft <= 0) return value
      if (Array.isArray(value)) return plainList(value as ReadonlyArray<Cbor>, depthLeft)
      return isPlain(value) ? plainMap(value as { readonly [key: string]: Cbor }, depthLeft - 1) : value
    default:
      return value
  }
}

const plainList = (list: ReadonlyArray<Cbor>, depthLeft: number): ReadonlyArray<Cbor> => {
  const { length } = list
  const copy = new Array<Cbor>(length)
  for (let index = 0; index < length; index++) {
    const item = list[index]!
    // most items are texts, which are nobody's
    copy[index] = typeof item === "string" ? item : plain(item, depthLeft - 1)
  }
  return copy
}

const plainMap = (map: { readonly [key: string]: Cbor }, depthLeft: number): Cbor => {
  const copy: { [key: string]: Cbor } = {}
  for (const key of Object.keys(map).sort(compareEncodedText)) {
    const value = plain(map[key]!, depthLeft)
    if (key === "__proto__")
      Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true })
    else copy[key] = value
  }
  return copy
}

const isSafe = (value: bigint): boolean =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
