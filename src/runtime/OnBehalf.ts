/**
 * Entries that one device writes for another: judged at the meet of both, by everybody, from what the entry carries.
 *
 * The requester's signature was checked when the run came in, like the run's own (runtime/Arrivals.ts), so here it is
 * enough that there is one. The requester is judged by what the entry had seen, restrictions included: the feed is not
 * his, so no cut on him names it, and who writes for others answers for having looked.
 */
import * as Effect from "effect/Effect"
import type { Keys, KeysError } from "../effects/Keys.ts"
import type { DeviceId } from "../identity/Id.ts"
import type * as Entry from "../journal/Entry.ts"
import * as Request from "../journal/Request.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"

/** What a device wants another one to write for it. `payload` = the payload's JSON as it is sent. */
export interface Wish extends Omit<Request.Asked, "requester" | "payload"> {
  readonly payload: string
}

/** Signs a wish with this device's key: for the device that is named, for a day, once. */
export const sign = (
  keys: Pick<Keys["Service"], "device" | "sign">,
  { payload, ...wish }: Wish
): Effect.Effect<Required<Request.Request>, KeysError> => {
  const asked = { ...wish, requester: keys.device, payload: Request.payloadDigest(payload) }
  return Effect.map(keys.sign(Request.message(asked)), (signature) => ({
    requester: keys.device,
    key: wish.key,
    envelope: { payload: asked.payload, time: wish.time, signature }
  }))
}

/** Why an entry may not be written for whom it names, as far as that does not hang on what it changes. */
export const refusalOf = (
  authority: Authority.Authority,
  view: Authority.View,
  { facts, request }: Pick<Entry.Body, "facts" | "request">,
  time: number
): Decision.Refusal | undefined => {
  if (request === undefined) return undefined
  const { envelope, requester } = request
  // the signature names one operation
  if (envelope === undefined || facts.length !== 1) return { _tag: "RequestForeign", requester }
  if (Math.abs(time - envelope.time) > Request.requestAgeMax)
    return { _tag: "RequestStale", requester, time: envelope.time }
  return strangenessOf(authority, view, requester)
}

/** Why a device is no member within a view; undefined when it is one. Revocations count as far as the view has seen. */
export const strangenessOf = (
  authority: Authority.Authority,
  view: Authority.View,
  device: DeviceId
): Decision.Refusal | undefined => {
  if (!Authority.isAdmitted(authority, view, device)) return { _tag: "NotAdmitted", device }
  const revocation = Authority.revocations(authority, device).find(({ node }) => Authority.hasSeen(view, node))
  return revocation === undefined ? undefined : Decision.revokedBy(revocation)
}
