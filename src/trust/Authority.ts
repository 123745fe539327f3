/**
 * Who may do what in a space, as a function of the set of its authority entries, whatever the order of their arrival.
 *
 * The rule (design: authority; counterexamples behind it: concurrent revocation, backdating, mutual eviction):
 *
 *   past(x) = everything x names by hash (`prev`, `seen`), closed.
 *   x is judged with the grants in its own past, and against every standing restriction whose cut does not contain x,
 *   wherever and whenever that restriction was written.
 *
 * A restriction names the entry that admitted the device it ends, and that entry lies in its past. Which ones stand, in
 * strata, so that nothing is circular:
 *   1. those signed by the space's root key, always; none is ever against root;
 *   2. any other R, if its author held the authority, judged with what lies in past(R) and with stratum 1 alone;
 *   3. grants and data: the sentence above, against the restrictions of 1 and 2.
 * The authority that R needs: to be the device itself, or `device:revoke/<device>`; and `device:rollback/<device>` if its
 * cut leaves out authority entries of the device that R's author had seen.
 *
 * A proved fork freezes what its feed gives from there on, whoever's feed it is. It belongs to stratum 3: restrictions
 * earned on any branch stand, and so do those whose authors had their authority from a feed that forked since, or a
 * device could undo its own revocation by forking away the admission of whoever revoked it.
 *
 * Late grants therefore never change a verdict; late restrictions and proofs of forks do, and only for what their cut
 * leaves out. Leaving something out of `seen` gains nothing: it removes grants and no restriction.
 *
 * An `Authority` is an immutable value; verdicts are remembered inside it. It knows entries of authority feeds only, each
 * added after everything it names (`knows` tells). Laws: test/trust/Authority.test.ts (any order, same verdicts; a
 * brute-force oracle agrees). It verifies no signatures, reads no clock, and can't tell whether a cut takes back data:
 * what an author had seen of data feeds stands nowhere.
 */
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import type { Genesis } from "../journal/Genesis.ts"
import * as Book from "./Book.ts"
import { capability, implies, type Capability } from "./Capability.ts"
import type { Definition } from "./Definition.ts"
import * as Holding from "./Holding.ts"
import * as Judge from "./Judge.ts"

export type AuthorityEntry = Book.AuthorityEntry
export type Node = Book.Node
export type View = Book.View
export type Restriction = Book.Restriction
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
  readonly heads: Book.Heads
  present: View | undefined
  /** Verdicts of strata 1 and 2; shared by values that can't differ in them. */
  readonly standing: Map<Restriction, boolean>
  /** The judge of stratum 3. */
  final: Judge.Judge | undefined
  /** The judge of a value before this one, when no restriction can have fallen since. */
  readonly former: Judge.Judge | undefined
}

/** The authority of a space of which nothing but the founding record is known. */
export const make = (genesis: Genesis): Authority => {
  const book = Book.make(genesis)
  const memo = { book, count: 0, heads: new Map(), present: undefined, standing: new Map() }
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
  const heads = new Map(memo.heads)
  const forks = new Map(authority.forks)
  // What arrived: whether an earned restriction stands hangs on its past, on root's, and on which branch cuts name.
  let news: "grants" | "restrictions" | "strata" = "grants"
  for (const entry of entries) {
    if (book.nodes.has(entry.hash)) continue
    const node = Book.add(book, entry)
    Book.join(heads, node)
    const isFork = book.chains.get(entry.feed.id)?.[entry.seq] !== node
    if (isFork) forks.set(entry.feed.id, Math.min(entry.seq, forks.get(entry.feed.id) ?? entry.seq))
    const revokes = entry.facts.some((fact) => fact._tag === "Revoke")
    if (isFork || (revokes && entry.feed.device === authority.genesis.root)) news = "strata"
    else if (revokes && news === "grants") news = "restrictions"
  }
  return fromMemo(authority.genesis, news === "strata" ? forks : authority.forks, {
    book,
    count: book.nodes.size,
    heads,
    present: undefined,
    standing: news === "strata" || !isNewest ? new Map() : memo.standing,
    final: news === "grants" && isNewest ? memo.final : undefined,
    former: news !== "strata" && isNewest ? (memo.final ?? memo.former) : undefined
  })
}

/** Notes that a feed forks at `at`; a lower position replaces a higher one. */
export const fork = (authority: Authority, feed: FeedId, at: number): Authority => {
  const known = authority.forks.get(feed)
  if (known !== undefined && known <= at) return authority
  const forks = new Map(authority.forks).set(feed, at)
  return fromMemo(authority.genesis, forks, { ...authority.memo, final: undefined, former: undefined })
}

/** Whether a verdict about others can rest on an entry of this feed from a position on, before the feed's fork. */
export const gives = (authority: Authority, feed: FeedId, from: number): boolean => {
  const { book, count } = authority.memo
  const judge = finalJudge(authority)
  const chain = book.chains.get(feed) ?? []
  const end = Math.min(chain.length, authority.forks.get(feed) ?? chain.length)
  for (let seq = from; seq < end; seq++) {
    const node = chain[seq]
    if (node !== undefined && node.number < count && Judge.gives(judge, node)) return true
  }
  return false
}

/** The entry at a position on the history that ends in `head`, which is known here. */
export const backTo = (authority: Authority, head: EntryHash, seq: number): Node | undefined => {
  const node = authority.nodes.get(head)
  return node === undefined || node.seq < seq ? undefined : Book.backTo(node, seq)
}

/** The view of who has seen nothing yet. */
export const emptyView = (authority: Authority): View => Book.intern(authority.memo.book, new Map())

/** A view enlarged by what an entry says its author had seen. All positions are known here. */
export const look = (authority: Authority, view: View, seen: ReadonlyArray<Position>): View => {
  if (seen.length === 0) return view
  const { book, count } = authority.memo
  const heads = new Map(view.heads)
  for (const position of seen) Book.join(heads, Book.expect(book, position, count))
  return Book.intern(book, heads)
}

/** The newest view there is: all entries of all authority feeds. */
export const present = (authority: Authority): View =>
  (authority.memo.present ??= Book.intern(authority.memo.book, authority.memo.heads))

/** Restrictions that stand, root's first, then in the order of their entries' times. */
export const restrictions = (authority: Authority): ReadonlyArray<Restriction> => finalJudge(authority).restrictions

/** The standing restriction that leaves out this position of a device's feed, if there is one. For feeds of data. */
export const restrictionOn = (
  authority: Authority,
  device: DeviceId,
  feed: FeedId,
  seq: number
): Restriction | undefined =>
  against(authority, device).find((restriction) => (restriction.cut.get(feed)?.seq ?? -1) < seq)

/** Where a data feed ends as far as the restrictions on its device go; undefined when nothing bounds it. */
export const cutOf = (authority: Authority, device: DeviceId, feed: FeedId): Position | "start" | undefined => {
  let last: Position | undefined
  for (const restriction of against(authority, device)) {
    const cut = restriction.cut.get(feed)
    if (cut === undefined) return "start"
    if (last === undefined || cut.seq < last.seq) last = cut
  }
  return last
}

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

/** Whether a standing restriction ends the device: from some point on nothing it says counts. */
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
  const heads = new Map(restriction.node.view.heads)
  Book.join(heads, restriction.node)
  return { restriction, heads }
}

/** A restriction, and the last entries of all that lies in its past and of itself: per feed, one on each branch. */
export interface Dismissal {
  readonly restriction: Restriction
  readonly heads: Book.Heads
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

/** Rights a device holds within a view. Holding is not yet using: see `isAdmitted` and `restrictionOn`. */
export const rights = (authority: Authority, view: View, device: DeviceId): ReadonlyArray<Held> =>
  Judge.holding(finalJudge(authority), view, device)

/** The right by which a device may do `wanted` at `time` within a view, if it holds one. */
export const holds = (
  authority: Authority,
  view: View,
  device: DeviceId,
  wanted: Capability,
  time: number
): Held | undefined => Holding.covering(rights(authority, view, device), wanted, time)

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
  const nodes: Array<Node | undefined> = [...book.founding, ...judge.restrictions.map(({ node }) => node)]
  for (const device of book.admissions.keys()) nodes.push(Judge.admissionOf(judge, view, device)?.node)
  for (const device of book.grants.keys())
    for (const { through } of rights(authority, view, device))
      nodes.push(...through.map((hash) => authority.nodes.get(hash)))
  for (const stated of book.definitions.values())
    nodes.push(...stated.filter(({ node }) => Judge.counts(judge, node, Judge.define)).map(({ node }) => node))
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

const against = (authority: Authority, device: DeviceId): ReadonlyArray<Restriction> =>
  finalJudge(authority).restrictionsByDevice.get(device) ?? []

const finalJudge = (authority: Authority): Judge.Judge => {
  const { memo } = authority
  if (memo.final !== undefined) return memo.final
  const standing = earnedAndRoots(authority).sort(
    (a, b) => Number(isRoots(authority, b)) - Number(isRoots(authority, a)) || Book.byTime(a, b)
  )
  // since the former judge nothing fell, so as many as then are the same as then
  const former = memo.former?.restrictions.length === standing.length ? memo.former : undefined
  memo.final = former ?? Judge.make(memo.book, standing, authority.forks, (position) => find(authority, position))
  return memo.final
}

const isRoots = (authority: Authority, { node }: Restriction): boolean => node.feed.device === authority.genesis.root

/** Strata 1 and 2. What a restriction is judged by lies in its past, so it has a lower number and is decided before. */
const earnedAndRoots = (authority: Authority): Array<Restriction> => {
  const { book, count, standing } = authority.memo
  const known = book.revocations.filter(({ node }) => node.number < count)
  for (const restriction of known) {
    if (isRoots(authority, restriction)) standing.set(restriction, isTarget(authority, restriction))
  }
  const judgeFor = judgesOfPasts(authority, known)
  for (const restriction of known) {
    if (standing.has(restriction)) continue
    standing.set(restriction, isTarget(authority, restriction) && isEarned(restriction, judgeFor(restriction)))
  }
  return known.filter((restriction) => standing.get(restriction) === true)
}

/** The revocation names an entry of its past that admitted the device. Root is never a target. */
const isTarget = (authority: Authority, { fact, node }: Restriction): boolean => {
  const { creator, root } = authority.genesis
  const admission = authority.nodes.get(fact.admission)
  if (fact.device === root || admission === undefined || !Book.inView(node.view, admission)) return false
  return (
    admission.facts.some((one) => one._tag === "Admit" && one.device === fact.device) ||
    (fact.device === creator && authority.memo.book.founding.includes(admission))
  )
}

/** Judges of stratum 2: they know root's restrictions, those that stand in a restriction's past, and no fork. */
const judgesOfPasts = (authority: Authority, known: ReadonlyArray<Restriction>): ((of: Restriction) => Judge.Judge) => {
  const { book, standing } = authority.memo
  const judges = new Map<string, Judge.Judge>()
  return ({ node }) => {
    const numbers: Array<number> = []
    known.forEach((other, number) => {
      if (standing.get(other) !== true) return
      if (isRoots(authority, other) || Book.inView(node.view, other.node)) numbers.push(number)
    })
    const key = numbers.join()
    const judge =
      judges.get(key) ??
      Judge.make(
        book,
        numbers.map((number) => known[number]!),
        new Map(),
        (position) => find(authority, position)
      )
    judges.set(key, judge)
    return judge
  }
}

/** Stratum 2. */
const isEarned = ({ cut, fact, node }: Restriction, judge: Judge.Judge): boolean => {
  const author = node.feed.device
  if (Judge.restrictionOn(judge, node) !== undefined || !Judge.isMember(judge, node.view, author)) return false
  const held = Judge.holding(judge, node.view, author)
  const may = (action: string): boolean =>
    Holding.covering(held, capability(`${action}/${fact.device}`), node.time) !== undefined
  const takesBack = [...node.view.heads.values()].some((heads) =>
    heads.some((head) => head.feed.device === fact.device && !Judge.isInside(cut, head, judge.find))
  )
  return (author === fact.device || may("device:revoke")) && (!takesBack || may("device:rollback"))
}
