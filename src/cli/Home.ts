/** Takes a data directory for this process, and finds the place where it will answer the errands of other commands. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { stat } from "node:fs/promises"
import * as path from "node:path"
import * as DataDirectory from "../handlers/node/DataDirectory.ts"
import * as Control from "./Control.ts"
import * as Problem from "./Problem.ts"

export interface Home {
  readonly directory: DataDirectory.DataDirectory
  /** The control socket's path or pipe. */
  readonly socket: string
}

/** The lock goes with the scope. `mayCreate`: also a directory that is not there yet. */
export const open = Effect.fnUntraced(function* (
  directory: string,
  mayCreate: boolean
): Effect.fn.Return<Home, Problem.Problem | DataDirectory.DataDirectoryError, Scope.Scope> {
  if (!mayCreate) yield* expectDirectory(directory)
  const socket = yield* Control.place(directory)
  return { directory: yield* DataDirectory.open(directory, { controlSocket: socket }), socket }
})

/** A mistyped --data must not make a new device. */
const expectDirectory = Effect.fnUntraced(function* (directory: string) {
  const format = yield* Effect.promise(() => stat(path.join(directory, "format")).catch(() => undefined))
  if (format !== undefined) return
  return yield* Problem.make("NoDataDirectory", {
    what: `there is no data directory at ${directory}`,
    where: directory,
    do: 'start one with "aura serve" or "aura join CODE", or name another with --data'
  })
})
