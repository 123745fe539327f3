/**
 * Every metric's name, unit and labels, in one place; `/metrics` shows them in Prometheus' text format.
 *
 * Labels are bounded: operation types of the application (anything else counts as `other`), outcomes, reasons. No ids:
 * a device or a space in a label would link what spaces keep apart, and grow without end. Two instances in one process
 * share a metric of the same name.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const operations = (type: string, outcome: Outcome) =>
  Metric.counter("aura_operations_total", {
    description: "Operations performed, by type and outcome",
    incremental: true,
    attributes: { type, outcome }
  })

const operationSeconds = (type: string) =>
  Metric.histogram("aura_operation_duration_seconds", {
    description: "Time from asking for an operation to its being durable here",
    boundaries: Metric.exponentialBoundaries({ start: 0.0005, factor: 2, count: 14 }),
    attributes: { type }
  })

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

const refusals = Metric.counter("aura_denials_total", {
  description: "Refused requests, messages and entries, by reason",
  incremental: true
})

const peers = Metric.gauge("aura_peers_connected", { description: "Devices connected now" })

/** Outcomes of an operation. */
export type Outcome = "performed" | "denied" | "failed"

/** Records outcome and duration of operations of one type; synchronous, for hot paths. */
export type OperationRecorder = (outcome: Outcome, seconds: number) => void

/** `type` comes from the application's definition, never from a peer's words. Make it once per type. */
export const operationRecorder = (type: string): Effect.Effect<OperationRecorder> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const duration = operationSeconds(type)
    const counts = {
      performed: operations(type, "performed"),
      denied: operations(type, "denied"),
      failed: operations(type, "failed")
    }
    return Effect.succeed((outcome, seconds) => {
      counts[outcome].updateUnsafe(1, context)
      duration.updateUnsafe(seconds, context)
    })
  })

/** Counts entries applied; synchronous. Make it once. */
export const appliedRecorder: Effect.Effect<(count: number) => void> = Effect.contextWith(
  (context: Context.Context<never>) => Effect.succeed((count) => entries.updateUnsafe(count, context))
)

export const quarantine = (count: number): Effect.Effect<void> => Metric.update(quarantined, count)

export const acknowledged = (seconds: number): Effect.Effect<void> => Metric.update(latencySeconds, seconds)

/** `reason` is one of the program's own words. */
export const refused = (reason: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(refusals, { reason }), 1)

export const connected = (count: number): Effect.Effect<void> => Metric.update(peers, count)
