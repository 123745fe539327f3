/**
 * A journal store in one SQLite file (JournalFile.ts): the embedded default of servers, desktops and the CLI.
 *
 * Durable when acknowledged: write-ahead log with `synchronous=FULL`, one sync of the log per commit. One process owns
 * the file: an exclusive lock of the operating system, which kill -9 frees. POSIX drops such locks when *any* handle
 * of the file closes, so nothing in this process may open the file by other means while a store is open.
 *
 * A run is one row at the place (number of its feed × 2^32) + first seq, so a feed lies together and in order. Its
 * bytes are deflated (raw, level 1) where that helps: `plainBytes` is their length before, and the inflater stops
 * there; null means stored as they are. The hash before a run is the one stored with the run before it. In digests ids
 * stand in place of the numbers of spaces and feeds.
 *
 * What is read is checked: digests, that runs follow each other without a gap, that a feed ends where its row says.
 * The small tables are read whole at opening, because a row lost there would pass for absence. So a flipped byte is
 * `JournalCorrupt` at the latest when it is read, never other data. One exception no file can rule out: a damaged
 * write-ahead log looks like one that a crash cut off, and takes the commits since the last checkpoint with it.
 *
 * Calls are plain prepared statements of `node:sqlite`: synchronous, some microseconds each, where Effect's SQL client
 * would add 14 µs; only a commit waits for the disk. It repairs nothing and judges nothing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { DatabaseSync } from "node:sqlite"
import { deflateRawSync, inflateRawSync } from "node:zlib"
import {
  JournalConflict,
  JournalCorrupt,
  JournalFull,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "../../effects/JournalStore.ts"
import {
  deviceId,
  entryHash,
  feedId,
  short,
  spaceId,
  toBytes,
  type DeviceId,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../../identity/Id.ts"
import {
  blobOf,
  checkDigest,
  closeFile,
  digestOf,
  idOf,
  integerOf,
  isInputOutputError,
  openFile,
  reasonOf,
  type Options,
  type Row
} from "./JournalFile.ts"

export type { Options } from "./JournalFile.ts"

/** Results are kept this long at least, and so long nothing else may use their key. */
const resultsKeptMillis = 24 * 60 * 60 * 1000
/** Old results are deleted at opening, and with a commit that brings a new one when this has passed since. */
const sweepEveryMillis = 60 * 60 * 1000
/** Bounds of the place of a run: what fits 53 bits as (feed × 2^32) + seq. */
const entriesPerFeedMax = 2 ** 32
const feedsMax = 2 ** 21

export const layer = (options: Options): Layer.Layer<JournalStore, JournalStoreError> =>
  Layer.effect(JournalStore, make(options))

/** Opens the file until the scope closes. What the scope's end can't tidy up (a full disk) costs nothing. */
export const make = (options: Options): Effect.Effect<JournalStore["Service"], JournalStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const where = options.path
    const database = yield* Effect.acquireRelease(
      attempt(where, () => openFile(options)),
      (database) => Effect.sync(() => closeFile(database))
    )
    const openedAtMillis = yield* Clock.currentTimeMillis
    const journal = yield* attempt(where, () => openJournal(database, where, openedAtMillis))

    const look = <A>(work: () => A): Effect.Effect<A, JournalStoreError> => attempt(where, work)
    const change = (work: () => void): Effect.Effect<void, JournalStoreError> =>
      attempt(where, () => transact(journal, work))

    return JournalStore.of({
      persistenceGuaranteed: true,
      spaces: look(() => allSpaces(journal)),
      feeds: (space) =>
        look(() => feedsOf(journal, space).map(({ feed, header, entries, hash }) => ({ feed, header, entries, hash }))),
      commit: (commit) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => change(() => keep(journal, commit, nowMillis))),
      read: (space, feed, from, bytesMax) => look(() => runsFrom(journal, space, feed, from, bytesMax)),
      repack: (space, run) => change(() => replaceRuns(journal, space, run)),
      local: (space, name) => look(() => localOf(journal, space, name)),
      result: (space, requester, key) => look(() => resultOf(journal, space, requester, key))
    })
  })

interface Journal {
  readonly database: DatabaseSync
  readonly where: string
  readonly sql: ReturnType<typeof prepare>
  /** Highest number ever given to a feed. */
  feedNumber: number
  sweptAtMillis: number
  /** Why nothing is written any more, after the system failed to read or write. */
  broken: string | undefined
}

/** A row of `feeds`; runs are found by its number. */
interface FeedRow extends StoredFeed {
  readonly number: number
}

const prepare = (database: DatabaseSync) => {
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

/** Runs synchronous work on the file; what SQLite throws becomes a typed error, what is our mistake a defect. */
const attempt = <A>(where: string, work: () => A): Effect.Effect<A, JournalStoreError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      const reason = reasonOf(error, where)
      return reason === undefined ? Effect.die(error) : Effect.fail(new JournalStoreError({ reason }))
    }
  })

/** All of the work or none of it; synchronous, so no other work comes in between. */
const transact = (journal: Journal, work: () => void): void => {
  const { database, sql } = journal
  if (journal.broken !== undefined) throw new JournalUnavailable({ what: journal.broken })
  try {
    sql.begin.run()
    work()
    sql.commit.run()
  } catch (error) {
    if (isInputOutputError(error)) {
      // After a failed sync the system may have dropped what it could not write, and a next sync would lie about it.
      journal.broken = `${journal.where} could not be written (${String(error)}): open it again to see what it holds`
    }
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK")
    throw error
  }
}

/** Reads every row of the small tables, and for every feed whether its runs end where it says. */
const openJournal = (database: DatabaseSync, where: string, nowMillis: number): Journal => {
  const sql = prepare(database)
  const total: Row = sql.rows.get() ?? {}
  const feedNumber = total["feedNumber"] === null ? 0 : integerOf(total, "feedNumber", where)
  const journal: Journal = { database, where, sql, feedNumber, sweptAtMillis: nowMillis, broken: undefined }

  let rows = 0
  for (const space of allSpaces(journal)) {
    const number = spaceNumber(journal, space)
    const feeds = feedsOf(journal, space)
    const locals = sql.locals.all(number).map((row) => localFrom(row, space, where))
    const results = sql.results.all(number).map((row) => resultFrom(row, space, where))
    for (const feed of feeds) checkEnd(journal, feed)
    rows += 1 + feeds.length + locals.length + results.length
  }
  if (rows !== total["count"])
    throw new JournalCorrupt({ where, what: `${String(total["count"])} rows, ${rows} readable` })
  const beforeMillis = nowMillis - resultsKeptMillis
  if (sql.oldResults.get(beforeMillis) !== undefined) transact(journal, () => sql.removeResults.run(beforeMillis))
  return journal
}

const checkEnd = ({ sql, where }: Journal, { feed, number, entries, hash }: FeedRow): void => {
  const at = `${where}, feed ${feed}`
  const row: Row | undefined = sql.runEnd.get(placeOf(number, 0), placeOf(number, entriesPerFeedMax - 1))
  const next = row === undefined ? 0 : integerOf(row, "last", at) + 1
  if (next !== entries)
    throw new JournalCorrupt({ where: at, what: `it has ${entries} entries, its runs end at ${next}` })
  if (row !== undefined && entryHash(idOf(row, "hash", at)) !== hash) {
    throw new JournalCorrupt({ where: `${at}, entry ${entries - 1}`, what: "its hash is not that of the feed" })
  }
}

const allSpaces = ({ sql, where }: Journal): ReadonlyArray<SpaceId> =>
  sql.spaces.all().map((row) => spaceId(spaceFrom(row, where).space))

const spaceNumber = ({ sql, where }: Journal, space: SpaceId): number | undefined => {
  const row = sql.space.get(toBytes(space))
  return row && spaceFrom(row, where).number
}

const spaceFrom = (row: Row, where: string): { readonly space: Uint8Array; readonly number: number } => {
  const at = `${where}, table spaces`
  const [space, number] = [idOf(row, "space", at), integerOf(row, "number", at)]
  checkDigest(blobOf(row, "digest", at), digestOf("spaces", [number], space), at)
  return { space, number }
}

const feedsOf = (journal: Journal, space: SpaceId): ReadonlyArray<FeedRow> => {
  const number = spaceNumber(journal, space)
  return number === undefined ? [] : journal.sql.feeds.all(number).map((row) => feedFrom(row, space, journal.where))
}

const feedOf = (journal: Journal, space: SpaceId, feed: FeedId): FeedRow | undefined => {
  const number = spaceNumber(journal, space)
  const row = number === undefined ? undefined : journal.sql.feed.get(number, toBytes(feed))
  return row && feedFrom(row, space, journal.where)
}

const feedFrom = (row: Row, space: SpaceId, where: string): FeedRow => {
  const feed = feedId(idOf(row, "feed", `${where}, table feeds`))
  const at = `${where}, feed ${feed}`
  const stored: FeedRow = {
    feed,
    header: blobOf(row, "header", at),
    entries: integerOf(row, "entries", at),
    hash: entryHash(idOf(row, "hash", at)),
    number: integerOf(row, "number", at)
  }
  checkDigest(blobOf(row, "digest", at), feedDigest(space, stored), at)
  return stored
}

const feedDigest = (space: SpaceId, { feed, number, header, entries, hash }: FeedRow): Uint8Array =>
  digestOf("feeds", [number, entries], toBytes(space), toBytes(feed), header, toBytes(hash))

const placeOf = (feedNumber: number, seq: number): number => feedNumber * entriesPerFeedMax + seq

const keep = (journal: Journal, commit: Commit, nowMillis: number): void => {
  const { sql } = journal
  const { space } = commit
  const number = spaceNumber(journal, space) ?? addSpace(journal, space)
  for (const { feed, header } of commit.feeds ?? []) addFeed(journal, space, number, feed, header)
  for (const run of commit.runs ?? []) appendRun(journal, space, number, run)
  for (const { name, bytes } of commit.locals ?? []) {
    const nameBytes = utf8(name)
    if (bytes === null) sql.removeLocal.run(number, nameBytes)
    else sql.putLocal.run(number, nameBytes, bytes, digestOf("locals", [], toBytes(space), nameBytes, bytes))
  }
  if (commit.results === undefined || commit.results.length === 0) return
  putResults(journal, commit, number, commit.results)
  if (nowMillis - journal.sweptAtMillis < sweepEveryMillis) return
  sql.removeResults.run(nowMillis - resultsKeptMillis)
  journal.sweptAtMillis = nowMillis
}

const addSpace = (journal: Journal, space: SpaceId): number => {
  const number = allSpaces(journal).length + 1
  journal.sql.addSpace.run(toBytes(space), number, digestOf("spaces", [number], toBytes(space)))
  return number
}

const addFeed = (journal: Journal, space: SpaceId, inSpace: number, feed: FeedId, header: Uint8Array): void => {
  if (feedOf(journal, space, feed) !== undefined) return
  const number = journal.feedNumber + 1
  if (number >= feedsMax) throw new JournalFull({ what: `a journal has room for ${feedsMax} feeds` })
  const row: FeedRow = { feed, number, header, entries: 0, hash: entryHash(toBytes(feed)) }
  journal.sql.addFeed.run(inSpace, toBytes(feed), number, header, 0, toBytes(feed), feedDigest(space, row))
  // Stays where it is when the transaction is rolled back: numbers need not be without gaps.
  journal.feedNumber = number
}

const appendRun = (journal: Journal, space: SpaceId, inSpace: number, run: StoredRun): void => {
  const { feed, first, last, previous, hash } = run
  const stored = feedOf(journal, space, feed)
  if (stored === undefined) throw new JournalConflict({ feed, what: "the feed is unknown" })
  if (first !== stored.entries || last < first) {
    throw new JournalConflict({ feed, what: `entries ${first} to ${last} given, ${stored.entries} is next` })
  }
  if (previous !== stored.hash) throw new JournalConflict({ feed, what: `the hash before entry ${first} differs` })
  if (last >= entriesPerFeedMax) throw new JournalFull({ what: `a feed has room for ${entriesPerFeedMax} entries` })
  insertRun(journal, stored.number, run)
  const digest = feedDigest(space, { ...stored, entries: last + 1, hash })
  journal.sql.moveFeed.run(last + 1, toBytes(hash), digest, inSpace, toBytes(feed))
}

const insertRun = ({ sql }: Journal, feedNumber: number, run: StoredRun): void => {
  const packed = deflateRawSync(run.bytes, { level: 1 })
  const [plainBytes, bytes] = packed.length < run.bytes.length ? [run.bytes.length, packed] : [null, run.bytes]
  const digest = runDigest(run, run.previous, plainBytes, bytes)
  sql.addRun.run(placeOf(feedNumber, run.first), run.last, toBytes(run.hash), plainBytes, bytes, digest)
}

const runDigest = (
  { feed, first, last, hash }: Pick<StoredRun, "feed" | "first" | "last" | "hash">,
  previous: EntryHash,
  plainBytes: number | null,
  bytes: Uint8Array
): Uint8Array => digestOf("runs", [first, last, plainBytes], toBytes(feed), toBytes(previous), toBytes(hash), bytes)

const runsFrom = (
  journal: Journal,
  space: SpaceId,
  feed: FeedId,
  from: number,
  bytesMax: number
): ReadonlyArray<StoredRun> => {
  const stored = feedOf(journal, space, feed)
  const runs: Array<StoredRun> = []
  let bytes = 0
  let next = from
  while (stored !== undefined && next < stored.entries && (runs.length === 0 || bytes < bytesMax)) {
    const run = runHolding(journal, stored, next, runs.at(-1)?.hash)
    runs.push(run)
    bytes += run.bytes.length
    next = run.last + 1
  }
  return runs
}

/** The run that holds entry `seq`, which has to begin there when the hash before it is given. */
const runHolding = (journal: Journal, stored: FeedRow, seq: number, previous: EntryHash | undefined): StoredRun => {
  const { feed, number } = stored
  const where = `${journal.where}, feed ${feed}, entry ${seq}`
  const row: Row | undefined = journal.sql.run.get(placeOf(number, 0), placeOf(number, seq))
  if (row === undefined) throw new JournalCorrupt({ where, what: "no run holds it" })
  const [first, last] = [integerOf(row, "first", where), integerOf(row, "last", where)]
  if (last < seq || (previous !== undefined && first !== seq)) {
    throw new JournalCorrupt({ where, what: `the run of entries ${first} to ${last} is found instead` })
  }
  const hash = entryHash(idOf(row, "hash", where))
  const before = previous ?? hashBefore(journal, stored, first)
  const plainBytes = row["plainBytes"] === null ? null : integerOf(row, "plainBytes", where)
  const bytes = blobOf(row, "bytes", where)
  checkDigest(blobOf(row, "digest", where), runDigest({ feed, first, last, hash }, before, plainBytes, bytes), where)
  return { feed, first, last, previous: before, hash, bytes: plainBytes === null ? bytes : inflate(bytes, plainBytes) }
}

/** Not checked by itself: the digest of the run that follows binds it. */
const hashBefore = (journal: Journal, { feed, number }: FeedRow, first: number): EntryHash => {
  if (first === 0) return entryHash(toBytes(feed))
  const where = `${journal.where}, feed ${feed}, entry ${first - 1}`
  const row: Row | undefined = journal.sql.runEnd.get(placeOf(number, 0), placeOf(number, first - 1))
  if (row === undefined || row["last"] !== first - 1) throw new JournalCorrupt({ where, what: "no run ends with it" })
  return entryHash(idOf(row, "hash", where))
}

/** The bytes passed their digest, so they are what `insertRun` made: neither limit nor length can be missed. */
const inflate = (bytes: Uint8Array, plainBytes: number): Uint8Array => {
  const plain = inflateRawSync(bytes, { maxOutputLength: plainBytes })
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.length)
}

const replaceRuns = (journal: Journal, space: SpaceId, run: StoredRun): void => {
  const { feed, first, last, previous, hash } = run
  const refused = (what: string) => new JournalConflict({ feed, what })
  const stored = feedOf(journal, space, feed)
  if (stored === undefined || last < first) throw refused(`no stored runs hold exactly entries ${first} to ${last}`)
  const [from, to] = [placeOf(stored.number, first), placeOf(stored.number, last)]
  const begin: Row | undefined = journal.sql.runEnd.get(from, from)
  const end: Row | undefined = journal.sql.runEnd.get(from, to)
  if (begin === undefined || end?.["last"] !== last) {
    throw refused(`no stored runs hold exactly entries ${first} to ${last}`)
  }
  if (hashBefore(journal, stored, first) !== previous) throw refused(`the hash before entry ${first} differs`)
  const storedHash = entryHash(idOf(end, "hash", `${journal.where}, feed ${feed}, entry ${last}`))
  if (storedHash !== hash) throw refused(`the hash of entry ${last} differs`)
  journal.sql.removeRuns.run(from, to)
  insertRun(journal, stored.number, run)
}

const localOf = (journal: Journal, space: SpaceId, name: string): Option.Option<Uint8Array> => {
  const number = spaceNumber(journal, space)
  const row = number === undefined ? undefined : journal.sql.local.get(number, utf8(name))
  return Option.map(Option.fromUndefinedOr(row), (row) => localFrom(row, space, journal.where))
}

const localFrom = (row: Row, space: SpaceId, where: string): Uint8Array => {
  const name = blobOf(row, "name", `${where}, table locals`)
  const at = `${where}, row "${Buffer.from(name).toString()}" of space ${space}`
  const bytes = blobOf(row, "bytes", at)
  checkDigest(blobOf(row, "digest", at), digestOf("locals", [], toBytes(space), name, bytes), at)
  return bytes
}

/** A key has one result, also within a commit. A conflict has to name a feed: the commit's own, else the requester. */
const putResults = (
  journal: Journal,
  { space, runs }: Commit,
  inSpace: number,
  results: ReadonlyArray<StoredResult>
) => {
  const used = new Set<string>()
  for (const result of results) {
    const { requester, key, payload, atMillis } = result
    const stored = resultOf(journal, space, requester, key)
    const isUsed = Option.isSome(stored) && atMillis - stored.value.atMillis < resultsKeptMillis
    if (isUsed || used.has(requester + key)) {
      const feed = runs?.[0]?.feed ?? feedId(toBytes(requester))
      throw new JournalConflict({ feed, what: `requester ${short(requester)} already used the key "${key}"` })
    }
    used.add(requester + key)
    const digest = resultDigest(space, result)
    journal.sql.putResult.run(inSpace, toBytes(requester), utf8(key), payload, result.result, atMillis, digest)
  }
}

const resultDigest = (space: SpaceId, { requester, key, payload, result, atMillis }: StoredResult): Uint8Array =>
  digestOf("results", [atMillis], toBytes(space), toBytes(requester), utf8(key), payload, result)

const resultOf = (journal: Journal, space: SpaceId, requester: DeviceId, key: string): Option.Option<StoredResult> => {
  const number = spaceNumber(journal, space)
  const row = number === undefined ? undefined : journal.sql.result.get(number, toBytes(requester), utf8(key))
  return Option.map(Option.fromUndefinedOr(row), (row) => resultFrom(row, space, journal.where))
}

const resultFrom = (row: Row, space: SpaceId, where: string): StoredResult => {
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

/** Text with half a surrogate pair has no UTF-8 of its own and would pass for other text: a defect of the caller. */
const utf8 = (text: string): Uint8Array => {
  if (!text.isWellFormed()) throw new TypeError(`${JSON.stringify(text)} is no well-formed text`)
  return Buffer.from(text)
}
