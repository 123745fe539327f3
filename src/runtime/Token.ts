/**
 * Tells whether the journal store is the one this installation wrote last: a restored copy looks perfect from inside.
 *
 * Each opening of a space draws a random token and writes it to the journal store and to the secret store, journal
 * first. Unequal tokens at the next opening mean that one of the two was put back from somewhere: the feeds of this
 * device may lack entries that others have seen, so they are not continued. (A crash between the two writes looks the
 * same and costs a new feed, no more. Whoever restores both together forks, which peers prove.)
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import type { SecretStore, SecretStoreError } from "../effects/SecretStore.ts"
import type { SpaceId } from "../identity/Id.ts"

const row = "token"

const secretName = (space: SpaceId): string => `token.${space.slice(0, 32)}`

/** True when the stores disagree about the last opening. */
export const isRestored = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secrets: SecretStore["Service"],
  space: SpaceId
): Effect.fn.Return<boolean, JournalStoreError | SecretStoreError> {
  const ours = yield* store.local(space, row)
  const theirs = yield* secrets.get(secretName(space))
  if (Option.isNone(ours) && Option.isNone(theirs)) return false
  if (Option.isNone(ours) || Option.isNone(theirs)) return true
  const secret = Redacted.value(theirs.value)
  return secret.length !== ours.value.length || !secret.every((byte, i) => byte === ours.value[i])
})

export const openToken = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secrets: SecretStore["Service"],
  random: SecureRandom["Service"],
  space: SpaceId
): Effect.fn.Return<void, JournalStoreError | SecretStoreError> {
  const token = yield* random.randomBytes(16)
  yield* store.commit({ space, locals: [{ name: row, bytes: token }] })
  yield* secrets.put(secretName(space), Redacted.make(token))
})
