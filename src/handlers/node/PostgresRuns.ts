/**
 * The rows of table `runs`: one holds a run, or several small ones of a feed that follow each other and were written together.
 *
 * A row costs the server more than the bytes of a small run do, so the runs of a transaction share rows. `first`, `previous`,
 * `last` and `hash` are those of all of them, `bytes` has theirs one behind the other, and `ends` says of each but the last
 * how many entries it has (u32), how many bytes (u32) and its hash. So `ends` is empty in a row of one run. `plain_bytes` is the
 * length of the bytes before they were deflated: those as long as it were not. A row without bytes stands at the beginning of
 * a feed for the entries that were dropped of it.
 */
import { JournalCorrupt, type StoredRun } from "../../effects/JournalStore.ts"
import { entryHash, toBytes, type EntryHash, type FeedId, type SpaceId } from "../../identity/Id.ts"
import {
  blobOf,
  checkDigest,
  deflatedBytesMin,
  idOf,
  integerOf,
  packed,
  runDigest,
  unpacked,
  type Row
} from "./JournalRows.ts"
import type { Columns } from "./PostgresRows.ts"

const endBytes = 4 + 4 + 32
/** Bytes of a row that runs share: so much may be read of it in vain. */
const sharedBytesMax = 64 * 1024

/** A run whose bytes nobody else holds, deflated if `plainBytes`, their length before, is larger than theirs. */
export interface PackedRun extends StoredRun {
  readonly plainBytes: number
}

/** Copies what it is given. */
export const packedRun = ({ feed, first, last, previous, hash, bytes }: StoredRun): PackedRun => {
  const { plainBytes, bytes: kept } = packed(bytes)
  const own = plainBytes === null ? Buffer.from(bytes) : kept
  return { feed, first, last, previous, hash, bytes: own, plainBytes: bytes.length }
}

/** What is written of runs of a feed, in their order; entries between them may be elsewhere. */
export const rowsOf = (space: SpaceId, runs: ReadonlyArray<PackedRun>): ReadonlyArray<Columns> => {
  const rows: Array<Array<PackedRun>> = []
  let bytes = Infinity
  for (const run of runs) {
    bytes += run.bytes.length
    const row = rows.at(-1)
    if (row?.at(-1)?.last === run.first - 1 && isSmall(run) && bytes <= sharedBytesMax) row.push(run)
    else {
      rows.push([run])
      bytes = isSmall(run) ? run.bytes.length : Infinity
    }
  }
  return rows.map((shared) => rowOf(space, shared))
}

/** Larger ones are deflated, each for itself. */
const isSmall = ({ first, last, plainBytes }: PackedRun): boolean =>
  plainBytes > 0 && plainBytes < deflatedBytesMin && last - first < 2 ** 32 - 1

const rowOf = (space: SpaceId, runs: ReadonlyArray<PackedRun>): Columns => {
  const [begin, final] = [runs[0]!, runs.at(-1)!]
  const bytes = runs.length === 1 ? begin.bytes : Buffer.concat(runs.map((run) => run.bytes))
  const plainBytes = runs.reduce((sum, run) => sum + run.plainBytes, 0)
  const ends = endsOf(runs)
  const { feed, first, previous } = begin
  const { hash, last } = final
  const deflatedOf = plainBytes === bytes.length ? null : plainBytes
  const digest = runDigest({ feed, first, last, hash }, previous, deflatedOf, bytes, ends)
  return [toBytes(space), toBytes(feed), first, last, toBytes(previous), toBytes(hash), plainBytes, bytes, ends, digest]
}

const endsOf = (runs: ReadonlyArray<PackedRun>): Uint8Array => {
  const ends = Buffer.alloc((runs.length - 1) * endBytes)
  for (let at = 0; at < ends.length; at += endBytes) {
    const { bytes, first, hash, last } = runs[at / endBytes]!
    ends.writeUInt32BE(last - first + 1, at)
    ends.writeUInt32BE(bytes.length, at + 4)
    ends.write(hash, at + 8, "hex")
  }
  return ends
}

/**
 * The runs of a row as read, from the one on that holds entry `seq`; if the hash before it is known, that is where the row
 * has to begin.
 */
export const runsFrom = (
  row: Row,
  feed: FeedId,
  seq: number,
  previous: EntryHash | undefined,
  journal: string
): ReadonlyArray<StoredRun> => {
  const where = `${journal}, table runs, feed ${feed}, entry ${seq}`
  const [first, last] = [integerOf(row, "first", where), integerOf(row, "last", where)]
  if (first > seq || last < seq || (previous !== undefined && first !== seq)) {
    throw new JournalCorrupt({ where, what: `the run of entries ${first} to ${last} is found instead` })
  }
  const before = entryHash(idOf(row, "previous", where))
  const expected = previous ?? (first === 0 ? entryHash(toBytes(feed)) : before)
  if (before !== expected) throw new JournalCorrupt({ where, what: "it does not follow the entry before it" })
  const hash = entryHash(idOf(row, "hash", where))
  const [bytes, ends] = [blobOf(row, "bytes", where), blobOf(row, "ends", where)]
  const plain = integerOf(row, "plain_bytes", where)
  const plainBytes = plain === bytes.length ? null : plain
  const digest = runDigest({ feed, first, last, hash }, before, plainBytes, bytes, ends)
  checkDigest(blobOf(row, "digest", where), digest, where)
  const whole = { feed, first, last, previous: before, hash, bytes: inflated(bytes, plainBytes, where) }
  return ends.length === 0 ? [whole] : apart(whole, ends, where).filter((run) => run.last >= seq)
}

/** Who may write a row may write its digest: that of a neighbour can hold anything. */
const inflated = (bytes: Uint8Array, plainBytes: number | null, where: string): Uint8Array => {
  try {
    const plain = unpacked(bytes, plainBytes)
    if (plainBytes === null || plain.length === plainBytes) return plain
  } catch {
    // what the inflater says of it helps nobody
  }
  throw new JournalCorrupt({ where, what: "its bytes can't be inflated" })
}

/** The runs that share a row. */
const apart = (whole: StoredRun, ends: Uint8Array, where: string): ReadonlyArray<StoredRun> => {
  const damaged = new JournalCorrupt({ where, what: "the runs that share its row do not fill it" })
  if (ends.length % endBytes !== 0) throw damaged
  const { bytes, feed } = whole
  const view = new DataView(ends.buffer, ends.byteOffset)
  const runs: Array<StoredRun> = []
  let { first, previous } = whole
  let from = 0
  for (let at = 0; at < ends.length; at += endBytes) {
    const last = first + view.getUint32(at) - 1
    const to = from + view.getUint32(at + 4)
    if (last < first || last >= whole.last || to > bytes.length) throw damaged
    const hash = entryHash(ends.slice(at + 8, at + endBytes))
    runs.push({ feed, first, last, previous, hash, bytes: bytes.slice(from, to) })
    ;[first, previous, from] = [last + 1, hash, to]
  }
  return [...runs, { ...whole, first, previous, bytes: bytes.slice(from) }]
}
