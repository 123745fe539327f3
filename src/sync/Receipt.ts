/**
 * A receipt: a device's signed word of what it has spent on a peer in an epoch so far. It travels between the two and stands
 * in no journal (sync/Message.ts); what became of an epoch is told by a summary (trust/Budget.ts).
 *
 * Signed with the source's device key: "aura/receipt/v1" NUL ‖ space (32) ‖ source (32) ‖ peer (32) ‖ u64 epoch ‖ u64 nonce ‖
 * u64 spent ‖ previous (32). The nonce rises with each receipt of an epoch, not necessarily by one. `previous` is the hash of
 * the last receipt of the epoch that the peer had acknowledged, 32 zeros before that. A receipt's hash is SHA-256 of
 * "aura/receipt-hash/v1" NUL ‖ what is signed.
 *
 * A holder keeps one per source, and takes another only if its signature is good, its epoch is no later than the next by its
 * own clock, and it follows: of a later epoch, or of the same with a higher nonce and no less spent. What does not follow
 * is passed over: receipts are repeated after a reconnect, and go by several connections. A breach of its peer is
 *
 *   Forged      a signature that is not the source's
 *   Unchained   a `previous` that was never acknowledged, or one from before that of the last receipt on the connection: a
 *               source that crashed may have forgotten an acknowledgement, but then its connection is another one
 *   LeavesOut   less spent than what came (sync/Arrived.ts)
 *   NeverSent   an acknowledgement of what was not signed
 *
 * Whose store was put back can't know what it acknowledged or signed before, so of epochs that had begun when the account
 * was opened nobody is blamed for what is unknown.
 */
import { domain, hash } from "../identity/Hash.ts"
import { toBytes, type DeviceId, type SpaceId } from "../identity/Id.ts"
import { signed } from "../identity/Signing.ts"
import { writeU64 } from "../journal/Entry.ts"

export interface Receipt {
  readonly epoch: number
  readonly nonce: number
  /** Units, since the epoch began. */
  readonly spent: number
  readonly previous: Uint8Array
}

/** A receipt and its source's signature. */
export interface Signed extends Receipt {
  readonly signature: Uint8Array
}

/** Between whom, and about what. */
export interface Parties {
  readonly space: SpaceId
  readonly source: DeviceId
  readonly peer: DeviceId
}

export const first = new Uint8Array(32)

/** What ends a connection. */
export type Breach = "Forged" | "Unchained" | "LeavesOut" | "NeverSent"

export const breaches: Readonly<Record<Breach, string>> = {
  Forged: "a receipt that its device did not sign",
  Unchained: "a receipt that does not follow those that were acknowledged",
  LeavesOut: "a receipt that leaves out what was sent",
  NeverSent: "an acknowledgement of a receipt that was not sent"
}

/** The bytes that the source signs. */
export const message = ({ peer, source, space }: Parties, { epoch, nonce, previous, spent }: Receipt): Uint8Array => {
  const numbers = new Uint8Array(24)
  const view = new DataView(numbers.buffer)
  writeU64(view, 0, epoch)
  writeU64(view, 8, nonce)
  writeU64(view, 16, spent)
  return signed(receiptDomain, toBytes(space), toBytes(source), toBytes(peer), numbers, previous)
}

export const hashOf = (parties: Parties, receipt: Receipt): Uint8Array => hash(hashDomain, message(parties, receipt))

const receiptDomain = domain("aura/receipt/v1")
const hashDomain = domain("aura/receipt-hash/v1")

/** Whether it can stand where receipts have a number. */
export const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

/** Whether a receipt moves on what is held of its source. */
export const follows = (held: Receipt | undefined, receipt: Receipt, nowEpoch: number): boolean =>
  receipt.epoch <= nowEpoch + 1 &&
  (held === undefined ||
    held.epoch < receipt.epoch ||
    (held.epoch === receipt.epoch && held.nonce < receipt.nonce && held.spent <= receipt.spent))
