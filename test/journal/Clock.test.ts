/** Times that rise whatever the wall clock does. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Clock from "../../src/journal/Clock.ts"

const today = Date.UTC(2026, 0, 1)
const moments = fc.integer({ min: today - 10_000, max: today + 10_000 })

describe("the hybrid clock", () => {
  it("gives times above all that came before, and never below the wall clock", () => {
    fc.assert(
      fc.property(fc.array(moments, { maxLength: 50 }), (walls) => {
        let time = 0
        for (const wall of walls) {
          const next = Clock.next(time, wall)
          assert.isAbove(next, time)
          assert.isAtLeast(Clock.toMillis(next), wall)
          assert.isTrue(Clock.isTime(next))
          time = next
        }
      })
    )
  })

  it("follows the wall clock when nothing holds it back", () => {
    assert.strictEqual(Clock.next(0, today), Clock.fromMillis(today))
    assert.strictEqual(Clock.toMillis(Clock.fromMillis(today)), today)
    assert.strictEqual(Clock.fromMillis(today + 0.9), Clock.fromMillis(today))
  })

  it("carries a full counter into the milliseconds", () => {
    const last = Clock.fromMillis(today) + Clock.ticksPerMilli - 1
    assert.strictEqual(Clock.toMillis(last), today)
    assert.strictEqual(Clock.next(last, today), Clock.fromMillis(today + 1))
  })

  it("stays a safe integer to its end in 2089, and says when it has ended", () => {
    assert.isTrue(Clock.isTime(Clock.fromMillis(Date.UTC(2089, 0, 1))))
    assert.isFalse(Clock.isTime(Clock.fromMillis(Date.UTC(2091, 0, 1))))
    assert.isTrue(Clock.isTime(Clock.timeMax - 1))
    for (const wrong of [Clock.timeMax, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.isFalse(Clock.isTime(wrong), String(wrong))
    }
  })

  it("is 0 before 2020", () => {
    assert.strictEqual(Clock.fromMillis(Clock.epochMillis - 1), 0)
    assert.strictEqual(Clock.fromMillis(Clock.epochMillis), 0)
    assert.strictEqual(Clock.toMillis(0), Clock.epochMillis)
  })

  it("holds what is more than five minutes ahead, not what is exactly that", () => {
    const limit = Clock.fromMillis(today + Clock.driftMaxMillis)
    assert.strictEqual(Clock.driftMaxMillis, 5 * 60_000)
    assert.isFalse(Clock.isHeld(limit, today))
    assert.isTrue(Clock.isHeld(limit + 1, today))
    assert.isFalse(Clock.isHeld(limit + 1, today + 1))
  })

  it("is written as the platform writes moments in UTC, to the second, as long as it lasts", () => {
    const latest = Clock.toMillis(Clock.timeMax)
    const days = fc.integer({ min: 0, max: Math.floor((latest - Clock.epochMillis) / 86_400_000) })
    const isAlike = (millis: number): void =>
      assert.strictEqual(
        Clock.toText(Clock.fromMillis(millis)),
        new Date(millis).toISOString().replace(/\.\d{3}Z$/u, "Z")
      )
    fc.assert(fc.property(fc.integer({ min: Clock.epochMillis, max: latest }), isAlike))
    // every first and last second of a day: months and leap years are counted by hand
    fc.assert(
      fc.property(days, (day) =>
        [0, 86_399_999].forEach((inDay) => isAlike(Clock.epochMillis + day * 86_400_000 + inDay))
      ),
      { numRuns: 1000 }
    )
    for (const text of ["2020-01-01T00:00:00Z", "2020-02-29T23:59:59Z", "2024-12-31T23:59:59Z", "2088-02-29T12:00:00Z"])
      assert.strictEqual(Clock.toText(Clock.fromMillis(Date.parse(text))), text)
  })
})
