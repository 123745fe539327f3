/**
 * A run: consecutive entries of one feed as sent and as stored, ending in one signature that authenticates them all.
 *
 * Version 1 (varints as in journal/Varint.ts):
 *     u8        version = 1
 *     32 bytes  FeedId
 *     varint    first: seq of the first entry
 *     32 bytes  previous: hash of the entry before it (the FeedId when first is 0)
 *     varint    count: 1 to 1 024
 *     count ×   varint  time: of the first entry; then the difference to the entry before, at least 1
 *               varint  2 × shared + (1 if a distance follows)
 *               varint  distance d, 2 to 16: the base is the entry d places earlier in this run (without it d = 1)
 *               varint  length of the rest
 *               bytes   the rest; body = first `shared` bytes of the base's body ‖ rest (shared = 0: no base needed)
 *     64 bytes  Ed25519 over "aura/run/v1" NUL ‖ FeedId ‖ u64 seq of the last entry ‖ hash of the last entry
 *
 * The framing is neither hashed nor canonical: a relay may cut a run anew at any kept signature. What it abbreviates is
 * expanded before hashing, so a forged abbreviation breaks the chain. The entries of a feed resemble each other, which
 * is why leaving out the shared beginning beats a dictionary: no state outlives the run, and it costs two bytes.
 *
 * `decode` checks form and chain and returns what is still to be checked: that `previous` is where the reader's feed
 * ends, and the claim, one signature for all. A run of another version is refused by name.
 */
import * as Result from "effect/Result"
import { domain } from "../identity/Hash.ts"
import { entryHash, feedId, toBytes, type DeviceId, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Clock from "./Clock.ts"
import { chain, writeU64 } from "./Entry.ts"
import { entryBytesMax, runBodyBytesMax, runBytesMax, runEntriesMax, seqMax } from "./limits.ts"
import * as Varint from "./Varint.ts"

/** Consecutive entries with their hashes computed. All arrays have one element per entry. */
export interface Run {
  readonly feed: FeedId
  readonly first: number
  /** Hash of the entry before `first`. */
  readonly previous: EntryHash
  readonly times: ReadonlyArray<number>
  readonly bodies: ReadonlyArray<Uint8Array>
  readonly hashes: ReadonlyArray<Uint8Array>
  readonly signature: Uint8Array
  readonly bytes: Uint8Array
}

/** Bytes that are no run, or not this feed's. */
export interface RunMalformed {
  readonly _tag: "RunMalformed"
  readonly offset: number
  readonly what: string
}

/** Entries waiting for their signature: what a writer collects. */
export interface Unsigned {
  readonly feed: FeedId
  readonly first: number
  readonly previous: EntryHash
  readonly times: ReadonlyArray<number>
  readonly bodies: ReadonlyArray<Uint8Array>
}

/** How far back a body may look for its beginning. */
const distanceMax = 16
const version = 1
const signatureBytes = 64
const runDomain = domain("aura/run/v1")

export const lastSeq = (run: Run): number => run.first + run.times.length - 1

export const lastHash = (run: Run): EntryHash => entryHash(run.hashes[run.hashes.length - 1]!)

/** What the feed's key signs for the entry at `seq` and everything before it. */
export const message = (feed: FeedId, seq: number, hash: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(runDomain.length + 32 + 8 + 32)
  bytes.set(runDomain)
  bytes.set(toBytes(feed), runDomain.length)
  writeU64(new DataView(bytes.buffer), runDomain.length + 32, seq)
  bytes.set(hash, runDomain.length + 40)
  return bytes
}

/** The one signature check that a decoded run still needs. */
export const claim = (
  run: Run,
  signer: DeviceId
): { readonly signer: DeviceId; readonly message: Uint8Array; readonly signature: Uint8Array } => ({
  signer,
  message: message(run.feed, lastSeq(run), run.hashes[run.hashes.length - 1]!),
  signature: run.signature
})

/** Hashes of the entries to be signed, in order. */
export const hashes = (run: Unsigned): ReadonlyArray<Uint8Array> => {
  const result: Array<Uint8Array> = new Array(run.bodies.length)
  let previous = toBytes(run.previous)
  for (let i = 0; i < run.bodies.length; i++) {
    previous = chain(previous, run.first + i, run.times[i]!, run.bodies[i]!)
    result[i] = previous
  }
  return result
}

/** Dies when a limit is passed: writers split before (see `fits`). */
export const encode = (run: Unsigned, signature: Uint8Array): Uint8Array => {
  const count = run.bodies.length
  if (count === 0 || count > runEntriesMax || signature.length !== signatureBytes) throw new RangeError("no such run")
  let room = 1 + 32 + 8 + 32 + 2 + signatureBytes
  for (const body of run.bodies) room += body.length + 8 + 5 + 1 + 5
  const cursor = { bytes: new Uint8Array(room), at: 0 }
  cursor.bytes[cursor.at++] = version
  put(cursor, toBytes(run.feed))
  Varint.write(cursor, run.first)
  put(cursor, toBytes(run.previous))
  Varint.write(cursor, count)
  for (let i = 0; i < count; i++) {
    Varint.write(cursor, i === 0 ? run.times[0]! : run.times[i]! - run.times[i - 1]!)
    const body = run.bodies[i]!
    let shared = 0
    let distance = 1
    for (let d = 1; d <= distanceMax && d <= i; d++) {
      const common = commonPrefix(run.bodies[i - d]!, body, d === 1 ? 0 : shared + 1)
      if (common > (d === 1 ? 0 : shared + 1)) {
        shared = common
        distance = d
      }
    }
    Varint.write(cursor, shared * 2 + (distance > 1 ? 1 : 0))
    if (distance > 1) Varint.write(cursor, distance)
    Varint.write(cursor, body.length - shared)
    put(cursor, shared === 0 ? body : body.subarray(shared))
  }
  put(cursor, signature)
  return cursor.bytes.slice(0, cursor.at)
}

/** The buffer is kept in the result; the caller no longer changes it. */
export const decode = (bytes: Uint8Array): Result.Result<Run, RunMalformed> => {
  if (bytes.length > runBytesMax) return malformed(0, `longer than ${runBytesMax} bytes`)
  if (bytes.length < 1 + 32 + 1 + 32 + 1 + signatureBytes) return malformed(bytes.length, "cut off")
  if (bytes[0] !== version) return malformed(0, `version ${bytes[0]}, this reader knows ${version}`)
  const feedBytes = bytes.subarray(1, 33)
  const cursor: Varint.Cursor = { bytes: bytes.subarray(0, bytes.length - signatureBytes), at: 33 }
  const first = Varint.read(cursor)
  if (first === Varint.malformed || first >= seqMax) return malformed(cursor.at, "first is no sequence number")
  if (cursor.at + 32 > cursor.bytes.length) return malformed(cursor.at, "cut off")
  const previousBytes = bytes.subarray(cursor.at, cursor.at + 32)
  cursor.at += 32
  if (first === 0 && commonPrefix(feedBytes, previousBytes, 0) !== 32)
    return malformed(cursor.at, "the first entry must follow the feed's own id")
  const count = Varint.read(cursor)
  if (count < 1 || count > runEntriesMax) return malformed(cursor.at, `count must be 1 to ${runEntriesMax}`)

  const times: Array<number> = new Array(count)
  const bodies: Array<Uint8Array> = new Array(count)
  const hashes: Array<Uint8Array> = new Array(count)
  let hash: Uint8Array = previousBytes
  let time = 0
  let expanded = 0
  for (let i = 0; i < count; i++) {
    const step = Varint.read(cursor)
    if (step === Varint.malformed || (i > 0 && step === 0)) return malformed(cursor.at, "time does not rise")
    time += step
    if (!Clock.isTime(time)) return malformed(cursor.at, "time out of range")
    const sharing = Varint.read(cursor)
    if (sharing === Varint.malformed) return malformed(cursor.at, "cut off")
    const shared = Math.floor(sharing / 2)
    let distance = 1
    if (sharing % 2 === 1) {
      distance = Varint.read(cursor)
      if (distance < 2 || distance > distanceMax) return malformed(cursor.at, `distance must be 2 to ${distanceMax}`)
    }
    const length = Varint.read(cursor)
    if (length === Varint.malformed || cursor.at + length > cursor.bytes.length) return malformed(cursor.at, "cut off")
    const bodyLength = shared + length
    expanded += bodyLength
    if (bodyLength > entryBytesMax) return malformed(cursor.at, `an entry longer than ${entryBytesMax} bytes`)
    if (expanded > runBodyBytesMax) return malformed(cursor.at, `more than ${runBodyBytesMax} bytes expanded`)
    let body: Uint8Array
    if (shared === 0) body = bytes.subarray(cursor.at, cursor.at + length)
    else {
      const base = i - distance < 0 ? undefined : bodies[i - distance]
      if (base === undefined || shared > base.length) return malformed(cursor.at, "shares more than there is")
      body = new Uint8Array(bodyLength)
      body.set(shared === base.length ? base : base.subarray(0, shared))
      body.set(bytes.subarray(cursor.at, cursor.at + length), shared)
    }
    cursor.at += length
    hash = chain(hash, first + i, time, body)
    times[i] = time
    bodies[i] = body
    hashes[i] = hash
  }
  if (cursor.at !== cursor.bytes.length) return malformed(cursor.at, "bytes between the last entry and the signature")
  return Result.succeed({
    feed: feedId(feedBytes),
    first,
    previous: entryHash(previousBytes),
    times,
    bodies,
    hashes,
    signature: bytes.slice(bytes.length - signatureBytes),
    bytes
  })
}

/** Whether one more body still fits a run of these: conservative, by the expanded size. */
export const fits = (count: number, bodyBytes: number, nextBody: number): boolean =>
  count < runEntriesMax && bodyBytes + nextBody + (count + 1) * 20 + 256 <= runBytesMax

const put = (cursor: Varint.Cursor, part: Uint8Array): void => {
  cursor.bytes.set(part, cursor.at)
  cursor.at += part.length
}

/** Length of the common beginning; 0 when it is shorter than `atLeast`, which is tested from the back. */
const commonPrefix = (a: Uint8Array, b: Uint8Array, atLeast: number): number => {
  const length = Math.min(a.length, b.length)
  if (atLeast > length || (atLeast > 0 && a[atLeast - 1] !== b[atLeast - 1])) return 0
  let at = 0
  while (at < length && a[at] === b[at]) at++
  return at
}

const malformed = (offset: number, what: string): Result.Result<never, RunMalformed> =>
  Result.fail({ _tag: "RunMalformed", offset, what: `run, at byte ${offset}: ${what}` })
