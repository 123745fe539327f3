/** What people type as arguments, decoded: JSON with a hint where it breaks. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Problem from "./Problem.ts"

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Json))

/** `of`: what it is, for the hint. */
export const jsonOf = (text: string, of: "payload" | "policy"): Effect.Effect<Schema.Json, Problem.Problem> => {
  const value = decode(text)
  if (Result.isSuccess(value)) return Effect.succeed(value.success)
  return Effect.suspend(() =>
    Problem.make("JsonInvalid", {
      what: `the ${of} is not JSON: ${text.slice(0, 60)}`,
      allowed: '{"name": "value"}: names and texts in double quotes',
      do:
        of === "payload"
          ? "put the whole payload in single quotes, or pipe it in: aura perform OPERATION -"
          : "put the whole policy in single quotes",
      isUsage: true
    })
  )
}
