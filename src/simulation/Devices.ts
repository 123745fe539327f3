/**
 * The program of a simulated installation that is the product itself: an agent with replicas, links and a store.
 *
 * It connects to everybody it is told of and stays connected. What it sends is shown to a witness on its way, decoded:
 * that is how checkers learn what left a device, without asking the device.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { JournalStore, type JournalStoreError } from "../effects/JournalStore.ts"
import { Network, type Connection } from "../effects/Network.ts"
import type { SecretStoreError } from "../effects/SecretStore.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Agent from "../runtime/Agent.ts"
import type { Notice } from "../runtime/Desk.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Message from "../sync/Message.ts"
import type { Program } from "./Agents.ts"

/** A running agent, as the scenario talks to it. */
export interface Device {
  readonly agent: Agent.Agent["Service"]
  readonly store: JournalStore["Service"]
  /** Of the run of the program: what is opened with it ends with the run. */
  readonly scope: Scope.Scope
}

export type DeviceError = JournalStoreError | SecretStoreError

export interface Peer {
  readonly address: string
  readonly device: DeviceId
}

export interface Witness {
  /** Before a message leaves. */
  readonly sends: (from: string, agent: Agent.Agent["Service"], to: DeviceId, message: Message.Message) => void
  /** When a replica opens, before anything is asked of it. */
  readonly opens: (name: string, replica: Replica) => void
  readonly hears: (name: string, replica: Replica, notice: Notice) => void
}

export const program =
  (peersOf: (name: string) => ReadonlyArray<Peer>, witness?: Witness): Program<Device, DeviceError> =>
  (installed, name) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const world = yield* Layer.build(installed)
      let agent: Agent.Agent["Service"] | undefined = undefined
      const seen = (connection: Connection): Connection => ({
        ...connection,
        send: (frame) =>
          Effect.suspend(() => {
            const message = Message.decode(frame)
            if (agent !== undefined && Result.isSuccess(message))
              witness?.sends(name, agent, connection.peer, message.success)
            return connection.send(frame)
          })
      })
      const network = Context.get(world, Network)
      const watched = Context.add(
        world,
        Network,
        Network.of({
          connect: (address, expected) => Effect.map(network.connect(address, expected), seen),
          accept: Effect.map(network.accept, seen),
          addresses: network.addresses
        })
      )
      const context = yield* Layer.build(Agent.layer).pipe(Effect.provideContext(watched))
      const plain = Context.get(context, Agent.Agent)
      const attend = Effect.sync(() => {
        if (witness !== undefined) attendTo(name, plain, witness, known)
      })
      const known = new Set<SpaceId>()
      yield* attend
      agent = {
        ...plain,
        createSpace: (root, definition) => Effect.tap(plain.createSpace(root, definition), attend),
        join: (code, as, options) =>
          plain.join(code, as, {
            ...options,
            admitted: (joined) => Effect.andThen(attend, options?.admitted?.(joined) ?? Effect.void)
          })
      }
      for (const { address, device } of peersOf(name)) yield* agent.stayConnected(address, device)
      return { agent, store: Context.get(world, JournalStore), scope }
    })

/** Attends to the replicas that are new: those of the store, and what founding and joining bring. */
const attendTo = (name: string, agent: Agent.Agent["Service"], witness: Witness, known: Set<SpaceId>): void => {
  for (const replica of agent.replicas()) {
    if (known.has(replica.space)) continue
    known.add(replica.space)
    witness.opens(name, replica)
    replica.listen((notice) => witness.hears(name, replica, notice))
  }
}
