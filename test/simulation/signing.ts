/** Ed25519 by node:crypto, for worlds whose speed matters: keys and signatures like the portable ones, much faster. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createPrivateKey, createPublicKey, sign as signNow, verify as verifyNow, type KeyObject } from "node:crypto"
import { Verifier } from "../../src/effects/Verifier.ts"
import { toBytes, type DeviceId } from "../../src/identity/Id.ts"
import { isSound, isWellFormed } from "../../src/identity/Signature.ts"
import { makeKeyring, type Keyring } from "../../src/simulation/Agents.ts"

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")
const keyBySeed = new WeakMap<Uint8Array, KeyObject>()

const keyOf = (seed: Uint8Array): KeyObject => {
  const known = keyBySeed.get(seed)
  if (known !== undefined) return known
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" })
  keyBySeed.set(seed, key)
  return key
}

/** One for all tests: the same names have the same keys. */
export const keyring: Keyring = makeKeyring((seed, message) => new Uint8Array(signNow(null, message, keyOf(seed))))

const keyBySigner = new Map<DeviceId, KeyObject | undefined>()

const publicKeyOf = (signer: DeviceId): KeyObject | undefined => {
  if (keyBySigner.has(signer)) return keyBySigner.get(signer)
  const bytes = toBytes(signer)
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(bytes).toString("base64url") }
  const key = isSound(bytes) ? createPublicKey({ key: jwk, format: "jwk" }) : undefined
  keyBySigner.set(signer, key)
  return key
}

/** Answers at once, whatever the size of the batch: a world does not wait for a thread pool. */
export const verifier: Layer.Layer<Verifier> = Layer.succeed(Verifier, {
  verify: (claims) =>
    Effect.sync(() =>
      claims.map(({ message, signature, signer }) => {
        const key = isWellFormed(signature) ? publicKeyOf(signer) : undefined
        return key !== undefined && verifyNow(null, message, key, signature)
      })
    )
})
