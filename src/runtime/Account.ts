/**
 * What this device spends on one peer of a space, and what the peer says that it has spent on us.
 *
 * Charge before send, durably: a block of units is reserved in the journal store before the first of them is spent; then
 * they are spent in memory. What is found reserved after a crash counts as spent, so the row never says less than what
 * left. Closing gives back what was not used. A charge is never an entry of the journal: to send it would cost another one.
 * Sends may be repeated, and cost each time.
 *
 * Who spends asks `take`, which answers at once, and `reserve` when that says no. The lease is asked for at every charge
 * (trust/Budget.ts), so a budget that arrives holds from then on. Nothing is spent of epochs that were given up, nor of
 * the present one when the row can't be read: what was spent is unknown then.
 *
 * Receipts are of what was spent in memory, which the row covers. Their nonces are reserved with the units, so that after a
 * crash none is used twice; those in between are never used.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import type { Keys, KeysError } from "../effects/Keys.ts"
import type { Verifier } from "../effects/Verifier.ts"
import * as Bytes from "../identity/Bytes.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Budget from "../trust/Budget.ts"
import * as Arrived from "../sync/Arrived.ts"
import * as Receipt from "../sync/Receipt.ts"
import * as AccountRow from "./AccountRow.ts"
import { accountEpochsMax, answeredMax, chargeBlock, nonceBlock } from "./limits.ts"

/** What an account needs to know of its space. */
export interface Circumstances {
  readonly space: SpaceId
  readonly store: JournalStore["Service"]
  readonly keys: Keys["Service"]
  readonly verifier: Verifier["Service"]
  readonly nowMillis: () => number
  /** What this device may spend on a peer in an epoch, as the books stand. */
  readonly leaseOf: (peer: DeviceId, epoch: number) => number
}

/** What was spent in an epoch, for a summary. */
export interface Spent {
  readonly epoch: number
  readonly spent: number
  readonly isTold: boolean
  readonly receipts: number
  /** Hash of the last receipt, 32 zeros where there is none. */
  readonly head: Uint8Array
}

/** What became of a peer's receipt: it moved on what is held, it is the one that is held, or it moved nothing. */
export type Taken = "Moved" | "Known" | "Refused" | Receipt.Breach

export interface Account {
  readonly peer: DeviceId
  /** Spends if enough is reserved; `isTold`: on more than how far one is. */
  readonly take: (cost: number, isTold: boolean) => boolean
  /** Makes room for a charge, durably. False: the lease does not hold so much. */
  readonly reserve: (cost: number) => Effect.Effect<boolean, JournalStoreError>
  /** What may still be spent now. */
  readonly rest: () => number
  /** Keeps units from being spent while a fact that gives them away is written; of which epoch, if there are so many. */
  readonly withhold: (amount: number) => number | undefined
  readonly release: (epoch: number, amount: number) => void
  /** Per epoch that is kept, oldest first. */
  readonly spent: () => ReadonlyArray<Spent>
  /** Signs what was spent since the last receipt, if anything. The epoch that it is: its receipt is of all spent until now. */
  readonly sign: Effect.Effect<number | undefined, JournalStoreError | KeysError>
  /** Receipts that the peer has not acknowledged, oldest first: the last of each epoch. */
  readonly receipts: () => ReadonlyArray<Receipt.Signed>
  /** The peer holds our receipts up to this one. False: there was none, which is a breach. */
  readonly acknowledged: (epoch: number, nonce: number) => boolean
  /** Takes a receipt of the peer, on whose connection this came before. */
  readonly receive: (receipt: Receipt.Signed, arrived: Arrived.Arrived) => Effect.Effect<Taken>
  /** The peer's last receipt, to be acknowledged: durable when this succeeds. */
  readonly held: Effect.Effect<Receipt.Signed | undefined, JournalStoreError>
  /** Gives back what is reserved and not spent. */
  readonly settle: Effect.Effect<void, JournalStoreError>
}

/** One epoch of an account, changed in place. */
interface Slot {
  readonly epoch: number
  /** Durably spent or to be spent, and nonces likewise; at least `spent` and `nonce`. */
  reserved: number
  nonces: number
  spent: number
  nonce: number
  isTold: boolean
  withheld: number
  acknowledged: AccountRow.Kept["acknowledged"]
  receipt: Receipt.Signed | undefined
}

/** Reads the account with a peer back. One of each peer at a time. */
export const open = Effect.fnUntraced(function* (
  circumstances: Circumstances,
  peer: DeviceId
): Effect.fn.Return<Account, JournalStoreError> {
  const { keys, leaseOf, nowMillis, space, store, verifier } = circumstances
  const ours: Receipt.Parties = { space, source: keys.device, peer }
  const theirs: Receipt.Parties = { space, source: peer, peer: keys.device }
  const row = yield* read(circumstances, peer)
  let { floor, held } = row
  const slots = row.epochs.map(slotOf)
  let isHeldDurable = true
  // what was signed and acknowledged in these hours may be forgotten: the store may have been put back
  const forgottenEpoch = Math.max(Budget.epochOf(nowMillis()), held?.epoch ?? 0, ...slots.map(({ epoch }) => epoch))
  const answers = makeAnswers(theirs, forgottenEpoch + 1)
  const turns = Semaphore.makeUnsafe(1)
  const recordCharged = yield* Metrics.chargedRecorder

  /** The epoch that it is; undefined when nothing may be spent in it. */
  const present = (): Slot | undefined => {
    const epoch = Budget.epochOf(nowMillis())
    const known = slots.find((slot) => slot.epoch === epoch)
    if (known !== undefined || epoch < floor) return known
    const slot = slotOf({ ...unspent, epoch })
    slots.push(slot)
    slots.sort((a, b) => a.epoch - b.epoch)
    if (slots.length > accountEpochsMax) floor = slots.shift()!.epoch + 1
    return epoch < floor ? undefined : slot
  }
  /** What may be spent in an epoch, all in all. */
  const boundOf = ({ epoch, withheld }: Slot): number => leaseOf(peer, epoch) - withheld

  const write = (): Effect.Effect<void, JournalStoreError> => {
    const receipt = held
    const bytes = AccountRow.encode({ floor, held, epochs: slots.map(keptOf) })
    return Effect.tap(store.commit({ space, locals: [{ name: AccountRow.nameOf(peer), bytes }] }), () =>
      Effect.sync(() => {
        if (held === receipt) isHeldDurable = true
      })
    )
  }
  /** Writes the row with more reserved; what was there before holds unless that succeeds. */
  const reserveIn = (slot: Slot, units: number, nonces: number): Effect.Effect<void, JournalStoreError> =>
    Effect.suspend(() => {
      const { nonces: noncesBefore, reserved } = slot
      slot.reserved = units
      slot.nonces = nonces
      const written = write()
      // until it is durable nobody may spend of it
      slot.reserved = reserved
      slot.nonces = noncesBefore
      return Effect.tap(written, () =>
        Effect.sync(() => {
          slot.reserved = units
          slot.nonces = nonces
        })
      )
    })
  return {
    peer,
    take: (cost, isTold) => {
      const slot = present()
      if (slot === undefined || slot.spent + cost > Math.min(slot.reserved, boundOf(slot))) return false
      slot.spent += cost
      if (isTold) slot.isTold = true
      recordCharged(cost)
      return true
    },
    reserve: (cost) =>
      Semaphore.withPermit(
        turns,
        Effect.suspend(() => {
          const slot = present()
          if (slot === undefined) return Effect.succeed(false)
          const wanted = slot.spent + cost
          const bound = boundOf(slot)
          if (wanted > bound) return Effect.succeed(false)
          if (wanted <= slot.reserved) return Effect.succeed(true)
          const units = Math.min(Math.max(wanted, slot.spent + chargeBlock), bound)
          return Effect.as(reserveIn(slot, units, Math.max(slot.nonces, slot.nonce + nonceBlock)), true)
        })
      ),
    rest: () => {
      const slot = present()
      return slot === undefined ? 0 : Math.max(0, boundOf(slot) - slot.spent)
    },
    withhold: (amount) => {
      const slot = present()
      if (slot === undefined || slot.spent + amount > boundOf(slot)) return undefined
      slot.withheld += amount
      return slot.epoch
    },
    release: (epoch, amount) => {
      const slot = slots.find((one) => one.epoch === epoch)
      if (slot !== undefined) slot.withheld -= amount
    },
    spent: () =>
      slots.map(({ epoch, isTold, nonce, receipt, spent }) => ({
        epoch,
        spent,
        isTold,
        receipts: nonce,
        head: receipt === undefined ? Receipt.first : Receipt.hashOf(ours, receipt)
      })),
    sign: Semaphore.withPermit(
      turns,
      Effect.gen(function* () {
        const slot = present()
        if (slot === undefined || slot.spent <= (slot.receipt?.spent ?? 0)) return slot?.epoch
        if (slot.nonce >= slot.nonces) yield* reserveIn(slot, slot.reserved, slot.nonce + nonceBlock)
        const receipt = {
          epoch: slot.epoch,
          nonce: ++slot.nonce,
          spent: slot.spent,
          previous: slot.acknowledged.hash
        }
        slot.receipt = { ...receipt, signature: yield* keys.sign(Receipt.message(ours, receipt)) }
        return slot.epoch
      })
    ),
    receipts: () =>
      slots.flatMap(({ acknowledged, receipt }) =>
        receipt === undefined || receipt.nonce <= acknowledged.nonce ? [] : [receipt]
      ),
    acknowledged: (epoch, nonce) => {
      const slot = slots.find((one) => one.epoch === epoch)
      if (slot?.receipt?.nonce === nonce) slot.acknowledged = { nonce, hash: Receipt.hashOf(ours, slot.receipt) }
      return epoch <= forgottenEpoch || epoch < floor || nonce <= (slot?.nonce ?? -1)
    },
    receive: Effect.fnUntraced(function* (receipt: Receipt.Signed, arrived: Arrived.Arrived) {
      if (held !== undefined && isSameReceipt(held, receipt)) return "Known"
      const nowEpoch = Budget.epochOf(nowMillis())
      // one that moves nothing is not worth a check
      if (!Receipt.follows(held, receipt, nowEpoch)) return "Refused"
      const claim = { signer: peer, message: Receipt.message(theirs, receipt), signature: receipt.signature }
      const [isGenuine] = yield* verifier.verify([claim])
      if (isGenuine !== true) return "Forged"
      if (!Receipt.follows(held, receipt, nowEpoch)) return "Refused"
      if (!answers.isChained(receipt, arrived.last?.receipt)) return "Unchained"
      if (Arrived.missingIn(arrived, receipt) > 0) return "LeavesOut"
      held = receipt
      isHeldDurable = false
      return "Moved"
    }),
    held: Semaphore.withPermit(
      turns,
      Effect.suspend(() => {
        const receipt = held
        if (receipt !== undefined) answers.note(receipt)
        return Effect.as(isHeldDurable ? Effect.void : write(), receipt)
      })
    ),
    settle: Semaphore.withPermit(
      turns,
      Effect.suspend(() => {
        if (isHeldDurable && slots.every(({ reserved, spent }) => reserved === spent)) return Effect.void
        for (const slot of slots) {
          slot.reserved = slot.spent
          slot.nonces = slot.nonce
        }
        return write()
      })
    )
  }
})

/** Which receipts of a source were acknowledged, of the last epoch in which one was. */
interface Answers {
  readonly note: (receipt: Receipt.Receipt) => void
  /** Whether the receipt that another one names before it was acknowledged, and no earlier than what `last` named. */
  readonly isChained: (receipt: Receipt.Receipt, last: Receipt.Receipt | undefined) => boolean
}

/** Of epochs until `forgottenEpoch` more may have been acknowledged than is remembered. */
const makeAnswers = (theirs: Receipt.Parties, forgottenEpoch: number): Answers => {
  const nonces = new Map<string, number>()
  let noted = 0
  /** The nonce of what a receipt names before it; 0 where it names nothing. */
  const before = ({ epoch, previous }: Receipt.Receipt): number | undefined =>
    Bytes.isSame(previous, Receipt.first) ? 0 : epoch === noted ? nonces.get(bytesToHex(previous)) : undefined
  return {
    note: (receipt) => {
      if (receipt.epoch !== noted) nonces.clear()
      noted = receipt.epoch
      if (nonces.size < answeredMax) nonces.set(bytesToHex(Receipt.hashOf(theirs, receipt)), receipt.nonce)
    },
    isChained: (receipt, last) => {
      const nonce = before(receipt)
      if (nonce === undefined) return receipt.epoch <= forgottenEpoch || nonces.size >= answeredMax
      return last?.epoch !== receipt.epoch || nonce >= (before(last) ?? 0)
    }
  }
}

/** The row of a peer; one that can't be read forbids to spend in the epoch that it is. */
const read = ({ nowMillis, space, store }: Circumstances, peer: DeviceId) =>
  store.local(space, AccountRow.nameOf(peer)).pipe(
    Effect.map((row) => (Option.isNone(row) ? AccountRow.empty : AccountRow.decode(row.value))),
    Effect.catch((error) => (error.reason._tag === "JournalCorrupt" ? Effect.succeed(undefined) : Effect.fail(error))),
    Effect.flatMap((row) =>
      row === undefined
        ? Effect.as(
            Effect.logWarning("what was spent on a peer can't be read back: nothing is sent to it in this hour"),
            { ...AccountRow.empty, floor: Budget.epochOf(nowMillis()) + 1 }
          )
        : Effect.succeed(row)
    )
  )

const unspent: AccountRow.Kept = {
  epoch: 0,
  reserved: 0,
  isTold: false,
  nonces: 0,
  acknowledged: { nonce: 0, hash: Receipt.first },
  receipt: undefined
}

/** An epoch as the row has it: all that was reserved is spent. */
const slotOf = ({ acknowledged, epoch, isTold, nonces, receipt, reserved }: AccountRow.Kept): Slot => ({
  epoch,
  reserved,
  nonces,
  spent: reserved,
  nonce: nonces,
  isTold,
  withheld: 0,
  acknowledged,
  receipt
})

const keptOf = ({ acknowledged, epoch, isTold, nonces, receipt, reserved, spent }: Slot): AccountRow.Kept => ({
  epoch,
  reserved,
  // what is reserved may yet be spent on something
  isTold: isTold || reserved > spent,
  nonces,
  acknowledged,
  receipt
})

const isSameReceipt = (a: Receipt.Signed, b: Receipt.Signed): boolean =>
  a.epoch === b.epoch &&
  a.nonce === b.nonce &&
  a.spent === b.spent &&
  Bytes.isSame(a.previous, b.previous) &&
  Bytes.isSame(a.signature, b.signature)
