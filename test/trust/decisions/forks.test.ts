/** Who is out, whose histories part, and which of them counts. ✂X|n = a revocation of X that leaves its entries up to n. */
import { assert, describe, it } from "@effect/vitest"
import * as Authority from "../../../src/trust/Authority.ts"
import {
  admit,
  alice,
  at,
  bob,
  carol,
  dave,
  feedOf,
  grant,
  hashOf,
  household,
  mallory,
  revoke,
  right,
  root,
  settle
} from "../space.ts"
import { by, judged, lacks, may, revokedBy } from "./asking.ts"

const write = "kv:write"
const revoker = [right("device:revoke")]
const admin = [right("*", { depth: 4 })]

describe("two who revoke each other", () => {
  // soundness 1: bob ──── ✂C
  //              carol ── ✂B        neither had seen the other
  it("are both out, each by the other, and root names who stays by cutting the other", () => {
    const home = household({ bob: revoker, carol: [...revoker, right(write)] })
    const seen = [home.mallory]
    const byBob = home.write(bob, [revoke(carol, home.carol)], { seen })
    const byCarol = home.write(carol, [revoke(bob, home.bob)], { seen })
    assert.deepStrictEqual(may(home, carol, write), revokedBy(byBob))
    assert.deepStrictEqual(may(home, bob, write), revokedBy(byCarol))
    home.write(root, [revoke(bob, home.bob)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.carol))
    assert.isTrue(Authority.isRevoked(judged(home), bob))
  })

  // soundness 1: alice ── ✂M|all        mallory ── (years later, having seen nothing) ✂B
  it("years apart are no other case: who was revoked and backdates is heard until root cuts him lower", () => {
    const home = household({ bob: [right(write)], mallory: revoker })
    const end = home.write(alice, [revoke(mallory, home.mallory)])
    const late = home.write(mallory, [revoke(bob, home.bob)], { seen: [home.mallory], time: home.mallory.time + 1 })
    assert.deepStrictEqual(may(home, bob, write), revokedBy(late))
    assert.deepStrictEqual(may(home, mallory, write), revokedBy(end))
    const cut = home.write(root, [revoke(mallory, home.mallory)])
    assert.deepStrictEqual(may(home, bob, write), by(write, home.bob))
    assert.deepStrictEqual(may(home, mallory, write), revokedBy(cut))
  })
})

describe("the founder's device", () => {
  // soundness 2: alice's phone is stolen: ✂B, admits dave, grants him everything
  // root (twenty-four words in a drawer) ──────────── ✂A|Carol's admission
  it("that is stolen is outlasted by the words: root cuts it, and nobody pairs again", () => {
    const home = household({ bob: [right(write)] })
    const theft = home.write(alice, [revoke(bob, home.bob), admit(dave), grant(dave, right("*"))])
    assert.deepStrictEqual(may(home, bob, write), revokedBy(theft))
    assert.deepStrictEqual(may(home, dave, write), by("*", theft))
    const end = home.write(root, [revoke(alice, home.founding, home.mallory)])
    assert.deepStrictEqual(may(home, bob, write), by(write, home.bob))
    assert.deepStrictEqual(may(home, dave, write), { denied: { _tag: "NotAdmitted", device: dave } })
    assert.deepStrictEqual(may(home, alice, write), revokedBy(end))
    const back = home.write(root, [admit(dave), grant(dave, right(write))])
    assert.deepStrictEqual(may(home, dave, write), by(write, back), "what root says needs no device")
  })
})

describe("a feed that a cut does not name", () => {
  // soundness 5: bob ── feed 0 ── …        alice ── ✂B|feed 0
  //              bob ── feed 1, dated to before and having seen nothing
  it("is cut at its start, of authority and of data", () => {
    const home = household({ bob: admin })
    const own = home.write(bob, [grant(carol, right("kv:read"))])
    const end = home.write(alice, [revoke(bob, home.bob, own)])
    home.write(bob, [grant(mallory, right(write))], { incarnation: 1, seen: [home.mallory], time: own.time })
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    assert.deepStrictEqual(may(home, carol, "kv:read"), by("kv:read", home.bob, own))
    assert.deepStrictEqual(may(home, bob, write, { seq: 0, seen: [own] }), revokedBy(end))
  })

  // soundness 10: what restricts is heard behind its author's cut, so feeds of authority are fetched whole
  it("still speaks where it restricts, if its author had not seen his own end", () => {
    const home = household({ carol: [right(write)], mallory: revoker })
    home.write(alice, [revoke(mallory, home.mallory)])
    const late = home.write(mallory, [revoke(carol, home.carol)], { incarnation: 1, seen: [home.mallory] })
    assert.deepStrictEqual(may(home, carol, write), revokedBy(late))
  })
})

describe("a feed with two histories", () => {
  // soundness 3, 4:
  // bob ── 0 ─┬─ 1: ─→ carol ── 2: ✂M
  //           └─ 1': ─→ mallory
  const forked = () => {
    const home = household({ bob: [right(write, { depth: 1 }), right("device:revoke")] })
    const trunk = home.write(bob, [grant(dave, right(write))])
    const one = home.write(bob, [grant(carol, right(write))])
    const other = home.write(bob, [grant(mallory, right(write))], { after: trunk, seen: [trunk] })
    return { home, trunk, one, other }
  }

  it("gives nothing from its fork on, whichever of the two came first", () => {
    const { home, one, other } = forked()
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    const swapped = home.entries.filter((entry) => entry !== one && entry !== other).concat(other, one)
    assert.deepStrictEqual(may({ entries: swapped }, carol, write), lacks(write))
  })

  // soundness 4: mallory, an admin: ── ✂C (1) ──        and later another 1': "I never did"
  it("takes no revocation back that stood on one of them", () => {
    const home = household({ carol: [right(write)], mallory: admin })
    const first = home.write(mallory, [grant(dave, right(write))])
    const end = home.write(mallory, [revoke(carol, home.carol)])
    home.write(mallory, [], { after: first, seen: [first] })
    assert.deepStrictEqual(may(home, carol, write), revokedBy(end))
  })

  // root ── the branch of 1 counts
  it("counts on the branch that root settles on, up to the entry it names, and no further", () => {
    const { home, one, other } = forked()
    const next = home.write(bob, [grant(dave, right("kv:write/a"))], { after: one, seen: [one] })
    home.write(root, [settle(one)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, one))
    assert.deepStrictEqual(may(home, mallory, write), lacks(write))
    assert.deepStrictEqual(Authority.settlementOf(judged(home), feedOf(bob).id), {
      ...at(one),
      ...{ _tag: "Settle" as const }
    })
    home.write(carol, [settle(other)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, one), "who may not revoke settles nothing")
    assert.strictEqual(next.seq, 2)
  })

  it("is settled by who may revoke its device, if root says nothing, and by nobody else", () => {
    for (const [rights, counts] of [
      [[right("device:revoke")], true],
      [[right(`device:revoke/${bob}`)], true],
      [[right(`device:revoke/${alice}`)], false],
      [[right("device:admit")], false]
    ] as const) {
      const { home, one, other } = forked()
      home.write(alice, [grant(mallory, ...rights)])
      const said = home.write(mallory, [settle(one)])
      assert.deepStrictEqual(may(home, carol, write), counts ? by(write, home.bob, one) : lacks(write))
      home.write(root, [settle(other)])
      assert.deepStrictEqual(may(home, carol, write), lacks(write), "root's wins")
      assert.deepStrictEqual(may(home, mallory, write), by(write, home.bob, other))
      assert.strictEqual(said.seq, 0)
    }
  })

  // mallory settles on 1, carol on 2 behind it: what both accept is up to 1
  it("counts as far as all who settled accept, in whatever order they came", () => {
    const { home, one, other } = forked()
    const next = home.write(bob, [grant(dave, right("kv:read"))], { after: one, seen: [one] })
    home.write(alice, [settle(next)])
    home.write(root, [grant(mallory, right("device:revoke"))])
    home.write(mallory, [settle(one)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, one))
    home.write(alice, [settle(other)])
    assert.deepStrictEqual(may(home, carol, write), lacks(write), "of two branches they accept what is before both")
  })

  // bob ── 0        alice: 0, mallory: 0', alice again: 0
  //     └─ 0'       no order of the three makes a branch of what shares nothing
  it("that share nothing are settled on by nobody who is contradicted", () => {
    for (const order of [
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0]
    ] as const) {
      const home = household({ bob: [right(write, { depth: 1 })] })
      const one = home.write(bob, [grant(carol, right(write))])
      const other = home.write(bob, [grant(mallory, right(write))], { after: "nothing", seen: [home.mallory] })
      for (const branch of order) home.write(alice, [settle([one, other][branch]!)])
      assert.deepStrictEqual(may(home, carol, write), lacks(write), order.join())
      assert.deepStrictEqual(may(home, mallory, write), lacks(write), order.join())
    }
  })

  // mallory settles, and is revoked from before that: a settlement gives, so it ends with its author
  it("is not settled by who was cut from before he did", () => {
    const { home, one } = forked()
    home.write(alice, [grant(mallory, right("device:revoke"))])
    home.write(mallory, [settle(one)])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, one))
    home.write(alice, [revoke(mallory, home.mallory)])
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
  })

  // bob ── 0 ─┬─ 1                     the cut, and the settlement, name 2', which comes last
  //           └─ 1' ── 2'
  it("that grows is judged anew: the entry that a cut or a settlement names may be the next one", () => {
    for (const isCut of [true, false]) {
      const { home, one, other, trunk } = forked()
      const next = { ...at(other), seq: 2, hash: hashOf(home.entries.length + 1) }
      home.write(root, [isCut ? revoke(bob, home.bob, next) : settle(next)], { seen: [one, other] })
      const early = judged(home)
      Authority.members(early)
      assert.deepStrictEqual(may(home, mallory, write), lacks(write))
      const named = home.write(bob, [], { after: other, seen: [other] })
      assert.strictEqual(named.hash, next.hash)
      const late = Authority.extend(early, [named])
      const held = [late, judged(home)].map((authority) =>
        [carol, mallory].map((who) => Authority.rights(authority, Authority.present(authority), who))
      )
      assert.deepStrictEqual(held[0], held[1])
      assert.deepStrictEqual(
        held[0]!.map((rights) => rights.length),
        isCut ? [0, 0] : [0, 1]
      )
      assert.strictEqual(trunk.seq, 0)
    }
  })
})
