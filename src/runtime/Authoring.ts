/**
 * Writes of this device: as many as fit become one run, under one signature, in one durable commit.
 *
 * A run continues the newest feed of its kind that nothing ends, nobody doubts and the store holds whole; otherwise it
 * opens a new feed, as each write in another's name does. A write that can't be said is answered alone and leaves no
 * trace; when signature or commit fail, all of the run are, and nothing has happened. Nobody is told of success before
 * the books show it.
 *
 * In which order writes come, and how many may wait, is the replica's matter.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { KeysError } from "../effects/Keys.ts"
import { entryHash, type DeviceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import { completeSeenEvery, entryBytesMax, runEntriesMax } from "../journal/limits.ts"
import * as Run from "../journal/Run.ts"
import { revokeType } from "../trust/Fact.ts"
import * as Desk from "./Desk.ts"
import { freshId } from "./FreshId.ts"
import * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import { pack } from "./Packing.ts"
import * as Revocation from "./Revocation.ts"
import { abandonedLocal } from "./Token.ts"
import { EntryTooLarge, type Author, type Done, type Prepared, type Turn, type Write, type Written } from "./Write.ts"

/** A write waiting for its turn. */
export interface Waiting {
  readonly write: Write<unknown, unknown>
  readonly done: Done<unknown, unknown>
  isAnswered: boolean
}

/** Tells how a write ended, once: what is said of it later is not heard. */
export const answer = (one: Waiting, exit: Exit.Exit<Written<unknown>, unknown>): void => {
  if (one.isAnswered) return
  one.isAnswered = true
  one.done(exit)
}

/** Writes one run of as many of these, from the first on, as fit; returns how many were dealt with. */
export const writeRun = Effect.fnUntraced(function* (desk: Desk.Desk, writes: ReadonlyArray<Waiting>) {
  const revoked = writes[0]!.write.as === undefined ? Revocation.of(desk.folded.ledger, desk.keys.device) : undefined
  if (revoked !== undefined) {
    answer(writes[0]!, Exit.fail(revoked))
    return 1
  }
  const draft = yield* begin(desk, writes[0]!.write)
  let handled = 0
  while (handled < writes.length && add(desk, draft, writes[handled]!)) handled++
  if (draft.bodies.length > 0) yield* finish(desk, draft)
  return handled
})

/** A run in the making. */
interface Draft {
  readonly kind: Feed.FeedKind
  readonly as: Author | undefined
  readonly author: Author
  /** Undefined: the run opens a new feed. */
  readonly line: Ledger.Line | undefined
  readonly feed: Feed.Feed
  readonly first: number
  readonly times: Array<number>
  readonly bodies: Array<Uint8Array>
  readonly accepted: Array<{ readonly item: Waiting; readonly prepared: Prepared<unknown> }>
  /** Bytes of the bodies. */
  bytes: number
  /** What the next entry comes after. */
  after: number
  /** The last entry has to be in the books before anything is said behind it. */
  isEnded: boolean
}

const begin = Effect.fnUntraced(function* (desk: Desk.Desk, { as, kind }: Write<unknown, unknown>) {
  const author: Author = as ?? desk.keys
  const line = as === undefined ? ownLine(desk, kind) : undefined
  const feed = line?.feed ?? (yield* newFeed(desk, author.device, kind))
  const draft: Draft = {
    kind,
    as,
    author,
    line,
    feed,
    first: line?.taken ?? 0,
    times: [],
    bodies: [],
    accepted: [],
    bytes: 0,
    after: Math.max(desk.folded.ledger.latest, line?.time ?? feed.time),
    isEnded: false
  }
  return draft
})

const newFeed = Effect.fnUntraced(function* (desk: Desk.Desk, device: DeviceId, kind: Feed.FeedKind) {
  const nonce = yield* desk.random.randomBytes(Feed.nonceBytes)
  const born = Clock.next(desk.folded.ledger.latest, desk.time.now().millis)
  return Feed.encode({ space: desk.space, device, kind, nonce, time: born, closes: undefined, key: undefined })
})

const ownLine = ({ abandoned, folded, keys }: Desk.Desk, kind: Feed.FeedKind): Ledger.Line | undefined => {
  let newest: Ledger.Line | undefined
  const { damaged, forks, lines } = folded.ledger
  for (const line of lines.values()) {
    if (line.feed.device !== keys.device || line.feed.kind !== kind || abandoned.has(line.feed.id)) continue
    if (Ledger.endOf(folded.ledger, line.feed) !== undefined) continue
    if (damaged.has(line.feed.id) || forks.has(line.feed.id)) continue
    if (newest === undefined || newest.feed.time < line.feed.time) newest = line
  }
  return newest
}

/** Puts a write into the draft, or answers it with why it can't be. False: it has to wait for the next run. */
const add = (desk: Desk.Desk, draft: Draft, item: Waiting): boolean => {
  const { write } = item
  const { accepted, author, bodies, feed, kind, line } = draft
  if (draft.isEnded || write.kind !== kind || write.as !== draft.as) return false
  // the first of two with one key has to be in the books before the second can see that it is a repeat
  if (write.request !== undefined && accepted.some(({ item }) => isSameRequest(item.write.request, write.request)))
    return false
  const seq = draft.first + bodies.length
  // a kept signature stands before every multiple of 1 024, where reading may start
  if (bodies.length > 0 && seq % completeSeenEvery === 0) return false
  const { ledger } = desk.folded
  const at = Clock.next(draft.after, desk.time.now().millis)
  const origin = { device: author.device, feed: feed.id, seq, request: write.request }
  const turn: Turn = { ledger, time: at, feed: feed.id, seq, newId: (index) => freshId(origin, index) }
  const attempt = Result.try(() => write.prepare(turn))
  if (Result.isFailure(attempt)) {
    answer(item, Exit.die(attempt.failure))
    return true
  }
  const prepared = attempt.success
  if (Result.isFailure(prepared)) {
    answer(item, Exit.fail(prepared.failure))
    return true
  }
  const { definition, facts } = prepared.success
  const isBoundary = bodies.length === 0 || seq % completeSeenEvery === 0
  const seen = isBoundary ? Ledger.unseen(ledger, line, kind, seq) : noPositions
  const body = Entry.encode({ keyEpoch: undefined, definition, seen, facts, request: write.request })
  if (body.length > entryBytesMax) {
    answer(item, Exit.fail(new EntryTooLarge({ bytes: body.length, allowed: entryBytesMax })))
    return true
  }
  if (bodies.length > 0 && !Run.fits(bodies.length, draft.bytes, body.length)) return false
  draft.times.push(at)
  bodies.push(body)
  draft.bytes += body.length
  draft.after = at
  accepted.push({ item, prepared: prepared.success })
  // what lets a device know that it was put out has a signature of its own
  draft.isEnded =
    prepared.success.endsTurn === true || (kind === "authority" && facts.some(({ type }) => type === revokeType))
  return true
}

/** Signs the draft, makes it durable, moves the books on, and answers. */
const finish = Effect.fnUntraced(function* (desk: Desk.Desk, draft: Draft) {
  const { accepted, author, bodies, feed, first, line, times } = draft
  const { ledger } = desk.folded
  const failAll = (exit: Exit.Exit<never, JournalStoreError | KeysError>): void => {
    for (const { item } of accepted) answer(item, exit)
  }
  const previous = line?.hash ?? entryHash(Feed.origin(feed))
  const unsigned: Run.Unsigned = { feed: feed.id, first, previous, times, bodies }
  const hashes = Run.hashes(unsigned)
  const signed = yield* Effect.exit(
    author.sign(Run.message(feed.id, first + bodies.length - 1, hashes[hashes.length - 1]!))
  )
  if (Exit.isFailure(signed)) return failAll(Exit.failCause(signed.cause))
  const encoded = Run.encode(unsigned, signed.value)
  const run: Run.Run = { ...unsigned, hashes, signature: signed.value, bytes: encoded }
  const durable = yield* Effect.exit(
    Desk.commit(desk, {
      feeds: line === undefined ? [{ feed: feed.id, header: feed.bytes }] : [],
      runs: [Intake.stored(run)],
      results: resultsOf(desk, draft),
      locals: line === undefined && desk.abandoned.size > 0 ? [abandonedLocal(desk.abandoned)] : []
    })
  )
  if (Exit.isFailure(durable)) {
    Desk.doubt(desk, durable.cause)
    return failAll(Exit.failCause(durable.cause))
  }
  if (line === undefined) desk.begun.add(feed.id)
  Ledger.take(ledger, Ledger.lineOf(ledger, feed), run)
  yield* Desk.settle(desk, true)
  for (let i = 0; i < accepted.length; i++) {
    const { item, prepared } = accepted[i]!
    const position = { feed: feed.id, seq: first + i, hash: entryHash(hashes[i]!) }
    answer(item, Exit.succeed({ answer: prepared.answer, position }))
  }
  const end = first + bodies.length
  if (draft.kind === "data" && end % runEntriesMax === 0)
    yield* pack(desk.store, desk.space, feed.id, end - runEntriesMax)
})

/** What is kept with the run for repeats of the same requests. */
const resultsOf = ({ keys, time }: Desk.Desk, { accepted }: Draft) =>
  accepted.flatMap(({ prepared }) =>
    prepared.result === undefined ? [] : [{ requester: keys.device, atMillis: time.now().millis, ...prepared.result }]
  )

const noPositions: ReadonlyArray<Feed.Position> = []

const isSameRequest = (a: Entry.Request | undefined, b: Entry.Request | undefined): boolean =>
  a !== undefined && b !== undefined && a.requester === b.requester && a.key === b.key
