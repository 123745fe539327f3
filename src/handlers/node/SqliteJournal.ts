/**
 * A journal store in one SQLite file: the embedded default of servers, desktops and the CLI. Its format is that of
 * JournalFile.ts (the file) and JournalRows.ts (what is in it).
 *
 * Durable when acknowledged: write-ahead log with `synchronous=FULL`, one sync of the log per commit. One process owns
 * the file: an exclusive lock of the operating system, which kill -9 frees. POSIX drops such locks when *any* handle
 * of the file closes, so nothing in this process may open the file by other means while a store is open.
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
import {
  JournalConflict,
  JournalCorrupt,
  JournalFull,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit,
  type Start,
  type StoredResult,
  type StoredRun
} from "../../effects/JournalStore.ts"
import {
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
import { closeFile, isInputOutputError, openFile, reasonOf, type Options } from "./JournalFile.ts"
import {
  blobOf,
  checkDigest,
  droppedRun,
  entriesPerFeedMax,
  feedDigest,
  feedFrom,
  feedsMax,
  idOf,
  integerOf,
  isDropped,
  keptFrom,
  checkLocal,
  localDigest,
  localFrom,
  packed,
  placeOf,
  prepare,
  resultDigest,
  resultFrom,
  runDigest,
  spaceDigest,
  spaceFrom,
  unpacked,
  utf8,
  type FeedRow,
  type Row,
  wrapped
} from "./JournalRows.ts"

/** Results are kept this long at least, and so long nothing else may use their key. */
const resultsKeptMillis = 24 * 60 * 60 * 1000
/** Old results are deleted at opening, and with a commit that brings a new one when this has passed since. */
const sweepEveryMillis = 60 * 60 * 1000

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

    const look = <A>(work: () => A): Effect.Effect<A, JournalStoreError> =>
      attempt(where, () => {
        if (journal.broken !== undefined) throw new JournalUnavailable({ what: journal.broken })
        return work()
      })
    const change = (work: () => void): Effect.Effect<void, JournalStoreError> => look(() => transact(journal, work))

    return JournalStore.of({
      persistenceGuaranteed: true,
      spaces: look(() => allSpaces(journal)),
      feeds: (space) =>
        look(() =>
          feedsOf(journal, space).map((row) => {
            const { feed, header, entries, hash } = row
            return { feed, header, first: firstOf(journal, row), entries, hash }
          })
        ),
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
  /** Rows as this process read, checked or wrote them last, for what is appended; see `heads`. */
  readonly known: Known
  /** Why nothing is answered any more, after the system failed to write: what is there, a next opening finds out. */
  broken: string | undefined
}

/**
 * Numbers of spaces and rows of feeds. Nobody else writes the file, so they stay true until a transaction fails, and then
 * all are forgotten. Only appending relies on them; what is handed out is read and checked each time.
 */
interface Known {
  readonly spaces: Map<SpaceId, number>
  /** By `feedName`. */
  readonly feeds: Map<string, FeedRow>
}

/** More rows are not kept; what was forgotten is read again. */
const knownMax = 1024

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
  try {
    sql.begin.run()
    work()
    sql.commit.run()
  } catch (error) {
    if (isInputOutputError(error)) {
      // After a failed sync the system may have dropped what it could not write, and a next sync would lie about it.
      journal.broken = `${journal.where} could not be written (${String(error)}): open it again to see what it holds`
    }
    journal.known.spaces.clear()
    journal.known.feeds.clear()
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK")
    throw error
  }
}

/** Reads every row of the small tables, and for every feed whether its runs end where it says. */
const openJournal = (database: DatabaseSync, where: string, nowMillis: number): Journal => {
  const sql = prepare(database)
  const total: Row = sql.rows.get() ?? {}
  const feedNumber = total["feedNumber"] === null ? 0 : integerOf(total, "feedNumber", where)
  const known: Known = { spaces: new Map(), feeds: new Map() }
  const journal: Journal = { database, where, sql, feedNumber, sweptAtMillis: nowMillis, known, broken: undefined }

  let rows = 0
  for (const { space: bytes, number } of sql.spaces.all().map((row) => spaceFrom(row, where))) {
    const space = spaceId(bytes)
    const feeds = feedsOf(journal, space)
    const locals = sql.locals.all(number).map((row) => checkLocal(row, space, where))
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

const feedsOf = (journal: Journal, space: SpaceId): ReadonlyArray<FeedRow> => {
  const number = spaceNumber(journal, space)
  return number === undefined ? [] : journal.sql.feeds.all(number).map((row) => feedFrom(row, space, journal.where))
}

const firstOf = ({ sql, where }: Journal, row: FeedRow): number => {
  const dropped: Row | undefined = sql.dropped.get(placeOf(row.number, 0))
  return dropped === undefined ? 0 : keptFrom(dropped, row, where)
}

const feedOf = (journal: Journal, space: SpaceId, feed: FeedId): FeedRow | undefined => {
  const number = spaceNumber(journal, space)
  const row = number === undefined ? undefined : journal.sql.feed.get(number, toBytes(feed))
  return row && feedFrom(row, space, journal.where)
}

const keep = (journal: Journal, commit: Commit, nowMillis: number): void => {
  const { sql } = journal
  const { space } = commit
  const number = knownSpace(journal, space) ?? addSpace(journal, space)
  for (const { feed, header } of commit.feeds ?? []) addFeed(journal, space, number, feed, header)
  for (const start of commit.starts ?? []) beginAt(journal, space, number, start)
  for (const run of commit.runs ?? []) appendRun(journal, space, number, run)
  for (const { name, bytes } of commit.locals ?? []) {
    const nameBytes = utf8(name)
    if (bytes === null) {
      sql.removeLocal.run(number, nameBytes)
      continue
    }
    const row = wrapped(bytes)
    sql.putLocal.run(number, nameBytes, row, localDigest(space, nameBytes, row))
  }
  if (commit.results === undefined || commit.results.length === 0) return
  putResults(journal, commit, number, commit.results)
  if (nowMillis - journal.sweptAtMillis < sweepEveryMillis) return
  sql.removeResults.run(nowMillis - resultsKeptMillis)
  journal.sweptAtMillis = nowMillis
}

const addSpace = (journal: Journal, space: SpaceId): number => {
  const number = allSpaces(journal).length + 1
  journal.sql.addSpace.run(toBytes(space), number, spaceDigest(toBytes(space), number))
  return number
}

const addFeed = (journal: Journal, space: SpaceId, inSpace: number, feed: FeedId, header: Uint8Array): void => {
  if (feedOf(journal, space, feed) !== undefined) return
  const number = journal.feedNumber + 1
  if (number >= feedsMax) throw new JournalFull({ what: `a journal has room for ${feedsMax} feeds` })
  const row: FeedRow = { feed, number, header, first: 0, entries: 0, hash: entryHash(toBytes(feed)) }
  journal.sql.addFeed.run(inSpace, toBytes(feed), number, header, 0, toBytes(feed), feedDigest(space, row))
  // Stays where it is when the transaction is rolled back: numbers need not be without gaps.
  journal.feedNumber = number
}

const appendRun = (journal: Journal, space: SpaceId, inSpace: number, run: StoredRun): void => {
  const { feed, first, last, previous, hash } = run
  const stored = knownFeed(journal, space, inSpace, feed)
  if (stored === undefined) throw new JournalConflict({ feed, what: "the feed is unknown" })
  if (first !== stored.entries || last < first) {
    throw new JournalConflict({ feed, what: `entries ${first} to ${last} given, ${stored.entries} is next` })
  }
  if (previous !== stored.hash) throw new JournalConflict({ feed, what: `the hash before entry ${first} differs` })
  if (last >= entriesPerFeedMax) throw new JournalFull({ what: `a feed has room for ${entriesPerFeedMax} entries` })
  insertRun(journal, stored.number, run)
  moveFeed(journal, space, inSpace, { ...stored, entries: last + 1, hash })
}

/** Drops what lies whole before a start; the row that stands for it keeps the hash before what is left. */
const beginAt = (journal: Journal, space: SpaceId, inSpace: number, { entries, feed, hash, header }: Start): void => {
  addFeed(journal, space, inSpace, feed, header)
  const stored = knownFeed(journal, space, inSpace, feed)
  if (stored === undefined || entries === 0) return
  if (entries > entriesPerFeedMax) throw new JournalFull({ what: `a feed has room for ${entriesPerFeedMax} entries` })
  if (stored.entries < entries) moveFeed(journal, space, inSpace, { ...stored, entries, hash })
  const isKept = entries < stored.entries
  const first = isKept ? runHolding(journal, stored, entries, undefined).first : entries
  if (first === 0) return
  const before = isKept ? hashBefore(journal, stored, first) : stored.entries === entries ? stored.hash : hash
  journal.sql.removeRuns.run(placeOf(stored.number, 0), placeOf(stored.number, first - 1))
  insertRun(journal, stored.number, droppedRun(feed, first, before))
}

const moveFeed = (journal: Journal, space: SpaceId, inSpace: number, moved: FeedRow): void => {
  const { entries, feed, hash } = moved
  const digest = feedDigest(space, moved)
  const { changes } = journal.sql.moveFeed.run(entries, toBytes(hash), digest, inSpace, toBytes(feed))
  if (Number(changes) !== 1)
    throw new JournalCorrupt({ where: `${journal.where}, feed ${feed}`, what: "its row is gone" })
  journal.known.feeds.set(feedName(inSpace, feed), moved)
}

const knownSpace = (journal: Journal, space: SpaceId): number | undefined => {
  const known = journal.known.spaces.get(space)
  if (known !== undefined) return known
  const number = spaceNumber(journal, space)
  if (journal.known.spaces.size >= knownMax) journal.known.spaces.clear()
  if (number !== undefined) journal.known.spaces.set(space, number)
  return number
}

const feedName = (inSpace: number, feed: FeedId): string => `${inSpace} ${feed}`

const knownFeed = (journal: Journal, space: SpaceId, inSpace: number, feed: FeedId): FeedRow | undefined => {
  const known = journal.known.feeds.get(feedName(inSpace, feed))
  if (known !== undefined) return known
  const stored = feedOf(journal, space, feed)
  if (journal.known.feeds.size >= knownMax) journal.known.feeds.clear()
  return stored
}

const insertRun = ({ sql }: Journal, feedNumber: number, run: StoredRun): void => {
  const { plainBytes, bytes } = packed(run.bytes)
  const digest = runDigest(run, run.previous, plainBytes, bytes)
  sql.addRun.run(placeOf(feedNumber, run.first), run.last, toBytes(run.hash), plainBytes, bytes, digest)
}

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
    next = run.last + 1
    if (isDropped(run)) continue
    runs.push(run)
    bytes += run.bytes.length
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
  return { feed, first, last, previous: before, hash, bytes: unpacked(bytes, plainBytes) }
}

/** Not checked by itself: the digest of the run that follows binds it. */
const hashBefore = (journal: Journal, { feed, number }: FeedRow, first: number): EntryHash => {
  if (first === 0) return entryHash(toBytes(feed))
  const where = `${journal.where}, feed ${feed}, entry ${first - 1}`
  const row: Row | undefined = journal.sql.runEnd.get(placeOf(number, 0), placeOf(number, first - 1))
  if (row === undefined || row["last"] !== first - 1) throw new JournalCorrupt({ where, what: "no run ends with it" })
  return entryHash(idOf(row, "hash", where))
}

const replaceRuns = (journal: Journal, space: SpaceId, run: StoredRun): void => {
  const { feed, first, last, previous, hash } = run
  const refused = (what: string) => new JournalConflict({ feed, what })
  const stored = feedOf(journal, space, feed)
  if (stored === undefined || last < first || first < firstOf(journal, stored)) {
    throw refused(`no stored runs hold exactly entries ${first} to ${last}`)
  }
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

const resultOf = (journal: Journal, space: SpaceId, requester: DeviceId, key: string): Option.Option<StoredResult> => {
  const number = spaceNumber(journal, space)
  const row = number === undefined ? undefined : journal.sql.result.get(number, toBytes(requester), utf8(key))
  return Option.map(Option.fromUndefinedOr(row), (row) => resultFrom(row, space, journal.where))
}
