/** Looks for the first world in which a planted bug shows. */
import { play, type Played } from "../../src/simulation/Scenario.ts"
import { keyring, verifier } from "./signing.ts"

/** Worlds that are tried before a bug counts as not found. */
const seedsMax = 40

export const firstBroken = (): Played | undefined => {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const played = play({ seed, keyring, verifier })
    if (played.violations.length > 0) return played
  }
  return undefined
}

export const checkersOf = (played: Played): ReadonlyArray<string> => [
  ...new Set(played.violations.map(({ checker }) => checker))
]
