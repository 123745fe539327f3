/**
 * The rule of authority once more, written down as slowly as it reads: sets of entries, all chains tried, nothing
 * remembered but pasts, which entries count, and which restrictions stand. It shares types with the engine and no code,
 * but for the sums of the web of trust (trust/Trust.ts), which have an oracle of their own: what goes into them is
 * gathered here.
 */
import type { DeviceId, EntryHash, FeedId } from "../../src/identity/Id.ts"
import type { Position } from "../../src/journal/Feed.ts"
import type { Genesis } from "../../src/journal/Genesis.ts"
import type { AuthorityEntry } from "../../src/trust/Authority.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import type { Hours } from "../../src/trust/Hours.ts"
import * as Trust from "../../src/trust/Trust.ts"
import { gathered } from "./oracleWeb.ts"

export type Past = ReadonlySet<AuthorityEntry>

/** A fact with the entry that states it and its place there. */
export interface Stated<What> {
  readonly entry: AuthorityEntry
  readonly index: number
  readonly fact: What
}

export interface Standing extends Stated<Fact.Restriction> {
  readonly reach: "all" | "own"
  /** Of a report: the web as its author had seen it, and for root's one in which nobody said anything. */
  readonly web: Trust.Web | undefined
}

/** What is against a position: of a stratum, the restrictions whose cut leaves it out. */
export type Regime = ReadonlyArray<Standing>

/** By what an entry is judged: restrictions, and whether forks freeze (stratum 3) or not (stratum 2). */
interface Bench {
  readonly restrictions: ReadonlyArray<Standing>
  readonly forksFreeze: boolean
  readonly counted: Map<AuthorityEntry, boolean>
}

/** A grant of a chain, and to whom. */
interface Link {
  readonly entry: AuthorityEntry
  readonly to: DeviceId
}
export type Chain = ReadonlyArray<Link>

/** Whether who may do `a` may do `b`, part by part. */
export const allows = (a: string, b: string): boolean => {
  if (a === "*" || b === "*") return a === "*"
  const [actionA, ...partsA] = a.split("/")
  const [actionB, ...partsB] = b.split("/")
  if (actionA !== actionB) return false
  if (partsA.length === 0) return true
  if (partsA.at(-1) !== "*") return partsA.join("/") === partsB.join("/")
  const prefix = partsA.slice(0, -1)
  return partsB.length > prefix.length && prefix.every((part, index) => part === partsB[index])
}

/** Minute by minute: the hours are walked through until the moment's minute is found. */
export const isWithin = ({ from, offset, to }: Hours, time: number): boolean => {
  const utc = new Date(Math.floor(time / 4096) + Date.UTC(2020, 0, 1))
  const minute = (utc.getUTCHours() * 60 + utc.getUTCMinutes() + offset + 2 * 1440) % 1440
  for (let at = from; at !== to % 1440; at = (at + 1) % 1440) if (at === minute) return true
  return from === to % 1440
}

const isOpen = ({ from, hours, until }: Fact.Right, time: number): boolean =>
  time >= (from ?? time) && time <= (until ?? time) && hours.every((one) => isWithin(one, time))

export const oracle = (
  { creator, root }: Genesis,
  entries: ReadonlyArray<AuthorityEntry>,
  proofs: ReadonlyMap<FeedId, number>
) => {
  const byHash = new Map<EntryHash, AuthorityEntry>(entries.map((entry) => [entry.hash, entry]))
  const named = ({ feed, hash, seq }: Position): AuthorityEntry | undefined => {
    const entry = byHash.get(hash)
    return entry?.feed.id === feed && entry.seq === seq ? entry : undefined
  }
  const before = (x: AuthorityEntry): AuthorityEntry | undefined =>
    x.seq === 0 ? undefined : byHash.get(x.previousHash)
  const closed = (heads: ReadonlyArray<AuthorityEntry>): Past => {
    const result = new Set<AuthorityEntry>()
    const open = [...heads]
    for (let x = open.pop(); x !== undefined; x = open.pop()) {
      if (result.has(x)) continue
      result.add(x)
      open.push(...[before(x) ?? [], ...x.seen.map(({ hash }) => byHash.get(hash)!)].flat())
    }
    return result
  }
  const pasts = new Map(
    entries.map((x) => [x, closed([before(x) ?? [], ...x.seen.map((p) => byHash.get(p.hash)!)].flat())])
  )
  const past = (x: AuthorityEntry): Past => pasts.get(x)!
  const author = (x: AuthorityEntry): DeviceId => x.feed.device
  const isFounder = (device: DeviceId): boolean => device === root || device === creator
  const allOf = <Tag extends Fact.DecodedFact["_tag"]>(
    tag: Tag
  ): ReadonlyArray<Stated<Extract<Fact.DecodedFact, { readonly _tag: Tag }>>> =>
    entries.flatMap((entry) =>
      entry.facts.flatMap((fact, index) =>
        fact._tag === tag ? [{ entry, index, fact: fact as Extract<Fact.DecodedFact, { readonly _tag: Tag }> }] : []
      )
    )

  const isOnChain = (head: AuthorityEntry, x: AuthorityEntry): boolean => {
    let on: AuthorityEntry | undefined = head
    while (on !== undefined && on !== x) on = before(on)
    return on === x
  }

  // ── forks, and what was settled on ──
  const forkOf = (feed: FeedId): number =>
    Math.min(
      proofs.get(feed) ?? Number.POSITIVE_INFINITY,
      ...entries
        .filter((a) => a.feed.id === feed)
        .filter((a) => entries.some((b) => b !== a && b.feed.id === feed && b.seq === a.seq))
        .map(({ seq }) => seq)
    )
  const settlementsOf = (feed: FeedId): ReadonlyArray<Stated<Fact.Settle>> => {
    const all = allOf("Settle").filter(({ fact }) => fact.feed === feed)
    const roots = all.filter(({ entry }) => author(entry) === root)
    if (roots.length > 0) return roots
    const owner = entries.find((x) => x.feed.id === feed)?.feed.device
    const demand = owner === undefined ? "device:revoke" : `device:revoke/${owner}`
    const judges = bench(restrictions, false)
    return all.filter(({ entry }) => mayAt(judges, entry, demand))
  }
  const isFrozen = (x: AuthorityEntry): boolean => {
    if (x.seq < forkOf(x.feed.id)) return false
    const accepted = settlementsOf(x.feed.id).flatMap(({ fact }) => named(fact) ?? [])
    return accepted.length === 0 || !accepted.every((last) => isOnChain(last, x))
  }

  // ── what restrictions leave alone ──
  const seals = allOf("Seal").filter(({ entry }) => author(entry) === root)
  /** What was sealed by who had not seen a restriction. */
  const sealedBefore = (restriction: AuthorityEntry): ReadonlyArray<Position> =>
    seals.filter(({ entry }) => !past(entry).has(restriction)).flatMap(({ fact }) => fact.positions)
  const isBefore = (last: Position, x: AuthorityEntry): boolean => {
    if (last.feed !== x.feed.id || last.seq < x.seq) return false
    const head = named(last)
    return head === undefined || isOnChain(head, x)
  }
  const leavesAlone = ({ entry, fact }: Stated<Fact.Restriction>, x: AuthorityEntry): boolean =>
    [...fact.cut, ...sealedBefore(entry)].some((last) => isBefore(last, x))
  const regimeOf = ({ restrictions: all }: Bench, x: AuthorityEntry): Regime =>
    all.filter((standing) => !leavesAlone(standing, x))
  const isLeftOut = (judges: Bench, x: AuthorityEntry): boolean =>
    regimeOf(judges, x).some(({ fact }) => fact._tag === "Revoke" && fact.device === author(x))

  // ── what counts, who is a member, who may ──
  const bench = (all: ReadonlyArray<Standing>, forksFreeze: boolean): Bench => ({
    restrictions: all,
    forksFreeze,
    counted: new Map()
  })
  const counts = (judges: Bench, x: AuthorityEntry): boolean => {
    const known = judges.counted.get(x)
    if (known !== undefined) return known
    const found = !(judges.forksFreeze && isFrozen(x)) && !isLeftOut(judges, x) && isMember(judges, past(x), author(x))
    judges.counted.set(x, found)
    return found
  }

  const isMember = (judges: Bench, view: Past, device: DeviceId): boolean =>
    isFounder(device) ||
    [...view].some(
      (x) => x.facts.some((fact) => fact._tag === "Admit" && fact.device === device) && mayAt(judges, x, "device:admit")
    )

  const mayAt = (judges: Bench, x: AuthorityEntry, wanted: string): boolean =>
    counts(judges, x) && chains(judges, past(x), author(x), regimeOf(judges, x), wanted, [x.time], 0).length > 0

  /**
   * All chains of grants from a founder; `times` are those at which the last right is used and passed on; `window` one
   * that has to lie in the windows of all, whatever the hours.
   */
  const chains = (
    judges: Bench,
    view: Past,
    device: DeviceId,
    regime: Regime,
    wanted: string,
    times: ReadonlyArray<number>,
    hops: number,
    window?: number
  ): ReadonlyArray<Chain> => {
    const all: ReadonlyArray<Chain> = isFounder(device)
      ? [...(hops <= 16 ? [[]] : [])]
      : [...view].flatMap((x) => {
          const isGiven = x.facts.some(
            (fact) =>
              fact._tag === "Grant" &&
              fact.device === device &&
              fact.rights.some(
                (right) =>
                  allows(right.capability, wanted) &&
                  right.depth >= hops &&
                  times.every((time) => isOpen(right, time)) &&
                  (window === undefined || isOpen({ ...right, hours: [] }, window))
              )
          )
          if (!isGiven || !counts(judges, x)) return []
          return chains(
            judges,
            past(x),
            author(x),
            regimeOf(judges, x),
            wanted,
            [...times, x.time],
            hops + 1,
            window
          ).map((chain) => [...chain, { entry: x, to: device }])
        })
    const limits = all.length === 0 ? [] : unlifted(judges, view, regime)
    return all.filter((chain) => !limits.some((limit) => takes(limit, device, chain, wanted)))
  }

  const takes = ({ entry, fact, reach }: Standing, device: DeviceId, chain: Chain, wanted: string): boolean => {
    if (fact._tag !== "Ungrant" && fact._tag !== "Refine") return false
    if (fact._tag === "Refine" && fact.ceiling.some((one) => allows(one, wanted))) return false
    if (fact.grant === undefined) return fact.device === device
    const place = chain.findIndex((link) => link.entry.hash === fact.grant && link.to === fact.device)
    return place >= 0 && (reach === "all" || chain.slice(0, place).some((link) => author(link.entry) === author(entry)))
  }

  // ── lifts ──
  const unlifted = (judges: Bench, view: Past, regime: Regime): Regime =>
    regime.filter((limit) => {
      if (limit.fact._tag === "Revoke" || limit.fact._tag === "SetPolicy") return true
      return ![...view].some(
        (x) =>
          x.facts.some(
            (fact) => fact._tag === "Lift" && fact.entry === limit.entry.hash && fact.index === limit.index
          ) &&
          counts(judges, x) &&
          (author(x) === root || (author(x) === author(limit.entry) && mayStill(judges, x, limit)))
      )
    })
  const mayStill = (judges: Bench, x: AuthorityEntry, { entry, fact, reach }: Standing): boolean =>
    reach === "own" ||
    fact._tag === "Report" ||
    isParty(fact, author(entry)) ||
    mayAt(judges, x, demandOf(fact as Exclude<Fact.Restriction, Fact.Report>))
  const isParty = (fact: Fact.Restriction, who: DeviceId): boolean =>
    (fact._tag === "Ungrant" || fact._tag === "Refine") &&
    (fact.device === who || (fact.grant !== undefined && author(byHash.get(fact.grant)!) === who))

  // ── which restrictions stand ──
  const everyRestriction: ReadonlyArray<Stated<Fact.Restriction>> = (
    ["Revoke", "Ungrant", "Refine", "SetPolicy", "Lower", "Report"] as const
  ).flatMap((tag) => allOf(tag))

  const hasTarget = ({ entry, fact }: Stated<Fact.Restriction>): boolean => {
    if (fact._tag === "SetPolicy") return true
    if (fact.device === root) return false
    const grant = fact._tag === "Ungrant" || fact._tag === "Refine" ? fact.grant : undefined
    return [...past(entry)].some((x) =>
      grant !== undefined
        ? x.hash === grant && x.facts.some((one) => one._tag === "Grant" && one.device === fact.device)
        : "admission" in fact &&
          x.hash === fact.admission &&
          (x.facts.some((one) => one._tag === "Admit" && one.device === fact.device) ||
            (author(x) === creator && fact.device === creator && x.seq === 0 && x.facts[0]?._tag === "Create"))
    )
  }

  const decided = new Map<Stated<Fact.Restriction>, Standing | undefined>()
  const standingOf = (stated: Stated<Fact.Restriction>): Standing | undefined => {
    if (!decided.has(stated)) decided.set(stated, hasTarget(stated) ? judge(stated) : undefined)
    return decided.get(stated)
  }
  const judge = (stated: Stated<Fact.Restriction>): Standing | undefined => {
    const { entry, fact } = stated
    if (author(entry) === root) return { ...stated, reach: "all", web: undefined }
    const above = everyRestriction.flatMap((other) =>
      author(other.entry) === root || past(entry).has(other.entry) ? (standingOf(other) ?? []) : []
    )
    const judges = bench(above, false)
    if (!counts(judges, entry)) return undefined
    const [reach, seen] = reachOf(judges, stated)
    const isAllowed = [...reachedDevices(fact, past(entry))].every(
      (device) =>
        [...past(entry)].every((x) => author(x) !== device || leavesAlone(stated, x)) ||
        mayAt(judges, entry, `device:rollback/${device}`)
    )
    return reach === undefined || !isAllowed ? undefined : { ...stated, reach, web: seen }
  }

  const reachOf = (
    judges: Bench,
    { entry, fact }: Stated<Fact.Restriction>
  ): readonly ["all" | "own" | undefined, Trust.Web | undefined] => {
    if (fact._tag === "Report") {
      const seen = web(judges, past(entry), regimeOf(judges, entry))
      return [Trust.baseOf(seen, author(entry)) < 5000 ? undefined : "all", seen]
    }
    if (mayAt(judges, entry, demandOf(fact))) return ["all", undefined]
    if (fact._tag === "Lower") return ["own", undefined]
    if (fact._tag === "Revoke") return [fact.device === author(entry) ? "all" : undefined, undefined]
    if (fact._tag === "SetPolicy") return [undefined, undefined]
    if (isParty(fact, author(entry))) return ["all", undefined]
    const given = fact.grant === undefined ? undefined : byHash.get(fact.grant)
    return [given !== undefined && restsOn(judges, given, author(entry)) ? "own" : undefined, undefined]
  }

  /** Whether whoever wrote a grant held anything at all through one of this device. */
  const restsOn = (judges: Bench, x: AuthorityEntry, who: DeviceId): boolean =>
    counts(judges, x) &&
    everyCapability.some((wanted) =>
      everyTime.some((time) =>
        chains(judges, past(x), author(x), regimeOf(judges, x), wanted, [], 0, time).some((chain) =>
          chain.some((link) => author(link.entry) === who)
        )
      )
    )
  const everyTime = [
    ...new Set([
      0,
      ...entries.flatMap(({ facts }) =>
        facts.flatMap((fact) => (fact._tag === "Grant" ? fact.rights.flatMap(({ from }) => from ?? []) : []))
      )
    ])
  ]
  const everyCapability = [
    ...new Set(
      entries.flatMap(({ facts }) =>
        facts.flatMap((fact) =>
          fact._tag === "Grant"
            ? fact.rights.map((right) => right.capability)
            : fact._tag === "Refine"
              ? fact.ceiling
              : []
        )
      )
    )
  ]

  /** Whose entries a restriction may take back: the device, and for grants whoever it gave anything, and so on. */
  const reachedDevices = (fact: Fact.Restriction, view: Past): ReadonlySet<DeviceId> => {
    if (fact._tag !== "Revoke" && fact._tag !== "Ungrant" && fact._tag !== "Refine") return new Set()
    const found = new Set([fact.device])
    if (fact._tag === "Revoke" || fact.grant === undefined) return found
    for (const giver of found)
      for (const x of view)
        if (author(x) === giver) for (const one of x.facts) if (one._tag === "Grant") found.add(one.device)
    return found
  }

  const web = (judges: Bench, view: Past, regime: Regime): Trust.Web =>
    Trust.make(
      gathered(
        [root, creator],
        [...view].filter((x) => counts(judges, x)),
        unlifted(judges, view, regime)
      )
    )

  const restrictions: ReadonlyArray<Standing> = everyRestriction.flatMap((stated) => standingOf(stated) ?? [])
  const final = bench(restrictions, true)

  /** The policies of an operation: an entry's hash for a changed one, undefined for the definition's. */
  const policies = (view: Past, regime: Regime, operation: string): ReadonlyArray<Standing | undefined> => {
    const all = restrictions.filter(
      ({ fact }) => fact._tag === "SetPolicy" && fact.app === "paper" && fact.operation === operation
    )
    const seen = all.filter(({ entry }) => view.has(entry) && mayAt(final, entry, `policy:set/${operation}`))
    const isReplaced = ({ entry }: Standing): boolean => seen.some((other) => past(other.entry).has(entry))
    const last = seen.filter((change) => !isReplaced(change))
    const later = all.filter((change) => regime.includes(change) && !last.includes(change) && !isReplaced(change))
    return [...(last.length === 0 ? [undefined] : last), ...later]
  }

  return {
    restrictions,
    settlementsOf,
    closed,
    past,
    /** Whether nothing but a seal keeps a restriction away from an entry. */
    isSealed: (x: AuthorityEntry) =>
      restrictions.some((one) => leavesAlone(one, x) && !one.fact.cut.some((last) => isBefore(last, x))),
    isLifted: (view: Past, regime: Regime) => unlifted(final, view, regime).length < regime.length,
    counts: (x: AuthorityEntry) => counts(final, x),
    regimeOf: (x: AuthorityEntry) => regimeOf(final, x),
    /** Against a position of a feed of data; against what is written now it is all restrictions. */
    regimeAt: (feed: FeedId, seq: number): Regime =>
      restrictions.filter(
        ({ entry, fact }) =>
          ![...fact.cut, ...sealedBefore(entry)].some((last) => last.feed === feed && last.seq >= seq)
      ),
    isMember: (view: Past, device: DeviceId) => isMember(final, view, device),
    chains: (view: Past, device: DeviceId, regime: Regime, wanted: string, time: number, depth = 0) =>
      chains(final, view, device, regime, wanted, [time], depth),
    web: (view: Past, regime: Regime) => web(final, view, regime),
    policies,
    mayAt: (x: AuthorityEntry, wanted: string) => mayAt(final, x, wanted)
  }
}

/** What it takes to restrict so, whoever one is. */
const demandOf = (fact: Exclude<Fact.Restriction, Fact.Report>): string => {
  switch (fact._tag) {
    case "Revoke":
      return `device:revoke/${fact.device}`
    case "Ungrant":
      return `delegation:revoke/${fact.device}`
    case "Refine":
      return `${fact.grant === undefined ? "device" : "delegation"}:revoke/${fact.device}`
    case "SetPolicy":
      return `policy:set/${fact.operation}`
    case "Lower":
      return `trust:lower/${fact.device}`
  }
}
