/**
 * Runs a command line from its words to the process's exit code: 0 done, 1 it could not be done, 2 it was asked wrongly.
 *
 * Help and version go to stdout when they were asked for; a command line that is not one gets a short answer on stderr.
 */
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { ChildProcessSpawner, make as makeSpawner } from "effect/process/ChildProcessSpawner"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { readFileSync } from "node:fs"
import * as Commands from "./Commands.ts"
import * as CompileCache from "./CompileCache.ts"
import * as Output from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Stop from "./Stop.ts"

export const run = (words: ReadonlyArray<string>): void => {
  Output.tolerateClosedPipes()
  Stop.listen()
  const output = Output.make(words.includes("--json"))
  const program = Command.runWith(Commands.make(output), { version: version() })(words).pipe(
    Effect.provide(Layer.mergeAll(environment, CliOutput.layerPresenter(presenter(output)))),
    Effect.provideService(CliConfig.CliConfig, {
      builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]
    })
  )
  Effect.runFork(Effect.andThen(Effect.sleep(CompileCache.keepAfterMillis), Effect.sync(CompileCache.keep)))
  Effect.runFork(program).addObserver((exit) => Output.exit(codeOf(exit, output)))
}

const codeOf = (exit: Exit.Exit<void, unknown>, output: Output.Output): number => {
  if (Exit.isSuccess(exit)) return 0
  const error = Cause.squash(exit.cause)
  // the presenter has said it
  if (CliError.isCliError(error)) return 2
  const problem = Problem.fromError(error)
  if (problem.code === "Defect") process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  output.problem(problem)
  return problem.isUsage === true ? 2 : 1
}

const presenter = (output: Output.Output): CliOutput.Presenter => ({
  present: (event) => {
    if (event._tag === "Help" && event.reason === "Implicit") {
      return Effect.sync(() => output.problem(usage("a command is missing", event.commandPath)))
    }
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    return Effect.sync(() => output.problem(usage(event.errors.map(said).join("; "), event.commandPath)))
  }
})

const said = (error: CliError.CliError): string => error.message.replaceAll(/\s*\n\s*/gu, " ").trim()

const usage = (what: string, path: ReadonlyArray<string>): Problem.Problem =>
  Problem.make("Usage", { what, do: `see ${[...path, "--help"].join(" ")}`, isUsage: true })

/** The parser's types ask for these; no flag of ours uses them. */
const environment = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: Effect.sync(() => process.stdout.columns ?? 80),
      rows: Effect.sync(() => process.stdout.rows ?? 24),
      size: Effect.die(new Error("no prompt of the parser is used")),
      readInput: Effect.die(new Error("no prompt of the parser is used")),
      readLine: Effect.die(new Error("no prompt of the parser is used")),
      display: () => Effect.void
    })
  ),
  Layer.succeed(
    ChildProcessSpawner,
    makeSpawner(() => Effect.die(new Error("the parser starts no process")))
  )
)

/** From the package this file is part of: two folders up from the sources, one or two from the build. */
const version = (): string => {
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      const { name, version }: { name?: string; version?: string } = JSON.parse(
        readFileSync(new URL(up, import.meta.url), "utf8")
      )
      if (name === "aura" && version !== undefined) return version
    } catch {
      continue
    }
  }
  return "unknown"
}
