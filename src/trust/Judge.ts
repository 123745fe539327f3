/**
 * One set of restrictions to judge by, and what was found under it: which entries count, who is a member, who holds what.
 *
 * An entry counts if it lies before its feed's fork or on the branch that was settled on, no revocation leaves it out,
 * and its author was a member as far as it had seen; a member is whom a counting entry admitted whose author held
 * `device:admit`. What a device holds within a view comes from the counting grants in it, less what the regime of the
 * judged position takes away (trust/Regime.ts) and no counting lift in the view gives back. All of this recurses into
 * pasts only, which get strictly smaller, and nothing found is ever taken back: other restrictions need another judge,
 * which takes over what they don't change (`after`).
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
  /** Each comes after those that it was found with. */
  readonly verdicts: Map<Book.Node, Verdict>
  /** By view, device and regime. */
  readonly holdings: Map<number, Map<DeviceId, Map<number, ReadonlyArray<Holding.Held>>>>
  readonly admissions: Map<number, Map<DeviceId, Book.Stated<Fact.Admit> | undefined>>
  /** What others derive from a view under a regime, by a name of theirs. */
  readonly derived: Map<string, unknown>
}

interface Verdict {
  /** What the author of a counting entry held when he wrote it; undefined for one that does not count. */
  readonly held: ReadonlyArray<Holding.Held> | undefined
  /** What it was found with. */
  readonly grounds: ReadonlyArray<Ground>
}

/** What somebody's membership and rights may rest on. */
type Ground = Book.Stated<Fact.Admit | Fact.Grant | Fact.Lift>

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
    holdings: new Map(),
    admissions: new Map(),
    derived: new Map()
  }
}

/**
 * The judge with every verdict of another one that it would come to as well; it gives the others anew. Entries that are in
 * the books of both are the same; restrictions, forks and settlements may differ.
 *
 * An entry is touched if a restriction that only one of them knows leaves it out, limits what its author may use or sets
 * its rights apart (`Descent.parted`), or if its feed forked: that includes that a cut or a settlement names another branch of it. Whatever was found with a
 * verdict that came out otherwise is doubtful in its turn. Seals are for all cuts at once: with others nothing is taken.
 */
export const after = (former: Judge, judge: Judge): Judge => {
  if (!isSameMap(former.regimes.seals, judge.regimes.seals, isSamePositions)) return judge
  if (isAs(former, judge)) return former
  const isTouched = touching(former, judge)
  const changed = new Set<Book.Node>()
  for (const [node, found] of former.verdicts) {
    if (judge.book !== former.book && judge.book.nodes.get(node.hash) !== node) continue
    const isDoubtful = changed.size > 0 && found.grounds.some((ground) => changed.has(ground.node))
    if (!isDoubtful && !isTouched(node)) judge.verdicts.set(node, found)
    else if (!isSame(verdict(judge, node), found.held)) changed.add(node)
  }
  return judge
}

/** Whether one judges as the other does. Who knows more of a forked feed has another value of each restriction. */
const isAs = (a: Judge, b: Judge): boolean =>
  a.book === b.book &&
  a.restrictions.length === b.restrictions.length &&
  a.restrictions.every((restriction, index) => restriction === b.restrictions[index]) &&
  isSameMap(a.freezes, b.freezes, (one, other) => one.at === other.at && one.settled === other.settled)

const isSamePositions = (a: ReadonlyArray<Regime.Sealed>, b: ReadonlyArray<Regime.Sealed>): boolean =>
  a.length === b.length &&
  a.every(({ by, position }, index) => position.hash === b[index]!.position.hash && by.hash === b[index]!.by.hash)

const isSameMap = <Key, Value>(
  a: ReadonlyMap<Key, Value>,
  b: ReadonlyMap<Key, Value>,
  isSameValue: (a: Value, b: Value) => boolean
): boolean => a.size === b.size && [...a].every(([key, value]) => b.has(key) && isSameValue(value, b.get(key)!))

const isSame = (a: Verdict["held"], b: Verdict["held"]): boolean =>
  a === b || (a !== undefined && b !== undefined && Holding.isSame(a, b))

const touching = (former: Judge, judge: Judge): ((node: Book.Node) => boolean) => {
  const others = [...without(former, judge), ...without(judge, former)].flatMap((restriction) => {
    const reached = Descent.reachedBy(judge.book, restriction)
    const parted = Descent.parted(judge.book, restriction)
    return reached === undefined ? [] : [{ reached, parted, restriction }]
  })
  return (node) =>
    judge.freezes.has(node.feed.id) ||
    former.freezes.has(node.feed.id) ||
    others.some(
      ({ parted, reached, restriction }) =>
        parted.has(node.feed.device) ||
        (reached.has(node.feed.device) && !Regime.isInside(judge.regimes, restriction, node))
    )
}

/** The restrictions that one has and the other has not. */
const without = (one: Judge, other: Judge): ReadonlyArray<Regime.Standing> => {
  const names = new Set(other.restrictions.map(nameOf))
  return one.restrictions.filter((restriction) => !names.has(nameOf(restriction)))
}

const nameOf = ({ index, node, reach }: Regime.Standing): string => `${node.hash} ${index} ${reach}`

/** The revocation that leaves out an entry of its author. */
export const revocationOn = (judge: Judge, node: Book.Node): Regime.Standing<Fact.Revoke> | undefined =>
  judge.revocationsByDevice
    .get(node.feed.device)
    ?.find((restriction) => !Regime.isInside(judge.regimes, restriction, node))

/** Root and creator are members without anybody's doing. */
export const isMember = (judge: Judge, view: Book.View, device: DeviceId): boolean =>
  isFounder(judge, device) || admissionOf(judge, view, device) !== undefined

/** The first admission that made a device a member, within a view. */
export const admissionOf = (judge: Judge, view: Book.View, device: DeviceId): Book.Stated<Fact.Admit> | undefined => {
  // founders need none, and may have one: that names the key to which content for them is sealed
  const byDevice = inMap(judge.admissions, view.id, () => new Map<DeviceId, Book.Stated<Fact.Admit> | undefined>())
  if (byDevice.has(device)) return byDevice.get(device)
  const grounds = within(view, judge.book.admissions.get(device))
  settle(judge, grounds)
  const [first] = grounds.filter((ground) => admits(judge, ground)).sort(Book.byTime)
  byDevice.set(device, first)
  return first
}

/** The rights of a device within a view under a regime, none covered by another. */
export const holding = (
  judge: Judge,
  view: Book.View,
  device: DeviceId,
  regime: Regime.Regime
): ReadonlyArray<Holding.Held> => {
  const byDevice = inMap(judge.holdings, view.id, () => new Map<DeviceId, Map<number, ReadonlyArray<Holding.Held>>>())
  const byRegime = inMap(byDevice, device, () => new Map<number, ReadonlyArray<Holding.Held>>())
  const known = byRegime.get(regime.number)
  if (known !== undefined) return known
  const grounds: Array<Ground> = liftsIn(judge, view, regime)
  if (!isFounder(judge, device)) grounds.push(...within(view, judge.book.grants.get(device)))
  settle(judge, grounds)
  const held = heldBy(judge, view, device, regime, grounds)
  byRegime.set(regime.number, held)
  return held
}

/** What the author of an entry held when he wrote it; undefined if the entry does not count. */
export const verdict = (judge: Judge, node: Book.Node): ReadonlyArray<Holding.Held> | undefined => {
  const known = judge.verdicts.get(node)
  if (known !== undefined) return known.held
  settleNode(judge, node)
  return judge.verdicts.get(node)?.held
}

/** Whether an entry counts and its author held a right that permits `wanted`. */
export const counts = (judge: Judge, node: Book.Node, wanted: Capability): boolean =>
  Holding.covering(verdict(judge, node) ?? [], wanted, node.time) !== undefined

/** A regime less the limits that were lifted within a view. */
export const unlifted = (judge: Judge, view: Book.View, regime: Regime.Regime): Regime.Regime => {
  settle(judge, liftsIn(judge, view, regime))
  return settledUnlifted(judge, view, regime)
}

/** What it takes to define an application. */
export const define = capability("app:define")

const admit = capability("device:admit")

export const isFounder = ({ book }: Judge, device: DeviceId): boolean =>
  device === book.genesis.root || device === book.genesis.creator

/** An entry that is being judged. */
interface Frame {
  readonly node: Book.Node
  readonly isOut: boolean
  readonly grounds: ReadonlyArray<Ground>
  next: number
}

const settle = (judge: Judge, grounds: ReadonlyArray<Ground>): void => {
  for (const { node } of grounds) if (!judge.verdicts.has(node)) settleNode(judge, node)
}

/** Judges an entry that was not, after everything that the verdict rests on. */
const settleNode = (judge: Judge, node: Book.Node): void => {
  const { verdicts } = judge
  const stack: Array<Frame> = [frameOf(judge, node)]
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const ground = frame.grounds[frame.next++]
    if (ground === undefined) {
      verdicts.set(frame.node, { held: frame.isOut ? undefined : judged(judge, frame), grounds: frame.grounds })
      stack.pop()
    } else if (!verdicts.has(ground.node)) stack.push(frameOf(judge, ground.node))
  }
}

const frameOf = (judge: Judge, node: Book.Node): Frame => {
  const isOut = isFrozen(judge, node) || revocationOn(judge, node) !== undefined
  return { node, isOut, grounds: isOut ? [] : groundsOf(judge, node), next: 0 }
}

/** What in an entry's view admits its author, grants him something or lifts a limit on him. */
const groundsOf = (judge: Judge, node: Book.Node): ReadonlyArray<Ground> => {
  const { device } = node.feed
  const grounds: Array<Ground> = liftsIn(judge, node.view, Regime.ofNode(judge.regimes, node))
  if (isFounder(judge, device)) return grounds
  addBefore(grounds, node, judge.book.admissions.get(device))
  addBefore(grounds, node, judge.book.grants.get(device))
  return grounds
}

/** Of what is stated in the order of numbers, what an entry has seen. */
const addBefore = (
  grounds: Array<Ground>,
  node: Book.Node,
  stated: ReadonlyArray<Book.Stated<Fact.Admit | Fact.Grant>> = []
): void => {
  for (let at = 0; at < stated.length; at++) {
    const ground = stated[at]!
    if (ground.node.number > node.number) return
    if (Book.inView(node.view, ground.node)) grounds.push(ground)
  }
}

const isFrozen = ({ freezes }: Judge, node: Book.Node): boolean => {
  const freeze = freezes.get(node.feed.id)
  if (freeze === undefined || node.seq < freeze.at) return false
  return freeze.settled === undefined || !Heads.isBehind(freeze.settled, node)
}

/** What is stated about a device and was seen. */
const within = <What>(
  view: Book.View,
  stated: ReadonlyArray<Book.Stated<What>> | undefined
): Array<Book.Stated<What>> => (stated ?? []).filter(({ node }) => Book.inView(view, node))

const liftsIn = ({ book }: Judge, view: Book.View, { limits }: Regime.Regime): Array<Book.Stated<Fact.Lift>> =>
  book.lifts.size === 0
    ? []
    : limits.flatMap(({ index, node }) => within(view, book.lifts.get(Book.nameOf(node.hash, index))))

/** Everything below expects that what it asks for is settled. */
const judged = (judge: Judge, { grounds, node }: Frame): ReadonlyArray<Holding.Held> | undefined => {
  const device = node.feed.device
  if (!isFounder(judge, device) && !grounds.some((ground) => admits(judge, ground))) return undefined
  return heldBy(judge, node.view, device, Regime.ofNode(judge.regimes, node), grounds)
}

/** Whether it is an admission by somebody who might. */
const admits = ({ verdicts }: Judge, { fact, node }: Ground): boolean =>
  fact._tag === "Admit" && Holding.covering(verdicts.get(node)?.held ?? [], admit, node.time) !== undefined

const heldBy = (
  judge: Judge,
  view: Book.View,
  device: DeviceId,
  regime: Regime.Regime,
  grounds: ReadonlyArray<Ground>
): ReadonlyArray<Holding.Held> => {
  const { limits } = settledUnlifted(judge, view, regime)
  if (isFounder(judge, device) && limits.length === 0) return Holding.everything
  const rights = isFounder(judge, device) ? Holding.everything : passedBy(judge, grounds)
  const held: Array<Holding.Held> = []
  const lasts = Descent.lasting(judge.book, judge.regimes.limits, device, judge.watched)
  for (const right of rights) {
    if (limits.length === 0) Holding.add(held, right, lasts)
    else for (const left of Descent.limited(judge.book, limits, device, right)) Holding.add(held, left, lasts)
  }
  return held.sort(Holding.byRight)
}

/** What grants let through of what their authors held. */
const passedBy = ({ verdicts }: Judge, grounds: ReadonlyArray<Ground>): ReadonlyArray<Holding.Held> => {
  const rights: Array<Holding.Held> = []
  for (let at = 0; at < grounds.length; at++) {
    const { fact, node } = grounds[at]!
    const given = fact._tag === "Grant" ? verdicts.get(node)?.held : undefined
    if (fact._tag !== "Grant" || given === undefined) continue
    for (let one = 0; one < given.length; one++) {
      for (let right = 0; right < fact.rights.length; right++) {
        const passed = Holding.pass(given[one]!, fact.rights[right]!, node.time, node.hash)
        if (passed !== undefined) rights.push(passed)
      }
    }
  }
  return rights
}

/** A lift counts if its entry does, and root made it, or who made the restriction and still has what that took. */
const settledUnlifted = (judge: Judge, view: Book.View, regime: Regime.Regime): Regime.Regime => {
  if (judge.book.lifts.size === 0 || regime.limits.length === 0) return regime
  return Regime.without(
    judge.regimes,
    regime,
    (limit) =>
      Descent.isLiftable(limit.fact) &&
      (judge.book.lifts.get(Book.nameOf(limit.node.hash, limit.index)) ?? []).some(({ node }) => {
        const held = Book.inView(view, node) ? judge.verdicts.get(node)?.held : undefined
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
