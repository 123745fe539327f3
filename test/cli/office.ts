/**
 * A data directory in which errands are done within the test's own process: Alice founded a space of the task list there
 * and admitted others, who have no devices of their own.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Result from "effect/Result"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { app } from "../../examples/tasks/app.ts"
import type { Errand } from "../../src/cli/Errand.ts"
import { answer, rendererOf } from "../../src/cli/Errands.ts"
import * as Home from "../../src/cli/Home.ts"
import * as Office from "../../src/cli/Office.ts"
import type { Data } from "../../src/cli/Output.ts"
import * as Problem from "../../src/cli/Problem.ts"
import * as Settings from "../../src/cli/Settings.ts"
import { deviceId, type DeviceId } from "../../src/identity/Id.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { authorityWrite } from "../../src/runtime/Write.ts"
import type * as Fact from "../../src/trust/Fact.ts"

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

/** Somebody whose id begins with this byte. */
export const somebody = (first: number): DeviceId => deviceId(new Uint8Array(32).fill(7).fill(first, 0, 1))

/** What an errand came to: its data, or the problem that it ended with. */
export interface Done {
  readonly data: ReadonlyArray<Data>
  /** As people read it. */
  readonly text: string
  readonly problem: Problem.Problem | undefined
}

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-office-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Alice's office, and what she wrote down about each of these: name → id and the rights they get. */
export const open = Effect.fnUntraced(function* (
  members: ReadonlyArray<{
    readonly device: DeviceId
    readonly name: string
    readonly rights: ReadonlyArray<Fact.Right>
  }>
) {
  const data = join(yield* directory, "data")
  const settings = yield* Settings.load({ data }, {}, tmpdir())
  const office = yield* Office.open(settings, yield* Home.open(data, true), { answer })
  const agent = yield* office.agent
  const replica = yield* agent.createSpace(root, app.definition)
  for (const { device, name, rights } of members)
    yield* replica.write(
      authorityWrite([
        { _tag: "Admit", device, box: new Uint8Array(32), name },
        ...(rights.length === 0 ? [] : [{ _tag: "Grant" as const, device, rights }])
      ])
    )
  const run = Effect.fnUntraced(function* (errand: Errand) {
    const pieces: Array<Data> = []
    const voice = { data: (one: Data) => Effect.sync(() => void pieces.push(one)), note: () => Effect.void }
    const exit = yield* Effect.exit(answer(office)(errand, voice))
    const render = yield* Effect.promise(() => rendererOf(errand._tag))
    return {
      data: pieces,
      text: pieces.map(render).join("\n"),
      problem: Exit.isSuccess(exit) ? undefined : Problem.fromError(Cause.squash(exit.cause))
    } satisfies Done
  })
  return { office, replica, self: agent.device, run }
})
