/**
 * Three servers whose journals are in one database, in real processes on a real PostgreSQL. While clients perform at each of
 * them, servers die by `kill -9` and come back, and the database does. Each client asks again, with the same key, until it
 * is answered: nothing that was answered is missing anywhere afterwards, nothing was done twice, and no feed forked.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Chance from "../../src/simulation/Chance.ts"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { addAt, aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

const operationsEach = 150
const levelMillis = 20_000

const cluster = clusterOfFile()
afterAll(stopAll)

type Server = Awaited<ReturnType<typeof serve>>

describe("three servers on one database", () => {
  it("lose nothing that was answered, and do nothing twice", { timeout: 150_000 }, async () => {
    const chance = Chance.make(20_261_124, "fleet")
    const home = folder()
    const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres", DATABASE_URL: Redacted.value(cluster.url) }
    const places = ["first", "second", "third"].map((name) => join(home, name))
    const launch = (data: string): Promise<Server> => serve(["--data", data, "--port", "0"], { env })
    const servers: Array<Server> = [await launch(places[0]!)]
    for (const data of places.slice(1)) {
      const paired = json(await aura(["pair", "--data", places[0]!, "--json"], { env }))[0]!
      const joined = await aura(["join", String(paired["code"]), "--data", data, "--json"], { env })
      assert.strictEqual(joined.code, 0, joined.stdout + joined.stderr)
      servers.push(await launch(data))
    }

    let answered = 0
    const client = async (index: number) => {
      for (let count = 0; count < operationsEach; count++) {
        const title = `${index} ${count}`
        while ((await addAt(places[index]!, title, title)) === undefined) await sleep(20)
        answered++
      }
    }
    const until = async (share: number) => {
      while (answered < share * places.length * operationsEach) await sleep(5)
    }
    const killServer = async (index: number) => {
      await stop(servers[index]!, "SIGKILL")
      servers[index] = await launch(places[index]!)
    }
    const faults = async () => {
      for (const [share, victim] of [
        [0.1, 0],
        [0.25, 1],
        [0.55, 2],
        [0.8, 0]
      ] as const) {
        await until(share + chance.fraction() / 20)
        await killServer(victim)
        if (share !== 0.25) continue
        await until(0.4)
        await cluster.kill()
        await sleep(chance.between(200, 1_500))
        await cluster.start()
      }
    }
    await Promise.all([...places.map((_, index) => client(index)), faults()])

    const expected = places.flatMap((_, index) =>
      Array.from({ length: operationsEach }, (_, count) => `${index} ${count}`)
    )
    const began = Date.now()
    const states = await Promise.all(
      places.map(async (data) => {
        for (;;) {
          const titles = await titlesOf(data, env)
          if (titles.length >= expected.length) return titles
          assert.isBelow(Date.now() - began, levelMillis, `${data} did not get everything`)
          await sleep(100)
        }
      })
    )
    for (const titles of states) assert.deepStrictEqual(titles, expected.toSorted())
    for (const [index, server] of servers.entries()) {
      assert.strictEqual((await stop(server)).code, 0)
      const verified = json(await aura(["journal", "verify", "--data", places[index]!, "--json"], { env }))[0]!
      assert.deepInclude(verified, { ok: true, forks: 0 })
    }
  })
})

const titlesOf = async (data: string, env: Readonly<Record<string, string>>): Promise<ReadonlyArray<string>> => {
  const told = await aura(["state", "--data", data, "--json"], { env })
  if (told.code !== 0) return []
  const { tasks } = json(told)[0]!["state"] as { readonly tasks: Record<string, { readonly title: string }> }
  return Object.values(tasks)
    .map(({ title }) => title)
    .toSorted()
}
