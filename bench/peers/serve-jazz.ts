/**
 * A Jazz sync server as a process of its own: what `jazz-run sync` puts together, a node of a random agent, SQLite and
 * a WebSocket server; answers GET with 200.
 */
import { createServer } from "node:http"
import { getSqliteStorage, LocalNode } from "cojson"
import { NapiCrypto } from "cojson/crypto/NapiCrypto"
import { createWebSocketPeer } from "cojson-transport-ws"
import { WebSocketServer } from "ws"
import { openDatabase } from "./jazz.ts"

const [port, path] = process.argv.slice(2)
const crypto = await NapiCrypto.create()
const secret = crypto.newRandomAgentSecret()
const node = new LocalNode(secret, crypto.newRandomSessionID(crypto.getAgentID(secret)), crypto)
node.setStorage(getSqliteStorage(openDatabase(path!, "FULL")))
const server = createServer((_request, response) => void response.writeHead(200).end())
const websockets = new WebSocketServer({ server })
websockets.on("connection", (websocket, request) => {
  const id = `${request.socket.remoteAddress}:${request.socket.remotePort}`
  node.syncManager.addPeer(createWebSocketPeer({ id, role: "client", websocket, expectPings: false }))
})
server.listen(Number(port), "127.0.0.1")
