/** What every Time handler promises, as checks that run anywhere. They read the clock; they do not wait for it. */
import * as Effect from "effect/Effect"
import { Time } from "../effects/Time.ts"
import { expect, type Law } from "./Law.ts"

const readings = 1_000

export const timeLaws: ReadonlyArray<Law<Time>> = [
  {
    name: "time never runs backwards",
    check: Effect.gen(function* () {
      const time = yield* Time
      let before = time.now().millis
      for (let count = 0; count < readings; count++) {
        const { millis } = time.now()
        yield* expect(millis >= before, `reading ${count} is ${millis}, the one before was ${before}`)
        before = millis
      }
    })
  },
  {
    name: "a reading is a finite number of milliseconds",
    check: Effect.gen(function* () {
      const { millis } = (yield* Time).now()
      yield* expect(Number.isFinite(millis), `the reading is ${millis}`)
      yield* expect(Math.abs(millis) < Number.MAX_SAFE_INTEGER, `${millis} is beyond exact integers`)
    })
  },
  {
    name: "uncertainty is zero or more, and only a checked clock claims to be synced",
    check: Effect.gen(function* () {
      const { status, uncertaintyMillis } = (yield* Time).now()
      yield* expect(uncertaintyMillis >= 0, `the uncertainty is ${uncertaintyMillis}`)
      yield* expect(status !== "Synced" || uncertaintyMillis < Infinity, "synced, yet the uncertainty is unknown")
    })
  },
  {
    name: "a reading that was handed out does not change",
    check: Effect.gen(function* () {
      const time = yield* Time
      const first = time.now()
      const { millis } = first
      for (let count = 0; count < readings; count++) time.now()
      yield* expect(first.millis === millis, `the reading was ${millis} and is now ${first.millis}`)
    })
  }
]
