/** Grants that were withdrawn. ✂(A→B)|n = a withdrawal of what A granted B, which leaves B's entries up to n alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Authority from "../../../src/trust/Authority.ts"
import {
  admit,
  alice,
  bob,
  carol,
  dataAt,
  dave,
  grant,
  household,
  lift,
  mallory,
  revoke,
  right,
  root,
  ungrant
} from "../space.ts"
import { by, judged, lacks, may } from "./asking.ts"

const write = "kv:write"
const passing = [right(write, { depth: 3 })]

describe("a grant that was withdrawn", () => {
  // alice ─→ bob ── data 0 ── 1 ── 2
  // alice ───────────────── ✂(A→B)|1
  it("gives nothing from the cut on, and what was written before stays", () => {
    const home = household({ bob: passing })
    home.write(alice, [ungrant(bob, home.bob, dataAt(bob, 1))])
    assert.deepStrictEqual(may(home, bob, write, { seq: 1 }), by(write, home.bob))
    assert.deepStrictEqual(may(home, bob, write, { seq: 2 }), lacks(write))
    assert.deepStrictEqual(may(home, bob, write), lacks(write))
  })

  // soundness 7 (i): alice ─→ bob ─→ carol ── data 0 ── 1
  //                  alice ─────────────── ✂(A→B)|bob's grant, carol's 0
  it("ends for every chain through it, at the cut of each device's own feed", () => {
    const home = household({ bob: passing })
    const gift = home.write(bob, [grant(carol, right(write))])
    home.write(alice, [ungrant(bob, home.bob, gift, dataAt(carol, 0))])
    assert.deepStrictEqual(may(home, carol, write, { seq: 0 }), by(write, home.bob, gift))
    assert.deepStrictEqual(may(home, carol, write, { seq: 1 }), lacks(write))
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
    const [end] = Authority.restrictions(judged(home))
    assert.deepStrictEqual(Authority.reachedBy(judged(home), end!), new Set([bob, carol]))
  })

  // soundness 7 (ii): alice ─→ bob ─→ carol      alice ── ✂B|bob's grant
  it("is something else than a giver who was revoked: what he gave before the cut stays", () => {
    const home = household({ bob: passing })
    const gift = home.write(bob, [grant(carol, right(write))])
    const end = home.write(alice, [revoke(bob, home.bob, gift)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, gift))
    assert.deepStrictEqual(may(home, bob, write), { denied: { revokedBy: alice, entry: end.hash } })
  })

  // alice ─→ bob ─→ carol ─→ mallory      alice ── ✂B|start
  it("is another thing than a giver who is cut from before he gave: then nobody has it from him", () => {
    const home = household({ bob: passing })
    const second = home.write(bob, [grant(carol, right(write, { depth: 2 }))])
    const third = home.write(carol, [grant(mallory, right(write))])
    assert.deepStrictEqual(may(home, mallory, write), by(write, home.bob, second, third))
    home.write(alice, [revoke(bob, home.bob)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
  })

  // alice ─ 0 → bob ─→ carol       alice ── ✂(0)
  // alice ─ 1 ↗                    or:   ── ✂(1)
  it("leaves who holds the same through another one, whichever of the two it is", () => {
    for (const which of [0, 1] as const) {
      const home = household({})
      const gifts = [0, 1].map(() => home.write(alice, [grant(bob, ...passing)]))
      const on = home.write(bob, [grant(carol, right(write))])
      home.write(alice, [ungrant(bob, gifts[which]!, on)])
      assert.deepStrictEqual(may(home, bob, write), by(write, gifts[1 - which]!))
      assert.deepStrictEqual(may(home, carol, write), by(write, gifts[1 - which]!, on))
    }
  })

  it("is looked at again where equal chains were known as one, in a value that grows", () => {
    for (const which of [0, 1] as const) {
      const home = household({})
      const gifts = [0, 1].map(() => home.write(alice, [grant(bob, ...passing)]))
      const on = home.write(bob, [grant(carol, right(write))])
      const before = judged(home)
      assert.lengthOf(Authority.rights(before, Authority.present(before), carol), 1)
      const end = home.write(alice, [ungrant(bob, gifts[which]!, on)])
      const after = Authority.extend(before, [end])
      const [held] = Authority.rights(after, Authority.present(after), carol)
      assert.deepStrictEqual(held?.through, [gifts[1 - which]!.hash, on.hash])
    }
  })

  // alice ─→ bob ─→ carol ─→ mallory     one entry of carol's grants mallory and dave
  it("ends for the one that is named, and not for another who was granted something by the same entry", () => {
    const home = household({ carol: passing })
    const both = home.write(carol, [grant(mallory, right(write)), grant(bob, right(write))])
    home.write(carol, [ungrant(mallory, both)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    assert.deepStrictEqual(may(home, bob, write), by(write, home.carol, both))
  })
})

describe("a grant may be withdrawn", () => {
  /** alice ─→ bob ─→ carol ─→ mallory, and what that is called. */
  const line = () => {
    const home = household({ bob: passing })
    const second = home.write(bob, [grant(carol, right(write, { depth: 2 }))])
    const third = home.write(carol, [grant(mallory, right(write))])
    return { home, second, third, held: by(write, home.bob, second, third) }
  }

  it("by who gave it", () => {
    const { home, third } = line()
    home.write(carol, [ungrant(mallory, third)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
  })

  it("by who got it: from now on, and for whom he passed it on to", () => {
    const { home, second, third } = line()
    home.write(carol, [ungrant(carol, second, third)])
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
  })

  it("by who holds delegation:revoke on the one that has it", () => {
    for (const [held, isEnough] of [
      ["delegation:revoke", true],
      [`delegation:revoke/${mallory}`, true],
      [`delegation:revoke/${carol}`, false],
      ["device:revoke", false]
    ] as const) {
      const { held: chain, home, third } = line()
      home.write(alice, [admit(dave), grant(dave, right(held))])
      home.write(dave, [ungrant(mallory, third)])
      assert.deepStrictEqual(may(home, mallory, write), isEnough ? lacks(write) : chain, held)
    }
  })

  it("by root, whoever gave it", () => {
    const { home, third } = line()
    home.write(root, [ungrant(mallory, third)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
  })

  // bob ─→ carol ─┬→ mallory            bob ── ✂(C→M)
  // alice ─→ carol┘
  it("by who gave something that it rests on: as far as it came through that", () => {
    const { home, second, third } = line()
    home.write(bob, [ungrant(mallory, third)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, second))
    const other = home.write(alice, [grant(carol, right(write, { depth: 2 }))])
    const again = home.write(carol, [grant(mallory, right(write))])
    home.write(bob, [ungrant(mallory, again)])
    assert.deepStrictEqual(may(home, mallory, write), by(write, other, again))
    const [own] = Authority.restrictions(judged(home))
    assert.strictEqual(own?.reach, "own")
  })

  it("by nobody else: not by another holder, not by a stranger", () => {
    const { held, home, third } = line()
    home.write(alice, [grant(mallory, right("kv:read"))])
    home.write(dave, [ungrant(mallory, third)])
    const friend = household({ bob: passing, carol: passing, mallory: [right(write)] })
    friend.write(bob, [ungrant(mallory, friend.mallory)])
    assert.deepStrictEqual(may(home, mallory, write), held)
    assert.deepStrictEqual(may(friend, mallory, write), by(write, friend.mallory))
    assert.deepStrictEqual(Authority.restrictions(judged(friend)), [], "he gave nothing that it rests on")
  })

  // carol ── 0: a grant to mallory ── 1: another      bob saw both: ✂(B→C)|0 takes the second one back
  it("with what its holder did since only by who may take back history", () => {
    for (const [rights, cutAt, stands] of [
      [[], 1, true],
      [[], 0, false],
      [[right("device:rollback")], 0, true]
    ] as const) {
      const home = household({ bob: [...passing, ...rights] })
      const second = home.write(bob, [grant(carol, right(write, { depth: 2 }))])
      const own = [0, 1].map(() => home.write(carol, [grant(dave, right(write))]))
      home.write(bob, [ungrant(carol, second, own[cutAt]!)])
      assert.deepStrictEqual(may(home, carol, write), stands ? lacks(write) : by(write, home.bob, second))
    }
  })

  // bob ─→ carol ─→ mallory ── 0       bob saw it, and cuts mallory's feed at its start
  it("with what others did who hold through it only by who may take that back", () => {
    for (const [rights, stands] of [
      [[], false],
      [[right(`device:rollback/${carol}`)], false],
      [[right(`device:rollback/${mallory}`)], true]
    ] as const) {
      const home = household({ bob: [...passing, ...rights] })
      const second = home.write(bob, [grant(carol, right(write, { depth: 2 }))])
      const third = home.write(carol, [grant(mallory, right(write))])
      home.write(mallory, [])
      home.write(bob, [ungrant(carol, second, third)])
      assert.deepStrictEqual(may(home, carol, write), stands ? lacks(write) : by(write, home.bob, second))
    }
  })

  // bob ──→ carol ─→ mallory      bob ── ✂(C→M): it rests on his grant among others; then alice ── ✂(A→C)
  // alice ─→ carol
  it("by one of several who gave something that it rests on, and by all of them it is gone", () => {
    const home = household({ bob: passing })
    home.write(bob, [grant(carol, right(write, { depth: 2 }))])
    const other = home.write(alice, [grant(carol, right(write, { depth: 2 }))])
    const third = home.write(carol, [grant(mallory, right(write))])
    home.write(bob, [ungrant(mallory, third)])
    assert.deepStrictEqual(may(home, mallory, write), by(write, other, third))
    home.write(alice, [ungrant(carol, other, third)])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
  })

  // alice ─→ bob ──→ carol ─→ mallory       bob or dave ── ✂(C→M), and takes it back
  //       ─→ dave ─↗
  it("by one of two who gave alike for what came through him alone, until he takes that back", () => {
    for (const which of [0, 1] as const) {
      const home = household({ bob: passing })
      const forDave = home.write(alice, [admit(dave), grant(dave, ...passing)])
      const gifts = [bob, dave].map((who) => home.write(who, [grant(carol, right(write, { depth: 2 }))]))
      const third = home.write(carol, [grant(mallory, right(write))])
      const before = may(home, mallory, write)
      const end = home.write([bob, dave][which]!, [ungrant(mallory, third)])
      const left = by(write, [forDave, home.bob][which]!, gifts[1 - which]!, third)
      assert.deepStrictEqual(may(home, mallory, write), left)
      const other = home.write([bob, dave][1 - which]!, [ungrant(mallory, third)])
      assert.deepStrictEqual(may(home, mallory, write), lacks(write))
      home.write(end.feed.device, [lift(end)])
      assert.property(may(home, mallory, write), "allowed")
      home.write(other.feed.device, [lift(other)])
      assert.property(before, "allowed")
      assert.property(may(home, mallory, write), "allowed")
    }
  })

  // alice ─ write/a → bob ─→ carol           bob ── ✂(C→M): what came to him through that again is not what he gave
  // alice ─ write ─────────→ carol ─→ mallory ─→ bob ─→ dave
  it("by who gave before it, not by who gave behind it", () => {
    const home = household({ bob: [right("kv:write/a", { depth: 3 })] })
    home.write(alice, [admit(dave)])
    home.write(bob, [grant(carol, right(write, { depth: 2 }))])
    const links = [home.write(alice, [grant(carol, right(write, { depth: 4 }))])]
    for (const [giver, to] of [
      [carol, mallory],
      [mallory, bob],
      [bob, dave]
    ] as const)
      links.push(home.write(giver, [grant(to, right(write, { depth: 4 }))]))
    home.write(bob, [ungrant(mallory, links[1]!, ...links.slice(1))])
    assert.lengthOf(Authority.restrictions(judged(home)), 1)
    assert.deepStrictEqual(may(home, dave, write), by(write, ...links))
  })

  it("if it is named by the entry that made it, which whoever withdraws it has seen", () => {
    const { held, home, second } = line()
    home.write(carol, [ungrant(mallory, second), ungrant(mallory, home.mallory)])
    const later = home.write(alice, [grant(mallory, right("kv:read"))])
    home.write(alice, [ungrant(mallory, later)], { incarnation: 1, seen: [home.mallory] })
    assert.deepStrictEqual(may(home, mallory, write), held)
    assert.deepStrictEqual(may(home, mallory, "kv:read"), by("kv:read", later))
  })
})
