/** Looks for the first world in which a planted bug shows, or shows to one checker. */
import { play, type Played } from "../../src/simulation/Scenario.ts"
import { keyring, verifier } from "./signing.ts"

/** Worlds that are tried before a bug counts as not found. */
const seedsMax = 40

/** The first that this checker finds wrong, after one that is known to show it; others may find others wrong before. */
export const firstBroken = (checker: string, known = 1): Played | undefined => {
  for (const seed of [known, ...Array.from({ length: seedsMax }, (_, index) => index + 1)]) {
    const played = play({ seed, keyring, verifier })
    if (checkersOf(played).includes(checker)) return played
  }
  return undefined
}

export const checkersOf = (played: Played): ReadonlyArray<string> => [
  ...new Set(played.violations.map(({ checker }) => checker))
]
