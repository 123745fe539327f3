/**
 * What all sources come to: flags over environment over DATA/aura.toml over ./aura.toml over defaults.
 *
 * A reading tells everything that is wrong at once, each fault with setting, value, what is allowed, and source. What a
 * higher source replaces is not judged. Secrets are shown as `<hidden>` and nowhere else.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readFile, stat } from "node:fs/promises"
import * as path from "node:path"
import {
  Configuration,
  dataDefault,
  fileNameOf,
  settings,
  settingsByName,
  tablesOf,
  type Setting
} from "./Configuration.ts"
import * as Sources from "./Sources.ts"

/** Name of the file in the working directory and in the data directory. */
export const fileName = "aura.toml"

export const hidden = "<hidden>"

const secretBytesMax = 64 * 1024

export interface Asked {
  /** Text, by the names of settings. */
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working directory. */
  readonly folder: string
  /** What this machine would give where nothing is said. */
  readonly ambient: { readonly name: string }
}

/** A setting as it counts. */
export interface Effective {
  readonly setting: Setting
  /** Undefined: not set, and without a default. Never that of a secret. */
  readonly value: Schema.Json | undefined
  readonly source: string
}

export interface Reading {
  /** Absolute. */
  readonly data: string
  /** Absolute. */
  readonly app: string | undefined
  /** Empty when the configuration holds. */
  readonly faults: ReadonlyArray<Sources.Fault>
  readonly notes: ReadonlyArray<string>
  /** Undefined when there are faults. */
  readonly configuration: Configuration | undefined
  /** What production mode refuses; nothing when it is off. */
  readonly refused: ReadonlyArray<Sources.Fault>
  /** Every setting; the files are searched for lines when it is called. */
  readonly effective: () => ReadonlyArray<Effective>
}

export const read = Effect.fnUntraced(function* ({ ambient, environment, flags, folder }: Asked) {
  const fromFlags = Sources.fromFlags(flags, folder)
  const fromEnvironment = Sources.fromEnvironment(environment, folder)
  const hereFile = path.join(folder, fileName)
  const here = yield* fileAt(hereFile)
  const named = [fromFlags, fromEnvironment, here]
    .map(({ given }) => given.get("data"))
    .find((one) => one !== undefined)
  const data = Sources.located(named) ?? path.join(folder, dataDefault)
  const rememberedFile = path.join(data, fileName)
  const remembered = rememberedFile === hereFile ? nothing : yield* fileAt(rememberedFile)
  const sources = [here, remembered, fromEnvironment, fromFlags]
  const given = new Map(sources.flatMap((source) => [...source.given]))
  // where the directory is can't be said in it
  if (named === undefined) given.delete("data")
  else given.set("data", named)

  return yield* judged({ sources, given, data, ambient })
})

/** What an object in the shape of the file comes to, alone; relative paths start from the folder. */
export const ofObject = (
  table: Readonly<Record<string, unknown>>,
  folder: string,
  ambient: Asked["ambient"]
): Effect.Effect<Reading> => {
  const source = Sources.fromObject(table, folder)
  const data = Sources.located(source.given.get("data")) ?? path.join(folder, dataDefault)
  return judged({ sources: [source], given: source.given, data, ambient })
}

interface Found {
  readonly sources: ReadonlyArray<Sources.Sourced>
  /** What counts. */
  readonly given: ReadonlyMap<string, Sources.Given>
  readonly data: string
  readonly ambient: Asked["ambient"]
}

const judged = Effect.fnUntraced(function* ({ ambient, data, given, sources }: Found) {
  const faults = sources.flatMap((source) => source.faults)
  const values = new Map<string, unknown>()
  for (const one of given.values()) {
    const value = one.isFile ? yield* secretIn(one, faults) : one.value
    if (value === undefined) continue
    const raw = Redacted.isRedacted(value) ? Redacted.value(value) : value
    if (isAllowed(one.setting, raw)) values.set(one.setting.name, value)
    else faults.push(faultOf(one))
  }
  faults.push(...missing(given, values))
  const notes = [...sources.flatMap((source) => source.notes), ...unused(values)]
  return {
    data,
    app: Sources.located(given.get("app")),
    faults,
    notes,
    configuration: faults.length > 0 ? undefined : Schema.decodeUnknownSync(Configuration)(nested(values)),
    refused: values.get("production") === true ? refusals(given, values) : [],
    effective: () => settings.map((setting) => effectiveOf(setting, given.get(setting.name), ambient, data))
  } satisfies Reading
})

const nothing: Sources.Sourced = { given: new Map(), faults: [], notes: [] }

/** A file's settings; none when there is no file. */
const fileAt = Effect.fnUntraced(function* (file: string) {
  const content = yield* Effect.promise(() => contentOf(file))
  if (typeof content === "string") return Sources.fromFile(content, file)
  if (content === undefined) return nothing
  return { ...nothing, faults: [{ what: content.what, allowed: "a file that can be read", source: file }] }
})

const contentOf = (file: string): Promise<string | { readonly what: string } | undefined> =>
  readFile(file, "utf8").catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown"
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : { what: `can't be read (${code})` }
  })

/** Without the newline that editors add. */
const secretIn = Effect.fnUntraced(function* (given: Sources.Given, faults: Array<Sources.Fault>) {
  const file = Sources.located(given)
  const size = file === undefined ? undefined : yield* Effect.promise(() => stat(file).catch(() => undefined))
  const content =
    file === undefined || size === undefined || size.size > secretBytesMax
      ? undefined
      : yield* Effect.promise(() => readFile(file, "utf8").catch(() => undefined))
  const text = content?.replace(/\r?\n$/u, "")
  if (text !== undefined && text !== "") return Redacted.make(text, { label: given.setting.name })
  faults.push({
    setting: fileNameOf(given.setting),
    value: file ?? shown(given.value),
    allowed: `a file of up to ${secretBytesMax} bytes that can be read and is not empty`,
    source: given.source.describe()
  })
  return undefined
})

const isAllowed = ({ schema }: Setting, value: unknown): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)(value))

const faultOf = ({ isFile, setting, source, value }: Sources.Given): Sources.Fault => ({
  setting: isFile ? fileNameOf(setting) : setting.name,
  value: setting.isSecret === true ? hidden : shown(value),
  allowed: setting.allowed,
  source: source.describe()
})

const shown = (value: unknown): string =>
  (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 200)

/** What one kind of store needs and another has no use for. */
const needs = [
  { kind: "journal.kind", among: "postgres", needed: ["journal.url"], instead: "a file in the data directory" },
  {
    kind: "storage.kind",
    among: "s3",
    needed: ["storage.s3.endpoint", "storage.s3.bucket", "storage.s3.accessKeyId", "storage.s3.secretAccessKey"],
    instead: "not in a bucket"
  }
] as const

/** Settings that are good, and mean nothing beside others. */
const unused = (values: ReadonlyMap<string, unknown>): ReadonlyArray<string> =>
  needs.flatMap(({ among, instead, kind, needed }) => {
    const chosen = values.get(kind) ?? settingsByName.get(kind)!.default
    if (chosen === among) return []
    return needed
      .filter((name) => values.has(name))
      .map((name) => `${name} is set and not used: ${kind} is ${String(chosen)}, ${instead}`)
  })

/** What another setting needs; told unless it was given and has a fault of its own. */
const missing = (
  given: ReadonlyMap<string, Sources.Given>,
  values: ReadonlyMap<string, unknown>
): ReadonlyArray<Sources.Fault> =>
  needs.flatMap(({ among, kind, needed }) =>
    values.get(kind) !== among
      ? []
      : needed
          .filter((name) => !given.has(name))
          .map((name) => ({
            setting: name,
            what: `${name} is missing: ${kind} is ${among}`,
            allowed: settingsByName.get(name)!.allowed,
            source: given.get(kind)!.source.describe()
          }))
  )

/** As the file would have it, secrets bare: what the Schema decodes. */
const nested = (values: ReadonlyMap<string, unknown>): unknown => {
  const root: Record<string, unknown> = {}
  for (const { key, name, section } of settings) {
    let inside = root
    for (const table of tablesOf(section)) inside = (inside[table] ??= {}) as Record<string, unknown>
    const value = values.get(name)
    if (value !== undefined) inside[key] = Redacted.isRedacted(value) ? Redacted.value(value) : value
  }
  return root
}

/** What has a fault already is not told of twice. */
const refusals = (
  given: ReadonlyMap<string, Sources.Given>,
  values: ReadonlyMap<string, unknown>
): ReadonlyArray<Sources.Fault> =>
  settings.flatMap(({ isSecret, name, production }) => {
    const one = given.get(name)
    const value = values.get(name)
    const isFaulty = one !== undefined && value === undefined
    const looked = one === undefined ? undefined : { value, isInFile: one.source.isInFile && !one.isFile }
    if (production === undefined || isFaulty || !production.refuses(looked)) return []
    return [
      {
        setting: name,
        what: "refused in production",
        value: one === undefined ? "(not set)" : isSecret === true ? hidden : shown(value),
        allowed: production.allowed,
        source: one === undefined ? "default" : one.source.describe()
      }
    ]
  })

const effectiveOf = (
  setting: Setting,
  given: Sources.Given | undefined,
  ambient: Asked["ambient"],
  data: string
): Effective => {
  const value =
    setting.name === "data"
      ? data
      : setting.name === "name" && given === undefined
        ? ambient.name
        : setting.kind === "path" && given !== undefined
          ? Sources.located(given)
          : (given?.value ?? setting.default)
  const isHidden = setting.isSecret === true && given !== undefined
  const at = given?.source.describe() ?? (value === undefined ? "not set" : "default")
  return {
    setting,
    value: isHidden ? hidden : Schema.is(Schema.Json)(value) ? value : undefined,
    source: given?.isFile === true ? `${Sources.located(given)}, named by ${at}` : at
  }
}
