/**
 * The control socket: how a command lets the process that owns the data directory do its errand.
 *
 * A Unix socket of mode 0600 in the data directory (which only its owner may enter), or in a private temporary directory
 * when the path is too long for a socket; on Windows a named pipe. Where it is stands in the directory's `owner` file.
 * One connection is one errand: a line of JSON with the errand, then lines of JSON until the last:
 *
 *     → {"version": 1, "errand": {…}}
 *     ← {"data": {…}} and {"note": "…"} as they come, then {"done": true} or {"problem": {…}}
 *
 * Whoever hangs up stops the errand. A line is at most `lineBytesMax`; another version is answered with a problem.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { createConnection, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { Errand } from "./Errand.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"

/** What an errand is given to speak with. */
export interface Voice {
  readonly data: (data: Data) => Effect.Effect<void>
  /** A line for people about how it goes. */
  readonly note: (text: string) => Effect.Effect<void>
}

export type Answer = (errand: Errand, voice: Voice) => Effect.Effect<void, unknown>

/** Longest line either side takes. */
export const lineBytesMax = 16 * 1024 * 1024

/** So long an owner that ends waits for errands of others. */
export const drainMillis = 2_000

/** macOS takes 103 bytes, Linux 107. */
const socketPathBytesMax = 100

/** Where the owner of a directory listens; a private directory made for it goes with the scope. */
export const place = (directory: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (process.platform === "win32") {
      const digest = createHash("sha256").update(path.resolve(directory)).digest("hex").slice(0, 32)
      return `\\\\.\\pipe\\aura-${digest}`
    }
    const near = path.join(path.resolve(directory), "control.sock")
    if (Buffer.byteLength(near) <= socketPathBytesMax) return near
    const apart = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(path.join(tmpdir(), "aura-"))),
      (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
    )
    return path.join(apart, "control.sock")
  })

const Request = Schema.fromJsonString(Schema.Struct({ version: Schema.Literal(1), errand: Errand }))
const Reply = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ data: Schema.Record(Schema.String, Schema.Json) }),
    Schema.Struct({ note: Schema.String }),
    Schema.Struct({ done: Schema.Literal(true) }),
    Schema.Struct({ problem: Problem.Problem })
  ])
)

/** Answers errands at `socket` until the scope ends; then waits for those under way, briefly. The caller owns the directory. */
export const serve = Effect.fnUntraced(function* (socket: string, answer: Answer) {
  const fibers = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(fibers)<never>()
  const server = createServer((connection) => run(converse(connection, answer)))
  yield* Effect.acquireRelease(
    Effect.callback<void, Problem.Problem>((resume) => {
      const failed = (error: Error): void =>
        resume(Effect.fail(Problem.make("ControlSocketUnavailable", { what: error.message, where: socket })))
      server.once("error", failed)
      const listen = (): void => {
        server.listen(socket, () => resume(Effect.void))
      }
      // whoever left it there is gone: the directory is ours
      if (process.platform === "win32") listen()
      else rm(socket, { force: true }).then(listen, failed)
    }),
    () => Effect.andThen(closed(server), Effect.timeoutOption(FiberSet.awaitEmpty(fibers), drainMillis))
  )
  if (process.platform !== "win32") yield* Effect.promise(() => chmod(socket, 0o600))
})

const closed = (server: ReturnType<typeof createServer>): Effect.Effect<void> => Effect.sync(() => void server.close())

/** One connection, from its one line to the last reply. Never fails. */
const converse = (connection: Socket, answer: Answer): Effect.Effect<void> => {
  const gone = Effect.callback<void>((resume) => {
    connection.once("close", () => resume(Effect.void))
    connection.on("error", () => undefined)
  })
  const say = (reply: typeof Reply.Type): Effect.Effect<void> =>
    Effect.callback((resume) => {
      connection.write(`${Schema.encodeSync(Reply)(reply)}\n`, () => resume(Effect.void))
    })
  const work = Effect.gen(function* () {
    const line = yield* firstLine(connection)
    const request = yield* Schema.decodeUnknownEffect(Request)(line).pipe(
      Effect.mapError(() =>
        Problem.make("ErrandInvalid", {
          what: "the owner of the directory does not understand this command",
          do: "use the same version of aura as the process that has the directory open"
        })
      )
    )
    yield* answer(request.errand, { data: (data) => say({ data }), note: (note) => say({ note }) })
  }).pipe(
    Effect.exit,
    Effect.flatMap((exit) => say(Exit.isSuccess(exit) ? { done: true } : { problem: problemOf(exit.cause) }))
  )
  return Effect.raceFirst(work, gone).pipe(
    Effect.onInterrupt(() => say({ problem: stopping })),
    Effect.ensuring(Effect.sync(() => connection.end()))
  )
}

const stopping = Problem.make("OwnerStopped", {
  what: "the process that has the directory open is stopping",
  do: "run the command again; it then works by itself"
})

const problemOf = (cause: Cause.Cause<unknown>): Problem.Problem =>
  Cause.hasInterruptsOnly(cause) ? stopping : Problem.fromError(Cause.squash(cause))

const firstLine = (connection: Socket): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    connection.setEncoding("utf8")
    connection.on("data", (chunk: string) => {
      text += chunk
      const end = text.indexOf("\n")
      if (end >= 0) resume(Effect.succeed(text.slice(0, end)))
      else if (text.length > lineBytesMax) connection.destroy()
    })
  })

/** Lets the owner do an errand; what comes back is handed on in order. Interrupting hangs up, which stops it there. */
export const ask = Effect.fnUntraced(function* (socket: string, errand: Errand, voice: Voice) {
  const replies = yield* Queue.bounded<typeof Reply.Type>(repliesMax)
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() => createConnection(socket)),
    (connection) => Effect.sync(() => connection.destroy())
  )
  const lines = createInterface({ input: connection, crlfDelay: Number.POSITIVE_INFINITY })
  const silent = (what: string): void => {
    Queue.offerUnsafe(replies, {
      problem: Problem.make(ownerSilent, { what, where: socket, do: "run the command again" })
    })
  }
  connection.on("connect", () => {
    connection.write(`${Schema.encodeSync(Request)({ version: 1, errand })}\n`)
  })
  connection.on("error", (error) => silent(`the owner of the directory does not answer: ${error.message}`))
  connection.on("close", () => silent("the owner of the directory hung up"))
  lines.on("error", () => undefined)
  lines.on("line", (line) => {
    if (!Queue.offerUnsafe(replies, Schema.decodeUnknownSync(Reply)(line))) connection.destroy()
  })
  for (;;) {
    const reply = yield* Queue.take(replies)
    if ("data" in reply) yield* voice.data(reply.data)
    else if ("note" in reply) yield* voice.note(reply.note)
    else if ("problem" in reply) return yield* reply.problem
    else return
  }
}, Effect.scoped)

/** Pieces of data that may wait to be printed: printing is quick, the longest answers have ten thousand. */
const repliesMax = 65_536

/** Code of the problem that a next try may not have. */
export const ownerSilent = "OwnerSilent"
