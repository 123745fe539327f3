/**
 * What a message that tells of a space costs: what it weighs (trust/Budget.ts), and what its application asks for the
 * operations in it (`cost` of trust/Definition.ts).
 *
 * A run of summaries costs nothing, or each hour's would make the next one's. Operations add at most `operationsCostMax` to
 * a run, for one that cost more than a lease would never leave. Where no definition asks for anything no run is read for it.
 */
import * as Result from "effect/Result"
import type { DefinitionId } from "../identity/Id.ts"
import * as Entry from "../journal/Entry.ts"
import * as Run from "../journal/Run.ts"
import type * as Message from "../sync/Message.ts"
import * as Authority from "../trust/Authority.ts"
import * as Budget from "../trust/Budget.ts"
import type { Ledger } from "./Ledger.ts"
import { operationsCostMax } from "./limits.ts"
import * as Summaries from "./Summaries.ts"

/** The price of a message whose frame has so many bytes. */
export const of = (ledger: Ledger, message: Message.Message, bytes: number): number =>
  Summaries.isOfSummaries(ledger, message) ? 0 : Budget.costOf(bytes) + ofOperations(ledger, message)

const ofOperations = ({ authority }: Ledger, message: Message.Message): number => {
  const costs = authority === undefined || message._tag !== "Run" ? undefined : costsIn(authority)
  if (costs === undefined || costs.size === 0 || message._tag !== "Run") return 0
  const run = Run.decode(message.run)
  if (Result.isFailure(run)) return 0
  let sum = 0
  for (const body of run.success.bodies) {
    const entry = Entry.decode(body)
    if (Result.isFailure(entry) || entry.success.definition === undefined) continue
    const { definition, facts } = entry.success
    for (const { type } of facts) sum += costs.get(definition)?.get(type) ?? 0
  }
  return Math.min(sum, operationsCostMax)
}

/** Operations that cost something, by definition and type. */
const costsIn = (authority: Authority.Authority): Costs => {
  const known = costsBy.get(authority)
  if (known !== undefined) return known
  const costs = new Map<DefinitionId, ReadonlyMap<string, number>>()
  for (const { id, operations } of Authority.definitions(authority)) {
    const asked = [...operations.values()].filter(({ cost }) => cost > 0)
    if (asked.length > 0) costs.set(id, new Map(asked.map(({ cost, type }) => [type, cost])))
  }
  costsBy.set(authority, costs)
  return costs
}

type Costs = ReadonlyMap<DefinitionId, ReadonlyMap<string, number>>

const costsBy = new WeakMap<Authority.Authority, Costs>()
