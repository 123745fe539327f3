/**
 * `npm run check`: everything a change has to pass, cheapest first, each stage with its time, stopping at the first
 * that fails with what it printed.
 *
 * `--except=tests,types` leaves stages out, for a caller that has just run them.
 */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { tool } from "./tools.ts"

const root = resolve(import.meta.dirname, "..")

interface Stage {
  readonly name: string
  readonly parameters: ReadonlyArray<string>
  /** How many of the last lines to show when all is well. */
  readonly linesShown?: number
}

const stages: ReadonlyArray<Stage> = [
  { name: "format", parameters: [tool("prettier"), "--check", "--log-level=warn", "."] },
  { name: "lint", parameters: [tool("oxlint")] },
  // The three configurations that ship, each with only what its environment has, and their declarations and bundles.
  { name: "build", parameters: [join("scripts", "build.ts")] },
  { name: "types", parameters: [tool("tsc"), "-p", "tsconfig.json"] },
  { name: "unused", parameters: [tool("knip")] },
  { name: "effects", parameters: [join("scripts", "effect-diagnostics.ts")], linesShown: 1 },
  { name: "examples", parameters: [join("scripts", "examples.ts")], linesShown: 1 },
  // Tidiness, bundles and documents are tests like any other.
  { name: "tests", parameters: [tool("vitest"), "run", "--project", "unit"], linesShown: 6 },
  ...(existsSync(join(root, "src/cli/simulate.ts"))
    ? [{ name: "simulation", parameters: [join("dist", "cli.js"), "simulate", "--seconds", "60"], linesShown: 1 }]
    : [])
]

const lastLines = (text: string, count: number): string => {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  return count === 0 ? "" : lines.slice(-count).join("\n")
}

/** True when the stage passed. */
const run = ({ name, parameters, linesShown = 0 }: Stage): boolean => {
  const beganMillis = performance.now()
  process.stdout.write(`${name.padEnd(12)}`)
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024
  })
  const seconds = ((performance.now() - beganMillis) / 1000).toFixed(1)
  console.log(`${status === 0 ? "passed" : "FAILED"} in ${seconds} s`)
  const shown = status === 0 ? lastLines(stdout, linesShown) : `${stdout}${stderr}`.trimEnd()
  if (shown !== "") console.log(shown)
  return status === 0
}

const { except } = parseArgs({ options: { except: { type: "string", default: "" } } }).values
const left = new Set(except.split(",").filter((name) => name !== ""))
const unknown = [...left].filter((name) => !stages.some((stage) => stage.name === name))

if (unknown.length > 0) {
  console.error(`no such stage: ${unknown.join(", ")}; there are ${stages.map(({ name }) => name).join(", ")}`)
  process.exitCode = 2
} else if (!stages.filter(({ name }) => !left.has(name)).every(run)) {
  process.exitCode = 1
}
