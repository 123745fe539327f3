/**
 * Authority facts: what the payloads of `aura.*` facts are, and nothing about what they mean (trust/Authority.ts).
 *
 * Payloads are CBOR maps; ids, hashes and keys are 32 bytes. A payload with a missing, ill-typed or additional key is
 * malformed and never counts; a type that this version does not know is kept, shown and without effect. New meaning
 * comes as a new type, never as a new key of an old one. `cut` = [[feed, seq, hash]…], each feed once; `?` = left out
 * where it is empty.
 *
 *     aura.space.create        the genesis record, as bytes (journal/Genesis.ts)
 *     aura.space.seal          {positions: cut, digest}
 *     aura.app.define          an application's definition, as bytes (trust/Definition.ts)
 *     aura.device.admit        {device, box, name}
 *     aura.device.revoke       {device, admission, cut, reason}
 *     aura.delegation.grant    {device, rights: [{capability, depth, from, until, hours?}…]}
 *     aura.delegation.revoke   {device, grant, cut, reason}
 *     aura.caps.refine         {device, admission | null, grant | null, ceiling: [capability…], cut, reason}
 *     aura.policy.set          {app, operation, policy | null, cut, reason}
 *     aura.trust.relate        {device, level}
 *     aura.trust.attest        {device, claim}
 *     aura.trust.lower         {device, admission, level, cut, reason}
 *     aura.trust.report        {device, admission, severity, cut, reason}
 *     aura.restriction.lift    {entry, index}
 *     aura.feed.settle         {feed, seq, hash}
 *     aura.flow.budget         {peer, epoch, limit, leases: [{device, amount}…]}
 *     aura.flow.give           {peer, epoch, to, amount}
 *     aura.flow.summary        {peer, epoch, spent, receipts, head}
 */
import * as Result from "effect/Result"
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import { isFactType, type Fact } from "../journal/Entry.ts"
import type { Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import { seqMax } from "../journal/limits.ts"
import type { Capability } from "./Capability.ts"
import * as Definition from "./Definition.ts"
import { levels, severities, type Level, type Severity } from "./Level.ts"
import {
  budgetLeasesMax,
  ceilingCapabilitiesMax,
  claimCharactersMax,
  costMax,
  deviceNameCharactersMax,
  grantRightsMax,
  reasonCharactersMax
} from "./limits.ts"
import type { Shape } from "./Payload.ts"
import * as Payload from "./Payload.ts"
import * as Policy from "./Policy.ts"
import { shape as rightShape, type Right as OneRight } from "./Right.ts"

export interface Create {
  readonly _tag: "Create"
  readonly genesis: ReturnType<typeof Genesis.encode>["bytes"]
}
/** Root's: up to here history may be dropped, and no cut reaches below. `digest` = that of the state there. */
export interface Seal {
  readonly _tag: "Seal"
  readonly positions: ReadonlyArray<Position>
  readonly digest: Uint8Array
}
export interface Define {
  readonly _tag: "Define"
  readonly definition: Definition.Definition
}
export interface Admit {
  readonly _tag: "Admit"
  readonly device: DeviceId
  /** X25519 public key to which content keys will be sealed. */
  readonly box: Uint8Array
  readonly name: string
}
export interface Grant {
  readonly _tag: "Grant"
  readonly device: DeviceId
  readonly rights: ReadonlyArray<Right>
}

/** What all restrictions have. */
export interface Restricting {
  /** Per feed the last entry left alone; a feed not named is cut at its start. */
  readonly cut: ReadonlyArray<Position>
  readonly reason: string
}
/** Ends a device for good. */
export interface Revoke extends Restricting {
  readonly _tag: "Revoke"
  readonly device: DeviceId
  /** Hash of the entry that admitted the device; it lies in the past of this one. */
  readonly admission: EntryHash
}
/** Ends what an entry granted a device, for every chain through it. */
export interface Ungrant extends Restricting {
  readonly _tag: "Ungrant"
  readonly device: DeviceId
  /** Hash of the entry that granted it; it lies in the past of this one. */
  readonly grant: EntryHash
}
/** A ceiling over what a device holds, or over what passes through a grant: exactly one of the two is named. */
export interface Refine extends Restricting {
  readonly _tag: "Refine"
  readonly device: DeviceId
  readonly admission: EntryHash | undefined
  readonly grant: EntryHash | undefined
  readonly ceiling: ReadonlyArray<Capability>
}
/** What an operation of an application demands from now on; undefined: what its definition says. */
export interface SetPolicy extends Restricting {
  readonly _tag: "SetPolicy"
  readonly app: string
  /** Type of the operation, as in facts. */
  readonly operation: string
  readonly policy: Policy.Policy | undefined
}
/** How far the author trusts a device. Of several of one author the highest counts. */
export interface Relate {
  readonly _tag: "Relate"
  readonly device: DeviceId
  readonly level: Level
}
export interface Attest {
  readonly _tag: "Attest"
  readonly device: DeviceId
  /** What the author vouches for, for people to read. */
  readonly claim: string
}
/** The author trusts a device no more than this; who holds `trust:lower` says so for everybody. */
export interface Lower extends Restricting {
  readonly _tag: "Lower"
  readonly device: DeviceId
  readonly admission: EntryHash
  readonly level: Level
}
export interface Report extends Restricting {
  readonly _tag: "Report"
  readonly device: DeviceId
  readonly admission: EntryHash
  readonly severity: Severity
}
/** Takes a restriction back, for entries that have seen this: the fact with this number in that entry. */
export interface Lift {
  readonly _tag: "Lift"
  readonly entry: EntryHash
  readonly index: number
}
/** Of a feed with two histories, the branch that counts, and up to where. */
export interface Settle extends Position {
  readonly _tag: "Settle"
}
/** How much a peer may be sent in an epoch, split among the devices that send. */
export interface Budget {
  readonly _tag: "Budget"
  readonly peer: DeviceId
  readonly epoch: number
  readonly limit: number
  /** Together at most the limit; each device once. */
  readonly leases: ReadonlyArray<Lease>
}
export interface Lease {
  readonly device: DeviceId
  readonly amount: number
}
/** The author gives away what it has not spent of its own lease. */
export interface Give {
  readonly _tag: "Give"
  readonly peer: DeviceId
  readonly epoch: number
  readonly to: DeviceId
  readonly amount: number
}
/** What the author spent on a peer in an epoch that is over, and the last of its receipts. */
export interface Summary {
  readonly _tag: "Summary"
  readonly peer: DeviceId
  readonly epoch: number
  readonly spent: number
  readonly receipts: number
  readonly head: Uint8Array
}
/** Known type, wrong payload. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly what: string
}
/** A type of a later version. */
export interface Unknown {
  readonly _tag: "Unknown"
  readonly type: string
}

/** As one grant gives it. */
export type Right = OneRight

/** What takes away. It counts whoever has seen it, for all that its cut leaves out. */
export type Restriction = Revoke | Ungrant | Refine | SetPolicy | Lower | Report

export type AuthorityFact =
  Create | Seal | Define | Admit | Grant | Restriction | Relate | Attest | Lift | Settle | Budget | Give | Summary
export type DecodedFact = AuthorityFact | Malformed | Unknown

/** Type of the fact by which a device is put out. */
export const revokeType = "aura.device.revoke"

/** Types of facts that only authority feeds may hold begin with this. */
export const authorityPrefix = "aura."

export const isRestriction = (fact: DecodedFact): fact is Restriction => restrictionTags.has(fact._tag)

const restrictionTags: ReadonlySet<string> = new Set(["Revoke", "Ungrant", "Refine", "SetPolicy", "Lower", "Report"])

type Tag = AuthorityFact["_tag"]

/** What a payload says, without the tag: that stands in the fact's type. */
type Said<Of extends Tag> = Omit<Extract<AuthorityFact, { readonly _tag: Of }>, "_tag">

const { cut, device, entry, feed } = Payload
const reason = Payload.text(reasonCharactersMax)
const amount = Payload.integer(0, costMax)
const epoch = Payload.integer(0, 2 ** 32)
const level = Payload.word(levels)

const bytesOf = (check: (bytes: Uint8Array) => Result.Result<unknown, { readonly what: string }>): Shape<Uint8Array> =>
  Payload.record(
    (bytes) => bytes,
    (bytes) => {
      const checked = check(bytes)
      return Result.isSuccess(checked) ? bytes : new Payload.Misfit(checked.failure.what)
    }
  )

/** A shape whose only key is the whole payload. */
const whole = <Key extends string, Value>(key: Key, shape: Shape<Value>): Shape<{ readonly [key in Key]: Value }> => ({
  write: (said) => shape.write(said[key]),
  read: (payload) => {
    const value = shape.read(payload)
    return value instanceof Payload.Misfit ? value : ({ [key]: value } as { readonly [key in Key]: Value })
  }
})

/** A shape with a demand on the whole. */
const such = <Value>(shape: Shape<Value>, wrong: (value: Value) => string | undefined): Shape<Value> => ({
  write: shape.write,
  read: (payload) => {
    const value = shape.read(payload)
    if (value instanceof Payload.Misfit) return value
    const what = wrong(value)
    return what === undefined ? value : new Payload.Misfit(what)
  }
})

const definition: Shape<Definition.Definition> = Payload.record(
  ({ bytes }) => bytes,
  (bytes) => {
    const decoded = Definition.decode(bytes)
    return Result.isSuccess(decoded) ? decoded.success : new Payload.Misfit(decoded.failure.what)
  }
)

const operationType = Payload.plain(
  "no operation type",
  (value): value is string => typeof value === "string" && isFactType(value) && !value.startsWith(authorityPrefix)
)

const shapes: { readonly [Of in Tag]: readonly [type: string, shape: Shape<Said<Of>>] } = {
  Create: ["aura.space.create", whole("genesis", bytesOf(Genesis.decode))],
  Seal: ["aura.space.seal", Payload.map<Said<"Seal">>({ positions: cut, digest: Payload.bytes32 })],
  Define: ["aura.app.define", whole("definition", definition)],
  Admit: [
    "aura.device.admit",
    Payload.map<Said<"Admit">>({ device, box: Payload.bytes32, name: Payload.text(deviceNameCharactersMax) })
  ],
  Revoke: [revokeType, Payload.map<Said<"Revoke">>({ device, admission: entry, cut, reason })],
  Grant: [
    "aura.delegation.grant",
    Payload.map<Said<"Grant">>({ device, rights: Payload.list(rightShape, 1, grantRightsMax) })
  ],
  Ungrant: ["aura.delegation.revoke", Payload.map<Said<"Ungrant">>({ device, grant: entry, cut, reason })],
  Refine: [
    "aura.caps.refine",
    such(
      Payload.map<Said<"Refine">>({
        device,
        admission: Payload.optional(entry),
        grant: Payload.optional(entry),
        ceiling: Payload.list(Payload.capability, 0, ceilingCapabilitiesMax),
        cut,
        reason
      }),
      ({ admission, grant }) =>
        (admission === undefined) === (grant === undefined) ? "it names not one of admission and grant" : undefined
    )
  ],
  SetPolicy: [
    "aura.policy.set",
    Payload.map<Said<"SetPolicy">>({
      app: Payload.plain("no application", Genesis.isAppName),
      operation: operationType,
      policy: Payload.optional(Policy.shape),
      cut,
      reason
    })
  ],
  Relate: ["aura.trust.relate", Payload.map<Said<"Relate">>({ device, level })],
  Attest: ["aura.trust.attest", Payload.map<Said<"Attest">>({ device, claim: Payload.text(claimCharactersMax) })],
  Lower: ["aura.trust.lower", Payload.map<Said<"Lower">>({ device, admission: entry, level, cut, reason })],
  Report: [
    "aura.trust.report",
    Payload.map<Said<"Report">>({ device, admission: entry, severity: Payload.word(severities), cut, reason })
  ],
  Lift: ["aura.restriction.lift", Payload.map<Said<"Lift">>({ entry, index: Payload.integer(0, 255) })],
  Settle: ["aura.feed.settle", Payload.map<Said<"Settle">>({ feed, seq: Payload.integer(0, seqMax - 1), hash: entry })],
  Budget: [
    "aura.flow.budget",
    such(
      Payload.map<Said<"Budget">>({
        peer: device,
        epoch,
        limit: amount,
        leases: Payload.listBy(
          Payload.map<Lease>({ device, amount }),
          0,
          budgetLeasesMax,
          (lease) => lease.device,
          "name a device twice"
        )
      }),
      ({ leases, limit }) =>
        leases.reduce((sum, lease) => sum + lease.amount, 0) > limit ? "leases are more than the limit" : undefined
    )
  ],
  Give: ["aura.flow.give", Payload.map<Said<"Give">>({ peer: device, epoch, to: device, amount })],
  Summary: [
    "aura.flow.summary",
    Payload.map<Said<"Summary">>({ peer: device, epoch, spent: amount, receipts: amount, head: Payload.bytes32 })
  ]
}

/** Dies on what `decode` would refuse, for that is a mistake of ours and would never count. */
export const encode = (fact: AuthorityFact): Fact => {
  const [type, shape] = shapes[fact._tag] as readonly [string, Shape<Said<Tag>>]
  const encoded = { type, payload: shape.write(fact) }
  const decoded = decode(encoded)
  if (decoded._tag === "Malformed") throw new TypeError(`no ${type}: ${decoded.what}`)
  return encoded
}

export const decode = ({ payload, type }: Fact): DecodedFact => {
  const known = tags.get(type)
  if (known === undefined) return { _tag: "Unknown", type }
  const said = (shapes[known][1] as Shape<Said<Tag>>).read(payload)
  if (said instanceof Payload.Misfit) return { _tag: "Malformed", what: said.what }
  return { _tag: known, ...said } as AuthorityFact
}

const tags: ReadonlyMap<string, Tag> = new Map(
  Object.entries(shapes).map(([tag, [type]]) => [type, tag as Tag] as const)
)
