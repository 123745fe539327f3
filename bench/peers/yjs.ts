/**
 * Yjs: one Y.Map, one transaction per write. Nothing is signed, hashed or encrypted.
 */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Level } from "level"
import { LeveldbPersistence } from "y-leveldb"
import * as Y from "yjs"
import type { RecordedPair, Replica, Store, WritableStore, Writer } from "../question.ts"
import { fillBy } from "../timing.ts"
import { writes, type Write } from "../workload.ts"
import * as UpdateLog from "./UpdateLog.ts"

const documentName = "bench"

/** With an `update` listener, as every provider has: each write leaves an encoded update, ready to send. */
export const memory = (): Writer => {
  const document = new Y.Doc()
  let bytes = 0
  document.on("update", (update: Uint8Array) => (bytes += update.length))
  return { ...replicaOf(document), append: (batch) => set(document, batch) }
}

/** Without a listener: the state changes, nothing is encoded. */
export const memoryUnheard = (): Writer => {
  const document = new Y.Doc()
  return { ...replicaOf(document), append: (batch) => set(document, batch) }
}

/** The state vector one way, the update the other way: the two messages of Yjs's sync protocol. */
export const pair = async (): Promise<RecordedPair> => {
  const full = new Y.Doc()
  set(full, writes)
  const messages: Array<Uint8Array> = []
  return {
    catchUp: async () => {
      const fresh = new Y.Doc()
      const vector = Y.encodeStateVector(fresh)
      const update = Y.encodeStateAsUpdate(full, vector)
      Y.applyUpdate(fresh, update)
      messages.push(vector, update)
      return replicaOf(fresh)
    },
    messages: () => messages,
    close: () => full.destroy()
  }
}

/** The update of every transaction in an append-only file. */
export const log: WritableStore = {
  open: (directory) => openLog(directory),
  fill: fillBy((directory) => openLog(directory))
}

/** y-leveldb as it comes: LevelDB hands writes to the operating system and does not wait for the disk. */
export const level: WritableStore = {
  open: (directory) => openLevel(directory, Level),
  fill: fillBy((directory) => openLevel(directory, Level))
}

/** y-leveldb with every put synced. */
export const levelSynced: WritableStore = {
  open: (directory) => openLevel(directory, SyncedLevel),
  fill: fillBy((directory) => openLevel(directory, SyncedLevel))
}

/** The whole document as one update in one file. */
export const snapshot: Store = {
  open: async (directory) => {
    const document = new Y.Doc()
    Y.applyUpdate(document, await readFile(join(directory, "document")))
    return replicaOf(document)
  },
  fill: async (directory) => {
    const document = new Y.Doc()
    set(document, writes)
    await writeFile(join(directory, "document"), Y.encodeStateAsUpdate(document))
  }
}

const openLog = async (directory: string): Promise<Writer> => {
  const file = UpdateLog.open(directory)
  const document = new Y.Doc()
  document.transact(() => file.stored.forEach((update) => Y.applyUpdate(document, update)))
  const updates: Array<Uint8Array> = []
  document.on("update", (update: Uint8Array) => updates.push(update))
  return {
    ...replicaOf(document),
    append: (batch) => {
      set(document, batch)
      file.append(updates.splice(0))
    },
    close: file.close
  }
}

class SyncedLevel extends Level<string, Uint8Array> {
  override put(...given: ReadonlyArray<unknown>): Promise<void> {
    const [key, value] = given as [string, Uint8Array]
    return super.put(key, value, { sync: true })
  }
}

const openLevel = async (directory: string, kind: unknown): Promise<Writer> => {
  const persistence = new LeveldbPersistence(join(directory, "level"), { Level: kind })
  const document = await persistence.getYDoc(documentName)
  const updates: Array<Uint8Array> = []
  document.on("update", (update: Uint8Array) => updates.push(update))
  return {
    ...replicaOf(document),
    append: async (batch) => {
      set(document, batch)
      await Promise.all(updates.splice(0).map((update) => persistence.storeUpdate(documentName, update)))
    },
    close: () => persistence.destroy()
  }
}

const set = (document: Y.Doc, batch: ReadonlyArray<Write>): void => {
  const map = document.getMap<string>("map")
  for (const { key, value } of batch) map.set(key, value)
}

const replicaOf = (document: Y.Doc): Replica => {
  const map = document.getMap<string>("map")
  return { read: (key) => map.get(key), size: () => map.size, close: () => document.destroy() }
}
