/**
 * Finds the command-line tools this repository was installed with, as files that Node can run: no shell, no `.cmd`
 * wrappers, so the scripts do the same on every operating system.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

const packageOf = { tsc: "typescript", vitest: "vitest", oxlint: "oxlint", prettier: "prettier", knip: "knip" } as const

/** The script behind a command. Throws when it is not installed: `npm ci` brings all of them. */
export const tool = (command: keyof typeof packageOf): string => {
  const folder = resolve(import.meta.dirname, "..", "node_modules", packageOf[command])
  if (!existsSync(folder)) throw new Error(`${command} is not installed: run "npm ci" first`)
  const { bin }: { bin: string | Record<string, string> } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8")
  )
  const file = typeof bin === "string" ? bin : bin[command]
  if (file === undefined) throw new Error(`the package ${packageOf[command]} has no command ${command}`)
  return join(folder, file)
}
