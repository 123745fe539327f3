/** Two machines that hand sealed books over: whole, in order, one part on its way; and what a peer may not do. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Handover from "../../src/sync/Handover.ts"
import { sealedBytesMax, sealedPartBytes } from "../../src/sync/limits.ts"

const digest = "ab".repeat(32)
const other = "cd".repeat(32)

/** What the one that wants them ends up with, and how many parts were ever on their way at once. */
const handedOver = (books: Uint8Array, wanted: Handover.Wanted, isOffered: boolean) => {
  let [giver, taker] = [Handover.none, Handover.none]
  const toTaker: Array<Handover.Part> = []
  const toGiver: Array<{ digest: string; offset: number }> = []
  const taken: Array<Uint8Array> = []
  let most = 0
  const perform = (says: ReadonlyArray<Handover.Said>): void => {
    for (const said of says) {
      if (said._tag === "WantSealed") toGiver.push(said)
      else if (said._tag === "Sealed") {
        toTaker.push(said)
        most = Math.max(most, toTaker.filter(({ bytes }) => bytes.length > 0).length)
      } else if (said._tag === "TakeSealed") taken.push(said.bytes)
      else {
        const next = Handover.loaded(giver, said, said.digest === digest ? books : undefined)
        giver = next.handover
        perform(next.says)
      }
    }
  }
  const go = (next: Handover.Next | Handover.Breach, set: (handover: Handover.Handover) => void): void => {
    if ("breach" in next) return assert.fail(next.breach)
    set(next.handover)
    perform(next.says)
  }
  if (isOffered) go(Handover.offer(giver, digest), (next) => (giver = next))
  go(Handover.ask(taker, wanted), (next) => (taker = next))
  while (toTaker.length + toGiver.length > 0) {
    const question = toGiver.shift()
    if (question !== undefined) go(Handover.asked(giver, question.digest, question.offset), (next) => (giver = next))
    const came = toTaker.shift()
    if (came !== undefined) go(Handover.part(taker, came), (next) => (taker = next))
    if (taker.asked === undefined && taken.length === 0) go(Handover.ask(taker, wanted), (next) => (taker = next))
  }
  return { most, taken: Buffer.concat(taken), taker }
}

describe("sealed books", () => {
  it("come over whole, whatever their size, offered or needed, one part at a time", () => {
    const sizes = fc.constantFrom(1, 10, sealedPartBytes - 1, sealedPartBytes, sealedPartBytes + 1, 3 * sealedPartBytes)
    fc.assert(
      fc.property(sizes, fc.boolean(), (size, isOffered) => {
        const books = Uint8Array.from({ length: size }, (_, index) => index % 251)
        const { most, taken } = handedOver(books, { digest, isNeeded: !isOffered }, isOffered)
        assert.isTrue(taken.equals(books))
        assert.strictEqual(most, 1)
      }),
      { numRuns: 20 }
    )
  })

  it("are asked for where they are offered or needed, and nowhere else", () => {
    assert.deepStrictEqual(Handover.ask(Handover.none, { digest, isNeeded: false }).says, [])
    assert.deepStrictEqual(Handover.ask(Handover.none, undefined).says, [])
    const elsewhere = { ...Handover.none, offered: other }
    assert.deepStrictEqual(Handover.ask(elsewhere, { digest, isNeeded: false }).says, [])
    assert.lengthOf(Handover.ask({ ...Handover.none, offered: digest }, { digest, isNeeded: false }).says, 1)
  })

  it("that a peer does not have are asked of it once", () => {
    const { taken, taker } = handedOver(new Uint8Array(1), { digest: other, isNeeded: true }, false)
    assert.strictEqual(taken.length, 0)
    assert.deepStrictEqual(Handover.ask(taker, { digest: other, isNeeded: true }).says, [])
  })

  it("are offered once", () => {
    const { handover } = Handover.offer(Handover.none, digest)
    assert.deepStrictEqual(Handover.offer(handover, digest).says, [])
    assert.lengthOf(Handover.offer(handover, other).says, 1)
  })
})

describe("a peer that hands over what it should not", () => {
  const asking = Handover.ask(Handover.none, { digest, isNeeded: true }).handover
  const part = { digest, total: 100, offset: 0, bytes: new Uint8Array(60) }
  const second = Handover.part(asking, part)
  const after = "breach" in second ? assert.fail(second.breach) : second.handover
  const wrong: ReadonlyArray<readonly [string, Handover.Handover, Handover.Part]> = [
    ["unasked", Handover.none, part],
    ["of other books", asking, { ...part, digest: other }],
    ["from the middle", asking, { ...part, offset: 1 }],
    ["more than there is", asking, { ...part, total: 59 }],
    ["more than may be", asking, { ...part, total: sealedBytesMax + 1 }],
    ["the same again", after, part],
    ["of another total", after, { ...part, offset: 60, total: 101, bytes: new Uint8Array(10) }],
    ["nothing in the middle", after, { ...part, offset: 60, bytes: new Uint8Array(0) }]
  ]
  for (const [what, handover, came] of wrong)
    it(`breaks the protocol: ${what}`, () => {
      assert.property(Handover.part(handover, came), "breach")
    })

  it("breaks the protocol: asks again before it was answered", () => {
    const first = Handover.asked(Handover.none, digest, 0)
    assert.notProperty(first, "breach")
    assert.property(Handover.asked((first as Handover.Next).handover, digest, 0), "breach")
  })
})
