/**
 * The tables of a journal in PostgreSQL, and the views for people who look at them.
 *
 * Format 1: a schema of this shape. Every key begins with the space, so that tables can be distributed by it. Bytes are
 * stored as they are given: they are packed already. Views are no part of the format: nothing reads them but people, and each
 * opening makes those that are missing or of another shape. `feed_overview` has a row for each feed and `space_overview` one for
 * each space, ids in hexadecimal digits.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"

export const formatVersion = 1

/** The oldest version of the server on which the tests run. */
export const serverVersionMin = 15

const tables = [
  "CREATE TABLE spaces(space bytea PRIMARY KEY, number bigint NOT NULL, digest bytea NOT NULL)",
  `CREATE TABLE feeds(space bytea, feed bytea, number bigint NOT NULL, header bytea NOT NULL, entries bigint NOT NULL,
    hash bytea NOT NULL, digest bytea NOT NULL, PRIMARY KEY(space, feed)) WITH (fillfactor = 70)`,
  `CREATE TABLE runs(space bytea, feed bytea, first bigint, last bigint NOT NULL, previous bytea NOT NULL,
    hash bytea NOT NULL, plain_bytes bigint NOT NULL, bytes bytea NOT NULL, ends bytea NOT NULL, digest bytea NOT NULL,
    PRIMARY KEY(space, feed, first))`,
  "ALTER TABLE runs ALTER COLUMN bytes SET STORAGE EXTERNAL, ALTER COLUMN ends SET STORAGE EXTERNAL",
  `CREATE TABLE locals(space bytea, name bytea, bytes bytea NOT NULL, digest bytea NOT NULL, PRIMARY KEY(space, name))`,
  "ALTER TABLE locals ALTER COLUMN bytes SET STORAGE EXTERNAL",
  `CREATE TABLE results(space bytea, requester bytea, key bytea, payload bytea NOT NULL, result bytea NOT NULL,
    at_millis bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY(space, requester, key))`,
  "CREATE TABLE journal_format(version integer NOT NULL, spaces bigint NOT NULL, feeds bigint NOT NULL)",
  `INSERT INTO journal_format VALUES (${formatVersion}, 0, 0)`
]

/** Told by a comment on the last of them; views of another shape are made again. */
const viewsShape = "shape 2"

/**
 * A feed's header has its space, device and kind at fixed places (journal/Feed.ts); that of a branch has the header of its feed
 * behind 4 bytes, or 5 if that is long (journal/Branch.ts).
 */
const views = [
  "DROP VIEW IF EXISTS space_overview, feed_overview",
  `CREATE VIEW feed_overview AS
    SELECT encode(f.space, 'hex') AS space, encode(f.feed, 'hex') AS feed,
      encode(substring(h.header FROM 39 FOR 32), 'hex') AS device,
      CASE substring(h.header FROM 71 FOR 1) WHEN '\\x00' THEN 'authority' WHEN '\\x01' THEN 'data' END AS kind,
      substring(f.header FROM 2 FOR 1) = '\\x02' AS is_branch, f.entries, r.kept_from, r.runs, r.plain_bytes, r.stored_bytes
    FROM feeds f
    CROSS JOIN LATERAL (SELECT CASE
      WHEN substring(f.header FROM 2 FOR 1) <> '\\x02' THEN f.header
      WHEN substring(f.header FROM 3 FOR 1) = '\\x58' THEN substring(f.header FROM 5)
      ELSE substring(f.header FROM 6) END AS header) h
    CROSS JOIN LATERAL (SELECT coalesce(sum(length(ends) / 40 + 1) FILTER (WHERE plain_bytes > 0), 0)::bigint AS runs,
      coalesce(max(last + 1) FILTER (WHERE plain_bytes = 0), 0) AS kept_from, coalesce(sum(plain_bytes), 0)::bigint AS plain_bytes,
      coalesce(sum(length(bytes)), 0)::bigint AS stored_bytes
      FROM runs WHERE runs.space = f.space AND runs.feed = f.feed) r`,
  `CREATE VIEW space_overview AS
    SELECT encode(s.space, 'hex') AS space, count(f.feed) AS feeds, coalesce(sum(f.entries), 0)::bigint AS entries,
      coalesce(sum(f.plain_bytes), 0)::bigint AS plain_bytes, coalesce(sum(f.stored_bytes), 0)::bigint AS stored_bytes
    FROM spaces s LEFT JOIN feed_overview f ON f.space = encode(s.space, 'hex') GROUP BY s.space, s.number ORDER BY s.number`,
  `COMMENT ON VIEW space_overview IS '${viewsShape}'`
]

/** One transaction, so that a schema that is there is whole. */
export const createSchema = (connection: PgConnection, name: string): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const has = (statement: string) => Effect.map(connection.query(statement, [name]), ({ rows }) => rows.length > 0)
    const isThere = yield* has("SELECT 1 FROM pg_namespace WHERE nspname = $1")
    const isShown = yield* has(`SELECT 1 FROM pg_class WHERE oid = to_regclass(quote_ident($1) || '.space_overview')
      AND obj_description(oid, 'pg_class') = '${viewsShape}'`)
    const missing = [...(isThere ? [] : [`CREATE SCHEMA "${name}"`, ...tables]), ...(isShown ? [] : views)]
    if (missing.length === 0) return
    yield* connection.query("BEGIN")
    for (const statement of missing) yield* connection.query(statement)
    yield* connection.query("COMMIT")
  })
