/**
 * How much a journal grew lately, as far as this process has watched it: a count each minute, for a day.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Time } from "../effects/Time.ts"

export interface Growth {
  /** Entries since that many milliseconds ago; undefined when nobody watched for so long. */
  readonly within: (millis: number) => number | undefined
}

export const hourMillis = 3_600_000
export const dayMillis = 24 * hourMillis

const everyMillis = 60_000
const samplesMax = dayMillis / everyMillis + 1

/** Watches until the scope ends. */
export const watch = Effect.fnUntraced(function* (time: Time["Service"], count: () => number) {
  const samples: Array<{ readonly millis: number; readonly entries: number }> = []
  const sample = Effect.sync(() => {
    if (samples.length >= samplesMax) samples.shift()
    samples.push({ millis: time.now().millis, entries: count() })
  })
  yield* Effect.forkScoped(Effect.repeat(sample, Schedule.spaced(everyMillis)))
  return {
    within: (millis) => {
      const from = time.now().millis - millis
      // the timer may be late by a little
      const first = samples.findLast((one) => one.millis <= from + everyMillis / 2)
      return first === undefined ? undefined : count() - first.entries
    }
  } satisfies Growth
})
