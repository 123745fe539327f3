/**
 * Ctrl-C and SIGTERM: the first asks politely (a turn is finished, connections say farewell, the lock is released), the
 * second ends the process at once.
 */
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

const asked = Deferred.makeUnsafe<void>()

/** Ends when somebody wants the process to stop. */
export const requested: Effect.Effect<void> = Deferred.await(asked)

/** Exit code of a process that was stopped the hard way. */
const killedCode = 130

export const listen = (): void => {
  let count = 0
  const onSignal = (): void => {
    count++
    if (count > 1) process.exit(killedCode)
    Deferred.doneUnsafe(asked, Exit.void)
  }
  process.on("SIGINT", onSignal)
  process.on("SIGTERM", onSignal)
}
