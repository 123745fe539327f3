/**
 * DATA/aura.toml: what a data directory remembers between commands: its device, its application, its space, and where
 * the devices are that it met.
 *
 * The file is settings like any other (Settings.ts) and may be edited by hand; commands that learn something write it
 * anew, atomically, with everything they found in it except comments. Only the owner of the directory writes it.
 */
import * as Effect from "effect/Effect"
import * as Toml from "effect/encoding/Toml"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as path from "node:path"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as PrivateDirectory from "../handlers/node/PrivateDirectory.ts"
import * as Problem from "./Problem.ts"
import { fileName, type Peer } from "./Settings.ts"

export interface Learned {
  readonly device?: DeviceId
  /** Absolute. */
  readonly app?: string
  readonly space?: SpaceId
  /** Replaces what was known of this device. */
  readonly peer?: Peer
}

const bytesMax = 1024 * 1024

export const remember = Effect.fnUntraced(function* (directory: string, learned: Learned) {
  const files = yield* PrivateDirectory.open(directory)
  const before = yield* files.read(fileName, bytesMax)
  const parsed = Option.map(before, (bytes) => Toml.parse(Buffer.from(bytes).toString("utf8")))
  if (Option.isSome(parsed) && Result.isFailure(parsed.value)) {
    return yield* Problem.make("SettingsInvalid", {
      what: `${path.join(directory, fileName)} is not TOML, so nothing was added to it`,
      do: "correct the file, or move it away to have it made anew"
    })
  }
  const known: Readonly<Record<string, unknown>> = Option.isSome(parsed) ? Result.getOrThrow(parsed.value) : {}
  const { app, device, peer, space } = learned
  const next: Record<string, unknown> = {
    ...known,
    ...(device === undefined ? {} : { device }),
    ...(app === undefined ? {} : { app: relative(directory, app) }),
    ...(space === undefined ? {} : { space }),
    ...(peer === undefined ? {} : { peers: withPeer(known["peers"], peer) })
  }
  const text = opening + toToml(next)
  const isSame = Option.isSome(before) && Buffer.from(before.value).toString("utf8") === text
  if (!isSame) yield* files.replace(fileName, [Buffer.from(text)])
})

const opening = "# What this data directory knows. Written by aura; comments are not kept.\n"

/** With forward slashes, which every system reads; another drive stays absolute. */
const relative = (directory: string, file: string): string => {
  const found = path.relative(directory, file)
  return (path.isAbsolute(found) ? file : found).replaceAll("\\", "/")
}

const withPeer = (peers: unknown, peer: Peer): ReadonlyArray<unknown> => [
  ...(Array.isArray(peers) ? peers : []).filter((one: unknown) => !isPeer(one, peer.device)),
  { device: peer.device, address: peer.address }
]

const isPeer = (value: unknown, device: DeviceId): boolean =>
  typeof value === "object" && value !== null && "device" in value && value.device === device

/** Values first, then tables: in TOML a table reaches to the next one. */
const toToml = (table: Readonly<Record<string, unknown>>): string => {
  const lines: Array<string> = []
  const sections: Array<string> = []
  for (const [name, value] of Object.entries(table)) {
    if (isTables(value)) for (const one of value) sections.push(`\n[[${key(name)}]]\n${toToml(one)}`)
    else if (isTable(value)) sections.push(`\n[${key(name)}]\n${toToml(value)}`)
    else lines.push(`${key(name)} = ${literal(value)}\n`)
  }
  return lines.join("") + sections.join("")
}

type Table = Readonly<Record<string, unknown>>

const isTable = (value: unknown): value is Table => typeof value === "object" && value !== null && !Array.isArray(value)

const isTables = (value: unknown): value is ReadonlyArray<Table> =>
  Array.isArray(value) && value.length > 0 && value.every(isTable)

const key = (name: string): string => (/^[\w-]+$/u.test(name) ? name : JSON.stringify(name))

/** JSON's texts, numbers, booleans and lists are TOML's too, except that DEL must be escaped. */
const literal = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(literal).join(", ")}]` : JSON.stringify(value).replaceAll("\u007f", "\\u007f")
