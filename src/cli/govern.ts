/**
 * Deciding about others: `aura grant`, `revoke`, `limit`, `lift`, `trust …`, `policy set`, `feed settle`, `device revoke`.
 *
 * What would be without effect is refused with what is missing; what is written is told with who gains or loses by it.
 * With `--what-if` the same is said and nothing is written. It is written here and travels with the next sync.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { DeviceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Governing from "../runtime/Governing.ts"
import * as Revocation from "../runtime/Revocation.ts"
import type * as Right from "../trust/Right.ts"
import type * as WhatIf from "../trust/WhatIf.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import * as Meaning from "./Meaning.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Person from "./Person.ts"
import * as PolicyJson from "./PolicyJson.ts"
import { count, printable } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"Govern">, voice: Voice) {
  const { isWhatIf, wish } = errand
  const replica = yield* office.replica
  const self = office.keys.device
  const putOut = Revocation.of(replica.ledger(), self)
  if (putOut !== undefined) return yield* putOut
  const act = yield* Meaning.actOf(office, replica, wish)
  const ledger = replica.ledger()
  const names: Person.Names = ledger.authority === undefined ? new Map() : Person.namesOf(ledger.authority)
  const now = Clock.next(ledger.latest, office.time.now().millis)
  const written = isWhatIf ? undefined : yield* Governing.perform(replica, self, act)
  const { changes, facts } = written?.result ?? (yield* Effect.fromResult(Governing.whatIf(ledger, self, act, now)))
  const cut = facts.flatMap((fact) => (fact._tag === "Revoke" ? fact.cut : []))
  yield* voice.data({
    act: act._tag,
    isWhatIf,
    what: `${isWhatIf ? "would " : ""}${saying(act, names, isWhatIf)}`,
    ...("device" in act ? { device: act.device, isThis: act.device === self } : {}),
    ...("reason" in act ? { reason: act.reason } : {}),
    ...(act._tag === "Revoke" ? { kept: cut.reduce((sum, { seq }) => sum + seq + 1, 0) } : {}),
    entry:
      written === undefined
        ? null
        : { feed: written.position.feed, seq: written.position.seq, hash: written.position.hash },
    changes: changes.map(changeData)
  })
})

/** "granted task:write to Bob (9f3c1a2b4d)"; "grant …" after "would". */
const saying = (act: Governing.Act, names: Person.Names, isWhatIf: boolean): string => {
  const verb = (past: string, present: string): string => (isWhatIf ? present : past)
  const who = (device: DeviceId): string => Person.inWords(Person.whoOf(names, device))
  switch (act._tag) {
    case "Grant":
      return `${verb("granted", "grant")} ${who(act.device)} ${act.rights.map(rightInWords).join(", ")}`
    case "Revoke":
      return `${verb("revoked", "revoke")} ${who(act.device)}`
    case "Withdraw":
      return `${verb("took", "take")} ${withdrawnInWords(act.what)} from ${who(act.device)}`
    case "Limit":
      return `${verb("limited", "limit")} ${who(act.device)} to ${act.ceiling.length === 0 ? "nothing" : act.ceiling.join(", ")}`
    case "SetPolicy":
      return `${verb("let", "let")} ${act.operation} demand ${act.policy === undefined ? "what the application defines" : PolicyJson.inWords(act.policy)}`
    case "Relate":
      return `${verb("said", "say")} that ${who(act.device)} is trusted ${act.level}`
    case "Attest":
      return `${verb("attested", "attest")} ${who(act.device)}: ${printable(act.claim)}`
    case "Lower":
      return `${verb("let", "let")} ${who(act.device)} be trusted ${act.level} at most`
    case "Report":
      return `${verb("reported", "report")} ${who(act.device)} as ${act.severity}`
    case "Lift":
      return `${verb("lifted", "lift")} restriction ${act.index} of entry ${act.entry.slice(0, 10)}`
    case "Settle":
      return `${verb("settled", "settle")} feed ${act.position.feed.slice(0, 10)} on entry ${act.position.seq} (${act.position.hash.slice(0, 10)})`
  }
}

const withdrawnInWords = (what: Governing.Withdrawn): string => {
  if (what === "everything") return "all that was granted"
  return "grant" in what ? `what entry ${what.grant.slice(0, 10)} granted` : what.can.join(", ")
}

/** "task:write, to be passed on once, until 2027-01-31T18:00:00Z" */
const rightInWords = ({ capability, depth, until }: Right.Right): string =>
  [
    capability,
    ...(depth === 0 ? [] : [`to be passed on ${depth === 1 ? "once" : `${depth} times`}`]),
    ...(until === undefined ? [] : [`until ${Clock.toText(until)}`])
  ].join(" ")

const changeData = ({ device, gained, lost, membership, name, operations }: WhatIf.Change) => ({
  device,
  name,
  membership: { before: membership.before, after: membership.after },
  operations: operations.map(({ after, before, type }) => ({ type, before: before._tag, after: after._tag })),
  gained: [...gained],
  lost: [...lost]
})

const Change = Schema.Struct({
  device: Schema.String,
  name: Schema.String,
  membership: Schema.Struct({ before: Schema.Boolean, after: Schema.Boolean }),
  operations: Schema.Array(Schema.Struct({ type: Schema.String, before: Schema.String, after: Schema.String })),
  gained: Schema.Array(Schema.String),
  lost: Schema.Array(Schema.String)
})

const Governed = Schema.Struct({
  what: Schema.String,
  isWhatIf: Schema.Boolean,
  isThis: Schema.optionalKey(Schema.Boolean),
  kept: Schema.optionalKey(Schema.Finite),
  entry: Schema.NullOr(Schema.Struct({ hash: Schema.String })),
  changes: Schema.Array(Change)
})

export const render = (data: Data): string => {
  const { changes, entry, isThis, isWhatIf, kept, what } = Schema.decodeUnknownSync(Governed)(data)
  const left =
    kept === undefined
      ? ""
      : `; its ${count(kept, "entry", "entries")} known here ${kept === 1 ? "stays" : "stay"}, later ones count nowhere`
  const own =
    kept !== undefined && isThis === true && !isWhatIf
      ? ". This was the device itself: start anew in a fresh directory to come back"
      : ""
  const said = `${what}${left}${own}${entry === null ? "" : ` (entry ${entry.hash.slice(0, 10)})`}`
  const lines = changes.flatMap(linesOf)
  const none = isWhatIf ? "nobody would gain or lose anything" : "nobody gains or loses anything by it"
  return [
    isWhatIf ? `${said}; nothing is written` : said,
    ...(lines.length === 0 ? [none] : lines).map((one) => `  ${one}`)
  ].join("\n")
}

/** "Bob (9f3c1a2b4d) gains task:write; may now: tasks.add" */
const linesOf = ({ device, gained, lost, membership, name, operations }: typeof Change.Type): ReadonlyArray<string> => {
  const who = Person.inWords({ device, name })
  const types = (after: string) => operations.filter((one) => one.after === after).map(({ type }) => type)
  const [open, shut] = [types("Allowed"), types("Denied")]
  return [
    ...(membership.before && !membership.after ? [`${who} is put out`] : []),
    ...(!membership.before && membership.after ? [`${who} is a member again`] : []),
    ...(gained.length === 0 ? [] : [`${who} gains ${gained.map(printable).join(", ")}`]),
    ...(lost.length === 0 ? [] : [`${who} loses ${lost.map(printable).join(", ")}`]),
    ...(open.length === 0 ? [] : [`${who} may now perform ${open.join(", ")}`]),
    ...(shut.length === 0 ? [] : [`${who} may no longer perform ${shut.join(", ")}`])
  ]
}
