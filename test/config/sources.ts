/** What a process would find: files in a folder of their own, variables and flags, read as `aura` reads them. */
import * as Effect from "effect/Effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { read, type Reading } from "../../src/config/Reading.ts"

type Texts = Readonly<Record<string, string>>

export interface Found {
  /** Contents by names from the folder: `aura.toml`, `.aura/aura.toml`, files of secrets. */
  readonly files?: Texts
  readonly environment?: Texts
  readonly flags?: Texts
}

/** What is read there, and everything of it that is ever shown, as one text. */
export const reading = async ({ environment = {}, files = {}, flags = {} }: Found) => {
  const folder = mkdtempSync(join(tmpdir(), "aura-config-"))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const found: Reading = await Effect.runPromise(read({ flags, environment, folder, ambient: { name: "host" } }))
    const effective = found.effective()
    const { configuration, faults, notes, refused } = found
    return { ...found, effective, folder, said: JSON.stringify({ configuration, effective, faults, notes, refused }) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
