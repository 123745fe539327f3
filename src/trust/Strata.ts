/**
 * Which restrictions stand, and which branch of a forked feed was settled on: strata 1 and 2 of the rule of authority.
 *
 *   1. what the space's root key signed, always; nothing is ever against root
 *   2. any other R, if its author held what it takes, judged with what lies in past(R) and with stratum 1 alone
 *
 * What it takes to restrict, besides being a member whom nothing leaves out there:
 *
 *   device.revoke      to be that device, or device:revoke on it
 *   delegation.revoke  to have made the grant or got it, or delegation:revoke on the grantee; or to have given, further up,
 *                      something that it rests on: then it reaches only what came through that
 *   caps.refine        on a device as device.revoke, on a grant as delegation.revoke
 *   policy.set         policy:set on the operation
 *   trust.lower        nothing, for one's own relation; trust:lower on the device, for everybody's
 *   trust.report       a base of Medium (trust/Trust.ts)
 *
 * Who takes back authority entries of others that he had seen (his cut leaves them out) needs device:rollback on their
 * author too. What he had seen of data stands nowhere, so that can't be asked.
 *
 * A settlement is root's, or that of who holds device:revoke on the feed's device; it is judged like a restriction, but
 * one whose author is revoked from before it does not count: it gives as well. Root's win; of several what all accept,
 * and of feeds of data, whose entries are not here, nothing unless all name the same position.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import * as Book from "./Book.ts"
import { capability } from "./Capability.ts"
import * as Descent from "./Descent.ts"
import type * as Fact from "./Fact.ts"
import * as Heads from "./Heads.ts"
import * as Holding from "./Holding.ts"
import * as Judge from "./Judge.ts"
import * as Regime from "./Regime.ts"
import * as Trust from "./Trust.ts"
import * as Web from "./Web.ts"

/** What is known of all restrictions of a book, as far as one value of an authority knows it. */
export interface Strata {
  readonly book: Book.Book
  readonly count: number
  readonly seals: Regime.Seals
  readonly find: (position: Position) => Book.Node | undefined
  /** Of every restriction judged so far, what it amounts to; undefined: it does not stand. */
  readonly standing: Map<Book.Restriction, Regime.Standing | undefined>
}

/** All that stand, root's first, then in the order of their entries' times. */
export const standing = (strata: Strata): ReadonlyArray<Regime.Standing> => {
  const known = strata.book.restrictions.filter(({ node }) => node.number < strata.count)
  for (const restriction of known) {
    if (isRoots(strata, restriction.node))
      amountTo(strata, restriction, isTarget(strata, restriction) ? everywhere : undefined)
  }
  const judgeFor = judgesOfPasts(strata, known)
  // what one is judged by lies in its past, so it has a lower number and is decided before
  for (const restriction of known) {
    if (strata.standing.has(restriction)) continue
    const isMeant = isTarget(strata, restriction)
    amountTo(strata, restriction, isMeant ? earned(judgeFor(restriction.node), restriction) : undefined)
  }
  return known
    .flatMap((restriction) => strata.standing.get(restriction) ?? [])
    .sort(
      (a, b) =>
        Number(isRoots(strata, b.node)) - Number(isRoots(strata, a.node)) || Book.byTime(a, b) || a.index - b.index
    )
}

type Reach = Pick<Regime.Standing, "reach" | "web">

const nobody: ReadonlySet<DeviceId> = new Set()
const everywhere: Reach = { reach: "all", web: undefined }
const own: Reach = { reach: "own", web: undefined }

const amountTo = (strata: Strata, restriction: Book.Restriction, reach: Reach | undefined): void => {
  strata.standing.set(restriction, reach && { ...restriction, ...reach })
}

const isRoots = ({ book }: Strata, { feed }: Book.Node): boolean => feed.device === book.genesis.root

/** It names an entry of its past that admitted the device, or granted it something. Root is never a target. */
const isTarget = ({ book, count }: Strata, { fact, node }: Book.Restriction): boolean => {
  if (fact._tag === "SetPolicy") return true
  if (fact.device === book.genesis.root) return false
  const grant = fact._tag === "Ungrant" ? fact.grant : fact._tag === "Refine" ? fact.grant : undefined
  const hash = grant ?? (fact._tag === "Ungrant" ? undefined : fact.admission)
  const named = hash === undefined ? undefined : book.nodes.get(hash)
  if (named === undefined || named.number >= count || !Book.inView(node.view, named)) return false
  if (grant !== undefined) return named.facts.some((one) => one._tag === "Grant" && one.device === fact.device)
  return (
    named.facts.some((one) => one._tag === "Admit" && one.device === fact.device) ||
    (fact.device === book.genesis.creator && book.founding.includes(named))
  )
}

/** Judges of stratum 2: they know root's restrictions, those that stand in an entry's past, and no fork. */
const judgesOfPasts = (strata: Strata, known: ReadonlyArray<Book.Restriction>): ((of: Book.Node) => Judge.Judge) => {
  const judges = new Map<string, Judge.Judge>()
  return (node) => {
    const numbers: Array<number> = []
    known.forEach((other, number) => {
      if (strata.standing.get(other) === undefined) return
      if (isRoots(strata, other.node) || Book.inView(node.view, other.node)) numbers.push(number)
    })
    const key = numbers.join()
    const judge =
      judges.get(key) ??
      Judge.make(
        strata.book,
        numbers.map((number) => strata.standing.get(known[number]!)!),
        new Map(),
        strata.seals,
        strata.find
      )
    judges.set(key, judge)
    return judge
  }
}

/** Stratum 2. */
const earned = (judge: Judge.Judge, restriction: Book.Restriction): Reach | undefined => {
  const { node } = restriction
  const author = node.feed.device
  if (Judge.revocationOn(judge, node) !== undefined || !Judge.isMember(judge, node.view, author)) return undefined
  const held = Judge.holding(judge, node.view, author, Regime.ofNode(judge.regimes, node))
  const reach = reachOf(judge, restriction, held)
  if (reach === undefined) return undefined
  const isPermitted = [...takenBack(judge, restriction)].every(
    (device) => Holding.covering(held, capability(`device:rollback/${device}`), node.time) !== undefined
  )
  return isPermitted ? reach : undefined
}

const reachOf = (
  judge: Judge.Judge,
  { fact, node }: Book.Restriction,
  held: ReadonlyArray<Holding.Held>
): Reach | undefined => {
  const author = node.feed.device
  if (fact._tag === "Report") {
    const web = Web.seenBy(judge, node)
    return Trust.hasVoice(web, author) ? { reach: "all", web } : undefined
  }
  const isOwn = fact._tag !== "SetPolicy" && fact.device === author && fact._tag !== "Lower"
  const demand = Descent.demandOf(fact)
  if (isOwn || (demand !== undefined && Holding.covering(held, demand, node.time) !== undefined)) return everywhere
  switch (fact._tag) {
    case "Lower":
      return own
    case "Ungrant":
    case "Refine":
      if (fact.grant === undefined) return undefined
      if (Descent.isParty(judge.book, fact, author)) return everywhere
      return rests(judge, fact.grant, author) ? own : undefined
    case "Revoke":
    case "SetPolicy":
      return undefined
  }
}

/** Whether what a grant gives came, further up, through a grant of this device, if only among others. */
const rests = (
  { book, freezes, regimes, restrictions }: Judge.Judge,
  grant: Book.Node["hash"],
  device: DeviceId
): boolean => {
  const node = book.nodes.get(grant)
  const judge = Judge.make(book, restrictions, freezes, regimes.seals, regimes.find, device)
  const given = node === undefined ? undefined : Judge.verdict(judge, node)
  return (given ?? []).some(({ through }) => through.some((hash) => book.nodes.get(hash)?.feed.device === device))
}

/** Devices of whose authority entries the author had seen some that his cut leaves out. */
const takenBack = (judge: Judge.Judge, restriction: Book.Restriction): ReadonlySet<DeviceId> => {
  const { fact, node } = restriction
  const reached =
    fact._tag === "Ungrant" || (fact._tag === "Refine" && fact.grant !== undefined)
      ? Descent.descendants(judge.book, fact.device, node.view)
      : fact._tag === "Revoke" || fact._tag === "Refine"
        ? new Set([fact.device])
        : nobody
  const found = new Set<DeviceId>()
  if (reached.size === 0) return found
  for (const head of Heads.linksOf(node.view.heads))
    if (reached.has(head.feed.device) && !Regime.isInside(judge.regimes, restriction, head)) found.add(head.feed.device)
  return found
}

/** The forked feeds, each frozen at its fork, but for what was settled on. */
export const freezes = (
  strata: Strata,
  restrictions: ReadonlyArray<Regime.Standing>,
  forks: ReadonlyMap<FeedId, number>
): ReadonlyMap<FeedId, Judge.Freeze> => {
  const result = new Map<FeedId, Judge.Freeze>()
  for (const [feed, at] of forks) result.set(feed, { at, settled: settledOn(strata, restrictions, feed) })
  return result
}

const settledOn = (
  strata: Strata,
  restrictions: ReadonlyArray<Regime.Standing>,
  feed: FeedId
): Book.Node | undefined => {
  const [first, ...others] = settlements(strata, restrictions, feed).flatMap(({ fact }) => strata.find(fact) ?? [])
  // once two share nothing, no third brings it back
  return others.reduce((all, next) => all && common(all, next), first)
}

/**
 * The settlements of a feed that count: root's if there are any, else those of others. `owner` = the feed's device, where
 * its entries are not here.
 */
export const settlements = (
  strata: Strata,
  restrictions: ReadonlyArray<Regime.Standing>,
  feed: FeedId,
  owner = strata.book.chains.get(feed)?.[0]?.feed.device
): ReadonlyArray<Book.Stated<Fact.Settle>> => {
  const known = (strata.book.settlements.get(feed) ?? []).filter(({ node }) => node.number < strata.count)
  if (known.length === 0) return known
  const byRoot = known.filter(({ node }) => isRoots(strata, node))
  if (byRoot.length > 0) return byRoot
  const judge = Judge.make(strata.book, restrictions, new Map(), strata.seals, strata.find)
  return known.filter(({ node }) =>
    Judge.counts(judge, node, owner === undefined ? capability("device:revoke") : capability(`device:revoke/${owner}`))
  )
}

/** The last entry that two chains share; undefined when they share none. */
const common = (a: Book.Node, b: Book.Node): Book.Node | undefined => {
  let [one, other]: [Book.Node | undefined, Book.Node | undefined] = [
    Heads.backTo(a, Math.min(a.seq, b.seq)),
    Heads.backTo(b, Math.min(a.seq, b.seq))
  ]
  while (one !== other) [one, other] = [one?.previous, other?.previous]
  return one
}

/** Per feed what root's seals name among the first `count` entries, the highest first. */
export const sealsOf = (book: Book.Book, count: number): Regime.Seals => {
  const seals = new Map<FeedId, Array<Regime.Sealed>>()
  for (const { fact, node } of book.seals) {
    if (node.number >= count) continue
    for (const position of fact.positions)
      seals.set(position.feed, [...(seals.get(position.feed) ?? []), { position, by: node }])
  }
  for (const positions of seals.values())
    positions.sort(({ position: a }, { position: b }) => b.seq - a.seq || (a.hash < b.hash ? -1 : 1))
  return seals
}
