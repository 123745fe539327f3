/** The kernel: what a seed fixes, what a process is, and that a world always ends. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import { assert, describe, it } from "vitest"
import { ProcessKilled } from "../../src/simulation/Process.ts"
import * as World from "../../src/simulation/World.ts"
import { stuckOf, valueOf } from "./outcomes.ts"

/** Twenty fibers that sleep, draw and talk through one queue; what the reader sees is the trace. */
const chatter = (world: World.World) =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<string>(4)
    const speaker = Effect.fnUntraced(function* (speaker: number) {
      for (let word = 0; word < 5; word++) {
        yield* Effect.sleep(yield* Random.nextIntBetween(0, 50))
        yield* Queue.offer(queue, `${speaker} says ${word} ${yield* Random.nextInt}`)
      }
    })
    yield* Effect.forkScoped(
      Effect.forever(Effect.tap(Queue.take(queue), (said) => Effect.sync(() => world.trace("reader", said))))
    )
    yield* Effect.forEach(Array.from({ length: 20 }).keys(), speaker, { concurrency: "unbounded", discard: true })
  })

describe("A world", () => {
  it("repeats itself exactly for the same seed", () => {
    for (const seed of [0, 1, 2, 4_294_967_296]) {
      const [first, second] = [World.run({ seed }, chatter), World.run({ seed }, chatter)]
      valueOf(first)
      assert.deepStrictEqual(first, second)
    }
  })

  it("is another one for another seed", () => {
    const hashes = Array.from({ length: 30 }, (_, seed) => World.run({ seed }, chatter).traceHash)
    assert.strictEqual(new Set(hashes).size, 30)
  })

  it("draws the order of what could run at one instant", () => {
    const order = (seed: number) =>
      valueOf(
        World.run({ seed }, () =>
          Effect.gen(function* () {
            const seen: Array<string> = []
            // Forked one by one: Effect.all starts each before it forks the next.
            const fibers = yield* Effect.forEach(["a", "b", "c"], (who) =>
              Effect.forkChild(Effect.sync(() => seen.push(who)))
            )
            yield* Fiber.joinAll(fibers)
            return seen.join("")
          })
        )
      )
    const orders = new Set(Array.from({ length: 60 }, (_, seed) => order(seed)))
    assert.strictEqual(orders.size, 6)
  })

  it("lets virtual time jump, by whole milliseconds, without waiting", () => {
    const outcome = World.run({ seed: 1 }, () =>
      Effect.gen(function* () {
        yield* Effect.sleep("3 days")
        yield* Effect.sleep("1500 micros")
        return yield* Clock.currentTimeMillis
      })
    )
    assert.strictEqual(valueOf(outcome), World.beginUnixMillis + 3 * 86_400_000 + 2)
    assert.strictEqual(outcome.virtualMillis, 3 * 86_400_000 + 2)
  })

  it("says who waits when nothing can run any more", () => {
    const stuck = stuckOf(
      World.run({ seed: 3 }, (world) =>
        Effect.gen(function* () {
          const never = yield* Deferred.make<void>()
          const waitForEver = Effect.fn("Replica.waitForEver")(() => Deferred.await(never))
          yield* world.within(world.process("Alice"), waitForEver())
        })
      )
    )
    assert.strictEqual(stuck.kind, "Deadlock")
    assert.include(stuck.waiting, "Alice: Replica.waitForEver")
    assert.match(stuck.message, /seed 3 at 0 ms after \d+ tasks: nothing can run/u)
  })

  it("takes a fiber that awaits a real promise for a deadlock", () => {
    const stuck = stuckOf(World.run({ seed: 3 }, () => Effect.promise(() => Promise.resolve(1))))
    assert.strictEqual(stuck.kind, "Deadlock")
  })

  it("notices that it goes round in circles", () => {
    const spin = World.run({ seed: 1, stepsPerInstantMax: 1_000 }, () => Effect.forever(Effect.yieldNow))
    assert.strictEqual(stuckOf(spin).kind, "Livelock")
    const walk = World.run({ seed: 1, stepsMax: 1_000 }, () => Effect.forever(Effect.sleep(1)))
    assert.strictEqual(stuckOf(walk).kind, "OutOfSteps")
    const wait = World.run({ seed: 1, virtualMillisMax: 10_000 }, (world) =>
      Effect.forkScoped(world.within(world.process("Bob"), Effect.forever(Effect.sleep("7 seconds")))).pipe(
        Effect.andThen(Effect.never)
      )
    )
    assert.strictEqual(stuckOf(wait).kind, "OutOfTime")
    assert.deepStrictEqual(stuckOf(wait).timers, [])
  })

  it("reports what fibers died of even if nobody looked", () => {
    const outcome = World.run({ seed: 1 }, () =>
      Effect.andThen(Effect.forkDetach(Effect.die(new Error("an assumption broke"))), Effect.sleep(1))
    )
    assert.isTrue(Exit.isSuccess(outcome.exit))
    assert.strictEqual(outcome.defects.length, 1)
    assert.include(outcome.defects[0], "scenario: Error: an assumption broke")
  })

  it("gives every part a stream of its own, so that a draw in one moves no other", () => {
    const disk = (draws: number) =>
      valueOf(
        World.run({ seed: 5 }, (world) =>
          Effect.sync(() => {
            for (let draw = 0; draw < draws; draw++) world.chance("network").fraction()
            return world.chance("disk").fraction()
          })
        )
      )
    assert.strictEqual(disk(0), disk(100))
  })
})

describe("A process", () => {
  it("executes nothing after it was killed: no timer, no answer, no finalizer", () => {
    const seen: Array<string> = []
    const outcome = World.run({ seed: 2 }, (world) =>
      Effect.gen(function* () {
        const alice = world.process("Alice")
        const answer = yield* Deferred.make<void>()
        const program = Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.sync(() => seen.push("finalizer")))
          yield* Effect.forkScoped(
            Effect.andThen(
              Effect.sleep(20),
              Effect.sync(() => seen.push("timer"))
            )
          )
          yield* Effect.forkScoped(Effect.onInterrupt(Effect.never, () => Effect.sync(() => seen.push("interrupted"))))
          seen.push("started")
          yield* alice.wait<void>((resume) => world.after(30, () => resume(Effect.void)))
          seen.push("answered")
        })
        const running = yield* Effect.forkChild(Effect.exit(world.within(alice, Effect.scoped(program))))
        yield* Effect.sleep(10)
        alice.kill()
        const exit = yield* Fiber.join(running)
        yield* Effect.sleep(1_000)
        yield* Deferred.succeed(answer, undefined)
        return exit
      })
    )
    assert.deepStrictEqual(valueOf(outcome), Exit.fail(new ProcessKilled({ name: "Alice" })))
    assert.deepStrictEqual(seen, ["started"])
  })

  it("drops with its power what was already queued", () => {
    const seen: Array<string> = []
    const outcome = World.run({ seed: 2 }, (world) =>
      Effect.gen(function* () {
        const alice = world.process("Alice")
        alice.post(() => seen.push("queued"))
        alice.kill()
        alice.post(() => seen.push("queued by the dead"))
        yield* Effect.sleep(10)
      })
    )
    valueOf(outcome)
    assert.deepStrictEqual(seen, [])
  })

  it("draws other random numbers in its next life, and the same ones in a repeated world", () => {
    const lives = () =>
      valueOf(
        World.run({ seed: 4 }, (world) =>
          Effect.forEach(["first", "second"], () => {
            const alice = world.process("Alice")
            return world.within(alice, Effect.all([Random.nextInt, alice.secureRandom.uuidV4()]))
          })
        )
      )
    const [first = [], second = []] = lives()
    for (const [index, drawn] of first.entries()) assert.notStrictEqual(drawn, second[index])
    assert.deepStrictEqual(lives(), [first, second])
  })

  it("is interrupted when who waits for it is", () => {
    const seen: Array<string> = []
    const outcome = World.run({ seed: 6 }, (world) =>
      Effect.gen(function* () {
        const long = Effect.onInterrupt(Effect.sleep("1 hour"), () => Effect.sync(() => seen.push("interrupted")))
        yield* Effect.timeoutOption(world.within(world.process("Alice"), long), "1 second")
        yield* Effect.sleep(1)
      })
    )
    valueOf(outcome)
    assert.deepStrictEqual(seen, ["interrupted"])
    assert.strictEqual(outcome.virtualMillis, 1_001)
  })
})
