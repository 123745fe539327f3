/**
 * The journals that other agents keep in the same PostgreSQL database, each a schema of its own: read, never written.
 *
 * Which they are, the database decides: every schema of a journal whose tables this agent's role may read. Operators who
 * want agents of one database kept apart give each a role of its own. Reading goes over the journal's own connections, one
 * transaction each time; one connection more listens for notices (PostgresNotice.ts).
 */
import * as Pg from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { SqlError } from "effect/sql/SqlError"
import { JournalCorrupt, JournalStoreError, JournalTooNew, type JournalConflict } from "../../effects/JournalStore.ts"
import { Neighbours, type Change } from "../../effects/Neighbours.ts"
import { toBytes } from "../../identity/Id.ts"
import { localFrom, utf8 } from "./JournalRows.ts"
import { attempt } from "./PostgresCommit.ts"
import { changeOf, channel } from "./PostgresNotice.ts"
import { feedsFrom, runsOfSnapshot } from "./PostgresReading.ts"
import { ask, sql } from "./PostgresRows.ts"
import { formatVersion } from "./PostgresSchema.ts"
import { answered, errorOf, type NotBegun, type Place } from "./PostgresSession.ts"

type Failure = SqlError | NotBegun | JournalCorrupt | JournalConflict | JournalStoreError
type Look = <A>(work: (connection: Pg.PgConnection) => Effect.Effect<A, Failure>) => Effect.Effect<A, JournalStoreError>

/** Between attempts to listen again. */
const pauses = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")]).pipe(Schedule.jittered)

export const neighboursOf = (place: Place, look: Look): Neighbours["Service"] => {
  /** Reads among the tables of a neighbour, in one snapshot. */
  const lookAt = <A>(
    neighbour: string,
    work: (connection: Pg.PgConnection, there: Place) => Effect.Effect<A, Failure>
  ): Effect.Effect<A, JournalStoreError> => {
    const there = { ...place, schema: neighbour, where: `${place.where}, beside it ${neighbour}` }
    return look((connection) =>
      Effect.acquireUseRelease(
        ask(connection, "BEGIN"),
        () =>
          Effect.andThen(goTo(connection, there), work(connection, there)).pipe(
            Effect.mapError((error) => (error instanceof SqlError ? errorOf(there, error) : error))
          ),
        () => Effect.ignore(ask(connection, "COMMIT"))
      )
    )
  }
  return Neighbours.of({
    listen: (listener) => Effect.asVoid(Effect.forkScoped(listenOn(place, listener))),
    names: look((connection) =>
      Effect.map(answered(connection.query(readable, [place.schema])), ({ rows }) =>
        rows.flatMap(({ name }) => (typeof name === "string" ? [name] : []))
      )
    ),
    feeds: (neighbour, space, only) =>
      lookAt(neighbour, (connection, there) =>
        Effect.gen(function* () {
          const rows =
            only === undefined
              ? yield* ask(connection, sql.feeds, toBytes(space))
              : yield* ask(connection, sql.feedsOf, toBytes(space), only.map(toBytes))
          return yield* attempt(() => feedsFrom(rows, space, there))
        })
      ),
    local: (neighbour, space, name) =>
      lookAt(neighbour, (connection, there) =>
        Effect.gen(function* () {
          const { rows } = yield* answered(connection.query("SELECT has_table_privilege('locals', 'SELECT') AS may"))
          if (rows[0]?.["may"] !== true) return Option.none<Uint8Array>()
          const [row] = yield* ask(connection, sql.local, toBytes(space), utf8(name))
          return yield* attempt(() =>
            Option.map(Option.fromUndefinedOr(row), (found) => localFrom(found, space, there.where))
          )
        })
      ),
    read: (neighbour, space, feed, from, bytesMax) =>
      lookAt(neighbour, (connection, there) => runsOfSnapshot(connection, there, { space, feed, from, bytesMax }))
  })
}

/** Schemas of journals, but for the agent's own, of which its role may read what is read here. */
const readable = `SELECT n.nspname::text AS name FROM pg_namespace n
  WHERE starts_with(n.nspname, 'aura_') AND n.nspname <> $1 AND has_schema_privilege(n.oid, 'USAGE')
    AND (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
      AND c.relname IN ('journal_format', 'feeds', 'runs') AND has_table_privilege(c.oid, 'SELECT')) = 3
  ORDER BY n.nspname`

/** Makes the neighbour's tables those that statements name, until the transaction ends. */
const goTo = (connection: Pg.PgConnection, { schema, where }: Place) =>
  Effect.gen(function* () {
    yield* answered(connection.query("SELECT set_config('search_path', quote_ident($1), true)", [schema]))
    const { rows } = yield* answered(connection.query("SELECT version FROM journal_format"))
    const found = rows[0]?.["version"]
    if (found === formatVersion) return
    const reason =
      typeof found === "number" && found > formatVersion
        ? new JournalTooNew({ where, found, known: formatVersion })
        : new JournalCorrupt({ where: `${where}, table journal_format`, what: "it names no version" })
    return yield* Effect.fail(new JournalStoreError({ reason }))
  })

/** Listens for ever; each time that it begins to, anything may have been missed. */
const listenOn = (place: Place, listener: (change: Change) => void): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* Pg.make(place.listener)
      const notices = yield* connection.listen(channel)
      listener({ _tag: "Anything" })
      while (true) {
        const { payload } = yield* Queue.take(notices)
        const change = changeOf(payload, place.schema)
        if (change !== undefined) listener(change)
      }
    })
  ).pipe(
    Effect.tapError((error) =>
      Effect.logDebug("notices of other agents are not heard now", errorOf(place, error).message)
    ),
    Effect.retry(pauses),
    Effect.ignore
  )
