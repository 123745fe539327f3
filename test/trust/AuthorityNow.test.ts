/** What holds now, for whoever lists it or rests on it: members, definitions, grants, grounds, and who was put out. */
import { assert, describe, it } from "@effect/vitest"
import * as Authority from "../../src/trust/Authority.ts"
import { judged } from "./decisions/asking.ts"
import {
  admit,
  alice,
  at,
  bob,
  carol,
  dave,
  define,
  feedOf,
  grant,
  household,
  lower,
  mallory,
  nobody,
  refine,
  refineGrant,
  relate,
  revoke,
  right,
  root,
  setPolicy,
  ungrant
} from "./space.ts"

describe("members now", () => {
  it("are named by the times of their admissions, whoever wrote them, and the creator may be one who was put out", () => {
    const home = household({})
    home.write(root, [admit(dave, "Dave")], { seen: [home.founding], time: 1 })
    home.write(root, [revoke(alice, home.founding, home.mallory)])
    assert.deepStrictEqual(
      Authority.members(judged(home)).map(({ name, revoked }) => [name, revoked]),
      [
        ["creator", true],
        ["Dave", false],
        ["Bob", false],
        ["Carol", false],
        ["Mallory", false]
      ]
    )
  })
})

describe("definitions now", () => {
  it("are those of who might define, each once however many said it", () => {
    const home = household({ bob: [right("app:define")] })
    home.write(bob, [define(1)])
    home.write(alice, [define(1), define(2)])
    home.write(carol, [define(3)])
    assert.deepStrictEqual(
      Authority.definitions(judged(home)).map(({ version }) => version),
      [1, 2]
    )
  })

  it("may be added by members who hold the right, and by nobody who was put out", () => {
    const home = household({ bob: [right("app:define")], carol: [right("app")], mallory: [right("kv:write")] })
    home.write(alice, [grant(dave, right("app:define"))])
    const mayDefine = () => [bob, carol, mallory, dave].map((device) => Authority.mayDefine(judged(home), device))
    assert.deepStrictEqual(mayDefine(), [true, false, false, false])
    home.write(alice, [revoke(bob, home.bob), admit(dave)])
    assert.deepStrictEqual(mayDefine(), [false, false, false, true])
  })
})

describe("grants to a device", () => {
  it("are those whose entries count, also where they give nothing", () => {
    const home = household({ bob: [right("kv:write", { depth: 1 })], carol: [right("kv:write", { depth: 1 })] })
    const byCarol = home.write(carol, [grant(mallory, right("kv:write"))])
    const empty = home.write(dave, [grant(mallory, right("kv:write"))])
    home.write(bob, [grant(mallory, right("kv:write"))])
    home.write(alice, [revoke(bob, home.bob)])
    const found = Authority.grantsTo(judged(home), mallory)
    assert.deepStrictEqual(found, [byCarol.hash])
    assert.notInclude(found, empty.hash, "of no member")
  })
})

describe("the feeds that anything rests on", () => {
  it("are those with an admission, a grant or a definition that counts, or a restriction that stands", () => {
    const home = household({
      bob: [right("device:admit")],
      carol: [right("kv:write", { depth: 1 })],
      mallory: [right("app:define")]
    })
    home.write(bob, [admit(dave)])
    home.write(carol, [grant(dave, right("kv:write"))])
    home.write(mallory, [define(1)])
    home.write(root, [setPolicy("kv.write", undefined)])
    home.write(dave, [relate(bob, "High"), define(1), admit(nobody(1)), grant(nobody(1), right("kv:write"))])
    const authority = judged(home)
    assert.sameMembers(
      [...Authority.grounds(authority)],
      [alice, bob, carol, mallory, root].map((device) => feedOf(device).id)
    )
  })
})

describe("what tells a device that it was put out", () => {
  it("is the revocation that was written first, root's or not, with all that lies in its past", () => {
    const home = household({ carol: [right("device:revoke")] })
    const first = home.write(carol, [revoke(bob, home.bob)])
    home.write(root, [revoke(bob, home.bob)], { seen: [home.mallory] })
    const told = Authority.dismissal(judged(home), bob)
    assert.strictEqual(told?.restriction.node.hash, first.hash)
    assert.deepStrictEqual(
      [...told!.heads].map(([feed, ends]) => [feed, ends.map(({ hash }) => hash)]).sort(),
      [
        [feedOf(alice).id, [home.mallory.hash]],
        [feedOf(carol).id, [first.hash]]
      ].sort()
    )
  })

  it("has every branch that its author had seen of a forked feed", () => {
    const home = household({})
    const one = home.write(mallory, [relate(bob, "High")])
    const other = home.write(mallory, [relate(bob, "Low")], { after: "nothing" })
    home.write(alice, [revoke(bob, home.bob)])
    const branches = Authority.dismissal(judged(home), bob)?.heads.get(feedOf(mallory).id)
    assert.sameMembers(
      (branches ?? []).map(({ hash }) => hash),
      [one.hash, other.hash]
    )
  })

  it("is nothing for who never was a member, nor for who still is one", () => {
    const home = household({})
    const invalid = home.write(carol, [admit(dave)])
    home.write(alice, [revoke(dave, invalid), lower(bob, home.bob, "None")])
    assert.isTrue(Authority.isRevoked(judged(home), dave))
    for (const device of [dave, bob]) assert.isUndefined(Authority.dismissal(judged(home), device))
  })
})

describe("what a restriction can reach", () => {
  // alice ─d2→ bob ─d1→ carol ─→ dave
  it("is the device itself, or for one of a grant whom that was passed on to; undefined where it may be anybody", () => {
    const home = household({ bob: [right("kv:write", { depth: 2 })] })
    home.write(bob, [grant(carol, right("kv:write", { depth: 1 }))])
    home.write(carol, [admit(dave), grant(dave, right("kv:write"))])
    const below = [bob, carol, dave]
    for (const [fact, reached] of [
      [revoke(bob, home.bob), [bob]],
      [refine(bob, home.bob, []), [bob]],
      [refineGrant(bob, home.bob, []), below],
      [ungrant(bob, home.bob), below],
      [lower(bob, home.bob, "None"), undefined],
      [setPolicy("kv.write", undefined), undefined]
    ] as const) {
      home.write(alice, [fact])
      const authority = judged(home)
      const found = Authority.reachedBy(authority, Authority.restrictions(authority)[0]!)
      assert.deepStrictEqual(found && [...found], reached && [...reached], fact._tag)
      home.entries.pop()
    }
  })
})

describe("what is against a view", () => {
  it("are the restrictions that it has seen, for whoever wrote no entry: unlike now, when all are", () => {
    const home = household({ bob: [right("kv:write")] })
    home.write(alice, [refine(bob, home.bob, [])])
    const authority = judged(home)
    const look = (entry: Authority.AuthorityEntry) =>
      Authority.look(authority, Authority.emptyView(authority), [at(entry)])
    const limits = (view: Authority.View) => Authority.regimeSeen(authority, view).limits.length
    assert.deepStrictEqual([limits(look(home.mallory)), limits(Authority.present(authority))], [0, 1])
    assert.lengthOf(Authority.regimeNow(authority).limits, 1)
  })
})
