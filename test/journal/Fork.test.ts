/**
 * Proofs that a device signed two histories:
 *
 *     a₀ ─ a₁ ─┬─ b₂ ─ b₃      Who signed both branches? Then position 2 is proved forked.
 *              └─ c₂ ─ c₃
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { entryHash, toBytes } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Fork from "../../src/journal/Fork.ts"
import * as Run from "../../src/journal/Run.ts"
import {
  accepted,
  alice,
  body,
  device,
  feed,
  goOn,
  header,
  hexOf,
  isGenuine,
  mallory,
  refusal,
  write
} from "./writing.ts"

const shared = write(alice, feed, [body("a0"), body("a1")])
const one = Run.merge([shared, goOn(alice, shared, [body("b2"), body("b3")])])
const two = Run.merge([shared, goOn(alice, shared, [body("c2"), body("c3")])])

const found = (a: Run.Run, b: Run.Run, of = feed): Fork.Fork => {
  const fork = Fork.between(of, a, b)
  if (fork === undefined) throw new Error("no fork was found")
  return fork
}

const isProved = (proof: Uint8Array): boolean => Fork.claims(accepted(Fork.decode(proof))).every(isGenuine)

describe("a fork", () => {
  it("is found at the first position that differs, from either side, with one proof for both", () => {
    const fork = found(one, two)
    assert.strictEqual(fork.at, 2)
    assert.strictEqual(Fork.hashBefore(fork), Run.lastHash(shared))
    assert.deepStrictEqual(found(two, one).bytes, fork.bytes)
  })

  it("is found wherever it is, in runs of any length", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (at, left, right) => {
          const bodies = (name: string, count: number) => [
            ...Array.from({ length: at }, (_, index) => body(`same ${index}`)),
            ...Array.from({ length: count }, (_, index) => body(`${name} ${index}`))
          ]
          const fork = found(write(alice, feed, bodies("left", left)), write(alice, feed, bodies("right", right)))
          assert.strictEqual(fork.at, at)
          assert.isTrue(isProved(fork.bytes))
          if (at === 0) assert.strictEqual(Fork.hashBefore(fork), entryHash(Feed.origin(feed)))
        }
      )
    )
  })

  it("carries no entry from before itself", () => {
    const fork = found(one, two)
    assert.deepStrictEqual(
      fork.branches.map((branch) => [branch.first, branch.bodies.length]),
      [
        [2, 2],
        [2, 2]
      ]
    )
  })

  it("reads back as what was found, and both signatures hold", () => {
    const fork = found(one, two)
    const read = accepted(Fork.decode(fork.bytes))
    assert.deepStrictEqual(read.bytes, fork.bytes)
    assert.strictEqual(read.at, fork.at)
    assert.strictEqual(Fork.hashBefore(read), Fork.hashBefore(fork))
    assert.deepStrictEqual(
      Fork.claims(read).map((claim) => claim.signer),
      [alice.id, alice.id]
    )
    assert.isTrue(isProved(fork.bytes))
  })

  it("of a feed with its own key demands the device's signature for that key, too", () => {
    const token = device("token")
    const plain = header()
    const key = (by: typeof alice) => ({
      publicKey: token.id,
      signature: by.sign(Feed.feedKeyMessage(plain, token.id))
    })
    for (const [by, holds] of [
      [alice, true],
      [mallory, false]
    ] as const) {
      const keyed = Feed.encode({ ...plain, key: key(by) })
      const fork = found(write(token, keyed, [body("b")]), write(token, keyed, [body("c")]), keyed)
      assert.strictEqual(isProved(fork.bytes), holds)
    }
  })
})

describe("nobody can be framed", () => {
  it("by runs of one history", () => {
    assert.isUndefined(Fork.between(feed, one, one))
    assert.isUndefined(Fork.between(feed, shared, one))
    assert.isUndefined(Fork.between(feed, one, Run.tail(one, 3)))
    assert.isUndefined(Fork.between(feed, Run.tail(one, 2), shared))
  })

  it("by runs that parted before what both hold: that proves nothing about where", () => {
    assert.isUndefined(Fork.between(feed, Run.tail(one, 3), Run.tail(two, 3)))
    assert.isUndefined(Fork.between(feed, one, Run.tail(two, 3)))
  })

  it("by runs of other feeds", () => {
    const other = Feed.encode(header({ time: 2 }))
    assert.isUndefined(Fork.between(other, one, two))
    assert.isUndefined(Fork.between(feed, one, write(alice, other, [body("c2")])))
    const runs = [write(alice, other, [body("x")]), write(alice, other, [body("y")])] as const
    const bytes = found(runs[0], runs[1], other).bytes
    const fields = accepted(Cbor.decode(bytes)) as ReadonlyArray<Cbor.Cbor>
    assert.match(refusal(Fork.decode(Cbor.encode(fields.with(1, feed.bytes)))) ?? "accepted", /a run of another feed/)
  })

  it("by a branch that someone else signed, or nobody", () => {
    const forged = write(mallory, feed, [body("a0"), body("a1"), body("c2")])
    assert.isFalse(isProved(found(one, forged).bytes))
    const unsigned = Run.encode(two, new Uint8Array(64))
    assert.isFalse(isProved(found(one, accepted(Run.decode(unsigned))).bytes))
  })

  it("by a header of another device over the same runs", () => {
    const fields = accepted(Cbor.decode(found(one, two).bytes)) as ReadonlyArray<Cbor.Cbor>
    const bobs = Feed.encode(header({ device: mallory.id }))
    assert.match(refusal(Fork.decode(Cbor.encode(fields.with(1, bobs.bytes)))) ?? "accepted", /a run of another feed/)
  })

  it("by a proof put together in another way: each is refused with its reason", () => {
    const fork = found(one, two)
    const fields = accepted(Cbor.decode(fork.bytes)) as ReadonlyArray<Cbor.Cbor>
    const [a, b] = fork.branches
    const wrong: ReadonlyArray<readonly [proof: Cbor.Cbor, reason: RegExp]> = [
      [null, /not \[1, header, run, run\]/],
      [fields.slice(0, 3), /not \[1, header, run, run\]/],
      [[...fields, 1], /not \[1, header, run, run\]/],
      [fields.with(0, 2), /not \[1, header, run, run\]/],
      [fields.with(1, "header"), /not \[1, header, run, run\]/],
      [fields.with(1, Uint8Array.of(0)), /feed header/],
      [fields.with(2, Uint8Array.of(0)), /run, at byte/],
      [fields.with(3, b.bytes.subarray(1)), /run, at byte/],
      [fields.with(3, a.bytes), /do not differ, lower hash first/],
      [[1, feed.bytes, b.bytes, a.bytes], /do not differ, lower hash first/],
      [fields.with(2, one.bytes), /do not follow the same entry/],
      [[1, feed.bytes, Run.tail(a, 3).bytes, Run.tail(b, 3).bytes], /do not follow the same entry/]
    ]
    for (const [proof, reason] of wrong) {
      assert.match(refusal(Fork.decode(Cbor.encode(proof))) ?? "accepted", reason)
    }
    assert.match(refusal(Fork.decode(new Uint8Array(0))) ?? "", /fork proof: at byte 0/)
  })

  it("by any flipped bit of a proof", () => {
    const fork = found(one, two)
    const { bytes } = fork
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice()
      flipped[at]! ^= 1 << (at % 8)
      const read = Fork.decode(flipped)
      if (refusal(read) !== undefined || !Fork.claims(accepted(read)).every(isGenuine)) continue
      // Another framing of the very same branches.
      const same = accepted(read)
      assert.deepStrictEqual(
        same.branches.map((run) => run.hashes.map(hexOf)),
        fork.branches.map((run) => run.hashes.map(hexOf))
      )
      assert.deepStrictEqual(toBytes(Fork.hashBefore(same)), toBytes(Run.lastHash(shared)))
    }
  })
})
