/** Levels and severities: a chain, numbers on the wire, and how values are read. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Level from "../../src/trust/Level.ts"

const someLevel = fc.constantFrom(...Level.levels)

describe("a level", () => {
  it("is one of a chain, with meet as the lower of two", () => {
    fc.assert(
      fc.property(someLevel, someLevel, someLevel, (a, b, c) => {
        assert.isTrue(Level.isAtLeast(a, b) || Level.isAtLeast(b, a))
        assert.strictEqual(Level.isAtLeast(a, b) && Level.isAtLeast(b, a), a === b)
        assert.strictEqual(Level.meet(a, b), Level.meet(b, a))
        // whatever both have is what their meet has
        assert.strictEqual(Level.isAtLeast(a, c) && Level.isAtLeast(b, c), Level.isAtLeast(Level.meet(a, b), c))
      })
    )
    assert.deepStrictEqual(Level.levels.map(Level.below), ["None", "None", "Low", "Medium"])
  })

  it("is a number on the wire, and no other number is one", () => {
    assert.deepStrictEqual(Level.levels.map(Level.levelToNumber), [0, 1, 2, 3])
    assert.deepStrictEqual([0, 1, 2, 3].map(Level.levelFromNumber), [...Level.levels])
    assert.deepStrictEqual(Level.severities.map(Level.severityToNumber), [0, 1, 2])
    assert.deepStrictEqual([0, 1, 2].map(Level.severityFromNumber), [...Level.severities])
    for (const number of [-1, 4, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.strictEqual(Level.levelFromNumber(number), undefined)
      assert.strictEqual(Level.severityFromNumber(number), undefined)
    }
    assert.strictEqual(Level.severityFromNumber(3), undefined)
  })

  it("is what a value is read as, from its least to its most", () => {
    assert.deepStrictEqual([0, 2499, 2500, 4999, 5000, 7999, 8000, 10_000].map(Level.levelOf), [
      "None",
      "None",
      "Low",
      "Low",
      "Medium",
      "Medium",
      "High",
      "High"
    ])
    for (const level of Level.levels) {
      assert.strictEqual(Level.levelOf(Level.least[level]), level)
      assert.strictEqual(Level.levelOf(Level.most[level]), level)
      assert.strictEqual(Level.levelOf(Level.given[level]), level, "what a relation gives is that level")
    }
  })
})
