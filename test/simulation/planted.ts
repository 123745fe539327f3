/** Looks for the first world in which a planted bug shows, or shows to one checker. */
import { play, type Played } from "../../src/simulation/Scenario.ts"
import { keyring, verifier } from "./signing.ts"

/** Worlds that are tried before a bug counts as not found. */
const seedsMax = 40

/** The first that this checker finds wrong; others may find others wrong before. */
export const firstBroken = (checker: string): Played | undefined => {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const played = play({ seed, keyring, verifier })
    if (checkersOf(played).includes(checker)) return played
  }
  return undefined
}

export const checkersOf = (played: Played): ReadonlyArray<string> => [
  ...new Set(played.violations.map(({ checker }) => checker))
]
