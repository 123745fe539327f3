/** The device's own key: what we ask of a key file, an HSM, a keychain or WebCrypto. Private keys never come out. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { DeviceId } from "../identity/Id.ts"

/** The passphrase does not open the key. */
export class KeysLocked extends Data.TaggedError("KeysLocked")<{ readonly what: string }> {
  override get message(): string {
    return `the device key stays locked: ${this.what}`
  }
}

/** Stored key material is not what was written. */
export class KeysCorrupt extends Data.TaggedError("KeysCorrupt")<{ readonly where: string; readonly what: string }> {
  override get message(): string {
    return `key material in ${this.where} is damaged: ${this.what}`
  }
}

/** The key holder can't be reached: token removed, agent gone, file unreadable. */
export class KeysUnavailable extends Data.TaggedError("KeysUnavailable")<{ readonly what: string }> {
  override get message(): string {
    return `the device key is unavailable: ${this.what}`
  }
}

/** The sealed bytes were not sealed by this key for this purpose, or were altered since. */
export class SealInvalid extends Data.TaggedError("SealInvalid")<{ readonly purpose: string }> {
  override get message(): string {
    return `sealed bytes for "${this.purpose}" do not open with this device's key`
  }
}

export class KeysError extends Data.TaggedError("KeysError")<{
  readonly reason: KeysLocked | KeysCorrupt | KeysUnavailable | SealInvalid
}> {
  override get message(): string {
    return this.reason.message
  }
}

/** How well the private key is guarded: `High` = hardware or passphrase, `Low` = a file beside the data. */
export type KeysLevel = "High" | "Low"

export class Keys extends Context.Service<
  Keys,
  {
    /** The device's Ed25519 public key. Fixed for the life of the installation. */
    readonly device: DeviceId
    /** The device's X25519 public key, 32 bytes, to which others may seal. Fixed like `device`. */
    readonly box: Uint8Array
    /**
     * Ed25519 over exactly these bytes (callers put an ASCII tag ending in NUL in front). 64 bytes, deterministic
     * (RFC 8032). May be slow (a token takes 5 to 50 ms), so callers sign once per batch.
     */
    readonly sign: (message: Uint8Array) => Effect.Effect<Uint8Array, KeysError>
    /** Authenticated encryption under a key that only this device has; `purpose` must be given again to open. */
    readonly seal: (purpose: string, plain: Uint8Array) => Effect.Effect<Uint8Array, KeysError>
    /** Opens what `seal` made for the same purpose; anything else is `SealInvalid`. */
    readonly open: (purpose: string, sealed: Uint8Array) => Effect.Effect<Uint8Array, KeysError>
    readonly level: KeysLevel
  }
>()("aura/effects/Keys") {}
