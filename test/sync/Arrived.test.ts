/** What receipts have to say at least: whoever pays before he sends says it, however slow his signer and his connections are. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Arrived from "../../src/sync/Arrived.ts"
import * as Receipt from "../../src/sync/Receipt.ts"

const receipt = (epoch: number, nonce: number, spent: number): Receipt.Receipt => ({
  epoch,
  nonce,
  spent,
  previous: Receipt.first
})

type Event = "offer" | "leave" | "arrive" | "sign" | "repeat" | "elsewhere" | "hour"
const events = fc.array(
  fc.record({
    event: fc.oneof(
      { weight: 60, arbitrary: fc.constantFrom<Event>("offer", "leave", "leave", "arrive", "arrive", "sign") },
      { weight: 1, arbitrary: fc.constantFrom<Event>("repeat", "elsewhere", "hour") }
    ),
    units: fc.integer({ min: 1, max: 5 })
  }),
  { maxLength: 200, size: "max" }
)

describe("what came on a connection", () => {
  it("is never more than an honest peer's receipts say, and now and then as much", () => {
    let exact = 0
    fc.assert(
      fc.property(events, (all) => {
        const slots = [{ epoch: 0, spent: 0, signed: 0, nonce: 0 }]
        const queue: Array<number | Receipt.Receipt> = []
        const wire: typeof queue = []
        let arrived = Arrived.nothing
        let last: Receipt.Receipt | undefined
        const pay = (units: number): void => void (slots.at(-1)!.spent += units)
        const hear = (one: Receipt.Receipt): void => {
          assert.strictEqual(Arrived.missingIn(arrived, one), 0)
          if (Arrived.missingIn(arrived, { ...one, spent: one.spent - 1 }) === 1) exact++
          arrived = Arrived.told(arrived, one)
        }
        const happen: Record<Event, (units: number) => void> = {
          offer: (units) => void queue.push(units),
          leave: () => {
            const next = queue.shift()
            if (typeof next === "number") pay(next)
            if (next !== undefined) wire.push(next)
          },
          arrive: () => {
            const next = wire.shift()
            if (typeof next === "number") arrived = Arrived.add(arrived, next)
            else if (next !== undefined) hear((last = next))
          },
          sign: () => {
            if (queue.some((one) => typeof one !== "number")) return
            const slot = slots.at(-1)!
            if (slot.signed === slot.spent) return
            slot.signed = slot.spent
            queue.push(receipt(slot.epoch, ++slot.nonce, slot.spent))
          },
          repeat: () => void (last !== undefined && hear(last)),
          elsewhere: pay,
          hour: () => void slots.push({ epoch: slots.length, spent: 0, signed: 0, nonce: 0 })
        }
        for (const { event, units } of all) happen[event](units)
      }),
      { numRuns: 2000 }
    )
    assert.isAbove(exact, 50)
  })

  it("is counted from the first receipt of an hour to the one before the last, and an old one moves nothing", () => {
    const heard = (...said: ReadonlyArray<number | Receipt.Receipt>) =>
      said.reduce<Arrived.Arrived>(
        (arrived, one) => (typeof one === "number" ? Arrived.add(arrived, one) : Arrived.told(arrived, one)),
        Arrived.nothing
      )
    const [one, two, three] = [receipt(4, 1, 10), receipt(4, 2, 12), receipt(4, 3, 12)]
    assert.strictEqual(Arrived.missingIn(heard(7, one, 5), two), 0, "it may have been signed before that came")
    assert.strictEqual(Arrived.missingIn(heard(7, one, 5, two, 9), three), 3)
    assert.strictEqual(Arrived.missingIn(heard(7, one, 5, two, 9, two, one), three), 3, "repeated")
    assert.strictEqual(Arrived.missingIn(heard(7, one, 5, two, 9), two), 0, "repeated")
    assert.strictEqual(Arrived.missingIn(heard(7, one, 5, two, 9), receipt(5, 1, 0)), 0, "another hour")
    const nextHour = heard(7, one, 5, two, 9, receipt(5, 1, 1), 6, receipt(5, 2, 7), 1)
    assert.deepStrictEqual(
      [7, 6].map((spent) => Arrived.missingIn(nextHour, receipt(5, 3, spent))),
      [0, 1]
    )
  })
})
