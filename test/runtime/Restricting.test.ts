/** What a late restriction costs: how long it takes is told, and what it leaves alone is not touched. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { make as effectTelemetry } from "../../src/observability/EffectTelemetry.ts"
import { Telemetry, type Effected } from "../../src/observability/Telemetry.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { bob, during, founded, head, installation, keysOf, revoke, right, runOf, say, script, set } from "./fixtures.ts"

const observer = keysOf(77)

/** Bob wrote four entries; Alice revokes him behind the second or the last. */
const story = () => {
  const { authority, space } = founded([[bob, right("*", 1)]])
  const admitted = head(authority)
  const data = script(space, bob, "data")
  for (const value of ["1", "2", "3", "4"])
    say(data, { facts: [set("k", value)], seen: value === "1" ? [admitted] : [] })
  return { admitted, authority, data, space }
}

describe("the time from a restriction to its effect", () => {
  for (const [outcome, seq] of [
    ["folded", 1],
    ["noted", 3]
  ] as const)
    it.live(`is told once readers were, and what it meant: ${outcome}`, () =>
      Effect.gen(function* () {
        const { admitted, authority, data, space } = story()
        const told: Array<readonly [Effected, number]> = []
        const on = installation(observer)
        const telemetry = {
          ...(yield* Telemetry),
          restricted: (...one: readonly [Effected, number]) => void told.push(one)
        }
        yield* during(
          on,
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            yield* replica.receive([runOf(authority), runOf(data)])
            assert.deepStrictEqual(told, [])
            say(authority, { facts: [revoke(bob.device, admitted, [head(authority), head(data, seq)])] })
            const order: Array<string> = []
            replica.listen(() => {
              order.push(`reader, ${told.length} told`)
              on.clock.millis += 250
            })
            yield* replica.receive([runOf(authority)])
            assert.deepStrictEqual(order, ["reader, 0 told"])
            assert.deepStrictEqual(told, [[outcome, 0.25]])
            yield* replica.refresh
            assert.lengthOf(told, 1)
          })
        ).pipe(Effect.provideService(Telemetry, telemetry))
      })
    )

  it.effect("is a metric with one bounded label", () =>
    Effect.gen(function* () {
      const registry: typeof Metric.MetricRegistry.Service = new Map()
      const told = yield* Effect.provideService(effectTelemetry, Metric.MetricRegistry, registry)
      told.restricted("noted", 0.01)
      told.restricted("folded", 0.2)
      told.restricted("folded", 0.3)
      assert.deepStrictEqual(
        [...registry.values()]
          .filter(({ id }) => id.startsWith("aura_revocation"))
          .map(({ attributes, id }) => [id, attributes]),
        [
          ["aura_revocation_effect_seconds", { outcome: "noted" }],
          ["aura_revocation_effect_seconds", { outcome: "folded" }]
        ]
      )
    })
  )
})
