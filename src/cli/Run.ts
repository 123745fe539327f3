/**
 * Runs one command: reads the settings, finds out who does the errand, prints what comes back, says how it ended.
 *
 * The owner of the data directory does the errand if there is one; otherwise this process opens the directory and does
 * it itself. Between two short commands the directory may be owned by one that is about to end: then it is tried
 * again, briefly.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Control from "./Control.ts"
import * as Errand from "./Errand.ts"
import * as Home from "./Home.ts"
import type { Data, Output } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Settings from "./Settings.ts"
import * as Stop from "./Stop.ts"

/** How often, and how long at most, a directory is tried that somebody has open without answering. */
const retryMillis = 50
const retriesMax = 100

/** Does an errand and prints its data. */
export const errand = Effect.fnUntraced(function* (
  flags: Settings.Flags,
  output: Output,
  wanted: Errand.Errand,
  around: (data: Data) => Effect.Effect<void> = () => Effect.void
) {
  const { rendererOf } = yield* Effect.promise(() => import("./Errands.ts"))
  const render = yield* Effect.promise(() => rendererOf(wanted._tag))
  yield* pieces(flags, wanted, {
    data: (data) =>
      Effect.andThen(
        Effect.sync(() => output.data(data, render(data))),
        around(data)
      ),
    note: (text) => Effect.sync(() => output.note(text))
  })
})

/** Does an errand and hands out its data as it comes. */
export const pieces = Effect.fnUntraced(function* (flags: Settings.Flags, wanted: Errand.Errand, voice: Control.Voice) {
  const settings = yield* settingsOf(flags)
  const { layer } = yield* Effect.promise(() => import("./Log.ts"))
  const telemetry = yield* Effect.promise(() => import("../observability/EffectTelemetry.ts"))
  const work = Effect.scoped(oneOf(settings, wanted, voice)).pipe(
    Effect.provide(Layer.merge(layer(settings.log), telemetry.layer))
  )
  const isWatch = wanted._tag === "Sync" && wanted.watch
  yield* isWatch ? Effect.raceFirst(work, Stop.requested) : stoppable(work)
})

/** Work that Ctrl-C interrupts: it tidies up, and the command fails. */
export const stoppable = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | Problem.Problem, R> =>
  Effect.raceFirst(work, Effect.andThen(Stop.requested, interrupted))

/** The first piece of data of an errand that has just one. */
export const one = Effect.fnUntraced(function* (flags: Settings.Flags, output: Output, wanted: Errand.Errand) {
  let found: Data = {}
  yield* pieces(flags, wanted, {
    data: (data) =>
      Effect.sync(() => {
        found = data
      }),
    note: (text) => Effect.sync(() => output.note(text))
  })
  return found
})

const interrupted = Effect.suspend(() =>
  Problem.make("Interrupted", { what: "stopped before it was done", do: "run the command again" })
)

export const settingsOf = (flags: Settings.Flags): Effect.Effect<Settings.Settings, Problem.Problem> =>
  Settings.load(flags, process.env, process.cwd())

const oneOf = Effect.fnUntraced(function* (settings: Settings.Settings, wanted: Errand.Errand, voice: Control.Voice) {
  for (let tries = 0; ; tries++) {
    const home = yield* Effect.result(Home.open(settings.data, Errand.mayCreate(wanted)))
    if (home._tag === "Success") return yield* byOurselves(settings, home.success, wanted, voice)
    const reason = home.failure._tag === "DataDirectoryError" ? home.failure.reason : undefined
    if (reason?._tag !== "DataDirectoryInUse") return yield* Effect.fail(home.failure)
    if (Option.isSome(reason.controlSocket)) {
      const asked = yield* Effect.exit(Control.ask(reason.controlSocket.value, wanted, voice))
      if (Exit.isSuccess(asked)) return
      const problem = Problem.fromError(Cause.squash(asked.cause))
      if (problem.code !== Control.ownerSilent || tries >= retriesMax) return yield* problem
    }
    if (tries >= retriesMax) return yield* Effect.fail(home.failure)
    yield* Effect.sleep(retryMillis)
  }
})

const byOurselves = Effect.fnUntraced(function* (
  settings: Settings.Settings,
  home: Home.Home,
  wanted: Errand.Errand,
  voice: Control.Voice
) {
  if (Errand.needsServer(wanted)) return yield* serverNeeded
  const Office = yield* Effect.promise(() => import("./Office.ts"))
  const { answer } = yield* Effect.promise(() => import("./Errands.ts"))
  const office = yield* Office.open(settings, home, { answer })
  yield* answer(office)(wanted, voice)
})

const serverNeeded = Effect.suspend(() =>
  Problem.make("ServerNeeded", {
    what: "no server is running on this data directory, and a code is redeemed at the server that made it",
    do: 'start it in another terminal with "aura serve", then run this again'
  })
)

/** A secret that was typed, or read from stdin. */
export const secretOf = (text: string, label: string): Redacted.Redacted<string> => Redacted.make(text, { label })
