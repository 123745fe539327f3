/** Two agents and what one of them may spend on the other; or one agent, and Bob as a script that says whatever it likes. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { Network } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import { receiptMillis } from "../../src/runtime/limits.ts"
import type { Replica } from "../../src/runtime/Replica.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Budget from "../../src/trust/Budget.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import {
  agentOn,
  alice,
  bob,
  carol,
  fact,
  founded,
  noonMillis,
  quiet,
  right,
  say,
  set,
  written,
  type Installation
} from "./fixtures.ts"

export const epoch = Budget.epochOf(noonMillis)

export const budget = (amount: number): Fact.Budget => ({
  _tag: "Budget",
  peer: bob.device,
  epoch,
  limit: 1000,
  leases: [
    { device: alice.device, amount },
    { device: carol.device, amount: 500 }
  ]
})

export const world = (nonce: number, ...facts: ReadonlyArray<Fact.AuthorityFact>) => {
  const { authority, space } = founded(
    [bob, carol].map((keys) => [keys, right("*", 1)] as const),
    nonce
  )
  for (const one of facts) say(authority, { facts: [fact(one)] })
  return { authority, space }
}

/** Lets everything run, and a moment of the clock pass. */
export const moment = Effect.gen(function* () {
  for (let i = 0; i < 4; i++) {
    yield* quiet
    yield* TestClock.adjust(receiptMillis)
  }
  yield* quiet
})

export const device = (on: Installation, hub: MemoryNetwork.Hub, name: string) =>
  Effect.gen(function* () {
    const agent = yield* agentOn(on, hub, name)
    return { agent, replica: (space: SpaceId) => agent.replica(space)! }
  })

export const fill = (replica: Replica, key: string, bytes: number) =>
  replica.write(written(alice.device, set(key, "x".repeat(bytes))))

/** Bob, as a script that says whatever it likes. */
export const speaker = (hub: MemoryNetwork.Hub, space: SpaceId, device = bob.device) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(MemoryNetwork.layer(hub, { device }))
    const connection = yield* Context.get(services, Network).connect("alice")
    const heard: Array<Message.Message> = []
    const end = { why: "" }
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.map(connection.receive, (frame) => heard.push(Result.getOrThrow(Message.decode(frame))))
      ).pipe(Effect.catch((error) => Effect.sync(() => (end.why = error.message))))
    )
    const tag = Message.tagOf(connection.channelKey, space)
    const tell = (message: Message.Message) => Effect.ignore(connection.send(Message.encode(message)))
    yield* tell({ _tag: "Hello", version: Message.version, spaces: [tag] })
    yield* tell({ _tag: "Have", space: tag, frontier: new Map(), upTo: undefined, more: false })
    const receipts = () => heard.flatMap((message) => (message._tag === "Receipt" ? [message] : []))
    return { tag, say: tell, heard, receipts, end }
  })
