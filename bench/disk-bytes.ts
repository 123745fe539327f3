/**
 * How many bytes an entry costs on disk after all writes were acknowledged and the store was closed; lengths of all
 * files, indexes and leftovers included.
 *
 * Whole documents in one file are shown but not compared with: they acknowledge no single write.
 */
import type { Question } from "./question.ts"
import { filled, stores } from "./stores.ts"
import { bytesPerEntryOf } from "./timing.ts"

export const questions: ReadonlyArray<Question> = [
  {
    question: "disk-bytes",
    unit: "bytes/entry",
    better: "lower",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "journal, signatures, checkpoint and indexes included",
      roundsMax: 1,
      prepare: {
        name: "aura",
        fill: async (directory) => (await import("./ours.ts")).store({ checkpoint: true }).fill(directory)
      },
      run: async (directory) => bytesPerEntryOf(directory)
    },
    peers: stores.map((store) => ({
      peer: store.peer,
      package: store.package,
      verifies: store.verifies,
      ...(store.acknowledges ? {} : { unlike: "one file rewritten as a whole; acknowledges no single write" }),
      roundsMax: 1,
      prepare: filled(store),
      run: async (directory: string) => bytesPerEntryOf(directory)
    }))
  }
]
