/** The journal of a device in a database, chosen by settings alone, in real processes and on a real server. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import { password } from "../handlers/postgresCluster.ts"
import { aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

const cluster = clusterOfFile()
afterAll(stopAll)

const settings = () => ({
  AURA_APP: exampleApp,
  AURA_JOURNAL__KIND: "postgres",
  DATABASE_URL: Redacted.value(cluster.url)
})

const titlesIn = async (data: string): Promise<ReadonlyArray<string>> => {
  const told = await aura(["state", "--data", data, "--json"], { env: settings() })
  assert.strictEqual(told.code, 0, told.stdout + told.stderr)
  const { tasks } = json(told)[0]!["state"] as { readonly tasks: Record<string, { readonly title: string }> }
  return Object.values(tasks)
    .map(({ title }) => title)
    .toSorted()
}

const add = (data: string, title: string) =>
  aura(["perform", "add", JSON.stringify({ title }), "--data", data, "--json"], { env: settings() })

describe("a journal on PostgreSQL", () => {
  it("is chosen by settings alone, and holds what the device wrote", { timeout: 120_000 }, async () => {
    const data = join(folder(), "alice")
    const server = await serve(["--data", data, "--port", "0"], { env: settings() })
    assert.strictEqual((await add(data, "milk")).code, 0, "by the running server")
    const ended = await stop(server)
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual((await add(data, "bread")).code, 0, "by the command itself")
    assert.deepStrictEqual(await titlesIn(data), ["bread", "milk"])
    assert.isFalse(existsSync(join(data, "journal.sqlite")))
    const verified = await aura(["journal", "verify", "--data", data, "--json"], { env: settings() })
    assert.strictEqual(json(verified)[0]!["ok"], true, verified.stdout)
  })

  it("goes by a file to a journal in SQLite, and by a backup into a database again", { timeout: 120_000 }, async () => {
    const home = folder()
    const [data, copy, moved] = [join(home, "carol"), join(home, "copy"), join(home, "moved")]
    const [exported, backup] = [join(home, "journal.archive"), join(home, "backup")]
    const env = settings()
    const server = await serve(["--data", data, "--port", "0"], { env })
    assert.strictEqual((await add(data, "milk")).code, 0)
    for (const [words, file] of [
      [["journal", "export"], exported],
      [["backup"], backup]
    ] as const)
      assert.strictEqual((await aura([...words, file, "--data", data], { env })).code, 0)
    await stop(server)

    const inSqlite = { AURA_APP: exampleApp }
    const told = await aura(["journal", "import", exported, "--data", copy, "--json"], { env: inSqlite })
    assert.deepInclude(json(told)[0], { ok: true, stored: 2, leftOut: [] }, told.stdout)
    assert.isTrue(existsSync(join(copy, "journal.sqlite")))
    const back = join(home, "back")
    assert.strictEqual((await aura(["journal", "export", back, "--data", copy], { env: inSqlite })).code, 0)
    const joined = await aura(["journal", "import", back, "--data", join(home, "other"), "--json"], { env })
    assert.deepInclude(json(joined)[0], { ok: true, stored: 2 }, "into a schema of a device's own")
    assert.deepStrictEqual(await titlesIn(join(home, "other")), ["milk"])

    // the database outlived the directory: what it has joins what the backup has, and no feed is continued
    const restored = await aura(["restore", backup, "--data", moved, "--json"], { env })
    assert.strictEqual(restored.code, 0, restored.stdout)
    assert.isFalse(existsSync(join(moved, "journal.sqlite")))
    assert.strictEqual((await add(moved, "bread")).code, 0)
    assert.deepStrictEqual(await titlesIn(moved), ["bread", "milk"])
    const log = json(await aura(["journal", "log", "--type", "tasks.add", "--data", moved, "--json"], { env }))
    assert.strictEqual(new Set(log.map(({ feed }) => feed)).size, 2)
  })

  it(
    "that is away is told with what to do and no password, and is there again afterwards",
    { timeout: 120_000 },
    async () => {
      const data = join(folder(), "bob")
      const server = await serve(["--data", data, "--port", "0"], { env: settings() })
      assert.strictEqual((await add(data, "milk")).code, 0)
      await stop(server)
      await cluster.kill()
      const refused = await add(data, "bread")
      assert.notStrictEqual(refused.code, 0)
      assert.match(refused.stdout + refused.stderr, /unavailable/u)
      assert.notInclude(refused.stdout + refused.stderr, password)
      assert.notInclude(refused.stdout + refused.stderr, encodeURIComponent(password))
      await cluster.start()
      assert.deepStrictEqual(await titlesIn(data), ["milk"])
    }
  )

  it("without a database is a mistake of usage that says what is missing", async () => {
    const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres" }
    const told = await aura(["state", "--data", join(folder(), "carol"), "--json"], { env })
    assert.strictEqual(told.code, 2, told.stdout)
    assert.include(told.stdout, "journal.url is missing: journal.kind is postgres")
  })
})
