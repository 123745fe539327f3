/** The engine against itself in other orders, in portions and in other values, and what never gains: on random spaces. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { DeviceId } from "../../src/identity/Id.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { capability, implies } from "../../src/trust/Capability.ts"
import * as Decision from "../../src/trust/Decision.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Holding from "../../src/trust/Holding.ts"
import * as Right from "../../src/trust/Right.ts"
import {
  devices,
  genesOf,
  operations,
  randomFact,
  randomPolicy,
  randomSpace,
  reader,
  reordered,
  unit,
  wanted,
  type Kind,
  type RandomSpace
} from "./randomSpace.ts"
import { definitionWith } from "./definitionWith.ts"
import { at, genesis, lift, paper, root } from "./space.ts"
import { dataFeedOf, judged, regimesOf, verdicts, verdictsOf } from "./verdicts.ts"

const startWith = ({ proofs }: RandomSpace, isKnown: boolean): Authority.Authority => {
  let authority = Authority.make(genesis)
  for (const [feed, seq] of proofs) if (isKnown) authority = Authority.fork(authority, feed, seq)
  return authority
}

describe("the engine", () => {
  it("says the same whatever the order and the portions of arrival", () => {
    const property = fc.property(randomSpace(10), genesOf(30, 30), (space, genes) => {
      const expected = verdicts(judged(space), space)
      let authority = startWith(space, genes[0]! % 2 === 1)
      for (const batch of reordered(space.entries, genes)) {
        authority = Authority.extend(authority, batch)
        // asking in between leaves something to remember, and to forget
        verdicts(authority, { ...space, entries: space.entries.filter(({ hash }) => authority.nodes.get(hash)) })
      }
      for (const [feed, seq] of space.proofs) authority = Authority.fork(authority, feed, seq)
      assert.deepStrictEqual(verdicts(authority, space), expected)
    })
    fc.assert(property, { numRuns: 300 })
  }, 60_000)

  it("says after every single entry what it says of all of them at once", () => {
    const property = fc.property(randomSpace(10), genesOf(30, 30), (space, genes) => {
      let authority = startWith(space, true)
      const known: Array<AuthorityEntry> = []
      for (const entry of reordered(space.entries, genes).flat()) {
        authority = Authority.extend(authority, [entry])
        known.push(entry)
        const part = { entries: [...known], proofs: space.proofs }
        // verdicts are taken over from what was asked last, so sometimes nobody asks
        if (genes[known.length]! % 4 > 0)
          assert.deepStrictEqual(verdicts(authority, part), verdicts(judged(part), part))
      }
    })
    fc.assert(property, { numRuns: 300 })
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
    fc.assert(property, { numRuns: 300 })
  }, 60_000)

  it("asks an older value for the first time after it was extended, and hears what it would have said before", () => {
    const property = fc.property(randomSpace(10), fc.nat({ max: 9 }), (space, count) => {
      const known = { ...space, entries: space.entries.slice(0, count) }
      const older = judged(known)
      verdicts(Authority.extend(older, space.entries.slice(count)), space)
      assert.deepStrictEqual(verdicts(older, known), verdicts(judged(known), known))
    })
    fc.assert(property, { numRuns: 200 })
  }, 60_000)
})

const giving: ReadonlyArray<Kind> = ["admit", "grant", "grants", "define", "relate", "attest", "lift"]

/** What anybody may say of a view: rights, trust, policies and members, under the regimes that there are. */
const saidOf = (authority: Authority.Authority, entries: ReadonlyArray<AuthorityEntry>) =>
  entries.map((entry) => {
    const { view } = authority.nodes.get(entry.hash)!
    return [verdictsOf(authority, view), devices.map((device) => Authority.isAdmitted(authority, view, device))]
  })

describe("what comes late", () => {
  it("and gives (a grant, a relation, an attestation, a lift) changes nothing about what was judged", () => {
    let changed = 0
    const property = fc.property(randomSpace(9), genesOf(60, 60), (space, genes) => {
      const before = judged(space)
      const expected = saidOf(before, space.entries)
      const sheet = paper()
      sheet.entries.push(...space.entries)
      const read = reader(genes)
      for (let count = 0; count < 3; count++) {
        // a fork takes, so nobody goes on where he was before
        sheet.write(read.pick(devices), [randomFact(read, sheet.entries, giving)], { incarnation: 2 })
      }
      const after = Authority.extend(before, sheet.entries.slice(space.entries.length))
      assert.deepStrictEqual(saidOf(after, space.entries), expected)
      const now = [before, after].map((one) => verdictsOf(one, Authority.present(one)))
      if (JSON.stringify(now[0]) !== JSON.stringify(now[1])) changed++
    })
    fc.assert(property, { numRuns: 300 })
    assert.isAbove(changed, 30, "who has seen it has something of it")
  }, 60_000)
})

describe("leaving something out of what one had seen", () => {
  it("gains nothing, but for a policy that somebody took back again", () => {
    let lost = 0
    const property = fc.property(randomSpace(9), genesOf(40, 40), (space, genes) => {
      const authority = judged(space)
      const read = reader(genes)
      const part = [read.pick(space.entries), read.pick(space.entries)]
      const less = Authority.look(authority, Authority.emptyView(authority), part.map(at))
      const more = Authority.look(authority, less, [at(read.pick(space.entries)), at(read.pick(space.entries))])
      const device = read.pick(devices)
      const regime = Authority.regimeNow(authority)
      for (const want of wanted) {
        const time = read.below(8) * unit
        const holds = (view: Authority.View) => Authority.holds(authority, view, device, capability(want), time, regime)
        if (holds(less) !== undefined) assert.isDefined(holds(more), want)
        else if (holds(more) !== undefined) lost++
      }
      const [fewer, all] = [less, more].map((view) => Authority.trustIn(authority, view, device, regime))
      assert.isAtMost(fewer!.value, all!.value)
      const [type, policy, time] = [read.pick(operations), randomPolicy(read), read.below(8) * unit]
      const request = {
        device,
        time,
        definition: definitionWith(policy),
        type,
        changes: [],
        fresh: () => false,
        regime
      }
      if (Decision.decide(authority, less, request)._tag === "Allowed")
        assert.strictEqual(Decision.decide(authority, more, request)._tag, "Allowed")
    })
    fc.assert(property, { numRuns: 2000 })
    assert.isAbove(lost, 40, "who has seen more may more")
  }, 60_000)
})

describe("a lift", () => {
  it("gives back exactly what was taken, to who has seen it", () => {
    let taken = 0
    const limiting: ReadonlyArray<Kind> = ["ungrant", "refine", "refineGrant", "lower", "report"]
    const property = fc.property(randomSpace(8), genesOf(60, 60), (space, genes) => {
      const read = reader(genes)
      const sheet = paper()
      sheet.entries.push(...space.entries)
      const fact = randomFact(read, sheet.entries, limiting) as Fact.Ungrant
      // it takes nothing of what was written, or what rests on that is gone for good; nor does a fork take the lift
      const cut = [...new Map(space.entries.map((entry) => [entry.feed.id, at(entry)])).values()]
      const isForked = space.entries.some((a) =>
        space.entries.some((b) => a !== b && a.feed.id === b.feed.id && a.seq === b.seq)
      )
      if (isForked || space.proofs.size > 0) return
      const limit = sheet.write(read.pick([root, ...devices]), [{ ...fact, cut }], { incarnation: 2 })
      const limited = judged({ ...space, entries: sheet.entries })
      sheet.write(limit.feed.device, [lift(limit)], { incarnation: 2 })
      const lifted = judged({ ...space, entries: sheet.entries })
      const before = judged(space)
      const [free, bound, again] = [before, limited, lifted].map((one) => heldNow(one))
      const isStanding = Authority.restrictions(limited).some(({ node }) => node.hash === limit.hash)
      // who took from himself what it takes to restrict another can't lift that any more
      const author = limit.feed.device
      const [could, can] = [before, limited].map((one) => JSON.stringify(rightsNow(one, author)))
      if (isStanding && author !== fact.device && could !== can) return
      assert.deepStrictEqual(isStanding ? again : bound, free)
      if (JSON.stringify(bound) !== JSON.stringify(free)) taken++
    })
    fc.assert(property, { numRuns: 1000 })
    assert.isAbove(taken, 15, "something was taken that can be given back")
  }, 60_000)
})

/**
 * What of rights is not covered by others: chains are kept apart where a limit, lifted or not, takes one of them, and of
 * two that are alike the one that it does not take is shown.
 */
const widest = (held: ReadonlyArray<Authority.Held>) => {
  const kept: Array<Authority.Held> = []
  for (const right of held) Holding.add(kept, right, () => true)
  return kept.sort(Holding.byRight).map(({ through, ...right }) => ({ ...right, links: through.length }))
}

const rightsNow = (authority: Authority.Authority, device: DeviceId) =>
  widest(Authority.rights(authority, Authority.present(authority), device))

/** Rights, trust and policies of everybody as things stand now. */
const heldNow = (authority: Authority.Authority) => {
  const view = Authority.present(authority)
  const regime = Authority.regimeNow(authority)
  return [
    devices.map((device) => rightsNow(authority, device)),
    devices.map((device) => Authority.trustIn(authority, view, device, regime)),
    operations.map((operation) => Authority.policiesFor(authority, view, regime, "paper", operation))
  ]
}

describe("a regime", () => {
  it("of a later position holds all limits of an earlier one, and that of now holds all there are", () => {
    const property = fc.property(randomSpace(9), (space) => {
      const authority = judged(space)
      const all = new Set(Authority.regimeNow(authority).limits)
      for (const device of devices) {
        let earlier = new Set<unknown>()
        for (const seq of [0, 1, 2, 3, 4]) {
          const { limits } = Authority.regimeAt(authority, dataFeedOf(device), seq)
          const later = new Set<unknown>(limits)
          assert.isTrue([...earlier].every((limit) => later.has(limit)) && limits.every((limit) => all.has(limit)))
          earlier = later
        }
      }
    })
    fc.assert(property, { numRuns: 500 })
  }, 60_000)

  it("that has more limits leaves no more rights and no more trust", () => {
    const property = fc.property(randomSpace(9), genesOf(20, 20), (space, genes) => {
      const authority = judged(space)
      const read = reader(genes)
      const view = Authority.present(authority)
      const device = read.pick(devices)
      const now = Authority.regimeNow(authority)
      const mayNow = Authority.rights(authority, view, device, now)
      for (const regime of regimesOf(authority)) {
        const mayThen = Authority.rights(authority, view, device, regime)
        for (const right of mayNow) {
          const times = [0, 1, 2, 3, 4, 5, 6, 7].map((hour) => hour * unit).filter((time) => Right.isOpen(right, time))
          for (const time of times)
            assert.isTrue(
              mayThen.some(
                (other) =>
                  implies(other.capability, right.capability) && other.depth >= right.depth && Right.isOpen(other, time)
              )
            )
        }
        const [less, more] = [now, regime].map((one) => Authority.trustIn(authority, view, device, one))
        assert.isAtMost(less!.value, more!.value)
      }
    })
    fc.assert(property, { numRuns: 500 })
  }, 60_000)
})
