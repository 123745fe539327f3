/** Who may when. Times are those of entries; hours are of the day, at a fixed offset. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "../../../src/journal/Clock.ts"
import { alice, bob, carol, dataAt, grant, household, right, ungrant } from "../space.ts"
import { by, lacks, may } from "./asking.ts"

const write = "kv:write"

/** A time of the first day there is, as hours and minutes of UTC. */
const clock = (hours: number, minutes = 0): number =>
  Clock.fromMillis(Clock.epochMillis + (hours * 60 + minutes) * 60_000)

const office = { from: 9 * 60, to: 17 * 60, offset: 60 }
const night = { from: 22 * 60, to: 6 * 60, offset: 0 }

describe("a window", () => {
  // alice ─ [10, 20] → bob
  it("lets from its first to its last moment", () => {
    const home = household({ bob: [right(write, { from: 10, until: 20 })] })
    for (const [time, isOpen] of [
      [9, false],
      [10, true],
      [20, true],
      [21, false]
    ] as const)
      assert.deepStrictEqual(may(home, bob, write, { time }), isOpen ? by(write, home.bob) : lacks(write, write))
  })

  // alice ─ [10, 30] d1 → bob ─ [5, 20] → carol
  it("of a chain is what the windows of its links have in common", () => {
    const home = household({ bob: [right(write, { depth: 1, from: 10, until: 30 })] })
    const gift = home.write(bob, [grant(carol, right(write, { from: 5, until: 20 }))], { time: 12 })
    assert.deepStrictEqual(may(home, carol, write, { time: 9 }), lacks(write, write))
    assert.deepStrictEqual(may(home, carol, write, { time: 20 }), by(write, home.bob, gift))
    assert.deepStrictEqual(may(home, carol, write, { time: 21 }), lacks(write, write))
  })

  // soundness 6: alice ─ until 20 → bob ── 0 (12) ── 1 ("19", written long after)
  //                             alice ── closes: ✂grant|bob's 0
  it("binds a liar from its closing on: what he dated back lies behind the cut", () => {
    const home = household({ bob: [right(write, { until: 20 })] })
    assert.deepStrictEqual(may(home, bob, write, { seq: 1, time: 19 }), by(write, home.bob))
    home.write(alice, [ungrant(bob, home.bob, dataAt(bob, 0))])
    assert.deepStrictEqual(may(home, bob, write, { seq: 1, time: 19 }), lacks(write))
    assert.deepStrictEqual(may(home, bob, write, { seq: 0, time: 12 }), by(write, home.bob))
  })
})

describe("hours", () => {
  // alice ─ 09:00 to 17:00 at UTC+1 → bob
  it("let from their first to before their last minute, wherever the clock of the device stands", () => {
    const home = household({ bob: [right(write, { hours: [office] })] })
    for (const [time, isOpen] of [
      [clock(7, 59), false],
      [clock(8), true],
      [clock(15, 59), true],
      [clock(16), false],
      [clock(24 + 8), true]
    ] as const)
      assert.deepStrictEqual(may(home, bob, write, { time }), isOpen ? by(write, home.bob) : lacks(write, write))
  })

  // alice ─ 22:00 to 06:00 → bob
  it("may go over midnight", () => {
    const home = household({ bob: [right(write, { hours: [night] })] })
    for (const [time, isOpen] of [
      [clock(21, 59), false],
      [clock(22), true],
      [clock(0), true],
      [clock(5, 59), true],
      [clock(6), false]
    ] as const)
      assert.deepStrictEqual(may(home, bob, write, { time }), isOpen ? by(write, home.bob) : lacks(write, write))
  })

  // alice ─ 09:00 to 17:00 at UTC+1, d1 → bob ─ 22:00 to 06:00 → carol: there is no such hour
  it("of a chain have to hold all of them", () => {
    const home = household({ bob: [right(write, { depth: 1, hours: [office] })] })
    home.write(bob, [grant(carol, right(write, { hours: [night] }))], { time: clock(9) })
    for (const hour of [3, 9, 12, 23])
      assert.deepStrictEqual(may(home, carol, write, { time: clock(hour) }), lacks(write, write))
  })

  // alice ─ 09:00 to 17:00 at UTC+1, d1 → bob ── (18:00) → carol
  it("bind who passes on, too", () => {
    const home = household({ bob: [right(write, { depth: 1, hours: [office] })] })
    home.write(bob, [grant(carol, right(write))], { time: clock(17) })
    assert.deepStrictEqual(may(home, carol, write, { time: clock(24 + 9) }), lacks(write))
    const gift = home.write(bob, [grant(carol, right(write))], { time: clock(24 + 9) })
    assert.deepStrictEqual(may(home, carol, write, { time: clock(48 + 9) }), by(write, home.bob, gift))
  })
})

describe("a policy that names a time", () => {
  it("tells which demand was not met, and lets nobody else, the founder included", () => {
    const home = household({ bob: [right(write)] })
    for (const who of [alice, bob]) {
      assert.deepStrictEqual(may(home, who, { from: 10, until: 20 }, { time: 21 }), { denied: { outside: "Within" } })
      assert.deepStrictEqual(may(home, who, { from: 10 }, { time: 21 }), { allowed: [{ time: "Within" }] })
      assert.deepStrictEqual(may(home, who, { hours: office }, { time: clock(20) }), { denied: { outside: "Hours" } })
      assert.deepStrictEqual(may(home, who, { hours: office }, { time: clock(10) }), { allowed: [{ time: "Hours" }] })
    }
  })
})
