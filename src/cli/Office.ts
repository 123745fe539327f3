/**
 * Everything that works in a data directory that is ours (Home.ts): what errands are done with.
 *
 * Opening it opens keys and journal, and answers the errands of other commands at the control socket, for as long as the
 * scope lives. The agent (with its network) and the application's code come up at their first use, so a command that
 * only reads the journal starts neither. When the scope ends: no more errands, then the agent with its connections, then
 * the stores.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { stat } from "node:fs/promises"
import * as path from "node:path"
import * as Stores from "../composition/Stores.ts"
import { JournalStore } from "../effects/JournalStore.ts"
import { Keys } from "../effects/Keys.ts"
import { SecretStore } from "../effects/SecretStore.ts"
import { Storage } from "../effects/Storage.ts"
import { Time } from "../effects/Time.ts"
import { Verifier } from "../effects/Verifier.ts"
import type { DataDirectory } from "../handlers/node/DataDirectory.ts"
import * as NodeEffects from "../handlers/node/NodeEffects.ts"
import { short } from "../identity/Id.ts"
import { Agent, layer as agentLayer } from "../runtime/Agent.ts"
import type { AnyApp } from "../runtime/App.ts"
import type { Replica } from "../runtime/Replica.ts"
import { DropsSealed } from "../runtime/Sealing.ts"
import { Summarizing } from "../runtime/Summaries.ts"
import * as Control from "./Control.ts"
import type { Growth } from "./Growth.ts"
import type { Home } from "./Home.ts"
import * as Memory from "./Memory.ts"
import * as Problem from "./Problem.ts"
import type { Settings } from "./Settings.ts"
import type * as Readiness from "./web/Readiness.ts"

export interface Office {
  /** Ends after the errands: for what goes on when its errand waits no longer. */
  readonly scope: Scope.Scope
  readonly settings: Settings
  readonly home: DataDirectory
  readonly keys: Keys["Service"]
  readonly store: JournalStore["Service"]
  /** Opened at its first use. */
  readonly storage: Effect.Effect<Storage["Service"], Problem.Problem>
  readonly secrets: SecretStore["Service"]
  readonly verifier: Verifier["Service"]
  readonly time: Time["Service"]
  readonly random: SecureRandom["Service"]
  /** Opens all spaces of the directory; connects only when asked to. */
  readonly agent: Effect.Effect<Agent["Service"], Problem.Problem>
  /** The application's code. */
  readonly application: Effect.Effect<AnyApp, Problem.Problem>
  /** The space to work in: the one that was named, or the only one. */
  readonly replica: Effect.Effect<Replica, Problem.Problem>
  /** Whether this process listens on the network. */
  readonly isServing: boolean
  /** What this process has watched since it serves; undefined when it does not. */
  readonly watched: () => Watched | undefined
  readonly remember: (learned: Memory.Learned) => Effect.Effect<void, Problem.Problem>
}

export interface Watched {
  readonly readiness: Readiness.Watch
  readonly growth: Growth
}

export interface Options {
  readonly watched?: Office["watched"]
  /** Listens on the network when given. */
  readonly network?: NodeEffects.NetworkOptions
  /** Hears what came of each commit. */
  readonly committed?: Stores.Committed
  /** Does an errand in this office; `Errands.answer`, handed in because errands know the office. */
  readonly answer: (office: Office) => Control.Answer
}

export const open = Effect.fnUntraced(function* (
  settings: Settings,
  { directory: home, socket }: Home,
  { answer, committed, network, watched = () => undefined }: Options
): Effect.fn.Return<Office, Problem.Problem, Scope.Scope> {
  yield* expectDeviceKey(settings)
  const stores = yield* Layer.build(Stores.stores(home, settings, committed)).pipe(Effect.mapError(Problem.fromError))
  const keys = Context.get(stores, Keys)
  yield* expectSameDevice(settings, keys)
  const remember = (learned: Memory.Learned) => Effect.mapError(Memory.remember(home.path, learned), Problem.fromError)
  yield* remember({ device: keys.device })

  const scope = yield* Effect.scope
  const storage = yield* Effect.cached(
    Layer.build(Layer.provide(Stores.storage(home, settings), Layer.succeedContext(stores))).pipe(
      Scope.provide(scope),
      Effect.map((built) => Context.get(built, Storage)),
      Effect.mapError(Problem.fromError)
    )
  )
  // a child of its own: it is closed after the errands that use it
  const agentScope = yield* Scope.fork(scope)
  const agent = yield* Effect.cached(
    Layer.build(
      agentLayer.pipe(
        Layer.provide(NodeEffects.network(home, network)),
        // who serves keeps blobs for others; a command that only connects does not open them
        Layer.provide(network?.listen === undefined ? Layer.empty : Layer.effect(Storage, storage)),
        Layer.provide(Layer.succeedContext(stores)),
        Layer.provide(Layer.succeed(Summarizing, settings.flowBase !== undefined)),
        Layer.provide(Layer.succeed(DropsSealed, settings.journal.sealed === "drop"))
      )
    ).pipe(
      Scope.provide(agentScope),
      Effect.map((built) => Context.get(built, Agent)),
      Effect.mapError(Problem.fromError)
    )
  )
  const office: Office = {
    scope: agentScope,
    settings,
    home,
    keys,
    store: Context.get(stores, JournalStore),
    storage,
    secrets: Context.get(stores, SecretStore),
    verifier: Context.get(stores, Verifier),
    time: Context.get(stores, Time),
    random: Context.get(stores, SecureRandom),
    agent,
    application: yield* Effect.cached(application(settings)),
    replica: Effect.flatMap(agent, (opened) => chosen(opened, settings)),
    isServing: network?.listen !== undefined,
    watched,
    remember
  }
  yield* Control.serve(socket, answer(office))
  return office
})

const deviceKeyFile = "secret-device-key.bin"

/** Before a new key takes the place of a lost one. */
const expectDeviceKey = Effect.fnUntraced(function* (settings: Settings) {
  if (settings.device === undefined) return
  const file = path.join(settings.data, NodeEffects.names.secrets, deviceKeyFile)
  const found = yield* Effect.promise(() => stat(file).catch(() => undefined))
  if (found !== undefined) return
  return yield* Problem.make("DeviceKeyLost", {
    what: `the key of device ${short(settings.device)} is gone: nobody can go on as this device without it`,
    where: file,
    do: "restore the secrets directory from a backup; or start in a fresh directory and pair again"
  })
})

const expectSameDevice = Effect.fnUntraced(function* (settings: Settings, keys: Keys["Service"]) {
  if (settings.device === undefined || settings.device === keys.device) return
  return yield* Problem.make("DeviceKeyForeign", {
    what: `this directory belongs to device ${short(settings.device)}, but the key in it is that of ${short(keys.device)}`,
    where: path.join(settings.data, NodeEffects.names.secrets, deviceKeyFile),
    do: "restore the secrets directory that belongs to it"
  })
})

const application = Effect.fnUntraced(function* (settings: Settings) {
  if (settings.app === undefined) {
    return yield* Problem.make("ApplicationMissing", {
      what: "no application is named, and its code is needed for this",
      allowed: "the path of a file that exports `app`",
      do: 'put app = "path/to/app.ts" in aura.toml, or set AURA_APP; reading state and syncing work without it',
      isUsage: true
    })
  }
  const file = settings.app
  const { load } = yield* Effect.promise(() => import("./Application.ts"))
  return yield* load(file)
})

const chosen = (agent: Agent["Service"], settings: Settings): Effect.Effect<Replica, Problem.Problem> => {
  const replicas = agent.replicas()
  const wanted = settings.space === undefined ? undefined : agent.replica(settings.space)
  if (wanted !== undefined) return Effect.succeed(wanted)
  if (settings.space === undefined && replicas[0] !== undefined && replicas.length === 1)
    return Effect.succeed(replicas[0])
  const known = replicas.map(({ space }) => space).join(", ")
  if (replicas.length === 0) {
    return Problem.make("NoSpace", {
      what: "this device is in no space",
      where: settings.data,
      do: 'found one with "aura serve", or join one with "aura join CODE"'
    })
  }
  return Problem.make(settings.space === undefined ? "SpaceAmbiguous" : "SpaceUnknown", {
    what:
      settings.space === undefined
        ? "this device is in several spaces"
        : `this device is not in space ${settings.space}`,
    allowed: known,
    do: "name one: --space SPACE, AURA_SPACE, or space in aura.toml"
  })
}
