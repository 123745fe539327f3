/** Who is told what an agent does: nobody by itself, Effect's metrics and tracer where the environment says so. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Tracer from "effect/Tracer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { app } from "../../examples/tasks/app.ts"
import * as DataDirectory from "../../src/handlers/node/DataDirectory.ts"
import * as NodeEffects from "../../src/handlers/node/NodeEffects.ts"
import { deviceId } from "../../src/identity/Id.ts"
import { layer as layerTelemetry } from "../../src/observability/EffectTelemetry.ts"
import { Telemetry } from "../../src/observability/Telemetry.ts"
import * as Aura from "../../src/runtime/Aura.ts"
import { createTestEffects } from "../../src/simulation/Aura.ts"

const root = deviceId(new Uint8Array(32).fill(9))

/** A registry and a tracer of its own. */
const witness = () => {
  const registry: typeof Metric.MetricRegistry.Service = new Map()
  const spans: Array<string> = []
  const tracer = Tracer.make({
    span: (options) => {
      spans.push(options.name)
      return new Tracer.NativeSpan(options)
    }
  })
  return {
    spans,
    names: () => [...registry.values()].map(({ id }) => id),
    layer: Layer.mergeAll(Layer.succeed(Metric.MetricRegistry, registry), Layer.succeed(Tracer.Tracer, tracer))
  }
}

const addMilk = async (effects: Layer.Layer<Aura.Effects>): Promise<void> => {
  const aura = await Aura.open({ app, effects, found: { root } })
  await aura.perform("add", { title: "milk" })
  await aura.close()
}

describe("what an agent does", () => {
  it("is told to nobody where the environment says nothing", async () => {
    const told = witness()
    await addMilk(createTestEffects(1).pipe(Layer.provideMerge(told.layer)))
    assert.deepStrictEqual([told.names(), told.spans], [[], []])
  })

  it("is told to Effect's metrics and tracer where they are wanted", async () => {
    const told = witness()
    const effects = createTestEffects(1).pipe(Layer.provideMerge(layerTelemetry), Layer.provideMerge(told.layer))
    await addMilk(effects)
    assert.includeMembers(told.names(), ["aura_operations_total", "aura_journal_entries_total"])
    assert.deepStrictEqual(told.spans, ["Agent.createSpace", "Replica.open", "Operations.define"])
  })

  it.live("is told on a server", () =>
    Effect.gen(function* () {
      const told = witness()
      const path = mkdtempSync(join(tmpdir(), "aura-telemetry-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(path, { recursive: true })))
      const home = yield* DataDirectory.open(path)
      const services = yield* Layer.build(NodeEffects.stores(home).pipe(Layer.provideMerge(told.layer)))
      Context.get(services, Telemetry).refused("test")
      assert.include(told.names(), "aura_denials_total")
    }).pipe(Effect.scoped)
  )
})
