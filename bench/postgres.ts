/**
 * The journal on PostgreSQL beside what its driver does by itself: rows of the same writes in a table, put there by one
 * insert of many rows and a sync of the server's log. One server of its own for each figure, in the file system of this
 * run; its start does not count. A server's process runs for long, so each side does all of its work once before the clock starts,
 * on another server: what is compiled on the way does not count, for neither.
 *
 * `append-postgres` and `catch-up-postgres` ask the store alone, with runs that are made and signed before the clock starts: one
 * entry each with 64 commits waiting, and as many entries each as a peer may send. The other two ask whole agents.
 */
import type { Cluster } from "../test/handlers/postgresCluster.ts"
import type { Question, Side } from "./question.ts"
import { appendPerSecond, catchUpPerSecond } from "./timing.ts"

const rows = "nothing: keys and values in a table, each insert acknowledged when the server's log is synced"
const checks = "that each run continues its feed; a digest per row; synchronous_commit=on"

const load = async () => ({ ...(await import("./ours.ts")), ...(await import("./peers/postgres.ts")) })

type Loaded = Awaited<ReturnType<typeof load>>

/** Measured on a server of its own. */
const side = (
  of: Pick<Side, "peer" | "package" | "verifies">,
  measure: (loaded: Loaded, url: Cluster["url"]) => Promise<number>
): Side => ({
  ...of,
  run: async () => {
    const loaded = await load()
    const measured = () => loaded.withServer(({ url }) => measure(loaded, url))
    await measured()
    return measured()
  }
})

const aura = (peer: string, verifies: string) => ({ peer, package: "aura", verifies })
const driver = (what: string, verifies = rows) => ({ peer: `its driver, ${what}`, package: "@effect/sql-pg", verifies })

const insertOf64 = side(driver("an insert of 64 rows"), ({ table }, url) => appendPerSecond(() => table(url)))

const question = (name: string, ours: Side, peer: Side): Question => ({
  question: name,
  unit: "entries/s",
  better: "higher",
  ours,
  peers: [peer]
})

export const questions: ReadonlyArray<Question> = [
  question(
    "append-postgres",
    side(aura("Aura, the store alone", checks), ({ postgresStore }, url) => appendPerSecond(() => postgresStore(url))),
    side(
      driver(
        "an insert of 64 rows of the same bytes",
        "nothing: each insert acknowledged when the server's log is synced"
      ),
      ({ runsOfWrites, tableOfBytes }, url) => {
        const bytes = runsOfWrites(1).runs.map((run) => run.bytes)
        return appendPerSecond(() => tableOfBytes(url, bytes))
      }
    )
  ),
  question(
    "append-postgres-agent",
    side(
      aura("Aura", "each entry decided, chained, each batch signed and committed; synchronous_commit=on"),
      ({ onPostgres }, url) => appendPerSecond(() => onPostgres(url, 1))
    ),
    insertOf64
  ),
  question(
    "catch-up-postgres",
    side(aura("Aura, the store alone", checks), ({ postgresCatchUp }, url) =>
      catchUpPerSecond(() => postgresCatchUp(url))
    ),
    side(driver("an insert of 1 024 rows"), ({ inserted }, url) => catchUpPerSecond(() => inserted(url)))
  ),
  question(
    "catch-up-postgres-agent",
    side(
      aura(
        "Aura, from a neighbour in the database",
        "every hash chain, signature and author's authority; every delta joined; a durable copy of its own"
      ),
      ({ neighboursOnPostgres }, url) => catchUpPerSecond(() => neighboursOnPostgres(url))
    ),
    side(driver("all rows read and inserted by 1 024"), ({ copied }, url) => catchUpPerSecond(() => copied(url)))
  )
]
