/**
 * Keys and signatures for simulated worlds by node:crypto: the same as the portable ones, several times faster, and at
 * once, for a world waits for nobody.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto"
import { Verifier } from "../effects/Verifier.ts"
import { toBytes, type DeviceId } from "../identity/Id.ts"
import { isSound, isWellFormed } from "../identity/Signature.ts"
import { makeKeyring, type Keyring } from "../simulation/Agents.ts"

/** What stands before the 32 bytes of an Ed25519 seed in PKCS#8. */
const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")

const remembered =
  <Key, Value>(
    map: { get: (key: Key) => Value | undefined; set: (key: Key, value: Value) => unknown },
    make: (key: Key) => Value
  ) =>
  (key: Key): Value => {
    const known = map.get(key)
    if (known !== undefined) return known
    const value = make(key)
    map.set(key, value)
    return value
  }

const secretOf = remembered(new WeakMap<Uint8Array, KeyObject>(), (seed) =>
  createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" })
)

const publicOf = remembered(new Map<DeviceId, KeyObject | "unsound">(), (signer) => {
  const bytes = toBytes(signer)
  if (!isSound(bytes)) return "unsound"
  return createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(bytes).toString("base64url") },
    format: "jwk"
  })
})

export const keyring: Keyring = makeKeyring((seed, message) => new Uint8Array(sign(null, message, secretOf(seed))))

export const verifier: Layer.Layer<Verifier> = Layer.succeed(Verifier, {
  verify: (claims) =>
    Effect.sync(() =>
      claims.map(({ message, signature, signer }) => {
        const key = isWellFormed(signature) ? publicOf(signer) : "unsound"
        return key !== "unsound" && verify(null, message, key, signature)
      })
    )
})
