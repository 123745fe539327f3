/**
 * Verifies with portable arithmetic, where the platform offers nothing faster: under 1 000 signatures a second.
 *
 * The rule itself (identity/Signature.ts), step by step; only the verdict on a key is remembered. Yields to other
 * fibers after every few signatures, so that a long batch on a phone does not freeze what runs beside it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Verifier, type Claim } from "../../effects/Verifier.ts"
import { toBytes, type DeviceId } from "../../identity/Id.ts"
import { satisfies, isSound, isWellFormed } from "../../identity/Signature.ts"

/** Keys whose verdict is kept; the oldest is forgotten first. */
const keysMax = 4096

/** Signatures between two yields: some ten milliseconds. */
const claimsPerTurn = 8

export const layer: Layer.Layer<Verifier> = Layer.sync(Verifier, () => {
  const soundByKey = new Map<DeviceId, boolean>()

  const isSoundKey = (signer: DeviceId, publicKey: Uint8Array): boolean => {
    const known = soundByKey.get(signer)
    if (known !== undefined) return known
    for (const oldest of soundByKey.keys()) {
      if (soundByKey.size < keysMax) break
      soundByKey.delete(oldest)
    }
    const sound = isSound(publicKey)
    soundByKey.set(signer, sound)
    return sound
  }

  const holds = ({ signer, message, signature }: Claim): boolean => {
    if (!isWellFormed(signature)) return false
    const publicKey = toBytes(signer)
    return isSoundKey(signer, publicKey) && satisfies(publicKey, message, signature)
  }

  return {
    verify: Effect.fnUntraced(function* (claims) {
      const answers: Array<boolean> = []
      for (const claim of claims) {
        if (answers.length > 0 && answers.length % claimsPerTurn === 0) yield* Effect.yieldNow
        answers.push(holds(claim))
      }
      return answers
    })
  }
})
