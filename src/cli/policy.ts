/** `aura policy show`: what each operation demands now, and which entries set that. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import * as Meaning from "./Meaning.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Person from "./Person.ts"
import * as Problem from "./Problem.ts"
import * as Reasons from "./Reasons.ts"
import { policyText } from "./ReasonsTree.ts"
import { printable } from "./Text.ts"

export const answer = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"PolicyShow">, voice: Voice) {
  const replica = yield* office.replica
  const { authority } = replica.ledger()
  const definition = Meaning.definitionOf(replica)
  if (authority === undefined || definition === undefined) {
    return yield* Problem.make("DefinitionMissing", {
      what: "this device does not know yet what the space holds",
      do: 'run "aura sync" to fetch it from another device'
    })
  }
  const types =
    errand.operation === null
      ? definition.operations.keys()
      : [(yield* Meaning.operation(replica, errand.operation)).type]
  const source = { authority, definition, names: Person.namesOf(authority) }
  for (const type of types) {
    yield* voice.data({
      operation: type,
      resource: definition.operations.get(type)?.resource ?? null,
      policies: Reasons.policiesOf(source, type)
    })
  }
})

const Shown = Schema.Struct({
  operation: Schema.String,
  resource: Schema.NullOr(Schema.String),
  policies: Schema.Array(Reasons.PolicySaid)
})

export const render = (data: Data): string => {
  const { operation, policies, resource } = Schema.decodeUnknownSync(Shown)(data)
  const on = resource === null ? "" : `, on ${printable(resource)}`
  return policies.map((one) => `${policyText(operation, one)}${on}`).join("\n")
}
