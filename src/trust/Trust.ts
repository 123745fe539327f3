/**
 * The web of trust: how far each device is trusted, computed from what devices say of each other. Integers in
 * 1/10 000, in strata and without a fixpoint: each reads only those before it, so every web has one answer, and who is
 * sanctioned changes nobody else's value.
 *
 * 1. _Base_, from relations alone: the best path from the roots, whose own base is 10 000. A path is worth what its
 *    lowest relation gives (Low 3333, Medium 6667, High 10 000), and for every further hop after the first
 *    floor(4/5) of that. A path starts at a root and passes through no other: what a root says needs nobody's word.
 * 2. _Attested_: base and 500 for each of at most 5 attesters, never lifting a base of 0, at most 10 000. Attesters
 *    count if they are independent (below). Nobody attests for himself.
 * 3. _Sanction_: the worst severity for which `reportsMin` independent reporters report that or worse. Minor lowers the
 *    level by one step, Major suspends, Severe terminates (both: None). Roots are exempt.
 * 4. _Ceiling_: a level at most. It does not add to a sanction: the lower of the two holds. Roots are exempt.
 *
 * _Independent_: a device has a voice if its base is at least 5000. So many voices count as can be reached from roots
 * along relations of at least Medium by paths that share no device: a maximum flow where every device but the roots
 * lets one path through. Therefore all that stands behind one device counts once, whoever vouches for that device (a
 * farm of sockpuppets is one voice, its keeper included), and a new relation takes no voice away, as a fixed choice of
 * path would. Of several largest sets of voices the one with the lowest ids counts.
 *
 * Laws (test/trust/Trust.test.ts): base and attested are monotone in relations, attested in attestations;
 * value and level are antitone in reports and ceilings; the order of insertion changes nothing, evidence included;
 * `levelOf(value)` is the level. An oracle that tries all paths says the same.
 *
 * Which statements count for the entry being judged is decided before (trust/Authority.ts): no entries, no views and
 * no time stand here. A web is a value: what is handed to `make` may not change afterwards.
 */
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import {
  below,
  given,
  least,
  levelOf,
  levels,
  levelToNumber,
  most,
  severities,
  severityToNumber,
  valueMax,
  type Level,
  type Severity
} from "./Level.ts"
import { reportsMin } from "./limits.ts"

/** What a hop after the first leaves of a value, in 1/10 000. */
export const hopShare = 8_000

/** What one attester adds, in 1/10 000. */
export const attesterValue = 500

/** Attesters that count at most. */
export const attestersMax = 5

/** One device reports another. */
export interface Report {
  /** The entry that states it: what is shown as evidence. */
  readonly hash: EntryHash
  /** A device that reports several times is one voice. */
  readonly reporter: DeviceId
  readonly severity: Severity
  /** The web as the report had seen it: by it the reporter has a voice, or none. */
  readonly seen: Web
}

/** What counts, whoever said it when. */
export interface Statements {
  /** The root key and the founder. */
  readonly roots: ReadonlyArray<DeviceId>
  /** Who → whom. A relation of None is none. */
  readonly relations: ReadonlyMap<DeviceId, ReadonlyMap<DeviceId, Level>>
  /** Subject → attesters. */
  readonly attestations: ReadonlyMap<DeviceId, ReadonlySet<DeviceId>>
  /** Subject → reports. */
  readonly reports: ReadonlyMap<DeviceId, ReadonlyArray<Report>>
  /** Subject → level at most. */
  readonly ceilings: ReadonlyMap<DeviceId, Level>
}

/** Statements, and what earlier questions found out about them. */
export interface Web {
  readonly statements: Statements
  /** Only this file reads and fills it. */
  readonly known: Known
}

/** How far a device is trusted, and why. */
export interface Standing {
  readonly device: DeviceId
  readonly level: Level
  /** In 1/10 000, with sanction and ceiling: `levelOf(value)` is `level`. */
  readonly value: number
  /** In 1/10 000, from relations alone. */
  readonly base: number
  /** In 1/10 000, with attesters, before sanction and ceiling. */
  readonly attested: number
  /** The best path, from a root to the device; empty with a base of 0. */
  readonly path: ReadonlyArray<DeviceId>
  /** Those that count, by id. */
  readonly attesters: ReadonlyArray<DeviceId>
  readonly sanction: Sanction | undefined
  /** By a severe sanction; lowering and suspending leave it false. */
  readonly isTerminated: boolean
  /** As stated, whether or not it is what lowers the level. */
  readonly ceiling: Level | undefined
}

export interface Sanction {
  readonly severity: Severity
  /** Those of as many reporters as are needed, of this severity or worse, by hash. */
  readonly reports: ReadonlyArray<EntryHash>
}

interface Known {
  reach: Reach | undefined
  readonly standings: Map<DeviceId, Standing>
}

/** Relations, looked at from their subjects and from the roots. */
interface Reach {
  readonly roots: ReadonlySet<DeviceId>
  /** Whom → who. */
  readonly trusters: ReadonlyMap<DeviceId, ReadonlyArray<Truster>>
  /** For the level of each number: the fewest hops from a root along relations of at least that level. */
  readonly hopsByLevel: ReadonlyArray<ReadonlyMap<DeviceId, number>>
}

interface Truster {
  readonly device: DeviceId
  readonly level: number
}

/** Costs nothing before the first question. */
export const make = (statements: Statements): Web => ({
  statements,
  known: { reach: undefined, standings: new Map() }
})

/** In 1/10 000, from relations alone; 0 for a device nobody relates to. */
export const baseOf = (web: Web, device: DeviceId): number => best(reachOf(web), device).value

/** Whether what a device says of others counts. */
export const hasVoice = (web: Web, device: DeviceId): boolean => baseOf(web, device) >= least.Medium

export const standingOf = (web: Web, device: DeviceId): Standing => {
  let found = web.known.standings.get(device)
  if (found === undefined) {
    found = judge(web, device)
    web.known.standings.set(device, found)
  }
  return found
}

const judge = (web: Web, device: DeviceId): Standing => {
  const { statements } = web
  const reach = reachOf(web)
  const { value: base, level: along } = best(reach, device)
  const isRoot = reach.roots.has(device)
  const attesters = base === 0 || isRoot ? [] : attestersOf(web, device)
  const attested = Math.min(valueMax, base + attesters.length * attesterValue)
  const sanction = isRoot ? undefined : sanctionOf(device, statements.reports.get(device) ?? [])
  const ceiling = isRoot ? undefined : statements.ceilings.get(device)
  const left = sanction === undefined ? "High" : lowered(levelOf(attested), sanction.severity)
  const value = Math.min(attested, most[left], most[ceiling ?? "High"])
  return {
    device,
    level: levelOf(value),
    value,
    base,
    attested,
    path: base === 0 ? [] : pathTo(reach, along, device),
    attesters,
    sanction,
    isTerminated: sanction?.severity === "Severe",
    ceiling
  }
}

const attestersOf = (web: Web, subject: DeviceId): ReadonlyArray<DeviceId> => {
  const attesters = [...(web.statements.attestations.get(subject) ?? [])]
  const voices = attesters.filter((device) => device !== subject && hasVoice(web, device))
  return independent([reachOf(web)], voices, attestersMax)
}

const sanctionOf = (subject: DeviceId, reports: ReadonlyArray<Report>): Sanction | undefined => {
  const heard = reports.filter(({ reporter, seen }) => reporter !== subject && hasVoice(seen, reporter))
  for (const severity of severities.toReversed()) {
    const severe = heard.filter((report) => severityToNumber(report.severity) >= severityToNumber(severity))
    const reaches = [...new Set(severe.map(({ seen }) => reachOf(seen)))]
    const voices = severe.map(({ reporter }) => reporter)
    const counted = independent(reaches, voices, reportsMin)
    if (counted.length < reportsMin) continue
    const hashes = severe.filter(({ reporter }) => counted.includes(reporter)).map(({ hash }) => hash)
    return { severity, reports: [...new Set(hashes)].sort() }
  }
  return undefined
}

/** What a sanction leaves of a level. */
const lowered = (level: Level, severity: Severity): Level => (severity === "Minor" ? below(level) : "None")

/** The first voices by id, at most so many, that paths without a common device lead to. */
const independent = (
  reaches: ReadonlyArray<Reach>,
  voices: ReadonlyArray<DeviceId>,
  countMax: number
): ReadonlyArray<DeviceId> => {
  const paths: Paths = { before: new Map(), after: new Map() }
  const counted: Array<DeviceId> = []
  for (const voice of [...new Set(voices)].sort()) {
    if (counted.length === countMax) break
    if (reaches.some(({ roots }) => roots.has(voice)) || lead(reaches, paths, voice)) counted.push(voice)
  }
  return counted
}

/** Paths without a common device but roots: who stands before and after whom. */
interface Paths {
  readonly before: Map<DeviceId, DeviceId>
  readonly after: Map<DeviceId, DeviceId>
}

/** A device as looked at from whom it vouches for (out), or from who vouches for it (in), and how one came here. */
interface Step {
  readonly device: DeviceId
  readonly side: "in" | "out"
  readonly from: Step | undefined
}

/** One more path, found from its end; if need be others are led elsewhere, and end where they did. */
const lead = (reaches: ReadonlyArray<Reach>, paths: Paths, voice: DeviceId): boolean => {
  const seen = { in: new Set<DeviceId>(), out: new Set([voice]) }
  const steps: Array<Step> = [{ device: voice, side: "out", from: undefined }]
  const visit = (device: DeviceId, side: Step["side"], from: Step): void => {
    if (seen[side].has(device)) return
    seen[side].add(device)
    steps.push({ device, side, from })
  }
  for (const step of steps) {
    const { device } = step
    const isTaken = paths.before.has(device)
    if (step.side === "out") {
      const after = paths.after.get(device)
      if (after !== undefined) visit(after, "in", step)
      if (!isTaken) visit(device, "in", step)
      continue
    }
    if (isTaken) visit(device, "out", step)
    for (const { roots, trusters } of reaches) {
      for (const truster of trusters.get(device) ?? []) {
        if (truster.level < levelToNumber("Medium") || paths.before.get(device) === truster.device) continue
        if (!roots.has(truster.device)) visit(truster.device, "out", step)
        else return reroute(paths, { device: truster.device, side: "out", from: step })
      }
    }
  }
  return false
}

/** Takes out the links that were gone against, then puts in those that were gone along. */
const reroute = ({ after, before }: Paths, first: Step): true => {
  const links: Array<readonly [by: DeviceId, whom: DeviceId]> = []
  for (let step = first; step.from !== undefined; step = step.from) {
    const { device, from, side } = step
    if (device === from.device) continue
    if (side === "out") links.push([device, from.device])
    else {
      before.delete(device)
      after.delete(from.device)
    }
  }
  for (const [by, whom] of links) {
    before.set(whom, by)
    after.set(by, whom)
  }
  return true
}

const reachOf = ({ known, statements }: Web): Reach => (known.reach ??= reachFrom(statements))

const reachFrom = ({ relations, roots }: Statements): Reach => {
  const trusters = new Map<DeviceId, Array<Truster>>()
  for (const [device, related] of relations) {
    for (const [whom, level] of related) {
      if (level === "None") continue
      const those = trusters.get(whom)
      if (those === undefined) trusters.set(whom, [{ device, level: levelToNumber(level) }])
      else those.push({ device, level: levelToNumber(level) })
    }
  }
  const origins = new Set(roots)
  return { roots: origins, trusters, hopsByLevel: levels.map((level) => hopsAlong(relations, origins, level)) }
}

/** Breadth first, as far as a path along these relations is worth anything. */
const hopsAlong = (
  relations: Statements["relations"],
  roots: ReadonlySet<DeviceId>,
  lowest: Level
): ReadonlyMap<DeviceId, number> => {
  const hops = new Map<DeviceId, number>()
  for (const root of roots) hops.set(root, 0)
  let edge: ReadonlyArray<DeviceId> = [...roots]
  for (let count = 1; edge.length > 0 && pathValue(lowest, count) > 0; count++) {
    const next: Array<DeviceId> = []
    for (const device of edge) {
      for (const [whom, level] of relations.get(device) ?? []) {
        if (hops.has(whom) || levelToNumber(level) < levelToNumber(lowest)) continue
        hops.set(whom, count)
        next.push(whom)
      }
    }
    edge = next
  }
  return hops
}

/** What a path of so many hops, at least 1, is worth. */
const pathValue = (lowest: Level, hops: number): number => {
  let value = given[lowest]
  for (let hop = 1; hop < hops && value > 0; hop++) value = Math.floor((value * hopShare) / valueMax)
  return value
}

/**
 * The value of the best path, and the lowest level of relation on it. Of the paths with one lowest level the shortest
 * is worth most, so one per level is enough; of two that are worth the same the higher level counts.
 */
const best = (reach: Reach, device: DeviceId): { readonly value: number; readonly level: Level } => {
  let found: { readonly value: number; readonly level: Level } = { value: 0, level: "None" }
  if (reach.roots.has(device)) return { value: valueMax, level: "High" }
  for (const level of levels.toReversed()) {
    const hops = reach.hopsByLevel[levelToNumber(level)]!.get(device)
    const value = hops === undefined ? 0 : pathValue(level, hops)
    if (value > found.value) found = { value, level }
  }
  return found
}

/** A shortest path along relations of a level, chosen from its end: the lowest id that is one hop nearer to a root. */
const pathTo = ({ hopsByLevel, trusters }: Reach, along: Level, device: DeviceId): ReadonlyArray<DeviceId> => {
  const hops = hopsByLevel[levelToNumber(along)]!
  const path = [device]
  for (let last = device, left = hops.get(device)!; left > 0; left--) {
    let lowest: DeviceId | undefined
    for (const truster of trusters.get(last) ?? []) {
      if (truster.level < levelToNumber(along) || hops.get(truster.device) !== left - 1) continue
      if (lowest === undefined || truster.device < lowest) lowest = truster.device
    }
    last = lowest!
    path.push(last)
  }
  return path.toReversed()
}
