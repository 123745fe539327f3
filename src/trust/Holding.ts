/**
 * What a device holds: rights, each a capability with its depth and window, and the grants it came through.
 *
 * The parts of a right travel together and are met link by link; rights are never joined into a wider one, or a
 * delegable right to little and a right to use much would make a delegable right to much. A holding keeps only rights
 * that no other covers, so it grows with what differs and not with the number of chains; of equal rights the one with
 * the shortest chain stays, and among those the lowest hashes. Only where a grant was withdrawn or limited a right is
 * kept beside another that came through it: elsewhere just one of them may be left (trust/Descent.ts).
 *
 * Law (test/trust/Authority.test.ts): a holding is a set, the same in whatever order its rights were added.
 */
import type { EntryHash } from "../identity/Id.ts"
import { all, implies, meet, type Capability } from "./Capability.ts"
import * as Hours from "./Hours.ts"
import { grantDepthMax } from "./limits.ts"
import * as Right from "./Right.ts"

/** A right with the grants that passed it on, first one first. Empty for what founding the space gave. */
export interface Held extends Right.Right {
  readonly through: ReadonlyArray<EntryHash>
}

/** The rights that exist before any grant. */
export const everything: ReadonlyArray<Held> = [{ ...Right.make(all, { depth: grantDepthMax }), through: [] }]

/** What a giver's right lets through of a right he grants with an entry of this time. */
export const pass = (held: Held, right: Right.Right, time: number, grant: EntryHash): Held | undefined => {
  const capability = meet(held.capability, right.capability)
  if (capability === undefined || held.depth < 1 || !Right.isOpen(held, time)) return undefined
  const from = later(held.from, right.from)
  const until = earlier(held.until, right.until)
  if (from !== undefined && until !== undefined && from > until) return undefined
  const hours = Hours.union(held.hours, right.hours)
  const depth = Math.min(right.depth, held.depth - 1)
  return { capability, depth, from, until, hours, through: [...held.through, grant] }
}

/** Whether of two rights to the same the first one lasts wherever the second one does. */
export type Lasting = (one: Held, other: Held) => boolean

/** Adds a right in place, unless another covers it and lasts as it does, and takes out those that it so covers. */
export const add = (holding: Array<Held>, right: Held, lasts: Lasting): void => {
  let kept = 0
  for (const other of holding) {
    const isCovering = covers(right, other) && lasts(right, other)
    if (covers(other, right) && lasts(other, right) && !(isCovering && isPreferred(right, other))) return
    if (!isCovering) holding[kept++] = other
  }
  holding.length = kept
  holding.push(right)
}

/** The order in which rights are shown and looked through. No two of one holding are equal in it. */
export const byRight = (a: Held, b: Held): number =>
  compare(a.capability, b.capability) ||
  compare(b.depth, a.depth) ||
  compare(a.from ?? Number.NEGATIVE_INFINITY, b.from ?? Number.NEGATIVE_INFINITY) ||
  compare(b.until ?? Number.POSITIVE_INFINITY, a.until ?? Number.POSITIVE_INFINITY) ||
  compare(hoursOf(a), hoursOf(b)) ||
  compare(a.through.length, b.through.length) ||
  compare(a.through.join(), b.through.join())

/** Whether two holdings have the same rights by the same grants. */
export const isSame = (a: ReadonlyArray<Held>, b: ReadonlyArray<Held>): boolean =>
  a.length === b.length && a.every((right, index) => isSameRight(right, b[index]!))

const isSameRight = (a: Held, b: Held): boolean =>
  byRight(a, b) === 0 && a.through.length === b.through.length && a.through.every((hash, at) => hash === b.through[at])

const hoursOf = ({ hours }: Right.Right): string => hours.map(Hours.keyOf).join()

/** The right that permits `wanted` at a time. */
export const covering = (holding: ReadonlyArray<Held>, wanted: Capability, time: number): Held | undefined =>
  holding.find((right) => Right.isOpen(right, time) && implies(right.capability, wanted))

/** Whether who holds `a` can do, and pass on, all that `b` lets him, under every policy: those may ask for a short chain. */
const covers = (a: Held, b: Held): boolean =>
  a.depth >= b.depth &&
  a.through.length <= b.through.length &&
  a.hours.every((one) => b.hours.some((other) => Hours.keyOf(one) === Hours.keyOf(other))) &&
  (a.from === undefined || (b.from !== undefined && a.from <= b.from)) &&
  (a.until === undefined || (b.until !== undefined && a.until >= b.until)) &&
  implies(a.capability, b.capability)

const isPreferred = (a: Held, b: Held): boolean =>
  (compare(a.through.length, b.through.length) || compare(a.through.join(), b.through.join())) < 0

const compare = <Value extends string | number>(a: Value, b: Value): number => (a < b ? -1 : a > b ? 1 : 0)

const later = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.max(a, b)

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)
