/**
 * The rows of a journal in PostgreSQL: the statements that read and write them, and what each column has to be.
 *
 * Rows carry the digests of JournalRows.ts, bytes are packed as there, and numbers of spaces and feeds count up in the order
 * of their first commit; `journal_format` has how many there are. Unlike there a run's row holds the hash before it, and
 * every key begins with the space. What a row of `runs` holds says PostgresRuns.ts. Many rows are written by one statement,
 * from one array for each column.
 *
 * Nothing in here decides anything: which rows may be written is `PostgresDraft`'s business.
 */
import type { PgConnection, Row as DatabaseRow } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { Row } from "./JournalRows.ts"
import { answered } from "./PostgresSession.ts"

/** Feeds, each with what stands for the entries that were dropped of it. */
const feedsShown = `SELECT f.feed, f.number, f.header, f.entries, f.hash, f.digest,
  d.last AS dropped_last, d.hash AS dropped_hash, d.bytes AS dropped_bytes, d.digest AS dropped_digest
  FROM feeds f LEFT JOIN runs d ON d.space = f.space AND d.feed = f.feed AND d.first = 0 AND d.plain_bytes = 0`

export const sql = {
  spaces: "SELECT space, number, digest FROM spaces ORDER BY number",
  feeds: `${feedsShown} WHERE f.space = $1 ORDER BY number`,
  feed: "SELECT feed, number, header, entries, hash, digest FROM feeds WHERE space = $1 AND feed = $2",
  feedsOf: `${feedsShown} WHERE f.space = $1 AND f.feed = ANY($2::bytea[]) ORDER BY number`,
  counts: "SELECT spaces, feeds FROM journal_format",
  /** Every feed, with the end of its last run. */
  ends: `SELECT f.space, f.feed, f.number, f.header, f.entries, f.hash, f.digest, r.last, r.hash AS last_hash FROM feeds f
    LEFT JOIN LATERAL (SELECT last, hash FROM runs WHERE space = f.space AND feed = f.feed ORDER BY first DESC LIMIT 1) r
    ON true ORDER BY f.number`,
  /** From the run that holds entry $3 on, until $4 bytes are there; a page at most. */
  runs: `SELECT first, last, previous, hash, plain_bytes, bytes, ends, digest FROM (
      SELECT *, sum(plain_bytes) OVER (ORDER BY first) - plain_bytes AS before FROM (
        SELECT * FROM runs WHERE space = $1 AND feed = $2 AND first >= coalesce(
          (SELECT max(first) FROM runs WHERE space = $1 AND feed = $2 AND first <= $3), 0)
        ORDER BY first LIMIT 256) page) sized
    WHERE before < $4 ORDER BY first`,
  /** Rows that hold any of entries $3 to $4. */
  runsWithin: `SELECT * FROM runs WHERE space = $1 AND feed = $2 AND first <= $4 AND first >= coalesce(
      (SELECT max(first) FROM runs WHERE space = $1 AND feed = $2 AND first <= $3), 0)
    ORDER BY first`,
  /** The row that holds entry $3, or the last one before it, for each. */
  runsHolding: `SELECT s.at, r.*
    FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS s(space, feed, at)
    CROSS JOIN LATERAL (SELECT * FROM runs
      WHERE space = s.space AND feed = s.feed AND first <= s.at ORDER BY first DESC LIMIT 1) r`,
  dropRuns: `DELETE FROM runs USING unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS d(space, feed, before)
    WHERE runs.space = d.space AND runs.feed = d.feed AND runs.first < d.before`,
  removeRuns: "DELETE FROM runs WHERE space = $1 AND feed = $2 AND first BETWEEN $3 AND $4",
  local: "SELECT name, bytes, digest FROM locals WHERE space = $1 AND name = $2",
  result: `SELECT requester, key, payload, result, at_millis AS "atMillis", digest FROM results
    WHERE space = $1 AND requester = $2 AND key = $3`,
  spacesNamed: "SELECT space, number, digest FROM spaces WHERE space = ANY($1::bytea[])",
  /** Locked until the transaction ends, in one order for everybody. */
  feedsNamed: `SELECT space, feed, number, header, entries, hash, digest FROM feeds
    WHERE (space, feed) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[])) ORDER BY space, feed FOR UPDATE`,
  resultsNamed: `SELECT space, requester, key, payload, result, at_millis AS "atMillis", digest FROM results
    WHERE (space, requester, key) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]))`,
  addSpaces: "INSERT INTO spaces SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[])",
  addFeeds: `INSERT INTO feeds SELECT * FROM
    unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[])`,
  moveFeeds: `UPDATE feeds SET entries = moved.entries, hash = moved.hash, digest = moved.digest FROM
    unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bytea[]) AS moved(space, feed, entries, hash, digest)
    WHERE feeds.space = moved.space AND feeds.feed = moved.feed`,
  /** Divides by zero, which undoes it, unless each of these $17 feeds is as it was known. */
  continueFeeds: `WITH kept AS (INSERT INTO runs SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[],
      $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[])),
    moved AS (UPDATE feeds SET entries = new.entries, hash = new.hash, digest = new.digest FROM
      unnest($11::bytea[], $12::bytea[], $13::bigint[], $14::bytea[], $15::bytea[], $16::bytea[])
        AS new(space, feed, entries, hash, digest, before)
      WHERE feeds.space = new.space AND feeds.feed = new.feed AND feeds.digest = new.before RETURNING 1)
    SELECT 1 / (count(*) = $17::bigint)::int AS done FROM moved`,
  addRuns: `INSERT INTO runs SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[],
    $6::bytea[], $7::bigint[], $8::bytea[], $9::bytea[], $10::bytea[])`,
  putLocals: `INSERT INTO locals SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[])
    ON CONFLICT (space, name) DO UPDATE SET bytes = excluded.bytes, digest = excluded.digest`,
  removeLocals: "DELETE FROM locals WHERE (space, name) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[]))",
  putResults: `INSERT INTO results SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[],
      $6::bigint[], $7::bytea[])
    ON CONFLICT (space, requester, key) DO UPDATE SET payload = excluded.payload, result = excluded.result,
      at_millis = excluded.at_millis, digest = excluded.digest`,
  removeResults: "DELETE FROM results WHERE at_millis < $1",
  setCounts: "UPDATE journal_format SET spaces = $1, feeds = $2"
} as const

type Cell = Uint8Array | number
/** A row as it is written. */
export type Columns = ReadonlyArray<Cell>
export type Parameter = Cell | ReadonlyArray<Cell>

/** Asks for rows; their buffers are the caller's. */
export const ask = (
  connection: PgConnection,
  statement: string,
  ...parameters: ReadonlyArray<Parameter>
): Effect.Effect<ReadonlyArray<Row>, SqlError> =>
  Effect.map(
    answered(
      connection.query(
        statement,
        parameters.map((parameter) =>
          typeof parameter === "number" || parameter instanceof Uint8Array ? cell(parameter) : parameter.map(cell)
        )
      )
    ),
    ({ rows }) => rows.map(rowFrom)
  )

/** The columns of rows that are written as arrays, one for each. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<Cell>>): ReadonlyArray<ReadonlyArray<Cell>> =>
  (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? 0))

const cell = (value: Cell) => (typeof value === "number" ? BigInt(value) : value)

/** As JournalRows.ts has them: numbers where they fit, and bytes that share no memory with the driver's. */
const rowFrom = (row: DatabaseRow): Row =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (value instanceof Uint8Array) return [column, new Uint8Array(value)]
      if (typeof value === "bigint") return [column, BigInt.asIntN(53, value) === value ? Number(value) : value]
      return [column, typeof value === "number" || typeof value === "string" ? value : null]
    })
  )
