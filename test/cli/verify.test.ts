/** `aura journal verify` over checkpoints: one that follows from the entries stays, any other goes. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Aura } from "aura"
import { DataDirectory, NodeEffects } from "aura/server"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { join } from "node:path"
import { app } from "../../examples/tasks/app.ts"
import type { JournalStore } from "../../src/effects/JournalStore.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import * as DirectorySecretStore from "../../src/handlers/node/DirectorySecretStore.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { deviceId, type SpaceId } from "../../src/identity/Id.ts"
import * as State from "../../src/journal/crdt/State.ts"
import * as Checkpoint from "../../src/runtime/Checkpoint.ts"
import { fold } from "../../src/runtime/Fold.ts"
import { checkpointAtCloseMin } from "../../src/runtime/limits.ts"
import * as Token from "../../src/runtime/Token.ts"
import { aura, folder, json, stopAll } from "./aura.ts"

/** A data directory that a process has left, with so much in it that it kept a checkpoint. */
const directory = async () => {
  const data = join(folder(), "data")
  const effects = Layer.unwrap(Effect.map(DataDirectory.open(data), (home) => NodeEffects.layer(home)))
  const open = await Aura.open({ app, effects, found: { root: deviceId(new Uint8Array(32).fill(9)) } })
  await Promise.all(Array.from({ length: 2 * checkpointAtCloseMin }, (_, i) => open.perform("add", { title: `${i}` })))
  const { space } = open
  await open.close()
  return { data, space }
}

const inStore = <A, E>(data: string, work: (store: JournalStore["Service"]) => Effect.Effect<A, E>): Promise<A> =>
  SqliteJournal.make({ path: join(data, NodeEffects.names.journal) }).pipe(
    Effect.flatMap(work),
    Effect.scoped,
    Effect.runPromise
  )

const checkpointIn = (data: string, space: SpaceId): Promise<Uint8Array | undefined> =>
  inStore(data, (store) => Effect.map(store.local(space, Checkpoint.checkpointRow), Option.getOrUndefined))

/** The key that this device seals its checkpoints with. */
const keyIn = (data: string, space: SpaceId): Promise<Uint8Array> =>
  Effect.gen(function* () {
    const secret = yield* Token.read(yield* SecretStore, space)
    return Redacted.value(secret!.checkpointKey)
  }).pipe(
    Effect.provide(DirectorySecretStore.layer({ directory: join(data, NodeEffects.names.secrets) })),
    Effect.runPromise
  )

/** Puts a checkpoint there that fits in everything but says of one task what no entry says. */
const forge = (data: string, space: SpaceId, key: Uint8Array): Promise<void> =>
  inStore(
    data,
    Effect.fnUntraced(function* (store) {
      const { ledger } = yield* fold(store, space, Date.now(), "whole")
      const feed = [...ledger.lines.values()].find((line) => line.feed.kind === "data")!.feed.id
      const change = ["put", "tasks", "forged", { title: "nobody said so", done: false }]
      State.apply(ledger.state, app.types, change, { time: ledger.latest, feed, seq: 0, index: 1 })
      const bytes = Checkpoint.seal(key, Checkpoint.encode(ledger)!)
      yield* store.commit({ space, locals: [{ name: Checkpoint.checkpointRow, bytes }] })
    })
  )

const titles = async (data: string): Promise<ReadonlyArray<string>> => {
  const told = json(await aura(["state", "--data", data, "--json"]))[0]!["state"]
  return Object.values((told as { tasks: Record<string, { title: string }> }).tasks).map(({ title }) => title)
}

describe("a checkpoint", () => {
  afterAll(stopAll)

  it("that follows from the entries stays as it is", { timeout: 60_000 }, async () => {
    const { data, space } = await directory()
    const before = await checkpointIn(data, space)
    assert.isDefined(before)
    const verified = await aura(["journal", "verify", "--data", data])
    assert.include(verified.stdout, "clean")
    assert.notInclude(verified.stderr, "checkpoint")
    assert.deepStrictEqual(await checkpointIn(data, space), before)
  })

  it("that says what no entry says is removed, and what it said is gone", { timeout: 60_000 }, async () => {
    const { data, space } = await directory()
    await forge(data, space, await keyIn(data, space))
    assert.include(await titles(data), "nobody said so", "until somebody verifies, this device believes itself")
    const verified = await aura(["journal", "verify", "--data", data])
    assert.include(verified.stdout, "clean")
    assert.match(verified.stderr, /checkpoint of space .* did not follow from its entries and was removed/u)
    assert.isUndefined(await checkpointIn(data, space))
    const left = await titles(data)
    assert.notInclude(left, "nobody said so")
    assert.strictEqual(left.length, 2 * checkpointAtCloseMin)
  })

  it("that was made without this device's secrets is never believed, and removed", { timeout: 60_000 }, async () => {
    const { data, space } = await directory()
    await forge(data, space, new Uint8Array(32))
    const verified = await aura(["journal", "verify", "--data", data])
    assert.match(verified.stderr, /checkpoint of space .* was not made by this device and was removed/u)
    await forge(data, space, new Uint8Array(32))
    assert.notInclude(await titles(data), "nobody said so")
  })
})
