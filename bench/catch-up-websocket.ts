/**
 * The same catch-up over a loopback WebSocket without TLS, both ends in one process; the socket is open when the clock
 * starts.
 */
import type { Question } from "./question.ts"
import { catchUpPerSecond } from "./timing.ts"

export const questions: ReadonlyArray<Question> = [
  {
    question: "catch-up-websocket",
    unit: "entries/s",
    better: "higher",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "as catch-up, and every frame sealed by the authenticated inner channel",
      run: async () => catchUpPerSecond((await import("./ours.ts")).pairOverWebSocket)
    },
    peers: [
      {
        peer: "Hocuspocus",
        package: "@hocuspocus/server",
        verifies: "nothing; Yjs's sync protocol, plain frames",
        run: async () => catchUpPerSecond((await import("./peers/hocuspocus.ts")).pair)
      },
      {
        peer: "Jazz",
        package: "cojson-transport-ws",
        verifies: "as Jazz in process, JSON frames whose contents are encrypted",
        run: async () => catchUpPerSecond((await import("./peers/jazz.ts")).pairOverWebSocket)
      }
    ]
  }
]
