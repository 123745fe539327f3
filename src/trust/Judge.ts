/**
 * One set of restrictions to judge by, and what was found under it: which entries count, who is a member, who holds what.
 *
 * An entry counts if it lies before its feed's fork or on the branch that was settled on, no revocation leaves it out,
 * and its author was a member as far as it had seen; a member is whom a counting entry admitted whose author held
 * `device:admit`. What a device holds within a view comes from the counting grants in it, less what the regime of the
 * judged position takes away (trust/Regime.ts) and no counting lift in the view gives back. All of this recurses into
 * pasts only, which get strictly smaller, and nothing found is ever taken back: other restrictions need another judge,
 * which takes over what they don't touch (`after`).
 *
 * Judging is done on demand and remembered. Chains of admissions may be as long as the space is old, so the recursion
 * keeps a stack of its own.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import * as Book from "./Book.ts"
import { capability, type Capability } from "./Capability.ts"
import * as Descent from "./Descent.ts"
import type * as Fact from "./Fact.ts"
import * as Heads from "./Heads.ts"
import * as Holding from "./Holding.ts"
import * as Regime from "./Regime.ts"

/** A feed with two histories: from where on it is frozen, but for what lies before the entry settled on. */
export interface Freeze {
  readonly at: number
  readonly settled: Book.Node | undefined
}

export interface Judge {
  readonly book: Book.Book
  readonly restrictions: ReadonlyArray<Regime.Standing>
  readonly revocationsByDevice: ReadonlyMap<DeviceId, ReadonlyArray<Regime.Standing<Fact.Revoke>>>
  readonly regimes: Regime.Regimes
  readonly freezes: ReadonlyMap<FeedId, Freeze>
  /** Whose grants no holding may hide behind others' (trust/Descent.ts). */
  readonly watched: DeviceId | undefined
  /** What the author of a counting entry held when he wrote it; undefined for one that does not count. */
  readonly verdicts: Map<Book.Node, ReadonlyArray<Holding.Held> | undefined>
  /** For each entry judged, those whose verdict was found with it. */
  readonly dependents: Map<Book.Node, Set<Book.Node>>
  /** By view, device and regime. */
  readonly holdings: Map<number, Map<DeviceId, Map<number, ReadonlyArray<Holding.Held>>>>
  readonly admissions: Map<number, Map<DeviceId, Book.Stated<Fact.Admit> | undefined>>
  /** What others derive from a view under a regime, by a name of theirs. */
  readonly derived: Map<string, unknown>
}

export const make = (
  book: Book.Book,
  restrictions: ReadonlyArray<Regime.Standing>,
  freezes: Judge["freezes"],
  seals: Regime.Seals,
  find: Regime.Regimes["find"],
  watched?: DeviceId
): Judge => {
  const revocationsByDevice = new Map<DeviceId, Array<Regime.Standing<Fact.Revoke>>>()
  for (const restriction of restrictions) {
    if (!Regime.isOf(restriction, "Revoke")) continue
    const { device } = restriction.fact
    const known = revocationsByDevice.get(device)
    if (known === undefined) revocationsByDevice.set(device, [restriction])
    else known.push(restriction)
  }
  return {
    book,
    restrictions,
    revocationsByDevice,
    regimes: Regime.make(restrictions.filter(Regime.isLimit), seals, find),
    freezes,
    watched,
    verdicts: new Map(),
    dependents: new Map(),
    holdings: new Map(),
    admissions: new Map(),
    derived: new Map()
  }
}

/** A judge with more restrictions than another, that takes over every verdict which they can't change. */
export const after = (former: Judge, judge: Judge): Judge => {
  const known = new Set(former.restrictions)
  const touched: Array<Book.Node> = []
  for (const restriction of judge.restrictions) {
    if (known.has(restriction)) continue
    const reached = Descent.reachedBy(judge.book, restriction)
    if (reached === undefined) continue
    const parted = Descent.parted(judge.book, restriction)
    for (const node of former.verdicts.keys()) {
      const { device } = node.feed
      if (parted.has(device) || (reached.has(device) && !Regime.isInside(judge.regimes, restriction.cut, node)))
        touched.push(node)
    }
  }
  // who settled on a branch may be one of those whom something ends now
  for (const node of former.verdicts.keys()) if (isFrozen(former, node) !== isFrozen(judge, node)) touched.push(node)
  const gone = new Set(touched)
  for (const node of gone) for (const dependent of former.dependents.get(node) ?? []) gone.add(dependent)
  for (const [node, verdict] of former.verdicts) if (!gone.has(node)) judge.verdicts.set(node, verdict)
  // one that names too many costs a verdict, never makes a wrong one
  return { ...judge, dependents: former.dependents }
}

/** The revocation that leaves out an entry of its author. */
export const revocationOn = (judge: Judge, node: Book.Node): Regime.Standing<Fact.Revoke> | undefined =>
  judge.revocationsByDevice
    .get(node.feed.device)
    ?.find((restriction) => !Regime.isInside(judge.regimes, restriction.cut, node))

/** Root and creator are members without anybody's doing. */
export const isMember = (judge: Judge, view: Book.View, device: DeviceId): boolean =>
  isFounder(judge, device) || admissionOf(judge, view, device) !== undefined

/** The first admission that made a device a member, within a view. */
export const admissionOf = (judge: Judge, view: Book.View, device: DeviceId): Book.Stated<Fact.Admit> | undefined => {
  // founders need none, and may have one: that names the key to which content for them is sealed
  if (judge.admissions.get(view.id)?.has(device) !== true) {
    const nodes = (judge.book.admissions.get(device) ?? []).map(({ node }) => node)
    settleAll(
      judge,
      nodes.filter((node) => Book.inView(view, node))
    )
  }
  return settledAdmission(judge, view, device)
}

/** The rights of a device within a view under a regime, none covered by another. */
export const holding = (
  judge: Judge,
  view: Book.View,
  device: DeviceId,
  regime: Regime.Regime
): ReadonlyArray<Holding.Held> => {
  settle(judge, view, device, regime)
  return settledHolding(judge, view, device, regime)
}

/** What the author of an entry held when he wrote it; undefined if the entry does not count. */
export const verdict = (judge: Judge, node: Book.Node): ReadonlyArray<Holding.Held> | undefined => {
  settleNode(judge, node)
  return judge.verdicts.get(node)
}

/** Whether an entry counts and its author held a right that permits `wanted`. */
export const counts = (judge: Judge, node: Book.Node, wanted: Capability): boolean =>
  Holding.covering(verdict(judge, node) ?? [], wanted, node.time) !== undefined

/** Whether an entry counts for anybody: an admission, a grant or a definition that its author had the right to. */
export const gives = (judge: Judge, node: Book.Node): boolean => {
  const held = verdict(judge, node) ?? []
  return node.facts.some((fact) => {
    if (fact._tag === "Admit") return Holding.covering(held, admit, node.time) !== undefined
    if (fact._tag === "Define") return Holding.covering(held, define, node.time) !== undefined
    if (fact._tag !== "Grant") return false
    return held.some((given) =>
      fact.rights.some((right) => Holding.pass(given, right, node.time, node.hash) !== undefined)
    )
  })
}

/** A regime less the limits that were lifted within a view. */
export const unlifted = (judge: Judge, view: Book.View, regime: Regime.Regime): Regime.Regime => {
  for (const node of liftsIn(judge, view, regime)) settleNode(judge, node)
  return settledUnlifted(judge, view, regime)
}

/** What it takes to define an application. */
export const define = capability("app:define")

const admit = capability("device:admit")

export const isFounder = ({ book }: Judge, device: DeviceId): boolean =>
  device === book.genesis.root || device === book.genesis.creator

interface Frame {
  /** What to judge when all that it rests on is judged. */
  readonly node: Book.Node | undefined
  readonly grounds: ReadonlyArray<Book.Node>
  next: number
}

/** Judges everything that a device's membership and rights within a view rest on, oldest first. */
const settle = (judge: Judge, view: Book.View, device: DeviceId, regime: Regime.Regime): void => {
  if (judge.holdings.get(view.id)?.get(device)?.has(regime.number) === true) return
  settleAll(judge, groundsOf(judge, view, device, regime))
}

const settleNode = (judge: Judge, node: Book.Node): void => {
  if (!judge.verdicts.has(node)) settleAll(judge, [node])
}

const settleAll = (judge: Judge, first: ReadonlyArray<Book.Node>): void => {
  const { verdicts } = judge
  const stack: Array<Frame> = [{ node: undefined, grounds: first, next: 0 }]
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const ground = frame.grounds[frame.next++]
    if (ground === undefined) {
      if (frame.node !== undefined && !verdicts.has(frame.node)) verdicts.set(frame.node, verdictOf(judge, frame.node))
      stack.pop()
      continue
    }
    if (frame.node !== undefined) dependOn(judge, ground, frame.node)
    if (verdicts.has(ground)) continue
    const regime = Regime.ofNode(judge.regimes, ground)
    stack.push({ node: ground, grounds: groundsOf(judge, ground.view, ground.feed.device, regime), next: 0 })
  }
}

const dependOn = ({ dependents }: Judge, ground: Book.Node, node: Book.Node): void => {
  const known = dependents.get(ground)
  if (known === undefined) dependents.set(ground, new Set([node]))
  else known.add(node)
}

/** The entries of a view that admit a device, grant it something or lift a limit: one that does both may come twice. */
const groundsOf = (
  judge: Judge,
  view: Book.View,
  device: DeviceId,
  regime: Regime.Regime
): ReadonlyArray<Book.Node> => {
  const nodes = liftsIn(judge, view, regime)
  if (isFounder(judge, device)) return nodes
  for (const { node } of judge.book.admissions.get(device) ?? []) if (Book.inView(view, node)) nodes.push(node)
  for (const { node } of judge.book.grants.get(device) ?? []) if (Book.inView(view, node)) nodes.push(node)
  return nodes.sort((a, b) => a.number - b.number)
}

const liftsIn = ({ book }: Judge, view: Book.View, { limits }: Regime.Regime): Array<Book.Node> => {
  const nodes: Array<Book.Node> = []
  if (book.lifts.size === 0) return nodes
  for (const { index, node } of limits) {
    for (const lift of book.lifts.get(Book.nameOf(node.hash, index)) ?? [])
      if (Book.inView(view, lift.node)) nodes.push(lift.node)
  }
  return nodes
}

/** Everything below expects that what it asks for is settled. */
const verdictOf = (judge: Judge, node: Book.Node): ReadonlyArray<Holding.Held> | undefined => {
  const device = node.feed.device
  if (isFrozen(judge, node) || revocationOn(judge, node) !== undefined) return undefined
  if (!isFounder(judge, device) && settledAdmission(judge, node.view, device) === undefined) return undefined
  return settledHolding(judge, node.view, device, Regime.ofNode(judge.regimes, node))
}

const isFrozen = ({ freezes }: Judge, node: Book.Node): boolean => {
  const freeze = freezes.get(node.feed.id)
  if (freeze === undefined || node.seq < freeze.at) return false
  return freeze.settled === undefined || !Heads.isBehind(freeze.settled, node)
}

const settledAdmission = (judge: Judge, view: Book.View, device: DeviceId): Book.Stated<Fact.Admit> | undefined => {
  const byDevice = inMap(judge.admissions, view.id, () => new Map<DeviceId, Book.Stated<Fact.Admit> | undefined>())
  if (byDevice.has(device)) return byDevice.get(device)
  let first: Book.Stated<Fact.Admit> | undefined
  for (const next of judge.book.admissions.get(device) ?? []) {
    const counts =
      Book.inView(view, next.node) &&
      Holding.covering(judge.verdicts.get(next.node) ?? [], admit, next.node.time) !== undefined
    if (counts && (first === undefined || Book.byTime(next, first) < 0)) first = next
  }
  byDevice.set(device, first)
  return first
}

const settledHolding = (
  judge: Judge,
  view: Book.View,
  device: DeviceId,
  regime: Regime.Regime
): ReadonlyArray<Holding.Held> => {
  const byDevice = inMap(judge.holdings, view.id, () => new Map<DeviceId, Map<number, ReadonlyArray<Holding.Held>>>())
  const byRegime = inMap(byDevice, device, () => new Map<number, ReadonlyArray<Holding.Held>>())
  return inMap(byRegime, regime.number, () => {
    const { limits } = settledUnlifted(judge, view, regime)
    if (isFounder(judge, device) && limits.length === 0) return Holding.everything
    const held: Array<Holding.Held> = []
    const lasts = Descent.lasting(judge.book, judge.regimes.limits, device, judge.watched)
    const add = (right: Holding.Held): void => {
      for (const left of Descent.limited(judge.book, limits, device, right)) Holding.add(held, left, lasts)
    }
    if (isFounder(judge, device)) for (const right of Holding.everything) add(right)
    else {
      for (const { fact, node } of judge.book.grants.get(device) ?? []) {
        if (!Book.inView(view, node)) continue
        for (const given of judge.verdicts.get(node) ?? []) {
          for (const right of fact.rights) {
            const passed = Holding.pass(given, right, node.time, node.hash)
            if (passed !== undefined) add(passed)
          }
        }
      }
    }
    return held.sort(Holding.byRight)
  })
}

/** A lift counts if its entry does, and root made it, or who made the restriction and still has what that took. */
const settledUnlifted = (judge: Judge, view: Book.View, regime: Regime.Regime): Regime.Regime => {
  if (judge.book.lifts.size === 0 || regime.limits.length === 0) return regime
  return Regime.without(judge.regimes, regime, (limit) =>
    (judge.book.lifts.get(Book.nameOf(limit.node.hash, limit.index)) ?? []).some(({ node }) => {
      const held = Book.inView(view, node) ? judge.verdicts.get(node) : undefined
      if (held === undefined) return false
      return (
        node.feed.device === judge.book.genesis.root ||
        (node.feed.device === limit.node.feed.device && Descent.mayStill(judge.book, limit, held, node.time))
      )
    })
  )
}

const inMap = <Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value => {
  const known = map.get(key)
  if (known !== undefined) return known
  const value = make()
  map.set(key, value)
  return value
}
