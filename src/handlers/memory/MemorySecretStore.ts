/**
 * Secrets in memory: for tests and simulations, gone with the process.
 *
 * The contract's limits hold here as everywhere: a bad name or a secret above `secretBytesMax` is a defect. Bytes are
 * copied in and out. Nothing guards them from the rest of the process, so the level is `Low`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SecretStore, secretBytesMax } from "../../effects/SecretStore.ts"

/** The store as a value: one that outlives a simulated crash is made once and provided again. */
export const make = (): SecretStore["Service"] => {
  const secretByName = new Map<string, Uint8Array>()
  return SecretStore.of({
    get: (name) =>
      Effect.sync(() => {
        const bytes = secretByName.get(checkedName(name))
        return bytes === undefined ? Option.none() : Option.some(Redacted.make(bytes.slice()))
      }),
    put: (name, secret) =>
      Effect.sync(() => {
        const bytes = Redacted.value(secret)
        if (bytes.length > secretBytesMax) throw new RangeError(`a secret has at most ${secretBytesMax} bytes`)
        secretByName.set(checkedName(name), bytes.slice())
      }),
    remove: (name) =>
      Effect.sync(() => {
        secretByName.delete(checkedName(name))
      }),
    level: "Low"
  })
}

export const layer: Layer.Layer<SecretStore> = Layer.sync(SecretStore, make)

const checkedName = (name: string): string => {
  if (!/^[a-z0-9.-]{1,64}$/.test(name)) throw new RangeError(`"${name}" is no secret's name: 1 to 64 of a-z 0-9 . -`)
  return name
}
