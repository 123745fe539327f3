/** The promise face over memory handlers: what an application's author meets first. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { app } from "../../examples/tasks/app.ts"
import * as ClockTime from "../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { Aura } from "aura"

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

const effects = (hub: MemoryNetwork.Hub, address: string, seed: number) => {
  const options = { seed: new Uint8Array(32).fill(seed) }
  return Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    MemoryKeys.layer(options),
    MemoryNetwork.layer(hub, { device: MemoryKeys.make(options).device, address }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto
  )
}

describe("Aura.open", () => {
  it("two devices share a task list, and each refusal says why", async () => {
    const hub = MemoryNetwork.hub()
    const alice = await Aura.open({ app, effects: effects(hub, "alice", 1), found: { root } })
    const milk = await alice.perform("add", { title: "milk" })
    const code = await alice.pair({ address: "alice" })
    const bob = await Aura.open({ app, effects: effects(hub, "bob", 2), join: { code, name: "Bob" } })
    assert.deepStrictEqual([...bob.state().tasks.entries()], [[milk, { title: "milk", done: false }]])
    await bob.perform("complete", { id: milk }, { wait: "acknowledged" })
    assert.isTrue(alice.state().tasks.get(milk)?.done)

    const sizes: Array<number> = []
    const stop = alice.watch(
      (state) => state.tasks.size,
      (size) => sizes.push(size)
    )
    await alice.perform("add", { title: "bread" }, { key: "once" })
    await alice.perform("add", { title: "bread" }, { key: "once" })
    stop()
    assert.deepStrictEqual(sizes, [1, 2])

    const refusals = await Promise.allSettled([
      alice.perform("add", { title: " " }),
      alice.perform("complete", { id: "nothing" }),
      alice.perform("add", { title: "bread and butter" }, { key: "once" })
    ])
    assert.deepStrictEqual(
      refusals.map((one) => (one.status === "rejected" ? one.reason._tag : one.value)),
      ["TitleEmpty", "TaskUnknown", "RequestConflict"]
    )
    await alice.close()
    await bob.close()
  })

  it("ends what still waits when it is closed, and starts nothing afterwards", async () => {
    const alone = await Aura.open({ app, effects: effects(MemoryNetwork.hub(), "alice", 1), found: { root } })
    const waiting = alone.caughtUp()
    await alone.close()
    const outcomes = await Promise.allSettled([waiting, alone.caughtUp(), alone.perform("add", { title: "milk" })])
    assert.deepStrictEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "rejected", "rejected"]
    )
    await alone.close()
  })

  it("ends the effects when it can't be opened over them", async () => {
    let isEnded = false
    const ending = Layer.effectDiscard(
      Effect.addFinalizer(() =>
        Effect.sync(() => {
          isEnded = true
        })
      )
    )
    const some = Layer.mergeAll(effects(MemoryNetwork.hub(), "alice", 1), ending)
    const opening = await Aura.open({ app, effects: some }).then(
      () => "opened",
      (error: unknown) => String(error)
    )
    assert.include(opening, "pass found or join")
    assert.isTrue(isEnded)
  })
})
