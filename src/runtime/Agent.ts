/**
 * A running process acting as one device: its replicas, its connections, pairing, and who has acknowledged what.
 *
 * Replicas of all spaces in the store open with the agent. Every connection, whoever opened it, serves all of them, as
 * far as the guard lets the peer read. Where other agents keep their journals in the same place, it learns from them there,
 * too (runtime/Neighbouring.ts). Blobs are kept, and given to members, where a Storage is among its services. The agent ends with its scope: connections close, writers finish their turn.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { JournalStore, type JournalStoreError } from "../effects/JournalStore.ts"
import { Keys } from "../effects/Keys.ts"
import { Network, type Connection, type NetworkError } from "../effects/Network.ts"
import { type SecretStore, type SecretStoreError } from "../effects/SecretStore.ts"
import { Storage } from "../effects/Storage.ts"
import { Time } from "../effects/Time.ts"
import type { Verifier } from "../effects/Verifier.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type { Position } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Genesis from "../journal/Genesis.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import type * as Message from "../sync/Message.ts"
import * as Pairing from "../sync/Pairing.ts"
import * as PairingCode from "../sync/PairingCode.ts"
import * as Authority from "../trust/Authority.ts"
import type { Definition } from "../trust/Definition.ts"
import type * as Fact from "../trust/Fact.ts"
import type { BlobStore } from "./BlobStore.ts"
import * as Blobs from "./Blobs.ts"
import * as Guard from "./Guard.ts"
import * as Joining from "./Joining.ts"
import * as Link from "./Link.ts"
import * as Neighbouring from "./Neighbouring.ts"
import * as PairingDesk from "./PairingDesk.ts"
import * as Replica from "./Replica.ts"
import * as Sealing from "./Sealing.ts"
import * as Revocation from "./Revocation.ts"
import * as Upkeep from "./Upkeep.ts"
import { authorityWrite, type WriteError } from "./Write.ts"

/** Nothing here by that name, or not in a state to do this. */
export class SpaceUnknown extends Data.TaggedError("SpaceUnknown")<{ readonly what: string }> {
  override get message(): string {
    return this.what
  }
}

/** How sure a caller wants to be: durable at one peer, at so many, at every other member. */
export type Tier = { readonly _tag: "Peers"; readonly count: number } | { readonly _tag: "AllMembers" }

export class Agent extends Context.Service<
  Agent,
  {
    readonly device: DeviceId
    /** Entry time of what would be asked now (journal/Clock.ts). */
    readonly now: () => number
    readonly replicas: () => ReadonlyArray<Replica.Replica>
    readonly replica: (space: SpaceId) => Replica.Replica | undefined
    /** Founds a space: its first entry is durable when this succeeds. `root` = public key of the recovery words. */
    readonly createSpace: (
      root: DeviceId,
      definition: Definition
    ) => Effect.Effect<Replica.Replica, WriteError | SecretStoreError>
    /** Opens a space whose entries come from elsewhere than a peer; from then on the store has it. */
    readonly adopt: (space: SpaceId) => Effect.Effect<Replica.Replica, JournalStoreError | SecretStoreError>
    /** Connects and syncs until the scope ends. */
    readonly connect: (
      address: string,
      expected: DeviceId | undefined,
      options?: Link.Options
    ) => Effect.Effect<Link.Link, NetworkError, Scope.Scope>
    /** Keeps connecting, with growing pauses, until the scope ends. */
    readonly stayConnected: (
      address: string,
      expected: DeviceId | undefined,
      options?: Link.Options
    ) => Effect.Effect<void, never, Scope.Scope>
    /** The blobs of a space; undefined where no Storage was among the services. */
    readonly blobs: ((space: SpaceId) => BlobStore) | undefined
    readonly links: () => ReadonlyArray<Link.Link>
    /** Where others reach this agent; none while it does not listen. */
    readonly addresses: () => ReadonlyArray<string>
    /** A code by which one device may join a space with these rights. */
    readonly pair: (
      space: SpaceId,
      rights: ReadonlyArray<Fact.Right>,
      address: string
    ) => Effect.Effect<PairingCode.PairingCode, SpaceUnknown | Revocation.DeviceRevoked>
    /**
     * Redeems a code and fetches the space, under one deadline (runtime/Joining.ts): when it succeeds, this device is a
     * member and has all that the issuer had. The connection lives on with the scope.
     */
    readonly join: <E = never>(
      code: PairingCode.PairingCode,
      name: string,
      options?: Joining.JoinOptions<E>
    ) => Effect.Effect<
      Joining.Joined & { readonly link: Link.Link },
      Joining.PairingRefused | Joining.JoinIncomplete | NetworkError | JournalStoreError | SecretStoreError | E,
      Scope.Scope
    >
    /** Waits until an entry is durable elsewhere, as the tier demands. */
    readonly acknowledged: (space: SpaceId, position: Position, tier: Tier) => Effect.Effect<void, SpaceUnknown>
  }
>()("aura/runtime/Agent") {}

/** One connection's peers and what they acknowledged. */
type Acknowledgements = Map<SpaceId, Map<DeviceId, Frontier.Frontier>>

export const layer: Layer.Layer<
  Agent,
  JournalStoreError | SecretStoreError,
  JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom | Network
> = Layer.effect(
  Agent,
  Effect.gen(function* () {
    const store = yield* JournalStore
    const keys = yield* Keys
    const time = yield* Time
    const random = yield* SecureRandom
    const network = yield* Network
    const scope = yield* Effect.scope
    const services = yield* Effect.context<JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom>()

    const dropsSealed = yield* Sealing.DropsSealed

    const replicas = new Map<SpaceId, Replica.Replica>()
    const replicaListeners = new Set<(replica: Replica.Replica) => void>()
    const links = new Set<Link.Link>()
    const desk = PairingDesk.make()
    const acknowledgements: Acknowledgements = new Map()
    const waiters = new Set<() => void>()

    const openReplica = Effect.fnUntraced(function* (space: SpaceId) {
      const known = replicas.get(space)
      if (known !== undefined) return known
      const replica = yield* Replica.open(space, { dropsSealed }).pipe(
        Effect.provideContext(services),
        Scope.provide(scope)
      )
      replicas.set(space, replica)
      for (const listener of replicaListeners) listener(replica)
      return replica
    })
    for (const space of yield* store.spaces) yield* openReplica(space)

    const storage = yield* Effect.serviceOption(Storage)
    const blobs = yield* Blobs.make({ storage, links: () => links, replicas: () => replicas.values(), time })

    const host: Link.Host = {
      blobs,
      replicas: () => replicas.values(),
      replica: (space) => replicas.get(space),
      onReplica: (listener) => {
        replicaListeners.add(listener)
        return () => replicaListeners.delete(listener)
      },
      now: () => Clock.fromMillis(time.now().millis),
      acknowledged: (link, space, frontier) => {
        const bySpace = acknowledgements.get(space) ?? new Map<DeviceId, Frontier.Frontier>()
        acknowledgements.set(space, bySpace)
        const peer = link.connection.peer
        bySpace.set(peer, Frontier.join(bySpace.get(peer) ?? Frontier.empty, frontier))
        for (const waiter of waiters) waiter()
      },
      pairing: (connection, message) => answerPairing(connection, message)
    }

    /** Issuer's side: admits the bearer of a good code, durably, before saying so. */
    const answerPairing = Effect.fnUntraced(function* (
      connection: Connection,
      message: Message.Message & { readonly _tag: "Pairing" }
    ) {
      const step = Pairing.fromFields(message.fields)
      if (Result.isFailure(step) || step.success._tag !== "Redeem")
        return yield* connection.close("a request to redeem a code was due")
      const redeemed = desk.redeem(connection.channelKey, step.success.proof, time.now().millis)
      if (redeemed._tag === "Refused") {
        yield* Metrics.refused("pairing")
        yield* Effect.logWarning("security event: a pairing code was refused", { device: connection.peer })
        yield* say(connection, { _tag: "Refused", reason: redeemed.reason })
        return yield* connection.close("pairing refused")
      }
      const replica = replicas.get(redeemed.offer.space)!
      const admit: Fact.Admit = {
        _tag: "Admit",
        device: connection.peer,
        box: step.success.box,
        name: step.success.name
      }
      const grant: Fact.Grant = { _tag: "Grant", device: connection.peer, rights: redeemed.offer.rights }
      const written = yield* Effect.exit(replica.write(authorityWrite([admit, grant])))
      if (Exit.isFailure(written)) {
        yield* Effect.logError("a device could not be admitted", written.cause)
        yield* say(connection, {
          _tag: "Refused",
          reason: "the issuer could not write the admission; ask for a new code"
        })
        return yield* connection.close("pairing failed")
      }
      yield* Effect.logInfo("a device was admitted", { device: connection.peer, name: step.success.name })
      yield* say(connection, { _tag: "Welcome", space: replica.space, app: replica.ledger().genesis?.app ?? "" })
    })

    const runLink = (connection: Connection, options: Link.Options, linked: (link: Link.Link) => void) =>
      Effect.gen(function* () {
        let mine: Link.Link | undefined
        yield* Effect.addFinalizer(() =>
          Effect.suspend(() => {
            if (mine !== undefined) links.delete(mine)
            return Metrics.connected(links.size)
          })
        )
        return yield* Link.run(host, connection, options, (link) => {
          mine = link
          links.add(link)
          linked(link)
        })
      }).pipe(Effect.scoped)

    const startLink = Effect.fnUntraced(function* (connection: Connection, options: Link.Options) {
      const ready = yield* Deferred.make<Link.Link>()
      yield* Effect.forkScoped(
        runLink(connection, options, (link) => Deferred.doneUnsafe(ready, Exit.succeed(link))).pipe(
          Effect.tap((why) => Effect.logDebug("a connection ended", { peer: connection.peer, why })),
          Effect.catch((error) => Effect.logDebug("a connection failed", error.message))
        )
      )
      return yield* Deferred.await(ready)
    })

    const connect = Effect.fnUntraced(function* (
      address: string,
      expected: DeviceId | undefined,
      options: Link.Options = {}
    ) {
      const connection = yield* network.connect(address, expected)
      return yield* startLink(connection, options)
    })

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          const inner = yield* Scope.fork(scope)
          const connection = yield* Scope.provide(network.accept, inner)
          yield* Effect.forkIn(
            runLink(connection, {}, () => {}).pipe(
              Effect.catch((error) => Effect.logDebug("a connection failed", error.message)),
              Effect.onExit((exit) => Scope.close(inner, exit))
            ),
            scope
          )
        })
      )
    )

    yield* Neighbouring.start({
      device: keys.device,
      replicas: () => [...replicas.values()],
      onReplica: (listener) => replicaListeners.add(listener)
    })
    yield* Upkeep.start({ device: keys.device, replicas: () => [...replicas.values()], time })

    return Agent.of({
      device: keys.device,
      now: () => Clock.fromMillis(time.now().millis),
      replicas: () => [...replicas.values()],
      replica: (space) => replicas.get(space),
      blobs,
      links: () => [...links],
      addresses: () => network.addresses(),
      createSpace: Telemetry.fn("Agent.createSpace")(function* (root: DeviceId, definition: Definition) {
        const nonce = yield* random.randomBytes(16)
        const genesis = Genesis.encode({
          root,
          creator: keys.device,
          app: definition.app,
          nonce,
          time: Clock.fromMillis(time.now().millis)
        })
        const replica = yield* openReplica(genesis.space)
        yield* replica.write(
          authorityWrite([
            { _tag: "Create", genesis: genesis.bytes },
            { _tag: "Define", definition }
          ])
        )
        return replica
      }),
      adopt: (space) => Effect.uninterruptible(openReplica(space)),
      connect,
      stayConnected: (address, expected, options) => {
        /** Until a connection held for a while. */
        const steady = Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* network.connect(address, expected)
            const [held] = yield* Effect.timed(runLink(connection, options ?? {}, () => {}))
            return Duration.toMillis(held)
          })
        ).pipe(
          Effect.catch((error) => Effect.as(Effect.logDebug("not connected", error.message), 0)),
          Effect.repeat({ schedule: reconnectPauses, until: (heldMillis) => heldMillis >= steadyMillis })
        )
        return Effect.asVoid(
          Effect.forkScoped(Effect.repeat(steady, Schedule.jittered(Schedule.spaced(pauseMillisMin))))
        )
      },
      pair: Telemetry.fn("Agent.pair")(function* (space: SpaceId, rights: ReadonlyArray<Fact.Right>, address: string) {
        const replica = replicas.get(space)
        if (replica === undefined)
          return yield* new SpaceUnknown({ what: `this device has no space ${space.slice(0, 10)}` })
        const revoked = Revocation.of(replica.ledger(), keys.device)
        if (revoked !== undefined) return yield* revoked
        const secret = Redacted.make(yield* random.randomBytes(PairingCode.secretBytes))
        const { millis } = time.now()
        const expiresMillis = millis + PairingDesk.codeMinutes * 60_000
        if (!desk.issue(secret, { space, rights, expiresMillis }, millis))
          return yield* new SpaceUnknown({
            what: `${PairingDesk.codesMax} codes are out; wait until one is used or expires`
          })
        return PairingCode.make(keys.device, secret, address)
      }),
      join: Telemetry.fn("Agent.join")(function* <E = never>(
        code: PairingCode.PairingCode,
        name: string,
        { admitted, timeoutMillis = Joining.joinMillis }: Joining.JoinOptions<E> = {}
      ) {
        const progress = Joining.begin()
        // what a failed attempt has opened goes with it
        const attempt = yield* Scope.fork(yield* Effect.scope)
        return yield* Effect.gen(function* () {
          const connection = yield* network.connect(code.address, (device) => PairingCode.isIssuer(code, device))
          progress.stage = "Pairing"
          const proof = PairingCode.proof(code.secret, connection.channelKey)
          yield* say(connection, { _tag: "Redeem", proof, box: keys.box, name })
          progress.stage = "Admission"
          const space = yield* Effect.fromResult(Joining.answerOf(yield* connection.receive))
          const joined = { replica: yield* Effect.uninterruptible(openReplica(space)), issuer: connection.peer }
          Object.assign(progress, { stage: "FirstSync", space, issuer: joined.issuer })
          if (admitted !== undefined) yield* admitted(joined)
          const link = yield* startLink(connection, {})
          yield* Joining.firstSync(progress, link, space, () => links.has(link))
          return { ...joined, link }
        }).pipe(
          Scope.provide(attempt),
          Joining.within(progress, code.address, timeoutMillis),
          Effect.onError((cause) => Scope.close(attempt, Exit.failCause(cause)))
        )
      }),
      acknowledged: Effect.fnUntraced(function* (space: SpaceId, position: Position, tier: Tier) {
        const replica = replicas.get(space)
        if (replica === undefined)
          return yield* new SpaceUnknown({ what: `this device has no space ${space.slice(0, 10)}` })
        const isMet = (): boolean => {
          const having = new Set<DeviceId>()
          for (const [peer, frontier] of acknowledgements.get(space) ?? []) {
            // what others say they have is no safety
            const counts = Guard.mayRead(replica.ledger(), peer, host.now())
            if (counts && (frontier.get(position.feed)?.seq ?? -1) >= position.seq) having.add(peer)
          }
          if (tier._tag === "Peers") return having.size >= tier.count
          const authority = replica.ledger().authority
          return (
            authority !== undefined &&
            Authority.members(authority).every(
              ({ device, revoked }) => revoked || device === keys.device || having.has(device)
            )
          )
        }
        if (isMet()) return
        const done = yield* Deferred.make<void>()
        const waiter = (): void => {
          if (isMet()) Deferred.doneUnsafe(done, Exit.void)
        }
        waiters.add(waiter)
        yield* Effect.ensuring(
          Deferred.await(done),
          Effect.sync(() => waiters.delete(waiter))
        )
      })
    })
  })
)

const pauseMillisMin = 250

const reconnectPauses = Schedule.min([Schedule.exponential(pauseMillisMin), Schedule.spaced("15 seconds")]).pipe(
  Schedule.jittered
)

/** After a connection that held so long the pauses begin small again; a peer that hangs up at once is not pressed. */
const steadyMillis = 1_000

const say = (connection: Connection, step: Pairing.Step): Effect.Effect<void, NetworkError> =>
  Guard.greet(connection, { _tag: "Pairing", fields: Pairing.toFields(step) })
