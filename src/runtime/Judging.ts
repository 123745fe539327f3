/**
 * Judges a replica's books: moves each feed's entries along its line as far as they go now, and the state with them.
 *
 * Authority comes first, entry by entry, for it decides about the rest. A data entry is judged by what its feed had seen
 * when it was written, never by when it came here: what it names must be here first, and a time too far ahead waits. A
 * refused entry is quarantined with its reason and changes nothing a reader sees.
 *
 * A verdict that later knowledge turns over is reported, not undone (`Advance.overturned`): folding anew is the owner's.
 */
import * as Result from "effect/Result"
import { entryHash, type DefinitionId, type EntryHash } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type { Change } from "../journal/crdt/Crdt.ts"
import * as State from "../journal/crdt/State.ts"
import * as Entry from "../journal/Entry.ts"
import type { Request } from "../journal/Request.ts"
import type { Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import { completeSeenEvery } from "../journal/limits.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Fact from "../trust/Fact.ts"
import { freshIds } from "./FreshId.ts"
import { historiesOf, limitOf, requestName, type Ledger } from "./Ledger.ts"
import { startOf, type Line, type Pending } from "./Line.ts"
import * as OnBehalf from "./OnBehalf.ts"
import * as Verdicts from "./Verdicts.ts"

/** What `advance` did. `overturned`: something applied before no longer counts, or the reverse: fold anew. */
export interface Advance {
  readonly applied: number
  readonly authorityGrew: boolean
  /** Something restricts that came now, be it that it stands or not. */
  readonly restricts: boolean
  readonly overturned: boolean
  /** Not empty: overturned only if one of these entries is judged otherwise now (runtime/Rejudging.ts). */
  readonly doubts: ReadonlyArray<Doubt>
  /** What authority says otherwise than before about what it was asked. */
  readonly shifts: ReadonlyArray<Verdicts.Shift>
  readonly fields: ReadonlySet<string>
}

/** What was judged of a feed of data from a position on, and may be judged otherwise now. */
export interface Doubt {
  readonly line: Line
  readonly from: number
}

/** Moves every feed on as far as it goes now. Authority feeds first: they decide about the rest. */
export const advance = (ledger: Ledger, nowMillis: number): Advance => {
  const progress: Progress = {
    applied: 0,
    grown: [],
    shifts: [],
    doubts: new Map(),
    overturned: ledger.overturned,
    fields: new Set(),
    nowMillis
  }
  ledger.overturned = false
  for (;;) {
    const before = progress.applied + progress.grown.length + ledger.quarantine.size
    let moved = advanceAuthority(ledger, progress)
    compare(ledger, progress)
    for (const line of ledger.lines.values()) {
      if (line.feed.kind === "data" && line.pending.length > 0 && advanceData(ledger, line, progress)) moved = true
    }
    if (!moved || before === progress.applied + progress.grown.length + ledger.quarantine.size) break
  }
  return {
    applied: progress.applied,
    authorityGrew: progress.grown.length > 0,
    restricts: progress.grown.some(({ facts }) => facts.some(Fact.isRestriction)),
    overturned: progress.overturned || progress.doubts.size > 0,
    doubts: progress.overturned ? [] : [...progress.doubts].map(([line, from]) => ({ line, from })),
    shifts: progress.shifts,
    fields: progress.fields
  }
}

interface Progress {
  applied: number
  readonly grown: Array<Authority.Node | Authority.AuthorityEntry>
  readonly shifts: Array<Verdicts.Shift>
  readonly doubts: Map<Line, number>
  overturned: boolean
  readonly fields: Set<string>
  readonly nowMillis: number
}

const advanceAuthority = (ledger: Ledger, progress: Progress): boolean => {
  const count = progress.grown.length
  for (let moved = true; moved;) {
    moved = false
    for (const line of ledger.lines.values()) {
      if (line.feed.kind !== "authority") continue
      // one entry of each feed at a time: the next may name what another feed just gained
      while (line.pending.length > 0) {
        const entry = authorityEntry(ledger, line, progress.nowMillis)
        if (entry === undefined) break
        progress.grown.push(entry)
        ledger.authority = Authority.extend(ledger.authority!, [entry])
        moved = true
      }
    }
  }
  return progress.grown.length > count
}

/** Whether what authority says now turns over what was judged by what it said before. */
const compare = (ledger: Ledger, progress: Progress): void => {
  const { authority, verdictsBy } = ledger
  ledger.verdictsBy = authority
  if (authority === undefined || verdictsBy === undefined || authority === verdictsBy) return
  const isJudged = (line: Line): boolean => line.feed.kind === "data" && line.judged > startOf(line)
  const isCutShort = (line: Line): boolean => line.judged - 1 > limitOf(ledger, line)
  // a settlement changes what counts of its feed, and no verdict
  for (const feed of ledger.branches.keys())
    if (historiesOf(ledger, feed).some((line) => isJudged(line) && isCutShort(line))) progress.overturned = true
  const shift = Verdicts.between(verdictsBy, authority)
  if (shift === undefined) return
  progress.shifts.push(shift)
  const judged = [...ledger.lines.values()].filter(isJudged)
  if ((judged.length > 0 && shift.from < verdictsBy.memo.count) || judged.some(isCutShort)) progress.overturned = true
  for (const line of judged) {
    const sealed = (ledger.sealed?.ends.get(line.id)?.seq ?? -1) + 1
    const reached = Math.max(sealed, Verdicts.firstReached(shift.limits, line.feed))
    const from = Math.min(reached, progress.doubts.get(line) ?? line.judged)
    if (from < line.judged) progress.doubts.set(line, from)
  }
}

/** The next entry of an authority feed, decoded, if it may be judged; undefined blocks the line. */
const authorityEntry = (ledger: Ledger, line: Line, nowMillis: number): Authority.AuthorityEntry | undefined => {
  const pending = line.pending[0]!
  if (hold(line, pending, nowMillis)) return undefined
  if (isStillWaiting(ledger, line, pending)) return undefined
  const body = Entry.decode(pending.body)
  const decoded = Result.isSuccess(body) ? body.success : undefined
  const seen = decoded?.seen ?? []
  if (ledger.authority === undefined && !found(ledger, line, pending, decoded)) {
    return wait(line, pending, undefined, "the space's founding entry is not here")
  }
  if (line.branch !== undefined && pending.seq === line.branch.at && pending.seq > 0) {
    const before: Position = { feed: line.feed.id, seq: pending.seq - 1, hash: line.branch.previous }
    if (!Authority.knows(ledger.authority!, before))
      return wait(line, pending, before, "the entry it follows is not here")
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
  line.judgedHash = entry.hash
  return entry
}

const advanceData = (ledger: Ledger, line: Line, progress: Progress): boolean => {
  if (ledger.authority === undefined) {
    wait(line, line.pending[0]!, undefined, "the space's founding entry is not here")
    return false
  }
  if (!hasBegun(line)) return false
  const limit = limitOf(ledger, line)
  let moved = 0
  while (moved < line.pending.length) {
    const pending = line.pending[moved]!
    if (pending.seq > limit) {
      line.blocked = undefined
      break
    }
    if (hold(line, pending, progress.nowMillis)) break
    if (pending.decided !== undefined) {
      const applied = applyDecided(ledger, line, moved, limit, progress)
      moved += applied
      if (applied > 0) continue
    }
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
  if (moved === 0) return false
  line.judgedHash = entryHash(line.pending[moved - 1]!.hash)
  if (moved === line.pending.length) line.pending.length = 0
  else line.pending.splice(0, moved)
  return true
}

/** Whether a line may be judged: a branch goes on with what was known where it leaves another line. */
const hasBegun = (line: Line): boolean => {
  const { branch, host, judged, named } = line
  if (branch === undefined || judged > branch.at) return true
  if (host?.judged !== branch.at || host.judgedHash !== branch.previous) return false
  line.view = host.view
  line.judgedTime = host.judgedTime
  for (const [feed, seq] of host.named) named.set(feed, seq)
  return true
}

/** Applies entries of our own that hold as they were decided, from this pending one on; returns how many. */
const applyDecided = (ledger: Ledger, line: Line, from: number, seqMax: number, progress: Progress): number => {
  let at = from
  let bytes = 0
  for (; at < line.pending.length; at++) {
    const pending = line.pending[at]!
    if (pending.seq > seqMax || Clock.isHeld(pending.time, progress.nowMillis)) break
    const body = asDecided(ledger, line, pending)
    if (body === undefined) break
    apply(ledger, line, pending, body, progress)
    bytes += pending.body.length
  }
  if (at === from) return 0
  const last = line.pending[at - 1]!
  line.pendingBytes -= bytes - last.body.length
  passAt(ledger, line, last, noPositions)
  return at - from
}

const noPositions: ReadonlyArray<Position> = []

/**
 * The body of an entry that this device judged when it wrote it, if judging it now would look at the very same things:
 * it names nothing as seen, so its view is the line's, and authority and view are those it was allowed by. Whatever else
 * `judge` asks was asked then, by the same functions (runtime/Operations.ts).
 *
 * Law (test/runtime/Own.test.ts): a peer that gets the run decodes the same body, and comes to the same verdict and state.
 */
const asDecided = (ledger: Ledger, line: Line, { decided, seq }: Pending): Entry.Body | undefined => {
  if (decided === undefined || decided.body.seen.length > 0 || seq % completeSeenEvery === 0) return undefined
  const { body, by } = decided
  if (by.authority !== ledger.authority || by.view !== line.view || body.definition === undefined) return undefined
  return Result.isSuccess(rulesOf(ledger, line, body.definition, seq)) ? body : undefined
}

/** Judges a data entry, or blocks its line (undefined). */
export const judge = (
  ledger: Ledger,
  line: Line,
  pending: Pending,
  body: Entry.Body
): Decision.Decision | undefined => {
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
  if (body.definition === undefined)
    return Authority.isAdmitted(authority, line.view, device)
      ? Decision.denied({ _tag: "Malformed", what: "it names no definition" })
      : Decision.denied({ _tag: "NotAdmitted", device })
  const rules = rulesOf(ledger, line, body.definition, pending.seq)
  const { isAdmitted, standing } = line.rules!
  if (!isAdmitted) return Decision.denied({ _tag: "NotAdmitted", device })
  if (Result.isFailure(rules)) return Decision.denied(rules.failure)
  if (rules.success.unknownKind !== undefined)
    return wait(line, pending, undefined, `this version does not know the field kind "${rules.success.unknownKind}"`)
  const requester = body.request === undefined || body.request.requester === device ? undefined : body.request.requester
  const strangeness = requester === undefined ? undefined : OnBehalf.refusalOf(authority, line.view, body, pending.time)
  if (strangeness !== undefined) return Decision.denied(strangeness)
  const fresh = freshIds({ device, feed: line.feed.id, seq: pending.seq, request: body.request })
  for (const fact of body.facts) {
    const request = {
      device,
      time: pending.time,
      definition: rules.success,
      type: fact.type,
      changes: fact.payload,
      fresh,
      regime: standing.regime,
      self: requester
    }
    const decision = Decision.decide(authority, line.view, request, requester === undefined ? standing : undefined)
    if (decision._tag === "Denied") return decision
    if (requester === undefined) continue
    const regime = Authority.regimeSeen(authority, line.view)
    const asked = Decision.decide(authority, line.view, { ...request, device: requester, regime })
    if (asked._tag === "Denied") return asked
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
  const rules = body.definition === undefined ? undefined : rulesOf(ledger, line, body.definition, pending.seq)
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

/** Of two entries with one (requester, key) the lower (time, FeedId) counts; of those where one is sealed, that one. */
const claimRequest = (ledger: Ledger, line: Line, pending: Pending, request: Request, progress: Progress): boolean => {
  const key = requestName(request)
  const known = ledger.requests.get(key)
  const isSame = known !== undefined && known.feed === line.feed.id && known.seq === pending.seq
  if (known === undefined || isSame) {
    ledger.requests.set(key, { time: pending.time, feed: line.feed.id, seq: pending.seq })
    return true
  }
  const isLower = pending.time < known.time || (pending.time === known.time && line.feed.id < known.feed)
  if (isLower && (ledger.sealed?.ends.get(known.feed)?.seq ?? -1) < known.seq) {
    ledger.requests.set(key, { time: pending.time, feed: line.feed.id, seq: pending.seq })
    progress.overturned = true
    return true
  }
  quarantine(ledger, line, pending, { _tag: "Duplicate", feed: known.feed, seq: known.seq })
  return false
}

const rulesOf = (
  ledger: Ledger,
  line: Line,
  id: DefinitionId,
  seq: number
): Result.Result<Definition, Decision.Refusal> => {
  const { feed, rules, view } = line
  const authority = ledger.authority!
  const regime = Authority.regimeAt(authority, feed.id, seq)
  const isAsBefore = rules?.id === id && rules.view === view && rules.authority === authority
  if (isAsBefore && rules.standing.regime === regime) return rules.definition
  const definition = Decision.definitionFor(authority, view, id)
  const isAdmitted = Authority.isAdmitted(authority, view, feed.device)
  const standing = Decision.standing(authority, view, feed.device, regime)
  line.rules = { authority, view, id, definition, isAdmitted, standing }
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

/** What an entry was found to wait for is not here yet: it need not be decoded again, however many wait. */
const isStillWaiting = ({ authority }: Ledger, { blocked }: Line, { seq }: Pending): boolean =>
  blocked?._tag === "Waiting" &&
  blocked.seq === seq &&
  blocked.forEntry !== undefined &&
  authority !== undefined &&
  !Authority.knows(authority, blocked.forEntry)

const wait = (line: Line, pending: Pending, forEntry: Position | undefined, what: string): undefined => {
  line.blocked = { _tag: "Waiting", seq: pending.seq, forEntry, what }
  return undefined
}

/** All that an entry moves on but `judgedHash`, which only the last of many has to be written out for. */
const passAt = (ledger: Ledger, line: Line, pending: Pending, seen: ReadonlyArray<Position>): void => {
  if (pending.time > ledger.latest) ledger.latest = pending.time
  line.pendingBytes -= pending.body.length
  line.blocked = undefined
  line.judged = pending.seq + 1
  line.judgedTime = pending.time
  for (const position of seen) line.named.set(position.feed, position.seq)
}

const quarantine = (ledger: Ledger, line: Line, pending: Pending, because: Decision.Refusal): void => {
  ledger.quarantine.set(placeOf(line, pending.seq), {
    feed: line.feed.id,
    device: line.feed.device,
    seq: pending.seq,
    because
  })
}

/** Under which an entry is quarantined. */
export const placeOf = ({ feed }: Line, seq: number): string => `${feed.id} ${seq}`
