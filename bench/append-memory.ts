/**
 * How many writes a second one author makes in memory, one transaction each, 64 waiting for acknowledgement at once.
 *
 * An acknowledged write must be encoded and ready to send to a peer; sides that only change their state are shown but
 * not compared with.
 */
import type { Question } from "./question.ts"
import { appendPerSecond } from "./timing.ts"

const stateOnly = "only the state changes; no update is encoded for anyone"

export const questions: ReadonlyArray<Question> = [
  {
    question: "append-memory",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "each entry hashed into its feed's chain, each batch of up to 64 signed (Ed25519)",
      run: async () => appendPerSecond((await import("./ours.ts")).memory)
    },
    peers: [
      {
        peer: "Yjs",
        package: "yjs",
        verifies: "nothing",
        run: async () => appendPerSecond((await import("./peers/yjs.ts")).memory)
      },
      {
        peer: "Yjs without a listener",
        package: "yjs",
        verifies: "nothing",
        unlike: stateOnly,
        run: async () => appendPerSecond((await import("./peers/yjs.ts")).memoryUnheard)
      },
      {
        peer: "Loro",
        package: "loro-crdt",
        verifies: "nothing",
        run: async () => appendPerSecond((await import("./peers/loro.ts")).memory)
      },
      {
        peer: "Loro without a listener",
        package: "loro-crdt",
        verifies: "nothing",
        unlike: stateOnly,
        run: async () => appendPerSecond((await import("./peers/loro.ts")).memoryUnheard)
      },
      {
        peer: "Automerge",
        package: "@automerge/automerge",
        verifies: "each change hash-linked (SHA-256), unsigned",
        roundsMax: 1,
        run: async () => appendPerSecond((await import("./peers/automerge.ts")).memory)
      },
      {
        peer: "Jazz",
        package: "cojson",
        verifies: "each write encrypted, hashed and signed (Ed25519, BLAKE3; Rust)",
        run: async () => appendPerSecond((await import("./peers/jazz.ts")).memory)
      }
    ]
  }
]
