/**
 * What the budget's authority gives for an epoch: a limit for each peer, from what everybody knows of it, and its leases.
 *
 * The limit follows from the peer's trust, from what went both ways in the last epoch that was summed up, and from the
 * reports that stand against it (trust/FlowLimit.ts): facts alone, so every device that knows the same comes to the same.
 * It is split evenly among the other members; what does not divide goes to nobody.
 */
import type { DeviceId } from "../identity/Id.ts"
import * as Authority from "./Authority.ts"
import * as Budget from "./Budget.ts"
import type * as Fact from "./Fact.ts"
import * as FlowLimit from "./FlowLimit.ts"
import { budgetLeasesMax } from "./limits.ts"

export interface Plan {
  readonly epoch: number
  /** What a fully trusted peer may be sent in an epoch, in units (trust/FlowLimit.ts). */
  readonly base: number
}

/** One budget for each member that nothing ended, creator first. None for a peer that has one for this epoch already. */
export const budgets = (authority: Authority.Authority, { base, epoch }: Plan): ReadonlyArray<Fact.Budget> => {
  const members = Authority.members(authority).flatMap(({ device, revoked }) => (revoked ? [] : [device]))
  const said = Budget.saidIn(authority)
  return members
    .filter((peer) => !said.some(({ counts, fact }) => counts && isFor(fact, peer, epoch)))
    .map((peer) => {
      const limit = limitOf(authority, said, peer, { base, epoch })
      const senders = members.filter((device) => device !== peer).slice(0, budgetLeasesMax)
      const amount = senders.length === 0 ? 0 : Math.floor(limit / senders.length)
      return { _tag: "Budget", peer, epoch, limit, leases: senders.map((device) => ({ device, amount })) }
    })
}

const isFor = (fact: Budget.Said["fact"], peer: DeviceId, epoch: number): boolean =>
  fact._tag === "Budget" && fact.peer === peer && fact.epoch === epoch

/** The limit of one peer. */
export const limitOf = (
  authority: Authority.Authority,
  said: ReadonlyArray<Budget.Said>,
  peer: DeviceId,
  { base, epoch }: Plan
): number => {
  const { value } = Authority.trustIn(authority, Authority.present(authority), peer)
  const reporters = new Set(
    Authority.regimeNow(authority).limits.flatMap(({ fact, node }) =>
      fact._tag === "Report" && fact.device === peer ? [node.feed.device] : []
    )
  )
  const before = Budget.sums(said).findLast((sum) => sum.peer === peer && sum.epoch < epoch)
  const sent = before?.spent ?? 0
  const received = before === undefined ? 0 : spentBy(said, peer, before.epoch)
  const reciprocity = FlowLimit.reciprocityFrom(base, sent, received)
  return FlowLimit.limitFrom({ base, value, reciprocity, reports: reporters.size })
}

/** What a device says that it spent in an epoch, on all its peers. */
const spentBy = (said: ReadonlyArray<Budget.Said>, device: DeviceId, epoch: number): number =>
  said.reduce(
    (sum, { author, counts, fact }) =>
      counts && author === device && fact._tag === "Summary" && fact.epoch === epoch ? sum + fact.spent : sum,
    0
  )
