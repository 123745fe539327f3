/**
 * How long a server takes from the start of its process until it serves, Node's own start included: with an empty store,
 * and once more with what a first start left there.
 */
import { join } from "node:path"
import type { Question, Server, Side } from "./question.ts"
import { readyAgainMillis, readyMillis } from "./timing.ts"

type Measure = (serve: (port: number) => Server) => Promise<number>

const script = (name: string) => join(import.meta.dirname, "peers", name)
const nodeArguments = ["--no-warnings"]

const ours = (measure: Measure, verifies: string): Side => ({
  peer: "Aura",
  package: "aura",
  verifies,
  run: async (directory) => {
    const { serve } = await import("./ours.ts")
    return measure((port) => serve(port, directory))
  }
})

const peers = (measure: Measure): ReadonlyArray<Side> => [
  {
    peer: "Hocuspocus",
    package: "@hocuspocus/server",
    verifies: "nothing: no store, no keys, no TLS",
    unlike: "has no store, keys or TLS to prepare",
    run: () =>
      measure((port) => ({
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
      measure((port) => ({
        command: process.execPath,
        arguments: [...nodeArguments, script("serve-jazz.ts"), String(port), join(directory, "jazz.db")],
        ready: `http://127.0.0.1:${port}/`
      }))
  }
]

export const questions: ReadonlyArray<Question> = [
  {
    question: "start",
    unit: "ms",
    better: "lower",
    ours: ours(readyMillis, "store opened and locked, keys made, certificates made, TLS listening, readiness true"),
    peers: peers(readyMillis)
  },
  {
    question: "start-warm",
    unit: "ms",
    better: "lower",
    ours: ours(readyAgainMillis, "store opened and locked, journal folded, keys opened, TLS listening, readiness true"),
    peers: peers(readyAgainMillis)
  }
]
