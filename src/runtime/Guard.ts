/**
 * The only door to the network: what leaves for a peer was permitted and paid first, and nothing else leaves.
 *
 * Stages, in order; the first that refuses ends it and nothing is sent:
 *   1. capability: the peer may read the space, as this replica's authority stands now; one that was put out may still be
 *      told that, and nothing else (runtime/Revocation.ts)
 *   2. flow: the message is charged to the peer's account, durably (runtime/Account.ts). Where that took time, 1 is asked again
 *   3. journal: what is sent is durable here (runs come from the store, never from memory that is not)
 * Messages that say nothing of a space's content (greetings, credits, receipts) need no capability and cost nothing; nor does
 * a run of summaries, or each hour's would make the next one's. A refusal is counted and logged as a security event; the peer
 * sees the same silence as for a space that does not exist. Who is over budget is not refused: the message waits
 * (runtime/Outbox.ts).
 */
import * as Effect from "effect/Effect"
import type { Connection, NetworkError } from "../effects/Network.ts"
import { frameBytesMax } from "../effects/Network.ts"
import * as Result from "effect/Result"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { DeviceId } from "../identity/Id.ts"
import * as Run from "../journal/Run.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Message from "../sync/Message.ts"
import * as Authority from "../trust/Authority.ts"
import type { Account } from "./Account.ts"
import type { Ledger } from "./Ledger.ts"
import * as Price from "./Price.ts"
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

/** What became of a message: nothing of it left unless it was sent. */
export type Outcome = "Sent" | "Denied" | "OverBudget"

/** Sends a message if its space, when it has one, may be told to the peer, and that can be paid. */
export const send = Effect.fnUntraced(function* (
  connection: Connection,
  message: Message.Message,
  space: Space | undefined
): Effect.fn.Return<Outcome, NetworkError | JournalStoreError> {
  const isTold: boolean = isTelling(message)
  if (isTold && (space === undefined || !mayTell(space, connection.peer, message))) return yield* denied
  const frame = Message.encode(message)
  if (frame.length > frameBytesMax) throw new RangeError(`a message of ${frame.length} bytes`)
  const cost = isTold && space !== undefined ? Price.of(space.ledger(), message, frame.length) : 0
  if (space !== undefined && cost > 0) {
    const isNews = newsTags.has(message._tag)
    while (!space.account.take(cost, isNews)) {
      if (!(yield* space.account.reserve(cost))) return "OverBudget"
      if (!mayTell(space, connection.peer, message)) return yield* denied
    }
  }
  yield* connection.send(frame)
  return "Sent"
})

/** Messages that bring something of a space, and do not only speak of what is where. */
const newsTags: ReadonlySet<Message.Message["_tag"]> = new Set(["Run", "Fork", "Piece", "Sealed"])

/** Sends a step of pairing, which says nothing of any space. */
export const greet = (
  connection: Connection,
  message: Message.Message & { readonly _tag: "Pairing" }
): Effect.Effect<void, NetworkError> => connection.send(Message.encode(message))

const denied = Effect.as(Metrics.refused("space:read"), "Denied" as const)

/** The space that a message is of, and the account with the peer. */
export interface Space {
  /** The books as they stand when the message leaves. */
  readonly ledger: () => Ledger
  readonly time: number
  readonly account: Account
}

/** Messages that tell something of a space's content. */
export const isTelling = (
  message: Message.Message
): message is Message.Message & {
  readonly _tag: "Run" | "Have" | "Digest" | "Want" | "Fork" | "Seek" | "Piece" | "WantSealed" | "Sealed"
} =>
  message._tag === "Run" ||
  message._tag === "Have" ||
  message._tag === "Digest" ||
  message._tag === "Want" ||
  message._tag === "Fork" ||
  message._tag === "Seek" ||
  message._tag === "Piece" ||
  message._tag === "WantSealed" ||
  message._tag === "Sealed"

const mayTell = (space: Space, peer: DeviceId, message: Message.Message): boolean => {
  const { time } = space
  const ledger = space.ledger()
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
