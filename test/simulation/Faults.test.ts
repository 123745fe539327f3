/** Plans: drawn from the seed alone, readable; and a program that converges under all of them unless it has a bug. */
import { assert, describe, it } from "vitest"
import * as Faults from "../../src/simulation/Faults.ts"
import * as Gossip from "./gossip.ts"
import { valueOf } from "./outcomes.ts"

const agents = ["Alice", "Bob", "Carol"]

describe("A plan", () => {
  it("is the same for the same seed and another one for another seed", () => {
    const tell = (seed: number) => Faults.describe(Faults.draw(seed, { agents }))
    assert.strictEqual(tell(7), tell(7))
    assert.isAbove(new Set(Array.from({ length: 50 }, (_, seed) => tell(seed))).size, 45)
  })

  it("has over many seeds every kind of fault, and only kinds that were asked for", () => {
    const drawn = (kinds?: ReadonlyArray<Faults.Kind>) =>
      Array.from({ length: 60 }, (_, seed) => Faults.draw(seed, kinds === undefined ? { agents } : { agents, kinds }))
    const kindsOf = (plans: ReadonlyArray<Faults.Plan>) => new Set(plans.flatMap(({ kinds }) => kinds))
    assert.deepStrictEqual([...kindsOf(drawn())].toSorted(), Faults.kinds.toSorted())
    const crashes = drawn(["Crashes"])
    assert.deepStrictEqual([...kindsOf(crashes)], ["Crashes"])
    for (const { events } of crashes) for (const { fault } of events) assert.strictEqual(fault._tag, "Crash")
  })

  it("reads as a story in the order of time", () => {
    const plan = Faults.draw(11, { agents, safetyMillis: 10_000 })
    const lines = Faults.describe(plan).split("\n")
    assert.match(lines[0] ?? "", /^seed 11: .*healed after 10000 ms$/u)
    for (const name of agents) assert.isTrue(lines.some((line) => line.startsWith(`  ${name}: clock `)))
    const times = plan.events.map(({ atMillis }) => atMillis)
    assert.deepStrictEqual(
      times,
      times.toSorted((one, other) => one - other)
    )
    assert.isTrue(times.every((atMillis) => atMillis >= 0 && atMillis <= 10_000))
  })
})

describe("Gossip under faults", () => {
  it("converges in 200 worlds after they heal, and loses nothing that was acknowledged", () => {
    for (let seed = 0; seed < 200; seed++) assert.deepStrictEqual(valueOf(Gossip.world(seed)), [], `seed ${seed}`)
  })

  it("has one trace per seed", () => {
    const traces = [1, 2, 3, 4, 5].map((seed) => [Gossip.world(seed), Gossip.world(seed), Gossip.world(seed + 100)])
    for (const [first, again, other] of traces) {
      assert.deepStrictEqual(first, again)
      assert.notStrictEqual(first?.traceHash, other?.traceHash)
    }
  })

  it("is caught when it acknowledges what is not on the disk yet", () => {
    const broken = Array.from({ length: 20 }, (_, seed) => valueOf(Gossip.world(seed, "HastyAnswer"))).flat()
    assert.isTrue(broken.some((promise) => promise.startsWith("acknowledged and lost")))
  })

  it("is caught when it does not tell again what got lost on the way", () => {
    const broken = Array.from({ length: 5 }, (_, seed) => valueOf(Gossip.world(seed, "OneShot"))).flat()
    assert.include(broken, "the replicas stay different")
  })
})
