/**
 * How many decisions a second: one operation, asked for by a device that holds its right through a chain of three.
 *
 * `decide`: what is known is known and warm. `decide-received`: from the bytes that came in, signatures verified.
 *
 * Biscuit's token says the same as the chain: a right, then three attenuations (the action; the resources; until when),
 * one check and one policy in the authorizer. What is equivalent: a request names an action and a resource at a time, a
 * chain of four statements decides, by prefix and time, and 64 requests take turns. What is not: ours decides by
 * everything that the space knows (every grant to the device, its membership, whether a restriction ends it, the
 * operation's definition) and looks at the change itself, its form and its path; it answers with the chain as evidence;
 * who holds is a device, and each link was written and signed by another one. A token is all that Biscuit looks at: whoever
 * bears it holds it, anybody may attenuate it, revocation is left to its user; its rules are Datalog, which can say more
 * than our rights. What is found about a view is remembered by ours, which is what "warm" means; a Biscuit authorizer is
 * good for one request, so its Datalog runs each time.
 *
 * `decide-received` is not alike either: a Biscuit carries its chain in every request, so each block's signature is
 * verified each time. Of ours the chain was verified when its entries came in, once; a request is an entry of the
 * device's feed, with one signature a run. Here a run is a single entry, the worst case; up to 1 024 share one.
 */
import type { Question, Side } from "./question.ts"
import { perSecond } from "./timing.ts"

/** 5 µs a decision. */
const goal = 200_000

const ours = (peer: string, type: "task.rename" | "note.write", standing: boolean): Side => ({
  peer,
  package: "aura",
  verifies: standing
    ? "the change; membership and restrictions; the right once"
    : "the change, membership, restrictions, rights",
  run: async () => perSecond((await import("./authority.ts")).decider(type, { standing }))
})

export const questions: ReadonlyArray<Question> = [
  {
    question: "decide",
    unit: "decisions/s",
    better: "higher",
    goal,
    ours: ours("Aura, a right to some resources for a time", "task.rename", false),
    peers: [
      {
        peer: "Biscuit, parsed before",
        package: "@biscuit-auth/biscuit-wasm",
        verifies: "four checks and a policy in Datalog; no signature",
        run: async () => perSecond((await import("./peers/biscuit.ts")).decider())
      },
      { ...ours("Aura, a right to an action", "note.write", false), unlike: "an easier request: no resource to bind" },
      { ...ours("Aura, the same by what stands", "note.write", true), unlike: "its right was found before" }
    ]
  },
  {
    question: "decide-received",
    unit: "decisions/s",
    better: "higher",
    ours: {
      peer: "Aura, a run of one entry",
      package: "aura",
      verifies: "one signature, the chain's hash, the change, membership, restrictions, rights",
      run: async () => perSecond((await import("./authority.ts")).receiver("task.rename"))
    },
    peers: [
      {
        peer: "Biscuit, from bytes",
        package: "@biscuit-auth/biscuit-wasm",
        verifies: "four signatures; four checks and a policy in Datalog",
        run: async () => perSecond((await import("./peers/biscuit.ts")).receiver())
      }
    ]
  }
]
