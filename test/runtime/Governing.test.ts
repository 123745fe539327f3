/** People decide about each other, while others are offline: nobody is locked out but who was put out. */
import { assert, describe, it } from "@effect/vitest"
import { Aura } from "aura/simulation"
import { Policy } from "aura"
import { app } from "../../examples/tasks/app.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import type * as Governing from "../../src/runtime/Governing.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Right from "../../src/trust/Right.ts"
import * as Wording from "../../src/trust/Wording.ts"
import { keyring, verifier } from "../simulation/signing.ts"

const open = (
  seed: number,
  can: { readonly bob?: ReadonlyArray<string>; readonly carol?: ReadonlyArray<string> } = {}
) => Aura.test(app, { devices: ["alice", "bob", "carol"], can, seed, keyring, verifier })

const write = capability("task:write")

const thrown = (act: () => unknown): { readonly _tag?: string; readonly message?: string } => {
  try {
    act()
    return {}
  } catch (error) {
    return error as { readonly _tag?: string; readonly message?: string }
  }
}

const granted = (device: DeviceId): Governing.Act => ({ _tag: "Grant", device, rights: [Right.make(write)] })
const withdrawn = (device: DeviceId): Governing.Act => ({
  _tag: "Withdraw",
  device,
  what: "everything",
  reason: "the season is over"
})

describe("a reader", () => {
  it("is told what he lacks, may write when he is let, and nothing of what he writes afterwards counts anywhere", () => {
    const { devices, settle } = open(1, { bob: [], carol: [] })
    const { alice, bob, carol } = devices
    assert.match(thrown(() => bob.perform("add", { title: "milk" })).message ?? "", /lacks task:write/u)
    alice.share("bob", "writer")
    settle()
    const milk = bob.perform("add", { title: "milk" })
    settle()
    assert.isTrue(carol.state().tasks.has(milk))
    bob.disconnect()
    const late = bob.perform("add", { title: "too late" })
    alice.act({ _tag: "Withdraw", device: bob.device, what: { can: [write] }, reason: "done" })
    settle()
    bob.connect()
    settle()
    for (const device of [alice, bob, carol]) {
      assert.isTrue(device.state().tasks.has(milk), "what he wrote before stays")
      assert.isFalse(device.state().tasks.has(late), `${device.name}: what he wrote after does not count`)
      const [quarantined] = [...device.replica().ledger().quarantine.values()]
      assert.strictEqual(quarantined?.because._tag, "MissingCapability")
    }
    const [undone] = bob.undone()
    assert.strictEqual(undone?.device, bob.device)
    assert.strictEqual(undone?.because?._tag, "MissingCapability")
    assert.strictEqual(bob.may("add").decision._tag, "Denied")
    assert.match(thrown(() => bob.perform("add", { title: "again" })).message ?? "", /lacks task:write/u)
  })
})

describe("an act", () => {
  it("that would be without effect is refused, and says what is missing", () => {
    const { devices } = open(2, { bob: [], carol: ["task:write"] })
    const { alice, bob, carol } = devices
    const acts: ReadonlyArray<readonly [Governing.Act, RegExp]> = [
      [{ _tag: "Revoke", device: carol.device, reason: "" }, /needs device:revoke/u],
      [{ _tag: "Limit", device: carol.device, ceiling: [], reason: "" }, /needs device:revoke/u],
      [withdrawn(carol.device), /needs delegation:revoke/u],
      [granted(carol.device), /can't give task:write/u],
      [
        { _tag: "SetPolicy", app: "tasks", operation: "tasks.add", policy: Policy.any(), reason: "" },
        /needs policy:set/u
      ],
      [{ _tag: "Report", device: carol.device, severity: "Minor", reason: "" }, /not trusted enough/u]
    ]
    for (const [act, message] of acts) {
      const error = thrown(() => bob.act(act))
      assert.strictEqual(error._tag, "ActDenied", act._tag)
      assert.match(error.message ?? "", message)
    }
    assert.strictEqual(
      thrown(() => alice.act({ _tag: "Revoke", device: "f".repeat(64) as DeviceId, reason: "" }))._tag,
      "ActDenied"
    )
    for (const [act] of acts.slice(0, 3)) alice.act(act)
    assert.match(Wording.explain(carol.may("add").decision), /allowed/u, "she has not heard of it")
  })

  it("that would lift what another set, or settle a feed, without the right to is refused", () => {
    const { devices, settle } = open(2, { bob: ["task:write"], carol: ["task:write"] })
    const { alice, bob, carol } = devices
    alice.act({ _tag: "Limit", device: carol.device, ceiling: [capability("space:read")], reason: "" })
    settle()
    const { authority } = bob.replica().ledger()
    const [restriction] = authority === undefined ? [] : Authority.restrictions(authority)
    const lift: Governing.Act = { _tag: "Lift", entry: restriction!.node.hash, index: restriction!.index }
    assert.match(thrown(() => bob.act(lift)).message ?? "", /may not lift that/u)
    assert.match(thrown(() => alice.act({ ...lift, index: 1 })).message ?? "", /may not lift that/u)
    const { feed, hash, seq } = restriction!.node
    const settled: Governing.Act = { _tag: "Settle", position: { feed: feed.id, seq, hash } }
    assert.match(thrown(() => bob.act(settled)).message ?? "", /needs device:revoke/u)
    alice.act(lift)
    settle()
    assert.strictEqual(carol.may("add").decision._tag, "Allowed")
  })

  it("that withdraws what is withdrawn already is refused, and what is left is withdrawn alone", () => {
    const { devices, settle } = open(5, { bob: ["task:write"], carol: [] })
    const { alice, bob, carol } = devices
    const withdraw = (can: string): Governing.Act => ({
      _tag: "Withdraw",
      device: bob.device,
      what: { can: [capability(can)] },
      reason: ""
    })
    const standing = () => Authority.restrictions(alice.replica().ledger().authority!)
    const refusal = (act: Governing.Act) => thrown(() => alice.act(act))
    alice.act(withdraw("task:write"))
    assert.match(refusal(withdraw("task:write")).message ?? "", /withdrawn from device .* already/u)
    assert.strictEqual(refusal(withdraw("task:write"))._tag, "ActDenied")
    assert.lengthOf(standing(), 1, "nothing was written")
    alice.act({ _tag: "Grant", device: bob.device, rights: [Right.make(capability("task:comment"))] })
    alice.act(withdrawn(bob.device))
    assert.lengthOf(standing(), 3, "what the first grant still gave, and the second")
    for (const act of [withdrawn(bob.device), withdraw("task:comment"), withdraw("task:write")])
      assert.match(refusal(act).message ?? "", /already/u)
    const { index, node } = standing().at(-1)!
    alice.act({ _tag: "Lift", entry: node.hash, index })
    alice.act(withdrawn(bob.device))
    assert.lengthOf(standing(), 4, "what was lifted may be withdrawn again")
    settle()
    assert.strictEqual(carol.may("add").decision._tag, "Denied")
  })

  it("that withdraws for everybody what was withdrawn for one's own chains is none of that", () => {
    const { devices, settle } = open(6, { bob: [], carol: [] })
    const { alice, bob, carol } = devices
    const give = (depth: number, device: DeviceId, text = "task:write"): Governing.Act => ({
      _tag: "Grant",
      device,
      rights: [Right.make(capability(text), { depth })]
    })
    alice.act(give(2, bob.device))
    settle()
    bob.act(give(1, carol.device))
    settle()
    carol.act(give(0, alice.device))
    settle()
    bob.act(withdrawn(alice.device))
    assert.match(thrown(() => bob.act(withdrawn(alice.device))).message ?? "", /already/u)
    alice.act(give(0, bob.device, "delegation:revoke"))
    settle()
    bob.act(withdrawn(alice.device))
    assert.deepStrictEqual(
      Authority.restrictions(bob.replica().ledger().authority!).map(({ reach }) => reach),
      ["own", "all"]
    )
    assert.match(thrown(() => bob.act(withdrawn(alice.device))).message ?? "", /already/u)
  })

  it("by a reader about himself stands: everybody may give up what he has", () => {
    const { devices, settle } = open(3, { bob: ["task:write"] })
    devices.bob.act(withdrawn(devices.bob.device))
    settle()
    assert.strictEqual(devices.bob.may("add").decision._tag, "Denied")
  })
})

describe("a policy", () => {
  it("binds who has not heard of its change, and is obeyed by who has", () => {
    const { devices, settle } = open(4)
    const { alice, bob, carol } = devices
    bob.disconnect()
    const before = bob.perform("add", { title: "before" })
    alice.act({ _tag: "Relate", device: carol.device, level: "High" })
    const policy = Policy.make({ capabilities: ["task:write"], minTrust: "Medium" })
    alice.act({ _tag: "SetPolicy", app: "tasks", operation: "tasks.add", policy, reason: "strangers came" })
    settle()
    const trusted = carol.perform("add", { title: "trusted" })
    bob.connect()
    settle()
    assert.strictEqual(bob.may("add").decision._tag, "Denied")
    assert.isFalse(alice.state().tasks.has(before))
    assert.isTrue(bob.state().tasks.has(trusted))
    alice.act({ _tag: "Relate", device: bob.device, level: "Medium" })
    settle()
    const again = bob.perform("add", { title: "again" })
    settle()
    assert.isTrue(carol.state().tasks.has(again))
  })

  it("is replaced and not lifted: an attempt says by what", () => {
    const { devices, settle } = open(5)
    const { alice } = devices
    alice.act({ _tag: "SetPolicy", app: "tasks", operation: "tasks.add", policy: undefined, reason: "" })
    settle()
    const [{ index, node }] = Authority.restrictions(alice.replica().ledger().authority!) as [Authority.Restriction]
    const denied = thrown(() => alice.act({ _tag: "Lift", entry: node.hash, index }))
    assert.match(denied.message ?? "", /a policy is not lifted/u)
  })
})

describe("who was offline", () => {
  const changes = ["nothing", "policy", "ceiling", "withdrawal", "grants", "lift"] as const
  const removals = ["nobody", "another", "who granted", "himself"] as const

  it.each(removals.flatMap((removal) => changes.map((change) => [change, removal] as const)))(
    "through %s with %s removed is locked out only if he was removed",
    (change, removal) => {
      const { advance, devices, settle } = open(10, { bob: ["task:write"] })
      const { alice, bob, carol } = devices
      settle()
      const early = bob.perform("add", { title: "early" })
      settle()
      bob.disconnect()
      for (let round = 0; round < 3; round++) {
        if (change === "policy") {
          const policy = Policy.make({
            capabilities: ["task:write"],
            ...(round === 1 ? { minTrust: "Low" as const } : {})
          })
          alice.act({ _tag: "SetPolicy", app: "tasks", operation: "tasks.add", policy, reason: `${round}` })
        } else if (change === "ceiling" || change === "lift")
          alice.act({ _tag: "Limit", device: bob.device, ceiling: [capability("space:read"), write], reason: "" })
        else if (change === "withdrawal") {
          alice.act(withdrawn(bob.device))
          alice.share("bob", "writer")
        } else if (change === "grants") alice.share("bob", "writer")
      }
      if (removal === "another") alice.act({ _tag: "Revoke", device: carol.device, reason: "" })
      if (removal === "himself") alice.act({ _tag: "Revoke", device: bob.device, reason: "" })
      if (removal === "who granted") {
        settle()
        carol.act({ _tag: "Revoke", device: alice.device, reason: "" })
      }
      settle()
      bob.connect()
      settle()
      advance("1 minute")
      const attempt = thrown(() => bob.perform("add", { title: "late" }))
      if (removal === "himself") {
        assert.strictEqual(attempt._tag, "DeviceRevoked")
        return
      }
      assert.deepStrictEqual(attempt, {}, attempt.message)
      settle()
      const peer = removal === "another" ? alice : carol
      const titles = [...peer.state().tasks.values()].map(({ title }) => title)
      assert.sameMembers(titles, ["early", "late"])
      assert.isTrue(peer.state().tasks.has(early))
    }
  )
})
