/**
 * The accounts of a space, one for each peer that something was sent to, opened when they are first asked for.
 *
 * Any number of connections to a peer share its account. The lease is computed anew when the books moved, and not before.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { DeviceId } from "../identity/Id.ts"
import type * as Authority from "../trust/Authority.ts"
import * as Budget from "../trust/Budget.ts"
import * as Account from "./Account.ts"

export interface Spending {
  readonly account: (peer: DeviceId) => Effect.Effect<Account.Account, JournalStoreError>
  /** The account with a peer if it is open. */
  readonly known: (peer: DeviceId) => Account.Account | undefined
  /** Gives back what is reserved and not spent, of all accounts. */
  readonly settle: Effect.Effect<void>
}

/** What the accounts of a space need; `authority` = its books as they stand. */
export interface Needs extends Omit<Account.Circumstances, "leaseOf"> {
  readonly authority: () => Authority.Authority | undefined
}

export const make = ({ authority, ...needs }: Needs): Spending => {
  const accounts = new Map<DeviceId, Account.Account>()
  const openings = Semaphore.makeUnsafe(1)
  const leases = new Map<string, number>()
  let leasesOf: Authority.Authority | undefined
  const circumstances: Account.Circumstances = {
    ...needs,
    leaseOf: (peer, epoch) => {
      const books = authority()
      if (books !== leasesOf) leases.clear()
      leasesOf = books
      const key = `${epoch} ${peer}`
      const known = leases.get(key)
      if (known !== undefined) return known
      const lease = Budget.lease(books === undefined ? [] : Budget.saidIn(books), needs.keys.device, peer, epoch)
      leases.set(key, lease)
      return lease
    }
  }
  return {
    known: (peer) => accounts.get(peer),
    account: (peer) =>
      Effect.suspend(() => {
        const known = accounts.get(peer)
        if (known !== undefined) return Effect.succeed(known)
        return Semaphore.withPermit(
          openings,
          Effect.suspend(() => {
            const opened = accounts.get(peer)
            if (opened !== undefined) return Effect.succeed(opened)
            return Effect.tap(Account.open(circumstances, peer), (account) =>
              Effect.sync(() => accounts.set(peer, account))
            )
          })
        )
      }),
    settle: Effect.suspend(() =>
      Effect.forEach(
        accounts.values(),
        ({ settle }) =>
          settle.pipe(
            Effect.catch((error) => Effect.logWarning("what was reserved and not spent is lost", error.message))
          ),
        { discard: true }
      )
    )
  }
}
