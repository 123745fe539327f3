/** The web of trust as the oracle of the simulated worlds has it, beside the engine's. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { hasVoice, areIndependent, type Relation } from "../../src/simulation/Vouching.ts"
import type { Level } from "../../src/trust/Level.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { devices, roots, toStatements } from "../trust/randomTrust.ts"
import { hashOf, mallory } from "../trust/space.ts"

const device = fc.constantFrom(...devices)
const level = fc.constantFrom<Level>("None", "Low", "Medium", "High", "High")
const relations = fc.array(fc.record({ from: device, to: device, level }), { minLength: 4, maxLength: 24 })

const webOf = (all: ReadonlyArray<Relation>): Trust.Web =>
  Trust.make(toStatements(all.map(({ from, level, to }) => ({ _tag: "Relate", by: from, subject: to, level }))))

describe("Vouching", () => {
  it("gives a voice to whom the engine gives one", () => {
    fc.assert(
      fc.property(relations, (all) => {
        const web = webOf(all)
        for (const one of devices) assert.strictEqual(hasVoice(all, roots, one), Trust.hasVoice(web, one))
      }),
      { numRuns: 500 }
    )
  })

  it("takes for independent whom the engine takes for that", () => {
    const reporting = fc.uniqueArray(fc.tuple(device, relations), { maxLength: 5, selector: ([reporter]) => reporter })
    let terminations = 0
    fc.assert(
      fc.property(reporting, relations, (some, common) => {
        const reports = some
          .filter(([reporter]) => reporter !== mallory)
          .map(([reporter, own]) => ({ reporter, relations: [...common, ...own] }))
        const stated = reports.map(({ relations: seen, reporter }: (typeof reports)[number], index) => ({
          _tag: "Report" as const,
          subject: mallory,
          report: { hash: hashOf(index), reporter, severity: "Severe" as const, seen: webOf(seen) }
        }))
        const { isTerminated } = Trust.standingOf(Trust.make(toStatements(stated)), mallory)
        assert.strictEqual(areIndependent(reports, roots, 3), isTerminated)
        if (isTerminated) terminations++
      }),
      { numRuns: 500 }
    )
    assert.isAbove(terminations, 0)
  })
})
