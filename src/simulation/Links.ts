/**
 * The state of the ways between hosts of a simulated network: how good each direction is, and which are cut.
 *
 * A direction is `from → to`; conditions and cuts are set apart, so that mending a cut brings back the link as it was.
 * Names need not belong to a host that exists.
 */
import type { Span } from "./Chance.ts"

/** How one direction between two hosts behaves. Shares are probabilities, 0 to 1. */
export interface Conditions {
  readonly latencyMillis: Span
  readonly bytesPerMilli: number
  /** Of connection attempts: nobody answers. */
  readonly refusedShare: number
  /** Of frames: the connection breaks with it. */
  readonly brokenShare: number
  /** Of frames: arrives altered, twice or out of turn. */
  readonly tamperedShare: number
}

/** Fast and faultless, as within a building. */
export const calm: Conditions = {
  latencyMillis: { min: 1, max: 3 },
  bytesPerMilli: 10_000,
  refusedShare: 0,
  brokenShare: 0,
  tamperedShare: 0
}

export interface Links {
  readonly conditions: (from: string, to: string) => Conditions
  readonly isCut: (from: string, to: string) => boolean
  readonly set: (from: string, to: string, conditions: Conditions) => void
  readonly cut: (from: string, to: string) => void
  /** Cuts between all of `names` that are not in one group; a name in no group is alone. */
  readonly partition: (groups: ReadonlyArray<ReadonlyArray<string>>, names: Iterable<string>) => void
  /** Undoes every cut. */
  readonly mend: () => void
  /** Makes every link calm. */
  readonly reset: () => void
}

export const make = (): Links => {
  const conditionsByArrow = new Map<string, Conditions>()
  const cuts = new Set<string>()
  return {
    conditions: (from, to) => conditionsByArrow.get(arrow(from, to)) ?? calm,
    isCut: (from, to) => cuts.has(arrow(from, to)),
    set: (from, to, conditions) => {
      conditionsByArrow.set(arrow(from, to), conditions)
    },
    cut: (from, to) => {
      cuts.add(arrow(from, to))
    },
    partition: (groups, names) => {
      const groupOf = (name: string) => groups.find((group) => group.includes(name)) ?? name
      const all = new Set([...groups.flat(), ...names])
      for (const from of all) {
        for (const to of all) if (from !== to && groupOf(from) !== groupOf(to)) cuts.add(arrow(from, to))
      }
    },
    mend: () => cuts.clear(),
    reset: () => conditionsByArrow.clear()
  }
}

/** A direction, for maps and for people. */
export const arrow = (from: string, to: string): string => `${from}→${to}`
