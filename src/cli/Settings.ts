/**
 * What a command was told: flags over environment over DATA/aura.toml over ./aura.toml over defaults, checked as one.
 *
 *     app                    an application's file (TypeScript or JavaScript) that exports `app`
 *     data                   the data directory (flag --data, AURA_DATA, ./aura.toml; default ./.aura)
 *     space                  the space to work in, when the directory has several
 *     name                   this device's name, for people (default: the host's name)
 *     production             true refuses what is for development: plain HTTP, a device key without passphrase
 *     log                    debug, info, warn or error
 *     listen.host            where to listen (default 127.0.0.1: this machine alone)
 *     listen.port            TLS port (default 8443; 0 takes a free one)
 *     listen.http            plain port for browsers on this machine (default 8080; 0 takes a free one)
 *     listen.advertise       names or addresses under which others reach us
 *     keys.passphrase        protects the device key; better keys.passphrase_file, the name of a file that holds it
 *     flow.base              units that a fully trusted device may be sent in an hour: this device, if it founded the space,
 *                            then writes budgets for the next hour, from trust, reciprocity and reports (default: none)
 *     peers                  known devices: [[peers]] with device and address; `join` writes them
 *     device                 the device this directory belongs to; the first start writes it
 *
 * In the environment `listen.port` is AURA_LISTEN__PORT. Paths are relative to the file that names them. All problems
 * are reported at once, each with setting, value, allowed and source; secrets are never shown. An AURA_ variable that
 * names no section of ours is somebody else's and is left alone.
 */
import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readFile } from "node:fs/promises"
import { hostname } from "node:os"
import * as path from "node:path"
import { DeviceId, SpaceId } from "../identity/Id.ts"
import { flowBaseMax } from "../trust/FlowLimit.ts"
import { deviceNameCharactersMax } from "../trust/limits.ts"
import * as Problem from "./Problem.ts"

export const Peer = Schema.Struct({ device: DeviceId, address: Schema.String })
export type Peer = typeof Peer.Type

export interface Settings {
  /** Absolute. */
  readonly data: string
  /** Absolute; undefined when nobody named one. */
  readonly app: string | undefined
  readonly space: SpaceId | undefined
  readonly name: string
  readonly production: boolean
  readonly log: "debug" | "info" | "warn" | "error"
  readonly host: string
  readonly port: number
  readonly http: number
  readonly advertise: ReadonlyArray<string>
  readonly passphrase: Redacted.Redacted<string> | undefined
  /** Undefined: no budgets are written, and hours are not summed up. */
  readonly flowBase: number | undefined
  readonly peers: ReadonlyArray<Peer>
  /** The device that the directory was made for; undefined before its first start. */
  readonly device: DeviceId | undefined
}

/** Settings given as flags: text, by the names above. */
export type Flags = Readonly<Record<string, string | undefined>>

export const dataDefault = ".aura"

/** Name of the file in the working directory and in the data directory. */
export const fileName = "aura.toml"

interface Found {
  readonly value: unknown
  readonly source: string
  /** What relative paths start from. */
  readonly folder: string
}

interface Rule {
  readonly schema: Schema.Codec<unknown, unknown>
  readonly allowed: string
  readonly isSecret?: boolean
}

const port: Rule = {
  schema: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))),
  allowed: "a whole number from 0 to 65535"
}
const text = (allowed: string, charactersMax = 4096): Rule => ({
  schema: Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(charactersMax))),
  allowed
})

const flowBase = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: flowBaseMax })))

const rules: Readonly<Record<string, Rule>> = {
  app: text("the path of a file that exports `app`"),
  data: text("the path of a directory"),
  space: { schema: SpaceId, allowed: "64 hexadecimal digits: a SpaceId" },
  name: text(`1 to ${deviceNameCharactersMax} characters`, deviceNameCharactersMax),
  production: { schema: Schema.Boolean, allowed: "true or false" },
  log: { schema: Schema.Literals(["debug", "info", "warn", "error"]), allowed: "debug, info, warn, error" },
  "listen.host": text("a host name or an IP address"),
  "listen.port": port,
  "listen.http": port,
  "listen.advertise": { schema: Schema.Array(Schema.String), allowed: "a list of names or addresses" },
  "keys.passphrase": { ...text("a passphrase"), isSecret: true },
  "keys.passphrase_file": text("the path of a file"),
  "flow.base": { schema: flowBase, allowed: `a whole number from 1 to ${flowBaseMax}` },
  peers: { schema: Schema.Array(Peer), allowed: "tables [[peers]] with device (64 hexadecimal digits) and address" },
  device: { schema: DeviceId, allowed: "64 hexadecimal digits: a DeviceId" }
}

const tables = ["listen", "keys", "flow"]

/** Reads every source. `flags` are text; `environment` and `folder` are the process's own. */
export const load = Effect.fnUntraced(function* (
  flags: Flags,
  environment: Readonly<Record<string, string | undefined>>,
  folder: string
): Effect.fn.Return<Settings, Problem.Problem> {
  const problems: Array<Schema.Json> = []
  const fromFlags = fromTexts(Object.entries(flags), (name) => `--${flagOf(name)}`, folder)
  const fromEnvironment = environmentOf(environment, folder, problems)
  const here = yield* fileSource(path.join(folder, fileName), problems)
  const data = locate(fromFlags["data"] ?? fromEnvironment["data"] ?? here["data"]) ?? path.join(folder, dataDefault)
  const remembered = yield* fileSource(path.join(data, fileName), problems)
  const found = { ...here, ...remembered, ...fromEnvironment, ...fromFlags }
  const values: Record<string, unknown> = {}
  for (const [name, { source, value }] of Object.entries(found)) {
    const rule = rules[name]
    if (rule === undefined) {
      problems.push({ setting: name, what: "no such setting", source, allowed: Object.keys(rules).join(", ") })
      continue
    }
    const decoded = Schema.decodeUnknownResult(rule.schema)(value)
    if (Result.isSuccess(decoded)) values[name] = decoded.success
    else
      problems.push({
        setting: name,
        value: rule.isSecret === true ? "(hidden)" : show(value),
        allowed: rule.allowed,
        source
      })
  }
  const passphrase = yield* passphraseOf(found, values, problems)
  if (problems.length > 0) {
    return yield* Problem.make("SettingsInvalid", {
      what: problems.length === 1 ? "a setting is not valid" : `${problems.length} settings are not valid`,
      details: problems,
      do: "correct them, each where its source says",
      isUsage: true
    })
  }
  return settingsOf(data, locate(found["app"]), passphrase, values)
})

/** Every value was decoded by its rule, so the guards only tell absent from present. */
const settingsOf = (
  data: string,
  app: string | undefined,
  passphrase: Redacted.Redacted<string> | undefined,
  values: Readonly<Record<string, unknown>>
): Settings => {
  const take = <A>(name: string, schema: Schema.Codec<A, unknown>, missing: A): A =>
    values[name] === undefined ? missing : Schema.decodeUnknownSync(schema)(values[name])
  return {
    data,
    app,
    passphrase,
    space: take("space", Schema.UndefinedOr(SpaceId), undefined),
    name: take("name", Schema.String, hostname().slice(0, deviceNameCharactersMax)),
    production: take("production", Schema.Boolean, false),
    log: take("log", Schema.Literals(["debug", "info", "warn", "error"]), "info"),
    host: take("listen.host", Schema.String, "127.0.0.1"),
    port: take("listen.port", Schema.Int, 8443),
    http: take("listen.http", Schema.Int, 8080),
    advertise: take("listen.advertise", Schema.Array(Schema.String), []),
    flowBase: take("flow.base", Schema.UndefinedOr(flowBase), undefined),
    peers: take("peers", Schema.Array(Peer), []),
    device: take("device", Schema.UndefinedOr(DeviceId), undefined)
  }
}

const show = (value: unknown): string =>
  (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 200)

/** `listen.http` is the flag --http: the section goes without saying. */
const flagOf = (name: string): string => name.slice(name.indexOf(".") + 1).replaceAll("_", "-")

type Source = Readonly<Record<string, Found>>

const locate = (found: Found | undefined): string | undefined =>
  typeof found?.value === "string" && found.value !== "" ? path.resolve(found.folder, found.value) : undefined

/** Text that stands for what it says: numbers, booleans and lists where the rule wants them. */
const fromTexts = (
  entries: ReadonlyArray<readonly [string, string | undefined]>,
  sourceOf: (name: string) => string,
  folder: string
): Source => {
  const source: Record<string, Found> = {}
  for (const [name, value] of entries) {
    if (value !== undefined) source[name] = { value: parsed(name, value), source: sourceOf(name), folder }
  }
  return source
}

const parsed = (name: string, value: string): unknown => {
  const rule = rules[name]
  if (rule === port) return /^\d{1,5}$/u.test(value) ? Number(value) : value
  if (name === "production") return value === "true" ? true : value === "false" ? false : value
  if (name === "listen.advertise") return value.split(",").filter((one) => one !== "")
  return value
}

const environmentOf = (
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
  problems: Array<Schema.Json>
): Source => {
  const known: Array<readonly [string, string | undefined]> = []
  for (const [variable, value] of Object.entries(environment)) {
    const name = variable.startsWith("AURA_") ? variable.slice("AURA_".length).toLowerCase().replace("__", ".") : ""
    if (rules[name] !== undefined && name !== "peers") known.push([name, value])
    else if (tables.some((section) => name.startsWith(`${section}.`))) {
      problems.push({
        setting: name,
        source: `environment variable ${variable}`,
        allowed: Object.keys(rules).join(", ")
      })
    }
  }
  return fromTexts(known, (name) => `environment variable AURA_${name.toUpperCase().replace(".", "__")}`, folder)
}

/** A file's settings by dotted name; none when there is no file. */
const fileSource = Effect.fnUntraced(function* (file: string, problems: Array<Schema.Json>) {
  const content = yield* Effect.promise(() =>
    readFile(file, "utf8").catch((error: unknown) => (isMissing(error) ? undefined : String(error)))
  )
  if (content === undefined) return {}
  const table = Toml.parse(content)
  if (Result.isFailure(table)) {
    problems.push({
      source: file,
      what: `not TOML: ${table.failure.message.split("\n")[0] ?? ""}`,
      allowed: "TOML 1.0"
    })
    return {}
  }
  return flatten(table.success, file)
})

const flatten = (table: Readonly<Record<string, unknown>>, file: string): Source => {
  const source: Record<string, Found> = {}
  const folder = path.dirname(file)
  for (const [name, value] of Object.entries(table)) {
    if (tables.includes(name) && typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [inner, one] of Object.entries(value))
        source[`${name}.${inner}`] = { value: one, source: file, folder }
    } else source[name] = { value, source: file, folder }
  }
  return source
}

const passphraseOf = Effect.fnUntraced(function* (
  found: Source,
  values: Readonly<Record<string, unknown>>,
  problems: Array<Schema.Json>
) {
  const given = values["keys.passphrase"]
  if (typeof given === "string") return Redacted.make(given, { label: "passphrase" })
  const file = values["keys.passphrase_file"] === undefined ? undefined : locate(found["keys.passphrase_file"])
  if (file === undefined) return undefined
  const content = yield* Effect.promise(() => readFile(file, "utf8").catch(() => undefined))
  const passphrase = content?.replace(/\r?\n$/u, "")
  if (passphrase !== undefined && passphrase !== "") return Redacted.make(passphrase, { label: "passphrase" })
  problems.push({
    setting: "keys.passphrase_file",
    value: file,
    allowed: "a file that can be read and is not empty",
    source: found["keys.passphrase_file"]?.source ?? ""
  })
  return undefined
})

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")
