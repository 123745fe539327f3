/**
 * How long a server with an empty store takes from the start of its process until it serves, Node's own start included.
 */
import { join } from "node:path"
import type { Question } from "./question.ts"
import { readyMillis } from "./timing.ts"

const script = (name: string) => join(import.meta.dirname, "peers", name)
const nodeArguments = ["--no-warnings"]

export const questions: ReadonlyArray<Question> = [
  {
    question: "start",
    unit: "ms",
    better: "lower",
    ours: {
      peer: "Aura",
      package: "aura",
      verifies: "store opened and locked, keys made, certificates made, TLS listening, readiness true",
      run: async (directory) => {
        const { serve } = await import("./ours.ts")
        return readyMillis((port) => serve(port, directory))
      }
    },
    peers: [
      {
        peer: "Hocuspocus",
        package: "@hocuspocus/server",
        verifies: "nothing: no store, no keys, no TLS",
        unlike: "has no store, keys or TLS to prepare",
        run: () =>
          readyMillis((port) => ({
            command: process.execPath,
            arguments: [...nodeArguments, script("serve-hocuspocus.ts"), String(port)],
            ready: `http://127.0.0.1:${port}/`
          }))
      },
      {
        peer: "Jazz",
        package: "cojson",
        verifies: "SQLite opened, an agent's keys made, no TLS",
        run: (directory) =>
          readyMillis((port) => ({
            command: process.execPath,
            arguments: [...nodeArguments, script("serve-jazz.ts"), String(port), join(directory, "jazz.db")],
            ready: `http://127.0.0.1:${port}/`
          }))
      }
    ]
  }
]
