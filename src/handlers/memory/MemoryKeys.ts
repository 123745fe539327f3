/**
 * A device key that lives in memory and grows from one 32-byte seed: for tests, simulations and throw-away devices.
 *
 * Everything is a function of the seed and the arguments, and synchronous, so a simulated world replays exactly:
 *
 *   signing seed   HKDF-SHA-256(seed, "aura/memory-keys/sign/v1")      Ed25519
 *   box key        HKDF-SHA-256(seed, "aura/memory-keys/box/v1")       X25519
 *   sealing key    HKDF-SHA-256(seed, "aura/memory-keys/seal/v1" ‖ NUL ‖ purpose)
 *   nonce key      HKDF-SHA-256(seed, "aura/memory-keys/nonce/v1" ‖ NUL ‖ purpose)
 *   sealed bytes   nonce (24) ‖ XChaCha20-Poly1305(sealing key, nonce, plain);  nonce = HMAC-SHA-256(nonce key, plain)
 *
 * The nonce is synthetic: two different plains under one key share it only if HMAC collides, without any state or
 * randomness. The price, paid here alone: sealing the same bytes twice gives the same bytes, and an observer sees it.
 *
 * It does not store, lock or zero anything: who holds the seed is the device. Level `Low`.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Keys, KeysError, SealInvalid } from "../../effects/Keys.ts"
import { deviceId } from "../../identity/Id.ts"

export interface MemoryKeysOptions {
  /** 32 bytes, copied: the whole identity. Another length is a defect. */
  readonly seed: Uint8Array
  /**
   * Ed25519 by faster means than the portable default: 64 bytes over `message`, as RFC 8032 makes them from `seed`
   * (32 bytes). The handler passes the same array object each time, so a signer may cache by identity.
   */
  readonly sign?: (seed: Uint8Array, message: Uint8Array) => Uint8Array
}

const nonceBytes = 24
const encoder = new TextEncoder()

/** The keys as a value, for worlds that make many devices. */
export const make = (options: MemoryKeysOptions): Keys["Service"] => {
  if (options.seed.length !== 32) throw new RangeError(`a device seed has 32 bytes, not ${options.seed.length}`)
  const root = options.seed.slice()
  const derive = (label: string): Uint8Array =>
    hkdf(sha256, root, undefined, encoder.encode(`aura/memory-keys/${label}`), 32)
  const signingSeed = derive("sign/v1")
  const sign = options.sign ?? ((seed: Uint8Array, message: Uint8Array) => ed25519.sign(message, seed))
  const box = x25519.getPublicKey(derive("box/v1"))
  const sealKeys = new Map<string, SealKeys>()
  const sealKeysFor = (purpose: string): SealKeys => {
    const known = sealKeys.get(purpose)
    if (known !== undefined) return known
    const made = { cipher: derive(`seal/v1\0${purpose}`), nonce: derive(`nonce/v1\0${purpose}`) }
    sealKeys.set(purpose, made)
    return made
  }
  return Keys.of({
    device: deviceId(ed25519.getPublicKey(signingSeed)),
    get box() {
      return box.slice()
    },
    sign: (message) => Effect.sync(() => sign(signingSeed, message)),
    seal: (purpose, plain) => Effect.sync(() => seal(sealKeysFor(purpose), plain)),
    open: (purpose, sealed) =>
      Effect.suspend(() =>
        Effect.fromResult(
          Result.mapError(
            open(sealKeysFor(purpose), sealed),
            () => new KeysError({ reason: new SealInvalid({ purpose }) })
          )
        )
      ),
    level: "Low"
  })
}

export const layer = (options: MemoryKeysOptions): Layer.Layer<Keys> => Layer.sync(Keys, () => make(options))

interface SealKeys {
  readonly cipher: Uint8Array
  readonly nonce: Uint8Array
}

const seal = (keys: SealKeys, plain: Uint8Array): Uint8Array => {
  const nonce = hmac(sha256, keys.nonce, plain).subarray(0, nonceBytes)
  const sealed = xchacha20poly1305(keys.cipher, nonce).encrypt(plain)
  const bytes = new Uint8Array(nonceBytes + sealed.length)
  bytes.set(nonce)
  bytes.set(sealed, nonceBytes)
  return bytes
}

const open = (keys: SealKeys, sealed: Uint8Array): Result.Result<Uint8Array, unknown> =>
  Result.try(() => xchacha20poly1305(keys.cipher, sealed.subarray(0, nonceBytes)).decrypt(sealed.subarray(nonceBytes)))
