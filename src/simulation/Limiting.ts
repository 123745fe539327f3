/** What restrictions take from a right on its way along a chain of grants: for the oracle alone. */
import type { DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"
import { capability, implies, type Capability } from "../trust/Capability.ts"
import type * as Fact from "../trust/Fact.ts"
import type { Policy } from "../trust/Policy.ts"
import type { Relation } from "./Vouching.ts"

export interface Restriction {
  readonly entry: AuthorityEntry
  readonly fact: Fact.Restriction
  readonly index: number
}

export interface Standing extends Restriction {
  /** Of a restriction that only reaches what came from its author. */
  readonly isOwn: boolean
  /** Of a report: whom its author had seen trusted by whom. */
  readonly relations: ReadonlyArray<Relation>
}

/** A right in somebody's hand, what limits it there, and the entry that gave it to him. */
export interface Stop {
  readonly holder: DeviceId
  readonly limits: ReadonlyArray<Standing>
  readonly grant: AuthorityEntry | undefined
}

/** Whether nothing that limits a right on its way takes it away. */
export const isFree = (path: ReadonlyArray<Stop>, wanted: Capability): boolean =>
  path.every(({ holder, limits }, from) =>
    limits.every(({ entry, fact, isOwn }) => {
      if (fact._tag !== "Ungrant" && fact._tag !== "Refine") return true
      if (fact._tag === "Refine" && fact.ceiling.some((one) => implies(one, wanted))) return true
      const grant = grantOf(fact)
      if (grant === undefined) return fact.device !== holder
      const at = path.findIndex((stop, index) => index >= from && stop.grant?.hash === grant)
      if (at < 0 || path[at]!.holder !== fact.device) return true
      return isOwn && !path.slice(at + 1).some((stop) => stop.grant?.feed.device === entry.feed.device)
    })
  )

export const grantOf = (fact: Fact.Restriction): EntryHash | undefined =>
  fact._tag === "Ungrant" || fact._tag === "Refine" ? fact.grant : undefined

/** What lets anybody make a restriction; nothing lets anybody make a report. */
export const demandOf = (fact: Fact.Restriction): Capability | undefined => {
  if (fact._tag === "Report") return undefined
  if (fact._tag === "SetPolicy") return capability(`policy:set/${fact.operation}`)
  if (fact._tag === "Lower") return capability(`trust:lower/${fact.device}`)
  return capability(`${grantOf(fact) === undefined ? "device" : "delegation"}:revoke/${fact.device}`)
}

export const cutSeq = (fact: Fact.Restriction, feed: FeedId): number =>
  fact.cut.find((position) => position.feed === feed)?.seq ?? -1

/** Whether who holds this meets a policy that demands nothing but capabilities. */
export const meets = (policy: Policy, isHeld: (wanted: Capability) => boolean): boolean => {
  if (policy._tag === "All") return policy.of.every((one) => meets(one, isHeld))
  if (policy._tag === "Any") return policy.of.some((one) => meets(one, isHeld))
  if (policy._tag === "Capability" && policy.chainMax === undefined) return isHeld(policy.capability)
  throw new Error(`the oracle knows no demand of the kind ${policy._tag}`)
}
