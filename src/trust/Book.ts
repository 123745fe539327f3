/**
 * The authority entries of a space with their pasts, and indexes of what they say. It judges nothing.
 *
 * `past(x)` = everything x names by hash (`prev`, `seen`), closed. A view is such a past, kept as the last entry of each
 * feed in it, or of each strand of one that forked (trust/Heads.ts). Entries are numbered in the order in which they
 * came, so whatever lies in an entry's past has a lower number.
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
  /** What it names by hash: the entry before it, and what its author had seen. */
  readonly named: ReadonlyArray<Node>
  /** Length of the longest way from it back to a beginning. */
  readonly height: number
}

/**
 * What somebody had seen of the authority feeds, closed. Equal views that were asked for (`intern`) are the same object;
 * those of entries are not looked up among them, for hardly two entries have seen the same.
 */
export interface View {
  readonly id: number
  readonly heads: Seen
}

/** The last entry of each strand of each feed. */
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
  /** The last entry of each strand, by its place: what follows another one begins a strand of its own. */
  readonly ends: Array<Node>
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
  /** How many places in heads are taken. */
  placeCount: number
}

export const make = (genesis: Genesis.Genesis): Book => emptyBook(genesis, { viewCount: 0, placeCount: 0 })

/** The first `count` entries in a book of their own. Nodes and views keep their identity. */
export const copy = (book: Book, count: number): Book => {
  const nodes = new Map<EntryHash, Node>()
  const ends: Array<Node> = []
  for (const [hash, node] of book.nodes) {
    if (node.number >= count) break
    nodes.set(hash, node)
    ends[node.place] = node
  }
  const first = <What>(list: ReadonlyArray<Stated<What>>) => firstOf(list, count, ({ node }) => node)
  return {
    genesis: book.genesis,
    nodes,
    chains: firstOfEach(book.chains, (chain) => firstOf(chain, count, itself)),
    ends,
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
  const others = seen.map((position) => expect(book, position, number))
  const named = previous === undefined ? others : [previous].concat(others)
  const highest = highestOf(named)
  const view: View = { id: book.shared.viewCount++, heads: pastOf(named, highest) }
  const height = highest === undefined ? 0 : highest.height + 1
  const strand = previous !== undefined && book.ends[previous.place] === previous ? previous : undefined
  const place = strand?.place ?? book.shared.placeCount++
  const base = strand === undefined ? previous : strand.base
  const jump = previous && Heads.jumpOver(previous)
  const node: Node = {
    feed,
    seq,
    hash,
    previousHash,
    time,
    seen,
    facts,
    number,
    view,
    named,
    height,
    place,
    base,
    previous,
    jump
  }
  enter(book, node)
  return node
}

/** Entries with their pasts. The highest has seen most of the others: what it has not is put in after it. */
const pastOf = (named: ReadonlyArray<Node>, highest: Node | undefined): Seen => {
  if (highest === undefined) return Heads.empty
  let heads = Heads.add(highest.view.heads, highest)
  for (let at = 0; at < named.length; at++) heads = join(heads, named[at]!)
  return heads
}

const highestOf = (nodes: ReadonlyArray<Node>): Node | undefined => {
  let highest = nodes[0]
  for (let at = 1; at < nodes.length; at++) if (nodes[at]!.height > highest!.height) highest = nodes[at]
  return highest
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

/** Heads with an entry and its past, of which nearly always little is news. */
export const join = (heads: Seen, node: Node): Seen => {
  if (Heads.has(heads, node)) return heads
  const unseen = fewUnseen(heads, node)
  if (unseen === undefined) return Heads.add(Heads.merge(heads, node.view.heads), node)
  return unseen.reduceRight<Seen>(Heads.add, heads)
}

/** An entry and what of its past heads lack, each before what it names; undefined when that is much. */
const fewUnseen = (heads: Seen, node: Node): ReadonlyArray<Node> | undefined => {
  const unseen = [node]
  for (let at = 0; at < unseen.length; at++) {
    const { named } = unseen[at]!
    for (let next = 0; next < named.length; next++) {
      if (Heads.has(heads, named[next]!) || unseen.includes(named[next]!)) continue
      if (unseen.length === fewMax) return undefined
      unseen.push(named[next]!)
    }
  }
  return unseen.length === 1 ? unseen : unseen.sort((a, b) => b.number - a.number)
}

/** Beyond so many, merging whole heads is quicker (bench: authority-cold). */
const fewMax = 8

/** Whether the view has seen the entry. */
export const inView = (view: View, node: Node): boolean => Heads.has(view.heads, node)

/** A canonical order: that of time, and of hashes between equals. */
export const byTime = ({ node: a }: Stated<unknown>, { node: b }: Stated<unknown>): number =>
  a.time - b.time || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)

const enter = (book: Book, node: Node): void => {
  book.nodes.set(node.hash, node)
  book.ends[node.place] = node
  const chain = book.chains.get(node.feed.id) ?? []
  if (chain.length === 0) book.chains.set(node.feed.id, chain)
  chain[node.seq] ??= node
  if (isFounding(book, node)) book.founding.push(node)
  for (let index = 0; index < node.facts.length; index++) note(book, node, node.facts[index]!, index)
}

/** Puts a fact where it is looked for. */
const note = (book: Book, node: Node, fact: Fact.DecodedFact, index: number): void => {
  switch (fact._tag) {
    case "Grant": {
      const stated = { node, fact }
      push(book.gifts, node.feed.device, stated)
      return push(book.grants, fact.device, stated)
    }
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
  ends: [],
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
