/** The network: the laws of every network over calm links, then what each fault does to the same connections. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { networkLaws, NetworkWorld } from "../../src/conformance/NetworkLaws.ts"
import { frameBytesMax, type Connection, type Network, type NetworkError } from "../../src/effects/Network.ts"
import { deviceId } from "../../src/identity/Id.ts"
import { calm } from "../../src/simulation/Links.ts"
import type { Process } from "../../src/simulation/Process.ts"
import * as SimulatedNetwork from "../../src/simulation/SimulatedNetwork.ts"
import * as World from "../../src/simulation/World.ts"
import { valueOf } from "./outcomes.ts"

const deviceOf = (fill: number) => deviceId(new Uint8Array(32).fill(fill))
const [aliceDevice, bobDevice, carolDevice] = [deviceOf(1), deviceOf(2), deviceOf(3)]
const frame = (byte: number): Uint8Array => new Uint8Array([byte])

interface Two {
  readonly world: World.World
  readonly network: SimulatedNetwork.SimulatedNetwork
  readonly alice: Network["Service"]
  readonly bob: Network["Service"]
  readonly bobProcess: Process
  /** Alice's end and Bob's end of a new connection. */
  readonly meet: Effect.Effect<readonly [Connection, Connection], NetworkError, Scope.Scope>
}

/** Alice and Bob in one world, their fibers those of the scenario; Bob alone can be killed. */
const withTwo = <A>(seed: number, check: (two: Two) => Effect.Effect<A, unknown, Scope.Scope>): A =>
  valueOf(
    World.run({ seed }, (world) =>
      Effect.gen(function* () {
        const network = SimulatedNetwork.make(world)
        const bobProcess = world.process("Bob")
        const alice = yield* network.attach(world.process("Alice"), aliceDevice)
        const bob = yield* network.attach(bobProcess, bobDevice)
        const meet = Effect.all([alice.connect("sim:Bob", bobDevice), bob.accept], { concurrency: 2 })
        return yield* check({ world, network, alice, bob, bobProcess, meet })
      })
    )
  )

const reasonOf = (error: NetworkError): string => `${error.reason._tag}: ${error.message}`

const receiveFive = ({ receive }: Connection) =>
  Effect.map(
    Effect.forEach([1, 2, 3, 4, 5], () => receive),
    (frames) => frames.map(([byte]) => byte)
  )

const seeds = Array.from({ length: 25 }, (_, seed) => seed)

describe("A calm simulated network keeps the laws of every network", () => {
  for (const { check, name } of networkLaws) {
    it(name, () => {
      for (const seed of [1, 2, 3]) {
        const outcome = World.run({ seed }, (world) =>
          Effect.gen(function* () {
            const network = SimulatedNetwork.make(world)
            const member = (who: string, device: typeof aliceDevice) =>
              Effect.map(network.attach(world.process(who), device), (attached) => ({ device, network: attached }))
            const members = {
              alice: yield* member("Alice", aliceDevice),
              bob: { ...(yield* member("Bob", bobDevice)), address: "sim:Bob" },
              carol: yield* member("Carol", carolDevice)
            }
            const places = { deserted: "sim:Nobody", nonsense: "tcp://somewhere" }
            yield* Effect.provideService(check, NetworkWorld, { ...members, ...places })
          })
        )
        // One law asks for a defect of the sender.
        assert.isTrue(Exit.isSuccess(outcome.exit), String(outcome.exit))
      }
    })
  }
})

describe("A faulty simulated network", () => {
  it("keeps frames in order whatever the latency", () => {
    for (const seed of seeds) {
      const received = withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          network.setLink("Alice", "Bob", { ...calm, latencyMillis: { min: 0, max: 2_000 } })
          const [ours, theirs] = yield* meet
          yield* Effect.forEach([1, 2, 3, 4, 5], (byte) => ours.send(frame(byte)))
          return yield* Effect.map(receiveFive(theirs), String)
        })
      )
      assert.deepStrictEqual(received, "1,2,3,4,5")
    }
  })

  it("sends one frame after the other over a narrow link", () => {
    const tookMillis = withTwo(1, ({ meet, network, world }) =>
      Effect.gen(function* () {
        network.setLink("Alice", "Bob", { ...calm, latencyMillis: { min: 7, max: 7 }, bytesPerMilli: 0.1 })
        const [ours, theirs] = yield* meet
        const sentAtMillis = world.now()
        yield* Effect.forEach([1, 2, 3, 4, 5], (byte) => ours.send(frame(byte)))
        yield* receiveFive(theirs)
        return world.now() - sentAtMillis
      })
    )
    assert.strictEqual(tookMillis, 7 + 5 * 10)
  })

  it("hands out nothing on a connection that its owner closed, not even what had arrived", () => {
    withTwo(1, ({ meet }) =>
      Effect.gen(function* () {
        const [ours, theirs] = yield* meet
        yield* ours.send(frame(1))
        yield* Effect.sleep(100)
        yield* theirs.close("enough")
        assert.match(reasonOf(yield* Effect.flip(theirs.receive)), /we closed it: enough/u)
      })
    )
  })

  it("holds frames back before a cut and lets them go on when it heals in time", () => {
    for (const seed of seeds) {
      const received = withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          const [ours, theirs] = yield* meet
          network.cut("Alice", "Bob")
          yield* Effect.forEach([1, 2, 3], (byte) => ours.send(frame(byte)))
          // The other direction is not cut.
          yield* theirs.send(frame(9))
          assert.deepStrictEqual(yield* ours.receive, frame(9))
          assert.isTrue((yield* Effect.timeoutOption(theirs.receive, "4 seconds"))._tag === "None")
          network.mend()
          yield* Effect.forEach([4, 5], (byte) => ours.send(frame(byte)))
          return yield* Effect.map(receiveFive(theirs), String)
        })
      )
      assert.deepStrictEqual(received, "1,2,3,4,5")
    }
  })

  it("breaks a connection whose link stays cut, and both ends learn of it in the end", () => {
    for (const seed of seeds) {
      const reasons = withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          const [ours, theirs] = yield* meet
          network.partition([["Alice"], ["Bob"]])
          yield* ours.send(frame(1))
          return yield* Effect.forEach([ours, theirs], ({ receive }) => Effect.map(Effect.flip(receive), reasonOf), {
            concurrency: 2
          })
        })
      )
      for (const reason of reasons) assert.match(reason, /ConnectionClosed: .*the network broke it/u)
    }
  })

  it("loses everything from some frame on, and never a frame from the middle", () => {
    let incomplete = 0
    for (const seed of seeds) {
      const received = withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          network.setLink("Alice", "Bob", { ...calm, brokenShare: 0.1 })
          const [ours, theirs] = yield* meet
          const frames: Array<number> = []
          const reader = yield* Effect.forkChild(
            Effect.ignore(
              Effect.forever(Effect.tap(theirs.receive, ([byte = 0]) => Effect.sync(() => frames.push(byte))))
            )
          )
          yield* Effect.ignore(
            Effect.forEach(Array.from({ length: 20 }).keys(), (byte) =>
              Effect.andThen(ours.send(frame(byte)), Effect.sleep(5))
            )
          )
          yield* Effect.timeoutOption(Fiber.join(reader), "2 minutes")
          return frames
        })
      )
      assert.deepStrictEqual(received, [...Array.from({ length: received.length }).keys()])
      if (received.length < 20) incomplete += 1
    }
    assert.isAbove(incomplete, 10)
  })

  it("leaves an end of a broken connection believing in it for a while", () => {
    const believed = seeds.filter((seed) =>
      withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          const [ours, theirs] = yield* meet
          assert.strictEqual(network.sever("Bob", "Alice"), 1)
          yield* Effect.raceFirst(Effect.flip(ours.receive), Effect.flip(theirs.receive))
          const sends = yield* Effect.all([Effect.exit(ours.send(frame(1))), Effect.exit(theirs.send(frame(1)))])
          return sends.some(Exit.isSuccess)
        })
      )
    )
    assert.isAbove(believed.length, 15)
  })

  it("ends a connection at both ends when a frame was tampered with", () => {
    for (const seed of seeds) {
      const reasons = withTwo(seed, ({ meet, network }) =>
        Effect.gen(function* () {
          const [ours, theirs] = yield* meet
          network.setLink("Alice", "Bob", { ...calm, tamperedShare: 1 })
          yield* ours.send(frame(1))
          return [reasonOf(yield* Effect.flip(theirs.receive)), reasonOf(yield* Effect.flip(ours.receive))]
        })
      )
      for (const reason of reasons) assert.match(reason, /a frame (does not open|came twice|came out of turn)/u)
    }
  })

  it("refuses connections over bad links, and to hosts that are cut off or gone", () => {
    withTwo(1, ({ alice, bobProcess, network, world }) =>
      Effect.gen(function* () {
        const attempt = Effect.map(Effect.flip(Effect.scoped(alice.connect("sim:Bob"))), reasonOf)
        network.setLink("Alice", "Bob", { ...calm, refusedShare: 1 })
        assert.match(yield* attempt, /Unreachable: .*nobody answers/u)
        network.heal()
        network.cut("Bob", "Alice")
        const before = world.now()
        assert.match(yield* attempt, /Unreachable: .*nobody answers/u)
        assert.isAtLeast(world.now() - before, SimulatedNetwork.dialTimeoutMillis.min)
        network.heal()
        bobProcess.kill()
        assert.match(yield* attempt, /Unreachable: .*nobody listens there/u)
      })
    )
  })

  it("asks who dials whether it wants the device that answers", () => {
    withTwo(1, ({ alice, bob }) =>
      Effect.gen(function* () {
        const refusal = yield* Effect.flip(alice.connect("sim:Bob", (device) => device === carolDevice))
        assert.match(reasonOf(refusal), /PeerRefused: .*another device answers there/u)
        const accepted = yield* Effect.forkChild(bob.accept)
        const { peer } = yield* alice.connect("sim:Bob", (device) => device === bobDevice)
        assert.strictEqual(peer, bobDevice)
        assert.strictEqual((yield* Fiber.join(accepted)).peer, aliceDevice)
      })
    )
  })

  it("tells nobody that a host crashed: its peers find out by themselves", () => {
    for (const seed of seeds) {
      withTwo(seed, ({ alice, bob, bobProcess, network }) =>
        Effect.gen(function* () {
          const accepted = yield* Effect.forkChild(bob.accept)
          const ours = yield* alice.connect("sim:Bob")
          yield* Fiber.join(accepted)
          bobProcess.kill()
          yield* ours.send(frame(1))
          assert.match(reasonOf(yield* Effect.flip(ours.receive)), /the network broke it/u)
          assert.strictEqual(network.sever("Alice", "Bob"), 0)
        })
      )
    }
  })

  it("carries the oversize frame of a liar, and the honest end refuses it", () => {
    withTwo(1, ({ bob, network, world }) =>
      Effect.gen(function* () {
        const mallory = yield* network.attach(world.process("Mallory"), carolDevice, { liar: true })
        const accepted = yield* Effect.forkChild(bob.accept)
        const lying = yield* mallory.connect("sim:Bob", bobDevice)
        const theirs = yield* Fiber.join(accepted)
        assert.strictEqual(theirs.peer, carolDevice)
        yield* lying.send(new Uint8Array(frameBytesMax + 1))
        assert.match(reasonOf(yield* Effect.flip(theirs.receive)), /a frame is too large/u)
      })
    )
  })
})
