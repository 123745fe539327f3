/** What the HTTP side of a server is given: the agent, one space of it, and what the server knows about itself. */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { JournalStore } from "../../effects/JournalStore.ts"
import type { Time } from "../../effects/Time.ts"
import type { Verifier } from "../../effects/Verifier.ts"
import type { Agent } from "../../runtime/Agent.ts"
import type * as App from "../../runtime/App.ts"
import type { Replica } from "../../runtime/Replica.ts"
import * as Authority from "../../trust/Authority.ts"
import type { Definition } from "../../trust/Definition.ts"

/** One thing that has to work. `what` is read by strangers too: no paths, no names of others, no secrets. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly what: string
}

export interface Readiness {
  readonly ok: boolean
  readonly checks: ReadonlyArray<Check>
}

export interface Site {
  readonly agent: Agent["Service"]
  readonly replica: Replica
  readonly store: JournalStore["Service"]
  readonly verifier: Verifier["Service"]
  readonly time: Time["Service"]
  /** The application's code; undefined: this device relays and verifies, and knows only the definition. */
  readonly app: App.AnyApp | undefined
  /** Asked by every probe and by open pages every two seconds: cheap, or remembered for a moment. */
  readonly ready: Effect.Effect<Readiness>
  /** Makes a pairing code with the rights that `aura pair` would give. Only the page on this machine asks for it. */
  readonly pair: Effect.Effect<Redacted.Redacted<string>, { readonly message: string }>
  /** What else the page on this machine shows of the server: data directory, key protection. */
  readonly facts: ReadonlyArray<{ readonly name: string; readonly text: string }>
  readonly startedMillis: number
  /** How `aura` is called in this directory, for lines that people copy; without it, as this process was. */
  readonly command?: (words: ReadonlyArray<string>) => string
}

/** The rules of the space: those of the code that runs, else the newest that the journal has. */
export const definitionOf = ({ app, replica }: Pick<Site, "app" | "replica">): Definition | undefined => {
  const authority = replica.ledger().authority
  return app?.definition ?? (authority === undefined ? undefined : Authority.definitions(authority).at(-1))
}
