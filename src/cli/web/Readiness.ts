/**
 * Whether a server can do its work: the journal takes a durable write, the clock is believable, the device key signs.
 *
 * Each is tried, not assumed: a row of a few bytes is committed to the journal store, a tagged message is signed. What
 * was found is remembered for five seconds, so that probes and open pages cost one trial between them; a trial that
 * takes longer than three seconds counts as failed.
 */
import * as Effect from "effect/Effect"
import type { JournalStore } from "../../effects/JournalStore.ts"
import type { Keys } from "../../effects/Keys.ts"
import type { Time } from "../../effects/Time.ts"
import { domain } from "../../identity/Hash.ts"
import type { SpaceId } from "../../identity/Id.ts"
import type { Check, Readiness } from "./Site.ts"

export interface Parts {
  readonly store: JournalStore["Service"]
  readonly keys: Pick<Keys["Service"], "sign">
  readonly time: Time["Service"]
  readonly space: SpaceId
}

export const make = ({ keys, space, store, time }: Parts): Effect.Effect<Effect.Effect<Readiness>> =>
  Effect.cachedWithTTL(
    Effect.map(
      Effect.all(
        [
          tried(
            "journal",
            "takes writes",
            store.commit({ space, locals: [{ name: rowName, bytes: new Uint8Array([1]) }] })
          ),
          Effect.sync(() => clockCheck(time)),
          tried("keys", "the device key signs", keys.sign(probeDomain))
        ],
        { concurrency: "unbounded" }
      ),
      (checks) => ({ ok: checks.every(({ ok }) => ok), checks })
    ),
    "5 seconds"
  )

const rowName = "readiness"
const probeDomain = domain("aura/readiness/v1")

interface Reasoned {
  readonly reason: { readonly _tag: string }
}

/** Tells strangers the kind of failure, the log the whole of it. */
const tried = <A>(name: string, what: string, trial: Effect.Effect<A, Reasoned>): Effect.Effect<Check> =>
  trial.pipe(
    Effect.as({ name, ok: true, what }),
    Effect.timeoutOrElse({
      duration: "3 seconds",
      orElse: () => Effect.succeed({ name, ok: false, what: "does not answer" })
    }),
    Effect.catch((error) =>
      Effect.as(Effect.logWarning(`not ready: ${name}`, String(error)), { name, ok: false, what: error.reason._tag })
    )
  )

const clockCheck = (time: Time["Service"]): Check => {
  const { status } = time.now()
  const what = { Synced: "checked against others", Unchecked: "the system's, believed", Stepped: "it just jumped" }[
    status
  ]
  return { name: "clock", ok: status !== "Stepped", what }
}
