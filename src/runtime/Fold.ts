/**
 * Makes a replica's books from its store: every feed read back, its chain checked again, judged anew.
 *
 * Authority feeds come first, so that each data entry is judged once. The store is no authority: a run that does not
 * decode, does not chain or belongs to another feed is reported as damage and ends that feed for this fold; what lies
 * before it stays usable. Signatures were checked when the runs came in and are checked again by `aura journal verify`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError, StoredFeed, StoredRun } from "../effects/JournalStore.ts"
import { entryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Fork from "../journal/Fork.ts"
import * as Run from "../journal/Run.ts"
import * as Branches from "./Branches.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Judging from "./Judging.ts"
import * as Ladder from "./Ladder.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"
import { judgedTogether, loadBytes } from "./limits.ts"

/** A place where the store does not hold what was written. */
export interface Damage {
  /** Undefined: the row with the proofs of forks. */
  readonly feed: FeedId | undefined
  readonly seq: number
  readonly what: string
}

export interface Folded {
  readonly ledger: Ledger.Ledger
  readonly damage: ReadonlyArray<Damage>
  /** The books that folding began with, if it did not begin with nothing. */
  readonly base: Ladder.Rung | undefined
}

/** Name of the local row with the proofs of forks. */
export const forksRow = "forks"

/** Folds a space's journal whole, or from the checkpoint that was sealed with this key, if there is one. */
export const fold = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  nowMillis: number,
  from: Redacted.Redacted<Uint8Array> | "whole"
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
  const proofs = yield* forks(store, space)
  if (proofs.lost > 0) damage.push({ feed: undefined, seq: 0, what: `${proofs.lost} proofs of forks can't be read` })
  const row = from === "whole" ? undefined : Option.getOrUndefined(yield* store.local(space, Checkpoint.checkpointRow))
  const checkpoint = from === "whole" || row === undefined ? undefined : Checkpoint.unseal(Redacted.value(from), row)
  const ends = new Map(feeds.map(([, { entries, feed, hash }]) => [feed, { entries, hash }]))
  let ledger = Ledger.make(space)
  let base: Ladder.Rung | undefined
  for (let attempt = 0; ; attempt++) {
    const found: Array<Damage> = []
    for (const feed of headless) ledger.damaged.add(feed)
    for (const proof of proofs.known) Ledger.noteFork(ledger, proof)
    // all headers first: a feed may close another that is read before it
    for (const [{ branch, feed }] of feeds) if (branch === undefined) Ledger.lineOf(ledger, feed)
    // in the order of the store: what a branch follows was stored before it
    for (const [named, stored] of feeds)
      if (named.feed.kind === "authority") yield* foldFeed(store, ledger, named, stored, found)
    Judging.advance(ledger, nowMillis)
    const isRestored = attempt === 0 && checkpoint !== undefined && Checkpoint.restore(ledger, checkpoint, ends)
    base = isRestored ? Ladder.rungOf(ledger, checkpoint) : undefined
    let overturned = false
    for (const [named, stored] of feeds) {
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
  for (let base = rungs.at(-1); base !== undefined; base = rungs.at(-1)) {
    if (Checkpoint.restore(ledger, base.books, ends, requests)) break
    rungs.pop()
  }
  const base = rungs.at(-1)
  if (base === undefined) return undefined
  const damage = before.damage.filter(({ feed }) => feed === undefined || lines.get(feed)?.feed.kind !== "data")
  for (const stored of feeds) {
    const feed = lines.get(stored.feed)?.feed
    if (feed?.kind !== "data") continue
    if (yield* foldFeed(store, ledger, { feed, branch: undefined }, stored, damage, nowMillis)) return undefined
  }
  return { ledger, damage, base }
})

/** Books with authority as it is, and nothing of any feed of data. */
const rewound = (before: Ledger.Ledger): Ledger.Ledger => {
  const ledger: Ledger.Ledger = { ...before, ...emptied(before) }
  for (const [id, line] of before.lines) {
    ledger.lines.set(id, line.feed.kind === "data" ? Line.make(line.feed, undefined) : line)
    if (line.feed.kind === "data") ledger.damaged.delete(id)
    else if (line.judged > Line.startOf(line)) ledger.latest = Math.max(ledger.latest, line.judgedTime)
  }
  return ledger
}

const emptied = ({ damaged, space }: Ledger.Ledger) => {
  const { applied, latest, lines, overturned, quarantine, requests, state } = Ledger.make(space)
  return { applied, damaged: new Set(damaged), latest, lines, overturned, quarantine, requests, state }
}

/** The proofs of forks that this replica keeps, lowest position per feed; how many can't be read. */
export const forks = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<{ readonly known: ReadonlyArray<Fork.Fork>; readonly lost: number }, JournalStoreError> {
  const row = yield* store.local(space, forksRow)
  if (Option.isNone(row)) return { known: [], lost: 0 }
  const decoded = Cbor.decode(row.value)
  if (Result.isFailure(decoded) || !Array.isArray(decoded.success)) return { known: [], lost: 1 }
  const known: Array<Fork.Fork> = []
  for (const item of decoded.success as ReadonlyArray<Cbor.Cbor>) {
    const proof = item instanceof Uint8Array ? Fork.decode(item) : undefined
    if (proof !== undefined && Result.isSuccess(proof)) known.push(proof.success)
  }
  return { known, lost: decoded.success.length - known.length }
})

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
  let overturned = false
  let bytesMax = loadBytes
  while (line.taken < start + stored.entries) {
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
