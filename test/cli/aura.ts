/**
 * Runs the real command in real processes for tests: from its sources, in a temporary folder, on loopback and free ports.
 *
 * Everything started here is stopped with `stopAll`, and no process outlives `lifeMillisMax`.
 */
import * as Effect from "effect/Effect"
import { spawn, type ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import * as Control from "../../src/cli/Control.ts"

const root = resolve(import.meta.dirname, "../..")

export const main = join(root, "src/cli/main.ts")
export const exampleApp = join(root, "examples/tasks/app.ts")

export const lifeMillisMax = 90_000

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly stdout: () => string
  readonly stderr: () => string
}

const children = new Set<ChildProcess>()
const folders: Array<string> = []

export const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), "aura-cli-"))
  folders.push(made)
  return made
}

export const stopAll = async (): Promise<void> => {
  for (const child of children) child.kill("SIGKILL")
  for (const made of folders) rmSync(made, { recursive: true, force: true })
}

/** Only what a shell would give, and nothing that configures aura from outside. */
const environment = (extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"] ?? "",
  HOME: process.env["HOME"] ?? "",
  NO_COLOR: "1",
  // nothing is kept in the home of who runs the tests
  ...(extra["XDG_CACHE_HOME"] === undefined ? { NODE_DISABLE_COMPILE_CACHE: "1" } : {}),
  ...extra
})

export interface Options {
  readonly cwd?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

export const start = (words: ReadonlyArray<string>, options: Options = {}): Running => {
  const child = spawn(process.execPath, [main, ...words], {
    cwd: options.cwd ?? root,
    env: environment(options.env ?? {}),
    stdio: "pipe"
  })
  children.add(child)
  const killer = setTimeout(() => child.kill("SIGKILL"), lifeMillisMax)
  let [stdout, stderr] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  child.stdin.on("error", () => undefined)
  if (options.input !== undefined) child.stdin.end(options.input)
  const ended = new Promise<Ended>((done) => {
    child.once("close", (code) => {
      clearTimeout(killer)
      children.delete(child)
      done({ code, stdout, stderr })
    })
  })
  return { child, ended, stdout: () => stdout, stderr: () => stderr }
}

export const aura = (words: ReadonlyArray<string>, options: Options = {}): Promise<Ended> =>
  start(words, { input: "", ...options }).ended

/** Lines of stdout as JSON. */
export const json = (ended: Ended): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  ended.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

/** A server that is ready: its first line of JSON was read. */
export const serve = async (
  words: ReadonlyArray<string>,
  options: Options = {}
): Promise<Running & { readonly ready: Readonly<Record<string, unknown>> }> => {
  const running = start(["serve", "--json", "--http", "0", ...words], options)
  let isOver = false
  void running.ended.then(() => (isOver = true))
  while (!running.stdout().includes("\n")) {
    if (isOver) throw new Error(`serve ended: ${running.stdout()}${running.stderr()}`)
    await new Promise((next) => setTimeout(next, 20))
  }
  return { ...running, ready: JSON.parse(running.stdout().split("\n")[0]!) }
}

export const stop = (running: Running, signal: NodeJS.Signals = "SIGINT"): Promise<Ended> => {
  running.child.kill(signal)
  return running.ended
}

/**
 * Adds a task at the running server of this directory, through its control socket; returns its id. Undefined: it did not
 * answer. What became of it then, nobody knows, and only asking again with the same key is safe.
 */
export const addAt = async (data: string, title: string, key: string | null = null): Promise<string | undefined> => {
  let id: string | undefined
  const errand = {
    _tag: "Perform",
    operation: "add",
    payload: { title },
    key,
    wait: "durable",
    timeoutSeconds: 10
  } as const
  const voice = {
    data: ({ result }: Readonly<Record<string, unknown>>) => Effect.sync(() => void (id = String(result))),
    note: () => Effect.void
  }
  await Effect.runPromise(Effect.ignore(Control.ask(join(data, "control.sock"), errand, voice)))
  return id
}
