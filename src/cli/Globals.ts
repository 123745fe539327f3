/** What every command takes, the flags that several share, and how a command has its errand done. */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Errand } from "./Errand.ts"
import type { Output } from "./Output.ts"

export const text = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.optional, Flag.withDescription(description))

const Data = GlobalFlag.Setting("data")({ flag: text("data", "The data directory (AURA_DATA; default ./.aura)") })
const Space = GlobalFlag.Setting("space")({
  flag: text("space", "The space, when the directory has several (AURA_SPACE)")
})
const App = GlobalFlag.Setting("app")({ flag: text("app", "The application's file (AURA_APP, or app in aura.toml)") })
const Log = GlobalFlag.Setting("log")({ flag: text("log", "How much to log on stderr: debug, info, warn, error") })
const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withoutNegation,
    Flag.withDefault(false),
    Flag.withDescription('Print data as lines of JSON, {"ok":true,…}, and a failure as {"ok":false,"error":{…}}')
  )
})

/** Flags that every command takes. */
export const globalFlags = [Data, Space, App, Log, Json] as const

/** The settings that every command takes. */
export const globals = Effect.gen(function* () {
  const [data, space, app, log] = [yield* Data, yield* Space, yield* App, yield* Log]
  return {
    data: Option.getOrUndefined(data),
    space: Option.getOrUndefined(space),
    app: Option.getOrUndefined(app),
    log: Option.getOrUndefined(log)
  }
})

export const timeout = (seconds: number) =>
  Flag.Int("timeout").pipe(
    Flag.withDefault(seconds),
    Flag.withDescription(`Seconds to wait at most (default ${seconds})`)
  )

export const switchFlag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDefault(false), Flag.withDescription(description))

/** What runs errands, loaded when the first is done. */
export const run = Effect.promise(() => import("./Run.ts"))

/** Does an errand with the global settings and prints its data. */
export const simply = Effect.fnUntraced(function* (output: Output, errand: Errand) {
  const flags = yield* globals
  const { errand: perform } = yield* run
  yield* perform(flags, output, errand)
})
