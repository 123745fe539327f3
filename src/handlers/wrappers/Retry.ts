/**
 * Does again what the world did not answer, if doing it again is safe: reads and idempotent writes, after a pause that
 * grows and is jittered. Never a commit: whether it took place is unknown, and only its caller can find out.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Wrapper } from "./Wrapper.ts"

export interface Options {
  /** The first call included; 4 if absent. */
  readonly attemptsMax?: number
  /** Of the first pause; each further one is twice as long, all of them more or less by chance. */
  readonly pauseMillis?: number
}

const attemptsMaxDefault = 4
const pauseMillisDefault = 50

export const make =
  ({ attemptsMax = attemptsMaxDefault, pauseMillis = pauseMillisDefault }: Options = {}): Wrapper =>
  ({ isPassing }) =>
    Effect.succeed((call, work) =>
      call.isRepeatable
        ? Effect.retry(work, {
            while: isPassing,
            times: attemptsMax - 1,
            schedule: Schedule.jittered(Schedule.exponential(pauseMillis))
          })
        : work
    )
