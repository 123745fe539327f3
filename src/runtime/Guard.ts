/**
 * The only door to the network: what leaves for a peer was permitted first, and nothing else leaves.
 *
 * Stages, in order; the first that refuses ends it and nothing is sent:
 *   1. capability: the peer may read the space, as this replica's authority stands now
 *   2. journal: what is sent is durable here (runs come from the store, never from memory that is not)
 * Messages that say nothing of a space (greetings, credits) need no capability. A refusal is counted
 * and logged as a security event; the peer sees the same silence as for a space that does not exist.
 */
import * as Effect from "effect/Effect"
import type { Connection, NetworkError } from "../effects/Network.ts"
import { frameBytesMax } from "../effects/Network.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Message from "../sync/Message.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import type { Ledger } from "./Ledger.ts"

/** What a device needs to be told what is in a space. */
export const spaceRead = capability("space:read")

/** Whether a device may read a space now: a member, not revoked, holding `space:read`. */
export const mayRead = (ledger: Ledger, peer: DeviceId, time: number): boolean => {
  const authority = ledger.authority
  if (authority === undefined) return false
  const view = Authority.present(authority)
  return (
    Authority.isAdmitted(authority, view, peer) &&
    !Authority.isRevoked(authority, peer) &&
    Authority.holds(authority, view, peer, spaceRead, time) !== undefined
  )
}

/** Sends a message if its space, when it has one, may be read by the peer. Returns whether it went. */
export const send = Effect.fnUntraced(function* (
  connection: Connection,
  message: Message.Message,
  space: { readonly id: SpaceId; readonly ledger: Ledger; readonly time: number } | undefined
): Effect.fn.Return<boolean, NetworkError> {
  if (isTelling(message) && (space === undefined || !mayRead(space.ledger, connection.peer, space.time))) {
    yield* Metrics.refused("space:read")
    return false
  }
  const frame = Message.encode(message)
  if (frame.length > frameBytesMax) throw new RangeError(`a message of ${frame.length} bytes`)
  yield* connection.send(frame)
  return true
})

/** Messages that tell something of a space's content. */
const isTelling = (message: Message.Message): boolean =>
  message._tag === "Run" || message._tag === "Have" || message._tag === "Fork" || message._tag === "Want"
