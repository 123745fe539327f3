/**
 * What an operation type demands of whoever performs it, as data: a tree of demands joined by all and any.
 *
 * It says nothing about which operation: that is its place in a definition (trust/Definition.ts) or in an
 * `aura.policy.set` (trust/Fact.ts). Evaluating it is `Decision.decide`. On the wire:
 *
 *     ["all", [policy…]]  ["any", [policy…]]     nothing in "all": every member may; nothing in "any": nobody
 *     ["capability", text, null | chain]         held on the operation's resource; through at most `chain` grants
 *     ["trust", level]                           0 none, 1 low, 2 medium, 3 high
 *     ["attested", count]                        by so many who count for it (trust/Trust.ts)
 *     ["within", from | null, until | null]      in entry time, both inclusive
 *     ["hours", {from, to, offset}]              trust/Hours.ts
 */
import type * as Cbor from "../journal/Cbor.ts"
import { capability, type Capability } from "./Capability.ts"
import * as Hours from "./Hours.ts"
import { policyBranchesMax, policyDepthMax, grantDepthMax } from "./limits.ts"
import type { Shape } from "./Payload.ts"
import * as Payload from "./Payload.ts"
import { attestersMax } from "./Trust.ts"
import { levels, type Level } from "./Level.ts"

export type Policy = All | Any | Demand

export interface All {
  readonly _tag: "All"
  readonly of: ReadonlyArray<Policy>
}
export interface Any {
  readonly _tag: "Any"
  readonly of: ReadonlyArray<Policy>
}

/** What is asked for and is not made of others. */
export type Demand =
  | { readonly _tag: "Capability"; readonly capability: Capability; readonly chainMax: number | undefined }
  | { readonly _tag: "Trust"; readonly level: Level }
  | { readonly _tag: "Attested"; readonly count: number }
  | { readonly _tag: "Within"; readonly from: number | undefined; readonly until: number | undefined }
  | { readonly _tag: "Hours"; readonly hours: Hours.Hours }

/** What an application's author may say in one breath; all of it is demanded. */
export interface Source {
  /** All of them, each on the operation's resource if it names one. */
  readonly capabilities?: ReadonlyArray<string>
  /** Grants that each of these capabilities may have passed through, from the space's founder on. */
  readonly chainMax?: number
  readonly minTrust?: Level
  /** How many attestations, as they count for trust: at most 5, each from another corner of the web. */
  readonly attestations?: number
  readonly hours?: Hours.Hours
  /** Entry time, both inclusive. */
  readonly from?: number
  readonly until?: number
}

/** Dies on text that is no capability: policies are written by the application's author. */
export const make = ({ attestations, capabilities = [], chainMax, from, hours, minTrust, until }: Source): Policy => {
  const of: Array<Policy> = capabilities.map((text) => ({ _tag: "Capability", capability: capability(text), chainMax }))
  if (minTrust !== undefined) of.push({ _tag: "Trust", level: minTrust })
  if (attestations !== undefined) of.push({ _tag: "Attested", count: attestations })
  if (from !== undefined || until !== undefined) of.push({ _tag: "Within", from, until })
  if (hours !== undefined) of.push({ _tag: "Hours", hours })
  return { _tag: "All", of }
}

/** Everything that each of them demands. */
export const all = (...of: ReadonlyArray<Policy>): Policy => ({ _tag: "All", of })

/** What one of them demands. */
export const any = (...of: ReadonlyArray<Policy>): Policy => ({ _tag: "Any", of })

/** Its capabilities, where it demands all of some and nothing else: what definitions of version 1 can say. */
export const plainCapabilities = (policy: Policy): ReadonlyArray<Capability> | undefined => {
  if (policy._tag !== "All") return undefined
  const plain = policy.of.flatMap((one) =>
    one._tag === "Capability" && one.chainMax === undefined ? [one.capability] : []
  )
  return plain.length === policy.of.length ? plain : undefined
}

/** Whether somewhere in it trust or attestations are asked for. */
export const asksTrust = (policy: Policy): boolean =>
  policy._tag === "All" || policy._tag === "Any"
    ? policy.of.some(asksTrust)
    : policy._tag === "Trust" || policy._tag === "Attested"

const level = Payload.word(levels)
const chain = Payload.optional(Payload.integer(0, grantDepthMax))
const attested = Payload.integer(1, attestersMax)

export const shape: Shape<Policy> = {
  write: (policy) => {
    switch (policy._tag) {
      case "All":
        return ["all", policy.of.map(shape.write)]
      case "Any":
        return ["any", policy.of.map(shape.write)]
      case "Capability":
        return ["capability", policy.capability, chain.write(policy.chainMax)]
      case "Trust":
        return ["trust", level.write(policy.level)]
      case "Attested":
        return ["attested", policy.count]
      case "Within":
        return ["within", policy.from ?? null, policy.until ?? null]
      case "Hours":
        return ["hours", Hours.shape.write(policy.hours)]
    }
  },
  read: (value) => read(value, policyDepthMax, { left: policyBranchesMax })
}

/** `room.left`: how many more demands the whole policy may have. */
const read = (value: Cbor.Cbor, depthLeft: number, room: { left: number }): Policy | Payload.Misfit => {
  if (!Array.isArray(value)) return new Payload.Misfit("is no policy")
  if (--room.left < 0) return new Payload.Misfit(`has more than ${policyBranchesMax} demands`)
  const [kind, first, second = null] = value as ReadonlyArray<Cbor.Cbor>
  const arity = kind === "capability" || kind === "within" ? 3 : 2
  if (first === undefined || value.length !== arity) return new Payload.Misfit("is no policy")
  switch (kind) {
    case "all":
    case "any": {
      if (!Array.isArray(first)) return new Payload.Misfit("has branches that are no list")
      if (depthLeft === 0) return new Payload.Misfit(`is nested deeper than ${policyDepthMax}`)
      const of: Array<Policy> = []
      for (const one of first as ReadonlyArray<Cbor.Cbor>) {
        const branch = read(one, depthLeft - 1, room)
        if (branch instanceof Payload.Misfit) return branch
        of.push(branch)
      }
      return { _tag: kind === "all" ? "All" : "Any", of }
    }
    case "capability":
      return fit(Payload.capability.read(first), (text) =>
        fit(chain.read(second), (chainMax) => ({ _tag: "Capability", capability: text, chainMax }))
      )
    case "trust":
      return fit(level.read(first), (wanted) => ({ _tag: "Trust", level: wanted }))
    case "attested":
      return fit(attested.read(first), (count) => ({ _tag: "Attested", count }))
    case "within":
      return fit(Payload.optionalTime.read(first), (from) =>
        fit(Payload.optionalTime.read(second), (until) => ({ _tag: "Within", from, until }))
      )
    case "hours":
      return fit(Hours.shape.read(first), (hours) => ({ _tag: "Hours", hours }))
    default:
      return new Payload.Misfit("is a demand of a kind that is unknown here")
  }
}

const fit = <Value, Next>(value: Value | Payload.Misfit, next: (value: Value) => Next): Next | Payload.Misfit =>
  value instanceof Payload.Misfit ? value : next(value)
