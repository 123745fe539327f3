/**
 * Loro: one LoroMap, one commit per write. Nothing is signed or encrypted.
 */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { LoroDoc, type ExportMode } from "loro-crdt"
import type { RecordedPair, Replica, Store, WritableStore, Writer } from "../question.ts"
import { fillBy } from "../timing.ts"
import { writes, type Write } from "../workload.ts"
import * as UpdateLog from "./UpdateLog.ts"

/** With a listener for local updates: each commit leaves an encoded update, ready to send. */
export const memory = (): Writer => {
  const document = new LoroDoc()
  let bytes = 0
  document.subscribeLocalUpdates((update) => {
    bytes += update.length
  })
  return { ...replicaOf(document), append: (batch) => set(document, batch) }
}

/** Without a listener: the state changes, nothing is encoded. */
export const memoryUnheard = (): Writer => {
  const document = new LoroDoc()
  return { ...replicaOf(document), append: (batch) => set(document, batch) }
}

/** The version vector one way, the missing updates the other way. */
export const pairByUpdates = (): Promise<RecordedPair> => pair((from) => ({ mode: "update", from: from.version() }))

/** What Loro's documentation recommends for a first transfer: state and history in one snapshot. */
export const pairBySnapshot = (): Promise<RecordedPair> => pair(() => ({ mode: "snapshot" }))

/** The updates of each batch of commits in an append-only file. */
export const log: WritableStore = {
  open: (directory) => openLog(directory),
  fill: fillBy((directory) => openLog(directory))
}

export const snapshot: Store = {
  open: async (directory) => {
    const document = new LoroDoc()
    document.import(await readFile(join(directory, "document")))
    return replicaOf(document)
  },
  fill: async (directory) => {
    const document = new LoroDoc()
    set(document, writes)
    await writeFile(join(directory, "document"), document.export({ mode: "snapshot" }))
  }
}

const pair = async (modeFor: (fresh: LoroDoc) => ExportMode): Promise<RecordedPair> => {
  const full = new LoroDoc()
  set(full, writes)
  const messages: Array<Uint8Array> = []
  return {
    catchUp: async () => {
      const fresh = new LoroDoc()
      const vector = fresh.version().encode()
      const update = full.export(modeFor(fresh))
      fresh.import(update)
      messages.push(vector, update)
      return replicaOf(fresh)
    },
    messages: () => messages,
    close: () => full.free()
  }
}

const openLog = async (directory: string): Promise<Writer> => {
  const file = UpdateLog.open(directory)
  const document = new LoroDoc()
  if (file.stored.length > 0) document.importBatch([...file.stored])
  let version = document.version()
  return {
    ...replicaOf(document),
    append: (batch) => {
      set(document, batch)
      file.append([document.export({ mode: "update", from: version })])
      version = document.version()
    },
    close: file.close
  }
}

const set = (document: LoroDoc, batch: ReadonlyArray<Write>): void => {
  const map = document.getMap("map")
  for (const { key, value } of batch) {
    map.set(key, value)
    document.commit()
  }
}

const replicaOf = (document: LoroDoc): Replica => {
  const map = document.getMap("map")
  return {
    read: (key) => {
      const value = map.get(key)
      return typeof value === "string" ? value : undefined
    },
    size: () => map.size,
    close: () => undefined
  }
}
