/**
 * What restrictions reach: downwards only, along grants.
 *
 * A right knows the grants it came through, so whether a restriction on a grant reaches it is seen from the right alone:
 * the grant is one of them, to the device that is named. Of somebody who wrote neither that grant nor may revoke
 * delegations a restriction reaches only what came through a grant of his own before that one.
 */
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Book from "./Book.ts"
import { capability, meet, type Capability } from "./Capability.ts"
import type * as Fact from "./Fact.ts"
import * as Holding from "./Holding.ts"
import type * as Regime from "./Regime.ts"

/** Who may hold something through a grant to `device`, counting or not: itself and whom it gave anything, and so on. */
export const descendants = (book: Book.Book, device: DeviceId, view?: Book.View): ReadonlySet<DeviceId> => {
  const found = new Set([device])
  for (const giver of found) {
    for (const { fact, node } of book.gifts.get(giver) ?? [])
      if (view === undefined || Book.inView(view, node)) found.add(fact.device)
  }
  return found
}

/** The devices of which a restriction may change what they hold or whether they count; undefined: none of that. */
export const reachedBy = (book: Book.Book, { fact }: Book.Restriction): ReadonlySet<DeviceId> | undefined => {
  switch (fact._tag) {
    case "Revoke":
      return new Set([fact.device])
    case "Ungrant":
      return descendants(book, fact.device)
    case "Refine":
      return fact.grant === undefined ? new Set([fact.device]) : descendants(book, fact.device)
    case "SetPolicy":
    case "Lower":
    case "Report":
      return undefined
  }
}

/** The devices whose rights a restriction may set apart from each other (`lasting`), wherever its cut lies. */
export const parted = (book: Book.Book, { fact, node, reach }: Regime.Standing): ReadonlySet<DeviceId> => {
  if ((fact._tag !== "Ungrant" && fact._tag !== "Refine") || fact.grant === undefined) return new Set()
  const below = descendants(book, fact.device)
  return reach === "all" ? below : new Set([...below, ...descendants(book, node.feed.device)])
}

/** What limits leave of a right of a device. */
export const limited = (
  book: Book.Book,
  limits: ReadonlyArray<Regime.Standing<Regime.Limit>>,
  device: DeviceId,
  right: Holding.Held
): ReadonlyArray<Holding.Held> => {
  let left: ReadonlyArray<Holding.Held> = [right]
  for (const limit of limits) {
    if (!takes(book, limit, device, right)) continue
    if (limit.fact._tag === "Ungrant") return []
    if (limit.fact._tag === "Refine") left = under(left, limit.fact.ceiling)
  }
  return left
}

/** Whether a limit takes something of a right away. */
export const takes = (
  book: Book.Book,
  { fact, node, reach }: Regime.Standing<Regime.Limit>,
  device: DeviceId,
  { through }: Holding.Held
): boolean => {
  if (fact._tag !== "Ungrant" && fact._tag !== "Refine") return false
  if (fact.grant === undefined) return fact.device === device
  const place = through.indexOf(fact.grant)
  if (place < 0 || granteeAt(book, through, place, device) !== fact.device) return false
  return reach === "all" || through.slice(0, place).some((hash) => authorOf(book, hash) === node.feed.device)
}

/**
 * How rights are compared under all limits that stand, whichever of them a position has: one lasts where another does if
 * no limit on a grant takes it, now or once it was passed on, that does not take the other as well. Chains through a
 * grant of the one who is `watched` are kept beside those that have none.
 */
export const lasting = (
  book: Book.Book,
  all: ReadonlyArray<Regime.Standing<Regime.Limit>>,
  device: DeviceId,
  watched: DeviceId | undefined
): Holding.Lasting => {
  const limits = all.filter(
    ({ fact }) => (fact._tag === "Ungrant" || fact._tag === "Refine") && fact.grant !== undefined
  )
  if (limits.length === 0 && watched === undefined) return always
  const isThrough = ({ through }: Holding.Held, giver: DeviceId): boolean =>
    through.some((hash) => authorOf(book, hash) === giver)
  return (one, other) =>
    (watched === undefined || isThrough(one, watched) || !isThrough(other, watched)) &&
    limits.every((limit) => {
      if (takes(book, limit, device, other)) return true
      if (takes(book, limit, device, one)) return false
      const giver = limit.node.feed.device
      return limit.reach === "all" || !isThrough(one, giver) || isThrough(other, giver)
    })
}

const always: Holding.Lasting = () => true

/** To whom the grant at this place of a chain was made: who passed it on, or who holds the right. */
const granteeAt = (
  book: Book.Book,
  through: ReadonlyArray<EntryHash>,
  place: number,
  device: DeviceId
): DeviceId | undefined => {
  const next = through[place + 1]
  return next === undefined ? device : authorOf(book, next)
}

const authorOf = (book: Book.Book, hash: EntryHash): DeviceId | undefined => book.nodes.get(hash)?.feed.device

const under = (rights: ReadonlyArray<Holding.Held>, ceiling: ReadonlyArray<Capability>): ReadonlyArray<Holding.Held> =>
  rights.flatMap((right) =>
    ceiling.flatMap((one) => {
      const common = meet(right.capability, one)
      return common === undefined ? [] : [{ ...right, capability: common }]
    })
  )

/** The capability by which anybody may make a restriction; what else lets him stands in trust/Strata.ts. */
export const demandOf = (fact: Fact.Restriction): Capability | undefined => {
  switch (fact._tag) {
    case "Revoke":
      return capability(`device:revoke/${fact.device}`)
    case "Ungrant":
      return capability(`delegation:revoke/${fact.device}`)
    case "Refine":
      return capability(`${fact.grant === undefined ? "device:revoke" : "delegation:revoke"}/${fact.device}`)
    case "SetPolicy":
      return capability(`policy:set/${fact.operation}`)
    case "Lower":
      return capability(`trust:lower/${fact.device}`)
    case "Report":
      return undefined
  }
}

/** Whether the author of an entry made a grant with it, or got it. */
export const isParty = (book: Book.Book, fact: Fact.Ungrant | Fact.Refine, author: DeviceId): boolean =>
  author === fact.device || (fact.grant !== undefined && authorOf(book, fact.grant) === author)

/** Whether a restriction can be taken back: a revocation is for good, and a policy is replaced by another. */
export const isLiftable = ({ _tag }: Fact.Restriction): boolean => _tag !== "Revoke" && _tag !== "SetPolicy"

/** Whether who made a limit still has what that took, so that he may lift it. */
export const mayStill = (
  book: Book.Book,
  { fact, node, reach }: Regime.Standing<Regime.Limit>,
  held: ReadonlyArray<Holding.Held>,
  time: number
): boolean => {
  if (reach === "own" || fact._tag === "Report") return true
  if ((fact._tag === "Ungrant" || fact._tag === "Refine") && isParty(book, fact, node.feed.device)) return true
  const demand = demandOf(fact)
  return demand !== undefined && Holding.covering(held, demand, time) !== undefined
}
