/**
 * What changes about verdicts when authority grows: nothing, as a rule, and else from where on.
 *
 * A data entry's verdict follows from the view it was written with, from what is against its position (its regime), and
 * from whether the authority entries in that view still give what they gave. So a shift is told by two things: limits
 * that came to stand, fell or reach otherwise, each with the first position of every feed that it no longer treats alike;
 * and the first authority entry that gives otherwise, for who wrote before that one came here can't have seen it. Where
 * feeds end is asked of the books instead (`Ledger.limitOf`): what a revocation, a fork or a settlement ends is no verdict.
 *
 * It errs on one side: what it says is untouched has the verdicts it had; what it says is reached may have them too.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import type { Feed } from "../journal/Feed.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import type * as Fact from "../trust/Fact.ts"
import * as Holding from "../trust/Holding.ts"
import * as Judge from "../trust/Judge.ts"
import * as Regime from "../trust/Regime.ts"

/** What two authorities, one of which knows more, say otherwise. */
export interface Shift {
  /** Number of the first authority entry that gives otherwise; Infinity: all give what they gave. */
  readonly from: number
  readonly limits: ReadonlyArray<Limit>
}

/** A limit that is against other positions than before. */
export interface Limit {
  /** Undefined: of all devices. */
  readonly devices: ReadonlySet<DeviceId> | undefined
  /** The first position that it does not treat as before; Infinity: none. */
  readonly firstOf: (feed: FeedId) => number
}

/** How far something judged has a feed, on a line that has this name. */
export interface Extent {
  readonly id: FeedId
  readonly feed: Feed
  /** The next position. */
  readonly judged: number
}

/** Undefined: every verdict that was given stays. */
export const between = (before: Authority.Authority, after: Authority.Authority): Shift | undefined => {
  const [old, now] = [Authority.judgeOf(before), Authority.judgeOf(after)]
  if (old === now) return undefined
  const changes = changesOf(old, now)
  const limits = changes
    .filter(({ standing }) => Regime.isLimit(standing))
    .map((change): Limit => {
      return { devices: Authority.reachedBy(after, change.standing), firstOf: (feed) => firstOf(change, feed) }
    })
  const from = firstOtherwise(before, after, changes)
  return limits.length === 0 && from === Number.POSITIVE_INFINITY && changes.length === 0 ? undefined : { from, limits }
}

/** Whether a shift may change a verdict on what was judged so far, with so many authority entries here. */
export const reaches = ({ from, limits }: Shift, extents: Iterable<Extent>, count: number): boolean => {
  if (from < count || limits.length > 0)
    for (const { feed, judged } of extents) if (from < count || firstReached(limits, feed) < judged) return true
  return false
}

/** The first position of a feed of data that limits don't treat as before. */
export const firstReached = (limits: ReadonlyArray<Limit>, feed: Feed): number =>
  limits.reduce(
    (first, limit) =>
      feed.kind === "data" && (limit.devices?.has(feed.device) ?? true)
        ? Math.min(first, limit.firstOf(feed.id))
        : first,
    Number.POSITIVE_INFINITY
  )

/** A restriction that stands otherwise, and by which seals it stood and stands; undefined: it did not, or does not. */
interface Change {
  readonly standing: Authority.Restriction
  readonly was: Regime.Regimes | undefined
  readonly is: Regime.Regimes | undefined
  /** It reaches otherwise, be its cut the same. */
  readonly isOther: boolean
}

const changesOf = (old: Judge.Judge, now: Judge.Judge): ReadonlyArray<Change> => {
  const stood = new Map(old.restrictions.map((standing) => [standing.fact, standing]))
  const stands = new Set<Fact.Restriction>(now.restrictions.map(({ fact }) => fact))
  const isSealed = !isSameSeals(old.regimes.seals, now.regimes.seals)
  const changes: Array<Change> = []
  for (const standing of old.restrictions)
    if (!stands.has(standing.fact)) changes.push({ standing, was: old.regimes, is: undefined, isOther: false })
  for (const standing of now.restrictions) {
    const known = stood.get(standing.fact)
    const isOther = known !== undefined && (known.reach !== standing.reach || known.web !== standing.web)
    if (known === undefined || isOther || isSealed)
      changes.push({ standing, was: known && old.regimes, is: now.regimes, isOther })
  }
  return changes
}

const isSameSeals = (a: Regime.Regimes["seals"], b: Regime.Regimes["seals"]): boolean =>
  a.size === b.size &&
  [...a].every(([feed, positions]) => {
    const others = b.get(feed) ?? []
    return (
      positions.length === others.length &&
      positions.every(
        ({ by, position }, index) => others[index]?.position.hash === position.hash && others[index].by.hash === by.hash
      )
    )
  })

const firstOf = ({ is, isOther, standing, was }: Change, feed: FeedId): number => {
  const [before, after] = [was, is].map((regimes) =>
    regimes === undefined ? Number.POSITIVE_INFINITY : (Regime.lastLeft(regimes, standing, feed)?.seq ?? -1)
  ) as [number, number]
  return before === after && !isOther ? Number.POSITIVE_INFINITY : Math.min(before, after) + 1
}

/** Of the entries known before, the first that does not give what it gave: of those that something new may reach. */
const firstOtherwise = (
  before: Authority.Authority,
  { memo }: Authority.Authority,
  changes: ReadonlyArray<Change>
): number => {
  const [old, now] = [Authority.judgeOf(before), memo.final!]
  const freezes = freezesOf(old, now)
  const reached = changes
    .filter(({ standing: { fact } }) => fact._tag === "Revoke" || fact._tag === "Ungrant" || fact._tag === "Refine")
    .map((change) => ({ change, devices: Authority.reachedBy(before, change.standing)! }))
  let from = Number.POSITIVE_INFINITY
  // whoever has seen a change of policy is bound by it as long as it stands, wherever its cut is
  for (const { isOther, standing, was, is } of changes) {
    const isSeen = standing.fact._tag === "SetPolicy" && standing.node.number < before.memo.count
    if (isSeen && (was === undefined || is === undefined || isOther)) from = Math.min(from, standing.node.number)
  }
  if (freezes.size === 0 && reached.length === 0) return from
  for (const node of memo.book.nodes.values()) {
    if (node.number >= before.memo.count || node.number >= from) continue
    const isReached =
      node.seq >= (freezes.get(node.feed.id) ?? Number.POSITIVE_INFINITY) ||
      reached.some(({ change, devices }) => devices.has(node.feed.device) && isMoved(change, node))
    if (isReached && givenBy(old, node) !== givenBy(now, node)) from = node.number
  }
  return from
}

/** From where on a forked feed may count otherwise. Where a branch was settled on, any entry may change what cuts leave. */
const freezesOf = (old: Judge.Judge, now: Judge.Judge): ReadonlyMap<FeedId, number> => {
  const found = new Map<FeedId, number>()
  for (const feed of new Set([...old.freezes.keys(), ...now.freezes.keys()])) {
    const [was, is] = [old.freezes.get(feed), now.freezes.get(feed)]
    if (was?.at !== is?.at || was?.settled !== is?.settled || is?.settled !== undefined)
      found.set(feed, Math.min(was?.at ?? Number.POSITIVE_INFINITY, is?.at ?? Number.POSITIVE_INFINITY))
  }
  return found
}

const isMoved = ({ is, isOther, standing, was }: Change, node: Authority.Node): boolean => {
  const [before, after] = [was, is].map((regimes) => regimes !== undefined && !Regime.isInside(regimes, standing, node))
  return before !== after || (isOther && after === true)
}

/** All that others may rest on an entry, in one text; empty: nothing. */
const givenBy = (judge: Judge.Judge, node: Authority.Node): string => {
  const held = Judge.verdict(judge, node)
  if (held === undefined) return ""
  const may = (wanted: string): boolean => Holding.covering(held, capability(wanted), node.time) !== undefined
  const given = node.facts.flatMap((fact, index): ReadonlyArray<unknown> => {
    switch (fact._tag) {
      case "Admit":
        return may("device:admit") ? [index] : []
      case "Define":
        return may(Judge.define) ? [index] : []
      case "SetPolicy":
        return may(`policy:set/${fact.operation}`) ? [index] : []
      case "Grant":
        return fact.rights.flatMap((right) =>
          held.flatMap((one) => Holding.pass(one, right, node.time, node.hash) ?? [])
        )
      case "Relate":
      case "Attest":
        return [index]
      case "Lift":
        return [index, held]
      default:
        return []
    }
  })
  return given.length === 0 ? "" : JSON.stringify(given)
}
