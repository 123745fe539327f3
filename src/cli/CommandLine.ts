/** How `aura` is called from where this process was called: for lines that people copy into another terminal. */
import * as path from "node:path"
import { dataDefault } from "./Settings.ts"
import { quoted } from "./Text.ts"

/** The words of a command as a line for a shell; `data` = where the other command shall work, as it was given here. */
export const line = (words: ReadonlyArray<string>, data: string | undefined): string => {
  const directory = data === undefined || data === dataDefault ? [] : ["--data", data]
  return [...program(), ...words, ...directory].map(quoted).join(" ")
}

const program = (): ReadonlyArray<string> => {
  if (process.env["npm_execpath"] !== undefined) return ["npx", "aura"]
  const script = process.argv[1] ?? "aura"
  if (path.basename(script) === "aura") return ["aura"]
  return [
    path.relative(process.cwd(), process.argv0) === "" ? "node" : process.argv0,
    path.relative(process.cwd(), script)
  ]
}
