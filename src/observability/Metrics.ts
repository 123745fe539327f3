/**
 * What the program counts and measures, as one function each, for whoever is told (Telemetry.ts).
 *
 * Labels are bounded: operation types of the application (anything else counts as `other`), outcomes, reasons. No ids:
 * a device or a space in a label would link what spaces keep apart, and grow without end.
 */
import type * as Effect from "effect/Effect"
import { Telemetry, type Effected, type OperationRecorder } from "./Telemetry.ts"

/** `type` comes from the application's definition, never from a peer's words. Make it once per type. */
export const operationRecorder = (type: string): Effect.Effect<OperationRecorder> =>
  Telemetry.useSync((told) => told.operationRecorder(type))

/** Counts entries applied; synchronous. Make it once. */
export const appliedRecorder: Effect.Effect<(count: number) => void> = Telemetry.useSync((told) => told.applied)

export const quarantine = (count: number): Effect.Effect<void> => Telemetry.useSync((told) => told.quarantined(count))

export const acknowledged = (seconds: number): Effect.Effect<void> =>
  Telemetry.useSync((told) => told.acknowledged(seconds))

/** Records how long a restriction took until the books showed it and readers were told; synchronous. Make it once. */
export const restrictedRecorder: Effect.Effect<(outcome: Effected, seconds: number) => void> = Telemetry.useSync(
  (told) => told.restricted
)

/** `reason` is one of the program's own words. */
export const refused = (reason: string): Effect.Effect<void> => Telemetry.useSync((told) => told.refused(reason))

export const connected = (count: number): Effect.Effect<void> => Telemetry.useSync((told) => told.connected(count))

/** Counts units of flow as they are spent; synchronous. Make it once. */
export const chargedRecorder: Effect.Effect<(units: number) => void> = Telemetry.useSync((told) => told.charged)

export const exhausted: Effect.Effect<void> = Telemetry.useSync((told) => told.exhausted())

/** `part` is one of the program's own words. */
export const readiness = (part: string, ok: boolean): Effect.Effect<void> =>
  Telemetry.useSync((told) => told.ready(part, ok))
