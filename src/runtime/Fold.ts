/**
 * Makes a replica's books from its store: every feed read back, its chain checked again, judged anew.
 *
 * Authority feeds come first, so that each data entry is judged once; then it is found out which branches of data there are
 * and what was settled on, so that of a forked feed nothing is kept in memory but what counts. The store is no authority: a run that does not
 * decode, does not chain or belongs to another feed is reported as damage and ends that feed for this fold; what lies
 * before it stays usable. Signatures were checked when the runs came in and are checked again by `aura journal verify`.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError, StoredFeed, StoredRun } from "../effects/JournalStore.ts"
import { entryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import type { Position } from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Authority from "../trust/Authority.ts"
import * as Branches from "./Branches.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Histories from "./Histories.ts"
import * as Judging from "./Judging.ts"
import * as Ladder from "./Ladder.ts"
import * as Ledger from "./Ledger.ts"
import * as Sealed from "./Sealed.ts"
import * as Line from "./Line.ts"
import { judgedTogether, loadBytes } from "./limits.ts"

/** A place where the store does not hold what was written. */
export interface Damage {
  readonly feed: FeedId
  readonly seq: number
  readonly what: string
}

export interface Folded {
  readonly ledger: Ledger.Ledger
  readonly damage: ReadonlyArray<Damage>
  /** The books that folding began with, if it did not begin with nothing. */
  readonly base: Ladder.Rung | undefined
}

/**
 * Folds a space's journal whole, or from the checkpoint that was sealed with this key, if there is one. What root sealed and
 * is here as such is the beginning in any case: of what lies below nothing is read.
 */
export const fold = (
  store: JournalStore["Service"],
  space: SpaceId,
  nowMillis: number,
  from: Redacted.Redacted<Uint8Array> | "whole"
): Effect.Effect<Folded, JournalStoreError> => foldUpTo(store, space, nowMillis, from, undefined)

/** Folds the entries up to these positions, and no other data: what a seal of them is the digest of. */
export const foldTo = (
  store: JournalStore["Service"],
  space: SpaceId,
  nowMillis: number,
  positions: ReadonlyArray<Position>
): Effect.Effect<Folded, JournalStoreError> =>
  foldUpTo(store, space, nowMillis, "whole", new Map(positions.map((position) => [position.feed, position])))

const foldUpTo = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  nowMillis: number,
  from: Redacted.Redacted<Uint8Array> | "whole",
  upTo: Ledger.Ledger["upTo"]
): Effect.fn.Return<Folded, JournalStoreError> {
  const damage: Array<Damage> = []
  const headless: Array<FeedId> = []
  const feeds: Array<readonly [Branch.Named, StoredFeed]> = []
  for (const stored of yield* store.feeds(space)) {
    const named = Branch.decodeNamed(stored.header)
    if (Result.isFailure(named) || Branch.idOf(named.success) !== stored.feed || named.success.feed.space !== space) {
      damage.push({
        feed: stored.feed,
        seq: 0,
        what: Result.isFailure(named) ? named.failure.what : "another feed's header"
      })
      headless.push(stored.feed)
    } else feeds.push([named.success, stored])
  }
  const row = from === "whole" ? undefined : Option.getOrUndefined(yield* store.local(space, Checkpoint.checkpointRow))
  const checkpoint = from === "whole" || row === undefined ? undefined : Checkpoint.unseal(Redacted.value(from), row)
  const sealed = yield* sealedBooks(store, space)
  const ends = new Map(feeds.map(([, { entries, feed, hash }]) => [feed, { entries, hash }]))
  let ledger = Ledger.make(space)
  let base: Ladder.Rung | undefined
  for (let attempt = 0; ; attempt++) {
    const found: Array<Damage> = []
    for (const feed of headless) ledger.damaged.add(feed)
    ledger.upTo = upTo
    // all headers first: a feed may close another that is read before it
    for (const [{ branch, feed }] of feeds) if (branch === undefined) Ledger.lineOf(ledger, feed)
    // in the order of the store: what a branch follows was stored before it
    for (const [named, stored] of feeds)
      if (named.feed.kind === "authority") yield* foldFeed(store, ledger, named, stored, found)
    Judging.advance(ledger, nowMillis)
    if (sealed !== undefined && isRoots(ledger, sealed)) ledger.sealed = sealed
    for (const [{ branch, feed }] of feeds)
      if (feed.kind === "data" && branch !== undefined)
        Branches.lineOf(ledger, feed, branch, yield* Histories.forkOf(store, ledger, branch))
    yield* Histories.read(store, ledger)
    const isRestored = attempt === 0 && checkpoint !== undefined && Checkpoint.restore(ledger, checkpoint, ends)
    base = isRestored ? Ladder.rungOf(ledger, checkpoint) : undefined
    if (!isRestored && sealed !== undefined && ledger.sealed !== undefined) begin(ledger, sealed)
    let overturned = false
    for (const [named, stored] of feeds) {
      if (upTo?.has(named.feed.id) === false) continue
      if (named.feed.kind === "data" && (yield* foldFeed(store, ledger, named, stored, found, nowMillis)))
        overturned = true
    }
    if (!overturned || attempt > 0) return { ledger, damage: [...damage, ...found], base }
    // of entries with one idempotency key a later one was read first: who counts is known now, so once more is enough
    const requests = ledger.requests
    ledger = Ledger.make(space)
    for (const [key, counts] of requests) ledger.requests.set(key, counts)
  }
})

/** The sealed books in the store, whosever word they are. */
const sealedBooks = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<Sealed.Books | undefined, JournalStoreError> {
  const row = yield* store.local(space, Sealed.sealedRow)
  const books = Option.isSome(row) ? Sealed.decode(row.value) : undefined
  return books !== undefined && Result.isSuccess(books) ? books.success : undefined
})

/** Whether root sealed these books. */
const isRoots = ({ authority }: Ledger.Ledger, { digest }: Sealed.Sealed): boolean =>
  authority !== undefined && Authority.seals(authority).some(({ fact }) => bytesToHex(fact.digest) === digest)

/** Begins with sealed books; books that this version can't read leave their feeds without a beginning, which is damage. */
const begin = (ledger: Ledger.Ledger, sealed: Sealed.Books): void => {
  if (Result.isFailure(Sealed.restore(ledger, sealed))) ledger.sealed = undefined
}

/**
 * Folds again what lies behind the newest rung that fits, beside authority as it is. Undefined: none does, or a verdict
 * was overturned on the way; then the books that were handed in are spent, and only the whole journal tells.
 */
export const refold = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  before: Folded,
  rungs: Array<Ladder.Rung>,
  nowMillis: number
): Effect.fn.Return<Folded | undefined, JournalStoreError> {
  if (rungs.length === 0) return undefined
  const { lines, requests, space } = before.ledger
  const feeds = yield* store.feeds(space)
  const ends = new Map(feeds.map(({ entries, feed, hash }) => [feed, { entries, hash }]))
  const ledger = rewound(before.ledger)
  yield* Histories.read(store, ledger)
  for (let base = rungs.at(-1); base !== undefined; base = rungs.at(-1)) {
    if (Checkpoint.restore(ledger, base.books, ends, requests)) break
    rungs.pop()
  }
  const base = rungs.at(-1)
  if (base === undefined) return undefined
  const damage = before.damage.filter(({ feed }) => lines.get(feed)?.feed.kind !== "data")
  for (const stored of feeds) {
    const line = lines.get(stored.feed)
    if (line?.feed.kind !== "data") continue
    if (yield* foldFeed(store, ledger, line, stored, damage, nowMillis)) return undefined
  }
  return { ledger, damage, base }
})

/** Books with authority as it is, and nothing of any feed of data. */
const rewound = (before: Ledger.Ledger): Ledger.Ledger => {
  const ledger: Ledger.Ledger = { ...before, ...emptied(before) }
  for (const [id, line] of before.lines) {
    ledger.lines.set(id, line.feed.kind === "data" ? emptyAs(line) : line)
    if (line.feed.kind === "data") ledger.damaged.delete(id)
    else if (line.judged > Line.startOf(line)) ledger.latest = Math.max(ledger.latest, line.judgedTime)
  }
  const anew = (line: Line.Line): Line.Line => ledger.lines.get(line.id)!
  for (const [id, line] of before.parted) ledger.parted.set(id, anew(line))
  for (const [id, lines] of before.branches) ledger.branches.set(id, lines.map(anew))
  for (const line of ledger.lines.values()) line.host &&= anew(line.host)
  return ledger
}

/** A line with its place among others, and nothing taken. */
const emptyAs = ({ branch, feed, host, splits }: Line.Line): Line.Line => {
  const line = Line.make(feed, branch)
  line.host = host
  line.splits.push(...splits)
  return line
}

const emptied = ({ damaged, space }: Ledger.Ledger) => {
  const { applied, branches, latest, lines, overturned, parted, quarantine, requests, state } = Ledger.make(space)
  return {
    applied,
    branches,
    damaged: new Set(damaged),
    latest,
    lines,
    overturned,
    parted,
    quarantine,
    requests,
    state
  }
}

/** Takes all that is stored of a feed; with a clock its entries are judged too. True when a verdict was overturned. */
const foldFeed = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  ledger: Ledger.Ledger,
  { branch, feed }: Branch.Named,
  stored: StoredFeed,
  damage: Array<Damage>,
  nowMillis?: number
): Effect.fn.Return<boolean, JournalStoreError> {
  const line = Branches.lineOf(ledger, feed, branch)
  const start = branch?.at ?? 0
  line.kept = start + stored.first
  if (line.taken < line.kept) {
    damage.push({ feed: line.id, seq: line.taken, what: withoutBeginning(line) })
    ledger.damaged.add(line.id)
    return false
  }
  const end = Math.min(start + stored.entries, (ledger.upTo?.get(line.id)?.seq ?? Number.POSITIVE_INFINITY) + 1)
  let overturned = false
  let bytesMax = loadBytes
  while (line.taken < end) {
    const read = yield* readable(store.read(ledger.space, line.id, line.taken - start, bytesMax))
    if (Result.isFailure(read) && bytesMax > 1) {
      // somewhere in what was asked for lies a damaged row: run by run, up to it
      bytesMax = 1
      continue
    }
    const runs = Result.isSuccess(read) ? read.success : []
    let wrong = Result.isFailure(read)
      ? read.failure
      : runs.length === 0
        ? `ends here, ${stored.entries} entries were stored`
        : undefined
    for (const one of runs) {
      const run = Run.decode(one.bytes)
      wrong = Result.isFailure(run) ? run.failure.what : misplaced(run.success, one, line)
      if (wrong !== undefined) break
      Ledger.take(ledger, line, Result.getOrThrow(run))
      // entries are judged as they come: a long feed does not lie in memory whole, and what lies there is short-lived
      if (nowMillis === undefined || line.pending.length < judgedTogether) continue
      overturned = Judging.advance(ledger, nowMillis).overturned || overturned
    }
    if (nowMillis !== undefined) overturned = Judging.advance(ledger, nowMillis).overturned || overturned
    if (wrong === undefined) continue
    damage.push({ feed: line.id, seq: line.taken, what: wrong })
    ledger.damaged.add(line.id)
    return overturned
  }
  return overturned
})

const withoutBeginning = ({ kept, taken }: Line.Line): string =>
  `entries ${taken} to ${kept - 1} were dropped under a seal, and the sealed books they are in are missing or not root's`

/** What the store finds damaged itself is damage of this feed, not of the whole space. */
const readable = (
  read: Effect.Effect<ReadonlyArray<StoredRun>, JournalStoreError>
): Effect.Effect<Result.Result<ReadonlyArray<StoredRun>, string>, JournalStoreError> =>
  read.pipe(
    Effect.map(Result.succeed),
    Effect.catch((error) =>
      error.reason._tag === "JournalCorrupt" ? Effect.succeed(Result.fail(error.reason.what)) : Effect.fail(error)
    )
  )

/** The run's own bytes against the feed so far and against the row they were stored under. */
const misplaced = (run: Run.Run, stored: StoredRun, line: Line.Line): string | undefined => {
  if (run.feed !== line.feed.id) return "a run of another feed"
  const isFresh = run.first === line.taken
  // behind a checkpoint the first run may begin before it: then the hash there has to be in the run
  const isAround = line.taken > run.first && line.judged === line.taken && line.taken <= Run.lastSeq(run) + 1
  if (!isFresh && !isAround) return `a run that begins at ${run.first} where ${line.taken} was due`
  if (Run.hashBefore(run, line.taken) !== line.hash) return "a run that does not continue the chain"
  if (!Ledger.rises(line, run)) return "a run whose time is not above that of the entry before it"
  if (line.branch !== undefined && run.first === line.branch.at && entryHash(run.hashes[0]!) !== line.branch.first)
    return "a run of another branch"
  if (Run.lastSeq(run) - (line.branch?.at ?? 0) !== stored.last || Run.lastHash(run) !== stored.hash)
    return "a run that is not the one that was stored"
  return undefined
}
