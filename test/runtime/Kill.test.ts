/**
 * Bob's agent is a process that is killed at every single step of opening, writing and syncing (mortal.ts); Alice's goes on.
 * After each death: everything Bob acknowledged is on his disk, nothing of his contradicts what anybody ever saw, and what he
 * spent on Alice stands there too, to the last frame that she got.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Context from "effect/Context"
import * as Queue from "effect/Queue"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { Network, type Connection } from "../../src/effects/Network.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import { fold } from "../../src/runtime/Fold.ts"
import * as AccountRow from "../../src/runtime/AccountRow.ts"
import * as Guard from "../../src/runtime/Guard.ts"
import * as Intake from "../../src/runtime/Intake.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Message from "../../src/sync/Message.ts"
import * as Budget from "../../src/trust/Budget.ts"
import {
  account,
  alice,
  bob,
  bring,
  definition,
  entriesOf,
  founded,
  installation,
  installed,
  noonMillis,
  right,
  runOf,
  set,
  until,
  written,
  type Script
} from "./fixtures.ts"
import { pipe } from "./mortal.ts"

const now = noonMillis + 60_000

/** Bob's journal as it lies on the disk. */
const survey = (path: string, space: Parameters<typeof fold>[1]) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* SqliteJournal.make({ path })
      const { damage, ledger } = yield* fold(store, space, now, "whole")
      assert.deepStrictEqual(damage, [])
      const deliveries: Array<Delivery> = []
      for (const { feed, header } of yield* store.feeds(space))
        for (const run of yield* store.read(space, feed, 0, Number.MAX_SAFE_INTEGER))
          deliveries.push({ header, run: run.bytes })
      const row = yield* store.local(space, AccountRow.nameOf(alice.device))
      const account = Option.isNone(row) ? AccountRow.empty : AccountRow.decode(row.value)!
      return { deliveries, ledger, spent: account.epochs.reduce((sum, { reserved }) => sum + reserved, 0) }
    })
  )

const found = (path: string, space: Parameters<typeof fold>[1], authority: Script) =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* SqliteJournal.make({ path })
      const run = Result.getOrThrow(Run.decode(runOf(authority).run))
      yield* store.commit({
        space,
        feeds: [{ feed: run.feed, header: authority.feed.bytes }],
        runs: [Intake.stored(run)]
      })
    })
  )

const linesOf = (stream: Readable): { readonly lines: () => ReadonlyArray<string> } => {
  let text = ""
  stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
  return { lines: () => text.split("\n").slice(0, -1) }
}

describe("an agent that is killed", () => {
  it.live(
    "at any step has what it acknowledged, forks no feed, and catches up when it lives again",
    () =>
      Effect.gen(function* () {
        const directory = mkdtempSync(join(tmpdir(), "aura-mortal-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
        const path = join(directory, "journal")
        // one file starts four times as fast as the hundred it is made of
        const program = join(directory, "mortal.mjs")
        const require = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"
        yield* Effect.promise(() =>
          build({
            entryPoints: [join(import.meta.dirname, "mortal.ts")],
            outfile: program,
            bundle: true,
            platform: "node",
            format: "esm",
            banner: { js: require }
          })
        )
        const { authority, space } = founded([[bob, right("*", 1)]])
        const on = installation(alice)
        yield* bring(on, space, runOf(authority))
        yield* found(path, space, authority)

        const calls = yield* Queue.unbounded<Connection>()
        const network = Layer.succeed(Network, {
          connect: () => Effect.never,
          accept: Queue.take(calls),
          addresses: () => ["pipe"]
        })
        const agent = Context.get(
          yield* Layer.build(Agent.layer.pipe(Layer.provideMerge(installed(on)), Layer.provide(network))),
          Agent.Agent
        )
        const replica = agent.replica(space)!

        /** What reached Alice, in units. */
        let paid = 0
        const pay = (frame: Uint8Array) =>
          Effect.sync(() => {
            if (Guard.isTelling(Result.getOrThrow(Message.decode(frame)))) paid += Budget.costOf(frame.length)
          })
        /** One life of Bob's agent; the lines it told. */
        const life = (killAt: number) =>
          Effect.gen(function* () {
            yield* replica.write(written(alice.device, set(`alice-${killAt}`, "1")))
            const child = spawn(process.execPath, [program, directory, String(killAt), `bob-${killAt}`], {
              stdio: ["pipe", "pipe", "inherit", "pipe"]
            })
            const told = linesOf(child.stdio[3] as Readable)
            const closed = once(child, "close")
            const connection = yield* pipe(bob.device, child.stdout!, child.stdin!, {
              initiator: false,
              step: () => {}
            })
            yield* Queue.offer(calls, { ...connection, receive: Effect.tap(connection.receive, (frame) => pay(frame)) })
            yield* Effect.promise(() => closed)
            yield* until("the link ends", () => agent.links().length === 0)
            return told.lines()
          })

        const acknowledged: Array<string> = []
        for (let killAt = 1; ; killAt++) {
          const lines = yield* life(killAt)
          acknowledged.push(...lines.filter((line) => line.startsWith("ack ")).map((line) => line.slice(4)))
          const { deliveries, ledger, spent } = yield* survey(path, space)
          assert.isAtLeast(spent, paid, `step ${killAt}`)
          const entries = Ledger.read(ledger, definition)["entries"] as ReadonlyMap<string, string>
          for (const key of acknowledged)
            assert.strictEqual(entries.get(key), "1", `${key} after the death at step ${killAt}`)
          const outcomes = yield* replica.receive(deliveries)
          for (const outcome of outcomes) assert.include(["Known", "Stored"], outcome._tag, `step ${killAt}`)
          assert.strictEqual(replica.ledger().forks.size + ledger.forks.size, 0)
          if (lines.at(-1)?.startsWith("done") === true) break
          assert.isBelow(killAt, 200)
        }
        yield* life(0)
        const { ledger, spent } = yield* survey(path, space)
        assert.isAtLeast(spent, paid)
        assert.isAbove(paid, 50)
        assert.deepStrictEqual(account(ledger), account(replica.ledger()))
        for (const key of acknowledged) assert.strictEqual(entriesOf(replica)[key], "1")
      }).pipe(Effect.scoped),
    300_000
  )
})
