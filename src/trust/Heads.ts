/**
 * What somebody had seen of many chains, as the last link of each. A chain that forks goes on in strands: each but the
 * first begins behind a link of another one, its base, and whoever has seen a link has seen everything before it.
 *
 * Every strand has a place, a small number, and heads are lists of lists of lists by the digits of places. Whoever writes
 * has seen nearly what the one before him had, so a list in which nothing changed is shared: a further link costs three
 * short lists, and lists that are the same object need no comparing. Nothing is ever changed in place.
 *
 * Laws (test/trust/Heads.test.ts): heads stand for a set of links that is closed towards the beginnings of chains;
 * `add` and `merge` make the union of such sets, `merge` in any order the same; where the second adds nothing, the
 * first is the result itself; `isSame` holds where the sets are equal; `linksOf` are the maximal elements.
 */

/** One link of a chain. Each is an object of its own, so identity tells them apart. */
export interface Link<Self> {
  readonly seq: number
  /** No two have the same; higher than that of whatever lies before it. */
  readonly number: number
  /** That of its strand. */
  readonly place: number
  /** The link of another strand that its own begins behind. */
  readonly base: Self | undefined
  readonly previous: Self | undefined
  /** A link further back, chosen so that any is reached in logarithmically many steps. */
  readonly jump: Self | undefined
}

type List<Item> = ReadonlyArray<Item | undefined>

export interface Heads<Self> {
  readonly lists: List<List<List<Self>>>
}

/** Of who has seen nothing. */
export const empty: Heads<never> = { lists: [] }

/** Places in one list of the inner two levels. */
const bits = 4
const mask = (1 << bits) - 1

/** The last link seen of the strand at a place. */
export const at = <Self>({ lists }: Heads<Self>, place: number): Self | undefined =>
  lists[place >>> (2 * bits)]?.[(place >>> bits) & mask]?.[place & mask]

export const has = <Self extends Link<Self>>(heads: Heads<Self>, link: Self): boolean => {
  const end = at(heads, link.place)
  return end !== undefined && end.number >= link.number
}

/** With a link of which all that lies before it is in there. */
export const add = <Self extends Link<Self>>(heads: Heads<Self>, link: Self): Heads<Self> => {
  const outer = link.place >>> (2 * bits)
  const middle = (link.place >>> bits) & mask
  const inner = link.place & mask
  const lists = heads.lists[outer]
  const list = lists?.[middle]
  const known = list?.[inner]
  if (known !== undefined && known.number >= link.number) return heads
  return { lists: withOuter(heads.lists, outer, withItem(lists, middle, withItem(list, inner, link))) }
}

/** With links of which all that lies before them is in there, or among them. */
export const addAll = <Self extends Link<Self>>(heads: Heads<Self>, links: ReadonlyArray<Self>): Heads<Self> => {
  const last: Array<Self | undefined> = []
  for (let index = 0; index < links.length; index++) {
    const link = links[index]!
    const known = last[link.place]
    if (known === undefined || known.number < link.number) last[link.place] = link
  }
  return last.reduce<Heads<Self>>((all, link) => (link === undefined ? all : add(all, link)), heads)
}

/** What one or the other has seen. */
export const merge = <Self extends Link<Self>>(a: Heads<Self>, b: Heads<Self>): Heads<Self> => {
  const lists = mergeLists(a.lists, b.lists, mergeMiddle)
  return lists === a.lists ? a : lists === b.lists ? b : { lists }
}

/** The last links, those left out that others of them lie behind; in the order of places. */
export const linksOf = <Self extends Link<Self>>(heads: Heads<Self>): ReadonlyArray<Self> => {
  const ends = [...all(heads)]
  const continued = new Set(ends.map(({ base }) => base))
  return ends.filter((end) => !continued.has(end))
}

/** The last link of every strand, by place. */
export function* all<Self>({ lists }: Heads<Self>): Generator<Self> {
  for (const outer of lists) {
    for (const middle of outer ?? nothing) {
      for (const end of middle ?? nothing) if (end !== undefined) yield end
    }
  }
}

export const isSame = <Self>(a: Heads<Self>, b: Heads<Self>): boolean => isSameList(a.lists, b.lists, isSameMiddle)

/** A number that is equal for equal heads, and seldom for others. */
export const hashOf = <Self extends Link<Self>>(heads: Heads<Self>): number => {
  let hash = 0
  for (const outer of heads.lists) {
    for (const middle of outer ?? nothing) {
      for (const end of middle ?? nothing)
        if (end !== undefined) hash = Math.imul(hash ^ end.number, 0x9e3779b1) ^ (hash >>> 15)
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

/** A list of the inner two levels: full, so that no index lies beyond its end. */
const blank: ReadonlyArray<undefined> = Array.from({ length: 1 << bits }, () => undefined)

const withItem = <Item>(list: List<Item> | undefined, index: number, item: Item): List<Item> => {
  const copy: Array<Item | undefined> = (list ?? blank).slice()
  copy[index] = item
  return copy
}

/** The outermost list is as long as it has to be. */
const withOuter = <Item>(list: List<Item>, index: number, item: Item): List<Item> => {
  if (index < list.length) return withItem(list, index, item)
  const copy = list.slice()
  while (copy.length < index) copy.push(undefined)
  copy.push(item)
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

const mergeMiddle = <Self extends Link<Self>>(a: List<List<Self>>, b: List<List<Self>>): List<List<Self>> =>
  mergeLists(a, b, mergeInner)

const mergeInner = <Self extends Link<Self>>(a: List<Self>, b: List<Self>): List<Self> => mergeLists(a, b, later)

const later = <Self extends Link<Self>>(a: Self, b: Self): Self => (a.number >= b.number ? a : b)

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

const isSameMiddle = <Self>(a: List<List<Self>>, b: List<List<Self>>): boolean => isSameList(a, b, isSameInner)

const isSameInner = <Self>(a: List<Self>, b: List<Self>): boolean => isSameList(a, b, isIdentical)

const isIdentical = <Self>(a: Self, b: Self): boolean => a === b
