/** How an author tests an application on several devices: the example of `Aura.test`, over the tasks of examples/. */
import { assert, describe, it } from "vitest"
import { Aura as Running } from "aura"
import { Aura } from "aura/simulation"
import * as Result from "effect/Result"
import { app } from "../../examples/tasks/app.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { keyring, verifier } from "./signing.ts"

const open = (seed: number) => Aura.test(app, { devices: ["alice", "bob", "carol"], seed, keyring, verifier })

describe("Aura.test", () => {
  it("lets devices work apart and come together", () => {
    const { devices, settle } = open(1)
    const milk = devices.alice.perform("add", { title: "milk" })
    settle()
    devices.bob.disconnect()
    devices.bob.perform("complete", { id: milk })
    const bread = devices.alice.perform("add", { title: "bread" })
    settle()
    assert.isFalse(devices.carol.state().tasks.get(milk)?.done)
    assert.isFalse(devices.bob.state().tasks.has(bread))
    devices.bob.connect()
    settle()
    for (const device of Object.values(devices)) {
      assert.isTrue(device.state().tasks.get(milk)?.done)
      assert.strictEqual(device.state().tasks.size, 2)
    }
  })

  it("keeps what was acknowledged through a crash", () => {
    const { advance, devices, heal, settle } = open(2)
    devices.bob.disconnect()
    const milk = devices.bob.perform("add", { title: "milk" })
    devices.bob.crash()
    assert.throws(() => devices.bob.state(), "bob is not running")
    advance("1 hour")
    heal()
    settle()
    assert.strictEqual(devices.alice.state().tasks.get(milk)?.title, "milk")
  })

  it("throws refusals with their tags", () => {
    const { devices, settle } = open(3)
    const tagOf = (act: () => unknown): unknown => {
      try {
        return act()
      } catch (error) {
        return typeof error === "object" && error !== null && "_tag" in error ? error._tag : error
      }
    }
    assert.strictEqual(
      tagOf(() => devices.alice.perform("add", { title: " " })),
      "TitleEmpty"
    )
    devices.alice.revoke("bob")
    settle()
    devices.alice.perform("add", { title: "milk" })
    settle()
    assert.strictEqual(devices.carol.state().tasks.size, 1)
    assert.strictEqual(devices.bob.state().tasks.size, 0)
  })

  it("tells when something that was applied no longer counts", () => {
    const { devices, settle } = open(4)
    devices.alice.disconnect()
    devices.alice.revoke("bob")
    devices.bob.perform("add", { title: "too late" })
    settle()
    assert.strictEqual(devices.carol.state().tasks.size, 1)
    devices.alice.connect()
    settle()
    assert.strictEqual(devices.carol.state().tasks.size, 0)
    assert.isAbove(devices.carol.overturned(), 0)
  })

  it("gives each device the capabilities it is meant to have", () => {
    const { devices } = Aura.test(app, { devices: ["alice", "bob"], can: { bob: [] }, keyring, verifier })
    assert.throws(() => devices.bob.perform("add", { title: "milk" }), /lacks task:write/u)
  })

  it("is the same world for the same seed", () => {
    const traceOf = (seed: number) => {
      const { advance, devices, trace } = open(seed)
      devices.alice.perform("add", { title: "milk" })
      advance("10 seconds")
      return trace()
    }
    assert.deepStrictEqual(traceOf(5), traceOf(5))
    assert.notDeepEqual(traceOf(5), traceOf(6))
  })
})

describe("createTestEffects", () => {
  it("is all that an agent in memory needs, with the keys of its seed", async () => {
    const hub = Aura.hub()
    const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32)))))
    const effects = (seed: number, address: string) => Aura.createTestEffects(seed, { hub, address })
    const alice = await Running.open({ app, effects: effects(1, "alice"), found: { root } })
    const milk = await alice.perform("add", { title: "milk" })
    const code = await alice.pair({ address: "alice" })
    const bob = await Running.open({ app, effects: effects(2, "bob"), join: { code, name: "Bob" } })
    assert.isTrue(bob.state().tasks.has(milk))
    await Promise.all([alice.close(), bob.close()])
    const again = await Running.open({ app, effects: effects(1, "alice"), found: { root } })
    assert.strictEqual(again.device, alice.device)
    await again.close()
  })
})
