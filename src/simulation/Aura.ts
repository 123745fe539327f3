/**
 * Your application on several devices in one simulated world, for its tests:
 *
 *     const { devices, settle } = Aura.test(app, { devices: ["alice", "bob"], seed: 7 })
 *     devices.bob.disconnect()
 *     const milk = devices.alice.perform("add", { title: "milk" })
 *     devices.bob.connect()
 *     settle()
 *     assert(devices.bob.state().tasks.has(milk))
 *
 * The devices are real agents over simulated networks and disks; the first founds the space, the others have joined when
 * `test` returns. Everything is synchronous: a call runs the world in virtual time until it is answered, and between
 * calls the world stands still. Equal seeds give equal worlds. Refusals are thrown as they are, with their `_tag`.
 *
 * Nothing goes wrong by itself here; `World`, `SimulatedNetwork` and their like beside it are for worlds of your own.
 */
import * as Cause from "effect/Cause"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Keys } from "../effects/Keys.ts"
import type { Verifier } from "../effects/Verifier.ts"
import * as ClockTime from "../handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../handlers/memory/MemorySecretStore.ts"
import * as NobleVerifier from "../handlers/memory/NobleVerifier.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as AccessControl from "../runtime/AccessControl.ts"
import * as App from "../runtime/App.ts"
import type { Effects } from "../runtime/Aura.ts"
import * as Governing from "../runtime/Governing.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { Undone } from "../runtime/Undone.ts"
import { all, capability } from "../trust/Capability.ts"
import * as Right from "../trust/Right.ts"
import * as Role from "../trust/Role.ts"
import * as Agents from "./Agents.ts"
import * as Chance from "./Chance.ts"
import * as Checkers from "./Checkers.ts"
import * as Devices from "./Devices.ts"
import * as Incidents from "./Incidents.ts"
import * as SimulatedNetwork from "./SimulatedNetwork.ts"
import * as World from "./World.ts"

/** The devices that are up and connected did not come to agree. */
export class NotSettled extends Data.TaggedError("NotSettled")<{ readonly afterMillis: number }> {
  override get message(): string {
    return `the devices still differ after ${this.afterMillis} ms of their time`
  }
}

export interface TestOptions<Name extends string> {
  /** The first founds the space. */
  readonly devices: readonly [Name, ...ReadonlyArray<Name>]
  /** 1 by default. */
  readonly seed?: number
  /** Capabilities of those who join; everything, to be passed on once, where nothing is said. */
  readonly can?: { readonly [Each in Name]?: ReadonlyArray<string> }
  /** Milliseconds by which clocks are wrong. */
  readonly skewMillis?: { readonly [Each in Name]?: number }
  /** Faster signatures than the portable ones. */
  readonly keyring?: Agents.Keyring
  readonly verifier?: Layer.Layer<Verifier>
}

export interface TestWorld<Of extends App.AnyApp, Name extends string> {
  readonly devices: { readonly [Each in Name]: TestDevice<Of, Name> }
  /** Lets time pass, with everything that happens meanwhile. */
  readonly advance: (duration: Duration.Input) => void
  /** Brings everybody up and connects everybody. */
  readonly heal: () => void
  /** Lets time pass until all that are up and connected have the same; throws `NotSettled` if they never do. */
  readonly settle: () => void
  /** The newest lines of what happened, for looking at a test that failed. */
  readonly trace: () => ReadonlyArray<string>
}

export interface TestDevice<Of extends App.AnyApp, Name extends string> {
  readonly name: Name
  readonly device: DeviceId
  /** Durable on this device when it returns. */
  readonly perform: <Operation extends App.OperationName<Of>>(
    operation: Operation,
    payload: App.PayloadOf<Of, Operation>,
    options?: Operations.PerformOptions
  ) => App.ResultOf<Of, Operation>
  /** What the application shows here; immutable. */
  readonly state: () => App.StateOf<Of>
  /** How often something that had been applied no longer counted, or the reverse, since the device came up. */
  readonly overturned: () => number
  /** What no longer counted then, or counted again, in order. */
  readonly undone: () => ReadonlyArray<Undone>
  /** Decides about others: grants, withdraws, trusts…, from what this one knows. */
  readonly act: (act: Governing.Act) => void
  /** Gives another device a role. */
  readonly share: (other: Name, role: string, limits?: Role.Limits) => void
  /** Whether this device may perform an operation, as far as it knows, and why. */
  readonly may: (operation: App.OperationName<Of>, resource?: string) => AccessControl.Checked
  /** The replica itself, for looking at; between calls it stands still. */
  readonly replica: () => Replica
  /** Ends another device, from what this one has of it. */
  readonly revoke: (other: Name) => void
  /** Nothing goes out or comes in until `connect`. */
  readonly disconnect: () => void
  readonly connect: () => void
  /** Loss of power: what was not durable is gone. Nothing if it is down. */
  readonly crash: () => void
  /** Comes up again on its own disk. Nothing if it is up. */
  readonly restart: () => void
}

/** Time to settle: longer than any entry of a device with a wrong clock is held. */
const settlingMillis = 40 * 60_000

type Actor = Agents.Agent<Devices.Device, Devices.DeviceError>

export const test = <Of extends App.AnyApp, const Name extends string>(
  app: Of,
  options: TestOptions<Name>
): TestWorld<Of, Name> => {
  const opened = World.open({ seed: options.seed ?? 1 })
  const { world } = opened
  const run = <A, E>(effect: Effect.Effect<A, E>): A => {
    const exit = opened.run(effect)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.squash(exit.cause)
  }
  const network = SimulatedNetwork.make(world)
  const people = Agents.make(world, network, {
    ...(options.keyring === undefined ? {} : { keyring: options.keyring }),
    ...(options.verifier === undefined ? {} : { verifier: options.verifier })
  })
  const overturnings = new Map<string, number>()
  const undone = new Map<string, ReadonlyArray<Undone>>()
  const peersOf = (name: string): ReadonlyArray<Devices.Peer> =>
    options.devices
      .filter((other) => other > name)
      .map((other) => ({ address: SimulatedNetwork.addressOf(other), device: people.deviceOf(other) }))
  const program = Devices.program(peersOf, {
    sends: () => undefined,
    opens: (name) => overturnings.set(name, 0),
    hears: (name, _, notice) => {
      if (!notice.overturned) return
      overturnings.set(name, (overturnings.get(name) ?? 0) + 1)
      undone.set(name, [...(undone.get(name) ?? []), ...notice.undone])
    }
  })
  const actors = new Map(
    options.devices.map((name): readonly [Name, Actor] => [
      name,
      people.install(name, program, { skewMillis: options.skewMillis?.[name] ?? 0 })
    ])
  )
  const space = run(assemble(app, options, actors, people.deviceOf("recovery words")))

  const cutOff = new Set<Name>()
  const rewire = (): void => {
    network.mend()
    for (const name of cutOff) {
      for (const other of options.devices) {
        if (other === name) continue
        network.cut(name, other)
        network.cut(other, name)
      }
    }
  }
  const replicaAt = (actor: Actor): Effect.Effect<Replica, unknown> =>
    actor.use((device) => Incidents.replicaOf(device, space))
  const deviceFor = (name: Name, actor: Actor): TestDevice<Of, Name> => ({
    name,
    device: actor.device,
    perform: (operation, payload, how) =>
      run(
        actor.use(({ agent, store }) =>
          Effect.gen(function* () {
            const replica = yield* Incidents.replicaOf({ agent }, space)
            const { perform } = yield* Operations.performer({ replica, device: agent.device, store }, app)
            return (yield* perform(operation, payload, how)).result
          })
        )
      ),
    state: () => Operations.state(run(replicaAt(actor)), app),
    overturned: () => overturnings.get(name) ?? 0,
    undone: () => undone.get(name) ?? [],
    act: (act) => run(govern(actor, space, () => act)),
    share: (other, role, limits) =>
      run(
        govern(actor, space, () => ({
          _tag: "Grant",
          device: people.deviceOf(other),
          rights: Role.rightsOf(app.definition, role, limits) ?? []
        }))
      ),
    may: (operation, resource) =>
      run(
        actor.use((device) =>
          Effect.map(Incidents.replicaOf(device, space), (replica) =>
            AccessControl.check(
              replica.ledger(),
              app.definition,
              { device: actor.device, operation: App.typeOf(app.name, operation), resource },
              device.agent.now()
            )
          )
        )
      ),
    replica: () => run(replicaAt(actor)),
    revoke: (other) =>
      run(
        actor.use((device) =>
          Effect.flatMap(Incidents.replicaOf(device, space), (replica) =>
            Effect.asVoid(replica.write(Incidents.revocation(actor.device, people.deviceOf(other))))
          )
        )
      ),
    disconnect: () => {
      cutOff.add(name)
      rewire()
    },
    connect: () => {
      cutOff.delete(name)
      rewire()
    },
    crash: () => run(actor.crash),
    restart: () => run(actor.isUp() ? Effect.void : actor.start)
  })
  const devices = Object.fromEntries([...actors].map(([name, actor]) => [name, deviceFor(name, actor)]))
  return {
    devices: devices as { readonly [Each in Name]: TestDevice<Of, Name> },
    advance: (duration) => run(Effect.sleep(duration)),
    heal: () => {
      cutOff.clear()
      network.heal()
      for (const actor of actors.values()) run(actor.isUp() ? Effect.void : actor.start)
    },
    settle: () => {
      const present = [...actors].flatMap(([name, actor]) => (actor.isUp() && !cutOff.has(name) ? [actor] : []))
      const isSettled = run(World.eventually(haveSettled(present, space), { withinMillis: settlingMillis }))
      if (!isSettled) throw new NotSettled({ afterMillis: settlingMillis })
    },
    trace: () => opened.outcome(Exit.void).trace
  }
}

const govern = (actor: Actor, space: SpaceId, act: () => Governing.Act): Effect.Effect<void, unknown> =>
  actor.use((device) =>
    Effect.flatMap(Incidents.replicaOf(device, space), (replica) =>
      Effect.asVoid(Governing.perform(replica, actor.device, act()))
    )
  )

/** Founds the space, brings everybody in, and waits until all have it. */
const assemble = Effect.fnUntraced(function* <Name extends string>(
  app: App.AnyApp,
  options: TestOptions<Name>,
  actors: ReadonlyMap<Name, Actor>,
  root: DeviceId
) {
  const [founder, ...others] = [...actors.values()]
  if (founder === undefined) return yield* Effect.die(new TypeError("a test needs at least one device"))
  for (const actor of actors.values()) yield* actor.start
  const { space } = yield* founder.use(({ agent }) => agent.createSpace(root, app.definition))
  const here = [founder]
  for (const actor of others) {
    const can = Object.entries<ReadonlyArray<string> | undefined>(options.can ?? {}).find(
      ([name]) => name === actor.name
    )
    const texts = can?.[1]
    const rights = texts === undefined ? [all] : [...new Set(["space:read", ...texts])].map(capability)
    yield* Incidents.join(
      actor,
      founder,
      space,
      rights.map((right) => Right.make(right, { depth: texts === undefined ? 1 : 0 }))
    )
    here.push(actor)
    if (!(yield* World.eventually(haveSettled(here, space), { withinMillis: settlingMillis })))
      return yield* new NotSettled({ afterMillis: settlingMillis })
  }
  return space
})

/** Whether all that take each other for members have the same; who was admitted has to know of it. */
const haveSettled = (actors: ReadonlyArray<Actor>, space: Replica["space"]): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach(actors, (actor) =>
      Effect.map(
        actor.use((device) => Incidents.replicaOf(device, space)),
        (replica) => ({ device: actor.device, replica })
      )
    ),
    Checkers.doAllAgree
  ).pipe(Effect.orElseSucceed(() => false))

/**
 * Everything that `Aura.open` of `aura` needs, in memory and from a seed: `seed` decides keys and random numbers. Time
 * is the platform's. Devices that are to meet share a hub and have addresses of their own.
 */
export const createTestEffects = (
  seed: number,
  { address, hub = MemoryNetwork.hub() }: { readonly hub?: MemoryNetwork.Hub; readonly address?: string } = {}
): Layer.Layer<Effects> => {
  const chance = Chance.make(seed, "test effects")
  const keys = MemoryKeys.make({ seed: chance.bytes(32) })
  const place = address === undefined ? { device: keys.device } : { device: keys.device, address }
  return Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    Layer.succeed(Keys, keys),
    // an address that is taken is a mistake of the test
    Layer.orDie(MemoryNetwork.layer(hub, place)),
    NobleVerifier.layer,
    ClockTime.layer(),
    Layer.succeed(
      SecureRandom.SecureRandom,
      SecureRandom.make((size) => chance.bytes(size))
    )
  )
}

/** A network in memory, for devices of `createTestEffects` to meet in. */
export const hub = MemoryNetwork.hub
