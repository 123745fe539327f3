/** `aura trust show`: how far devices are trusted, by which path, and what each was said to be by whom. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Authority from "../trust/Authority.ts"
import * as Web from "../trust/Web.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Person from "./Person.ts"
import * as Reasons from "./Reasons.ts"
import { saidText, trustText } from "./ReasonsTree.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"TrustShow">, voice: Voice) {
  const replica = yield* office.replica
  const { authority } = replica.ledger()
  const only = errand.device === null ? undefined : yield* Person.device(replica, errand.device)
  if (authority === undefined) return
  const names = Person.namesOf(authority)
  const view = Authority.present(authority)
  const { relations, reports } = Web.of(Authority.judgeOf(authority), view, Authority.regimeNow(authority)).statements
  for (const { device, revoked } of Authority.members(authority)) {
    if (only === undefined ? revoked : device !== only) continue
    yield* voice.data({
      ...Reasons.trustSaid({ authority, names }, Authority.trustIn(authority, view, device)),
      relations: [...relations].flatMap(([by, levels]) => {
        const level = levels.get(device)
        return level === undefined ? [] : [{ by: Person.whoOf(names, by), level }]
      }),
      reports: (reports.get(device) ?? []).map(({ hash, severity }) => ({
        ...Reasons.saidBy({ authority, names }, hash),
        severity
      }))
    })
  }
})

const Shown = Schema.Struct({
  ...Reasons.TrustSaid.fields,
  relations: Schema.Array(Schema.Struct({ by: Person.Who, level: Schema.String })),
  reports: Schema.Array(Schema.Struct({ ...Reasons.Said.fields, severity: Schema.String }))
})

export const render = (data: Data): string => {
  const { relations, reports, ...trust } = Schema.decodeUnknownSync(Shown)(data)
  return [
    `${Person.inWords(trust.device)}  ${trustText(trust)}`,
    ...relations.map(({ by, level }) => `  ${Person.inWords(by)} says ${level}`),
    ...reports.map((one) => `  reported as ${one.severity} by ${saidText(one)}`)
  ].join("\n")
}
