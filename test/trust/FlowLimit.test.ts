/** Limits of flow: the formula by hand, and its laws. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { flowBaseMax, flowLimitMin, limitFrom, reciprocityFrom, type Flow } from "../../src/trust/FlowLimit.ts"

const share = fc.oneof(fc.nat({ max: 10_000 }), fc.constantFrom(0, 1, 9999, 10_000))

const flow: fc.Arbitrary<Flow> = fc.record({
  base: fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: flowBaseMax }), fc.constantFrom(0, flowLimitMin, flowBaseMax)),
  value: share,
  reciprocity: share,
  reports: fc.nat({ max: 12 })
})

/** The same in integers that can't round. */
const exactly = ({ base, reciprocity, reports, value }: Flow): bigint => {
  const wide = BigInt(base)
  const limit =
    (wide * BigInt(value)) / 10_000n + (wide * BigInt(reciprocity)) / 20_000n - BigInt(reports) * (wide / 10n)
  const floor = wide < BigInt(flowLimitMin) ? wide : BigInt(flowLimitMin)
  return limit < floor ? floor : limit
}

describe("a limit of flow", () => {
  it.each([
    [{ base: 1000, value: 10_000, reciprocity: 0, reports: 0 }, 1000],
    [{ base: 1000, value: 6667, reciprocity: 0, reports: 0 }, 666],
    [{ base: 1000, value: 6667, reciprocity: 3333, reports: 0 }, 832],
    [{ base: 1000, value: 10_000, reciprocity: 10_000, reports: 0 }, 1500],
    [{ base: 1000, value: 10_000, reciprocity: 99_999, reports: 0 }, 1500],
    [{ base: 1000, value: 3333, reciprocity: 0, reports: 2 }, 133],
    [{ base: 1000, value: 3333, reciprocity: 0, reports: 4 }, flowLimitMin],
    [{ base: 1000, value: 0, reciprocity: 0, reports: 0 }, flowLimitMin],
    [{ base: 10, value: 0, reciprocity: 0, reports: 3 }, 10],
    [{ base: 0, value: 10_000, reciprocity: 10_000, reports: 0 }, 0]
  ])("from %o is %i", (given, expected) => {
    assert.strictEqual(limitFrom(given), expected)
  })

  it("is exact, never below its floor, nor above one and a half bases", () => {
    fc.assert(
      fc.property(flow, (given) => {
        const limit = limitFrom(given)
        assert.strictEqual(BigInt(limit), exactly(given))
        assert.isAtLeast(limit, Math.min(flowLimitMin, given.base))
        assert.isAtMost(limit, 1.5 * given.base)
      }),
      { numRuns: 3000 }
    )
  })

  it("is monotone in value and reciprocity, antitone in reports, and monotone in base without them", () => {
    fc.assert(
      fc.property(flow, fc.nat({ max: 5000 }), (given, more) => {
        const limit = limitFrom(given)
        assert.isAtLeast(limitFrom({ ...given, value: Math.min(10_000, given.value + more) }), limit)
        assert.isAtLeast(limitFrom({ ...given, reciprocity: given.reciprocity + more }), limit)
        assert.isAtMost(limitFrom({ ...given, reports: given.reports + more }), limit)
        const unreported = { ...given, reports: 0 }
        assert.isAtLeast(
          limitFrom({ ...unreported, base: Math.min(flowBaseMax, given.base + more) }),
          limitFrom(unreported)
        )
      }),
      { numRuns: 3000 }
    )
  })
})

describe("reciprocity", () => {
  it("is the part of a base that went both ways", () => {
    assert.strictEqual(reciprocityFrom(1000, 500, 250), 2500)
    assert.strictEqual(reciprocityFrom(1000, 5000, 9000), 10_000)
    assert.strictEqual(reciprocityFrom(1000, 0, 9000), 0)
    assert.strictEqual(reciprocityFrom(0, 5, 5), 0)
    fc.assert(
      fc.property(fc.nat({ max: flowBaseMax }), fc.nat(), fc.nat(), fc.nat(), (base, sent, received, more) => {
        const reciprocity = reciprocityFrom(base, sent, received)
        assert.strictEqual(reciprocity, reciprocityFrom(base, received, sent))
        assert.isTrue(Number.isInteger(reciprocity) && reciprocity >= 0 && reciprocity <= 10_000)
        assert.isAtLeast(reciprocityFrom(base, sent + more, received), reciprocity)
      })
    )
  })
})
