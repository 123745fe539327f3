/**
 * Signatures on which verifiers disagree, made here from fixed seeds, each with what our rule says of it
 * (identity/Signature.ts): honest ones, altered ones, and those that only the owner of a key can make by hand.
 *
 * Every class of disagreement that is known is here: keys and R of small and of mixed order, encodings that are not
 * canonical, S beyond the group order, equations that hold only with the cofactor or only without it. "Hand-made"
 * means that a laxer verifier accepts the signature; the case says why ours does not. The same cases, frozen, stand in
 * test/vectors/ed25519.json.
 */
import { ED25519_TORSION_SUBGROUP, ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { bytesToNumberLE, concatBytes, hexToBytes, numberToBytesLE } from "@noble/curves/utils.js"

export interface SignatureCase {
  /** A sentence about the signature. */
  readonly name: string
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly holds: boolean
}

/** Computed on each call, in about a tenth of a second. */
export const signatureCases = (): ReadonlyArray<SignatureCase> => [
  ...honest(),
  ...altered(),
  ...scalarBeyondOrder(),
  ...torsionInR(),
  ...smallOrderR(),
  ...smallOrderKeys(),
  ...mixedOrderKeys(),
  ...malformed()
]

const { Point } = ed25519
const Scalar = Point.Fn
type CurvePoint = typeof Point.BASE

const fieldPrime = 2n ** 255n - 19n
const groupOrder = Scalar.ORDER

/** The points whose order divides 8; the first is the identity. */
const torsion: ReadonlyArray<CurvePoint> = ED25519_TORSION_SUBGROUP.map((hex) => Point.fromHex(hex))

const orderOf = (point: CurvePoint): number => {
  let [order, sum] = [1, point]
  while (!sum.is0()) [order, sum] = [order + 1, sum.add(point)]
  return order
}

/** Encodings that a decoder which reduces y, or ignores the sign of a zero x, takes for points of small order. */
const nonCanonicalSmallOrder: ReadonlyArray<readonly [what: string, bytes: Uint8Array]> = [
  ["y = p", numberToBytesLE(fieldPrime, 32)],
  ["y = p and a sign", numberToBytesLE(fieldPrime + 2n ** 255n, 32)],
  ["y = p + 1", numberToBytesLE(fieldPrime + 1n, 32)],
  ["y = p + 1 and a sign", numberToBytesLE(fieldPrime + 1n + 2n ** 255n, 32)],
  ["y = 1 and a sign", numberToBytesLE(1n + 2n ** 255n, 32)],
  ["y = -1 and a sign", numberToBytesLE(fieldPrime - 1n + 2n ** 255n, 32)]
]

const text = new TextEncoder()
const seedOf = (name: string): Uint8Array => sha512(text.encode(`aura signature case ${name}`)).subarray(0, 32)
const alice = seedOf("alice")
const message = text.encode("hand-made signatures split replicas")

const scalarOf = (seed: Uint8Array): bigint => ed25519.utils.getExtendedPublicKey(seed).scalar
const scalarFrom = (name: string): bigint => Scalar.create(bytesToNumberLE(sha512(text.encode(name))))
const challenge = (r: Uint8Array, publicKey: Uint8Array, signedMessage: Uint8Array): bigint =>
  Scalar.create(bytesToNumberLE(sha512(concatBytes(r, publicKey, signedMessage))))
const signatureOf = (r: Uint8Array, s: bigint): Uint8Array => concatBytes(r, numberToBytesLE(s, 32))

const flipped = (bytes: Uint8Array, index: number): Uint8Array =>
  bytes.map((byte, position) => (position === index ? byte ^ 1 : byte))

const honest = (): ReadonlyArray<SignatureCase> =>
  [new Uint8Array(0), Uint8Array.of(0), message, new Uint8Array(1023).fill(0xa5)].map((content) => ({
    name: `a signature over ${content.length} bytes`,
    publicKey: ed25519.getPublicKey(alice),
    message: content,
    signature: ed25519.sign(content, alice),
    holds: true
  }))

const altered = (): ReadonlyArray<SignatureCase> => {
  const publicKey = ed25519.getPublicKey(alice)
  const signature = ed25519.sign(message, alice)
  const refused = { publicKey, message, signature, holds: false }
  return [
    { ...refused, name: "a signature over another message", message: flipped(message, 0) },
    { ...refused, name: "a signature by another key", publicKey: ed25519.getPublicKey(seedOf("bob")) },
    { ...refused, name: "a signature with another R", signature: flipped(signature, 0) },
    { ...refused, name: "a signature with another S", signature: flipped(signature, 32) },
    {
      ...refused,
      name: "a signature with the sign of R changed",
      signature: signature.with(31, signature[31]! ^ 0x80)
    },
    { ...refused, name: "S negated", signature: signatureOf(signature.subarray(0, 32), groupOrder - sOf(signature)) }
  ]
}

const sOf = (signature: Uint8Array): bigint => bytesToNumberLE(signature.subarray(32))

/** S and S + n·L are the same scalar; accepting both gives one message many signatures. */
const scalarBeyondOrder = (): ReadonlyArray<SignatureCase> => {
  const signature = ed25519.sign(message, alice)
  return [1n, 2n, 7n, 8n, 14n].map((times) => ({
    name: `a signature with S + ${times}·L`,
    publicKey: ed25519.getPublicKey(alice),
    message,
    signature: signatureOf(signature.subarray(0, 32), sOf(signature) + times * groupOrder),
    holds: false
  }))
}

/** R = r·B + T with T of small order: holds in verifiers that multiply by the cofactor, and only there. */
const torsionInR = (): ReadonlyArray<SignatureCase> => {
  const publicKey = ed25519.getPublicKey(alice)
  const nonce = scalarFrom("nonce of torsion in R")
  return torsion.slice(1).map((point, index) => {
    const r = Point.BASE.multiply(nonce).add(point).toBytes()
    const s = Scalar.add(nonce, Scalar.mul(challenge(r, publicKey, message), scalarOf(alice)))
    const name = `R with a component of order ${orderOf(point)} (${index + 1})`
    return { name, publicKey, message, signature: signatureOf(r, s), holds: false }
  })
}

/** R of small order, S = k·a. With R = identity the equation itself holds, for all others it needs the cofactor. */
const smallOrderR = (): ReadonlyArray<SignatureCase> => {
  const publicKey = ed25519.getPublicKey(alice)
  const withR = (name: string, r: Uint8Array): SignatureCase => {
    const s = Scalar.mul(challenge(r, publicKey, message), scalarOf(alice))
    return { name, publicKey, message, signature: signatureOf(r, s), holds: false }
  }
  return [
    ...torsion.map((point, index) => withR(`R of order ${orderOf(point)} (${index})`, point.toBytes())),
    ...nonCanonicalSmallOrder.map(([what, r]) => withR(`R that is not canonical: ${what}`, r))
  ]
}

/**
 * For keys with a component T of order n: a nonce for which k·T vanishes, so that the equation holds in every verifier
 * that does not look at the key, with the cofactor or without.
 */
const nonceFor = (name: string, publicKey: Uint8Array, isWanted: (k: bigint) => boolean) => {
  for (let attempt = 0; ; attempt++) {
    const nonce = scalarFrom(`${name}, attempt ${attempt}`)
    const r = Point.BASE.multiply(nonce).toBytes()
    const k = challenge(r, publicKey, message)
    if (isWanted(k)) return { nonce, r, k }
  }
}

/** Keys for which anybody can sign anything. */
const smallOrderKeys = (): ReadonlyArray<SignatureCase> => {
  const withKey = (name: string, publicKey: Uint8Array): SignatureCase => {
    const { nonce, r } = nonceFor(name, publicKey, (k) => k % 8n === 0n)
    return { name, publicKey, message, signature: signatureOf(r, nonce), holds: false }
  }
  return [
    ...torsion.map((point, index) => withKey(`a key of order ${orderOf(point)} (${index})`, point.toBytes())),
    ...nonCanonicalSmallOrder.map(([what, bytes]) => withKey(`a key that is not canonical: ${what}`, bytes)),
    {
      name: "a key and an R of small order, and S = 0",
      publicKey: torsion[0]!.toBytes(),
      message,
      signature: signatureOf(torsion[0]!.toBytes(), 0n),
      holds: false
    }
  ]
}

/** A = a·B + T: its owner can make signatures that hold with the cofactor only, and others that hold everywhere. */
const mixedOrderKeys = (): ReadonlyArray<SignatureCase> =>
  torsion.slice(1).flatMap((point, index) => {
    const secret = scalarOf(alice)
    const publicKey = Point.BASE.multiply(secret).add(point).toBytes()
    const withNonce = (name: string, isWanted: (k: bigint) => boolean): SignatureCase => {
      const { nonce, r, k } = nonceFor(name, publicKey, isWanted)
      return {
        name,
        publicKey,
        message,
        signature: signatureOf(r, Scalar.add(nonce, Scalar.mul(k, secret))),
        holds: false
      }
    }
    const order = orderOf(point)
    return [
      withNonce(`a key with a component of order ${order} (${index + 1}) that cancels out`, (k) => k % 8n === 0n),
      withNonce(`a key with a component of order ${order} (${index + 1}) that does not`, (k) => k % 2n === 1n)
    ]
  })

const malformed = (): ReadonlyArray<SignatureCase> => {
  const publicKey = ed25519.getPublicKey(alice)
  const signature = ed25519.sign(message, alice)
  const refused = { publicKey, message, signature, holds: false }
  return [
    { ...refused, name: "a signature of 63 bytes", signature: signature.subarray(0, 63) },
    { ...refused, name: "a signature of 65 bytes", signature: concatBytes(signature, Uint8Array.of(0)) },
    { ...refused, name: "no bytes as a signature", signature: new Uint8Array(0) },
    { ...refused, name: "64 zeros as a signature", signature: new Uint8Array(64) },
    { ...refused, name: "an R that is no point", signature: signatureOf(offCurve, sOf(signature)) },
    { ...refused, name: "a key that is no point", publicKey: offCurve },
    {
      ...refused,
      name: "32 zeros as a key, 64 as a signature",
      publicKey: new Uint8Array(32),
      signature: new Uint8Array(64)
    }
  ]
}

/** y = 2 belongs to no point. */
const offCurve: Uint8Array = hexToBytes("02".padEnd(64, "0"))
