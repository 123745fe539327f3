/**
 * Whether somebody may, and why, told shortly enough to be compared whole: `may` asks as the runtime does (is the
 * position left out, was he admitted, what does the policy say), `told` leaves of the answer what is evidence. Each
 * question is put twice: to all entries at once, and to a value that grew entry by entry.
 */
import { assert } from "@effect/vitest"
import type { DeviceId, EntryHash } from "../../../src/identity/Id.ts"
import type { AuthorityEntry } from "../../../src/trust/Authority.ts"
import * as Authority from "../../../src/trust/Authority.ts"
import { capability } from "../../../src/trust/Capability.ts"
import * as Decision from "../../../src/trust/Decision.ts"
import * as Policy from "../../../src/trust/Policy.ts"
import { definitionWith } from "../definitionWith.ts"
import { alice, at, bob, carol, dataAt, dave, genesis, mallory, type Paper } from "../space.ts"

export interface Asked {
  /** What he has seen; everything, unless said. */
  readonly seen?: ReadonlyArray<AuthorityEntry>
  /** Number of the entry in his feed of data that is judged; unless said, he asks now. */
  readonly seq?: number
  readonly time?: number
  readonly operation?: string
}

export const judged = ({ entries }: Pick<Paper, "entries">): Authority.Authority =>
  Authority.extend(Authority.make(genesis), entries)

/** The same as it comes about where entries come one by one, and somebody asks after each. */
const grown = ({ entries }: Pick<Paper, "entries">): Authority.Authority => {
  let authority = Authority.make(genesis)
  for (const entry of entries) {
    authority = Authority.extend(authority, [entry])
    const view = Authority.present(authority)
    for (const device of [alice, bob, carol, mallory, dave]) {
      Authority.rights(authority, view, device)
      Authority.trustIn(authority, view, device)
    }
  }
  return authority
}

const decision = (authority: Authority.Authority, device: DeviceId, policy: Policy.Policy, asked: Asked) => {
  const { operation: type = "kv.write", seen, seq, time = 50 } = asked
  const { feed } = dataAt(device, 0)
  const [first] = Authority.revocations(authority, device)
  const revocation = seq === undefined ? first : Authority.revocationOn(authority, device, feed, seq)
  if (revocation !== undefined) return Decision.denied(Decision.revokedBy(revocation))
  const view =
    seen === undefined
      ? Authority.present(authority)
      : Authority.look(authority, Authority.emptyView(authority), seen.map(at))
  if (!Authority.isAdmitted(authority, view, device)) return Decision.denied({ _tag: "NotAdmitted", device })
  const regime = seq === undefined ? undefined : Authority.regimeAt(authority, feed, seq)
  const request = { device, time, definition: definitionWith(policy), type, changes: [], fresh: () => false, regime }
  return Decision.decide(authority, view, request)
}

/** Asks whether a policy lets somebody, or whether he holds a capability. */
export const may = (
  sheet: Pick<Paper, "entries">,
  device: DeviceId,
  wanted: string | Policy.Source | Policy.Policy,
  asked: Asked = {}
): Told => {
  const policy =
    typeof wanted === "string"
      ? Policy.make({ capabilities: [wanted] })
      : "_tag" in wanted
        ? wanted
        : Policy.make(wanted)
  const answer = told(decision(judged(sheet), device, policy, asked))
  assert.deepStrictEqual(told(decision(grown(sheet), device, policy, asked)), answer, "entries that came one by one")
  return answer
}

/** What met each demand; or the refusal, with what would have had to be otherwise. */
export type Told = { readonly allowed: ReadonlyArray<unknown> } | { readonly denied: unknown }

export const told = (answer: Decision.Decision): Told =>
  answer._tag === "Denied"
    ? { denied: refusal(answer.because) }
    : {
        allowed: answer.because.map((ground) => {
          switch (ground._tag) {
            case "Capability":
              return { by: ground.right.capability, through: ground.right.through }
            case "Trust":
              return { level: ground.standing.level, path: ground.standing.path }
            case "Attested":
              return { attesters: ground.attesters }
            case "Time":
              return { time: ground.demand._tag }
          }
        })
      }

const refusal = (because: Decision.Refusal): unknown => {
  switch (because._tag) {
    case "MissingCapability":
      return { lacks: because.needed, holds: because.held.map((right) => right.capability) }
    case "ChainTooLong":
      return { tooLong: because.right.through, chainMax: because.chainMax }
    case "TrustTooLow":
      return { level: because.standing.level, needed: because.needed }
    case "NotAttested":
      return { attesters: because.standing.attesters, needed: because.needed }
    case "OutsideTime":
      return { outside: because.demand._tag }
    case "Revoked":
      return { revokedBy: because.by, entry: because.entry }
    case "Terminated":
      return { terminatedBy: because.reports }
    case "NoneMet":
      return { noneOf: because.of.map(refusal) }
    default:
      return because
  }
}

/** Allowed by a capability that came through these grants, first one first. */
export const by = (text: string, ...through: ReadonlyArray<AuthorityEntry>): Told => ({
  allowed: [{ by: capability(text), through: hashes(through) }]
})

export const hashes = (entries: ReadonlyArray<AuthorityEntry>): ReadonlyArray<EntryHash> =>
  entries.map(({ hash }) => hash)

/** Denied for want of a capability, holding no more than these. */
export const lacks = (text: string, ...holds: ReadonlyArray<string>): Told => ({ denied: { lacks: text, holds } })

export const revokedBy = ({ feed, hash }: AuthorityEntry): Told => ({
  denied: { revokedBy: feed.device, entry: hash }
})
