/**
 * The one hash of the system: SHA-256 over an ASCII domain tag ending in NUL and the parts that follow it.
 *
 * A domain tag (`aura/entry/v1`) says what is hashed, so bytes of one kind can never pass for another kind. Parts are
 * concatenated as they are: where a part has no fixed length the caller puts its length, or an encoding that carries
 * it, in front. Synchronous and pure (WebCrypto's digest is asynchronous and would drag effects into the journal).
 */
import { _SHA256, sha256 } from "@noble/hashes/sha2.js"

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

/** Room for a message that is hashed where it stands; `view` is of the same bytes. */
export interface Scratch {
  readonly lengthMax: number
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Room for messages of at most `length` bytes, and for the padding behind them. */
export const makeScratch = (length: number): Scratch => {
  const bytes = new Uint8Array(paddedLength(length))
  return { lengthMax: length, bytes, view: new DataView(bytes.buffer) }
}

/**
 * SHA-256 of the first `length` bytes, whatever they are: the caller has put a domain tag in front. Owns its result;
 * overwrites the bytes behind the message. It runs the library's compression over the scratch memory itself, which
 * takes half the time of its streaming interface where messages are short; `hash` agrees (test/identity/Hash.test.ts).
 */
export const hashScratch = ({ bytes, lengthMax, view }: Scratch, length: number): Uint8Array => {
  if (length > lengthMax) throw new RangeError(`${length} bytes to be hashed, there is room for ${lengthMax}`)
  const end = paddedLength(length)
  bytes[length] = 0x80
  for (let at = length + 1; at < end - 8; at++) bytes[at] = 0
  view.setUint32(end - 8, Math.floor(length / 2 ** 29))
  view.setUint32(end - 4, (length << 3) >>> 0)
  return compression.digestOf(view, end)
}

const blockBytes = 64

/** A message ends in a byte of padding and eight of its length. */
const paddedLength = (length: number): number => Math.ceil((length + 9) / blockBytes) * blockBytes

class Compression extends _SHA256 {
  readonly #initial = this.get()

  /** `end` is a multiple of the block's size. */
  digestOf(view: DataView, end: number): Uint8Array {
    const first = this.#initial
    this.set(first[0], first[1], first[2], first[3], first[4], first[5], first[6], first[7])
    for (let at = 0; at < end; at += blockBytes) this.process(view, at)
    const digest = new Uint8Array(hashBytes)
    put(digest, 0, this.A)
    put(digest, 4, this.B)
    put(digest, 8, this.C)
    put(digest, 12, this.D)
    put(digest, 16, this.E)
    put(digest, 20, this.F)
    put(digest, 24, this.G)
    put(digest, 28, this.H)
    return digest
  }
}

const put = (digest: Uint8Array, at: number, word: number): void => {
  digest[at] = word >>> 24
  digest[at + 1] = word >>> 16
  digest[at + 2] = word >>> 8
  digest[at + 3] = word
}

const compression = new Compression()
