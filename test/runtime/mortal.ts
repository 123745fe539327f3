/**
 * A process that is Bob's agent until it dies: `node mortal.ts <directory> <step> <name>`.
 *
 * Its journal is an SQLite file, its secrets are files, its one connection is the pipe on stdin and stdout. After
 * everything that the world outside could see (a commit, a secret, a frame sent, a frame received) it counts a step; at the
 * given one it kills itself as the power would, before it knows. It writes two entries and then waits until both sides have everything.
 * Lines on descriptor 3: `ack <key>` once a write was answered, `done` at the end, with the number of steps.
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { existsSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Readable, Writable } from "node:stream"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { Keys } from "../../src/effects/Keys.ts"
import { ConnectionClosed, Network, NetworkError, type Connection } from "../../src/effects/Network.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import { Time } from "../../src/effects/Time.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import { alice, bob, noonMillis, set, written } from "./fixtures.ts"
import { verifier } from "./signing.ts"

/** Frames over two streams, each behind its length in four bytes. `step` is told after each of them. */
export const pipe = (
  peer: DeviceId,
  input: Readable,
  output: Writable,
  options: { readonly initiator: boolean; readonly step: () => void }
): Effect.Effect<Connection> =>
  Effect.gen(function* () {
    const { initiator, step } = options
    const frames = yield* Queue.unbounded<Uint8Array | undefined>()
    let rest = Buffer.alloc(0)
    input.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const end = 4 + rest.readUInt32BE(0)
        Queue.offerUnsafe(frames, new Uint8Array(rest.subarray(4, end)))
        rest = rest.subarray(end)
      }
    })
    input.on("close", () => Queue.offerUnsafe(frames, undefined))
    output.on("error", () => {})
    const ended = new NetworkError({ reason: new ConnectionClosed({ reason: "the pipe ended" }) })
    return {
      peer,
      channelKey: new Uint8Array(32).fill(7),
      address: "pipe",
      initiator,
      send: (frame) =>
        Effect.callback<void, NetworkError>((resume) => {
          const length = Buffer.alloc(4)
          length.writeUInt32BE(frame.length)
          output.write(Buffer.concat([length, frame]), (error) => {
            step()
            resume(error === null || error === undefined ? Effect.void : Effect.fail(ended))
          })
        }),
      receive: Effect.flatMap(Queue.take(frames), (frame) => {
        if (frame === undefined) return Effect.fail(ended)
        step()
        return Effect.succeed(frame)
      }),
      close: () => Effect.sync(() => void output.end())
    }
  })

/** A store of secrets as files, replaced by renaming. */
const secretsIn = (directory: string, step: () => void): SecretStore["Service"] => ({
  get: (name) =>
    Effect.sync(() => {
      const path = join(directory, `${name}.secret`)
      return existsSync(path) ? Option.some(Redacted.make(new Uint8Array(readFileSync(path)))) : Option.none()
    }),
  put: (name, secret) =>
    Effect.sync(() => {
      const path = join(directory, `${name}.secret`)
      writeFileSync(`${path}.new`, Redacted.value(secret))
      renameSync(`${path}.new`, path)
      step()
    }),
  remove: () => Effect.void,
  level: "Low"
})

const live = (directory: string, killAt: number, name: string) =>
  Effect.gen(function* () {
    let steps = 0
    const step = (): void => {
      steps++
      if (steps === killAt) process.kill(process.pid, "SIGKILL")
    }
    const tell = (line: string): void => void writeSync(3, `${line}\n`)
    const connection = yield* pipe(alice.device, process.stdin, process.stdout, { initiator: true, step })
    const journal = Layer.effect(
      JournalStore,
      Effect.map(SqliteJournal.make({ path: join(directory, "journal") }), (store) =>
        JournalStore.of({
          ...store,
          commit: (commit) =>
            Effect.gen(function* () {
              yield* store.commit(commit)
              step()
            })
        })
      )
    )
    const world = Layer.mergeAll(
      journal,
      Layer.succeed(SecretStore, secretsIn(directory, step)),
      Layer.succeed(Keys, bob),
      Layer.succeed(Time, {
        now: () => ({ millis: noonMillis + 60_000, uncertaintyMillis: Infinity, status: "Unchecked" as const })
      }),
      Layer.succeed(Network, { connect: () => Effect.succeed(connection), accept: Effect.never, addresses: () => [] }),
      verifier,
      SecureRandom.layerWebCrypto
    )
    const agent = Context.get(yield* Layer.build(Layer.provide(Agent.layer, world)), Agent.Agent)
    const [replica] = agent.replicas()
    if (replica === undefined) throw new Error("the journal has no space")
    const link = yield* agent.connect("pipe", undefined)
    for (let i = 0; i < 2; i++) {
      yield* replica.write(written(bob.device, set(`${name}-${i}`, "1")))
      tell(`ack ${name}-${i}`)
    }
    while (!link.isCaughtUp(replica.space) || !link.isServed(replica.space)) yield* Effect.sleep("1 millis")
    tell(`done ${steps}`)
  }).pipe(Effect.scoped)

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [directory = "", killAt = "0", name = ""] = process.argv.slice(2)
  await Effect.runPromise(live(directory, Number(killAt), name))
  process.exit(0)
}
