/**
 * The web of trust by its definition, for the oracle alone: all paths tried, and all who may stand between.
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
  const all = [...new Map(relations.map((one) => [`${one.from} ${one.to} ${one.level}`, one])).values()]
  const walk = (last: DeviceId, path: ReadonlyArray<DeviceId>, lowest: number): boolean => {
    let value = lowest
    for (let hop = 1; hop < path.length; hop++) value = Math.floor((value * 4) / 5)
    if (path.length > 0 && value < voiceMin) return false
    if (last === device) return true
    return all.some(
      ({ from, level, to }) =>
        from === last &&
        !path.includes(to) &&
        !roots.includes(to) &&
        walk(to, [...path, to], Math.min(lowest, given[level]))
    )
  }
  return roots.some((root) => walk(root, [], given.High))
}

/**
 * Whether so many reporters with a voice can each be reached from the roots by ways that share no device: no fewer
 * devices stand between the roots and all of them.
 */
export const areIndependent = (
  reports: ReadonlyArray<Report>,
  roots: ReadonlyArray<DeviceId>,
  count: number
): boolean => {
  const heard = reports.filter(({ relations, reporter }) => hasVoice(relations, roots, reporter))
  const reporters = [...new Set(heard.map(({ reporter }) => reporter))]
  const others = reporters.filter((device) => !roots.includes(device))
  const firm = heard.flatMap(({ relations }) => relations.filter(({ level }) => given[level] >= given.Medium))
  const devices = [...new Set(firm.map(({ to }) => to))].filter((device) => !roots.includes(device))
  const isOpen = (without: ReadonlyArray<DeviceId>): boolean => {
    const reached = new Set(roots)
    for (const device of reached)
      for (const { from, to } of firm) if (from === device && !without.includes(to)) reached.add(to)
    return others.some((device) => reached.has(device))
  }
  const areEnough = (left: number, without: ReadonlyArray<DeviceId>): boolean =>
    left <= 0 || (isOpen(without) && devices.every((device) => areEnough(left - 1, [...without, device])))
  return reporters.length >= count && areEnough(count - (reporters.length - others.length), [])
}

/** The lower of two levels. */
const levelOrder = ["None", "Low", "Medium", "High"] as const

export const lower = (one: Relation["level"], other: Relation["level"]): Relation["level"] =>
  levelOrder.indexOf(one) < levelOrder.indexOf(other) ? one : other
