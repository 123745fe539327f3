/**
 * The books of a replica in one row, so that opening reads the entries written since, not all of them.
 *
 * A checkpoint is a cache: it names where each data feed stood, the digest of everything that can overturn verdicts
 * (standing restrictions, forks, settlements, closings, the sealed books below it), and the state that followed. It is taken up only if authority, folded from
 * the journal itself, gives the same digest, and each feed still chains to where it stood; otherwise it is thrown away
 * and the journal folded whole. It never leaves this device.
 *
 * The row: tag (32) ‖ checkpoint, the tag HMAC-SHA-256 with a key from the secret store (runtime/Token.ts) over
 * SHA-256("aura/checkpoint-row/v1" NUL ‖ checkpoint). The journal store is no authority: who can write there, but lacks the
 * device's secrets, can't make a state that is believed. Checkpoint, version 2: the deterministic CBOR of
 *
 *     [2, digest (32), [[feed or branch (32), judged, hash (32), time, [[feed, seq, hash]… view], [[feed (32), seq]… named]]…],
 *      state, JSON of quarantine, [[requester and key, time, feed (32), seq]…], applied, latest]
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hash } from "../identity/Hash.ts"
import { entryHash, feedId, toBytes, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as State from "../journal/crdt/State.ts"
import { isPosition, isSeq, positionFromCbor, positionToCbor } from "../journal/Feed.ts"
import * as Authority from "../trust/Authority.ts"
import { limitOf, type Ledger, type Quarantined } from "./Ledger.ts"
import * as Line from "./Line.ts"

/** Name of the local row. */
export const checkpointRow = "checkpoint"

/** Maps and lists inside each other: those of an entry's value and those of the state around it. */
const depthMax = 32

const version = 2
const verdictsDomain = domain("aura/checkpoint/v1")

/** The row of a checkpoint. */
export const seal = (key: Uint8Array, checkpoint: Uint8Array): Uint8Array => {
  const row = new Uint8Array(tagBytes + checkpoint.length)
  row.set(tagOf(key, checkpoint))
  row.set(checkpoint, tagBytes)
  return row
}

/** The checkpoint in a row; undefined when it was not sealed with this key. */
export const unseal = (key: Uint8Array, row: Uint8Array): Uint8Array | undefined => {
  const checkpoint = row.subarray(tagBytes)
  return row.length >= tagBytes && Bytes.isSame(row.subarray(0, tagBytes), tagOf(key, checkpoint))
    ? checkpoint
    : undefined
}

const tagBytes = 32
const rowDomain = domain("aura/checkpoint-row/v1")

const tagOf = (key: Uint8Array, checkpoint: Uint8Array): Uint8Array => hmac(sha256, key, hash(rowDomain, checkpoint))

export const encode = (ledger: Ledger): Uint8Array | undefined => {
  if (ledger.authority === undefined) return undefined
  const lines: Array<Cbor.Cbor> = []
  for (const line of ledger.lines.values())
    if (line.feed.kind === "data" && line.judged > Line.startOf(line)) lines.push(lineToCbor(line))
  return Cbor.encode(
    [
      version,
      verdictsDigest(ledger),
      lines,
      State.toCbor(ledger.state),
      JSON.stringify([...ledger.quarantine]),
      [...ledger.requests].map(([key, counts]) => [key, counts.time, toBytes(counts.feed), counts.seq]),
      ledger.applied,
      ledger.latest
    ],
    { depthMax }
  )
}

/**
 * Puts the books where the checkpoint says they stood. The ledger has its authority feeds judged and all data feeds'
 * lines open and empty; `ends` = how many entries the store has of each. False, and nothing changed, if it does not fit.
 *
 * With `requests`, the caller answers for every verdict in it being as it would be given now, and it fits if of each
 * request the same entry counts there.
 */
export const restore = (
  ledger: Ledger,
  bytes: Uint8Array,
  ends: ReadonlyMap<FeedId, Stored>,
  requests?: Ledger["requests"]
): boolean => {
  const decoded = Cbor.decode(bytes, { depthMax })
  if (Result.isFailure(decoded) || !Array.isArray(decoded.success) || ledger.authority === undefined) return false
  const [found, digest, lines, stateData, quarantine, claims, applied, latest] =
    decoded.success as ReadonlyArray<Cbor.Cbor>
  if (found !== version || !(digest instanceof Uint8Array)) return false
  if (!Array.isArray(lines) || !Array.isArray(claims) || typeof quarantine !== "string") return false
  const claimed = (claims as ReadonlyArray<readonly [string, number, Uint8Array, number]>).map(
    ([key, time, feed, seq]) => [key, { time, feed: feedId(feed), seq }] as const
  )
  const isAsNow =
    requests === undefined
      ? Bytes.isSame(digest, verdictsDigest(ledger))
      : claimed.every(([key, { feed, seq }]) => requests.get(key)?.feed === feed && requests.get(key)?.seq === seq)
  if (!isAsNow) return false
  if (typeof applied !== "number" || typeof latest !== "number") return false
  const state = State.fromCbor(stateData ?? null)
  if (Result.isFailure(state)) return false
  const places: Array<Place> = []
  for (const item of lines as ReadonlyArray<Cbor.Cbor>) {
    const place = placeOf(ledger, ledger.authority, item, ends)
    if (place === undefined) return false
    places.push(place)
  }
  for (const place of places) Line.stand(place.line, place)
  for (const [key, slot] of state.success.slots) ledger.state.slots.set(key, slot)
  for (const [key, one] of JSON.parse(quarantine) as ReadonlyArray<[string, Quarantined]>)
    ledger.quarantine.set(key, one)
  for (const [key, counts] of claimed) ledger.requests.set(key, counts)
  ledger.applied = applied
  ledger.latest = Math.max(ledger.latest, latest)
  return true
}

/** What the store has of a feed. */
export interface Stored {
  readonly entries: number
  readonly hash: EntryHash
}

/** Everything that can change a verdict that was given, in one digest. */
const verdictsDigest = (ledger: Ledger): Uint8Array => {
  const authority = ledger.authority!
  const standing = Authority.restrictions(authority).map(({ index, node }) => `${node.hash} ${index}`)
  const forks = [...ledger.forks].map(([feed, { seq }]) => {
    const settled = Authority.settlementOf(authority, feed, ledger.lines.get(feed)?.feed.device)
    return `${feed} ${seq} ${settled?.hash ?? ""}`
  })
  const closers = [...ledger.closers.values()].flat().map(({ id }) => id as string)
  const words = rootsWords(authority)
  const base = ledger.sealed === undefined ? [] : [ledger.sealed.digest]
  return hash(verdictsDomain, Cbor.encode([standing.sort(), forks.sort(), closers.sort(), ...words, ...base]))
}

/** Seals, and the entries here that were settled on, where there are any. */
const rootsWords = (authority: Authority.Authority): ReadonlyArray<ReadonlyArray<string>> => {
  const { freezes, regimes } = Authority.judgeOf(authority)
  const sealed = [...regimes.seals].flatMap(([feed, positions]) =>
    positions.map(({ by, position }) => `sealed ${feed} ${position.hash} ${by.hash}`)
  )
  const settled = [...freezes].flatMap(([feed, { settled }]) =>
    settled === undefined ? [] : [`settled ${feed} ${settled.hash}`]
  )
  return sealed.length + settled.length === 0 ? [] : [[...sealed, ...settled].sort()]
}

const lineToCbor = (line: Line.Line): Cbor.Cbor => [
  toBytes(line.id),
  line.judged,
  toBytes(line.judgedHash),
  line.judgedTime,
  Authority.lastOf(line.view).map((node) => positionToCbor({ feed: node.feed.id, seq: node.seq, hash: node.hash })),
  [...line.named].map(([feed, seq]) => [toBytes(feed), seq])
]

interface Place extends Line.Place {
  readonly line: Line.Line
}

const placeOf = (
  ledger: Ledger,
  authority: Authority.Authority,
  item: Cbor.Cbor,
  ends: ReadonlyMap<FeedId, Stored>
): Place | undefined => {
  if (!Array.isArray(item) || item.length !== 6) return undefined
  const [feed, judged, hash, time, heads, named] = item as ReadonlyArray<Cbor.Cbor>
  if (!isBytes32(feed) || !isSeq(judged) || !isBytes32(hash) || typeof time !== "number") return undefined
  if (!Array.isArray(heads) || !Array.isArray(named)) return undefined
  const line = ledger.lines.get(feedId(feed))
  const stored = ends.get(feedId(feed))
  if (line === undefined || stored === undefined || line.taken > Line.startOf(line)) return undefined
  const entries = Line.startOf(line) + stored.entries
  if (judged > entries || judged - 1 > limitOf(ledger, line)) return undefined
  if (judged === entries && stored.hash !== entryHash(hash)) return undefined
  const seen = []
  for (const head of heads as ReadonlyArray<Cbor.Cbor>) {
    if (!isPosition(head)) return undefined
    const position = positionFromCbor(head)
    if (!Authority.knows(authority, position)) return undefined
    seen.push(position)
  }
  return {
    line,
    judged,
    hash: entryHash(hash),
    time,
    view: Authority.look(authority, Authority.emptyView(authority), seen),
    named: (named as ReadonlyArray<readonly [Uint8Array, number]>).map(([id, seq]) => [feedId(id), seq])
  }
}

const isBytes32 = (value: Cbor.Cbor | undefined): value is Uint8Array =>
  value instanceof Uint8Array && value.length === 32
