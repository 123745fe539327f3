/**
 * Closes what has run out: so that nobody can still write "before it ended" when it has (trust/Expiry.ts).
 *
 * Who gave a grant closes it when even a clock that is as slow as clocks may be says that it is over; whoever else may
 * withdraw delegations follows an hour later, if nobody did. A closing leaves alone all that its author has by then.
 */
import * as Effect from "effect/Effect"
import type { DeviceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import * as Expiry from "../trust/Expiry.ts"
import * as Governing from "./Governing.ts"
import type { Replica } from "./Replica.ts"

/** What others wait after who gave it. */
export const graceMillis = 60 * 60_000

/** When there will be something to close next, by the authority that it was found for. */
const ends = new WeakMap<Authority.Authority, number>()

/** Writes the closings that are due; how many. A refusal means that this device may not, and is nobody's failure. */
export const closeEnded = Effect.fnUntraced(function* (
  replica: Replica,
  self: DeviceId,
  nowMillis: number
): Effect.fn.Return<number> {
  const { authority } = replica.ledger()
  if (authority === undefined || Authority.isRevoked(authority, self)) return 0
  const now = Clock.fromMillis(nowMillis - Clock.driftMaxMillis)
  const next = ends.get(authority) ?? Expiry.nextEnd(authority) ?? Number.POSITIVE_INFINITY
  ends.set(authority, next)
  if (next >= now) return 0
  let closed = 0
  for (const { device, giver, grant, until } of Expiry.unclosed(authority, now)) {
    const isOurs = giver === self
    const isLate = Clock.toMillis(until) + graceMillis < Clock.toMillis(now)
    if (!isOurs && !(isLate && mayClose(authority, self, device, now))) continue
    const act: Governing.Act = { _tag: "Withdraw", device, what: { grant }, reason: "it has run out" }
    const written = yield* Effect.result(Governing.perform(replica, self, act))
    if (written._tag === "Success") closed++
    else yield* Effect.logWarning("a grant that has run out could not be closed", written.failure.message)
  }
  return closed
})

const mayClose = (authority: Authority.Authority, self: DeviceId, device: DeviceId, time: number): boolean =>
  Authority.holds(authority, Authority.present(authority), self, capability(`delegation:revoke/${device}`), time) !==
  undefined
