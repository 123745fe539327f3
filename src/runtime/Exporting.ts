/**
 * Writes the journals of a store into an archive (journal/Archive.ts), one run in memory at a time, while others write.
 *
 * Of each space it is one moment: where the feeds end when it begins. A block that was packed meanwhile has entries from
 * after it, whose signature is all there is; what such entries had seen of authority comes once more behind the data. So
 * everything acknowledged before it began is in it, and nothing in it waits for what is not.
 *
 * Chains are checked on the way, signatures are not: `aura journal verify` does that, and so does whoever reads the archive.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError, StoredFeed } from "../effects/JournalStore.ts"
import { entryHash, short, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Archive from "../journal/Archive.ts"
import * as Branch from "../journal/Branch.ts"
import * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Sealed from "./Sealed.ts"
import { loadBytes } from "./limits.ts"

/** What is stored can't be written out, for it is not what was written. */
export class ExportDamaged extends Data.TaggedError("ExportDamaged")<{
  readonly feed: FeedId
  readonly seq: number
  readonly what: string
}> {
  override get message(): string {
    return `feed ${short(this.feed)} is damaged at entry ${this.seq}: ${this.what}; nothing was kept of this export`
  }
}

/** A space was sealed after the first record was written, which says that none is. */
export class SealedMeanwhile extends Data.TaggedError("SealedMeanwhile")<{ readonly space: SpaceId }> {
  override get message(): string {
    return `space ${short(this.space)} was sealed while it was written out: do it again; nothing was kept`
  }
}

/** Takes the items in order, and tells of its own failures. */
export type Sink<E> = (item: Archive.Item) => Effect.Effect<void, E>

interface Progress {
  runs: number
  entries: number
}

/**
 * Writes spaces and the last record; the first, which says whether one is sealed, and files are the caller's. `told` hears how
 * many entries are written.
 */
export const exportSpaces = Effect.fnUntraced(function* <E>(
  store: JournalStore["Service"],
  spaces: ReadonlyArray<SpaceId>,
  sink: Sink<E>,
  told: (entries: number) => Effect.Effect<void>,
  isSealedTold = true
): Effect.fn.Return<Archive.Totals, E | JournalStoreError | ExportDamaged | SealedMeanwhile> {
  const progress: Progress = { runs: 0, entries: 0 }
  const written = new Map<SpaceId, ReadonlyArray<Archive.End>>()
  const advance = (run: Run.Run): Effect.Effect<void> => {
    progress.runs++
    progress.entries += run.times.length
    return told(progress.entries)
  }
  for (const space of spaces) {
    yield* sink({ _tag: "Space", space })
    const ends = new Map<FeedId, Archive.End>()
    const books = yield* store.local(space, Sealed.sealedRow)
    if (Option.isSome(books) && !isSealedTold) return yield* new SealedMeanwhile({ space })
    const feeds = (yield* store.feeds(space)).map((stored) => [kindOf(stored), stored] as const)
    for (const wanted of ["authority", "data"] as const) {
      if (wanted === "data" && Option.isSome(books)) yield* exportBooks(books.value, sink)
      for (const [kind, stored] of feeds)
        if (kind === wanted) yield* exportFeed(store, space, stored, ends, sink, advance)
    }
    for (const stored of yield* store.feeds(space)) {
      const isLater = stored.entries > (ends.get(stored.feed)?.entries ?? 0)
      if (isLater && kindOf(stored) === "authority") yield* exportFeed(store, space, stored, ends, sink, advance)
    }
    written.set(space, [...ends.values()])
    for (const item of Archive.endsOf([...ends.values()])) yield* sink(item)
  }
  const feeds = [...written.values()].reduce((sum, ends) => sum + ends.length, 0)
  const totals = { spaces: spaces.length, feeds, ...progress, root: Archive.rootOf(written) }
  yield* sink({ _tag: "Total", ...totals })
  return totals
})

/** Whether an archive of these spaces has to hold sealed books: its first record says so. */
export const isSealed = (
  store: JournalStore["Service"],
  spaces: ReadonlyArray<SpaceId>
): Effect.Effect<boolean, JournalStoreError> =>
  Effect.map(
    Effect.forEach(spaces, (space) => store.local(space, Sealed.sealedRow)),
    (rows) => rows.some(Option.isSome)
  )

const exportBooks = Effect.fnUntraced(function* <E>(books: Uint8Array, sink: Sink<E>) {
  for (let from = 0; from < books.length; from += Archive.pieceBytesMax)
    yield* sink({ _tag: "Sealed", from, bytes: books.subarray(from, from + Archive.pieceBytesMax) })
})

/** Undefined where the header can't be read: that is told when the feed's turn comes. */
const kindOf = ({ header }: StoredFeed): Feed.FeedKind => {
  const named = Branch.decodeNamed(header)
  return Result.isSuccess(named) ? named.success.feed.kind : "authority"
}

/** From where `ends` says that it was written to, up to where `stored` says that it goes, at least. */
const exportFeed = Effect.fnUntraced(function* <E>(
  store: JournalStore["Service"],
  space: SpaceId,
  stored: StoredFeed,
  ends: Map<FeedId, Archive.End>,
  sink: Sink<E>,
  advance: (run: Run.Run) => Effect.Effect<void>
): Effect.fn.Return<void, E | JournalStoreError | ExportDamaged> {
  const damaged = (seq: number, what: string) => new ExportDamaged({ feed: stored.feed, seq, what })
  const named = Branch.decodeNamed(stored.header)
  if (Result.isFailure(named)) return yield* damaged(0, named.failure.what)
  const { branch, feed } = named.success
  const start = branch?.at ?? 0
  const before = ends.get(stored.feed)
  let next = start + (before?.entries ?? stored.first)
  // what comes before the first entry that is kept is in the sealed books
  let hash = before?.hash ?? (stored.first > 0 ? undefined : (branch?.previous ?? entryHash(Feed.origin(feed))))
  yield* sink({ _tag: "Feed", header: stored.header, from: next - start })
  while (next < start + stored.entries) {
    const read = yield* store.read(space, stored.feed, next - start, loadBytes)
    if (read.length === 0) return yield* damaged(next, `ends here, ${stored.entries} entries were stored`)
    for (const { bytes } of read) {
      if (next >= start + stored.entries) break
      const decoded = Run.decode(bytes)
      if (Result.isFailure(decoded)) return yield* damaged(next, decoded.failure.what)
      const whole = decoded.success
      const fits = whole.feed === feed.id && whole.first <= next && Run.lastSeq(whole) >= next
      if (!fits || Run.hashBefore(whole, next) !== (hash ?? Run.hashBefore(whole, next)))
        return yield* damaged(next, "does not continue what is before")
      const run = Run.tail(whole, next)
      yield* sink({ _tag: "Run", bytes: run.bytes })
      yield* advance(run)
      next = Run.lastSeq(run) + 1
      hash = Run.lastHash(run)
    }
  }
  ends.set(stored.feed, { feed: stored.feed, entries: next - start, hash: hash ?? stored.hash })
})
