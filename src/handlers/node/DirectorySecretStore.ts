/**
 * Secrets as files in a directory that only we may enter: what a server has when it has nothing better.
 *
 * The secret NAME is the file `secret-NAME.bin` (mode 0600) of a directory of mode 0700 whose owner, mode and parents
 * are verified when the layer is built (PrivatePath.ts has the rules); files are replaced atomically and durably
 * (PrivateDirectory.ts). A directory or file that others could read or replace is `SecretStoreExposed`, and nothing is
 * written to it.
 *
 * It does not encrypt: who reads the disk, or is root, has the secrets. So the level is `Low`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  secretBytesMax,
  SecretStore,
  SecretStoreError,
  SecretStoreExposed,
  SecretStoreUnavailable
} from "../../effects/SecretStore.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import type { Disk } from "./PrivatePath.ts"

export interface DirectorySecretStoreOptions {
  /** Created if missing. One process uses it at a time. */
  readonly directory: string
  /** The file system; tests put faults between. */
  readonly disk?: Disk
}

export const layer = (options: DirectorySecretStoreOptions): Layer.Layer<SecretStore, SecretStoreError> =>
  Layer.effect(
    SecretStore,
    Effect.gen(function* () {
      const directory = yield* Effect.mapError(
        PrivateDirectory.open(options.directory, options.disk),
        toSecretStoreError
      )
      return SecretStore.of({
        get: Effect.fn("DirectorySecretStore.get")(function* (name) {
          const file = fileOf(name)
          const bytes = yield* Effect.mapError(directory.read(file, secretBytesMax + 1), toSecretStoreError)
          if (Option.isSome(bytes) && bytes.value.length > secretBytesMax) {
            return yield* unavailable(
              `${file} in ${directory.path} is larger than any secret (${secretBytesMax} bytes)`
            )
          }
          return Option.map(bytes, (secret) => Redacted.make(secret))
        }),
        put: Effect.fn("DirectorySecretStore.put")(function* (name, secret) {
          const file = fileOf(name)
          const bytes = Redacted.value(secret)
          if (bytes.length > secretBytesMax) throw new RangeError(`a secret has at most ${secretBytesMax} bytes`)
          yield* Effect.mapError(directory.replace(file, [bytes]), toSecretStoreError)
        }),
        remove: Effect.fn("DirectorySecretStore.remove")(function* (name) {
          yield* Effect.mapError(directory.remove(fileOf(name)), toSecretStoreError)
        }),
        level: "Low"
      })
    })
  )

/** The frame around the name keeps ".", "..", "con" and a trailing dot from meaning something to a file system. */
const fileOf = (name: string): string => {
  if (!/^[a-z0-9.-]{1,64}$/.test(name)) throw new RangeError(`"${name}" is no secret's name: 1 to 64 of a-z 0-9 . -`)
  return `secret-${name}.bin`
}

const toSecretStoreError = (error: PrivateDirectory.DirectoryError): SecretStoreError =>
  error._tag === "DirectoryExposed"
    ? new SecretStoreError({
        reason: new SecretStoreExposed({ where: error.where, what: error.what, allowed: error.allowed })
      })
    : unavailable(error.message)

const unavailable = (what: string): SecretStoreError =>
  new SecretStoreError({ reason: new SecretStoreUnavailable({ what }) })
