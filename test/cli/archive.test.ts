/** `aura journal export` and `import` in real processes: beside a running server, killed halfway, with files that are none. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Aura } from "aura"
import { DataDirectory, NodeEffects } from "aura/server"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as sleep } from "node:timers/promises"
import { app } from "../../examples/tasks/app.ts"
import { domain, hash } from "../../src/identity/Hash.ts"
import { deviceId } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import { aura, exampleApp, folder, json, serve, start, stop, stopAll } from "./aura.ts"

afterAll(stopAll)

const env = { AURA_APP: exampleApp }

const rootOf = async (data: string): Promise<unknown> => {
  const told = await aura(["journal", "export", join(folder(), "again"), "--data", data, "--json"], { env })
  assert.strictEqual(told.code, 0, told.stdout)
  return json(told)[0]!["root"]
}

const stateOf = async (data: string) => json(await aura(["state", "--data", data, "--json"], { env }))[0]!["state"]

/** A data directory that a process has left, with so many entries, each of them a run of its own. */
const filled = async (entries: number): Promise<string> => {
  const data = join(folder(), "data")
  const effects = Layer.unwrap(Effect.map(DataDirectory.open(data), (home) => NodeEffects.layer(home)))
  const open = await Aura.open({ app, effects, found: { root: deviceId(new Uint8Array(32).fill(9)) } })
  for (let i = 0; i < entries; i++) await open.perform("add", { title: `${i}` })
  await open.close()
  return data
}

/** 0 while there is none. */
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

describe("a journal that moves", () => {
  it(
    "goes by a file or by stdout from a running server to a device that has nothing",
    { timeout: 90_000 },
    async () => {
      const home = folder()
      const [alice, copy, file] = [join(home, "alice"), join(home, "copy"), join(home, "journal.archive")]
      const server = await serve(["--data", alice, "--port", "0"], { env })
      assert.strictEqual((await aura(["perform", "add", '{"title":"milk"}', "--data", alice], { env })).code, 0)
      const exported = await aura(["journal", "export", file, "--data", alice, "--json"], { env })
      assert.strictEqual(exported.code, 0, exported.stdout)
      assert.deepInclude(json(exported)[0], { ok: true, file, spaces: 1, entries: 2, bytes: statSync(file).size })
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(await readdir(home), ["alice", "journal.archive"], "no other file is left")

      const piped = await aura(["journal", "export", "-", "--data", alice], { env })
      assert.strictEqual(piped.code, 0)
      assert.include(piped.stderr, "2 entries")
      assert.strictEqual(piped.stdout, readFileSync(file).toString("utf8"))
      const both = await aura(["journal", "export", "-", "--data", alice, "--json"], { env })
      assert.strictEqual(both.code, 2)

      const nowhere = await aura(["journal", "export", file, "--space", "f".repeat(64), "--data", alice, "--json"], {
        env
      })
      assert.strictEqual((json(nowhere)[0]!["error"] as { code: string }).code, "SpaceUnknown")

      const imported = await aura(["journal", "import", file, "--data", copy, "--json"], { env })
      assert.deepInclude(json(imported)[0], { ok: true, entries: 2, stored: 2, leftOut: [] })
      assert.deepStrictEqual(await stateOf(copy), await stateOf(alice))
      assert.strictEqual(await rootOf(copy), json(exported)[0]!["root"])
      assert.strictEqual((await aura(["journal", "verify", "--data", copy])).code, 0)

      const again = await aura(["journal", "import", file, "--data", alice, "--json"], { env })
      assert.deepInclude(json(again)[0], { stored: 0, leftOut: [] }, "by the running server, which has it all")
      assert.strictEqual((await stop(server)).code, 0)
      const added = await aura(["perform", "add", '{"title":"bread"}', "--data", alice, "--json"], { env })
      assert.strictEqual(added.code, 0)
      const log = json(await aura(["journal", "log", "--type", "tasks.add", "--data", alice, "--json"], { env }))
      assert.strictEqual(new Set(log.map(({ feed }) => feed)).size, 1, "what was known already makes no new feed")
    }
  )

  it("that was killed on its way, again and again, is whole after the next import", { timeout: 90_000 }, async () => {
    const source = await filled(1_000)
    const file = join(folder(), "journal.archive")
    const exported = json(await aura(["journal", "export", file, "--data", source, "--json"], { env }))[0]!
    const data = join(folder(), "copy")
    const log = join(data, "journal.sqlite-wal")
    let halfway = 0
    for (let kill = 0; kill < 4; kill++) {
      const running = start(["journal", "import", file, "--data", data], { env, input: "" })
      let isOver = false
      void running.ended.then(() => (isOver = true))
      const before = sizeOf(log)
      while (!isOver && sizeOf(log) < before + 60_000 + 20_000 * kill) await sleep(1)
      await stop(running, "SIGKILL")
      const there = json(await aura(["journal", "verify", "--data", data, "--json"], { env }))[0]!
      assert.strictEqual(there["ok"], true, "what a killed import left is a journal")
      if (Number(there["entries"]) > 0 && Number(there["entries"]) < 1_001) halfway++
    }
    assert.isAbove(halfway, 0, "at least one death fell between two portions")
    const last = await aura(["journal", "import", file, "--data", data, "--json"], { env })
    assert.strictEqual(last.code, 0, last.stdout)
    assert.strictEqual(await rootOf(data), exported["root"])
    assert.deepStrictEqual(await stateOf(data), await stateOf(source))
  })

  it("is refused by name and place when the file is torn, altered or none of ours", { timeout: 90_000 }, async () => {
    const source = await filled(3)
    const home = folder()
    const file = join(home, "journal.archive")
    await aura(["journal", "export", file, "--data", source], { env })
    const bytes = readFileSync(file)
    const altered = Buffer.from(bytes)
    altered[altered.length - 200]! ^= 1
    for (const [name, content, code] of [
      ["torn", bytes.subarray(0, -1), "ArchiveBroken"],
      ["altered", altered, "ArchiveBroken"],
      ["none", Buffer.from("hello, world"), "ArchiveBroken"],
      ["missing", undefined, "ArchiveUnreadable"]
    ] as const) {
      const path = join(home, name)
      if (content !== undefined) writeFileSync(path, content)
      const refused = await aura(["journal", "import", path, "--data", join(home, "data"), "--json"], { env })
      assert.strictEqual(refused.code, 1)
      const error = json(refused)[0]!["error"] as Record<string, string>
      assert.strictEqual(error["code"], code)
      if (name !== "missing") assert.match(error["what"]!, /is broken at byte \d+: /u)
      assert.isString(error["do"])
    }
    const empty = await aura(["state", "--data", join(home, "data"), "--json"], { env })
    assert.strictEqual((json(empty)[0]!["error"] as { code: string }).code, "NoSpace", "nothing of it was applied")
  })
})

describe("what a newer version wrote", () => {
  const codeOf = async (words: ReadonlyArray<string>): Promise<unknown> => {
    const ended = await aura([...words, "--json"], { env })
    assert.strictEqual(ended.code, 1)
    const error = json(ended)[0]!["error"] as Record<string, string>
    assert.match(error["what"]!, /has format \d+, this version reads up to \d: upgrade Aura/u)
    return error["code"]
  }

  it("is told as that: an archive, a backup, a data directory, a journal", { timeout: 90_000 }, async () => {
    const home = folder()
    const later = join(home, "later")
    const payload = Cbor.encode(["aura archive", 3, 1])
    const length = Buffer.alloc(4)
    length.writeUInt32BE(payload.length)
    writeFileSync(later, Buffer.concat([length, payload, hash(domain("aura/archive/v3"), payload)]))
    const data = join(home, "data")
    assert.strictEqual(await codeOf(["journal", "import", later, "--data", data]), "ArchiveTooNew")
    assert.strictEqual(await codeOf(["restore", later, "--data", data]), "ArchiveTooNew")
    assert.isFalse(existsSync(data))

    const source = await filled(1)
    const database = new DatabaseSync(join(source, NodeEffects.names.journal))
    database.exec("PRAGMA user_version=2")
    database.close()
    assert.strictEqual(await codeOf(["state", "--data", source]), "JournalTooNew")
    writeFileSync(join(source, "format"), "aura data directory 2\n")
    assert.strictEqual(await codeOf(["state", "--data", source]), "DataDirectoryTooNew")
  })
})
