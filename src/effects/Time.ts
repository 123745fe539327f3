/** What time it is and how sure we are: what we ask of a system clock, NTP or a browser's performance clock. */
import * as Context from "effect/Context"

/** `Synced` = checked against other clocks; `Unchecked` = the system clock, believed; `Stepped` = it just jumped. */
export type TimeStatus = "Synced" | "Unchecked" | "Stepped"

export interface Reading {
  /** Milliseconds since 1970-01-01 UTC, offset applied. Never runs backwards within one process. */
  readonly millis: number
  /** The true time lies within ± this, as far as known; Infinity when unknown. */
  readonly uncertaintyMillis: number
  readonly status: TimeStatus
}

export class Time extends Context.Service<
  Time,
  {
    /** Synchronous and cheap: the journal asks for every entry. */
    readonly now: () => Reading
  }
>()("aura/effects/Time") {}
