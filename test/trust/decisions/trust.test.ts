/** Trust, attestations and reports. A ═H⇒ B = A trusts B highly (M, L: medium, low); ⚑M = Mallory is reported. */
import { assert, describe, it } from "@effect/vitest"
import * as Authority from "../../../src/trust/Authority.ts"
import type { Level } from "../../../src/trust/Level.ts"
import {
  admit,
  alice,
  attest,
  bob,
  carol,
  dataAt,
  dave,
  grant,
  household,
  lift,
  lower,
  mallory,
  nobody,
  relate,
  report,
  revoke,
  right,
  root
} from "../space.ts"
import { hashes, judged, may } from "./asking.ts"

const medium = { minTrust: "Medium" } as const
const high = { minTrust: "High" } as const

/** A household where Alice trusts these so far. */
const trusting = (
  levels: Partial<Record<"bob" | "carol" | "mallory", Level>>,
  rights: Parameters<typeof household>[0] = {}
) => {
  const home = household(rights)
  const devices = { bob, carol, mallory }
  const trusted = home.write(
    alice,
    (Object.keys(levels) as ReadonlyArray<keyof typeof levels>).map((name) => relate(devices[name], levels[name]!))
  )
  return { ...home, trusted }
}

describe("trust", () => {
  // alice ═H⇒ bob ═H⇒ carol ═H⇒ mallory
  it("goes along relations from the roots, and loses a fifth with every hop", () => {
    const home = trusting({ bob: "High" })
    home.write(bob, [relate(carol, "High")])
    home.write(carol, [relate(mallory, "High")])
    assert.deepStrictEqual(may(home, carol, high), { allowed: [{ level: "High", path: [alice, bob, carol] }] })
    assert.deepStrictEqual(may(home, mallory, high), { denied: { level: "Medium", needed: "High" } })
    assert.deepStrictEqual(may(home, mallory, medium), {
      allowed: [{ level: "Medium", path: [alice, bob, carol, mallory] }]
    })
    assert.deepStrictEqual(may(home, root, high), { allowed: [{ level: "High", path: [root] }] })
  })

  // alice ═L⇒ mallory ═H⇒ five sockpuppets, who attest each other      soundness 28
  it("of a farm of sockpuppets is that of who keeps it", () => {
    const home = trusting({ mallory: "Low" })
    const puppets = [0, 1, 2, 3, 4].map(nobody)
    home.write(alice, [...puppets.map((puppet) => admit(puppet))])
    home.write(
      mallory,
      puppets.map((puppet) => relate(puppet, "High"))
    )
    for (const puppet of puppets)
      home.write(
        puppet,
        puppets.map((other) => attest(other))
      )
    assert.deepStrictEqual(may(home, puppets[0]!, { attestations: 1 }), { denied: { attesters: [], needed: 1 } })
    assert.deepStrictEqual(may(home, puppets[0]!, medium), { denied: { level: "Low", needed: "Medium" } })
  })

  // alice ═H⇒ mallory ═H⇒ sockpuppets          alice ═H⇒ bob
  it("lets a farm of somebody trusted attest once, and somebody else besides", () => {
    const home = trusting({ bob: "High", mallory: "High" })
    const puppets = [0, 1, 2].map(nobody)
    home.write(alice, [...puppets.map((puppet) => admit(puppet)), relate(carol, "Low")])
    home.write(
      mallory,
      puppets.map((puppet) => relate(puppet, "High"))
    )
    for (const puppet of puppets) home.write(puppet, [attest(carol)])
    home.write(mallory, [attest(carol)])
    const [first] = [mallory, ...puppets].sort()
    assert.deepStrictEqual(may(home, carol, { attestations: 2 }), { denied: { attesters: [first], needed: 2 } })
    home.write(bob, [attest(carol), attest(bob)])
    assert.deepStrictEqual(may(home, carol, { attestations: 2 }), { allowed: [{ attesters: [bob, first].sort() }] })
    assert.deepStrictEqual(may(home, bob, { attestations: 1 }), { denied: { attesters: [], needed: 1 } }, "for himself")
  })

  // bob ── data 0        alice ═H⇒ bob          soundness 29
  it("counts relations for who has seen them", () => {
    const home = trusting({ bob: "High" })
    assert.deepStrictEqual(may(home, bob, high, { seq: 0, seen: [home.mallory] }), {
      denied: { level: "None", needed: "High" }
    })
    assert.deepStrictEqual(may(home, bob, high, { seq: 0, seen: [home.trusted] }), {
      allowed: [{ level: "High", path: [alice, bob] }]
    })
  })

  it("by somebody whose entry is left out is none", () => {
    const home = trusting({ bob: "High" })
    home.write(bob, [relate(carol, "High")])
    home.write(alice, [revoke(bob, home.bob)])
    assert.deepStrictEqual(may(home, carol, medium), { denied: { level: "None", needed: "Medium" } })
  })
})

describe("a lowering", () => {
  // alice ═H⇒ bob ═H⇒ mallory       bob ── lowers mallory to low |data 0
  // alice ═M⇒ carol ═M⇒ mallory
  it("of one's own trust takes one's own relation, from the cut on, and leaves the ways of others", () => {
    const home = trusting({ bob: "High", carol: "Medium" })
    home.write(bob, [relate(mallory, "High")])
    home.write(carol, [relate(mallory, "Medium")])
    home.write(bob, [lower(mallory, home.mallory, "None", dataAt(mallory, 0))])
    assert.deepStrictEqual(may(home, mallory, high, { seq: 0 }), {
      allowed: [{ level: "High", path: [alice, bob, mallory] }]
    })
    assert.deepStrictEqual(may(home, mallory, high, { seq: 1 }), { denied: { level: "Medium", needed: "High" } })
    assert.deepStrictEqual(may(home, mallory, medium), {
      allowed: [{ level: "Medium", path: [alice, carol, mallory] }]
    })
  })

  it("by who holds trust:lower is everybody's, until he lifts it", () => {
    for (const [held, isEverybodys] of [
      ["trust:lower", true],
      [`trust:lower/${mallory}`, true],
      [`trust:lower/${bob}`, false]
    ] as const) {
      const home = trusting({ mallory: "High" }, { carol: [right(held)] })
      const limit = home.write(carol, [lower(mallory, home.mallory, "Low")])
      const free = { allowed: [{ level: "High", path: [alice, mallory] }] }
      assert.deepStrictEqual(
        may(home, mallory, high),
        isEverybodys ? { denied: { level: "Low", needed: "High" } } : free,
        held
      )
      home.write(carol, [lift(limit)])
      assert.deepStrictEqual(may(home, mallory, high), free)
    }
  })

  it("of oneself is of what one says of oneself, which nobody asks", () => {
    const home = trusting({ bob: "High" })
    home.write(bob, [lower(bob, home.bob, "None")])
    assert.deepStrictEqual(may(home, bob, high), { allowed: [{ level: "High", path: [alice, bob] }] })
  })

  it("of root and of the founder is none", () => {
    const home = trusting({}, { carol: [right("*")] })
    const fake = home.write(alice, [admit(root)])
    home.write(carol, [lower(alice, home.founding, "None", fake), lower(root, fake, "None")])
    for (const founder of [alice, root])
      assert.deepStrictEqual(may(home, founder, high), { allowed: [{ level: "High", path: [founder] }] })
  })
})

describe("reports", () => {
  /** Root, Alice, Bob and Carol have voices of their own, and Mallory is trusted and may write. */
  const corner = () => trusting({ bob: "High", carol: "High", mallory: "High" }, { mallory: [right("kv:write")] })
  type Home = ReturnType<typeof corner>
  const accuse = (home: Home, reporters: ReadonlyArray<typeof bob>, severity: "Minor" | "Major" | "Severe") =>
    reporters.map((who) => home.write(who, [report(mallory, home.mallory, severity, dataAt(mallory, 0))]))

  // bob, carol, alice ── ⚑M |data 0
  it("by three that stand apart end what is behind their cuts, and name themselves", () => {
    const home = corner()
    const said = accuse(home, [bob, carol], "Severe")
    assert.deepStrictEqual(may(home, mallory, high), { allowed: [{ level: "High", path: [alice, mallory] }] })
    said.push(...accuse(home, [root], "Severe"))
    const because = { denied: { terminatedBy: hashes(said).toSorted() } }
    assert.deepStrictEqual(may(home, mallory, "kv:write"), because)
    assert.deepStrictEqual(may(home, mallory, {}, { seq: 1 }), because, "nothing it does counts, whatever the policy")
    assert.deepStrictEqual(may(home, mallory, high, { seq: 0 }), {
      allowed: [{ level: "High", path: [alice, mallory] }]
    })
  })

  it("of different severities count as the mildest that three reach", () => {
    for (const [third, level] of [
      ["Severe", undefined],
      ["Major", "None"],
      ["Minor", "Medium"]
    ] as const) {
      const home = corner()
      accuse(home, [bob, carol], "Severe")
      accuse(home, [alice], third)
      const told = may(home, mallory, high)
      if (level !== undefined) assert.deepStrictEqual(told, { denied: { level, needed: "High" } })
      else assert.property("denied" in told ? told.denied : {}, "terminatedBy")
    }
  })

  // alice ═L⇒ bob      bob ── ⚑M        and dave, to whom nobody relates
  it("by who is not trusted himself are none, and neither are those by who cannot be heard", () => {
    const home = trusting({ bob: "Low", carol: "Medium", mallory: "High" })
    home.write(alice, [admit(dave)])
    for (const who of [bob, dave, nobody(1)]) home.write(who, [report(mallory, home.mallory, "Severe")])
    assert.deepStrictEqual(Authority.restrictions(judged(home)), [])
    home.write(carol, [report(mallory, home.mallory, "Severe")])
    assert.lengthOf(Authority.restrictions(judged(home)), 1)
  })

  // soundness 28: bob ── ⚑C, carol ── ⚑B, at once
  it("by two of each other have one outcome: neither voice ends by a report", () => {
    const home = corner()
    const seen = [home.trusted]
    home.write(bob, [report(carol, home.carol, "Severe")], { seen })
    home.write(carol, [report(bob, home.bob, "Severe")], { seen })
    assert.lengthOf(Authority.restrictions(judged(home)), 2)
    for (const [who, others] of [
      [bob, [carol, alice, root]],
      [carol, [bob, alice, root]]
    ] as const) {
      const all = corner()
      for (const other of others) all.write(other, [report(who, who === bob ? all.bob : all.carol, "Severe")])
      all.write(who, [report(mallory, all.mallory, "Severe")])
      assert.lengthOf(Authority.restrictions(judged(all)), 4, "who is terminated is heard on")
    }
  })

  // soundness 29: mallory ── data 0, 1      ⚑M ⚑M ⚑M come last, and leave 0 alone
  it("that come late leave what they leave alone, and undo nobody else", () => {
    const home = corner()
    home.write(mallory, [grant(dave, right("kv:write")), relate(dave, "High")])
    home.write(alice, [admit(dave)])
    const before = may(home, dave, medium)
    accuse(home, [bob, carol, alice], "Severe")
    assert.deepStrictEqual(may(home, dave, medium), before, "what he said of others stays said")
    assert.deepStrictEqual(may(home, mallory, "kv:write", { seq: 0 }), {
      allowed: [{ by: "kv:write", through: [home.mallory.hash] }]
    })
  })

  it("of root and of the founder are without effect", () => {
    const home = corner()
    for (const who of [bob, carol, mallory]) home.write(who, [report(alice, home.founding, "Severe")])
    assert.deepStrictEqual(may(home, alice, high), { allowed: [{ level: "High", path: [alice] }] })
  })

  it("may be taken back by who made them, one by one", () => {
    const home = corner()
    const said = accuse(home, [bob, carol, alice], "Severe")
    home.write(bob, [lift(said[0]!)])
    assert.deepStrictEqual(may(home, mallory, high), { allowed: [{ level: "High", path: [alice, mallory] }] })
  })
})
