/**
 * The promise face of an agent with one application in one space: for application authors who do not write Effect.
 *
 *     const aura = await Aura.open({ app, effects, found: { root } })
 *     const { result } = await aura.perform("add", { title: "milk" })
 *     const stop = aura.watch((state) => state.tasks.size, (size) => …)
 *     await aura.close()
 *
 * Everything here is a thin wrapping of Agent and Operations, which offer the same as effects. A refusal rejects the
 * promise with its typed error (`error._tag` tells which); a defect rejects with what was thrown.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import { JournalStore } from "../effects/JournalStore.ts"
import type { Keys } from "../effects/Keys.ts"
import type { Network } from "../effects/Network.ts"
import type { SecretStore } from "../effects/SecretStore.ts"
import type { Time } from "../effects/Time.ts"
import type { Verifier } from "../effects/Verifier.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import { chunkBytes, type BlobRef } from "../journal/Blob.ts"
import * as Clock from "../journal/Clock.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import { all, capability } from "../trust/Capability.ts"
import * as Right from "../trust/Right.ts"
import * as Role from "../trust/Role.ts"
import type * as WhatIf from "../trust/WhatIf.ts"
import * as AccessControl from "./AccessControl.ts"
import * as Agent from "./Agent.ts"
import * as App from "./App.ts"
import { BlobsUnavailable } from "./Blobs.ts"
import * as Governing from "./Governing.ts"
import * as Operations from "./Operations.ts"
import type { Notice } from "./Desk.ts"
import type { Replica } from "./Replica.ts"
import * as Revocation from "./Revocation.ts"
import type { Undone } from "./Undone.ts"

/**
 * Every effect the runtime needs; an environment's entry builds it (`createTestEffects`, `createServerEffects`, …). Where a
 * Storage is among them, there are blobs.
 */
export type Effects = JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom | Network

/** No space to work in: none here, several, or the code was refused. */
export class SpaceNotOpen extends Data.TaggedError("SpaceNotOpen")<{ readonly what: string }> {
  override get message(): string {
    return this.what
  }
}

/** The application has no such role. */
export class RoleUnknown extends Data.TaggedError("RoleUnknown")<{
  readonly role: string
  readonly allowed: ReadonlyArray<string>
}> {
  override get message(): string {
    return `there is no role "${this.role}"; there are: ${this.allowed.join(", ")}`
  }
}

export interface OpenOptions<Of extends App.AnyApp, E> {
  readonly app: Of
  readonly effects: Layer.Layer<Effects, E>
  /** Which space, when this device has several. */
  readonly space?: SpaceId
  /** Founds a space when this device has none; `root` is the public key of the recovery words. */
  readonly found?: { readonly root: DeviceId }
  /** Joins by a pairing code when this device has none. */
  readonly join?: { readonly code: string; readonly name: string; readonly timeoutMillis?: number }
}

/** How far `perform` waits: durable here, at one other device, at every other member. */
export type Wait = "durable" | "acknowledged" | "everywhere"

export interface Aura<Of extends App.AnyApp> {
  readonly device: DeviceId
  readonly space: SpaceId
  /** Durable here when it resolves; waits for more when asked to. */
  readonly perform: <Name extends App.OperationName<Of>>(
    name: Name,
    payload: App.PayloadOf<Of, Name>,
    options?: { readonly key?: string; readonly wait?: Wait }
  ) => Promise<App.ResultOf<Of, Name>>
  /** Immutable; the same objects until something changes. */
  readonly state: () => App.StateOf<Of>
  readonly watch: <Picked>(
    select: (state: App.StateOf<Of>) => Picked,
    callback: (picked: Picked) => void,
    isEqual?: (a: Picked, b: Picked) => boolean
  ) => () => void
  /**
   * Told when something that had been applied no longer counts, or the reverse, with what and why: never a silent
   * change. The list is empty where only text lost its place in between.
   */
  readonly onOverturned: (callback: (undone: ReadonlyArray<Undone>) => void) => () => void
  /** Whether a device may perform an operation, and why: this one where nothing is said. */
  readonly may: (
    operation: App.OperationName<Of>,
    options?: { readonly device?: DeviceId; readonly resource?: string }
  ) => AccessControl.Checked
  /** Decides about others: grants, withdraws, revokes, trusts…; durable here when it resolves. */
  readonly act: (act: Governing.Act) => Promise<ReadonlyArray<WhatIf.Change>>
  /** Gives a device a role of the application's, or `owner` or `reader`. */
  readonly share: (device: DeviceId, role: string, limits?: ShareLimits) => Promise<void>
  /** Who would gain or lose what by an act. Throws what `act` would reject with; nothing is written. */
  readonly whatIf: (act: Governing.Act) => ReadonlyArray<WhatIf.Change>
  /** Who put this device out of the space, and when; undefined while it is a member. From then on `perform` is refused. */
  readonly revoked: () => Revocation.DeviceRevoked | undefined
  /**
   * Bytes too large for an entry. Put first, and set the reference in a field of kind Blob by an operation: what no state
   * names is removed after a day.
   */
  readonly blobs: {
    /** Whole and durable here when it resolves. A rejection of the source is passed on; nothing counts then. */
    readonly put: (
      source: Uint8Array | AsyncIterable<Uint8Array>,
      options: { readonly type: string }
    ) => Promise<BlobRef>
    /** The bytes in order, each part verified; what is not here comes from connected members, and stays. */
    readonly get: (ref: BlobRef) => AsyncIterable<Uint8Array>
  }
  /** Keeps connecting to a device at an address until closed. */
  readonly connect: (address: string, device?: DeviceId) => Promise<void>
  /** Resolves when all that one connected peer claims to have is here and judged. */
  readonly caughtUp: () => Promise<void>
  /** A code for one more device, with a role or these capabilities (default: everything, to be passed on once). */
  readonly pair: (options: {
    readonly address: string
    readonly role?: string
    readonly can?: ReadonlyArray<string>
    readonly depth?: number
    /** Until when what it gets may be used, in Unix milliseconds. */
    readonly untilMillis?: number
  }) => Promise<string>
  readonly close: () => Promise<void>
  /** The same agent and replica for Effect code. */
  readonly agent: Agent.Agent["Service"]
  readonly replica: Replica
}

export const open = async <Of extends App.AnyApp, E>(options: OpenOptions<Of, E>): Promise<Aura<Of>> => {
  const { close, inScope, run } = await start(options.effects)
  try {
    const { agent, performer, replica } = await inScope(enter(options))
    return {
      device: agent.device,
      space: replica.space,
      agent,
      replica,
      close,
      perform: (name, payload, how = {}) => {
        // the common case costs a promise and no fiber
        if (how.key === undefined && (how.wait === undefined || how.wait === "durable"))
          return new Promise((resolve, reject) =>
            performer.submit(name, payload, (exit) =>
              Exit.isSuccess(exit) ? resolve(exit.value.result as never) : reject(Cause.squash(exit.cause))
            )
          )
        return run(
          Effect.gen(function* () {
            const { position, result } = yield* performer.perform(name, payload, { key: how.key })
            if (position !== undefined && how.wait !== undefined && how.wait !== "durable")
              yield* agent.acknowledged(
                replica.space,
                position,
                how.wait === "everywhere" ? { _tag: "AllMembers" } : { _tag: "Peers", count: 1 }
              )
            return result
          })
        )
      },
      state: () => Operations.state(replica, options.app),
      watch: (select, callback, isEqual) => Operations.watch(replica, options.app, select, callback, isEqual),
      onOverturned: (callback) =>
        replica.listen((notice: Notice) => {
          if (notice.overturned) callback(notice.undone)
        }),
      may: (operation, { device = agent.device, resource } = {}) =>
        AccessControl.check(
          replica.ledger(),
          options.app.definition,
          { device, operation: App.typeOf(options.app.name, operation), resource },
          agent.now()
        ),
      act: async (act) => (await run(Governing.perform(replica, agent.device, act))).result.changes,
      share: async (device, role, limits) => {
        const rights = rightsBy(options.app, role, limits)
        await run(Governing.perform(replica, agent.device, { _tag: "Grant", device, rights }))
      },
      whatIf: (act) => {
        const weighed = Governing.whatIf(replica.ledger(), agent.device, act, agent.now())
        if (Result.isFailure(weighed)) throw weighed.failure
        return weighed.success.changes
      },
      revoked: () => Revocation.of(replica.ledger(), agent.device),
      blobs: {
        put: (source, how) => run(Effect.flatMap(blobsOf(agent, replica), (blobs) => blobs.put(partsOf(source), how))),
        get: (ref) =>
          Stream.toAsyncIterable(Stream.unwrap(Effect.map(blobsOf(agent, replica), (blobs) => blobs.get(ref))))
      },
      connect: (address, device) => inScope(agent.stayConnected(address, device)),
      caughtUp: () => run(waitUntil(() => agent.links().some((link) => link.isCaughtUp(replica.space)))),
      pair: async ({ address, can = [all], depth, role, untilMillis }) => {
        const until = untilMillis === undefined ? undefined : Clock.fromMillis(untilMillis)
        const rights =
          role === undefined
            ? can.map((text) => Right.make(capability(text), { depth: depth ?? 1, until }))
            : rightsBy(options.app, role, { depth, untilMillis })
        return Redacted.value(PairingCode.encode(await run(agent.pair(replica.space, rights, address))))
      }
    }
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * Builds an agent over its effects and runs effects over both as promises. Closing ends what was opened in scope, then
 * interrupts what still runs, then ends the services. (What ManagedRuntime does besides, a page would load for nothing.)
 */
const start = async <E>(effects: Layer.Layer<Effects, E>) => {
  const scope = Scope.makeUnsafe()
  const built = Scope.forkUnsafe(scope)
  const running = Scope.forkUnsafe(scope, "parallel")
  const opened = Scope.forkUnsafe(scope)
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  const options = {
    onFiberStart: (fiber: Fiber.Fiber<unknown, unknown>): void => {
      Fiber.runIn(fiber, running)
    }
  }
  try {
    const services = await Effect.runPromise(build(effects, built), options)
    const runOver = Effect.runPromiseWith(services)
    const run = <A, F>(effect: Effect.Effect<A, F, Effects | Agent.Agent>): Promise<A> => runOver(effect, options)
    const inScope = <A, F>(effect: Effect.Effect<A, F, Scope.Scope | Effects | Agent.Agent>): Promise<A> =>
      run(Scope.provide(effect, opened))
    return { run, inScope, close }
  } catch (error) {
    await close()
    throw error
  }
}

const build = Effect.fnUntraced(function* <E>(effects: Layer.Layer<Effects, E>, scope: Scope.Scope) {
  const below = yield* Layer.buildWithScope(effects, scope)
  const agent = yield* Effect.provideContext(Layer.buildWithScope(Agent.layer, scope), below)
  return Context.merge(below, agent)
})

/** What may be said of a role that is given. */
export interface ShareLimits {
  /** How often it may be passed on, at most. */
  readonly depth?: number | undefined
  /** Until when it may be used, in Unix milliseconds. */
  readonly untilMillis?: number | undefined
}

const rightsBy = (app: App.AnyApp, role: string, { depth, untilMillis }: ShareLimits = {}) => {
  const until = untilMillis === undefined ? undefined : Clock.fromMillis(untilMillis)
  const rights = Role.rightsOf(app.definition, role, { depth, until })
  if (rights !== undefined) return rights
  throw new RoleUnknown({ role, allowed: [...Role.rolesOf(app.definition).keys()] })
}

const blobsOf = ({ blobs }: Agent.Agent["Service"], { space }: Replica) =>
  blobs === undefined ? Effect.fail(new BlobsUnavailable()) : Effect.succeed(blobs(space))

const partsOf = (source: Uint8Array | AsyncIterable<Uint8Array>): Stream.Stream<Uint8Array, unknown> =>
  source instanceof Uint8Array
    ? Stream.unfold(0, (at: number) =>
        Effect.succeed(
          at < source.length ? ([source.subarray(at, at + chunkBytes), at + chunkBytes] as const) : undefined
        )
      )
    : Stream.fromAsyncIterable(source, (cause) => cause)

const pollMillis = 20

const waitUntil = Effect.fnUntraced(function* (isSo: () => boolean) {
  while (!isSo()) yield* Effect.sleep(pollMillis)
})

/** The agent and the space to work in: the one that is here, a new one, or the one that a code leads to. */
const enter = Effect.fnUntraced(function* <Of extends App.AnyApp, E>(options: OpenOptions<Of, E>) {
  const agent = yield* Agent.Agent
  const store = yield* JournalStore
  const replica = yield* replicaOf(agent, options)
  yield* Operations.define(replica, agent.device, options.app)
  const performer = yield* Operations.performer({ replica, device: agent.device, store }, options.app)
  return { agent, replica, performer }
})

const replicaOf = Effect.fnUntraced(function* <Of extends App.AnyApp, E>(
  agent: Agent.Agent["Service"],
  { app, found, join, space }: OpenOptions<Of, E>
) {
  if (space !== undefined) {
    const replica = agent.replica(space)
    return replica ?? (yield* new SpaceNotOpen({ what: `this device has no space ${space}` }))
  }
  const mine = agent.replicas().filter((replica) => replica.ledger().genesis?.app === app.name)
  if (mine.length > 1)
    return yield* new SpaceNotOpen({ what: `this device has ${mine.length} spaces of "${app.name}": name one` })
  if (mine[0] !== undefined) return mine[0]
  if (join !== undefined) {
    const code = PairingCode.decode(Redacted.make(join.code))
    if (Result.isFailure(code)) return yield* new SpaceNotOpen({ what: code.failure.what })
    return (yield* agent.join(code.success, join.name, { timeoutMillis: join.timeoutMillis })).replica
  }
  if (found !== undefined) return yield* agent.createSpace(found.root, app.definition)
  return yield* new SpaceNotOpen({ what: `this device has no space of "${app.name}": pass found or join` })
})
