/**
 * Who may do what, computed a second time and the slow way: design §6 written down as sets, for the checkers alone.
 *
 * It shares no code with trust/Authority.ts but the decoding of facts and the order of capabilities: no views, no heads,
 * no memo across entries but that of one call. Pasts are sets of hashes; a verdict is asked for, never kept up to date.
 * Where the two disagree one of them is wrong, and a simulated world that shows it says with which seed.
 */
import type { DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"
import { capability, implies, type Capability } from "../trust/Capability.ts"
import type * as Fact from "../trust/Fact.ts"

export interface Oracle {
  /** Whether everything that the entry builds on is here. */
  readonly knows: (position: Position) => boolean
  /** The first position of a feed that a standing restriction on its device leaves out; Infinity when there is none. */
  readonly cutAt: (device: DeviceId, feed: FeedId) => number
  readonly isAdmitted: (device: DeviceId, seen: Iterable<Position>) => boolean
  readonly holds: (device: DeviceId, wanted: Capability, seen: Iterable<Position>, time: number) => boolean
  /** Members that nothing ends, by everything that is here. */
  readonly members: () => ReadonlySet<DeviceId>
  /** Those who may be told what is in the space. */
  readonly readers: (time: number) => ReadonlySet<DeviceId>
  /** Those who might be, were they not put out, and when the last restriction on each was written. */
  readonly putOut: () => ReadonlyMap<DeviceId, number>
}

interface Restriction {
  readonly entry: AuthorityEntry
  readonly fact: Fact.Revoke
}

type Hashes = ReadonlySet<EntryHash>

const admitting = capability("device:admit")
const revoking = capability("device:revoke")
const rollingBack = capability("device:rollback")
const reading = capability("space:read")

export const make = (
  all: Iterable<AuthorityEntry>,
  founders: { readonly root: DeviceId; readonly creator: DeviceId },
  forkAt: (feed: FeedId) => number
): Oracle => {
  const entries = closed(all)
  const pasts = new Map<EntryHash, Hashes>()
  const listOf = (past: Hashes): ReadonlyArray<AuthorityEntry> => [...past].flatMap((hash) => entries.get(hash) ?? [])

  const pastOf = (entry: AuthorityEntry): Hashes => {
    const known = pasts.get(entry.hash)
    if (known !== undefined) return known
    const past = new Set<EntryHash>()
    for (const hash of namedBy(entry)) {
      past.add(hash)
      for (const further of pastOf(entries.get(hash)!)) past.add(further)
    }
    pasts.set(entry.hash, past)
    return past
  }
  const closure = (seen: Iterable<Position>): Hashes => {
    const past = new Set<EntryHash>()
    for (const { hash } of seen) {
      const entry = entries.get(hash)
      if (entry === undefined) continue
      past.add(hash)
      for (const further of pastOf(entry)) past.add(further)
    }
    return past
  }

  const restrictions: ReadonlyArray<Restriction> = [...entries.values()].flatMap((entry) =>
    entry.facts.flatMap((fact) => (fact._tag === "Revoke" ? [{ entry, fact }] : []))
  )
  const isCut = (by: ReadonlyArray<Restriction>, device: DeviceId, feed: FeedId, seq: number): boolean =>
    device !== founders.root && by.some(({ fact }) => fact.device === device && seq > cutSeq(fact, feed))

  /** Whether an entry gives what it says, against these restrictions. */
  const isValid = (entry: AuthorityEntry, by: ReadonlyArray<Restriction>): boolean => {
    const { device, id } = entry.feed
    if (device === founders.root) return true
    return entry.seq < forkAt(id) && !isCut(by, device, id, entry.seq) && isAdmitted(device, pastOf(entry), by)
  }
  const isAdmitted = (device: DeviceId, past: Hashes, by: ReadonlyArray<Restriction>): boolean =>
    device === founders.root ||
    device === founders.creator ||
    listOf(past).some(
      (entry) =>
        entry.facts.some((fact) => fact._tag === "Admit" && fact.device === device) &&
        isValid(entry, by) &&
        holds(entry.feed.device, admitting, pastOf(entry), by, entry.time, 0)
    )
  const holds = (
    device: DeviceId,
    wanted: Capability,
    past: Hashes,
    by: ReadonlyArray<Restriction>,
    time: number,
    depth: number
  ): boolean => {
    if (device === founders.root || device === founders.creator) return true
    return listOf(past).some((entry) =>
      entry.facts.some(
        (fact) =>
          fact._tag === "Grant" &&
          fact.device === device &&
          fact.rights.some(
            (right) =>
              right.depth >= depth &&
              implies(right.capability, wanted) &&
              isOpen(right, time) &&
              isValid(entry, by) &&
              holds(entry.feed.device, wanted, pastOf(entry), by, entry.time, depth + 1)
          )
      )
    )
  }

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
    if (fact.device === founders.root || admission === undefined) return false
    if (admission.hash !== entry.hash && !pastOf(entry).has(admission.hash)) return false
    if (admission.facts.some((one) => one._tag === "Admit" && one.device === fact.device)) return true
    return (
      fact.device === founders.creator &&
      admission.feed.device === founders.creator &&
      admission.facts[0]?._tag === "Create"
    )
  }
  const isEarned = (restriction: Restriction): boolean => {
    const { entry, fact } = restriction
    const past = pastOf(entry)
    const by = restrictions.filter(
      (other) => other.entry.hash !== entry.hash && (isRoots(other) || past.has(other.entry.hash)) && stands(other)
    )
    const { device, id } = entry.feed
    if (isCut(by, device, id, entry.seq) || !isAdmitted(device, past, by)) return false
    if (device === fact.device) return true
    const isIssuer = entries.get(fact.admission)?.feed.device === device
    if (!isIssuer && !holds(device, revoking, past, by, entry.time, 0)) return false
    const takesBack = listOf(past).some(
      (seen) => seen.feed.device === fact.device && seen.seq > cutSeq(fact, seen.feed.id)
    )
    return !takesBack || holds(device, rollingBack, past, by, entry.time, 0)
  }
  const standing = restrictions.filter(stands)
  const everything: Hashes = new Set(entries.keys())
  const members = (): ReadonlySet<DeviceId> => {
    const named = [...entries.values()].flatMap(({ facts }) =>
      facts.flatMap((fact) => (fact._tag === "Admit" ? [fact.device] : []))
    )
    return new Set(
      [founders.creator, ...named].filter(
        (device) =>
          device !== founders.root &&
          isAdmitted(device, everything, standing) &&
          standing.every(({ fact }) => fact.device !== device)
      )
    )
  }

  return {
    knows: ({ feed, hash, seq }) => {
      const entry = entries.get(hash)
      return entry !== undefined && entry.feed.id === feed && entry.seq === seq
    },
    cutAt: (device, feed) =>
      Math.min(...standing.flatMap(({ fact }) => (fact.device === device ? [cutSeq(fact, feed) + 1] : [])), Infinity),
    isAdmitted: (device, seen) => isAdmitted(device, closure(seen), standing),
    holds: (device, wanted, seen, time) => holds(device, wanted, closure(seen), standing, time, 0),
    members,
    putOut: () =>
      new Map(
        standing.flatMap(({ entry, fact }) =>
          isAdmitted(fact.device, everything, standing) &&
          holds(fact.device, reading, everything, standing, entry.time, 0)
            ? [
                [
                  fact.device,
                  Math.max(...standing.flatMap((one) => (one.fact.device === fact.device ? [one.entry.time] : [])))
                ]
              ]
            : []
        )
      ),
    readers: (time) => new Set([...members()].filter((device) => holds(device, reading, everything, standing, time, 0)))
  }
}

/** What an entry builds on directly. */
const namedBy = (entry: AuthorityEntry): ReadonlyArray<EntryHash> => {
  const seen = entry.seen.map(({ hash }) => hash)
  return entry.seq === 0 ? seen : [entry.previousHash, ...seen]
}

/** The entries whose whole past is among them. */
const closed = (all: Iterable<AuthorityEntry>): ReadonlyMap<EntryHash, AuthorityEntry> => {
  const entries = new Map<EntryHash, AuthorityEntry>()
  let rest = [...all]
  for (let before = -1; before !== rest.length;) {
    before = rest.length
    rest = rest.filter((entry) => {
      const isComplete = namedBy(entry).every((hash) => entries.has(hash))
      if (isComplete) entries.set(entry.hash, entry)
      return !isComplete
    })
  }
  return entries
}

const cutSeq = (fact: Fact.Revoke, feed: FeedId): number =>
  fact.cut.find((position) => position.feed === feed)?.seq ?? -1

const isOpen = (right: Fact.Right, time: number): boolean =>
  (right.from === undefined || time >= right.from) && (right.until === undefined || time <= right.until)
