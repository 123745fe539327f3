/**
 * The journal on PostgreSQL beside what its driver does by itself: rows of the same writes in a table, put there by one
 * insert of many rows and a sync of the server's log. One server of its own for each figure, in the file system of this
 * run; its start does not count.
 *
 * `append-postgres` and `catch-up-postgres` ask the store alone, with runs that are made and signed before the clock starts: one
 * entry each with 64 commits waiting, and as many entries each as a peer may send. The other two ask whole agents.
 */
import type { Question } from "./question.ts"
import { appendPerSecond, catchUpPerSecond } from "./timing.ts"

const rows = "nothing: keys and values in a table, each insert acknowledged when the server's log is synced"
const checks = "that each run continues its feed; a digest per row; synchronous_commit=on"

const load = async () => ({ ...(await import("./ours.ts")), ...(await import("./peers/postgres.ts")) })

const insertOf64 = {
  peer: "its driver, an insert of 64 rows",
  package: "@effect/sql-pg",
  verifies: rows,
  run: async () => {
    const { table, withServer } = await load()
    return withServer(({ url }) => appendPerSecond(() => table(url)))
  }
}

export const questions: ReadonlyArray<Question> = [
  {
    question: "append-postgres",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura, the store alone",
      package: "aura",
      verifies: checks,
      run: async () => {
        const { postgresStore, withServer } = await load()
        return withServer(({ url }) => appendPerSecond(() => postgresStore(url)))
      }
    },
    peers: [
      {
        peer: "its driver, an insert of 64 rows of the same bytes",
        package: "@effect/sql-pg",
        verifies: "nothing: each insert acknowledged when the server's log is synced",
        run: async () => {
          const { runsOfWrites, tableOfBytes, withServer } = await load()
          const rows = runsOfWrites(1).runs.map(({ bytes }) => bytes)
          return withServer(({ url }) => appendPerSecond(() => tableOfBytes(url, rows)))
        }
      }
    ]
  },
  {
    question: "append-postgres-agent",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "each entry decided, chained, each batch signed and committed; synchronous_commit=on",
      run: async () => {
        const { onPostgres, withServer } = await load()
        return withServer(({ url }) => appendPerSecond(() => onPostgres(url, 1)))
      }
    },
    peers: [insertOf64]
  },
  {
    question: "catch-up-postgres",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura, the store alone",
      package: "aura",
      verifies: checks,
      run: async () => {
        const { postgresCatchUp, withServer } = await load()
        return withServer(({ url }) => catchUpPerSecond(() => postgresCatchUp(url)))
      }
    },
    peers: [
      {
        peer: "its driver, an insert of 1 024 rows",
        package: "@effect/sql-pg",
        verifies: rows,
        run: async () => {
          const { inserted, withServer } = await load()
          return withServer(({ url }) => catchUpPerSecond(() => inserted(url)))
        }
      }
    ]
  },
  {
    question: "catch-up-postgres-agent",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura, from a neighbour in the database",
      package: "aura",
      verifies: "every hash chain, signature and author's authority; every delta joined; a durable copy of its own",
      run: async () => {
        const { neighboursOnPostgres, withServer } = await load()
        return withServer(({ url }) => catchUpPerSecond(() => neighboursOnPostgres(url)))
      }
    },
    peers: [
      {
        peer: "its driver, all rows read and inserted by 1 024",
        package: "@effect/sql-pg",
        verifies: rows,
        run: async () => {
          const { copied, withServer } = await load()
          return withServer(({ url }) => catchUpPerSecond(() => copied(url)))
        }
      }
    ]
  }
]
