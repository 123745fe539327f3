/**
 * An archive: journals in one file, as `aura journal export` and `aura backup` write it.
 *
 * An archive is a stream of records, each of them
 *     u32       length of the payload, big-endian, at most `recordBytesMax`
 *     bytes     payload: one value of deterministic CBOR (journal/Cbor.ts), an array that begins with its kind
 *     32 bytes  SHA-256("aura/archive/v1" NUL ‖ these 32 bytes of the record before, of the first 32 zeros ‖ payload)
 * The hashes are a chain: what was altered, moved, left out or cut off is found at its own offset, and the last one is of
 * the whole file. They are no signature: who checks the file still checks every run.
 *
 *     ["aura archive", version, holds]         the first: version 1, or 2 where a space is sealed; holds 0 a journal, 1 a backup
 *     [1, name, from, bytes]                   of a backup: a file of the data directory from this byte on; pieces in order
 *     [2, space (32)]                          a space begins
 *     [3, header, from]                        a feed, or a branch of one (journal/Branch.ts), goes on after so many of its
 *                                              entries that came before in this file
 *     [4, run]                                 the next run of that feed, as stored (journal/Run.ts)
 *     [5, [[feed (32), entries, hash (32)]…]]  where feeds of the space end, at most `headsMax` at a time, feeds ascending
 *     [6, spaces, feeds, runs, entries, root]  the last: what was in the file, and the journal's name
 *     [7, from, bytes]                         version 2: the sealed books of the space (runtime/Sealed.ts) from this byte on; in
 *                                              order, behind its feeds of authority. A feed in them may begin later than at 0
 *
 * A space is [2], then [3] each with its [4], and in version 2 [7] among them, then [5]. Feeds of authority come before those of data, and what a branch
 * follows before it, so that a reader can admit what it meets. A journal that goes on while it is written may have grown
 * past its data's beginning: then feeds of authority come once more behind the data, with what that had seen.
 *
 * Root = SHA-256("aura/archive/root/v1" NUL ‖ for each space, ascending: space ‖ for each of its feeds, ascending: feed ‖ u64
 * entries ‖ hash). It names the entries, not how they are cut into runs: journals with one root are the same.
 *
 * The frame and the first three items of the first record stay what they are in every version: so a reader can say that
 * a file is of a later one. Nothing in a file depends on when or where it was written.
 */
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hash } from "../identity/Hash.ts"
import { entryHash, feedId, spaceId, toBytes, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import { writeU64 } from "./Entry.ts"
import { headerBytesMax, runBytesMax, seqMax } from "./limits.ts"

/** Bytes of one record's payload. */
export const recordBytesMax = 1024 * 1024

/** Ends of feeds in one record. */
export const headsMax = 4096

/** Bytes of a file in one record. */
export const pieceBytesMax = 512 * 1024

/** The latest version, which is written where the earlier one can't say it. */
export const version = 2

/** Where a feed or branch ends: how many entries of it there are, and the hash of the last. */
export interface End {
  readonly feed: FeedId
  readonly entries: number
  readonly hash: EntryHash
}

export type Holds = "journal" | "backup"

export interface Totals {
  readonly spaces: number
  readonly feeds: number
  readonly runs: number
  readonly entries: number
  readonly root: Uint8Array
}

export type Item =
  /** `isSealed`: it may hold sealed books. */
  | { readonly _tag: "Head"; readonly holds: Holds; readonly isSealed?: boolean }
  | { readonly _tag: "File"; readonly name: string; readonly from: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Space"; readonly space: SpaceId }
  | { readonly _tag: "Feed"; readonly header: Uint8Array; readonly from: number }
  | { readonly _tag: "Run"; readonly bytes: Uint8Array }
  | { readonly _tag: "Ends"; readonly ends: ReadonlyArray<End> }
  | { readonly _tag: "Sealed"; readonly from: number; readonly bytes: Uint8Array }
  | ({ readonly _tag: "Total" } & Totals)

/** An item, and the byte of the file at which its record begins. */
export type Placed = Item & { readonly offset: number }

/** Bytes that are no archive of ours, or not what was written. */
export interface ArchiveMalformed {
  readonly _tag: "ArchiveMalformed"
  readonly offset: number
  readonly what: string
}

/** Of a version that this reader does not know. */
export interface ArchiveLater {
  readonly _tag: "ArchiveLater"
  readonly found: number
}

const name = "aura archive"
const chainDomain = domain("aura/archive/v1")
const rootDomain = domain("aura/archive/root/v1")
const frameBytes = 4 + 32
const kinds = { File: 1, Space: 2, Feed: 3, Run: 4, Ends: 5, Total: 6, Sealed: 7 } as const

/** Returns what makes the bytes of each next record. */
export const writer = (): ((item: Item) => Uint8Array) => {
  let chained: Uint8Array = new Uint8Array(32)
  return (item) => {
    const payload = Cbor.encode(toCbor(item))
    if (payload.length > recordBytesMax) throw new RangeError("no such record: see recordBytesMax")
    const bytes = new Uint8Array(frameBytes + payload.length)
    new DataView(bytes.buffer).setUint32(0, payload.length)
    bytes.set(payload, 4)
    chained = hash(chainDomain, chained, payload)
    bytes.set(chained, 4 + payload.length)
    return bytes
  }
}

/** Takes a file piece by piece, and keeps no more of it than one record. */
export interface Reader {
  /** The records that these bytes complete. After a failure it is spent. */
  readonly take: (bytes: Uint8Array) => Result.Result<ReadonlyArray<Placed>, ArchiveMalformed | ArchiveLater>
  /** Whether that was all of it. */
  readonly end: () => Result.Result<void, ArchiveMalformed>
}

export const reader = (): Reader => {
  let rest: Uint8Array = new Uint8Array(0)
  let offset = 0
  let chained: Uint8Array = new Uint8Array(32)
  let last: Item["_tag"] | undefined
  let isSealed = false

  /** The record at the beginning of `rest`; undefined when it is not all here. */
  const next = (): Result.Result<Placed | undefined, ArchiveMalformed | ArchiveLater> => {
    if (last === "Total" && rest.length > 0) return malformed(offset, "bytes follow the last record")
    if (rest.length < 4) return Result.succeed(undefined)
    const length = new DataView(rest.buffer, rest.byteOffset, 4).getUint32(0)
    if (length === 0 || length > recordBytesMax) return malformed(offset, last === undefined ? foreign : "no record")
    if (rest.length < frameBytes + length) return Result.succeed(undefined)
    const payload = rest.subarray(4, 4 + length)
    const expected = hash(chainDomain, chained, payload)
    const decoded = Cbor.decode(payload)
    if (last === undefined) {
      const found = Result.isSuccess(decoded) ? versionOf(decoded.success) : undefined
      if (found === undefined) return malformed(offset, foreign)
      if (found > version) return Result.fail({ _tag: "ArchiveLater", found })
    }
    if (!Bytes.isSame(expected, rest.subarray(4 + length, frameBytes + length)))
      return malformed(offset, "not what was written there")
    const item = Result.isSuccess(decoded) ? fromCbor(decoded.success) : undefined
    if (item === undefined || !mayFollow(last, item._tag) || (item._tag === "Sealed" && !isSealed))
      return malformed(offset, "a record that has no place there")
    if (item._tag === "Head") isSealed = item.isSealed === true
    chained = expected
    last = item._tag
    const placed = { ...item, offset }
    offset += frameBytes + length
    rest = rest.subarray(frameBytes + length)
    return Result.succeed(placed)
  }

  return {
    take: (bytes) => {
      rest = rest.length === 0 ? bytes : joined(rest, bytes)
      const items: Array<Placed> = []
      for (;;) {
        const one = next()
        if (Result.isFailure(one)) return Result.fail(one.failure)
        if (one.success === undefined) break
        items.push(one.success)
      }
      rest = rest.slice()
      return Result.succeed(items)
    },
    end: () =>
      last === "Total" && rest.length === 0
        ? Result.succeed(undefined)
        : malformed(offset, last === undefined ? foreign : "it is cut off here")
  }
}

const foreign = "no archive of Aura begins like this"

/** Names the entries of these spaces. */
export const rootOf = (spaces: ReadonlyMap<SpaceId, ReadonlyArray<End>>): Uint8Array => {
  const parts: Array<Uint8Array> = []
  for (const [space, ends] of [...spaces].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(toBytes(space))
    for (const { entries, feed, hash } of sorted(ends)) {
      const count = new Uint8Array(8)
      writeU64(new DataView(count.buffer), 0, entries)
      parts.push(toBytes(feed), count, toBytes(hash))
    }
  }
  return hash(rootDomain, ...parts)
}

/** The records that tell where a space's feeds end. */
export const endsOf = (ends: ReadonlyArray<End>): ReadonlyArray<Item> => {
  const all = sorted(ends)
  const items: Array<Item> = []
  for (let at = 0; at < all.length; at += headsMax) items.push({ _tag: "Ends", ends: all.slice(at, at + headsMax) })
  return items
}

/** Whether a file of a backup may have this name: plain names, at most one directory deep. */
export const isFileName = (text: string): boolean =>
  /^(?:[a-z0-9][a-z0-9.-]{0,99}\/)?[a-z0-9][a-z0-9.-]{0,99}$/u.test(text)

const sorted = (ends: ReadonlyArray<End>): ReadonlyArray<End> => [...ends].sort((a, b) => (a.feed < b.feed ? -1 : 1))

const toCbor = (item: Item): Cbor.Cbor => {
  switch (item._tag) {
    case "Head":
      return [name, item.isSealed === true ? version : 1, item.holds === "journal" ? 0 : 1]
    case "File":
      return [kinds.File, item.name, item.from, item.bytes]
    case "Space":
      return [kinds.Space, toBytes(item.space)]
    case "Feed":
      return [kinds.Feed, item.header, item.from]
    case "Run":
      return [kinds.Run, item.bytes]
    case "Ends":
      return [kinds.Ends, item.ends.map(({ entries, feed, hash }) => [toBytes(feed), entries, toBytes(hash)])]
    case "Sealed":
      return [kinds.Sealed, item.from, item.bytes]
    case "Total":
      return [kinds.Total, item.spaces, item.feeds, item.runs, item.entries, item.root]
  }
}

/** The version that a first record names; undefined when it is none of ours. */
const versionOf = (value: Cbor.Cbor): number | undefined =>
  Array.isArray(value) && value[0] === name && isCount(value[1]) && value[1] > 0 ? value[1] : undefined

const fromCbor = (value: Cbor.Cbor): Item | undefined => {
  if (!Array.isArray(value)) return undefined
  const [kind, a, b, c, d, e] = value as ReadonlyArray<Cbor.Cbor>
  const has = (count: number): boolean => value.length === count
  if (kind === name && has(3) && (b === 0 || b === 1))
    return { _tag: "Head", holds: b === 0 ? "journal" : "backup", ...(a === version ? { isSealed: true } : {}) }
  if (kind === kinds.Sealed && has(3) && isCount(a) && isBytes(b, pieceBytesMax))
    return { _tag: "Sealed", from: a, bytes: b }
  if (
    kind === kinds.File &&
    has(4) &&
    typeof a === "string" &&
    isFileName(a) &&
    isCount(b) &&
    isBytes(c, pieceBytesMax)
  )
    return { _tag: "File", name: a, from: b, bytes: c }
  if (kind === kinds.Space && has(2) && isHash(a)) return { _tag: "Space", space: spaceId(a) }
  if (kind === kinds.Feed && has(3) && isBytes(a, 2 * headerBytesMax) && isCount(b))
    return { _tag: "Feed", header: a, from: b }
  if (kind === kinds.Run && has(2) && isBytes(a, runBytesMax)) return { _tag: "Run", bytes: a }
  if (kind === kinds.Ends && has(2) && Array.isArray(a) && a.length > 0 && a.length <= headsMax) {
    const ends = (a as ReadonlyArray<Cbor.Cbor>).flatMap(endFrom)
    return ends.length === a.length ? { _tag: "Ends", ends } : undefined
  }
  if (kind === kinds.Total && has(6) && isCount(a) && isCount(b) && isCount(c) && isCount(d) && isHash(e))
    return { _tag: "Total", spaces: a, feeds: b, runs: c, entries: d, root: e }
  return undefined
}

const endFrom = (value: Cbor.Cbor): ReadonlyArray<End> => {
  if (!Array.isArray(value) || value.length !== 3) return []
  const [feed, entries, last] = value as ReadonlyArray<Cbor.Cbor>
  if (!isHash(feed) || !isCount(entries) || entries > seqMax || !isHash(last)) return []
  return [{ feed: feedId(feed), entries, hash: entryHash(last) }]
}

const mayFollow = (last: Item["_tag"] | undefined, next: Item["_tag"]): boolean => {
  switch (next) {
    case "Head":
      return last === undefined
    case "File":
      return last === "Head" || last === "File"
    case "Space":
    case "Total":
      return last !== undefined && last !== "Total"
    case "Feed":
      return last === "Space" || last === "Feed" || last === "Run" || last === "Sealed"
    case "Sealed":
      return last === "Feed" || last === "Run" || last === "Sealed"
    case "Run":
      return last === "Feed" || last === "Run"
    case "Ends":
      return last === "Feed" || last === "Run" || last === "Sealed" || last === "Ends"
  }
}

const isCount = (value: Cbor.Cbor | undefined): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

const isBytes = (value: Cbor.Cbor | undefined, lengthMax: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length <= lengthMax

const isHash = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array && value.length === 32

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const malformed = (offset: number, what: string): Result.Result<never, ArchiveMalformed> =>
  Result.fail({ _tag: "ArchiveMalformed", offset, what })
