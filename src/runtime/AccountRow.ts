/**
 * An account with one peer as it lies in the journal store, in a local row of its space named `flow.<peer>`.
 *
 * The deterministic CBOR of
 *
 *     [1, floor, [[epoch, reserved, isTold, nonces, acknowledged nonce, acknowledged hash (32), receipt | null]…], held | null]
 *
 * a receipt being [epoch, nonce, spent, previous (32), signature (64)]. Of epochs below `floor` nothing may be spent. After a
 * crash `reserved` is what was spent and `nonces` the last nonce used, whatever became of them. A row is a device's own word
 * to itself: whoever can write there can make it forget what it spent, as with a store that was put back.
 */
import * as Result from "effect/Result"
import { signatureBytes } from "../identity/Signing.ts"
import type { DeviceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import { isCount, type Signed } from "../sync/Receipt.ts"
import { accountEpochsMax } from "./limits.ts"

/** What was spent on a peer in an epoch, and what the peer was told of it. */
export interface Kept {
  readonly epoch: number
  readonly reserved: number
  /** Something was told that is worth summing up: more than how far one is. */
  readonly isTold: boolean
  readonly nonces: number
  readonly acknowledged: { readonly nonce: number; readonly hash: Uint8Array }
  readonly receipt: Signed | undefined
}

export interface Row {
  readonly floor: number
  readonly epochs: ReadonlyArray<Kept>
  /** The peer's last receipt. */
  readonly held: Signed | undefined
}

export const empty: Row = { floor: 0, epochs: [], held: undefined }

export const nameOf = (peer: DeviceId): string => `flow.${peer}`

const version = 1

export const encode = ({ epochs, floor, held }: Row): Uint8Array =>
  Cbor.encode([
    version,
    floor,
    epochs.map(({ acknowledged, epoch, isTold, nonces, receipt, reserved }) => [
      epoch,
      reserved,
      isTold,
      nonces,
      acknowledged.nonce,
      acknowledged.hash,
      receiptToCbor(receipt)
    ]),
    receiptToCbor(held)
  ])

/** Undefined for what is none of ours. */
export const decode = (bytes: Uint8Array): Row | undefined => {
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded) || !Array.isArray(decoded.success)) return undefined
  const [number, floor, list, last, more] = decoded.success as ReadonlyArray<Cbor.Cbor>
  if (number !== version || !isCount(floor) || !Array.isArray(list) || more !== undefined) return undefined
  const epochs = (list as ReadonlyArray<Cbor.Cbor>).map(keptFromCbor)
  const held = receiptFromCbor(last)
  if (held === "malformed" || epochs.length > accountEpochsMax || !epochs.every((one) => one !== undefined))
    return undefined
  return { floor, epochs, held }
}

const keptFromCbor = (value: Cbor.Cbor): Kept | undefined => {
  if (!Array.isArray(value) || value.length !== 7) return undefined
  const [epoch, reserved, isTold, nonces, nonce, hash, last] = value as ReadonlyArray<Cbor.Cbor>
  const receipt = receiptFromCbor(last)
  return isCount(epoch) &&
    isCount(reserved) &&
    typeof isTold === "boolean" &&
    isCount(nonces) &&
    isCount(nonce) &&
    isBytes(hash, 32) &&
    receipt !== "malformed"
    ? { epoch, reserved, isTold, nonces, acknowledged: { nonce, hash }, receipt }
    : undefined
}

const receiptToCbor = (receipt: Signed | undefined): Cbor.Cbor =>
  receipt === undefined ? null : [receipt.epoch, receipt.nonce, receipt.spent, receipt.previous, receipt.signature]

const receiptFromCbor = (value: Cbor.Cbor | undefined): Signed | undefined | "malformed" => {
  if (value === null) return undefined
  if (!Array.isArray(value) || value.length !== 5) return "malformed"
  const [epoch, nonce, spent, previous, signature] = value as ReadonlyArray<Cbor.Cbor>
  return isCount(epoch) &&
    isCount(nonce) &&
    isCount(spent) &&
    isBytes(previous, 32) &&
    isBytes(signature, signatureBytes)
    ? { epoch, nonce, spent, previous, signature }
    : "malformed"
}

const isBytes = (value: Cbor.Cbor | undefined, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length
