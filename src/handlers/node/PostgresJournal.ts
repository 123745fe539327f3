/**
 * A journal store on a PostgreSQL server: for agents whose machine is not where the data is kept. Its place, lock and schema
 * are those of PostgresSession.ts, its rows those of PostgresRows.ts.
 *
 * Durable when acknowledged: a commit is a transaction with `synchronous_commit`, whatever the server's default is. Commits
 * that come while one is under way share the next transaction (PostgresCommit.ts). One agent owns the schema: its session
 * holds an advisory lock, which goes with it. When that session is lost, the next change opens another, takes the lock
 * again and reads again what it continues; whether the change that was under way took place, `feeds` tells. Reading goes
 * over other connections, each time in one snapshot.
 *
 * What is read is checked: digests, that runs follow each other without a gap, that a feed ends where its row says; at
 * opening that no space and no feed is missing. A row of this installation or a result that somebody deleted with SQL
 * passes for absent. It repairs nothing and judges nothing.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { SqlError } from "effect/sql/SqlError"
import {
  JournalConflict,
  JournalCorrupt,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit,
  type StoredRun
} from "../../effects/JournalStore.ts"
import { Neighbours } from "../../effects/Neighbours.ts"
import { spaceId, toBytes, type SpaceId } from "../../identity/Id.ts"
import { feedFrom, idOf, integerOf, isDropped, localFrom, utf8 } from "./JournalRows.ts"
import { asked, attempt, end, knowNothing, together, writeGroup, type Session } from "./PostgresCommit.ts"
import { encode, resultsKeptMillis, type Encoded } from "./PostgresDraft.ts"
import { neighboursOf } from "./PostgresNeighbours.ts"
import { allSpaces, checked, checkEnd, feedsFrom, resultOf, runsOfSnapshot } from "./PostgresReading.ts"
import { ask, columns, sql, type Parameter } from "./PostgresRows.ts"
import { packedRun, rowsOf, runsFrom, type PackedRun } from "./PostgresRuns.ts"
import {
  answered,
  errorOf,
  isDurable,
  isLost,
  isPassing,
  NotBegun,
  openWriter,
  placeOf,
  tidyMillis,
  type Options,
  type Place
} from "./PostgresSession.ts"

/** Old results are deleted at opening, and with a commit when this has passed since. */
const sweepEveryMillis = 60 * 60 * 1000
/** Commits in one transaction. */
const groupCommitsMax = 64
/** How often a transaction is tried that the server ended for the sake of another, or whose session was gone. */
const attemptsMax = 4

/** The journal, and those that others keep in the same database. */
export const layer = (options: Options): Layer.Layer<JournalStore | Neighbours, JournalStoreError> =>
  Layer.effectContext(
    Effect.map(open(options), ({ journal, neighbours }) =>
      Context.make(JournalStore, journal).pipe(Context.add(Neighbours, neighbours))
    )
  )

/** The journal alone. */
export const make = (options: Options): Effect.Effect<JournalStore["Service"], JournalStoreError, Scope.Scope> =>
  Effect.map(open(options), ({ journal }) => journal)

/** Connects, takes the lock and reads every feed; until the scope closes. */
export const open = (
  options: Options
): Effect.Effect<
  { readonly journal: JournalStore["Service"]; readonly neighbours: Neighbours["Service"] },
  JournalStoreError,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const place = yield* placeOf(options)
    const writer = yield* makeWriter(place)
    const sweptAtMillis = yield* Clock.currentTimeMillis
    const persistenceGuaranteed = yield* writer.change(({ connection }) =>
      Effect.gen(function* () {
        yield* checkJournal(connection, place)
        yield* ask(connection, sql.removeResults, Math.max(0, sweptAtMillis - resultsKeptMillis))
        return yield* isDurable(place, connection)
      })
    )
    const commit = yield* makeCommits(writer, place, sweptAtMillis)
    const readers = yield* Effect.mapError(PgPool.make(place.readers), (error) => errorOf(place, error))
    const look = <A>(
      work: (connection: PgConnection) => Effect.Effect<A, Failure>
    ): Effect.Effect<A, JournalStoreError> => (writer.isClosed() ? closed : understood(place, readers.use(work)))
    const rows =
      (statement: string, ...parameters: ReadonlyArray<Parameter>) =>
      (connection: PgConnection) =>
        ask(connection, statement, ...parameters)

    const journal = JournalStore.of({
      persistenceGuaranteed,
      spaces: Effect.suspend(() => look((connection) => allSpaces(connection, place))),
      feeds: (space) =>
        Effect.suspend(() => look(checked(rows(sql.feeds, toBytes(space)), (found) => feedsFrom(found, space, place)))),
      commit,
      read: (space, feed, from, bytesMax) =>
        Effect.suspend(() =>
          look((connection) =>
            inSnapshot(connection, runsOfSnapshot(connection, place, { space, feed, from, bytesMax }))
          )
        ),
      repack: (space, run) =>
        Effect.suspend(() => {
          const packed = packedRun(run)
          return writer.change(({ connection }) => replaceRuns(connection, place, space, packed))
        }),
      local: (space, name) =>
        Effect.suspend(() =>
          look(
            checked(rows(sql.local, toBytes(space), utf8(name)), ([row]) =>
              Option.map(Option.fromUndefinedOr(row), (row) => localFrom(row, space, place.where))
            )
          )
        ),
      result: (space, requester, key) => Effect.suspend(() => look(resultOf(place, space, requester, key)))
    })
    return { journal, neighbours: neighboursOf(place, look) }
  })

/** All of it as it was at one moment, whatever is repacked meanwhile. */
const inSnapshot = <A>(connection: PgConnection, work: Effect.Effect<A, Failure>): Effect.Effect<A, Failure> =>
  Effect.acquireUseRelease(
    ask(connection, "BEGIN"),
    () => work,
    () => Effect.ignore(ask(connection, "COMMIT"))
  )

/** What the server, the rows or the journal's rules have against something. */
type Failure = SqlError | NotBegun | JournalCorrupt | JournalConflict | JournalStoreError

/** The one session that may write. */
interface Writer {
  readonly isClosed: () => boolean
  /** Alone, and to its end though its caller be interrupted. A transaction that it leaves open is rolled back. */
  readonly change: <A>(work: (session: Session) => Effect.Effect<A, Failure>) => Effect.Effect<A, JournalStoreError>
}

const closedError = new JournalStoreError({ reason: new JournalUnavailable({ what: "the store was closed" }) })
const closed = Effect.fail(closedError)

const makeWriter = (place: Place): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const turn = yield* Semaphore.make(1)
    let isClosed = false
    let session: (Session & { readonly scope: Scope.Closeable }) | undefined

    const drop = Effect.suspend(() => {
      const lost = session
      session = undefined
      return lost === undefined ? Effect.void : Scope.close(lost.scope, Exit.void)
    })
    const open = Effect.gen(function* () {
      if (session !== undefined) return session
      const scope = yield* Scope.make()
      const connection = yield* Effect.onError(Scope.provide(openWriter(place), scope), () =>
        Scope.close(scope, Exit.void)
      )
      session = { connection, scope, known: knowNothing() }
      return session
    })
    yield* Effect.addFinalizer(() => {
      isClosed = true
      return drop
    })

    const attemptOnce = <A>(work: (session: Session) => Effect.Effect<A, Failure>) =>
      Effect.flatMap(open, (session) =>
        Effect.onError(work(session), () => {
          session.known.feeds.clear()
          return tidied(session.connection, drop)
        })
      )
    const change: Writer["change"] = (work) =>
      Effect.gen(function* () {
        if (isClosed) return yield* closed
        const tried = Effect.retry(attemptOnce(work), { while: isPassingFailure, times: attemptsMax - 1 })
        const fiber = yield* Effect.forkIn(turn.withPermit(understood(place, tried)), scope)
        const exit = yield* Fiber.await(fiber)
        return yield* Exit.isFailure(exit) && Exit.hasInterrupts(exit) ? closed : exit
      })
    return { isClosed: () => isClosed, change }
  })

const isPassingFailure = (error: Failure): boolean =>
  error instanceof NotBegun || (error instanceof SqlError && isPassing(error))

/** After a failure: the session goes on without its transaction, or goes. */
const tidied = (connection: PgConnection, drop: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.matchEffect(answered(connection.query("ROLLBACK"), tidyMillis), {
    onSuccess: () => Effect.void,
    onFailure: () => drop
  })

const understood = <A>(place: Place, work: Effect.Effect<A, Failure>): Effect.Effect<A, JournalStoreError> =>
  Effect.mapError(work, (error) => {
    if (error instanceof JournalStoreError) return error
    if (error instanceof NotBegun) return errorOf(place, error.error)
    return error instanceof SqlError ? errorOf(place, error) : new JournalStoreError({ reason: error })
  })

/** Every space and feed is there, and every feed ends where its row says. */
const checkJournal = (connection: PgConnection, place: Place) =>
  Effect.gen(function* () {
    const { where } = place
    const [counts = [], ends = []] = yield* together([ask(connection, sql.counts), ask(connection, sql.ends)])
    const spaces = new Set(yield* allSpaces(connection, place))
    yield* attempt(() => {
      const expected = counts[0] ?? {}
      const format = `${where}, table journal_format`
      checkCount("spaces", spaces.size, integerOf(expected, "spaces", format), where)
      checkCount("feeds", ends.length, integerOf(expected, "feeds", format), where)
      for (const row of ends) {
        const space = spaceId(idOf(row, "space", `${where}, table feeds`))
        const feed = feedFrom(row, space, `${where}, table feeds`)
        if (!spaces.has(space)) {
          throw new JournalCorrupt({
            where: `${where}, table spaces`,
            what: `the space of feed ${feed.feed} is missing`
          })
        }
        checkEnd(row, feed, where)
      }
    })
  })

const checkCount = (table: string, found: number, expected: number, where: string): void => {
  if (found === expected) return
  throw new JournalCorrupt({ where: `${where}, table ${table}`, what: `it has ${found} rows instead of ${expected}` })
}

/** Commits wait here for the next transaction; one fiber writes them, all that wait at once, and ends when none does. */
const makeCommits = (writer: Writer, place: Place, openedAtMillis: number) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const waiting: Array<Waiting> = []
    let isWriting = false
    let sweptAtMillis = openedAtMillis

    /** Of the first so many that wait. */
    const settle = (count: number, outcomeOf: (index: number) => JournalStoreError | undefined) => {
      for (const [index, one] of waiting.splice(0, count).entries()) {
        const refused = outcomeOf(index)
        Deferred.doneUnsafe(one.done, refused === undefined ? Exit.void : Exit.fail(refused))
      }
    }
    const writeGroupOf = (group: ReadonlyArray<Waiting>) => (session: Session) => {
      const commits = group.map(({ commit }) => commit)
      return writeGroup(session, place, commits).pipe(
        Effect.tapError((error) =>
          Effect.sync(() =>
            isPassingFailure(error) ? undefined : settle(group.length, () => commitError(place, error))
          )
        ),
        Effect.map((conflicts) =>
          settle(group.length, (index) => conflicts[index] && new JournalStoreError({ reason: conflicts[index] }))
        )
      )
    }
    const writeAll = Effect.gen(function* () {
      // those that begin with the first one are there a moment later
      yield* Effect.yieldNow
      while (waiting.length > 0) {
        const group = groupOf(waiting)
        yield* writer.change(writeGroupOf(group)).pipe(
          // what could not even begin is as true of all that wait
          Effect.catch((error) => Effect.sync(() => settle(waiting[0] === group[0] ? waiting.length : 0, () => error)))
        )
      }
    }).pipe(
      Effect.onExit(() =>
        Effect.sync(() => {
          isWriting = false
          settle(waiting.length, () => closedError)
        })
      )
    )
    const sweep = (nowMillis: number) =>
      Effect.suspend(() => {
        if (nowMillis - sweptAtMillis < sweepEveryMillis) return Effect.void
        sweptAtMillis = nowMillis
        const remove = writer.change(({ connection }) =>
          ask(connection, sql.removeResults, nowMillis - resultsKeptMillis)
        )
        // What could not be forgotten now is the next time.
        return Effect.ignore(remove)
      })
    return (commit: Commit): Effect.Effect<void, JournalStoreError> =>
      Effect.suspend(() => {
        if (writer.isClosed()) return closed
        const one: Waiting = { commit: encode(commit), done: Deferred.makeUnsafe() }
        waiting.push(one)
        const isFirst = !isWriting
        isWriting = true
        const written = isFirst
          ? Effect.andThen(Effect.forkIn(writeAll, scope), Deferred.await(one.done))
          : Deferred.await(one.done)
        return one.commit.results.length === 0
          ? written
          : Effect.andThen(written, Effect.flatMap(Clock.currentTimeMillis, sweep))
      })
  })

/** The next transaction: a commit that begins feeds elsewhere looks at what is stored of them, so it is alone. */
const groupOf = (waiting: ReadonlyArray<Waiting>): ReadonlyArray<Waiting> => {
  const next = waiting.slice(0, groupCommitsMax)
  const lone = next.findIndex(({ commit }) => commit.starts.length > 0)
  return lone < 0 ? next : next.slice(0, Math.max(1, lone))
}

interface Waiting {
  readonly commit: Encoded
  readonly done: Deferred.Deferred<void, JournalStoreError>
}

const commitError = (place: Place, error: SqlError | NotBegun | JournalCorrupt): JournalStoreError => {
  if (error instanceof JournalCorrupt) return new JournalStoreError({ reason: error })
  if (error instanceof NotBegun) return errorOf(place, error.error)
  const known = errorOf(place, error)
  if (!isLost(error)) return known
  const what = `${known.message}; whether the commit took place is unknown until feeds is asked again`
  return new JournalStoreError({ reason: new JournalUnavailable({ what }) })
}

const replaceRuns = (connection: PgConnection, { where }: Place, space: SpaceId, run: PackedRun) =>
  Effect.gen(function* () {
    const { feed, first, last, previous, hash } = run
    const ids = [toBytes(space), toBytes(feed)]
    const refused = (what: string) => Effect.fail(new JournalConflict({ feed, what }))
    const [, rows = []] = yield* asked([
      ask(connection, "BEGIN"),
      ask(connection, sql.runsWithin, ...ids, first, Math.max(0, last))
    ])
    const stored = yield* attempt(() =>
      rows.flatMap((row) => runsFrom(row, feed, integerOf(row, "first", `${where}, table runs`), undefined, where))
    )
    const [begin, final] = [stored.find((one) => one.first === first), stored.find((one) => one.last === last)]
    if (begin === undefined || final === undefined || last < first || isDropped(begin)) {
      return yield* refused(`no stored runs hold exactly entries ${first} to ${last}`)
    }
    if (begin.previous !== previous) return yield* refused(`the hash before entry ${first} differs`)
    if (final.hash !== hash) return yield* refused(`the hash of entry ${last} differs`)
    const remove = ask(connection, sql.removeRuns, ...ids, stored[0]!.first, last)
    // runs on either side that shared a row with some of these stay beside it
    const beside = (isOf: (one: StoredRun) => boolean) => rowsOf(space, stored.filter(isOf).map(packedRun))
    const kept = [...beside((one) => one.last < first), ...rowsOf(space, [run]), ...beside((one) => one.first > last)]
    yield* end(connection, [remove, ask(connection, sql.addRuns, ...columns(kept))])
  })
