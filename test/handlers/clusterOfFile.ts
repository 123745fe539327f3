/** A PostgreSQL server of a test file's own, there while its tests run. */
import { afterAll, beforeAll } from "@effect/vitest"
import { makeCluster, type Cluster } from "./postgresCluster.ts"

/** Called at the top of a file, before hooks that end what uses the server: they run in reverse order. */
export const clusterOfFile = (): Cluster => {
  let made: Cluster | undefined
  beforeAll(async () => {
    made = await makeCluster()
  }, 60_000)
  afterAll(() => made?.remove(), 60_000)
  const cluster = (): Cluster => {
    if (made === undefined) throw new Error("the server is there while tests run")
    return made
  }
  return {
    get url() {
      return cluster().url
    },
    get port() {
      return cluster().port
    },
    start: () => cluster().start(),
    kill: () => cluster().kill(),
    run: (...statements) => cluster().run(...statements),
    remove: () => cluster().remove()
  }
}
