/**
 * What people say about each other in a simulated world, besides who is in: whom they trust and report, what they let
 * others do no more, what operations demand.
 *
 * Every restriction leaves alone what its author has of everybody, as a person does who means "from now on".
 */
import * as Result from "effect/Result"
import type { DeviceId } from "../identity/Id.ts"
import type * as Feed from "../journal/Feed.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import type { Write } from "../runtime/Write.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import * as Fact from "../trust/Fact.ts"
import { NothingToDo } from "./Incidents.ts"
import { policy } from "./lies/Voice.ts"

export const statements = [
  "trusts",
  "vouches for",
  "reports",
  "lowers",
  "withdraws what it granted to",
  "sets a ceiling over",
  "demands more for tags than before, not of",
  "demands for tags what was demanded at first, not of",
  "lifts what it laid on",
  "settles the feeds of"
] as const
export type Statement = (typeof statements)[number]

/** Says it once; there may be nothing to say it about. */
export const write = (by: DeviceId, what: Statement, about: DeviceId): Write<void, NothingToDo> => ({
  kind: "authority",
  request: undefined,
  prepare: ({ ledger }) => {
    const fact = ledger.authority === undefined ? undefined : factOf(ledger, ledger.authority, by, what, about)
    if (fact === undefined) return Result.fail(new NothingToDo({ what: "there is nothing to say it about" }))
    return Result.succeed({ definition: undefined, facts: [Fact.encode(fact)], answer: undefined })
  }
})

const factOf = (
  ledger: Ledger.Ledger,
  authority: Authority.Authority,
  by: DeviceId,
  what: Statement,
  device: DeviceId
): Fact.AuthorityFact | undefined => {
  const admission = Authority.admissionOf(authority, device)?.hash
  const restricting = { cut: everythingIn(ledger), reason: "simulated" }
  if (admission === undefined) return undefined
  switch (what) {
    case "trusts":
      return { _tag: "Relate", device, level: "High" }
    case "vouches for":
      return { _tag: "Attest", device, claim: "simulated" }
    case "reports":
      return { ...restricting, _tag: "Report", device, admission, severity: "Severe" }
    case "lowers":
      return { ...restricting, _tag: "Lower", device, admission, level: "Low" }
    case "withdraws what it granted to": {
      const grant = lastBy(authority, by, authority.memo.book.grants.get(device) ?? [])
      return grant && { ...restricting, _tag: "Ungrant", device, grant: grant.node.hash }
    }
    case "sets a ceiling over": {
      const ceiling = ["note:write", "space:read", "device:revoke"].map((text) => capability(text))
      return { ...restricting, _tag: "Refine", device, admission, grant: undefined, ceiling }
    }
    case "demands more for tags than before, not of":
      return { ...policy("tag", "setting:write", "simulated"), ...restricting }
    case "demands for tags what was demanded at first, not of":
      return { ...policy("tag", "note:write", "simulated"), ...restricting, policy: undefined }
    case "lifts what it laid on": {
      const about = authority.memo.book.restrictions.filter(({ fact }) => "device" in fact && fact.device === device)
      const restriction = lastBy(
        authority,
        by,
        about.filter(({ fact }) => fact._tag !== "Revoke")
      )
      return restriction && { _tag: "Lift", entry: restriction.node.hash, index: restriction.index }
    }
    case "settles the feeds of":
      return settlement(ledger, by, device)
  }
}

/** The end of one history of a forked feed of data, as far as it is here; not everybody chooses the same. */
const settlement = (ledger: Ledger.Ledger, by: DeviceId, device: DeviceId): Fact.Settle | undefined => {
  const forked = [...ledger.branches.keys()].flatMap((id) => ledger.lines.get(id)?.feed ?? [])
  const feed = forked.find((one) => one.kind === "data" && one.device === device)
  if (feed === undefined) return undefined
  const ends = Ledger.historiesOf(ledger, feed.id).toSorted((a, b) => (a.hash < b.hash ? -1 : 1))
  const { hash, taken } = ends[by.charCodeAt(0) % ends.length]!
  return { _tag: "Settle", feed: feed.id, seq: taken - 1, hash }
}

const lastBy = <Stated extends { readonly node: Authority.Node }>(
  { memo }: Authority.Authority,
  by: DeviceId,
  list: ReadonlyArray<Stated>
): Stated | undefined => list.findLast(({ node }) => node.number < memo.count && node.feed.device === by)

/** The last judged position of each feed. */
const everythingIn = (ledger: Ledger.Ledger): ReadonlyArray<Feed.Position> =>
  [...ledger.lines.values()].flatMap((line) => {
    if (line.branch !== undefined || line.judged === 0) return []
    if (line.splits.length > 0) return [{ feed: line.id, ...Line.sharedEnd(line) }].filter(({ seq }) => seq >= 0)
    return [{ feed: line.id, seq: line.judged - 1, hash: line.judgedHash }]
  })
