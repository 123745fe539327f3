/**
 * Text: a string that several people edit at once; what they type stays where they typed it.
 *
 *     ["insert", field, start, left, right, text]   text of up to 65 536 UTF-16 code units, well formed
 *     ["delete", field, [range…]]                   [clock, length] or [feed, clock, length]
 *
 * A character is named by its author's feed and its number among all characters that this feed ever inserted here (its
 * clock). `start` is the clock of the first inserted one. `left` and `right` are the neighbours at the time: null for
 * the text's beginning or end, a clock for one's own character, [first 16 bytes of the FeedId, clock] for another's.
 *
 * A change names no author but by his feed, and never its own: nobody can insert as somebody else, whatever he signs.
 * What a change names may not be here yet; it then waits, and so does what its author did after it. Two insertions of a
 * feed that claim the same clocks are a lie: the first one stands. Which is first follows from the feed's order, so
 * **changes of one feed are to be applied in its order**; changes of different feeds in any. With that, the laws of
 * Crdt.ts hold. (Honest feeds may come in any order: gaps wait.)
 *
 * A refused insertion is joined as deleted at once: honest people who, on their devices, typed next to it before it was
 * refused name its characters as neighbours. Refused deletions are dropped. An insertion whose left neighbour stands
 * behind its right one is void, on every device, and so is what names it.
 *
 * Positions count UTF-16 code units; an edit that cuts a surrogate pair in two leaves U+FFFD in place of both halves.
 * The order of concurrent insertions is Yjs' (TextDocument.ts). Only `aura/text` imports this file.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import type { FeedId } from "../../identity/Id.ts"
import type { Cbor } from "../Cbor.ts"
import { Damaged, type Reader, type Writer } from "./Checkpoint.ts"
import { invalid, touch, unknownMutator, type Change, type Crdt } from "./Crdt.ts"
import * as Kinds from "./Kinds.ts"
import { dotsMax, editLengthMax } from "./limits.ts"
import { isFeedPrefix, isNatural, type Stamp } from "./Stamp.ts"
import * as TextDocument from "./TextDocument.ts"
import type { Content, Insertion, Place, Range } from "./TextDocument.ts"
import { isWellFormed } from "./ValueType.ts"

/** Changed in place; see `Crdt`. */
export interface TextState {
  document: TextDocument.TextDocument
  /** By the beginning of the feed's id, as characters are named. */
  readonly authors: Map<string, Author>
  readonly byClient: Map<number, Author>
  /** Who waits for a character of an author, who may not be known yet. */
  readonly blocked: Map<string, Set<Author>>
  /** Accepted, and not yet given to the document: catching up gives it thousands at once. */
  ready: Array<Insertion | Range>
  shown: string | undefined
}

export interface Author {
  readonly feed: FeedId
  readonly prefix: string
  /** The author's number in the document. */
  client: number
  /** Characters inserted so far: the clock of the next one. */
  next: number
  /** What waits, in the feed's order. */
  readonly backlog: Array<Edit>
}

/** A character as changes name it. */
export interface Unit {
  readonly prefix: string
  readonly clock: number
}

interface Edit {
  readonly stamp: Stamp
  readonly change: Change
  readonly isRefused: boolean
  readonly said: Inserted | ReadonlyArray<Unit & { readonly length: number }>
}

interface Inserted {
  readonly start: number
  readonly left: Unit | null
  readonly right: Unit | null
  readonly content: Content
}

const prefixDigits = 32
const clockMax = 2 ** 40

export const prefixOf = (feed: FeedId): string => feed.slice(0, prefixDigits)

const empty = (): TextState => ({
  document: TextDocument.make(),
  authors: new Map(),
  byClient: new Map(),
  blocked: new Map(),
  ready: [],
  shown: undefined
})

export const text: Crdt<TextState, string> = {
  kind: "Text",
  parameters: "none",
  empty,
  inspect: (_, change, at) => {
    if (change[0] === "insert" && change.length === at + 4) {
      const [start, left, right, inserted] = change.slice(at)
      if (!isNatural(start, clockMax)) return invalid("start is no clock")
      if (!isUnit(left, start) || !isUnit(right, start)) return invalid("a neighbour is neither null nor a character")
      if (typeof inserted !== "string" || inserted.length > editLengthMax) {
        return invalid(`what it inserts is no text of up to ${editLengthMax} code units`)
      }
      return isWellFormed(inserted) ? touch(change, at) : invalid("text with half of a surrogate pair")
    }
    if (change[0] === "delete" && change.length === at + 1) {
      return isRanges(change[at]) ? touch(change, at) : invalid("what it deletes is not a list of ranges")
    }
    return unknownMutator(change, `["insert", …, start, left, right, text] and ["delete", …, ranges]`)
  },
  apply: (state, _, change, at, stamp) => accept(state, change.slice(at), stamp, false),
  applyRefused: (state, _, change, at, stamp) => {
    if (change[0] === "insert") accept(state, change.slice(at), stamp, true)
  },
  read: (state) => {
    flush(state)
    return (state.shown ??= state.document.text.toString())
  },
  encode: (state, writer) => {
    const authors = piecesOf(state)
    const written = authors.filter(({ pieces }) => pieces.length > 0)
    writer.natural(written.length)
    for (const { author, pieces } of written) {
      writer.id(author.feed)
      writer.natural(pieces.length)
      for (const piece of pieces) encodePiece(state, piece, writer)
    }
    const waiting = authors.flatMap(({ author }) => author.backlog)
    writer.natural(waiting.length)
    for (const { stamp, change, isRefused } of waiting) {
      writer.stamp(stamp)
      writer.natural(isRefused ? 1 : 0)
      writer.value(change)
    }
  },
  decode: (reader) => {
    const state = empty()
    for (let written = reader.natural(); written > 0; written--) {
      const author = authorAt(state, reader.feed())
      let start = 0
      for (let pieces = reader.natural(); pieces > 0; pieces--) {
        const said = decodePiece(reader, start)
        author.backlog.push(restored(author, said))
        start += TextDocument.lengthOf(said.content)
      }
    }
    settle(state)
    for (const { backlog } of state.authors.values())
      if (backlog.length > 0) throw new Damaged("a text names what it has not")
    for (let waiting = reader.natural(); waiting > 0; waiting--) {
      const stamp = reader.stamp()
      const isRefused = reader.natural() === 1
      const change = reader.value()
      if (!isEdit(change)) throw new Damaged("a waiting edit is none")
      accept(state, change, stamp, isRefused)
    }
    return state
  },
  merge: (a, b) => {
    const state = copyOf(a)
    const deleted: Array<Unit & { readonly length: number }> = []
    for (const { author: from, pieces } of piecesOf(b)) {
      const author = authorAt(state, from.feed)
      for (const piece of pieces) {
        const length = TextDocument.lengthOf(piece.content)
        if (piece.content._tag === "Deleted") deleted.push({ prefix: from.prefix, clock: piece.clock, length })
        const said = saidIn(b, piece)
        const known = Math.max(author.next - piece.clock, 0)
        if (known < length) author.backlog.push(restored(author, known === 0 ? said : rest(said, from.prefix, known)))
      }
    }
    settle(state)
    for (const range of deleted) state.ready.push({ ...placeOf(state, range), length: range.length })
    for (const { authors } of [a, b]) {
      for (const { backlog } of authors.values()) {
        for (const { stamp, change, isRefused } of backlog) accept(state, change, stamp, isRefused)
      }
    }
    return state
  }
}

Kinds.register(text)

/** Gives the document what was accepted since. */
export const flush = (state: TextState): void => {
  if (state.ready.length === 0) return
  const { ready } = state
  state.ready = []
  state.shown = undefined
  TextDocument.integrate(state.document, ready)
}

/** How an author is to name a character of this document. */
export const unitOf = (state: TextState, place: Place): Unit => {
  const author = state.byClient.get(place.client)
  if (author === undefined) throw new TypeError("a character without an author")
  return { prefix: author.prefix, clock: place.clock }
}

// What changes say

/** Arguments of a change, as they wait. */
const isEdit = (value: Cbor): value is Array<Cbor> =>
  Array.isArray(value) &&
  text.inspect({ kind: text.kind }, [value.length === 1 ? "delete" : "insert", ...value], 1)._tag === "Touch"

const isUnit = (value: Cbor | undefined, start: number): boolean =>
  value === null ||
  isNatural(value, start) ||
  (Array.isArray(value) && value.length === 2 && isFeedPrefix(value[0]) && isNatural(value[1], clockMax))

const isRanges = (value: Cbor | undefined): boolean =>
  Array.isArray(value) && value.length <= dotsMax && value.every(isRange)

const isRange = (value: unknown): boolean => {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) return false
  const [clock, length] = value.slice(-2)
  if (value.length === 3 && !isFeedPrefix(value[0])) return false
  return isNatural(clock, clockMax) && isNatural(length, clockMax) && length > 0
}

/** The arguments of a well-formed change. */
const editOf = (author: Author, change: Change, stamp: Stamp, isRefused: boolean): Edit => {
  if (change.length === 1) {
    const ranges = (change[0] as ReadonlyArray<ReadonlyArray<Cbor>>).map((range) => {
      const [clock, length] = range.slice(-2)
      const prefix = range[0] instanceof Uint8Array ? bytesToHex(range[0]) : author.prefix
      return { prefix, clock: Number(clock), length: Number(length) }
    })
    return { stamp, change, isRefused, said: ranges }
  }
  const [start, left, right, inserted] = change
  const content: Content = isRefused
    ? { _tag: "Deleted", length: String(inserted).length }
    : { _tag: "Text", text: String(inserted) }
  const said = { start: Number(start), left: unitFrom(left, author), right: unitFrom(right, author), content }
  return { stamp, change, isRefused, said }
}

const unitFrom = (value: Cbor | undefined, author: Author): Unit | null => {
  if (typeof value === "number") return { prefix: author.prefix, clock: value }
  if (!Array.isArray(value)) return null
  const [feed, clock] = value as ReadonlyArray<Cbor>
  return feed instanceof Uint8Array ? { prefix: bytesToHex(feed), clock: Number(clock) } : null
}

// Accepting them, each author's in order

const accept = (state: TextState, change: Change, stamp: Stamp, isRefused: boolean): void => {
  if (change[change.length - 1] === "") return
  const author = authorAt(state, stamp.feed)
  const { backlog } = author
  let at = backlog.length
  while (at > 0 && isAfter(backlog[at - 1]!.stamp, stamp)) at--
  const before = backlog[at - 1]?.stamp
  if (before !== undefined && before.seq === stamp.seq && before.index === stamp.index) return
  backlog.splice(at, 0, editOf(author, change, stamp, isRefused))
  drain(state, author)
}

const isAfter = (a: Stamp, b: Stamp): boolean => a.seq > b.seq || (a.seq === b.seq && a.index > b.index)

/** Accepts what the author's backlog begins with, and what others were only waiting for. */
const drain = (state: TextState, first: Author): void => {
  const authors = [first]
  for (let author = authors.pop(); author !== undefined; author = authors.pop()) {
    const before = author.next
    let taken = 0
    for (const edit of author.backlog) {
      const missing = missingFor(state, author, edit)
      if (missing !== undefined) {
        block(state, missing, author)
        break
      }
      take(state, author, edit)
      taken++
    }
    author.backlog.splice(0, taken)
    const waiting = state.blocked.get(author.prefix)
    if (author.next === before || waiting === undefined) continue
    state.blocked.delete(author.prefix)
    authors.push(...waiting)
  }
}

const block = (state: TextState, prefix: string, author: Author): void => {
  const waiting = state.blocked.get(prefix)
  if (waiting === undefined) state.blocked.set(prefix, new Set([author]))
  else waiting.add(author)
}

/** Whose character the edit names that is not here; undefined when all are. */
const missingFor = (state: TextState, author: Author, { said }: Edit): string | undefined => {
  if (!("start" in said)) {
    return said.find(({ prefix, clock, length }) => !isKnown(state, prefix, clock + length - 1))?.prefix
  }
  if (said.start > author.next) return author.prefix
  for (const unit of [said.left, said.right]) {
    if (unit !== null && !isKnown(state, unit.prefix, unit.clock)) return unit.prefix
  }
  return undefined
}

const isKnown = (state: TextState, prefix: string, clock: number): boolean =>
  clock < (state.authors.get(prefix)?.next ?? 0)

const take = (state: TextState, author: Author, { said }: Edit): void => {
  if (!("start" in said)) {
    for (const range of said) state.ready.push({ ...placeOf(state, range), length: range.length })
    return
  }
  if (said.start < author.next) return
  const left = said.left === null ? null : placeOf(state, said.left)
  const right = said.right === null ? null : placeOf(state, said.right)
  const insertion: Insertion = { client: author.client, clock: said.start, left, right, content: said.content }
  author.next += TextDocument.lengthOf(said.content)
  const last = state.ready.at(-1)
  if (last !== undefined && "content" in last && last.content._tag === "Text" && insertion.content._tag === "Text") {
    if (TextDocument.follows(last, insertion)) {
      const typed = last.content.text + insertion.content.text
      state.ready[state.ready.length - 1] = { ...last, content: { _tag: "Text", text: typed } }
      return
    }
  }
  state.ready.push(insertion)
}

const placeOf = (state: TextState, unit: Unit): Place => {
  const author = state.authors.get(unit.prefix)
  if (author === undefined) throw new TypeError("a character of an unknown author")
  return { client: author.client, clock: unit.clock }
}

// Authors and their numbers

const authorAt = (state: TextState, feed: FeedId): Author => {
  const prefix = prefixOf(feed)
  const known = state.authors.get(prefix)
  if (known !== undefined) return known
  const author: Author = { feed, prefix, client: numberOf(feed), next: 0, backlog: [] }
  state.authors.set(prefix, author)
  if (state.byClient.has(author.client)) renumber(state)
  else state.byClient.set(author.client, author)
  return author
}

/** 1 to 2^52, rising with the id. */
const numberOf = (feed: FeedId): number => Number.parseInt(feed.slice(0, 13), 16) + 1

/** Gives every author a number of his own, in the order of the ids, and makes the document anew with them. */
const renumber = (state: TextState): void => {
  const kept = piecesOf(state).map(({ author, pieces }) => ({
    author,
    said: pieces.map((piece) => saidIn(state, piece)),
    backlog: author.backlog.splice(0)
  }))
  state.document = TextDocument.make()
  state.byClient.clear()
  let last = 0
  for (const author of inOrder(state.authors.values())) {
    author.client = last = Math.max(numberOf(author.feed), last + 1)
    state.byClient.set(author.client, author)
  }
  for (const { author, said } of kept) {
    author.next = 0
    author.backlog.push(...said.map((one) => restored(author, one)))
  }
  settle(state)
  for (const { author, backlog } of kept) author.backlog.push(...backlog)
  settle(state)
}

const inOrder = (authors: Iterable<Author>): ReadonlyArray<Author> =>
  [...authors].sort((a, b) => (a.feed < b.feed ? -1 : 1))

// Writing down and restoring

/** What each author with a number of his own inserted, authors in the order of their ids. */
const piecesOf = (
  state: TextState
): ReadonlyArray<{ readonly author: Author; readonly pieces: ReadonlyArray<Insertion> }> => {
  flush(state)
  return inOrder(state.byClient.values()).map((author) => ({
    author,
    pieces: TextDocument.insertionsOf(state.document, author.client)
  }))
}

const saidIn = (state: TextState, { clock, left, right, content }: Insertion): Inserted => ({
  start: clock,
  left: left === null ? null : unitOf(state, left),
  right: right === null ? null : unitOf(state, right),
  content
})

/** An insertion that stands already; it has no change and no place in a feed to tell of. */
const restored = (author: Author, said: Inserted): Edit => ({
  stamp: { time: 0, feed: author.feed, seq: 0, index: 0 },
  change: [],
  isRefused: false,
  said
})

/** Accepts all backlogs, whoever comes first. */
const settle = (state: TextState): void => {
  for (const author of [...state.authors.values()]) drain(state, author)
  flush(state)
}

/** The insertion without its first `count` characters. */
const rest = ({ start, right, content }: Inserted, prefix: string, count: number): Inserted => ({
  start: start + count,
  left: { prefix, clock: start + count - 1 },
  right,
  content:
    content._tag === "Text"
      ? { _tag: "Text", text: content.text.slice(count) }
      : { _tag: content._tag, length: content.length - count }
})

const copyOf = (from: TextState): TextState => {
  const state = empty()
  for (const { author, pieces } of piecesOf(from)) {
    const copy = authorAt(state, author.feed)
    copy.backlog.push(...pieces.map((piece) => restored(copy, saidIn(from, piece))))
  }
  settle(state)
  return state
}

const tags = ["Text", "Deleted", "Void"] as const

const encodePiece = (state: TextState, { left, right, content }: Insertion, writer: Writer): void => {
  writer.natural(tags.indexOf(content._tag))
  encodePlace(state, left, writer)
  encodePlace(state, right, writer)
  if (content._tag === "Text") writer.value(content.text)
  else writer.natural(content.length)
}

/** 0, or one more than the clock and then whose it is. */
const encodePlace = (state: TextState, place: Place | null, writer: Writer): void => {
  writer.natural(place === null ? 0 : place.clock + 1)
  if (place !== null) writer.id(unitOf(state, place).prefix)
}

const decodePiece = (reader: Reader, start: number): Inserted => {
  const tag = reader.among(tags)
  const left = decodePlace(reader)
  const right = decodePlace(reader)
  const content: Content =
    tag === "Text" ? { _tag: tag, text: decodeText(reader) } : { _tag: tag, length: reader.natural() }
  if (TextDocument.lengthOf(content) === 0) throw new Damaged("a piece of text is empty")
  return { start, left, right, content }
}

const decodeText = (reader: Reader): string => {
  const text = reader.value()
  if (typeof text !== "string") throw new Damaged("a piece of text is none")
  return text
}

const decodePlace = (reader: Reader): Unit | null => {
  const after = reader.natural()
  return after === 0 ? null : { clock: after - 1, prefix: reader.id().slice(0, prefixDigits) }
}
