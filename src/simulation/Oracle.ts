/**
 * Who may do what, computed a second time and the slow way: design §6 written down as sets, for the checkers alone.
 *
 * It shares no code with trust/Authority.ts but the decoding of facts and the order of capabilities: no views, no heads,
 * no memo but verdicts about whole entries. Pasts are sets of hashes (Past.ts); a right is looked for along every chain of
 * grants, each tried by itself and held against everything that limits one of its links. Where the two disagree one of
 * them is wrong, and a simulated world that shows it says with which seed.
 *
 * It knows nothing of seals, settlements of authority, hours and flow budgets, and of the web of trust what Vouching.ts knows.
 */
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"
import { capability, implies, type Capability } from "../trust/Capability.ts"
import * as Fact from "../trust/Fact.ts"
import { grantDepthMax, reportsMin } from "../trust/limits.ts"
import type { Policy } from "../trust/Policy.ts"
import type { Right } from "../trust/Right.ts"
import { cutSeq, demandOf, grantOf, isFree, meets, type Restriction, type Standing, type Stop } from "./Limiting.ts"
import { closed, pastsOf, type Hashes } from "./Past.ts"
import { areIndependent, hasVoice, lower, type Relation } from "./Vouching.ts"

/** Where an entry of data stands, and what its feed had seen by then. */
export interface Place {
  readonly feed: FeedId
  readonly seq: number
  readonly time: number
  readonly seen: ReadonlyArray<Position>
}

/** What somebody does there: an operation of an application, which its definition asks this for. */
export interface Deed {
  readonly app: string
  readonly type: string
  readonly needed: Capability
}

export interface Oracle {
  /** Whether everything that the entry builds on is here. */
  readonly knows: (position: Position) => boolean
  /** Whether a time is above those of all these. */
  readonly isAbove: (time: number, seen: Iterable<Position>) => boolean
  /** The first position of a feed that a standing revocation of its device leaves out; Infinity when there is none. */
  readonly cutAt: (device: DeviceId, feed: FeedId) => number
  /** The entry of a feed of data of this device that all who had a say in it settled on. */
  readonly settledOn: (device: DeviceId, feed: FeedId) => Position | undefined
  readonly isAdmitted: (device: DeviceId, seen: Iterable<Position>) => boolean
  /** Whether some chain gives the device what an operation takes, and no report has ended it. */
  readonly mayDo: (device: DeviceId, deed: Deed, place: Place) => boolean
  /** Whether some chain gives the device this, to be passed on so many times more, as things stand with all that is here. */
  readonly holdsNow: (device: DeviceId, wanted: Capability, time: number, depth: number) => boolean
  /** Whether somebody who may had defined the application. */
  readonly defines: (definition: DefinitionId, seen: Iterable<Position>) => boolean
  /** Members that nothing ends, by everything that is here. */
  readonly members: () => ReadonlySet<DeviceId>
  /** Those who may be told what is in the space. */
  readonly readers: (time: number) => ReadonlySet<DeviceId>
  /** Those who might be, were they not put out, and when the last revocation of each was written. */
  readonly putOut: () => ReadonlyMap<DeviceId, number>
  /** The restrictions that stand: each the entry that states it, its number there, and whether it reaches everything. */
  readonly standing: () => ReadonlySet<string>
  /** Whether any of them is no revocation of a device. */
  readonly isLimited: () => boolean
}

/** By what an entry is judged: restrictions, and whether forks freeze what feeds give. */
interface Bench {
  readonly by: ReadonlyArray<Standing>
  readonly forkAt: (feed: FeedId) => number
  readonly valid: Map<EntryHash, boolean>
  readonly points: Map<EntryHash, Point>
}

/** Where somebody uses or passes on a right: what was seen there, and what limits it. */
interface Point {
  readonly seen: Hashes
  readonly limits: ReadonlyArray<Standing>
}

const admitting = capability("device:admit")
const defining = capability("app:define")
const reading = capability("space:read")

export const make = (
  all: Iterable<AuthorityEntry>,
  founders: { readonly root: DeviceId; readonly creator: DeviceId },
  forks: ReadonlyMap<FeedId, number>
): Oracle => {
  const entries = closed(all)
  const past = pastsOf(entries)
  const listOf = (hashes: Hashes): ReadonlyArray<AuthorityEntry> =>
    [...hashes].flatMap((hash) => entries.get(hash) ?? [])
  const closure = (seen: Iterable<Position>): Hashes =>
    new Set([...seen].flatMap(({ hash }) => (entries.has(hash) ? [hash, ...past(hash)] : [])))
  const roots = [founders.root, founders.creator]
  const isFounder = (device: DeviceId): boolean => device === founders.root || device === founders.creator
  const benchOf = (by: Bench["by"], forkAt: Bench["forkAt"]): Bench => ({
    by,
    forkAt,
    valid: new Map(),
    points: new Map()
  })

  /** Whether a cut leaves an entry alone: the named one is it, or comes behind it on the same history. */
  const leavesAlone = ({ fact }: Restriction, entry: AuthorityEntry): boolean => {
    const last = fact.cut.find(({ feed }) => feed === entry.feed.id)
    if (last === undefined || last.seq < entry.seq) return false
    let named = entries.get(last.hash)
    if (named === undefined || named.feed.id !== last.feed || named.seq !== last.seq) return true
    while (named !== undefined && named.seq > entry.seq) named = entries.get(named.previousHash)
    return named?.hash === entry.hash
  }
  const isCut = ({ by }: Bench, entry: AuthorityEntry): boolean =>
    entry.feed.device !== founders.root &&
    by.some((one) => one.fact._tag === "Revoke" && one.fact.device === entry.feed.device && !leavesAlone(one, entry))

  /** Whether an entry gives what it says. */
  const isValid = (bench: Bench, entry: AuthorityEntry): boolean => {
    const known = bench.valid.get(entry.hash)
    if (known !== undefined) return known
    const { device, id } = entry.feed
    const verdict = entry.seq < bench.forkAt(id) && !isCut(bench, entry) && isAdmitted(bench, device, past(entry.hash))
    bench.valid.set(entry.hash, verdict)
    return verdict
  }
  const isAdmitted = (bench: Bench, device: DeviceId, seen: Hashes): boolean =>
    isFounder(device) ||
    listOf(seen).some(
      (entry) =>
        entry.facts.some((fact) => fact._tag === "Admit" && fact.device === device) && may(bench, entry, admitting)
    )
  /** Whether an entry is valid, and its author held this when it wrote it. */
  const may = (bench: Bench, entry: AuthorityEntry, wanted: Capability): boolean =>
    isValid(bench, entry) && holds(bench, entry.feed.device, wanted, pointOf(bench, entry), [entry.time], 0)

  const pointOf = (bench: Bench, entry: AuthorityEntry): Point => {
    const known = bench.points.get(entry.hash)
    if (known !== undefined) return known
    const seen = past(entry.hash)
    const point = { seen, limits: unlifted(bench, seen, (one) => !leavesAlone(one, entry)) }
    bench.points.set(entry.hash, point)
    return point
  }
  const unlifted = (bench: Bench, seen: Hashes, isAgainst: (one: Standing) => boolean): ReadonlyArray<Standing> =>
    bench.by.filter((one) => one.fact._tag !== "Revoke" && isAgainst(one) && !isLifted(bench, seen, one))
  /** Policies are replaced. Anything else root lifts, and others what they made, while they still have what it took. */
  const isLifted = (bench: Bench, seen: Hashes, limit: Standing): boolean =>
    limit.fact._tag !== "SetPolicy" &&
    listOf(seen).some((entry) => {
      const { device } = entry.feed
      const names = entry.facts.some(
        (fact) => fact._tag === "Lift" && fact.entry === limit.entry.hash && fact.index === limit.index
      )
      if (!names || !isValid(bench, entry)) return false
      if (device === founders.root) return true
      if (device !== limit.entry.feed.device) return false
      return limit.isOwn || limit.fact._tag === "Report" || isParty(limit) || may(bench, entry, demandOf(limit.fact)!)
    })

  /** A chain of grants from a founder. `times`: when its last right is used, and when each further one was passed on. */
  const holds = (
    bench: Bench,
    device: DeviceId,
    wanted: Capability,
    { limits, seen }: Point,
    times: ReadonlyArray<number>,
    depth: number,
    path: ReadonlyArray<Stop> = [],
    isMeant: (path: ReadonlyArray<Stop>) => boolean = () => true
  ): boolean => {
    const hops = depth + path.length
    const stop = { holder: device, limits }
    if (isFounder(device)) {
      const whole = [...path, { ...stop, grant: undefined }]
      return hops <= grantDepthMax && isFree(whole, wanted) && isMeant(whole)
    }
    return listOf(seen).some((entry) =>
      entry.facts.some(
        (fact) =>
          fact._tag === "Grant" &&
          fact.device === device &&
          fact.rights.some(
            (right) =>
              right.depth >= hops &&
              implies(right.capability, wanted) &&
              times.every((time) => isOpen(right, time)) &&
              isValid(bench, entry) &&
              holds(
                bench,
                entry.feed.device,
                wanted,
                pointOf(bench, entry),
                [...times, entry.time],
                depth,
                [...path, { ...stop, grant: entry }],
                isMeant
              )
          )
      )
    )
  }

  const verdicts = new Map<Restriction, Standing | undefined>()
  const restrictions: ReadonlyArray<Restriction> = [...entries.values()].flatMap((entry) =>
    entry.facts.flatMap((fact, index) => (Fact.isRestriction(fact) ? [{ entry, fact, index }] : []))
  )
  const standingOf = (restriction: Restriction): Standing | undefined => {
    if (verdicts.has(restriction)) return verdicts.get(restriction)
    const verdict = !isMeant(restriction)
      ? undefined
      : isRoots(restriction)
        ? { ...restriction, isOwn: false, relations: [] }
        : earned(restriction)
    verdicts.set(restriction, verdict)
    return verdict
  }
  const isRoots = ({ entry }: Restriction): boolean => entry.feed.device === founders.root
  /** It names an admission of its device or a grant to it, which it has seen. */
  const isMeant = ({ entry, fact }: Restriction): boolean => {
    if (fact._tag === "SetPolicy") return true
    const grant = grantOf(fact)
    const hash = grant ?? (fact._tag === "Ungrant" ? undefined : fact.admission)
    const named = hash === undefined ? undefined : entries.get(hash)
    if (fact.device === founders.root || named === undefined || !past(entry.hash).has(named.hash)) return false
    if (grant !== undefined) return named.facts.some((one) => one._tag === "Grant" && one.device === fact.device)
    if (named.facts.some((one) => one._tag === "Admit" && one.device === fact.device)) return true
    const isFounding = named.feed.device === founders.creator && named.facts[0]?._tag === "Create"
    return fact.device === founders.creator && isFounding
  }
  /** Its author held the authority in its own past, whatever forked and whatever others but root said meanwhile. */
  const earned = (restriction: Restriction): Standing | undefined => {
    const { entry, fact } = restriction
    const seen = past(entry.hash)
    const by = restrictions.flatMap((other) =>
      isRoots(other) || seen.has(other.entry.hash) ? (standingOf(other) ?? []) : []
    )
    const bench = benchOf(by, () => Infinity)
    if (!isValid(bench, entry)) return undefined
    const taken = listOf(seen).filter(
      (one) => reachOf(fact, seen).has(one.feed.device) && !leavesAlone(restriction, one)
    )
    if (!taken.every(({ feed }) => may(bench, entry, capability(`device:rollback/${feed.device}`)))) return undefined
    const author = entry.feed.device
    if (fact._tag === "Report") {
      const relations = relationsAt(bench, pointOf(bench, entry))
      return hasVoice(relations, roots, author) ? { ...restriction, isOwn: false, relations } : undefined
    }
    const isOnItself = fact._tag !== "SetPolicy" && fact._tag !== "Lower" && fact.device === author
    if (isOnItself || isParty(restriction) || may(bench, entry, demandOf(fact)!))
      return { ...restriction, isOwn: false, relations: [] }
    const grant = entries.get(grantOf(fact) ?? ("" as EntryHash))
    const rests = fact._tag === "Lower" || (grant !== undefined && hasThrough(bench, grant, author))
    return rests ? { ...restriction, isOwn: true, relations: [] } : undefined
  }
  /** Whose entries a restriction may take back. */
  const reachOf = (fact: Fact.Restriction, seen: Hashes): ReadonlySet<DeviceId> => {
    if (fact._tag === "SetPolicy" || fact._tag === "Lower" || fact._tag === "Report") return new Set()
    const found = new Set([fact.device])
    if (grantOf(fact) === undefined) return found
    for (const giver of found)
      for (const { facts, feed } of listOf(seen))
        for (const one of facts) if (feed.device === giver && one._tag === "Grant") found.add(one.device)
    return found
  }
  /** Its author made the grant. */
  const isParty = ({ entry, fact }: Restriction): boolean => {
    const grant = grantOf(fact)
    return grant !== undefined && entries.get(grant)?.feed.device === entry.feed.device
  }
  /** Whether the author of a grant held something that a device had passed on. */
  const hasThrough = (bench: Bench, grant: AuthorityEntry, device: DeviceId): boolean => {
    const named = new Set(
      listOf(past(grant.hash)).flatMap(({ facts }) =>
        facts.flatMap((fact) => (fact._tag === "Grant" ? fact.rights.map((right) => right.capability) : []))
      )
    )
    const isIts = (path: ReadonlyArray<Stop>): boolean => path.some((stop) => stop.grant?.feed.device === device)
    return (
      isValid(bench, grant) &&
      [...named].some((one) => holds(bench, grant.feed.device, one, pointOf(bench, grant), [], 0, undefined, isIts))
    )
  }

  const relationsAt = (bench: Bench, { limits, seen }: Point): ReadonlyArray<Relation> => {
    const lowered = limits.flatMap(({ entry, fact }) =>
      fact._tag === "Lower" ? [{ by: entry.feed.device, fact }] : []
    )
    return listOf(seen).flatMap((entry) =>
      entry.facts.flatMap((fact) => {
        if (fact._tag !== "Relate" || !isValid(bench, entry)) return []
        const from = entry.feed.device
        const ceilings = lowered.filter(({ by, fact: one }) => by === from && one.device === fact.device)
        const level = [fact.level, ...ceilings.map((one) => one.fact.level)].reduce(lower)
        return [{ from, to: fact.device, level }]
      })
    )
  }
  const isTerminated = (device: DeviceId, { limits }: Point): boolean => {
    const reports = limits.flatMap(({ entry, fact, relations }) =>
      fact._tag === "Report" && fact.device === device && fact.severity === "Severe"
        ? [{ reporter: entry.feed.device, relations }]
        : []
    )
    const others = reports.filter(({ reporter }) => reporter !== device)
    return !isFounder(device) && areIndependent(others, roots, reportsMin)
  }

  const standing = restrictions.flatMap((restriction) => standingOf(restriction) ?? [])
  const bench = benchOf(standing, (feed) => forks.get(feed) ?? Infinity)
  const everything: Hashes = new Set(entries.keys())
  const now: Point = { seen: everything, limits: unlifted(bench, everything, () => true) }
  const revocations = standing.flatMap(({ entry, fact }) => (fact._tag === "Revoke" ? [{ entry, fact }] : []))
  const pointAt = ({ feed, seen, seq }: Place): Point => {
    const known = closure(seen)
    return { seen: known, limits: unlifted(bench, known, ({ fact }) => cutSeq(fact, feed) < seq) }
  }
  /** What binds an operation: the last changes seen, and those against the place that no change seen had seen. */
  const policiesAt = ({ app, type }: Deed, { limits, seen }: Point): ReadonlyArray<Policy | undefined> => {
    const changes = standing.filter(
      ({ fact }) => fact._tag === "SetPolicy" && fact.app === app && fact.operation === type
    )
    const known = changes.filter(
      ({ entry }) => seen.has(entry.hash) && may(bench, entry, capability(`policy:set/${type}`))
    )
    const isReplaced = ({ entry }: Standing): boolean =>
      known.some((other) => other.entry.hash !== entry.hash && past(other.entry.hash).has(entry.hash))
    const last = known.filter((one) => !isReplaced(one))
    const later = changes.filter((one) => limits.includes(one) && !last.includes(one) && !isReplaced(one))
    const policies = [...last, ...later].map(({ fact }) => (fact._tag === "SetPolicy" ? fact.policy : undefined))
    return last.length === 0 ? [undefined, ...policies] : policies
  }
  const isMember = (device: DeviceId): boolean => isAdmitted(bench, device, everything)
  const holdsNow = (device: DeviceId, wanted: Capability, time: number, depth: number): boolean =>
    holds(bench, device, wanted, now, [time], depth)
  const members = (): ReadonlySet<DeviceId> => {
    const named = [...entries.values()].flatMap(({ facts }) =>
      facts.flatMap((fact) => (fact._tag === "Admit" ? [fact.device] : []))
    )
    const isIn = (device: DeviceId): boolean =>
      device !== founders.root && isMember(device) && revocations.every(({ fact }) => fact.device !== device)
    return new Set([founders.creator, ...named].filter(isIn))
  }
  const lastAgainst = (device: DeviceId): number =>
    Math.max(...revocations.flatMap(({ entry, fact }) => (fact.device === device ? [entry.time] : [])))

  return {
    knows: ({ feed, hash, seq }) => {
      const entry = entries.get(hash)
      return entry !== undefined && entry.feed.id === feed && entry.seq === seq
    },
    isAbove: (time, seen) => [...seen].every(({ hash }) => (entries.get(hash)?.time ?? 0) < time),
    cutAt: (device, feed) =>
      Math.min(
        ...revocations.flatMap(({ fact }) => (fact.device === device ? [cutSeq(fact, feed) + 1] : [])),
        Infinity
      ),
    settledOn: (device, feed) => {
      // forks freeze nothing here, as with what restricts
      const free = benchOf(standing, () => Infinity)
      const maySettle = (entry: AuthorityEntry) => may(free, entry, capability(`device:revoke/${device}`))
      return settlementOf(settlementsOf(entries.values(), feed), founders.root, maySettle)
    },
    isAdmitted: (device, seen) => isAdmitted(bench, device, closure(seen)),
    mayDo: (device, deed, place) => {
      const point = pointAt(place)
      const isHeld = (wanted: Capability): boolean => holds(bench, device, wanted, point, [place.time], 0)
      return (
        !isTerminated(device, point) &&
        policiesAt(deed, point).every((policy) => (policy === undefined ? isHeld(deed.needed) : meets(policy, isHeld)))
      )
    },
    holdsNow,
    defines: (id, seen) =>
      listOf(closure(seen)).some(
        (entry) =>
          entry.facts.some((fact) => fact._tag === "Define" && fact.definition.id === id) && may(bench, entry, defining)
      ),
    isLimited: () => standing.length > revocations.length,
    members,
    putOut: () =>
      new Map(
        revocations.flatMap(({ entry, fact: { device } }) =>
          isMember(device) && holdsNow(device, reading, entry.time, 0) ? [[device, lastAgainst(device)]] : []
        )
      ),
    readers: (time) => new Set([...members()].filter((device) => holdsNow(device, reading, time, 0))),
    standing: () =>
      new Set(standing.map(({ entry, index, isOwn }) => `${entry.hash} ${index} ${isOwn ? "own" : "all"}`))
  }
}

const isOpen = (right: Right, time: number): boolean =>
  (right.from === undefined || time >= right.from) && (right.until === undefined || time <= right.until)

interface Settlement {
  readonly entry: AuthorityEntry
  readonly position: Position
}

const settlementsOf = (entries: Iterable<AuthorityEntry>, feed: FeedId): ReadonlyArray<Settlement> =>
  [...entries].flatMap((entry) =>
    entry.facts.flatMap((fact) => (fact._tag === "Settle" && fact.feed === feed ? [{ entry, position: fact }] : []))
  )

/** Root's, or those of who may; undefined: they do not say the same. */
const settlementOf = (
  all: ReadonlyArray<Settlement>,
  root: DeviceId,
  maySettle: (entry: AuthorityEntry) => boolean
): Position | undefined => {
  const byRoot = all.filter(({ entry }) => entry.feed.device === root)
  const [first, ...others] = byRoot.length > 0 ? byRoot : all.filter(({ entry }) => maySettle(entry))
  const isAlike = others.every(
    ({ position }) => position.hash === first?.position.hash && position.seq === first.position.seq
  )
  return isAlike ? first?.position : undefined
}
