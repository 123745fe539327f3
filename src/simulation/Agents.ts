/**
 * The people of a simulated world: each an installation that survives, running a program that may not.
 *
 * An installation is a name, a device key, a disk and a clock that is wrong by so much. Its program is given by the
 * caller: it takes the layers of the installation and returns a handle, by which the scenario talks to it; background
 * work belongs to the scope. `crash` is a loss of power (Process.ts): no finalizer runs, connections vanish, the disk
 * keeps what it had. `stop` closes the scope first. Either way `start` starts the program again, on the same disk.
 *
 * It starts nothing by itself and decides nothing: who crashes when is in Faults.ts, what must hold is the scenario's.
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import { Keys } from "../effects/Keys.ts"
import { Network } from "../effects/Network.ts"
import type { SecretStore } from "../effects/SecretStore.ts"
import type { Storage } from "../effects/Storage.ts"
import type { Time } from "../effects/Time.ts"
import type { Verifier } from "../effects/Verifier.ts"
import * as ClockTime from "../handlers/memory/ClockTime.ts"
import * as MemoryKeys from "../handlers/memory/MemoryKeys.ts"
import * as NobleVerifier from "../handlers/memory/NobleVerifier.ts"
import { domain, hash } from "../identity/Hash.ts"
import type { DeviceId } from "../identity/Id.ts"
import * as FaultyDisk from "./FaultyDisk.ts"
import { ProcessKilled, type Process } from "./Process.ts"
import { addressOf, type SimulatedNetwork } from "./SimulatedNetwork.ts"
import type { World } from "./World.ts"

/** Nothing runs there, so nothing was asked of it. */
export class AgentDown extends Data.TaggedError("AgentDown")<{ readonly name: string }> {
  override get message(): string {
    return `${this.name} is not running`
  }
}

/** All that an installation offers to its program. */
export type Installed =
  JournalStore | Keys | Network | SecretStore | SecureRandom.SecureRandom | Storage | Time | Verifier

/** Starts one run of the program. Its fibers are those of the agent's process. */
export type Program<Handle, E> = (
  installed: Layer.Layer<Installed, JournalStoreError>,
  name: string
) => Effect.Effect<Handle, E, Scope.Scope>

export interface Agent<Handle, E> {
  readonly name: string
  readonly device: DeviceId
  readonly address: string
  readonly skewMillis: number
  readonly disk: FaultyDisk.FaultyDisk
  /** True from the end of `start` until the agent stops or crashes. */
  readonly isUp: () => boolean
  /** Starts the program and waits until it has its handle. A defect if it runs already. */
  readonly start: Effect.Effect<void, E | ProcessKilled>
  /** Runs an effect inside the agent's process. `ProcessKilled`: it crashed meanwhile, the outcome is unknown. */
  readonly use: <A, E2>(
    effect: (handle: Handle) => Effect.Effect<A, E2>
  ) => Effect.Effect<A, E2 | AgentDown | ProcessKilled>
  /** Loss of power, now. Nothing if it is down. */
  readonly crash: Effect.Effect<void>
  /** Closes the scope of the program, waits for its finalizers, then ends the process. Nothing if it is down. */
  readonly stop: Effect.Effect<void>
  /** Waits until it is down, for whatever reason. */
  readonly whenDown: Effect.Effect<void>
}

export interface Installation {
  /** Added to every reading of Time. */
  readonly skewMillis?: number
  /** The disk acknowledges what it may lose; see FaultyDisk.ts. */
  readonly diskLies?: boolean
}

export interface Agents {
  /** An installation with a fresh disk. Names are used once. */
  readonly install: <Handle, E>(
    name: string,
    program: Program<Handle, E>,
    installation?: Installation
  ) => Agent<Handle, E>
  /**
   * Runs a script in the place of an agent: it holds the keys of that name and sends what it likes. An agent of the
   * name must be down. The host is there as long as the script runs.
   */
  readonly impersonate: <A, E>(
    name: string,
    script: (self: {
      readonly keys: Keys["Service"]
      readonly network: Network["Service"]
    }) => Effect.Effect<A, E, Scope.Scope>
  ) => Effect.Effect<A, E | ProcessKilled>
  /** The device of a name, installed or not. */
  readonly deviceOf: (name: string) => DeviceId
  /** Its keys, for who speaks in its name. */
  readonly keysOf: (name: string) => Keys["Service"]
}

export interface AgentsOptions {
  /** Shared between worlds, it saves making the same keys again. */
  readonly keyring?: Keyring
  /** NobleVerifier by default; a synchronous one of the platform is ten times as fast. */
  readonly verifier?: Layer.Layer<Verifier>
}

/** The keys of a name: always the same for the same name. */
export type Keyring = (name: string) => Keys["Service"]

const keyTag = domain("aura/simulation/key/v1")

/** Makes the keys of each name once. `sign` as in MemoryKeys: synchronous Ed25519, for speed. */
export const makeKeyring = (sign?: MemoryKeys.MemoryKeysOptions["sign"]): Keyring => {
  const keysByName = new Map<string, Keys["Service"]>()
  return (name) => {
    const known = keysByName.get(name)
    if (known !== undefined) return known
    const seed = hash(keyTag, new TextEncoder().encode(name))
    const made = MemoryKeys.make(sign === undefined ? { seed } : { seed, sign })
    keysByName.set(name, made)
    return made
  }
}

/** Worlds differ in the order of their devices' ids, and still share keys. */
const keyVariants = 8

/** A program that runs: its process, and what ends it in good order. */
interface Running<Handle> {
  readonly process: Process
  readonly scope: Scope.Closeable
  readonly handle: Handle
}

export const make = (world: World, network: SimulatedNetwork, options: AgentsOptions = {}): Agents => {
  const keyring = options.keyring ?? makeKeyring()
  const verifier = options.verifier ?? NobleVerifier.layer
  const keysOf = (name: string): Keys["Service"] => keyring(`${name}/${world.seed % keyVariants}`)

  const install = <Handle, E>(
    name: string,
    program: Program<Handle, E>,
    { diskLies = false, skewMillis = 0 }: Installation = {}
  ): Agent<Handle, E> => {
    const keys = keysOf(name)
    const disk = FaultyDisk.make(world, name, { lies: diskLies })
    let running: Running<Handle> | undefined
    let current: Process | undefined
    /** Whether the last process ended without letting go of the disk. */
    let lostPower = false

    const installed = (process: Process): Layer.Layer<Installed, JournalStoreError> =>
      Layer.mergeAll(
        disk.open(process),
        Layer.succeed(Keys, keys),
        Layer.effect(Network, network.attach(process, keys.device)),
        ClockTime.layer({ offsetMillis: skewMillis }),
        Layer.succeed(SecureRandom.SecureRandom, process.secureRandom),
        verifier
      )
    const ended = (): void => {
      running = undefined
      current = undefined
      lostPower = true
      world.trace(name, "is down")
    }
    /** Ends the scope, and then the process, which has let go of everything. */
    const wind = (process: Process, scope: Scope.Closeable): Effect.Effect<void> =>
      Effect.gen(function* () {
        running = undefined
        const closed = yield* Effect.exit(world.within(process, Scope.close(scope, Exit.void)))
        if (!process.isAlive()) return
        process.kill()
        lostPower = Exit.isFailure(closed)
      })
    const start = Effect.gen(function* () {
      if (current !== undefined) return yield* Effect.die(new Error(`${name} runs already`))
      const process = world.process(name)
      current = process
      if (lostPower) yield* disk.afterPowerLoss
      lostPower = false
      process.onKill(ended)
      world.trace(name, "starts")
      const scope = yield* Scope.make()
      const opening = program(installed(process), name).pipe(Scope.provide(scope))
      const handle = yield* Effect.onError(world.within(process, opening), () => wind(process, scope))
      if (!process.isAlive()) return yield* new ProcessKilled({ name })
      running = { process, scope, handle }
      world.trace(name, "is up")
    })

    return {
      name,
      device: keys.device,
      address: addressOf(name),
      skewMillis,
      disk,
      isUp: () => running !== undefined,
      start,
      use: <A, E2>(effect: (handle: Handle) => Effect.Effect<A, E2>) =>
        Effect.suspend((): Effect.Effect<A, E2 | AgentDown | ProcessKilled> =>
          running === undefined
            ? Effect.fail(new AgentDown({ name }))
            : world.within(running.process, effect(running.handle))
        ),
      crash: Effect.sync(() => current?.kill()),
      stop: Effect.suspend(() => (running === undefined ? Effect.void : wind(running.process, running.scope))),
      whenDown: world.scenario.wait((resume) => {
        if (current === undefined) return resume(Effect.void)
        return current.onKill(() => resume(Effect.void))
      })
    }
  }

  return {
    install,
    impersonate: (name, script) =>
      Effect.suspend(() => {
        const process = world.process(name)
        const keys = keysOf(name)
        const play = Effect.gen(function* () {
          return yield* script({ keys, network: yield* network.attach(process, keys.device, { liar: true }) })
        })
        return world.within(process, Effect.scoped(play))
      }),
    deviceOf: (name) => keysOf(name).device,
    keysOf
  }
}
