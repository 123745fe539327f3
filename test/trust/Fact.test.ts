/** Payloads of authority facts: what goes out comes back, and anything else is refused, with the place. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import fc from "fast-check"
import { deviceId, entryHash, feedId } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import { timeMax } from "../../src/journal/Clock.ts"
import { seqMax } from "../../src/journal/limits.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Fact from "../../src/trust/Fact.ts"
import { levels, severities } from "../../src/trust/Level.ts"
import {
  budgetLeasesMax,
  ceilingCapabilitiesMax,
  claimCharactersMax,
  costMax,
  cutPositionsMax,
  deviceNameCharactersMax,
  grantDepthMax,
  grantRightsMax,
  policyBranchesMax,
  policyDepthMax,
  reasonCharactersMax,
  rightHoursMax
} from "../../src/trust/limits.ts"
import { attestersMax } from "../../src/trust/Trust.ts"
import { genesOf, randomPolicy, reader } from "./randomSpace.ts"
import { bob, create, define } from "./space.ts"

const id = fc.uint8Array({ minLength: 32, maxLength: 32 })
const time = fc.option(fc.nat({ max: timeMax - 1 }), { nil: undefined })

const device = id.map(deviceId)
const entry = id.map(entryHash)
const none = fc.constant(undefined)
const level = fc.constantFrom(...levels)
const ceiling = fc.array(fc.constantFrom("*", "task:write", "task:write/tasks/*").map(capability), { maxLength: 5 })
const anyPosition = fc.record({ feed: id.map(feedId), seq: fc.nat({ max: seqMax - 1 }), hash: entry })
const restricting = {
  cut: fc.uniqueArray(anyPosition, { maxLength: 5, selector: ({ feed }) => feed }),
  reason: fc.string({ maxLength: reasonCharactersMax })
}
const lease = fc.record({ device, amount: fc.nat({ max: 1000 }) })
const byDevice = ({ device: whose }: { readonly device: string }): string => whose

/** Any policy: the numbers that draw spaces draw it as well. */
const policy = genesOf(30, 30).map((genes) => randomPolicy(reader(genes)))

const facts: fc.Arbitrary<Fact.AuthorityFact> = fc.oneof(
  fc.constant(create),
  fc.constant(define(3)),
  fc.record({
    _tag: fc.constant("Admit" as const),
    device: id.map(deviceId),
    box: id,
    name: fc.string({ maxLength: deviceNameCharactersMax })
  }),
  fc.record({
    _tag: fc.constant("Grant" as const),
    device: id.map(deviceId),
    rights: fc.array(
      fc.record({
        capability: fc.constantFrom("*", "task:write", "task:write/tasks/*").map(capability),
        depth: fc.integer({ min: 0, max: grantDepthMax }),
        from: time,
        until: time,
        hours: fc.constantFrom([], [{ from: 60, to: 120, offset: -30 }])
      }),
      { minLength: 1, maxLength: 5 }
    )
  }),
  fc.record({ _tag: fc.constant("Revoke" as const), device, admission: entry, ...restricting }),
  fc.record({ _tag: fc.constant("Ungrant" as const), device, grant: entry, ...restricting }),
  fc.record({ _tag: fc.constant("Refine" as const), device, admission: entry, grant: none, ceiling, ...restricting }),
  fc.record({ _tag: fc.constant("Refine" as const), device, admission: none, grant: entry, ceiling, ...restricting }),
  fc.record({
    _tag: fc.constant("SetPolicy" as const),
    app: fc.constantFrom("a", "task-list"),
    operation: fc.constantFrom("task.add", "a.b.c"),
    policy: fc.option(policy, { nil: undefined }),
    ...restricting
  }),
  fc.record({ _tag: fc.constant("Relate" as const), device, level }),
  fc.record({ _tag: fc.constant("Attest" as const), device, claim: fc.string({ maxLength: claimCharactersMax }) }),
  fc.record({ _tag: fc.constant("Lower" as const), device, admission: entry, level, ...restricting }),
  fc.record({
    _tag: fc.constant("Report" as const),
    device,
    admission: entry,
    severity: fc.constantFrom(...severities),
    ...restricting
  }),
  fc.record({ _tag: fc.constant("Lift" as const), entry, index: fc.nat({ max: 255 }) }),
  anyPosition.map((one) => ({ _tag: "Settle" as const, ...one })),
  fc.record({ _tag: fc.constant("Seal" as const), positions: restricting.cut, digest: id }),
  fc
    .record({ peer: device, epoch: fc.nat(), leases: fc.uniqueArray(lease, { maxLength: 4, selector: byDevice }) })
    .map((one) => ({
      _tag: "Budget" as const,
      ...one,
      limit: one.leases.reduce((sum, { amount }) => sum + amount, 0)
    })),
  fc.record({ _tag: fc.constant("Give" as const), peer: device, epoch: fc.nat(), to: device, amount: fc.nat() }),
  fc.record({
    _tag: fc.constant("Summary" as const),
    peer: device,
    epoch: fc.nat(),
    spent: fc.nat(),
    receipts: fc.nat(),
    head: id
  })
)

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const position = (feed: number): Cbor.Cbor => [new Uint8Array(32).fill(feed), 1, bytes(32)]
const many = <Item>(count: number, item: (index: number) => Item): Array<Item> =>
  Array.from({ length: count }, (_, index) => item(index))
const wide = (index: number): Uint8Array => {
  const feed = bytes(32)
  new DataView(feed.buffer).setUint32(0, index)
  return feed
}

const right = { capability: "task:write", depth: 0, from: null, until: null }
const admit = { device: bytes(32), box: bytes(32), name: "Bob" }
const grant = { device: bytes(32), rights: [right] }
const restriction = { cut: [position(1), position(2)], reason: "lost" }
const revoke = { device: bytes(32), admission: bytes(32), ...restriction }
const ungrant = { device: bytes(32), grant: bytes(32), ...restriction }
const refine = { device: bytes(32), admission: bytes(32), grant: null, ceiling: ["*"], ...restriction }
const setPolicy = { app: "tasks", operation: "task.add", policy: ["trust", 2], ...restriction }
const relate = { device: bytes(32), level: 3 }
const attest = { device: bytes(32), claim: "we met" }
const lower = { device: bytes(32), admission: bytes(32), level: 0, ...restriction }
const report = { device: bytes(32), admission: bytes(32), severity: 2, ...restriction }
const lift = { entry: bytes(32), index: 255 }
const settle = { feed: bytes(32), seq: 1, hash: bytes(32) }
const seal = { positions: [position(1)], digest: bytes(32) }
const budget = { peer: bytes(32), epoch: 1, limit: 9, leases: [{ device: bytes(32), amount: 9 }] }
const give = { peer: bytes(32), epoch: 1, to: bytes(32), amount: 9 }
const summary = { peer: bytes(32), epoch: 1, spent: 1, receipts: 2, head: bytes(32) }

type Payload = { readonly [key: string]: Cbor.Cbor }

const known: ReadonlyArray<readonly [type: string, payload: Payload, tag: string]> = [
  ["aura.device.admit", admit, "Admit"],
  ["aura.delegation.grant", grant, "Grant"],
  ["aura.device.revoke", revoke, "Revoke"],
  ["aura.delegation.revoke", ungrant, "Ungrant"],
  ["aura.caps.refine", refine, "Refine"],
  ["aura.policy.set", setPolicy, "SetPolicy"],
  ["aura.trust.relate", relate, "Relate"],
  ["aura.trust.attest", attest, "Attest"],
  ["aura.trust.lower", lower, "Lower"],
  ["aura.trust.report", report, "Report"],
  ["aura.restriction.lift", lift, "Lift"],
  ["aura.feed.settle", settle, "Settle"],
  ["aura.space.seal", seal, "Seal"],
  ["aura.flow.budget", budget, "Budget"],
  ["aura.flow.give", give, "Give"],
  ["aura.flow.summary", summary, "Summary"]
]

/** Keys that may hold nothing. */
const nullable = ["aura.caps.refine grant", "aura.policy.set policy"]

const tagOf = (type: string, payload: Cbor.Cbor): string => Fact.decode({ type, payload })._tag

describe("a fact", () => {
  it("comes back from its payload, and from the payload's bytes", () => {
    fc.assert(
      fc.property(facts, (fact) => {
        const encoded = Fact.encode(fact)
        assert.isTrue(encoded.type.startsWith(Fact.authorityPrefix))
        assert.deepStrictEqual(Fact.decode(encoded), fact)
        const payload = Result.getOrThrow(Cbor.decode(Cbor.encode(encoded.payload)))
        const again = Fact.decode({ type: encoded.type, payload })
        assert.deepStrictEqual(again, fact)
      })
    )
  })

  it.each(known)("%s of another shape altogether is malformed", (type, payload, tag) => {
    assert.strictEqual(tagOf(type, payload), tag)
    for (const other of [null, true, 1, "text", bytes(32), [], [payload], {}, Object.values(payload)]) {
      assert.strictEqual(tagOf(type, other), "Malformed")
    }
  })

  it.each(known)("%s with a key too few, too many, or of another name is malformed", (type, payload) => {
    for (const key of Object.keys(payload)) {
      const { [key]: value, ...rest } = payload
      assert.strictEqual(tagOf(type, rest), "Malformed", `without ${key}`)
      assert.strictEqual(tagOf(type, { ...rest, [key.toUpperCase()]: value! }), "Malformed")
      for (const other of [null, {}, [1], false, 1.5]) {
        if (other === null && nullable.includes(`${type} ${key}`)) continue
        assert.strictEqual(tagOf(type, { ...payload, [key]: other }), "Malformed", `${key}: ${JSON.stringify(other)}`)
      }
    }
    assert.strictEqual(tagOf(type, { ...payload, more: 1 }), "Malformed")
    const polluted = { ...payload }
    Object.defineProperty(polluted, "__proto__", { value: 1, enumerable: true })
    assert.strictEqual(tagOf(type, polluted), "Malformed")
  })

  it.each(known)("%s with an id of a wrong size is malformed", (type, payload) => {
    for (const key of [
      "device",
      "box",
      "admission",
      "grant",
      "entry",
      "feed",
      "hash",
      "digest",
      "peer",
      "to",
      "head"
    ].filter((one) => one in payload)) {
      for (const length of [0, 31, 33])
        assert.strictEqual(tagOf(type, { ...payload, [key]: bytes(length) }), "Malformed")
    }
  })

  it.each([
    ["aura.device.admit", { ...admit, ["k".repeat(5000)]: 1 }, /^not \{device, box, name\}$/],
    ["aura.device.admit", { ...admit, box: bytes(31) }, /^box is not 32 bytes$/],
    ["aura.delegation.grant", { ...grant, rights: [right, { ...right, depth: -1 }] }, /^rights 1: depth is no integer/],
    ["aura.device.revoke", { ...revoke, cut: [[bytes(32), 1]] }, /^cut is no list of at most \d+ positions$/]
  ])("says what is wrong in one line, without its author's words: %s", (type, payload, what) => {
    const decoded = Fact.decode({ type, payload })
    assert.strictEqual(decoded._tag, "Malformed")
    if (decoded._tag === "Malformed") assert.match(decoded.what, what)
  })

  it("of an unknown type is kept as such", () => {
    assert.deepStrictEqual(Fact.decode({ type: "aura.device.praise", payload: 1 }), {
      _tag: "Unknown",
      type: "aura.device.praise"
    })
  })

  it("that would be malformed is not written", () => {
    const name = "x".repeat(deviceNameCharactersMax + 1)
    assert.throws(
      () => Fact.encode({ _tag: "Admit", device: bob, box: bytes(32), name }),
      /no aura.device.admit: .*at most 64/
    )
    assert.throws(() => Fact.encode({ _tag: "Create", genesis: bytes(3) }), /no aura.space.create/)
  })
})

describe("a founding and a definition", () => {
  it.each(["aura.space.create", "aura.app.define"])("%s is bytes of that record and nothing else", (type) => {
    const { payload } = Fact.encode(type === "aura.space.create" ? create : define(1))
    assert.notStrictEqual(tagOf(type, payload), "Malformed")
    assert.instanceOf(payload, Uint8Array)
    if (!(payload instanceof Uint8Array)) return
    for (const other of [
      null,
      {},
      [],
      "text",
      bytes(0),
      bytes(9),
      payload.subarray(1),
      new Uint8Array([...payload, 0])
    ]) {
      assert.strictEqual(tagOf(type, other), "Malformed")
    }
  })
})

describe("an admission", () => {
  it("has a name of limited length", () => {
    assert.strictEqual(tagOf("aura.device.admit", { ...admit, name: "x".repeat(deviceNameCharactersMax) }), "Admit")
    assert.strictEqual(
      tagOf("aura.device.admit", { ...admit, name: "x".repeat(deviceNameCharactersMax + 1) }),
      "Malformed"
    )
  })
})

describe("a grant", () => {
  const tagWith = (rights: ReadonlyArray<Cbor.Cbor>): string => tagOf("aura.delegation.grant", { ...grant, rights })

  it("has from one to so many rights", () => {
    assert.strictEqual(tagWith([]), "Malformed")
    assert.strictEqual(tagWith(many(grantRightsMax, () => right)), "Grant")
    assert.strictEqual(tagWith(many(grantRightsMax + 1, () => right)), "Malformed")
  })

  it.each([
    ["capability", ["", "X", "task write", "x/", 1]],
    ["depth", [-1, grantDepthMax + 1, 0.5, "1", null]],
    ["from", [-1, timeMax, 0.5, "1", false]],
    ["until", [-1, timeMax, 0.5, "1", 2n ** 60n]]
  ] as const)("has no right with a %s out of range", (key, values) => {
    for (const value of values)
      assert.strictEqual(tagWith([right, { ...right, [key]: value }]), "Malformed", String(value))
    const { [key]: _, ...rest } = right
    assert.strictEqual(tagWith([rest]), "Malformed")
    assert.strictEqual(tagWith([{ ...right, more: null }]), "Malformed")
  })
})

describe("a right with hours", () => {
  const tagWith = (hours: Cbor.Cbor): string =>
    tagOf("aura.delegation.grant", { ...grant, rights: [{ ...right, hours }] })
  const day = { from: 0, to: 1440, offset: 0 }

  it("has one to so many of them, and none by leaving them out", () => {
    assert.strictEqual(tagWith([day]), "Grant")
    assert.strictEqual(tagWith([]), "Malformed")
    assert.strictEqual(tagWith(many(rightHoursMax, () => day)), "Grant")
    assert.strictEqual(tagWith(many(rightHoursMax + 1, () => day)), "Malformed")
    const { payload } = Fact.encode({
      _tag: "Grant",
      device: bob,
      rights: [{ capability: capability("*"), depth: 0, from: undefined, until: undefined, hours: [] }]
    })
    assert.deepStrictEqual(payload, {
      device: new Uint8Array(32).fill(66),
      rights: [{ capability: "*", depth: 0, from: null, until: null }]
    })
  })

  it("has hours of the day, at an offset that clocks have", () => {
    for (const hours of [{ from: 1439 }, { to: 1 }, { offset: -720 }, { offset: 840 }, { from: 1320, to: 360 }])
      assert.strictEqual(tagWith([{ ...day, ...hours }]), "Grant", JSON.stringify(hours))
    for (const hours of [
      { from: 1440 },
      { from: -1 },
      { to: 1441 },
      { offset: -721 },
      { offset: 841 },
      { offset: 0.5 },
      { from: 60, to: 60 },
      { zone: "UTC" }
    ])
      assert.strictEqual(tagWith([{ ...day, ...hours }]), "Malformed", JSON.stringify(hours))
  })
})

describe("a ceiling", () => {
  const tagWith = (part: Payload): string => tagOf("aura.caps.refine", { ...refine, ...part })

  it("names a device's admission or a grant, never both and never neither", () => {
    assert.strictEqual(tagWith({ admission: null, grant: bytes(32) }), "Refine")
    assert.strictEqual(tagWith({ grant: bytes(32) }), "Malformed")
    assert.strictEqual(tagWith({ admission: null }), "Malformed")
  })

  it("is a list of capabilities, of none at all too", () => {
    assert.strictEqual(tagWith({ ceiling: [] }), "Refine")
    assert.strictEqual(tagWith({ ceiling: many(ceilingCapabilitiesMax, (index) => `a/${index}`) }), "Refine")
    assert.strictEqual(tagWith({ ceiling: many(ceilingCapabilitiesMax + 1, (index) => `a/${index}`) }), "Malformed")
    assert.strictEqual(tagWith({ ceiling: ["no capability"] }), "Malformed")
  })
})

describe("a change of policy", () => {
  const tagWith = (part: Payload): string => tagOf("aura.policy.set", { ...setPolicy, ...part })
  const trust: Cbor.Cbor = ["trust", 1]
  const nested = (depth: number): Cbor.Cbor => (depth === 0 ? trust : ["all", [nested(depth - 1)]])

  it("is of an operation of an application, and of nothing of Aura's own", () => {
    assert.strictEqual(tagWith({ policy: null }), "SetPolicy")
    for (const operation of ["aura.device.admit", "", "Task", "task", 7])
      assert.strictEqual(tagWith({ operation }), "Malformed", String(operation))
    for (const app of ["", "Tasks", "x".repeat(65), 7]) assert.strictEqual(tagWith({ app }), "Malformed", String(app))
  })

  const known: ReadonlyArray<Cbor.Cbor> = [
    ["all", []],
    ["any", []],
    ["any", [trust, ["all", [trust]]]],
    ["capability", "task:write", null],
    ["capability", "*", 0],
    ["capability", "*", grantDepthMax],
    ["trust", 0],
    ["attested", 1],
    ["attested", attestersMax],
    ["within", null, 7],
    ["within", null, null],
    ["hours", { from: 0, to: 60, offset: 0 }]
  ]
  it.each(known.map((policy) => [policy]))("%j is a policy, and written as it was read", (policy) => {
    const decoded = Fact.decode({ type: "aura.policy.set", payload: { ...setPolicy, policy: policy! } })
    assert.strictEqual(decoded._tag, "SetPolicy")
    if (decoded._tag !== "SetPolicy") return
    assert.deepStrictEqual(Fact.encode(decoded).payload, { ...setPolicy, policy: policy! })
  })

  const unknown: ReadonlyArray<Cbor.Cbor> = [
    [],
    ["all"],
    ["all", trust],
    ["all", [trust], null],
    ["none", []],
    ["capability", "*"],
    ["capability", "", null],
    ["capability", "*", grantDepthMax + 1],
    ["capability", "*", -1],
    ["trust", 4],
    ["trust", -1],
    ["trust", 0.5],
    ["trust", "High"],
    ["trust", 1, null],
    ["attested", 0],
    ["attested", attestersMax + 1],
    ["within", 7],
    ["within", -1, null],
    ["hours", { from: 60, to: 60, offset: 0 }],
    ["all", [trust, ["any", [7]]]],
    { all: [] }
  ]
  it.each(unknown.map((policy) => [policy]))("%j is no policy", (policy) => {
    assert.strictEqual(tagWith({ policy: policy! }), "Malformed")
  })

  it("has so many demands, as deep in each other as there is room", () => {
    assert.strictEqual(tagWith({ policy: ["any", many(policyBranchesMax - 1, () => trust)] }), "SetPolicy")
    assert.strictEqual(tagWith({ policy: ["any", many(policyBranchesMax, () => trust)] }), "Malformed")
    const halves = many(2, () => ["all", many(policyBranchesMax / 2, () => trust)] as const)
    assert.strictEqual(tagWith({ policy: ["any", halves] }), "Malformed", "all branches together")
    assert.strictEqual(tagWith({ policy: nested(policyDepthMax) }), "SetPolicy")
    assert.strictEqual(tagWith({ policy: nested(policyDepthMax + 1) }), "Malformed")
  })
})

describe("what is said of trust", () => {
  it("has a level or a severity that there is", () => {
    for (const [number, isLevel, isSeverity] of [
      [0, true, true],
      [2, true, true],
      [3, true, false],
      [4, false, false],
      [-1, false, false],
      [1.5, false, false],
      ["length", false, false]
    ] as const) {
      assert.strictEqual(tagOf("aura.trust.relate", { ...relate, level: number }) === "Relate", isLevel)
      assert.strictEqual(tagOf("aura.trust.lower", { ...lower, level: number }) === "Lower", isLevel)
      assert.strictEqual(tagOf("aura.trust.report", { ...report, severity: number }) === "Report", isSeverity)
    }
  })

  it("has a claim of limited length", () => {
    assert.strictEqual(tagOf("aura.trust.attest", { ...attest, claim: "x".repeat(claimCharactersMax) }), "Attest")
    assert.strictEqual(
      tagOf("aura.trust.attest", { ...attest, claim: "x".repeat(claimCharactersMax + 1) }),
      "Malformed"
    )
  })
})

describe("what names a place", () => {
  it("of a fact in an entry is no further than entries have facts", () => {
    for (const index of [-1, 256, 0.5])
      assert.strictEqual(tagOf("aura.restriction.lift", { ...lift, index }), "Malformed")
    assert.strictEqual(tagOf("aura.restriction.lift", { ...lift, index: 0 }), "Lift")
  })

  it("of an entry in a feed is no further than feeds are long", () => {
    for (const seq of [-1, seqMax, 0.5]) assert.strictEqual(tagOf("aura.feed.settle", { ...settle, seq }), "Malformed")
    assert.strictEqual(tagOf("aura.feed.settle", { ...settle, seq: seqMax - 1 }), "Settle")
  })

  it("of a seal is one of each feed", () => {
    const tagWith = (positions: Cbor.Cbor): string => tagOf("aura.space.seal", { ...seal, positions })
    assert.strictEqual(tagWith([]), "Seal")
    assert.strictEqual(tagWith([position(1), position(1)]), "Malformed")
    assert.strictEqual(tagWith(many(cutPositionsMax + 1, (index) => [wide(index), 0, bytes(32)])), "Malformed")
  })
})

describe("a flow budget", () => {
  const tagWith = (part: Payload): string => tagOf("aura.flow.budget", { ...budget, ...part })
  const leaseOf = (index: number, amount: number) => ({ device: wide(index), amount })

  it("leases no more than its limit, to each device once", () => {
    assert.strictEqual(tagWith({ leases: [leaseOf(1, 4), leaseOf(2, 5)] }), "Budget")
    assert.strictEqual(tagWith({ leases: [leaseOf(1, 4), leaseOf(2, 6)] }), "Malformed")
    assert.strictEqual(tagWith({ leases: [leaseOf(1, 1), leaseOf(1, 1)] }), "Malformed")
    assert.strictEqual(tagWith({ leases: [] }), "Budget")
    assert.strictEqual(tagWith({ leases: many(budgetLeasesMax, (index) => leaseOf(index, 0)) }), "Budget")
    assert.strictEqual(tagWith({ leases: many(budgetLeasesMax + 1, (index) => leaseOf(index, 0)) }), "Malformed")
  })

  it("and what is given of it have amounts and epochs in range", () => {
    for (const amount of [-1, costMax + 1, 0.5]) {
      assert.strictEqual(tagWith({ limit: amount }), "Malformed")
      assert.strictEqual(tagOf("aura.flow.give", { ...give, amount }), "Malformed")
      assert.strictEqual(tagOf("aura.flow.summary", { ...summary, spent: amount }), "Malformed")
      assert.strictEqual(tagWith({ epoch: amount }), "Malformed")
    }
    assert.strictEqual(tagWith({ limit: costMax, epoch: 2 ** 32 }), "Budget")
  })
})

describe("a revocation", () => {
  const tagWith = (cut: ReadonlyArray<Cbor.Cbor>): string => tagOf("aura.device.revoke", { ...revoke, cut })

  it("has a cut that names each feed once, or none", () => {
    assert.strictEqual(tagWith([]), "Revoke")
    assert.strictEqual(tagWith([position(1), position(2), position(1)]), "Malformed")
    assert.strictEqual(tagWith(many(cutPositionsMax, (index) => [wide(index), 0, bytes(32)])), "Revoke")
    assert.strictEqual(tagWith(many(cutPositionsMax + 1, (index) => [wide(index), 0, bytes(32)])), "Malformed")
  })

  it("has no position that is none", () => {
    for (const other of [
      [bytes(32), 1],
      [bytes(32), 1, bytes(32), 1],
      [bytes(31), 1, bytes(32)],
      [bytes(32), -1, bytes(32)],
      [bytes(32), 0.5, bytes(32)],
      [bytes(32), seqMax, bytes(32)],
      [bytes(32), 1, bytes(33)],
      { feed: bytes(32), seq: 1, hash: bytes(32) },
      null
    ]) {
      assert.strictEqual(tagWith([position(1), other]), "Malformed")
    }
  })

  it("has a reason of limited length", () => {
    assert.strictEqual(tagOf("aura.device.revoke", { ...revoke, reason: "x".repeat(reasonCharactersMax) }), "Revoke")
    assert.strictEqual(
      tagOf("aura.device.revoke", { ...revoke, reason: "x".repeat(reasonCharactersMax + 1) }),
      "Malformed"
    )
  })
})
