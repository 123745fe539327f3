/**
 * Where the histories of a forked feed lie in the books, and by which names they are told of.
 *
 * The entries of such a feed form a tree. Lines hold it without overlap: an entry continues the line that ends at what
 * it follows, and where that line goes on already, it begins a line of its own. Which history got the feed's first line
 * is a matter of arrival; what others are told is not: every line is parted where others branch off from it, and each
 * part goes by the name of its branch (journal/Branch.ts). Equal sets of entries give equal parts.
 *
 * Entries of authority are found here; those of data are not in memory, so the store tells where they lie
 * (runtime/Histories.ts).
 *
 *     taken   F: 0 1 2 X X X        told   F: 0 1 2      F/X: X X X      F/Y: Y Y
 *                    └ Y Y
 *
 * Law (test/runtime/Branches.test.ts): any order of arrival gives the same parts, each with the same end.
 */
import { entryHash, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import type { Feed } from "../journal/Feed.ts"
import * as Authority from "../trust/Authority.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"

/** The part that goes by a name here. */
export const partNamed = (ledger: Ledger.Ledger, id: FeedId): Line.Part | undefined => {
  const line = ledger.parted.get(id) ?? ledger.lines.get(id)
  return line === undefined ? undefined : Line.partsOf(line).find((part) => part.id === id)
}

/** The last entry that will ever go by a name, counted from its beginning, because others branch off behind it. */
export const endNamed = (ledger: Ledger.Ledger, id: FeedId): number | undefined => {
  const line = ledger.parted.get(id) ?? ledger.lines.get(id)
  const start = line?.splits.find(({ own }) => own.id === id)?.own.at ?? (line && Line.startOf(line))
  const next = line?.splits.find(({ own }) => own.id !== id && own.at >= start!)
  return next === undefined ? undefined : next.own.at - 1 - start!
}

/** Where an entry of an authority feed lies; the feed's own id lies before its first entry. */
export interface Place {
  readonly line: Line.Line
  readonly seq: number
  readonly time: number
}

/** Finds an entry, judged or not, by its position: one that goes by this hash elsewhere is not it. */
export const locate = (ledger: Ledger.Ledger, feed: FeedId, seq: number, hash: EntryHash): Place | undefined => {
  const first = ledger.lines.get(feed)
  if (seq < 0)
    return first !== undefined && hash === (feed as string) ? placeAt(first, seq, first.feed.time) : undefined
  const node = judgedAt(ledger, feed, seq, hash)
  for (const line of Ledger.historiesOf(ledger, feed)) {
    if (seq < Line.startOf(line) || seq >= line.taken) continue
    if (seq >= line.judged) {
      const pending = line.pending[seq - line.judged]
      if (pending !== undefined && entryHash(pending.hash) === hash) return placeAt(line, seq, pending.time)
    } else if (node !== undefined && Authority.backTo(ledger.authority!, line.judgedHash, seq) === node)
      return placeAt(line, seq, node.time)
  }
  return undefined
}

/** Whether an entry of this feed is here. */
export const isHere = (ledger: Ledger.Ledger, feed: FeedId, seq: number, hash: EntryHash): boolean =>
  judgedAt(ledger, feed, seq, hash) !== undefined || locate(ledger, feed, seq, hash) !== undefined

/** The hash alone does not tell whose it is: who copies another feed's entries makes the same. */
const judgedAt = (ledger: Ledger.Ledger, feed: FeedId, seq: number, hash: EntryHash): Authority.Node | undefined => {
  const node = ledger.authority?.nodes.get(hash)
  return node?.feed.id === feed && node.seq === seq ? node : undefined
}

const placeAt = (line: Line.Line, seq: number, time: number): Place => ({ line, seq, time })

/** Where a branch leaves another line: the time of the entry before it, and what that line has in its place. */
export interface Fork {
  readonly line: Line.Line
  readonly time: number
  readonly first: EntryHash | undefined
}

/**
 * The line of a feed, or of a branch of it, opened if need be. The header was decoded and belongs to this space. Of a new
 * branch of data the caller knows where it leaves which line; undefined: what it follows was lost with a damaged store.
 */
export const lineOf = (
  ledger: Ledger.Ledger,
  feed: Feed,
  branch: Branch.Branch | undefined,
  fork?: Fork
): Line.Line => {
  if (branch === undefined) return Ledger.lineOf(ledger, feed)
  return ledger.lines.get(branch.id) ?? open(ledger, branch, feed.kind === "data" ? fork : forkOf(ledger, branch))
}

/** Opens the line of a branch: what it branches off from is parted there, and the feed is frozen. */
const open = (ledger: Ledger.Ledger, branch: Branch.Branch, fork: Fork | undefined): Line.Line => {
  const { at, of } = branch
  const line = Line.make(of, branch)
  ledger.lines.set(branch.id, line)
  const known = ledger.branches.get(of.id)
  if (known === undefined) ledger.branches.set(of.id, [line])
  else known.push(line)
  if (fork !== undefined) {
    line.host = fork.line
    line.time = fork.time
    line.judgedTime = fork.time
    if (fork.first !== undefined) part(ledger, fork.line, branch, fork.first)
  }
  Ledger.freeze(ledger, of, at - 1)
  return line
}

const forkOf = (ledger: Ledger.Ledger, { at, of, previous }: Branch.Branch): Fork | undefined => {
  const place = locate(ledger, of.id, at - 1, previous)
  return place && { line: place.line, time: place.time, first: hashAt(ledger, place.line, at) }
}

/** Names what a line has from where another branches off. */
const part = (ledger: Ledger.Ledger, line: Line.Line, { at, of, previous }: Branch.Branch, first: EntryHash): void => {
  if (line.splits.some(({ own }) => own.at === at)) return
  const own = Branch.make(of, at, previous, first)
  line.splits.push({ own })
  line.splits.sort((a, b) => a.own.at - b.own.at)
  ledger.parted.set(own.id, line)
}

const hashAt = (ledger: Ledger.Ledger, line: Line.Line, seq: number): EntryHash | undefined => {
  const pending = line.pending[seq - line.judged]
  if (seq >= line.judged) return pending === undefined ? undefined : entryHash(pending.hash)
  return Authority.backTo(ledger.authority!, line.judgedHash, seq)?.hash
}
