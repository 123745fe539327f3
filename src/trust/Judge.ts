/**
 * One set of restrictions to judge by, and what was found under it: which entries count, who is a member, who holds what.
 *
 * An entry counts if it lies before its feed's fork, no restriction leaves it out, and its author was a member as far as
 * it had seen; a member is whom a counting entry admitted whose author held `device:admit`. What a device holds within a
 * view comes from the counting grants in it. All of this recurses into pasts only, which get strictly smaller, and
 * nothing found is ever taken back: another set of restrictions needs another judge.
 *
 * Judging is done on demand and remembered. Chains of admissions may be as long as the space is old, so the recursion
 * keeps a stack of its own.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import * as Book from "./Book.ts"
import { capability, type Capability } from "./Capability.ts"
import type * as Fact from "./Fact.ts"
import * as Holding from "./Holding.ts"

export interface Judge {
  readonly book: Book.Book
  readonly restrictions: ReadonlyArray<Book.Restriction>
  readonly restrictionsByDevice: ReadonlyMap<DeviceId, ReadonlyArray<Book.Restriction>>
  /** Lowest position at which a feed is proved forked. */
  readonly forks: ReadonlyMap<FeedId, number>
  /** The entry at a position, if it is here. */
  readonly find: (position: Position) => Book.Node | undefined
  /** What the author of a counting entry held when he wrote it; undefined for one that does not count. */
  readonly verdicts: Map<Book.Node, ReadonlyArray<Holding.Held> | undefined>
  /** By view and device. */
  readonly holdings: Map<number, Map<DeviceId, ReadonlyArray<Holding.Held>>>
  readonly admissions: Map<number, Map<DeviceId, Book.Stated<Fact.Admit> | undefined>>
}

export const make = (
  book: Book.Book,
  restrictions: ReadonlyArray<Book.Restriction>,
  forks: ReadonlyMap<FeedId, number>,
  find: Judge["find"]
): Judge => {
  const restrictionsByDevice = new Map<DeviceId, Array<Book.Restriction>>()
  for (const restriction of restrictions) {
    const device = restriction.fact.device
    const known = restrictionsByDevice.get(device)
    if (known === undefined) restrictionsByDevice.set(device, [restriction])
    else known.push(restriction)
  }
  return {
    book,
    restrictions,
    restrictionsByDevice,
    forks,
    find,
    verdicts: new Map(),
    holdings: new Map(),
    admissions: new Map()
  }
}

/** The restriction that leaves out an entry of its author. */
export const restrictionOn = (judge: Judge, node: Book.Node): Book.Restriction | undefined =>
  judge.restrictionsByDevice.get(node.feed.device)?.find((restriction) => !isInside(restriction.cut, node, judge.find))

/**
 * Whether a cut leaves an entry alone: it is the one named for its feed, or before it on the same chain. While the named
 * one is not here the numbers decide, and they are right unless the feed forked.
 */
export const isInside = (cut: Book.Restriction["cut"], node: Book.Node, find: Judge["find"]): boolean => {
  const last = cut.get(node.feed.id)
  if (last === undefined || last.seq < node.seq) return false
  const named = find(last)
  return named === undefined || Book.isBehind(named, node)
}

/** Root and creator are members without anybody's doing. */
export const isMember = (judge: Judge, view: Book.View, device: DeviceId): boolean =>
  isFounder(judge, device) || admissionOf(judge, view, device) !== undefined

/** The first admission that made a device a member, within a view. */
export const admissionOf = (judge: Judge, view: Book.View, device: DeviceId): Book.Stated<Fact.Admit> | undefined => {
  settle(judge, view, device)
  return settledAdmission(judge, view, device)
}

/** The rights of a device within a view, none covered by another. */
export const holding = (judge: Judge, view: Book.View, device: DeviceId): ReadonlyArray<Holding.Held> => {
  settle(judge, view, device)
  return settledHolding(judge, view, device)
}

/** Whether an entry counts and its author held a right that permits `wanted`. */
export const counts = (judge: Judge, node: Book.Node, wanted: Capability): boolean => {
  settle(judge, node.view, node.feed.device)
  return permits(judge, node, wanted)
}

/** Whether an entry counts for anybody: an admission, a grant or a definition that its author had the right to. */
export const gives = (judge: Judge, node: Book.Node): boolean => {
  settle(judge, node.view, node.feed.device)
  return node.facts.some((fact) => {
    if (fact._tag === "Admit") return permits(judge, node, admit)
    if (fact._tag === "Define") return permits(judge, node, define)
    if (fact._tag !== "Grant") return false
    if (!judge.verdicts.has(node)) judge.verdicts.set(node, verdictOf(judge, node))
    return (judge.verdicts.get(node) ?? []).some((given) =>
      fact.rights.some((right) => Holding.pass(given, right, node.time, node.hash) !== undefined)
    )
  })
}

/** What it takes to define an application. */
export const define = capability("app:define")

const admit = capability("device:admit")

interface Frame {
  /** What to judge when all that it rests on is judged. */
  readonly node: Book.Node | undefined
  readonly grounds: ReadonlyArray<Book.Node>
  next: number
}

/** Judges everything that a device's membership and rights within a view rest on, oldest first. */
const settle = (judge: Judge, view: Book.View, device: DeviceId): void => {
  if (isFounder(judge, device) || judge.holdings.get(view.id)?.has(device) === true) return
  const stack: Array<Frame> = [{ node: undefined, grounds: groundsOf(judge, view, device), next: 0 }]
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const ground = frame.grounds[frame.next++]
    if (ground === undefined) {
      if (frame.node !== undefined) judge.verdicts.set(frame.node, verdictOf(judge, frame.node))
      stack.pop()
    } else if (!judge.verdicts.has(ground)) {
      stack.push({ node: ground, grounds: groundsOf(judge, ground.view, ground.feed.device), next: 0 })
    }
  }
  settledHolding(judge, view, device)
}

/** The entries of a view that admit a device or grant it something, by number; one that does both may come twice. */
const groundsOf = (judge: Judge, view: Book.View, device: DeviceId): ReadonlyArray<Book.Node> => {
  const nodes: Array<Book.Node> = []
  if (isFounder(judge, device)) return nodes
  for (const { node } of judge.book.admissions.get(device) ?? []) if (Book.inView(view, node)) nodes.push(node)
  for (const { node } of judge.book.grants.get(device) ?? []) if (Book.inView(view, node)) nodes.push(node)
  return nodes.sort((a, b) => a.number - b.number)
}

/** Everything below expects that what it asks for is settled. */
const verdictOf = (judge: Judge, node: Book.Node): ReadonlyArray<Holding.Held> | undefined => {
  const device = node.feed.device
  const isFrozen = node.seq >= (judge.forks.get(node.feed.id) ?? Number.POSITIVE_INFINITY)
  if (isFrozen || restrictionOn(judge, node) !== undefined) return undefined
  if (!isFounder(judge, device) && settledAdmission(judge, node.view, device) === undefined) return undefined
  return settledHolding(judge, node.view, device)
}

const permits = (judge: Judge, node: Book.Node, wanted: Capability): boolean => {
  if (!judge.verdicts.has(node)) judge.verdicts.set(node, verdictOf(judge, node))
  return Holding.covering(judge.verdicts.get(node) ?? [], wanted, node.time) !== undefined
}

const settledAdmission = (judge: Judge, view: Book.View, device: DeviceId): Book.Stated<Fact.Admit> | undefined =>
  remembered(judge.admissions, view, device, () =>
    (judge.book.admissions.get(device) ?? [])
      .filter(({ node }) => Book.inView(view, node) && permits(judge, node, admit))
      .reduce<Book.Stated<Fact.Admit> | undefined>(
        (first, next) => (first === undefined || Book.byTime(next, first) < 0 ? next : first),
        undefined
      )
  )

const settledHolding = (judge: Judge, view: Book.View, device: DeviceId): ReadonlyArray<Holding.Held> => {
  if (isFounder(judge, device)) return Holding.everything
  return remembered(judge.holdings, view, device, () => {
    const held: Array<Holding.Held> = []
    for (const { fact, node } of judge.book.grants.get(device) ?? []) {
      if (!Book.inView(view, node)) continue
      for (const given of judge.verdicts.get(node) ?? []) {
        for (const right of fact.rights) {
          const passed = Holding.pass(given, right, node.time, node.hash)
          if (passed !== undefined) Holding.add(held, passed)
        }
      }
    }
    return held.sort(Holding.byRight)
  })
}

const isFounder = (judge: Judge, device: DeviceId): boolean =>
  device === judge.book.genesis.root || device === judge.book.genesis.creator

const remembered = <Value>(
  memo: Map<number, Map<DeviceId, Value>>,
  view: Book.View,
  device: DeviceId,
  find: () => Value
): Value => {
  const known = memo.get(view.id)
  if (known?.has(device) === true) return known.get(device)!
  const value = find()
  if (known === undefined) memo.set(view.id, new Map([[device, value]]))
  else known.set(device, value)
  return value
}
