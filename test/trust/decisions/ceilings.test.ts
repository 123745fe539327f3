/** Ceilings over devices and over grants, and what lifts them. ▽B = a ceiling over Bob, ▽(A→B) over what Alice granted him. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Authority from "../../../src/trust/Authority.ts"
import { capability, meetSets, normalize } from "../../../src/trust/Capability.ts"
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
  refine,
  refineGrant,
  revoke,
  right,
  root
} from "../space.ts"
import { by, judged, lacks, may } from "./asking.ts"

const write = "kv:write"
const passing = [right("kv", { depth: 3 }), right(write, { depth: 3 })]
const refiner = [right("device:revoke", { depth: 1 })]

describe("a ceiling over a device", () => {
  // alice ─→ bob ── data 0 ── 1
  // mallory ──────── ▽B: kv:write/a |0
  it("leaves what both name, from its cut on, and the chain is that of the grant", () => {
    const home = household({ bob: [right(write)], mallory: refiner })
    home.write(mallory, [refine(bob, home.bob, ["kv:write/a", "kv:read"], dataAt(bob, 0))])
    assert.deepStrictEqual(may(home, bob, "kv:write/b", { seq: 0 }), by(write, home.bob))
    assert.deepStrictEqual(may(home, bob, "kv:write/b", { seq: 1 }), lacks("kv:write/b", "kv:write/a"))
    assert.deepStrictEqual(may(home, bob, "kv:write/a", { seq: 1 }), by("kv:write/a", home.bob))
    assert.deepStrictEqual(may(home, bob, "kv:read"), lacks("kv:read", "kv:write/a"), "it widens nothing")
  })

  // soundness 9: mallory may refine, and writes ▽ of nothing over everybody
  it("of nothing leaves nothing: to the founder neither, and root is nobody's subject", () => {
    const home = household({ bob: [right(write)], mallory: refiner })
    const fake = home.write(alice, [admit(root)])
    const all = home.write(mallory, [
      refine(alice, home.founding, [], fake),
      refine(bob, home.bob, []),
      refine(root, fake, [])
    ])
    assert.deepStrictEqual(may(home, alice, write), lacks(write))
    assert.deepStrictEqual(may(home, bob, write), lacks(write))
    assert.deepStrictEqual(may(home, root, write), by("*"))
    home.write(root, [lift(all, 0), lift(all, 1)])
    assert.deepStrictEqual(may(home, alice, write), by("*"))
    assert.deepStrictEqual(may(home, bob, write), by(write, home.bob))
  })

  it("takes device:revoke on it, or to be it", () => {
    for (const [rights, stands] of [
      [[right("device:revoke")], true],
      [[right(`device:revoke/${bob}`)], true],
      [[right(`device:revoke/${carol}`)], false],
      [[right("delegation:revoke")], false]
    ] as const) {
      const home = household({ bob: [right(write)], mallory: rights })
      home.write(mallory, [refine(bob, home.bob, [])])
      assert.deepStrictEqual(may(home, bob, write), stands ? lacks(write) : by(write, home.bob))
    }
    const own = household({ bob: [right(write)] })
    const self = own.write(bob, [refine(bob, own.bob, ["kv:write/a"])])
    assert.deepStrictEqual(may(own, bob, write), lacks(write, "kv:write/a"))
    own.write(bob, [lift(self)])
    assert.deepStrictEqual(may(own, bob, write), by(write, own.bob), "and whoever limits himself may stop that")
  })

  // alice ─→ bob ─ 0 → carol      ▽B: kv:write/a |0      bob ─ 1 → mallory
  it("lets through less of what is granted behind its cut, and leaves what was granted before", () => {
    const home = household({ bob: [right(write, { depth: 2 })] })
    const before = home.write(bob, [grant(carol, right(write))])
    home.write(alice, [refine(bob, home.bob, ["kv:write/a"], before)])
    const behind = home.write(bob, [grant(mallory, right(write))])
    assert.deepStrictEqual(may(home, carol, "kv:write/b"), by(write, home.bob, before))
    assert.deepStrictEqual(may(home, mallory, "kv:write/a"), by("kv:write/a", home.bob, behind))
    assert.deepStrictEqual(may(home, mallory, "kv:write/b"), lacks("kv:write/b", "kv:write/a"))
  })
})

describe("a ceiling over a grant", () => {
  // alice ─→ bob ─→ carol         ▽(A→B): kv:write/a
  //       ─→ carol: kv:read
  it("lies over all that came through it, and over nothing else", () => {
    const home = household({ bob: [right(write, { depth: 2 })], carol: [right("kv:read")] })
    const gift = home.write(bob, [grant(carol, right(write))])
    home.write(alice, [refineGrant(bob, home.bob, ["kv:write/a"], gift)])
    assert.deepStrictEqual(may(home, carol, "kv:write/a"), by("kv:write/a", home.bob, gift))
    assert.deepStrictEqual(may(home, carol, write), lacks(write, "kv:read", "kv:write/a"))
    assert.deepStrictEqual(may(home, carol, "kv:read"), by("kv:read", home.carol))
  })

  // alice ─ 0 → bob ─→ carol      ▽(0): nothing
  // alice ─ 1 ↗
  it("leaves who holds the same through another one", () => {
    for (const which of [0, 1] as const) {
      const home = household({})
      const gifts = [0, 1].map(() => home.write(alice, [grant(bob, right(write, { depth: 2 }))]))
      const on = home.write(bob, [grant(carol, right(write))])
      home.write(alice, [refineGrant(bob, gifts[which]!, ["kv:write/a"], on)])
      assert.deepStrictEqual(may(home, carol, write), by(write, gifts[1 - which]!, on))
    }
  })

  // alice ─→ bob ─→ carol ─→ mallory      bob ── ▽(C→M): kv:write/a      alice ─→ carol
  it("by who gave something further up is one over what came through that", () => {
    const home = household({ bob: [right(write, { depth: 3 })] })
    const second = home.write(bob, [grant(carol, right(write, { depth: 2 }))])
    const third = home.write(carol, [grant(mallory, right(write))])
    home.write(bob, [refineGrant(mallory, third, ["kv:write/a"])])
    assert.deepStrictEqual(may(home, mallory, write), lacks(write, "kv:write/a"))
    assert.deepStrictEqual(may(home, mallory, "kv:write/a"), by("kv:write/a", home.bob, second, third))
  })
})

describe("several ceilings", () => {
  const pool = ["*", "kv", write, "kv:write/*", "kv:write/a", "kv:write/a/*", "kv:write/a/b", "kv:read"].map((text) =>
    capability(text)
  )
  const ceiling = fc.subarray(pool)

  it("leave what all of them name, in whatever order they were made, and never more than before", () => {
    const property = fc.property(fc.array(ceiling, { minLength: 1, maxLength: 4 }), fc.subarray(pool), (all, held) => {
      const leftBy = (order: typeof all) => {
        const home = household({ bob: held.map((one) => right(one)) })
        for (const one of order) home.write(alice, [refine(bob, home.bob, one)])
        const authority = judged(home)
        return normalize(Authority.rights(authority, Authority.present(authority), bob).map((one) => one.capability))
      }
      const left = leftBy(all)
      assert.deepStrictEqual(left, all.reduce<ReadonlyArray<(typeof pool)[number]>>(meetSets, normalize(held)))
      assert.deepStrictEqual(leftBy(all.toReversed()), left)
      assert.deepStrictEqual(meetSets(left, held), left, "never more")
    })
    fc.assert(property, { numRuns: 300 })
  })
})

describe("a lift", () => {
  // mallory ── ▽B ── 1: lifts it          bob has seen 1, or not
  it("gives back to who has seen it, what was taken and no more", () => {
    const home = household({ bob: [right("kv:read")], mallory: refiner })
    const limit = home.write(mallory, [refine(bob, home.bob, [])])
    const end = home.write(mallory, [lift(limit)])
    assert.deepStrictEqual(may(home, bob, "kv:read", { seen: [limit] }), lacks("kv:read"))
    assert.deepStrictEqual(may(home, bob, "kv:read", { seen: [end] }), by("kv:read", home.bob))
    assert.deepStrictEqual(may(home, bob, write, { seen: [end] }), lacks(write, "kv:read"))
  })

  it("is of the fact it names, not of others in that entry", () => {
    const home = household({ bob: [right(write)], carol: [right(write)] })
    const limit = home.write(alice, [refine(bob, home.bob, []), refine(carol, home.carol, [])])
    home.write(alice, [lift(limit, 1)])
    assert.deepStrictEqual(may(home, bob, write), lacks(write))
    assert.deepStrictEqual(may(home, carol, write), by(write, home.carol))
  })

  it("is its author's or root's, and nobody else's, the founder included", () => {
    for (const [who, counts] of [
      [mallory, true],
      [root, true],
      [alice, false],
      [bob, false],
      [dave, false]
    ] as const) {
      const home = household({ bob: [right(write)], mallory: refiner })
      const limit = home.write(mallory, [refine(bob, home.bob, [])])
      home.write(who, [lift(limit)])
      assert.deepStrictEqual(may(home, bob, write), counts ? by(write, home.bob) : lacks(write))
    }
  })

  // alice ─ device:revoke until 20 → mallory ── (10) ▽B ── (15) or (30) lifts it
  it("is not its author's any more when he no longer has what it took", () => {
    for (const [time, counts] of [
      [15, true],
      [30, false]
    ] as const) {
      const home = household({ bob: [right(write)], mallory: [right("device:revoke", { until: 20 })] })
      const limit = home.write(mallory, [refine(bob, home.bob, [])], { time: 10 })
      home.write(mallory, [lift(limit)], { time })
      assert.deepStrictEqual(may(home, bob, write), counts ? by(write, home.bob) : lacks(write))
    }
  })

  // mallory ── ▽B ── 1: lifts it        alice ── ✂M|▽B
  it("behind its author's own end counts for nothing", () => {
    const home = household({ bob: [right(write)], mallory: refiner })
    const limit = home.write(mallory, [refine(bob, home.bob, [])])
    home.write(alice, [revoke(mallory, home.mallory, limit)])
    home.write(mallory, [lift(limit)], { seen: [limit] })
    assert.deepStrictEqual(may(home, bob, write), lacks(write))
  })

  // mallory ── ✂B ── lifts it
  it("brings no revoked device back, root's neither: who returns makes a new key", () => {
    const home = household({ bob: [right(write)], mallory: refiner })
    const end = home.write(mallory, [revoke(bob, home.bob)])
    home.write(mallory, [lift(end)])
    home.write(root, [lift(end)])
    assert.deepStrictEqual(may(home, bob, write), { denied: { revokedBy: mallory, entry: end.hash } })
  })

  // alice ─→ bob ── ▽B ── 1: ─→ carol ── 2      root lifts ▽B: bob has it back, carol is not given what he had not
  it("reaches nobody who was granted something meanwhile", () => {
    const home = household({ bob: passing })
    const limit = home.write(alice, [refine(bob, home.bob, ["kv:write/a"])])
    const gift = home.write(bob, [grant(carol, right(write))])
    home.write(root, [lift(limit)])
    assert.deepStrictEqual(may(home, bob, write), by(write, home.bob))
    assert.deepStrictEqual(may(home, carol, write), lacks(write, "kv:write/a"))
    assert.strictEqual(gift.seq, 0)
  })
})
