/**
 * Values as elements of sets: a map key that is equal exactly for equal values, and the name of an element in a path.
 *
 * Numbers are their own keys; so are texts, except that one beginning with U+0000 is marked, because all other values
 * go by U+0000 and their encoding (which is one and the same for equal values).
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { encode, type Cbor } from "../Cbor.ts"
import type { Key } from "./SortedTree.ts"

export const keyOf = (value: Cbor): Key => {
  if (typeof value === "string") return value.charCodeAt(0) === 0 ? `\0s${value}` : value
  return typeof value === "number" ? value : `\0c${bytesToHex(encode(value))}`
}

/** What stands for the element in a `writes` path: a text itself, an integer in digits, else its encoding in hex. */
export const pathOf = (value: Cbor): string => {
  if (typeof value === "string") return value
  return Number.isSafeInteger(value) ? String(value) : bytesToHex(encode(value))
}

/**
 * Makes what an application is shown unalterable, all the way down. Byte strings can't be: whoever writes into one
 * that he was shown damages his own state.
 */
export const freeze = <Value extends Cbor>(value: Value): Value => {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || Object.isFrozen(value)) return value
  for (const inside of Object.values(value)) freeze(inside)
  return Object.freeze(value)
}
