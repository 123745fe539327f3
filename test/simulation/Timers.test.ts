/** Timers against a sorted list, Chance against its promises. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Chance from "../../src/simulation/Chance.ts"
import * as Timers from "../../src/simulation/Timers.ts"

describe("Timers", () => {
  it("come up by time, and in the order they were set within one instant, without the cancelled ones", () => {
    const settings = fc.array(fc.record({ atMillis: fc.integer({ min: 0, max: 5 }), isCancelled: fc.boolean() }))
    fc.assert(
      fc.property(settings, (set) => {
        const timers = Timers.make<number>()
        const made = set.map(({ atMillis }, index) => timers.set(atMillis, index))
        for (const [index, timer] of made.entries()) timer.cancelled = set[index]?.isCancelled === true
        const expected = made
          .filter(({ cancelled }) => !cancelled)
          .toSorted((one, other) => one.atMillis - other.atMillis || one.item - other.item)
        assert.sameMembers([...timers.pending()], expected)
        const found: Array<Timers.Timer<number>> = []
        for (let due = timers.next(); due.length > 0; due = timers.next()) {
          assert.strictEqual(new Set(due.map(({ atMillis }) => atMillis)).size, 1)
          found.push(...due)
        }
        assert.deepStrictEqual(found, expected)
      })
    )
  })
})

describe("Chance", () => {
  it("keeps to its ranges, reaches both ends, and repeats itself for the same seed and label", () => {
    const draw = (label: string) => {
      const chance = Chance.make(9, label)
      return Array.from({ length: 400 }, () => [
        chance.between(3, 5),
        chance.millis({ min: 3, max: 5 }),
        chance.happens(0.5)
      ])
    }
    assert.deepStrictEqual(draw("disk"), draw("disk"))
    assert.notDeepEqual(draw("disk"), draw("network"))
    const values = new Set(draw("disk").flat())
    assert.deepStrictEqual([...values].toSorted(), [3, 4, 5, false, true])
  })

  it("draws nothing for what is certain", () => {
    const [one, other] = [Chance.make(1, "a"), Chance.make(1, "a")]
    assert.isTrue(one.happens(1))
    assert.isFalse(one.happens(0))
    assert.strictEqual(one.fraction(), other.fraction())
  })

  it("shuffles without losing anybody", () => {
    const chance = Chance.make(1, "shuffle")
    const orders = Array.from({ length: 100 }, () => chance.shuffle(["a", "b", "c"]))
    for (const order of orders) assert.deepStrictEqual([...order].toSorted(), ["a", "b", "c"])
    assert.strictEqual(new Set(orders.map(String)).size, 6)
  })
})
