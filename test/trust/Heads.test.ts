/** Heads against sets of links, on random chains that fork: every law that stands in trust/Heads.ts. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Heads from "../../src/trust/Heads.ts"

interface Link extends Heads.Link<Link> {}

const linkOf = (number: number, place: number, previous?: Link): Link => ({
  seq: previous === undefined ? 0 : previous.seq + 1,
  number,
  place,
  base: previous?.place === place ? previous.base : previous,
  previous,
  jump: previous && Heads.jumpOver(previous)
})

/** Two neighbours, and one in another list of each level. */
const places = [0, 1, 17, 300, 5000]

/** Each gene appends a link to one of the chain's own, mostly to the last; where others follow that, in a new strand. */
const grown = (genes: ReadonlyArray<readonly [number, number]>): ReadonlyArray<Link> => {
  const links: Array<Link> = []
  const chains = places.map((): Array<Link> => [])
  for (const [which, back] of genes) {
    const chain = chains[which]!
    const previous = chain[chain.length - (back < 8 ? 1 : back - 7)]
    const isLast = previous !== undefined && chain.findLast(({ place }) => place === previous.place) === previous
    const place = previous === undefined ? places[which]! + (chain.length === 0 ? 0 : 20) : previous.place
    const taken = new Set(links.map((link) => link.place))
    const free = Array.from({ length: 60 }, (_, next) => place + next).find((one) => !taken.has(one))!
    const link = linkOf(links.length, isLast ? place : free, previous)
    links.push(link)
    chain.push(link)
  }
  return links
}

const links = fc
  .array(fc.tuple(fc.nat({ max: places.length - 1 }), fc.nat({ max: 10 })), { minLength: 1, maxLength: 40 })
  .map(grown)

/** Some of the links, with all before them on their chains. */
const closed = (all: ReadonlyArray<Link>, picks: ReadonlyArray<number>): ReadonlySet<Link> => {
  const set = new Set<Link>()
  for (const pick of picks)
    for (let link: Link | undefined = all[pick % all.length]; link !== undefined; link = link.previous) set.add(link)
  return set
}

const picks = fc.array(fc.nat({ max: 1000 }), { maxLength: 8 })

/** Added oldest first, as entries come. */
const fromSet = (set: ReadonlySet<Link>): Heads.Heads<Link> =>
  [...set].sort(byNumbers).reduce<Heads.Heads<Link>>(Heads.add, Heads.empty)

const byNumber = (links: Iterable<Link>): ReadonlyArray<number> =>
  [...links].map(({ number }) => number).sort(ascending)

const byNumbers = (a: Link, b: Link): number => a.number - b.number

const ascending = (a: number, b: number): number => a - b

const maximal = (set: ReadonlySet<Link>): ReadonlyArray<number> => {
  const before = new Set([...set].map(({ previous }) => previous))
  return byNumber([...set].filter((link) => !before.has(link)))
}

describe("heads", () => {
  it("are the last links of a set, have what is in it and nothing else", () => {
    const property = fc.property(links, picks, (all, some) => {
      const set = closed(all, some)
      const heads = fromSet(set)
      assert.deepStrictEqual(byNumber(Heads.linksOf(heads)), maximal(set))
      for (const link of all) assert.strictEqual(Heads.has(heads, link), set.has(link))
      for (const { place } of all) {
        assert.strictEqual(
          Heads.at(heads, place),
          [...set].sort(byNumbers).findLast((link) => link.place === place)
        )
      }
      const seen = [...new Set([...set].map(({ place }) => place))].sort(ascending)
      assert.deepStrictEqual(
        [...Heads.all(heads)].map(({ place }) => place),
        seen
      )
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it("are the same in whatever order and portions they were added and merged", () => {
    const property = fc.property(links, picks, picks, picks, (all, a, b, c) => {
      const more = [...closed(all, [...b, ...c])].sort((x, y) => x.number - y.number)
      assert.deepStrictEqual(Heads.addAll(fromSet(closed(all, a)), more), fromSet(closed(all, [...a, ...b, ...c])))
      const [one, other, third] = [a, b, c].map((some) => fromSet(closed(all, some)))
      const union = fromSet(closed(all, [...a, ...b, ...c]))
      const merged = Heads.merge(Heads.merge(one!, other!), third!)
      for (const heads of [merged, Heads.merge(third!, Heads.merge(other!, one!))]) {
        assert.deepStrictEqual(heads, union)
        assert.isTrue(Heads.isSame(heads, union))
        assert.strictEqual(Heads.hashOf(heads), Heads.hashOf(union))
      }
      const numbers = (heads: Heads.Heads<Link>): string =>
        Heads.linksOf(heads)
          .map(({ number }) => number)
          .join()
      assert.strictEqual(Heads.isSame(one!, other!), numbers(one!) === numbers(other!))
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it("stay the object they are where nothing is added, and never change", () => {
    const property = fc.property(links, picks, picks, (all, a, b) => {
      const [set, more] = [closed(all, a), closed(all, [...a, ...b])]
      const [part, whole] = [fromSet(set), fromSet(more)]
      const before = byNumber(Heads.linksOf(part))
      for (const link of set) assert.strictEqual(Heads.add(whole, link), whole)
      assert.strictEqual(Heads.merge(whole, part), whole)
      assert.isTrue(Heads.isSame(Heads.merge(part, whole), whole))
      assert.strictEqual(Heads.merge(Heads.empty, part), part)
      assert.strictEqual(Heads.merge(part, Heads.empty), part)
      for (const link of more) if (link.previous === undefined || set.has(link.previous)) Heads.add(part, link)
      assert.deepStrictEqual(byNumber(Heads.linksOf(part)), before)
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it("share with those before them every list in which nothing changed", () => {
    const chains = Array.from({ length: 600 }, (_, place) => linkOf(place, place))
    const heads = chains.reduce<Heads.Heads<Link>>(Heads.add, Heads.empty)
    const next = Heads.add(heads, linkOf(600, 0, chains[0]))
    assert.strictEqual(next.lists[0]!.filter((list, index) => list !== heads.lists[0]![index]).length, 1)
    assert.strictEqual(next.lists[1], heads.lists[1])
    assert.strictEqual(Heads.merge(heads, next), next)
  })

  it("find a link far back on a chain", () => {
    const chain: Array<Link> = []
    for (let seq = 0; seq < 10_000; seq++) {
      chain.push(linkOf(seq, 0, chain.at(-1)))
    }
    const last = chain.at(-1)!
    for (const seq of [0, 1, 2, 4095, 4096, 9998, 9999]) assert.strictEqual(Heads.backTo(last, seq), chain[seq])
    assert.strictEqual(Heads.backTo(chain[7]!, 9), chain[7])
  })
})
