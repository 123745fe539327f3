/**
 * DATA/aura.toml: what a data directory remembers between commands: its device, its application, its space, and where
 * the devices are that it met.
 *
 * The file is settings like any other (Settings.ts) and may be edited by hand; commands that learn something write it
 * anew, atomically, with everything they found in it except comments. Only the owner of the directory writes it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as path from "node:path"
import { parse, stringify } from "smol-toml"
import type { Peer } from "../config/Configuration.ts"
import { fileName } from "../config/Reading.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as PrivateDirectory from "../handlers/node/PrivateDirectory.ts"
import * as Problem from "./Problem.ts"

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
  const known: Table | undefined = Option.match(before, {
    onNone: () => ({}),
    onSome: (bytes) => tableIn(Buffer.from(bytes).toString("utf8"))
  })
  if (known === undefined) {
    return yield* Problem.make("SettingsInvalid", {
      what: `${path.join(directory, fileName)} is not TOML, so nothing was added to it`,
      do: "correct the file, or move it away to have it made anew"
    })
  }
  const { app, device, peer, space } = learned
  const next: Record<string, unknown> = {
    ...known,
    ...(device === undefined ? {} : { device }),
    ...(app === undefined ? {} : { app: relative(directory, app) }),
    ...(space === undefined ? {} : { space }),
    ...(peer === undefined ? {} : { peers: withPeer(known["peers"], peer) })
  }
  const text = opening + stringify(next)
  const isSame = Option.isSome(before) && Buffer.from(before.value).toString("utf8") === text
  if (!isSame) yield* files.replace(fileName, [Buffer.from(text)])
})

type Table = Readonly<Record<string, unknown>>

/** Undefined when the text is not TOML. */
const tableIn = (text: string): Table | undefined => {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

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
