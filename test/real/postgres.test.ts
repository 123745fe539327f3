/**
 * The journal on the PostgreSQL that Debian brings: every law of journal stores on that version, and a disk without room,
 * which only root can make.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { appendFile, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { JournalPlace, journalPlaceLaws, journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import type { JournalStore, JournalStoreError, StoredRun } from "../../src/effects/JournalStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import { entryHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"
import { addAt, aura, exampleApp, folder, json, serve, stop, stopAll } from "../cli/aura.ts"
import { makeClusterOf, type Cluster } from "../handlers/postgresCluster.ts"

const versions = "/usr/lib/postgresql"
if (!existsSync(versions)) throw new Error('Debian\'s PostgreSQL is not here: "apt-get install postgresql"')
const programs = join(versions, readdirSync(versions).toSorted().at(-1)!, "bin")

describe(`PostgreSQL ${programs.split("/").at(-2)}`, () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await makeClusterOf(programs)
  })
  afterAll(() => cluster.remove())
  let owners = 0
  const options = () => ({ url: cluster.url, owner: `law ${++owners}`, poolMax: 3 })

  for (const { check, name } of journalStoreLaws) {
    it.effect(name, () => Effect.provide(check, PostgresJournal.layer(options())))
  }
  for (const { check, name } of journalPlaceLaws) {
    it.effect(name, () => {
      const place = options()
      return Effect.provide(
        check,
        Layer.sync(JournalPlace, () => ({ open: PostgresJournal.make(place) }))
      )
    })
  }
})

const space = spaceId(new Uint8Array(32).fill(1))
const feed = feedId(new Uint8Array(32).fill(2))
const runBytes = 200_000
const hashOf = (seq: number) => entryHash(seq < 0 ? toBytes(feed) : new Uint8Array(32).fill(3 + (seq % 200)))
const runAt = (seq: number): StoredRun => ({
  feed,
  first: seq,
  last: seq,
  previous: hashOf(seq - 1),
  hash: hashOf(seq),
  // nothing that deflating would make shorter
  bytes: randomBytes(runBytes)
})

/** A disk of this size, there while the tests run of the suite that asks for it. */
const diskOf = (size: string): string => {
  const disk = mkdtempSync(join(tmpdir(), "aura-disk-"))
  beforeAll(() => void execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "aura-disk", disk]))
  afterAll(() => {
    execFileSync("umount", ["-l", disk])
    rmSync(disk, { recursive: true, force: true })
  })
  return disk
}

describe("a disk without room under the server", () => {
  const disk = diskOf("192m")
  let cluster: Cluster
  beforeAll(async () => {
    // a log that stays small, so that it is the tables that find no room
    const settings = { wal_recycle: "off", max_wal_size: "32MB", min_wal_size: "32MB", wal_init_zero: "on" }
    cluster = await makeClusterOf(programs, { directory: join(disk), settings })
  })
  afterAll(async () => {
    await cluster.remove().catch(() => undefined)
  })

  it.live("is told, loses nothing that was acknowledged, and is no matter once there is room again", () =>
    Effect.gen(function* () {
      const ballast = join(disk, "ballast")
      const { bavail, bsize } = statfsSync(disk)
      writeFileSync(ballast, new Uint8Array(Math.max(0, bavail * bsize - 40 * 1024 * 1024)))
      const options = { url: cluster.url, owner: "full" }
      let kept = 0
      const reasons = new Set<string>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* PostgresJournal.make(options)
          yield* store.commit({ space, feeds: [{ feed, header: new Uint8Array(8) }] })
          let failures = 0
          while (failures < 5) {
            const exit = yield* Effect.exit(store.commit({ space, runs: [runAt(kept)] }))
            if (Exit.isSuccess(exit)) {
              kept++
              assert.isBelow(kept, 1_000, "the disk is never full")
              continue
            }
            failures++
            const error = errorOf(exit)
            reasons.add(error.reason._tag)
            assert.include(["JournalFull", "JournalUnavailable"], error.reason._tag, error.message)
            if (error.reason._tag === "JournalUnavailable" && (yield* entriesIn(options)) > kept) kept++
          }
        })
      )
      rmSync(ballast)
      // a server whose log found no room has ended itself
      yield* Effect.promise(() => cluster.kill())
      yield* Effect.promise(() => cluster.start())
      const stored = yield* entriesIn(options)
      assert.isAtLeast(stored, kept)
      yield* Effect.scoped(
        Effect.flatMap(PostgresJournal.make(options), (store) => store.commit({ space, runs: [runAt(stored)] }))
      )
      assert.strictEqual(yield* entriesIn(options), stored + 1)
      assert.isTrue(reasons.has("JournalFull"), [...reasons].join())
    })
  )
})

describe("two agents on a database whose disk has no room", { timeout: 240_000 }, () => {
  const disk = diskOf("192m")
  let cluster: Cluster
  beforeAll(async () => {
    const settings = { wal_recycle: "off", max_wal_size: "32MB", min_wal_size: "32MB", wal_init_zero: "on" }
    cluster = await makeClusterOf(programs, { directory: join(disk), settings })
  })
  afterAll(async () => {
    await stopAll()
    await cluster.remove().catch(() => undefined)
  })

  it("are red and refuse, go on to show what they have, and lose nothing once there is room", async () => {
    const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres", DATABASE_URL: Redacted.value(cluster.url) }
    const home = folder()
    const places = ["first", "second"].map((name) => join(home, name))
    const launch = (data: string) => serve(["--data", data, "--port", "0"], { env })
    const first = await launch(places[0]!)
    const paired = json(await aura(["pair", "--data", places[0]!, "--json"], { env }))[0]!
    const joined = await aura(["join", String(paired["code"]), "--data", places[1]!, "--json"], { env })
    assert.strictEqual(joined.code, 0, joined.stdout)
    const servers = [first, await launch(places[1]!)]
    const statusOf = async (index: number): Promise<readonly [number, string]> => {
      const answer = await fetch(`${String(servers[index]!.ready["management"])}/readyz`)
      return [answer.status, await answer.text()]
    }
    const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
      for (const begun = performance.now(); !(await holds()); await sleep(100))
        assert.isBelow(performance.now() - begun, 40_000, what)
    }

    const acknowledged: Array<string> = []
    let [isOver, isRefused] = [false, false]
    const padding = "x".repeat(100)
    const client = async (index: number, name: string) => {
      for (let count = 0; !isOver; count++) {
        const title = `${name} ${count} ${padding}`
        while ((await addAt(places[index]!, title, `${name} ${count}`)) === undefined) {
          isRefused = true
          await sleep(100)
          if (isOver) return
        }
        acknowledged.push(`${name} ${count}`)
      }
    }
    const clients = ["a", "b", "c", "d"].map((name, index) => client(index % 2, name))
    await until("they write", () => Promise.resolve(acknowledged.length > 50))
    const ballast = join(disk, "ballast")
    // a server that ends itself and begins again tidies up: what it gives back is taken, too
    const taking = setInterval(() => {
      const { bavail, bsize } = statfsSync(disk)
      if (bavail > 0) appendFile(ballast, new Uint8Array(bavail * bsize), () => undefined)
    }, 50)
    await until("somebody is refused", () => Promise.resolve(isRefused))
    await until("both are red", async () => (await statusOf(0))[0] === 503 && (await statusOf(1))[0] === 503)
    assert.match((await statusOf(0))[1], /full|room|space|unavailable/u)
    // what still fits into pages that are there is kept
    let refusal = ""
    await until("a command is refused", async () => {
      const words = ["perform", "add", `{"title":"too late ${padding}"}`, "--data", places[0]!, "--json"]
      const { code, stdout } = await aura(words, { env })
      refusal = stdout
      return code === 1
    })
    assert.match(refusal, /full|unavailable/iu)
    assert.isNotEmpty(await namesOf(places[0]!, env), "what is there is shown")

    clearInterval(taking)
    rmSync(ballast)
    // a server whose log found no room has ended itself
    await cluster.kill()
    await cluster.start()
    await until("both are green", async () => (await statusOf(0))[0] === 200 && (await statusOf(1))[0] === 200)
    const after = acknowledged.length
    await until("they write on", () => Promise.resolve(acknowledged.length > after + 20))
    isOver = true
    await Promise.all(clients)
    for (const data of places)
      await until("everything is here", async () => {
        const names = await namesOf(data, env)
        return acknowledged.every((name) => names.filter((one) => one === name).length === 1)
      })
    for (const [index, server] of servers.entries()) {
      assert.strictEqual((await stop(server)).code, 0)
      const verified = json(await aura(["journal", "verify", "--data", places[index]!, "--json"], { env }))[0]!
      assert.deepInclude(verified, { ok: true, forks: 0 })
    }
  })
})

describe("an agent whose tables have no room, on a server that lives", { timeout: 120_000 }, () => {
  const disk = diskOf("64m")
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await makeClusterOf(programs)
    const tables = join(disk, "tables")
    mkdirSync(tables, { mode: 0o700 })
    execFileSync("chown", ["postgres", tables])
    await cluster.run(`CREATE TABLESPACE small LOCATION '${tables}'`)
    await cluster.run("CREATE DATABASE small TABLESPACE small")
  }, 60_000)
  afterAll(async () => {
    await stopAll()
    await cluster.remove().catch(() => undefined)
  })

  it("is red and refuses because it is full, and is green once there is room, by itself", async () => {
    const url = new URL(Redacted.value(cluster.url))
    url.pathname = "/small"
    const env = { AURA_APP: exampleApp, AURA_JOURNAL__KIND: "postgres", DATABASE_URL: url.href }
    const data = join(folder(), "alice")
    const server = await serve(["--data", data, "--port", "0"], { env })
    const ready = async () => {
      const answer = await fetch(`${String(server.ready["management"])}/readyz`)
      return [answer.status, await answer.text()] as const
    }
    const titled = (count: number) => `a ${count} ${"x".repeat(100)}`
    const acknowledged: Array<string> = []
    const write = async (count: number) => {
      const id = await addAt(data, titled(count), `a ${count}`)
      if (id !== undefined) acknowledged.push(`a ${count}`)
      return id !== undefined
    }
    for (let count = 0; count < 10; count++) assert.isTrue(await write(count))

    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, "ballast"), new Uint8Array(bavail * bsize))
    let count = 10
    while (await write(count)) count++
    const [status, said] = await ready()
    assert.strictEqual(status, 503)
    assert.include(said, "No space left on device")
    const words = ["perform", "add", JSON.stringify({ title: titled(count) }), "--data", data, "--json"]
    const refused = await aura(words, { env })
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stdout, /full/u)
    assert.match(refused.stdout, /make room|free/u, "what to do")

    rmSync(join(disk, "ballast"))
    for (const begun = performance.now(); (await ready())[0] !== 200; await sleep(100))
      assert.isBelow(performance.now() - begun, 15_000)
    assert.isTrue(await write(count + 1))
    const names = await namesOf(data, env)
    for (const name of acknowledged) assert.strictEqual(names.filter((one) => one === name).length, 1, name)
    assert.strictEqual((await stop(server)).code, 0)
    const verified = json(await aura(["journal", "verify", "--data", data, "--json"], { env }))[0]!
    assert.deepInclude(verified, { ok: true, forks: 0 })
  })
})

/** The titles of all tasks, without their padding. */
const namesOf = async (data: string, env: Readonly<Record<string, string>>): Promise<ReadonlyArray<string>> => {
  const told = await aura(["state", "--data", data, "--json"], { env })
  if (told.code !== 0) return []
  const { tasks } = json(told)[0]!["state"] as { readonly tasks: Record<string, { readonly title: string }> }
  return Object.values(tasks).map(({ title }) => title.split(" ").slice(0, 2).join(" "))
}

const entriesIn = (options: { readonly url: Cluster["url"]; readonly owner: string }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store: JournalStore["Service"] = yield* PostgresJournal.make(options)
      const [found] = yield* store.feeds(space)
      const runs = yield* store.read(space, feed, 0, Number.MAX_SAFE_INTEGER)
      assert.strictEqual(runs.length, found?.entries ?? 0)
      return runs.length
    })
  ).pipe(Effect.catch(() => Effect.succeed(0)))

const errorOf = (exit: Exit.Exit<unknown, JournalStoreError>): JournalStoreError => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons.find(({ _tag }) => _tag === "Fail") : undefined
  if (reason?._tag !== "Fail") throw new Error("it did not fail with an error of the contract")
  return reason.error
}
