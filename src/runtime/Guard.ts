/**
 * The only door to the network: what leaves for a peer was permitted first, and nothing else leaves.
 *
 * Stages, in order; the first that refuses ends it and nothing is sent:
 *   1. capability: the peer may read the space, as this replica's authority stands now; one that was put out may still be
 *      told that, and nothing else (runtime/Revocation.ts)
 *   2. journal: what is sent is durable here (runs come from the store, never from memory that is not)
 * Messages that say nothing of a space (greetings, credits) need no capability. A refusal is counted
 * and logged as a security event; the peer sees the same silence as for a space that does not exist.
 */
import * as Effect from "effect/Effect"
import type { Connection, NetworkError } from "../effects/Network.ts"
import { frameBytesMax } from "../effects/Network.ts"
import * as Result from "effect/Result"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Run from "../journal/Run.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Message from "../sync/Message.ts"
import * as Authority from "../trust/Authority.ts"
import type { Ledger } from "./Ledger.ts"
import * as Revocation from "./Revocation.ts"

/** Whether a device may read a space now: a member, not revoked, holding `space:read`. */
export const mayRead = (ledger: Ledger, peer: DeviceId, time: number): boolean => {
  const authority = ledger.authority
  if (authority === undefined) return false
  const view = Authority.present(authority)
  return (
    Authority.isAdmitted(authority, view, peer) &&
    !Authority.isRevoked(authority, peer) &&
    Authority.holds(authority, view, peer, Revocation.spaceRead, time) !== undefined
  )
}

/** Sends a message if its space, when it has one, may be told to the peer. Returns whether it went. */
export const send = Effect.fnUntraced(function* (
  connection: Connection,
  message: Message.Message,
  space: Space | undefined
): Effect.fn.Return<boolean, NetworkError> {
  if (isTelling(message) && (space === undefined || !mayTell(space, connection.peer, message))) {
    yield* Metrics.refused("space:read")
    return false
  }
  const frame = Message.encode(message)
  if (frame.length > frameBytesMax) throw new RangeError(`a message of ${frame.length} bytes`)
  yield* connection.send(frame)
  return true
})

/** The space that a message is of, as its books stand when the message leaves. */
interface Space {
  readonly id: SpaceId
  readonly ledger: Ledger
  readonly time: number
}

/** Messages that tell something of a space's content. */
const isTelling = ({ _tag }: Message.Message): boolean =>
  _tag === "Run" || _tag === "Have" || _tag === "Digest" || _tag === "Want" || _tag === "Fork"

const mayTell = ({ ledger, time }: Space, peer: DeviceId, message: Message.Message): boolean => {
  if (mayRead(ledger, peer, time)) return true
  const told = Revocation.toldTo(ledger, peer)
  return told !== undefined && isWithin(ledger, told, message)
}

/** Whether a message names nothing but what a peer that was put out may be told. */
const isWithin = ({ authority }: Ledger, told: Revocation.Told, message: Message.Message): boolean => {
  if (message._tag === "Have") {
    const heads = [...message.frontier]
    return message.upTo === undefined && heads.every(([id, { seq }]) => seq <= (told.feeds.get(id)?.head.seq ?? -1))
  }
  const run = message._tag === "Run" ? Run.decode(message.run) : undefined
  if (run === undefined || Result.isFailure(run)) return false
  // the entries before it are no later
  const last = authority?.nodes.get(Run.lastHash(run.success))
  return last !== undefined && told.heads.has(last.feed.id) && last.time <= told.restriction.node.time
}
