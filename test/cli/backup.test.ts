/**
 * The drill: a server is backed up while it works, dies, and its directory is destroyed; it comes back from the backup, and
 * the device that knows more of it than it does itself joins in again. Nothing that was answered before the backup is
 * missing, nothing that the other device had is, no feed forks, and both have one state.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { addAt, aura, exampleApp, folder, json, serve, stop, stopAll } from "./aura.ts"

afterAll(stopAll)

const env = { AURA_APP: exampleApp }

const titlesIn = async (data: string): Promise<ReadonlyArray<string>> => {
  const { tasks } = json(await aura(["state", "--data", data, "--json"], { env }))[0]!["state"] as {
    readonly tasks: Record<string, { readonly title: string }>
  }
  return Object.values(tasks)
    .map(({ title }) => title)
    .toSorted()
}

const feedsIn = async (data: string, device: unknown): Promise<ReadonlySet<unknown>> => {
  const told = await aura(["journal", "log", "--limit", "10000", "--type", "tasks.add", "--data", data, "--json"], {
    env
  })
  return new Set(json(told).flatMap((row) => (row["device"] === device ? [row["feed"]] : [])))
}

describe("an installation that is destroyed", () => {
  it("comes back from a backup made under load, and forks no feed", { timeout: 150_000 }, async () => {
    const home = folder()
    const [alice, bob, file] = [join(home, "alice"), join(home, "bob"), join(home, "alice.backup")]
    const server = await serve(["--data", alice, "--port", "0"], { env })
    const port = /^aura:\/\/127\.0\.0\.1:(\d+)/u.exec(String((server.ready["addresses"] as Array<string>)[0]))![1]!
    const code = String(json(await aura(["pair", "--data", alice, "--json"], { env }))[0]!["code"])
    assert.strictEqual((await aura(["join", code, "--data", bob, "--name", "Bob"], { env })).code, 0)

    const answered: Array<string> = []
    let isOver = false
    const load = Array.from({ length: 4 }, async (_, hand) => {
      for (let i = 0; !isOver; i++) if (await addAt(alice, `${hand} ${i}`)) answered.push(`${hand} ${i}`)
    })
    while (answered.length < 100) await new Promise((next) => setTimeout(next, 5))
    const before = [...answered]
    const backedUp = await aura(["backup", file, "--data", alice, "--json"], { env })
    assert.strictEqual(backedUp.code, 0, backedUp.stdout)
    assert.isAtLeast(answered.length, before.length + 1, "writes went on meanwhile")
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const synced = await aura(["sync", "--data", bob, "--json"], { env })
    assert.strictEqual(synced.code, 0, synced.stdout)
    const had = await titlesIn(bob)
    assert.isAbove(had.length, before.length, "Bob knows more of Alice's feed than the backup does")
    await stop(server, "SIGKILL")
    isOver = true
    await Promise.all(load)
    rmSync(alice, { recursive: true })

    const restored = await aura(["restore", file, "--data", alice, "--json"], { env })
    assert.strictEqual(restored.code, 0, restored.stdout + restored.stderr)
    assert.deepInclude(json(restored)[0], { ok: true, device: server.ready["device"] })
    assert.deepStrictEqual((await readdir(home)).toSorted(), ["alice", "alice.backup", "bob"], "nothing else is left")
    const here = new Set(await titlesIn(alice))
    assert.deepStrictEqual(
      before.filter((title) => !here.has(title)),
      [],
      "what was answered before the backup is in it"
    )
    const old = await feedsIn(alice, server.ready["device"])
    assert.strictEqual(old.size, 1)

    // the first write comes before anybody tells what is missing here
    assert.strictEqual((await aura(["perform", "add", '{"title":"back"}', "--data", alice], { env })).code, 0)
    assert.strictEqual((await aura(["perform", "add", '{"title":"bob"}', "--data", bob], { env })).code, 0)
    const again = await serve(["--data", alice, "--port", port], { env })
    assert.strictEqual((await addAt(alice, "served")) && again.ready["device"], server.ready["device"])
    const rejoined = await aura(["sync", "--data", bob, "--json"], { env })
    assert.strictEqual(rejoined.code, 0, `the address that Bob remembers is still good: ${rejoined.stdout}`)
    const titles = await titlesIn(bob)
    assert.deepStrictEqual(await titlesIn(alice), titles)
    const all = new Set(titles)
    assert.deepStrictEqual(
      [...before, ...had, "back", "bob", "served"].filter((title) => !all.has(title)),
      []
    )
    assert.strictEqual((await feedsIn(bob, server.ready["device"])).size, 2, "one that was lost, and one new one")
    assert.strictEqual((await stop(again)).code, 0)
    for (const data of [alice, bob]) {
      const verified = json(await aura(["journal", "verify", "--data", data, "--json"], { env }))[0]!
      assert.deepInclude(verified, { ok: true, forks: 0 })
    }
  })

  it("is not put where something is, nor from what is no whole backup", { timeout: 90_000 }, async () => {
    const home = folder()
    const [alice, file, plain] = [join(home, "alice"), join(home, "backup"), join(home, "export")]
    const server = await serve(["--data", alice, "--port", "0"], { env })
    await stop(server)
    assert.strictEqual((await aura(["backup", file, "--data", alice], { env })).code, 0)
    assert.strictEqual((await aura(["journal", "export", plain, "--data", alice], { env })).code, 0)
    assert.notInclude(readFileSync(file).toString("latin1"), "secret-token", "a token is of what was lost")
    const bytes = readFileSync(file)
    const altered = Buffer.from(bytes)
    altered[400]! ^= 1
    writeFileSync(join(home, "torn"), bytes.subarray(0, bytes.length - 40))
    writeFileSync(join(home, "altered"), altered)
    const target = join(home, "target")
    for (const [from, to, code] of [
      [file, alice, "RestoreTaken"],
      [plain, target, "NoBackup"],
      [join(home, "torn"), target, "ArchiveBroken"],
      [join(home, "altered"), target, "ArchiveBroken"]
    ] as const) {
      const refused = await aura(["restore", from, "--data", to, "--json"], { env })
      assert.strictEqual(refused.code, 1)
      assert.strictEqual((json(refused)[0]!["error"] as { code: string }).code, code)
    }
    assert.isFalse(existsSync(target))
    assert.strictEqual((await readdir(home)).filter((name) => name.includes("restoring")).length, 0)
  })
})
