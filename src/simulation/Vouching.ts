/**
 * The web of trust by its definition, for the oracle alone: all paths tried, all ways to give reporters a first hop.
 *
 * It knows as much of it as bears on what entries may do in the simulated application: who may report, and who was
 * reported so badly, by so many who are independent of each other, that nothing it writes counts.
 */
import type { DeviceId } from "../identity/Id.ts"
import type { Level } from "../trust/Level.ts"

export interface Relation {
  readonly from: DeviceId
  readonly to: DeviceId
  readonly level: Level
}

/** A report of the worst kind. */
export interface Report {
  readonly reporter: DeviceId
  readonly hops: ReadonlySet<DeviceId>
}

const given = { None: 0, Low: 3_333, Medium: 6_667, High: 10_000 } as const

/** The least value by which somebody has a voice. */
const voiceMin = 5_000

/** The devices after a root on the paths by which a device's value is enough for a voice; a root speaks for itself. */
export const hopsOf = (
  relations: ReadonlyArray<Relation>,
  roots: ReadonlyArray<DeviceId>,
  device: DeviceId
): ReadonlySet<DeviceId> => {
  if (roots.includes(device)) return new Set([device])
  const found = new Set<DeviceId>()
  const walk = (path: ReadonlyArray<DeviceId>, lowest: number): void => {
    const last = path.at(-1)!
    let value = lowest
    for (let hop = 2; hop < path.length; hop++) value = Math.floor((value * 4) / 5)
    if (path.length > 1 && value < voiceMin) return
    if (last === device) found.add(path[1]!)
    for (const { from, level, to } of relations)
      if (from === last && !path.includes(to) && !roots.includes(to))
        walk([...path, to], Math.min(lowest, given[level]))
  }
  for (const root of roots) walk([root], given.High)
  return found
}

/** Whether so many reporters can each be given a first hop of its own. */
export const areIndependent = (reports: ReadonlyArray<Report>, count: number): boolean => {
  const hops = new Map<DeviceId, Set<DeviceId>>()
  for (const { hops: more, reporter } of reports) hops.set(reporter, new Set([...(hops.get(reporter) ?? []), ...more]))
  const assign = (
    [first, ...others]: ReadonlyArray<ReadonlySet<DeviceId>>,
    taken: ReadonlyArray<DeviceId>
  ): boolean => {
    if (taken.length >= count) return true
    if (first === undefined) return false
    return assign(others, taken) || [...first].some((hop) => !taken.includes(hop) && assign(others, [...taken, hop]))
  }
  return assign([...hops.values()], [])
}

/** The lower of two levels. */
const levelOrder = ["None", "Low", "Medium", "High"] as const

export const lower = (one: Relation["level"], other: Relation["level"]): Relation["level"] =>
  levelOrder.indexOf(one) < levelOrder.indexOf(other) ? one : other
