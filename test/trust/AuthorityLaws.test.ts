/** The engine against the rule written down slowly, and against itself in other orders, on random small spaces. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Authority from "../../src/trust/Authority.ts"
import { capability, implies } from "../../src/trust/Capability.ts"
import { oracle } from "./oracle.ts"
import { definitions, devices, randomSpace, reordered, wanted, type RandomSpace } from "./randomSpace.ts"
import { at, genesis } from "./space.ts"

const judged = ({ entries, proofs }: RandomSpace): Authority.Authority => {
  let authority = Authority.extend(Authority.make(genesis), entries)
  for (const [feed, seq] of proofs) authority = Authority.fork(authority, feed, seq)
  return authority
}

const nameOf = ({ fact, node }: Authority.Restriction): string =>
  `${node.hash} ${fact._tag === "Revoke" ? fact.device : fact._tag} ${fact.cut.length}`

/** Everything an authority says, as plain data. */
const verdicts = (authority: Authority.Authority, { entries }: RandomSpace) => {
  const views = [
    Authority.present(authority),
    ...entries.map((entry) => Authority.look(authority, Authority.emptyView(authority), [at(entry)])),
    ...entries.map((entry) => authority.nodes.get(entry.hash)!.view)
  ]
  return {
    restrictions: Authority.restrictions(authority).map(nameOf),
    forks: [...authority.forks].sort(),
    members: Authority.members(authority),
    admissions: devices.map((device) => Authority.admissionOf(authority, device)?.hash),
    definitions: Authority.definitions(authority).map(({ version }) => version),
    named: devices.map((device) => Authority.isNamed(authority, device)),
    views: views.map((view) =>
      devices.map((device) => [
        Authority.isAdmitted(authority, view, device),
        Authority.rights(authority, view, device)
      ])
    )
  }
}

describe("the engine", () => {
  it("agrees with the oracle on 10 000 random spaces", () => {
    let standing = 0
    const property = fc.property(randomSpace(9), fc.nat({ max: 1000 }), (space, probe) => {
      const authority = judged(space)
      const slow = oracle(genesis, space.entries, space.proofs)
      const restrictions = Authority.restrictions(authority)
      standing += restrictions.filter(({ node }) => node.feed.device !== genesis.root).length
      assert.deepStrictEqual(
        restrictions.map(nameOf).sort(),
        slow.restrictions.map(({ entry, revoke }) => `${entry.hash} ${revoke.device} ${revoke.cut.length}`).sort()
      )
      for (const { definition } of definitions) {
        const valid = space.entries.filter((entry) =>
          entry.facts.some((fact) => fact._tag === "Define" && fact.definition.id === definition.id)
        )
        assert.strictEqual(
          Authority.definition(authority, Authority.present(authority), definition.id)?.version,
          valid.some((entry) => slow.mayAt(entry, "app:define")) ? definition.version : undefined
        )
      }
      let number = probe
      for (const entry of space.entries) {
        const view = Authority.look(authority, Authority.emptyView(authority), [at(entry)])
        for (const device of devices) {
          assert.strictEqual(Authority.isAdmitted(authority, view, device), slow.isMember([entry], device))
          number++
          const want = wanted[number % wanted.length]!
          const [time, depth] = [number % 8, number % 3]
          const held =
            depth === 0
              ? Authority.holds(authority, view, device, capability(want), time) !== undefined
              : Authority.rights(authority, view, device).some(
                  (right) =>
                    implies(right.capability, capability(want)) &&
                    right.depth >= depth &&
                    time >= (right.from ?? time) &&
                    time <= (right.until ?? time)
                )
          assert.strictEqual(held, slow.may([entry], device, want, time, depth), `${device} ${want} ${time} ${depth}`)
        }
      }
    })
    fc.assert(property, { numRuns: 10_000 })
    assert.isAbove(standing, 1000, "random spaces have restrictions that others earned")
  }, 60_000)

  it("says the same whatever the order and the portions of arrival", () => {
    const orders = fc.array(fc.nat({ max: 4095 }), { minLength: 30, maxLength: 30 })
    const property = fc.property(randomSpace(12), orders, (space, genes) => {
      const expected = verdicts(judged(space), space)
      let authority = Authority.make(genesis)
      for (const [feed, seq] of space.proofs) if (genes[0]! % 2 === 1) authority = Authority.fork(authority, feed, seq)
      for (const batch of reordered(space.entries, genes)) {
        authority = Authority.extend(authority, batch)
        // asking in between leaves something to remember, and to forget
        verdicts(authority, { ...space, entries: space.entries.filter(({ hash }) => authority.nodes.get(hash)) })
      }
      for (const [feed, seq] of space.proofs) authority = Authority.fork(authority, feed, seq)
      assert.deepStrictEqual(verdicts(authority, space), expected)
    })
    fc.assert(property, { numRuns: 1000 })
  }, 60_000)

  it("keeps an older value as it was when a newer one is extended, and lets both grow apart", () => {
    const property = fc.property(randomSpace(10), fc.nat({ max: 9 }), (space, count) => {
      const known = { ...space, entries: space.entries.slice(0, count) }
      const older = judged(known)
      const expected = verdicts(older, known)
      const newer = Authority.extend(older, space.entries.slice(count))
      const newest = verdicts(newer, space)
      assert.deepStrictEqual(verdicts(older, known), expected)
      // the book is no longer the older value's own: it gets a copy
      const sibling = Authority.extend(older, space.entries.slice(count))
      assert.deepStrictEqual(verdicts(sibling, space), newest)
      assert.deepStrictEqual(verdicts(newer, space), newest)
      assert.deepStrictEqual(verdicts(older, known), expected)
    })
    fc.assert(property, { numRuns: 500 })
  }, 60_000)
})
