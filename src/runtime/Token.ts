/**
 * Tells whether the journal store is the one this installation wrote last: a restored copy looks perfect from inside.
 *
 * Each opening of a space draws a random token and writes it to the journal store and to the secret store, journal
 * first: soon after it can be read, and before it says anything of its own. Unequal tokens at the next opening mean that
 * one of the two was put back from somewhere: the feeds of this device may lack entries that others have seen, so they
 * are not continued. (A crash between the two writes looks the same and costs a new feed, no more. Whoever restores both
 * together forks, which peers prove.)
 *
 * The feeds that are not to be continued stand in a row of their own, written with the token: the next opening finds equal
 * tokens again, and must not take the old feeds for whole.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import type { SecretStore, SecretStoreError } from "../effects/SecretStore.ts"
import { feedId, toBytes, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"

const row = "token"

/** Name of the local row with the feeds of this device that are not continued. */
export const abandonedRow = "abandoned"

const secretName = (space: SpaceId): string => `token.${space.slice(0, 32)}`

/** What the tokens say: nothing was ever written here, the stores agree, or one of them was put back. */
export type Tokens = "None" | "Equal" | "Unequal"

export const compare = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secrets: SecretStore["Service"],
  space: SpaceId
): Effect.fn.Return<Tokens, JournalStoreError | SecretStoreError> {
  const ours = yield* store.local(space, row)
  const theirs = yield* secrets.get(secretName(space))
  if (Option.isNone(ours) && Option.isNone(theirs)) return "None"
  if (Option.isNone(ours) || Option.isNone(theirs)) return "Unequal"
  const secret = Redacted.value(theirs.value)
  const isEqual = secret.length === ours.value.length && secret.every((byte, i) => byte === ours.value[i])
  return isEqual ? "Equal" : "Unequal"
})

/** The feeds of this device that are not continued, as the store has them. A row that can't be read names none. */
export const abandonedFeeds = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<Set<FeedId>, JournalStoreError> {
  const kept = yield* store.local(space, abandonedRow)
  const decoded = Option.isNone(kept) ? undefined : Cbor.decode(kept.value)
  const feeds = new Set<FeedId>()
  if (decoded === undefined || Result.isFailure(decoded) || !Array.isArray(decoded.success)) return feeds
  for (const item of decoded.success as ReadonlyArray<Cbor.Cbor>)
    if (item instanceof Uint8Array && item.length === 32) feeds.add(feedId(item))
  return feeds
})

export const abandonedLocal = (feeds: ReadonlySet<FeedId>): { readonly name: string; readonly bytes: Uint8Array } => ({
  name: abandonedRow,
  bytes: Cbor.encode([...feeds].sort().map(toBytes))
})

/** Draws the token of this opening; with it, durably, which feeds are not continued. */
export const draw = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secrets: SecretStore["Service"],
  random: SecureRandom["Service"],
  space: SpaceId,
  abandoned: ReadonlySet<FeedId>
): Effect.fn.Return<void, JournalStoreError | SecretStoreError> {
  const token = yield* random.randomBytes(16)
  const locals = [{ name: row, bytes: token }, ...(abandoned.size === 0 ? [] : [abandonedLocal(abandoned)])]
  yield* store.commit({ space, locals })
  yield* secrets.put(secretName(space), Redacted.make(token))
})
