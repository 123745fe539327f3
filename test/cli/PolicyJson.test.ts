/** Policies as people write them: every policy is read back as it was, and what is none is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import fc from "fast-check"
import * as Moment from "../../src/cli/Moment.ts"
import * as PolicyJson from "../../src/cli/PolicyJson.ts"
import * as Clock from "../../src/journal/Clock.ts"
import { capability } from "../../src/trust/Capability.ts"
import { levels } from "../../src/trust/Level.ts"
import type { Policy } from "../../src/trust/Policy.ts"
import { policyDepthMax } from "../../src/trust/limits.ts"

const moment = fc.option(
  fc.integer({ min: Clock.epochMillis, max: Clock.epochMillis + 10 ** 12 }).map((millis) => Clock.fromMillis(millis)),
  { nil: undefined }
)
const minute = fc.nat(1439)
const demand: fc.Arbitrary<Policy> = fc.oneof(
  fc.record({
    _tag: fc.constant("Capability" as const),
    capability: fc.constantFrom(...["*", "task:write", "task:write/tasks/*"].map(capability)),
    chainMax: fc.option(fc.nat(16), { nil: undefined })
  }),
  fc.record({ _tag: fc.constant("Trust" as const), level: fc.constantFrom(...levels) }),
  fc.record({ _tag: fc.constant("Attested" as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc
    .record({ _tag: fc.constant("Within" as const), from: moment, until: moment })
    .filter(({ from, until }) => from !== undefined || until !== undefined),
  fc
    .record({ from: minute, to: minute, offset: fc.integer({ min: -720, max: 840 }) })
    .filter(({ from, to }) => from !== to)
    .map((hours) => ({ _tag: "Hours" as const, hours }))
)
const policy = fc.letrec<{ readonly policy: Policy }>((tie) => ({
  policy: fc.oneof(
    { maxDepth: 3 },
    demand,
    fc.record({ _tag: fc.constantFrom("All" as const, "Any" as const), of: fc.array(tie("policy"), { maxLength: 3 }) })
  )
})).policy

describe("a policy as JSON", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(policy, (one) => {
        const json = JSON.parse(JSON.stringify(PolicyJson.toJson(one)))
        assert.deepStrictEqual(Result.getOrThrow(PolicyJson.fromJson(json)), one)
      })
    )
  })

  it.each([
    null,
    [],
    {},
    "task:write",
    { all: {} },
    { all: [{}] },
    { capability: "Task" },
    { capability: "*", other: 1 },
    { trust: "medium" },
    { attested: 0 },
    { attested: 1.5 },
    { from: "yesterday" },
    { hours: { from: "8:00", to: "18:00", offset: "+00:00" } },
    { hours: { from: "08:00", to: "08:00", offset: "+00:00" } },
    { hours: { from: "08:00", to: "18:00", offset: "00:00" } }
  ])("is none: %j", (json) => {
    assert.isTrue(Result.isFailure(PolicyJson.fromJson(json)))
  })

  it("has as many demands, and is as deep, as the format allows", () => {
    const nested = (depth: number): Policy =>
      depth === 0 ? { _tag: "Any", of: [] } : { _tag: "All", of: [nested(depth - 1)] }
    assert.isTrue(Result.isSuccess(PolicyJson.fromJson(PolicyJson.toJson(nested(policyDepthMax - 1)))))
    assert.isTrue(Result.isFailure(PolicyJson.fromJson(PolicyJson.toJson(nested(policyDepthMax)))))
    assert.isTrue(Result.isFailure(PolicyJson.fromJson(PolicyJson.toJson(nested(200)))))
    const many = { all: Array.from({ length: 64 }, () => ({ trust: "Low" })) }
    assert.isTrue(Result.isFailure(PolicyJson.fromJson(many)))
  })

  it("reads in a few words", () => {
    const words = (json: Parameters<typeof PolicyJson.fromJson>[0]) =>
      PolicyJson.inWords(Result.getOrThrow(PolicyJson.fromJson(json)))
    assert.strictEqual(
      words({ any: [{ all: [{ capability: "a:b", chainMax: 2 }, { trust: "High" }] }, { attested: 2 }] }),
      "(a:b through at most 2 grants and trusted High) or attested by 2"
    )
    assert.strictEqual(words({ any: [] }), "nobody may")
    assert.strictEqual(words({ all: [] }), "nothing: every member may")
    assert.strictEqual(
      words({ hours: { from: "08:00", to: "18:30", offset: "-01:30" } }),
      "between 08:00 and 18:30 at UTC-01:30"
    )
  })
})

describe("a moment", () => {
  it.each([
    ["2027-01-31", 1_801_353_600_000],
    ["2027-01-31T18:00Z", 1_801_418_400_000],
    ["2027-01-31T18:00:01.5+01:00", 1_801_414_801_500],
    ["2027-01-31T18:00", undefined],
    ["2027-02-31", undefined],
    ["2027", undefined],
    ["tomorrow", undefined]
  ])("%s is %s", (text, millis) => {
    assert.strictEqual(Moment.instantOf(text), millis)
  })
})
