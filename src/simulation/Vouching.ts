/**
 * The web of trust by its definition, for the oracle alone: all paths tried, all ways to lead to several at once.
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

/** A report of the worst kind, and what its author had seen of relations. */
export interface Report {
  readonly reporter: DeviceId
  readonly relations: ReadonlyArray<Relation>
}

const given = { None: 0, Low: 3_333, Medium: 6_667, High: 10_000 } as const

/** The least value by which somebody has a voice. */
const voiceMin = 5_000

/** Whether the best path from a root is worth a voice. */
export const hasVoice = (
  relations: ReadonlyArray<Relation>,
  roots: ReadonlyArray<DeviceId>,
  device: DeviceId
): boolean => {
  const isWorth = ({ length }: ReadonlyArray<DeviceId>, lowest: number): boolean => {
    let value = lowest
    for (let hop = 1; hop < length; hop++) value = Math.floor((value * 4) / 5)
    return value >= voiceMin
  }
  return roots.includes(device) || pathsTo(relations, roots, device, isWorth).length > 0
}

/** Whether so many reporters with a voice can each be reached from the roots by ways that share no device. */
export const areIndependent = (
  reports: ReadonlyArray<Report>,
  roots: ReadonlyArray<DeviceId>,
  count: number
): boolean => {
  const heard = reports.filter(({ relations, reporter }) => hasVoice(relations, roots, reporter))
  const reporters = [...new Set(heard.map(({ reporter }) => reporter))]
  if (reporters.length < count) return false
  const firm = heard.flatMap(({ relations }) => relations.filter(({ level }) => given[level] >= given.Medium))
  const isAny = (): boolean => true
  const waysTo = (device: DeviceId): ReadonlyArray<ReadonlyArray<DeviceId>> =>
    roots.includes(device) ? [[device]] : pathsTo(firm, roots, device, isAny)
  const lead = ([first, ...others]: ReadonlyArray<DeviceId>, left: number, taken: ReadonlyArray<DeviceId>): boolean => {
    if (left === 0) return true
    if (first === undefined) return false
    const ways = waysTo(first).filter((way) => way.every((device) => !taken.includes(device)))
    return ways.some((way) => lead(others, left - 1, [...taken, ...way])) || lead(others, left, taken)
  }
  return lead(reporters, count, [])
}

/** The paths from roots to a device as far as they are worth it, without the root that they begin at. */
const pathsTo = (
  relations: ReadonlyArray<Relation>,
  roots: ReadonlyArray<DeviceId>,
  device: DeviceId,
  isWorth: (path: ReadonlyArray<DeviceId>, lowest: number) => boolean
): ReadonlyArray<ReadonlyArray<DeviceId>> => {
  const found: Array<ReadonlyArray<DeviceId>> = []
  const walk = (last: DeviceId, path: ReadonlyArray<DeviceId>, lowest: number): void => {
    for (const { from, level, to } of relations) {
      if (from !== last || level === "None" || path.includes(to) || roots.includes(to)) continue
      const [longer, least] = [[...path, to], Math.min(lowest, given[level])]
      if (!isWorth(longer, least)) continue
      if (to === device) found.push(longer)
      else walk(to, longer, least)
    }
  }
  for (const root of roots) walk(root, [], given.High)
  return found
}

/** The lower of two levels. */
const levelOrder = ["None", "Low", "Medium", "High"] as const

export const lower = (one: Relation["level"], other: Relation["level"]): Relation["level"] =>
  levelOrder.indexOf(one) < levelOrder.indexOf(other) ? one : other
