/** Budgets: whatever anybody has heard of them, all leases together stay within the limit. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { deviceId, entryHash, type DeviceId } from "../../src/identity/Id.ts"
import * as Budget from "../../src/trust/Budget.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import { bytesOf } from "../journal/writing.ts"

const devices = ["Alice", "Bob", "Carol"].map((name) => deviceId(bytesOf(name)))
const [alice, bob, carol] = devices as [DeviceId, DeviceId, DeviceId]
const peer = deviceId(bytesOf("Dave"))
const epoch = 500_000
const { limitDefault, shareDefault } = Budget

let count = 0
const said = (author: DeviceId, fact: Budget.Said["fact"], time = ++count, counts = true): Budget.Said => ({
  fact,
  author,
  time,
  hash: entryHash(bytesOf(`${++count}`)),
  counts
})

const budget = (limit: number, ...amounts: ReadonlyArray<number>): Fact.Budget => ({
  _tag: "Budget",
  peer,
  epoch,
  limit,
  leases: amounts.map((amount, i) => ({ device: devices[i]!, amount }))
})

const give = (to: DeviceId, amount: number): Fact.Give => ({ _tag: "Give", peer, epoch, to, amount })

const summary = (spent: number, of = peer, at = epoch): Fact.Summary => ({
  _tag: "Summary",
  peer: of,
  epoch: at,
  spent,
  receipts: 1,
  head: new Uint8Array(32)
})

const leasesOf = (facts: ReadonlyArray<Budget.Said>): ReadonlyArray<number> =>
  devices.map((device) => Budget.lease(facts, device, peer, epoch))

const sum = (amounts: ReadonlyArray<number>): number => amounts.reduce((a, b) => a + b, 0)

/** Amounts that collide, below and above a share. */
const amounts = fc.constantFrom(0, 1, 2, 5, 10, shareDefault - 1, shareDefault, shareDefault + 3, 2 * shareDefault)

const budgets = fc
  .tuple(amounts, amounts, amounts, fc.constantFrom(0, 7, shareDefault, limitDefault))
  .map(([a, b, c, more]) => budget(a + b + c + more, a, b, c))

const gives = fc.record({
  author: fc.constantFrom(...devices),
  fact: fc.tuple(fc.constantFrom(...devices), amounts).map(([to, amount]) => give(to, amount)),
  counts: fc.boolean()
})

/** A history: budgets of Alice and gives of everybody in the order of their times, and how much of each author each one has heard. */
const histories = fc.record({
  facts: fc
    .array(
      fc.oneof(
        budgets.map((fact) => ({ author: alice, fact, counts: true })),
        gives
      ),
      { maxLength: 12 }
    )
    .map((facts) => facts.map(({ author, counts, fact }, at) => said(author, fact, at, counts))),
  heard: fc.array(fc.array(fc.nat({ max: 12 }), { minLength: 3, maxLength: 3 }), { minLength: 3, maxLength: 3 })
})

/** What a device has heard: of every author a beginning, and all that it said itself. */
const viewOf = (facts: ReadonlyArray<Budget.Said>, device: DeviceId, heard: ReadonlyArray<number>) =>
  devices.flatMap((author, i) => {
    const own = facts.filter((one) => one.author === author)
    return author === device ? own : own.slice(0, heard[i])
  })

describe("leases", () => {
  it("sum up to no more than the limit, whoever has heard of what", () => {
    fc.assert(
      fc.property(histories, ({ facts, heard }) => {
        const views = devices.map((device, i) => viewOf(facts, device, heard[i]!))
        const all = sum(views.map((view, i) => Budget.lease(view, devices[i]!, peer, epoch)))
        const made = facts.flatMap(({ fact }) => (fact._tag === "Budget" ? [fact] : []))
        const first = made[0]?.limit ?? 0
        // with as many devices as there are slots, this is the limit
        assert.isAtMost(all, devices.length * shareDefault + Math.max(0, first - limitDefault))
        const known = made.filter((fact) => views.every((view) => view.some((one) => one.fact === fact)))
        for (const { limit } of known) assert.isAtMost(all, limit)
      }),
      { numRuns: 5000 }
    )
  })

  it("are given away and never made: what all see, all have together", () => {
    fc.assert(
      fc.property(histories, ({ facts }) => {
        const without = facts.filter(({ fact }) => fact._tag !== "Give")
        const counting = facts.map((one) => ({ ...one, counts: true }))
        assert.strictEqual(sum(leasesOf(counting)), sum(leasesOf(without)))
        assert.isAtMost(sum(leasesOf(facts)), sum(leasesOf(without)))
        for (const one of leasesOf(facts)) assert.isAtLeast(one, 0)
      }),
      { numRuns: 2000 }
    )
  })

  it("are the same in whatever order the facts came, and fall with every budget", () => {
    fc.assert(
      fc.property(histories, fc.infiniteStream(fc.nat()), budgets, ({ facts }, chance, more) => {
        const shuffled = [...facts]
        for (let i = shuffled.length - 1; i > 0; i--) {
          const j = chance.next().value % (i + 1)
          ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
        }
        assert.deepStrictEqual(leasesOf(shuffled), leasesOf(facts))
        const onlyBudgets = facts.filter(({ fact }) => fact._tag === "Budget")
        if (onlyBudgets.length === 0) return
        const lowered = leasesOf([...onlyBudgets, said(alice, more)])
        leasesOf(onlyBudgets).forEach((before, i) => assert.isAtMost(lowered[i]!, before))
      })
    )
  })

  it("are a share of the default where nothing is known, and nothing for who is not named", () => {
    assert.deepStrictEqual(leasesOf([]), [shareDefault, shareDefault, shareDefault])
    assert.isAtMost(Budget.leaseSlots * shareDefault, limitDefault)
    assert.deepStrictEqual(leasesOf([said(alice, budget(30, 10, 5))]), [10, 5, 0])
    // those of another epoch or peer, and those that do not count, change nothing
    const elsewhere = said(alice, { ...budget(30, 10), epoch: epoch + 1 })
    assert.deepStrictEqual(leasesOf([elsewhere, said(bob, budget(30, 1), 0, false)]), leasesOf([]))
  })

  it("of concurrent budgets are met for each device", () => {
    assert.deepStrictEqual(
      leasesOf([said(alice, budget(30, 10, 20, 0), 1), said(alice, budget(30, 20, 5, 5), 1)]),
      [10, 5, 0]
    )
  })

  it("grow beyond a share by what the limit grows beyond the default", () => {
    const much = 3 * shareDefault
    assert.deepStrictEqual(leasesOf([said(alice, budget(limitDefault, much))])[0], shareDefault)
    assert.deepStrictEqual(leasesOf([said(alice, budget(limitDefault + 2 * shareDefault, much))])[0], much)
  })

  it("that were given are spent by the receiver, once, and no more than there were", () => {
    const facts = [said(alice, budget(30, 10, 5, 0)), said(alice, give(carol, 7)), said(alice, give(bob, 7))]
    assert.deepStrictEqual(leasesOf(facts), [0, 8, 7])
    // who was put out loses what it gave, and nobody has it
    assert.deepStrictEqual(
      leasesOf([said(alice, budget(30, 10, 5, 0)), said(alice, give(carol, 7), 99, false)]),
      [3, 5, 0]
    )
  })
})

describe("sums", () => {
  it("are those of the highest summaries of each device, whatever their order", () => {
    const other = deviceId(bytesOf("Erin"))
    const facts = [
      said(alice, summary(5)),
      said(alice, summary(3)),
      said(bob, summary(7)),
      said(bob, summary(1, other)),
      said(carol, summary(9), 1, false),
      said(carol, summary(2, peer, epoch - 1))
    ]
    const expected = Budget.sums(facts)
    assert.deepStrictEqual(
      expected.map(({ devices, epoch, peer, spent }) => [epoch, peer, spent, devices]),
      [
        [epoch - 1, peer, 2, 1],
        ...[
          [epoch, peer, 12, 2],
          [epoch, other, 1, 1]
        ].sort(([, a], [, b]) => (String(a) < String(b) ? -1 : 1))
      ]
    )
    assert.deepStrictEqual(Budget.sums(facts.toReversed()), expected)
  })
})

describe("the clock", () => {
  it("cuts time into hours", () => {
    assert.strictEqual(Budget.epochOf(3_600_000 * 7 - 1), 6)
    assert.strictEqual(Budget.epochOf(3_600_000 * 7), 7)
    assert.strictEqual(Budget.restMillis(3_600_000 * 7 - 1), 1)
    assert.strictEqual(Budget.restMillis(3_600_000 * 7), 3_600_000)
  })

  it("prices a message by what it weighs", () => {
    assert.strictEqual(Budget.costOf(0), 1)
    assert.strictEqual(Budget.costOf(1), 2)
    assert.strictEqual(Budget.costOf(1024), 2)
    assert.strictEqual(Budget.costOf(1025), 3)
  })
})
