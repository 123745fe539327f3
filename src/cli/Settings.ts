/**
 * What a command was told: the configuration (src/config) as this process finds it, with what only a machine knows.
 *
 * All faults are one problem of usage, each with setting, value, allowed and source; secrets are never shown. What
 * production mode refuses is refused by who opens something to others (`expectSecure`): a command that lets a running
 * server do the work needs no passphrase.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import { hostname } from "node:os"
import type { Configuration, Peer } from "../config/Configuration.ts"
import * as Reading from "../config/Reading.ts"
import type { Fault } from "../config/Sources.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import { deviceNameCharactersMax } from "../trust/limits.ts"
import * as Problem from "./Problem.ts"
import { count } from "./Text.ts"

export interface Settings {
  /** Absolute. */
  readonly data: string
  /** Absolute; undefined when nobody named one. */
  readonly app: string | undefined
  readonly space: SpaceId | undefined
  readonly name: string
  readonly production: boolean
  readonly log: Configuration["log"]
  readonly host: string
  readonly port: number
  readonly http: number
  readonly advertise: ReadonlyArray<string>
  readonly passphrase: Redacted.Redacted<string> | undefined
  /** Undefined: no budgets are written, and hours are not summed up. */
  readonly flowBase: number | undefined
  readonly journal: Configuration["journal"]
  readonly wrap: Configuration["wrap"]
  /** Where probes and metrics are answered; undefined when nobody said. */
  readonly management: string | undefined
  readonly storage: Configuration["storage"]
  readonly peers: ReadonlyArray<Peer>
  /** The device that the directory was made for; undefined before its first start. */
  readonly device: DeviceId | undefined
  /** What production mode refuses; nothing when it is off. */
  readonly refused: ReadonlyArray<Fault>
}

/** Settings given as flags: text, by their names. */
export type Flags = Readonly<Record<string, string | undefined>>

/** Reads every source. `flags` are text; `environment` and `folder` are the process's own. */
export const load = Effect.fnUntraced(function* (
  flags: Flags,
  environment: Flags,
  folder: string
): Effect.fn.Return<Settings, Problem.Problem> {
  const reading = yield* read(flags, environment, folder)
  const { app, configuration, data, faults, refused } = reading
  if (configuration === undefined) return yield* invalid(faults, true)
  return {
    data,
    app,
    refused,
    space: configuration.space,
    name: configuration.name ?? nameHere(),
    production: configuration.production,
    log: configuration.log,
    host: configuration.listen.host,
    port: configuration.listen.port,
    http: configuration.listen.http,
    advertise: configuration.listen.advertise,
    passphrase: configuration.keys.passphrase,
    flowBase: configuration.flow.base,
    journal: configuration.journal,
    wrap: configuration.wrap,
    management: configuration.management.listen,
    storage: configuration.storage,
    peers: configuration.peers,
    device: configuration.device
  }
})

/** The whole reading, faults included. */
export const read = (flags: Flags, environment: Flags, folder: string): Effect.Effect<Reading.Reading> =>
  Reading.read({ flags, environment, folder, ambient: { name: nameHere() } })

export const expectSecure = ({ refused }: Settings): Effect.Effect<void, Problem.Problem> =>
  refused.length === 0 ? Effect.void : insecure(refused)

/** Faults as a problem; a mistake of usage unless they were asked for. */
export const invalid = (faults: ReadonlyArray<Fault>, isUsage: boolean): Problem.Problem =>
  Problem.make("SettingsInvalid", {
    what: faults.length === 1 ? "a setting is not valid" : `${faults.length} settings are not valid`,
    details: faults.map(detailOf),
    do: "correct them, each where its source says",
    isUsage
  })

const insecure = (refused: ReadonlyArray<Fault>): Problem.Problem =>
  Problem.make("SettingsInsecure", {
    what: `production refuses ${count(refused.length, "setting")}`,
    details: refused.map(detailOf),
    do: "change them, each as it is allowed, or drop production = true",
    isUsage: true
  })

const detailOf = (fault: Fault): Schema.Json => ({ ...fault })

const nameHere = (): string => hostname().slice(0, deviceNameCharactersMax)
