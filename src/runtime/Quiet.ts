/**
 * Housekeeping that waits until nobody wants anything: it comes once `quietMillis` have passed without a turn.
 *
 * Whoever asks goes first, so a device that catches up does not stop in the middle to write down for itself what it could
 * read again. How long housekeeping may be put off is the caller's to bound; here it may wait for ever.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface Quiet {
  /** A turn went by: what is due waits anew. */
  readonly stir: () => void
  /** Something is due: said twice before it was quiet, it is told once. */
  readonly ask: () => void
}

/** Calls `tell` each time that something asked for came to be quiet enough. Ends with the scope. */
export const make = Effect.fnUntraced(function* (
  quietMillis: number,
  tell: Effect.Effect<unknown>
): Effect.fn.Return<Quiet, never, Scope.Scope> {
  const asked = yield* Queue.bounded<true>(1)
  let turns = 0
  const untilQuiet = Effect.gen(function* () {
    for (let before = -1; before !== turns;) {
      before = turns
      yield* Effect.sleep(quietMillis)
    }
  })
  yield* Queue.take(asked).pipe(Effect.andThen(untilQuiet), Effect.andThen(tell), Effect.forever, Effect.forkScoped)
  return {
    stir: () => void turns++,
    ask: () => void Queue.offerUnsafe(asked, true)
  }
})
