/**
 * Hocuspocus: the usual server for Yjs, one document over a loopback WebSocket, both ends in this process.
 *
 * Nothing is signed or encrypted; no authentication hook is set. The document stays in the server's memory.
 */
import type { AddressInfo } from "node:net"
import { HocuspocusProvider, HocuspocusProviderWebsocket } from "@hocuspocus/provider"
import { Server } from "@hocuspocus/server"
import { WebSocket } from "ws"
import * as Y from "yjs"
import type { Pair } from "../question.ts"
import { writes } from "../workload.ts"

const documentName = "bench"

export const pair = async (): Promise<Pair> => {
  const server = new Server({ address: "127.0.0.1", port: 0, quiet: true, stopOnSignals: false })
  await server.listen()
  const direct = await server.hocuspocus.openDirectConnection(documentName)
  await direct.transact((document) => {
    const map = document.getMap("map")
    for (const { key, value } of writes) map.set(key, value)
  })
  const { port } = server.httpServer.address() as AddressInfo
  const socket = new HocuspocusProviderWebsocket({ url: `ws://127.0.0.1:${port}`, WebSocketPolyfill: WebSocket })
  await new Promise<void>((resolve) => socket.on("open", resolve))
  return {
    catchUp: () =>
      new Promise((resolve) => {
        const document = new Y.Doc()
        const map = document.getMap<string>("map")
        const provider = new HocuspocusProvider({
          websocketProvider: socket,
          name: documentName,
          document,
          onSynced: () =>
            resolve({ read: (key) => map.get(key), size: () => map.size, close: () => provider.destroy() })
        })
        provider.attach()
      }),
    close: async () => {
      socket.destroy()
      await direct.disconnect()
      await server.destroy()
    }
  }
}
