/**
 * The one hash of the system: SHA-256 over an ASCII domain tag ending in NUL and the parts that follow it.
 *
 * A domain tag (`aura/entry/v1`) says what is hashed, so bytes of one kind can never pass for another kind. Parts are
 * concatenated as they are: where a part has no fixed length the caller puts its length, or an encoding that carries
 * it, in front. Synchronous and pure (WebCrypto's digest is asynchronous and would drag effects into the journal).
 */
import { sha256 } from "@noble/hashes/sha2.js"

/** Bytes of every hash, id and public key in the system. */
export const hashBytes = 32

const encoder = new TextEncoder()

/** The ASCII tag with its closing NUL. Compute it once per domain, at load. */
export const domain = (tag: string): Uint8Array => encoder.encode(`${tag}\0`)

/** SHA-256(tag ‖ parts). Owns its result; the parts are only read. */
export const hash = (tag: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const digest = sha256.create().update(tag)
  for (const part of parts) digest.update(part)
  return digest.digest()
}
