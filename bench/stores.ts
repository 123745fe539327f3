/**
 * The places on disk that are compared, once for all questions about them.
 *
 * `acknowledges` says that single writes are acknowledged; without it a store is one file rewritten as a whole.
 * `survives` is what an acknowledged write outlives. Aura's own is "power cut".
 */
import type { Store, WritableStore } from "./question.ts"

interface Described {
  readonly peer: string
  readonly package: string
  readonly name: string
  readonly verifies: string
  readonly survives: "power cut" | "killed process" | "nothing in between"
  /** Most runs that make sense where all 20 000 writes are made. */
  readonly fillsMax?: number
}

export type DescribedStore = Described &
  (
    | { readonly acknowledges: true; readonly load: () => Promise<WritableStore> }
    | { readonly acknowledges: false; readonly load: () => Promise<Store> }
  )

const aLog = "no store of its own: its updates in one file of the bench, one fdatasync per 64 writes"

export const stores: ReadonlyArray<DescribedStore> = [
  {
    peer: "Jazz",
    package: "cojson",
    name: "jazz-full",
    verifies:
      "encrypted and signed when written, signatures and roles checked again when opened; SQLite synchronous=FULL",
    survives: "power cut",
    acknowledges: true,
    load: async () => (await import("./peers/jazz.ts")).sqliteFull
  },
  {
    peer: "Jazz, SQLite synchronous=NORMAL",
    package: "cojson",
    name: "jazz-normal",
    verifies: "as Jazz, SQLite synchronous=NORMAL",
    survives: "killed process",
    acknowledges: true,
    load: async () => (await import("./peers/jazz.ts")).sqliteNormal
  },
  {
    peer: "Yjs, y-leveldb with synced puts",
    package: "y-leveldb",
    name: "yjs-level-synced",
    verifies: "nothing; LevelDB's checksums, one sync per write",
    survives: "power cut",
    fillsMax: 1,
    acknowledges: true,
    load: async () => (await import("./peers/yjs.ts")).levelSynced
  },
  {
    peer: "Yjs, y-leveldb as it comes",
    package: "y-leveldb",
    name: "yjs-level",
    verifies: "nothing; LevelDB's checksums",
    survives: "killed process",
    acknowledges: true,
    load: async () => (await import("./peers/yjs.ts")).level
  },
  {
    peer: "Yjs, update log",
    package: "yjs",
    name: "yjs-log",
    verifies: `nothing; ${aLog}`,
    survives: "power cut",
    acknowledges: true,
    load: async () => (await import("./peers/yjs.ts")).log
  },
  {
    peer: "Loro, update log",
    package: "loro-crdt",
    name: "loro-log",
    verifies: `a checksum of each update; ${aLog}`,
    survives: "power cut",
    acknowledges: true,
    load: async () => (await import("./peers/loro.ts")).log
  },
  {
    peer: "Automerge, change log",
    package: "@automerge/automerge",
    name: "automerge-log",
    verifies: `SHA-256 links of the changes; ${aLog}`,
    survives: "power cut",
    fillsMax: 1,
    acknowledges: true,
    load: async () => (await import("./peers/automerge.ts")).log
  },
  {
    peer: "Yjs, one snapshot",
    package: "yjs",
    name: "yjs-snapshot",
    verifies: "nothing; one file rewritten as a whole",
    survives: "nothing in between",
    acknowledges: false,
    load: async () => (await import("./peers/yjs.ts")).snapshot
  },
  {
    peer: "Loro, one snapshot",
    package: "loro-crdt",
    name: "loro-snapshot",
    verifies: "a checksum; one file rewritten as a whole",
    survives: "nothing in between",
    acknowledges: false,
    load: async () => (await import("./peers/loro.ts")).snapshot
  },
  {
    peer: "Automerge, one snapshot",
    package: "@automerge/automerge",
    name: "automerge-snapshot",
    verifies: "SHA-256 links up to the heads; one deflated file rewritten as a whole",
    survives: "nothing in between",
    acknowledges: false,
    load: async () => (await import("./peers/automerge.ts")).snapshot
  }
]

/** A directory that holds this store, filled once per bench. */
export const filled = (store: Pick<DescribedStore, "name" | "load">) => ({
  name: store.name,
  fill: async (directory: string) => (await store.load()).fill(directory)
})
