/**
 * `aura simulate`: plays worlds of agents, networks, disks and clocks, one for each seed, and checks what must hold.
 *
 * A seed decides everything: `--seed 7` is the same world on every machine. `--twice` plays each seed a second time and
 * compares the traces. It stops at the first world in which something did not hold, with the command that plays it again.
 * It touches no data directory.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Scenario from "../simulation/Scenario.ts"
import type { Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { count } from "./Text.ts"
import { keyring, verifier } from "./WorldKeys.ts"

export interface Options {
  /** Play just this one. */
  readonly seed: number | undefined
  /** The first seed otherwise. */
  readonly from: number
  readonly seeds: number
  /** Play as many as fit into so many seconds. */
  readonly seconds: number | undefined
  readonly twice: boolean
  /** How a world is played again, for people to copy. */
  readonly command: (words: ReadonlyArray<string>) => string
}

const traceLinesShown = 30

export const simulate = Effect.fnUntraced(function* (output: Output, options: Options) {
  const began = yield* Clock.currentTimeMillis
  const first = options.seed ?? options.from
  const seedsMax =
    options.seed !== undefined ? 1 : options.seconds === undefined ? options.seeds : Number.MAX_SAFE_INTEGER
  const figures = { seeds: 0, operations: 0, entries: 0, virtualMillis: 0 }
  for (let seed = first; seed < first + seedsMax; seed++) {
    const played = Scenario.play({ seed, keyring, verifier })
    if (played.violations.length > 0) return yield* broken(played, options)
    if (options.twice) yield* same(played, options)
    figures.seeds++
    figures.operations += played.figures.operations
    figures.entries += played.figures.entries
    figures.virtualMillis += played.figures.virtualMillis
    if (options.seed !== undefined) output.note(played.about)
    // between two worlds there is time for Ctrl-C
    yield* Effect.sleep(0)
    if (options.seconds !== undefined && (yield* Clock.currentTimeMillis) - began >= options.seconds * 1000) break
  }
  const seconds = Math.round(((yield* Clock.currentTimeMillis) - began) / 1000)
  const hours = Math.round(figures.virtualMillis / 3_600_000)
  output.data(
    { ...figures, seconds },
    `${count(figures.seeds, "world")} from seed ${first}: everything held; ${figures.operations} operations, ${figures.entries} entries, ${hours} h of their time in ${seconds} s`
  )
})

const broken = (played: Scenario.Played, { command }: Options): Problem.Problem =>
  Problem.make("WorldBroken", {
    what: `seed ${played.seed}: ${count(played.violations.length, "thing")} did not hold`,
    details: [
      ...played.violations.map(({ checker, what }) => `${checker}: ${what}`),
      played.about,
      ...played.trace.slice(-traceLinesShown)
    ],
    do: `play it again: ${command(["simulate", "--seed", String(played.seed)])}`
  })

const same = Effect.fnUntraced(function* (played: Scenario.Played, { command }: Options) {
  const again = Scenario.play({ seed: played.seed, keyring, verifier })
  if (again.traceHash === played.traceHash) return
  return yield* Problem.make("WorldNotRepeated", {
    what: `seed ${played.seed} gave two different worlds: something in it does not follow from the seed`,
    do: `play it again: ${command(["simulate", "--seed", String(played.seed), "--twice"])}`
  })
})
