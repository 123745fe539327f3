/**
 * How long a fresh process takes from a closed store to readable state, its modules loaded and the files in the
 * system's cache; and how much memory the open state keeps.
 *
 * Two ways of ours stand beside the peers: from the checkpoint, and by replaying the whole verified journal.
 */
import type { Question, Side } from "./question.ts"
import { filled, stores } from "./stores.ts"
import { keptMegabytes, openMillis } from "./timing.ts"

type Measure = typeof openMillis

const ours = (measure: Measure, checkpoint: boolean): Side => ({
  peer: checkpoint ? "Aura, from the checkpoint" : "Aura, by replay",
  package: "aura",
  verifies: checkpoint
    ? "the checkpoint's hash and the tail of the journal"
    : "every hash chain and author's authority; signatures were checked when they came in",
  prepare: {
    name: "aura",
    fill: async (directory) => (await import("./ours.ts")).store({ checkpoint: true }).fill(directory)
  },
  run: async (directory) => measure((await import("./ours.ts")).store({ checkpoint }), directory)
})

const peers = (measure: Measure): ReadonlyArray<Side> =>
  stores.map((store) => ({
    peer: store.peer,
    package: store.package,
    verifies: store.verifies,
    prepare: filled(store),
    run: async (directory) => measure(await store.load(), directory)
  }))

export const questions: ReadonlyArray<Question> = [
  { question: "cold-open", unit: "ms", better: "lower", ours: ours(openMillis, true), peers: peers(openMillis) },
  {
    question: "cold-open-replay",
    unit: "ms",
    better: "lower",
    ours: ours(openMillis, false),
    peers: peers(openMillis).filter((_, index) => stores[index]!.acknowledges)
  },
  { question: "memory-kept", unit: "MB", better: "lower", ours: ours(keptMegabytes, true), peers: peers(keptMegabytes) }
]
