/**
 * How much each device of a space may spend on sending to a peer in an epoch, as a function of the facts it has seen.
 *
 * A message that tells of a space costs `messageCost` and one unit for each started `unitBytes`. The limit is per (space,
 * peer, epoch); the epoch is the hour of the device's own clock, never merged and never taken from anybody. Each device
 * spends its own lease and nothing else, so what all of them spend is bounded while no two can talk to each other:
 *
 *   base(d)  = shareDefault, where no budget of the peer and epoch is known; else the least that any of them leases to d,
 *              0 where d is not named. What a budget leases beyond shareDefault counts only if all that it adds to
 *              shares fits into what its limit adds to limitDefault, for whoever has not heard of it spends a share.
 *   lease(d) = base(d) and what it was given, without what it gave. Gives count in the order of their times, each as far
 *              as the giver still has what it gives; the giver's own loss counts at once and whatever becomes of the entry.
 *
 * Laws (test/trust/Budget.test.ts), for one budget authority whose facts are one history, and any subsets of the facts that
 * hold with a fact those that its author said before, and each device's own: the leases that all devices see sum up to at
 * most limitDefault or the first budget's limit, whichever is more; to at most the limit of any budget that all of them
 * know; budgets only lower a lease; gives create nothing.
 *
 * Where the authority changes hands, or a giver signs two histories, each history keeps to its own limit. More than
 * `leaseSlots` devices need budgets that name them.
 */
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Authority from "./Authority.ts"
import type * as Fact from "./Fact.ts"
import * as Judge from "./Judge.ts"

/** A fact about budgets, and who said it when. */
export interface Said {
  readonly fact: Fact.Budget | Fact.Give | Fact.Summary
  readonly author: DeviceId
  readonly time: number
  readonly hash: EntryHash
  /** Its author was who may say it. What a giver gave it has lost all the same. */
  readonly counts: boolean
}

/** Length of an epoch. */
export const epochMillis = 3_600_000

/** What a message costs that tells of a space, whatever its length. */
export const messageCost = 1

/** Bytes of such a message that cost one unit more, begun or full. */
export const unitBytes = 1024

/** Units that all devices of a space together may spend on one peer in an epoch, unless a budget says otherwise. */
export const limitDefault = 2 ** 28

/** Devices among which the limit is split where no budget is known: a fixed number, for views of membership differ. */
export const leaseSlots = 256

/** What each device may spend then. */
export const shareDefault = Math.floor(limitDefault / leaseSlots)

export const epochOf = (millis: number): number => Math.floor(millis / epochMillis)

/** Milliseconds until the epoch ends. */
export const restMillis = (millis: number): number => (epochOf(millis) + 1) * epochMillis - millis

/** What a message of so many bytes costs. */
export const costOf = (bytes: number): number => messageCost + Math.ceil(bytes / unitBytes)

/** What a device may spend on a peer in an epoch, all in all, as far as these facts tell. */
export const lease = (said: ReadonlyArray<Said>, device: DeviceId, peer: DeviceId, epoch: number): number => {
  const about = said.filter(({ fact }) => fact.peer === peer && fact.epoch === epoch)
  if (about.length === 0) return shareDefault
  const budgets = about.flatMap(({ counts, fact }) => (counts && fact._tag === "Budget" ? [fact] : []))
  const gained = new Map<DeviceId, number>()
  const has = (one: DeviceId): number => baseOf(budgets, one) + (gained.get(one) ?? 0)
  const move = (one: DeviceId, amount: number): void => void gained.set(one, (gained.get(one) ?? 0) + amount)
  for (const { author, counts, fact } of about.toSorted(byTime)) {
    if (fact._tag !== "Give") continue
    const given = Math.min(has(author), fact.amount)
    move(author, -given)
    if (counts) move(fact.to, given)
  }
  return has(device)
}

const baseOf = (budgets: ReadonlyArray<Fact.Budget>, device: DeviceId): number =>
  budgets.length === 0 ? shareDefault : Math.min(...budgets.map((budget) => leased(budget, device)))

/** What a budget leases to a device, as far as there is room for it beside the shares of those who do not know it. */
const leased = ({ leases, limit }: Fact.Budget, device: DeviceId): number => {
  const amount = leases.find((one) => one.device === device)?.amount ?? 0
  const added = leases.reduce((sum, one) => sum + Math.max(0, one.amount - shareDefault), 0)
  return added <= Math.max(0, limit - limitDefault) ? amount : Math.min(amount, shareDefault)
}

/** What all devices together spent on one peer in an epoch, as far as they said. */
export interface Sum {
  readonly peer: DeviceId
  readonly epoch: number
  readonly spent: number
  readonly receipts: number
  /** How many devices said so. */
  readonly devices: number
}

/** The sums of what was summed up, by epoch and peer; of two summaries of one device the higher counts. */
export const sums = (said: ReadonlyArray<Said>): ReadonlyArray<Sum> => {
  const most = new Map<string, Said & { readonly fact: Fact.Summary }>()
  for (const one of said) {
    const { counts, fact } = one
    if (!counts || fact._tag !== "Summary") continue
    const key = `${fact.epoch} ${fact.peer} ${one.author}`
    const known = most.get(key)?.fact
    if (known === undefined || known.spent < fact.spent) most.set(key, { ...one, fact })
  }
  const byPeer = new Map<string, Sum>()
  for (const { fact } of most.values()) {
    const { epoch, peer, receipts, spent } = fact
    const sum = byPeer.get(`${epoch} ${peer}`) ?? { peer, epoch, spent: 0, receipts: 0, devices: 0 }
    byPeer.set(`${epoch} ${peer}`, {
      ...sum,
      spent: sum.spent + spent,
      receipts: sum.receipts + receipts,
      devices: sum.devices + 1
    })
  }
  return [...byPeer.values()].sort((a, b) => a.epoch - b.epoch || (a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0))
}

/** What stands in the books about budgets. Remembered with them, since they never change. */
export const saidIn = (authority: Authority.Authority): ReadonlyArray<Said> => {
  const known = saidBy.get(authority)
  if (known !== undefined) return known
  const { book, count } = authority.memo
  const judge = Authority.judgeOf(authority)
  const said = book.flows.flatMap(({ fact, node }) => {
    if (node.number >= count) return []
    const author = node.feed.device
    const may = fact._tag !== "Budget" || isBudgetAuthority(authority, author)
    const counts = may && Judge.verdict(judge, node) !== undefined
    return [{ fact, author, time: node.time, hash: node.hash, counts }]
  })
  saidBy.set(authority, said)
  return said
}

const saidBy = new WeakMap<Authority.Authority, ReadonlyArray<Said>>()

/** Whose budgets count: the creator's, and root's once the creator was put out. */
export const isBudgetAuthority = (authority: Authority.Authority, device: DeviceId): boolean => {
  const { creator, root } = authority.genesis
  return device === creator || (device === root && Authority.isRevoked(authority, creator))
}

const byTime = (a: Said, b: Said): number => a.time - b.time || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)
