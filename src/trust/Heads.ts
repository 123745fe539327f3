/**
 * What somebody had seen of many chains, as the last links of each: none lies behind another. A chain that forked may
 * have several, one on each branch.
 *
 * Every chain has a place, a small number, and heads are lists of lists of lists by the digits of places. Whoever writes
 * has seen nearly what the one before him had, so a list in which nothing changed is shared: a further link costs three
 * short lists, and lists that are the same object need no comparing. Nothing is ever changed in place.
 *
 * Laws (test/trust/Heads.test.ts): heads are the maximal elements of a set of links that is closed towards the
 * beginnings of chains; `add` and `merge` make the union of such sets, `merge` in any order the same; where the
 * second adds nothing, the first is the result itself; `isSame` holds where the sets are equal.
 */

/** One link of a chain. Each is an object of its own, so identity tells them apart. */
export interface Link<Self> {
  readonly seq: number
  /** No two have the same. */
  readonly number: number
  readonly place: number
  readonly previous: Self | undefined
  /** A link further back, chosen so that any is reached in logarithmically many steps. */
  readonly jump: Self | undefined
  /** The list of it alone, which all heads share that have it. */
  readonly alone: Ends<Self>
}

/** The last links of one chain, by number. */
export type Ends<Self> = ReadonlyArray<Self>

type List<Item> = ReadonlyArray<Item | undefined>

export interface Heads<Self> {
  readonly lists: List<List<List<Ends<Self>>>>
}

/** Of who has seen nothing. */
export const empty: Heads<never> = { lists: [] }

/** Places in one list of the inner two levels. */
const bits = 4
const mask = (1 << bits) - 1

/** What was seen of the chain at a place. */
export const at = <Self>({ lists }: Heads<Self>, place: number): Ends<Self> | undefined =>
  lists[place >>> (2 * bits)]?.[(place >>> bits) & mask]?.[place & mask]

export const has = <Self extends Link<Self>>(heads: Heads<Self>, link: Self): boolean => {
  const ends = at(heads, link.place)
  if (ends === undefined) return false
  for (const end of ends) if (isBehind(end, link)) return true
  return false
}

/** With a link that is the last of its chain, or begins another branch of it. */
export const add = <Self extends Link<Self>>(heads: Heads<Self>, link: Self): Heads<Self> => {
  const outer = link.place >>> (2 * bits)
  const middle = (link.place >>> bits) & mask
  const inner = link.place & mask
  const lists = heads.lists[outer]
  const list = lists?.[middle]
  const known = list?.[inner]
  const ends = known === undefined ? link.alone : unite(known, link.alone)
  if (ends === known) return heads
  return { lists: withItem(heads.lists, outer, withItem(lists, middle, withItem(list, inner, ends))) }
}

/** With links in the order in which they came, all that lies before them on their chains here or among them. */
export const addAll = <Self extends Link<Self>>(heads: Heads<Self>, links: ReadonlyArray<Self>): Heads<Self> => {
  const before = new Set<Self | undefined>()
  for (const { previous } of links) before.add(previous)
  return links.filter((link) => !before.has(link)).reduce<Heads<Self>>(add, heads)
}

/** What one or the other has seen. */
export const merge = <Self extends Link<Self>>(a: Heads<Self>, b: Heads<Self>): Heads<Self> => {
  const lists = mergeLists(a.lists, b.lists, mergeMiddle)
  return lists === a.lists ? a : lists === b.lists ? b : { lists }
}

/** The ends of every chain. */
export function* all<Self>({ lists }: Heads<Self>): Generator<Ends<Self>> {
  for (const outer of lists) {
    for (const middle of outer ?? nothing) {
      for (const ends of middle ?? nothing) if (ends !== undefined) yield ends
    }
  }
}

/** Every end, chain by chain. */
export const linksOf = <Self>(heads: Heads<Self>): ReadonlyArray<Self> => [...all(heads)].flat()

export const isSame = <Self>(a: Heads<Self>, b: Heads<Self>): boolean => isSameList(a.lists, b.lists, isSameMiddle)

/** A number that is equal for equal heads, and seldom for others. */
export const hashOf = <Self extends Link<Self>>(heads: Heads<Self>): number => {
  let hash = 0
  for (const outer of heads.lists) {
    for (const middle of outer ?? nothing) {
      for (const ends of middle ?? nothing)
        if (ends !== undefined)
          for (const { number } of ends) hash = Math.imul(hash ^ number, 0x9e3779b1) ^ (hash >>> 15)
    }
  }
  return hash
}

/** Whether a link is `end` or before it on the same chain. */
export const isBehind = <Self extends Link<Self>>(end: Self, link: Self): boolean => backTo(end, link.seq) === link

/** The link at a position of the chain that ends in `end`; `end` where that lies before the position. */
export const backTo = <Self extends Link<Self>>(end: Self, seq: number): Self => {
  let link = end
  while (link.seq > seq) {
    // every link but the first has both
    link = link.jump!.seq >= seq ? link.jump! : link.previous!
  }
  return link
}

/** Doubles the last leap when the one before it was as long: skew-binary numbers, in a list. */
export const jumpOver = <Self extends Link<Self>>(previous: Self): Self => {
  const once = previous.jump ?? previous
  const twice = once.jump ?? once
  return previous.seq - once.seq === once.seq - twice.seq ? twice : previous
}

const nothing: ReadonlyArray<undefined> = []

const withItem = <Item>(list: List<Item> | undefined, index: number, item: Item): List<Item> => {
  const copy = list === undefined ? [] : list.slice()
  while (copy.length < index) copy.push(undefined)
  copy[index] = item
  return copy
}

/** Item by item; the first list itself where the second adds nothing, and the second where that is easily seen. */
const mergeLists = <Item>(a: List<Item>, b: List<Item>, merge: (a: Item, b: Item) => Item): List<Item> => {
  if (a === b || b.length === 0) return a
  if (a.length === 0) return b
  const length = Math.max(a.length, b.length)
  let merged: Array<Item | undefined> | undefined
  let isB = a.length <= b.length
  for (let index = 0; index < length; index++) {
    const one = a[index]
    const other = b[index]
    const item = one === other || other === undefined ? one : one === undefined ? other : merge(one, other)
    if (item !== other) isB = false
    if (merged !== undefined) merged.push(item)
    else if (item !== one) {
      merged = a.slice(0, index)
      while (merged.length < index) merged.push(undefined)
      merged.push(item)
    }
  }
  return merged === undefined ? a : isB ? b : merged
}

const mergeMiddle = <Self extends Link<Self>>(
  a: List<List<Ends<Self>>>,
  b: List<List<Ends<Self>>>
): List<List<Ends<Self>>> => mergeLists(a, b, mergeInner)

const mergeInner = <Self extends Link<Self>>(a: List<Ends<Self>>, b: List<Ends<Self>>): List<Ends<Self>> =>
  mergeLists(a, b, unite)

/** All ends of one chain that lie behind no other of them. */
const unite = <Self extends Link<Self>>(a: Ends<Self>, b: Ends<Self>): Ends<Self> => {
  if (a.length === 1 && b.length === 1) {
    const one = a[0]!
    const other = b[0]!
    if (one.seq >= other.seq ? isBehind(one, other) : isBehind(other, one)) return one.seq >= other.seq ? a : b
    return one.number < other.number ? [one, other] : [other, one]
  }
  const fromA = a.filter((link) => !b.some((end) => isBehind(end, link)))
  const fromB = b.filter((link) => !a.some((end) => isBehind(end, link)) || a.includes(link))
  const ends = [...fromA, ...fromB].sort((x, y) => x.number - y.number)
  return isSameEnds(ends, a) ? a : isSameEnds(ends, b) ? b : ends
}

const isSameList = <Item>(a: List<Item>, b: List<Item>, isSameItem: (a: Item, b: Item) => boolean): boolean => {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) {
    const one = a[index]
    const other = b[index]
    if (one === other) continue
    if (one === undefined || other === undefined || !isSameItem(one, other)) return false
  }
  return true
}

const isSameMiddle = <Self>(a: List<List<Ends<Self>>>, b: List<List<Ends<Self>>>): boolean =>
  isSameList(a, b, isSameInner)

const isSameInner = <Self>(a: List<Ends<Self>>, b: List<Ends<Self>>): boolean => isSameList(a, b, isSameEnds)

const isSameEnds = <Self>(a: Ends<Self>, b: Ends<Self>): boolean =>
  a.length === b.length && a.every((link, index) => link === b[index])
