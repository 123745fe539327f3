/** The seeds that once failed, and some more: everything holds, and a seed is one world. */
import { assert, describe, it } from "vitest"
import * as Notebook from "../../src/simulation/Notebook.ts"
import { play, type Played } from "../../src/simulation/Scenario.ts"
import remembered from "../seeds/seeds.json" with { type: "json" }
import { keyring, verifier } from "./signing.ts"

const played = (seed: number): Played => play({ seed, keyring, verifier })

const holds = (world: Played): void => {
  const wrong = world.violations.map(({ checker, what }) => `${checker}: ${what}`)
  assert.deepStrictEqual(
    wrong,
    [],
    `seed ${world.seed}; play it again: aura simulate --seed ${world.seed}\n${world.about}`
  )
}

describe("Seeds that once failed", () => {
  for (const { seed, why } of remembered) it(`${seed}: ${why}`, () => holds(played(seed)))
})

describe("A handful of worlds", () => {
  it("are safe and converge, and together try what a space can go through", () => {
    const worlds = Array.from({ length: 12 }, (_, index) => played(index + 1))
    worlds.forEach(holds)
    const performed = new Set(worlds.flatMap((world) => world.figures.performed))
    assert.sameMembers([...performed], Object.keys(Notebook.app.operations))
    assert.isAbove(Math.max(...worlds.map(({ figures }) => figures.overturnings)), 0)
    assert.isAbove(Math.max(...worlds.map(({ figures }) => figures.dismissals)), 0)
    assert.isTrue(worlds.some(({ about }) => about.includes("Mallory")))
  })

  it("give the same trace for the same seed", () => {
    for (const seed of [3, 4]) assert.strictEqual(played(seed).traceHash, played(seed).traceHash)
    assert.notStrictEqual(played(3).traceHash, played(4).traceHash)
  })
})
