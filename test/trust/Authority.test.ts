/**
 * Who may do what, case by case. People: Alice founded the space and admitted Bob, Carol and Mallory; root is nobody's
 * device. In the drawings time runs to the right; ✂X|n = a revocation of X whose cut leaves X's entries up to n alone.
 */
import { assert, describe, it } from "@effect/vitest"
import type { DeviceId } from "../../src/identity/Id.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import {
  admit,
  alice,
  at,
  bob,
  carol,
  create,
  dave,
  define,
  feedOf,
  genesis,
  grant,
  hashOf,
  household,
  mallory,
  nobody,
  paper,
  revoke,
  right,
  root,
  type Paper
} from "./space.ts"

const judged = ({ entries }: Pick<Paper, "entries">): Authority.Authority =>
  Authority.extend(Authority.make(genesis), entries)

/** Whether a device holds something within everything there is. */
const holds = (authority: Authority.Authority, device: DeviceId, wanted: string, time = 50): boolean =>
  Authority.holds(authority, Authority.present(authority), device, capability(wanted), time) !== undefined

const isMember = (authority: Authority.Authority, device: DeviceId): boolean =>
  Authority.isAdmitted(authority, Authority.present(authority), device)

const revoked = (authority: Authority.Authority): ReadonlyArray<DeviceId> =>
  Authority.restrictions(authority).flatMap(({ fact }) => (fact._tag === "Revoke" ? [fact.device] : []))

const admin = [right("*", { depth: 4 })]
const revoker = [right("device:revoke")]

describe("who stays when revocations meet", () => {
  // bob ──── ✂C|all
  // carol ── ✂B|all        neither saw the other: who is out?
  it("two who revoke each other at once are both out, and root names the survivor", () => {
    const home = household({ bob: revoker, carol: revoker })
    const seen = [home.mallory]
    const byBob = home.write(bob, [revoke(carol, home.carol)], { seen })
    home.write(carol, [revoke(bob, home.bob)], { seen })
    assert.sameMembers([...revoked(judged(home))], [bob, carol])
    home.write(root, [revoke(bob, home.bob)], { seen: [byBob] })
    assert.sameMembers([...revoked(judged(home))], [bob, bob], "Carol's own revocation of Bob stands on")
    assert.isFalse(Authority.isRevoked(judged(home), carol))
  })

  // alice ── ✂M|all
  // mallory ─ (has not seen it, or says so) ✂B ─ ✂C
  // root ─────────────────────────────────────────── ✂M|0
  it("one cut by root undoes everything that a revoked admin backdated, and nobody pairs again", () => {
    const home = household({ bob: [right("kv:write")], carol: [right("kv:write")], mallory: admin })
    const before = home.write(mallory, [grant(carol, right("kv:read"))])
    home.write(alice, [revoke(mallory, home.mallory, before)])
    home.write(mallory, [revoke(bob, home.bob)], { seen: [home.mallory], time: before.time + 1 })
    const late = home.write(mallory, [revoke(carol, home.carol)], { seen: [home.mallory], time: before.time + 2 })
    assert.sameMembers([...revoked(judged(home))], [mallory, bob, carol])
    home.write(root, [revoke(mallory, home.mallory, before)], { seen: [late] })
    const healed = judged(home)
    assert.deepStrictEqual([...new Set(revoked(healed))], [mallory])
    assert.isTrue(isMember(healed, bob) && holds(healed, bob, "kv:write") && holds(healed, carol, "kv:write"))
    assert.isTrue(holds(healed, carol, "kv:read"), "what Mallory gave before the cut stays given")
  })

  // mallory ─────────── ✂B
  // alice ──── ✂M|all ↗ (seen)
  it("a revocation by somebody who had seen his own does not stand", () => {
    const home = household({ mallory: admin })
    home.write(alice, [revoke(mallory, home.mallory)])
    home.write(mallory, [revoke(bob, home.bob)])
    assert.deepStrictEqual(revoked(judged(home)), [mallory])
  })

  // mallory ── ✂C ──┐
  // alice ──────────┴─ ✂M|start      she takes back all that Mallory did; Mallory's revocation of Carol was earned
  it("what an admin earned stands on after his own revocation, until root ends it", () => {
    const home = household({ mallory: revoker })
    home.write(mallory, [revoke(carol, home.carol)])
    home.write(alice, [revoke(mallory, home.mallory)])
    assert.sameMembers([...revoked(judged(home))], [mallory, carol])
    home.write(root, [revoke(mallory, home.mallory)])
    assert.isFalse(Authority.isRevoked(judged(home), carol))
  })

  // alice's phone is stolen and revokes everybody; the words in the drawer are not on the phone
  it("a stolen creator's device revokes everybody, and root brings them back", () => {
    const home = household({ bob: [right("kv:write")], carol: admin })
    const theft = home.write(alice, [revoke(bob, home.bob), revoke(carol, home.carol), admit(dave)])
    assert.sameMembers([...revoked(judged(home))], [bob, carol])
    assert.isTrue(isMember(judged(home), dave))
    home.write(root, [revoke(alice, home.founding, home.mallory)], { seen: [theft] })
    const healed = judged(home)
    assert.deepStrictEqual(revoked(healed), [alice])
    assert.isTrue(isMember(healed, bob) && holds(healed, bob, "kv:write") && isMember(healed, carol))
    assert.isFalse(isMember(healed, dave), "whom the thief admitted")
  })

  // mallory ── device:revoke → carol ── ✂B
  // root ───────────────────────────────── ✂M|start
  it("root's cut of a giver ends what was revoked by his gift", () => {
    const home = household({ mallory: admin })
    const gift = home.write(mallory, [grant(carol, right("device:revoke"))])
    home.write(carol, [revoke(bob, home.bob)], { seen: [gift] })
    assert.deepStrictEqual(revoked(judged(home)), [bob])
    home.write(root, [revoke(mallory, home.mallory)])
    assert.deepStrictEqual(revoked(judged(home)), [mallory])
  })

  it("nobody restricts root: not the creator, not root", () => {
    const home = household({})
    const asked = home.write(root, [admit(bob)])
    const fake = home.write(alice, [admit(root)])
    home.write(alice, [revoke(root, fake), revoke(root, asked)])
    home.write(root, [revoke(root, fake)])
    assert.deepStrictEqual(revoked(judged(home)), [])
    const last = home.write(root, [grant(bob, right("kv:write"))])
    assert.isTrue(holds(judged(home), bob, "kv:write", last.time))
  })
})

describe("who may revoke whom", () => {
  it("takes device:revoke, for everybody or for that device", () => {
    for (const [held, may] of [
      ["device:revoke", true],
      [`device:revoke/${bob}`, true],
      ["device:revoke/*", true],
      [`device:revoke/${carol}`, false],
      ["device:admit", false],
      ["*", true]
    ] as const) {
      const home = household({ mallory: [right(held)] })
      home.write(mallory, [revoke(bob, home.bob)])
      assert.deepStrictEqual(revoked(judged(home)), may ? [bob] : [], held)
    }
  })

  // alice admits bob; mallory, who may admit, admits him once more and names that admission
  it("to have admitted somebody, once more or first, is no right to revoke him", () => {
    const home = household({ mallory: [right("device:admit")] })
    const again = home.write(mallory, [admit(bob), admit(alice), admit(dave)])
    home.write(mallory, [revoke(bob, again), revoke(alice, again), revoke(dave, again)])
    assert.deepStrictEqual(revoked(judged(home)), [])
  })

  it("a revocation names the admission: not another's, not one it had not seen, not the founding of somebody else", () => {
    const home = household({ bob: revoker })
    const later = home.write(alice, [admit(dave)])
    home.write(bob, [revoke(carol, home.mallory)])
    home.write(bob, [revoke(carol, home.founding)])
    home.write(bob, [revoke(dave, later)], { incarnation: 1, seen: [home.bob] })
    home.write(bob, [{ ...revoke(dave, later), admission: hashOf(900_001) }])
    assert.deepStrictEqual(revoked(judged(home)), [])
    home.write(bob, [revoke(dave, later)])
    assert.deepStrictEqual(revoked(judged(home)), [dave])
  })

  it("the creator is named by the founding entry, and by any that repeats it", () => {
    const home = household({ bob: revoker })
    const again = home.write(alice, [create], { incarnation: 1 })
    const forged = home.write(mallory, [create])
    home.write(bob, [revoke(alice, forged, home.mallory, again)])
    assert.deepStrictEqual(revoked(judged(home)), [])
    assert.strictEqual(Authority.admissionOf(judged(home), alice)?.hash, home.founding.hash)
    home.write(bob, [revoke(alice, again, home.mallory, again)])
    assert.deepStrictEqual(revoked(judged(home)), [alice])
  })

  // bob ── 0 ── 1 ── 2        mallory saw all: ✂B|2 needs nothing more, ✂B|0 takes back
  it("taking back history takes device:rollback", () => {
    for (const [rights, cutAt, stands] of [
      [["device:revoke"], 2, true],
      [["device:revoke"], 1, false],
      [["device:revoke"], undefined, false],
      [["device:revoke", "device:rollback"], 1, true],
      [["device:revoke", `device:rollback/${bob}`], undefined, true],
      [["device:revoke", `device:rollback/${carol}`], undefined, false],
      [["device:rollback"], undefined, false]
    ] as const) {
      const home = household({ mallory: rights.map((one) => right(one)) })
      const own = [0, 1, 2].map(() => home.write(bob, [define(1)]))
      home.write(mallory, [revoke(bob, home.bob, ...(cutAt === undefined ? [] : [own[cutAt]!]))])
      assert.deepStrictEqual(revoked(judged(home)), stands ? [bob] : [], `${rights.join()} ${cutAt}`)
    }
  })

  it("anybody may end his own device, from now on, without a right to", () => {
    const home = household({ bob: [right("kv:write", { depth: 1 })] })
    const gift = home.write(bob, [grant(carol, right("kv:write"))])
    const end = home.write(bob, [revoke(bob, home.bob, gift), grant(mallory, right("kv:write"))])
    const authority = judged(home)
    assert.deepStrictEqual(revoked(authority), [bob])
    assert.isTrue(holds(authority, carol, "kv:write"), "inside his cut")
    assert.isFalse(holds(authority, mallory, "kv:write"), "in the entry that ended him")
    assert.strictEqual(Authority.revocationOn(authority, bob, gift.feed.id, end.seq)?.fact.device, bob)
  })

  it("nobody takes back his own history without device:rollback", () => {
    const home = household({ bob: [right("kv:write", { depth: 1 })] })
    home.write(bob, [grant(carol, right("kv:write"))])
    home.write(bob, [revoke(bob, home.bob)])
    assert.deepStrictEqual(revoked(judged(home)), [])
  })

  it("a stranger revokes nobody, not even himself", () => {
    const home = household({})
    home.write(dave, [revoke(bob, home.bob), revoke(dave, home.bob)])
    assert.deepStrictEqual(revoked(judged(home)), [])
  })

  it("the right to revoke is looked at when the revocation says it was written", () => {
    for (const [time, stands] of [
      [20, true],
      [21, false]
    ] as const) {
      const home = household({ mallory: [right("device:revoke", { until: 20 })] })
      home.write(mallory, [revoke(bob, home.bob)], { time })
      assert.deepStrictEqual(revoked(judged(home)), stands ? [bob] : [])
    }
  })
})

describe("what a cut leaves alone", () => {
  // bob ── 0: gift to carol ── 1: gift to mallory
  // alice ────────────────────────────────────── ✂B|0
  it("grants inside the cut stay, grants outside are gone", () => {
    const home = household({ bob: admin })
    const inside = home.write(bob, [grant(carol, right("kv:write"))])
    home.write(bob, [grant(mallory, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob, inside)])
    const authority = judged(home)
    assert.isTrue(holds(authority, carol, "kv:write"))
    assert.isFalse(holds(authority, mallory, "kv:write"))
  })

  it("a grant written without having seen the cut that leaves it out is gone all the same", () => {
    const home = household({ bob: admin })
    const inside = home.write(bob, [grant(carol, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob, inside)])
    home.write(bob, [grant(mallory, right("kv:write"))], { seen: [home.mallory], time: inside.time + 1 })
    assert.isFalse(holds(judged(home), mallory, "kv:write"))
  })

  // bob opens a second feed and dates it to before his revocation, which he says he has not seen
  it("a feed that the cut does not name is cut at its start", () => {
    const home = household({ bob: admin })
    const inside = home.write(bob, [grant(carol, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob, inside)])
    home.write(bob, [grant(mallory, right("kv:write"))], { incarnation: 1, seen: [home.mallory], time: inside.time })
    const authority = judged(home)
    assert.isFalse(holds(authority, mallory, "kv:write"))
    assert.strictEqual(Authority.cutOf(authority, bob, feedOf(bob, 1).id), "start")
    assert.deepStrictEqual(Authority.cutOf(authority, bob, feedOf(bob).id), at(inside))
    assert.isUndefined(Authority.cutOf(authority, carol, feedOf(carol).id))
  })

  it("of several cuts the lowest holds", () => {
    const home = household({ bob: admin })
    const first = home.write(bob, [grant(carol, right("kv:read"))])
    const second = home.write(bob, [grant(carol, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob, first)])
    home.write(alice, [revoke(bob, home.bob, second)])
    const authority = judged(home)
    assert.isTrue(holds(authority, carol, "kv:read"))
    assert.isFalse(holds(authority, carol, "kv:write"))
    assert.deepStrictEqual(Authority.cutOf(authority, bob, feedOf(bob).id), at(first))
  })

  it("the feeds of others in a cut are nobody's business", () => {
    const home = household({ bob: admin, carol: admin })
    const first = home.write(carol, [grant(mallory, right("kv:read"))])
    home.write(carol, [grant(mallory, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob, first)])
    const authority = judged(home)
    assert.isTrue(holds(authority, mallory, "kv:write"))
    assert.isUndefined(Authority.cutOf(authority, carol, feedOf(carol).id))
  })

  it("a revoked key is out for good: to be admitted again does not help", () => {
    const home = household({ bob: [right("kv:write")] })
    home.write(alice, [revoke(bob, home.bob)])
    home.write(alice, [admit(bob), grant(bob, right("kv:write", { depth: 1 }))])
    home.write(bob, [grant(carol, right("kv:write"))])
    assert.isFalse(holds(judged(home), carol, "kv:write"))
  })
})

describe("what a grant gives", () => {
  // alice ─d2→ bob ─d5→ carol ─d5→ mallory ─→ dave
  it("a right goes as many hops as its depth says, however deep the next giver writes", () => {
    const home = household({ bob: [right("kv:write", { depth: 2 })] })
    home.write(bob, [grant(carol, right("kv:write", { depth: 5 }))])
    home.write(carol, [grant(mallory, right("kv:write", { depth: 5 }))])
    home.write(mallory, [grant(dave, right("kv:write"))])
    const authority = judged(home)
    const depths = [bob, carol, mallory, dave].map((device) =>
      Authority.rights(authority, Authority.present(authority), device).map(({ depth }) => depth)
    )
    assert.deepStrictEqual(depths, [[2], [1], [0], []])
  })

  it("sixteen hops from the founder, and no further", () => {
    const sheet = paper()
    sheet.write(alice, [create])
    const chain = Array.from({ length: 18 }, (_, index) => nobody(index))
    sheet.write(alice, [...chain.map((device) => admit(device)), grant(chain[0]!, right("*", { depth: 16 }))])
    for (let hop = 0; hop < 17; hop++) sheet.write(chain[hop]!, [grant(chain[hop + 1]!, right("*", { depth: 16 }))])
    const authority = judged(sheet)
    assert.deepStrictEqual(
      chain.map((device) => Authority.rights(authority, Authority.present(authority), device)[0]?.depth),
      [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, undefined, undefined]
    )
  })

  // alice ─ admin/* d0 → bob, alice ─ task:read d3 → bob ─ admin/* → carol ?
  it("rights of two chains are not joined: wide without depth and narrow with depth is not wide with depth", () => {
    const [wide, narrow] = [right("admin:do"), right("task:read", { depth: 3 })]
    for (const rights of [
      [wide, narrow],
      [narrow, wide]
    ]) {
      const home = household({ bob: rights })
      home.write(bob, [grant(carol, right("admin:do"), right("task:read"))])
      const authority = judged(home)
      assert.isFalse(holds(authority, carol, "admin:do"))
      assert.isTrue(holds(authority, carol, "task:read"))
    }
  })

  it("windows of two chains are not joined: a long one to little does not lengthen a short one to much", () => {
    const home = household({ bob: [right("*", { depth: 1, until: 20 }), right("kv:read", { depth: 1 })] })
    home.write(bob, [grant(carol, right("*"))], { time: 10 })
    const authority = judged(home)
    assert.isTrue(holds(authority, carol, "kv:write", 20) && holds(authority, carol, "kv:read", 21))
    assert.isFalse(holds(authority, carol, "kv:write", 21))
  })

  it("more than the giver holds gives what both name; something else gives nothing", () => {
    const home = household({ bob: [right("kv:write/notes/*", { depth: 1 })] })
    home.write(bob, [grant(carol, right("*")), grant(mallory, right("kv:read"), right("kv:write/note"))])
    const authority = judged(home)
    assert.isTrue(holds(authority, carol, "kv:write/notes/1"))
    assert.isFalse(holds(authority, carol, "kv:write/notes") || holds(authority, carol, "kv:write"))
    assert.deepStrictEqual(Authority.rights(authority, Authority.present(authority), mallory), [])
  })

  it("a right holds from its first to its last moment, by the time of the entry that uses it", () => {
    const home = household({ bob: [right("kv:write", { depth: 1, from: 10, until: 20 })] })
    for (const [time, hop] of [
      [9, false],
      [10, true],
      [20, true],
      [21, false]
    ] as const) {
      assert.strictEqual(holds(judged(home), bob, "kv:write", time), hop)
      const sheet = paper()
      sheet.entries.push(...home.entries)
      sheet.write(bob, [grant(carol, right("kv:write"))], { time })
      assert.strictEqual(holds(judged(sheet), carol, "kv:write", 15), hop, `granted at ${time}`)
    }
  })

  it("expiry is by the time of the grant, not of the entries around it", () => {
    const home = household({ bob: [right("kv:write", { depth: 1, until: 20 })] })
    home.write(bob, [grant(carol, right("kv:write"))], { time: 15 })
    home.write(alice, [define(1)], { time: 40 })
    home.write(bob, [grant(mallory, right("kv:write"))], { time: 41 })
    const authority = judged(home)
    assert.isTrue(holds(authority, carol, "kv:write", 16))
    assert.isFalse(holds(authority, mallory, "kv:write", 16))
  })

  it("a grant may come in the entry of the admission, or before it, and counts for a member only", () => {
    const sheet = paper()
    sheet.write(alice, [create])
    const early = sheet.write(alice, [grant(bob, right("*", { depth: 1 }))])
    const use = sheet.write(bob, [grant(carol, right("kv:write"))], { seen: [early] })
    sheet.write(alice, [admit(bob), admit(carol)])
    assert.isFalse(holds(judged(sheet), carol, "kv:write"), "he was no member as far as he had seen")
    sheet.write(bob, [grant(carol, right("kv:read"))])
    assert.isTrue(holds(judged(sheet), carol, "kv:read"))
    assert.isFalse(holds(judged(sheet), carol, "kv:write"))
    assert.isFalse(Authority.isAdmitted(judged(sheet), judged(sheet).nodes.get(use.hash)!.view, bob))
  })

  it("an entry is judged by what it had seen, not by what it says itself or what came later", () => {
    const home = household({ bob: [right("device:admit")] })
    home.write(alice, [grant(mallory, right("device:admit"))])
    home.write(mallory, [admit(dave)], { seen: [home.mallory] })
    home.write(carol, [grant(carol, right("device:admit")), admit(dave)])
    assert.isFalse(isMember(judged(home), dave))
    home.write(bob, [admit(dave)], { seen: [home.bob] })
    assert.isTrue(isMember(judged(home), dave))
  })

  it("who was admitted by somebody without device:admit is no member, and neither are his guests", () => {
    const home = household({ bob: admin, mallory: [right("kv:write", { depth: 1 })] })
    home.write(mallory, [admit(dave)])
    home.write(alice, [grant(dave, right("*", { depth: 1 }))])
    home.write(dave, [grant(carol, right("kv:write"))])
    const authority = judged(home)
    assert.isFalse(isMember(authority, dave))
    assert.isFalse(holds(authority, carol, "kv:write"))
    assert.isTrue(Authority.isNamed(authority, dave), "yet his feed is one to listen to")
  })

  it("of two chains to the same right one is shown, the same whichever came first", () => {
    const home = household({ bob: admin, mallory: admin })
    const gifts = [bob, mallory].map((giver) =>
      home.write(giver, [grant(carol, right("kv:write"))], { seen: [home.mallory] })
    )
    const base = Authority.extend(Authority.make(genesis), home.entries.slice(0, 4))
    const [one, other] = [gifts, gifts.toReversed()].map((order) => {
      const authority = Authority.extend(base, order)
      return Authority.rights(authority, Authority.present(authority), carol)
    })
    assert.deepStrictEqual(one, other)
    const chains = [
      [home.bob.hash, gifts[0]!.hash],
      [home.mallory.hash, gifts[1]!.hash]
    ]
    const [lowest] = chains.toSorted((a, b) => (a.join() < b.join() ? -1 : 1))
    assert.deepStrictEqual(
      one!.map(({ through }) => through),
      [lowest!]
    )
  })

  it("a definition counts if its author held app:define, whoever repeats it", () => {
    const home = household({ bob: [right("app:define")] })
    const { definition } = define(1)
    const refused = home.write(carol, [define(1)])
    assert.isUndefined(Authority.definition(judged(home), Authority.present(judged(home)), definition.id))
    const defined = home.write(bob, [define(1), define(2)])
    const authority = judged(home)
    assert.deepStrictEqual(
      Authority.definitions(authority).map(({ version }) => version),
      [1, 2]
    )
    const before = Authority.look(authority, Authority.emptyView(authority), [at(refused)])
    assert.isUndefined(Authority.definition(authority, before, definition.id))
    const after = Authority.look(authority, before, [at(defined)])
    assert.strictEqual(Authority.definition(authority, after, definition.id)?.version, 1)
    assert.deepStrictEqual(
      [alice, bob, carol, root].map((device) => Authority.mayDefine(authority, device)),
      [true, true, false, true]
    )
  })
})

describe("a fork", () => {
  // bob ── 0 ─┬─ 1: gift to carol ── 2: ✂M
  //           └─ 1': gift to mallory ── 2': ✂C
  const forked = () => {
    const home = household({ bob: [right("kv:write", { depth: 1 }), ...revoker] })
    const trunk = home.write(bob, [grant(dave, right("kv:write"))])
    const gift = home.write(bob, [grant(carol, right("kv:write"))])
    const byOne = home.write(bob, [revoke(mallory, home.mallory)])
    const other = home.write(bob, [grant(mallory, right("kv:write"))], { after: trunk, seen: [trunk] })
    const byOther = home.write(bob, [revoke(carol, home.carol)], { seen: [other] })
    return { home, trunk, gift, byOne, other, byOther }
  }

  it("freezes what a feed gives from there on, on every branch", () => {
    const authority = judged(forked().home)
    assert.isTrue(holds(authority, dave, "kv:write"), "below the fork")
    assert.isFalse(holds(authority, carol, "kv:write") || holds(authority, mallory, "kv:write"))
    assert.strictEqual(authority.forks.get(feedOf(bob).id), 1)
  })

  it("leaves standing what was earned, on every branch", () => {
    assert.sameMembers([...revoked(judged(forked().home))], [mallory, carol])
  })

  it("may be proved by others while only one branch is here", () => {
    const { gift, home, trunk } = forked()
    const one = Authority.extend(Authority.make(genesis), home.entries.slice(0, home.entries.indexOf(gift) + 2))
    assert.isTrue(holds(one, carol, "kv:write"))
    const frozen = Authority.fork(one, feedOf(bob).id, 1)
    assert.isFalse(holds(frozen, carol, "kv:write"))
    assert.isTrue(holds(frozen, dave, "kv:write") && holds(one, carol, "kv:write"), "the older value stays as it was")
    assert.strictEqual(Authority.fork(frozen, feedOf(bob).id, 2), frozen, "the lowest fork counts")
    assert.isFalse(holds(Authority.fork(frozen, feedOf(bob).id, trunk.seq), dave, "kv:write"))
  })

  it("freezes root's gifts too, which are else two histories for ever", () => {
    const home = household({})
    const first = home.write(root, [grant(bob, right("kv:write"))])
    home.write(root, [grant(carol, right("kv:write"))], { after: "nothing" })
    home.write(root, [grant(mallory, right("kv:write"))], { incarnation: 1 })
    const authority = judged(home)
    assert.isFalse(holds(authority, bob, "kv:write", first.time) || holds(authority, carol, "kv:write"))
    assert.isTrue(holds(authority, mallory, "kv:write"), "another feed of root")
  })

  // mallory ── 0: bob's admission ── …      bob ── ✂M
  //         └─ 0': nothing of the kind
  it("does not undo a revocation whose author it would make a stranger", () => {
    const home = household({ mallory: admin })
    const bring = home.write(mallory, [admit(dave), grant(dave, right("device:revoke"))])
    home.write(dave, [revoke(mallory, home.mallory, bring)])
    home.write(mallory, [], { after: "nothing", seen: [home.mallory] })
    const authority = judged(home)
    assert.deepStrictEqual(revoked(authority), [mallory])
    assert.isFalse(isMember(authority, dave), "he has to be admitted again all the same")
  })

  it("ends on the branch that a cut names: the other one is left out from the fork on", () => {
    const { byOne, byOther, home, other } = forked()
    home.write(root, [revoke(bob, home.bob, byOne)])
    assert.sameMembers([...revoked(judged(home))], [bob, mallory])
    const early = home.write(root, [revoke(bob, home.bob, other)], { seen: [other] })
    assert.deepStrictEqual(revoked(judged(home)), [bob, bob], "two cuts on two branches leave the trunk")
    assert.isTrue(holds(judged(home), dave, "kv:write"))
    assert.isAbove(byOther.seq, early.seq)
  })

  it("is found out late: a cut that named an unknown entry turns out to mean the other branch", () => {
    const { byOne, byOther, home, other } = forked()
    const cut = home.write(root, [revoke(bob, home.bob, at(byOther))], { seen: [home.bob] })
    const without = home.entries.filter((entry) => entry !== other && entry !== byOther)
    const early = Authority.extend(Authority.make(genesis), without)
    assert.sameMembers([...revoked(early)], [bob, mallory], "numbers decide while the named entry is not here")
    const late = Authority.extend(early, [other, byOther])
    assert.sameMembers([...revoked(late)], [bob, carol])
    assert.sameMembers([...revoked(early)], [bob, mallory])
    assert.deepStrictEqual([byOne.seq, cut.seq], [2, 0])
  })

  it("is seen with all its branches: who saw both is bound by the revocations of both", () => {
    for (const isLongLast of [true, false]) {
      const home = household({ bob: revoker, mallory: revoker })
      const trunk = home.write(bob, [define(1)])
      const long = [1, 2, 3].map(() => home.write(bob, [define(1)]))
      const other = home.write(bob, [revoke(mallory, home.mallory)], { after: trunk, seen: [home.mallory] })
      home.write(mallory, [revoke(carol, home.carol)], { seen: isLongLast ? [other, long[2]!] : [long[2]!, other] })
      assert.deepStrictEqual(revoked(judged(home)), [mallory])
    }
  })
})

describe("members", () => {
  it("are the creator and whom somebody validly admitted, with what became of them", () => {
    const home = household({ mallory: [right("kv:write")] })
    home.write(mallory, [admit(dave, "Dave")])
    home.write(alice, [revoke(carol, home.carol)])
    home.write(alice, [admit(bob, "Bob's other name"), admit(alice, "Alice"), admit(root, "root")])
    const authority = judged(home)
    assert.deepStrictEqual(Authority.members(authority), [
      { device: alice, name: "creator", revoked: false },
      { device: bob, name: "Bob", revoked: false },
      { device: carol, name: "Carol", revoked: true },
      { device: mallory, name: "Mallory", revoked: false }
    ])
    assert.strictEqual(Authority.admissionOf(authority, bob)?.hash, home.bob.hash)
    assert.strictEqual(Authority.boxOf(authority, bob)?.length, 32)
    assert.isUndefined(Authority.admissionOf(authority, dave))
    assert.isUndefined(Authority.boxOf(authority, dave))
  })
})

describe("entries", () => {
  it("are known by feed, number and hash together", () => {
    const home = household({})
    const authority = judged(home)
    const position = at(home.bob)
    assert.isTrue(Authority.knows(authority, position))
    assert.isFalse(Authority.knows(authority, { ...position, seq: position.seq + 1 }))
    assert.isFalse(Authority.knows(authority, { ...position, feed: feedOf(bob).id }))
    assert.isFalse(Authority.knows(authority, { ...position, hash: hashOf(900_002) }))
  })

  it("come after what they name", () => {
    const home = household({})
    assert.throws(() => Authority.extend(Authority.make(genesis), [home.bob]), /named but not here/)
    const authority = Authority.extend(Authority.make(genesis), [home.founding])
    assert.throws(() => Authority.extend(authority, [home.mallory]), /named but not here/)
    assert.throws(() => Authority.look(authority, Authority.emptyView(authority), [at(home.bob)]), /named but not here/)
    assert.strictEqual(Authority.extend(authority, [home.founding]).nodes.get(home.founding.hash)?.seq, 0)
  })

  it("of a newer value are not in an older one", () => {
    const home = household({})
    const older = Authority.extend(Authority.make(genesis), [home.founding, home.bob])
    const newer = Authority.extend(older, [home.carol, home.mallory])
    assert.isTrue(Authority.knows(newer, at(home.carol)))
    assert.isFalse(Authority.knows(older, at(home.carol)))
    assert.isUndefined(older.nodes.get(home.carol.hash))
    assert.isFalse(Authority.isNamed(older, carol))
    assert.throws(() => Authority.look(older, Authority.emptyView(older), [at(home.carol)]), /named but not here/)
    assert.lengthOf(Authority.members(older), 2)
  })

  it("seen alike make one view", () => {
    const home = household({})
    const authority = judged(home)
    const empty = Authority.emptyView(authority)
    const whole = Authority.look(authority, empty, [at(home.mallory)])
    assert.strictEqual(Authority.look(authority, empty, [at(home.bob), at(home.mallory), at(home.founding)]), whole)
    assert.strictEqual(Authority.look(authority, whole, [at(home.bob)]), whole)
    assert.strictEqual(Authority.present(authority), whole)
    assert.notStrictEqual(Authority.look(authority, empty, [at(home.bob)]), whole)
  })
})

describe("size", () => {
  it("chains of thousands neither overflow the stack nor take long", () => {
    const links = 2000
    const sheet = paper()
    const chain = Array.from({ length: links }, (_, index) => nobody(index))
    let last = sheet.write(alice, [create, ...chain.map((device) => grant(device, right("device:admit")))])
    let time = last.time
    const entries = [last]
    for (const [index, device] of chain.entries()) {
      const host = index === 0 ? alice : chain[index - 1]!
      last = sheet.write(host, [admit(device)], { seen: [last], time: ++time })
      entries.push(last)
    }
    const authority = Authority.extend(Authority.make(genesis), entries)
    assert.isTrue(isMember(authority, chain.at(-1)!))
    assert.isFalse(isMember(authority, dave))
  })

  // each of eight admins grants everything to each of the others, ten times over
  it("parallel chains do not multiply what is held", () => {
    const admins = Array.from({ length: 8 }, (_, index) => nobody(index))
    const sheet = paper()
    sheet.write(alice, [create])
    sheet.write(alice, [...admins.map((device) => admit(device)), ...admins.map((device) => grant(device, ...admin))])
    for (let round = 0; round < 10; round++) {
      for (const device of admins)
        sheet.write(
          device,
          admins.map((other) => grant(other, right("*", { depth: 9 })))
        )
    }
    const authority = judged(sheet)
    for (const device of admins) {
      const held = Authority.rights(authority, Authority.present(authority), device)
      assert.deepStrictEqual(
        held.map(({ depth, through }) => [depth, through.length]),
        [[4, 1]]
      )
    }
  })
})
