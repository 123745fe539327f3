/**
 * Who may do what, computed a second time and the slow way: design §6 written down as sets, for the checkers alone.
 *
 * It shares no code with trust/Authority.ts but the decoding of facts and the order of capabilities: no views, no heads,
 * no memo but verdicts about whole entries. Pasts are sets of hashes; a right is looked for along every chain of grants,
 * each tried by itself. Where the two disagree one of them is wrong, and a simulated world that shows it says with which
 * seed.
 */
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"
import { capability, implies, type Capability } from "../trust/Capability.ts"
import type * as Fact from "../trust/Fact.ts"
import { grantDepthMax } from "../trust/limits.ts"

export interface Oracle {
  /** Whether everything that the entry builds on is here. */
  readonly knows: (position: Position) => boolean
  /** Whether a time is above those of all these. */
  readonly isAbove: (time: number, seen: Iterable<Position>) => boolean
  /** The first position of a feed that a standing restriction on its device leaves out; Infinity when there is none. */
  readonly cutAt: (device: DeviceId, feed: FeedId) => number
  readonly isAdmitted: (device: DeviceId, seen: Iterable<Position>) => boolean
  /** Whether some chain gives the device this at a time, to be passed on so many times more. */
  readonly holds: (
    device: DeviceId,
    wanted: Capability,
    seen: Iterable<Position>,
    time: number,
    depth?: number
  ) => boolean
  /** As `holds`, with everything that is here as what was seen. */
  readonly holdsNow: (device: DeviceId, wanted: Capability, time: number, depth: number) => boolean
  /** Whether somebody who may had defined the application. */
  readonly defines: (definition: DefinitionId, seen: Iterable<Position>) => boolean
  /** Members that nothing ends, by everything that is here. */
  readonly members: () => ReadonlySet<DeviceId>
  /** Those who may be told what is in the space. */
  readonly readers: (time: number) => ReadonlySet<DeviceId>
  /** Those who might be, were they not put out, and when the last restriction on each was written. */
  readonly putOut: () => ReadonlyMap<DeviceId, number>
  /** Of each standing restriction the entry that states it. */
  readonly standing: () => ReadonlySet<EntryHash>
}

interface Restriction {
  readonly entry: AuthorityEntry
  readonly fact: Fact.Revoke
}

type Hashes = ReadonlySet<EntryHash>

/** By what an entry is judged: restrictions, and whether forks freeze what feeds give. */
interface Bench {
  readonly by: ReadonlyArray<Restriction>
  readonly forkAt: (feed: FeedId) => number
  readonly valid: Map<EntryHash, boolean>
}

const admitting = capability("device:admit")
const defining = capability("app:define")
const reading = capability("space:read")

export const make = (
  all: Iterable<AuthorityEntry>,
  founders: { readonly root: DeviceId; readonly creator: DeviceId },
  provedForkAt: (feed: FeedId) => number
): Oracle => {
  const entries = closed(all)
  const past = pastsOf(entries)
  const listOf = (hashes: Hashes): ReadonlyArray<AuthorityEntry> =>
    [...hashes].flatMap((hash) => entries.get(hash) ?? [])
  const closure = (seen: Iterable<Position>): Hashes =>
    new Set([...seen].flatMap(({ hash }) => (entries.has(hash) ? [hash, ...past(hash)] : [])))
  const forks = forksOf(entries.values())
  const isFounder = (device: DeviceId): boolean => device === founders.root || device === founders.creator

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
    by.some((restriction) => restriction.fact.device === entry.feed.device && !leavesAlone(restriction, entry))

  /** Whether an entry gives what it says. */
  const isValid = (bench: Bench, entry: AuthorityEntry): boolean => {
    const known = bench.valid.get(entry.hash)
    if (known !== undefined) return known
    const { device, id } = entry.feed
    const verdict =
      device === founders.root ||
      (entry.seq < bench.forkAt(id) && !isCut(bench, entry) && isAdmitted(bench, device, past(entry.hash)))
    bench.valid.set(entry.hash, verdict)
    return verdict
  }
  const isAdmitted = (bench: Bench, device: DeviceId, seen: Hashes): boolean =>
    isFounder(device) ||
    listOf(seen).some(
      (entry) =>
        entry.facts.some((fact) => fact._tag === "Admit" && fact.device === device) &&
        isValid(bench, entry) &&
        holds(bench, entry.feed.device, admitting, past(entry.hash), [entry.time], 0)
    )
  /** A chain of grants from a founder. `times`: when its last right is used, and when each further one was passed on. */
  const holds = (
    bench: Bench,
    device: DeviceId,
    wanted: Capability,
    seen: Hashes,
    times: ReadonlyArray<number>,
    hops: number
  ): boolean => {
    if (isFounder(device)) return hops <= grantDepthMax
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
              holds(bench, entry.feed.device, wanted, past(entry.hash), [...times, entry.time], hops + 1)
          )
      )
    )
  }

  const restrictions: ReadonlyArray<Restriction> = [...entries.values()].flatMap((entry) =>
    entry.facts.flatMap((fact) => (fact._tag === "Revoke" ? [{ entry, fact }] : []))
  )
  const verdicts = new Map<Restriction, boolean>()
  const stands = (restriction: Restriction): boolean => {
    const known = verdicts.get(restriction)
    if (known !== undefined) return known
    const verdict = isMeant(restriction) && (isRoots(restriction) || isEarned(restriction))
    verdicts.set(restriction, verdict)
    return verdict
  }
  const isRoots = ({ entry }: Restriction): boolean => entry.feed.device === founders.root
  /** It names an admission of its device, which it has seen. */
  const isMeant = ({ entry, fact }: Restriction): boolean => {
    const admission = entries.get(fact.admission)
    if (fact.device === founders.root || admission === undefined || !past(entry.hash).has(admission.hash)) return false
    if (admission.facts.some((one) => one._tag === "Admit" && one.device === fact.device)) return true
    return (
      fact.device === founders.creator &&
      admission.feed.device === founders.creator &&
      admission.facts[0]?._tag === "Create"
    )
  }
  /** Its author held the authority in its own past, whatever forked and whatever others but root said meanwhile. */
  const isEarned = (restriction: Restriction): boolean => {
    const { entry, fact } = restriction
    const seen = past(entry.hash)
    const { device } = entry.feed
    const by = restrictions.filter((other) => (isRoots(other) || seen.has(other.entry.hash)) && stands(other))
    const bench: Bench = { by, forkAt: () => Infinity, valid: new Map() }
    const may = (action: string): boolean =>
      holds(bench, device, capability(`${action}/${fact.device}`), seen, [entry.time], 0)
    const takesBack = listOf(seen).some((one) => one.feed.device === fact.device && !leavesAlone(restriction, one))
    return (
      isValid(bench, entry) &&
      (device === fact.device || may("device:revoke")) &&
      (!takesBack || may("device:rollback"))
    )
  }

  const standing = restrictions.filter(stands)
  const bench: Bench = {
    by: standing,
    forkAt: (feed) => Math.min(provedForkAt(feed), forks.get(feed) ?? Infinity),
    valid: new Map()
  }
  const everything: Hashes = new Set(entries.keys())
  const isMember = (device: DeviceId): boolean => isAdmitted(bench, device, everything)
  const holdsNow = (device: DeviceId, wanted: Capability, time: number, depth: number): boolean =>
    holds(bench, device, wanted, everything, [time], depth)
  const members = (): ReadonlySet<DeviceId> => {
    const named = [...entries.values()].flatMap(({ facts }) =>
      facts.flatMap((fact) => (fact._tag === "Admit" ? [fact.device] : []))
    )
    return new Set(
      [founders.creator, ...named].filter(
        (device) => device !== founders.root && isMember(device) && standing.every(({ fact }) => fact.device !== device)
      )
    )
  }
  const lastAgainst = (device: DeviceId): number =>
    Math.max(...standing.flatMap(({ entry, fact }) => (fact.device === device ? [entry.time] : [])))

  return {
    knows: ({ feed, hash, seq }) => {
      const entry = entries.get(hash)
      return entry !== undefined && entry.feed.id === feed && entry.seq === seq
    },
    isAbove: (time, seen) => [...seen].every(({ hash }) => (entries.get(hash)?.time ?? 0) < time),
    cutAt: (device, feed) =>
      Math.min(...standing.flatMap(({ fact }) => (fact.device === device ? [cutSeq(fact, feed) + 1] : [])), Infinity),
    isAdmitted: (device, seen) => isAdmitted(bench, device, closure(seen)),
    holds: (device, wanted, seen, time, depth = 0) => holds(bench, device, wanted, closure(seen), [time], depth),
    holdsNow,
    defines: (id, seen) =>
      listOf(closure(seen)).some(
        (entry) =>
          entry.facts.some((fact) => fact._tag === "Define" && fact.definition.id === id) &&
          isValid(bench, entry) &&
          holds(bench, entry.feed.device, defining, past(entry.hash), [entry.time], 0)
      ),
    members,
    putOut: () =>
      new Map(
        standing.flatMap(({ entry, fact: { device } }) =>
          isMember(device) && holdsNow(device, reading, entry.time, 0) ? [[device, lastAgainst(device)]] : []
        )
      ),
    readers: (time) => new Set([...members()].filter((device) => holdsNow(device, reading, time, 0))),
    standing: () => new Set(standing.map(({ entry }) => entry.hash))
  }
}

/** What an entry builds on directly. */
const namedBy = (entry: AuthorityEntry): ReadonlyArray<EntryHash> => {
  const seen = entry.seen.map(({ hash }) => hash)
  return entry.seq === 0 ? seen : [entry.previousHash, ...seen]
}

/** The entries whose whole past is among them. One whose time is not above all it names says nothing. */
const closed = (all: Iterable<AuthorityEntry>): ReadonlyMap<EntryHash, AuthorityEntry> => {
  const entries = new Map<EntryHash, AuthorityEntry>()
  let rest = [...all]
  for (let before = -1; before !== rest.length;) {
    before = rest.length
    rest = rest.filter((entry) => {
      const isComplete = namedBy(entry).every((hash) => entries.has(hash))
      const isAbove = entry.seen.every(({ hash }) => (entries.get(hash)?.time ?? 0) < entry.time)
      if (isComplete) entries.set(entry.hash, isAbove ? entry : { ...entry, facts: [] })
      return !isComplete
    })
  }
  return entries
}

/** What lies in an entry's past. */
const pastsOf = (entries: ReadonlyMap<EntryHash, AuthorityEntry>): ((of: EntryHash) => Hashes) => {
  const pasts = new Map<EntryHash, Hashes>()
  // an entry comes behind all that it names
  for (const entry of entries.values()) {
    const past = new Set<EntryHash>()
    for (const hash of namedBy(entry)) {
      past.add(hash)
      for (const further of pasts.get(hash)!) past.add(further)
    }
    pasts.set(entry.hash, past)
  }
  return (of) => pasts.get(of)!
}

/** The lowest position at which a feed has two entries. */
const forksOf = (entries: Iterable<AuthorityEntry>): ReadonlyMap<FeedId, number> => {
  const first = new Map<string, EntryHash>()
  const forks = new Map<FeedId, number>()
  for (const { feed, hash, seq } of entries) {
    const known = first.get(`${feed.id} ${seq}`)
    if (known === undefined) first.set(`${feed.id} ${seq}`, hash)
    else if (known !== hash) forks.set(feed.id, Math.min(seq, forks.get(feed.id) ?? Infinity))
  }
  return forks
}

const cutSeq = (fact: Fact.Revoke, feed: FeedId): number =>
  fact.cut.find((position) => position.feed === feed)?.seq ?? -1

const isOpen = (right: Fact.Right, time: number): boolean =>
  (right.from === undefined || time >= right.from) && (right.until === undefined || time <= right.until)
