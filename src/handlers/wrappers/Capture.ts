/** Remembers the last calls of a store, for tests that ask what was asked; a bounded number of them, and no contents. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Wrapper } from "./Wrapper.ts"

export interface Captured {
  readonly effect: string
  readonly method: string
  readonly isOk: boolean
}

export interface Capture {
  readonly wrapper: Wrapper
  /** In the order in which they ended, the oldest first. */
  readonly calls: () => ReadonlyArray<Captured>
}

const callsMaxDefault = 1_000

export const make = (callsMax = callsMaxDefault): Capture => {
  const calls: Array<Captured> = []
  return {
    calls: () => [...calls],
    wrapper: () =>
      Effect.succeed(({ effect, method }, work) =>
        Effect.onExit(work, (exit) =>
          Effect.sync(() => {
            if (calls.length >= callsMax) calls.shift()
            calls.push({ effect, method, isOk: Exit.isSuccess(exit) })
          })
        )
      )
  }
}
