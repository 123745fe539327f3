/**
 * What is remembered from one value of an authority to the next: spaces that fork and settle, restrict and lift, asked
 * about everything after each entry and beforehand, against the same entries judged once.
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Authority from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import { admit, alice, at, bob, carol, create, genesis, grant, mallory, paper, revoke, right, root } from "./space.ts"

const devices = [alice, bob, carol, mallory, root]
const capabilities = ["*", "device:admit", "device:revoke", "delegation:revoke", "kv:write", "kv:write/a"]

const space = (genes: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<Authority.AuthorityEntry> => {
  const sheet = paper()
  const { entries } = sheet
  sheet.write(alice, [create])
  for (const device of [bob, carol, mallory])
    sheet.write(alice, [admit(device), grant(device, right("*", { depth: 3 }))])
  for (const gene of genes) {
    let next = 0
    const below = (limit: number): number => (gene[next++] ?? 0) % limit
    const pick = <One>(list: ReadonlyArray<One>): One => list[below(list.length)]!
    const author = pick(devices)
    const target = pick(devices)
    const named = pick(entries)
    const cut = entries.filter(() => below(3) > 0).map(at)
    const last = [...new Map(cut.map((position) => [position.feed, position])).values()]
    const facts = (): Fact.DecodedFact => {
      switch (below(9)) {
        case 0:
          return admit(target)
        case 1:
        case 2:
          return grant(target, right(pick(capabilities), { depth: below(3) }))
        case 3:
        case 4:
          return revoke(target, entries.find(({ facts }) => facts.some(isAdmissionOf(target))) ?? named, ...last)
        case 5:
          return { _tag: "Ungrant", device: target, grant: named.hash, cut: last, reason: "" }
        case 6:
          return {
            _tag: "Refine",
            device: target,
            admission: undefined,
            grant: named.hash,
            ceiling: [capability(pick(capabilities))],
            cut: last,
            reason: ""
          }
        case 7:
          return { _tag: "Lift", entry: named.hash, index: 0 }
        default:
          return below(4) === 0
            ? { _tag: "Seal", positions: last, digest: new Uint8Array(32) }
            : { _tag: "Settle", ...at(pick(entries.filter(({ feed }) => feed.device === target).concat(named))) }
      }
    }
    const own = entries.filter((entry) => entry.feed.device === author)
    const after = own.length > 0 && below(5) === 1 ? pick(own) : undefined
    const seen = below(3) > 0 ? [...entries] : entries.filter(() => below(2) === 1)
    sheet.write(author, [facts()], { seen, ...(after === undefined ? {} : { after }) })
  }
  return entries
}

const isAdmissionOf = (device: Authority.AuthorityEntry["feed"]["device"]) => (fact: Fact.DecodedFact) =>
  fact._tag === "Admit" && fact.device === device

const built = (entries: ReadonlyArray<Authority.AuthorityEntry>): Authority.Authority =>
  Authority.extend(Authority.make(genesis), entries)

const verdicts = (authority: Authority.Authority, entries: ReadonlyArray<Authority.AuthorityEntry>) => ({
  restrictions: Authority.restrictions(authority).map(({ index, node, reach }) => [node.hash, index, reach]),
  members: Authority.members(authority),
  views: [Authority.present(authority), ...entries.map(({ hash }) => authority.nodes.get(hash)!.view)].map((view) =>
    devices.map((device) => [
      Authority.isAdmitted(authority, view, device),
      Authority.rights(authority, view, device),
      Authority.rights(authority, view, device, Authority.regimeAt(authority, entries[0]!.feed.id, 0))
    ])
  )
})

const genes = fc.array(fc.array(fc.nat({ max: 4095 }), { minLength: 8, maxLength: 40 }), {
  minLength: 2,
  maxLength: 10
})

describe("what is remembered", () => {
  it("is what would be found anew, after each entry and in each supposition", () => {
    const property = fc.property(genes, fc.nat({ max: 3 }), (given, asks) => {
      const entries = space(given)
      let authority = built(entries.slice(0, 4))
      for (let count = 4; count < entries.length; count++) {
        const known = entries.slice(0, count + 1)
        if ((count + asks) % 3 > 0) verdicts(authority, entries.slice(0, count))
        const expected = verdicts(built(known), known)
        const supposed = Authority.suppose(authority, [entries[count]!])
        assert.deepStrictEqual(verdicts(supposed, known), expected)
        authority = Authority.extend(authority, [entries[count]!])
        assert.deepStrictEqual(verdicts(authority, known), expected)
      }
    })
    fc.assert(property, { numRuns: 1500 })
  }, 60_000)

  it("is not that somebody settled on a branch whom a late restriction puts out from before it", () => {
    const sheet = paper()
    sheet.write(alice, [create])
    const guest = sheet.write(alice, [admit(bob), grant(bob, right("device:revoke"))])
    const forker = sheet.write(alice, [admit(mallory), grant(mallory, right("*", { depth: 2 }))])
    const seen = [...sheet.entries]
    const one = sheet.write(mallory, [grant(carol, right("kv:write"))], { seen })
    sheet.write(mallory, [grant(carol, right("kv:read"))], { seen, after: "nothing" })
    sheet.write(bob, [{ _tag: "Settle", ...at(one) }])
    const settled = built(sheet.entries)
    const held = (authority: Authority.Authority) => Authority.rights(authority, Authority.present(authority), carol)
    assert.deepStrictEqual(
      held(settled).map((one) => one.capability),
      ["kv:write"]
    )
    const late = sheet.write(alice, [revoke(bob, guest)], { seen: [guest, forker] })
    assert.deepStrictEqual(held(Authority.extend(settled, [late])), [])
    assert.deepStrictEqual(held(built(sheet.entries)), [])
  })

  it("is not what fell by a restriction that fell itself, by one of root's", () => {
    const sheet = paper()
    sheet.write(alice, [create])
    const guest = sheet.write(alice, [admit(bob), grant(bob, right("*"))])
    const giver = sheet.write(alice, [admit(carol), grant(carol, right("*", { depth: 2 }))])
    sheet.write(carol, [grant(mallory, right("kv:write"))])
    sheet.write(bob, [revoke(carol, giver)])
    const held = (authority: Authority.Authority) => Authority.rights(authority, Authority.present(authority), mallory)
    const fallen = built(sheet.entries)
    assert.deepStrictEqual(held(fallen), [])
    const late = sheet.write(root, [revoke(bob, guest)])
    const risen = Authority.extend(fallen, [late])
    assert.deepStrictEqual(
      Authority.restrictions(risen).map(({ node }) => node.hash),
      [late.hash]
    )
    assert.lengthOf(held(risen), 1)
    assert.deepStrictEqual(held(risen), held(built(sheet.entries)))
  })
})
