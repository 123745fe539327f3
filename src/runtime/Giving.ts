/**
 * Gives away what this device may spend on a peer and has not spent (trust/Budget.ts).
 *
 * What is given is withheld before the fact is written, so that nobody spends it meanwhile. Where the writing may or may not
 * have taken place it stays withheld until the process ends or the hour does: then the journal tells.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { DeviceId } from "../identity/Id.ts"
import { authorityWrite } from "./Write.ts"
import type { Replica } from "./Replica.ts"
import type { WriteError } from "./Write.ts"

/** So much is not left to be given, in the hour that it is. Nothing was written. */
export class LeaseTooSmall extends Data.TaggedError("LeaseTooSmall")<{
  readonly asked: number
  readonly left: number
}> {
  override get message(): string {
    return `${this.asked} units were to be given away, ${this.left} are left in this hour`
  }
}

/** Durable here when it succeeds; `to` may spend it once it holds the fact. */
export const give = Effect.fnUntraced(function* (
  replica: Replica,
  peer: DeviceId,
  to: DeviceId,
  amount: number
): Effect.fn.Return<void, LeaseTooSmall | WriteError | JournalStoreError> {
  const account = yield* replica.spending.account(peer)
  const epoch = account.withhold(amount)
  if (epoch === undefined) return yield* new LeaseTooSmall({ asked: amount, left: account.rest() })
  yield* replica.write(authorityWrite([{ _tag: "Give", peer, epoch, to, amount }]))
  account.release(epoch, amount)
})
