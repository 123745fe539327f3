/**
 * A text as Yjs holds it: who wrote what after what, and where each character stands now.
 *
 * Yjs decides the order of concurrent insertions (YATA) and keeps deleted characters as places to insert at. It is
 * given items directly, never updates made elsewhere: nothing but text, by known authors, at known places, can get in.
 * Among authors Yjs orders by its client number; here that is the beginning of the FeedId, so all devices agree, and
 * editors that exchange Yjs positions understand each other. A number names an author on this device only: should two
 * ids begin alike (which takes their maker a minute to find), the document is numbered anew, in the order of the ids.
 *
 * Yjs converges for neighbours that really were neighbours to somebody; made-up ones split it (measured). So for each
 * insertion is kept what its author must have seen: his own earlier insertions, the neighbours he named, and what their
 * authors had seen. If any of that stands between the two neighbours, he lies, on every device alike, and the insertion
 * is void. What remains could all have been typed by honest people.
 *
 * Kept behind Text.ts: nobody else imports yjs.
 */
import * as Y from "yjs"

/** A character's name: its author's number here, and how many characters that author had inserted before. */
export interface Place {
  readonly client: number
  readonly clock: number
}

export interface Insertion extends Place {
  /** Between which characters it was made; null stands for the text's beginning or end. */
  readonly left: Place | null
  readonly right: Place | null
  readonly content: Content
}

/** `deleted` keeps the place only; `void` does not even have one: nothing can be inserted at it. */
export type Content =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Deleted"; readonly length: number }
  | { readonly _tag: "Void"; readonly length: number }

export interface Range extends Place {
  readonly length: number
}

export interface TextDocument {
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly knowledge: Map<number, Knowledge>
  /** An item and the number of visible characters before it: where the last search ended. */
  marker: { readonly item: Y.Item; readonly index: number } | undefined
}

/** What an author had seen of others, from which of his clocks on. */
interface Knowledge {
  readonly from: Array<number>
  readonly seen: Array<Seen>
}

/** By author, how many of his insertions. */
type Seen = ReadonlyMap<number, number>

export const make = (): TextDocument => {
  const doc = new Y.Doc({ guid: "text" })
  // Yjs draws a random number; nothing is ever inserted under it.
  doc.clientID = 0
  return { doc, text: doc.getText("text"), knowledge: new Map(), marker: undefined }
}

export const lengthOf = (content: Content): number => (content._tag === "Text" ? content.text.length : content.length)

/**
 * Insertions and deletions in this order, all in one transaction. Every character that one names must be there or be
 * inserted before it, and each author's insertions must follow one another without gaps.
 */
export const integrate = (document: TextDocument, edits: Iterable<Insertion | Range>): void =>
  document.doc.transact((transaction) => {
    for (const edit of edits) {
      if ("content" in edit) insert(document, transaction, edit)
      else remove(document, transaction, edit)
    }
  }, document)

/** How far to walk for the marker before giving it up. */
const markerStepsMax = 8

const insert = (document: TextDocument, transaction: Y.Transaction, edit: Insertion): void => {
  const id = Y.createID(edit.client, edit.clock)
  const length = lengthOf(edit.content)
  if (edit.content._tag === "Void") return new Y.GC(id, length).integrate(transaction, 0)
  const content = edit.content._tag === "Text" ? new Y.ContentString(edit.content.text) : new Y.ContentDeleted(length)
  // The right neighbour is cut free first: Yjs would cut it out of the left one if a liar names them the wrong way round.
  if (edit.right !== null) Y.getItemCleanStart(transaction, Y.createID(edit.right.client, edit.right.clock))
  const item = new Y.Item(id, null, idOf(edit.left), null, idOf(edit.right), document.text, null, content)
  if (item.getMissing(transaction, document.doc.store) !== null) throw new Error("an edit came before what it names")
  const seen = seenBy(document, edit)
  if (!isPossible(document, item, seen)) return new Y.GC(id, length).integrate(transaction, 0)
  keep(document, edit, seen)
  item.integrate(transaction, 0)
  keepMarker(document, item)
}

/**
 * Whether nothing that its author had seen stands between the neighbours, and the left one comes first. Takes as many
 * steps as insertions happened in between unseen; only a liar can make it take more.
 */
const isPossible = ({ text }: TextDocument, item: Y.Item, seen: Seen): boolean => {
  if (item.parent === null) return false
  const { client } = item.id
  let next = item.left === null ? text._start : item.left.right
  while (next !== item.right) {
    if (next === null || next.id.client === client || next.id.clock < (seen.get(next.id.client) ?? 0)) return false
    next = next.right
  }
  return true
}

const seenBy = ({ knowledge }: TextDocument, { client, left, right }: Insertion): Seen => {
  let seen = knowledge.get(client)?.seen.at(-1) ?? nothing
  for (const place of [left, right]) {
    if (place === null || place.client === client || (seen.get(place.client) ?? 0) > place.clock) continue
    const joined = new Map(seen)
    for (const [author, count] of seenAt(knowledge.get(place.client), place.clock)) {
      if ((joined.get(author) ?? 0) < count) joined.set(author, count)
    }
    seen = joined.set(place.client, place.clock + 1)
  }
  return seen
}

const nothing: Seen = new Map()

/** What the author had seen when he inserted the character at `clock`. */
const seenAt = (knowledge: Knowledge | undefined, clock: number): Seen => {
  if (knowledge === undefined) return nothing
  let low = 0
  let high = knowledge.from.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (knowledge.from[middle]! <= clock) low = middle + 1
    else high = middle
  }
  return knowledge.seen[low - 1] ?? nothing
}

const keep = ({ knowledge }: TextDocument, { client, clock }: Insertion, seen: Seen): void => {
  const known = knowledge.get(client)
  if (known === undefined) knowledge.set(client, { from: [clock], seen: [seen] })
  else if (known.seen.at(-1) !== seen) {
    known.from.push(clock)
    known.seen.push(seen)
  }
}

const remove = (document: TextDocument, transaction: Y.Transaction, range: Range): void => {
  const { store } = document.doc
  const end = range.clock + range.length
  let clock = range.clock
  while (clock < end) {
    let item: Y.Item | Y.GC = Y.getItem(store, Y.createID(range.client, clock))
    if (item instanceof Y.Item && !item.deleted) {
      if (item.id.clock + item.length > end) Y.getItemCleanEnd(transaction, store, Y.createID(range.client, end - 1))
      item = Y.getItemCleanStart(transaction, Y.createID(range.client, clock))
      if (item instanceof Y.Item) {
        keepMarker(document, item)
        item.delete(transaction)
      }
    }
    clock = item.id.clock + item.length
  }
}

/** The marker stays good when `changed` is seen to stand behind it. */
const keepMarker = (document: TextDocument, changed: Y.Item): void => {
  if (document.marker === undefined) return
  let before = changed.left
  for (let step = 0; step < markerStepsMax && before !== null; step++) {
    if (before === document.marker.item) return
    before = before.left
  }
  document.marker = undefined
}

const idOf = (place: Place | null): Y.ID | null => (place === null ? null : Y.createID(place.client, place.clock))

/**
 * The item with the visible character at `index`, and that of the item's first one. Walks from where the last search
 * ended, so following a cursor takes a few steps; a jump takes at most one step for each item.
 */
const locate = (document: TextDocument, index: number): { readonly item: Y.Item; readonly index: number } => {
  const from = usableMarker(document)
  let item = from?.item ?? document.text._start
  let at = from?.index ?? 0
  while (item !== null && at > index) {
    item = item.left
    if (item !== null) at -= visible(item)
  }
  while (item !== null && at + visible(item) <= index) {
    at += visible(item)
    item = item.right
  }
  if (item === null) throw new RangeError(`position ${index} is not in the text`)
  return (document.marker = { item, index: at })
}

/** Yjs merges neighbours, and then drops the right one. */
const usableMarker = ({ doc, marker }: TextDocument): TextDocument["marker"] =>
  marker !== undefined && Y.getItem(doc.store, marker.item.id) === marker.item ? marker : undefined

const visible = (item: Y.Item): number => (item.deleted || !item.countable ? 0 : item.length)

/** The name of the visible character at `index`, and that of what follows it, visible or not; null at the end. */
export const placesAt = (
  document: TextDocument,
  index: number
): { readonly here: Place; readonly next: Place | null } => {
  const { item, index: start } = locate(document, index)
  const here = { client: item.id.client, clock: item.id.clock + index - start }
  if (index - start + 1 < item.length) return { here, next: { client: here.client, clock: here.clock + 1 } }
  return { here, next: item.right === null ? null : place(item.right.id) }
}

/** The name of the first character, visible or not; null when there never was one. */
export const firstPlace = ({ text }: TextDocument): Place | null =>
  text._start === null ? null : place(text._start.id)

/** The names of the visible characters from `from` to `to`, as ranges. */
export const rangesBetween = (document: TextDocument, from: number, to: number): ReadonlyArray<Range> => {
  const ranges: Array<Range> = []
  if (from >= to) return ranges
  const start = locate(document, from)
  let next: Y.Item | null = start.item
  let at = start.index
  while (next !== null && at < to) {
    const count = visible(next)
    const skipped = Math.max(0, from - at)
    const length = Math.min(count, to - at) - skipped
    if (length > 0) ranges.push({ client: next.id.client, clock: next.id.clock + skipped, length })
    at += count
    next = next.right
  }
  return ranges
}

/**
 * Everything one author inserted, in his order, in as few pieces as its meaning allows: the same pieces for the same
 * document, however Yjs happens to have cut it.
 */
export const insertionsOf = ({ doc }: TextDocument, client: number): ReadonlyArray<Insertion> => {
  const pieces: Array<Insertion> = []
  for (const struct of doc.store.clients.get(client) ?? []) {
    const piece = pieceOf(struct)
    const last = pieces.at(-1)
    const joined = last === undefined ? undefined : join(last, piece)
    if (joined === undefined) pieces.push(piece)
    else pieces[pieces.length - 1] = joined
  }
  return pieces
}

const pieceOf = (struct: Y.Item | Y.GC | Y.AbstractStruct): Insertion => {
  const { client, clock } = struct.id
  if (!(struct instanceof Y.Item)) {
    return { client, clock, left: null, right: null, content: { _tag: "Void", length: struct.length } }
  }
  const left = struct.origin === null ? null : place(struct.origin)
  const right = struct.rightOrigin === null ? null : place(struct.rightOrigin)
  const content: Content =
    struct.content instanceof Y.ContentString && !struct.deleted
      ? { _tag: "Text", text: struct.content.str }
      : { _tag: "Deleted", length: struct.length }
  return { client, clock, left, right, content }
}

/** Both as one, if the second was typed right behind the first and shares its fate. */
const join = (first: Insertion, second: Insertion): Insertion | undefined => {
  const [a, b] = [first.content, second.content]
  if (a._tag === "Void" && b._tag === "Void")
    return { ...first, content: { _tag: "Void", length: a.length + b.length } }
  if (!follows(first, second)) return undefined
  if (a._tag === "Text" && b._tag === "Text") return { ...first, content: { _tag: "Text", text: a.text + b.text } }
  if (a._tag !== "Deleted" || b._tag !== "Deleted") return undefined
  return { ...first, content: { _tag: "Deleted", length: a.length + b.length } }
}

/** Whether `second` was inserted right behind the last character of `first`, before the same right neighbour. */
export const follows = (first: Insertion, second: Insertion): boolean =>
  second.left !== null &&
  second.client === first.client &&
  second.left.client === first.client &&
  second.left.clock === second.clock - 1 &&
  second.clock === first.clock + lengthOf(first.content) &&
  second.right?.client === first.right?.client &&
  second.right?.clock === first.right?.clock

const place = ({ client, clock }: Y.ID): Place => ({ client, clock })
