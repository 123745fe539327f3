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
 * _Independent_: a device has a voice under each first hop (the first device after the root on a path to it) by which
 * its value is at least 5000, and a root under itself. So many voices count as can each be given a first hop of their
 * own: a maximum matching, since any fixed choice of a first hop would let a new relation take a voice away. Of several
 * maximum ones the voices with the lowest ids count. All that stands behind one first hop counts once; what stands
 * behind a device which several first hops vouch for may count once for each of them.
 *
 * Laws (test/trust/Trust.test.ts): base, attested and first hops are monotone in relations, attested in attestations;
 * value and level are antitone in reports and ceilings; the order of insertion changes nothing, evidence included;
 * `levelOf(value)` is the level. An oracle that tries all paths and all assignments says the same.
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
  /** Those of the reporter in what the report had seen, by `firstHops`; without any it does not count. */
  readonly firstHops: ReadonlySet<DeviceId>
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
  readonly firstHops: Map<DeviceId, ReadonlySet<DeviceId>>
  readonly standings: Map<DeviceId, Standing>
}

/** Relations, looked at from their subjects and from the roots. */
interface Reach {
  readonly roots: ReadonlySet<DeviceId>
  /** Whom → who. Relations to roots and to oneself are left out. */
  readonly trusters: ReadonlyMap<DeviceId, ReadonlyArray<Truster>>
  /** For the level of each number: the fewest hops from a root along relations of at least that level. */
  readonly hopsByLevel: ReadonlyArray<ReadonlyMap<DeviceId, number>>
}

interface Truster {
  readonly device: DeviceId
  readonly level: number
}

/** Somebody who says something of a subject. */
interface Voice {
  readonly device: DeviceId
  readonly firstHops: ReadonlySet<DeviceId>
}

/** Costs nothing before the first question. */
export const make = (statements: Statements): Web => ({
  statements,
  known: { reach: undefined, firstHops: new Map(), standings: new Map() }
})

/** In 1/10 000, from relations alone; 0 for a device nobody relates to. */
export const baseOf = (web: Web, device: DeviceId): number => best(reachOf(web), device).value

/** The first hops under which a device has a voice: those by which its value is at least 5000, the least of Medium. */
export const firstHops = (web: Web, device: DeviceId): ReadonlySet<DeviceId> => {
  let found = web.known.firstHops.get(device)
  if (found === undefined) {
    found = firstHopsBackwards(reachOf(web), device)
    web.known.firstHops.set(device, found)
  }
  return found
}

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
  const others = [...(web.statements.attestations.get(subject) ?? [])].filter((device) => device !== subject).sort()
  const voices = others.map((device) => ({ device, firstHops: firstHops(web, device) }))
  return independent(voices, attestersMax).map(({ device }) => device)
}

const sanctionOf = (subject: DeviceId, reports: ReadonlyArray<Report>): Sanction | undefined => {
  for (const severity of severities.toReversed()) {
    const severe = reports.filter(
      (report) => report.reporter !== subject && severityToNumber(report.severity) >= severityToNumber(severity)
    )
    const counted = independent(voicesOf(severe), reportsMin).map(({ device }) => device)
    if (counted.length < reportsMin) continue
    const hashes = severe.filter(({ reporter }) => counted.includes(reporter)).map(({ hash }) => hash)
    return { severity, reports: [...new Set(hashes)].sort() }
  }
  return undefined
}

/** One voice per reporter, by id, with the first hops of all its reports: it may have become trusted between two. */
const voicesOf = (reports: ReadonlyArray<Report>): ReadonlyArray<Voice> => {
  const hopsByReporter = new Map<DeviceId, Set<DeviceId>>()
  for (const { firstHops, reporter } of reports) {
    const hops = hopsByReporter.get(reporter) ?? new Set()
    for (const hop of firstHops) hops.add(hop)
    hopsByReporter.set(reporter, hops)
  }
  return [...hopsByReporter.keys()].sort().map((device) => ({ device, firstHops: hopsByReporter.get(device)! }))
}

/** What a sanction leaves of a level. */
const lowered = (level: Level, severity: Severity): Level => (severity === "Minor" ? below(level) : "None")

/** The first voices, at most so many, that can each be given a first hop of their own. */
const independent = (voices: ReadonlyArray<Voice>, countMax: number): ReadonlyArray<Voice> => {
  const holders = new Map<DeviceId, Voice>()
  const counted: Array<Voice> = []
  for (const voice of voices) {
    if (counted.length === countMax) break
    if (place(voice, holders, new Set())) counted.push(voice)
  }
  return counted
}

/** Finds a voice its hop, if need be by moving others to another of theirs; nobody loses one. */
const place = (voice: Voice, holders: Map<DeviceId, Voice>, tried: Set<DeviceId>): boolean => {
  for (const hop of voice.firstHops) {
    if (tried.has(hop)) continue
    tried.add(hop)
    const holder = holders.get(hop)
    if (holder !== undefined && !place(holder, holders, tried)) continue
    holders.set(hop, voice)
    return true
  }
  return false
}

const reachOf = ({ known, statements }: Web): Reach => (known.reach ??= reachFrom(statements))

const reachFrom = ({ relations, roots }: Statements): Reach => {
  const isRoot = new Set(roots)
  const trusters = new Map<DeviceId, Array<Truster>>()
  for (const [device, related] of relations) {
    for (const [whom, level] of related) {
      if (level === "None" || whom === device || isRoot.has(whom)) continue
      const those = trusters.get(whom)
      if (those === undefined) trusters.set(whom, [{ device, level: levelToNumber(level) }])
      else those.push({ device, level: levelToNumber(level) })
    }
  }
  return { roots: isRoot, trusters, hopsByLevel: levels.map((level) => hopsAlong(relations, isRoot, level)) }
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

const firstHopsBackwards = (reach: Reach, device: DeviceId): ReadonlySet<DeviceId> => {
  const found = new Set<DeviceId>()
  if (reach.roots.has(device)) return found.add(device)
  for (const level of levels) firstHopsAlong(reach, device, level, found)
  return found
}

/** Adds those by paths along relations of at least a level. At most four hops of High and two of Medium leave 5000. */
const firstHopsAlong = ({ roots, trusters }: Reach, device: DeviceId, lowest: Level, found: Set<DeviceId>): void => {
  const seen = new Set([device])
  let edge = [device]
  for (let hops = 1; edge.length > 0 && pathValue(lowest, hops) >= least.Medium; hops++) {
    const next: Array<DeviceId> = []
    for (const subject of edge) {
      for (const truster of trusters.get(subject) ?? []) {
        if (truster.level < levelToNumber(lowest)) continue
        if (roots.has(truster.device)) found.add(subject)
        else if (!seen.has(truster.device)) next.push(truster.device)
        seen.add(truster.device)
      }
    }
    edge = next
  }
}
