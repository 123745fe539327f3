/** Tells how long a store takes, and draws its calls as spans, for whoever is told (observability/Telemetry.ts). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Telemetry } from "../../observability/Telemetry.ts"
import type { Wrapper } from "./Wrapper.ts"

/** `aura_store_duration_seconds{effect,method,outcome}`: labels are words of ours alone. */
export const metrics: Wrapper = () =>
  Telemetry.useSync(
    ({ stored }) =>
      (call, work) =>
        Effect.flatMap(Clock.currentTimeNanos, (start) =>
          Effect.onExit(work, (exit) =>
            Effect.map(Clock.currentTimeNanos, (end) => {
              stored(call.effect, call.method, Exit.isSuccess(exit) ? "ok" : "failed", Number(end - start) / 1e9)
            })
          )
        )
  )

/** A span for each call: `journal.commit`. */
export const tracing: Wrapper = () =>
  Telemetry.useSync(
    ({ span }) =>
      (call, work) =>
        span(`${call.effect}.${call.method}`, work)
  )
