/**
 * The command `aura` as processes of their own: the server that everybody meets at, and the check of a journal.
 *
 * It is the command of the package that this example imports: from sources where this runs from sources, else the built
 * one. What it prints as JSON is read; what it logs goes to our stderr.
 */
import { Schema } from "aura"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** The command could not do it; `what` is its own explanation. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  command: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `aura ${this.command}: ${this.what}`
  }
}

export interface Server {
  readonly address: string
  readonly directory: string
  readonly pid: number
  /** A code by which one more device joins, to write notes and to read the space. */
  readonly pair: Effect.Effect<string, CommandFailed>
}

const packageUrl = import.meta.resolve("aura")
const script = fileURLToPath(new URL(packageUrl.endsWith(".ts") ? "./cli/main.ts" : "./cli.js", packageUrl))

/** Here lies the aura.toml that names the application. */
const folder = fileURLToPath(new URL("..", import.meta.url))

/** How long a server gets to stop by itself. */
const stopMillis = 20_000

const start = (words: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [...process.execArgv, script, ...words, "--json", "--log", "error"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"]
  })

const Failed = Schema.fromJsonString(
  Schema.Struct({ ok: Schema.Literal(false), error: Schema.Struct({ what: Schema.String }) })
)

const said = <A>(
  schema: Schema.Codec<A, unknown>,
  command: string,
  line: string | undefined
): Effect.Effect<A, CommandFailed> => {
  const data = Schema.decodeUnknownResult(Schema.fromJsonString(schema))(line)
  if (Result.isSuccess(data)) return Effect.succeed(data.success)
  const failed = Schema.decodeUnknownResult(Failed)(line)
  const what = Result.isSuccess(failed) ? failed.success.error.what : `it answered ${String(line).slice(0, 200)}`
  return Effect.fail(new CommandFailed({ command, what }))
}

/** Runs a command to its end; the last line it prints is its answer. */
const ask = <A>(schema: Schema.Codec<A, unknown>, words: ReadonlyArray<string>): Effect.Effect<A, CommandFailed> =>
  Effect.flatMap(
    Effect.promise(async () => {
      const child = start(words)
      let last: string | undefined
      if (child.stdout !== null) for await (const line of createInterface({ input: child.stdout })) last = line
      return last
    }),
    (line) => said(schema, words.slice(0, 2).join(" "), line)
  )

const Serving = Schema.Struct({ addresses: Schema.Array(Schema.String), pid: Schema.Finite })
const Paired = Schema.Struct({ code: Schema.String })
const Verified = Schema.Struct({ entries: Schema.Finite, runs: Schema.Finite })

/** Serves the notes from a data directory until the scope ends. */
export const serve = (directory: string): Effect.Effect<Server, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => start(["serve", "--port", "0", "--http", "0", "--data", directory])),
      stop
    )
    const line = yield* Effect.promise(() => firstLine(child))
    const { addresses, pid } = yield* said(Serving, "serve", line)
    const address = addresses.find((one) => one.startsWith("aura://"))
    if (address === undefined)
      return yield* new CommandFailed({ command: "serve", what: "it does not listen with TLS" })
    const rights = ["--can", "note:write", "--can", "space:read", "--depth", "0"]
    const pair = Effect.map(
      ask(Paired, ["pair", ...rights, "--address", address, "--data", directory]),
      ({ code }) => code
    )
    return { address, directory, pid, pair }
  })

const firstLine = async (child: ChildProcess): Promise<string | undefined> => {
  if (child.stdout === null) return undefined
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) return line
  return undefined
}

const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill("SIGTERM")
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMillis)
    await ended
    clearTimeout(timer)
  })

/** Checks every chain and signature in a directory that nobody has open; the entries that are there. */
export const verify = (directory: string): Effect.Effect<typeof Verified.Type, CommandFailed> =>
  ask(Verified, ["journal", "verify", "--data", directory])
