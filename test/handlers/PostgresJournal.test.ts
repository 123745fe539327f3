/**
 * The PostgreSQL journal keeps every law of journal stores, on a server of its own. Below them: what only a server and its
 * operators can do to it.
 */
import { afterAll, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JournalPlace, journalPlaceLaws, journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import type { Options } from "../../src/handlers/node/PostgresSession.ts"
import { makeCluster, type Cluster } from "./postgresCluster.ts"

let cluster: Cluster
beforeAll(async () => {
  cluster = await makeCluster()
})
afterAll(() => cluster.remove())

let owners = 0
const freshOwner = (): string => `test ${++owners}`
const optionsOf = (owner: string): Options => ({ url: cluster.url, owner, poolMax: 3 })

describe("PostgresJournal", () => {
  for (const { name, check } of journalStoreLaws) {
    it.effect(name, () => Effect.provide(check, PostgresJournal.layer(optionsOf(freshOwner()))))
  }
  for (const { name, check } of journalPlaceLaws) {
    it.effect(name, () => {
      const owner = freshOwner()
      return Effect.provide(
        check,
        Layer.sync(JournalPlace, () => ({ open: PostgresJournal.make(optionsOf(owner)) }))
      )
    })
  }
})
