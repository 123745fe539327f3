/**
 * What a group of commits writes into a journal in PostgreSQL, as one transaction.
 *
 * A group that only continues feeds which the session just wrote is one statement: it checks that their rows are what they were
 * known as, and writes nothing otherwise. Any other transaction is two round trips: one that locks and reads what the commits continue, one that writes what of them may be
 * written, from arrays, and ends with COMMIT. Between the two each commit is judged as if those before it had been written;
 * one that does not continue what is there is a conflict, and no part of the others. Everything a commit brings was
 * encoded, and so copied, before it came here.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import { UnknownError, SqlError } from "effect/sql/SqlError"
import {
  JournalConflict,
  JournalCorrupt,
  type Commit,
  type Start,
  type StoredFeed,
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
  type FeedId,
  type SpaceId
} from "../../identity/Id.ts"
import {
  droppedRun,
  feedDigest,
  feedFrom,
  idOf,
  integerOf,
  localDigest,
  resultDigest,
  resultFrom,
  spaceDigest,
  spaceFrom,
  utf8,
  wrapped,
  type FeedRow,
  type Row
} from "./JournalRows.ts"
import { ask, columns, sql, type Columns } from "./PostgresRows.ts"
import { packedRun, rowsOf, runsFrom, type PackedRun } from "./PostgresRuns.ts"
import { tell } from "./PostgresNotice.ts"
import { answered, beginError, isDivisionByZero, type NotBegun, type Place } from "./PostgresSession.ts"

/** Results are kept this long at least, and so long nothing else may use their key. */
export const resultsKeptMillis = 24 * 60 * 60 * 1000

/** A commit whose bytes nobody else holds. */
export interface Encoded {
  readonly space: SpaceId
  readonly feeds: ReadonlyArray<{ readonly feed: FeedId; readonly header: Uint8Array }>
  readonly starts: ReadonlyArray<Start>
  readonly runs: ReadonlyArray<PackedRun>
  /** By name; the row as it is written, or null where it goes. */
  readonly locals: ReadonlyMap<string, Columns | null>
  readonly results: ReadonlyArray<{
    readonly requester: DeviceId
    readonly key: string
    readonly atMillis: number
    readonly row: Columns
  }>
}

export const encode = ({ space, feeds, starts, runs, locals, results }: Commit): Encoded => ({
  space,
  starts: (starts ?? []).map((start) => ({ ...start, header: new Uint8Array(start.header) })),
  feeds: (feeds ?? []).map(({ feed, header }) => ({ feed, header: new Uint8Array(header) })),
  runs: (runs ?? []).map(packedRun),
  locals: new Map(
    (locals ?? []).map(({ name, bytes }) => [name, bytes === null ? (utf8(name), null) : localRow(space, name, bytes)])
  ),
  results: (results ?? []).map((result) => {
    const { requester, key, atMillis } = result
    return { requester, key, atMillis, row: resultRow(space, result) }
  })
})

const localRow = (space: SpaceId, name: string, bytes: Uint8Array): Columns => {
  const [nameBytes, row] = [utf8(name), wrapped(bytes)]
  return [toBytes(space), nameBytes, row, localDigest(space, nameBytes, row)]
}

const resultRow = (space: SpaceId, result: StoredResult): Columns => {
  const { requester, key, payload, atMillis } = result
  const [kept, said] = [new Uint8Array(payload), new Uint8Array(result.result)]
  return [toBytes(space), toBytes(requester), utf8(key), kept, said, atMillis, resultDigest(space, result)]
}

interface Moved {
  readonly space: SpaceId
  /** As it will be. */
  row: FeedRow
  /** What is written of its runs, in order. */
  readonly runs: Array<PackedRun>
}

interface Held {
  /** The run that holds the start, and those behind it that share its row. */
  readonly runs: ReadonlyArray<StoredRun>
  /** Whether the row has runs before it, which go. */
  readonly isCut: boolean
}

/** What a group does to the journal, commit by commit. */
interface Draft {
  readonly where: string
  readonly spaces: Map<SpaceId, number>
  readonly feeds: Map<string, FeedRow>
  /** For each start, by `startName`, what stays of the row that holds it, or of the last one before it. */
  readonly holding: Map<string, Held>
  /** What goes of feeds: all runs that begin before a position. */
  readonly drops: Array<Columns>
  /** When a key was used last. */
  readonly usedAt: Map<string, number>
  /** How many spaces and feeds there are, those of the group included. */
  readonly counts: { spaces: number; feeds: number }
  readonly newSpaces: Map<SpaceId, Columns>
  readonly newFeeds: Set<string>
  readonly moved: Map<string, Moved>
  readonly locals: Map<string, { readonly space: SpaceId; readonly name: string; readonly row: Columns | null }>
  readonly results: Map<string, Columns>
}

/**
 * What a session knows of the rows that it wrote or locked last: nobody else writes them while it holds its lock. For so long
 * as it was just answered, a group that only continues these feeds needs to read nothing.
 */
export interface Known {
  readonly feeds: Map<string, FeedRow>
  answeredAtMillis: number
}

export const knowNothing = (): Known => ({ feeds: new Map(), answeredAtMillis: -Infinity })

/** After a longer silence a commit begins with a question: a session that is gone is found out before anything is at stake. */
const silenceMillisMax = 1_000
const knownFeedsMax = 4_096

/** For each commit nothing, or why it conflicts. On failure nothing was written, or it is unknown if `COMMIT` was sent. */
export const writeGroup = (
  connection: PgConnection,
  place: Place,
  group: ReadonlyArray<Encoded>,
  known: Known
): Effect.Effect<ReadonlyArray<JournalConflict | undefined>, SqlError | NotBegun | JournalCorrupt> =>
  Effect.gen(function* () {
    const continued = continuedBy(known, group)
    const isWritten = continued !== undefined && (yield* continueFeeds(connection, place, continued, known))
    if (continued !== undefined && isWritten) {
      learn(known, continued)
      return group.map(() => undefined)
    }
    known.feeds.clear()
    const draft = yield* begin(connection, place.where, group)
    const outcomes = yield* attempt(() => group.map((commit) => admit(draft, commit)))
    yield* end(connection, write(connection, draft), [tell(connection, place.schema, headsOf(draft.moved))])
    learn(known, draft.moved)
    return outcomes
  })

const learn = (known: Known, moved: ReadonlyMap<string, Moved>): void => {
  if (known.feeds.size > knownFeedsMax) known.feeds.clear()
  for (const [name, { row }] of moved) known.feeds.set(name, row)
  known.answeredAtMillis = performance.now()
}

/** What a group does that only continues feeds as they are known. Undefined if it does anything else, or so it seems. */
const continuedBy = (known: Known, group: ReadonlyArray<Encoded>): ReadonlyMap<string, Moved> | undefined => {
  if (performance.now() - known.answeredAtMillis > silenceMillisMax) return undefined
  const moved = new Map<string, Moved>()
  for (const { feeds, locals, results, runs, space, starts } of group) {
    if (runs.length === 0 || starts.length + locals.size + results.length > 0) return undefined
    if (feeds.some(({ feed }) => !known.feeds.has(nameOf(space, feed)))) return undefined
    for (const run of runs) {
      const name = nameOf(space, run.feed)
      const row = moved.get(name)?.row ?? known.feeds.get(name)
      if (row === undefined || conflictWith(row, run) !== undefined) return undefined
      move(moved, name, space, { ...row, entries: run.last + 1, hash: run.hash }).runs.push(run)
    }
  }
  return moved
}

/** One statement, which is its own transaction. False, and nothing written, where a row is not what it was known as. */
const continueFeeds = (
  connection: PgConnection,
  { schema }: Place,
  moved: ReadonlyMap<string, Moved>,
  known: Known
): Effect.Effect<boolean, SqlError> => {
  const moves = [...moved].map(([name, { row, space }]) => {
    const before = feedDigest(space, known.feeds.get(name)!)
    return [toBytes(space), toBytes(row.feed), row.entries, toBytes(row.hash), feedDigest(space, row), before]
  })
  const append = ask(connection, sql.continueFeeds, ...columns(runRows(moved)), ...columns(moves), moves.length)
  return together<unknown>([append, tell(connection, schema, headsOf(moved))]).pipe(
    Effect.as(true),
    Effect.catchIf(isDivisionByZero, () => Effect.succeed(false))
  )
}

/** Statements that go out together; the first failure counts. */
export const together = <A>(
  statements: ReadonlyArray<Effect.Effect<A, SqlError>>
): Effect.Effect<ReadonlyArray<A>, SqlError> =>
  // Each is waited for: one that was cut short would take the connection with it.
  Effect.flatMap(Effect.all(statements.map(Effect.exit), { concurrency: "unbounded" }), (exits) =>
    Effect.forEach(exits, (exit) => exit)
  )

/** Statements that begin a transaction, of which nothing is written yet. */
export const asked = <A>(
  statements: ReadonlyArray<Effect.Effect<A, SqlError>>
): Effect.Effect<ReadonlyArray<A>, SqlError | NotBegun> => Effect.mapError(together(statements), beginError)

/**
 * Writes and commits in one round trip, and does what comes `after` whatever becomes of that. What failed before `COMMIT`
 * makes it a rollback, and is what is told.
 */
export const end = (
  connection: PgConnection,
  writes: ReadonlyArray<Effect.Effect<unknown, SqlError>>,
  after: ReadonlyArray<Effect.Effect<void>> = []
): Effect.Effect<void, SqlError> =>
  Effect.flatMap(together<unknown>([...writes, commitOn(connection), ...after]), () => Effect.void)

const commitOn = (connection: PgConnection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(answered(connection.query("COMMIT")), ({ command }) => {
    if (command === "COMMIT") return Effect.void
    const message = "the transaction was rolled back"
    return Effect.fail(new SqlError({ reason: new UnknownError({ cause: new Error(message), message }) }))
  })

/** Runs synchronous checks of rows; what they find is an error, anything else a mistake of ours. */
export const attempt = <A>(work: () => A): Effect.Effect<A, JournalCorrupt> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      return error instanceof JournalCorrupt ? Effect.fail(error) : Effect.die(error)
    }
  })

const begin = (connection: PgConnection, where: string, group: ReadonlyArray<Encoded>) =>
  Effect.gen(function* () {
    const feeds = group.flatMap(({ space, feeds, runs, starts }) =>
      [...feeds, ...starts, ...runs].map(({ feed }) => [space, feed] as const)
    )
    const named = new Map(feeds.map(([space, feed]) => [nameOf(space, feed), [toBytes(space), toBytes(feed)]]))
    const starts = group.flatMap(({ space, starts }) =>
      starts.map(({ entries, feed }) => [toBytes(space), toBytes(feed), entries])
    )
    const keys = group.flatMap(({ results }) => results.map(({ row }) => row.slice(0, 3)))
    const spaces = [...new Set(group.map(({ space }) => space))].map(toBytes)
    const [, counts = [], spaceRows = [], feedRows = [], resultRows = [], heldRows = []] = yield* asked([
      ask(connection, "BEGIN"),
      ask(connection, sql.counts),
      ask(connection, sql.spacesNamed, spaces),
      named.size === 0 ? nothing : ask(connection, sql.feedsNamed, ...columns([...named.values()])),
      keys.length === 0 ? nothing : ask(connection, sql.resultsNamed, ...columns(keys)),
      starts.length === 0 ? nothing : ask(connection, sql.runsHolding, ...columns(starts))
    ])
    return yield* attempt(() => draftFrom(where, counts[0] ?? {}, spaceRows, feedRows, resultRows, heldRows))
  })

const nothing: Effect.Effect<ReadonlyArray<Row>> = Effect.succeed([])

const draftFrom = (
  where: string,
  counts: Row,
  spaces: ReadonlyArray<Row>,
  feeds: ReadonlyArray<Row>,
  results: ReadonlyArray<Row>,
  held: ReadonlyArray<Row>
): Draft => {
  const format = `${where}, table journal_format`
  const ofSpace = (row: Row, table: string) => spaceId(idOf(row, "space", `${where}, table ${table}`))
  return {
    where,
    spaces: new Map(
      spaces.map((row) => {
        const { space, number } = spaceFrom(row, where)
        return [spaceId(space), number]
      })
    ),
    feeds: new Map(
      feeds.map((row) => {
        const space = ofSpace(row, "feeds")
        const feed = feedFrom(row, space, where)
        return [nameOf(space, feed.feed), feed]
      })
    ),
    usedAt: new Map(
      results.map((row) => {
        const space = ofSpace(row, "results")
        const { requester, key, atMillis } = resultFrom(row, space, where)
        return [nameOf(space, requester, key), atMillis]
      })
    ),
    counts: { spaces: integerOf(counts, "spaces", format), feeds: integerOf(counts, "feeds", format) },
    ...nothingDone(),
    holding: new Map(
      held.map((row) => {
        const at = `${where}, table runs`
        const feed = feedId(idOf(row, "feed", at))
        // what is written of it again is checked as what is read
        const [start, first, last] = [integerOf(row, "at", at), integerOf(row, "first", at), integerOf(row, "last", at)]
        const runs = runsFrom(row, feed, Math.min(start, last), undefined, where)
        return [startName(ofSpace(row, "runs"), feed, start), { runs, isCut: runs[0]?.first !== first }]
      })
    )
  }
}

const nothingDone = () => ({
  holding: new Map(),
  drops: [],
  newSpaces: new Map(),
  newFeeds: new Set<string>(),
  moved: new Map(),
  locals: new Map(),
  results: new Map()
})

/** Puts a commit into the draft, all of it or nothing. */
const admit = (draft: Draft, commit: Encoded): JournalConflict | undefined => {
  const { space } = commit
  const feeds = new Map<string, FeedRow>()
  let count = draft.counts.feeds
  for (const { feed, header } of commit.feeds) {
    const name = nameOf(space, feed)
    if (feeds.has(name) || draft.feeds.has(name)) continue
    feeds.set(name, { feed, header, number: ++count, first: 0, entries: 0, hash: entryHash(toBytes(feed)) })
  }
  const dropped = new Map<string, { readonly run: StoredRun; readonly cut: ReadonlyArray<StoredRun> }>()
  for (const { entries, feed, hash, header } of commit.starts) {
    const name = nameOf(space, feed)
    const fresh = { feed, header, number: count + 1, first: 0, entries: 0, hash: entryHash(toBytes(feed)) }
    const head = feeds.get(name) ?? draft.feeds.get(name) ?? fresh
    if (head === fresh) count++
    const isKept = entries < head.entries
    feeds.set(name, head.entries < entries ? { ...head, entries, hash } : head)
    const held = isKept ? draft.holding.get(startName(space, feed, entries)) : undefined
    const begin = held?.runs[0]
    const [before, last] =
      begin === undefined ? [entries, head.entries < entries ? hash : head.hash] : [begin.first, begin.previous]
    // the furthest of a feed's starts: one row stands for all that goes
    const run = droppedRun(feed, before, last)
    if (run.last > (dropped.get(name)?.run.last ?? -1))
      dropped.set(name, { run, cut: held?.isCut === true ? held.runs : [] })
  }
  for (const { feed, first, last, previous, hash } of commit.runs) {
    const name = nameOf(space, feed)
    const head = feeds.get(name) ?? draft.feeds.get(name)
    const conflict = conflictWith(head, { first, last, previous })
    if (head === undefined || conflict !== undefined) return new JournalConflict({ feed, what: conflict ?? "" })
    feeds.set(name, { ...head, entries: last + 1, hash })
  }
  const conflict = usedTwice(draft, commit)
  if (conflict !== undefined) return conflict
  putSpace(draft, space)
  draft.counts.feeds = count
  for (const [name, row] of feeds) {
    if (!draft.feeds.has(name)) draft.newFeeds.add(name)
    draft.feeds.set(name, row)
    move(draft.moved, name, space, row)
  }
  for (const { cut, run } of dropped.values()) {
    draft.drops.push([toBytes(space), toBytes(run.feed), run.last + 1])
    // what shared a row with runs that go is written again
    draft.moved.get(nameOf(space, run.feed))?.runs.push(...[run, ...cut].map(packedRun))
  }
  for (const run of commit.runs) draft.moved.get(nameOf(space, run.feed))?.runs.push(run)
  for (const [name, row] of commit.locals) draft.locals.set(nameOf(space, name), { space, name, row })
  for (const { requester, key, atMillis, row } of commit.results) {
    draft.results.set(nameOf(space, requester, key), row)
    draft.usedAt.set(nameOf(space, requester, key), atMillis)
  }
  return undefined
}

const move = (moved: Map<string, Moved>, name: string, space: SpaceId, row: FeedRow): Moved => {
  const known = moved.get(name)
  if (known !== undefined) {
    known.row = row
    return known
  }
  const first = { space, row, runs: [] }
  moved.set(name, first)
  return first
}

const runRows = (moved: ReadonlyMap<string, Moved>): ReadonlyArray<Columns> =>
  [...moved.values()].flatMap(({ runs, space }) => rowsOf(space, runs))

const conflictWith = (
  head: FeedRow | undefined,
  { first, last, previous }: Pick<PackedRun, "first" | "last" | "previous">
): string | undefined => {
  if (head === undefined) return "the feed is unknown"
  if (first !== head.entries || last < first) return `entries ${first} to ${last} given, ${head.entries} is next`
  return previous === head.hash ? undefined : `the hash before entry ${first} differs`
}

/** A key has one result, also within a commit. A conflict has to name a feed: the commit's own, else the requester. */
const usedTwice = ({ usedAt }: Draft, { space, runs, results }: Encoded): JournalConflict | undefined => {
  const used = new Set<string>()
  for (const { requester, key, atMillis } of results) {
    const name = nameOf(space, requester, key)
    const before = usedAt.get(name)
    if (used.has(name) || (before !== undefined && atMillis - before < resultsKeptMillis)) {
      const feed = runs[0]?.feed ?? feedId(toBytes(requester))
      return new JournalConflict({ feed, what: `requester ${short(requester)} already used the key "${key}"` })
    }
    used.add(name)
  }
  return undefined
}

/** How far the feeds reach that the group moves. */
const headsOf = (moved: ReadonlyMap<string, Moved>): ReadonlyMap<SpaceId, ReadonlyArray<StoredFeed>> => {
  const heads = new Map<SpaceId, Array<StoredFeed>>()
  for (const { row, space } of moved.values()) {
    const known = heads.get(space)
    if (known === undefined) heads.set(space, [row])
    else known.push(row)
  }
  return heads
}

const putSpace = (draft: Draft, space: SpaceId): void => {
  if (draft.spaces.has(space)) return
  const number = ++draft.counts.spaces
  draft.spaces.set(space, number)
  draft.newSpaces.set(space, [toBytes(space), number, spaceDigest(toBytes(space), number)])
}

const write = (connection: PgConnection, draft: Draft): ReadonlyArray<Effect.Effect<unknown, SqlError>> => {
  const [added, moved]: [Array<Columns>, Array<Columns>] = [[], []]
  for (const [name, { space, row }] of draft.moved) {
    const [ids, hash] = [[toBytes(space), toBytes(row.feed)], toBytes(row.hash)]
    const digest = feedDigest(space, row)
    if (draft.newFeeds.has(name)) added.push([...ids, row.number, row.header, row.entries, hash, digest])
    else moved.push([...ids, row.entries, hash, digest])
  }
  const locals = [...draft.locals.values()]
  const gone = locals.filter(({ row }) => row === null).map(({ space, name }) => [toBytes(space), utf8(name)])
  const counts = draft.newSpaces.size + added.length === 0 ? [] : [[draft.counts.spaces, draft.counts.feeds]]
  const tables: ReadonlyArray<readonly [statement: string, rows: ReadonlyArray<Columns>]> = [
    [sql.addSpaces, [...draft.newSpaces.values()]],
    [sql.addFeeds, added],
    [sql.moveFeeds, moved],
    [sql.dropRuns, draft.drops],
    [sql.addRuns, runRows(draft.moved)],
    [sql.putLocals, locals.flatMap(({ row }) => (row === null ? [] : [row]))],
    [sql.removeLocals, gone],
    [sql.putResults, [...draft.results.values()]]
  ]
  return [
    ...tables.flatMap(([statement, rows]) => (rows.length === 0 ? [] : [ask(connection, statement, ...columns(rows))])),
    ...counts.map((numbers) => ask(connection, sql.setCounts, ...numbers))
  ]
}

const startName = (space: SpaceId, feed: FeedId, entries: number): string => `${nameOf(space, feed)} ${entries}`

/** Ids have one length, so what follows them can't be taken for a part of them. */
const nameOf = (...parts: readonly [SpaceId, ...ReadonlyArray<FeedId | DeviceId | string>]): string => parts.join(" ")
