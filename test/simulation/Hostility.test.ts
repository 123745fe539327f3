/** What hostile worlds are drawn from: in a few hundred seeds everything comes up. */
import { assert, describe, it } from "vitest"
import * as Hostility from "../../src/simulation/Hostility.ts"
import { lieKinds } from "../../src/simulation/Liar.ts"
import { statements } from "../../src/simulation/Statements.ts"
import * as Story from "../../src/simulation/Story.ts"

const safetyMillis = 20_000

const drawn = Array.from({ length: 300 }, (_, seed) =>
  Hostility.draw(seed, safetyMillis, Story.draw(seed, safetyMillis))
)

describe("Hostility", () => {
  it("has every kind of lie, and worlds without any", () => {
    assert.sameMembers([...new Set(drawn.flatMap(({ lies }) => lies))], [...lieKinds])
    assert.isTrue(drawn.some(({ story }) => story.liar === undefined))
  })

  it("has honest people say everything that can be said", () => {
    const said = drawn.flatMap(({ before, story }) => [
      ...before.map(({ what }) => what),
      ...story.incidents.flatMap(({ incident }) => (incident._tag === "Say" ? [incident.what] : []))
    ])
    assert.sameMembers([...new Set(said)], [...statements])
  })

  it("changes no story without a liar", () => {
    for (const [seed, { story }] of drawn.entries())
      if (story.liar === undefined) assert.deepStrictEqual(story, Story.draw(seed, safetyMillis))
  })

  it("has incidents in the order of their times, by people of the cast", () => {
    for (const { story } of drawn) {
      const names = new Set(story.cast.map(({ name }) => name))
      const times = story.incidents.map(({ atMillis }) => atMillis)
      assert.deepStrictEqual(
        times,
        times.toSorted((a, b) => a - b)
      )
      for (const { incident } of story.incidents) assert.isTrue(names.has(incident.who), incident.who)
    }
  })

  it("lets rights end, puts the liar out, and has everybody revoke everybody while nobody hears the others", () => {
    assert.isTrue(drawn.some(({ gifts }) => gifts.length > 0))
    assert.isTrue(drawn.some(({ events }) => events.some(({ fault }) => fault._tag === "Partition")))
    const expelled = drawn.filter(({ story }) =>
      story.incidents.some(({ incident }) => incident._tag === "Revoke" && incident.who === "Mallory")
    )
    assert.isAbove(expelled.length, drawn.length / 4)
  })
})
