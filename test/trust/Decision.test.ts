/** Deciding about many entries that follow each other decides as about each alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import fc from "fast-check"
import type { Cbor } from "../../src/journal/Cbor.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Decision from "../../src/trust/Decision.ts"
import * as Definition from "../../src/trust/Definition.ts"
import * as Policy from "../../src/trust/Policy.ts"
import { devices, genesOf, randomPolicy, randomSpace, reader, unit } from "./randomSpace.ts"
import { genesis } from "./space.ts"

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
      time: fc.nat(8)
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
