/**
 * What signatures are made over, and how long they are; nothing of how they are made or checked (Signature.ts).
 *
 * Apart from the rule, so that what only passes signatures on does not bring a curve's arithmetic with it.
 */
import { concatBytes } from "@noble/hashes/utils.js"

export const publicKeyBytes = 32
export const signatureBytes = 64

/** What is signed: an ASCII tag ending in NUL (`domain` of Hash.ts) and fixed fields, so that no kind passes for another. */
export const signed = (tag: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => concatBytes(tag, ...parts)
