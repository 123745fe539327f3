/** Reading the outcome of a world in a test. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import * as World from "../../src/simulation/World.ts"

/** What the scenario returned; anything else fails the test with the seed, the cause and the end of the trace. */
export const valueOf = <A>(outcome: World.Outcome<A, unknown>): A => {
  if (Exit.isSuccess(outcome.exit) && outcome.defects.length === 0) return outcome.exit.value
  const cause = Exit.isSuccess(outcome.exit) ? "defects" : Cause.pretty(outcome.exit.cause)
  const lines = [`seed ${outcome.seed}: ${cause}`, ...outcome.defects, ...outcome.trace.slice(-30)]
  return assert.fail(lines.join("\n"))
}

export const stuckOf = (outcome: World.Outcome<unknown, unknown>): World.WorldStuck => {
  const error = Exit.isFailure(outcome.exit) ? Cause.squash(outcome.exit.cause) : undefined
  if (error instanceof World.WorldStuck) return error
  return assert.fail(`the world is not stuck: ${String(error)}`)
}
