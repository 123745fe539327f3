/**
 * Where the histories of a forked authority feed lie in the books, and by which names they are told of.
 *
 * The entries of such a feed form a tree. Lines hold it without overlap: an entry continues the line that ends at what
 * it follows, and where that line goes on already, it begins a line of its own. Which history got the feed's first line
 * is a matter of arrival; what others are told is not: every line is parted where others branch off from it, and each
 * part goes by the name of its branch (journal/Branch.ts). Equal sets of entries give equal parts.
 *
 *     taken   F: 0 1 2 X X X        told   F: 0 1 2      F/X: X X X      F/Y: Y Y
 *                    └ Y Y
 *
 * Law (test/runtime/Branches.test.ts): any order of arrival gives the same parts, each with the same end.
 */
import { entryHash, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Authority from "../trust/Authority.ts"
import type { Ledger, Line } from "./Ledger.ts"

/** Where other lines branch off inside a line: its own part from there on has a name. */
export interface Split {
  readonly own: Branch.Branch
}

/** A stretch of a line by the name that others know it by. `to` = its last entry, which has `hash`. */
export interface Part {
  readonly id: FeedId
  readonly header: Uint8Array
  readonly line: Line
  readonly from: number
  readonly to: number
  readonly hash: EntryHash
}

/** The first position of a line. */
export const startOf = (line: Line): number => line.branch?.at ?? 0

/** The parts of a line, first one first; a part without entries is left out. */
export const partsOf = (line: Line): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let from = startOf(line)
  let named: Branch.Branch | undefined = line.branch
  const add = (to: number, hash: EntryHash): void => {
    const [id, header] = named === undefined ? [line.feed.id, line.feed.bytes] : [named.id, named.bytes]
    if (to >= from) parts.push({ id, header, line, from, to, hash })
  }
  for (const { own } of line.splits) {
    add(own.at - 1, own.previous)
    from = own.at
    named = own
  }
  add(line.taken - 1, line.hash)
  return parts
}

/** The part that goes by a name here. */
export const partNamed = (ledger: Ledger, id: FeedId): Part | undefined => {
  const line = ledger.parted.get(id) ?? ledger.lines.get(id)
  return line === undefined ? undefined : partsOf(line).find((part) => part.id === id)
}

/** The last entry that will ever go by a name, counted from its beginning, because others branch off behind it. */
export const endNamed = (ledger: Ledger, id: FeedId): number | undefined => {
  const line = ledger.parted.get(id) ?? ledger.lines.get(id)
  const start = line?.splits.find(({ own }) => own.id === id)?.own.at ?? (line && startOf(line))
  const next = line?.splits.find(({ own }) => own.id !== id && own.at >= start!)
  return next === undefined ? undefined : next.own.at - 1 - start!
}

/** By which name, and how far counted from its beginning, others know an entry of a line. */
export const headAt = (line: Line, seq: number, hash: EntryHash): { readonly feed: FeedId } & Frontier.Head => {
  const own = line.splits.findLast(({ own }) => own.at <= seq)?.own ?? line.branch
  return { feed: own?.id ?? line.feed.id, seq: seq - (own?.at ?? 0), mark: Frontier.mark(hash) }
}

/** The lines that hold the histories of an authority feed, the first one first. */
export const linesOf = (ledger: Ledger, feed: FeedId): ReadonlyArray<Line> => {
  const first = ledger.lines.get(feed)
  const others = ledger.branches.get(feed)
  return first === undefined ? (others ?? []) : others === undefined ? [first] : [first, ...others]
}

/** Where an entry of an authority feed lies; the feed's own id lies before its first entry. */
export interface Place {
  readonly line: Line
  readonly seq: number
  readonly time: number
}

/** Finds an entry, judged or not, by its position: one that goes by this hash elsewhere is not it. */
export const locate = (ledger: Ledger, feed: FeedId, seq: number, hash: EntryHash): Place | undefined => {
  const first = ledger.lines.get(feed)
  if (seq < 0)
    return first !== undefined && hash === (feed as string) ? placeAt(first, seq, first.feed.time) : undefined
  const node = judgedAt(ledger, feed, seq, hash)
  for (const line of linesOf(ledger, feed)) {
    if (seq < startOf(line) || seq >= line.taken) continue
    if (seq >= line.judged) {
      const pending = line.pending[seq - line.judged]
      if (pending !== undefined && entryHash(pending.hash) === hash) return placeAt(line, seq, pending.time)
    } else if (node !== undefined && Authority.backTo(ledger.authority!, line.judgedHash, seq) === node)
      return placeAt(line, seq, node.time)
  }
  return undefined
}

/** Whether an entry of this feed is here. */
export const isHere = (ledger: Ledger, feed: FeedId, seq: number, hash: EntryHash): boolean =>
  judgedAt(ledger, feed, seq, hash) !== undefined || locate(ledger, feed, seq, hash) !== undefined

/** The hash alone does not tell whose it is: who copies another feed's entries makes the same. */
const judgedAt = (ledger: Ledger, feed: FeedId, seq: number, hash: EntryHash): Authority.Node | undefined => {
  const node = ledger.authority?.nodes.get(hash)
  return node?.feed.id === feed && node.seq === seq ? node : undefined
}

const placeAt = (line: Line, seq: number, time: number): Place => ({ line, seq, time })

/**
 * Enters a line that was opened for a branch: what it branches off from is parted there, and the feed is frozen. The line
 * it branches off from has the entry before it, unless that was lost with a damaged store.
 */
export const attach = (ledger: Ledger, line: Line, branch: Branch.Branch): void => {
  const known = ledger.branches.get(branch.of.id)
  if (known === undefined) ledger.branches.set(branch.of.id, [line])
  else known.push(line)
  const host = locate(ledger, branch.of.id, branch.at - 1, branch.previous)
  if (host === undefined) return
  line.time = host.time
  line.judgedTime = host.time
  if (host.line.splits.some(({ own }) => own.at === branch.at)) return
  const first = hashAt(ledger, host.line, branch.at)
  if (first === undefined) return
  const own = Branch.make(branch.of, branch.at, branch.previous, first)
  host.line.splits.push({ own })
  host.line.splits.sort((a, b) => a.own.at - b.own.at)
  ledger.parted.set(own.id, host.line)
}

/** The last entry of a feed that all of its histories share, as far as they are here. */
export const sharedEnd = (line: Line): { readonly seq: number; readonly hash: EntryHash } => {
  const [split] = line.splits
  return split === undefined
    ? { seq: line.taken - 1, hash: line.hash }
    : { seq: split.own.at - 1, hash: split.own.previous }
}

const hashAt = (ledger: Ledger, line: Line, seq: number): EntryHash | undefined => {
  const pending = line.pending[seq - line.judged]
  if (seq >= line.judged) return pending === undefined ? undefined : entryHash(pending.hash)
  return Authority.backTo(ledger.authority!, line.judgedHash, seq)?.hash
}
