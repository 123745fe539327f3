/**
 * Whether something is there: the dots of the changes that added it, less those that removals named.
 *
 * A removal names dots one by one. It counts against a dot only if its own time is above the dot's: who really saw the
 * addition wrote later, so a removal that names future dots, or its own, does nothing, whatever arrives when. For this
 * a named dot is remembered with the highest time of an entry that named it, for ever, also when the addition was never
 * seen: it may still come. Additions that are removed are forgotten, for the removal says enough.
 *
 * The first addition is kept without a map, because nearly always it stays the only one.
 */
import type { Cbor } from "../Cbor.ts"
import type { Reader, Writer } from "./Checkpoint.ts"
import { compare, dotFromCbor, dotKey, dotToCbor, type Dot, type DotCbor, type Stamp } from "./Stamp.ts"
import { dotsMax } from "./limits.ts"

export interface Presence {
  /** The only addition there ever was; once there were two, `more` has all. */
  first: Stamp | undefined
  more: Map<string, Stamp> | undefined
  removed: Map<string, Removal> | undefined
}

interface Removal {
  readonly dot: Dot
  /** Highest time of an entry that named the dot. */
  readonly time: number
}

export const makePresence = (): Presence => ({ first: undefined, more: undefined, removed: undefined })

export const isPresent = (presence: Presence): boolean =>
  presence.first !== undefined || (presence.more !== undefined && presence.more.size > 0)

/** How many of these are there. */
export const countPresent = (all: Iterable<{ readonly presence: Presence }>): number => {
  let count = 0
  for (const { presence } of all) if (isPresent(presence)) count++
  return count
}

/** The additions that nothing has removed, in no particular order. */
export const additions = ({ first, more }: Presence): ReadonlyArray<Stamp> =>
  first !== undefined ? [first] : more !== undefined ? [...more.values()] : []

/** False when nothing changed: it was known, or is removed. */
export const add = (presence: Presence, stamp: Stamp, gone?: (stamp: Stamp) => void): boolean => {
  if (presence.removed !== undefined) {
    const removal = presence.removed.get(dotKey(stamp))
    if (removal !== undefined && removal.time > stamp.time) return false
  }
  if (presence.first === undefined && presence.more === undefined) {
    presence.first = stamp
    return true
  }
  return addToMany(presence, stamp, gone)
}

/** Two feeds whose ids begin alike would share dots; then the later addition stands for both, on every device. */
const addToMany = (presence: Presence, stamp: Stamp, gone: ((stamp: Stamp) => void) | undefined): boolean => {
  const more = (presence.more ??= new Map())
  if (presence.first !== undefined) more.set(dotKey(presence.first), presence.first)
  presence.first = undefined
  const key = dotKey(stamp)
  const known = more.get(key)
  if (known !== undefined) {
    if (compare(known, stamp) >= 0) return false
    gone?.(known)
  }
  more.set(key, stamp)
  return true
}

/** Removes what the dots name; `time` is that of the entry that names them. Calls `gone` for each addition removed. */
export const remove = (
  presence: Presence,
  dots: ReadonlyArray<DotCbor>,
  time: number,
  gone?: (stamp: Stamp) => void
): void => {
  for (const dot of dots) removeDot(presence, dotFromCbor(dot), time, gone)
}

const removeDot = (presence: Presence, dot: Dot, time: number, gone: ((stamp: Stamp) => void) | undefined): void => {
  const key = dotKey(dot)
  const removed = (presence.removed ??= new Map())
  const known = removed.get(key)
  if (known === undefined || known.time < time) removed.set(key, { dot, time })
  const { first, more } = presence
  if (first !== undefined && first.time < time && dotKey(first) === key) {
    presence.first = undefined
    gone?.(first)
  }
  const other = more?.get(key)
  if (other !== undefined && other.time < time) {
    more?.delete(key)
    gone?.(other)
  }
}

/** What a removal of all that is here names: the dots of the additions, at most as many as one change can name. */
export const seenDots = (presence: Presence | undefined): ReadonlyArray<Cbor> =>
  presence === undefined ? [] : additions(presence).toSorted(compare).slice(0, dotsMax).map(dotToCbor)

/** Additions and removals, each in a fixed order. */
export const encode = (presence: Presence, writer: Writer): void => {
  const stamps = additions(presence)
  writer.natural(stamps.length)
  for (const stamp of stamps.length > 1 ? stamps.toSorted(compare) : stamps) writer.stamp(stamp)
  encodeRemovals(presence, writer)
}

/** Only the removals, for kinds that keep something with each addition. */
export const encodeRemovals = ({ removed }: Presence, writer: Writer): void => {
  writer.natural(removed?.size ?? 0)
  for (const [, { dot, time }] of [...(removed ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.dot(dot)
    writer.natural(time)
  }
}

export const decode = (reader: Reader): Presence => {
  const presence = makePresence()
  for (let left = reader.natural(); left > 0; left--) add(presence, reader.stamp())
  decodeRemovals(presence, reader)
  return presence
}

export const decodeRemovals = (presence: Presence, reader: Reader): void => {
  for (let left = reader.natural(); left > 0; left--) removeDot(presence, reader.dot(), reader.natural(), undefined)
}

/** Into `into`: everything that `from` knows. */
export const mergePresence = (into: Presence, from: Presence, gone?: (stamp: Stamp) => void): void => {
  for (const { dot, time } of from.removed?.values() ?? []) removeDot(into, dot, time, gone)
  for (const stamp of additions(from)) add(into, stamp)
}
