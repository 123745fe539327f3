/** Housekeeping comes when it is quiet, once for as often as it was asked for, and never before. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as Quiet from "../../src/runtime/Quiet.ts"

const quietMillis = 100

const make = Effect.gen(function* () {
  let told = 0
  const quiet = yield* Quiet.make(
    quietMillis,
    Effect.sync(() => told++)
  )
  // the first step lets the fiber behind it run, and passes no time
  const after = (millis: number) =>
    Effect.map(Effect.andThen(TestClock.adjust(0), TestClock.adjust(millis)), () => told)
  return { ...quiet, after }
})

it.effect("nothing is told that nobody asked for", () =>
  Effect.gen(function* () {
    const { after, stir } = yield* make
    stir()
    assert.strictEqual(yield* after(10 * quietMillis), 0)
  })
)

it.effect("what was asked for twice is told once, when no turn went by for so long", () =>
  Effect.gen(function* () {
    const { after, ask, stir } = yield* make
    ask()
    assert.strictEqual(yield* after(quietMillis - 1), 0)
    stir()
    ask()
    assert.strictEqual(yield* after(1), 0)
    stir()
    assert.strictEqual(yield* after(quietMillis), 0)
    assert.strictEqual(yield* after(quietMillis), 1)
  })
)

it.effect("it can be asked for again", () =>
  Effect.gen(function* () {
    const { after, ask } = yield* make
    ask()
    assert.strictEqual(yield* after(2 * quietMillis), 1)
    ask()
    assert.strictEqual(yield* after(2 * quietMillis), 2)
  })
)
