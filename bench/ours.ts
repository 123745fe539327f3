/**
 * Aura's side of every question: the one file of the bench that knows Aura.
 *
 * The application is one map of strings; a write is one `perform` of one operation, so one entry of one fact. Nothing
 * is switched off: entries are hashed into their feed's chain and signed, everything received is verified and judged.
 * The bench's clocks, checks and workload are outside (timing.ts, workload.ts); these functions only act.
 */
import type { Pair, RecordedPair, Server, WritableStore, Writer } from "./question.ts"

/** A missing piece of Aura, said plainly instead of a number. */
export class NotBuilt extends Error {
  constructor(what: string) {
    super(`bench/ours.ts cannot answer yet: ${what} is not connected to the bench`)
  }
}

/**
 * One agent on memory handlers. `append` performs the writes of a batch at once and resolves when all are acknowledged,
 * so they may share a signature. `read` and `size` look at the reduced state.
 */
export const memory = (): Promise<Writer> => Promise.reject(new NotBuilt("an agent on memory handlers"))

/**
 * One agent on SqliteJournal with the settings of production. `append` resolves when the batch survives a power cut.
 * `open` on a filled directory reads what is there and resolves when the state is readable: from the checkpoint, or,
 * with `checkpoint: false`, by replaying and verifying the whole journal. `close` leaves the directory closed: journal
 * packed, checkpoint written, no lock.
 */
export const store = (options: { readonly checkpoint: boolean }): WritableStore => {
  const missing = () => Promise.reject(new NotBuilt(options.checkpoint ? "a store with its checkpoint" : "a replay"))
  return { open: missing, fill: missing }
}

/**
 * Two devices of one space, both admitted, connected in process by the memory network with the authenticated channel
 * up. The full one holds all writes, the fresh one holds the authority feeds and no data. `catchUp` resolves when the
 * fresh device is caught up: every chain, signature and authority checked, every delta joined. `messages` are the
 * plain sync messages of both directions since `catchUp` began, before the channel seals them.
 */
export const pair = (): Promise<RecordedPair> => Promise.reject(new NotBuilt("two devices on the memory network"))

/** The same over a loopback WebSocket, both ends in this process, sealed by the inner channel as in production. */
export const pairOverWebSocket = (): Promise<Pair> => Promise.reject(new NotBuilt("two devices over a WebSocket"))

/**
 * `aura serve` with the embedded default on this port and this empty data directory; `ready` is its readiness address.
 * Thrown here, not later, if the command is not built.
 */
export const serve = (_port: number, _directory: string): Server => {
  throw new NotBuilt("aura serve")
}
