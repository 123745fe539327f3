/**
 * A process that opens a data directory and keeps it until it is killed or its stdin ends:
 * `node dataDirectoryOwner.ts <directory> <control socket>`. One line on stdout says that it is open.
 */
import * as Effect from "effect/Effect"
import { once } from "node:events"
import { writeSync } from "node:fs"
import { open } from "../../src/handlers/node/DataDirectory.ts"

const [, , directory = "", controlSocket = ""] = process.argv

const own = Effect.gen(function* () {
  const { path } = yield* open(directory, { controlSocket })
  writeSync(1, `${path}\n`)
  yield* Effect.promise(() => once(process.stdin.resume(), "end"))
})

await Effect.runPromise(Effect.scoped(own))
