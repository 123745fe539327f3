/**
 * Jazz classic: cojson, one CoMap in a group, one transaction per write, with the Rust core as its users get it.
 *
 * The author encrypts and hashes every write and signs the head of its session; a reader verifies a signature about
 * every 100 KB, decrypts every write and checks the author's role. In process, messages pass by reference without
 * being serialised, which favours Jazz; over WebSocket they are JSON.
 */
import { readFile, writeFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import {
  cojsonInternals,
  getSqliteStorage,
  LocalNode,
  type Peer,
  type RawCoMap,
  type SQLiteDatabaseDriver
} from "cojson"
import { NapiCrypto } from "cojson/crypto/NapiCrypto"
import { createWebSocketPeer } from "cojson-transport-ws"
import { WebSocket, WebSocketServer, type RawData } from "ws"
import type { Pair, RecordedPair, Replica, WritableStore, Writer } from "../question.ts"
import { fillBy } from "../timing.ts"
import { writes, type Write } from "../workload.ts"

type Account = Awaited<ReturnType<typeof LocalNode.withNewlyCreatedAccount>>
type Credentials = Pick<Account, "accountID" | "accountSecret">
type MapId = RawCoMap["id"]

export const memory = async (): Promise<Writer> => {
  const { node } = await createAccount()
  const map = node.createGroup().createMap()
  return { ...replicaOf(node, map), append: (batch) => set(map, batch) }
}

/** Two nodes of one account, joined by channels in memory; the fresh one has loaded the account already. */
export const pair = async (): Promise<Pair> => {
  const account = await createAccount()
  const map = account.node.createGroup().createMap()
  set(map, writes)
  const [toFull, toFresh] = cojsonInternals.connectedPeers("full", "fresh", {
    peer1role: "server",
    peer2role: "client"
  })
  account.node.syncManager.addPeer(toFresh)
  const fresh = await loadAccount(account, [toFull])
  return { catchUp: () => load(fresh, map.id), close: () => shutDown(account.node) }
}

/** The same over a loopback WebSocket, both ends in this process. */
export const pairOverWebSocket = async (): Promise<RecordedPair> => {
  const account = await createAccount()
  const map = account.node.createGroup().createMap()
  set(map, writes)
  const messages: Array<Uint8Array> = []
  const record = (data: RawData) =>
    messages.push(Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer))
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
  server.on("connection", (websocket) => {
    websocket.on("message", record)
    account.node.syncManager.addPeer(
      createWebSocketPeer({ id: "fresh", role: "client", websocket, expectPings: false })
    )
  })
  await new Promise((resolve) => server.once("listening", resolve))
  const websocket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  websocket.on("message", record)
  const fresh = await loadAccount(account, [
    createWebSocketPeer({ id: "full", role: "server", websocket, expectPings: false })
  ])
  messages.length = 0
  return {
    catchUp: () => load(fresh, map.id),
    messages: () => messages,
    close: async () => {
      websocket.terminate()
      server.close()
      await shutDown(account.node)
    }
  }
}

/** SQLite in write-ahead mode with `synchronous = FULL`: an acknowledged write survives a power cut. */
export const sqliteFull: WritableStore = {
  open: (directory) => openSqlite(directory, "FULL"),
  fill: fillBy((directory) => openSqlite(directory, "FULL"))
}

/** `synchronous = NORMAL`: an acknowledged write survives a killed process, not a power cut. */
export const sqliteNormal: WritableStore = {
  open: (directory) => openSqlite(directory, "NORMAL"),
  fill: fillBy((directory) => openSqlite(directory, "NORMAL"))
}

const openSqlite = async (directory: string, synchronous: "FULL" | "NORMAL"): Promise<Writer> => {
  const database = openDatabase(join(directory, "jazz.db"), synchronous)
  const storage = getSqliteStorage(database)
  const known = await readCredentials(directory)
  if (known !== undefined) {
    const node = await loadAccount(known, [], storage)
    return writerOf(node, await loadMap(node, known.map), database)
  }
  const account = await createAccount(storage)
  const map = account.node.createGroup().createMap()
  const { accountID, accountSecret } = account
  await writeFile(join(directory, "account.json"), JSON.stringify({ accountID, accountSecret, map: map.id }))
  return writerOf(account.node, map, database)
}

const writerOf = (node: LocalNode, map: RawCoMap, database: SQLiteDatabaseDriver): Writer => ({
  ...replicaOf(node, map),
  append: async (batch) => {
    set(map, batch)
    await node.syncManager.waitForStorageSync(map.id)
  },
  close: async () => {
    await shutDown(node)
    database.closeDb()
  }
})

const createAccount = async (storage?: Storage): Promise<Account> =>
  LocalNode.withNewlyCreatedAccount({
    creationProps: { name: "Alice" },
    crypto: await NapiCrypto.create(),
    ...(storage === undefined ? {} : { storage })
  })

type Storage = ReturnType<typeof getSqliteStorage>

const loadAccount = async (
  { accountID, accountSecret }: Credentials,
  peers: Array<Peer>,
  storage?: Storage
): Promise<LocalNode> =>
  LocalNode.withLoadedAccount({
    accountID,
    accountSecret,
    sessionID: undefined,
    crypto: await NapiCrypto.create(),
    peers,
    ...(storage === undefined ? {} : { storage })
  })

const load = async (node: LocalNode, id: MapId): Promise<Replica> => replicaOf(node, await loadMap(node, id))

const loadMap = async (node: LocalNode, id: MapId): Promise<RawCoMap> => {
  const core = await node.loadCoValueCore(id)
  await core.waitForFullStreaming()
  const map = await node.load(id)
  if (map === "unavailable") throw new Error("Jazz does not find the map")
  return map
}

const set = (map: RawCoMap, batch: ReadonlyArray<Write>): void => {
  for (const { key, value } of batch) map.set(key, value)
}

const replicaOf = (node: LocalNode, map: RawCoMap): Replica => ({
  read: (key) => {
    const value = map.get(key)
    return typeof value === "string" ? value : undefined
  },
  size: () => map.keys().length,
  close: () => shutDown(node)
})

const shutDown = async (node: LocalNode): Promise<void> => {
  await node.gracefulShutdown()
}

const readCredentials = async (directory: string): Promise<(Credentials & { readonly map: MapId }) | undefined> => {
  try {
    return JSON.parse(await readFile(join(directory, "account.json"), "utf8"))
  } catch {
    return undefined
  }
}

/** Jazz leaves the driver to its user; this one keeps prepared statements, as a good one would. */
export const openDatabase = (path: string, synchronous: "FULL" | "NORMAL"): SQLiteDatabaseDriver => {
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`)
  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const statement = statements.get(sql) ?? database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return {
    run: (sql, given) => void prepare(sql).run(...values(given)),
    get: <T>(sql: string, given: Array<unknown>) => prepare(sql).get(...values(given)) as T | undefined,
    query: <T>(sql: string, given: Array<unknown>) => prepare(sql).all(...values(given)) as Array<T>,
    transaction: (callback) => {
      database.exec("BEGIN")
      try {
        callback()
        database.exec("COMMIT")
      } catch (error) {
        database.exec("ROLLBACK")
        throw error
      }
    },
    closeDb: () => database.close()
  }
}

const values = (given: ReadonlyArray<unknown>): Array<SQLInputValue> =>
  given.map((value) => (value ?? null) as SQLInputValue)
