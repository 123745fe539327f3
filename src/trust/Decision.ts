/**
 * What a policy says about an operation, with the evidence: allowed because of these links, denied because of that one.
 *
 * One function judges a local request, a remote request and a fact arriving by sync: `decide`. It reads an authority
 * snapshot and what the operation would change, nothing else, so equal inputs give equal decisions on every device. A
 * decision is data; `explain` is the operator's text (it may name devices), `refusal` the peer's (it may not).
 */
import * as Result from "effect/Result"
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import type { Touch } from "../journal/crdt/Crdt.ts"
import * as State from "../journal/crdt/State.ts"
import * as Writes from "../journal/crdt/Writes.ts"
import * as Authority from "./Authority.ts"
import { capability, implies, isCapability, type Capability } from "./Capability.ts"
import type { Definition, Operation } from "./Definition.ts"

/** One capability an operation needed and the right that gave it. */
export interface Ground {
  readonly needed: Capability
  readonly right: Authority.Held
}

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
  | { readonly _tag: "Forked"; readonly feed: FeedId; readonly at: number }
  | { readonly _tag: "TimeNotAbove"; readonly seen: EntryHash }
  | { readonly _tag: "UnknownDefinition"; readonly definition: DefinitionId }
  | { readonly _tag: "UnknownOperation"; readonly type: string }
  | {
      readonly _tag: "MissingCapability"
      readonly device: DeviceId
      readonly needed: Capability
      readonly held: ReadonlyArray<Authority.Held>
    }
  | { readonly _tag: "ChangeInvalid"; readonly type: string; readonly index: number; readonly what: string }
  | {
      readonly _tag: "WriteOutside"
      readonly type: string
      readonly touched: string
      readonly allowed: ReadonlyArray<string>
    }
  | { readonly _tag: "RequestForeign"; readonly requester: DeviceId }
  | { readonly _tag: "Duplicate"; readonly feed: FeedId; readonly seq: number }

/** What somebody wants to do. `fresh` = the ids derived for this entry, which `{new}` in a writes-path accepts. */
export interface Request {
  readonly device: DeviceId
  readonly time: number
  readonly definition: Definition
  readonly type: string
  readonly changes: Cbor.Cbor
  readonly fresh: (id: string) => boolean
}

/** The refusal of what lies behind a standing restriction's cut. */
export const revokedBy = (restriction: Authority.Restriction): Refusal => ({
  _tag: "Revoked",
  device: restriction.fact.device,
  by: restriction.node.feed.device,
  entry: restriction.node.hash,
  reason: restriction.fact.reason
})

export const denied = (because: Refusal): Denied => ({ _tag: "Denied", because })

/**
 * Judges one fact. The caller has checked the author's membership and the position (`Authority.restrictionOn`). What is
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
  if (standing !== undefined && isStanding(standing, operation)) return allowedByStanding
  const grounds: Array<Ground> = []
  for (const template of operation.capabilities) {
    const needed = bind(template, operation.resource, touched.bindings, request.device)
    if (needed === undefined)
      return denied({ _tag: "Malformed", what: `the resource of ${request.type} can't be bound` })
    const right = Authority.holds(authority, view, request.device, needed, request.time)
    if (right === undefined) {
      const held = Authority.rights(authority, view, request.device)
      return denied({ _tag: "MissingCapability", device: request.device, needed, held })
    }
    grounds.push({ needed, right })
  }
  return { _tag: "Allowed", because: grounds }
}

/**
 * What one device may within one view whatever the time and whatever it is about, so that entries which follow each other
 * look for it once. Law (test/trust/Decision.test.ts): who decides with it decides alike.
 */
export interface Standing {
  readonly authority: Authority.Authority
  readonly view: Authority.View
  readonly device: DeviceId
  readonly operations: Map<Operation, boolean>
}

export const standing = (authority: Authority.Authority, view: Authority.View, device: DeviceId): Standing => ({
  authority,
  view,
  device,
  operations: new Map()
})

/** True only where every request for the operation finds a right that has no window: then the time does not matter. */
const isStanding = ({ authority, device, operations, view }: Standing, operation: Operation): boolean => {
  const known = operations.get(operation)
  if (known !== undefined) return known
  const lasting = Authority.rights(authority, view, device).filter(
    ({ from, until }) => from === undefined && until === undefined
  )
  const found =
    operation.resource === undefined &&
    operation.capabilities.every((needed) => lasting.some(({ capability }) => implies(capability, needed)))
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
  const bindings = Writes.matchAll(operation.writes, touches, { self: request.device, isNew: request.fresh })
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
  const text = `${action}/${bound}`
  return unbound || !isCapability(text) ? undefined : capability(text)
}

/** For operators: names devices and links. */
export const explain = (decision: Decision): string => {
  if (decision._tag === "Allowed") {
    return decision.because.length === 0
      ? "allowed: the operation asks for no capability"
      : decision.because
          .map(({ needed, right }) => `allowed: ${needed} by ${right.capability}${throughText(right)}`)
          .join("; ")
  }
  const because = decision.because
  switch (because._tag) {
    case "Malformed":
      return `malformed: ${because.what}`
    case "NotAdmitted":
      return `device ${because.device.slice(0, 10)} was not admitted, as far as this entry had seen`
    case "Revoked":
      return `device ${because.device.slice(0, 10)} was revoked by ${because.by.slice(0, 10)} (entry ${because.entry.slice(0, 10)}): ${because.reason || "no reason given"}`
    case "Forked":
      return `feed ${because.feed.slice(0, 10)} has two histories from entry ${because.at} on and is frozen there`
    case "TimeNotAbove":
      return `its time is not above that of entry ${because.seen.slice(0, 10)}, which it has seen`
    case "UnknownDefinition":
      return `nobody who may define applications had defined ${because.definition.slice(0, 10)} in what this entry had seen`
    case "UnknownOperation":
      return `the application defines no operation "${because.type}"`
    case "MissingCapability":
      return `device ${because.device.slice(0, 10)} lacks ${because.needed}; it holds ${
        because.held.length === 0 ? "nothing" : because.held.map((right) => right.capability).join(", ")
      }`
    case "ChangeInvalid":
      return `change ${because.index} of ${because.type} is invalid: ${because.what}`
    case "WriteOutside":
      return `${because.type} touches ${because.touched}; allowed: ${because.allowed.join(", ")}`
    case "RequestForeign":
      return `it carries a request of device ${because.requester.slice(0, 10)} without that device's signature`
    case "Duplicate":
      return `its idempotency key was used before, by entry ${because.seq} of feed ${because.feed.slice(0, 10)}`
  }
}

/** For the peer that asked: the kind of refusal, no names of third parties. */
export const refusal = (decision: Denied): string => {
  switch (decision.because._tag) {
    case "MissingCapability":
      return `you lack ${decision.because.needed}`
    case "Revoked":
      return "your device was revoked"
    case "NotAdmitted":
      return "your device is not a member"
    case "UnknownOperation":
    case "ChangeInvalid":
    case "WriteOutside":
    case "Malformed":
      return explain(decision)
    default:
      return "refused"
  }
}

const throughText = (right: Authority.Held): string =>
  right.through.length === 0
    ? ", from founding the space"
    : `, granted through ${right.through.map((hash) => hash.slice(0, 10)).join(" → ")}`

/** A definition by id within a view, or why its facts can't be judged. */
export const definitionFor = (
  authority: Authority.Authority,
  view: Authority.View,
  id: DefinitionId
): Result.Result<Definition, Refusal> => {
  const found = Authority.definition(authority, view, id)
  return found === undefined ? Result.fail({ _tag: "UnknownDefinition", definition: id }) : Result.succeed(found)
}
