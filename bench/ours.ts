/**
 * Aura's side of every question. Only this file, household.ts (several devices) and authority.ts (the pure part) know Aura.
 *
 * The application is one map of strings; a write is one `perform` of one operation, so one entry of one fact. Nothing
 * is switched off: entries are hashed into their feed's chain and signed, everything received is verified and judged,
 * metrics are counted. The bench's clocks, checks and workload are outside (timing.ts, workload.ts); these functions
 * only act.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { createPrivateKey, sign, type KeyObject } from "node:crypto"
import { chmodSync, existsSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as ClockTime from "../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../src/handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../src/handlers/memory/MemorySecretStore.ts"
import * as NodeVerifier from "../src/handlers/node/NodeVerifier.ts"
import * as PostgresJournal from "../src/handlers/node/PostgresJournal.ts"
import * as SqliteJournal from "../src/handlers/node/SqliteJournal.ts"
import * as DirectorySecretStore from "../src/handlers/node/DirectorySecretStore.ts"
import * as EncryptedFileStorage from "../src/handlers/node/EncryptedFileStorage.ts"
import * as FileKeys from "../src/handlers/node/FileKeys.ts"
import * as TlsNetwork from "../src/handlers/node/TlsNetwork.ts"
import { entryHash, spaceId, toBytes, type SpaceId } from "../src/identity/Id.ts"
import * as Entry from "../src/journal/Entry.ts"
import * as Feed from "../src/journal/Feed.ts"
import * as Run from "../src/journal/Run.ts"
import * as RecoveryWords from "../src/identity/RecoveryWords.ts"
import { App, Aura, LWWMap, Policy, Schema } from "../src/index.ts"
import { JournalStore, type StoredRun } from "../src/effects/JournalStore.ts"
import { Network, type Connection } from "../src/effects/Network.ts"
import { SecretStore } from "../src/effects/SecretStore.ts"
import { Storage } from "../src/effects/Storage.ts"
import * as EffectTelemetry from "../src/observability/EffectTelemetry.ts"
import { checkpointRow } from "../src/runtime/Checkpoint.ts"
import { authorityWrite } from "../src/runtime/Write.ts"
import type { Pair, RecordedPair, Replica, Server, WritableStore, Writer } from "./question.ts"
import { batches, writes, type Write } from "./workload.ts"

export const app = App.make("bench", {
  version: 1,
  state: { entries: LWWMap(Schema.String) },
  operations: (operation) => ({
    set: operation({
      payload: Schema.Struct({ key: Schema.String, value: Schema.String }),
      writes: ["entries/{key}:set"],
      policy: Policy.make({ capabilities: ["entry:write"] }),
      plan: ({ entries }, { key, value }) => ({ changes: [entries.set(key, value)], result: undefined })
    })
  })
})

const rootSeed = Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9))))
export const root = RecoveryWords.rootOf(rootSeed)

export type Open = Aura.Aura<typeof app>

const writer = (aura: Open): Writer => ({
  append: async (batch) => {
    await Promise.all(batch.map(({ key, value }) => aura.perform("set", { key, value })))
  },
  ...reader(aura)
})

const reader = (aura: Open): Replica => ({
  read: (key) => aura.state().entries.get(key),
  size: () => aura.state().entries.size,
  close: () => aura.close()
})

/** OpenSSL's Ed25519 with the key object made once. */
const fastSign = () => {
  const keys = new WeakMap<Uint8Array, KeyObject>()
  return (seed: Uint8Array, message: Uint8Array): Uint8Array => {
    let key = keys.get(seed)
    if (key === undefined) {
      const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed])
      key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
      keys.set(seed, key)
    }
    return sign(null, message, key)
  }
}

export const memoryEffects = (hub: MemoryNetwork.Hub, address: string, seed: number) => {
  const options = { seed: new Uint8Array(32).fill(seed), sign: fastSign() }
  return Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    MemoryKeys.layer(options),
    MemoryNetwork.layer(hub, { device: MemoryKeys.make(options).device, address }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  )
}

/**
 * One agent on memory handlers. `append` performs the writes of a batch at once and resolves when all are acknowledged,
 * so they may share a signature. `read` and `size` look at the reduced state.
 */
export const memory = async (): Promise<Writer> =>
  writer(await Aura.open({ app, effects: memoryEffects(MemoryNetwork.hub(), "ours", 1), found: { root } }))

/** No peers: what is measured is the store. */
const alone = Layer.succeed(Network, {
  connect: () => Effect.die("this device is alone"),
  accept: Effect.never,
  addresses: () => []
})

const diskEffects = (directory: string) => {
  const secrets = DirectorySecretStore.layer({ directory: join(directory, "secrets") })
  return Layer.mergeAll(
    SqliteJournal.layer({ path: join(directory, "journal") }),
    secrets,
    Layer.provide(FileKeys.layer({}), secrets),
    alone,
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  )
}

/**
 * One agent on SqliteJournal with the settings of production. `append` resolves when the batch survives a power cut.
 * `open` on a filled directory reads what is there and resolves when the state is readable: from the checkpoint, or,
 * with `checkpoint: false`, by replaying and verifying the whole journal. `close` leaves the directory closed: journal
 * packed, checkpoint written, no lock.
 */
export const store = ({ checkpoint }: { readonly checkpoint: boolean }): WritableStore => {
  const open = async (directory: string): Promise<Writer> => {
    guard(directory)
    const effects = diskEffects(directory)
    return writer(await Aura.open({ app, effects: checkpoint ? effects : withoutCheckpoint(effects), found: { root } }))
  }
  return { open, fill: async (directory) => fill(await open(directory)) }
}

/** A copied directory has lost the mode that secrets demand. */
const guard = (directory: string): void => {
  if (existsSync(join(directory, "secrets"))) chmodSync(join(directory, "secrets"), 0o700)
}

const openStored = (directory: string) => {
  guard(directory)
  return Aura.open({ app, effects: diskEffects(directory), found: { root } })
}

/** Performs batches of writes on a journal in a directory, founded if need be, and closes it. */
export const append = async (directory: string, batches: Iterable<ReadonlyArray<Write>>): Promise<void> => {
  const open = writer(await openStored(directory))
  for (const batch of batches) await open.append(batch)
  await open.close()
}

/** Seals all that counts in a directory's journal, and drops it. */
export const seal = async (directory: string): Promise<void> => {
  const open = await openStored(directory)
  const { replica } = open
  const { books, fact } = Result.getOrThrow(replica.proposeSeal())
  const sign = RecoveryWords.signer(rootSeed)
  const as = { device: root, sign: (message: Uint8Array) => Effect.sync(() => sign(message)) }
  await Effect.runPromise(
    Effect.all([replica.write({ ...authorityWrite([fact]), as }), replica.takeUp(books), replica.drop])
  )
  await open.close()
}

const postgresEffects = (url: Redacted.Redacted<string>, seed: number, hub: MemoryNetwork.Hub): Effects => {
  const options = { seed: new Uint8Array(32).fill(seed), sign: fastSign() }
  return Layer.mergeAll(
    PostgresJournal.layer({ url, owner: `bench ${seed}` }),
    MemorySecretStore.layer,
    MemoryKeys.layer(options),
    MemoryNetwork.layer(hub, { device: MemoryKeys.make(options).device, address: `${seed}` }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  )
}

/** One feed of all writes, each entry one of `app`'s; in runs of so many, made and chained, with a signature that nobody asks for. */
export const runsOfWrites = (
  size: number
): { readonly space: SpaceId; readonly header: Uint8Array; readonly runs: ReadonlyArray<StoredRun> } => {
  const space = spaceId(new Uint8Array(32).fill(1))
  const { device } = MemoryKeys.make({ seed: new Uint8Array(32).fill(1) })
  const nonce = new Uint8Array(16)
  const feed = Feed.encode({ space, device, kind: "data", nonce, time: 1, closes: undefined, key: undefined })
  const nothing = { keyEpoch: undefined, seen: [], request: undefined }
  const runs: Array<StoredRun> = []
  let previous = entryHash(toBytes(feed.id))
  for (let first = 0; first < writes.length; first += size) {
    const bodies = writes.slice(first, first + size).map(({ key, value }) =>
      Entry.encode({
        ...nothing,
        definition: app.definition.id,
        facts: [{ type: "bench.set", payload: [["set", "entries", key, value]] }]
      })
    )
    const times = bodies.map((_, index) => first + index + 2)
    let hash: Uint8Array = toBytes(previous)
    for (const [index, body] of bodies.entries()) hash = Entry.chain(hash, first + index, times[index]!, body)
    const bytes = Run.encode({ feed: feed.id, first, previous, times, bodies }, new Uint8Array(64))
    runs.push({ feed: feed.id, first, last: first + bodies.length - 1, previous, hash: entryHash(hash), bytes })
    previous = entryHash(hash)
  }
  return { space, header: feed.bytes, runs }
}

const openPostgres = async (url: Redacted.Redacted<string>) => {
  const scope = await Effect.runPromise(Scope.make())
  const store = await Effect.runPromise(Scope.provide(PostgresJournal.make({ url, owner: "bench" }), scope))
  return { store, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const mapOf = (entries: ReadonlyMap<string, string>, close: () => Promise<void>): Replica => ({
  read: (key) => entries.get(key),
  size: () => entries.size,
  close
})

/** PostgresJournal without an agent: each write is a commit of its own, all of a batch wait at once. */
export const postgresStore = async (url: Redacted.Redacted<string>): Promise<Writer> => {
  const { header, runs, space } = runsOfWrites(1)
  const { close, store } = await openPostgres(url)
  const entries = new Map<string, string>()
  return {
    append: async (batch) => {
      const due = runs.slice(entries.size, entries.size + batch.length)
      const commits = due.map((run) =>
        store.commit({ space, feeds: run.first === 0 ? [{ feed: run.feed, header }] : [], runs: [run] })
      )
      await Effect.runPromise(Effect.all(commits, { concurrency: "unbounded", discard: true }))
      for (const { key, value } of batch) entries.set(key, value)
    },
    ...mapOf(entries, close)
  }
}

/** PostgresJournal without an agent takes over all writes, in runs as a peer would send them, a commit for each. */
export const postgresCatchUp = async (url: Redacted.Redacted<string>): Promise<Pair> => {
  const { header, runs, space } = runsOfWrites(1024)
  const { close, store } = await openPostgres(url)
  return {
    catchUp: async () => {
      for (const run of runs)
        await Effect.runPromise(store.commit({ space, feeds: [{ feed: run.feed, header }], runs: [run] }))
      return mapOf(new Map(writes.map(({ key, value }) => [key, value])), async () => undefined)
    },
    close
  }
}

/** A store of blobs by number, in a directory of its own. */
export const sealedFiles = async (directory: string) => {
  const scope = Scope.makeUnsafe()
  const layer = EncryptedFileStorage.layer({ directory: join(directory, "blobs") })
  const keys = MemoryKeys.layer({ seed: new Uint8Array(32).fill(1) })
  const services = await Effect.runPromise(Layer.buildWithScope(Layer.provide(layer, keys), scope))
  const storage = Context.get(services, Storage)
  return {
    put: (key: number, bytes: Uint8Array): Promise<void> => Effect.runPromise(storage.put(`blob/${key}`, bytes)),
    get: async (key: number): Promise<Uint8Array> =>
      Option.getOrThrow(await Effect.runPromise(storage.get(`blob/${key}`))),
    close: (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** One agent on PostgresJournal. `append` resolves when the batch survives a power cut of the server. */
export const onPostgres = async (url: Redacted.Redacted<string>, seed: number): Promise<Writer> =>
  writer(await Aura.open({ app, effects: postgresEffects(url, seed, MemoryNetwork.hub()), found: { root } }))

/**
 * Two agents on one database, of which the second is not running while the first writes. `catchUp` starts it, without any
 * connection to the first, and resolves when it has verified, stored and joined all that it found in the first's journal.
 */
export const neighboursOnPostgres = async (url: Redacted.Redacted<string>): Promise<Pair> => {
  const hub = MemoryNetwork.hub()
  const secrets = MemorySecretStore.make()
  const second = () => Layer.merge(postgresEffects(url, 2, hub), Layer.succeed(SecretStore, secrets))
  const { fresh, full } = await joined(postgresEffects(url, 1, hub), second(), () => "1")
  await fresh.close()
  await fillFrom(full)
  return {
    catchUp: async () => {
      const again = await Aura.open({ app, effects: second() })
      await until(() => again.replica.ledger().applied >= writes.length)
      return reader(again)
    },
    close: () => full.close()
  }
}

const fillFrom = async (full: Open): Promise<void> => {
  for (const batch of batches)
    await Promise.all(batch.map(({ key, value }: Write) => full.perform("set", { key, value })))
}

/** The journal is there as it is, its checkpoint is not: opening folds it whole. */
const withoutCheckpoint = (effects: ReturnType<typeof diskEffects>): ReturnType<typeof diskEffects> =>
  Layer.merge(
    effects,
    Layer.effect(
      JournalStore,
      Effect.map(JournalStore, (store) =>
        JournalStore.of({
          ...store,
          local: (space, name) => (name === checkpointRow ? Effect.succeed(Option.none()) : store.local(space, name))
        })
      )
    ).pipe(Layer.provide(effects))
  )

const fill = async (to: Writer): Promise<void> => {
  for (const batch of batches) await to.append(batch)
  await to.close()
}

const joined = async (
  first: Effects,
  second: Effects,
  address: (full: Open) => string
): Promise<{ readonly full: Open; readonly fresh: Open }> => {
  const full = await Aura.open({ app, effects: first, found: { root } })
  const code = await full.pair({ address: address(full) })
  const fresh = await Aura.open({ app, effects: second, join: { code, name: "fresh" } })
  return { full, fresh }
}

/**
 * Two devices of one space, both admitted, connected in process by the memory network with the authenticated channel
 * up. The full one holds all writes, the fresh one holds the authority feeds and no data. `catchUp` resolves when the
 * fresh device is caught up: every chain, signature and authority checked, every delta joined. `messages` are the
 * plain sync messages of both directions since `catchUp` began, before the channel seals them.
 */
export const pair = async (): Promise<RecordedPair> => {
  const hub = MemoryNetwork.hub()
  const sent: Array<Uint8Array> = []
  const { fresh, full } = await joined(
    recorded(memoryEffects(hub, "full", 1), sent),
    recorded(memoryEffects(hub, "fresh", 2), sent),
    () => "full"
  )
  return { ...(await ready(full, fresh, () => "full", sent)), messages: () => sent }
}

/** Fills the first device while the second is away; the second then comes back and catches up. */
const ready = async (full: Open, fresh: Open, address: () => string, sent: Array<Uint8Array>): Promise<Pair> => {
  await apart(fresh)
  await fillFrom(full)
  return {
    catchUp: async () => {
      sent.length = 0
      await fresh.connect(address(), full.device)
      await until(() => fresh.replica.ledger().applied >= writes.length)
      return reader(fresh)
    },
    close: () => full.close()
  }
}

/** Keeps every message that either end sends, as it is before a channel seals it. */
const recorded = (
  effects: ReturnType<typeof memoryEffects>,
  sent: Array<Uint8Array>
): ReturnType<typeof memoryEffects> =>
  Layer.merge(
    effects,
    Layer.effect(
      Network,
      Effect.map(Network, (network) => {
        const keep = (connection: Connection): Connection => ({
          ...connection,
          send: (frame) => {
            sent.push(frame)
            return connection.send(frame)
          }
        })
        return Network.of({
          addresses: network.addresses,
          accept: Effect.map(network.accept, keep),
          connect: (address, expected) => Effect.map(network.connect(address, expected), keep)
        })
      })
    ).pipe(Layer.provide(effects))
  )

export type Effects = Layer.Layer<Aura.Effects, unknown>

/** Ends all connections of an agent; what comes back must dial again. */
const apart = async (aura: Open): Promise<void> => {
  for (const link of aura.agent.links()) await Effect.runPromise(link.connection.close("the bench begins"))
  await until(() => aura.agent.links().length === 0)
}

export const until = async (isMet: () => boolean): Promise<void> => {
  while (!isMet()) await new Promise((resolve) => setImmediate(resolve))
}

/** The same over a loopback WebSocket, both ends in this process, sealed by the inner channel as in production. */
export const pairOverWebSocket = async (): Promise<Pair> => {
  const port = await freePort()
  const address = () => `ws://127.0.0.1:${port}`
  const { fresh, full } = await joined(webSocketEffects(1, port), webSocketEffects(2, undefined), address)
  return ready(full, fresh, address, [])
}

export const webSocketEffects = (seed: number, port: number | undefined): Effects => {
  const local = Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    MemoryKeys.layer({ seed: new Uint8Array(32).fill(seed), sign: fastSign() }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  )
  const network = TlsNetwork.layer(port === undefined ? {} : { plain: { port } })
  return Layer.provideMerge(network, local)
}

export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof found === "object" && found !== null ? found.port : 0
}

const tasks = join(import.meta.dirname, "../examples/tasks/app.ts")

/**
 * `aura serve` with the embedded default on this port and this data directory; `ready` is its readiness address, on the management listener. What
 * Node compiled is kept in the run's own directory, so that a first start finds nothing.
 */
export const serve = (port: number, directory: string): Server => ({
  command: process.execPath,
  arguments: [
    join(import.meta.dirname, "../dist/cli.js"),
    "serve",
    "--data",
    join(directory, "data"),
    "--port",
    "0",
    "--app",
    tasks
  ],
  environment: { XDG_CACHE_HOME: join(directory, "cache"), AURA_MANAGEMENT__LISTEN: `127.0.0.1:${port}` },
  ready: `http://127.0.0.1:${port}/readyz`
})
