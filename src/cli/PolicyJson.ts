/**
 * Policies as people read and write them: JSON with one key for each demand, and the same in a few words.
 *
 *     {"all": [policy…]}  {"any": [policy…]}         nothing in "all": every member; nothing in "any": nobody
 *     {"capability": "task:write", "chainMax": 2}    "chainMax" may be left out
 *     {"trust": "Medium"}  {"attested": 2}
 *     {"from": TIME, "until": TIME}                  one of the two may be left out
 *     {"hours": {"from": "08:00", "to": "18:00", "offset": "+01:00"}}
 *
 * What is written is read back, times to the millisecond; limits are those of trust/Policy.ts.
 */
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Clock from "../journal/Clock.ts"
import { Capability } from "../trust/Capability.ts"
import type { Hours } from "../trust/Hours.ts"
import { levels } from "../trust/Level.ts"
import * as Payload from "../trust/Payload.ts"
import * as Policy from "../trust/Policy.ts"
import * as Moment from "./Moment.ts"

type Json = Schema.Json

export const toJson = (policy: Policy.Policy): Json => {
  switch (policy._tag) {
    case "All":
      return { all: policy.of.map(toJson) }
    case "Any":
      return { any: policy.of.map(toJson) }
    case "Capability":
      return {
        capability: policy.capability,
        ...(policy.chainMax === undefined ? {} : { chainMax: policy.chainMax })
      }
    case "Trust":
      return { trust: policy.level }
    case "Attested":
      return { attested: policy.count }
    case "Within":
      return {
        ...(policy.from === undefined ? {} : { from: instant(policy.from) }),
        ...(policy.until === undefined ? {} : { until: instant(policy.until) })
      }
    case "Hours": {
      const { from, offset, to } = policy.hours
      return {
        hours: { from: clock(from), to: clock(to), offset: `${offset < 0 ? "-" : "+"}${clock(Math.abs(offset))}` }
      }
    }
  }
}

const instant = (time: number): string => DateTime.formatIso(DateTime.makeUnsafe(Clock.toMillis(time)))

const clock = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`

/** "task:write and trusted Medium" */
export const inWords = (policy: Policy.Policy): string => {
  switch (policy._tag) {
    case "All":
      return policy.of.length === 0 ? "nothing: every member may" : policy.of.map(inner).join(" and ")
    case "Any":
      return policy.of.length === 0 ? "nobody may" : policy.of.map(inner).join(" or ")
    case "Capability":
      return policy.chainMax === undefined
        ? policy.capability
        : `${policy.capability} through at most ${policy.chainMax} grants`
    case "Trust":
      return `trusted ${policy.level}`
    case "Attested":
      return `attested by ${policy.count}`
    case "Within":
      return [
        ...(policy.from === undefined ? [] : [`from ${Clock.toText(policy.from)}`]),
        ...(policy.until === undefined ? [] : [`until ${Clock.toText(policy.until)}`])
      ].join(" ")
    case "Hours": {
      const { from, offset, to } = policy.hours
      return `between ${clock(from)} and ${clock(to)} at UTC${offset < 0 ? "-" : "+"}${clock(Math.abs(offset))}`
    }
  }
}

const inner = (policy: Policy.Policy): string =>
  (policy._tag === "All" || policy._tag === "Any") && policy.of.length > 1 ? `(${inWords(policy)})` : inWords(policy)

const Written = Schema.Union([
  Schema.Struct({ all: Schema.Array(Schema.Json) }),
  Schema.Struct({ any: Schema.Array(Schema.Json) }),
  Schema.Struct({ capability: Capability, chainMax: Schema.optionalKey(Schema.Int) }),
  Schema.Struct({ trust: Schema.Literals(levels) }),
  Schema.Struct({ attested: Schema.Int }),
  Schema.Struct({ from: Schema.String, until: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ until: Schema.String }),
  Schema.Struct({ hours: Schema.Struct({ from: Schema.String, to: Schema.String, offset: Schema.String }) })
])

const decode = Schema.decodeUnknownResult(Written)

/** What a policy may look like, for who wrote another. */
export const allowed =
  '{"all":[…]}, {"any":[…]}, {"capability":"task:write"}, {"trust":"Medium"}, {"attested":2}, {"from":TIME,"until":TIME}, {"hours":{"from":"08:00","to":"18:00","offset":"+01:00"}}'

/** What is wrong instead of a policy. */
export const fromJson = (json: Json): Result.Result<Policy.Policy, string> =>
  Result.flatMap(read(json), (policy) => {
    const checked = Policy.shape.read(Policy.shape.write(policy))
    return checked instanceof Payload.Misfit ? Result.fail(`the policy ${checked.what}`) : Result.succeed(checked)
  })

/** Deeper than any policy may be: what is nested further is refused, not followed. */
const nestedMax = 64

const read = (json: Json, depth = 0): Result.Result<Policy.Policy, string> => {
  const decoded = decode(json, { onExcessProperty: "error" })
  if (Result.isFailure(decoded) || depth > nestedMax)
    return Result.fail(`no policy: ${JSON.stringify(json).slice(0, 80)}`)
  const said = decoded.success
  if ("all" in said || "any" in said) {
    const of: Array<Policy.Policy> = []
    for (const one of "all" in said ? said.all : said.any) {
      const branch = read(one, depth + 1)
      if (Result.isFailure(branch)) return branch
      of.push(branch.success)
    }
    return Result.succeed("all" in said ? Policy.all(...of) : Policy.any(...of))
  }
  if ("capability" in said)
    return Result.succeed({ _tag: "Capability", capability: said.capability, chainMax: said.chainMax })
  if ("trust" in said) return Result.succeed({ _tag: "Trust", level: said.trust })
  if ("attested" in said) return Result.succeed({ _tag: "Attested", count: said.attested })
  if ("hours" in said) return readHours(said.hours)
  const [from, until] = ["from" in said ? said.from : undefined, said.until].map((text) =>
    text === undefined ? undefined : (Moment.instantOf(text) ?? Number.NaN)
  )
  if (Number.isNaN(from) || Number.isNaN(until)) return Result.fail(`no time in ${JSON.stringify(said)}`)
  const time = (millis: number | undefined) => (millis === undefined ? undefined : Clock.fromMillis(millis))
  return Result.succeed({ _tag: "Within", from: time(from), until: time(until) })
}

const readHours = (said: {
  readonly from: string
  readonly to: string
  readonly offset: string
}): Result.Result<Policy.Policy, string> => {
  const [from, to, offset] = [minutes(said.from), minutes(said.to), minutes(said.offset.slice(1))]
  if (from === undefined || to === undefined || offset === undefined || !/^[+-]/u.test(said.offset))
    return Result.fail(`no hours: ${JSON.stringify(said)}`)
  const hours: Hours = { from, to, offset: said.offset.startsWith("-") ? -offset : offset }
  return Result.succeed({ _tag: "Hours", hours })
}

const minutes = (text: string): number | undefined => {
  const [, hour, minute] = /^(\d\d):([0-5]\d)$/u.exec(text) ?? []
  return hour === undefined ? undefined : Number(hour) * 60 + Number(minute)
}
