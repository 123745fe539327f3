/** Deciding about many entries that follow each other decides as about each alone; and what is asked without an entry. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import fc from "fast-check"
import type { DeviceId } from "../../src/identity/Id.ts"
import type { Cbor } from "../../src/journal/Cbor.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Decision from "../../src/trust/Decision.ts"
import * as Definition from "../../src/trust/Definition.ts"
import * as Policy from "../../src/trust/Policy.ts"
import { by, judged, lacks, revokedBy, told } from "./decisions/asking.ts"
import { devices, genesOf, randomPolicy, randomSpace, reader, unit } from "./randomSpace.ts"
import { alice, bob, carol, dave, genesis, household, revoke, right, type Paper } from "./space.ts"

const kv = { kv: { kind: "LWWMap", value: { kind: "integer" } } } as const
const operation = (capabilities: ReadonlyArray<string>, resource?: string) => ({
  writes: ["kv/{key}:set"],
  policy: Policy.make({ capabilities }),
  resource
})

const definition = Result.getOrThrow(
  Definition.make({
    app: "paper",
    version: 9,
    fields: kv,
    operations: {
      "kv.any": operation([]),
      "kv.write": operation(["kv:write"]),
      "kv.both": operation(["kv:write/a", "device:admit"]),
      "kv.on": operation(["kv:write"], "{key}")
    }
  })
)

const requests: fc.Arbitrary<ReadonlyArray<{ readonly type: string; readonly changes: Cbor; readonly time: number }>> =
  fc.array(
    fc.record({
      type: fc.constantFrom("kv.any", "kv.write", "kv.both", "kv.on", "kv.unknown"),
      changes: fc.constantFrom<Cbor>(
        [["set", "kv", "a", 1]],
        [["set", "kv", "b", 2]],
        [["set", "kv", "a", "no integer"]],
        [["remove", "kv", "a"]],
        [
          ["set", "kv", "a", 1],
          ["set", "kv", "b", 1]
        ],
        []
      ),
      time: fc.nat(8).map((count) => count * unit)
    }),
    { maxLength: 8 }
  )

describe("a decision", () => {
  it("is the same with what its author may at any time found once, whoever it is and whatever he may when", () => {
    const seen = { shortcut: 0, denied: 0 }
    fc.assert(
      fc.property(randomSpace(9), requests, ({ entries, proofs }, all) => {
        let authority = Authority.make(genesis)
        for (const entry of entries) authority = Authority.extend(authority, [entry])
        for (const [feed, at] of proofs) authority = Authority.fork(authority, feed, at)
        for (const view of [Authority.present(authority), Authority.emptyView(authority)]) {
          for (const device of devices) {
            const standing = Decision.standing(authority, view, device)
            for (const { changes, time, type } of all) {
              const request = { device, time, definition, type, changes, fresh: () => false }
              const alone = Decision.decide(authority, view, request)
              const together = Decision.decide(authority, view, request, standing)
              assert.strictEqual(together._tag, alone._tag)
              if (alone._tag === "Denied") {
                assert.deepStrictEqual(together, alone)
                seen.denied++
              } else if (alone.because.length > 0 && together._tag === "Allowed" && together.because.length === 0)
                seen.shortcut++
            }
          }
        }
      }),
      { numRuns: 1000 }
    )
    assert.isAbove(seen.shortcut, 1000, "rights without a window are found")
    assert.isAbove(seen.denied, 1000)
  })

  it("of all of some policies is their meet, and of any of them their join, with the evidence of what met it", () => {
    const seen = { allowed: 0, denied: 0 }
    const property = fc.property(randomSpace(9), genesOf(90, 90), ({ entries, proofs }, genes) => {
      let authority = Authority.extend(Authority.make(genesis), entries)
      for (const [feed, at] of proofs) authority = Authority.fork(authority, feed, at)
      const view = Authority.present(authority)
      const read = reader(genes)
      const [one, other] = [randomPolicy(read), randomPolicy(read)]
      const [device, time] = [read.pick(devices), read.below(8) * unit]
      const ask = (policy: Policy.Policy) => {
        const plain = { type: "kv.write", writes: [], policy, resource: undefined, cost: 0 }
        const asked = { ...definition, app: "stone", operations: new Map([["kv.write", plain]]) }
        const request = { device, time, definition: asked, type: "kv.write", changes: [], fresh: () => false }
        return Decision.decide(authority, view, request)
      }
      const [a, b, all, any] = [one, other, Policy.all(one, other), Policy.any(one, other)].map(ask) as [
        Decision.Decision,
        Decision.Decision,
        Decision.Decision,
        Decision.Decision
      ]
      if (a._tag === "Denied") assert.deepStrictEqual(all, a)
      else if (b._tag === "Denied") assert.deepStrictEqual(all, b)
      else assert.deepStrictEqual(all, { _tag: "Allowed", because: [...a.because, ...b.because] })
      if (a._tag === "Allowed") assert.deepStrictEqual(any, a)
      else if (b._tag === "Allowed") assert.deepStrictEqual(any, b)
      else if (a.because._tag !== "Terminated")
        assert.deepStrictEqual(any, {
          _tag: "Denied",
          because: { _tag: "NoneMet", of: [a.because as Decision.Unmet, b.because as Decision.Unmet] }
        })
      if (a._tag !== b._tag) seen.allowed++
      if (all._tag === "Denied") seen.denied++
      assert.strictEqual(ask(Policy.any())._tag, "Denied")
    })
    fc.assert(property, { numRuns: 1000 })
    assert.isAbove(seen.allowed, 100)
    assert.isAbove(seen.denied, 100)
  })
})

describe("what was found once", () => {
  it("is no more than holds at every time, so a right that ends ends for who follows himself too", () => {
    const home = household({ bob: [right("kv:write", { until: 100 })], carol: [right("kv:write")] })
    const authority = judged(home)
    const view = Authority.present(authority)
    const at = (device: DeviceId, time: number) =>
      told(
        Decision.decide(
          authority,
          view,
          { device, time, definition, type: "kv.write", changes: [], fresh: () => false },
          Decision.standing(authority, view, device)
        )
      )
    assert.deepStrictEqual(at(bob, 100), by("kv:write", home.bob))
    assert.deepStrictEqual(at(bob, 101), lacks("kv:write", "kv:write"))
    assert.deepStrictEqual(at(carol, 101), { allowed: [] }, "told without its grounds")
  })
})

describe("a question about what somebody may in general", () => {
  const ask = (sheet: Pick<Paper, "entries">, device: DeviceId, question: Partial<Decision.Question> = {}) => {
    const authority = judged(sheet)
    return told(
      Decision.ask(authority, Authority.present(authority), {
        device,
        time: 50,
        definition,
        type: "kv.on",
        ...question
      })
    )
  }

  it("is answered for all that the operation may be about, or for the resource that is named", () => {
    const home = household({ bob: [right("kv:write")], carol: [right("kv:write/a")] })
    assert.deepStrictEqual(ask(home, bob), by("kv:write", home.bob))
    assert.deepStrictEqual(ask(home, carol), lacks("kv:write/*", "kv:write/a"))
    assert.deepStrictEqual(ask(home, carol, { resource: "a" }), by("kv:write/a", home.carol))
  })

  it("names the revocation of who was put out, whatever he holds; and a stranger as one", () => {
    const home = household({ bob: [right("kv:write")] })
    const end = home.write(alice, [revoke(bob, home.bob)])
    assert.deepStrictEqual(ask(home, bob), revokedBy(end))
    assert.deepStrictEqual(ask(home, dave), { denied: { _tag: "NotAdmitted", device: dave } })
  })
})
