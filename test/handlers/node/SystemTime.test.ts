/** The system's clock, turned by hand: steps are seen, time never runs backwards. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { timeLaws } from "../../../src/conformance/TimeLaws.ts"
import { Time } from "../../../src/effects/Time.ts"
import * as SystemTime from "../../../src/handlers/node/SystemTime.ts"

/** Clocks that stand still until moved. */
const handClocks = () => {
  let wall = 1_800_000_000_000
  let monotonic = 500
  return {
    wallMillis: () => wall,
    monotonicMillis: () => monotonic,
    pass: (millis: number) => {
      wall += millis
      monotonic += millis
    },
    step: (millis: number) => {
      wall += millis
    }
  }
}

const withClocks = (test: (clocks: ReturnType<typeof handClocks>, time: Time["Service"]) => void) => {
  const clocks = handClocks()
  return Effect.map(Effect.provide(Time, SystemTime.layer(clocks)), (time) => test(clocks, time))
}

describe("SystemTime", () => {
  for (const { name, check } of timeLaws) it.effect(name, () => Effect.provide(check, SystemTime.layer()))

  it.effect("it reads the time of the operating system", () =>
    Effect.gen(function* () {
      const time = yield* Effect.provide(Time, SystemTime.layer())
      const before = Date.now()
      const reading = time.now()
      assert.isAtLeast(reading.millis, before)
      assert.isAtMost(reading.millis, Date.now())
      assert.strictEqual(reading.uncertaintyMillis, Infinity)
    })
  )

  it.effect("two layers over the system's clocks are one time", () =>
    Effect.gen(function* () {
      const one = yield* Effect.provide(Time, SystemTime.layer())
      const other = yield* Effect.provide(Time, SystemTime.layer())
      assert.strictEqual(one, other)
    })
  )

  it.effect("a clock that merely passes, or is off by less than 2 s, is unchecked and followed", () =>
    withClocks((clocks, time) => {
      for (const drift of [0, 1_999, 0, -1_999, 1_999]) {
        clocks.pass(10_000)
        clocks.step(drift)
        assert.strictEqual(time.now().status, "Unchecked")
      }
      assert.strictEqual(time.now().millis, clocks.wallMillis())
    })
  )

  for (const step of [2_001, -2_001, 86_400_000]) {
    it.effect(`a step by ${step} ms is reported for a minute of monotonic time`, () =>
      withClocks((clocks, time) => {
        const before = time.now().millis
        clocks.step(step)
        assert.strictEqual(time.now().status, "Stepped")
        assert.isAtLeast(time.now().millis, before)
        clocks.pass(SystemTime.steppedMillis - 1)
        assert.strictEqual(time.now().status, "Stepped")
        clocks.pass(1)
        assert.deepStrictEqual(time.now(), {
          millis: clocks.wallMillis(),
          uncertaintyMillis: Infinity,
          status: "Unchecked"
        })
      })
    )
  }

  it.effect("a clock set back by an hour stands still, and says so, until the hour has passed", () =>
    withClocks((clocks, time) => {
      const before = time.now().millis
      clocks.step(-3_600_000)
      for (let minute = 0; minute < 59; minute++) {
        assert.deepStrictEqual(time.now(), { millis: before, uncertaintyMillis: Infinity, status: "Stepped" })
        clocks.pass(60_000)
      }
      clocks.pass(60_001)
      assert.deepStrictEqual(time.now(), { millis: before + 1, uncertaintyMillis: Infinity, status: "Unchecked" })
    })
  )

  it.effect("a clock that the system slews for a day is no step, however rarely it is read", () =>
    withClocks((clocks, time) => {
      clocks.pass(86_400_000)
      clocks.step(43_000)
      assert.strictEqual(time.now().status, "Unchecked")
      clocks.pass(86_400_000)
      clocks.step(46_000)
      assert.strictEqual(time.now().status, "Stepped")
    })
  )
})
