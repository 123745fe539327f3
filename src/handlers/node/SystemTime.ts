/**
 * The time of the operating system, read beside its monotonic clock so that a jump does not pass unnoticed.
 *
 * Each reading compares how far the wall clock and the monotonic clock went since the reading before. When they differ
 * by more than 2 s (plus 0.05 % of the time between, the most by which an operating system slews a clock), somebody set
 * the clock, or the machine slept: the status is `Stepped` for a minute. A clock set back is not followed: readings
 * repeat the last value, still `Stepped`, until it is passed again; nothing here ever runs backwards, and all layers of
 * a process over the system's own clocks share one memory of the last value.
 *
 * It asks nobody else what time it is: the uncertainty is Infinity and the status never `Synced`.
 */
import * as Layer from "effect/Layer"
import { Time } from "../../effects/Time.ts"

export interface Clocks {
  /** Milliseconds since 1970-01-01 UTC; may jump. */
  readonly wallMillis: () => number
  /** Milliseconds since some moment; never jumps, never runs backwards. */
  readonly monotonicMillis: () => number
}

/** Wall and monotonic clock may differ by this between two readings before it counts as a step. */
export const stepMillisMin = 2_000

/** So long a step is remembered. */
export const steppedMillis = 60_000

/** Time over the given clocks, which tests turn by hand; the operating system's without. */
export const layer = (clocks?: Clocks): Layer.Layer<Time> =>
  Layer.sync(Time, () => (clocks === undefined ? (timeOfProcess ??= make(systemClocks)) : make(clocks)))

const make = (clocks: Clocks): Time["Service"] => {
  let wallBefore = clocks.wallMillis()
  let monotonicBefore = clocks.monotonicMillis()
  let latestMillis = wallBefore
  let steppedUntil = -Infinity
  return Time.of({
    now: () => {
      const wall = clocks.wallMillis()
      const monotonic = clocks.monotonicMillis()
      const elapsed = monotonic - monotonicBefore
      if (Math.abs(wall - wallBefore - elapsed) > stepMillisMin + elapsed * slewMax) {
        steppedUntil = monotonic + steppedMillis
      }
      wallBefore = wall
      monotonicBefore = monotonic
      const standsStill = wall < latestMillis - stepMillisMin
      if (wall > latestMillis) latestMillis = wall
      return {
        millis: latestMillis,
        uncertaintyMillis: Infinity,
        status: standsStill || monotonic < steppedUntil ? "Stepped" : "Unchecked"
      }
    }
  })
}

/** 500 parts per million. */
const slewMax = 0.0005

const systemClocks: Clocks = { wallMillis: () => Date.now(), monotonicMillis: () => performance.now() }

let timeOfProcess: Time["Service"] | undefined
