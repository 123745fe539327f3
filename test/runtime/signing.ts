/** Ed25519 by node:crypto for histories of thousands of entries, and a verifier that checks each signature once. */
import { createPrivateKey, sign as signNow, type KeyObject } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Verifier, type Claim } from "../../src/effects/Verifier.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")
const keyBySeed = new WeakMap<Uint8Array, KeyObject>()

const keyOf = (seed: Uint8Array): KeyObject => {
  const known = keyBySeed.get(seed)
  if (known !== undefined) return known
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" })
  keyBySeed.set(seed, key)
  return key
}

/** As RFC 8032 makes them from `seed`, like the portable ones. */
export const sign = (seed: Uint8Array, message: Uint8Array): Uint8Array =>
  new Uint8Array(signNow(null, message, keyOf(seed)))

/** The device that grows from this byte. */
export const keysOf = (byte: number) => MemoryKeys.make({ seed: new Uint8Array(32).fill(byte), sign })

const verdicts = new Map<string, boolean>()

const nameOf = ({ message, signature, signer }: Claim): string =>
  `${signer} ${Buffer.from(message).toString("base64")} ${Buffer.from(signature).toString("base64")}`

/** The platform's verifier, remembering what it said: equal claims have equal answers. */
export const verifier: Layer.Layer<Verifier> = Layer.effect(
  Verifier,
  Effect.gen(function* () {
    const inner = yield* Verifier
    return Verifier.of({
      verify: (claims) =>
        Effect.gen(function* () {
          const unknown = claims.filter((claim) => !verdicts.has(nameOf(claim)))
          const answers = unknown.length === 0 ? [] : yield* inner.verify(unknown)
          unknown.forEach((claim, i) => verdicts.set(nameOf(claim), answers[i]!))
          return claims.map((claim) => verdicts.get(nameOf(claim))!)
        })
    })
  })
).pipe(Layer.provide(NodeVerifier.layer))
