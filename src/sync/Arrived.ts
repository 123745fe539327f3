/**
 * What a peer sent of a space on one connection, and what its receipts have to say at least.
 *
 * The design leaves open what a receipt is held against. "Nothing is sent before it is charged" makes it this: whoever keeps
 * to it signs a receipt within its epoch, and none before the last one left on the same connection; what came before that
 * one had been paid when it left. So what two receipts of one epoch differ by is no less than what came between the earlier
 * of them and the receipt before the later one. Neither clocks nor the speed of a signer matter, nor what goes by other
 * connections: that is charged too. Before a connection's first receipt of an epoch nothing is known, so those of epochs
 * that have ended are told first of all or not at all; and who signs none says nothing that could be wrong.
 *
 * Counted is what everybody has to pay: what messages weigh. What their operations cost besides is not.
 */
import type { Receipt } from "./Receipt.ts"

export interface Arrived {
  /** What all of it cost its sender at least. */
  readonly units: number
  /** The first and the last receipt of the epoch. */
  readonly first: Mark | undefined
  readonly last: Mark | undefined
}

/** A receipt, and what had come before it. */
interface Mark {
  readonly receipt: Receipt
  readonly units: number
}

export const nothing: Arrived = { units: 0, first: undefined, last: undefined }

export const add = (arrived: Arrived, units: number): Arrived => ({ ...arrived, units: arrived.units + units })

/** A receipt came that was believed. One that came before changes nothing. */
export const told = (arrived: Arrived, receipt: Receipt): Arrived => {
  const { first, last, units } = arrived
  if (last !== undefined && !isLater(receipt, last.receipt)) return arrived
  const mark = { receipt, units }
  return { units, first: first?.receipt.epoch === receipt.epoch ? first : mark, last: mark }
}

/** Units that a receipt leaves out of what it has to count. */
export const missingIn = ({ first, last }: Arrived, receipt: Receipt): number =>
  first === undefined || last === undefined || first.receipt.epoch !== receipt.epoch || !isLater(receipt, last.receipt)
    ? 0
    : Math.max(0, last.units - first.units - (receipt.spent - first.receipt.spent))

const isLater = (a: Receipt, b: Receipt): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.nonce > b.nonce)
