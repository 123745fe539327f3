/**
 * Runs Effect's own diagnostics (a forgotten `yield*`, a floating effect), which neither the compiler nor the linter
 * sees, where they are installed.
 *
 * They are no development dependency: their lock file lacks the binaries of other platforms, which breaks `npm ci`.
 * Continuous integration installs them in a folder of their own and names it in AURA_TOOLS; without it this says that
 * nothing was checked. A run that checked no file counts as failed, for that is what a wrong configuration looks like.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const folder = join(process.env["AURA_TOOLS"] ?? root, "node_modules", "@effect", "tsgo")

const commandIn = (packageFolder: string): string => {
  const { bin }: { bin: string | Record<string, string> } = JSON.parse(
    readFileSync(join(packageFolder, "package.json"), "utf8")
  )
  return join(packageFolder, typeof bin === "string" ? bin : Object.values(bin)[0]!)
}

if (existsSync(folder)) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [commandIn(folder), "diagnostics", "--project", "tsconfig.json", "--format", "text"],
    { cwd: root, encoding: "utf8" }
  )
  console.log(`${stdout}${stderr}`.trimEnd())
  const checked = Number(/Checked (\d+) files?/u.exec(stdout)?.[1] ?? 0)
  if (checked === 0) console.error("the diagnostics of Effect checked no file: is the plugin still in tsconfig.json?")
  if (status !== 0 || checked === 0) process.exitCode = 1
} else {
  console.log("not checked: @effect/tsgo is not installed here (continuous integration installs it)")
}
