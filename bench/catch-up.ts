/**
 * How many entries a second a fresh replica takes over in process, from its first message until every value was read.
 *
 * Both replicas share one thread and one process. The full replica's encoding counts, building it does not.
 */
import type { Question } from "./question.ts"
import { catchUpPerSecond } from "./timing.ts"
import { automergeDocument } from "./wire-bytes.ts"

export const questions: ReadonlyArray<Question> = [
  {
    question: "catch-up",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "every hash chain, signature and author's authority; every delta decoded and joined",
      run: async () => catchUpPerSecond((await import("./ours.ts")).pair)
    },
    peers: [
      {
        peer: "Yjs",
        package: "yjs",
        verifies: "nothing",
        run: async () => catchUpPerSecond((await import("./peers/yjs.ts")).pair)
      },
      {
        peer: "Loro, by updates",
        package: "loro-crdt",
        verifies: "a checksum of the message",
        run: async () => catchUpPerSecond((await import("./peers/loro.ts")).pairByUpdates)
      },
      {
        peer: "Loro, by snapshot",
        package: "loro-crdt",
        verifies: "a checksum of the message",
        run: async () => catchUpPerSecond((await import("./peers/loro.ts")).pairBySnapshot)
      },
      {
        peer: "Automerge",
        package: "@automerge/automerge",
        verifies: "SHA-256 links up to the heads, no signatures",
        roundsMax: 2,
        prepare: automergeDocument,
        run: async (directory) => {
          const { pair } = await import("./peers/automerge.ts")
          return catchUpPerSecond(() => pair(directory))
        }
      },
      {
        peer: "Jazz",
        package: "cojson",
        verifies: "a signature per 100 KB over a hash of every write, decrypts, checks roles; messages by reference",
        run: async () => catchUpPerSecond((await import("./peers/jazz.ts")).pair)
      }
    ]
  }
]
