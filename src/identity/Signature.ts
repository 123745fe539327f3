/**
 * When an Ed25519 signature holds: one rule for every replica, because libraries disagree on hand-made signatures and
 * two verifiers that differ once would split a space for ever.
 *
 * A signature (R ‖ S, 64 bytes) of a message by a public key A (32 bytes) holds exactly when
 *
 *     1. A is the canonical encoding of a point of the prime-order subgroup, other than the identity   `isSound`
 *     2. S, little-endian, is below the group order L, and R is canonical and not the identity         `isWellFormed`
 *     3. encode(S·B − k·A) equals the bytes of R, where k = SHA-512(R ‖ A ‖ message) mod L             `satisfies`
 *
 * `verify` is all three. The equation is the cofactorless one, compared as bytes: a component of small order in R makes
 * it fail. The identity as R would pass it, and is refused because platforms disagree: WebCrypto and recent Nodes refuse
 * R of small order, older Nodes and OpenSSL itself do not, and no honest signer makes one. A is checked where a key is
 * admitted, and again by every verifier, who may remember the answer.
 *
 * A verifier of a platform may put its own in place of the third step, provided that it agrees wherever the first two
 * hold; the laws in conformance/VerifierLaws.ts tell. The library's own `verify` is not used: it multiplies by the
 * cofactor, and so accepts what others refuse.
 *
 * Nothing here is secret, so nothing here is constant-time. Signing is an effect (effects/Keys.ts).
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { concatBytes } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import { signatureBytes } from "./Signing.ts"

/** Costs a scalar multiplication, about a millisecond: ask once per key. */
export const isSound = (publicKey: Uint8Array): boolean =>
  Result.match(pointOf(publicKey), {
    onFailure: () => false,
    onSuccess: (point) => !point.is0() && point.isTorsionFree()
  })

/** Cheap, no arithmetic on the curve: whether R is a point at all is for the equation to find out. */
export const isWellFormed = (signature: Uint8Array): boolean =>
  signature.length === signatureBytes && isBelow(signature, 32, groupOrder) && isCanonicalR(signature.subarray(0, 32))

/** The third step alone, for callers who have the first two. False, too, if A is no point. */
export const satisfies = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  Result.match(pointOf(publicKey), {
    onFailure: () => false,
    onSuccess: (point) => {
      const r = signature.subarray(0, 32)
      const k = Scalar.create(integer(sha512(concatBytes(r, publicKey, message))))
      const expected = Point.BASE.multiplyUnsafe(integer(signature.subarray(32))).subtract(point.multiplyUnsafe(k))
      return Bytes.isSame(expected.toBytes(), r)
    }
  })

/** The whole rule. Never throws: what can't be checked is false. About two milliseconds. */
export const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  isWellFormed(signature) && isSound(publicKey) && satisfies(publicKey, message, signature)

const { Point } = ed25519
const Scalar = Point.Fn

/** The point whose canonical encoding this is: y below the field prime, no sign on an x of zero, on the curve. */
const pointOf = (bytes: Uint8Array) => Result.try(() => Point.fromBytes(bytes, false))

/** Little-endian, as everything in Ed25519. */
const integer = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!)
  return value
}

const littleEndian = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn))

const fieldPrime = 2n ** 255n - 19n
const groupOrder = littleEndian(2n ** 252n + 27742317777372353535851937790883648493n)
const fieldPrimeBytes = littleEndian(fieldPrime)
const one = littleEndian(1n)
const minusOne = littleEndian(fieldPrime - 1n)

/** Whether the 32 bytes of `bytes` from `offset` on are below `limit`. */
const isBelow = (bytes: Uint8Array, offset: number, limit: Uint8Array): boolean => {
  for (let index = 31; index >= 0; index--) {
    const difference = bytes[offset + index]! - limit[index]!
    if (difference !== 0) return difference < 0
  }
  return false
}

/** The top bit is the sign of x; at y = −1 x is zero and has none. y = 1 is the identity, with any sign. */
const isCanonicalR = (encoded: Uint8Array): boolean => {
  const y = Uint8Array.from(encoded)
  y[31]! &= 0x7f
  const isNegative = encoded[31]! > 0x7f
  return isBelow(y, 0, fieldPrimeBytes) && !Bytes.isSame(y, one) && !(isNegative && Bytes.isSame(y, minusOne))
}
