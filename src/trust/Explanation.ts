/**
 * How a decision about a capability came about, as data: the chain that gives it, or every link that might have and why
 * it does not. `trust/Wording.ts` and the command line draw it.
 *
 * It looks at what a view has seen, as a position's regime leaves it, and finds nothing that the decision did not rest
 * on: for each grant to the device that names the capability, whether its entry counts, whether its giver had the right
 * and might pass it on, and whether something took it away since. Givers are looked into in turn, at the positions of
 * their grants, so deep as `depthMax`.
 */
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Authority from "./Authority.ts"
import * as Book from "./Book.ts"
import { implies, meet, type Capability } from "./Capability.ts"
import * as Descent from "./Descent.ts"
import type * as Fact from "./Fact.ts"
import * as Holding from "./Holding.ts"
import * as Judge from "./Judge.ts"
import * as Regime from "./Regime.ts"
import * as Right from "./Right.ts"

/** One grant of a chain. */
export interface Link {
  readonly entry: EntryHash
  readonly by: DeviceId
  readonly to: DeviceId
  readonly time: number
}

/** A grant that names the capability, and why it does not give it. */
export interface Candidate extends Link {
  readonly right: Right.Right
  readonly fault: Fault
}

export type Fault =
  /** Outside its window or hours. */
  | { readonly _tag: "NotOpen" }
  /** It names something the capability covers, not all of it. */
  | { readonly _tag: "TooNarrow"; readonly capability: Capability }
  /** Its giver was no member as far as he had seen. */
  | { readonly _tag: "GiverStranger" }
  /** Its entry lies behind the cut of a revocation of its giver. */
  | { readonly _tag: "GiverRevoked"; readonly by: DeviceId; readonly entry: EntryHash; readonly reason: string }
  /** Its feed has two histories, and this lies behind the fork. */
  | { readonly _tag: "Forked" }
  /** Its giver held it to use, not to pass on, or not at that time. */
  | { readonly _tag: "NotPassable"; readonly right: Right.Right }
  /** Its giver did not hold it; what might have given it to him. */
  | { readonly _tag: "GiverLacked"; readonly candidates: ReadonlyArray<Candidate> }
  /** A restriction on a grant of its chain, or a ceiling, took it. */
  | {
      readonly _tag: "Taken"
      readonly by: DeviceId
      readonly entry: EntryHash
      readonly reason: string
      readonly ceiling: ReadonlyArray<Capability> | undefined
    }

/** Givers looked into behind each other. */
const depthMax = 16

/** The grants that a right came through, first one first. */
export const chainOf = (
  authority: Authority.Authority,
  device: DeviceId,
  { through }: Holding.Held
): ReadonlyArray<Link> =>
  through.flatMap((entry, place) => {
    const node = authority.nodes.get(entry)
    const next = through[place + 1]
    const to = next === undefined ? device : authority.nodes.get(next)?.feed.device
    return node === undefined || to === undefined ? [] : [{ entry, by: node.feed.device, to, time: node.time }]
  })

/** What might have given a device a capability that it does not hold, newest first. */
export const missing = (
  authority: Authority.Authority,
  view: Authority.View,
  device: DeviceId,
  wanted: Capability,
  time: number,
  regime: Authority.Regime = Authority.regimeNow(authority)
): ReadonlyArray<Candidate> =>
  candidates({ judge: Authority.judgeOf(authority), depth: 0 }, view, device, wanted, time, regime)

interface Search {
  readonly judge: Judge.Judge
  readonly depth: number
}

const candidates = (
  search: Search,
  view: Authority.View,
  device: DeviceId,
  wanted: Capability,
  time: number,
  regime: Authority.Regime
): ReadonlyArray<Candidate> =>
  (search.judge.book.grants.get(device) ?? [])
    .filter(({ node }) => Book.inView(view, node))
    .toSorted((a, b) => Book.byTime(b, a))
    .flatMap(({ fact, node }) =>
      fact.rights
        .filter((right) => meet(right.capability, wanted) !== undefined)
        .map((right) => ({
          entry: node.hash,
          by: node.feed.device,
          to: device,
          time: node.time,
          right,
          fault: faultOf(search, view, node, right, wanted, time, { device, regime })
        }))
    )

const faultOf = (
  search: Search,
  view: Authority.View,
  node: Book.Node,
  right: Right.Right,
  wanted: Capability,
  time: number,
  at: { readonly device: DeviceId; readonly regime: Authority.Regime }
): Fault => {
  const { judge } = search
  const giver = node.feed.device
  const revocation = Judge.revocationOn(judge, node)
  if (revocation !== undefined) {
    const { fact, node: by } = revocation
    return { _tag: "GiverRevoked", by: by.feed.device, entry: by.hash, reason: fact.reason }
  }
  const held = Judge.verdict(judge, node)
  if (held === undefined)
    return Judge.isMember(judge, node.view, giver) ? { _tag: "Forked" } : { _tag: "GiverStranger" }
  const matching = held.filter((one) => meet(one.capability, wanted) !== undefined)
  const passed = matching.flatMap((one) => Holding.pass(one, right, node.time, node.hash) ?? [])
  if (passed.length === 0) {
    const [first] = matching
    if (first !== undefined) return { _tag: "NotPassable", right: first }
    const deeper = { judge, depth: search.depth + 1 }
    const regime = Regime.ofNode(judge.regimes, node)
    const inner = search.depth >= depthMax ? [] : candidates(deeper, node.view, giver, wanted, node.time, regime)
    return { _tag: "GiverLacked", candidates: inner }
  }
  const [narrow] = passed
  if (narrow !== undefined && !passed.some((one) => implies(one.capability, wanted)))
    return { _tag: "TooNarrow", capability: narrow.capability }
  const taking = Judge.unlifted(judge, view, at.regime).limits.find((limit) =>
    passed.some((one) => Descent.takes(judge.book, limit, at.device, one))
  )
  if (
    taking !== undefined &&
    passed.every((one) => !Right.isOpen(one, time) || isTaken(judge, view, at, one, wanted))
  ) {
    const fact = taking.fact as Fact.Ungrant | Fact.Refine
    return {
      _tag: "Taken",
      by: taking.node.feed.device,
      entry: taking.node.hash,
      reason: fact.reason,
      ceiling: fact._tag === "Refine" ? fact.ceiling : undefined
    }
  }
  return { _tag: "NotOpen" }
}

const isTaken = (
  judge: Judge.Judge,
  view: Authority.View,
  { device, regime }: { readonly device: DeviceId; readonly regime: Authority.Regime },
  right: Holding.Held,
  wanted: Capability
): boolean =>
  Descent.limited(judge.book, Judge.unlifted(judge, view, regime).limits, device, right).every(
    (left) => meet(left.capability, wanted) !== wanted
  )
