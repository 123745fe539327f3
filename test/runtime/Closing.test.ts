/** What a right that ran out is worth: nothing to the honest at once, nothing to a liar from its closing on. */
import { assert, describe, it } from "@effect/vitest"
import { Aura } from "aura/simulation"
import { app } from "../../examples/tasks/app.ts"
import * as Clock from "../../src/journal/Clock.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Right from "../../src/trust/Right.ts"
import { keyring, verifier } from "../simulation/signing.ts"

const open = (skewMillis: { readonly bob?: number } = {}) =>
  Aura.test(app, {
    devices: ["alice", "bob", "carol"],
    can: { bob: [], carol: [] },
    seed: 5,
    skewMillis,
    keyring,
    verifier
  })

const write = capability("task:write")
const minutes = 60_000
const closings = (device: ReturnType<typeof open>["devices"]["alice"]): number =>
  [...device.replica().ledger().authority!.memo.book.restrictions].filter(({ fact }) => fact._tag === "Ungrant").length

/** Bob may write for so many minutes, half an hour by default. */
const lend = (world: ReturnType<typeof open>, forMinutes = 30): void => {
  const { alice, bob } = world.devices
  const now = alice.may("add").time
  const until = now + forMinutes * minutes * Clock.ticksPerMilli
  alice.act({ _tag: "Grant", device: bob.device, rights: [Right.make(write, { until })] })
  world.settle()
}

const titles = (device: ReturnType<typeof open>["devices"]["alice"]): ReadonlyArray<string> =>
  [...device.state().tasks.values()].map(({ title }) => title ?? "").toSorted()

describe("a right that runs out", () => {
  it("is closed by who gave it, once, when even the slowest clock says so", () => {
    const world = open()
    lend(world)
    world.devices.bob.perform("add", { title: "in time" })
    world.advance("29 minutes")
    assert.strictEqual(closings(world.devices.alice), 0)
    world.advance("5 minutes")
    assert.strictEqual(world.devices.bob.may("add").decision._tag, "Denied")
    assert.strictEqual(closings(world.devices.alice), 0, "a clock may be five minutes slow")
    world.advance("2 minutes")
    assert.strictEqual(closings(world.devices.alice), 1)
    world.advance("2 hours")
    world.settle()
    for (const device of Object.values(world.devices)) {
      assert.strictEqual(closings(device), 1)
      assert.deepStrictEqual(titles(device), ["in time"])
    }
  })

  it("serves no liar who writes that it is earlier, from the closing on", () => {
    const world = open({ bob: -20 * minutes })
    const { alice, bob, carol } = world.devices
    lend(world, 60)
    bob.perform("add", { title: "in time" })
    world.settle()
    bob.disconnect()
    for (let minute = 0; closings(alice) === 0 && minute < 90; minute++) world.advance("1 minute")
    assert.strictEqual(closings(alice), 1)
    assert.strictEqual(bob.may("add").decision._tag, "Allowed", "by his own clock it is before the end")
    bob.perform("add", { title: "backdated" })
    bob.connect()
    world.settle()
    for (const device of [alice, carol, bob]) {
      assert.deepStrictEqual(titles(device), ["in time"], device.name)
      assert.strictEqual(device.replica().ledger().quarantine.size, 1)
    }
  })

  it("is closed by somebody else who may, an hour later, when who gave it does not come back", () => {
    const world = open()
    const { alice, carol } = world.devices
    alice.act({ _tag: "Grant", device: carol.device, rights: [Right.make(capability("delegation:revoke"))] })
    lend(world)
    alice.crash()
    world.advance("80 minutes")
    assert.strictEqual(closings(carol), 0)
    world.advance("20 minutes")
    assert.strictEqual(closings(carol), 1)
  })
})
