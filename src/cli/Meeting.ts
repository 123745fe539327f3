/** Bringing a space level with one peer: connect, exchange until neither lacks anything, and say how it went. */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { DeviceId } from "../identity/Id.ts"
import type { Link } from "../runtime/Link.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Revocation from "../runtime/Revocation.ts"

/** How often a link is asked whether it is done. */
const pollMillis = 15

/**
 * Waits until both sides have what the other claims to have; none when the time is over. A device that learns that it was
 * put out is done, and one that knows it already when it has what it is told: what it gives is taken no more.
 */
export const level = (
  link: Link,
  replica: Replica,
  device: DeviceId,
  timeoutSeconds: number
): Effect.Effect<Option.Option<void>> => {
  const isOut = (): boolean => Revocation.of(replica.ledger(), device) !== undefined
  const wasOut = isOut()
  const isDone = (): boolean =>
    (isOut() && !wasOut) || (link.isCaughtUp(replica.space) && (isOut() || link.isServed(replica.space)))
  return Effect.suspend(() => (isDone() ? Effect.void : Effect.fail("not yet" as const))).pipe(
    Effect.retry({ schedule: Schedule.spaced(pollMillis) }),
    Effect.ignore,
    Effect.timeoutOption(timeoutSeconds * 1000)
  )
}

/** Entries here, judged or not. */
export const entriesOf = (replica: Replica): number => {
  let entries = 0
  for (const { seq } of Ledger.frontier(replica.ledger()).values()) entries += seq + 1
  return entries
}
