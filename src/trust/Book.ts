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
import * as Heads from "./Heads.ts"

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
export interface Node extends AuthorityEntry, Heads.Link<Node> {
  /** How many entries came before it. */
  readonly number: number
  readonly view: View
}

/**
 * What somebody had seen of the authority feeds, closed. Equal views that were asked for (`intern`) are the same object;
 * those of entries are not looked up among them, for hardly two entries have seen the same.
 */
export interface View {
  readonly id: number
  readonly heads: Seen
}

/** The last entries of each feed, none behind another. */
export type Seen = Heads.Heads<Node>

/** That of who has not looked yet. */
export const noView: View = { id: -1, heads: Heads.empty }

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
  /** By the hash of their heads. */
  readonly views: Map<number, ReadonlyArray<View>>
  readonly shared: Shared
}

/** What all copies of a book have in common. */
interface Shared {
  /** How many views there are: their ids are unique. */
  viewCount: number
  /** Each feed's place in heads. */
  readonly places: Map<FeedId, number>
}

export const make = (genesis: Genesis.Genesis): Book => emptyBook(genesis, { viewCount: 0, places: new Map() })

/** The first `count` entries in a book of their own. Nodes and views keep their identity. */
export const copy = (book: Book, count: number): Book => {
  const nodes = new Map<EntryHash, Node>()
  for (const [hash, node] of book.nodes) {
    if (node.number >= count) break
    nodes.set(hash, node)
  }
  const first = <What>(list: ReadonlyArray<Stated<What>>) => firstOf(list, count, ({ node }) => node)
  return {
    genesis: book.genesis,
    nodes,
    chains: firstOfEach(book.chains, (chain) => firstOf(chain, count, itself)),
    grants: firstOfEach(book.grants, first),
    gifts: firstOfEach(book.gifts, first),
    admissions: firstOfEach(book.admissions, first),
    definitions: firstOfEach(book.definitions, first),
    restrictions: firstOf(book.restrictions, count, ({ node }) => node),
    lifts: firstOfEach(book.lifts, first),
    relations: first(book.relations),
    attestations: first(book.attestations),
    settlements: firstOfEach(book.settlements, first),
    seals: first(book.seals),
    flows: first(book.flows),
    founding: firstOf(book.founding, count, itself),
    // those with later entries in them are found by nobody who has other later entries
    views: new Map(book.views),
    shared: book.shared
  }
}

/** Lists are in the order of numbers, those of a feed's positions too: each came after the one before it. */
const firstOf = <Item>(list: ReadonlyArray<Item>, count: number, nodeOf: (item: Item) => Node): Array<Item> => {
  let length = list.length
  while (length > 0 && nodeOf(list[length - 1]!).number >= count) length--
  return list.slice(0, length)
}

const firstOfEach = <Key, Item>(
  lists: ReadonlyMap<Key, Array<Item>>,
  first: (list: ReadonlyArray<Item>) => Array<Item>
): Map<Key, Array<Item>> => {
  const result = new Map<Key, Array<Item>>()
  for (const [key, list] of lists) {
    const left = first(list)
    if (left.length > 0) result.set(key, left)
  }
  return result
}

const itself = (node: Node): Node => node

/** Adds an entry that is not here. Dies when something that it names is not here. */
export const add = (book: Book, entry: AuthorityEntry): Node => {
  const { facts, feed, hash, previousHash, seen, seq, time } = entry
  const number = book.nodes.size
  const previous = seq === 0 ? undefined : expect(book, { feed: feed.id, seq: seq - 1, hash: previousHash }, number)
  const named = seen.map((position) => expect(book, position, number))
  const view: View = {
    id: book.shared.viewCount++,
    heads: pastOf(previous === undefined ? named : [previous, ...named])
  }
  const place = previous?.place ?? placeOf(book.shared, feed.id)
  const jump = previous && Heads.jumpOver(previous)
  const alone: Array<Node> = []
  const node: Node = { feed, seq, hash, previousHash, time, seen, facts, number, view, previous, place, jump, alone }
  alone.push(node)
  enter(book, node)
  return node
}

/** Entries with their pasts. The latest has seen most of the others: what it has not is put in after it. */
const pastOf = (named: ReadonlyArray<Node>): Seen => {
  let latest = named[0]
  if (latest === undefined) return Heads.empty
  for (const node of named) if (node.number > latest.number) latest = node
  const heads = join(Heads.empty, latest)
  const news = named.filter((node) => !Heads.has(heads, node))
  return news.length === 0 ? heads : news.sort((a, b) => b.number - a.number).reduce(join, heads)
}

const placeOf = ({ places }: Shared, feed: FeedId): number => {
  const known = places.get(feed)
  if (known !== undefined) return known
  const place = places.size
  places.set(feed, place)
  return place
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
export const intern = (book: Book, heads: Seen): View => {
  const key = Heads.hashOf(heads)
  const alike = book.views.get(key) ?? []
  const known = alike.find((view) => Heads.isSame(view.heads, heads))
  if (known !== undefined) return known
  const view: View = { id: book.shared.viewCount++, heads }
  book.views.set(key, [...alike, view])
  return view
}

/** Heads with an entry and its past. */
export const join = (heads: Seen, node: Node): Seen =>
  Heads.has(heads, node) ? heads : Heads.add(Heads.merge(heads, node.view.heads), node)

/** Whether the view has seen the entry. */
export const inView = (view: View, node: Node): boolean => Heads.has(view.heads, node)

/** A canonical order: that of time, and of hashes between equals. */
export const byTime = ({ node: a }: Stated<unknown>, { node: b }: Stated<unknown>): number =>
  a.time - b.time || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)

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
      return push(book.lifts, nameOf(fact.entry, fact.index), { node, fact })
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
export const nameOf = (entry: EntryHash, index: number): string => `${entry} ${index}`

const isFounding = (book: Book, node: Node): boolean => {
  const first = node.facts[0]
  if (node.seq !== 0 || node.feed.device !== book.genesis.creator || first?._tag !== "Create") return false
  const record = Genesis.encode(book.genesis).bytes
  return Bytes.isSame(record, first.genesis)
}

const push = <Key, What>(index: Index<Key, What>, key: Key, stated: Stated<What>): void => {
  const list = index.get(key)
  if (list === undefined) index.set(key, [stated])
  else list.push(stated)
}

const emptyBook = (genesis: Genesis.Genesis, shared: Shared): Book => ({
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
  shared
})
