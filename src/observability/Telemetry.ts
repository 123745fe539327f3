/**
 * Who is told in numbers and spans what the program does: nobody, unless the environment provides somebody.
 *
 * The portable part knows this contract alone, for a page would load metrics and a tracer that nobody there reads.
 * EffectTelemetry.ts passes everything on to Effect's; `aura/server` provides it. What is told here is not the log.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Outcomes of an operation. */
export type Outcome = "performed" | "denied" | "failed"

/** What a restriction meant for the books of a device: nothing that was judged fell, or state was folded anew. */
export type Effected = "noted" | "folded"

/** What became of a call to a store. */
export type Stored = "ok" | "failed"

/** Records outcome and duration of operations of one type; synchronous, for hot paths. */
export type OperationRecorder = (outcome: Outcome, seconds: number) => void

/** Labels are bounded and hold no ids (Metrics.ts). */
export interface Told {
  readonly operationRecorder: (type: string) => OperationRecorder
  readonly applied: (count: number) => void
  readonly quarantined: (count: number) => void
  readonly acknowledged: (seconds: number) => void
  readonly restricted: (outcome: Effected, seconds: number) => void
  readonly refused: (reason: string) => void
  readonly connected: (count: number) => void
  readonly charged: (units: number) => void
  readonly exhausted: () => void
  /** `effect` and `method` are those of a contract: "journal", "commit". */
  readonly stored: (effect: string, method: string, outcome: Stored, seconds: number) => void
  readonly ready: (part: string, ok: boolean) => void
  readonly span: <A, E, R>(name: string, work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

const ignore = (): void => {}

const nobody: Told = {
  operationRecorder: () => ignore,
  applied: ignore,
  quarantined: ignore,
  acknowledged: ignore,
  restricted: ignore,
  refused: ignore,
  connected: ignore,
  charged: ignore,
  exhausted: ignore,
  stored: ignore,
  ready: ignore,
  span: (_, work) => work
}

export const Telemetry = Context.Reference<Told>("aura/observability/Telemetry", { defaultValue: () => nobody })

/** Like `Effect.fn`, for a service's edge: each call is a span of this name for whoever is told. */
export const fn =
  (name: string) =>
  <Step extends Effect.Effect<unknown, unknown, unknown>, A, Args extends Array<unknown>>(
    body: (...args: Args) => Generator<Step, A, never>
  ) => {
    const run = Effect.fnUntraced(body)
    return (...args: Args) => Telemetry.use((told) => told.span(name, run(...args)))
  }
