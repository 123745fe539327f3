/** A replica that hears what others said, in whatever order, and what came of it in a few figures. */
import * as Effect from "effect/Effect"
import * as Frontier from "../../src/journal/Frontier.ts"
import * as State from "../../src/journal/crdt/State.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import type { Replica } from "../../src/runtime/Replica.ts"
import { entriesOf } from "./fixtures.ts"

/** Hears everything in order, and then again what came too early, as long as that helps. */
export const hear = Effect.fnUntraced(function* (replica: Replica, deliveries: ReadonlyArray<Delivery>) {
  for (let left = deliveries, before = Infinity; left.length > 0 && left.length < before;) {
    before = left.length
    const early: Array<Delivery> = []
    for (const delivery of left) {
      const [outcome] = yield* replica.receive([delivery])
      if (outcome?._tag === "Detached" || outcome?._tag === "Unwanted") early.push(delivery)
    }
    left = early
  }
})

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** `root`: digest of the frontier, which names every entry by its chain; `state`: digest of what the application sees. */
export const outcomeOf = (replica: Replica) => {
  const ledger = replica.ledger()
  return {
    root: hexOf(Frontier.digest(Ledger.frontier(ledger))),
    state: hexOf(State.digest(ledger.state)),
    feeds: ledger.lines.size,
    forks: ledger.forks.size,
    quarantined: ledger.quarantine.size,
    applied: ledger.applied,
    keys: Object.keys(entriesOf(replica)).length
  }
}
