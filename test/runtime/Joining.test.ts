/** Joining has one deadline, and says how far it came: the other device goes silent at each stage, or hangs up. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { ConnectionClosed, Network, NetworkError, type Connection } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import * as Joining from "../../src/runtime/Joining.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Pairing from "../../src/sync/Pairing.ts"
import * as PairingCode from "../../src/sync/PairingCode.ts"
import {
  agentOn,
  alice,
  bob,
  bring,
  entriesOf,
  founded,
  head,
  installation,
  installed,
  pass,
  right,
  runOf,
  say,
  script,
  set
} from "./fixtures.ts"

const code = PairingCode.make(alice.device, Redacted.make(new Uint8Array(PairingCode.secretBytes)), "alice")

/** What the other device does; where it says nothing, it is silent for ever. */
interface Script {
  readonly connects?: boolean
  readonly takes?: boolean
  readonly answers?: Pairing.Step
  /** After the answer the connection is over. */
  readonly hangsUp?: boolean
}

/** A network on which Alice alone is, who does what the script says. */
const scripted = (of: Script, closed: Array<string>): Layer.Layer<Network> => {
  let answers = of.answers === undefined ? [] : [of.answers]
  const over = new NetworkError({ reason: new ConnectionClosed({ reason: "the peer closed it" }) })
  const connection: Connection = {
    peer: alice.device,
    channelKey: new Uint8Array(32),
    address: "alice",
    initiator: true,
    send: () => (of.takes === true ? Effect.void : Effect.never),
    receive: Effect.suspend((): Effect.Effect<Uint8Array, NetworkError> => {
      const [answer] = answers
      answers = []
      if (answer !== undefined)
        return Effect.succeed(Message.encode({ _tag: "Pairing", fields: Pairing.toFields(answer) }))
      return of.hangsUp === true ? Effect.fail(over) : Effect.never
    }),
    close: (reason) => Effect.sync(() => void closed.push(reason))
  }
  return Layer.succeed(Network, {
    connect: () =>
      of.connects === true
        ? Effect.acquireRelease(Effect.succeed(connection), ({ close }) => close("no longer needed"))
        : Effect.never,
    accept: Effect.never,
    addresses: () => []
  })
}

const bobsAgent = (of: Script, closed: Array<string> = []) =>
  Effect.map(
    Layer.build(
      Agent.layer.pipe(Layer.provideMerge(installed(installation(bob))), Layer.provide(scripted(of, closed)))
    ),
    (services) => Context.get(services, Agent.Agent)
  )

const { space } = founded()
const welcome: Pairing.Step = { _tag: "Welcome", space, app: "kv" }

/** What Bob is told when the time is over, having waited just so long. */
const waited = Effect.fnUntraced(function* (of: Script, timeoutMillis?: number) {
  const closed: Array<string> = []
  const agent = yield* bobsAgent(of, closed)
  const fiber = yield* Effect.forkScoped(Effect.flip(agent.join(code, "Bob", { timeoutMillis })))
  yield* TestClock.adjust((timeoutMillis ?? 60_000) - 1)
  yield* pass
  assert.isUndefined(fiber.pollUnsafe(), "it waits as long as it may")
  yield* TestClock.adjust(1)
  const error = yield* Fiber.join(fiber)
  assert.instanceOf(error, Joining.JoinIncomplete)
  assert.deepStrictEqual(closed, of.connects === true ? ["no longer needed"] : [], "nothing stays open")
  return error as Joining.JoinIncomplete
})

describe("joining", () => {
  it.effect("that comes to nothing says after a minute at which stage it stood, and what to do", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [Joining.JoinStage, Script, RegExp]> = [
        [
          "Connecting",
          {},
          /^not joined, the other device did not answer: nothing more came within 60 s; .* same code$/u
        ],
        ["Pairing", { connects: true }, /did not take the code: .* then join with the same code$/u],
        ["Admission", { connects: true, takes: true }, /no answer came: .* make a new code there/u],
        [
          "FirstSync",
          { connects: true, takes: true, answers: welcome },
          /^this device is a member, but the space is not here yet: .* goes on where this stopped$/u
        ]
      ]
      for (const [stage, of, text] of cases) {
        const error = yield* waited(of)
        assert.deepStrictEqual([error.stage, error.address], [stage, "alice"])
        assert.match(error.message, text)
        assert.deepStrictEqual(
          [error.space, error.issuer],
          stage === "FirstSync" ? [space, alice.device] : [undefined, undefined]
        )
      }
    })
  )

  it.effect("has the deadline that it is given, for all stages together", () =>
    Effect.gen(function* () {
      assert.match((yield* waited({ connects: true }, 5_000)).message, /within 5 s/u)
    })
  )

  it.effect("that is refused, or cut off before there was an answer, says that at once", () =>
    Effect.gen(function* () {
      const refused = yield* bobsAgent({
        connects: true,
        takes: true,
        answers: { _tag: "Refused", reason: "too late" }
      })
      assert.strictEqual((yield* Effect.flip(refused.join(code, "Bob"))).message, "pairing failed: too late")
      const babbling = yield* bobsAgent({
        connects: true,
        takes: true,
        answers: { _tag: "Redeem", proof: new Uint8Array(32), box: new Uint8Array(32), name: "Alice" }
      })
      assert.include((yield* Effect.flip(babbling.join(code, "Bob"))).message, "an answer to the code was due")
      const cut = yield* bobsAgent({ connects: true, takes: true, hangsUp: true })
      assert.strictEqual((yield* Effect.flip(cut.join(code, "Bob")))._tag, "NetworkError")
    })
  )

  it.effect("that is cut off during the first sync says at once that this device is a member", () =>
    Effect.gen(function* () {
      const agent = yield* bobsAgent({ connects: true, takes: true, answers: welcome, hangsUp: true })
      const fiber = yield* Effect.forkScoped(Effect.flip(agent.join(code, "Bob")))
      for (let turns = 0; turns < 20; turns++) {
        yield* TestClock.adjust(20)
        yield* pass
      }
      const error = yield* Fiber.join(fiber)
      assert.instanceOf(error, Joining.JoinIncomplete)
      assert.match(error.message, /is a member, .* the other device ended the connection/u)
    })
  )

  it.effect("tells that it is admitted before anything is fetched; what fails there ends it", () =>
    Effect.gen(function* () {
      const agent = yield* bobsAgent({ connects: true, takes: true, answers: welcome })
      const error = yield* Effect.flip(
        agent.join(code, "Bob", {
          admitted: ({ issuer, replica }) => Effect.fail([issuer, replica.space, agent.links().length] as const)
        })
      )
      assert.deepStrictEqual(error, [alice.device, space, 0])
    })
  )

  it.live("is done when all that the issuer had is here; the connection stays", () =>
    Effect.gen(function* () {
      const { authority, space } = founded()
      const data = script(space, alice, "data")
      say(data, { facts: [set("a", "1")], seen: [head(authority)] })
      const [hers, his] = [installation(alice), installation(bob)]
      yield* bring(hers, space, runOf(authority), runOf(data))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const issuer = yield* agentOn(hers, hub, "alice")
          const agent = yield* agentOn(his, hub, "bob")
          const real = yield* issuer.pair(space, [right("*")], "alice")
          const told = yield* Deferred.make<number>()
          const scope = yield* Scope.make()
          const { link, replica } = yield* agent
            .join(real, "Bob", {
              admitted: ({ replica }) => Effect.asVoid(Deferred.succeed(told, replica.ledger().applied))
            })
            .pipe(Scope.provide(scope))
          assert.strictEqual(yield* Deferred.await(told), 0)
          assert.deepStrictEqual(entriesOf(replica), { a: "1" })
          assert.deepStrictEqual(agent.links(), [link])
          yield* Scope.close(scope, Exit.void)
          yield* pass
          assert.deepStrictEqual(agent.links(), [])
        })
      )
    })
  )
})
