/** Agents: what survives which end, and who speaks under whose key. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { assert, describe, it } from "vitest"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { Keys } from "../../src/effects/Keys.ts"
import { Network } from "../../src/effects/Network.ts"
import { Time } from "../../src/effects/Time.ts"
import { Verifier } from "../../src/effects/Verifier.ts"
import { spaceId } from "../../src/identity/Id.ts"
import * as Agents from "../../src/simulation/Agents.ts"
import { ProcessKilled } from "../../src/simulation/Process.ts"
import * as SimulatedNetwork from "../../src/simulation/SimulatedNetwork.ts"
import * as World from "../../src/simulation/World.ts"
import { valueOf } from "./outcomes.ts"
import { keyring } from "./signing.ts"

const space = spaceId(new Uint8Array(32).fill(7))
const goodbye = new Uint8Array([9])

interface Visitor {
  /** How often this installation was started. */
  readonly lives: number
  readonly write: (row: string) => Effect.Effect<void>
  readonly has: (row: string) => Effect.Effect<boolean>
  readonly now: () => number
  readonly signs: Effect.Effect<boolean>
  readonly hears: Effect.Effect<string>
  /** Connects and waits for the end of it. */
  readonly reaches: (address: string) => Effect.Effect<string>
}

/** Counts its lives on the disk, and writes a last word when it is stopped. */
const visitor: Agents.Program<Visitor, unknown> = (installed) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(installed)
    const { keys, network, store, time, verifier } = yield* Effect.provideContext(
      Effect.all({ keys: Keys, network: Network, store: JournalStore, time: Time, verifier: Verifier }),
      context
    )
    const write = (name: string, bytes = goodbye) => Effect.orDie(store.commit({ space, locals: [{ name, bytes }] }))
    const lives =
      Option.match(yield* store.local(space, "lives"), { onNone: () => 0, onSome: ([count = 0]) => count }) + 1
    yield* write("lives", new Uint8Array([lives]))
    yield* Effect.addFinalizer(() => write("last word"))
    const signs = Effect.gen(function* () {
      const message = new Uint8Array([1, 2, 3])
      const signature = yield* Effect.orDie(keys.sign(message))
      const claims = [keys.device, keys.device].map((signer) => ({ signer, message, signature }))
      return (yield* verifier.verify(claims)).every(Boolean)
    })
    const hears = Effect.scoped(
      Effect.flatMap(network.accept, ({ peer, receive }) =>
        Effect.map(Effect.orDie(receive), ([byte]) => `${peer} ${byte}`)
      )
    )
    return {
      lives,
      write,
      has: (row) => Effect.map(Effect.orDie(store.local(space, row)), Option.isSome),
      now: () => time.now().millis,
      signs,
      hears,
      reaches: (address) =>
        Effect.scoped(
          Effect.flatMap(Effect.orDie(network.connect(address)), ({ receive }) =>
            Effect.map(Effect.flip(receive), String)
          )
        ).pipe(Effect.orDie)
    }
  })

const withAgents = <A, E>(seed: number, check: (agents: Agents.Agents, world: World.World) => Effect.Effect<A, E>): A =>
  valueOf(World.run({ seed }, (world) => check(Agents.make(world, SimulatedNetwork.make(world), { keyring }), world)))

describe("An agent", () => {
  it("finds its disk again after a crash, and has had no time for a last word", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const alice = agents.install("Alice", visitor)
        yield* alice.start
        yield* alice.use(({ write }) => write("note"))
        yield* alice.crash
        assert.isFalse(alice.isUp())
        yield* alice.start
        const found = yield* alice.use(({ has, lives }) =>
          Effect.all([Effect.succeed(lives), has("note"), has("last word")])
        )
        assert.deepStrictEqual(found, [2, true, false])
      })
    )
  })

  it("has a last word when it is stopped", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const alice = agents.install("Alice", visitor)
        yield* alice.start
        yield* alice.stop
        yield* alice.start
        assert.isTrue(yield* alice.use(({ has }) => has("last word")))
      })
    )
  })

  it("loses nothing to a lying disk as long as it is stopped in good order", () => {
    for (let seed = 0; seed < 20; seed++) {
      withAgents(seed, (agents) =>
        Effect.gen(function* () {
          const alice = agents.install("Alice", visitor, { diskLies: true })
          yield* alice.start
          yield* alice.stop
          yield* alice.start
          assert.strictEqual(yield* alice.use(({ lives }) => Effect.succeed(lives)), 2)
        })
      )
    }
  })

  it("tells its peers when it is stopped, which a crash does not", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const [alice, bob] = [agents.install("Alice", visitor), agents.install("Bob", visitor)]
        const endOf = (end: Effect.Effect<void>) =>
          Effect.gen(function* () {
            yield* bob.start
            const talking = yield* Effect.forkChild(alice.use(({ reaches }) => reaches(bob.address)))
            yield* Effect.sleep(100)
            yield* end
            return yield* Fiber.join(talking)
          })
        yield* alice.start
        assert.match(yield* endOf(bob.stop), /the peer closed it: "the device stopped"/u)
        assert.match(yield* endOf(bob.crash), /the network broke it/u)
      })
    )
  })

  it("says that nothing was asked when it is down, and that nothing is known when it crashes meanwhile", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const alice = agents.install("Alice", visitor)
        const down = yield* Effect.flip(alice.use(() => Effect.void))
        assert.instanceOf(down, Agents.AgentDown)
        yield* alice.start
        const asking = yield* Effect.forkChild(Effect.flip(alice.use(() => Effect.never)))
        const waiting = yield* Effect.forkChild(alice.whenDown)
        yield* Effect.sleep(1)
        yield* alice.crash
        assert.instanceOf(yield* Fiber.join(asking), ProcessKilled)
        yield* Fiber.join(waiting)
      })
    )
  })

  it("can be killed while it starts, at any storage step, and started again", () => {
    for (const step of [1, 2]) {
      withAgents(step, (agents) =>
        Effect.gen(function* () {
          const alice = agents.install("Alice", visitor)
          alice.disk.cutPowerAtStep(step)
          assert.instanceOf(yield* Effect.flip(alice.start), ProcessKilled)
          yield* alice.start
          assert.strictEqual(yield* alice.use(({ lives }) => Effect.succeed(lives)), step)
        })
      )
    }
  })

  it("closes what it opened when its program fails to start", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const failing = agents.install("Alice", (installed, name) =>
          Effect.andThen(visitor(installed, name), Effect.fail("not today"))
        )
        assert.strictEqual(yield* Effect.flip(failing.start), "not today")
        assert.strictEqual(yield* Effect.flip(failing.start), "not today")
        assert.isFalse(failing.isUp())
      })
    )
  })

  it("has a clock of its own, wrong by its skew, and a key that signs", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const alice = agents.install("Alice", visitor, { skewMillis: -5_000 })
        yield* alice.start
        assert.strictEqual(yield* alice.use(({ now }) => Effect.sync(now)), World.beginUnixMillis - 5_000)
        assert.isTrue(yield* alice.use(({ signs }) => signs))
      })
    )
  })

  it("refuses to run twice", () => {
    const outcome = World.run({ seed: 1 }, (world) => {
      const alice = Agents.make(world, SimulatedNetwork.make(world), { keyring }).install("Alice", visitor)
      return Effect.andThen(alice.start, alice.start)
    })
    assert.isTrue(Exit.isFailure(outcome.exit))
    assert.match(outcome.defects.join(), /Alice runs already/u)
  })
})

describe("A liar", () => {
  it("holds the key of whom it replaces, and is taken for that one", () => {
    withAgents(1, (agents) =>
      Effect.gen(function* () {
        const bob = agents.install("Bob", visitor)
        yield* bob.start
        const hearing = yield* Effect.forkChild(bob.use(({ hears }) => hears))
        yield* agents.impersonate("Alice", ({ keys, network }) =>
          Effect.gen(function* () {
            assert.strictEqual(keys.device, agents.deviceOf("Alice"))
            const connection = yield* network.connect(bob.address, bob.device)
            yield* connection.send(new Uint8Array([42]))
          })
        )
        assert.strictEqual(yield* Fiber.join(hearing), `${agents.deviceOf("Alice")} 42`)
      })
    )
  })
})
