/**
 * Makes a replica's books from its store: every feed read back, its chain checked again, judged anew.
 *
 * Authority feeds come first, so that each data entry is judged once. The store is no authority: a run that does not
 * decode, does not chain or belongs to another feed is reported as damage and ends that feed for this fold; what lies
 * before it stays usable. Signatures were checked when the runs came in and are checked again by `aura journal verify`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError, StoredFeed } from "../effects/JournalStore.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Feed from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import * as Run from "../journal/Run.ts"
import * as Ledger from "./Ledger.ts"
import { loadBytes } from "./limits.ts"

/** A place where the store does not hold what was written. */
export interface Damage {
  readonly feed: FeedId
  readonly seq: number
  readonly what: string
}

export interface Folded {
  readonly ledger: Ledger.Ledger
  readonly damage: ReadonlyArray<Damage>
}

/** Name of the local row with the proofs of forks. */
export const forksRow = "forks"

export const fold = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  nowMillis: number
): Effect.fn.Return<Folded, JournalStoreError> {
  const ledger = Ledger.make(space)
  const damage: Array<Damage> = []
  const feeds: Array<readonly [Feed.Feed, StoredFeed]> = []
  for (const stored of yield* store.feeds(space)) {
    const feed = Feed.decode(stored.header)
    if (Result.isFailure(feed) || feed.success.id !== stored.feed || feed.success.space !== space) {
      damage.push({ feed: stored.feed, seq: 0, what: Result.isFailure(feed) ? feed.failure.what : "another feed's header" })
    } else feeds.push([feed.success, stored])
  }
  for (const proof of yield* forks(store, space)) {
    Ledger.noteFork(ledger, proof.feed, proof.at, Fork.hashBefore(proof))
  }
  for (const kind of ["authority", "data"] as const) {
    for (const [feed, stored] of feeds) {
      if (feed.kind === kind) yield* foldFeed(store, ledger, feed, stored, damage, nowMillis)
    }
    Ledger.advance(ledger, nowMillis)
  }
  return { ledger, damage }
})

/** The proofs of forks that this replica keeps, lowest position per feed. */
export const forks = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<ReadonlyArray<Fork.Fork>, JournalStoreError> {
  const row = yield* store.local(space, forksRow)
  if (Option.isNone(row)) return []
  const decoded = Cbor.decode(row.value)
  if (Result.isFailure(decoded) || !Array.isArray(decoded.success)) return []
  const proofs: Array<Fork.Fork> = []
  for (const item of decoded.success as ReadonlyArray<Cbor.Cbor>) {
    const proof = item instanceof Uint8Array ? Fork.decode(item) : undefined
    if (proof !== undefined && Result.isSuccess(proof)) proofs.push(proof.success)
  }
  return proofs
})

const foldFeed = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  ledger: Ledger.Ledger,
  feed: Feed.Feed,
  stored: StoredFeed,
  damage: Array<Damage>,
  nowMillis: number
): Effect.fn.Return<void, JournalStoreError> {
  const line = Ledger.lineOf(ledger, feed)
  while (line.taken < stored.entries) {
    const runs = yield* store.read(ledger.space, feed.id, line.taken, loadBytes)
    if (runs.length === 0) {
      damage.push({ feed: feed.id, seq: line.taken, what: `ends here, ${stored.entries} entries were stored` })
      return
    }
    for (const one of runs) {
      const run = Run.decode(one.bytes)
      const wrong = Result.isFailure(run) ? run.failure.what : misplaced(run.success, feed.id, line)
      if (wrong !== undefined) {
        damage.push({ feed: feed.id, seq: line.taken, what: wrong })
        return
      }
      Ledger.take(ledger, line, Result.getOrThrow(run))
    }
    if (feed.kind === "data") Ledger.advance(ledger, nowMillis)
  }
})

const misplaced = (run: Run.Run, feed: FeedId, line: Ledger.Line): string | undefined => {
  if (run.feed !== feed) return "a run of another feed"
  if (run.first !== line.taken) return `a run that begins at ${run.first} where ${line.taken} was due`
  if (run.previous !== line.hash) return "a run that does not continue the chain"
  return undefined
}
