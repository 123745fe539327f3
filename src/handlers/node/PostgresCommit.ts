/**
 * How a group of commits is written into a journal in PostgreSQL, as one transaction.
 *
 * A group that only continues feeds which the session just wrote is one statement: it checks that their rows are what they were
 * known as, and writes nothing otherwise. Any other transaction is two round trips: one that locks and reads what the commits
 * continue, one that writes what of them may be written, from arrays, and ends with COMMIT. What may be written is decided
 * between the two (PostgresDraft.ts). Everything a commit brings was encoded, and so copied, before it came here.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { UnknownError, SqlError } from "effect/sql/SqlError"
import { JournalCorrupt, type JournalConflict } from "../../effects/JournalStore.ts"
import { toBytes } from "../../identity/Id.ts"
import { feedDigest, utf8, type FeedRow, type Row } from "./JournalRows.ts"
import {
  admit,
  conflictWith,
  draftFrom,
  headsOf,
  move,
  nameOf,
  runRows,
  type Draft,
  type Encoded,
  type Moved
} from "./PostgresDraft.ts"
import { ask, columns, sql, type Columns } from "./PostgresRows.ts"
import { tell } from "./PostgresNotice.ts"
import { answered, beginError, isDivisionByZero, type NotBegun, type Place } from "./PostgresSession.ts"

/**
 * What a session knows of the rows that it wrote or locked last: nobody else writes them while it holds its lock. For so long
 * as it was just answered, a group that only continues these feeds needs to read nothing.
 */
export interface Known {
  readonly feeds: Map<string, FeedRow>
  answeredAtMillis: number
}

export const knowNothing = (): Known => ({ feeds: new Map(), answeredAtMillis: -Infinity })

/** The session that writes. */
export interface Session {
  readonly connection: PgConnection
  readonly known: Known
  /** Ends with it. */
  readonly scope: Scope.Scope
}

/** After a longer silence a commit begins with a question: a session that is gone is found out before anything is at stake. */
const silenceMillisMax = 1_000
const knownFeedsMax = 4_096

/** For each commit nothing, or why it conflicts. On failure nothing was written, or it is unknown if `COMMIT` was sent. */
export const writeGroup = (
  { connection, known, scope }: Session,
  place: Place,
  group: ReadonlyArray<Encoded>
): Effect.Effect<ReadonlyArray<JournalConflict | undefined>, SqlError | NotBegun | JournalCorrupt> =>
  Effect.gen(function* () {
    // who closes the session waits for it, and nobody else
    const told = (moved: ReadonlyMap<string, Moved>) =>
      Effect.forkIn(Effect.uninterruptible(tell(connection, place.schema, headsOf(moved))), scope)
    const continued = continuedBy(known, group)
    if (continued !== undefined && (yield* continueFeeds(connection, continued, known, told(continued)))) {
      learn(known, continued)
      return group.map(() => undefined)
    }
    known.feeds.clear()
    const draft = yield* begin(connection, place.where, group)
    const outcomes = yield* attempt(() => group.map((commit) => admit(draft, commit)))
    yield* end(connection, write(connection, draft))
    yield* told(draft.moved)
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

/**
 * One statement, which is its own transaction, and right behind it what is told of it. False, and nothing written, where a row
 * is not what it was known as: then what was told is no news.
 */
const continueFeeds = (
  connection: PgConnection,
  moved: ReadonlyMap<string, Moved>,
  known: Known,
  told: Effect.Effect<unknown>
): Effect.Effect<boolean, SqlError> => {
  const moves = [...moved].map(([name, { row, space }]) => {
    const before = feedDigest(space, known.feeds.get(name)!)
    return [toBytes(space), toBytes(row.feed), row.entries, toBytes(row.hash), feedDigest(space, row), before]
  })
  const append = ask(connection, sql.continueFeeds, ...columns(runRows(moved)), ...columns(moves), moves.length)
  return together<unknown>([append, told]).pipe(
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

/** Writes and commits in one round trip. What failed before `COMMIT` makes it a rollback, and is what is told. */
export const end = (
  connection: PgConnection,
  writes: ReadonlyArray<Effect.Effect<unknown, SqlError>>
): Effect.Effect<void, SqlError> =>
  Effect.flatMap(together<unknown>([...writes, commitOn(connection)]), () => Effect.void)

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
