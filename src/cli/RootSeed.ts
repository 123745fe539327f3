/**
 * The root key of a space this device founded, until a person has written its words down.
 *
 * The seed lies in the secret store as `root-seed`, sealed by the device's Keys, from before the space is founded until
 * `aura space confirm` has seen three of its words; then it is deleted, and only the words are left. A founding that was
 * interrupted finds it again and uses it. While it is here, who has this device and its passphrase has the root key too:
 * that is why `doctor` warns.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as RecoveryWords from "../identity/RecoveryWords.ts"
import type { Office } from "./Office.ts"

const secretName = "root-seed"
const purpose = "aura/root-seed/v1"

type Vault = Pick<Office, "keys" | "random" | "secrets">

/** The unconfirmed seed, if there is one. */
export const read = Effect.fnUntraced(function* ({ keys, secrets }: Vault) {
  const sealed = yield* secrets.get(secretName)
  if (Option.isNone(sealed)) return undefined
  const seed = yield* keys.open(purpose, Redacted.value(sealed.value))
  return Redacted.make(seed, { label: "root key" })
})

/** The seed for a space to be founded: durable when it is told. */
export const draw = Effect.fnUntraced(function* (vault: Vault) {
  const before = yield* read(vault)
  if (before !== undefined) return before
  const seed = yield* vault.random.randomBytes(RecoveryWords.entropyBytes)
  yield* vault.secrets.put(secretName, Redacted.make(yield* vault.keys.seal(purpose, seed)))
  return Redacted.make(seed, { label: "root key" })
})

export const forget = ({ secrets }: Vault) => secrets.remove(secretName)

/** The words of a seed, in order. */
export const wordsOf = (seed: Redacted.Redacted<Uint8Array>): ReadonlyArray<string> =>
  Redacted.value(RecoveryWords.make(Redacted.value(seed))).split(" ")
