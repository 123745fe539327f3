/**
 * Automerge: 200 maps of 100 keys, one change per write. Changes are hash-linked, nothing is signed or encrypted.
 *
 * One flat map of 20 000 keys does not end in two minutes (each change copies the map), so the keys are spread by
 * their middle digits: the layout that serves Automerge best.
 */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Automerge from "@automerge/automerge"
import type { RecordedPair, Replica, Store, WritableStore, Writer } from "../question.ts"
import { fillBy } from "../timing.ts"
import { writes, type Write } from "../workload.ts"
import * as UpdateLog from "./UpdateLog.ts"

type Maps = Record<string, Record<string, string>>

export const memory = (): Writer => {
  let document = empty()
  return {
    ...replicaOf(() => document),
    append: (batch) => {
      document = set(document, batch)
    }
  }
}

/** Automerge's sync protocol to its end; the full document is loaded from a file, since building it takes long. */
export const pair = async (directory: string): Promise<RecordedPair> => {
  let full = Automerge.load<Maps>(await readFile(join(directory, "document")))
  const messages: Array<Uint8Array> = []
  return {
    catchUp: async () => {
      let fresh = Automerge.init<Maps>()
      let fullState = Automerge.initSyncState()
      let freshState = Automerge.initSyncState()
      for (;;) {
        const [nextFresh, asked] = Automerge.generateSyncMessage(fresh, freshState)
        freshState = nextFresh
        if (asked !== null) {
          messages.push(asked)
          ;[full, fullState] = Automerge.receiveSyncMessage(full, fullState, asked)
        }
        const [nextFull, answer] = Automerge.generateSyncMessage(full, fullState)
        fullState = nextFull
        if (answer !== null) {
          messages.push(answer)
          ;[fresh, freshState] = Automerge.receiveSyncMessage(fresh, freshState, answer)
        }
        if (asked === null && answer === null) return replicaOf(() => fresh)
      }
    },
    messages: () => messages,
    close: () => undefined
  }
}

/** The change of every write in an append-only file. */
export const log: WritableStore = {
  open: (directory) => openLog(directory),
  fill: fillBy((directory) => openLog(directory))
}

export const snapshot: Store = {
  open: async (directory) => {
    const document = Automerge.load<Maps>(await readFile(join(directory, "document")))
    return replicaOf(() => document)
  },
  fill: async (directory) => {
    await writeFile(join(directory, "document"), Automerge.save(set(empty(), writes)))
  }
}

const openLog = async (directory: string): Promise<Writer> => {
  const file = UpdateLog.open(directory)
  let document =
    file.stored.length > 0 ? Automerge.loadIncremental(Automerge.init<Maps>(), Buffer.concat(file.stored)) : empty()
  if (file.stored.length === 0) file.append([Automerge.save(document)])
  return {
    ...replicaOf(() => document),
    append: (batch) => {
      const changes: Array<Uint8Array> = []
      for (const write of batch) {
        document = set(document, [write])
        changes.push(Automerge.getLastLocalChange(document)!)
      }
      file.append(changes)
    },
    close: file.close
  }
}

const mapOf = (key: string): string => key.slice(2, 5)

const empty = (): Automerge.Doc<Maps> =>
  Automerge.from<Maps>(Object.fromEntries(writes.map(({ key }) => [mapOf(key), {}])))

const set = (document: Automerge.Doc<Maps>, batch: ReadonlyArray<Write>): Automerge.Doc<Maps> =>
  batch.reduce(
    (before, { key, value }) =>
      Automerge.change(before, (maps) => {
        maps[mapOf(key)]![key] = value
      }),
    document
  )

const replicaOf = (document: () => Automerge.Doc<Maps>): Replica => ({
  read: (key) => document()[mapOf(key)]?.[key],
  size: () => Object.values(document()).reduce((size, map) => size + Object.keys(map).length, 0),
  close: () => undefined
})
