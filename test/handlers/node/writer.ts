/**
 * A process of its own that writes to a sealed store, for tests that kill it or take its room away:
 *
 *   writer.ts DIRECTORY kill STEP    puts "a" = 1, 2, … and kills itself (SIGKILL) in front of the STEPth change of the disk
 *   writer.ts DIRECTORY fill BYTES   puts "small" (10 bytes), then "large" (BYTES bytes)
 *   writer.ts DIRECTORY hold         says "open" and stays until it is killed
 *
 * Each put that succeeded is a line on stdout, written before the next begins; an error's tag is the last line.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { writeSync } from "node:fs"
import { Storage } from "../../../src/effects/Storage.ts"
import * as MemoryKeys from "../../../src/handlers/memory/MemoryKeys.ts"
import * as EncryptedFileStorage from "../../../src/handlers/node/EncryptedFileStorage.ts"
import { watched } from "./disks.ts"

const [directory = "", mode = "", count = "0"] = process.argv.slice(2)

let stepsLeft = mode === "kill" ? Number(count) : Infinity
const disk = watched(async () => {
  if (stepsLeft-- === 0) process.kill(process.pid, "SIGKILL")
})

const put = (key: string, bytes: Uint8Array) =>
  Effect.gen(function* () {
    yield* (yield* Storage).put(key, bytes)
    writeSync(1, `${key} ${bytes.length}\n`)
  })

const program = Effect.gen(function* () {
  if (mode === "hold") {
    yield* Storage
    writeSync(1, "open\n")
    return yield* Effect.sleep("1 hour")
  }
  if (mode === "kill") for (let length = 1; length <= 20; length++) yield* put("a", new Uint8Array(length).fill(length))
  yield* put("small", new Uint8Array(10))
  yield* put("large", new Uint8Array(Number(count)))
})

const layer = EncryptedFileStorage.layer({ directory, disk }).pipe(
  Layer.provide(MemoryKeys.layer({ seed: new Uint8Array(32).fill(1) }))
)

await Effect.runPromise(
  program.pipe(
    Effect.provide(layer),
    Effect.catch((error) => Effect.sync(() => writeSync(1, `${error.reason._tag}\n`)))
  )
)
