/** Who may because of which grants. In the drawings time runs to the right; `─d2→` = a grant to pass on twice. */
import { assert, describe, it } from "@effect/vitest"
import * as Policy from "../../../src/trust/Policy.ts"
import { admit, alice, bob, carol, create, dave, grant, household, mallory, paper, right, root } from "../space.ts"
import { by, hashes, lacks, may } from "./asking.ts"

const write = "kv:write"

describe("a chain of grants", () => {
  // alice ── founds the space; root is its key
  it("of no link is the founder's, and root's", () => {
    const home = household({})
    for (const founder of [alice, root]) assert.deepStrictEqual(may(home, founder, write), by("*"))
  })

  // alice ─→ bob
  it("of one link names the grant", () => {
    const home = household({ bob: [right("kv")] })
    assert.deepStrictEqual(may(home, bob, "kv"), by("kv", home.bob))
    assert.deepStrictEqual(may(home, bob, "kv/a"), by("kv", home.bob))
  })

  // alice ─d1→ bob ─→ carol
  it("of two links names both, in their order", () => {
    const home = household({ bob: [right(write, { depth: 1 })] })
    const gift = home.write(bob, [grant(carol, right("*"))])
    assert.deepStrictEqual(may(home, carol, write), by(write, home.bob, gift))
  })

  // alice ─d0→ bob ─→ carol
  it("ends where somebody may use and not pass on", () => {
    const home = household({ bob: [right(write)] })
    home.write(bob, [grant(carol, right(write))])
    assert.deepStrictEqual(may(home, carol, write), lacks(write))
  })

  // alice ─→ bob: read
  it("to something else is shown as what is held instead", () => {
    const home = household({ bob: [right("kv:read"), right("kv:write/a")] })
    assert.deepStrictEqual(may(home, bob, write), lacks(write, "kv:read", "kv:write/a"))
  })

  // alice ─d1→ bob ─→ carol      the policy lets one link
  it("that is longer than the policy lets it is named with its links", () => {
    const home = household({ bob: [right(write, { depth: 1 })] })
    const gift = home.write(bob, [grant(carol, right(write))])
    const one = { capabilities: [write], chainMax: 1 }
    assert.deepStrictEqual(may(home, carol, one), { denied: { tooLong: hashes([home.bob, gift]), chainMax: 1 } })
    assert.deepStrictEqual(may(home, bob, one), by(write, home.bob))
    assert.deepStrictEqual(may(home, alice, { capabilities: [write], chainMax: 0 }), by("*"))
    assert.deepStrictEqual(may(home, bob, { capabilities: [write], chainMax: 0 }), {
      denied: { tooLong: [home.bob.hash], chainMax: 0 }
    })
  })

  // alice ─d1→ bob ─→ carol
  // alice ──────────→ carol: kv:write/a only
  it("that is long and wide stays beside one that is short and narrow", () => {
    const home = household({ bob: [right(write, { depth: 1 })], carol: [right("kv:write/a")] })
    const gift = home.write(bob, [grant(carol, right(write))])
    assert.deepStrictEqual(
      may(home, carol, { capabilities: ["kv:write/a"], chainMax: 1 }),
      by("kv:write/a", home.carol)
    )
    assert.deepStrictEqual(may(home, carol, "kv:write/b"), by(write, home.bob, gift))
  })

  // soundness 8: alice ─ admin:do d0 → bob, alice ─ task:read d3 → bob ─ both → carol
  it("joins no capability of one with the depth of another", () => {
    const home = household({ bob: [right("admin:do"), right("task:read", { depth: 3 })] })
    const gift = home.write(bob, [grant(carol, right("admin:do"), right("task:read"))])
    assert.deepStrictEqual(may(home, carol, "admin:do"), lacks("admin:do", "task:read"))
    assert.deepStrictEqual(may(home, carol, "task:read"), by("task:read", home.bob, gift))
  })

  // dave ── nobody admitted him, and somebody granted him everything
  it("makes no member of a stranger", () => {
    const home = household({})
    home.write(alice, [grant(dave, right("*"))])
    assert.deepStrictEqual(may(home, dave, write), { denied: { _tag: "NotAdmitted", device: dave } })
  })

  // mallory, who may not, admits dave; alice grants him everything
  it("begins at somebody validly admitted", () => {
    const home = household({ mallory: [right(write)] })
    home.write(mallory, [admit(dave)])
    home.write(alice, [grant(dave, right("*"))])
    assert.deepStrictEqual(may(home, dave, write), { denied: { _tag: "NotAdmitted", device: dave } })
  })

  // alice ── 1: bob's admission ── 2: ─→ bob        bob has seen 1, or both
  it("counts for who has seen it", () => {
    const home = household({})
    const gift = home.write(alice, [grant(bob, right(write))])
    assert.deepStrictEqual(may(home, bob, write, { seen: [home.mallory] }), lacks(write))
    assert.deepStrictEqual(may(home, bob, write, { seen: [gift] }), by(write, gift))
    const aside = home.write(carol, [], { seen: [home.mallory] })
    assert.deepStrictEqual(may(home, bob, write, { seen: [aside] }), lacks(write), "though others know of it")
    assert.deepStrictEqual(may(home, bob, write, { seen: [home.founding] }), {
      denied: { _tag: "NotAdmitted", device: bob }
    })
  })

  // bob ── ─→ carol (before he had seen alice's grant to him) ── 0
  it("does not begin later than it goes on", () => {
    const sheet = paper()
    sheet.write(alice, [create])
    const home = sheet.write(alice, [admit(bob), admit(carol)])
    const early = sheet.write(bob, [grant(carol, right(write))], { seen: [home] })
    const forBob = sheet.write(alice, [grant(bob, right(write, { depth: 1 }))])
    assert.deepStrictEqual(may(sheet, carol, write), lacks(write))
    const again = sheet.write(bob, [grant(carol, right(write))])
    assert.deepStrictEqual(may(sheet, carol, write), by(write, forBob, again))
    assert.notStrictEqual(early.hash, again.hash)
  })
})

describe("a policy", () => {
  it("of all names what is missing first, and everything that met it", () => {
    const home = household({ bob: [right(write), right("kv:read")] })
    assert.deepStrictEqual(may(home, bob, { capabilities: [write, "kv:read"] }), {
      allowed: [
        { by: write, through: [home.bob.hash] },
        { by: "kv:read", through: [home.bob.hash] }
      ]
    })
    assert.deepStrictEqual(may(home, bob, { capabilities: [write, "kv:list"] }), lacks("kv:list", "kv:read", write))
  })

  it("of any names the first way that is open, or why none is", () => {
    const home = household({ bob: [right("kv:read")] })
    const either = Policy.any(
      Policy.make({ capabilities: [write] }),
      Policy.make({ minTrust: "Low" }),
      Policy.make({ capabilities: ["kv:read"] })
    )
    assert.deepStrictEqual(may(home, bob, either), by("kv:read", home.bob))
    assert.deepStrictEqual(may(home, carol, either), {
      denied: {
        noneOf: [
          { lacks: write, holds: [] },
          { level: "None", needed: "Low" },
          { lacks: "kv:read", holds: [] }
        ]
      }
    })
  })

  it("of any of nothing lets nobody, of all of nothing every member", () => {
    const home = household({})
    assert.deepStrictEqual(may(home, alice, Policy.any()), { denied: { noneOf: [] } })
    assert.deepStrictEqual(may(home, bob, Policy.all()), { allowed: [] })
  })

  it("of an operation that is not defined lets nobody", () => {
    const home = household({ bob: [right("*")] })
    assert.deepStrictEqual(may(home, alice, write, { operation: "kv.drop" }), {
      denied: { _tag: "UnknownOperation", type: "kv.drop" }
    })
  })
})
