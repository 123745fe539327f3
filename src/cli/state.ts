/**
 * `aura state`: what an application sees in a space, as JSON.
 *
 * Definitions are data of the space, so this needs no application code: the newest definition that counts tells the
 * fields. Equal journals print equal text on every device.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Ledger from "../runtime/Ledger.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const replica = yield* office.replica
  const state = yield* stateOf(replica)
  yield* voice.data({ space: replica.space, app: replica.ledger().genesis?.app ?? null, state })
})

const stateOf = Effect.fnUntraced(function* (replica: Replica) {
  const { authority } = replica.ledger()
  const definition = authority === undefined ? undefined : Authority.definitions(authority).at(-1)
  if (definition === undefined) {
    return yield* Problem.make("DefinitionMissing", {
      what: "this device does not know yet what the space holds",
      do: 'run "aura sync" to fetch it from another device'
    })
  }
  if (definition.unknownKind !== undefined) {
    return yield* Problem.make("DefinitionTooNew", {
      what: `the application uses fields of kind "${definition.unknownKind}", which this version does not know`,
      do: "upgrade Aura; nothing is lost meanwhile"
    })
  }
  return Schema.decodeUnknownSync(Schema.Json)(Operations.toJson(Ledger.read(replica.ledger(), definition)))
})

export const render = (data: Data): string => JSON.stringify(data["state"], undefined, 2)
