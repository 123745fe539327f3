/**
 * What a policy says about an operation, with the evidence: allowed because of these links, denied because of that one.
 *
 * One function judges a local request, a remote request and a fact arriving by sync: `decide`. It reads an authority
 * snapshot, the restrictions against the position (its regime) and what the operation would change, nothing else, so
 * equal inputs give equal decisions on every device. A decision is data; trust/Wording.ts says it to people.
 *
 * Laws (test/trust/Decision.test.ts): a policy of all is the meet of its parts and one of any their join; who is allowed
 * under a policy is allowed under every part of it; deciding with a `Standing` decides alike.
 */
import * as Result from "effect/Result"
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import type { Touch } from "../journal/crdt/Crdt.ts"
import * as State from "../journal/crdt/State.ts"
import * as Writes from "../journal/crdt/Writes.ts"
import * as Authority from "./Authority.ts"
import { isCapability, type Capability } from "./Capability.ts"
import type { Definition, Operation } from "./Definition.ts"
import * as Holding from "./Holding.ts"
import * as Hours from "./Hours.ts"
import { isAtLeast, type Level } from "./Level.ts"
import type { Demand, Policy } from "./Policy.ts"
import * as Right from "./Right.ts"
import type * as Trust from "./Trust.ts"

/** Something that was demanded, and what met it. */
export type Ground =
  | { readonly _tag: "Capability"; readonly needed: Capability; readonly right: Authority.Held }
  | { readonly _tag: "Trust"; readonly needed: Level; readonly standing: Trust.Standing }
  | { readonly _tag: "Attested"; readonly needed: number; readonly attesters: ReadonlyArray<DeviceId> }
  | { readonly _tag: "Time"; readonly demand: Timely }

export type Timely = Extract<Demand, { readonly _tag: "Within" | "Hours" }>

export interface Allowed {
  readonly _tag: "Allowed"
  readonly because: ReadonlyArray<Ground>
}

export interface Denied {
  readonly _tag: "Denied"
  readonly because: Refusal
}

export type Decision = Allowed | Denied

/** Why not. Each names the link that broke. */
export type Refusal =
  | { readonly _tag: "Malformed"; readonly what: string }
  | { readonly _tag: "NotAdmitted"; readonly device: DeviceId }
  | {
      readonly _tag: "Revoked"
      readonly device: DeviceId
      readonly by: DeviceId
      readonly entry: EntryHash
      readonly reason: string
    }
  /** So many severe reports that nothing it does counts. */
  | { readonly _tag: "Terminated"; readonly device: DeviceId; readonly reports: ReadonlyArray<EntryHash> }
  | { readonly _tag: "Forked"; readonly feed: FeedId; readonly at: number }
  /** Its own device says that this feed ended before. */
  | { readonly _tag: "Closed"; readonly feed: FeedId; readonly by: DeviceId }
  | { readonly _tag: "TimeNotAbove"; readonly seen: EntryHash }
  | { readonly _tag: "UnknownDefinition"; readonly definition: DefinitionId }
  | { readonly _tag: "UnknownOperation"; readonly type: string }
  | Unmet
  | { readonly _tag: "ChangeInvalid"; readonly type: string; readonly index: number; readonly what: string }
  | {
      readonly _tag: "WriteOutside"
      readonly type: string
      readonly touched: string
      readonly allowed: ReadonlyArray<string>
    }
  | { readonly _tag: "RequestForeign"; readonly requester: DeviceId }
  | { readonly _tag: "RequestStale"; readonly requester: DeviceId; readonly time: number }
  | { readonly _tag: "Duplicate"; readonly feed: FeedId; readonly seq: number }

/** A demand that is not met. */
export type Unmet =
  | {
      readonly _tag: "MissingCapability"
      readonly device: DeviceId
      readonly needed: Capability
      readonly held: ReadonlyArray<Authority.Held>
    }
  /** Held, but only through more grants than the policy lets it pass. */
  | {
      readonly _tag: "ChainTooLong"
      readonly needed: Capability
      readonly chainMax: number
      readonly right: Authority.Held
    }
  | { readonly _tag: "TrustTooLow"; readonly needed: Level; readonly standing: Trust.Standing }
  | { readonly _tag: "NotAttested"; readonly needed: number; readonly standing: Trust.Standing }
  | { readonly _tag: "OutsideTime"; readonly time: number; readonly demand: Timely }
  /** Of several ways none is open. */
  | { readonly _tag: "NoneMet"; readonly of: ReadonlyArray<Unmet> }

/** What somebody wants to do. `fresh` = the ids derived for this entry, which `{new}` in a writes-path accepts. */
export interface Request {
  readonly device: DeviceId
  readonly time: number
  readonly definition: Definition
  readonly type: string
  readonly changes: Cbor.Cbor
  readonly fresh: (id: string) => boolean
  /** What is against the position that is judged; undefined: everything that stands. */
  readonly regime?: Authority.Regime | undefined
  /** Whom `{self}` means, where that is not the device: who writes on another's behalf needs the right to it. */
  readonly self?: DeviceId | undefined
}

/** The refusal of what lies behind a standing revocation's cut. */
export const revokedBy = ({ fact, node }: Authority.Revocation): Refusal => ({
  _tag: "Revoked",
  device: fact.device,
  by: node.feed.device,
  entry: node.hash,
  reason: fact.reason
})

export const denied = (because: Refusal): Denied => ({ _tag: "Denied", because })

/**
 * Judges one fact. The caller has checked the author's membership and the position (`Authority.revocationOn`). What is
 * allowed by a `standing` that was found before is told without its grounds; else it makes no difference.
 */
export const decide = (
  authority: Authority.Authority,
  view: Authority.View,
  request: Request,
  standing?: Standing
): Decision => {
  const operation = request.definition.operations.get(request.type)
  if (operation === undefined) return denied({ _tag: "UnknownOperation", type: request.type })
  const touched = inspect(request, operation)
  if ("_tag" in touched) return touched
  if (standing !== undefined && isStanding(standing, request.definition, operation)) return allowedByStanding
  const regime = request.regime ?? Authority.regimeNow(authority)
  const { device, time } = request
  const bound = (action: Capability) => bind(action, operation.resource, touched.bindings, request.self ?? device)
  return judge({ authority, view, regime, device, time, bound }, request.definition, operation)
}

/**
 * What a device may in general, without a change at hand: membership, revocation and policy, on a resource that is given
 * whole (`tasks/7`, `tasks/*`) where the operation names one; without it, on all that the operation may be about.
 */
export const ask = (authority: Authority.Authority, view: Authority.View, question: Question): Decision => {
  const { definition, device, time, type } = question
  const regime = question.regime ?? Authority.regimeNow(authority)
  const operation = definition.operations.get(type)
  if (operation === undefined) return denied({ _tag: "UnknownOperation", type })
  const [revocation] = Authority.revocations(authority, device)
  if (revocation !== undefined && question.regime === undefined) return denied(revokedBy(revocation))
  if (!Authority.isAdmitted(authority, view, device)) return denied({ _tag: "NotAdmitted", device })
  const resource = question.resource ?? generalOf(operation.resource, device)
  const bound = (action: Capability) => on(action, resource)
  return judge({ authority, view, regime, device, time, bound }, definition, operation)
}

/** A question about an operation type. `regime` undefined: asked now, so every restriction is against it. */
export interface Question {
  readonly device: DeviceId
  readonly time: number
  readonly definition: Definition
  readonly type: string
  readonly resource?: string | undefined
  readonly regime?: Authority.Regime | undefined
}

/** `tasks/{id}/notes` → `tasks/*`: whoever holds that may on every one of them. */
const generalOf = (resource: string | undefined, self: DeviceId): string | undefined => {
  const own = resource?.replaceAll("{self}", self)
  const open = own?.indexOf("{") ?? -1
  return own === undefined || open < 0 ? own : `${own.slice(0, open)}*`
}

const on = (action: Capability, resource: string | undefined): Capability | undefined => {
  const text = resource === undefined ? action : `${action}/${resource}`
  return isCapability(text) ? text : undefined
}

/** Who asks, and what he is judged by. `time` undefined: whatever holds at every time. */
interface Asker {
  readonly authority: Authority.Authority
  readonly view: Authority.View
  readonly regime: Authority.Regime
  readonly device: DeviceId
  readonly time: number | undefined
  /** A capability on the operation's resource; undefined where that can't be bound. */
  readonly bound: (action: Capability) => Capability | undefined
}

/** All policies in force for the operation. */
const judge = (asker: Asker, { app }: Definition, { policy, type }: Operation): Decision => {
  const { authority, regime, view } = asker
  const terminated = terminationOf(asker)
  if (terminated !== undefined) return denied(terminated)
  const grounds: Array<Ground> = []
  for (const { policy: set } of Authority.policiesFor(authority, view, regime, app, type)) {
    const met = evaluate(asker, set ?? policy)
    if (met === undefined) return denied({ _tag: "Malformed", what: `the resource of ${type} can't be bound` })
    if ("_tag" in met) return denied(met)
    grounds.push(...met)
  }
  return { _tag: "Allowed", because: grounds }
}

const terminationOf = ({ authority, device, regime, view }: Asker): Refusal | undefined => {
  const isReported = regime.limits.some(({ fact }) => fact._tag === "Report" && fact.device === device)
  const standing = isReported ? Authority.trustIn(authority, view, device, regime) : undefined
  return standing?.isTerminated === true
    ? { _tag: "Terminated", device, reports: standing.sanction?.reports ?? [] }
    : undefined
}

/** What meets a policy, or what of it is not met; undefined when the resource can't be bound. */
const evaluate = (asker: Asker, policy: Policy): ReadonlyArray<Ground> | Unmet | undefined => {
  switch (policy._tag) {
    case "All": {
      const grounds: Array<Ground> = []
      for (const one of policy.of) {
        const met = evaluate(asker, one)
        if (met === undefined || "_tag" in met) return met
        grounds.push(...met)
      }
      return grounds
    }
    case "Any": {
      const unmet: Array<Unmet> = []
      for (const one of policy.of) {
        const met = evaluate(asker, one)
        if (met === undefined || !("_tag" in met)) return met
        unmet.push(met)
      }
      return { _tag: "NoneMet", of: unmet }
    }
    default:
      return meet(asker, policy)
  }
}

const meet = (asker: Asker, demand: Demand): ReadonlyArray<Ground> | Unmet | undefined => {
  const { authority, device, regime, time, view } = asker
  switch (demand._tag) {
    case "Capability":
      return permit(asker, demand)
    case "Trust": {
      const standing = Authority.trustIn(authority, view, device, regime)
      const ground = { needed: demand.level, standing }
      return isAtLeast(standing.level, demand.level)
        ? [{ _tag: "Trust", ...ground }]
        : { _tag: "TrustTooLow", ...ground }
    }
    case "Attested": {
      const standing = Authority.trustIn(authority, view, device, regime)
      const { attesters } = standing
      return attesters.length >= demand.count
        ? [{ _tag: "Attested", needed: demand.count, attesters }]
        : { _tag: "NotAttested", needed: demand.count, standing }
    }
    case "Within":
    case "Hours":
      return time !== undefined && isTimely(demand, time)
        ? [{ _tag: "Time", demand }]
        : { _tag: "OutsideTime", time: time ?? 0, demand }
  }
}

const isTimely = (demand: Timely, time: number): boolean =>
  demand._tag === "Hours"
    ? Hours.contain(demand.hours, time)
    : (demand.from === undefined || time >= demand.from) && (demand.until === undefined || time <= demand.until)

const permit = (
  { authority, bound, device, regime, time, view }: Asker,
  { capability: action, chainMax }: Extract<Demand, { readonly _tag: "Capability" }>
): ReadonlyArray<Ground> | Unmet | undefined => {
  const needed = bound(action)
  if (needed === undefined) return undefined
  const held = Authority.rights(authority, view, device, regime)
  const usable = time === undefined ? held.filter(Right.isLasting) : held
  const short = chainMax === undefined ? usable : usable.filter(({ through }) => through.length <= chainMax)
  const right = Holding.covering(short, needed, time ?? 0)
  if (right !== undefined) return [{ _tag: "Capability", needed, right }]
  const long = chainMax === undefined ? undefined : Holding.covering(usable, needed, time ?? 0)
  return long === undefined || chainMax === undefined
    ? { _tag: "MissingCapability", device, needed, held }
    : { _tag: "ChainTooLong", needed, chainMax, right: long }
}

/**
 * What one device may within one view and regime whatever the time and whatever it is about, so that entries which
 * follow each other look for it once.
 */
export interface Standing {
  readonly authority: Authority.Authority
  readonly view: Authority.View
  readonly regime: Authority.Regime
  readonly device: DeviceId
  readonly operations: Map<Operation, boolean>
}

export const standing = (
  authority: Authority.Authority,
  view: Authority.View,
  device: DeviceId,
  regime: Authority.Regime = Authority.regimeNow(authority)
): Standing => ({ authority, view, regime, device, operations: new Map() })

/** True only where every request for the operation is allowed at every time. */
const isStanding = ({ operations, ...asker }: Standing, definition: Definition, operation: Operation): boolean => {
  const known = operations.get(operation)
  if (known !== undefined) return known
  const bound = (action: Capability) => (operation.resource === undefined ? action : undefined)
  const found = judge({ ...asker, time: undefined, bound }, definition, operation)._tag === "Allowed"
  operations.set(operation, found)
  return found
}

const allowedByStanding: Allowed = { _tag: "Allowed", because: [] }

/** Every change well-formed for its field and inside the operation's writes-paths, with one binding for each name. */
const inspect = (request: Request, operation: Operation): Denied | { readonly bindings: Writes.Bindings } => {
  const { changes, type } = request
  if (!Array.isArray(changes))
    return denied({ _tag: "Malformed", what: `the payload of ${type} is no list of changes` })
  const touches: Array<Touch> = []
  for (let index = 0; index < changes.length; index++) {
    const change: Cbor.Cbor = changes[index]
    if (!Array.isArray(change)) return denied({ _tag: "ChangeInvalid", type, index, what: "not an array" })
    const touch = State.inspect(request.definition.fields, change)
    if (touch._tag === "Invalid") return denied({ _tag: "ChangeInvalid", type, index, what: touch.reason })
    touches.push(touch)
  }
  const bindings = Writes.matchAll(operation.writes, touches, {
    self: request.self ?? request.device,
    isNew: request.fresh
  })
  if (Result.isSuccess(bindings)) return { bindings: bindings.success }
  const allowed = operation.writes.map((pattern) => pattern.text)
  return denied({ _tag: "WriteOutside", type, touched: Writes.show(bindings.failure), allowed })
}

/** `task:write` on resource `tasks/{id}` with id = 7 → `task:write/tasks/7`. Bound values are single segments (Writes). */
const bind = (
  action: Capability,
  resource: string | undefined,
  bindings: Writes.Bindings,
  self: DeviceId
): Capability | undefined => {
  if (resource === undefined) return action
  let unbound = false
  const bound = resource.replace(/\{([a-z]+)\}/g, (_, name: string) => {
    const value = name === "self" ? self : Writes.boundTo(bindings, name)
    if (value === undefined) unbound = true
    return value ?? ""
  })
  return unbound ? undefined : on(action, bound)
}

/** A definition by id within a view, or why its facts can't be judged. */
export const definitionFor = (
  authority: Authority.Authority,
  view: Authority.View,
  id: DefinitionId
): Result.Result<Definition, Refusal> => {
  const found = Authority.definition(authority, view, id)
  return found === undefined ? Result.fail({ _tag: "UnknownDefinition", definition: id }) : Result.succeed(found)
}
