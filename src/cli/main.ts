/**
 * The command `aura`. Checks that this Node can run it before it loads anything that would fail on an older one.
 *
 * Node's warnings about features it calls experimental or deprecated are for the authors of a program, not for its
 * users, and are left out; other warnings stay.
 */
import * as CompileCache from "./CompileCache.ts"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

process.removeAllListeners("warning")
process.on("warning", (warning) => {
  if (warning.name !== "ExperimentalWarning" && warning.name !== "DeprecationWarning")
    process.stderr.write(`${warning.name}: ${warning.message}\n`)
})

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `aura: this is Node ${process.versions.node}, and aura needs 22.19 or newer\n  do:      install a newer Node, or run aura with one that is: a repository often has it as node_modules/.bin/node\n`
  )
  process.exitCode = 1
} else {
  CompileCache.enable()
  const { run } = await import("./Program.ts")
  run(process.argv.slice(2))
}
