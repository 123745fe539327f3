/**
 * The authority entries of a space with their pasts, and indexes of what they say. It judges nothing.
 *
 * `past(x)` = everything x names by hash (`prev`, `seen`), closed. A view is such a past, kept as the last entry of each
 * feed in it; a feed that forked may have several last entries, one on each branch seen. Entries are numbered in the
 * order in which they came, so whatever lies in an entry's past has a lower number.
 *
 * A book only grows, and is shared by successive values of `Authority`, each of which knows how many entries it has.
 * Whoever extends the newest value writes into the same book; whoever extends an older one gets a copy.
 */
import * as Bytes from "../identity/Bytes.ts"
import type { DefinitionId, DeviceId, EntryHash, FeedId } from "../identity/Id.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import type { Definition } from "./Definition.ts"
import type * as Fact from "./Fact.ts"

/** An authority entry whose chain was verified. */
export interface AuthorityEntry {
  readonly feed: Feed
  readonly seq: number
  readonly hash: EntryHash
  /** Hash of the entry before it; the FeedId when there is none. */
  readonly previousHash: EntryHash
  readonly time: number
  readonly seen: ReadonlyArray<Position>
  readonly facts: ReadonlyArray<Fact.DecodedFact>
}

/** An entry with its past. */
export interface Node extends AuthorityEntry {
  /** How many entries came before it. */
  readonly number: number
  readonly view: View
  readonly previous: Node | undefined
  /** An entry further back on the chain, chosen so that any is reached in logarithmically many steps. */
  readonly jump: Node | undefined
}

/**
 * What somebody had seen of the authority feeds, closed. Equal views that were asked for (`intern`) are the same object;
 * those of entries are not looked up among them, for hardly two entries have seen the same.
 */
export interface View {
  readonly id: number
  readonly heads: Heads
}

/** The last entries of each feed, none behind another. */
export type Heads = ReadonlyMap<FeedId, ReadonlyArray<Node>>

/** A fact and the entry that states it. */
export interface Stated<What> {
  readonly node: Node
  readonly fact: What
}

/** A restriction, standing or not, and how much of each feed it leaves alone. */
export interface Restriction<What extends Fact.Restriction = Fact.Restriction> extends Stated<What> {
  readonly cut: ReadonlyMap<FeedId, Position>
  /** Place of the fact in its entry, which a lift names. */
  readonly index: number
}

/** What is stated about one thing, oldest number first. */
type Index<Key, What> = Map<Key, Array<Stated<What>>>

export interface Book {
  readonly genesis: Genesis.Genesis
  readonly nodes: Map<EntryHash, Node>
  /** Per feed, the entry that came first at each position: another one there proves a fork. */
  readonly chains: Map<FeedId, Array<Node>>
  readonly grants: Index<DeviceId, Fact.Grant>
  /** The same by their givers. */
  readonly gifts: Index<DeviceId, Fact.Grant>
  readonly admissions: Index<DeviceId, Fact.Admit>
  readonly definitions: Index<DefinitionId, Definition>
  readonly restrictions: Array<Restriction>
  /** By the entry and the place in it that they name. */
  readonly lifts: Index<string, Fact.Lift>
  readonly relations: Array<Stated<Fact.Relate>>
  readonly attestations: Array<Stated<Fact.Attest>>
  readonly settlements: Index<FeedId, Fact.Settle>
  /** Root's, each with the positions it names. */
  readonly seals: Array<Stated<Fact.Seal>>
  readonly flows: Array<Stated<Fact.Budget | Fact.Give | Fact.Summary>>
  /** Entries by which the creator founded the space: one, unless it repeated itself. */
  readonly founding: Array<Node>
  readonly views: Map<string, View>
  /** Shared with copies, so that ids of views are unique among all of them. */
  readonly viewCount: { next: number }
}

export const make = (genesis: Genesis.Genesis): Book => emptyBook(genesis, { next: 0 })

/** The first `count` entries in a book of their own. Nodes and views keep their identity. */
export const copy = (book: Book, count: number): Book => {
  const result = emptyBook(book.genesis, book.viewCount)
  for (const node of book.nodes.values()) if (node.number < count) enter(result, node)
  for (const [key, view] of book.views) {
    if ([...view.heads.values()].every((heads) => heads.every((head) => head.number < count)))
      result.views.set(key, view)
  }
  return result
}

/** Adds an entry that is not here. Dies when something that it names is not here. */
export const add = (book: Book, entry: AuthorityEntry): Node => {
  const previous =
    entry.seq === 0
      ? undefined
      : expect(book, { feed: entry.feed.id, seq: entry.seq - 1, hash: entry.previousHash }, book.nodes.size)
  const heads = new Map(previous?.view.heads)
  if (previous !== undefined) join(heads, previous)
  for (const position of entry.seen) join(heads, expect(book, position, book.nodes.size))
  const view: View = { id: book.viewCount.next++, heads }
  const node: Node = { ...entry, number: book.nodes.size, view, previous, jump: previous && jumpOver(previous) }
  enter(book, node)
  return node
}

/** The entry at a position, among the first `count`. */
export const nodeAt = (book: Book, position: Position, count: number): Node | undefined => {
  const node = book.nodes.get(position.hash)
  return node !== undefined && node.number < count && node.feed.id === position.feed && node.seq === position.seq
    ? node
    : undefined
}

/** As `nodeAt`; dies when it is not here, because callers keep what names it waiting. */
export const expect = (book: Book, position: Position, count: number): Node => {
  const node = nodeAt(book, position, count)
  if (node === undefined) throw new Error(`entry ${position.seq} of feed ${position.feed} is named but not here`)
  return node
}

/** The one view with these heads. They become its own. */
export const intern = (book: Book, heads: Heads): View => {
  const numbers: Array<number> = []
  for (const branches of heads.values()) for (const head of branches) numbers.push(head.number)
  const key = numbers.sort((a, b) => a - b).join()
  const known = book.views.get(key)
  if (known !== undefined) return known
  const view: View = { id: book.viewCount.next++, heads }
  book.views.set(key, view)
  return view
}

/** Adds an entry and its past to heads. */
export const join = (heads: Map<FeedId, ReadonlyArray<Node>>, node: Node): void => {
  if (!addHead(heads, node)) return
  for (const [feed, branches] of node.view.heads) {
    const known = heads.get(feed)
    if (known === undefined) heads.set(feed, branches)
    else if (known !== branches) for (const head of branches) addHead(heads, head)
  }
}

/** Whether the view has seen the entry. */
export const inView = (view: View, node: Node): boolean => {
  const branches = view.heads.get(node.feed.id)
  if (branches !== undefined) for (const head of branches) if (isBehind(head, node)) return true
  return false
}

/** Whether an entry is `head` or before it on the same chain. */
export const isBehind = (head: Node, node: Node): boolean => backTo(head, node.seq) === node

/** The entry at a position on the chain that ends in `head`; `head` where that lies before the position. */
export const backTo = (head: Node, seq: number): Node => {
  let at = head
  while (at.seq > seq) {
    // every entry but the first has both
    at = at.jump!.seq >= seq ? at.jump! : at.previous!
  }
  return at
}

/** A canonical order: that of time, and of hashes between equals. */
export const byTime = ({ node: a }: Stated<unknown>, { node: b }: Stated<unknown>): number =>
  a.time - b.time || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)

/** False when the heads have seen the entry already. */
const addHead = (heads: Map<FeedId, ReadonlyArray<Node>>, node: Node): boolean => {
  const branches = heads.get(node.feed.id) ?? []
  for (const head of branches) if (isBehind(head, node)) return false
  heads.set(node.feed.id, [...branches.filter((head) => !isBehind(node, head)), node])
  return true
}

/** Doubles the last leap when the one before it was as long: skew-binary numbers, in a list. */
const jumpOver = (previous: Node): Node => {
  const once = previous.jump ?? previous
  const twice = once.jump ?? once
  return previous.seq - once.seq === once.seq - twice.seq ? twice : previous
}

const enter = (book: Book, node: Node): void => {
  book.nodes.set(node.hash, node)
  const chain = book.chains.get(node.feed.id) ?? []
  if (chain.length === 0) book.chains.set(node.feed.id, chain)
  chain[node.seq] ??= node
  if (isFounding(book, node)) book.founding.push(node)
  for (let index = 0; index < node.facts.length; index++) note(book, node, node.facts[index]!, index)
}

/** Puts a fact where it is looked for. */
const note = (book: Book, node: Node, fact: Fact.DecodedFact, index: number): void => {
  switch (fact._tag) {
    case "Grant":
      push(book.gifts, node.feed.device, { node, fact })
      return push(book.grants, fact.device, { node, fact })
    case "Admit":
      return push(book.admissions, fact.device, { node, fact })
    case "Define":
      return push(book.definitions, fact.definition.id, { node, fact: fact.definition })
    case "Lift":
      return push(book.lifts, placeOf(fact.entry, fact.index), { node, fact })
    case "Settle":
      return push(book.settlements, fact.feed, { node, fact })
    case "Relate":
      return void book.relations.push({ node, fact })
    case "Attest":
      return void book.attestations.push({ node, fact })
    case "Seal":
      if (node.feed.device === book.genesis.root) book.seals.push({ node, fact })
      return
    case "Budget":
    case "Give":
    case "Summary":
      return void book.flows.push({ node, fact })
    case "Revoke":
    case "Ungrant":
    case "Refine":
    case "SetPolicy":
    case "Lower":
    case "Report": {
      const cut = new Map(fact.cut.map((position) => [position.feed, position]))
      return void book.restrictions.push({ node, fact, index, cut })
    }
    case "Create":
    case "Malformed":
    case "Unknown":
      return
  }
}

/** What lifts are looked up by. */
export const placeOf = (entry: EntryHash, index: number): string => `${entry} ${index}`

const isFounding = (book: Book, node: Node): boolean => {
  const [first] = node.facts
  if (node.seq !== 0 || node.feed.device !== book.genesis.creator || first?._tag !== "Create") return false
  const record = Genesis.encode(book.genesis).bytes
  return Bytes.isSame(record, first.genesis)
}

const push = <Key, What>(index: Index<Key, What>, key: Key, stated: Stated<What>): void => {
  const list = index.get(key)
  if (list === undefined) index.set(key, [stated])
  else list.push(stated)
}

const emptyBook = (genesis: Genesis.Genesis, viewCount: Book["viewCount"]): Book => ({
  genesis,
  nodes: new Map(),
  chains: new Map(),
  grants: new Map(),
  gifts: new Map(),
  admissions: new Map(),
  definitions: new Map(),
  restrictions: [],
  lifts: new Map(),
  relations: [],
  attestations: [],
  settlements: new Map(),
  seals: [],
  flows: [],
  founding: [],
  views: new Map(),
  viewCount
})
