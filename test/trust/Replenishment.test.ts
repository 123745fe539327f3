/** Budgets of the next hour: more for who is trusted and gives as he gets, less for who is reported, split evenly. */
import { assert, describe, it } from "@effect/vitest"
import type { DeviceId } from "../../src/identity/Id.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Budget from "../../src/trust/Budget.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import { flowLimitMin } from "../../src/trust/FlowLimit.ts"
import * as Replenishment from "../../src/trust/Replenishment.ts"
import { alice, bob, carol, genesis, household, mallory, type Paper } from "./space.ts"

const judged = ({ entries }: Pick<Paper, "entries">): Authority.Authority =>
  Authority.extend(Authority.make(genesis), entries)

const plan = { epoch: 8, base: 100_000 }

const limits = (paper: Pick<Paper, "entries">): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Replenishment.budgets(judged(paper), plan).map(({ limit, peer }) => [
      [alice, bob, carol, mallory].indexOf(peer),
      limit
    ])
  )

const relate = (device: DeviceId, level: Fact.Relate["level"]): Fact.Relate => ({ _tag: "Relate", device, level })
const summary = (peer: DeviceId, epoch: number, spent: number): Fact.Summary => ({
  _tag: "Summary",
  peer,
  epoch,
  spent,
  receipts: 1,
  head: new Uint8Array(32)
})

describe("the budgets of an hour", () => {
  // alice ⇒ bob ⇒ carol      nobody vouches for mallory
  it("follow from trust, hop by hop", () => {
    const home = household({})
    home.write(alice, [relate(bob, "High")])
    home.write(bob, [relate(carol, "High")])
    assert.deepStrictEqual(limits(home), { 0: 100_000, 1: 100_000, 2: 80_000, 3: flowLimitMin })
  })

  it("rise with what went both ways in the last hour that was summed up, by the lower of the two", () => {
    const home = household({})
    home.write(alice, [summary(mallory, 7, 30_000), summary(bob, 7, 90_000), summary(mallory, 5, 90_000)])
    home.write(bob, [summary(mallory, 7, 30_000)])
    home.write(mallory, [summary(alice, 7, 40_000)])
    // mallory got 60 000 and gave 40 000, bob got 90 000 and gave 30 000, alice got 40 000: half of the lower is added
    assert.deepStrictEqual(limits(home), { 0: 120_000, 1: 15_000, 2: flowLimitMin, 3: 20_000 })
  })

  // alice ⇒ bob, carol, mallory      bob and carol report mallory
  it("fall with every reporter, before there are enough to lower his trust", () => {
    const home = household({})
    home.write(alice, [relate(bob, "High"), relate(carol, "High"), relate(mallory, "High")])
    const report: Fact.Report = {
      _tag: "Report",
      device: mallory,
      admission: home.mallory.hash,
      severity: "Minor",
      cut: [],
      reason: ""
    }
    home.write(bob, [report, report])
    assert.strictEqual(limits(home)[3], 90_000)
    home.write(carol, [report])
    assert.strictEqual(limits(home)[3], 80_000)
  })

  it("are split evenly among the other members, and are not written twice", () => {
    const home = household({})
    home.write(alice, [relate(bob, "High")])
    const facts = Replenishment.budgets(judged(home), plan)
    const forBob = facts.find(({ peer }) => peer === bob)
    assert.deepStrictEqual(
      forBob?.leases,
      [alice, carol, mallory].map((device) => ({ device, amount: 33_333 }))
    )
    home.write(alice, facts)
    assert.deepStrictEqual(Replenishment.budgets(judged(home), plan), [])
    const said = Budget.saidIn(judged(home))
    assert.strictEqual(Budget.lease(said, carol, bob, plan.epoch), 33_333)
    assert.lengthOf(Replenishment.budgets(judged(home), { ...plan, epoch: 9 }), 4)
  })
})
