/**
 * Where settings come from: files over which the environment counts, over which flags count.
 *
 * Each source becomes `Given` values by the names of settings, and problems for what names none. In the environment
 * `listen.port` is AURA_LISTEN__PORT; a variable AURA_… that names no section of ours is somebody else's and is left
 * alone. DATABASE_URL and STORAGE_PATH, which deployments often have, stand for `journal.url` and `data` (what must
 * outlive the process lies there); AURA_… counts over them. Nothing is checked here but names; secrets are wrapped.
 */
import * as Redacted from "effect/Redacted"
import * as path from "node:path"
import { parse, TomlError } from "smol-toml"
import { fileNameOf, names, sections, settings, settingsByName, tablesOf, type Setting } from "./Configuration.ts"
import * as JournalUrl from "./JournalUrl.ts"
import { nearest } from "./Nearest.ts"

/** Said to people; `isInFile`: in a file of settings itself. */
export interface Source {
  readonly isInFile: boolean
  /** Found out when it is asked for: of a file with the line. */
  readonly describe: () => string
}

export interface Given {
  readonly setting: Setting
  /** `Redacted` when the setting is a secret; when `isFile`, the path of the file that holds the secret. */
  readonly value: unknown
  readonly isFile: boolean
  readonly source: Source
  /** What relative paths start from. */
  readonly folder: string
}

/** What is wrong with a setting, or with a source. */
export interface Fault {
  readonly setting?: string
  readonly what?: string
  /** Never that of a secret. */
  readonly value?: string
  readonly allowed: string
  readonly nearest?: string
  readonly source: string
}

export interface Sourced {
  readonly given: ReadonlyMap<string, Given>
  readonly faults: ReadonlyArray<Fault>
  /** What is no fault and may surprise. */
  readonly notes: ReadonlyArray<string>
}

type Texts = Readonly<Record<string, string | undefined>>

/** The text of a file `aura.toml`. */
export const fromFile = (text: string, file: string): Sourced => {
  let table: Readonly<Record<string, unknown>>
  try {
    table = parse(text)
  } catch (error) {
    return { given: new Map(), faults: [unreadable(error, file)], notes: [] }
  }
  const found = namedIn(table, "").map(([name, value]): Named => {
    const line = () => lineOf(text, name)
    const describe = () => (line() === undefined ? file : `${file}:${line()}`)
    return { name, value, source: { isInFile: true, describe } }
  })
  return collected(found, path.dirname(file))
}

/** A value of a program's own, in the shape of the file. What is as if it were left out counts as left out. */
export const fromObject = (table: Readonly<Record<string, unknown>>, folder: string): Sourced => {
  const source: Source = { isInFile: false, describe: () => "the configuration that was handed over" }
  const isDefault = (name: string, value: unknown): boolean =>
    JSON.stringify(settingsByName.get(name)?.default) === JSON.stringify(value)
  return collected(
    namedIn(table, "").flatMap(([name, value]) =>
      value === undefined || isDefault(name, value) ? [] : [{ name, value, source }]
    ),
    folder
  )
}

/** Every value with its full name; a table that is no section of ours is a value. */
const namedIn = (
  table: Readonly<Record<string, unknown>>,
  prefix: string
): ReadonlyArray<readonly [name: string, value: unknown]> =>
  Object.entries(table).flatMap(([key, value]) => {
    const name = `${prefix}${key}`
    return sections.includes(name) && isTable(value) ? namedIn(value, `${name}.`) : [[name, value] as const]
  })

/** Variables of the process. */
export const fromEnvironment = (environment: Texts, folder: string): Sourced => {
  const found: Array<Named> = []
  const foreign: Array<string> = []
  const notes: Array<string> = []
  for (const [variable, value] of Object.entries(environment)) {
    if (value === undefined || !variable.startsWith("AURA_")) continue
    const written = variable.slice("AURA_".length).toLowerCase().replaceAll("__", ".")
    const name = namesFolded.get(folded(written)) ?? written
    const isOurs = names.includes(name) ? name !== "peers" : sections.some((section) => name.startsWith(`${section}.`))
    if (isOurs) found.push({ name, value: fromText(name, value), source: fromVariable(variable) })
  }
  for (const { alias, name } of aliases) {
    const value = environment[alias]
    if (value === undefined) continue
    const own = found.find((one) => bare(one.name) === bare(name))
    if (own !== undefined) notes.push(`${alias} and ${own.source.describe()} are both set: the latter counts`)
    else if (name === "journal.url" && !JournalUrl.isOurs(value)) foreign.push(alias)
    else found.push({ name, value: fromText(name, value), source: fromVariable(alias) })
  }
  notes.push(...foreign.map((alias) => `${alias} names no database that Aura can use, and is left alone`))
  const sourced = collected(found, folder)
  return { ...sourced, notes: [...notes, ...sourced.notes] }
}

/** Flags of a command, by the names of settings. */
export const fromFlags = (flags: Texts, folder: string): Sourced =>
  collected(
    Object.entries(flags).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [{ name, value: fromText(name, value), source: { isInFile: false, describe: () => `--${flagOf(name)}` } }]
    ),
    folder
  )

/** What relative paths come to; undefined for what is no path. */
export const located = (given: Given | undefined): string | undefined =>
  typeof given?.value === "string" && given.value !== "" ? path.resolve(given.folder, given.value) : undefined

interface Named {
  readonly name: string
  readonly value: unknown
  readonly source: Source
}

const secretsByFileName = new Map(
  settings.filter(({ isSecret }) => isSecret === true).map((setting) => [fileNameOf(setting), setting])
)

const collected = (found: ReadonlyArray<Named>, folder: string): Sourced => {
  const given = new Map<string, Given>()
  const faults: Array<Fault> = []
  for (const { name, source, value } of found) {
    const ofFile = secretsByFileName.get(name)
    const setting = ofFile ?? settingsByName.get(name)
    if (setting === undefined) {
      faults.push(unknown(name, source))
      continue
    }
    const other = given.get(setting.name)
    if (other !== undefined) faults.push(twice(setting, other, source))
    const isFile = ofFile !== undefined
    const isBare = setting.isSecret === true && !isFile && !Redacted.isRedacted(value)
    const kept = isBare ? Redacted.make(value, { label: setting.name }) : value
    given.set(setting.name, { setting, value: kept, isFile, source, folder })
  }
  return { given, faults, notes: [] }
}

const unknown = (name: string, source: Source): Fault => {
  const meant = nearest(name, names)
  const isSection = sections.includes(name)
  return {
    setting: name,
    what: isSection ? "not a table" : "no such setting",
    allowed: isSection ? `a table [${name}]` : meant === undefined ? names.join(", ") : meant,
    ...(meant === undefined || isSection ? {} : { nearest: meant }),
    source: source.describe()
  }
}

const twice = (setting: Setting, other: Given, source: Source): Fault => ({
  setting: setting.name,
  what: "given twice",
  allowed: setting.isSecret === true ? `${setting.name} or ${fileNameOf(setting)}, not both` : "one of them",
  source: `${other.source.describe()} and ${source.describe()}`
})

/** The parser's first line alone: the others quote the file, and with it what may be secret. */
const unreadable = (error: unknown, file: string): Fault => ({
  what: `not TOML: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : ""}`.replace(
    "Invalid TOML document: ",
    ""
  ),
  allowed: "TOML 1.0",
  source: error instanceof TomlError ? `${file}:${error.line}` : file
})

/** Variables that others gave a name. */
const aliases = ["DATABASE_URL", "DATABASE_URL_FILE", "STORAGE_PATH"].map((alias) => ({
  alias,
  name: alias === "STORAGE_PATH" ? "data" : alias === "DATABASE_URL" ? "journal.url" : "journal.url_file"
}))

const bare = (name: string): string => secretsByFileName.get(name)?.name ?? name

const fromVariable = (variable: string): Source => ({
  isInFile: false,
  describe: () => `environment variable ${variable}`
})

/** Variables know no capitals: POOL_MAX and POOLMAX both are poolMax. */
const folded = (name: string): string => name.toLowerCase().replaceAll("_", "")

const namesFolded = new Map(names.map((name) => [folded(name), name]))

/** `listen.http` is the flag --http: the section goes without saying. */
const flagOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1).replaceAll("_", "-")

/** Text that stands for what it says: numbers, switches and lists where the setting is one. */
const fromText = (name: string, text: string): unknown => {
  const kind = settingsByName.get(name)?.kind
  if (kind === "number") return /^\d{1,15}$/u.test(text) ? Number(text) : text
  if (kind === "switch") return text === "true" ? true : text === "false" ? false : text
  if (kind === "list") return text.split(",").filter((one) => one !== "")
  return text
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Longer files are not searched. */
const linesSearchedMax = 1000

/** The line on which a setting ends: that of the shortest beginning of the file which is TOML and has it. */
const lineOf = (text: string, name: string): number | undefined => {
  const lines = text.split("\n")
  if (lines.length > linesSearchedMax) return undefined
  const index = lines.findIndex((_, last) => has(lines.slice(0, last + 1).join("\n"), name))
  return index === -1 ? undefined : index + 1
}

const has = (text: string, name: string): boolean => {
  try {
    let value: unknown = parse(text)
    const section = sections.findLast((one) => name.startsWith(`${one}.`)) ?? ""
    for (const part of [...tablesOf(section), section === "" ? name : name.slice(section.length + 1)]) {
      if (!isTable(value) || !Object.hasOwn(value, part)) return false
      value = value[part]
    }
    return true
  } catch {
    return false
  }
}
