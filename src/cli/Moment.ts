/** Moments as people type them: a day, a time with its zone, or so long from now. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Clock from "../journal/Clock.ts"
import * as Problem from "./Problem.ts"
import { time } from "./Text.ts"

const instant = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/u
const span = /^(\d{1,6})(s|m|h|d|w)$/u

const unitMillis: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/** Unix milliseconds of a day (its beginning in UTC) or of a time with its zone; undefined for anything else. */
export const instantOf = (text: string): number | undefined =>
  instant.test(text) && isDay(text.slice(0, 10))
    ? Option.getOrUndefined(Option.map(DateTime.make(text), DateTime.toEpochMillis))
    : undefined

/** The 31st of February would be read as a day of March. */
const isDay = (text: string): boolean =>
  Option.match(DateTime.make(text), { onNone: () => false, onSome: (day) => DateTime.formatIsoDateUtc(day) === text })

const spanMillisOf = (text: string): number | undefined => {
  const [, amount, unit = ""] = span.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * (unitMillis[unit] ?? 0)
}

/** The same, or so long from now: `12h`, `30d`. */
export const momentOf = Effect.fnUntraced(function* (text: string, nowMillis: number) {
  const ahead = spanMillisOf(text)
  const millis = ahead === undefined ? instantOf(text) : nowMillis + ahead
  if (millis !== undefined && Clock.isTime(Clock.fromMillis(millis))) return millis
  return yield* invalid(text, "how long from now")
})

/** The same, or so long ago. */
export const pastOf = Effect.fnUntraced(function* (text: string, nowMillis: number) {
  const ago = spanMillisOf(text)
  const millis = ago === undefined ? instantOf(text) : nowMillis - ago
  return millis ?? (yield* invalid(text, "how long ago"))
})

const invalid = (text: string, spans: string) =>
  Problem.make("TimeInvalid", {
    what: `"${text}" is no time`,
    allowed: `a day (2027-01-31), a time with its zone (2027-01-31T18:00Z), or ${spans} (30m, 12h, 30d, 2w)`,
    isUsage: true
  })

/** The end of something that begins now: entry time, undefined where no end was named. */
export const endOf = Effect.fnUntraced(function* (text: string | null, nowMillis: number) {
  if (text === null) return undefined
  const millis = yield* momentOf(text, nowMillis)
  if (millis > nowMillis) return Clock.fromMillis(millis)
  return yield* Problem.make("TimePast", {
    what: `${time(millis)} is past`,
    allowed: `a time after ${time(nowMillis)}`,
    isUsage: true
  })
})
