/**
 * The rows of a journal file: the statements that read and write them, and what each column has to be.
 *
 * Every row ends in a digest: the first 8 bytes of SHA-256 over the table's name, the row's numbers, the lengths of its
 * byte strings and these themselves, with ids in place of the numbers of spaces and feeds. It finds damage, not malice:
 * who can write the file can write the digest. No decoder here hands out a row whose digest does not match.
 *
 * A run is one row at the place (number of its feed × 2^32) + first seq, so a feed lies together and in order. Its bytes
 * may be deflated (raw, level 1): `plainBytes` is their length before, and the inflater stops there; null means stored as
 * they are. A run without bytes stands at the beginning of a feed for the entries that were dropped of it. Small ones are: who writes puts them together soon (runtime/Packing.ts), and deflating would cost the most of
 * their commit. The hash before a run is not in its row, but its digest covers it.
 *
 * Nothing in here decides anything: which rows may be written is `SqliteJournal`'s business.
 */
import { createHash } from "node:crypto"
import type { DatabaseSync, SQLOutputValue } from "node:sqlite"
import { constants, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import { JournalCorrupt, type StoredFeed, type StoredResult, type StoredRun } from "../../effects/JournalStore.ts"
import { deviceId, entryHash, feedId, toBytes, type EntryHash, type FeedId, type SpaceId } from "../../identity/Id.ts"

export type Row = Readonly<Record<string, SQLOutputValue>>

/** Bounds of the place of a run: what fits 53 bits as (feed × 2^32) + seq. */
export const entriesPerFeedMax = 2 ** 32
export const feedsMax = 2 ** 21

export const prepare = (database: DatabaseSync) => {
  const sql = (text: string) => database.prepare(text)
  return {
    begin: sql("BEGIN IMMEDIATE"),
    commit: sql("COMMIT"),
    spaces: sql("SELECT * FROM spaces ORDER BY number"),
    space: sql("SELECT * FROM spaces WHERE space = ?"),
    addSpace: sql("INSERT INTO spaces VALUES (?, ?, ?)"),
    feeds: sql("SELECT * FROM feeds WHERE space = ? ORDER BY number"),
    feed: sql("SELECT * FROM feeds WHERE space = ? AND feed = ?"),
    addFeed: sql("INSERT INTO feeds VALUES (?, ?, ?, ?, ?, ?, ?)"),
    moveFeed: sql("UPDATE feeds SET entries = ?, hash = ?, digest = ? WHERE space = ? AND feed = ?"),
    // The last run that begins at a place from the first parameter to the second.
    run: sql(`SELECT place % ${entriesPerFeedMax} AS first, last, hash, plainBytes, bytes, digest FROM runs
      WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1`),
    runEnd: sql(`SELECT place % ${entriesPerFeedMax} AS first, last, hash FROM runs
      WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1`),
    // What was dropped of a feed, by the place of its first entry.
    dropped: sql("SELECT last, hash, bytes, digest FROM runs WHERE place = ? AND length(bytes) = 0"),
    addRun: sql("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)"),
    removeRuns: sql("DELETE FROM runs WHERE place BETWEEN ? AND ?"),
    locals: sql("SELECT * FROM locals WHERE space = ?"),
    local: sql("SELECT * FROM locals WHERE space = ? AND name = ?"),
    putLocal: sql("INSERT OR REPLACE INTO locals VALUES (?, ?, ?, ?)"),
    removeLocal: sql("DELETE FROM locals WHERE space = ? AND name = ?"),
    results: sql("SELECT * FROM results WHERE space = ?"),
    result: sql("SELECT * FROM results WHERE space = ? AND requester = ? AND key = ?"),
    putResult: sql("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?)"),
    removeResults: sql("DELETE FROM results WHERE atMillis < ?"),
    rows: sql(`SELECT (SELECT count(*) FROM spaces) + (SELECT count(*) FROM feeds) + (SELECT count(*) FROM locals)
      + (SELECT count(*) FROM results) AS count, (SELECT max(number) FROM feeds) AS feedNumber`),
    oldResults: sql("SELECT 1 FROM results WHERE atMillis < ? LIMIT 1")
  }
}

/** A row of `feeds`; runs are found by its number. */
export interface FeedRow extends StoredFeed {
  readonly number: number
}

export const spaceFrom = (row: Row, where: string): { readonly space: Uint8Array; readonly number: number } => {
  const at = `${where}, table spaces`
  const [space, number] = [idOf(row, "space", at), integerOf(row, "number", at)]
  checkDigest(blobOf(row, "digest", at), spaceDigest(space, number), at)
  return { space, number }
}

export const spaceDigest = (space: Uint8Array, number: number): Uint8Array => digestOf("spaces", [number], space)

export const feedFrom = (row: Row, space: SpaceId, where: string): FeedRow => {
  const feed = feedId(idOf(row, "feed", `${where}, table feeds`))
  const at = `${where}, feed ${feed}`
  const stored: FeedRow = {
    feed,
    header: blobOf(row, "header", at),
    first: 0,
    entries: integerOf(row, "entries", at),
    hash: entryHash(idOf(row, "hash", at)),
    number: integerOf(row, "number", at)
  }
  checkDigest(blobOf(row, "digest", at), feedDigest(space, stored), at)
  return stored
}

export const feedDigest = (space: SpaceId, { feed, number, header, entries, hash }: FeedRow): Uint8Array =>
  digestOf("feeds", [number, entries], toBytes(space), toBytes(feed), header, toBytes(hash))

export const placeOf = (feedNumber: number, seq: number): number => feedNumber * entriesPerFeedMax + seq

/** What is stored of a run: its bytes deflated, with their length before, where that is worth it and shorter. */
export const packed = (bytes: Uint8Array): { readonly plainBytes: number | null; readonly bytes: Uint8Array } => {
  if (bytes.length < deflatedBytesMin) return { plainBytes: null, bytes }
  const deflated = deflateRawSync(bytes, { level: 1 })
  return deflated.length < bytes.length ? { plainBytes: bytes.length, bytes: deflated } : { plainBytes: null, bytes }
}

/** Fewer bytes of a run are stored as they are. */
export const deflatedBytesMin = 8 * 1024

/** The inverse of `packed`, for bytes that passed their digest: so neither limit nor length can be missed. */
export const unpacked = (bytes: Uint8Array, plainBytes: number | null): Uint8Array => {
  if (plainBytes === null) return bytes
  const plain = inflateRawSync(bytes, inOnePiece(plainBytes))
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.length)
}

/** `ends` are those of PostgresRuns.ts. */
export const runDigest = (
  { feed, first, last, hash }: Pick<StoredRun, "feed" | "first" | "last" | "hash">,
  previous: EntryHash,
  plainBytes: number | null,
  bytes: Uint8Array,
  ends: Uint8Array = noBytes
): Uint8Array => {
  const blobs = [toBytes(feed), toBytes(previous), toBytes(hash), bytes]
  return digestOf("runs", [first, last, plainBytes], ...(ends.length === 0 ? blobs : [...blobs, ends]))
}

const noBytes = new Uint8Array(0)

/** The first entry that is kept of a feed of which something was dropped. */
export const keptFrom = (row: Row, { feed }: FeedRow, where: string): number => {
  const at = `${where}, feed ${feed}, what was dropped`
  const [last, hash] = [integerOf(row, "last", at), entryHash(idOf(row, "hash", at))]
  const digest = runDigest({ feed, first: 0, last, hash }, entryHash(toBytes(feed)), null, blobOf(row, "bytes", at))
  checkDigest(blobOf(row, "digest", at), digest, at)
  return last + 1
}

/** What stands for the entries of a feed before one, of which the last had this hash. */
export const droppedRun = (feed: FeedId, before: number, hash: EntryHash): StoredRun => ({
  feed,
  first: 0,
  last: before - 1,
  previous: entryHash(toBytes(feed)),
  hash,
  bytes: new Uint8Array(0)
})

/** Whether a run stands for what was dropped. */
export const isDropped = ({ bytes }: StoredRun): boolean => bytes.length === 0

export const localFrom = (row: Row, space: SpaceId, where: string): Uint8Array =>
  unwrapped(checkLocal(row, space, where))

/** The row's bytes as stored, after their digest. */
export const checkLocal = (row: Row, space: SpaceId, where: string): Uint8Array => {
  const name = blobOf(row, "name", `${where}, table locals`)
  const at = `${where}, row "${Buffer.from(name).toString()}" of space ${space}`
  const bytes = blobOf(row, "bytes", at)
  checkDigest(blobOf(row, "digest", at), localDigest(space, name, bytes), at)
  return bytes
}

/** What is stored of a local row: u32 length of its bytes if they are compressed (zstd, level 1), else 0; then they. */
export const wrapped = (bytes: Uint8Array): Uint8Array => {
  const compressed = bytes.length < compressedBytesMin ? bytes : zstdCompressSync(bytes, zstdLevel)
  const isShorter = compressed.length < bytes.length
  const body = isShorter ? compressed : bytes
  const row = new Uint8Array(4 + body.length)
  new DataView(row.buffer).setUint32(0, isShorter ? bytes.length : 0)
  row.set(body, 4)
  return row
}

/** The inverse of `wrapped`, for bytes that passed their digest. */
export const unwrapped = (row: Uint8Array): Uint8Array => {
  const plainBytes = new DataView(row.buffer, row.byteOffset).getUint32(0)
  if (plainBytes === 0) return row.slice(4)
  const plain = zstdDecompressSync(row.subarray(4), inOnePiece(plainBytes))
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.length)
}

/** Room for all of it at once and a little more, or the platform makes pieces and joins them; no claim costs more. */
const inOnePiece = (plainBytes: number) => ({
  maxOutputLength: plainBytes,
  chunkSize: Math.min(plainBytes, pieceBytesMax) + 64
})

const pieceBytesMax = 4 * 1024 * 1024

const compressedBytesMin = 1024
const zstdLevel = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export const localDigest = (space: SpaceId, name: Uint8Array, bytes: Uint8Array): Uint8Array =>
  digestOf("locals", [], toBytes(space), name, bytes)

export const resultFrom = (row: Row, space: SpaceId, where: string): StoredResult => {
  const at = `${where}, a result of space ${space}`
  const result: StoredResult = {
    requester: deviceId(idOf(row, "requester", at)),
    key: Buffer.from(blobOf(row, "key", at)).toString(),
    payload: blobOf(row, "payload", at),
    result: blobOf(row, "result", at),
    atMillis: integerOf(row, "atMillis", at)
  }
  checkDigest(blobOf(row, "digest", at), resultDigest(space, result), at)
  return result
}

export const resultDigest = (space: SpaceId, { requester, key, payload, result, atMillis }: StoredResult): Uint8Array =>
  digestOf("results", [atMillis], toBytes(space), toBytes(requester), utf8(key), payload, result)

/** Text with half a surrogate pair has no UTF-8 of its own and would pass for other text: a defect of the caller. */
export const utf8 = (text: string): Uint8Array => {
  if (!text.isWellFormed()) throw new TypeError(`${JSON.stringify(text)} is no well-formed text`)
  return Buffer.from(text)
}
const digestBytes = 8

const digestOf = (
  table: string,
  numbers: ReadonlyArray<number | null>,
  ...blobs: ReadonlyArray<Uint8Array>
): Uint8Array => {
  const lengths = blobs.map((blob) => blob.length)
  const digest = createHash("sha256").update(`${table} ${numbers.join(" ")} ${lengths.join(" ")}\0`)
  for (const blob of blobs) digest.update(blob)
  return digest.digest().subarray(0, digestBytes)
}

export const checkDigest = (found: Uint8Array, expected: Uint8Array, where: string): void => {
  if (Buffer.compare(found, expected) !== 0) throw new JournalCorrupt({ where, what: "its digest does not match" })
}

/** A column of bytes; anything else there is damage. */
export const blobOf = (row: Row, column: string, where: string): Uint8Array => {
  const value = row[column]
  if (value instanceof Uint8Array) return value
  throw new JournalCorrupt({ where, what: `the column ${column} holds no bytes` })
}

/** A column of 32 bytes. */
export const idOf = (row: Row, column: string, where: string): Uint8Array => {
  const value = blobOf(row, column, where)
  if (value.length === 32) return value
  throw new JournalCorrupt({ where, what: `the column ${column} holds ${value.length} bytes instead of 32` })
}

/** A column that holds an integer of at least 0; anything else there is damage. */
export const integerOf = (row: Row, column: string, where: string): number => {
  const value = row[column]
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value
  throw new JournalCorrupt({ where, what: `the column ${column} holds no number that could stand there` })
}
