/**
 * `aura serve`: runs this device for others: listens, syncs with known peers, does errands of other commands.
 *
 * The first start in an empty directory makes a device, founds a space for the application and shows the recovery words
 * once, on a terminal or when asked to; they never go to a log or to stdout. It runs until Ctrl-C or SIGTERM.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as RecoveryWords from "../identity/RecoveryWords.ts"
import * as EffectTelemetry from "../observability/EffectTelemetry.ts"
import type { AnyApp } from "../runtime/App.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Replenishing from "../runtime/Replenishing.ts"
import * as Errands from "./Errands.ts"
import * as Growth from "./Growth.ts"
import * as Home from "./Home.ts"
import * as Log from "./Log.ts"
import * as Office from "./Office.ts"
import type { Output } from "./Output.ts"
import * as Pair from "./pair.ts"
import * as Problem from "./Problem.ts"
import * as RootSeed from "./RootSeed.ts"
import * as Run from "./Run.ts"
import * as Settings from "./Settings.ts"
import { sheet } from "./space.ts"
import * as Stop from "./Stop.ts"
import * as Survey from "./Survey.ts"
import { count, strong, table } from "./Text.ts"
import * as FrontDoor from "./web/FrontDoor.ts"
import * as Management from "./web/Management.ts"
import * as Readiness from "./web/Readiness.ts"

export interface Options {
  /** Shows the recovery words even when stderr is no terminal. */
  readonly showWords: boolean
  /** How this command is called from here, for lines to copy. */
  readonly command: (words: ReadonlyArray<string>) => string
}

export const serve = Effect.fnUntraced(function* (flags: Settings.Flags, output: Output, options: Options) {
  const settings = yield* Run.settingsOf(flags)
  yield* Effect.scoped(running(settings, output, options)).pipe(
    Effect.provide(Layer.merge(Log.layer(settings.log), EffectTelemetry.layer))
  )
})

const running = Effect.fnUntraced(function* (settings: Office.Office["settings"], output: Output, options: Options) {
  if (settings.app === undefined) return yield* applicationMissing
  const { load } = yield* Effect.promise(() => import("./Application.ts"))
  const app = yield* load(settings.app)
  yield* Settings.expectSecure(settings)
  const home = yield* Effect.mapError(Home.open(settings.data, true), (error) => inUse(Problem.fromError(error)))
  const management = yield* Management.make(settings.management)
  const door = yield* FrontDoor.make
  let watched: Office.Watched | undefined = undefined
  const watchedNow = (): Office.Watched | undefined => watched
  const office = yield* Office.open(settings, home, {
    answer: Errands.answer,
    committed: (exit) => watchedNow()?.readiness.committed(exit),
    watched: watchedNow,
    network: {
      listen: { host: settings.host, port: settings.port },
      request: door.listener,
      ...(settings.production ? {} : { plain: { port: settings.http } }),
      ...(settings.advertise.length === 0 ? {} : { advertise: settings.advertise })
    }
  })
  const agent = yield* office.agent.pipe(Effect.mapError(portTaken))
  const isFirst = agent.replicas().length === 0
  const replica = isFirst ? yield* found(office, app) : yield* office.replica
  yield* office.remember({ app: settings.app, space: replica.space })
  yield* checkApplication(replica, app, agent.device)
  for (const { address, device } of settings.peers) yield* agent.stayConnected(address, device)
  yield* keepBudgets(office, replica)
  yield* recoveryWords(office, output, isFirst, options)
  const { readiness } = (watched = yield* watch(office, replica))
  yield* openPages(office, door, replica, app, readiness)
  management.open({
    ready: readiness.now,
    gauges: () => ({ peers: agent.links().length, quarantined: replica.ledger().quarantine.size })
  })
  const addresses = agent.addresses()
  output.data(
    {
      device: agent.device,
      space: replica.space,
      app: app.name,
      data: office.home.path,
      addresses,
      pages: addresses.map(pageOf),
      management: management.address ?? null,
      pid: process.pid
    },
    banner(office, app, replica, { addresses, management: management.address }, options)
  )
  yield* Stop.requested
  output.note("stopping")
})

/** Budgets for each next hour, where the settings want them and this device is the one to write them. */
const keepBudgets = Effect.fnUntraced(function* ({ keys, settings, time }: Office.Office, replica: Replica) {
  const base = settings.flowBase
  if (base === undefined) return
  const replenish = Effect.suspend(() =>
    Replenishing.replenish(replica, keys.device, base, time.now().millis).pipe(
      Effect.catch((error) => Effect.logWarning("the next hour's budgets were not written", error.message))
    )
  )
  yield* Effect.forkScoped(Effect.repeat(replenish, Schedule.spaced("5 minutes")))
})

const watch = Effect.fnUntraced(function* (office: Office.Office, replica: Replica) {
  const { keys, storage, store, time } = office
  return {
    readiness: yield* Readiness.watch({ store, storage: yield* storage, keys, time, space: replica.space }),
    growth: yield* Growth.watch(time, () => Survey.of(replica).entries)
  } satisfies Office.Watched
})

/** From here on the listeners answer with the application's pages and its API. */
const openPages = Effect.fnUntraced(function* (
  office: Office.Office,
  door: FrontDoor.FrontDoor,
  replica: Replica,
  app: AnyApp,
  readiness: Readiness.Watch
) {
  const { keys, store, time, verifier } = office
  const agent = yield* office.agent
  yield* door.open({
    agent,
    replica,
    store,
    verifier,
    time,
    app,
    ready: readiness.told,
    pair: Pair.everything(office),
    facts: [
      { name: "data directory", text: office.home.path },
      {
        name: "device key",
        text: keys.level === "High" ? "protected by a passphrase" : "on the disk, without a passphrase"
      }
    ],
    startedMillis: time.now().millis
  })
})

/** Durable before anything else happens; the seed of the root key first. */
const found = Effect.fnUntraced(function* (office: Office.Office, app: AnyApp) {
  const agent = yield* office.agent
  const seed = yield* RootSeed.draw(office)
  return yield* agent.createSpace(RecoveryWords.rootOf(seed), app.definition)
})

const checkApplication = Effect.fnUntraced(function* (
  replica: Replica,
  app: AnyApp,
  device: Office.Office["keys"]["device"]
) {
  const { genesis } = replica.ledger()
  if (genesis !== undefined && genesis.app !== app.name) {
    return yield* Problem.make("ApplicationForeign", {
      what: `the space in this directory belongs to the application "${genesis.app}", not to "${app.name}"`,
      do: "give this application a directory of its own: --data DIRECTORY"
    })
  }
  const isDefined = yield* Operations.define(replica, device, app)
  if (!isDefined) {
    yield* Effect.logWarning(
      "this version of the application is not in the space yet, and this device may not add it: its operations are refused until a device with app:define runs it"
    )
  }
})

const recoveryWords = Effect.fnUntraced(function* (
  office: Office.Office,
  output: Output,
  isFirst: boolean,
  { command, showWords }: Options
) {
  if (office.keys.level === "Low")
    yield* Effect.logWarning("the device key lies on the disk without a passphrase: see keys.passphrase_file")
  const seed = yield* RootSeed.read(office)
  if (seed === undefined) return
  if ((isFirst && process.stderr.isTTY === true) || showWords)
    process.stderr.write(wordSheet(RootSeed.wordsOf(seed), command))
  else output.note(`The recovery words are not written down yet: ${command(["space", "words"])} shows them.`)
})

const wordSheet = (words: ReadonlyArray<string>, command: Options["command"]): string =>
  [
    "",
    strong(`${words.length} recovery words: write them on paper, now.`),
    "They undo the theft of any device, and whoever has them can do so: keep them away from devices.",
    "",
    sheet(words),
    "",
    `Afterwards: ${command(["space", "confirm"])}`,
    "",
    ""
  ].join("\n")

/** What a browser opens. */
const pageOf = (address: string): string =>
  address
    .replace(/^ws:/u, "http:")
    .replace(/^aura:/u, "https:")
    .replace(/\?.*$/u, "")

const banner = (
  office: Office.Office,
  app: AnyApp,
  replica: Replica,
  { addresses, management }: { readonly addresses: ReadonlyArray<string>; readonly management: string | undefined },
  { command }: Options
): string => {
  const pages = addresses.map(pageOf).toSorted()
  const { peers } = office.settings
  return [
    strong(`Aura serves "${app.name}"`),
    "",
    table([
      ...pages.map((page) => ["open", page]),
      ["device", office.keys.device],
      ["space", replica.space],
      ["data", office.home.path],
      ...(management === undefined ? [] : [["probes", management]]),
      ...(peers.length === 0 ? [] : [["peers", count(peers.length, "known device")]])
    ]),
    "",
    "Add a second device; in another terminal:",
    "",
    `  ${command(["pair"])}`,
    "",
    "Ctrl-C stops it."
  ].join("\n")
}

const applicationMissing = Effect.suspend(() =>
  Problem.make("ApplicationMissing", {
    what: "no application is named",
    allowed: "a TypeScript or JavaScript file that exports `app`",
    do: 'run "aura serve path/to/app.ts", put app = "path/to/app.ts" in aura.toml, or set AURA_APP; a device without the code syncs with "aura sync --watch"',
    isUsage: true
  })
)

const inUse = (problem: Problem.Problem): Problem.Problem =>
  problem.code === "DataDirectoryInUse"
    ? Problem.make(problem.code, {
        what: problem.what,
        where: problem.where,
        do: "a server runs there already: use it, stop it, or give this one a directory of its own (--data DIRECTORY)"
      })
    : problem

const portTaken = (problem: Problem.Problem): Problem.Problem =>
  problem.what.includes("EADDRINUSE")
    ? Problem.make("PortTaken", {
        what: `can't listen at ${problem.where ?? "this address"}: another program does`,
        where: problem.where,
        do: "stop the other program, or take other ports: --port 0 --http 0 takes free ones"
      })
    : problem
