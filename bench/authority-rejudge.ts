/**
 * How long a device takes, in a space whose 1 000 devices and 10 000 delegations are judged, from a late revocation to
 * decisions about all devices again; beside it, the same from all entries anew.
 *
 * The founder puts out a device from which much came, and what that wrote in the second half of its feed falls with all
 * that rested on it. Shown beside: a device on which nothing rests, and the same revocation by the recovery words, which
 * every other revocation is judged by.
 */
import type { Space } from "./authority.ts"
import type { Question, Side } from "./question.ts"
import { millisOf } from "./timing.ts"

type Outcome = keyof Space["revocations"]

const side = (peer: string, outcome: Outcome): Side => ({
  peer,
  package: "aura",
  verifies: "whether the revocation stands, and every verdict that it may change",
  run: async () => {
    const { build, expectRenamers, extend, spaceOf } = await import("./authority.ts")
    const { acts } = await import("./delegations.ts")
    const { entries, revocations } = spaceOf(acts)
    const known = build(entries)
    expectRenamers(known, "before")
    return millisOf(() => expectRenamers(extend(known, revocations[outcome]), outcome))
  }
})

const anew: Side = {
  peer: "Aura, all anew",
  package: "aura",
  verifies: "every entry's author, its past, and every chain of delegations",
  run: async () => {
    const { build, expectRenamers, spaceOf } = await import("./authority.ts")
    const { acts } = await import("./delegations.ts")
    const { entries, revocations } = spaceOf(acts)
    return millisOf(() => expectRenamers(build([...entries, revocations.trunk]), "trunk"))
  }
}

export const questions: ReadonlyArray<Question> = [
  {
    question: "authority-rejudge",
    unit: "ms",
    better: "lower",
    ours: side("Aura, of a device much rests on", "trunk"),
    peers: [
      anew,
      { ...side("Aura, of one nothing rests on", "leaf"), unlike: "shown beside", roundsMax: 2 },
      { ...side("Aura, by the recovery words", "trunkByRoot"), unlike: "shown beside", roundsMax: 2 }
    ]
  }
]
