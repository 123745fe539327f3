/**
 * What a run brought by a peer means for a replica's books: continue a feed, nothing new, too early, or another history.
 *
 * Synchronous and without side effects: the run was decoded and its chain checked; whether its signature is good is the
 * caller's to have settled. Nothing is stored that this replica does not want: feeds of devices that nobody admitted
 * and entries behind a feed's end (a standing cut, a closing). Of a forked feed every history is kept: of data, too, for
 * any of them may be settled on.
 */
import { entryHash, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import type { StoredRun } from "../effects/JournalStore.ts"
import * as Branch from "../journal/Branch.ts"
import { deviceFeedsMax, deviceHistoriesMax } from "../journal/limits.ts"
import type { Position } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Entry from "../journal/Entry.ts"
import * as Fact from "../trust/Fact.ts"
import * as Genesis from "../journal/Genesis.ts"
import * as Result from "effect/Result"
import * as Branches from "./Branches.ts"
import type { Place } from "./Histories.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"
import { feedPendingBytesMax } from "./limits.ts"

/** What became of a run. */
export type Outcome =
  /** It continued its feed, which now ends at `seq`. */
  | { readonly _tag: "Stored"; readonly feed: FeedId; readonly seq: number; readonly mark: string }
  /** All of it was here. */
  | { readonly _tag: "Known"; readonly feed: FeedId; readonly seq: number; readonly mark: string }
  /** It begins at `first`, behind what is here, or contradicts it: the peer is asked for the feed from `from`. */
  | { readonly _tag: "Detached"; readonly feed: FeedId; readonly from: number; readonly first: number }
  /** Not wanted here: no breach, the peer may not know what we know. */
  | { readonly _tag: "Unwanted"; readonly feed: FeedId; readonly why: string }
  /** Never true: the peer that brought it is at fault. */
  | { readonly _tag: "Refused"; readonly why: string }

/** How a decoded run fits: `run` = what of it is new, on its feed's first line or on that of a branch. */
export type Fit =
  | {
      readonly _tag: "Continues"
      readonly run: Run.Run
      readonly branch: Branch.Branch | undefined
      /** Where a new branch of data leaves which line. */
      readonly fork?: Branches.Fork
      /** Where its feed ends afterwards, by the name and in the count that peers know. */
      readonly end: Head
    }
  /** Only the store can tell which entries of a feed of data it holds (runtime/Histories.ts). */
  | { readonly _tag: "Unclear" }
  | Outcome

type Head = { readonly feed: FeedId } & Frontier.Head

/** The feed a run belongs to: known here, or told by its header or that of a branch. */
export const feedOf = (
  ledger: Ledger.Ledger,
  header: Uint8Array | undefined,
  run: Run.Run
): Result.Result<Feed.Feed, Outcome> => {
  const known = ledger.lines.get(run.feed)
  if (known?.branch !== undefined) return Result.fail({ _tag: "Refused", why: "a run by the name of a branch" })
  if (known !== undefined) return Result.succeed(known.feed)
  if (header === undefined) return Result.fail({ _tag: "Detached", feed: run.feed, from: 0, first: run.first })
  const named = Branch.decodeNamed(header)
  if (Result.isFailure(named)) return Result.fail({ _tag: "Refused", why: named.failure.what })
  const { feed } = named.success
  if (feed.id !== run.feed) return Result.fail({ _tag: "Refused", why: "a header of another feed" })
  if (feed.space !== ledger.space) return Result.fail({ _tag: "Refused", why: "a feed of another space" })
  return Result.succeed(feed)
}

/**
 * Whether this replica keeps the feed at all, and how the run fits what it has of it; `ahead` = the last run of the
 * same feed that is about to be stored.
 */
export const fit = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run, ahead: Run.Run | undefined): Fit => {
  const line = ledger.lines.get(feed.id)
  const why = line === undefined && ahead === undefined ? unwantedFeed(ledger, feed, run) : undefined
  if (why !== undefined) return { _tag: "Unwanted", feed: feed.id, why }
  if (ledger.damaged.has(feed.id)) return damagedHere(feed.id)
  if (feed.kind === "authority") return fitAuthority(ledger, feed, run)
  if (run.first > Ledger.boundOf(ledger, feed).seq)
    return { _tag: "Unwanted", feed: feed.id, why: "behind the end of its feed" }
  const sealed = ledger.sealed?.ends.get(feed.id)
  if (sealed !== undefined && run.first <= sealed.seq && line !== undefined && line.taken > sealed.seq) {
    const why = againstSeal(run, sealed)
    if (why !== undefined) return { _tag: "Unwanted", feed: feed.id, why }
    const last = Math.min(Run.lastSeq(run), sealed.seq)
    if (Run.lastSeq(run) <= last)
      return { _tag: "Known", feed: feed.id, seq: last, mark: Frontier.mark(Run.lastHash(run)) }
  }
  if (ledger.branches.has(feed.id)) return fitEnd(ledger, feed, run)
  const taken = ahead === undefined ? (line?.taken ?? 0) : Run.lastSeq(ahead) + 1
  const last = Run.lastSeq(run)
  if (run.first > taken) return { _tag: "Detached", feed: feed.id, from: taken, first: run.first }
  const ours = ahead === undefined ? (line?.hash ?? entryHash(Feed.origin(feed))) : Run.lastHash(ahead)
  if (last < taken - 1) return unclear
  const theirs = run.first === taken ? run.previous : entryHash(run.hashes[taken - 1 - run.first]!)
  if (theirs !== ours) return unclear
  if (last === taken - 1) return { _tag: "Known", feed: feed.id, seq: last, mark: Frontier.mark(ours) }
  if (line !== undefined && line.pendingBytes > feedPendingBytesMax) return crowded(feed.id)
  if (
    run.first === taken &&
    taken > 0 &&
    run.times[0]! <= (ahead === undefined ? line!.time : ahead.times[ahead.times.length - 1]!)
  )
    return notRising
  const end = { feed: feed.id, seq: last, mark: Frontier.mark(Run.lastHash(run)) }
  return { _tag: "Continues", run: Run.tail(run, taken), branch: undefined, end }
}

const unclear: Fit = { _tag: "Unclear" }

/** Why a run that begins below a seal is not of the history that root sealed, as far as it tells. */
const againstSeal = (run: Run.Run, { hash, seq }: Position): string | undefined => {
  const found = run.hashes[seq - run.first]
  return found === undefined || entryHash(found) === hash ? undefined : "another history than the one that root sealed"
}

/** How a run of a forked feed of data fits if it goes on where one of its histories ends, or ends there. */
const fitEnd = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run): Fit => {
  const [seq, last] = [Run.lastSeq(run), Run.lastHash(run)]
  for (const line of Ledger.historiesOf(ledger, feed.id)) {
    if (seq === line.taken - 1 && last === line.hash) return { _tag: "Known", ...Line.headAt(line, seq, last) }
    if (run.first === line.taken && run.previous === line.hash)
      return fitAt(ledger, feed, run, { at: run.first, fork: { line, time: line.time, first: undefined } })
  }
  return unclear
}

/** How a run of data fits that is known up to a place. */
export const fitAt = (
  ledger: Ledger.Ledger,
  feed: Feed.Feed,
  run: Run.Run,
  { at, fork }: Place
): Exclude<Fit, { readonly _tag: "Unclear" }> => {
  const { line, time } = fork
  const [seq, last] = [Run.lastSeq(run), Run.lastHash(run)]
  if (at > seq) return { _tag: "Known", ...Line.headAt(line, seq, last) }
  if (ledger.damaged.has(line.id)) return damagedHere(line.id)
  if (isCrowded(ledger, feed)) return crowded(feed.id)
  if (at > 0 && run.times[at - run.first]! <= time) return notRising
  const rest = Run.tail(run, at)
  if (at === line.taken) return { _tag: "Continues", run: rest, branch: line.branch, end: Line.headAt(line, seq, last) }
  const branch = Branch.make(feed, at, Run.hashBefore(run, at), entryHash(rest.hashes[0]!))
  const why = tooMany(ledger, feed, true)
  if (why !== undefined) return { _tag: "Unwanted", feed: branch.id, why }
  const end = { feed: branch.id, seq: seq - at, mark: Frontier.mark(last) }
  return { _tag: "Continues", run: rest, branch, fork, end }
}

/**
 * How a run of an authority feed fits, of which every history is kept: it continues the line that ends at what it follows,
 * or branches off where that line goes on otherwise.
 */
const fitAuthority = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run): Fit => {
  const lines = Ledger.historiesOf(ledger, feed.id)
  const taken = lines[0]?.taken ?? 0
  // nearly all that comes simply goes on where the feed ends
  const isPlain = lines.length < 2 && run.first === taken && run.previous === (lines[0]?.hash ?? feed.id)
  const known = isPlain ? 0 : knownOf(ledger, feed, run)
  const seq = Run.lastSeq(run)
  const last = Run.lastHash(run)
  if (known === run.hashes.length) {
    const place = Branches.locate(ledger, feed.id, seq, last)!
    return { _tag: "Known", ...Line.headAt(place.line, seq, last) }
  }
  const at = run.first + known
  const previous = known === 0 ? run.previous : entryHash(run.hashes[known - 1]!)
  const isNew = lines.length === 0 && at === 0 && previous === (feed.id as string)
  const place = isPlain ? endOf(lines[0]) : isNew ? undefined : Branches.locate(ledger, feed.id, at - 1, previous)
  if (place === undefined && !isNew) {
    const from = run.first > taken ? taken : Math.max(0, run.first - run.bodies.length)
    return { _tag: "Detached", feed: feed.id, from, first: run.first }
  }
  const isBranching = place !== undefined && place.line.taken > at
  const branch = isBranching ? Branch.make(feed, at, previous, entryHash(run.hashes[known]!)) : place?.line.branch
  const mark = Frontier.mark(last)
  const end =
    place === undefined
      ? { feed: feed.id, seq, mark }
      : isBranching
        ? { feed: branch!.id, seq: seq - at, mark }
        : Line.headAt(place.line, seq, last)
  if (place !== undefined && (ledger.damaged.has(place.line.id) || ledger.damaged.has(end.feed)))
    return damagedHere(end.feed)
  if (isCrowded(ledger, feed)) return crowded(end.feed)
  if (at > 0 && run.times[known]! <= place!.time) return notRising
  const why = isBranching ? tooMany(ledger, feed, true) : undefined
  if (why !== undefined) return { _tag: "Unwanted", feed: end.feed, why }
  return { _tag: "Continues", run: Run.tail(run, at), branch, end }
}

/** How many entries of a run are here already, from its first one on. */
const knownOf = (ledger: Ledger.Ledger, feed: Feed.Feed, { first, hashes }: Run.Run): number => {
  let known = 0
  while (known < hashes.length && Branches.isHere(ledger, feed.id, first + known, entryHash(hashes[known]!))) known++
  return known
}

const endOf = (line: Line.Line | undefined): Branches.Place | undefined =>
  line && { line, seq: line.taken - 1, time: line.time }

const notRising: Outcome = { _tag: "Refused", why: "a run whose time is not above that of the entry before it" }

const damagedHere = (feed: FeedId): Outcome => ({
  _tag: "Unwanted",
  feed,
  why: "its stored entries are damaged here"
})

const crowded = (feed: FeedId): Outcome => ({
  _tag: "Unwanted",
  feed,
  why: `more than ${feedPendingBytesMax} bytes of it wait here for what they name`
})

/**
 * Whether so much of a feed waits here for what it names that no more of it is taken, on whatever branch. Of a forked feed
 * of data the rest waits in the store (`Ledger.take`), so that no history keeps another out.
 */
const isCrowded = (ledger: Ledger.Ledger, feed: Feed.Feed): boolean => {
  if (feed.kind === "data" && ledger.branches.has(feed.id)) return false
  let bytes = 0
  for (const { pendingBytes } of Ledger.historiesOf(ledger, feed.id)) bytes += pendingBytes
  return bytes > feedPendingBytesMax
}

/**
 * Whether more of what was turned away would be taken now; the header tells of a feed or branch that is not here at all.
 * True only where `fit` takes it: what it turns away again is asked for again.
 */
export const isWanted = (ledger: Ledger.Ledger, id: FeedId, header: Uint8Array | undefined): boolean => {
  const line = ledger.parted.get(id) ?? ledger.lines.get(id)
  if (line !== undefined)
    return (
      !isDamaged(ledger, line) && !isCrowded(ledger, line.feed) && line.taken <= Ledger.boundOf(ledger, line.feed).seq
    )
  const named = header === undefined ? undefined : Branch.decodeNamed(header)
  if (named === undefined || Result.isFailure(named) || ledger.damaged.has(id)) return false
  const { branch, feed } = named.success
  const isNew = branch === undefined || !ledger.lines.has(feed.id)
  if (Ledger.boundOf(ledger, feed).seq < (branch?.at ?? 0) || tooMany(ledger, feed, !isNew) !== undefined) return false
  if (branch === undefined) return true
  // what it follows may be on any line that reaches so far, and comes before it from whoever has it
  if (feed.kind === "data")
    return Ledger.historiesOf(ledger, feed.id).some((line) => line.taken >= branch.at && !isDamaged(ledger, line))
  const place = Branches.locate(ledger, feed.id, branch.at - 1, branch.previous)
  return place !== undefined && !isDamaged(ledger, place.line) && !isCrowded(ledger, feed)
}

const isDamaged = ({ damaged }: Ledger.Ledger, { feed, id }: Line.Line): boolean =>
  damaged.has(id) || damaged.has(feed.id)

/** The branch as which a peer sent a run, told by its header; undefined: as its feed. */
export const branchOf = (header: Uint8Array | undefined): Branch.Branch | undefined => {
  const named = header === undefined ? undefined : Branch.decodeNamed(header)
  return named !== undefined && Result.isSuccess(named) ? named.success.branch : undefined
}

/** A run as it goes to the store: under its feed, or under a branch and counted from its beginning. */
export const stored = (run: Run.Run, branch?: Branch.Branch): StoredRun => {
  const start = branch?.at ?? 0
  return {
    feed: branch?.id ?? run.feed,
    first: run.first - start,
    last: Run.lastSeq(run) - start,
    previous: branch !== undefined && run.first === start ? (branch.id as string as EntryHash) : run.previous,
    hash: Run.lastHash(run),
    bytes: run.bytes
  }
}

const unwantedFeed = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run): string | undefined => {
  if (ledger.authority === undefined)
    return founds(ledger.space, feed, run) ? undefined : "the space's founding entry is not here"
  if (Ledger.boundOf(ledger, feed).seq < 0) return "its device is no member, as far as this replica knows"
  return tooMany(ledger, feed, false)
}

/** Why one more feed of this kind and device, or one more branch, is not taken. Branches of data have a number of their own. */
const tooMany = (ledger: Ledger.Ledger, { device, id, kind }: Feed.Feed, isBranch: boolean): string | undefined => {
  const [allowed, what] =
    kind === "authority"
      ? [deviceHistoriesMax, "authority feeds"]
      : isBranch
        ? [deviceHistoriesMax, "further histories of data"]
        : [deviceFeedsMax, "feeds"]
  let count = 0
  let isAwaited = false
  for (const { blocked, branch, feed } of ledger.lines.values()) {
    const isAlike = kind === "authority" || (branch !== undefined) === isBranch
    if (feed.device === device && feed.kind === kind && isAlike) count++
    // what somebody else had seen is taken whatever their number, or nothing that they say could be judged here
    if (blocked?._tag === "Waiting" && blocked.forEntry?.feed === id && feed.device !== device) isAwaited = true
  }
  return count >= allowed && !isAwaited ? `its device has ${allowed} ${what} already` : undefined
}

/** Whether a run begins with the record that this space is named by. */
const founds = (space: SpaceId, feed: Feed.Feed, run: Run.Run): boolean => {
  if (feed.kind !== "authority" || run.first !== 0) return false
  const body = Entry.decode(run.bodies[0]!)
  if (Result.isFailure(body)) return false
  const fact = Fact.decode(body.success.facts[0]!)
  if (fact._tag !== "Create") return false
  const genesis = Genesis.decode(fact.genesis)
  return Result.isSuccess(genesis) && genesis.success.space === space && genesis.success.creator === feed.device
}
