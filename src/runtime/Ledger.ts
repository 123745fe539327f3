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
 * `advance` then reports `overturned` and the owner folds the journal anew (`fold` in runtime/Replica.ts): joins of
 * CRDTs have no inverse.
 *
 * The Ledger is mutated in place by its owner alone and never handed out.
 */
import * as Result from "effect/Result"
import {
  entryHash,
  type DefinitionId,
  type DeviceId,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type { Change } from "../journal/crdt/Crdt.ts"
import * as State from "../journal/crdt/State.ts"
import * as Entry from "../journal/Entry.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Genesis from "../journal/Genesis.ts"
import { completeSeenEvery } from "../journal/limits.ts"
import type * as Run from "../journal/Run.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Fact from "../trust/Fact.ts"
import { freshIds } from "./FreshId.ts"

/** An entry taken and not yet judged. */
interface Pending {
  readonly seq: number
  readonly time: number
  readonly hash: Uint8Array
  readonly body: Uint8Array
}

/** Why a feed does not move on. */
export type Blocked =
  | { readonly _tag: "Waiting"; readonly seq: number; readonly forEntry: Position | undefined; readonly what: string }
  | { readonly _tag: "Held"; readonly seq: number; readonly untilMillis: number }

/** One feed in the books. `taken` = entries here, so the next seq; `judged` = how many of them have passed. */
export interface Line {
  readonly feed: Feed
  taken: number
  hash: EntryHash
  /** Time of the last entry taken. */
  time: number
  judged: number
  view: Authority.View
  readonly pending: Array<Pending>
  /** Bytes of the bodies in `pending`. */
  pendingBytes: number
  blocked: Blocked | undefined
  /** Hash of the last entry that passed: what the next one chains to. */
  judgedHash: EntryHash
  /** Time of the last entry that passed. */
  judgedTime: number
  /** Everything this device had named as seen in this feed, so that only news is named. */
  readonly named: Map<FeedId, number>
  rules: Rules | undefined
}

/** What a run of similar entries is judged by; recomputed when the view, the authority or the definition changes. */
interface Rules {
  readonly authority: Authority.Authority
  readonly view: Authority.View
  readonly id: DefinitionId
  readonly definition: Result.Result<Definition, Decision.Refusal>
}

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
  readonly lines: Map<FeedId, Line>
  readonly state: State.State
  readonly quarantine: Map<string, Quarantined>
  /** Of the entries with one (requester, key) the one that counts. */
  readonly requests: Map<string, { readonly time: number; readonly feed: FeedId; readonly seq: number }>
  /** For each feed that headers close: the feeds that say so. Whether they count follows from the authority. */
  readonly closers: Map<FeedId, Array<Feed>>
  /** Feeds proved forked: the last position before the fork, and the proof. */
  readonly forks: Map<FeedId, { readonly seq: number; readonly hash: EntryHash; readonly proof: Uint8Array }>
  /** Feeds whose stored entries can't be read to the end: nothing is put behind them. */
  readonly damaged: Set<FeedId>
  /** Something judged before no longer counts, or the reverse; `advance` reports it. */
  overturned: boolean
  applied: number
  /** Time of the latest entry judged: whatever is written here comes after it. */
  latest: number
}

/** What `advance` did. `overturned`: something applied before no longer counts, or the reverse: fold anew. */
export interface Advance {
  readonly applied: number
  readonly authorityGrew: boolean
  readonly overturned: boolean
  readonly fields: ReadonlySet<string>
}

export const make = (space: SpaceId): Ledger => ({
  space,
  genesis: undefined,
  authority: undefined,
  lines: new Map(),
  state: State.empty(),
  quarantine: new Map(),
  requests: new Map(),
  closers: new Map(),
  forks: new Map(),
  damaged: new Set(),
  overturned: false,
  applied: 0,
  latest: 0
})

/** The line of a feed, opened if need be. The header was decoded and belongs to this space. */
export const lineOf = (ledger: Ledger, feed: Feed): Line => {
  const known = ledger.lines.get(feed.id)
  if (known !== undefined) return known
  const line: Line = {
    feed,
    taken: 0,
    hash: feed.id as string as EntryHash,
    time: feed.time,
    judged: 0,
    view: noView,
    pending: [],
    pendingBytes: 0,
    blocked: undefined,
    judgedHash: feed.id as string as EntryHash,
    judgedTime: feed.time,
    named: new Map(),
    rules: undefined
  }
  ledger.lines.set(feed.id, line)
  if (feed.closes !== undefined) noteClosing(ledger, feed, feed.closes)
  return line
}

/** Whether what a run adds to the line keeps time: above the entry before it, as within a run. */
export const rises = (line: Line, run: Run.Run): boolean => {
  const next = run.times[line.taken - run.first]
  return line.taken === 0 || next === undefined || next > line.time
}

/** Takes the entries of a verified run that are not here yet. The run continues or overlaps what is here. */
export const take = (ledger: Ledger, line: Line, run: Run.Run): void => {
  for (let i = Math.max(0, line.taken - run.first); i < run.bodies.length; i++) {
    line.pending.push({ seq: run.first + i, time: run.times[i]!, hash: run.hashes[i]!, body: run.bodies[i]! })
    line.pendingBytes += run.bodies[i]!.length
    line.time = run.times[i]!
    line.taken = run.first + i + 1
  }
  line.hash = entryHash(run.hashes[run.hashes.length - 1]!)
}

/** Moves every feed on as far as it goes now. Authority feeds first: they decide about the rest. */
export const advance = (ledger: Ledger, nowMillis: number): Advance => {
  const progress: Progress = { applied: 0, grown: [], overturned: ledger.overturned, fields: new Set(), nowMillis }
  ledger.overturned = false
  for (;;) {
    const before = progress.applied + progress.grown.length + ledger.quarantine.size
    const authority = advanceAuthority(ledger, progress)
    let moved = authority
    for (const line of ledger.lines.values()) {
      if (line.feed.kind === "data" && line.pending.length > 0 && advanceData(ledger, line, progress)) moved = true
    }
    if (!moved || before === progress.applied + progress.grown.length + ledger.quarantine.size) break
  }
  return {
    applied: progress.applied,
    authorityGrew: progress.grown.length > 0,
    overturned: progress.overturned,
    fields: progress.fields
  }
}

/** Notes a proved fork: from there on the feed is frozen. True when this is news. */
export const noteFork = (ledger: Ledger, fork: Fork.Fork): boolean => {
  const { at, feed } = fork
  const known = ledger.forks.get(feed.id)
  if (known !== undefined && known.seq < at) return false
  ledger.forks.set(feed.id, { seq: at - 1, hash: Fork.hashBefore(fork), proof: fork.bytes })
  if (ledger.authority !== undefined) ledger.authority = Authority.fork(ledger.authority, feed.id, at)
  if (feed.kind === "authority" || (ledger.lines.get(feed.id)?.judged ?? 0) > at) ledger.overturned = true
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
    if (limit.seq >= line.taken - 1) heads.set(line.feed.id, { seq: line.taken - 1, mark: Frontier.mark(line.hash) })
    else heads.set(line.feed.id, { seq: limit.seq, mark: Frontier.mark(hashAt(line, limit.seq) ?? limit.hash!) })
  }
  return heads
}

/** Our own hash at a position not yet passed or just passed: where we hold another branch, the mark says so. */
const hashAt = (line: Line, seq: number): EntryHash | undefined => {
  if (seq === line.judged - 1) return line.judgedHash
  const pending = line.pending[seq - line.judged]
  return pending === undefined ? undefined : entryHash(pending.hash)
}

/** What an application with these fields sees: immutable, the same object until something changes. */
export const read = (ledger: Ledger, definition: Definition): State.Shown => State.read(ledger.state, definition.fields)

/** Authority positions that are news to a feed: what its next entry has to name as seen. */
export const unseen = (
  ledger: Ledger,
  line: Line | undefined,
  kind: Feed["kind"],
  seq: number
): ReadonlyArray<Position> => {
  const complete = kind === "data" && seq % completeSeenEvery === 0
  const positions: Array<Position> = []
  for (const other of ledger.lines.values()) {
    if (other.feed.kind !== "authority" || other.judged === 0 || other.feed.id === line?.feed.id) continue
    const known = line === undefined || complete ? -1 : (line.named.get(other.feed.id) ?? -1)
    if (other.judged - 1 > known) positions.push({ feed: other.feed.id, seq: other.judged - 1, hash: other.judgedHash })
  }
  return positions.sort((a, b) => (a.feed < b.feed ? -1 : 1))
}

interface Progress {
  applied: number
  readonly grown: Array<Authority.Node | Authority.AuthorityEntry>
  overturned: boolean
  readonly fields: Set<string>
  readonly nowMillis: number
}

const noView: Authority.View = { id: -1, heads: new Map() }

const advanceAuthority = (ledger: Ledger, progress: Progress): boolean => {
  const standing = ledger.authority === undefined ? [] : Authority.restrictions(ledger.authority)
  const count = progress.grown.length
  for (let moved = true; moved;) {
    moved = false
    const batch: Array<Authority.AuthorityEntry> = []
    for (const line of ledger.lines.values()) {
      if (line.feed.kind !== "authority") continue
      // one entry of each feed at a time: the next may name what another feed just gained
      while (line.pending.length > 0) {
        const entry = authorityEntry(ledger, line, progress.nowMillis)
        if (entry === undefined) break
        batch.push(entry)
        ledger.authority = Authority.extend(ledger.authority!, [entry])
        moved = true
      }
    }
    progress.grown.push(...batch)
  }
  if (progress.grown.length === count) return false
  if (isOverturned(ledger, standing)) progress.overturned = true
  return true
}

/** The next entry of an authority feed, decoded, if it may be judged; undefined blocks the line. */
const authorityEntry = (ledger: Ledger, line: Line, nowMillis: number): Authority.AuthorityEntry | undefined => {
  const pending = line.pending[0]!
  if (hold(line, pending, nowMillis)) return undefined
  const body = Entry.decode(pending.body)
  const decoded = Result.isSuccess(body) ? body.success : undefined
  const seen = decoded?.seen ?? []
  if (ledger.authority === undefined && !found(ledger, line, pending, decoded)) {
    return wait(line, pending, undefined, "the space's founding entry is not here")
  }
  for (const position of seen) {
    if (!Authority.knows(ledger.authority!, position))
      return wait(line, pending, position, "an entry it has seen is not here")
  }
  const facts = decoded === undefined ? [malformedEntry(body)] : decoded.facts.map((fact) => Fact.decode(fact))
  const entry: Authority.AuthorityEntry = {
    feed: line.feed,
    seq: pending.seq,
    hash: entryHash(pending.hash),
    previousHash: line.judgedHash,
    time: pending.time,
    seen,
    facts:
      timeAboveSeen(ledger, pending.time, seen) === undefined
        ? facts
        : [{ _tag: "Malformed", what: "its time is not above what it has seen" }]
  }
  line.pending.shift()
  passAt(ledger, line, pending, seen)
  return entry
}

const advanceData = (ledger: Ledger, line: Line, progress: Progress): boolean => {
  if (ledger.authority === undefined) {
    wait(line, line.pending[0]!, undefined, "the space's founding entry is not here")
    return false
  }
  const limit = limitOf(ledger, line.feed)
  let moved = 0
  while (moved < line.pending.length) {
    const pending = line.pending[moved]!
    if (pending.seq > limit.seq) {
      line.blocked = undefined
      break
    }
    if (hold(line, pending, progress.nowMillis)) break
    const body = Entry.decode(pending.body)
    if (Result.isFailure(body)) {
      quarantine(ledger, line, pending, { _tag: "Malformed", what: body.failure.what })
      passAt(ledger, line, pending, [])
      moved++
      continue
    }
    const verdict = judge(ledger, line, pending, body.success)
    if (verdict === undefined) break
    if (verdict._tag === "Denied") refuse(ledger, line, pending, body.success, verdict.because, progress)
    else apply(ledger, line, pending, body.success, progress)
    passAt(ledger, line, pending, body.success.seen)
    moved++
  }
  line.pending.splice(0, moved)
  return moved > 0
}

/** Judges a data entry, or blocks its line (undefined). */
const judge = (ledger: Ledger, line: Line, pending: Pending, body: Entry.Body): Decision.Decision | undefined => {
  const authority = ledger.authority!
  const isComplete = pending.seq % completeSeenEvery === 0
  if (body.seen.length > 0 || isComplete) {
    for (const position of body.seen) {
      if (!Authority.knows(authority, position))
        return wait(line, pending, position, "an entry it has seen is not here")
    }
    const base = isComplete ? Authority.emptyView(authority) : line.view
    line.view = Authority.look(authority, base, body.seen)
    const above = timeAboveSeen(ledger, pending.time, body.seen)
    if (above !== undefined) return Decision.denied({ _tag: "TimeNotAbove", seen: above })
  }
  if (body.keyEpoch !== undefined)
    return wait(line, pending, undefined, "it is sealed, and this version opens no sealed entries")
  const device = line.feed.device
  if (!Authority.isAdmitted(authority, line.view, device)) return Decision.denied({ _tag: "NotAdmitted", device })
  if (body.definition === undefined) return Decision.denied({ _tag: "Malformed", what: "it names no definition" })
  const rules = rulesOf(ledger, line, body.definition)
  if (Result.isFailure(rules)) return Decision.denied(rules.failure)
  if (rules.success.unknownKind !== undefined)
    return wait(line, pending, undefined, `this version does not know the field kind "${rules.success.unknownKind}"`)
  if (body.request !== undefined && body.request.requester !== device)
    return Decision.denied({ _tag: "RequestForeign", requester: body.request.requester })
  const fresh = freshIds({ device, feed: line.feed.id, seq: pending.seq, request: body.request })
  for (const fact of body.facts) {
    const decision = Decision.decide(authority, line.view, {
      device,
      time: pending.time,
      definition: rules.success,
      type: fact.type,
      changes: fact.payload,
      fresh
    })
    if (decision._tag === "Denied") return decision
  }
  return allowed
}

const allowed: Decision.Decision = { _tag: "Allowed", because: [] }

const apply = (ledger: Ledger, line: Line, pending: Pending, body: Entry.Body, progress: Progress): void => {
  if (body.request !== undefined && !claimRequest(ledger, line, pending, body.request, progress)) return
  const definition = Result.getOrThrow(line.rules!.definition)
  let index = 0
  for (const fact of body.facts) {
    for (const change of fact.payload as ReadonlyArray<Change>) {
      const stamp = { time: pending.time, feed: line.feed.id, seq: pending.seq, index: index++ }
      State.apply(ledger.state, definition.fields, change, stamp)
      progress.fields.add(change[1] as string)
    }
  }
  ledger.applied++
  progress.applied++
}

/** A refused entry changes nothing, except that text keeps its structure, so that honest edits behind it fit in. */
const refuse = (
  ledger: Ledger,
  line: Line,
  pending: Pending,
  body: Entry.Body,
  because: Decision.Refusal,
  progress: Progress
): void => {
  quarantine(ledger, line, pending, because)
  const rules = body.definition === undefined ? undefined : rulesOf(ledger, line, body.definition)
  if (rules === undefined || Result.isFailure(rules)) return
  const definition = rules.success
  let index = 0
  for (const fact of body.facts) {
    if (!Array.isArray(fact.payload)) continue
    for (const change of fact.payload as ReadonlyArray<Change>) {
      const stamp = { time: pending.time, feed: line.feed.id, seq: pending.seq, index: index++ }
      if (!Array.isArray(change) || State.inspect(definition.fields, change)._tag === "Invalid") continue
      State.applyRefused(ledger.state, definition.fields, change, stamp)
      progress.fields.add(change[1] as string)
    }
  }
}

/** Whether an entry that counts carries this request already. */
export const isRequested = (ledger: Ledger, request: Entry.Request): boolean =>
  ledger.requests.has(requestName(request))

const requestName = (request: Entry.Request): string => `${request.requester} ${request.key}`

/** Of two entries with one (requester, key) the lower (time, FeedId) counts. */
const claimRequest = (
  ledger: Ledger,
  line: Line,
  pending: Pending,
  request: Entry.Request,
  progress: Progress
): boolean => {
  const key = requestName(request)
  const known = ledger.requests.get(key)
  const isSame = known !== undefined && known.feed === line.feed.id && known.seq === pending.seq
  if (known === undefined || isSame) {
    ledger.requests.set(key, { time: pending.time, feed: line.feed.id, seq: pending.seq })
    return true
  }
  if (pending.time < known.time || (pending.time === known.time && line.feed.id < known.feed)) {
    ledger.requests.set(key, { time: pending.time, feed: line.feed.id, seq: pending.seq })
    progress.overturned = true
    return true
  }
  quarantine(ledger, line, pending, { _tag: "Duplicate", feed: known.feed, seq: known.seq })
  return false
}

const rulesOf = (ledger: Ledger, line: Line, id: DefinitionId): Result.Result<Definition, Decision.Refusal> => {
  const rules = line.rules
  if (rules !== undefined && rules.id === id && rules.view === line.view && rules.authority === ledger.authority)
    return rules.definition
  const definition = Decision.definitionFor(ledger.authority!, line.view, id)
  line.rules = { authority: ledger.authority!, view: line.view, id, definition }
  return definition
}

/** Recognises the founding entry of this space; from then on there is an authority. */
const found = (ledger: Ledger, line: Line, pending: Pending, body: Entry.Body | undefined): boolean => {
  const fact = body?.facts[0]
  if (pending.seq !== 0 || fact === undefined) return false
  const decoded = Fact.decode(fact)
  if (decoded._tag !== "Create") return false
  const genesis = Genesis.decode(decoded.genesis)
  if (
    Result.isFailure(genesis) ||
    genesis.success.space !== ledger.space ||
    genesis.success.creator !== line.feed.device
  )
    return false
  ledger.genesis = genesis.success
  ledger.authority = Authority.make(genesis.success)
  for (const [feed, end] of ledger.forks) ledger.authority = Authority.fork(ledger.authority, feed, end.seq + 1)
  return true
}

/** Whether a restriction that was not there, or no longer stands, touches what was judged already. */
const isOverturned = (ledger: Ledger, before: ReadonlyArray<Authority.Restriction>): boolean => {
  const after = Authority.restrictions(ledger.authority!)
  const stood = new Set(before.map((restriction) => restriction.fact))
  const stands = new Set(after.map((restriction) => restriction.fact))
  if (before.some((restriction) => !stands.has(restriction.fact))) return true
  const fresh = after.filter((restriction) => !stood.has(restriction.fact))
  return fresh.some((restriction) =>
    [...ledger.lines.values()].some(
      (line) =>
        line.feed.device === restriction.fact.device && line.judged - 1 > (restriction.cut.get(line.feed.id)?.seq ?? -1)
    )
  )
}

const noteClosing = (ledger: Ledger, closer: Feed, closes: Position): void => {
  const known = ledger.closers.get(closes.feed)
  if (known === undefined) ledger.closers.set(closes.feed, [closer])
  else known.push(closer)
  if ((ledger.lines.get(closes.feed)?.judged ?? 0) - 1 > closes.seq) ledger.overturned = true
}

/** The first entry named as seen whose time is not below this one. */
const timeAboveSeen = (ledger: Ledger, time: number, seen: ReadonlyArray<Position>): EntryHash | undefined =>
  seen.find((position) => (ledger.authority!.nodes.get(position.hash)?.time ?? 0) >= time)?.hash

const malformedEntry = (body: ReturnType<typeof Entry.decode>): Fact.Malformed => ({
  _tag: "Malformed",
  what: Result.isFailure(body) ? body.failure.what : ""
})

const hold = (line: Line, pending: Pending, nowMillis: number): boolean => {
  if (!Clock.isHeld(pending.time, nowMillis)) return false
  line.blocked = { _tag: "Held", seq: pending.seq, untilMillis: Clock.toMillis(pending.time) - Clock.driftMaxMillis }
  return true
}

const wait = (line: Line, pending: Pending, forEntry: Position | undefined, what: string): undefined => {
  line.blocked = { _tag: "Waiting", seq: pending.seq, forEntry, what }
  return undefined
}

const passAt = (ledger: Ledger, line: Line, pending: Pending, seen: ReadonlyArray<Position>): void => {
  if (pending.time > ledger.latest) ledger.latest = pending.time
  line.pendingBytes -= pending.body.length
  line.blocked = undefined
  line.judged = pending.seq + 1
  line.judgedHash = entryHash(pending.hash)
  line.judgedTime = pending.time
  for (const position of seen) line.named.set(position.feed, position.seq)
}

const quarantine = (ledger: Ledger, line: Line, pending: Pending, because: Decision.Refusal): void => {
  ledger.quarantine.set(`${line.feed.id} ${pending.seq}`, {
    feed: line.feed.id,
    device: line.feed.device,
    seq: pending.seq,
    because
  })
}
