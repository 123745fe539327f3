/** What who runs a server sees of it: probes and metrics on a port of its own, also while its database is away. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { request } from "node:http"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { password } from "../handlers/postgresCluster.ts"
import { aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"
import { parse } from "./web/exposition.ts"

const cluster = clusterOfFile()
afterAll(stopAll)

interface Checked {
  readonly status: number
  readonly ok: boolean
  readonly checks: ReadonlyArray<{ readonly name: string; readonly ok: boolean; readonly reason: string }>
}

const readyz = async (base: unknown): Promise<Checked> => {
  const answer = await fetch(`${String(base)}/readyz`)
  return { status: answer.status, ...JSON.parse(await answer.text()) }
}

const until = async (base: unknown, status: number): Promise<Checked> => {
  const begin = performance.now()
  for (;;) {
    const answer = await readyz(base)
    if (answer.status === status) return answer
    if (performance.now() - begin > 20_000) throw new Error(`still ${answer.status}: ${JSON.stringify(answer)}`)
    await sleep(200)
  }
}

describe("a server whose database goes away", { timeout: 120_000 }, () => {
  it("is not ready and says why, and is ready again with all that it acknowledged", async () => {
    const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres", DATABASE_URL: Redacted.value(cluster.url) }
    const data = join(folder(), "alice")
    const server = await serve(["--data", data, "--port", "0"], { env })
    const base = server.ready["management"]
    const add = (title: string) =>
      aura(["perform", "add", JSON.stringify({ title }), "--data", data, "--json"], { env })
    assert.strictEqual((await readyz(base)).status, 200)
    assert.strictEqual((await add("before")).code, 0)

    await cluster.kill()
    const red = await until(base, 503)
    const journal = red.checks.find(({ name }) => name === "journal")
    assert.include(journal?.reason, `the database 127.0.0.1:${cluster.port}/postgres`)
    assert.deepStrictEqual(
      red.checks.filter(({ ok }) => !ok).map(({ name }) => name),
      ["journal"]
    )
    assert.notInclude(JSON.stringify(red), password)
    assert.notInclude(JSON.stringify(red), encodeURIComponent(password))
    const refused = await add("meanwhile")
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stdout, "unavailable")
    assert.strictEqual((await fetch(`${String(base)}/healthz`)).status, 200)

    await cluster.start()
    await until(base, 200)
    assert.strictEqual((await add("after")).code, 0)
    const told = await aura(["state", "--data", data, "--json"], { env })
    const { tasks } = json(told)[0]!["state"] as { readonly tasks: Record<string, { readonly title: string }> }
    const titles = Object.values(tasks).map(({ title }) => title)
    assert.includeMembers(titles, ["before", "after"])

    const status = json(await aura(["status", "--data", data, "--json"], { env }))[0]!
    assert.include(status["journal"], { kind: "postgres", entriesInHour: null })
    assert.isAbove((status["journal"] as { readonly bytes: number }).bytes, 0)
    assert.isTrue((status["readiness"] as Checked["checks"]).every(({ ok }) => ok))
    assert.strictEqual((await stop(server)).code, 0)
  })
})

describe("a doctor", { timeout: 120_000 }, () => {
  it("tries the database in a schema that is gone afterwards, and touches nothing else", async () => {
    const env = {
      AURA_APP: exampleApp,
      AURA_JOURNAL__KIND: "postgres",
      AURA_WRAP__JOURNAL: "metrics,faults",
      AURA_WRAP__FAULT_PERCENT: "0",
      DATABASE_URL: Redacted.value(cluster.url)
    }
    const data = join(folder(), "erin")
    await stop(await serve(["--data", data, "--port", "0"], { env }))
    const before = await schemas()
    const rows = await rowsOf(before)
    const told = await aura(["doctor", "--data", data, "--json"], { env })
    assert.strictEqual(told.code, 0, told.stdout)
    const findings = json(told)
    const found = findings.find(({ check }) => check === "journal in the database")
    assert.strictEqual(found?.["verdict"], "good", JSON.stringify(found))
    assert.isAbove(Number(found?.["millis"]), 0)
    assert.isDefined(findings.find(({ check }) => check === "commits there")?.["millis"])
    assert.deepStrictEqual(await schemas(), before)
    assert.deepStrictEqual(await rowsOf(before), rows)
    assert.notInclude(told.stdout + told.stderr, encodeURIComponent(password))
  })
})

const schemas = async (): Promise<ReadonlyArray<string>> => {
  const rows = await cluster.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'aura%' ORDER BY 1")
  return rows.map(({ nspname }) => String(nspname))
}

/** Runs of every journal: what nobody but its owner may add to. */
const rowsOf = async (names: ReadonlyArray<string>) => {
  const counts: Array<string> = []
  for (const name of names)
    counts.push(
      JSON.stringify(await cluster.run(`SELECT md5(string_agg(r::text, '' ORDER BY r)) FROM "${name}".runs r`))
    )
  return counts
}

describe("the management listener", { timeout: 60_000 }, () => {
  it("has the promised metrics, and answers addresses alone", async () => {
    const data = join(folder(), "bob")
    const env = { AURA_APP: exampleApp, AURA_MANAGEMENT__LISTEN: "127.0.0.1:0", AURA_WRAP__JOURNAL: "metrics,retry" }
    const server = await serve(["--data", data, "--port", "0"], { env })
    const base = String(server.ready["management"])
    assert.strictEqual((await aura(["perform", "add", '{"title":"milk"}', "--data", data], { env })).code, 0)
    const families = parse(await (await fetch(`${base}/metrics`)).text())
    const names = families.map(({ name }) => name)
    assert.includeMembers(names, [
      "aura_operations_total",
      "aura_operation_duration_seconds",
      "aura_journal_entries_total",
      "aura_network_latency_seconds",
      "aura_store_duration_seconds",
      "aura_ready"
    ])
    const stored = families.find(({ name }) => name === "aura_store_duration_seconds")
    assert.isTrue(stored?.samples.some(({ labels }) => labels["method"] === "commit" && labels["outcome"] === "ok"))
    const rebound = await new Promise<number | undefined>((done) => {
      request(`${base}/metrics`, { headers: { host: "mallory.example" } }, (answer) => {
        answer.resume()
        done(answer.statusCode)
      }).end()
    })
    assert.strictEqual(rebound, 403)
    assert.strictEqual((await fetch(`${base}/readyz`, { method: "POST" })).status, 405)
    assert.strictEqual((await fetch(`${base}/`)).status, 404)
    await stop(server)
  })

  it("may be turned off, and an address that is taken is told unless nobody named it", async () => {
    const env = { AURA_APP: exampleApp }
    const off = await serve(["--data", join(folder(), "carol"), "--port", "0"], {
      env: { ...env, AURA_MANAGEMENT__LISTEN: "off" }
    })
    assert.strictEqual(off.ready["management"], null)
    await stop(off)
    const first = await serve(["--data", join(folder(), "one"), "--port", "0"], { env })
    const second = await serve(["--data", join(folder(), "two"), "--port", "0"], { env })
    assert.notStrictEqual(first.ready["management"], second.ready["management"])
    const taken = await aura(["serve", "--json", "--http", "0", "--port", "0", "--data", join(folder(), "three")], {
      env: { ...env, AURA_MANAGEMENT__LISTEN: String(first.ready["management"]).replace("http://", "") }
    })
    assert.strictEqual(taken.code, 1)
    assert.include(taken.stdout, "ManagementNotListening")
  })
})
