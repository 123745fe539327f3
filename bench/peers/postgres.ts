/** A table of keys and values on a PostgreSQL server, written and read by the driver that Aura uses, and nothing else. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type * as Redacted from "effect/Redacted"
import { makeCluster, type Cluster } from "../../test/handlers/postgresCluster.ts"
import type { Pair, Replica, Writer } from "../question.ts"
import { writes, type Write } from "../workload.ts"

type Url = Redacted.Redacted<string>

/** A server as it comes, for as long as the work takes. */
export const withServer = async (work: (cluster: Cluster) => Promise<number>): Promise<number> => {
  const cluster = await makeCluster()
  try {
    return await work(cluster)
  } finally {
    await cluster.remove()
  }
}

const rowsPerInsert = 1024

interface Connected {
  readonly query: (sql: string, ...parameters: ReadonlyArray<unknown>) => Promise<ReadonlyArray<PgConnection.Row>>
  readonly close: () => Promise<void>
}

const connect = async (url: Url): Promise<Connected> => {
  const scope = await Effect.runPromise(Scope.make())
  const connection = await Effect.runPromise(
    Scope.provide(PgConnection.make({ url, startupParameters: { synchronous_commit: "on" } }), scope)
  )
  return {
    query: async (sql, ...parameters) => (await Effect.runPromise(connection.query(sql, parameters))).rows,
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const create = (name: string): string => `CREATE TABLE ${name}(number bigint PRIMARY KEY, key text, value text)`

const insert = (
  { query }: Connected,
  name: string,
  first: number,
  rows: ReadonlyArray<Write>
): Promise<ReadonlyArray<PgConnection.Row>> =>
  query(
    `INSERT INTO ${name} SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])`,
    rows.map((_, index) => BigInt(first + index)),
    rows.map(({ key }) => key),
    rows.map(({ value }) => value)
  )

const shown = (entries: ReadonlyMap<string, string>, close: () => Promise<void>): Replica => ({
  read: (key) => entries.get(key),
  size: () => entries.size,
  close
})

export const table = async (url: Url): Promise<Writer> => {
  const connection = await connect(url)
  await connection.query(create("entries"))
  const entries = new Map<string, string>()
  return {
    append: async (batch) => {
      await insert(connection, "entries", entries.size, batch)
      for (const { key, value } of batch) entries.set(key, value)
    },
    ...shown(entries, connection.close)
  }
}

/** The same with the bytes of a row for each write, under a key of two ids and a number. */
export const tableOfBytes = async (url: Url, rows: ReadonlyArray<Uint8Array>): Promise<Writer> => {
  const connection = await connect(url)
  await connection.query(
    "CREATE TABLE entries(space bytea, feed bytea, number bigint, bytes bytea, PRIMARY KEY(space, feed, number))"
  )
  const entries = new Map<string, string>()
  const id = new Uint8Array(32).fill(1)
  return {
    append: async (batch) => {
      const [first, due] = [entries.size, rows.slice(entries.size, entries.size + batch.length)]
      const ids = due.map(() => id)
      await connection.query(
        "INSERT INTO entries SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[])",
        ids,
        ids,
        due.map((_, index) => BigInt(first + index)),
        due
      )
      for (const { key, value } of batch) entries.set(key, value)
    },
    ...shown(entries, connection.close)
  }
}

/** One table that holds the writes, one that is empty; the second gets all of the first's. */
export const copied = async (url: Url): Promise<Pair> => {
  const connection = await connect(url)
  await connection.query(create("entries"))
  await connection.query(create("copies"))
  for (let first = 0; first < writes.length; first += rowsPerInsert)
    await insert(connection, "entries", first, writes.slice(first, first + rowsPerInsert))
  return {
    catchUp: async () => {
      const entries = new Map<string, string>()
      for (let first = 0; ; first += rowsPerInsert) {
        const rows = await connection.query(
          "SELECT key, value FROM entries WHERE number >= $1 ORDER BY number LIMIT $2",
          BigInt(first),
          BigInt(rowsPerInsert)
        )
        if (rows.length === 0) return shown(entries, async () => undefined)
        const read = rows.map(({ key, value }) => ({ key: String(key), value: String(value) }))
        await insert(connection, "copies", first, read)
        for (const { key, value } of read) entries.set(key, value)
      }
    },
    close: connection.close
  }
}

/** All writes, from where they are in memory, by inserts of many rows. */
export const inserted = async (url: Url): Promise<Pair> => {
  const connection = await connect(url)
  await connection.query(create("entries"))
  return {
    catchUp: async () => {
      const entries = new Map<string, string>()
      for (let first = 0; first < writes.length; first += rowsPerInsert) {
        const rows = writes.slice(first, first + rowsPerInsert)
        await insert(connection, "entries", first, rows)
        for (const { key, value } of rows) entries.set(key, value)
      }
      return shown(entries, async () => undefined)
    },
    close: connection.close
  }
}
