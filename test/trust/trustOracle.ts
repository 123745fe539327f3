/**
 * The web of trust once more, written down as slowly as it reads: every simple path, every choice of voices and of
 * paths to them, nothing remembered. It shares types with the engine and no code.
 */
import type { DeviceId, EntryHash } from "../../src/identity/Id.ts"
import type { Level, Severity } from "../../src/trust/Level.ts"
import type { Report, Standing, Statements } from "../../src/trust/Trust.ts"

interface Path {
  readonly devices: ReadonlyArray<DeviceId>
  readonly lowest: number
  readonly value: number
}

const gives: Readonly<Record<Level, number>> = { None: 0, Low: 3333, Medium: 6667, High: 10_000 }
const worse: ReadonlyArray<Severity> = ["Severe", "Major", "Minor"]
const names: ReadonlyArray<Level> = ["None", "Low", "Medium", "High"]
const from: ReadonlyArray<number> = [0, 2500, 5000, 8000]
const upTo: ReadonlyArray<number> = [0, 4999, 7999, 10_000]

const stepsOf = (value: number): number => from.findLastIndex((least) => value >= least)

/** Every way to choose some of a list, in any number. */
const choices = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  list.reduce<ReadonlyArray<ReadonlyArray<A>>>((all, one) => [...all, ...all.map((some) => [...some, one])], [[]])

const pathsOf = ({ relations, roots }: Statements): ReadonlyArray<Path> => {
  const all: Array<Path> = []
  const walk = (devices: ReadonlyArray<DeviceId>, given: ReadonlyArray<number>): void => {
    if (given.length > 0) {
      let value = Math.min(...given)
      for (let hop = 2; hop <= given.length; hop++) value = Math.floor((value * 8000) / 10_000)
      all.push({ devices, lowest: Math.min(...given), value })
    }
    for (const [whom, level] of relations.get(devices.at(-1)!) ?? [])
      if (level !== "None" && !devices.includes(whom) && !roots.includes(whom))
        walk([...devices, whom], [...given, gives[level]])
  }
  for (const root of new Set(roots)) walk([root], [])
  return all
}

/** Whether there is any way to give each voice a path of at least Medium that shares no device with another's. */
const areApart = (
  voices: ReadonlyArray<DeviceId>,
  paths: ReadonlyArray<ReadonlyArray<DeviceId>>,
  taken: ReadonlyArray<DeviceId> = []
): boolean =>
  voices.length === 0 ||
  paths.some(
    (path) =>
      path.at(-1) === voices[0] &&
      !path.some((device) => taken.includes(device)) &&
      areApart(voices.slice(1), paths, [...taken, ...path])
  )

/** The largest choice of voices that have paths apart, up to a size; of several, the first by id. */
const chosen = (
  voices: ReadonlyArray<DeviceId>,
  webs: ReadonlyArray<Statements>,
  sizeMax: number
): ReadonlyArray<DeviceId> => {
  const roots = webs[0]?.roots ?? []
  const firm = new Map<DeviceId, Map<DeviceId, Level>>()
  for (const { relations } of webs)
    for (const [by, related] of relations)
      for (const [whom, level] of related)
        if (gives[level] >= 6667) firm.set(by, (firm.get(by) ?? new Map<DeviceId, Level>()).set(whom, "High"))
  const none = new Map()
  const all = pathsOf({ roots, relations: firm, attestations: none, reports: none, ceilings: none })
  // a root speaks for itself, and no path needs it but as its start
  const paths = [...roots.map((root) => [root]), ...all.map(({ devices }) => devices.slice(1))]
  return choices([...new Set(voices)].sort())
    .filter((some) => some.length <= sizeMax && areApart(some, paths))
    .sort((a, b) => b.length - a.length || (a.join() < b.join() ? -1 : 1))[0]!
}

const backwards = (path: Path): string => path.devices.toReversed().join()

export interface TrustOracle {
  readonly base: (device: DeviceId) => number
  readonly standing: (device: DeviceId) => Standing
}

export const trustOracle = (statements: Statements, paths = pathsOf(statements)): TrustOracle => {
  const isRoot = (device: DeviceId): boolean => statements.roots.includes(device)
  const pathsTo = (device: DeviceId): ReadonlyArray<Path> => paths.filter((path) => path.devices.at(-1) === device)
  const base = (device: DeviceId): number =>
    isRoot(device) ? 10_000 : Math.max(0, ...pathsTo(device).map(({ value }) => value))
  const bestPath = (device: DeviceId): ReadonlyArray<DeviceId> => {
    if (isRoot(device)) return [device]
    if (base(device) === 0) return []
    return pathsTo(device)
      .filter(({ value }) => value === base(device))
      .sort(
        (a, b) => b.lowest - a.lowest || a.devices.length - b.devices.length || (backwards(a) < backwards(b) ? -1 : 1)
      )[0]!.devices
  }
  const attestersOf = (subject: DeviceId): ReadonlyArray<DeviceId> => {
    if (isRoot(subject) || base(subject) === 0) return []
    const attesters = [...(statements.attestations.get(subject) ?? [])]
    const voices = attesters.filter((device) => device !== subject && base(device) >= 5000)
    return voices.length === 0 ? [] : chosen(voices, [statements], 5)
  }
  const sanctionOf = (subject: DeviceId): Standing["sanction"] => {
    const reports: ReadonlyArray<Report> = isRoot(subject) ? [] : (statements.reports.get(subject) ?? [])
    for (const severity of worse) {
      const bad = worse.slice(0, worse.indexOf(severity) + 1)
      const those = reports.filter(
        ({ reporter, seen, severity }) =>
          bad.includes(severity) && reporter !== subject && trustOracle(seen.statements).base(reporter) >= 5000
      )
      if (those.length < 3) continue
      const webs = new Set(those.map(({ seen }) => seen.statements))
      const counted = chosen(
        those.map(({ reporter }) => reporter),
        [...webs],
        3
      )
      if (counted.length < 3) continue
      const hashes = new Set<EntryHash>(those.flatMap((one) => (counted.includes(one.reporter) ? [one.hash] : [])))
      return { severity, reports: [...hashes].sort() }
    }
    return undefined
  }
  const standing = (device: DeviceId): Standing => {
    const attesters = attestersOf(device)
    const attested = Math.min(10_000, base(device) + 500 * attesters.length)
    const sanction = sanctionOf(device)
    const ceiling = isRoot(device) ? undefined : statements.ceilings.get(device)
    let value = attested
    if (sanction !== undefined)
      value = Math.min(value, upTo[sanction.severity === "Minor" ? Math.max(0, stepsOf(attested) - 1) : 0]!)
    if (ceiling !== undefined) value = Math.min(value, upTo[names.indexOf(ceiling)]!)
    return {
      device,
      level: names[stepsOf(value)]!,
      value,
      base: base(device),
      attested,
      path: bestPath(device),
      attesters,
      sanction,
      isTerminated: sanction?.severity === "Severe",
      ceiling
    }
  }
  return { base, standing }
}
