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
import {
  cutPositionsMax,
  deviceNameCharactersMax,
  grantDepthMax,
  grantRightsMax,
  reasonCharactersMax
} from "../../src/trust/limits.ts"
import { bob, create, define } from "./space.ts"

const id = fc.uint8Array({ minLength: 32, maxLength: 32 })
const time = fc.option(fc.nat({ max: timeMax - 1 }), { nil: undefined })

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
  fc.record({
    _tag: fc.constant("Revoke" as const),
    device: id.map(deviceId),
    admission: id.map(entryHash),
    cut: fc.uniqueArray(
      fc.record({ feed: id.map(feedId), seq: fc.nat({ max: seqMax - 1 }), hash: id.map(entryHash) }),
      { maxLength: 5, selector: ({ feed }) => feed }
    ),
    reason: fc.string({ maxLength: reasonCharactersMax })
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
const revoke = { device: bytes(32), admission: bytes(32), cut: [position(1), position(2)], reason: "lost" }

type Payload = { readonly [key: string]: Cbor.Cbor }

const known: ReadonlyArray<readonly [type: string, payload: Payload, tag: string]> = [
  ["aura.device.admit", admit, "Admit"],
  ["aura.delegation.grant", grant, "Grant"],
  ["aura.device.revoke", revoke, "Revoke"]
]

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
        assert.strictEqual(tagOf(type, { ...payload, [key]: other }), "Malformed", `${key}: ${JSON.stringify(other)}`)
      }
    }
    assert.strictEqual(tagOf(type, { ...payload, more: 1 }), "Malformed")
    const polluted = { ...payload }
    Object.defineProperty(polluted, "__proto__", { value: 1, enumerable: true })
    assert.strictEqual(tagOf(type, polluted), "Malformed")
  })

  it.each(known)("%s with an id of a wrong size is malformed", (type, payload) => {
    for (const key of ["device", "box", "admission"].filter((one) => one in payload)) {
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
