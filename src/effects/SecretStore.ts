/** A few small secrets of this installation: what we ask of a 0700 directory, a keychain or a keystore. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

/** Another user could read or replace our secrets: too open a mode, another owner, a link in the way. */
export class SecretStoreExposed extends Data.TaggedError("SecretStoreExposed")<{
  readonly where: string
  readonly what: string
  readonly allowed: string
}> {
  override get message(): string {
    return `${this.where} is not safe for secrets: ${this.what}; allowed: ${this.allowed}`
  }
}

/** The store can't be reached, read or written. */
export class SecretStoreUnavailable extends Data.TaggedError("SecretStoreUnavailable")<{ readonly what: string }> {
  override get message(): string {
    return `the secret store is unavailable: ${this.what}`
  }
}

export class SecretStoreError extends Data.TaggedError("SecretStoreError")<{
  readonly reason: SecretStoreExposed | SecretStoreUnavailable
}> {
  override get message(): string {
    return this.reason.message
  }
}

/** Largest secret, in bytes. */
export const secretBytesMax = 64 * 1024

/** What the store protects against: `High` = the operating system or hardware guards it, `Low` = file modes alone. */
export type SecretLevel = "High" | "Low"

/** Names are 1 to 64 of `a-z 0-9 . -`; anything else is a defect of the caller. */
export class SecretStore extends Context.Service<
  SecretStore,
  {
    readonly get: (name: string) => Effect.Effect<Option.Option<Redacted.Redacted<Uint8Array>>, SecretStoreError>
    /** Durable when it succeeds; replaces atomically. */
    readonly put: (name: string, secret: Redacted.Redacted<Uint8Array>) => Effect.Effect<void, SecretStoreError>
    readonly remove: (name: string) => Effect.Effect<void, SecretStoreError>
    /** The level achieved, not the one wished for. */
    readonly level: SecretLevel
  }
>()("aura/effects/SecretStore") {}
