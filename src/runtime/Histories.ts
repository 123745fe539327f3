/**
 * Where runs of data and their branches lie among the histories of a feed, as far as only the store can tell: of what was
 * judged of data no hashes are kept in memory.
 *
 * A line is asked where a run could lie on it: where the run begins inside it, the entry before has to be the same; where
 * the line begins inside the run, its first entry is known from its header. So a run is held against the lines that it may
 * follow alone. What the store can't read is not here.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import { entryHash, type EntryHash, type FeedId } from "../identity/Id.ts"
import type * as Branch from "../journal/Branch.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import type * as Branches from "./Branches.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"

type Store = JournalStore["Service"]

/** How far a run is known: up to, not including, `at`, which comes next on `fork.line` or leaves it there. */
export interface Place {
  readonly at: number
  readonly fork: Branches.Fork
}

/** The line that holds most of a run, or what comes before it; undefined: none does. */
export const place = Effect.fnUntraced(function* (
  store: Store,
  ledger: Ledger.Ledger,
  feed: Feed,
  run: Run.Run
): Effect.fn.Return<Place | undefined, JournalStoreError> {
  let best: Place | undefined
  for (const line of Ledger.historiesOf(ledger, feed.id)) {
    const found = yield* placeOn(store, ledger, line, run)
    if (found !== undefined && (best === undefined || best.at < found.at)) best = found
  }
  return best
})

const placeOn = Effect.fnUntraced(function* (
  store: Store,
  ledger: Ledger.Ledger,
  line: Line.Line,
  run: Run.Run
): Effect.fn.Return<Place | undefined, JournalStoreError> {
  // what lies below a seal is one history, and may have been dropped
  const sealed = ledger.sealed?.ends.get(line.id)
  const start = sealed === undefined ? Line.startOf(line) : sealed.seq + 1
  const from = Math.max(run.first, start)
  if (from > Run.lastSeq(run) || from > line.taken) return undefined
  const before = Run.hashBefore(run, from)
  if (from === start && before !== (sealed?.hash ?? line.branch?.previous ?? line.feed.id)) return undefined
  // what leaves another line at the same place, or ends before it, lies on that one
  if (line.branch !== undefined && from === start && hashOf(run, start) !== line.branch.first) return undefined
  let time = sealed?.time ?? (line.branch === undefined ? line.feed.time : line.time)
  if (from > start) {
    const last =
      from === line.taken ? { hash: line.hash, time: line.time } : yield* entryAt(store, ledger, line, from - 1)
    if (last === undefined || last.hash !== before) return undefined
    time = last.time
  }
  let at = from
  while (at <= Run.lastSeq(run) && at < line.taken) {
    const own = yield* runAt(store, ledger, line, at)
    if (own === undefined) return undefined
    for (; at <= Math.min(Run.lastSeq(run), Run.lastSeq(own)); at++) {
      if (hashOf(own, at) !== hashOf(run, at)) return { at, fork: { line, time, first: hashOf(own, at) } }
      time = own.times[at - own.first]!
    }
  }
  return { at, fork: { line, time, first: undefined } }
})

/** The line that a stored branch leaves; the lines that it may leave are those opened before, as far as they are stored. */
export const forkOf = Effect.fnUntraced(function* (
  store: Store,
  ledger: Ledger.Ledger,
  { at, of, previous }: Branch.Branch
): Effect.fn.Return<Branches.Fork | undefined, JournalStoreError> {
  for (const line of Ledger.historiesOf(ledger, of.id)) {
    if (Line.startOf(line) > Math.max(0, at - 1)) continue
    const sealed = ledger.sealed?.ends.get(line.id)
    const before =
      at === 0
        ? { hash: previous, time: of.time }
        : sealed?.seq === at - 1
          ? sealed
          : yield* entryAt(store, ledger, line, at - 1)
    if (before?.hash !== previous) continue
    return { line, time: before.time, first: (yield* entryAt(store, ledger, line, at))?.hash }
  }
  return undefined
})

/** Reads the hashes that limits ask for, of all feeds of data that forked. */
export const read = Effect.fnUntraced(function* (
  store: Store,
  ledger: Ledger.Ledger
): Effect.fn.Return<void, JournalStoreError> {
  for (const id of ledger.branches.keys()) {
    const feed = ledger.lines.get(id)?.feed
    if (feed?.kind !== "data") continue
    for (const seq of Ledger.asked(ledger, feed))
      for (const line of Ledger.historiesOf(ledger, id))
        if (seq >= Line.startOf(line)) line.hashes.set(seq, (yield* entryAt(store, ledger, line, seq))?.hash)
  }
})

/** Whether a line has this very entry at its position, as far as the store can tell. */
export const isAt = (
  store: Store,
  ledger: Ledger.Ledger,
  line: Line.Line,
  { hash, seq }: Position
): Effect.Effect<boolean, JournalStoreError> => {
  const known = Line.hashAt(line, seq) ?? ledger.sealed?.ends.get(line.id)
  if (typeof known === "string") return Effect.succeed(known === hash)
  if (known?.seq === seq) return Effect.succeed(known.hash === hash)
  return Effect.map(entryAt(store, ledger, line, seq), (found) => found?.hash === hash)
}

interface Found {
  readonly hash: EntryHash
  readonly time: number
}

const entryAt = (
  store: Store,
  ledger: Ledger.Ledger,
  line: Line.Line,
  seq: number
): Effect.Effect<Found | undefined, JournalStoreError> =>
  Effect.map(runAt(store, ledger, line, seq), (run) =>
    run === undefined ? undefined : { hash: hashOf(run, seq), time: run.times[seq - run.first]! }
  )

/** The stored run of a line that holds a position. */
const runAt = (
  store: Store,
  { space }: Ledger.Ledger,
  line: Line.Line,
  seq: number
): Effect.Effect<Run.Run | undefined, JournalStoreError> =>
  store.read(space, line.id, seq - Line.startOf(line), 1).pipe(
    Effect.map(([stored]) => {
      const run = stored === undefined ? undefined : Run.decode(stored.bytes)
      const isHere = run !== undefined && Result.isSuccess(run) && holds(line.feed.id, run.success, seq)
      return isHere ? run.success : undefined
    }),
    // what the store finds damaged is told where the feed is read whole
    Effect.catch((error) => (error.reason._tag === "JournalCorrupt" ? Effect.succeed(undefined) : Effect.fail(error)))
  )

const holds = (feed: FeedId, run: Run.Run, seq: number): boolean =>
  run.feed === feed && run.first <= seq && seq <= Run.lastSeq(run)

const hashOf = (run: Run.Run, seq: number): EntryHash => entryHash(run.hashes[seq - run.first]!)
