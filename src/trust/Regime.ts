/**
 * Which standing restrictions are against a position: those whose cut does not contain it.
 *
 * Revocations of devices end entries whole and are looked up by device. All others limit what an entry's author may use:
 * they make up the position's regime. Few regimes exist, since most positions of a feed lie between the same cuts, so
 * equal ones are one object, and whatever follows from one is remembered under its number.
 */
import type { FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import * as Book from "./Book.ts"
import type * as Fact from "./Fact.ts"
import * as Heads from "./Heads.ts"
import type * as Trust from "./Trust.ts"

/** A restriction that stands, and what it reaches. */
export interface Standing<What extends Fact.Restriction = Fact.Restriction> extends Book.Restriction<What> {
  /** "own": only what descends from its author's grants, or its author's own relation. */
  readonly reach: "all" | "own"
  /** Of a report: the web as its author had seen it (trust/Trust.ts). */
  readonly web: Trust.Web | undefined
}

export type Limit = Exclude<Fact.Restriction, Fact.Revoke>

export interface Regime {
  readonly number: number
  readonly limits: ReadonlyArray<Standing<Limit>>
}

/** A position that root sealed, and the entry that says so. */
export interface Sealed {
  readonly position: Position
  readonly by: Book.Node
}

/** Per feed the positions that root sealed, the highest first: on different branches, if it forked. */
export type Seals = ReadonlyMap<FeedId, ReadonlyArray<Sealed>>

/** What a restriction leaves alone: what its cut names, and what was sealed by who had not seen it. */
type Cutting = Pick<Book.Restriction, "cut" | "node">

/** The regimes under one set of standing restrictions. */
export interface Regimes {
  readonly limits: ReadonlyArray<Standing<Limit>>
  readonly seals: Seals
  readonly find: (position: Position) => Book.Node | undefined
  readonly byKey: Map<string, Regime>
  /** Per feed of data, where its regime changes, in order. */
  readonly stepsByFeed: Map<FeedId, ReadonlyArray<Step>>
  readonly none: Regime
}

interface Step {
  readonly from: number
  readonly regime: Regime
}

export const make = (
  limits: ReadonlyArray<Standing<Limit>>,
  seals: Regimes["seals"],
  find: Regimes["find"]
): Regimes => {
  const none: Regime = { number: 0, limits: [] }
  return { limits, seals, find, byKey: new Map([["", none]]), stepsByFeed: new Map(), none }
}

export const isLimit = (standing: Standing): standing is Standing<Limit> => standing.fact._tag !== "Revoke"

export const isOf = <Tag extends Fact.Restriction["_tag"]>(
  standing: Standing,
  tag: Tag
): standing is Standing<Extract<Fact.Restriction, { readonly _tag: Tag }>> => standing.fact._tag === tag

/**
 * Whether a cut leaves an entry alone: it is the one named for its feed, or before it on the same chain. While the named
 * one is not here the numbers decide, and they are right unless the feed forked. Below a seal nothing is cut that had not
 * been cut before: a seal keeps what restrictions it has seen left out.
 */
export const isInside = ({ find, seals }: Regimes, cutting: Cutting, node: Book.Node): boolean =>
  isBefore(find, cutting.cut.get(node.feed.id), node) ||
  (seals.get(node.feed.id)?.some((sealed) => isLate(cutting, sealed) && isBefore(find, sealed.position, node)) ?? false)

const isLate = (cutting: Cutting, { by }: Sealed): boolean => !Book.inView(by.view, cutting.node)

const isBefore = (find: Regimes["find"], last: Position | undefined, node: Book.Node): boolean => {
  if (last === undefined || last.seq < node.seq) return false
  const named = find(last)
  return named === undefined || Heads.isBehind(named, node)
}

/** The last position of a feed that a cut and the seals leave alone; undefined: none. For feeds of data. */
export const lastLeft = ({ seals }: Regimes, cutting: Cutting, feed: FeedId): Position | undefined => {
  const [last, seal] = [cutting.cut.get(feed), seals.get(feed)?.find((sealed) => isLate(cutting, sealed))?.position]
  return seal === undefined || (last !== undefined && last.seq >= seal.seq) ? last : seal
}

/** The regime of an entry of authority. */
export const ofNode = (regimes: Regimes, node: Book.Node): Regime =>
  regimes.limits.length === 0 ? regimes.none : intern(regimes, (limit) => !isInside(regimes, limit, node))

/** The regime of what is written now: every restriction is against it. */
export const ofNow = (regimes: Regimes): Regime => intern(regimes, () => true)

/** The regime of a position in a feed of data. */
export const ofData = (regimes: Regimes, feed: FeedId, seq: number): Regime => {
  if (regimes.limits.length === 0) return regimes.none
  const steps = regimes.stepsByFeed.get(feed) ?? stepsOf(regimes, feed)
  regimes.stepsByFeed.set(feed, steps)
  let at = steps.length - 1
  while (steps[at]!.from > seq) at--
  return steps[at]!.regime
}

const stepsOf = (regimes: Regimes, feed: FeedId): ReadonlyArray<Step> => {
  const ends = regimes.limits.map((limit) => (lastLeft(regimes, limit, feed)?.seq ?? -1) + 1)
  return [...new Set([0, ...ends])]
    .sort((a, b) => a - b)
    .map((from) => ({ from, regime: intern(regimes, (_, index) => ends[index]! <= from) }))
}

/** The regime without some of its limits. */
export const without = (regimes: Regimes, regime: Regime, isGone: (limit: Standing<Limit>) => boolean): Regime => {
  const left = new Set(regime.limits.filter((limit) => !isGone(limit)))
  return left.size === regime.limits.length ? regime : intern(regimes, (limit) => left.has(limit))
}

const intern = (regimes: Regimes, holds: (limit: Standing<Limit>, index: number) => boolean): Regime => {
  const numbers: Array<number> = []
  for (let index = 0; index < regimes.limits.length; index++)
    if (holds(regimes.limits[index]!, index)) numbers.push(index)
  const key = numbers.join()
  const known = regimes.byKey.get(key)
  if (known !== undefined) return known
  const regime: Regime = { number: regimes.byKey.size, limits: numbers.map((index) => regimes.limits[index]!) }
  regimes.byKey.set(key, regime)
  return regime
}
