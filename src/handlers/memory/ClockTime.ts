/**
 * Time over Effect's Clock: what simulations, tests and platforms without a better source read.
 *
 * The clock is the one in force when the layer is built (a virtual one under test), so a reading is a plain call. A
 * clock that is set back is not followed: readings repeat the last value until it is passed again. Nothing is known
 * about the error, so the uncertainty is Infinity and the status `Unchecked`.
 *
 * It does not watch for jumps: `handlers/node/SystemTime.ts` does, where a monotonic clock stands beside the wall's.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Time } from "../../effects/Time.ts"

/** `offsetMillis` is added to every reading: a device whose clock is wrong by that much. */
export const layer = (options: { readonly offsetMillis?: number } = {}): Layer.Layer<Time> =>
  Layer.effect(
    Time,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const offsetMillis = options.offsetMillis ?? 0
      let latestMillis = -Infinity
      return Time.of({
        now: () => {
          latestMillis = Math.max(latestMillis, clock.currentTimeMillisUnsafe() + offsetMillis)
          return { millis: latestMillis, uncertaintyMillis: Infinity, status: "Unchecked" }
        }
      })
    })
  )
