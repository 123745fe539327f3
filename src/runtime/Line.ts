/**
 * One history of a feed in a replica's books, and by which names its parts are told of.
 *
 * A line is what one arrival after the other continued. Where other lines branch off inside it, it is parted: each part
 * behind that goes by the name of its branch, as everybody knows it (runtime/Branches.ts).
 */
import type * as Result from "effect/Result"
import { entryHash, type DefinitionId, type EntryHash, type FeedId } from "../identity/Id.ts"
import type * as Branch from "../journal/Branch.ts"
import type * as Entry from "../journal/Entry.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Authority from "../trust/Authority.ts"
import type * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"

/** An entry taken and not yet judged. */
export interface Pending {
  readonly seq: number
  readonly time: number
  readonly hash: Uint8Array
  readonly body: Uint8Array
  readonly decided: Decided | undefined
}

/** What an entry of this device's own says, and what it was allowed by when it was written (`Judging.asDecided`). */
export interface Decided {
  readonly by: DecidedBy
  readonly body: Entry.Body
}

export interface DecidedBy {
  readonly authority: Authority.Authority
  readonly view: Authority.View
}

/** Why a feed does not move on. */
export type Blocked =
  | { readonly _tag: "Waiting"; readonly seq: number; readonly forEntry: Position | undefined; readonly what: string }
  | { readonly _tag: "Held"; readonly seq: number; readonly untilMillis: number }

/** One history of a feed in the books. `taken` = the seq that comes next; `judged` = the seq that is judged next. */
export interface Line {
  /** The feed's id, or that of the branch. */
  readonly id: FeedId
  readonly feed: Feed
  readonly branch: Branch.Branch | undefined
  /** Where others branch off, lowest first. */
  readonly splits: Array<Split>
  /** The line that a branch leaves. Undefined where that was lost with a damaged store. */
  host: Line | undefined
  /** Of data: hashes that are asked for again, by position (`Ledger.unread`); undefined: the store does not tell. */
  readonly hashes: Map<number, EntryHash | undefined>
  /** The first entry that the store still has; what comes before it was sealed, and dropped. */
  kept: number
  taken: number
  hash: EntryHash
  /** Time of the last entry taken. */
  time: number
  judged: number
  view: Authority.View
  /** What comes next. Of a forked feed of data what does not count as things stand lies in the store alone. */
  readonly pending: Array<Pending>
  /** Bytes of the bodies in `pending`. */
  pendingBytes: number
  blocked: Blocked | undefined
  /** Hash of the last entry that passed: what the next one chains to. */
  judgedHash: EntryHash
  /** Time of the last entry that passed. */
  judgedTime: number
  /** Everything this device had named as seen in this feed, so that only news is named. */
  readonly named: Map<FeedId, number>
  rules: Rules | undefined
}

/** What a run of similar entries is judged by; recomputed when the view, the authority, its regime or the definition changes. */
export interface Rules {
  readonly authority: Authority.Authority
  readonly view: Authority.View
  readonly id: DefinitionId
  readonly definition: Result.Result<Definition, Decision.Refusal>
  readonly isAdmitted: boolean
  readonly standing: Decision.Standing
}

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

/** A line of which nothing is taken yet. */
export const make = (feed: Feed, branch: Branch.Branch | undefined): Line => {
  const start = branch?.at ?? 0
  const previous = branch?.previous ?? (feed.id as string as EntryHash)
  return {
    id: branch?.id ?? feed.id,
    feed,
    branch,
    splits: [],
    host: undefined,
    hashes: new Map(),
    kept: start,
    taken: start,
    hash: previous,
    time: feed.time,
    judged: start,
    view: Authority.noView,
    pending: [],
    pendingBytes: 0,
    blocked: undefined,
    judgedHash: previous,
    judgedTime: feed.time,
    named: new Map(),
    rules: undefined
  }
}

/** Where a line stands in books that were written down: the entry before `judged` was the last one judged, and taken. */
export interface Place {
  readonly judged: number
  readonly hash: EntryHash
  readonly time: number
  readonly view: Authority.View
  readonly named: Iterable<readonly [FeedId, number]>
}

/** Puts a line of which nothing is taken where it stood. */
export const stand = (line: Line, { hash, judged, named, time, view }: Place): void => {
  line.taken = judged
  line.hash = hash
  line.time = time
  line.judged = judged
  line.judgedHash = hash
  line.judgedTime = time
  line.view = view
  for (const [feed, seq] of named) line.named.set(feed, seq)
}

/** The first position of a line. */
export const startOf = (line: Line): number => line.branch?.at ?? 0

/** The hash of an entry of a line, if it is at hand. */
export const hashAt = (line: Line, seq: number): EntryHash | undefined => {
  if (seq === line.taken - 1) return line.hash
  if (seq === line.judged - 1) return line.judgedHash
  const pending = line.pending[seq - line.judged]
  return pending === undefined ? line.hashes.get(seq) : entryHash(pending.hash)
}

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

/** The further parts of its line that a run holds which reaches so far, and how much of each. */
export const behind = (part: Part, last: number): ReadonlyArray<readonly [FeedId, { readonly seq: number }]> =>
  last <= part.to
    ? []
    : partsOf(part.line)
        .filter(({ from }) => from > part.to && from <= last)
        .map(({ from, id, to }) => [id, { seq: Math.min(to, last) - from }])

/** By which name, and how far counted from its beginning, others know an entry of a line. */
export const headAt = (line: Line, seq: number, hash: EntryHash): { readonly feed: FeedId } & Frontier.Head => {
  const own = line.splits.findLast(({ own }) => own.at <= seq)?.own ?? line.branch
  return { feed: own?.id ?? line.feed.id, seq: seq - (own?.at ?? 0), mark: Frontier.mark(hash) }
}

/** The last entry of a feed that all of its histories share, as far as they are here. */
export const sharedEnd = (line: Line): { readonly seq: number; readonly hash: EntryHash } => {
  const [split] = line.splits
  return split === undefined
    ? { seq: line.taken - 1, hash: line.hash }
    : { seq: split.own.at - 1, hash: split.own.previous }
}
