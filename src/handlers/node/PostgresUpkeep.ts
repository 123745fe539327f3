/** What is asked about a journal in a database from outside of it: how large it is, and that one for trials be gone. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type { JournalStoreError } from "../../effects/JournalStore.ts"
import { answered, placeOf, understood, type Options, type Place } from "./PostgresSession.ts"

/** Owners of journals for trials begin so; none else is ever removed. */
export const trialPrefix = "doctor-"

/** Bytes of its tables and indexes on the server. */
export const bytesOf = (options: Options): Effect.Effect<number, JournalStoreError> =>
  asked(options, ({ schema }, connection) =>
    Effect.map(connection.query(sizeStatement, [schema]), ({ rows }) => Number(rows[0]?.["bytes"] ?? 0))
  )

const sizeStatement = `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`

/** Removes a journal for trials with all that is in it; one of another name is a mistake of the caller. */
export const removeTrial = (options: Options): Effect.Effect<void, JournalStoreError> => {
  if (!options.owner.startsWith(trialPrefix)) throw new Error(`${options.owner} is no journal for trials`)
  return asked(options, ({ schema }, connection) =>
    Effect.asVoid(connection.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`))
  )
}

const asked = <A>(
  options: Options,
  work: (place: Place, connection: PgConnection.PgConnection) => Effect.Effect<A, SqlError>
): Effect.Effect<A, JournalStoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const place = yield* placeOf(options)
      return yield* understood(
        place,
        Effect.flatMap(PgConnection.make(place.writer), (connection) => answered(work(place, connection)))
      )
    })
  )
