/**
 * A replica's books: what it has of each feed, what of it was judged, and the state that follows. Synchronous memory.
 *
 * Each feed is a line that entries move along, in order:
 *
 *     taken (chain and signature verified, durable)  →  waiting | held  →  judged  →  applied | quarantined
 *
 * `waiting`: something it names is not here yet. `held`: its time is too far ahead. Neither is a verdict; both end by
 * themselves, and everything behind them in the feed waits with them. `quarantined` is a verdict. What lies behind a
 * standing cut, a fork or a closing is outside the journal: kept where it was stored, never judged, in no frontier.
 *
 * Law (test/runtime/Ledger.test.ts): the same set of entries gives the same state, authority, waiting and quarantine,
 * in whatever order and portions it comes. A verdict can only be overturned by what arrives later and restricts;
 * judging then reports `overturned` and the owner folds the journal anew (runtime/Fold.ts): joins of CRDTs have no
 * inverse.
 *
 * A data feed counts up to its fork and has one line. Of a forked authority feed all histories count, each branch on a
 * line of its own (runtime/Line.ts, runtime/Branches.ts): what a restriction on any of them ends, it ends everywhere.
 *
 * What moves entries along is runtime/Judging.ts; here is what is kept, what is taken, and where each feed ends.
 * The Ledger is mutated in place by its owner alone and never handed out.
 */
import { entryHash, type DeviceId, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as State from "../journal/crdt/State.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import * as Frontier from "../journal/Frontier.ts"
import type * as Genesis from "../journal/Genesis.ts"
import { completeSeenEvery, seenPositionsMax } from "../journal/limits.ts"
import type { Request } from "../journal/Request.ts"
import type * as Run from "../journal/Run.ts"
import * as Authority from "../trust/Authority.ts"
import type * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Line from "./Line.ts"

export interface Quarantined {
  readonly feed: FeedId
  readonly device: DeviceId
  readonly seq: number
  readonly because: Decision.Refusal
}

export interface Ledger {
  readonly space: SpaceId
  genesis: (Genesis.Genesis & { readonly space: SpaceId }) | undefined
  authority: Authority.Authority | undefined
  /** What all verdicts here were given by, or would have been given alike. */
  verdictsBy: Authority.Authority | undefined
  readonly lines: Map<FeedId, Line.Line>
  readonly state: State.State
  readonly quarantine: Map<string, Quarantined>
  /** Of the entries with one (requester, key) the one that counts. */
  readonly requests: Map<string, { readonly time: number; readonly feed: FeedId; readonly seq: number }>
  /** For each feed that headers close: the feeds that say so. Whether they count follows from the authority. */
  readonly closers: Map<FeedId, Array<Feed>>
  /** Forked feeds: the last position before the lowest fork. Of data feeds with the proof; of others the branches are here. */
  readonly forks: Map<
    FeedId,
    { readonly seq: number; readonly hash: EntryHash; readonly proof: Uint8Array | undefined }
  >
  /** Further lines of authority feeds that forked. */
  readonly branches: Map<FeedId, Array<Line.Line>>
  /** The lines inside which others branch off, by the names of their own parts behind that. */
  readonly parted: Map<FeedId, Line.Line>
  /** Feeds whose stored entries can't be read to the end: nothing is put behind them. */
  readonly damaged: Set<FeedId>
  /** Something judged before no longer counts, or the reverse; judging reports it. */
  overturned: boolean
  applied: number
  /** Time of the latest entry judged: whatever is written here comes after it. */
  latest: number
}

export const make = (space: SpaceId): Ledger => ({
  space,
  genesis: undefined,
  authority: undefined,
  verdictsBy: undefined,
  lines: new Map(),
  state: State.empty(),
  quarantine: new Map(),
  requests: new Map(),
  closers: new Map(),
  forks: new Map(),
  branches: new Map(),
  parted: new Map(),
  damaged: new Set(),
  overturned: false,
  applied: 0,
  latest: 0
})

/** The line of a feed, opened if need be. The header was decoded and belongs to this space. */
export const lineOf = (ledger: Ledger, feed: Feed): Line.Line => {
  const known = ledger.lines.get(feed.id)
  if (known !== undefined) return known
  const line = Line.make(feed, undefined)
  ledger.lines.set(feed.id, line)
  if (feed.closes !== undefined) noteClosing(ledger, feed, feed.closes)
  return line
}

/** Whether what a run adds to the line keeps time: above the entry before it, as within a run. */
export const rises = (line: Line.Line, run: Run.Run): boolean => {
  const next = run.times[line.taken - run.first]
  return line.taken === 0 || next === undefined || next > line.time
}

/**
 * Takes the entries of a verified run that are not here yet. The run continues or overlaps what is here. Of a run of our
 * own, `decided` has what is known of each entry.
 */
export const take = (
  ledger: Ledger,
  line: Line.Line,
  run: Run.Run,
  decided: ReadonlyArray<Line.Decided | undefined> = []
): void => {
  for (let i = Math.max(0, line.taken - run.first); i < run.bodies.length; i++) {
    const body = run.bodies[i]!
    line.pending.push({ seq: run.first + i, time: run.times[i]!, hash: run.hashes[i]!, body, decided: decided[i] })
    line.pendingBytes += body.length
    line.time = run.times[i]!
    line.taken = run.first + i + 1
  }
  line.hash = entryHash(run.hashes[run.hashes.length - 1]!)
}

/** Notes a proved fork of a data feed: from there on it is frozen. True when this is news. */
export const noteFork = (ledger: Ledger, fork: Fork.Fork): boolean =>
  freeze(ledger, fork.feed, { seq: fork.at - 1, hash: Fork.hashBefore(fork), proof: fork.bytes })

/** Ends what counts of a forked feed there, if nothing ended it before. True when this is news. */
export const freeze = (
  ledger: Ledger,
  feed: Feed,
  end: { readonly seq: number; readonly hash: EntryHash; readonly proof: Uint8Array | undefined }
): boolean => {
  const known = ledger.forks.get(feed.id)
  if (known !== undefined && known.seq <= end.seq) return false
  ledger.forks.set(feed.id, end)
  const authority = ledger.authority
  if (authority === undefined) return true
  ledger.authority = Authority.fork(authority, feed.id, end.seq + 1)
  // of a feed of authority, judging finds out what rested on it
  if (feed.kind === "data" && (ledger.lines.get(feed.id)?.judged ?? 0) > end.seq + 1) ledger.overturned = true
  return true
}

/**
 * Where a feed ends as things stand: the last position that belongs to the journal. `seq` −1 = nothing of it does,
 * Infinity = all of it. `hash` is known wherever the end is a position.
 */
export const limitOf = (ledger: Ledger, feed: Feed): End => {
  const authority = ledger.authority
  if (authority === undefined) return feed.kind === "authority" ? unlimited : nothing
  if (feed.kind === "authority") return Authority.isNamed(authority, feed.device) ? unlimited : nothing
  let end = endByOthers(ledger, authority, feed)
  for (const closer of ledger.closers.get(feed.id) ?? []) {
    // a feed that is itself outside the journal closes nothing: a thief's can't undo what came before the cut
    const counts =
      closer.device === feed.device && closer.kind === feed.kind && endByOthers(ledger, authority, closer).seq >= 0
    if (counts && closer.closes!.seq < end.seq) end = closer.closes!
  }
  return end
}

interface End {
  readonly seq: number
  readonly hash: EntryHash | undefined
}

/** Where membership, a cut or a fork ends a data feed, whatever its own device says of it. */
const endByOthers = (ledger: Ledger, authority: Authority.Authority, feed: Feed): End => {
  if (!Authority.isAdmitted(authority, Authority.present(authority), feed.device)) return nothing
  const cut = Authority.cutOf(authority, feed.device, feed.id)
  if (cut === "start") return nothing
  const end: End = cut ?? unlimited
  const fork = ledger.forks.get(feed.id)
  return fork !== undefined && fork.seq < end.seq ? fork : end
}

/** Where a feed ends, if something ends it. */
export const endOf = (ledger: Ledger, feed: Feed): number | undefined => {
  const { seq } = limitOf(ledger, feed)
  return seq === Number.POSITIVE_INFINITY ? undefined : seq
}

const unlimited = { seq: Number.POSITIVE_INFINITY, hash: undefined } as const
const nothing = { seq: -1, hash: undefined } as const

/** How far this replica has the journal: what is taken, within the limits. */
export const frontier = (ledger: Ledger): Map<FeedId, Frontier.Head> => {
  const heads = new Map<FeedId, Frontier.Head>()
  for (const line of ledger.lines.values()) {
    const limit = limitOf(ledger, line.feed)
    if (line.taken === 0 || limit.seq < 0) continue
    if (ledger.branches.has(line.feed.id)) {
      for (const { from, hash, id, to } of Line.partsOf(line))
        heads.set(id, { seq: to - from, mark: Frontier.mark(hash) })
    } else if (limit.seq >= line.taken - 1)
      heads.set(line.feed.id, { seq: line.taken - 1, mark: Frontier.mark(line.hash) })
    else heads.set(line.feed.id, { seq: limit.seq, mark: Frontier.mark(hashAt(line, limit.seq) ?? limit.hash!) })
  }
  return heads
}

/** Our own hash at a position not yet passed or just passed: where we hold another branch, the mark says so. */
const hashAt = (line: Line.Line, seq: number): EntryHash | undefined => {
  if (seq === line.judged - 1) return line.judgedHash
  const pending = line.pending[seq - line.judged]
  return pending === undefined ? undefined : entryHash(pending.hash)
}

/** What an application with these fields sees: immutable, the same object until something changes. */
export const read = (ledger: Ledger, definition: Definition): State.Shown => State.read(ledger.state, definition.fields)

/**
 * Authority positions that are news to a feed: what its next entry has to name as seen. Of those the last ones alone,
 * which lie in no other's past: with them everything is seen that would be were all of them named.
 */
export const unseen = (
  { authority, lines }: Ledger,
  line: Line.Line | undefined,
  kind: Feed["kind"],
  seq: number
): ReadonlyArray<Position> => {
  if (authority === undefined) return []
  const complete = kind === "data" && seq % completeSeenEvery === 0
  const view = line === undefined || complete ? Authority.emptyView(authority) : viewOf(authority, line)
  if (view === Authority.present(authority)) return []
  const positions: Array<Position> = []
  for (const other of lines.values()) {
    if (other.feed.kind !== "authority" || other.branch !== undefined || other.id === line?.id) continue
    const known = line === undefined || complete ? -1 : (line.named.get(other.feed.id) ?? -1)
    // of several histories what they share: behind it nothing is given, and what else stands there stands, seen or not
    const shared = Line.sharedEnd(other)
    const last = shared.seq < other.judged ? shared : { seq: other.judged - 1, hash: other.judgedHash }
    if (last.seq > known) positions.push({ feed: other.feed.id, ...last })
  }
  const last = Authority.lastUnseen(authority, view, positions)
  return (last.length <= seenPositionsMax ? last : grounded(authority, view, positions)).toSorted((a, b) =>
    a.feed < b.feed ? -1 : 1
  )
}

/** What the last judged entry of a line had seen. */
const viewOf = (authority: Authority.Authority, line: Line.Line): Authority.View =>
  line.feed.kind === "data" ? line.view : (authority.nodes.get(line.judgedHash)?.view ?? Authority.noView)

/** More than an entry may name: somebody floods the space with feeds that give nobody anything. The others are named. */
const grounded = (
  authority: Authority.Authority,
  view: Authority.View,
  positions: ReadonlyArray<Position>
): ReadonlyArray<Position> => {
  const grounds = Authority.grounds(authority)
  // what lies in the past of a flood alone has to be named itself
  const left = positions.filter(({ feed }) => grounds.has(feed))
  return Authority.lastUnseen(authority, view, left).slice(0, seenPositionsMax)
}

/** Whether an entry that counts carries this request already. */
export const isRequested = (ledger: Ledger, request: Request): boolean => ledger.requests.has(requestName(request))

/** What `requests` keeps a request under. */
export const requestName = (request: Request): string => `${request.requester} ${request.key}`

const noteClosing = (ledger: Ledger, closer: Feed, closes: Position): void => {
  const known = ledger.closers.get(closes.feed)
  if (known === undefined) ledger.closers.set(closes.feed, [closer])
  else known.push(closer)
  if ((ledger.lines.get(closes.feed)?.judged ?? 0) - 1 > closes.seq) ledger.overturned = true
}
