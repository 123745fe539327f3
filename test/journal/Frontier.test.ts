/** Frontiers: the laws of their join, and nothing accepted that is not one. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { feedId, toBytes, type FeedId } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import { frontierFeedsMax, seqMax } from "../../src/journal/limits.ts"
import { accepted, bytesOf, hexOf, refusal } from "./writing.ts"

const feeds = ["a", "b", "c"].map((name) => feedId(bytesOf(name)))
const markAt = (feed: FeedId, seq: number): string => Frontier.mark(hexOf(bytesOf(`${feed} ${seq}`)))

/** Frontiers of one history: the same position has the same hash. */
const frontiers: fc.Arbitrary<Frontier.Frontier> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...feeds), fc.integer({ min: 0, max: 2 })), { selector: ([feed]) => feed })
  .map((heads) => new Map(heads.map(([feed, seq]) => [feed, { seq, mark: markAt(feed, seq) }])))

const sorted = (frontier: Frontier.Frontier) => [...frontier].sort(([a], [b]) => (a < b ? -1 : 1))
const assertSame = (a: Frontier.Frontier, b: Frontier.Frontier) => assert.deepStrictEqual(sorted(a), sorted(b))
const { join } = Frontier

describe("the join of frontiers", () => {
  it("is commutative, associative and idempotent", () => {
    fc.assert(
      fc.property(frontiers, frontiers, frontiers, (a, b, c) => {
        assertSame(join(a, b), join(b, a))
        assertSame(join(join(a, b), c), join(a, join(b, c)))
        assertSame(join(a, a), a)
        assertSame(join(a, Frontier.empty), a)
      })
    )
  })

  it("is the least that covers both", () => {
    fc.assert(
      fc.property(frontiers, frontiers, frontiers, (a, b, c) => {
        assert.isTrue(Frontier.covers(join(a, b), a) && Frontier.covers(join(a, b), b))
        if (Frontier.covers(c, a) && Frontier.covers(c, b)) assert.isTrue(Frontier.covers(c, join(a, b)))
        if (Frontier.covers(a, b)) assertSame(join(a, b), a)
      })
    )
  })

  it("changes neither of its arguments", () => {
    const a: Frontier.Frontier = new Map([[feeds[0]!, { seq: 1, mark: markAt(feeds[0]!, 1) }]])
    const before = new Map(a)
    join(a, new Map([[feeds[0]!, { seq: 2, mark: markAt(feeds[0]!, 2) }]]))
    assertSame(a, before)
  })

  it("finds no conflict in one history, and names the feeds of which there are two", () => {
    fc.assert(fc.property(frontiers, frontiers, (a, b) => assert.deepStrictEqual(Frontier.conflicts(a, b), [])))
    const [feed, other] = [feeds[0]!, feeds[1]!]
    const mine: Frontier.Frontier = new Map([
      [feed, { seq: 1, mark: markAt(feed, 1) }],
      [other, { seq: 1, mark: markAt(other, 1) }]
    ])
    const theirs = new Map(mine).set(feed, { seq: 1, mark: markAt(feed, 99) })
    assert.deepStrictEqual(Frontier.conflicts(mine, theirs), [feed])
    assertSame(join(mine, theirs), mine)
    assertSame(join(theirs, mine), theirs)
  })
})

describe("a frontier on the wire", () => {
  it("reads back as what was written, in one form for each", () => {
    fc.assert(
      fc.property(frontiers, (frontier) => {
        const bytes = Cbor.encode(Frontier.toCbor(frontier))
        assertSame(accepted(Frontier.fromCbor(accepted(Cbor.decode(bytes)))), frontier)
        const reversed = new Map([...frontier].toReversed())
        assert.deepStrictEqual(Cbor.encode(Frontier.toCbor(reversed)), bytes)
        assert.deepStrictEqual(Frontier.digest(reversed), Frontier.digest(frontier))
      })
    )
  })

  it("has equal digests for equal frontiers only", () => {
    fc.assert(
      fc.property(frontiers, frontiers, (a, b) => {
        const isEqual = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
        assert.strictEqual(hexOf(Frontier.digest(a)) === hexOf(Frontier.digest(b)), isEqual)
      })
    )
  })

  it("is refused with anything wrong, and says what", () => {
    const [low, high] = [...feeds].sort()
    const mark = new Uint8Array(16)
    const wrong: ReadonlyArray<readonly [value: Cbor.Cbor | undefined, reason: RegExp]> = [
      [undefined, /a list/],
      [{ a: 1 }, /a list/],
      [[[toBytes(low!), 1]], /\[feed, seq, mark\]/],
      [[[toBytes(low!), 1, mark, 1]], /\[feed, seq, mark\]/],
      [[[toBytes(low!).subarray(1), 1, mark]], /names no feed/],
      [[[toBytes(low!), -1, mark]], /names no feed/],
      [[[toBytes(low!), seqMax, mark]], /names no feed/],
      [[[toBytes(low!), 0.5, mark]], /names no feed/],
      [[[toBytes(low!), 1, new Uint8Array(32)]], /a mark has 16 bytes/],
      [
        [
          [toBytes(high!), 1, mark],
          [toBytes(low!), 1, mark]
        ],
        /sorted by feed/
      ],
      [
        [
          [toBytes(low!), 1, mark],
          [toBytes(low!), 2, mark]
        ],
        /sorted by feed/
      ],
      [Array.from({ length: frontierFeedsMax + 1 }, () => 0), /at most/]
    ]
    for (const [value, reason] of wrong) assert.match(refusal(Frontier.fromCbor(value)) ?? "accepted", reason)
  })
})
