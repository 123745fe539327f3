/** How an agent comes back to a peer that it lost: pauses that grow to a limit, each a little different, and begin anew. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { ConnectionClosed, Network, NetworkError, Unreachable, type Connection } from "../../src/effects/Network.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import { alice, bob, installation, installed, pass } from "./fixtures.ts"

/** When an attempt began, and when what came of it was over. */
interface Attempt {
  readonly beganMillis: number
  overMillis: number
}

/** Alice's network, where attempt `n` fails or holds for so long. */
const flaky = (holdsMillis: (attempt: number) => number, attempts: Array<Attempt>): Layer.Layer<Network> => {
  const connect = Effect.gen(function* () {
    const beganMillis = yield* Clock.currentTimeMillis
    const attempt = { beganMillis, overMillis: beganMillis }
    const held = holdsMillis(attempts.length)
    attempts.push(attempt)
    if (held === 0)
      return yield* new NetworkError({ reason: new Unreachable({ address: "alice", what: "nobody listens there" }) })
    const ended = Effect.gen(function* () {
      yield* Effect.sleep(held)
      attempt.overMillis = yield* Clock.currentTimeMillis
      return yield* new NetworkError({ reason: new ConnectionClosed({ reason: "the peer closed it" }) })
    })
    return {
      peer: alice.device,
      channelKey: new Uint8Array(32),
      address: "alice",
      initiator: true,
      send: () => Effect.void,
      receive: ended,
      close: () => Effect.void
    } satisfies Connection
  })
  return Layer.succeed(Network, { connect: () => connect, accept: Effect.never, addresses: () => [] })
}

/** The pauses between attempts in so much time, in milliseconds. */
const pausesWithin = Effect.fnUntraced(function* (millis: number, holdsMillis: (attempt: number) => number) {
  const attempts: Array<Attempt> = []
  const scope = yield* Scope.make()
  const services = yield* Layer.build(
    Agent.layer.pipe(Layer.provideMerge(installed(installation(bob))), Layer.provide(flaky(holdsMillis, attempts)))
  )
  yield* Context.get(services, Agent.Agent).stayConnected("alice", alice.device).pipe(Scope.provide(scope))
  yield* pass
  for (let gone = 0; gone < millis; gone += stepMillis) {
    yield* TestClock.adjust(stepMillis)
    yield* pass
  }
  const count = attempts.length
  yield* Scope.close(scope, yield* Effect.exit(Effect.void))
  yield* TestClock.adjust("1 hour")
  yield* pass
  assert.lengthOf(attempts, count, "it ends with the scope")
  return attempts.slice(1).map(({ beganMillis }, index) => beganMillis - attempts[index]!.overMillis)
})

const stepMillis = 25

/** Within a fifth of what it would be without chance, and a step of the clock. */
const isAbout = (pause: number, millis: number, what: string): void => {
  assert.isAtLeast(pause, millis * 0.8 - stepMillis, what)
  assert.isAtMost(pause, millis * 1.2 + stepMillis, what)
}

const expected = (index: number): number => Math.min(15_000, 250 * 2 ** index)

describe("an agent that stays connected", () => {
  it.effect(
    "tries again after pauses that double from a quarter of a second to fifteen seconds, give or take a fifth",
    () =>
      Effect.gen(function* () {
        const pauses = yield* pausesWithin(120_000, () => 0)
        assert.isAtLeast(pauses.length, 11)
        pauses.forEach((pause, index) => isAbout(pause, expected(index), `pause ${index}: ${pause}`))
        const ratios = new Set(pauses.map((pause, index) => Math.round((pause / expected(index)) * 50)))
        assert.isAbove(ratios.size, 2, "chance is in it")
      })
  )

  it.effect("is not encouraged by a peer that hangs up at once", () =>
    Effect.gen(function* () {
      const pauses = yield* pausesWithin(30_000, () => 900)
      pauses.forEach((pause, index) => isAbout(pause, expected(index), `pause ${index}: ${pause}`))
      assert.isAtLeast(pauses.length, 5)
    })
  )

  it.effect("begins anew after a connection that held for a second", () =>
    Effect.gen(function* () {
      const pauses = yield* pausesWithin(30_000, (attempt) => (attempt === 5 ? 1_000 : 0))
      const afterwards = pauses.slice(5)
      assert.isAtLeast(afterwards.length, 4)
      isAbout(afterwards[0]!, 250, "the first pause after it")
      afterwards.slice(1).forEach((pause, index) => isAbout(pause, expected(index), `pause ${index}: ${pause}`))
    })
  )
})
