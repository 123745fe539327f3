/**
 * Stops asking what does not answer: after five failures in a row every call fails at once for thirty seconds, then one
 * call tries; if it succeeds all go through again, else thirty seconds begin anew.
 *
 * Only failures of the world count (the contract's `…Unavailable`): a conflict or a full disk is an answer. A call that was
 * interrupted proves nothing; if it was the one that tried, the next one tries.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import type { Wrapper } from "./Wrapper.ts"

export interface Options {
  /** In a row; 5 if absent. */
  readonly failuresMax?: number
  /** 30 000 if absent. */
  readonly openMillis?: number
}

const failuresMaxDefault = 5
const openMillisDefault = 30_000

type State =
  | { readonly _tag: "Closed"; readonly failures: number }
  | { readonly _tag: "Open"; readonly untilMillis: number }
  | { readonly _tag: "Trying" }

export const make =
  ({ failuresMax = failuresMaxDefault, openMillis = openMillisDefault }: Options = {}): Wrapper =>
  ({ isPassing, unavailable }) =>
    Effect.sync(() => {
      let state: State = { _tag: "Closed", failures: 0 }
      const failed = (nowMillis: number): void => {
        const failures = state._tag === "Closed" ? state.failures + 1 : failuresMax
        // what was asked before it opened says nothing new
        if (state._tag === "Open") return
        state =
          failures < failuresMax ? { _tag: "Closed", failures } : { _tag: "Open", untilMillis: nowMillis + openMillis }
      }
      return (_, work) =>
        Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
          if (state._tag === "Trying" || (state._tag === "Open" && nowMillis < state.untilMillis)) {
            const wait =
              state._tag === "Open" ? `is asked again in ${state.untilMillis - nowMillis} ms` : "is being tried"
            return Effect.fail(unavailable(`it failed ${failuresMax} times in a row, and ${wait}`))
          }
          const isTrial = state._tag === "Open"
          if (isTrial) state = { _tag: "Trying" }
          return Effect.onExit(work, (exit) =>
            Effect.map(Clock.currentTimeMillis, (endMillis) => {
              if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) {
                if (isTrial) state = { _tag: "Open", untilMillis: endMillis }
              } else if (isFailureOf(exit, isPassing)) failed(endMillis)
              else if (isTrial || state._tag === "Closed") state = { _tag: "Closed", failures: 0 }
            })
          )
        })
    })

const isFailureOf = <A, E>(exit: Exit.Exit<A, E>, isPassing: (error: E) => boolean): boolean =>
  Option.match(Exit.findErrorOption(exit), { onNone: () => false, onSome: isPassing })
