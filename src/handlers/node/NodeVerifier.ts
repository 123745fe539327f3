/**
 * Verifies with OpenSSL: about 10 000 signatures a second on one core, and on all cores when a batch is large enough.
 *
 * OpenSSL checks S < L and the cofactorless equation by comparing bytes, but takes nearly any key; which points of small
 * order are refused depends on the version of Node. The two steps before (identity/Signature.ts) are therefore ours:
 * `isWellFormed` for each signature, `isSound` once per key. Measured on two cores: below 16 signatures handing work to
 * the thread pool costs more than it saves; from there on a batch takes six tenths of the time with eight in flight.
 * More in flight gain nothing and keep other work (files, names) out of the pool.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Buffer } from "node:buffer"
import { createPublicKey, verify, type KeyObject } from "node:crypto"
import { Verifier, type Claim } from "../../effects/Verifier.ts"
import { toBytes, type DeviceId } from "../../identity/Id.ts"
import { isSound, isWellFormed } from "../../identity/Signature.ts"

/** Keys kept ready, about a kilobyte each; the oldest is forgotten first. */
const keysMax = 4096

/** From this many claims on a batch is spread over the thread pool. */
const pooledClaimsMin = 16

const inFlightMax = 8

export const layer: Layer.Layer<Verifier> = Layer.sync(Verifier, () => {
  const keys = keyCache()

  const one = ({ signer, message, signature }: Claim): boolean => {
    if (!isWellFormed(signature)) return false
    const key = keys(signer)
    return key !== unsound && verify(null, message, key, signature)
  }

  /** Each lane takes the next claim when its last one is answered. Interruption stops the lanes. */
  const pooled = (claims: ReadonlyArray<Claim>): Effect.Effect<ReadonlyArray<boolean>> =>
    Effect.callback((resume) => {
      const answers = claims.map(() => false)
      let next = 0
      let lanes = Math.min(inFlightMax, claims.length)
      const proceed = (): void => {
        while (next < claims.length) {
          const index = next++
          const { signer, message, signature } = claims[index]!
          const key = isWellFormed(signature) ? keys(signer) : unsound
          if (key === unsound) continue
          return verify(null, message, key, signature, (error, holds) => {
            answers[index] = error === null && holds
            proceed()
          })
        }
        lanes -= 1
        if (lanes === 0) resume(Effect.succeed(answers))
      }
      for (let lane = lanes; lane > 0; lane--) proceed()
      return Effect.sync(() => {
        next = claims.length
      })
    })

  return {
    verify: (claims) => (claims.length < pooledClaimsMin ? Effect.sync(() => claims.map(one)) : pooled(claims))
  }
})

const unsound = "unsound"

/** A key that fails the rule is remembered too: finding out costs ten times a verification. */
const keyCache = (): ((signer: DeviceId) => KeyObject | typeof unsound) => {
  const keyBySigner = new Map<DeviceId, KeyObject | typeof unsound>()
  return (signer) => {
    const known = keyBySigner.get(signer)
    if (known !== undefined) return known
    for (const oldest of keyBySigner.keys()) {
      if (keyBySigner.size < keysMax) break
      keyBySigner.delete(oldest)
    }
    const publicKey = toBytes(signer)
    const key = isSound(publicKey) ? keyObject(publicKey) : unsound
    keyBySigner.set(signer, key)
    return key
  }
}

const keyObject = (publicKey: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") },
    format: "jwk"
  })
