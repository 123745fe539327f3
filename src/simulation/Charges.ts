/**
 * The part of the witness that counts money: nothing that tells of a space leaves without a charge, and what all devices
 * spend on a peer in an hour stays within the limit.
 *
 * What left is counted here from the messages themselves; what was charged is read from the sender's account, which is one
 * object for as long as its process lives. Of the first message that is seen of an account nothing can be said but that
 * there is one.
 */
import { short, type DeviceId } from "../identity/Id.ts"
import type { Account } from "../runtime/Account.ts"
import * as Guard from "../runtime/Guard.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Summaries from "../runtime/Summaries.ts"
import * as Message from "../sync/Message.ts"
import * as Budget from "../trust/Budget.ts"

export interface Charges {
  /** What is wrong about a message that leaves. */
  readonly sends: (name: string, replica: Replica, to: DeviceId, message: Message.Message) => string | undefined
  /** The most that all devices together spent on one peer in one hour. */
  readonly most: () => number
}

export const make = (): Charges => {
  const seen = new WeakMap<Account, { readonly before: number; paid: number }>()
  /** By hour and peer, what each device spent. */
  const spentBy = new Map<string, Map<string, Spender>>()
  let most = 0
  return {
    most: () => most,
    sends: (name, replica, to, message) => {
      if (!Guard.isTelling(message) || Summaries.isOfSummaries(replica.ledger(), message)) return undefined
      const account = replica.spending.known(to)
      if (account === undefined) return `${name} sends ${message._tag} to ${short(to)} without an account`
      const cost = Budget.costOf(Message.encode(message).length)
      const spent = account.spent().reduce((all, one) => all + one.spent, 0)
      const known = seen.get(account) ?? { before: spent - cost, paid: 0 }
      seen.set(account, known)
      known.paid += cost
      if (spent - known.before < known.paid)
        return `${name} sends ${message._tag} to ${short(to)}: ${known.paid} units, of which it paid ${spent - known.before}`
      for (const { epoch, spent } of account.spent()) {
        const limit = limitOf(replica, to, epoch)
        const byName = spentBy.get(`${epoch} ${to}`) ?? new Map<string, Spender>()
        const before = byName.get(name) ?? { spent: 0, isAware: limit !== undefined }
        spentBy.set(`${epoch} ${to}`, byName.set(name, { ...before, spent: Math.max(spent, before.spent) }))
        const all = sum([...byName.values()])
        most = Math.max(most, all)
        if (all > Math.max(limit ?? 0, Budget.limitDefault)) return tooMuch(to, epoch, all)
        const aware = sum([...byName.values()].filter(({ isAware }) => isAware))
        if (limit !== undefined && aware > limit) return tooMuch(to, epoch, aware)
      }
      return undefined
    }
  }
}

/** What a device spent, and whether it knew of a budget when it began. */
interface Spender {
  readonly spent: number
  readonly isAware: boolean
}

const sum = (spenders: ReadonlyArray<Spender>): number => spenders.reduce((all, { spent }) => all + spent, 0)

const tooMuch = (to: DeviceId, epoch: number, spent: number): string =>
  `all of them spent ${spent} units on ${short(to)} in hour ${epoch}, which is more than they may`

/** The limit that the first budget set, as far as a device knows of one. */
const limitOf = (replica: Replica, peer: DeviceId, epoch: number): number | undefined => {
  const { authority } = replica.ledger()
  const said = authority === undefined ? [] : Budget.saidIn(authority)
  const [first] = said
    .filter(({ counts, fact }) => counts && fact._tag === "Budget" && fact.peer === peer && fact.epoch === epoch)
    .toSorted((a, b) => a.time - b.time)
  return first?.fact._tag === "Budget" ? first.fact.limit : undefined
}
