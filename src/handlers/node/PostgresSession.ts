/**
 * Connections of `PostgresJournal`: where a journal lies on a server, who may write it, and what its failures mean.
 *
 * A journal is one schema, "aura_" and the name of its owner, so agents share a database without sharing a table: none can
 * write in another's, and each is brought to a new format by itself. What the others have, they read (PostgresNeighbours.ts). Its writer is one session that holds the advisory lock of the schema: every
 * change goes through that session, so a lock that was lost with its connection can't be written without.
 *
 * Neither a transaction pooler (it hands sessions around, and the lock with them) nor a standby will do.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type * as PgPool from "@effect/sql-pg/PgPool"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import {
  JournalCorrupt,
  JournalFull,
  JournalLocked,
  JournalStoreError,
  JournalTooNew,
  JournalUnavailable
} from "../../effects/JournalStore.ts"
import { createSchema, formatVersion, serverVersionMin } from "./PostgresSchema.ts"
import { tlsOf } from "./PostgresTls.ts"

export interface Options {
  /** `postgres://user:password@host:port/database?sslmode=…` (PostgresTls.ts). Nothing of the password is ever in a message. */
  readonly url: Redacted.Redacted<string>
  /** Which installation's journal it is: 1 to 50 bytes of text. Two agents of one owner exclude each other. */
  readonly owner: string
  /** Connections at most, the writer's and the listener's included; 5 if absent, never less than 3. */
  readonly poolMax?: number
}

/** A journal's place, and how to connect to it. */
export interface Place {
  /** For messages: host, port, database and owner. */
  readonly where: string
  readonly schema: string
  readonly password: string
  readonly writer: PgConnection.Config
  /** Hears what neighbours have written. */
  readonly listener: PgConnection.Config
  readonly readers: PgPool.Config
}

const poolConnections = 5
const ownerBytesMax = 50
/** How long an opening waits for the lock: a server notices only after a moment that a killed agent is gone. */
const lockMillis = 1_000
const statementMillis = 60_000
/** Longer than the server lets a statement take: it, or the way to it, is no more. */
const answerMillis = 90_000
/** For what only tidies up. */
export const tidyMillis = 5_000
/** The driver's default would be less than a checkpoint may have. */
const messageBytesMax = 1024 * 1024 * 1024

/** Where a journal lies. Fails without asking the server anything: what is wrong here, no server can mend. */
export const placeOf = Effect.fnUntraced(function* ({
  url,
  owner,
  poolMax
}: Options): Effect.fn.Return<Place, JournalStoreError> {
  const parsed = URL.parse(Redacted.value(url))
  if (parsed === null || !/^postgres(?:ql)?:$/u.test(parsed.protocol)) {
    return yield* unavailable("the URL of the database is none of the form postgres://user:password@host:port/database")
  }
  const ownerBytes = Buffer.byteLength(owner)
  if (ownerBytes === 0 || ownerBytes > ownerBytesMax || /[\0"]/u.test(owner) || !owner.isWellFormed()) {
    return yield* unavailable(`the owner of a journal is named by 1 to ${ownerBytesMax} bytes of text without quotes`)
  }
  const schema = `aura_${owner}`
  const tls = yield* tlsOf(parsed)
  const config = (parameters: Readonly<Record<string, string>>) => ({
    url,
    ...(tls !== undefined && { ssl: tls }),
    applicationName: `aura ${owner}`,
    connectTimeout: "10 seconds" as const,
    keepAlive: "10 seconds" as const,
    maxMessageSize: messageBytesMax,
    startupParameters: { search_path: `"${schema}"`, statement_timeout: `${statementMillis}`, ...parameters }
  })
  return {
    where: `the database ${parsed.host}${parsed.pathname}, owner ${owner}`,
    schema,
    password: parsed.password,
    // A commit says when it is durable, whatever the server's default is.
    writer: { ...config({ synchronous_commit: "on", lock_timeout: `${lockMillis}` }), multiplex: true },
    listener: config({}),
    readers: {
      ...config({ default_transaction_read_only: "on", default_transaction_isolation: "repeatable read" }),
      maxConnections: Math.max(1, (poolMax ?? poolConnections) - 2)
    }
  }
})

/** Connects, takes the lock and sees to the schema. Both go with the scope. */
export const openWriter = (place: Place): Effect.Effect<PgConnection.PgConnection, JournalStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* understood(place, PgConnection.make(place.writer))
    const key = createHash("sha256").update(place.schema).digest().readBigInt64BE()
    const lock = connection.query("SELECT pg_advisory_lock($1)", [key])
    yield* Effect.acquireRelease(
      Effect.mapError(lock, (error) =>
        codeOf(error) === "55P03"
          ? new JournalStoreError({ reason: new JournalLocked({ where: place.where }) })
          : errorOf(place, error)
      ),
      // At once, where the end of the connection takes the server a moment to notice.
      () => Effect.ignore(answered(connection.query("SELECT pg_advisory_unlock($1)", [key]), tidyMillis))
    )
    yield* expectVersion(place, connection)
    yield* understood(place, createSchema(connection, place.schema))
    const { rows } = yield* understood(place, connection.query("SELECT version FROM journal_format"))
    const found = rows[0]?.["version"]
    if (rows.length !== 1 || typeof found !== "number" || found < 1) {
      const reason = new JournalCorrupt({ where: `${place.where}, table journal_format`, what: "it names no version" })
      return yield* Effect.fail(new JournalStoreError({ reason }))
    }
    if (found > formatVersion) {
      const reason = new JournalTooNew({ where: place.where, found, known: formatVersion })
      return yield* Effect.fail(new JournalStoreError({ reason }))
    }
    return connection
  })

const expectVersion = (place: Place, connection: PgConnection.PgConnection) =>
  Effect.gen(function* () {
    const { rows } = yield* understood(
      place,
      connection.query("SELECT current_setting('server_version_num')::int AS is")
    )
    const version = Math.floor(Number(rows[0]?.["is"]) / 10_000)
    if (version >= serverVersionMin) return
    return yield* unavailable(
      `${place.where}: PostgreSQL ${version} is not supported; use ${serverVersionMin} or a later one`
    )
  })

/** Whether the server keeps what it acknowledged through a power cut. */
export const isDurable = (place: Place, connection: PgConnection.PgConnection) =>
  Effect.map(understood(place, connection.query("SHOW fsync")), ({ rows }) => rows[0]?.["fsync"] === "on")

/** Nothing waits for ever: a way that was cut does not say so. */
export const answered = <A>(query: Effect.Effect<A, SqlError>, millis = answerMillis): Effect.Effect<A, SqlError> =>
  Effect.timeoutOrElse(query, {
    duration: millis,
    orElse: () => {
      const message = `no answer in ${millis / 1_000} seconds`
      return Effect.fail(new SqlError({ reason: new ConnectionError({ cause: new Error(message), message }) }))
    }
  })

/** The driver's errors as those of the contract. */
export const understood = <A, R>(
  place: Place,
  work: Effect.Effect<A, SqlError, R>
): Effect.Effect<A, JournalStoreError, R> => Effect.mapError(work, (error) => errorOf(place, error))

export const errorOf = (place: Place, error: SqlError): JournalStoreError =>
  new JournalStoreError({ reason: reasonOf(place, error) })

const reasonOf = (place: Place, error: SqlError): JournalStoreError["reason"] => {
  const { where } = place
  const code = codeOf(error) ?? ""
  const said = saidBy(place, error)
  const unavailable = (what: string) => new JournalUnavailable({ what: `${where}: ${what} (${said})` })
  if (code === "53100") return new JournalFull({ what: `${where}: ${said}` })
  if (code === "53300") return unavailable("it has no connection left; raise its max_connections, or lower poolMax")
  if (code.startsWith("57P")) return unavailable("the server is shutting down or starting; try again when it runs")
  if (code.startsWith("28")) return unavailable("it refuses the role or its password; look at the database's URL")
  if (code === "3D000") return unavailable("there is no such database; create it")
  if (code === "25006") return unavailable("it is read-only; name the primary in the database's URL")
  if (code === "42501") return unavailable("the role lacks a right; grant it CREATE on the database, and its schema")
  if (code === "55P03") return unavailable("another session holds a lock on the tables; end it")
  // The statements are fixed, so these can only come from what is stored.
  if (/^(?:2[23]|42)/u.test(code)) return new JournalCorrupt({ where, what: said })
  if (isSqlState(code)) return unavailable("it refuses")
  return unavailable("no connection; see that the server runs and that the database's URL names it")
}

/** The connection was gone before anything was asked of it: nothing was written, and another one may do. */
export class NotBegun extends Data.TaggedError("NotBegun")<{ readonly error: SqlError }> {}

/** What a transaction's first statements failed with. */
export const beginError = (error: SqlError): SqlError | NotBegun => (isLost(error) ? new NotBegun({ error }) : error)

/** Whether nothing more can be asked of the connection that failed so. */
export const isLost = (error: SqlError): boolean => {
  const code = codeOf(error) ?? ""
  return !isSqlState(code) || code.startsWith("08") || code.startsWith("57P")
}

/** Whether the same transaction may well succeed the next time. */
export const isPassing = (error: SqlError): boolean => ["40001", "40P01"].includes(codeOf(error) ?? "")

/** What a statement says that checks what it finds, and finds something else. */
export const isDivisionByZero = (error: SqlError): boolean => codeOf(error) === "22012"

const isSqlState = (code: string): boolean => /^[0-9A-Z]{5}$/u.test(code)

/** The SQLSTATE of what the server said, or the name that the system has for what happened. */
const codeOf = ({ reason: { cause } }: SqlError): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

const saidBy = ({ password }: Place, { reason }: SqlError): string => {
  const said = reason.cause instanceof Error && reason.cause.message !== "" ? reason.cause.message : reason.message
  return [password, decoded(password)].reduce((text, secret) => (secret ? text.replaceAll(secret, "…") : text), said)
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const unavailable = (what: string) => Effect.fail(new JournalStoreError({ reason: new JournalUnavailable({ what }) }))
