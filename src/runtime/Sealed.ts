/**
 * What root seals: the books as they follow from the entries up to certain positions, and nothing else, as bytes.
 *
 * Root signs their digest (`aura.space.seal`, trust/Fact.ts). So whoever has bytes with that digest needs none of the entries
 * below: they are judged, once and for all, as root had them judged. Whoever has all of those entries makes the same bytes
 * (`Fold.foldTo`). What was refused below a seal is no longer told of; what counted is in the state.
 *
 * Sealed books, version 1: the deterministic CBOR of
 *
 *     [1, [[header, seq, hash (32), time, [[feed, seq, hash]… view], [[feed (32), seq]… named]]… by feed],
 *      state (journal/crdt/State.ts), [[requester and key, time, feed (32), seq]… by name], applied]
 *
 * `seq`, `hash` and `time` are those of the last sealed entry of the feed; `view` = the last entries of what it had seen, and
 * `named` all that its device had named in the feed. digest = SHA-256("aura/sealed-books/v1" NUL ‖ bytes).
 *
 * Equal sets of entries, judged alike, make equal bytes: everything unordered is sorted. Law: test/runtime/Sealing.test.ts.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import { entryHash, feedId, toBytes, type FeedId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as State from "../journal/crdt/State.ts"
import * as Feed from "../journal/Feed.ts"
import * as Authority from "../trust/Authority.ts"
import type { Ledger } from "./Ledger.ts"
import * as Line from "./Line.ts"

/** The last sealed entry of a feed, and what its device had seen there. */
export interface End extends Feed.Position {
  readonly header: Feed.Feed
  readonly time: number
  readonly view: ReadonlyArray<Feed.Position>
  readonly named: ReadonlyArray<readonly [FeedId, number]>
}

/** Which books a replica stands on: known by their digest, in hexadecimal digits. */
export interface Sealed {
  readonly digest: string
  readonly ends: ReadonlyMap<FeedId, End>
}

/** Sealed books taken apart, but for the state, which takes longest. */
export interface Books extends Sealed {
  readonly state: Cbor.Cbor
  readonly requests: ReadonlyArray<
    readonly [string, { readonly time: number; readonly feed: FeedId; readonly seq: number }]
  >
  readonly applied: number
}

/** Name of the local row that holds the sealed books a replica stands on. */
export const sealedRow = "sealed"

/** The books as they stand, to be sealed. What is judged of each feed of data is in them, and of each that has any its end. */
export const encode = (ledger: Ledger): Uint8Array =>
  Cbor.encode(
    [
      version,
      judgedLines(ledger).map(lineToCbor),
      State.toCbor(ledger.state),
      [...ledger.requests]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, { feed, seq, time }]) => [key, time, toBytes(feed), seq]),
      ledger.applied
    ],
    { depthMax }
  )

/** Where the books stand that `encode` writes: what a seal of them names. */
export const positionsOf = (ledger: Ledger): ReadonlyArray<Feed.Position> =>
  judgedLines(ledger).map(({ feed, judged, judgedHash }) => ({ feed: feed.id, seq: judged - 1, hash: judgedHash }))

export const digestOf = (bytes: Uint8Array): Uint8Array => hash(booksDomain, bytes)

/** Takes books apart. Whose they are their digest tells, and root's word for it: nothing of them is judged here. */
export const decode = (bytes: Uint8Array): Result.Result<Books, string> => {
  const decoded = Cbor.decode(bytes, { depthMax })
  if (Result.isFailure(decoded)) return Result.fail(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  if (!Array.isArray(decoded.success) || decoded.success.length !== 5) return Result.fail("not five columns")
  const [found, lines, state, claims, applied] = decoded.success as ReadonlyArray<Cbor.Cbor>
  if (found !== version) return Result.fail(`version ${JSON.stringify(found)}; known is ${version}`)
  if (!Array.isArray(lines) || !Array.isArray(claims) || !Feed.isSeq(applied))
    return Result.fail("columns of other kinds")
  const ends = new Map<FeedId, End>()
  for (const line of lines as ReadonlyArray<Cbor.Cbor>) {
    const end = endOf(line)
    if (end === undefined) return Result.fail("the end of a feed that is none")
    ends.set(end.feed, end)
  }
  const requests: Array<Books["requests"][number]> = []
  for (const claim of claims as ReadonlyArray<Cbor.Cbor>) {
    if (!Array.isArray(claim) || claim.length !== 4) return Result.fail("a request that is none")
    const [key, time, feed, seq] = claim as ReadonlyArray<Cbor.Cbor>
    if (typeof key !== "string" || typeof time !== "number" || !isBytes32(feed) || !Feed.isSeq(seq))
      return Result.fail("a request of other than a name and a position")
    requests.push([key, { time, feed: feedId(feed), seq }])
  }
  return Result.succeed({ digest: bytesToHex(digestOf(bytes)), ends, state: state ?? null, requests, applied })
}

/**
 * Puts books in which authority is judged and nothing of data where the sealed ones stand. What they say that their devices
 * had seen is known here: root had seen it when it sealed. Fails, and changed nothing, where this version can't read them.
 */
export const restore = (ledger: Ledger, books: Books): Result.Result<void, string> => {
  const authority = ledger.authority
  if (authority === undefined) return Result.fail("the space's founding entry is not here")
  const state = State.fromCbor(books.state)
  if (Result.isFailure(state)) return Result.fail(state.failure)
  for (const { view } of books.ends.values())
    if (!view.every((position) => Authority.knows(authority, position)))
      return Result.fail("an entry that was seen in them is not here")
  for (const { feed, hash, named, seq, time, view } of books.ends.values()) {
    const line = ledger.lines.get(feed)
    if (line === undefined) continue
    Line.stand(line, {
      judged: seq + 1,
      hash,
      time,
      named,
      view: Authority.look(authority, Authority.emptyView(authority), view)
    })
    ledger.latest = Math.max(ledger.latest, time)
  }
  for (const [key, slot] of state.success.slots) ledger.state.slots.set(key, slot)
  for (const [key, counts] of books.requests) ledger.requests.set(key, counts)
  ledger.applied = books.applied
  return Result.succeed(undefined)
}

const version = 1
const booksDomain = domain("aura/sealed-books/v1")

/** Maps and lists inside each other: those of an entry's value and those of the state around it. */
const depthMax = 32

const judgedLines = (ledger: Ledger): ReadonlyArray<Line.Line> =>
  [...ledger.lines.values()]
    .filter((line) => line.feed.kind === "data" && line.branch === undefined && line.judged > 0)
    .sort((a, b) => (a.feed.id < b.feed.id ? -1 : 1))

const lineToCbor = ({ feed, judged, judgedHash, judgedTime, named, view }: Line.Line): Cbor.Cbor => [
  feed.bytes,
  judged - 1,
  toBytes(judgedHash),
  judgedTime,
  Authority.lastOf(view)
    .toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
    .map((node) => Feed.positionToCbor({ feed: node.feed.id, seq: node.seq, hash: node.hash })),
  [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, seq]) => [toBytes(id), seq])
]

const endOf = (value: Cbor.Cbor): End | undefined => {
  if (!Array.isArray(value) || value.length !== 6) return undefined
  const [header, seq, hash, time, heads, named] = value as ReadonlyArray<Cbor.Cbor>
  const feed = header instanceof Uint8Array ? Feed.decode(header) : undefined
  if (feed === undefined || Result.isFailure(feed) || feed.success.kind !== "data") return undefined
  if (!Feed.isSeq(seq) || !isBytes32(hash) || typeof time !== "number") return undefined
  if (!Array.isArray(heads) || !Array.isArray(named)) return undefined
  const view: Array<Feed.Position> = []
  for (const head of heads as ReadonlyArray<Cbor.Cbor>) {
    if (!Feed.isPosition(head)) return undefined
    view.push(Feed.positionFromCbor(head))
  }
  const names: Array<readonly [FeedId, number]> = []
  for (const one of named as ReadonlyArray<Cbor.Cbor>) {
    if (!Array.isArray(one) || !isBytes32(one[0]) || !Feed.isSeq(one[1])) return undefined
    names.push([feedId(one[0]), one[1]])
  }
  return { feed: feed.success.id, header: feed.success, seq, hash: entryHash(hash), time, view, named: names }
}

const isBytes32 = (value: Cbor.Cbor | undefined): value is Uint8Array =>
  value instanceof Uint8Array && value.length === 32
