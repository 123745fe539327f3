/**
 * A decision with all that it rests on, as data for `aura explain` and for this device's own `GET /api/v1/decisions`.
 *
 * It names devices, so it is for operators; what another device is told is `Wording.refusal`. `grounds` are what met each
 * demand; of what is missing, `candidates` are the grants that might have given it, each with its fault.
 */
import * as Schema from "effect/Schema"
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type * as AccessControl from "../runtime/AccessControl.ts"
import * as Authority from "../trust/Authority.ts"
import { implies, meet, type Capability } from "../trust/Capability.ts"
import * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import * as Explanation from "../trust/Explanation.ts"
import * as Fact from "../trust/Fact.ts"
import * as Judge from "../trust/Judge.ts"
import * as Regime from "../trust/Regime.ts"
import type * as Right from "../trust/Right.ts"
import * as Role from "../trust/Role.ts"
import type * as Trust from "../trust/Trust.ts"
import * as Wording from "../trust/Wording.ts"
import * as Person from "./Person.ts"
import * as PolicyJson from "./PolicyJson.ts"

const { Who } = Person
const Texts = Schema.Array(Schema.String)

export const RightSaid = Schema.Struct({
  capability: Schema.String,
  depth: Schema.Finite,
  fromMillis: Schema.NullOr(Schema.Finite),
  untilMillis: Schema.NullOr(Schema.Finite),
  hours: Texts
})

/** Something that an entry says, and who wrote it. */
export const Said = Schema.Struct({ entry: Schema.String, by: Who, atMillis: Schema.Finite, reason: Schema.String })
export type Said = typeof Said.Type

const Link = Schema.Struct({
  entry: Schema.String,
  by: Who,
  to: Who,
  atMillis: Schema.Finite,
  rights: Schema.Array(RightSaid)
})

export const TrustSaid = Schema.Struct({
  device: Who,
  level: Schema.String,
  value: Schema.Finite,
  base: Schema.Finite,
  attested: Schema.Finite,
  path: Schema.Array(Who),
  attesters: Schema.Array(Who),
  sanction: Schema.NullOr(Schema.Struct({ severity: Schema.String, reports: Schema.Array(Said) })),
  ceiling: Schema.NullOr(Schema.String)
})

const Ceiling = Schema.Struct({ ...Said.fields, ceiling: Texts })

const kind = <const Kind extends string>(kind: Kind) => Schema.Literal(kind)

const Ground = Schema.Union([
  Schema.Struct({ kind: kind("Capability"), needed: Schema.String, right: RightSaid, chain: Schema.Array(Link) }),
  Schema.Struct({ kind: kind("Trust"), needed: Schema.String, trust: TrustSaid }),
  Schema.Struct({ kind: kind("Attested"), needed: Schema.Finite, attesters: Schema.Array(Who) }),
  Schema.Struct({ kind: kind("Time"), demand: Schema.String })
])

interface CandidateSaid {
  readonly entry: string
  readonly by: Person.Who
  readonly to: Person.Who
  readonly atMillis: number
  readonly right: typeof RightSaid.Type
  readonly fault: FaultSaid
}

type FaultSaid =
  | { readonly kind: "NotOpen" | "GiverStranger" | "Forked" }
  | { readonly kind: "TooNarrow"; readonly capability: string }
  | { readonly kind: "GiverRevoked"; readonly revoked: Said }
  | { readonly kind: "NotPassable"; readonly right: typeof RightSaid.Type }
  | { readonly kind: "GiverLacked"; readonly candidates: ReadonlyArray<CandidateSaid> }
  | { readonly kind: "Taken"; readonly taken: Said; readonly ceiling: ReadonlyArray<string> | null }

const Candidate = Schema.Struct({
  entry: Schema.String,
  by: Who,
  to: Who,
  atMillis: Schema.Finite,
  right: RightSaid,
  fault: Schema.Union([
    Schema.Struct({ kind: Schema.Literals(["NotOpen", "GiverStranger", "Forked"]) }),
    Schema.Struct({ kind: kind("TooNarrow"), capability: Schema.String }),
    Schema.Struct({ kind: kind("GiverRevoked"), revoked: Said }),
    Schema.Struct({ kind: kind("NotPassable"), right: RightSaid }),
    Schema.Struct({
      kind: kind("GiverLacked"),
      candidates: Schema.Array(Schema.suspend((): Schema.Codec<CandidateSaid> => Candidate))
    }),
    Schema.Struct({ kind: kind("Taken"), taken: Said, ceiling: Schema.NullOr(Texts) })
  ])
})

type RefusalSaid =
  | {
      readonly kind: "MissingCapability"
      readonly needed: string
      readonly held: ReadonlyArray<typeof RightSaid.Type>
      readonly candidates: ReadonlyArray<CandidateSaid>
      /** What it may use at most, whatever it is granted. */
      readonly ceilings: ReadonlyArray<typeof Ceiling.Type>
      /** Roles that hold it. */
      readonly roles: ReadonlyArray<string>
    }
  | {
      readonly kind: "ChainTooLong"
      readonly needed: string
      readonly chainMax: number
      readonly chain: ReadonlyArray<typeof Link.Type>
    }
  | { readonly kind: "TrustTooLow"; readonly needed: string; readonly trust: typeof TrustSaid.Type }
  | { readonly kind: "NotAttested"; readonly needed: number; readonly trust: typeof TrustSaid.Type }
  | { readonly kind: "NoneMet"; readonly of: ReadonlyArray<RefusalSaid> }
  | { readonly kind: "Revoked"; readonly revoked: Said }
  | { readonly kind: "Terminated"; readonly reports: ReadonlyArray<Said> }
  /** Whatever one sentence says. */
  | { readonly kind: "Other"; readonly refusal: string; readonly text: string }

const Refusal = Schema.Union([
  Schema.Struct({
    kind: kind("MissingCapability"),
    needed: Schema.String,
    held: Schema.Array(RightSaid),
    candidates: Schema.Array(Candidate),
    ceilings: Schema.Array(Ceiling),
    roles: Texts
  }),
  Schema.Struct({
    kind: kind("ChainTooLong"),
    needed: Schema.String,
    chainMax: Schema.Finite,
    chain: Schema.Array(Link)
  }),
  Schema.Struct({ kind: kind("TrustTooLow"), needed: Schema.String, trust: TrustSaid }),
  Schema.Struct({ kind: kind("NotAttested"), needed: Schema.Finite, trust: TrustSaid }),
  Schema.Struct({
    kind: kind("NoneMet"),
    of: Schema.Array(Schema.suspend((): Schema.Codec<RefusalSaid> => Refusal))
  }),
  Schema.Struct({ kind: kind("Revoked"), revoked: Said }),
  Schema.Struct({ kind: kind("Terminated"), reports: Schema.Array(Said) }),
  Schema.Struct({ kind: kind("Other"), refusal: Schema.String, text: Schema.String })
])

/** A policy that binds, and the entry that set it; null: the application's definition. */
export const PolicySaid = Schema.Struct({
  policy: Schema.Json,
  inWords: Schema.String,
  setBy: Schema.NullOr(Said)
})

export const Reasons = Schema.Struct({
  device: Who,
  operation: Schema.String,
  resource: Schema.NullOr(Schema.String),
  /** For when it was asked. */
  atMillis: Schema.Finite,
  /** Digest of all that the decision rests on: equal on devices that know the same. */
  snapshot: Schema.String,
  decision: Schema.Literals(["Allowed", "Denied"]),
  policies: Schema.Array(PolicySaid),
  grounds: Schema.Array(Ground),
  refusal: Schema.NullOr(Refusal)
})
export type Reasons = typeof Reasons.Type

/** What is looked into, and how devices are called. */
export interface Source {
  readonly authority: Authority.Authority
  readonly definition: Definition
  readonly names: Person.Names
}

/** The evidence of a decision that was made about the present of this authority. */
export const of = (source: Source, checked: AccessControl.Checked): Reasons => {
  const { decision, device, operation, resource, snapshot, time } = checked
  return {
    device: Person.whoOf(source.names, device),
    operation,
    resource: resource ?? null,
    atMillis: Clock.toMillis(time),
    snapshot,
    decision: decision._tag,
    policies: policiesOf(source, operation),
    grounds: decision._tag === "Allowed" ? decision.because.map((ground) => groundOf(source, device, ground)) : [],
    refusal: decision._tag === "Denied" ? refusalOf(source, checked, decision.because) : null
  }
}

/** What binds an operation now. */
export const policiesOf = (source: Source, operation: string): ReadonlyArray<typeof PolicySaid.Type> => {
  const { authority, definition } = source
  const defined = definition.operations.get(operation)
  if (defined === undefined) return []
  const [view, regime] = [Authority.present(authority), Authority.regimeNow(authority)]
  return Authority.policiesFor(authority, view, regime, definition.app, operation).map(({ entry, policy }) => ({
    policy: PolicyJson.toJson(policy ?? defined.policy),
    inWords: PolicyJson.inWords(policy ?? defined.policy),
    setBy: entry === undefined ? null : saidBy(source, entry)
  }))
}

export const trustSaid = (source: Pick<Source, "authority" | "names">, standing: Trust.Standing) => {
  const who = (device: DeviceId): Person.Who => Person.whoOf(source.names, device)
  const { attested, base, ceiling, device, level, sanction, value } = standing
  return {
    device: who(device),
    level,
    value,
    base,
    attested,
    path: standing.path.map(who),
    attesters: standing.attesters.map(who),
    sanction:
      sanction === undefined
        ? null
        : { severity: sanction.severity, reports: sanction.reports.map((hash) => saidBy(source, hash)) },
    ceiling: ceiling ?? null
  } satisfies typeof TrustSaid.Type
}

/** Who wrote an entry, when, and the reason it gives. */
export const saidBy = ({ authority, names }: Pick<Source, "authority" | "names">, entry: EntryHash): Said => {
  const node = authority.nodes.get(entry)
  const [reason = ""] = (node?.facts ?? []).flatMap((fact) => (Fact.isRestriction(fact) ? [fact.reason] : []))
  return {
    entry,
    by: node === undefined ? { device: "", name: null } : Person.whoOf(names, node.feed.device),
    atMillis: node === undefined ? 0 : Clock.toMillis(node.time),
    reason
  }
}

const rightSaid = ({ capability, depth, from, hours, until }: Right.Right): typeof RightSaid.Type => ({
  capability,
  depth,
  fromMillis: from === undefined ? null : Clock.toMillis(from),
  untilMillis: until === undefined ? null : Clock.toMillis(until),
  hours: hours.map((one) => PolicyJson.inWords({ _tag: "Hours", hours: one }))
})

const chainSaid = (source: Source, device: DeviceId, right: Authority.Held): ReadonlyArray<typeof Link.Type> =>
  Explanation.chainOf(source.authority, device, right).map(({ by, entry, time, to }) => ({
    entry,
    by: Person.whoOf(source.names, by),
    to: Person.whoOf(source.names, to),
    atMillis: Clock.toMillis(time),
    rights: (source.authority.nodes.get(entry)?.facts ?? []).flatMap((fact) =>
      fact._tag === "Grant" && fact.device === to
        ? fact.rights.filter(({ capability }) => meet(capability, right.capability) !== undefined).map(rightSaid)
        : []
    )
  }))

const groundOf = (source: Source, device: DeviceId, ground: Decision.Ground): typeof Ground.Type => {
  switch (ground._tag) {
    case "Capability": {
      const { needed, right } = ground
      return { kind: "Capability", needed, right: rightSaid(right), chain: chainSaid(source, device, right) }
    }
    case "Trust":
      return { kind: "Trust", needed: ground.needed, trust: trustSaid(source, ground.standing) }
    case "Attested": {
      const attesters = ground.attesters.map((one) => Person.whoOf(source.names, one))
      return { kind: "Attested", needed: ground.needed, attesters }
    }
    case "Time":
      return { kind: "Time", demand: PolicyJson.inWords(ground.demand) }
  }
}

const refusalOf = (source: Source, checked: AccessControl.Checked, because: Decision.Refusal): RefusalSaid => {
  const { device, time } = checked
  switch (because._tag) {
    case "MissingCapability": {
      const { held, needed } = because
      const { authority } = source
      const missing = Explanation.missing(authority, Authority.present(authority), device, needed, time)
      return {
        kind: "MissingCapability",
        needed,
        held: held.map(rightSaid),
        candidates: missing.map((one) => candidateOf(source, one)),
        ceilings: ceilingsOf(source, device, needed),
        roles: rolesWith(source.definition, needed)
      }
    }
    case "ChainTooLong": {
      const { chainMax, needed, right } = because
      return { kind: "ChainTooLong", needed, chainMax, chain: chainSaid(source, device, right) }
    }
    case "TrustTooLow":
      return { kind: "TrustTooLow", needed: because.needed, trust: trustSaid(source, because.standing) }
    case "NotAttested":
      return { kind: "NotAttested", needed: because.needed, trust: trustSaid(source, because.standing) }
    case "NoneMet":
      return because.of.length === 0
        ? otherwise(because)
        : { kind: "NoneMet", of: because.of.map((one) => refusalOf(source, checked, one)) }
    case "Revoked":
      return { kind: "Revoked", revoked: saidBy(source, because.entry) }
    case "Terminated":
      return { kind: "Terminated", reports: because.reports.map((hash) => saidBy(source, hash)) }
    default:
      return otherwise(because)
  }
}

const otherwise = (because: Decision.Refusal): RefusalSaid => ({
  kind: "Other",
  refusal: because._tag,
  text: Wording.explain(Decision.denied(because))
})

const candidateOf = (source: Source, candidate: Explanation.Candidate): CandidateSaid => ({
  entry: candidate.entry,
  by: Person.whoOf(source.names, candidate.by),
  to: Person.whoOf(source.names, candidate.to),
  atMillis: Clock.toMillis(candidate.time),
  right: rightSaid(candidate.right),
  fault: faultOf(source, candidate.fault)
})

const faultOf = (source: Source, fault: Explanation.Fault): FaultSaid => {
  switch (fault._tag) {
    case "NotOpen":
    case "GiverStranger":
    case "Forked":
      return { kind: fault._tag }
    case "TooNarrow":
      return { kind: "TooNarrow", capability: fault.capability }
    case "GiverRevoked":
      return { kind: "GiverRevoked", revoked: saidBy(source, fault.entry) }
    case "NotPassable":
      return { kind: "NotPassable", right: rightSaid(fault.right) }
    case "GiverLacked":
      return { kind: "GiverLacked", candidates: fault.candidates.map((one) => candidateOf(source, one)) }
    case "Taken":
      return { kind: "Taken", taken: saidBy(source, fault.entry), ceiling: fault.ceiling ?? null }
  }
}

/** Ceilings over a device that leave this out. */
const ceilingsOf = (source: Source, device: DeviceId, needed: Capability): ReadonlyArray<typeof Ceiling.Type> => {
  const { authority } = source
  const judge = Authority.judgeOf(authority)
  const { limits } = Judge.unlifted(judge, Authority.present(authority), Authority.regimeNow(authority))
  return limits.flatMap((limit) =>
    Regime.isOf(limit, "Refine") &&
    limit.fact.device === device &&
    limit.fact.grant === undefined &&
    !limit.fact.ceiling.some((one) => implies(one, needed))
      ? [{ ...saidBy(source, limit.node.hash), reason: limit.fact.reason, ceiling: limit.fact.ceiling }]
      : []
  )
}

const rolesWith = (definition: Definition, needed: Capability): ReadonlyArray<string> =>
  [...Role.rolesOf(definition)].flatMap(([name, rights]) =>
    rights.some(({ capability }) => implies(capability, needed)) ? [name] : []
  )
