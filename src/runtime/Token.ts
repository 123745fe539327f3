/**
 * Tells whether the journal store is the one this installation wrote last: a restored copy looks perfect from inside.
 *
 * Each opening of a space draws a random token and writes it to the journal store and to the secret store: soon after it
 * can be read, and before it says anything of its own. Unequal tokens at the next opening mean that one of the two was put
 * back from somewhere: the feeds of this device may lack entries that others have seen, so they are not continued.
 * (Whoever restores both together forks, which peers prove.)
 *
 * The feeds that are not to be continued stand in a row of their own, written with the token: the next opening finds equal
 * tokens again, and must not take the old feeds for whole.
 *
 * The secret: the key of checkpoints (32; runtime/Checkpoint.ts), then the token, and while a new one is written the last.
 */
import { concatBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import type { SecretStore, SecretStoreError } from "../effects/SecretStore.ts"
import * as Bytes from "../identity/Bytes.ts"
import { feedId, toBytes, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"

const row = "token"

/** Name of the local row with the feeds of this device that are not continued. */
export const abandonedRow = "abandoned"

const secretName = (space: SpaceId): string => `token.${space.slice(0, 32)}`

/** What the tokens say: nothing was ever written here, the stores agree, or one of them was put back. */
export type Tokens = "None" | "Equal" | "Unequal"

/** What the secret store has: the tokens that the journal may hold, and the key that checkpoints are sealed with. */
export interface Secret {
  readonly tokens: ReadonlyArray<Uint8Array>
  readonly checkpointKey: Redacted.Redacted<Uint8Array>
}

/** Undefined when there is none, or what is there is none of ours: then a new one is drawn, key and all. */
export const read = Effect.fnUntraced(function* (
  secrets: SecretStore["Service"],
  space: SpaceId
): Effect.fn.Return<Secret | undefined, SecretStoreError> {
  const kept = yield* secrets.get(secretName(space))
  if (Option.isNone(kept)) return undefined
  const bytes = Redacted.value(kept.value)
  const count = (bytes.length - keyBytes) / tokenBytes
  if (count !== 1 && count !== 2) return undefined
  const tokens: Array<Uint8Array> = []
  for (let at = keyBytes; at + tokenBytes <= bytes.length; at += tokenBytes)
    tokens.push(bytes.slice(at, at + tokenBytes))
  return { tokens, checkpointKey: Redacted.make(bytes.slice(0, keyBytes)) }
})

export const compare = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secret: Secret | undefined,
  space: SpaceId
): Effect.fn.Return<Tokens, JournalStoreError> {
  const ours = yield* store.local(space, row)
  if (Option.isNone(ours) && secret === undefined) return "None"
  if (Option.isNone(ours) || secret === undefined) return "Unequal"
  return secret.tokens.some((token) => Bytes.isSame(token, ours.value)) ? "Equal" : "Unequal"
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

/**
 * Draws the token of this opening; with it, durably, which feeds are not continued. While the journal may hold either, the
 * secret store knows the last token and the new one. Returns the key of checkpoints, which stays.
 */
export const draw = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  secrets: SecretStore["Service"],
  random: SecureRandom["Service"],
  space: SpaceId,
  abandoned: ReadonlySet<FeedId>
): Effect.fn.Return<Redacted.Redacted<Uint8Array>, JournalStoreError | SecretStoreError> {
  const before = yield* read(secrets, space)
  const last = Option.getOrUndefined(yield* store.local(space, row))
  const key = before === undefined ? yield* random.randomBytes(keyBytes) : Redacted.value(before.checkpointKey)
  const token = yield* random.randomBytes(tokenBytes)
  const keep = (...tokens: ReadonlyArray<Uint8Array>) =>
    secrets.put(secretName(space), Redacted.make(concatBytes(key, ...tokens)))
  // a token that is not ours stays foreign whatever happens now
  const isOurs = last !== undefined && before?.tokens.some((known) => Bytes.isSame(known, last)) === true
  yield* keep(token, ...(isOurs ? [last] : []))
  const locals = [{ name: row, bytes: token }, ...(abandoned.size === 0 ? [] : [abandonedLocal(abandoned)])]
  yield* store.commit({ space, locals })
  if (isOurs) yield* keep(token)
  return Redacted.make(key)
})

const tokenBytes = 16
const keyBytes = 32
