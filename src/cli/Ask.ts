/** Asks the person at the terminal, or reads what a script pipes in: questions on stderr, answers from stdin, by line. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { createInterface } from "node:readline"
import * as Problem from "./Problem.ts"

export interface Ask {
  /** The next line of input, without white space around it. */
  readonly line: (question: string) => Effect.Effect<string, Problem.Problem>
}

/** Lines that wait to be asked for. */
const linesMax = 64

export const open: Effect.Effect<Ask, never, Scope.Scope> = Effect.gen(function* () {
  const lines = yield* Queue.bounded<string | undefined>(linesMax)
  const reader = yield* Effect.acquireRelease(
    Effect.sync(() => createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })),
    (reader) =>
      Effect.sync(() => {
        reader.close()
        process.stdin.unref()
      })
  )
  reader.on("line", (line) => Queue.offerUnsafe(lines, line.trim()))
  reader.on("close", () => Queue.offerUnsafe(lines, undefined))
  return {
    line: Effect.fnUntraced(function* (question: string) {
      process.stderr.write(question)
      const line = yield* Queue.take(lines)
      if (process.stdin.isTTY !== true && question !== "") process.stderr.write("\n")
      if (line !== undefined) return line
      return yield* Problem.make("InputMissing", {
        what: "the input ended before everything was asked",
        do: "run it at a terminal, or pipe one answer per line into it",
        isUsage: true
      })
    })
  }
})
