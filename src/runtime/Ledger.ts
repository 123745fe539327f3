/**
 * A replica's books: what it has of each feed, what of it was judged, and the state that follows. Synchronous memory.
 *
 * Each feed is a line that entries move along, in order:
 *
 *     taken (chain and signature verified, durable)  →  waiting | held  →  judged  →  applied | quarantined
 *
 * `waiting`: something it names is not here yet. `held`: its time is too far ahead. Neither is a verdict; both end by
 * themselves, and everything behind them in the feed waits with them. `quarantined` is a verdict. What lies behind a
 * standing cut or a closing is outside the journal: kept where it was stored, never judged, in no frontier.
 *
 * Law (test/runtime/Ledger.test.ts): the same set of entries gives the same state, authority, waiting and quarantine,
 * in whatever order and portions it comes. A verdict can only be overturned by what arrives later and restricts;
 * judging then reports `overturned` and the owner folds the journal anew (runtime/Fold.ts): joins of CRDTs have no
 * inverse.
 *
 * Of a forked feed all histories are kept and told of, each branch on a line of its own (runtime/Line.ts,
 * runtime/Branches.ts). Of authority all are judged: what a restriction on any of them ends, it ends everywhere. Of data
 * only what lies before the lowest fork is; and once one branch was settled on and the entry named is here, all on the way
 * to it, which may lead over several lines: each begins where the one that it leaves ends, with what was known there.
 * As long as one history is here alone, nobody can tell where another parts from it, and it counts whatever was settled on.
 * What does not count lies in the store alone. When it comes to count, the books are behind (`isBehind`) and folded anew.
 *
 * What moves entries along is runtime/Judging.ts; here is what is kept, what is taken, and where each feed ends.
 * The Ledger is mutated in place by its owner alone and never handed out.
 */
import { entryHash, type DeviceId, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as State from "../journal/crdt/State.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import type * as Genesis from "../journal/Genesis.ts"
import { completeSeenEvery, seenPositionsMax } from "../journal/limits.ts"
import type { Request } from "../journal/Request.ts"
import type * as Run from "../journal/Run.ts"
import * as Authority from "../trust/Authority.ts"
import type * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Line from "./Line.ts"
import type { Sealed } from "./Sealed.ts"
import { feedPendingBytesMax } from "./limits.ts"

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
  /** Forked feeds: the last position before the lowest fork. */
  readonly forks: Map<FeedId, { readonly seq: number }>
  /** Further lines of feeds that forked. */
  readonly branches: Map<FeedId, Array<Line.Line>>
  /** The lines inside which others branch off, by the names of their own parts behind that. */
  readonly parted: Map<FeedId, Line.Line>
  /** Feeds whose stored entries can't be read to the end: nothing is put behind them. */
  readonly damaged: Set<FeedId>
  /** The sealed books that these stand on: what lies below is judged once and for all. */
  sealed: Sealed | undefined
  /** Nothing is judged of data behind these, and of other feeds nothing; undefined: all is that counts. */
  upTo: ReadonlyMap<FeedId, Position> | undefined
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
  sealed: undefined,
  upTo: undefined,
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
  const limit = isOfForkedData(ledger, line) ? learn(ledger, line, run) : Number.POSITIVE_INFINITY
  for (let i = Math.max(0, line.taken - run.first); i < run.bodies.length; i++) {
    const [seq, body] = [run.first + i, run.bodies[i]!]
    if (seq <= limit && (limit === Number.POSITIVE_INFINITY || mayWait(line, seq))) {
      line.pending.push({ seq, time: run.times[i]!, hash: run.hashes[i]!, body, decided: decided[i] })
      line.pendingBytes += body.length
    }
    line.time = run.times[i]!
    line.taken = run.first + i + 1
  }
  line.hash = entryHash(run.hashes[run.hashes.length - 1]!)
}

const isOfForkedData = ({ forks }: Ledger, { feed }: Line.Line): boolean => feed.kind === "data" && forks.has(feed.id)

/** Notes the hashes in a run that limits ask for, then tells the limit. */
const learn = (ledger: Ledger, line: Line.Line, run: Run.Run): number => {
  for (const seq of asked(ledger, line.feed)) {
    const found = run.hashes[seq - run.first]
    if (found !== undefined) line.hashes.set(seq, entryHash(found))
  }
  return limitOf(ledger, line)
}

/** Whether an entry follows what waits in memory already, and there is room for it. */
const mayWait = ({ judged, pending, pendingBytes }: Line.Line, seq: number): boolean =>
  seq === judged + pending.length && pendingBytes <= feedPendingBytesMax

/** Ends what counts of a forked feed behind this position, if nothing ended it before. */
export const freeze = (ledger: Ledger, feed: Feed, seq: number): void => {
  const known = ledger.forks.get(feed.id)
  if (known !== undefined && known.seq <= seq) return
  ledger.forks.set(feed.id, { seq })
  const authority = ledger.authority
  if (authority === undefined) return
  ledger.authority = Authority.fork(authority, feed.id, seq + 1)
  // of a feed of authority, judging finds out what rested on it
  if (feed.kind === "data" && (ledger.lines.get(feed.id)?.judged ?? 0) > seq + 1) ledger.overturned = true
}

/**
 * Where a feed ends as things stand, on whatever branch: the last position that belongs to the journal, and is kept and told
 * of. `seq` −1 = nothing of it does, Infinity = all of it. `hash` is known wherever the end is a position.
 *
 * What was settled on is kept though the feed ends before, or nobody could tell which branch that is.
 */
export const boundOf = (ledger: Ledger, feed: Feed): End => {
  const end = countedOf(ledger, feed)
  const settled = end.seq < 0 || feed.kind === "authority" ? undefined : settlementOf(ledger, feed)
  return settled !== undefined && settled.seq > end.seq ? settled : end
}

/** Where a feed ends whatever histories it has: behind it nothing counts. What is sealed counts, whatever else ends it. */
const countedOf = (ledger: Ledger, feed: Feed): End => {
  const end = endedBy(ledger, feed)
  const sealed = ledger.sealed?.ends.get(feed.id)
  return sealed === undefined || end.seq >= sealed.seq ? end : sealed
}

const endedBy = (ledger: Ledger, feed: Feed): End => {
  const authority = ledger.authority
  if (authority === undefined) return feed.kind === "authority" ? unlimited : nothing
  if (feed.kind === "authority") return Authority.isNamed(authority, feed.device) ? unlimited : nothing
  let end = endByOthers(authority, feed)
  for (const closer of ledger.closers.get(feed.id) ?? []) {
    // a feed that is itself outside the journal closes nothing: a thief's can't undo what came before the cut
    const counts = closer.device === feed.device && closer.kind === feed.kind && endByOthers(authority, closer).seq >= 0
    if (counts && closer.closes!.seq < end.seq) end = closer.closes!
  }
  return end
}

interface End {
  readonly seq: number
  readonly hash: EntryHash | undefined
}

/** Where membership or a cut ends a data feed, whatever its own device says of it. */
const endByOthers = (authority: Authority.Authority, feed: Feed): End => {
  if (!Authority.isAdmitted(authority, Authority.present(authority), feed.device)) return nothing
  const cut = Authority.cutOf(authority, feed.device, feed.id)
  return cut === "start" ? nothing : (cut ?? unlimited)
}

const unlimited = { seq: Number.POSITIVE_INFINITY, hash: undefined } as const
const nothing = { seq: -1, hash: undefined } as const

/** Where a feed ends, if something ends it. */
export const endOf = (ledger: Ledger, feed: Feed): number | undefined => {
  const { seq } = countedOf(ledger, feed)
  return seq === Number.POSITIVE_INFINITY ? undefined : seq
}

/** The last position of a line that counts: of a forked feed of data before its fork, or on the way to what was settled on. */
export const limitOf = (ledger: Ledger, line: Line.Line): number => {
  const bound = ledger.upTo === undefined ? Number.POSITIVE_INFINITY : (ledger.upTo.get(line.feed.id)?.seq ?? -1)
  const seq = Math.min(bound, countedOf(ledger, line.feed).seq)
  const fork = line.feed.kind === "data" ? ledger.forks.get(line.feed.id) : undefined
  return fork === undefined ? seq : Math.min(seq, reachOf(ledger, line, fork.seq))
}

/** How far forks and settlements let a line count. The first line holds all that histories share. */
const reachOf = (ledger: Ledger, line: Line.Line, shared: number): number => {
  const reach = line.branch === undefined ? shared : line.branch.at - 1
  const settled = settlementOf(ledger, line.feed)
  if (settled === undefined) return reach
  let to = settled.seq
  let on = historiesOf(ledger, line.feed.id).find((one) => holds(one, settled))
  for (; on !== undefined && on !== line; on = on.host) to = Line.startOf(on) - 1
  return on === undefined ? reach : Math.max(reach, to)
}

const holds = (line: Line.Line, { hash, seq }: Position): boolean =>
  seq >= Line.startOf(line) && Line.hashAt(line, seq) === hash

/** The position of a feed of data that was settled on, whether it is here or not. */
const settlementOf = ({ authority }: Ledger, { device, id }: Feed): Position | undefined =>
  authority && Authority.settlementOf(authority, id, device)

/** The lines that hold the histories of a feed, the first one first. */
export const historiesOf = ({ branches, lines }: Ledger, feed: FeedId): ReadonlyArray<Line.Line> => {
  const first = lines.get(feed)
  const others = branches.get(feed)
  return first === undefined ? (others ?? []) : others === undefined ? [first] : [first, ...others]
}

/** Positions of a forked feed of data at which it matters which entry a line has. */
export const asked = (ledger: Ledger, feed: Feed): ReadonlyArray<number> => {
  const [settled, end] = [settlementOf(ledger, feed), boundOf(ledger, feed)]
  return [...(settled === undefined ? [] : [settled.seq]), ...(Number.isFinite(end.seq) ? [end.seq] : [])]
}

/**
 * Whether entries came to count that lie in the store alone, or the store has to be asked which they are: what is judged
 * is right then, and not all that could be.
 */
export const isBehind = (ledger: Ledger): boolean => {
  for (const [id] of ledger.branches) {
    const feed = ledger.lines.get(id)?.feed
    if (feed?.kind !== "data") continue
    const positions = asked(ledger, feed)
    for (const line of historiesOf(ledger, id)) {
      if (positions.some((seq) => isUnread(line, seq))) return true
      if (line.pending.length === 0 && line.judged < line.taken && line.judged <= limitOf(ledger, line)) return true
    }
  }
  return false
}

const isUnread = (line: Line.Line, seq: number): boolean =>
  seq >= Line.startOf(line) && seq < line.taken && Line.hashAt(line, seq) === undefined && !line.hashes.has(seq)

/** How far this replica has the journal: what is taken, within the bounds. */
export const frontier = (ledger: Ledger): Map<FeedId, Frontier.Head> => {
  const heads = new Map<FeedId, Frontier.Head>()
  for (const line of ledger.lines.values()) {
    const bound = boundOf(ledger, line.feed)
    if (line.taken === 0 || bound.seq < 0) continue
    if (ledger.branches.has(line.feed.id)) {
      for (const { from, hash, id, to } of Line.partsOf(line)) {
        // where it ends, a branch may hold another entry than the one that the end names
        const last = to <= bound.seq ? { seq: to, hash } : { seq: bound.seq, hash: Line.hashAt(line, bound.seq) }
        if (last.seq >= from && last.hash !== undefined)
          heads.set(id, { seq: last.seq - from, mark: Frontier.mark(last.hash) })
      }
    } else if (bound.seq >= line.taken - 1)
      heads.set(line.feed.id, { seq: line.taken - 1, mark: Frontier.mark(line.hash) })
    else heads.set(line.feed.id, { seq: bound.seq, mark: Frontier.mark(Line.hashAt(line, bound.seq) ?? bound.hash!) })
  }
  return heads
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
  const isCutShort = (line: Line.Line): boolean => line.judged > Math.max(Line.startOf(line), closes.seq + 1)
  if (historiesOf(ledger, closes.feed).some(isCutShort)) ledger.overturned = true
}
