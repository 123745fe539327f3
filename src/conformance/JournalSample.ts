/**
 * What the laws of journal stores put into them: two spaces, three feeds, runs that are no runs, and the answers that
 * a store then owes.
 *
 * To a store the bytes of a run are opaque, so only ranges and hashes are in order here. Everything is the same in
 * every process, nothing is drawn by chance.
 */
import * as Effect from "effect/Effect"
import {
  JournalStore,
  type Commit,
  type JournalStoreError,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "../effects/JournalStore.ts"
import { domain, hash, hashBytes } from "../identity/Hash.ts"
import {
  deviceId,
  entryHash,
  feedId,
  spaceId,
  toBytes,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../identity/Id.ts"
import { expectFailure, expectSame, type Law, type LawBroken } from "./Law.ts"

export type Store = JournalStore["Service"]

export const law = (name: string, check: (store: Store) => Effect.Effect<void, unknown>): Law<JournalStore> => ({
  name,
  check: Effect.flatMap(JournalStore, check)
})

export const id = (fill: number): Uint8Array => new Uint8Array(hashBytes).fill(fill)
export const [home, work] = [spaceId(id(0x20)), spaceId(id(0x10))]
/** Named in an order that is not the order of their ids. */
export const [phone, laptop, server] = [feedId(id(0xcc)), feedId(id(0xaa)), feedId(id(0xbb))]
export const [alice, bob] = [deviceId(id(0x0a)), deviceId(id(0x0b))]

const encoder = new TextEncoder()
export const text = (characters: string): Uint8Array => encoder.encode(characters)
export const header = (feed: FeedId): Uint8Array => text(`header of ${feed}`)
const lawTag = domain("aura/conformance/journal-store")

/** Bytes that do not compress, the same for the same seed. */
export const noise = (seed: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let block = hash(lawTag, text(seed))
  for (let at = 0; at < length; at += hashBytes) {
    bytes.set(block.subarray(0, Math.min(hashBytes, length - at)), at)
    block = hash(lawTag, block)
  }
  return bytes
}

export const hashAt = (feed: FeedId, seq: number): EntryHash =>
  entryHash(seq < 0 ? toBytes(feed) : hash(lawTag, toBytes(feed), text(String(seq))))

export const runOf = (feed: FeedId, first: number, last: number, bytes?: Uint8Array): StoredRun => ({
  feed,
  first,
  last,
  previous: hashAt(feed, first - 1),
  hash: hashAt(feed, last),
  bytes: bytes ?? text(`entries ${first} to ${last} of ${feed}`)
})

export const firstOf = (space: SpaceId, feed: FeedId, ...runs: ReadonlyArray<StoredRun>): Commit => ({
  space,
  feeds: [{ feed, header: header(feed) }],
  runs
})

export const feedAt = (feed: FeedId, entries: number): StoredFeed => ({
  feed,
  header: header(feed),
  first: 0,
  entries,
  hash: hashAt(feed, entries - 1)
})

export const resultOf = (key: string, atMillis: number, requester = alice): StoredResult => ({
  requester,
  key,
  payload: hash(lawTag, text(key)),
  result: text(`result of ${key}`),
  atMillis
})

export const dayMillis = 24 * 60 * 60 * 1000

export const rangesOf = (runs: ReadonlyArray<StoredRun>): ReadonlyArray<string> =>
  runs.map(({ first, last }) => `${first}-${last}`)

/** Everything that the store says about feeds and runs. */
export const contents = (store: Store): Effect.Effect<unknown, JournalStoreError> =>
  Effect.flatMap(store.spaces, (spaces) =>
    Effect.forEach(spaces, (space) =>
      Effect.flatMap(store.feeds(space), (feeds) =>
        Effect.forEach(feeds, (feed) =>
          Effect.map(store.read(space, feed.feed, 0, Infinity), (runs) => ({ space, feed, runs }))
        )
      )
    )
  )

export const expectConflict = (effect: Effect.Effect<void, JournalStoreError>, what: string) =>
  expectFailure(effect, ({ reason }) => reason._tag === "JournalConflict", what)

/** Each of these is refused as a conflict and leaves feeds and runs as they were. */
export const expectAllRefused = (
  store: Store,
  attempts: Readonly<Record<string, Effect.Effect<void, JournalStoreError>>>
): Effect.Effect<void, LawBroken | JournalStoreError> =>
  Effect.gen(function* () {
    const before = yield* contents(store)
    for (const [what, attempt] of Object.entries(attempts)) {
      yield* expectConflict(attempt, what)
      yield* expectSame(yield* contents(store), before, `the store after ${what}`)
    }
  })
