/**
 * Writes the budgets of coming hours, where this device is the one to (trust/Budget.ts) and somebody wants it to.
 *
 * Budgets of an hour are written in the hour before, all in one entry, so that they have spread when it begins. Who has
 * not heard of them by then spends its default share.
 */
import * as Effect from "effect/Effect"
import type { DeviceId } from "../identity/Id.ts"
import * as Budget from "../trust/Budget.ts"
import * as Replenishment from "../trust/Replenishment.ts"
import { authorityWrite } from "./Write.ts"
import type { Replica } from "./Replica.ts"
import type { WriteError } from "./Write.ts"

/** Budgets in one entry; the rest has its turn later. */
const factsMax = 64

/** Writes what is missing for the hour after this one; how many budgets. `base`: see trust/FlowLimit.ts. */
export const replenish = Effect.fnUntraced(function* (
  replica: Replica,
  self: DeviceId,
  base: number,
  nowMillis: number
): Effect.fn.Return<number, WriteError> {
  const { authority } = replica.ledger()
  if (authority === undefined || !Budget.isBudgetAuthority(authority, self)) return 0
  const epoch = Budget.epochOf(nowMillis) + 1
  const facts = Replenishment.budgets(authority, { epoch, base }).slice(0, factsMax)
  if (facts.length > 0) yield* replica.write(authorityWrite(facts))
  return facts.length
})
