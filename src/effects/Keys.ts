/** The device's own key: what we ask of a key file, an HSM, a keychain or WebCrypto. Private keys never come out. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { DeviceId } from "../identity/Id.ts"

/** The passphrase does not open the key. */
export class KeysLocked extends Schema.TaggedError<KeysLocked>()("KeysLocked", { what: Schema.String }) {
  override get message(): string {
    return `the device key stays locked: ${this.what}`
  }
}

/** Stored key material is not what was written. */
export class KeysCorrupt extends Schema.TaggedError<KeysCorrupt>()("KeysCorrupt", {
  where: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `key material in ${this.where} is damaged: ${this.what}`
  }
}

/** The key holder can't be reached: token removed, agent gone, file unreadable. */
export class KeysUnavailable extends Schema.TaggedError<KeysUnavailable>()("KeysUnavailable", {
  what: Schema.String
}) {
  override get message(): string {
    return `the device key is unavailable: ${this.what}`
  }
}

/** The sealed bytes were not sealed by this key for this purpose, or were altered since. */
export class SealInvalid extends Schema.TaggedError<SealInvalid>()("SealInvalid", { purpose: Schema.String }) {
  override get message(): string {
    return `sealed bytes for "${this.purpose}" do not open with this device's key`
  }
}

export class KeysError extends Schema.TaggedError<KeysError>()("KeysError", {
  reason: Schema.Union([KeysLocked, KeysCorrupt, KeysUnavailable, SealInvalid])
}) {
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
