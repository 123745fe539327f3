/** One question, one answer: for who asks beforehand as for who writes, on every device that knows the same. */
import { assert, describe, it } from "@effect/vitest"
import { Aura } from "aura/simulation"
import { Policy } from "aura"
import { app } from "../../examples/tasks/app.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import * as AccessControl from "../../src/runtime/AccessControl.ts"
import { capability } from "../../src/trust/Capability.ts"
import { keyring, verifier } from "../simulation/signing.ts"

const open = () =>
  Aura.test(app, { devices: ["alice", "bob", "carol"], can: { bob: ["task:write"], carol: [] }, keyring, verifier })

type Device = ReturnType<typeof open>["devices"]["alice"]

const controlOf = (device: Device): AccessControl.AccessControl =>
  AccessControl.make(device.replica(), app.definition, () => device.may("add").time)

describe("access control", () => {
  it("answers alike on every device that knows the same, and names what it knew", () => {
    const { devices, settle } = open()
    settle()
    const { alice, bob, carol } = devices
    const answers = [alice, bob, carol].map((device) =>
      [alice, bob, carol].map((who) => controlOf(device).authorizeOperation(who.device, "tasks.add"))
    )
    for (const [index, tag] of ["Allowed", "Allowed", "Denied"].entries()) {
      const column = answers.map((row) => row[index]!)
      assert.deepStrictEqual(
        column.map(({ decision }) => decision._tag),
        [tag, tag, tag]
      )
      assert.lengthOf([...new Set(column.map(({ snapshot }) => snapshot))], 1)
    }
  })

  it("denies an operation that nobody defined, and who is no member", () => {
    const { devices } = open()
    const control = controlOf(devices.alice)
    assert.deepStrictEqual(control.authorizeOperation(devices.alice.device, "tasks.burn").decision, {
      _tag: "Denied",
      because: { _tag: "UnknownOperation", type: "tasks.burn" }
    })
    const stranger = "e".repeat(64) as DeviceId
    assert.deepStrictEqual(control.authorizeOperation(stranger, "tasks.add").decision, {
      _tag: "Denied",
      because: { _tag: "NotAdmitted", device: stranger }
    })
    assert.deepStrictEqual(control.deviceRights(stranger), [])
    assert.strictEqual(control.trustLevel(stranger), "None")
  })

  it("reads capabilities and trust from one snapshot, and asks again when it is another", () => {
    const { devices, settle } = open()
    const { alice, bob } = devices
    const policy = Policy.make({ capabilities: ["task:write"], minTrust: "Low" })
    alice.act({ _tag: "SetPolicy", app: "tasks", operation: "tasks.add", policy, reason: "" })
    settle()
    const control = controlOf(alice)
    const before = control.authorizeOperation(bob.device, "tasks.add")
    assert.strictEqual(before.decision._tag, "Denied")
    assert.strictEqual(control.reauthorize(before), before, "nothing changed")
    alice.act({ _tag: "Relate", device: bob.device, level: "Low" })
    const after = control.reauthorize(before)
    assert.strictEqual(after.decision._tag, "Allowed")
    assert.notStrictEqual(after.snapshot, before.snapshot)
    assert.strictEqual(control.trustLevel(bob.device), "Low")
  })

  it("answers for one resource, or for all that an operation may be about", () => {
    const { devices, settle } = open()
    const { alice, carol } = devices
    const right = {
      capability: capability("task:write/tasks/7"),
      depth: 0,
      from: undefined,
      until: undefined,
      hours: []
    }
    alice.act({ _tag: "Grant", device: carol.device, rights: [right] })
    settle()
    const control = controlOf(carol)
    const may = (resource?: string) =>
      control.authorizeOperation(carol.device, "tasks.complete", resource).decision._tag
    assert.deepStrictEqual([may("tasks/7"), may("tasks/8"), may()], ["Allowed", "Denied", "Denied"])
    alice.act({ _tag: "Revoke", device: carol.device, reason: "left" })
    assert.strictEqual(
      controlOf(alice).authorizeOperation(carol.device, "tasks.complete", "tasks/7").decision._tag,
      "Denied"
    )
    assert.deepStrictEqual(controlOf(alice).deviceRights(carol.device), [])
  })
})
