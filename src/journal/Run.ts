/**
 * A run: consecutive entries of one feed as sent and as stored, ending in one signature that authenticates them all.
 *
 * Version 1 (varints as in journal/Varint.ts):
 *     u8        version = 1
 *     32 bytes  FeedId
 *     varint    first: seq of the first entry
 *     32 bytes  previous: hash of the entry before it (the FeedId when first is 0)
 *     varint    count: 1 to 1 024
 *     count ×   u8      bits 0–3: which entry is the base, 0 = the one before, 15 = the sixteenth before
 *                       bit 4: the time is the next tick · bit 5: the body is as long as the base's
 *                       bit 6: it ends as the base does · bit 7: 0
 *               varint  unless bit 4: the time, as the difference to the entry before, at least 1; of the first, itself
 *               varint  shared: with so many bytes of the base's body the body begins
 *               varint  if bit 6: with so many bytes of the base's body, behind the shared ones, it ends
 *               varint  unless bit 5: length of what stands between
 *               bytes   what stands between
 *     64 bytes  Ed25519 over "aura/run/v1" NUL ‖ FeedId ‖ u64 seq of the last entry ‖ hash of the last entry
 * A base before the first entry is an empty body.
 *
 * The framing is neither hashed nor canonical: a relay may cut a run anew at any kept signature (`tail`, `merge`). What
 * is left out is put back before hashing, so forged framing breaks the chain. The entries of a feed resemble each other,
 * which is why leaving out what a neighbour has beats a dictionary: no state outlives the run, and it costs two bytes.
 * Bodies are limited as they unfold, not as they are folded, so a small run is no bomb, and whatever is cut from runs or
 * put together within the limit is a run again.
 *
 * `decode` checks form and chain and returns what is still to be checked: that `previous` is where the reader's feed
 * ends, that the first time is above the time there, and the claim, one signature for all. A run of another version is
 * refused by name.
 */
import * as Result from "effect/Result"
import { domain } from "../identity/Hash.ts"
import { entryHash, feedId, toBytes, type DeviceId, type EntryHash, type FeedId } from "../identity/Id.ts"
import { signatureBytes } from "../identity/Signing.ts"
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

const version = 1
const runDomain = domain("aura/run/v1")

/** How far back a body may look for its base. */
const distanceMax = 16
const nextTick = 16
const asLong = 32
const endsAlike = 64
const unknownBits = 128

/** Version, FeedId, first, previous, count and signature, in bytes at most. */
export const frameBytesMax = 1 + 32 + Varint.varintBytesMax + 32 + 2 + signatureBytes

/** What an entry needs beside its body, in bytes at most: the head, a time and three lengths. */
export const entryFrameBytesMax = 1 + Varint.varintBytesMax + 3 * 3

export const lastSeq = (run: Run): number => run.first + run.times.length - 1

export const lastHash = (run: Run): EntryHash => entryHash(run.hashes[run.hashes.length - 1]!)

/** Hash of the entry before `seq`, which the run holds or which its last entry is. */
export const hashBefore = (run: Run, seq: number): EntryHash =>
  seq === run.first ? run.previous : entryHash(run.hashes[seq - run.first - 1]!)

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
  const result: Array<Uint8Array> = []
  let previous = toBytes(run.previous)
  for (let i = 0; i < run.bodies.length; i++) {
    previous = chain(previous, run.first + i, run.times[i]!, run.bodies[i]!)
    result.push(previous)
  }
  return result
}

/** Whether one more body still fits a run that has `count` entries with `bodyBytes` bytes of bodies. */
export const fits = (count: number, bodyBytes: number, nextBody: number): boolean =>
  count < runEntriesMax && nextBody <= entryBytesMax && bodyBytes + nextBody <= runBodyBytesMax

/** Dies on entries that no run can have: writers ask `fits`, and stop before their clock ends. */
export const encode = (run: Unsigned, signature: Uint8Array): Uint8Array => {
  const count = run.bodies.length
  const room = run.bodies.reduce((sum, body) => sum + body.length + entryFrameBytesMax, frameBytesMax)
  if (!isPossible(run) || signature.length !== signatureBytes)
    throw new RangeError("no such run: see journal/limits.ts")
  const cursor = { bytes: new Uint8Array(room), at: 0 }
  cursor.bytes[cursor.at++] = version
  put(cursor, toBytes(run.feed))
  Varint.write(cursor, run.first)
  put(cursor, toBytes(run.previous))
  Varint.write(cursor, count)
  for (let i = 0; i < count; i++) {
    const step = i === 0 ? run.times[0]! : run.times[i]! - run.times[i - 1]!
    writeEntry(cursor, step, run.bodies, i)
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
  if (first === Varint.malformed) return malformed(cursor.at, "first is no number")
  if (cursor.at + 32 > cursor.bytes.length) return malformed(cursor.at, "cut off")
  const previousBytes = bytes.subarray(cursor.at, cursor.at + 32)
  cursor.at += 32
  if (first === 0 && commonStart(feedBytes, previousBytes, 32) !== 32) {
    return malformed(cursor.at, "the first entry must follow the feed's own id")
  }
  const count = Varint.read(cursor)
  if (count < 1 || count > runEntriesMax) return malformed(cursor.at, `count must be 1 to ${runEntriesMax}`)
  if (first + count > seqMax) return malformed(cursor.at, "sequence numbers out of range")

  const times: Array<number> = []
  const ends: Array<number> = []
  const wrong = unfold(cursor, count, times, ends)
  if (wrong !== undefined) return malformed(cursor.at, wrong)
  if (cursor.at !== cursor.bytes.length) return malformed(cursor.at, "bytes between the last entry and the signature")

  const unfolded = scratch.slice(0, ends[count - 1])
  const bodies: Array<Uint8Array> = []
  for (let i = 0; i < count; i++) bodies.push(unfolded.subarray(i === 0 ? 0 : ends[i - 1], ends[i]))
  const run = { feed: feedId(feedBytes), first, previous: entryHash(previousBytes), times, bodies }
  return Result.succeed(sealed(run, hashes(run), bytes.slice(-signatureBytes), bytes))
}

/** Runs are made here alike, property by property, wherever they come from: hot paths meet them all. */
export const sealed = (
  { bodies, feed, first, previous, times }: Unsigned,
  hashes: ReadonlyArray<Uint8Array>,
  signature: Uint8Array,
  bytes: Uint8Array
): Run => ({ feed, first, previous, times, bodies, hashes, signature, bytes })

/** The part of a run from `first` on, under the same signature. `first` is one of its positions. */
export const tail = (run: Run, first: number): Run => {
  const skip = first - run.first
  if (skip === 0) return run
  if (skip < 0 || first > lastSeq(run)) throw new RangeError(`the run has no entry ${first}`)
  const previous = hashBefore(run, first)
  const rest = { feed: run.feed, first, previous, times: run.times.slice(skip), bodies: run.bodies.slice(skip) }
  return sealed(rest, run.hashes.slice(skip), run.signature, encode(rest, run.signature))
}

/** One run of several that follow each other, under the last signature. Dies when they don't, or do not fit one. */
export const merge = (runs: ReadonlyArray<Run>): Run => {
  const [head, ...others] = runs
  if (head === undefined) throw new RangeError("nothing to merge")
  let last = head
  for (const next of others) {
    if (next.feed !== last.feed || next.first !== lastSeq(last) + 1 || next.previous !== lastHash(last)) {
      throw new RangeError("runs are merged that do not follow each other")
    }
    last = next
  }
  const whole = {
    feed: head.feed,
    first: head.first,
    previous: head.previous,
    times: runs.flatMap((run) => run.times),
    bodies: runs.flatMap((run) => run.bodies)
  }
  const { signature } = last
  return sealed(
    whole,
    runs.flatMap((run) => run.hashes),
    signature,
    encode(whole, signature)
  )
}

const isPossible = ({ first, times, bodies }: Unsigned): boolean => {
  if (bodies.length === 0 || times.length !== bodies.length || first < 0 || first + bodies.length > seqMax) return false
  let bytes = 0
  for (let i = 0; i < bodies.length; i++) {
    if (!fits(i, bytes, bodies[i]!.length)) return false
    if (!Clock.isTime(times[i]!) || (i > 0 && times[i]! <= times[i - 1]!)) return false
    bytes += bodies[i]!.length
  }
  return true
}

const writeEntry = (cursor: Varint.Cursor, step: number, bodies: ReadonlyArray<Uint8Array>, i: number): void => {
  const body = bodies[i]!
  let shared = 0
  let distance = 1
  for (let d = 1; d <= distanceMax && d <= i && shared < body.length; d++) {
    const common = commonStart(bodies[i - d]!, body, shared + 1)
    if (common > shared) {
      shared = common
      distance = d
    }
  }
  const base = i === 0 ? nobody : bodies[i - distance]!
  const alike = commonEnd(base, body, Math.min(base.length, body.length) - shared)
  // One byte that is left out does not pay for the byte that says so.
  const end = alike < 2 ? 0 : alike
  const length = body.length - shared - end
  const isAsLong = body.length === base.length
  cursor.bytes[cursor.at++] =
    distance - 1 + (step === 1 ? nextTick : 0) + (isAsLong ? asLong : 0) + (end > 0 ? endsAlike : 0)
  if (step !== 1) Varint.write(cursor, step)
  Varint.write(cursor, shared)
  if (end > 0) Varint.write(cursor, end)
  if (!isAsLong) Varint.write(cursor, length)
  put(cursor, body.subarray(shared, shared + length))
}

const nobody = new Uint8Array(0)

/** Where bodies unfold before they are copied, at once and at their exact size. */
const scratch = new Uint8Array(runBodyBytesMax)

/** Fills `times` and, for the bodies in `scratch`, `ends`; returns what is wrong, if anything. */
const unfold = (
  cursor: Varint.Cursor,
  count: number,
  times: Array<number>,
  ends: Array<number>
): string | undefined => {
  const { bytes } = cursor
  let time = 0
  let from = 0
  for (let i = 0; i < count; i++) {
    const head = bytes[cursor.at++]
    if (head === undefined) return "cut off"
    if (head >= unknownBits) return "an unknown bit is set"
    const step = (head & nextTick) !== 0 ? 1 : Varint.read(cursor)
    if (step === Varint.malformed || (step === 0 && i > 0)) return "time does not rise"
    time += step
    if (!Clock.isTime(time)) return "time out of range"

    const baseAt = i - 1 - (head & (distanceMax - 1))
    const baseFrom = baseAt < 1 ? 0 : ends[baseAt - 1]!
    const baseEnd = baseAt < 0 ? 0 : ends[baseAt]!
    const shared = Varint.read(cursor)
    const end = (head & endsAlike) !== 0 ? Varint.read(cursor) : 0
    if (shared === Varint.malformed || end === Varint.malformed) return "cut off"
    if (shared + end > baseEnd - baseFrom) return "shares more than there is"
    const length = (head & asLong) !== 0 ? baseEnd - baseFrom - shared - end : Varint.read(cursor)
    if (length === Varint.malformed || length > bytes.length - cursor.at) return "cut off"
    const bodyLength = shared + length + end
    if (bodyLength > entryBytesMax) return `an entry longer than ${entryBytesMax} bytes`
    if (from + bodyLength > runBodyBytesMax) return `bodies of more than ${runBodyBytesMax} bytes`

    scratch.copyWithin(from, baseFrom, baseFrom + shared)
    from += shared
    if (length > shortBytes) scratch.set(bytes.subarray(cursor.at, cursor.at + length), from)
    else for (let j = 0; j < length; j++) scratch[from + j] = bytes[cursor.at + j]!
    from += length
    scratch.copyWithin(from, baseEnd - end, baseEnd)
    from += end
    cursor.at += length
    times.push(time)
    ends.push(from)
  }
  return undefined
}

/** Up to this many bytes a plain loop is faster than a view and a copy. */
const shortBytes = 48

const put = (cursor: Varint.Cursor, part: Uint8Array): void => {
  cursor.bytes.set(part, cursor.at)
  cursor.at += part.length
}

/** Length of the common beginning; 0 when it is shorter than `atLeast`, which is tested first, at its last byte. */
const commonStart = (a: Uint8Array, b: Uint8Array, atLeast: number): number => {
  const length = Math.min(a.length, b.length)
  if (atLeast > length || a[atLeast - 1] !== b[atLeast - 1]) return 0
  let at = 0
  while (at < length && a[at] === b[at]) at++
  return at
}

/** Length of the common end, at most `atMost`. */
const commonEnd = (a: Uint8Array, b: Uint8Array, atMost: number): number => {
  let length = 0
  while (length < atMost && a[a.length - 1 - length] === b[b.length - 1 - length]) length++
  return length
}

const malformed = (offset: number, what: string): Result.Result<never, RunMalformed> =>
  Result.fail({ _tag: "RunMalformed", offset, what: `run, at byte ${offset}: ${what}` })
