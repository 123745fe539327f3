/**
 * The server dies by `kill -9` at seeded random moments, some of them while it starts, and comes back on the same
 * directory and port. Meanwhile three devices that joined by code, and people at the server itself, perform 2 000
 * operations. Nothing that was answered is missing anywhere afterwards, and no feed forked.
 *
 * Everything is real: `aura serve` processes, TLS on loopback, SQLite on a disk; the three devices are agents in this
 * process. After each death the dead server's journal is read as it lies there, before anybody can bring again what it
 * lost: it holds whatever the server performed, and whatever it told a device it has.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Aura, Operations, SpaceId } from "aura"
import { DataDirectory, NodeEffects } from "aura/server"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createServer } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { app } from "../../examples/tasks/app.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import * as DirectorySecretStore from "../../src/handlers/node/DirectorySecretStore.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import { fold } from "../../src/runtime/Fold.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Token from "../../src/runtime/Token.ts"
import * as Chance from "../../src/simulation/Chance.ts"
import { addAt, aura, exampleApp, folder, json, serve, start, stop, stopAll } from "./aura.ts"

const names = ["phone", "tablet", "laptop"] as const
const operations = 2_000
const operationsAtServer = 80
const operationsPerDevice = (operations - operationsAtServer) / names.length
const kills = 5
/** Of these restarts the server is killed once more before it is ready. */
const killsWhileStarting: ReadonlySet<number> = new Set([1, 3])
/** The longest that devices and server may take to become level at the end. */
const levelMillis = 20_000

/** What an operation that was answered has to be found as. */
interface Answered {
  readonly id: string
  /** Undefined: it completed the task that another operation added. */
  readonly title: string | undefined
}

type Tasks = Readonly<Record<string, { readonly title: string; readonly done: boolean }>>

type Device = Aura.Aura<typeof app>

describe("a server that is killed at random moments", () => {
  afterAll(stopAll)

  it("loses no answered operation, on any device, and forks no feed", { timeout: 120_000 }, async () => {
    const chance = Chance.make(20_260_801, "kill-server")
    const home = folder()
    const data = join(home, "server")
    const words = ["--data", data, "--port", String(await freePort(chance))]
    const env = { AURA_APP: exampleApp }
    let server = await serve(words, { env })
    const [space, serverDevice] = [SpaceId.make(String(server.ready["space"])), String(server.ready["device"])]

    const warnings: Array<string> = []
    const devices: Array<Device> = []
    const over = new AbortController()
    const pause = (millis: number) => sleep(millis, undefined, { signal: over.signal })
    try {
      for (const name of names) {
        const paired = json(await aura(["pair", "--data", data, "--json"], { env }))[0]!
        const device = await Aura.open({
          app,
          effects: effects(join(home, name), warnings),
          join: { code: String(paired["code"]), name }
        })
        devices.push(device)
        await device.connect(String(paired["address"]))
      }

      const answered: Array<Answered> = []
      /** Those that the server itself answered, or told a device it has. */
      const atServer: Array<Answered> = []
      let performedAtServer = 0
      const byDevices = () => answered.length - performedAtServer

      const work = devices.map((device, index) =>
        writeAll(device, names[index]!, chance, (one, isAcknowledged) => {
          answered.push(one)
          if (isAcknowledged) atServer.push(one)
        })
      )
      const workAtServer = (async () => {
        while (performedAtServer < operationsAtServer) {
          const isDue = byDevices() >= (performedAtServer * names.length * operationsPerDevice) / operationsAtServer
          const one = isDue ? await performAt(data, `at the server ${performedAtServer}`) : undefined
          if (one === undefined) await pause(10)
          else {
            performedAtServer++
            answered.push(one)
            atServer.push(one)
          }
        }
      })()

      /** How often a death fell between the two writes of a token: that looks like a restored copy, and costs a feed. */
      let torn = 0
      const killing = (async () => {
        const share = (names.length * operationsPerDevice) / (kills + 1)
        for (let kill = 0; kill < kills; kill++) {
          const moment = share * (kill + 0.5 + chance.fraction())
          while (byDevices() < moment) await pause(1)
          await stop(server, "SIGKILL")
          if (!(await hasEqualTokens(data, space))) torn++
          expectAll(await stateOnDisk(data, space), [...atServer], `on the server's disk after kill ${kill}`)
          if (killsWhileStarting.has(kill)) {
            const starting = start(["serve", "--json", "--http", "0", ...words], { env })
            await sleep(chance.between(300, 1_200))
            await stop(starting, "SIGKILL")
            if (!(await hasEqualTokens(data, space))) torn++
          }
          server = await serve(words, { env })
        }
      })()
      await Promise.all([...work, workAtServer, killing])

      assert.strictEqual(answered.length, operations)
      await becomeLevel(devices)
      const state = toJson(devices[0]!.replica)
      expectAll(state, answered, "on a device")
      for (const { replica, device } of devices) {
        assert.deepStrictEqual(toJson(replica), state)
        assert.strictEqual(replica.ledger().forks.size, 0)
        assert.deepStrictEqual([...replica.damage()], [])
        assert.strictEqual(replica.ledger().quarantine.size, 0)
        assert.strictEqual(dataFeedsOf(replica, device), 1, "nothing made a device open a second feed")
      }
      const serverFeeds = dataFeedsOf(devices[0]!.replica, serverDevice)
      assert.isAtLeast(serverFeeds, 1)
      assert.isAtMost(serverFeeds, 1 + torn)

      const told = json(await aura(["state", "--data", data, "--json"], { env }))[0]!["state"]
      assert.deepStrictEqual(told, { tasks: state })
      assert.strictEqual((await stop(server)).code, 0)
      const verified = json(await aura(["journal", "verify", "--data", data, "--json"], { env }))[0]!
      assert.deepInclude(verified, { ok: true, forks: 0 })
      assert.deepStrictEqual(warnings, [])
    } finally {
      over.abort()
      await Promise.all(devices.map((device) => device.close()))
    }
  })
})

/** Every handler over a directory of its own. What is logged as a warning or worse is kept. */
const effects = (directory: string, warnings: Array<string>) => {
  const keep = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn" || logLevel === "Error" || logLevel === "Fatal") warnings.push(JSON.stringify(message))
  })
  return Layer.unwrap(Effect.map(DataDirectory.open(directory), (home) => NodeEffects.layer(home))).pipe(
    Layer.provideMerge(Logger.layer([keep]))
  )
}

/** One device's share, in bursts; now and then it waits until the server has what it wrote. */
const writeAll = async (
  device: Device,
  name: string,
  chance: Chance.Chance,
  answered: (one: Answered, isAcknowledged: boolean) => void
): Promise<void> => {
  const known: Array<string> = []
  let number = 0
  const perform = async (): Promise<void> => {
    const isAcknowledged = chance.happens(0.05)
    const options = isAcknowledged ? ({ wait: "acknowledged" } as const) : {}
    if (known.length > 0 && chance.happens(0.25)) {
      const id = chance.pick(known)
      await device.perform("complete", { id }, options)
      return answered({ id, title: undefined }, isAcknowledged)
    }
    const title = `${name} ${number++}`
    const id = await device.perform("add", { title }, options)
    answered({ id, title }, isAcknowledged)
    known.push(id)
  }
  for (let left = operationsPerDevice; left > 0;) {
    const burst = Math.min(left, chance.between(1, 8))
    await Promise.all(Array.from({ length: burst }, perform))
    for (const [id] of device.state().tasks.entries()) {
      // tasks of others are completed too
      if (chance.happens(0.002)) known.push(id)
    }
    left -= burst
    await sleep(chance.between(0, 40))
  }
}

/** Undefined: it did not answer. */
const performAt = async (data: string, title: string): Promise<Answered | undefined> => {
  const id = await addAt(data, title)
  return id === undefined ? undefined : { id, title }
}

/** What follows from the journal that a dead server left. */
const stateOnDisk = (data: string, space: SpaceId): Promise<Tasks> =>
  Effect.gen(function* () {
    const store = yield* SqliteJournal.make({ path: join(data, NodeEffects.names.journal) })
    const { damage, ledger } = yield* fold(store, space, Date.now(), "whole")
    assert.deepStrictEqual([...damage], [])
    assert.strictEqual(ledger.forks.size, 0)
    return tasksOf(ledger)
  }).pipe(Effect.scoped, Effect.runPromise)

const hasEqualTokens = (data: string, space: SpaceId): Promise<boolean> =>
  Effect.gen(function* () {
    const store = yield* SqliteJournal.make({ path: join(data, NodeEffects.names.journal) })
    const secret = yield* Token.read(yield* SecretStore, space)
    return (yield* Token.compare(store, secret, space)) === "Equal"
  }).pipe(
    Effect.provide(DirectorySecretStore.layer({ directory: join(data, NodeEffects.names.secrets) })),
    Effect.scoped,
    Effect.runPromise
  )

const tasksOf = (ledger: Ledger.Ledger): Tasks => {
  const state = Operations.toJson(Ledger.read(ledger, app.definition)) as { readonly tasks: Tasks }
  return state.tasks
}

const toJson = (replica: Device["replica"]): Tasks => tasksOf(replica.ledger())

const expectAll = (tasks: Tasks, answered: ReadonlyArray<Answered>, where: string): void => {
  const missing = answered.filter(({ id, title }) =>
    title === undefined ? tasks[id]?.done !== true : tasks[id]?.title !== title
  )
  assert.deepStrictEqual(missing, [], `answered, and missing ${where}`)
}

const dataFeedsOf = (replica: Device["replica"], device: string): number =>
  [...replica.ledger().lines.values()].filter(({ feed }) => feed.device === device && feed.kind === "data").length

/** Waits until every device has all of the server's, the server all of theirs, and all of them the same. */
const becomeLevel = async (devices: ReadonlyArray<Device>): Promise<void> => {
  const isLevel = (): boolean => {
    const frontiers = devices.map(({ replica }) => Frontier.digest(Ledger.frontier(replica.ledger())).join())
    return (
      new Set(frontiers).size === 1 &&
      devices.every(({ agent, replica }) =>
        agent.links().some((link) => link.isCaughtUp(replica.space) && link.isServed(replica.space))
      )
    )
  }
  const began = Date.now()
  while (!isLevel()) {
    assert.isBelow(Date.now() - began, levelMillis, "devices and server did not become level")
    await sleep(20)
  }
}

/** Below the ports that outgoing connections take: one of those could dial itself while the server is down. */
const freePort = async (chance: Chance.Chance): Promise<number> => {
  for (;;) {
    const port = chance.between(20_000, 29_999)
    const isFree = await new Promise<boolean>((done) => {
      const probe = createServer()
        .once("error", () => done(false))
        .listen(port, "127.0.0.1", () => probe.close(() => done(true)))
    })
    if (isFree) return port
  }
}
