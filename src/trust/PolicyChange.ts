/**
 * Which policies an operation is judged by at a position: those of its past, and every later one that leaves it out.
 *
 * A change of policy gives and takes: it replaces what was demanded before, so it may loosen, and it restricts, so it
 * binds whoever has not seen it. Hence both halves of the rule of authority apply to it:
 *
 *   an entry has to satisfy the last changes that count in its own past (several, if none of them had seen the other),
 *   or the definition's policy if there is none; and every standing change whose cut leaves it out, unless it has seen a
 *   counting change that had seen that one.
 *
 * So a late change never makes valid what was not, and those who change one policy at once are both obeyed, until
 * somebody who saw both replaces them. A change is replaced, never lifted: where it had loosened, a lift would take
 * something without binding those who leave it out of what they have seen.
 */
import type { EntryHash } from "../identity/Id.ts"
import * as Book from "./Book.ts"
import { capability } from "./Capability.ts"
import type * as Fact from "./Fact.ts"
import * as Judge from "./Judge.ts"
import type { Policy } from "./Policy.ts"
import * as Regime from "./Regime.ts"

/** A policy that binds, and the entry that set it; undefined: the definition's own. */
export interface InForce {
  readonly policy: Policy | undefined
  readonly entry: EntryHash | undefined
}

type Change = Regime.Standing<Fact.SetPolicy>

/** All of these have to be satisfied. */
export const inForce = (
  judge: Judge.Judge,
  view: Book.View,
  regime: Regime.Regime,
  app: string,
  operation: string
): ReadonlyArray<InForce> => {
  const all = changesOf(judge, app, operation)
  if (all.length === 0) return asDefined
  const name = `policy ${view.id} ${regime.number} ${app} ${operation}`
  const known = judge.derived.get(name)
  if (known !== undefined) return known as ReadonlyArray<InForce>
  const seen = all.filter(
    ({ node }) => Book.inView(view, node) && Judge.counts(judge, node, capability(`policy:set/${operation}`))
  )
  const last = seen.filter((change) => !isReplaced(change, seen))
  const against = new Set<Regime.Standing>(regime.limits)
  const later = all.filter((change) => against.has(change) && !last.includes(change) && !isReplaced(change, seen))
  const binding: ReadonlyArray<InForce> = [
    ...(last.length === 0 ? asDefined : []),
    ...[...last, ...later].map(({ fact, node }) => ({ policy: fact.policy, entry: node.hash }))
  ]
  judge.derived.set(name, binding)
  return binding
}

const asDefined: ReadonlyArray<InForce> = [{ policy: undefined, entry: undefined }]

/** Whether somebody who had seen a change made another. */
const isReplaced = ({ node }: Change, by: ReadonlyArray<Change>): boolean =>
  by.some((other) => other.node !== node && Book.inView(other.node.view, node))

/** In the order of judging: root's first, then by time. */
const changesOf = (judge: Judge.Judge, app: string, operation: string): ReadonlyArray<Change> => {
  if (judge.regimes.limits.length === 0) return []
  const name = `changes ${app} ${operation}`
  const known = judge.derived.get(name)
  if (known !== undefined) return known as ReadonlyArray<Change>
  const changes = judge.restrictions.filter(
    (restriction): restriction is Change =>
      Regime.isOf(restriction, "SetPolicy") && restriction.fact.app === app && restriction.fact.operation === operation
  )
  judge.derived.set(name, changes)
  return changes
}
