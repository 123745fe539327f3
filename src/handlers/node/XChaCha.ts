/**
 * XChaCha20-Poly1305 with a random nonce in front: the one way in which handlers on Node seal bytes.
 *
 *   sealed = nonce (24, random) ‖ XChaCha20-Poly1305(key, nonce, plain, context) with its tag (16) at the end
 *
 * `context` is authenticated and not stored: opening takes the same again. 24 random bytes never repeat in practice, so
 * no state is kept. The X construction derives a key and a nonce here; the rest is OpenSSL's ChaCha20-Poly1305, which
 * costs 30 µs a call also when it is the first of the process, and makes the same bytes as a portable implementation.
 */
import { hchacha } from "@noble/ciphers/chacha.js"
import * as Option from "effect/Option"
import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto"

export const keyBytes = 32

/** Bytes that sealing adds. */
export const overheadBytes = 24 + 16

/** A fresh buffer; the arguments are only read. */
export const seal = (key: Uint8Array, plain: Uint8Array, context: Uint8Array): Uint8Array => {
  // not zeroed first: every byte of it is written
  const sealed = new Uint8Array(Buffer.allocUnsafeSlow(overheadBytes + plain.length).buffer)
  const nonce = randomFillSync(sealed.subarray(0, nonceBytes))
  const derived = derive(key, nonce)
  const cipher = createCipheriv("chacha20-poly1305", derived.key, derived.nonce, { authTagLength: tagBytes })
  cipher.setAAD(context, { plaintextLength: plain.length })
  sealed.set(cipher.update(plain), nonceBytes)
  cipher.final()
  sealed.set(cipher.getAuthTag(), nonceBytes + plain.length)
  derived.key.fill(0)
  return sealed
}

/** None unless sealed with this key and context and not altered since. */
export const open = (key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Option.Option<Uint8Array> => {
  if (sealed.length < overheadBytes) return Option.none()
  const nonce = sealed.subarray(0, nonceBytes)
  try {
    const derived = derive(key, nonce)
    const decipher = createDecipheriv("chacha20-poly1305", derived.key, derived.nonce, { authTagLength: tagBytes })
    decipher.setAAD(context, { plaintextLength: sealed.length - overheadBytes })
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
    const plain = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes))
    decipher.final()
    derived.key.fill(0)
    return Option.some(new Uint8Array(plain.buffer, plain.byteOffset, plain.length))
  } catch {
    return Option.none()
  }
}

const nonceBytes = 24
const tagBytes = 16

/** HChaCha20 over the key and the first 16 bytes of the nonce; the last 8 become the inner nonce. */
const derive = (key: Uint8Array, nonce: Uint8Array) => {
  const derived = new Uint32Array(8)
  const keyWords = words(key)
  hchacha(sigma, keyWords, words(nonce.subarray(0, 16)), derived)
  keyWords.fill(0)
  const innerNonce = new Uint8Array(12)
  innerNonce.set(nonce.subarray(16), 4)
  return { key: new Uint8Array(derived.buffer), nonce: innerNonce }
}

/** A copy, because the cipher wants aligned words. */
const words = (bytes: Uint8Array): Uint32Array => new Uint32Array(new Uint8Array(bytes).buffer)

const sigma = words(new TextEncoder().encode("expand 32-byte k"))
