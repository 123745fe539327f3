/**
 * Who may do what in a space, as a function of the set of its authority entries, whatever the order of their arrival.
 *
 * The rule (design: authority; counterexamples behind it: concurrent revocation, backdating, mutual eviction):
 *
 *   past(x) = everything x names by hash (`prev`, `seen`), closed.
 *   x is judged with the grants in its own past, and against every standing restriction whose cut does not contain x,
 *   wherever and whenever that restriction was written.
 *
 * A restriction names the admission or the grant that it hits, and that entry lies in its past. Which ones stand, in
 * strata, so that nothing is circular:
 *   1. those signed by the space's root key, always; none is ever against root;
 *   2. any other R, if its author held the authority, judged with what lies in past(R) and with stratum 1 alone
 *      (trust/Strata.ts says what each kind takes);
 *   3. grants and data: the sentence above, against the restrictions of 1 and 2.
 *
 * A revocation of a device leaves its entries out whole. Every other restriction limits what an entry's author may use:
 * those against a position are its regime (trust/Regime.ts). They reach downwards along grants (trust/Descent.ts), lower
 * trust (trust/Web.ts) or raise what is demanded (trust/PolicyChange.ts). A lift takes one back for who has seen it.
 *
 * A proved fork freezes what its feed gives from there on, whoever's feed it is, until a settlement names the branch that
 * counts. Both belong to stratum 3: restrictions earned on any branch stand, and so do those whose authors had their
 * authority from a feed that forked since, or a device could undo its own revocation by forking away the admission of
 * whoever revoked it. Below root's seals nothing is cut by what they had not seen.
 *
 * Late grants therefore never change a verdict; late restrictions, proofs of forks and settlements do, and only for what
 * they are about. Leaving something out of `seen` gains nothing: it removes grants and no restriction.
 *
 * An `Authority` is an immutable value; verdicts are remembered inside it. It knows entries of authority feeds only, each
 * added after everything it names (`knows` tells). Laws: test/trust/Authority.test.ts (any order, same verdicts; a
 * brute-force oracle agrees). It verifies no signatures, reads no clock, and can't tell whether a cut takes back data:
 * what an author had seen of data feeds stands nowhere.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hash } from "../identity/Hash.ts"
import { toBytes, type DefinitionId, type DeviceId, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import type { Position } from "../journal/Feed.ts"
import type { Genesis } from "../journal/Genesis.ts"
import * as Book from "./Book.ts"
import { implies, type Capability } from "./Capability.ts"
import type { Definition } from "./Definition.ts"
import * as Descent from "./Descent.ts"
import * as Fact from "./Fact.ts"
import * as Heads from "./Heads.ts"
import * as Holding from "./Holding.ts"
import * as Judge from "./Judge.ts"
import * as PolicyChange from "./PolicyChange.ts"
import { lastLeft, ofData, ofNow, without, type Regime as Against, type Standing } from "./Regime.ts"
import * as Strata from "./Strata.ts"
import * as Trust from "./Trust.ts"
import * as Web from "./Web.ts"

export type AuthorityEntry = Book.AuthorityEntry
export type Node = Book.Node
export type View = Book.View
export type Restriction = Standing
export type Revocation = Standing<Fact.Revoke>
export type Regime = Against
export type Held = Holding.Held

export interface Authority {
  readonly genesis: Genesis
  /** Every entry here, by its hash. */
  readonly nodes: Pick<ReadonlyMap<Node["hash"], Node>, "get">
  /** Lowest position at which a feed is proved forked, by a proof or by entries here. */
  readonly forks: ReadonlyMap<FeedId, number>
  readonly memo: Memo
}

interface Memo {
  readonly book: Book.Book
  /** How many entries of the book this value knows. */
  readonly count: number
  /** The last entries of all, and the view that they are once it is asked for. */
  readonly heads: Book.Seen
  present: View | undefined
  /** Verdicts of strata 1 and 2; shared by values that can't differ in them. */
  readonly standing: Strata.Strata["standing"]
  /** The judge of stratum 3. */
  final: Judge.Judge | undefined
  /** That of a value with some of these entries: most verdicts are the same. */
  readonly former: Judge.Judge | undefined
}

/** The authority of a space of which nothing but the founding record is known. */
export const make = (genesis: Genesis): Authority => {
  const book = Book.make(genesis)
  const memo = { book, count: 0, heads: Heads.empty, present: undefined, standing: new Map() }
  return fromMemo(genesis, new Map(), { ...memo, final: undefined, former: undefined })
}

/** Whether the entry at this position is here. Asking with another hash than ours is asking for another history. */
export const knows = (authority: Authority, position: Position): boolean => find(authority, position) !== undefined

/**
 * Adds entries, each after what it names; one already here is skipped. Dies when an entry's past is not here: callers
 * keep such entries waiting. Costs little for the newest value, a copy for an older one.
 */
export const extend = (authority: Authority, entries: ReadonlyArray<AuthorityEntry>): Authority => {
  const { memo } = authority
  const isNewest = memo.count === memo.book.nodes.size
  const book = isNewest ? memo.book : Book.copy(memo.book, memo.count)
  const grown: Array<Node> = []
  const forks = new Map(authority.forks)
  // What arrived: whether an earned restriction stands hangs on its past, on root's, and on which branch cuts name.
  let news: "grants" | "restrictions" | "strata" = "grants"
  for (const entry of entries) {
    if (book.nodes.has(entry.hash)) continue
    const node = Book.add(book, entry)
    grown.push(node)
    const isFork = book.chains.get(entry.feed.id)?.[entry.seq] !== node
    if (isFork) forks.set(entry.feed.id, Math.min(entry.seq, forks.get(entry.feed.id) ?? entry.seq))
    // of a forked feed any entry may be the one that was settled on
    if (isFork || (forks.size > 0 && forks.has(entry.feed.id))) news = "strata"
    for (const fact of entry.facts) {
      if (changesStrata(authority, entry, fact)) news = "strata"
      else if (news === "grants" && Fact.isRestriction(fact)) news = "restrictions"
    }
  }
  return fromMemo(authority.genesis, news === "strata" ? forks : authority.forks, {
    book,
    count: book.nodes.size,
    heads: Heads.addAll(memo.heads, grown),
    present: undefined,
    standing: news === "strata" ? new Map() : isNewest ? memo.standing : new Map(memo.standing),
    final: news === "grants" && isNewest ? memo.final : undefined,
    former: memo.final ?? memo.former
  })
}

/** The same entries and more, in a book of their own: for what is only asked, and never came to be. */
export const suppose = (authority: Authority, entries: ReadonlyArray<AuthorityEntry>): Authority => {
  const { book, count } = authority.memo
  const { final, former, standing } = authority.memo
  const own = { book: Book.copy(book, count), standing: new Map(standing), final: undefined, former: final ?? former }
  return extend(fromMemo(authority.genesis, authority.forks, { ...authority.memo, ...own }), entries)
}

/** As things stood for somebody who had seen this view and nothing else. */
export const past = (authority: Authority, view: View): Authority => {
  const { book, count } = authority.memo
  const seen = [...book.nodes.values()].filter((node) => node.number < count && Book.inView(view, node))
  return extend(make(authority.genesis), seen)
}

/** One short text for all that decisions rest on: equal sets of entries and forks have equal ones. */
export const digest = (authority: Authority): string => {
  const known = digests.get(authority)
  if (known !== undefined) return known
  const found = digestOf(authority)
  digests.set(authority, found)
  return found
}

const digests = new WeakMap<Authority, string>()

const digestOf = (authority: Authority): string => {
  const heads = Heads.linksOf(authority.memo.heads).map((head) => toBytes(head.hash))
  const forks = [...authority.forks].sort(([a], [b]) => (a < b ? -1 : 1))
  const said = [heads.sort(Bytes.compare), forks.map(([feed, at]) => [toBytes(feed), at])]
  return bytesToHex(hash(snapshotDomain, Cbor.encode(said)))
}

const snapshotDomain = domain("aura/authority/v1")

const changesStrata = ({ forks, genesis }: Authority, { feed }: AuthorityEntry, fact: Fact.DecodedFact): boolean =>
  (feed.device === genesis.root && (fact._tag === "Seal" || Fact.isRestriction(fact))) ||
  (fact._tag === "Settle" && forks.has(fact.feed))

/** Notes that a feed forks at `at`; a lower position replaces a higher one. */
export const fork = (authority: Authority, feed: FeedId, at: number): Authority => {
  const known = authority.forks.get(feed)
  if (known !== undefined && known <= at) return authority
  const forks = new Map(authority.forks).set(feed, at)
  const { final, former } = authority.memo
  return fromMemo(authority.genesis, forks, { ...authority.memo, final: undefined, former: final ?? former })
}

/** The entry at a position on the history that ends in `head`, which is known here. */
export const backTo = (authority: Authority, head: EntryHash, seq: number): Node | undefined => {
  const node = authority.nodes.get(head)
  return node === undefined || node.seq < seq ? undefined : Heads.backTo(node, seq)
}

/** The view of who never looked, in no space. */
export const noView: View = Book.noView

/** The view of who has seen nothing yet. */
export const emptyView = (authority: Authority): View => Book.intern(authority.memo.book, Heads.empty)

/** The last entries of all that a view has seen: nothing else has to be named to say what it is. */
export const lastOf = (view: View): ReadonlyArray<Node> => Heads.linksOf(view.heads)

/** A view enlarged by what an entry says its author had seen. All positions are known here. */
export const look = (authority: Authority, view: View, seen: ReadonlyArray<Position>): View => {
  if (seen.length === 0) return view
  const { book, count } = authority.memo
  const heads = seen.map((position) => Book.expect(book, position, count)).reduce(Book.join, view.heads)
  return Book.intern(book, heads)
}

/** Whether an entry lies in a view. */
export const hasSeen = (view: View, node: Node): boolean => Book.inView(view, node)

/** Of positions that are known here, those that a view has not seen and that lie in no other's past. */
export const lastUnseen = (
  authority: Authority,
  view: View,
  positions: ReadonlyArray<Position>
): ReadonlyArray<Position> => {
  const { book, count } = authority.memo
  const unseen = positions
    .map((position) => ({ position, node: Book.expect(book, position, count) }))
    .filter(({ node }) => !Book.inView(view, node))
    // whatever has seen another came after it
    .sort((a, b) => b.node.number - a.node.number)
  const last: Array<Position> = []
  let heads = view.heads
  for (const { node, position } of unseen) {
    if (Heads.has(heads, node)) continue
    heads = Book.join(heads, node)
    last.push(position)
  }
  return last
}

/** The newest view there is: all entries of all authority feeds. */
export const present = (authority: Authority): View =>
  (authority.memo.present ??= Book.intern(authority.memo.book, authority.memo.heads))

/** Restrictions of all kinds that stand, root's first, then in the order of their entries' times. */
export const restrictions = (authority: Authority): ReadonlyArray<Restriction> => finalJudge(authority).restrictions

/** The standing revocation that leaves out this position of a device's feed, if there is one. For feeds of data. */
export const revocationOn = (
  authority: Authority,
  device: DeviceId,
  feed: FeedId,
  seq: number
): Revocation | undefined => {
  const { regimes } = finalJudge(authority)
  return against(authority, device).find((revocation) => (lastLeft(regimes, revocation, feed)?.seq ?? -1) < seq)
}

/** Where a data feed ends as far as the revocations of its device go; undefined when nothing bounds it. */
export const cutOf = (authority: Authority, device: DeviceId, feed: FeedId): Position | "start" | undefined => {
  const { regimes } = finalJudge(authority)
  let last: Position | undefined
  for (const revocation of against(authority, device)) {
    const cut = lastLeft(regimes, revocation, feed)
    if (cut === undefined) return "start"
    if (last === undefined || cut.seq < last.seq) last = cut
  }
  return last
}

/** What is against a position of a feed of data: hand it to whoever asks what its author may. */
export const regimeAt = (authority: Authority, feed: FeedId, seq: number): Regime =>
  ofData(finalJudge(authority).regimes, feed, seq)

/** The restrictions that a view has seen: for whoever did not write the entry himself, and whose feeds no cut names. */
export const regimeSeen = (authority: Authority, view: View): Regime => {
  const { regimes } = finalJudge(authority)
  return without(regimes, ofNow(regimes), ({ node }) => !Book.inView(view, node))
}

/** What is against whatever is written or asked now: every restriction that stands. */
export const regimeNow = (authority: Authority): Regime => ofNow(finalJudge(authority).regimes)

/** Of which devices a restriction may change what they may; undefined: of all. */
export const reachedBy = (authority: Authority, restriction: Restriction): ReadonlySet<DeviceId> | undefined =>
  Descent.reachedBy(authority.memo.book, restriction)

/** Whether a device was validly admitted within a view. Root and creator need no admission. */
export const isAdmitted = (authority: Authority, view: View, device: DeviceId): boolean =>
  Judge.isMember(finalJudge(authority), view, device)

/** The creator, then all devices that somebody validly admitted, as things stand now, by time of admission. */
export const members = (
  authority: Authority
): ReadonlyArray<{ readonly device: DeviceId; readonly name: string; readonly revoked: boolean }> => {
  const { creator, root } = authority.genesis
  const admissions = [...authority.memo.book.admissions.keys()]
    .filter((device) => device !== creator && device !== root)
    .flatMap((device) => Judge.admissionOf(finalJudge(authority), present(authority), device) ?? [])
  return [
    { device: creator, name: "creator", revoked: isRevoked(authority, creator) },
    ...admissions
      .sort((a, b) => Book.byTime(a, b) || (a.fact.device < b.fact.device ? -1 : 1))
      .map(({ fact }) => ({ device: fact.device, name: fact.name, revoked: isRevoked(authority, fact.device) }))
  ]
}

/** The standing revocations of a device, root's first, then in the order of their entries' times. */
export const revocations = (authority: Authority, device: DeviceId): ReadonlyArray<Revocation> =>
  against(authority, device)

/** Whether a standing revocation ends the device: from some point on nothing it says counts. */
export const isRevoked = (authority: Authority, device: DeviceId): boolean => against(authority, device).length > 0

/**
 * What lets a device that was put out find that out by itself: the standing restriction that was written first, and its
 * past. Undefined for who was no member, and for a member that nothing ends.
 *
 * Whoever has this and knows nothing else comes to the same verdict: what makes the restriction stand lies in its past,
 * and nothing that came later is needed. It holds no entry of a data feed.
 */
export const dismissal = (authority: Authority, device: DeviceId): Dismissal | undefined => {
  const [restriction] = [...against(authority, device)].sort(Book.byTime)
  if (restriction === undefined || !isAdmitted(authority, present(authority), device)) return undefined
  const heads = Heads.linksOf(Book.join(restriction.node.view.heads, restriction.node))
  const byFeed = new Map<FeedId, Array<Node>>()
  for (const head of heads) byFeed.set(head.feed.id, [...(byFeed.get(head.feed.id) ?? []), head])
  return { restriction, heads: byFeed }
}

/** A restriction, and the last entries of all that lies in its past and of itself: per feed, one on each branch. */
export interface Dismissal {
  readonly restriction: Revocation
  readonly heads: ReadonlyMap<FeedId, ReadonlyArray<Node>>
}

/** Whether some entry here, valid or not, admits the device: then its authority feeds matter:
 * a restriction behind another device's cut may still stand. */
export const isNamed = (authority: Authority, device: DeviceId): boolean => {
  const { book, count } = authority.memo
  const first = book.admissions.get(device)?.[0]
  return (
    device === book.genesis.root ||
    device === book.genesis.creator ||
    (first !== undefined && first.node.number < count)
  )
}

/** The entry that a revocation of this device names: its admission, or the founding entry for the creator. */
export const admissionOf = (authority: Authority, device: DeviceId): Node | undefined => {
  const view = present(authority)
  if (device !== authority.genesis.creator) return Judge.admissionOf(finalJudge(authority), view, device)?.node
  const founding = authority.memo.book.founding.filter((node) => Book.inView(view, node))
  return founding.sort((a, b) => Book.byTime({ node: a, fact: undefined }, { node: b, fact: undefined }))[0]
}

/** X25519 key to which content for a device is sealed, from its admission. */
export const boxOf = (authority: Authority, device: DeviceId): Uint8Array | undefined =>
  Judge.admissionOf(finalJudge(authority), present(authority), device)?.fact.box

/**
 * Rights a device holds within a view, as far as a position's regime leaves them. Holding is not yet using: see
 * `isAdmitted` and `revocationOn`.
 */
export const rights = (
  authority: Authority,
  view: View,
  device: DeviceId,
  regime: Regime = regimeNow(authority)
): ReadonlyArray<Held> => Judge.holding(finalJudge(authority), view, device, regime)

/** The counting entries that grant a device something, by number. */
export const grantsTo = (authority: Authority, device: DeviceId): ReadonlyArray<EntryHash> => {
  const view = present(authority)
  const judge = finalJudge(authority)
  const nodes = (authority.memo.book.grants.get(device) ?? []).map(({ node }) => node)
  return [...new Set(nodes)]
    .filter((node) => Book.inView(view, node) && Judge.verdict(judge, node) !== undefined)
    .map(({ hash }) => hash)
}

/** Who may hold something through grants to a device, itself first: whom a withdrawal from it reaches. */
export const descendants = (authority: Authority, device: DeviceId): ReadonlySet<DeviceId> =>
  Descent.descendants(authority.memo.book, device, present(authority))

/** The right by which a device may do `wanted` at `time` within a view, if it holds one. */
export const holds = (
  authority: Authority,
  view: View,
  device: DeviceId,
  wanted: Capability,
  time: number,
  regime: Regime = regimeNow(authority)
): Held | undefined => Holding.covering(rights(authority, view, device, regime), wanted, time)

/** How far a device is trusted within a view, and why. */
export const trustIn = (
  authority: Authority,
  view: View,
  device: DeviceId,
  regime: Regime = regimeNow(authority)
): Trust.Standing => Trust.standingOf(Web.of(finalJudge(authority), view, regime), device)

/** The policies that an operation of an application has to satisfy, each with the entry that set it. */
export const policiesFor = (
  authority: Authority,
  view: View,
  regime: Regime,
  app: string,
  operation: string
): ReadonlyArray<PolicyChange.InForce> => PolicyChange.inForce(finalJudge(authority), view, regime, app, operation)

/**
 * The position of a forked feed up to which one branch was settled on; undefined: it counts up to its fork. `owner` = its
 * device, which the books of authority do not know of a feed of data.
 *
 * Only a position that all settlements name that count (root's, if there are any) is told here. Which branch a position of
 * a feed of data lies on, its entries alone can tell, and they may not be here: as long as settlements differ, such a
 * feed stays frozen, everywhere alike. What was settled wrongly root settles anew.
 */
export const settlementOf = (authority: Authority, feed: FeedId, owner?: DeviceId): Position | undefined => {
  const known = settled.get(authority) ?? new Map<string, Position | undefined>()
  settled.set(authority, known)
  const name = `${feed} ${owner ?? ""}`
  if (!known.has(name)) known.set(name, settledOn(authority, feed, owner))
  return known.get(name)
}

const settled = new WeakMap<Authority, Map<string, Position | undefined>>()

const settledOn = (authority: Authority, feed: FeedId, owner: DeviceId | undefined): Position | undefined => {
  const all = Strata.settlements(strataOf(authority), finalJudge(authority).restrictions, feed, owner)
  const facts = all.map(({ fact }) => fact)
  const [first] = facts
  return first !== undefined && facts.every(({ hash, seq }) => hash === first.hash && seq === first.seq)
    ? first
    : undefined
}

/**
 * Root's seals in the order of their times: what each names is what its digest says, whatever comes (runtime/Sealed.ts), and
 * the last one counts. Root is one person with 24 words, so its seals are meant to have seen each other.
 */
export const seals = ({ memo }: Authority): ReadonlyArray<Book.Stated<Fact.Seal>> =>
  memo.book.seals.filter(({ node }) => node.number < memo.count).sort(Book.byTime)

/** Whether a device may define applications now. */
export const mayDefine = (authority: Authority, device: DeviceId): boolean => {
  const view = present(authority)
  return (
    isAdmitted(authority, view, device) &&
    !isRevoked(authority, device) &&
    rights(authority, view, device).some((right) => implies(right.capability, Judge.define))
  )
}

/** A definition by its id, if the view holds it and who wrote it had the right to. */
export const definition = (authority: Authority, view: View, id: DefinitionId): Definition | undefined =>
  authority.memo.book.definitions
    .get(id)
    ?.find(({ node }) => Book.inView(view, node) && Judge.counts(finalJudge(authority), node, Judge.define))?.fact

/** All valid definitions of the newest view, each once, in the order of the times of their entries. */
export const definitions = (authority: Authority): ReadonlyArray<Definition> => {
  const judge = finalJudge(authority)
  return [...authority.memo.book.definitions.values()]
    .flatMap((list) =>
      list
        .filter(({ node }) => Book.inView(present(authority), node) && Judge.counts(judge, node, Judge.define))
        .sort(Book.byTime)
        .slice(0, 1)
    )
    .sort((a, b) => Book.byTime(a, b) || (a.fact.id < b.fact.id ? -1 : 1))
    .map(({ fact }) => fact)
}

/** The feeds that anything rests on now: valid admissions, grants and definitions, and what restricts. */
export const grounds = (authority: Authority): ReadonlySet<FeedId> => {
  const { book } = authority.memo
  const view = present(authority)
  const judge = finalJudge(authority)
  const founding = book.founding.filter((node) => Book.inView(view, node))
  const nodes: Array<Node | undefined> = [...founding, ...judge.restrictions.map(({ node }) => node)]
  for (const device of book.admissions.keys()) nodes.push(Judge.admissionOf(judge, view, device)?.node)
  for (const device of book.grants.keys())
    for (const { through } of rights(authority, view, device))
      nodes.push(...through.map((hash) => authority.nodes.get(hash)))
  for (const stated of book.definitions.values())
    for (const { node } of stated)
      if (Book.inView(view, node) && Judge.counts(judge, node, Judge.define)) nodes.push(node)
  return new Set(nodes.flatMap((node) => (node === undefined ? [] : [node.feed.id])))
}

const fromMemo = (genesis: Genesis, forks: Authority["forks"], memo: Memo): Authority => ({
  genesis,
  forks,
  memo,
  nodes: {
    get: (hash) => {
      const node = memo.book.nodes.get(hash)
      return node !== undefined && node.number < memo.count ? node : undefined
    }
  }
})

const find = (authority: Authority, position: Position): Node | undefined =>
  Book.nodeAt(authority.memo.book, position, authority.memo.count)

const against = (authority: Authority, device: DeviceId): ReadonlyArray<Revocation> =>
  finalJudge(authority).revocationsByDevice.get(device) ?? []

const strataOf = (authority: Authority): Strata.Strata => {
  const { book, count, standing } = authority.memo
  return { book, count, standing, seals: Strata.sealsOf(book, count), find: (position) => find(authority, position) }
}

/** The judge of stratum 3: for those who ask how a verdict came about (trust/Explanation.ts). */
export const judgeOf = (authority: Authority): Judge.Judge => finalJudge(authority)

const finalJudge = (authority: Authority): Judge.Judge => {
  const { memo } = authority
  if (memo.final !== undefined) return memo.final
  const strata = strataOf(authority)
  const standing = Strata.standing(strata)
  const freezes = Strata.freezes(strata, standing, authority.forks)
  const judge = Judge.make(memo.book, standing, freezes, strata.seals, strata.find)
  memo.final = memo.former === undefined ? judge : Judge.after(memo.former, judge)
  return memo.final
}
