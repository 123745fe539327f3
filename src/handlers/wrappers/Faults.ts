/**
 * Lets calls fail as a bad network would, by a seed: for tests and rehearsals, never in production.
 *
 * Half of the faults come before the store was asked, half after it answered: then what was asked took place, and who
 * asked does not know. One seed and one order of calls is one sequence of faults.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Call, Wrapper } from "./Wrapper.ts"

export interface Options {
  readonly seed: number
  /** Of a hundred calls, how many fail. */
  readonly percent: number
  /** Which calls may; all if absent. */
  readonly only?: (call: Call) => boolean
}

export const make =
  ({ only = () => true, percent, seed }: Options): Wrapper =>
  ({ unavailable }) =>
    Effect.map(
      Random.withSeed(Random.Random, seed),
      (random) => (call, work) =>
        Effect.suspend(() => {
          if (!only(call) || random.nextDoubleUnsafe() * 100 >= percent) return work
          const fault = Effect.fail(unavailable(`a fault was put into ${call.effect}.${call.method}`))
          return random.nextDoubleUnsafe() < 0.5 ? fault : Effect.andThen(work, fault)
        })
    )
