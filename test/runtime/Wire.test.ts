/** Frames of a member with one byte turned: the connection ends with a reason or the frame is passed over; nothing else. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Network } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as Message from "../../src/sync/Message.ts"
import {
  account,
  add,
  agentOn,
  alice,
  bob,
  bring,
  founded,
  head,
  installation,
  pass,
  right,
  runOf,
  say,
  script,
  set,
  until
} from "./fixtures.ts"

/** A message of each kind that Bob may send, made for the tag of his connection. */
const home = () => {
  const { authority, space } = founded([[bob, right("*", 1)]])
  const [hers, his] = [script(space, alice, "data"), script(space, bob, "data")]
  for (const data of [hers, his]) {
    say(data, { facts: [set("a", "1"), add(1)], seen: [head(authority)] })
    say(data, { facts: [add(1)] })
  }
  const frontier = new Map([hers, his].map((of) => [of.feed.id, { seq: 1, mark: head(of).hash.slice(0, 32) }] as const))
  const known = runOf(his)
  const kinds: ReadonlyArray<(tag: Message.Tag) => Message.Message> = [
    (tag) => ({ _tag: "Hello", version: Message.version, spaces: [tag] }),
    (tag) => ({ _tag: "Offer", spaces: [tag] }),
    (tag) => ({ _tag: "Have", space: tag, frontier, upTo: undefined, more: false }),
    (tag) => ({ _tag: "Have", space: tag, frontier, upTo: frontier, more: true }),
    (tag) => ({ _tag: "Run", space: tag, header: known.header, run: known.run }),
    (tag) => ({ _tag: "Credit", space: tag, bytes: 1 }),
    (tag) => ({ _tag: "Want", space: tag, feed: hers.feed.id, from: 1 }),
    (tag) => ({ _tag: "Fork", space: tag, proof: new Uint8Array(40).fill(3) }),
    () => ({ _tag: "Pairing", fields: ["redeem", new Uint8Array(32), new Uint8Array(32), "Bob"] })
  ]
  return { authority, hers, his, kinds, space }
}

describe("a frame with any byte turned", () => {
  const { authority, hers, his, kinds, space } = home()
  for (const kind of kinds) {
    const name = kind("00".repeat(16))._tag
    it.live(`closes the connection or is passed over, and changes nothing: ${name}`, () =>
      Effect.gen(function* () {
        const on = installation(alice)
        yield* bring(on, space, runOf(authority), runOf(hers), runOf(his))
        const hub = MemoryNetwork.hub()
        const agent = yield* agentOn(on, hub, "alice")
        const replica = agent.replica(space)!
        const before = account(replica.ledger())
        const network = Context.get(yield* Layer.build(MemoryNetwork.layer(hub, { device: bob.device })), Network)
        const length = Message.encode(kind("00".repeat(16))).length
        let closed = 0
        for (let at = 0; at < length; at++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* network.connect("alice")
              const tag = Message.tagOf(connection.channelKey, space)
              if (name !== "Hello" && name !== "Pairing") yield* connection.send(Message.encode(kinds[0]!(tag)))
              const frame = Message.encode(kind(tag))
              frame[at]! ^= 1 << (at % 8)
              yield* Effect.ignore(connection.send(frame))
              for (let i = 0; i < 4; i++) yield* pass
              const end = yield* Effect.race(
                Effect.flip(Effect.forever(connection.receive)),
                Effect.as(Effect.repeat(pass, { times: 4 }), undefined)
              )
              if (end === undefined) return
              closed++
              assert.match(end.message, /^connection closed: .{3,}/u, `byte ${at}`)
            })
          )
        }
        assert.isAbove(closed, 0)
        yield* until("every link has ended", () => agent.links().length === 0)
        assert.deepStrictEqual(account(replica.ledger()), before)
        const { position } = yield* replica.write({
          kind: "data",
          request: undefined,
          prepare: () =>
            ({ _tag: "Success", success: { definition: undefined, facts: [add(1)], answer: undefined } }) as never
        })
        // a turned frontier may claim more of Alice's feed than there is: she goes on in a new one, once
        assert.isAtMost(position.seq, 2)
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    )
  }
})
