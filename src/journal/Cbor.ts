/**
 * The one encoding of everything that is hashed, signed, stored or sent: CBOR in which each value has exactly one
 * form, so that equal values have equal bytes and equal bytes have equal hashes.
 *
 * It is the core deterministic encoding of RFC 8949 §4.2.1 over these values, and no others:
 *
 *     null, false, true     f6, f4, f5
 *     integer               major 0 and 1, shortest head, -2^64 to 2^64-1
 *     number with fraction  major 7, the shortest of f9 (16 bit), fa (32 bit), fb (64 bit) that holds it exactly
 *     bytes                 major 2, definite length, shortest head
 *     text                  major 3, well-formed UTF-8, definite length, shortest head
 *     array                 major 4, definite length, shortest head
 *     map                   major 5, text keys, each once, ascending by the bytes of their encoding
 *
 * What might be written in two ways is decided so: a number without a fraction is an integer, never a float, and must
 * be safe (larger ones are bigints); -0 is the integer 0; NaN, infinities, undefined, tags and indefinite lengths do
 * not exist. In memory an integer is a number when it is safe, else a bigint. A key may be any text, `__proto__` too:
 * it becomes an own property and never touches a prototype, so read decoded maps by their own properties.
 *
 * Laws (test/journal/Cbor.test.ts): `decode(encode(v))` is v; `encode(decode(b))` is b, for every b that is accepted;
 * order and history of a map's properties do not matter; bytes agree with an independent encoder.
 *
 * Nesting is limited on both sides (`depthMax`), so what `encode` writes `decode` reads. Work and memory of `decode`
 * stay proportional to the bytes it is given, whatever lengths they claim. It knows no schema: what a record means is
 * for its own codec to say.
 */
import * as Result from "effect/Result"
import { halfBits, halfFromBits, isFraction } from "./HalfFloat.ts"
import * as ShortText from "./ShortText.ts"
import { compareEncodedText } from "./TextOrder.ts"

export type Cbor =
  null | boolean | number | bigint | string | Uint8Array | ReadonlyArray<Cbor> | { readonly [key: string]: Cbor }

/** Why bytes are no CBOR of ours, and at which byte the offending item, head or character stands. */
export interface CborError {
  readonly _tag: "CborError"
  readonly offset: number
  readonly what: string
}

export interface CborLimits {
  /** Arrays and maps inside each other, at most; `depthMaxDefault` when absent. */
  readonly depthMax?: number
}

export const depthMaxDefault = 16

/**
 * Dies on what has no encoding, for that is a mistake of ours: NaN, infinities, integral numbers that are not safe,
 * bigints below -2^64 or above 2^64-1, lone surrogates, undefined, functions, symbols, objects that are not plain, and
 * nesting beyond `depthMax`. A bigint that fits a safe integer is written as that integer, and read back as a number.
 */
export const encode = (value: Cbor, limits?: CborLimits): Uint8Array => {
  const writer = idle ?? makeWriter(bufferBytesFirst)
  idle = undefined
  writer.at = 0
  write(writer, value, limits?.depthMax ?? depthMaxDefault)
  if (writer.bytes.length <= bufferBytesKept) idle = writer
  return writer.bytes.slice(0, writer.at)
}

/** Reads exactly one value from exactly these bytes. Bytes in the result are copies. */
export const decode = (bytes: Uint8Array, limits?: CborLimits): Result.Result<Cbor, CborError> => {
  // A platform's subclass of Uint8Array may redefine `slice` not to copy.
  const plain =
    bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const reader: Reader = { bytes: plain, at: 0 }
  try {
    const value = read(reader, limits?.depthMax ?? depthMaxDefault)
    return reader.at === plain.length
      ? Result.succeed(value)
      : Result.fail(cborError(reader.at, `${plain.length - reader.at} bytes follow the value; nothing may`))
  } catch (cause) {
    if (cause instanceof Refusal) return Result.fail(cause.error)
    throw cause
  }
}

/** What `decodeAt` answers instead of a value. */
export const malformed: unique symbol = Symbol("aura/Cbor/malformed")

/** A place in bytes that are read piece by piece. */
export interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/**
 * Reads the one value that begins at the cursor and puts the cursor behind it. For codecs of hot paths that know what
 * stands around it; why something is malformed is for `decode` to say. The bytes are a plain Uint8Array.
 */
export const decodeAt = (cursor: Cursor, depthMax: number): Cbor | typeof malformed => {
  try {
    return read(cursor, depthMax)
  } catch (cause) {
    if (cause instanceof Refusal) return malformed
    throw cause
  }
}

const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const
const head = { false: 0xf4, true: 0xf5, null: 0xf6, float16: 0xf9, float32: 0xfa, float64: 0xfb } as const

const encoder = new TextEncoder()
/** Not fatal, because a replacement character gives malformed bytes away without an exception; see `readText`. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Up to this many characters a plain loop is faster than the platform's encoder. */
const shortTextChars = 64
/** Up to this many bytes a plain loop is faster than the platform's decoder. */
const shortTextBytes = 24
const twoTo32 = 2 ** 32
const loneSurrogate = /\p{Surrogate}/u
const unsigned64Max = 0xffff_ffff_ffff_ffffn

// Writing

interface Writer {
  bytes: Uint8Array
  view: DataView
  at: number
}

const bufferBytesFirst = 4096
const bufferBytesKept = 1024 * 1024

const makeWriter = (bytes: number): Writer => {
  const writer = { bytes: nothing, view: viewOf(nothing), at: 0 }
  enlarge(writer, bytes)
  return writer
}

const nothing = new Uint8Array(0)

/** Also of a fresh one: engines take what was never assigned for constant, and compile anew once a large value comes. */
const enlarge = (writer: Writer, bytes: number): void => {
  writer.bytes = new Uint8Array(bytes)
  writer.view = viewOf(writer.bytes)
}

/** One writer is reused; taken while in use, so that a getter which encodes gets another, and a defect loses it. */
let idle: Writer | undefined

const reserve = (writer: Writer, count: number): void => {
  if (writer.at + count <= writer.bytes.length) return
  const written = writer.bytes.subarray(0, writer.at)
  enlarge(writer, Math.max(writer.bytes.length * 2, writer.at + count))
  writer.bytes.set(written)
}

const write = (writer: Writer, value: Cbor, depthLeft: number): void => {
  switch (typeof value) {
    case "string":
      return writeText(writer, value)
    case "number":
      return writeNumber(writer, value)
    case "boolean":
      return writeByte(writer, value ? head.true : head.false)
    case "bigint":
      return writeBigint(writer, value)
    case "object":
      if (value === null) return writeByte(writer, head.null)
      if (value instanceof Uint8Array) return writeBytes(writer, major.bytes, value)
      if (depthLeft <= 0) throw new RangeError("nested deeper than depthMax")
      if (Array.isArray(value)) return writeArray(writer, value as ReadonlyArray<Cbor>, depthLeft - 1)
      return writeMap(writer, value as { readonly [key: string]: Cbor }, depthLeft - 1)
    default:
      throw new TypeError(`${typeof value} has no encoding`)
  }
}

const writeByte = (writer: Writer, byte: number): void => {
  reserve(writer, 1)
  writer.bytes[writer.at++] = byte
}

/** `argument` is a safe integer, not negative. */
const writeHead = (writer: Writer, type: number, argument: number): void => {
  reserve(writer, 9)
  const { bytes, at } = writer
  const initial = type << 5
  if (argument < 24) {
    bytes[at] = initial | argument
    writer.at = at + 1
  } else if (argument < 0x100) {
    bytes[at] = initial | 24
    bytes[at + 1] = argument
    writer.at = at + 2
  } else if (argument < 0x1_0000) {
    bytes[at] = initial | 25
    writer.view.setUint16(at + 1, argument)
    writer.at = at + 3
  } else if (argument < twoTo32) {
    bytes[at] = initial | 26
    writer.view.setUint32(at + 1, argument)
    writer.at = at + 5
  } else {
    bytes[at] = initial | 27
    writer.view.setUint32(at + 1, Math.floor(argument / twoTo32))
    writer.view.setUint32(at + 5, argument % twoTo32)
    writer.at = at + 9
  }
}

const writeNumber = (writer: Writer, value: number): void => {
  if (Number.isSafeInteger(value)) {
    return value >= 0 ? writeHead(writer, major.unsigned, value) : writeHead(writer, major.negative, -1 - value)
  }
  if (!isFraction(value)) throw new RangeError("a number is finite, and a safe integer if it has no fraction")
  reserve(writer, 9)
  const half = halfBits(value)
  if (half >= 0) {
    writer.bytes[writer.at] = head.float16
    writer.view.setUint16(writer.at + 1, half)
    writer.at += 3
  } else if (Math.fround(value) === value) {
    writer.bytes[writer.at] = head.float32
    writer.view.setFloat32(writer.at + 1, value)
    writer.at += 5
  } else {
    writer.bytes[writer.at] = head.float64
    writer.view.setFloat64(writer.at + 1, value)
    writer.at += 9
  }
}

const writeBigint = (writer: Writer, value: bigint): void => {
  const type = value >= 0n ? major.unsigned : major.negative
  const argument = value >= 0n ? value : -1n - value
  if (argument > unsigned64Max) throw new RangeError("an integer lies between -2^64 and 2^64-1")
  if (argument <= Number.MAX_SAFE_INTEGER) return writeHead(writer, type, Number(argument))
  reserve(writer, 9)
  writer.bytes[writer.at] = (type << 5) | 27
  writer.view.setBigUint64(writer.at + 1, argument)
  writer.at += 9
}

const writeBytes = (writer: Writer, type: number, value: Uint8Array): void => {
  writeHead(writer, type, value.length)
  reserve(writer, value.length)
  writer.bytes.set(value, writer.at)
  writer.at += value.length
}

const writeText = (writer: Writer, value: string): void => {
  const chars = value.length
  if (chars <= shortTextChars) {
    reserve(writer, 2 + chars)
    const { bytes } = writer
    const from = writer.at + (chars < 24 ? 1 : 2)
    let index = 0
    for (; index < chars; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) break
      bytes[from + index] = code
    }
    if (index === chars) {
      if (chars < 24) bytes[writer.at] = (major.text << 5) | chars
      else {
        bytes[writer.at] = (major.text << 5) | 24
        bytes[writer.at + 1] = chars
      }
      writer.at = from + chars
      return
    }
  }
  if (loneSurrogate.test(value)) throw new RangeError("text with a lone surrogate has no encoding")
  writeBytes(writer, major.text, encoder.encode(value))
}

const writeArray = (writer: Writer, value: ReadonlyArray<Cbor>, depthLeft: number): void => {
  writeHead(writer, major.array, value.length)
  // A hole in the array reads as undefined and dies.
  for (let index = 0; index < value.length; index++) write(writer, value[index] as Cbor, depthLeft)
}

const writeMap = (writer: Writer, value: { readonly [key: string]: Cbor }, depthLeft: number): void => {
  if (!isPlain(value)) throw new TypeError("an object of a class has no encoding")
  const keys = Object.keys(value)
  if (!isAscending(keys)) keys.sort(compareEncodedText)
  writeHead(writer, major.map, keys.length)
  for (const key of keys) {
    writeText(writer, key)
    write(writer, value[key] as Cbor, depthLeft)
  }
}

const isPlain = (value: object): boolean => {
  const prototype: object | null = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const isAscending = (keys: ReadonlyArray<string>): boolean => {
  for (let index = 1; index < keys.length; index++) {
    if (compareEncodedText(keys[index - 1]!, keys[index]!) > 0) return false
  }
  return true
}

// Reading

type Reader = Cursor

/** Leaves the recursion; only `decode` sees it. */
class Refusal {
  readonly error: CborError
  constructor(error: CborError) {
    this.error = error
  }
}

const cborError = (offset: number, what: string): CborError => ({ _tag: "CborError", offset, what })

const refuse = (offset: number, what: string): never => {
  throw new Refusal(cborError(offset, what))
}

const read = (reader: Reader, depthLeft: number): Cbor => {
  const start = reader.at
  const initial = readByte(reader)
  switch (initial >>> 5) {
    case major.unsigned: {
      const argument = readArgument(reader, initial)
      return argument <= Number.MAX_SAFE_INTEGER ? argument : wideArgument(reader)
    }
    case major.negative: {
      const argument = readArgument(reader, initial)
      return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - wideArgument(reader)
    }
    case major.bytes: {
      const length = readLength(reader, initial, 1, "bytes")
      const from = reader.at
      reader.at = from + length
      return reader.bytes.slice(from, reader.at)
    }
    case major.text:
      return readText(reader, initial)
    case major.array:
      if (depthLeft <= 0) return refuse(start, "nested too deep")
      return readArray(reader, initial, depthLeft - 1)
    case major.map:
      if (depthLeft <= 0) return refuse(start, "nested too deep")
      return readMap(reader, initial, depthLeft - 1)
    case major.simple:
      return readSimple(reader, initial)
    default:
      return refuse(start, "a tag; there are none")
  }
}

const readByte = (reader: Reader): number => {
  const byte = reader.bytes[reader.at]
  if (byte === undefined) return refuse(reader.at, "the bytes end inside the value")
  reader.at++
  return byte
}

const need = (reader: Reader, count: number): void => {
  if (reader.bytes.length - reader.at < count) refuse(reader.at, "the bytes end inside the value")
}

/** The argument of a head whose first byte was just read. Above 2^53-1 it is rounded: see `wideArgument`. */
const readArgument = (reader: Reader, initial: number): number => {
  const start = reader.at - 1
  const information = initial & 0x1f
  if (information < 24) return information
  if (information > 27) return refuse(start, information === 31 ? "an indefinite length" : "a reserved head")
  const count = 1 << (information - 24)
  need(reader, count)
  const { bytes, at } = reader
  reader.at = at + count
  let argument = 0
  for (let index = at; index < at + count; index++) argument = argument * 256 + bytes[index]!
  const least = count === 1 ? 24 : count === 2 ? 0x100 : count === 4 ? 0x1_0000 : twoTo32
  return argument < least ? refuse(start, "an integer or length that is not in its shortest form") : argument
}

/** The eight bytes just read, exactly. */
const wideArgument = (reader: Reader): bigint => viewOf(reader.bytes).getBigUint64(reader.at - 8)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A length that the remaining bytes can hold, at `bytesEach` or more: so no claim alone costs memory. */
const readLength = (reader: Reader, initial: number, bytesEach: number, of: string): number => {
  const start = reader.at - 1
  const length = readArgument(reader, initial)
  const left = reader.bytes.length - reader.at
  return length * bytesEach > left ? refuse(start, `${of} of length ${length}, but ${left} bytes are left`) : length
}

const readText = (reader: Reader, initial: number): string => {
  const length = readLength(reader, initial, 1, "text")
  const { bytes, at } = reader
  const end = at + length
  reader.at = end
  if (length <= shortTextBytes) {
    const text = ShortText.read(bytes, at, end)
    if (text !== undefined) return text
  }
  const encoded = bytes.subarray(at, end)
  const text = decoder.decode(encoded)
  // Malformed UTF-8 always leaves a replacement character, but a replacement character may also be what was written.
  if (text.includes("\ufffd")) {
    const wrong = firstDifference(encoder.encode(text), encoded)
    if (wrong >= 0) return refuse(at + wrong, "text that is not well-formed UTF-8")
  }
  return text
}

const firstDifference = (left: Uint8Array, right: Uint8Array): number => {
  const longer = Math.max(left.length, right.length)
  for (let index = 0; index < longer; index++) if (left[index] !== right[index]) return index
  return -1
}

const readArray = (reader: Reader, initial: number, depthLeft: number): ReadonlyArray<Cbor> => {
  const length = readLength(reader, initial, 1, "an array")
  // Exact room for the many small ones; a large one grows as its items come, so that nested claims cost nothing.
  const items: Array<Cbor> = length <= 64 ? new Array<Cbor>(length) : []
  for (let index = 0; index < length; index++) items[index] = read(reader, depthLeft)
  return items
}

const readMap = (reader: Reader, initial: number, depthLeft: number): { readonly [key: string]: Cbor } => {
  const length = readLength(reader, initial, 2, "a map")
  const map: { [key: string]: Cbor } = {}
  let previousFrom = 0
  let previousEnd = 0
  for (let index = 0; index < length; index++) {
    const from = reader.at
    const keyHead = readByte(reader)
    if (keyHead >>> 5 !== major.text) return refuse(from, "a map key that is not text")
    const key = readText(reader, keyHead)
    if (index > 0) {
      const order = compareRanges(reader.bytes, previousFrom, previousEnd, from, reader.at)
      if (order === 0) return refuse(from, "a map key that is there twice")
      if (order > 0) return refuse(from, "a map key out of order")
    }
    previousFrom = from
    previousEnd = reader.at
    const value = read(reader, depthLeft)
    if (key === "__proto__") {
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
    } else map[key] = value
  }
  return map
}

const compareRanges = (bytes: Uint8Array, from: number, end: number, otherFrom: number, otherEnd: number): number => {
  const shorter = Math.min(end - from, otherEnd - otherFrom)
  for (let index = 0; index < shorter; index++) {
    const difference = bytes[from + index]! - bytes[otherFrom + index]!
    if (difference !== 0) return difference
  }
  return end - from - (otherEnd - otherFrom)
}

const readSimple = (reader: Reader, initial: number): null | boolean | number => {
  switch (initial) {
    case head.false:
      return false
    case head.true:
      return true
    case head.null:
      return null
    case head.float16:
    case head.float32:
    case head.float64:
      return readFloat(reader, initial)
    default:
      return refuse(reader.at - 1, "a simple value other than false, true and null")
  }
}

const readFloat = (reader: Reader, initial: number): number => {
  const start = reader.at - 1
  const count = initial === head.float16 ? 2 : initial === head.float32 ? 4 : 8
  need(reader, count)
  const view = viewOf(reader.bytes)
  const value =
    count === 2
      ? halfFromBits(view.getUint16(reader.at))
      : count === 4
        ? view.getFloat32(reader.at)
        : view.getFloat64(reader.at)
  reader.at += count
  if (!isFraction(value)) return refuse(start, "a float without a fraction; integers are not written so")
  const shorter = count === 2 ? false : count === 4 ? halfBits(value) >= 0 : Math.fround(value) === value
  return shorter ? refuse(start, "a float that is not in its shortest form") : value
}
