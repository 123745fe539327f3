/**
 * The SQLite file behind `SqliteJournal`: its schema, how it is opened and closed, and what its failures mean.
 *
 * Format 1: `application_id` "Aura", `user_version` 1, pages of 2 048 bytes, no automatic vacuum, the tables of
 * `schema` created in this order (so that their root pages are fixed) and never altered. What any of these contradicts
 * is `JournalCorrupt`; a higher `user_version` is `JournalTooNew`; a file of somebody else is left as it was.
 *
 * What the rows mean says JournalRows.ts. It does no `PRAGMA optimize`: every lookup is by primary key, so the planner
 * has nothing to learn, and statistics would be one more thing that can be damaged. `secure_delete` is FAST (overwrite
 * where that costs no extra write): what was dropped may be read from the disk for a while, and what has to stay secret
 * from who takes the disk is sealed before it comes here.
 */
import { closeSync, openSync } from "node:fs"
import { DatabaseSync, type SQLOutputValue } from "node:sqlite"
import {
  JournalConflict,
  JournalCorrupt,
  JournalFull,
  JournalLocked,
  JournalTooNew,
  JournalUnavailable,
  type JournalStoreError
} from "../../effects/JournalStore.ts"
import { entriesPerFeedMax } from "./JournalRows.ts"

export interface Options {
  /** The file, in a directory that exists and is nobody else's. Created with mode 0600; its log lies beside it. */
  readonly path: string
  /** Room for the file without its log (which takes 4 MiB, more during one larger commit). No limit if absent. */
  readonly limitBytes?: number
}

export type Reason = JournalStoreError["reason"]

const formatVersion = 1
const applicationId = 0x41757261
/** Measured: small pages waste least on rows of 1 to 50 KB, and a commit of one entry writes two of them. */
const pageBytes = 2048
const logPages = (4 * 1024 * 1024) / pageBytes
/** A file with more in it keeps its free pages for later rows: rewriting it would take too long at closing. */
const vacuumPagesMax = (16 * 1024 * 1024) / pageBytes

/**
 * Numbers of spaces and feeds count up in the order of their first commit. The order of `schema` is part of the
 * format. `STRICT`, no names or keys as text: SQLite never converts or collates anything.
 */
const schema: Readonly<Record<string, string>> = {
  spaces: "CREATE TABLE spaces(space BLOB PRIMARY KEY, number INTEGER, digest BLOB) WITHOUT ROWID, STRICT",
  feeds:
    "CREATE TABLE feeds(space INTEGER, feed BLOB, number INTEGER, header BLOB, entries INTEGER, hash BLOB, digest BLOB, PRIMARY KEY(space, feed)) WITHOUT ROWID, STRICT",
  // With a rowid, because SQLite packs large rows well only there.
  runs: "CREATE TABLE runs(place INTEGER PRIMARY KEY, last INTEGER, hash BLOB, plainBytes INTEGER, bytes BLOB, digest BLOB) STRICT",
  locals:
    "CREATE TABLE locals(space INTEGER, name BLOB, bytes BLOB, digest BLOB, PRIMARY KEY(space, name)) WITHOUT ROWID, STRICT",
  results:
    "CREATE TABLE results(space INTEGER, requester BLOB, key BLOB, payload BLOB, result BLOB, atMillis INTEGER, digest BLOB, PRIMARY KEY(space, requester, key)) WITHOUT ROWID, STRICT"
}

/**
 * For people who look into the file; nothing else reads them, and they are no part of the format: each opening makes
 * those that are missing or not these. A feed's header has device and kind at fixed places (journal/Feed.ts); that of a branch
 * has the header of its feed behind 4 bytes, or 5 if that is long (journal/Branch.ts).
 */
const views: Readonly<Record<string, string>> = {
  feed_overview: `CREATE VIEW feed_overview AS
    SELECT lower(hex(s.space)) AS space, lower(hex(f.feed)) AS feed, lower(hex(substr(f.plain, 39, 32))) AS device,
      CASE hex(substr(f.plain, 71, 1)) WHEN '00' THEN 'authority' WHEN '01' THEN 'data' END AS kind,
      hex(substr(f.header, 2, 1)) = '02' AS is_branch, f.entries AS entries, count(nullif(length(r.bytes), 0)) AS runs,
      coalesce(max(CASE WHEN length(r.bytes) = 0 THEN r.last + 1 END), 0) AS kept_from,
      coalesce(sum(coalesce(r.plainBytes, length(r.bytes))), 0) AS plain_bytes,
      coalesce(sum(length(r.bytes)), 0) AS stored_bytes
    FROM (SELECT *, CASE WHEN hex(substr(header, 2, 1)) <> '02' THEN header
      WHEN hex(substr(header, 3, 1)) = '58' THEN substr(header, 5) ELSE substr(header, 6) END AS plain FROM feeds) f
    JOIN spaces s ON s.number = f.space
    LEFT JOIN runs r ON r.place BETWEEN f.number * ${entriesPerFeedMax} AND (f.number + 1) * ${entriesPerFeedMax} - 1
    GROUP BY f.number`,
  space_overview: `CREATE VIEW space_overview AS
    SELECT lower(hex(s.space)) AS space, count(f.feed) AS feeds, coalesce(sum(f.entries), 0) AS entries,
      coalesce(sum(f.plain_bytes), 0) AS plain_bytes, coalesce(sum(f.stored_bytes), 0) AS stored_bytes
    FROM spaces s LEFT JOIN feed_overview f ON f.space = lower(hex(s.space)) GROUP BY s.number`
}

/** Tables whose rows may be absent: a row lost here would go unnoticed, so their structure is checked at opening. */
const checkedTables = ["spaces", "feeds", "locals", "results"]

/** Opens or creates the file and takes its lock. Throws a `Reason`, or what `reasonOf` understands. */
export const openFile = ({ path, limitBytes }: Options): DatabaseSync => {
  createPrivately(path)
  const database = new DatabaseSync(path)
  try {
    // Before anything else: the lock is then held from the first read on, and the log needs no shared memory.
    database.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON")
    const isNew = isEmpty(database)
    if (!isNew) checkFormat(database, path)
    database.exec(`PRAGMA page_size=${pageBytes}`)
    if (pragma(database, "journal_mode=WAL") !== "wal") {
      throw new JournalUnavailable({ what: `the file system of ${path} can't hold a write-ahead log` })
    }
    // The two of fullfsync make a sync a sync on macOS; elsewhere they do nothing.
    database.exec(`
      PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON; PRAGMA secure_delete=FAST;
      PRAGMA wal_autocheckpoint=${logPages}; PRAGMA journal_size_limit=${logPages * pageBytes}`)
    if (limitBytes !== undefined) database.exec(`PRAGMA max_page_count=${Math.floor(limitBytes / pageBytes)}`)
    if (isNew) createSchema(database)
    checkSchema(database, path)
    showViews(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Moves the log into the file, gives much free room back to the system and lets go of the lock. Loses nothing. */
export const closeFile = (database: DatabaseSync): void => {
  try {
    const pages = Number(pragma(database, "page_count"))
    const freePages = Number(pragma(database, "freelist_count"))
    if (freePages > pages / 8 && pages - freePages <= vacuumPagesMax) database.exec("VACUUM")
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch {
    // Only tidying: what could not be moved stays in the log, and the next opening finds it there.
  } finally {
    database.close()
  }
}

/** What a thrown error means for the journal; undefined when it is a mistake of ours. */
export const reasonOf = (error: unknown, where: string): Reason | undefined => {
  if (isReason(error)) return error
  if (!(error instanceof Error) || !("code" in error)) return undefined
  if (error.code === "ERR_INVALID_STATE") return new JournalUnavailable({ what: "the store was closed" })
  // A stored number that no JavaScript number can hold.
  if (error.code === "ERR_OUT_OF_RANGE") return new JournalCorrupt({ where, what: error.message })
  if (typeof error.code === "string" && "syscall" in error) return new JournalUnavailable({ what: error.message })
  if (error.code !== "ERR_SQLITE_ERROR" || !("errcode" in error)) return undefined
  const { message } = error
  switch (Number(error.errcode) & 0xff) {
    case sqlite.full:
      return new JournalFull({ what: message })
    case sqlite.busy:
    case sqlite.locked:
      return new JournalLocked({ where })
    case sqlite.corrupt:
    case sqlite.notADatabase:
    // The schema and all statements are fixed, so these can only come from what is stored.
    case sqlite.error:
    case sqlite.constraint:
    case sqlite.mismatch:
    case sqlite.tooBig:
      return new JournalCorrupt({ where, what: message })
    default:
      return new JournalUnavailable({ what: `${where}: ${message}` })
  }
}

/** After a failed sync the system may have dropped what it could not write: nobody knows what a next one means. */
export const isInputOutputError = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === sqlite.inputOutput

/** Primary result codes of SQLite; the upper bytes of an `errcode` only refine them. */
const sqlite = {
  error: 1,
  busy: 5,
  locked: 6,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26
}

const isReason = (error: unknown): error is Reason =>
  error instanceof JournalCorrupt ||
  error instanceof JournalFull ||
  error instanceof JournalLocked ||
  error instanceof JournalTooNew ||
  error instanceof JournalUnavailable ||
  error instanceof JournalConflict

/** An existing file is not touched: opening and closing it here would drop the lock of a store in this process. */
const createPrivately = (path: string): void => {
  try {
    closeSync(openSync(path, "wx", 0o600))
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
  }
}

const pragma = (database: DatabaseSync, name: string): SQLOutputValue | undefined =>
  Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]

/** True for a file of no bytes, and for one whose creation was cut off before its first transaction. */
const isEmpty = (database: DatabaseSync): boolean =>
  pragma(database, "application_id") === 0 &&
  pragma(database, "user_version") === 0 &&
  Number(pragma(database, "page_count")) <= 1 &&
  database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined

const checkFormat = (database: DatabaseSync, where: string): void => {
  if (pragma(database, "application_id") !== applicationId) {
    throw new JournalCorrupt({ where, what: "the file is no journal of Aura" })
  }
  const version = Number(pragma(database, "user_version"))
  if (version > formatVersion) throw new JournalTooNew({ where, found: version, known: formatVersion })
  for (const [name, expected] of [
    ["user_version", formatVersion],
    ["page_size", pageBytes],
    ["auto_vacuum", 0],
    ["encoding", "UTF-8"]
  ] as const) {
    const found = pragma(database, name)
    if (found !== expected) throw new JournalCorrupt({ where, what: `its ${name} is ${found} instead of ${expected}` })
  }
}

const createSchema = (database: DatabaseSync): void =>
  database.exec(`
    BEGIN;
    ${Object.values(schema).join(";\n")};
    PRAGMA application_id=${applicationId};
    PRAGMA user_version=${formatVersion};
    COMMIT`)

/** On a full disk they wait for another opening. */
const showViews = (database: DatabaseSync): void => {
  const found = new Map(
    database
      .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'view'")
      .all()
      .map(({ name, sql }) => [name, sql])
  )
  const stale = Object.entries(views).filter(([name, sql]) => found.get(name) !== sql)
  if (stale.length === 0) return
  try {
    const anew = stale.map(([name, sql]) => `DROP VIEW IF EXISTS ${name}; ${sql}`)
    database.exec(`BEGIN; ${anew.join(";")}; COMMIT`)
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK")
    if (reasonOf(error, "")?._tag !== "JournalFull") throw error
  }
}

const checkSchema = (database: DatabaseSync, where: string): void => {
  // A damaged schema would otherwise make another table, or a part of one, pass for the whole.
  const found = database.prepare("SELECT sql, rootpage FROM sqlite_schema WHERE type <> 'view' ORDER BY rowid").all()
  const expected = Object.values(schema).map((sql, index) => ({ sql, rootpage: index + 2 }))
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new JournalCorrupt({ where, what: "its schema is not that of a journal" })
  }
  for (const table of checkedTables) {
    const answer = pragma(database, `quick_check('${table}')`)
    if (answer !== "ok") throw new JournalCorrupt({ where: `${where}, table ${table}`, what: String(answer) })
  }
}
