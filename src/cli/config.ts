/**
 * `aura config`: what the settings are, whether they hold, and a file to begin with. It opens no data directory.
 *
 * `check` says all that is wrong, and in production mode all that is refused, and ends with 1 then; `show` says what
 * counts and where it comes from. Neither shows a secret.
 */
import * as Effect from "effect/Effect"
import { writeFile } from "node:fs/promises"
import * as path from "node:path"
import * as Template from "../config/Template.ts"
import type { Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Settings from "./Settings.ts"
import { count, table } from "./Text.ts"

export const check = Effect.fnUntraced(function* (flags: Settings.Flags, output: Output) {
  const { effective, faults, notes, refused } = yield* readHere(flags)
  const all = [...faults, ...refused]
  if (all.length > 0) return yield* Settings.invalid(all, false)
  notes.forEach(output.note)
  const given = effective().filter(({ source }) => source !== "default" && source !== "not set").length
  output.data({ settings: given, notes }, `${count(given, "setting")} given, all valid; the others are defaults`)
})

export const show = Effect.fnUntraced(function* (flags: Settings.Flags, output: Output) {
  const { effective, faults, notes } = yield* readHere(flags)
  if (faults.length > 0) return yield* Settings.invalid(faults, true)
  notes.forEach(output.note)
  const rows = effective().map(({ setting, source, value }) => ({
    setting: setting.name,
    value: value ?? null,
    source
  }))
  output.data(
    { settings: rows, notes },
    table(rows.map(({ setting, source, value }) => [setting, value === null ? "-" : JSON.stringify(value), source]))
  )
})

export const schema = (output: Output): Effect.Effect<void> =>
  Effect.sync(() => {
    const found = Template.jsonSchema()
    output.data({ schema: found }, JSON.stringify(found, undefined, 2))
  })

/** Writes what nobody wrote before. */
export const init = Effect.fnUntraced(function* (file: string, output: Output) {
  const at = path.resolve(file)
  const failure = yield* Effect.promise(() => writeFile(at, Template.toml(), { flag: "wx" }).catch(codeOf))
  if (failure === "EEXIST") {
    return yield* Problem.make("SettingsExist", {
      what: `${at} is there already, and was not touched`,
      where: at,
      do: "name another file, or move this one away"
    })
  }
  if (failure !== undefined) {
    return yield* Problem.make("SettingsNotWritten", {
      what: `${at} can't be written (${failure})`,
      where: at,
      do: "name a file in a folder that exists and can be written to"
    })
  }
  output.data({ file: at }, `${at} holds every setting with its default, commented out`)
})

const readHere = (flags: Settings.Flags) => Settings.read(flags, process.env, process.cwd())

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "unknown")
