/** How `aura` is called from where this process was called: for lines that people copy into another terminal. */
import { existsSync } from "node:fs"
import * as path from "node:path"
import { dataDefault } from "../config/Configuration.ts"
import { quoted } from "./Text.ts"

/** The words of a command as a line for a shell; `data` = where the other command shall work, as it was given here. */
export const line = (words: ReadonlyArray<string>, data: string | undefined): string => {
  const directory = data === undefined || data === dataDefault ? [] : ["--data", data]
  return [...program(), ...words, ...directory].map(quoted).join(" ")
}

/** Never `npx aura`: where it is not installed, that would fetch a stranger's package of this name. */
const program = (): ReadonlyArray<string> => {
  const script = process.argv[1] ?? "aura"
  return path.basename(script) === "aura" ? ["aura"] : [nodeHere(), path.relative(process.cwd(), script)]
}

/** A Node that was installed with the package lies below; the one of another terminal may be older. */
const nodeHere = (): string => {
  const near = path.relative(process.cwd(), process.execPath)
  if (near.startsWith("..") || path.isAbsolute(near)) return "node"
  const link = path.join("node_modules", ".bin", "node")
  return existsSync(link) ? link : near
}
