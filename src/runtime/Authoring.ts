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
import type { JournalStoreError, StoredResult } from "../effects/JournalStore.ts"
import type { KeysError } from "../effects/Keys.ts"
import { entryHash } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import { completeSeenEvery, deviceFeedsMax, entryBytesMax, runEntriesMax } from "../journal/limits.ts"
import type { Request } from "../journal/Request.ts"
import * as Run from "../journal/Run.ts"
import { revokeType } from "../trust/Fact.ts"
import * as Desk from "./Desk.ts"
import { freshId } from "./FreshId.ts"
import * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import type * as Line from "./Line.ts"
import * as Packing from "./Packing.ts"
import * as Revocation from "./Revocation.ts"
import { abandonedLocal } from "./Token.ts"
import {
  EntryTooLarge,
  FeedsExhausted,
  type Author,
  type Done,
  type Prepared,
  type Turn,
  type Write,
  type WrittenBare
} from "./Write.ts"

/** A write waiting for its turn. */
export interface Waiting {
  readonly write: Write<unknown, unknown>
  readonly done: Done<unknown, unknown>
  isAnswered: boolean
}

/** Tells how a write ended, once: what is said of it later is not heard. */
export const answer = (one: Waiting, exit: Exit.Exit<WrittenBare<unknown>, unknown>): void => {
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
  const { as, kind } = writes[0]!.write
  const line = as === undefined ? ownLine(desk, kind) : undefined
  if (line === undefined && as === undefined && kind === "data" && countFeeds(desk) >= deviceFeedsMax) {
    answer(writes[0]!, Exit.fail(new FeedsExhausted({ device: desk.keys.device, allowed: deviceFeedsMax })))
    return 1
  }
  const draft = begin(desk, writes[0]!.write, line, line?.feed ?? (yield* newFeed(desk, as ?? desk.keys, kind)))
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
  readonly line: Line.Line | undefined
  readonly feed: Feed.Feed
  readonly first: number
  /** When the run was begun: its entries are written at one moment. */
  readonly nowMillis: number
  readonly times: Array<number>
  readonly bodies: Array<Uint8Array>
  readonly accepted: Array<{ readonly item: Waiting; readonly prepared: Prepared<unknown> }>
  /** For each body, what its author knows of it already. */
  readonly decided: Array<Line.Decided | undefined>
  readonly room: Cbor.Room
  /** Bytes of the bodies. */
  bytes: number
  /** What the next entry comes after. */
  after: number
  /** The last entry has to be in the books before anything is said behind it. */
  isEnded: boolean
}

const begin = (
  desk: Desk.Desk,
  { as, kind }: Write<unknown, unknown>,
  line: Line.Line | undefined,
  feed: Feed.Feed
): Draft => ({
  kind,
  as,
  author: as ?? desk.keys,
  line,
  feed,
  first: line?.taken ?? 0,
  nowMillis: desk.time.now().millis,
  times: [],
  bodies: [],
  accepted: [],
  decided: [],
  room: Cbor.makeRoom(roomBytes),
  bytes: 0,
  after: Math.max(desk.folded.ledger.latest, line?.time ?? feed.time),
  isEnded: false
})

const newFeed = Effect.fnUntraced(function* (desk: Desk.Desk, { device }: Author, kind: Feed.FeedKind) {
  const nonce = yield* desk.random.randomBytes(Feed.nonceBytes)
  const born = Clock.next(desk.folded.ledger.latest, desk.time.now().millis)
  return Feed.encode({ space: desk.space, device, kind, nonce, time: born, closes: undefined, key: undefined })
})

/** How many feeds of data this device has begun, usable or not. */
const countFeeds = ({ folded, keys }: Desk.Desk): number => {
  let count = 0
  for (const { branch, feed } of folded.ledger.lines.values())
    if (branch === undefined && feed.device === keys.device && feed.kind === "data") count++
  return count
}

const ownLine = ({ abandoned, folded, keys }: Desk.Desk, kind: Feed.FeedKind): Line.Line | undefined => {
  let newest: Line.Line | undefined
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
  const at = Clock.next(draft.after, draft.nowMillis)
  const turn: Turn = {
    ledger,
    time: at,
    feed: feed.id,
    seq,
    newId: (index) => freshId({ device: author.device, feed: feed.id, seq, request: write.request }, index)
  }
  const prepared = prepare(item, turn)
  if (prepared === undefined) return true
  const { decidedBy, definition, facts } = prepared
  const isBoundary = bodies.length === 0 || seq % completeSeenEvery === 0
  const seen = isBoundary ? Ledger.unseen(ledger, line, kind, seq) : noPositions
  const said: Entry.Body = { keyEpoch: undefined, definition, seen, facts, request: write.request }
  const body = Entry.encodeIn(draft.room, said)
  if (body.length > entryBytesMax) {
    answer(item, Exit.fail(new EntryTooLarge({ bytes: body.length, allowed: entryBytesMax })))
    return true
  }
  if (bodies.length > 0 && !Run.fits(bodies.length, draft.bytes, body.length)) return false
  draft.times.push(at)
  bodies.push(body)
  draft.bytes += body.length
  draft.after = at
  accepted.push({ item, prepared })
  draft.decided.push(decidedBy && draft.as === undefined ? { by: decidedBy, body: said } : undefined)
  // what lets a device know that it was put out has a signature of its own
  draft.isEnded =
    prepared.endsTurn === true || (kind === "authority" && prepared.facts.some(({ type }) => type === revokeType))
  return true
}

/** What the write wants to say; undefined when it was answered with why it says nothing. */
const prepare = (item: Waiting, turn: Turn): Prepared<unknown> | undefined => {
  let prepared: Result.Result<Prepared<unknown>, unknown>
  try {
    prepared = item.write.prepare(turn)
  } catch (defect) {
    answer(item, Exit.die(defect))
    return undefined
  }
  if (Result.isSuccess(prepared)) return prepared.success
  answer(item, Exit.fail(prepared.failure))
  return undefined
}

/** Signs the draft, makes it durable, moves the books on, and answers. */
const finish = function* (desk: Desk.Desk, draft: Draft) {
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
  Packing.note(desk.block, run)
  Ledger.take(ledger, Ledger.lineOf(ledger, feed), run, draft.decided)
  const rest = Desk.settleNow(desk, true)
  if (rest !== undefined) yield* rest
  for (let i = 0; i < accepted.length; i++) {
    const { item, prepared } = accepted[i]!
    answer(item, Exit.succeed({ result: prepared.answer, feed: feed.id, seq: first + i, hash: hashes[i]! }))
  }
  const end = first + bodies.length
  if (draft.kind === "data" && end % runEntriesMax === 0)
    yield* Packing.pack(desk.store, desk.space, feed.id, end - runEntriesMax, desk.block)
}

/** What is kept with the run for repeats of the same requests. */
const resultsOf = ({ keys, time }: Desk.Desk, { accepted }: Draft): ReadonlyArray<StoredResult> => {
  const results: Array<StoredResult> = []
  for (const { item, prepared } of accepted) {
    if (prepared.result === undefined) continue
    results.push({
      requester: item.write.request?.requester ?? keys.device,
      atMillis: time.now().millis,
      ...prepared.result
    })
  }
  return results
}

/** For the bodies of one run; more is made when it is needed. */
const roomBytes = 8 * 1024

const noPositions: ReadonlyArray<Feed.Position> = []

const isSameRequest = (a: Request | undefined, b: Request | undefined): boolean =>
  a !== undefined && b !== undefined && a.requester === b.requester && a.key === b.key
