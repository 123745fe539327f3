/**
 * Plays a recorded editing trace with real agents, over TLS, and tells whether all end with the recorded text.
 *
 *     node examples/notes/replay.ts TRACE.json.gz [--data DIRECTORY] [--per-entry COUNT] [--json]
 *
 * TRACE is a file of the editing-traces data set, of either form (replay/Trace.ts). The stores are removed afterwards
 * unless --data names where they are to stay. Progress goes to stderr, the summary to stdout. Exit code 0: the recorded
 * text everywhere, also after a restart; 1: not so, or it could not be found out; 2: asked wrongly; 130: stopped.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { parseArgs } from "node:util"
import * as Trace from "./replay/Trace.ts"
import { replay, type Progress, type Summary } from "./replay/Replay.ts"

interface Request {
  readonly file: string
  readonly data: string | undefined
  readonly transactionsPerEntry: number
  readonly isJson: boolean
}

const usage = "usage: npm run replay -- TRACE.json.gz [--data DIRECTORY] [--per-entry COUNT] [--json]"

/** As an editor gathers keystrokes. With 1 every transaction is a signed entry of its own, durable before the next. */
const perEntryDefault = 32

/** The request, or what is wrong with it. */
const request = (words: ReadonlyArray<string>): Request | string => {
  try {
    const { positionals, values } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { data: { type: "string" }, "per-entry": { type: "string" }, json: { type: "boolean" } }
    })
    const [file, ...others] = positionals
    if (file === undefined || others.length > 0) return "name one trace"
    const count = values["per-entry"] === undefined ? perEntryDefault : Number(values["per-entry"])
    if (!Number.isSafeInteger(count) || count < 1)
      return `--per-entry ${values["per-entry"]}: allowed is a whole number from 1 on`
    return { file, data: values.data, transactionsPerEntry: count, isJson: values.json === true }
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

/** A line every so often where stderr is no terminal. */
const lineEveryMillis = 5_000

const progressOf = (total: number): Progress => {
  const isTerminal = process.stderr.isTTY === true
  let typed = 0
  let beganMillis = performance.now()
  let toldMillis = beganMillis
  const say = (text: string): void => void process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`)
  return {
    doing: (what) => {
      say(what)
      beganMillis = toldMillis = performance.now()
    },
    typed: (transactions) => {
      typed += transactions
      const now = performance.now()
      if (now - toldMillis < (isTerminal ? lineEveryMillis / 20 : lineEveryMillis)) return
      toldMillis = now
      const left = duration(((now - beganMillis) / typed) * (total - typed))
      say(`${typed} of ${total} transactions, ${Math.floor((typed / total) * 100)} %, ${left} left`)
    }
  }
}

const duration = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

const directoryFor = async (data: string | undefined): Promise<string> => {
  if (data === undefined) return mkdtemp(path.join(tmpdir(), "aura-replay-"))
  await mkdir(data, { recursive: true })
  if ((await readdir(data)).length > 0)
    throw new Error(`${data} is not empty: name a directory of its own for the stores`)
  return path.resolve(data)
}

const run = ({ data, file, transactionsPerEntry }: Request) =>
  Effect.acquireUseRelease(
    Effect.promise(() => directoryFor(data)),
    (directory) =>
      Effect.gen(function* () {
        const trace = yield* Trace.read(file)
        const progress = progressOf(trace.transactions.length)
        return yield* replay(trace, { directory, transactionsPerEntry, progress })
      }),
    (directory) =>
      Effect.promise(() => (data === undefined ? rm(directory, { recursive: true, force: true }) : Promise.resolve()))
  ).pipe(Effect.provideService(References.MinimumLogLevel, "Warn"))

const rendered = ({ bytesOnDisk, devices, entries, meetings, millis, transactions }: Summary, file: string): string =>
  [
    `${path.basename(file)}: the recorded text on the server and on ${devices.length} devices, also after a restart`,
    `  ${transactions} transactions, ${entries} entries, ${meetings} meetings; every chain and signature checked`,
    `  typed in ${duration(millis.type)}, restarted in ${duration(millis.restart)}, checked in ${duration(millis.verify)}`,
    `  ${(bytesOnDisk / 2 ** 20).toFixed(1)} MiB on disk, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory at most`
  ].join("\n")

/** Ctrl-C and SIGTERM stop the server and remove the stores; a second one does not wait for that. */
const untilStopped = async <A, E>(effect: Effect.Effect<A, E>): Promise<Exit.Exit<A, E>> => {
  const fiber = Effect.runFork(effect)
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      process.stderr.write("\nstopping\n")
      fiber.interruptUnsafe()
    })
  }
  return Effect.runPromise(Fiber.await(fiber))
}

const main = async (words: ReadonlyArray<string>): Promise<number> => {
  const asked = request(words)
  if (typeof asked === "string") {
    process.stderr.write(`${asked}\n${usage}\n`)
    return 2
  }
  const exit = await untilStopped(run(asked))
  if (process.stderr.isTTY === true) process.stderr.write("\r\x1b[K")
  if (Exit.isSuccess(exit)) {
    const memoryBytes = process.resourceUsage().maxRSS * 1024
    const json = JSON.stringify({ ok: true, trace: asked.file, ...exit.value, memoryBytes })
    process.stdout.write(`${asked.isJson ? json : rendered(exit.value, asked.file)}\n`)
    return 0
  }
  if (Cause.hasInterruptsOnly(exit.cause)) return 130
  const error = Cause.squash(exit.cause)
  const what = error instanceof Error ? error.message : String(error)
  if (asked.isJson) {
    const code = error instanceof Error ? error.name : "Unknown"
    process.stdout.write(`${JSON.stringify({ ok: false, error: { code, what } })}\n`)
  } else process.stderr.write(`${what}\n`)
  return 1
}

process.exitCode = await main(process.argv.slice(2))
