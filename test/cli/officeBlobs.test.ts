/** Who serves keeps blobs where the settings say; a command that only connects opens no store of blobs. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { app } from "../../examples/tasks/app.ts"
import { answer } from "../../src/cli/Errands.ts"
import * as Home from "../../src/cli/Home.ts"
import * as Office from "../../src/cli/Office.ts"
import * as Settings from "../../src/cli/Settings.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { bytesOf, put, read } from "../runtime/blobLaws.ts"

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-blobs-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const agentIn = Effect.fnUntraced(function* (data: string, kind: string, network?: Office.Options["network"]) {
  const settings = yield* Settings.load({ data }, { AURA_STORAGE__KIND: kind }, tmpdir())
  const options = network === undefined ? { answer } : { answer, network }
  const office = yield* Office.open(settings, yield* Home.open(data, true), options)
  return yield* office.agent
})

const listening = { listen: { host: "127.0.0.1", port: 0 } }

describe("the agent of a server", () => {
  for (const kind of ["file", "memory"] as const) {
    it.live(`keeps blobs by storage.kind = ${kind}`, () =>
      Effect.gen(function* () {
        const data = join(yield* directory, "data")
        const bytes = bytesOf(300_000)
        const ref = yield* Effect.scoped(
          Effect.gen(function* () {
            const agent = yield* agentIn(data, kind, listening)
            const { space } = yield* agent.createSpace(root, app.definition)
            return yield* put(agent.blobs!(space), bytes)
          })
        )
        assert.strictEqual(existsSync(join(data, "blobs")), kind === "file")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const agent = yield* agentIn(data, kind, listening)
            const blobs = agent.blobs!(agent.replicas()[0]!.space)
            assert.strictEqual(yield* blobs.has(ref.hash), kind === "file")
            if (kind === "file") assert.deepStrictEqual(yield* read(blobs.get(ref)), bytes)
          })
        )
      })
    )
  }

  it.live("is not opened for a store of blobs where it does not serve", () =>
    Effect.gen(function* () {
      const data = join(yield* directory, "data")
      const agent = yield* agentIn(data, "file")
      assert.isUndefined(agent.blobs)
      assert.isFalse(existsSync(join(data, "blobs")))
    })
  )
})
