/**
 * Telemetry by Effect's metrics and tracer: every metric's name, unit and description in one place; `/metrics` shows
 * them in Prometheus' text format. Two instances in one process share a metric of the same name.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Telemetry, type OperationRecorder, type Outcome, type Told } from "./Telemetry.ts"

const operations = (type: string, outcome: Outcome) =>
  Metric.counter("aura_operations_total", {
    description: "Operations performed, by type and outcome",
    incremental: true,
    attributes: { type, outcome }
  })

const operationSeconds = (type: string) =>
  Metric.histogram("aura_operation_duration_seconds", {
    description: "Time from asking for an operation to its being durable here",
    boundaries: operationBoundaries,
    attributes: { type }
  })

const operationBoundaries = Metric.exponentialBoundaries({ start: 0.0005, factor: 2, count: 14 })

const entries = Metric.counter("aura_journal_entries_total", {
  description: "Journal entries applied on this device, own and others'",
  incremental: true
})

const quarantined = Metric.gauge("aura_journal_quarantined_entries", {
  description: "Entries judged invalid, kept and not applied"
})

const latencySeconds = Metric.histogram("aura_network_latency_seconds", {
  description: "Time from sending a run to the peer's acknowledgement that it is durable there",
  boundaries: Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 14 })
})

const effectSeconds = Metric.histogram("aura_revocation_effect_seconds", {
  description: "Time from taking a restriction up, until the books showed its effect and readers were told",
  boundaries: Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 14 })
})

const refusals = Metric.counter("aura_denials_total", {
  description: "Refused requests, messages and entries, by reason",
  incremental: true
})

const peers = Metric.gauge("aura_peers_connected", { description: "Devices connected now" })

const charges = Metric.counter("aura_flow_charged_units_total", {
  description: "Units of flow spent on sending: one per message that tells of a space, and one per started KiB of it",
  incremental: true
})

const exhaustions = Metric.counter("aura_flow_exhausted_total", {
  description: "Times that a peer was sent no more of a space, because what may be spent on it in the hour was spent",
  incremental: true
})

const readiness = Metric.gauge("aura_ready", { description: "1 where a part of the server can do its work, else 0" })

const storeSeconds = Metric.histogram("aura_store_duration_seconds", {
  description: "Time that a call to the journal store or the blob store took, by effect, method and outcome",
  boundaries: Metric.exponentialBoundaries({ start: 0.0001, factor: 2.5, count: 14 })
})

/** Tells the metrics' registry of the fiber that makes it, and the tracer of whoever is traced. */
export const make: Effect.Effect<Told> = Effect.contextWith((context: Context.Context<never>) => {
  // what every dashboard asks for is there before there is anything to tell
  for (const metric of [entries, latencySeconds]) metric.valueUnsafe(context)
  return Effect.succeed<Told>({
    operationRecorder: (type) => operationRecorder(context, type),
    applied: (count) => entries.updateUnsafe(count, context),
    quarantined: (count) => quarantined.updateUnsafe(count, context),
    acknowledged: (seconds) => latencySeconds.updateUnsafe(seconds, context),
    restricted: (outcome, seconds) => Metric.withAttributes(effectSeconds, { outcome }).updateUnsafe(seconds, context),
    refused: (reason) => Metric.withAttributes(refusals, { reason }).updateUnsafe(1, context),
    connected: (count) => peers.updateUnsafe(count, context),
    charged: (units) => charges.updateUnsafe(units, context),
    exhausted: () => exhaustions.updateUnsafe(1, context),
    stored: storeRecorder(context),
    ready: (part, ok) => Metric.withAttributes(readiness, { part }).updateUnsafe(ok ? 1 : 0, context),
    span: (name, work) => Effect.withSpan(work, name)
  })
})

export const layer: Layer.Layer<never> = Layer.effect(Telemetry, make)

const withLabels = (labels: Readonly<Record<string, string>>) => Metric.withAttributes(storeSeconds, labels)

/** A series is found once. */
const storeRecorder = (context: Context.Context<never>): Told["stored"] => {
  const known = new Map<string, ReturnType<typeof withLabels>>()
  return (effect, method, outcome, seconds) => {
    const name = `${effect} ${method} ${outcome}`
    const metric = known.get(name) ?? withLabels({ effect, method, outcome })
    known.set(name, metric)
    metric.updateUnsafe(seconds, context)
  }
}

/**
 * What is recorded is only counted here, and shown when the registry is asked: finding a series anew for each operation
 * costs as much as signing it.
 */
const operationRecorder = (context: Context.Context<never>, type: string): OperationRecorder => {
  const tally = tallyOf(context, type)
  return (outcome, seconds) => {
    if (tally.counts[outcome] === 0) showCount(context, type, outcome, tally)
    tally.counts[outcome]++
    let bucket = 0
    while (bucket < operationBoundaries.length && seconds > operationBoundaries[bucket]!) bucket++
    tally.buckets[bucket]!++
    tally.sum += seconds
    if (seconds < tally.min) tally.min = seconds
    if (seconds > tally.max) tally.max = seconds
  }
}

/** What was recorded of one operation type. */
interface Tally {
  readonly counts: { [outcome in Outcome]: number }
  /** How many took at most so long as the boundary at the same place, and longer than the one before; then the rest. */
  readonly buckets: Array<number>
  sum: number
  min: number
  max: number
}

/** By registry and type: all instances that share a registry count into one. */
const tallies = new WeakMap<object, Map<string, Tally>>()

const tallyOf = (context: Context.Context<never>, type: string): Tally => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const byType = tallies.get(registry) ?? new Map<string, Tally>()
  tallies.set(registry, byType)
  const known = byType.get(type)
  if (known !== undefined) return known
  const tally: Tally = {
    counts: { performed: 0, denied: 0, failed: 0 },
    buckets: Array.from({ length: operationBoundaries.length + 1 }, () => 0),
    sum: 0,
    min: Number.MAX_VALUE,
    max: -Number.MAX_VALUE
  }
  byType.set(type, tally)
  const get = (): Metric.HistogramState => {
    let cumulated = 0
    const buckets = operationBoundaries.map((boundary, at): [number, number] => [
      boundary,
      (cumulated += tally.buckets[at]!)
    ])
    const { max, min, sum } = tally
    return { buckets, count: cumulated + tally.buckets[buckets.length]!, min, max, sum }
  }
  Metric.registerUnsafe(operationSeconds(type), context, { get, update: ignore, modify: ignore })
  return tally
}

const showCount = (context: Context.Context<never>, type: string, outcome: Outcome, { counts }: Tally): void => {
  const get = (): Metric.CounterState<number> => ({ count: counts[outcome], incremental: true })
  Metric.registerUnsafe(operations(type, outcome), context, { get, update: ignore, modify: ignore })
}

const ignore = (): void => {}
