/**
 * How many bytes an entry costs on the wire when a fresh replica catches up; 39 of them are the user's data.
 *
 * Payloads of all messages of both directions, without frames and TLS. The second question deflates them (level 1, one
 * stream) for every side alike.
 */
import type { Question, Side } from "./question.ts"
import { wireBytesPerEntry } from "./timing.ts"

/** Building Automerge's document takes longer than syncing it, so it is built once. */
export const automergeDocument = {
  name: "automerge-snapshot",
  fill: async (directory: string) => (await import("./peers/automerge.ts")).snapshot.fill(directory)
}

const ours = (deflate: boolean): Side => ({
  peer: "Aura",
  package: "aura",
  verifies: "headers, chains and signatures included; before the channel seals the messages",
  roundsMax: 1,
  run: async () => wireBytesPerEntry((await import("./ours.ts")).pair, deflate)
})

const peers = (deflate: boolean): ReadonlyArray<Side> => [
  {
    peer: "Yjs",
    package: "yjs",
    verifies: "nothing",
    roundsMax: 1,
    run: async () => wireBytesPerEntry((await import("./peers/yjs.ts")).pair, deflate)
  },
  {
    peer: "Loro, by updates",
    package: "loro-crdt",
    verifies: "a checksum",
    roundsMax: 1,
    run: async () => wireBytesPerEntry((await import("./peers/loro.ts")).pairByUpdates, deflate)
  },
  {
    peer: "Loro, by snapshot",
    package: "loro-crdt",
    verifies: "a checksum",
    roundsMax: 1,
    run: async () => wireBytesPerEntry((await import("./peers/loro.ts")).pairBySnapshot, deflate)
  },
  {
    peer: "Automerge",
    package: "@automerge/automerge",
    verifies: "SHA-256 links up to the heads",
    ...(deflate ? {} : { unlike: "its format deflates by itself; compare it in wire-bytes-deflated" }),
    roundsMax: 1,
    prepare: automergeDocument,
    run: async (directory) => {
      const { pair } = await import("./peers/automerge.ts")
      return wireBytesPerEntry(() => pair(directory), deflate)
    }
  },
  {
    peer: "Jazz",
    package: "cojson-transport-ws",
    verifies: "encrypted contents and signatures included",
    roundsMax: 1,
    run: async () => wireBytesPerEntry((await import("./peers/jazz.ts")).pairOverWebSocket, deflate)
  }
]

export const questions: ReadonlyArray<Question> = [
  { question: "wire-bytes", unit: "bytes/entry", better: "lower", ours: ours(false), peers: peers(false) },
  { question: "wire-bytes-deflated", unit: "bytes/entry", better: "lower", ours: ours(true), peers: peers(true) }
]
