/**
 * What an agent does by itself while nobody says a word: held entries come of age, books that lag are read back, grants that
 * ran out are closed, hours are summed up; and the log is told when this device was put out of a space.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Schedule from "effect/Schedule"
import type { Time } from "../effects/Time.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Budget from "../trust/Budget.ts"
import * as Closing from "./Closing.ts"
import type { Replica } from "./Replica.ts"
import * as Revocation from "./Revocation.ts"
import * as Summaries from "./Summaries.ts"
import { authorityWrite } from "./Write.ts"

export interface Options {
  readonly device: DeviceId
  readonly replicas: () => ReadonlyArray<Replica>
  readonly time: Time["Service"]
}

/** Until the scope ends. */
export const start = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<void, never, Scope.Scope> {
  const { device, replicas, time } = options
  const revokedIn = new Set<SpaceId>()
  const forEachReplica = (work: (replica: Replica) => Effect.Effect<void>) =>
    Effect.suspend(() => Effect.forEach(replicas(), work, { discard: true }))
  yield* forEachReplica(refresh).pipe(
    Effect.andThen(forEachReplica((replica) => Closing.closeEnded(replica, device, time.now().millis))),
    Effect.andThen(forEachReplica((replica) => tellRevocation(replica, device, revokedIn))),
    Effect.repeat(Schedule.spaced("10 seconds")),
    Effect.forkScoped
  )
  if (!(yield* Summaries.Summarizing)) return
  yield* forEachReplica((replica) => sumUp(replica, options)).pipe(
    Effect.repeat(Schedule.spaced("5 minutes")),
    Effect.forkScoped
  )
})

const refresh = (replica: Replica): Effect.Effect<void> =>
  replica.isLagging() || hasHeld(replica)
    ? replica.refresh.pipe(
        Effect.catch((error) => Effect.logWarning("the journal store can't be read back yet", error.message))
      )
    : Effect.void

const hasHeld = (replica: Replica): boolean =>
  [...replica.ledger().lines.values()].some((line) => line.blocked?._tag === "Held")

/** `revokedIn`: spaces whose books say that this device was put out, as far as the log was told. */
const tellRevocation = (replica: Replica, device: DeviceId, revokedIn: Set<SpaceId>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const revoked = Revocation.of(replica.ledger(), device)
    if ((revoked !== undefined) === revokedIn.has(replica.space)) return Effect.void
    if (revoked === undefined) {
      revokedIn.delete(replica.space)
      return Effect.logInfo("this device is a member again", { space: replica.space })
    }
    revokedIn.add(replica.space)
    return Effect.logWarning(`security event: ${revoked.message}`, { space: replica.space, by: revoked.by })
  })

/** Writes what is due of summaries. */
const sumUp = (replica: Replica, { device, time }: Options): Effect.Effect<void> =>
  Effect.gen(function* () {
    const facts = yield* Summaries.due(replica, device, Budget.epochOf(time.now().millis))
    if (facts.length > 0) yield* replica.write(authorityWrite(facts))
  }).pipe(Effect.catch((error) => Effect.logWarning("what was spent could not be summed up yet", error.message)))
