/**
 * What a question of the bench is: one figure, asked of Aura and of every peer by the same code.
 *
 * A side is data. Its `run` answers with one number from one fresh process; main.ts repeats it, alternates the sides
 * and takes medians. Modules of peers are imported inside `run` and `fill`, before any clock starts, so that a process
 * holds only the library it measures.
 *
 * It does not time anything (timing.ts) and knows no peer (peers/).
 */
import type { Write } from "./workload.ts"

/** A map from keys to values, as a replica of any library shows it. */
export interface Replica {
  readonly read: (key: string) => string | undefined
  readonly size: () => number
  readonly close: () => void | Promise<void>
}

/** A replica that accepts writes. */
export interface Writer extends Replica {
  /** Each write is a transaction of its own; returns when all of them are acknowledged on the writer's own terms. */
  readonly append: (writes: ReadonlyArray<Write>) => void | Promise<void>
}

/** A full replica and a fresh one; whatever connection they need is up and authenticated. */
export interface Pair {
  /** Brings the fresh replica to all entries of the full one, from its first message to the last entry readable. */
  readonly catchUp: () => Promise<Replica>
  readonly close: () => void | Promise<void>
}

/** A pair whose messages are kept: the payloads of both directions, in order, without transport framing. */
export interface RecordedPair extends Pair {
  readonly messages: () => ReadonlyArray<Uint8Array>
}

/** A place on disk that holds the workload. */
export interface Store {
  /** Opens an existing store or an empty directory. For a store without `append`, `fill` is the only way in. */
  readonly open: (directory: string) => Promise<Replica>
  /** Writes the whole workload into an empty directory and closes everything. */
  readonly fill: (directory: string) => Promise<void>
}

/** A store that acknowledges single writes. */
export interface WritableStore extends Store {
  readonly open: (directory: string) => Promise<Writer>
}

/** One process that serves; `ready` answers 200 to a GET once clients are served. */
export interface Server {
  readonly command: string
  readonly arguments: ReadonlyArray<string>
  /** Beside what this process has. */
  readonly environment?: Readonly<Record<string, string>>
  readonly ready: string
}

export interface Side {
  readonly peer: string
  /** npm package whose pinned version stands beside the name. */
  readonly package: string
  /** What this side checks and promises while it is measured. */
  readonly verifies: string
  /** Why the figure is shown but never chosen as the one to beat: it answers an easier question. */
  readonly unlike?: string
  /** Most runs that make sense, for sides that take many seconds. */
  readonly roundsMax?: number
  /** A directory filled once per bench in a process of its own; sides that name the same one share it. */
  readonly prepare?: { readonly name: string; readonly fill: (directory: string) => Promise<void> }
  /** `directory` is this run's own: a copy of the prepared one, else empty. */
  readonly run: (directory: string) => Promise<number>
}

export interface Question {
  readonly question: string
  readonly unit: string
  readonly better: "higher" | "lower"
  /** What the design wants, in the question's unit. */
  readonly goal?: number
  readonly ours: Side
  readonly peers: ReadonlyArray<Side>
}
