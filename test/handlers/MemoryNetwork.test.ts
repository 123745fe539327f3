/** The laws of every Network over the hub, with and without a wire in it; then the hub and the wire themselves. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { networkLaws, NetworkWorld } from "../../src/conformance/NetworkLaws.ts"
import { Network } from "../../src/effects/Network.ts"
import { deviceId } from "../../src/identity/Id.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"

const alice = deviceId(new Uint8Array(32).fill(1))
const bob = deviceId(new Uint8Array(32).fill(2))
const carol = deviceId(new Uint8Array(32).fill(3))

const member = (hub: MemoryNetwork.Hub, device: typeof alice, address: string) =>
  Effect.map(Layer.build(MemoryNetwork.layer(hub, { device, address })), (context) => ({
    device,
    network: Context.get(context, Network)
  }))

const world = (options?: { readonly wire: MemoryNetwork.Wire }) =>
  Layer.effect(
    NetworkWorld,
    Effect.gen(function* () {
      const hub = MemoryNetwork.hub(options)
      return {
        alice: yield* member(hub, alice, "alice"),
        bob: { ...(yield* member(hub, bob, "bob")), address: "bob" },
        carol: yield* member(hub, carol, "carol"),
        deserted: "dave",
        nonsense: "no name at all"
      }
    })
  )

/** A frame is so long on its way; frames follow each other closely. */
const slow = (millis: number): MemoryNetwork.Wire => ({
  dial: () => Effect.sleep(1),
  carry: () =>
    Effect.clockWith((clock) => {
      const arrivesAtMillis = clock.currentTimeMillisUnsafe() + millis
      return Effect.succeed(Effect.suspend(() => Effect.sleep(arrivesAtMillis - clock.currentTimeMillisUnsafe())))
    })
})

describe("MemoryNetwork", () => {
  for (const { check, name } of networkLaws) it.live(name, () => Effect.provide(check, world()))
})

describe("MemoryNetwork over a slow wire", () => {
  for (const { check, name } of networkLaws) it.live(name, () => Effect.provide(check, world({ wire: slow(5) })))
})

const meet = Effect.gen(function* () {
  const { alice, bob } = yield* NetworkWorld
  const [ours, theirs] = yield* Effect.all([alice.network.connect("bob"), bob.network.accept], { concurrency: 2 })
  return { ours, theirs }
})

describe("MemoryNetwork's hub", () => {
  it.effect("gives the same channel keys to the same connections in the same order", () => {
    const keys = Effect.gen(function* () {
      const first = yield* meet
      const second = yield* meet
      return [first.ours.channelKey, second.theirs.channelKey]
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world()))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* keys, yield* keys)
    })
  })

  it.effect("lets a name be listened on once, and again after its owner is gone", () =>
    Effect.gen(function* () {
      const hub = MemoryNetwork.hub()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* member(hub, alice, "home")
          const error = yield* Effect.flip(Effect.scoped(member(hub, bob, "home")))
          assert.strictEqual(error.reason._tag, "AddressInvalid")
        })
      )
      yield* Effect.scoped(member(hub, bob, "home"))
    })
  )

  it.effect("turns connections away when too many wait to be accepted", () =>
    Effect.gen(function* () {
      const { alice } = yield* NetworkWorld
      for (let index = 0; index < MemoryNetwork.backlogMax; index++) yield* alice.network.connect("bob")
      const error = yield* Effect.flip(alice.network.connect("bob"))
      assert.include(error.message, "too many connections wait there")
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world()))
  )

  it.effect("severs the connections between two devices at both ends and no others", () =>
    Effect.gen(function* () {
      const hub = MemoryNetwork.hub()
      const [a, b, c] = [yield* member(hub, alice, "a"), yield* member(hub, bob, "b"), yield* member(hub, carol, "c")]
      const toBob = yield* a.network.connect("b")
      const atBob = yield* b.network.accept
      const toCarol = yield* a.network.connect("c")
      const atCarol = yield* c.network.accept
      assert.strictEqual(hub.sever(bob, alice, "the cable was cut"), 1)
      assert.include((yield* Effect.flip(toBob.receive)).message, "the cable was cut")
      assert.include((yield* Effect.flip(atBob.send(new Uint8Array(1)))).message, "the cable was cut")
      yield* toCarol.send(Uint8Array.of(7))
      assert.deepStrictEqual(yield* atCarol.receive, Uint8Array.of(7))
      assert.strictEqual(hub.sever(bob, alice, "again"), 0)
    }).pipe(Effect.scoped)
  )

  it.effect("closes a device's connections when its layer goes", () =>
    Effect.gen(function* () {
      const hub = MemoryNetwork.hub()
      const a = yield* member(hub, alice, "a")
      const bobsLife = yield* Scope.make()
      yield* Scope.provide(member(hub, bob, "b"), bobsLife)
      const ours = yield* a.network.connect("b")
      yield* Scope.close(bobsLife, Exit.void)
      assert.include((yield* Effect.flip(ours.receive)).message, "the device stopped")
      assert.include((yield* Effect.flip(a.network.connect("b"))).message, "nobody listens there")
    }).pipe(Effect.scoped)
  )
})

describe("a wire under MemoryNetwork", () => {
  it.effect("delays frames without spreading them: all of a burst arrive together", () =>
    Effect.gen(function* () {
      const { ours, theirs } = yield* inStep(meet)
      for (let index = 0; index < 10; index++) yield* ours.send(Uint8Array.of(index))
      const received = yield* Effect.forkChild(Effect.forEach(Array.from({ length: 10 }), () => theirs.receive))
      yield* TestClock.adjust(4)
      assert.isUndefined(received.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(
        (yield* Fiber.join(received)).map(([index]) => index),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
      )
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world({ wire: slow(5) })))
  )

  it.effect("breaks a connection at both ends with its reason", () => {
    const wire: MemoryNetwork.Wire = {
      dial: () => Effect.void,
      carry: (_from, _to, bytes) => Effect.succeed(bytes === 3 ? Effect.fail("reset on the way") : Effect.void)
    }
    return Effect.gen(function* () {
      const { ours, theirs } = yield* meet
      yield* ours.send(new Uint8Array(2))
      assert.strictEqual((yield* theirs.receive).length, 2)
      yield* ours.send(new Uint8Array(3))
      assert.include((yield* Effect.flip(theirs.receive)).message, "reset on the way")
      assert.include((yield* Effect.flip(ours.receive)).message, "reset on the way")
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world({ wire })))
  })

  it.effect("may be silent in one direction: the sender fills the line and waits, the other direction works", () => {
    const wire: MemoryNetwork.Wire = {
      dial: () => Effect.void,
      carry: (from) => Effect.succeed(from === alice ? Effect.never : Effect.void)
    }
    return Effect.gen(function* () {
      const { ours, theirs } = yield* meet
      let taken = 0
      const sending = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            ours.send(new Uint8Array(1)),
            Effect.sync(() => taken++)
          )
        )
      )
      yield* theirs.send(Uint8Array.of(9))
      assert.deepStrictEqual(yield* ours.receive, Uint8Array.of(9))
      for (let turn = 0; turn < 100; turn++) yield* Effect.yieldNow
      assert.strictEqual(taken, MemoryNetwork.framesQueuedMax)
      yield* Fiber.interrupt(sending)
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world({ wire })))
  })

  it.effect("refuses a dial with its text", () => {
    const wire: MemoryNetwork.Wire = { dial: () => Effect.fail("the network is split"), carry: slow(5).carry }
    return Effect.gen(function* () {
      const { alice } = yield* NetworkWorld
      const error = yield* Effect.flip(alice.network.connect("bob"))
      assert.strictEqual(error.reason._tag, "Unreachable")
      assert.include(error.message, "the network is split")
    }).pipe(Effect.scoped, (run) => Effect.provide(run, world({ wire })))
  })
})

/** Runs to the end while the test clock steps on a millisecond at a time. */
const inStep = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
    return yield* Fiber.join(fiber)
  })
