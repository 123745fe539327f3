/**
 * Deciding who may do what: acts of people upon a space's authority, turned into facts and judged before they are written.
 *
 * An act says what somebody means ("Carol may no longer…"); its facts name the admission or grant that it hits and leave
 * alone all that is here. They are written only if they would count: what an act amounts to is found by supposing it in
 * a copy of the books (trust/WhatIf.ts), in the turn that writes it. What would be without effect is refused, and says
 * what is missing. `whatIf` answers the same question and writes nothing.
 *
 * Acts travel like everything else, with the next sync.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { short, type DeviceId, type EntryHash } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import * as Authority from "../trust/Authority.ts"
import { capability, implies, meet, type Capability } from "../trust/Capability.ts"
import * as Fact from "../trust/Fact.ts"
import * as Holding from "../trust/Holding.ts"
import * as Judge from "../trust/Judge.ts"
import type { Level, Severity } from "../trust/Level.ts"
import { cutPositionsMax } from "../trust/limits.ts"
import type { Policy } from "../trust/Policy.ts"
import * as WhatIf from "../trust/WhatIf.ts"
import * as Cut from "./Cut.ts"
import type { Ledger } from "./Ledger.ts"
import type { Replica } from "./Replica.ts"
import type { Written, WriteError } from "./Write.ts"

/** What somebody decides. */
export type Act =
  | { readonly _tag: "Grant"; readonly device: DeviceId; readonly rights: ReadonlyArray<Fact.Right> }
  /** Puts a device out for good. */
  | { readonly _tag: "Revoke"; readonly device: DeviceId; readonly reason: string }
  /** Takes back what a device was granted: everything, or so much of it as `what` says. */
  | {
      readonly _tag: "Withdraw"
      readonly device: DeviceId
      readonly what: Withdrawn
      readonly reason: string
    }
  /** A device may use no more than this, whatever it is granted. */
  | {
      readonly _tag: "Limit"
      readonly device: DeviceId
      readonly ceiling: ReadonlyArray<Capability>
      readonly reason: string
    }
  | {
      readonly _tag: "SetPolicy"
      readonly app: string
      readonly operation: string
      readonly policy: Policy | undefined
      readonly reason: string
    }
  | { readonly _tag: "Relate"; readonly device: DeviceId; readonly level: Level }
  | { readonly _tag: "Attest"; readonly device: DeviceId; readonly claim: string }
  | { readonly _tag: "Lower"; readonly device: DeviceId; readonly level: Level; readonly reason: string }
  | { readonly _tag: "Report"; readonly device: DeviceId; readonly severity: Severity; readonly reason: string }
  /** Takes a restriction back. */
  | { readonly _tag: "Lift"; readonly entry: EntryHash; readonly index: number }
  /** Of a feed with two histories names the one that counts, and up to where. */
  | { readonly _tag: "Settle"; readonly position: Position }

/** All grants, those of one entry, or what lets the device do these and nothing else. */
export type Withdrawn = "everything" | { readonly grant: EntryHash } | { readonly can: ReadonlyArray<Capability> }

/** The act would be without effect, so nothing was written. */
export class ActDenied extends Data.TaggedError("ActDenied")<{
  readonly act: Act["_tag"]
  readonly what: string
  /** What whoever asked may do about it. */
  readonly do: string
}> {
  override get message(): string {
    return this.what
  }
}

export interface Governed {
  readonly facts: ReadonlyArray<Fact.AuthorityFact>
  /** Who gains or loses by it. */
  readonly changes: ReadonlyArray<WhatIf.Change>
}

/** Writes what an act means, if it counts: durable when it succeeds. */
export const perform = (
  replica: Replica,
  self: DeviceId,
  act: Act
): Effect.Effect<Written<Governed>, ActDenied | WriteError> =>
  replica.write<Governed, ActDenied>({
    kind: "authority",
    request: undefined,
    prepare: ({ ledger, time }) =>
      Result.map(weigh(ledger, self, act, time), ({ facts, changes }) => ({
        definition: undefined,
        facts: facts.map(Fact.encode),
        answer: { facts, changes }
      }))
  })

/** What would change if a device did this now. `time` = entry time. Nothing is written. */
export const whatIf = (ledger: Ledger, self: DeviceId, act: Act, time: number): Result.Result<Governed, ActDenied> =>
  weigh(ledger, self, act, time)

const weigh = (ledger: Ledger, self: DeviceId, act: Act, time: number): Result.Result<Governed, ActDenied> => {
  const { authority } = ledger
  if (authority === undefined) return deny(act, "this space is not known here yet", "sync first")
  const facts = factsOf(ledger, authority, self, act, time)
  if (Result.isFailure(facts)) return Result.fail(facts.failure)
  const after = WhatIf.suppose(authority, self, facts.success, time)
  const owner = act._tag === "Settle" ? ledger.lines.get(act.position.feed)?.feed.device : undefined
  const fault = faultOf(after, self, act, facts.success, time) ?? unsettled(after, act, owner)
  if (fault !== undefined) return Result.fail(fault)
  const [definition] = Authority.definitions(authority).toReversed()
  return Result.succeed({ facts: facts.success, changes: WhatIf.compare(authority, after, definition, time) })
}

const deny = (act: Act, what: string, remedy: string): Result.Result<never, ActDenied> =>
  Result.fail(new ActDenied({ act: act._tag, what, do: remedy }))

type Facts = Result.Result<ReadonlyArray<Fact.AuthorityFact>, ActDenied>

const factsOf = (ledger: Ledger, authority: Authority.Authority, self: DeviceId, act: Act, time: number): Facts => {
  switch (act._tag) {
    case "Grant":
    case "Relate":
    case "Attest":
    case "Lift":
      return Result.succeed([act])
    case "Settle":
      return Result.succeed([{ _tag: "Settle", ...act.position }])
    case "Revoke":
      return onMember(authority, act, (admission) => {
        const mayTakeBack = may(authority, self, `device:rollback/${act.device}`, time)
        // who may not take back what he has seen leaves the first of several histories alone: the others end all the same
        const cut = Cut.everythingOf(ledger, new Set([act.device]), mayTakeBack ? "shared" : "first")
        return Result.succeed([{ ...act, admission, cut }])
      })
    case "Withdraw":
      return withdrawn(ledger, authority, self, act, time)
    case "Limit":
      return onMember(authority, act, (admission) =>
        withCut(ledger, act, new Set([act.device]), (cut) => [
          {
            _tag: "Refine",
            device: act.device,
            admission,
            grant: undefined,
            ceiling: act.ceiling,
            cut,
            reason: act.reason
          }
        ])
      )
    case "SetPolicy":
      return withCut(ledger, act, undefined, (cut) => [{ ...act, cut }])
    case "Lower":
    case "Report":
      return onMember(authority, act, (admission) =>
        withCut(ledger, act, undefined, (cut) => [{ ...act, admission, cut }])
      )
  }
}

const onMember = (
  authority: Authority.Authority,
  act: Act & { readonly device: DeviceId },
  then: (admission: EntryHash) => Facts
): Facts => {
  const admission = Authority.admissionOf(authority, act.device)
  if (admission === undefined)
    return deny(act, `device ${short(act.device)} is no member of this space`, "name a member")
  if (act._tag === "Revoke" && Authority.isRevoked(authority, act.device))
    return deny(act, `device ${short(act.device)} is revoked already`, "there is nothing left to do")
  return then(admission.hash)
}

/** Leaves alone what is here of these devices' feeds, or of all. */
const withCut = (
  ledger: Ledger,
  act: Act,
  devices: ReadonlySet<DeviceId> | undefined,
  then: (cut: ReadonlyArray<Position>) => ReadonlyArray<Fact.AuthorityFact>
): Facts => {
  const cut = Cut.everythingOf(ledger, devices)
  return cut.length <= cutPositionsMax
    ? Result.succeed(then(cut))
    : deny(
        act,
        `this reaches ${cut.length} feeds, and a restriction can leave ${cutPositionsMax} alone`,
        "restrict devices one by one: what it can't name it would take back"
      )
}

/** One fact for each grant that the act is about. */
const withdrawn = (
  ledger: Ledger,
  authority: Authority.Authority,
  self: DeviceId,
  act: Extract<Act, { readonly _tag: "Withdraw" }>,
  time: number
): Facts => {
  const { device, reason, what } = act
  const all = Authority.grantsTo(authority, device)
  const grants = typeof what === "object" && "grant" in what ? [what.grant] : all
  const reduced = grants.flatMap((grant) => {
    const left = typeof what === "object" && "can" in what ? leftOf(authority, device, grant, what.can) : []
    return left === "untouched" ? [] : [{ grant, left }]
  })
  if (reduced.length === 0)
    return deny(act, `device ${short(device)} holds none of this by a grant`, "there is nothing to withdraw")
  const wide = reduced.flatMap(({ left }) => (typeof left === "string" ? [left] : []))
  if (wide[0] !== undefined)
    return deny(
      act,
      `device ${short(device)} holds ${wide[0]}, of which a part can't be taken`,
      "withdraw everything, then grant what shall stay"
    )
  const isTaken = takenFrom(authority, self, device, time)
  const standing = reduced.filter(({ grant, left }) => !isTaken(grant, left as ReadonlyArray<Capability>))
  if (standing.length === 0)
    return deny(act, `this is withdrawn from device ${short(device)} already`, "there is nothing left to do")
  return withCut(ledger, act, Authority.descendants(authority, device), (cut) =>
    standing.map(({ grant, left }): Fact.AuthorityFact =>
      left.length === 0
        ? { _tag: "Ungrant", device, grant, cut, reason }
        : {
            _tag: "Refine",
            device,
            admission: undefined,
            grant,
            ceiling: left as ReadonlyArray<Capability>,
            cut,
            reason
          }
    )
  )
}

/** Whether nothing but this is left of a grant to a device, by a withdrawal that one of `self` would add nothing to. */
const takenFrom = (authority: Authority.Authority, self: DeviceId, device: DeviceId, time: number) => {
  const mayTakeAll = may(authority, self, `delegation:revoke/${device}`, time)
  const limits = unlifted(authority).filter(
    ({ node, reach }) => reach === "all" || (node.feed.device === self && !mayTakeAll)
  )
  return (grant: EntryHash, left: ReadonlyArray<Capability>): boolean =>
    limits.some(({ fact }) => {
      if ((fact._tag !== "Ungrant" && fact._tag !== "Refine") || fact.grant !== grant || fact.device !== device)
        return false
      if (fact._tag === "Ungrant") return true
      return left.length > 0 && fact.ceiling.every((one) => left.some((other) => implies(other, one)))
    })
}

/** The capabilities of a grant that stay when it shall no longer give these; the one of which a part would have to. */
const leftOf = (
  authority: Authority.Authority,
  device: DeviceId,
  grant: EntryHash,
  can: ReadonlyArray<Capability>
): ReadonlyArray<Capability> | Capability | "untouched" => {
  const given = (authority.nodes.get(grant)?.facts ?? []).flatMap((fact) =>
    fact._tag === "Grant" && fact.device === device ? fact.rights.map((right) => right.capability) : []
  )
  if (!given.some((one) => can.some((taken) => meet(one, taken) !== undefined))) return "untouched"
  const left = given.filter((one) => !can.some((taken) => implies(taken, one)))
  return left.find((one) => can.some((taken) => implies(one, taken))) ?? left
}

const may = (authority: Authority.Authority, device: DeviceId, wanted: string, time: number): boolean =>
  Authority.holds(authority, Authority.present(authority), device, capability(wanted), time) !== undefined

/** Why the supposed facts would not count; undefined when they do. */
const faultOf = (
  after: Authority.Authority,
  self: DeviceId,
  act: Act,
  facts: ReadonlyArray<Fact.AuthorityFact>,
  time: number
): ActDenied | undefined => {
  const view = Authority.present(after)
  const node = Authority.lastOf(view).find((head) => head.feed.device === self && head.facts === facts)
  const judge = Authority.judgeOf(after)
  const held = node === undefined ? undefined : Judge.verdict(judge, node)
  const denied = (what: string, remedy: string): ActDenied => new ActDenied({ act: act._tag, what, do: remedy })
  if (node === undefined || (held === undefined && act._tag !== "Revoke"))
    return denied("this device is no member of the space", "join it, or ask a member")
  if (facts.some(Fact.isRestriction)) {
    const standing = Authority.restrictions(after).filter((one) => one.node === node)
    return standing.length === facts.length ? undefined : denied(...lacking(act, self))
  }
  if (act._tag === "Lift" && !isLifted(after, act))
    return isOfPolicy(after, act)
      ? denied(
          "a policy is not lifted",
          'set another one: "aura policy set", with --defined for what the application demands by itself'
        )
      : denied(
          "this device may not lift that: who set it may, as long as he has what it took, or the recovery words",
          "ask who set it, or grant and relate anew what it took"
        )
  if (act._tag === "Grant") {
    const poor = act.rights.find((right) => !isGiven(held ?? [], right, time, node.hash))
    if (poor !== undefined)
      return denied(
        `this device can't give ${poor.capability}${poor.depth === 0 ? "" : ` to be passed on ${poor.depth} times`}`,
        'it can give what it holds with a depth of at least one more: "aura explain" shows what it holds'
      )
    if (!Authority.isAdmitted(after, view, act.device) || Authority.isRevoked(after, act.device))
      return denied(`device ${short(act.device)} is no member of this space`, "pair it first")
  }
  return undefined
}

const isOfPolicy = (after: Authority.Authority, { entry, index }: Extract<Act, { readonly _tag: "Lift" }>): boolean =>
  after.nodes.get(entry)?.facts[index]?._tag === "SetPolicy"

const unsettled = (after: Authority.Authority, act: Act, owner: DeviceId | undefined): ActDenied | undefined =>
  act._tag !== "Settle" || Authority.settlementOf(after, act.position.feed, owner)?.hash === act.position.hash
    ? undefined
    : new ActDenied({
        act: act._tag,
        what: "this device may not settle that feed: it needs device:revoke, and others who may must not have settled it otherwise",
        do: 'ask a device that may ("aura device list"), or settle it with the recovery words, which is the last word'
      })

const isLifted = (after: Authority.Authority, { entry, index }: Extract<Act, { readonly _tag: "Lift" }>): boolean => {
  const left = new Set<Authority.Restriction>(unlifted(after))
  return Authority.regimeNow(after).limits.some(
    (limit) => limit.node.hash === entry && limit.index === index && !left.has(limit)
  )
}

/** What limits whoever acts now. */
const unlifted = (authority: Authority.Authority): Authority.Regime["limits"] =>
  Judge.unlifted(Authority.judgeOf(authority), Authority.present(authority), Authority.regimeNow(authority)).limits

const isGiven = (held: ReadonlyArray<Holding.Held>, right: Fact.Right, time: number, hash: EntryHash): boolean =>
  held.some((one) => {
    const passed = Holding.pass(one, right, time, hash)
    return passed?.capability === right.capability && passed.depth === right.depth
  })

/** What a restriction that does not stand would have taken. */
const lacking = (act: Act, self: DeviceId): readonly [what: string, remedy: string] => {
  const ask = 'ask a device that may ("aura device list")'
  switch (act._tag) {
    case "Revoke":
      return [
        `this device may not revoke ${short(act.device)}: it needs device:revoke`,
        `${ask}, or use the recovery words: aura space recover --revoke DEVICE`
      ]
    case "Limit":
      return [`this device may not limit ${short(act.device)}: it needs device:revoke`, ask]
    case "Withdraw":
      return [
        `this device may not withdraw what ${short(act.device)} was granted: it gave none of it, and needs delegation:revoke`,
        ask
      ]
    case "SetPolicy":
      return [`this device may not change the policy of ${act.operation}: it needs policy:set`, ask]
    case "Report":
      return [
        `device ${short(self)} is not trusted enough to report others: it needs Medium`,
        "somebody who is trusted has to say so: aura trust relate"
      ]
    default:
      return ["this would not count", ask]
  }
}
