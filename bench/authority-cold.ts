/**
 * How long a device takes from the decoded authority entries of a space, 1 000 devices and 10 000 delegations
 * (delegations.ts), to its first decision. No peer does this: it stands beside the goal.
 *
 * The process is fresh, so nothing is compiled either. Reading, verifying and decoding entries is outside the clock.
 */
import type * as Ours from "./authority.ts"
import { deep } from "./delegations.ts"
import type { Question, Side } from "./question.ts"
import { millisOf } from "./timing.ts"

type Step = (authority: typeof Ours, entries: ReadonlyArray<Ours.Entry>) => number

const side = (peer: string, step: Step, naming: Ours.Naming = "last"): Side => ({
  peer,
  package: "aura",
  verifies: "every entry's author, its past, and every chain of delegations that is asked about",
  run: async () => {
    const authority = await import("./authority.ts")
    const { acts } = await import("./delegations.ts")
    return step(authority, authority.spaceOf(acts, naming).entries)
  }
})

const part = (peer: string, step: Step, naming?: Ours.Naming): Side => ({
  ...side(peer, step, naming),
  unlike: "shown beside",
  roundsMax: 2
})

const toFirst: Step = ({ build, mayRename }, entries) => millisOf(() => mayRename(build(entries), deep))

export const questions: ReadonlyArray<Question> = [
  {
    question: "authority-cold",
    unit: "ms",
    better: "lower",
    goal: 50,
    ours: side("Aura, to the first decision", toFirst),
    peers: [
      part("Aura, were all that is seen named", toFirst, "all"),
      part("Aura, entries taken in alone", ({ build }, entries) => millisOf(() => build(entries))),
      part("Aura, entries taken in one by one", ({ buildOneByOne }, entries) => millisOf(() => buildOneByOne(entries))),
      part("Aura, the first decision alone", ({ build, mayRename }, entries) => {
        const known = build(entries)
        return millisOf(() => mayRename(known, deep))
      }),
      part("Aura, all 1 000 devices decided", ({ build, expectRenamers }, entries) =>
        millisOf(() => expectRenamers(build(entries), "before"))
      )
    ]
  }
]
