/** Seals: below them nothing is cut by what they had not seen. ▣n = root seals a feed up to n. */
import { assert, describe, it } from "@effect/vitest"
import * as Authority from "../../../src/trust/Authority.ts"
import {
  alice,
  bob,
  carol,
  dataAt,
  grant,
  household,
  lower,
  mallory,
  refine,
  relate,
  report,
  revoke,
  right,
  root,
  seal,
  setPolicy,
  settle,
  ungrant
} from "../space.ts"
import * as Policy from "../../../src/trust/Policy.ts"
import { by, judged, lacks, may, revokedBy } from "./asking.ts"

const write = "kv:write"

describe("below a seal", () => {
  // soundness 26: bob ── data 0 ── 1 ── 2
  //               root ──────── ▣1 ────── ✂B|start
  it("data stays valid whatever comes, and what is above it does not", () => {
    const home = household({ bob: [right(write)] })
    home.write(root, [seal(dataAt(bob, 1))])
    const end = home.write(root, [revoke(bob, home.bob)])
    assert.deepStrictEqual(may(home, bob, write, { seq: 1 }), by(write, home.bob))
    assert.deepStrictEqual(may(home, bob, write, { seq: 2 }), revokedBy(end))
    const authority = judged(home)
    assert.strictEqual(Authority.cutOf(authority, bob, dataAt(bob, 0).feed) === "start", false)
  })

  it("no limit of any kind reaches: grants, ceilings, policies, lowerings and reports", () => {
    const limits = (home: ReturnType<typeof household>) => [
      ungrant(bob, home.bob),
      refine(bob, home.bob, []),
      setPolicy("kv.write", Policy.any()),
      lower(bob, home.bob, "None")
    ]
    for (const index of [0, 1, 2, 3]) {
      const home = household({ bob: [right(write)] })
      home.write(alice, [relate(bob, "High")])
      const seen = [home.write(root, [seal(dataAt(bob, 1))])]
      home.write(root, [limits(home)[index]!])
      const wanted = { capabilities: [write], minTrust: "High" } as const
      assert.property(may(home, bob, wanted, { seq: 1, seen }), "allowed", `limit ${index}`)
      assert.property(may(home, bob, wanted, { seq: 2, seen }), "denied", `limit ${index}`)
    }
    const reported = household({ bob: [right(write)] })
    reported.write(alice, [relate(mallory, "High"), relate(carol, "High")])
    reported.write(root, [seal(dataAt(bob, 1))])
    for (const who of [alice, carol, mallory]) reported.write(who, [report(bob, reported.bob, "Severe")])
    assert.property(may(reported, bob, write, { seq: 1 }), "allowed")
    assert.property(may(reported, bob, write, { seq: 2 }), "denied")
  })

  // bob ── 0: ─→ carol ── 1: ─→ mallory        root ── ▣0 ── ✂B|start
  it("grants stay given", () => {
    const home = household({ bob: [right(write, { depth: 1 })] })
    const first = home.write(bob, [grant(carol, right(write))])
    home.write(bob, [grant(mallory, right(write))])
    home.write(root, [seal(first)])
    home.write(root, [revoke(bob, home.bob)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, first))
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
  })

  // root ── ✂B|start ── ▣1: what was left out before it was sealed was left out of what was sealed
  it("what had been cut before stays cut", () => {
    const home = household({ bob: [right(write, { depth: 1 })] })
    const first = home.write(bob, [grant(carol, right(write))])
    const end = home.write(root, [revoke(bob, home.bob)])
    home.write(root, [seal(first), seal(dataAt(bob, 1))])
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
    assert.deepStrictEqual(may(home, bob, write, { seq: 1 }), revokedBy(end))
  })

  it("what had been limited before stays limited", () => {
    const home = household({ bob: [right(write)] })
    const limit = home.write(root, [ungrant(bob, home.bob)])
    home.write(root, [seal(dataAt(bob, 1))], { seen: [limit] })
    assert.property(may(home, bob, write, { seq: 1, seen: [home.bob] }), "denied")
  })

  it("one that took back nothing else needs no device:rollback", () => {
    const home = household({ mallory: [right("device:revoke")] })
    const own = home.write(bob, [relate(carol, "Low")])
    home.write(mallory, [revoke(bob, home.bob)])
    assert.isFalse(Authority.isRevoked(judged(home), bob), "he took back what he had seen")
    home.write(root, [seal(own)], { seen: [own] })
    assert.isTrue(Authority.isRevoked(judged(home), bob), "there is nothing left to take back")
  })
})

describe("a seal", () => {
  it("is root's, and nobody else's", () => {
    for (const who of [alice, bob, mallory]) {
      const home = household({ bob: [right(write)] })
      home.write(who, [seal(dataAt(bob, 1))])
      const end = home.write(root, [revoke(bob, home.bob)])
      assert.deepStrictEqual(may(home, bob, write, { seq: 0 }), revokedBy(end))
    }
  })

  it("is not undone by a lower one, or one that came first", () => {
    for (const order of [
      [0, 2],
      [2, 0]
    ] as const) {
      const home = household({ bob: [right(write)] })
      for (const seq of order) home.write(root, [seal(dataAt(bob, seq))])
      const end = home.write(root, [revoke(bob, home.bob)])
      assert.deepStrictEqual(may(home, bob, write, { seq: 2 }), by(write, home.bob))
      assert.deepStrictEqual(may(home, bob, write, { seq: 3 }), revokedBy(end))
    }
  })

  // bob ── 0: ─→ carol        root ── ▣0, ▣0', in either order ── ✂B|start ── 0 counts
  //     └─ 0': ─→ mallory
  it("on one branch leaves that on another as it is, in whatever order they came", () => {
    for (const order of [
      [0, 1],
      [1, 0]
    ] as const) {
      const home = household({ bob: [right(write, { depth: 1 })] })
      const one = home.write(bob, [grant(carol, right(write))])
      const other = home.write(bob, [grant(mallory, right(write))], { after: "nothing", seen: [home.mallory] })
      for (const branch of order) home.write(root, [seal([one, other][branch]!)])
      home.write(root, [revoke(bob, home.bob), settle(one)])
      assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, one))
      assert.deepStrictEqual(may(home, mallory, write), lacks(write), "it is not the branch that counts")
    }
  })
})
