/**
 * What commits to a journal in PostgreSQL mean, before any of it is written: each is judged as if those before it in its group
 * had been written; one that does not continue what is there is a conflict, and no part of the others.
 *
 * Nothing in here asks the server: `PostgresCommit` reads what a draft begins with and writes what becomes of it.
 */
import {
  JournalConflict,
  type Commit,
  type Start,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "../../effects/JournalStore.ts"
import {
  entryHash,
  feedId,
  short,
  spaceId,
  toBytes,
  type DeviceId,
  type FeedId,
  type SpaceId
} from "../../identity/Id.ts"
import {
  droppedRun,
  feedFrom,
  idOf,
  integerOf,
  localDigest,
  resultDigest,
  resultFrom,
  spaceDigest,
  spaceFrom,
  utf8,
  wrapped,
  type FeedRow,
  type Row
} from "./JournalRows.ts"
import type { Columns } from "./PostgresRows.ts"
import { packedRun, rowsOf, runsFrom, type PackedRun } from "./PostgresRuns.ts"

/** Results are kept this long at least, and so long nothing else may use their key. */
export const resultsKeptMillis = 24 * 60 * 60 * 1000

/** A commit whose bytes nobody else holds. */
export interface Encoded {
  readonly space: SpaceId
  readonly feeds: ReadonlyArray<{ readonly feed: FeedId; readonly header: Uint8Array }>
  readonly starts: ReadonlyArray<Start>
  readonly runs: ReadonlyArray<PackedRun>
  /** By name; the row as it is written, or null where it goes. */
  readonly locals: ReadonlyMap<string, Columns | null>
  readonly results: ReadonlyArray<{
    readonly requester: DeviceId
    readonly key: string
    readonly atMillis: number
    readonly row: Columns
  }>
}

const none: ReadonlyArray<never> = []

export const encode = ({
  space,
  feeds = none,
  starts = none,
  runs = none,
  locals = none,
  results = none
}: Commit): Encoded => ({
  space,
  starts: starts.map((start) => ({ ...start, header: new Uint8Array(start.header) })),
  feeds: feeds.map(({ feed, header }) => ({ feed, header: new Uint8Array(header) })),
  runs: runs.map(packedRun),
  locals: new Map(
    locals.map(({ name, bytes }) => [name, bytes === null ? (utf8(name), null) : localRow(space, name, bytes)])
  ),
  results: results.map((result) => {
    const { requester, key, atMillis } = result
    return { requester, key, atMillis, row: resultRow(space, result) }
  })
})

const localRow = (space: SpaceId, name: string, bytes: Uint8Array): Columns => {
  const [nameBytes, row] = [utf8(name), wrapped(bytes)]
  return [toBytes(space), nameBytes, row, localDigest(space, nameBytes, row)]
}

const resultRow = (space: SpaceId, result: StoredResult): Columns => {
  const { requester, key, payload, atMillis } = result
  const [kept, said] = [new Uint8Array(payload), new Uint8Array(result.result)]
  return [toBytes(space), toBytes(requester), utf8(key), kept, said, atMillis, resultDigest(space, result)]
}

export interface Moved {
  readonly space: SpaceId
  /** As it will be. */
  row: FeedRow
  /** What is written of its runs, in order. */
  readonly runs: Array<PackedRun>
}

interface Held {
  /** The run that holds the start, and those behind it that share its row. */
  readonly runs: ReadonlyArray<StoredRun>
  /** Whether the row has runs before it, which go. */
  readonly isCut: boolean
}

/** What a group does to the journal, commit by commit. */
export interface Draft {
  readonly where: string
  readonly spaces: Map<SpaceId, number>
  readonly feeds: Map<string, FeedRow>
  /** For each start, by `startName`, what stays of the row that holds it, or of the last one before it. */
  readonly holding: Map<string, Held>
  /** What goes of feeds: all runs that begin before a position. */
  readonly drops: Array<Columns>
  /** When a key was used last. */
  readonly usedAt: Map<string, number>
  /** How many spaces and feeds there are, those of the group included. */
  readonly counts: { spaces: number; feeds: number }
  readonly newSpaces: Map<SpaceId, Columns>
  readonly newFeeds: Set<string>
  readonly moved: Map<string, Moved>
  readonly locals: Map<string, { readonly space: SpaceId; readonly name: string; readonly row: Columns | null }>
  readonly results: Map<string, Columns>
}

export const draftFrom = (
  where: string,
  counts: Row,
  spaces: ReadonlyArray<Row>,
  feeds: ReadonlyArray<Row>,
  results: ReadonlyArray<Row>,
  held: ReadonlyArray<Row>
): Draft => {
  const format = `${where}, table journal_format`
  const ofSpace = (row: Row, table: string) => spaceId(idOf(row, "space", `${where}, table ${table}`))
  return {
    where,
    spaces: new Map(
      spaces.map((row) => {
        const { space, number } = spaceFrom(row, where)
        return [spaceId(space), number]
      })
    ),
    feeds: new Map(
      feeds.map((row) => {
        const space = ofSpace(row, "feeds")
        const feed = feedFrom(row, space, where)
        return [nameOf(space, feed.feed), feed]
      })
    ),
    usedAt: new Map(
      results.map((row) => {
        const space = ofSpace(row, "results")
        const { requester, key, atMillis } = resultFrom(row, space, where)
        return [nameOf(space, requester, key), atMillis]
      })
    ),
    counts: { spaces: integerOf(counts, "spaces", format), feeds: integerOf(counts, "feeds", format) },
    ...nothingDone(),
    holding: new Map(
      held.map((row) => {
        const at = `${where}, table runs`
        const feed = feedId(idOf(row, "feed", at))
        // what is written of it again is checked as what is read
        const [start, first, last] = [integerOf(row, "at", at), integerOf(row, "first", at), integerOf(row, "last", at)]
        const runs = runsFrom(row, feed, Math.min(start, last), undefined, where)
        return [startName(ofSpace(row, "runs"), feed, start), { runs, isCut: runs[0]?.first !== first }]
      })
    )
  }
}

const nothingDone = () => ({
  holding: new Map(),
  drops: [],
  newSpaces: new Map(),
  newFeeds: new Set<string>(),
  moved: new Map(),
  locals: new Map(),
  results: new Map()
})

/** Puts a commit into the draft, all of it or nothing. */
export const admit = (draft: Draft, commit: Encoded): JournalConflict | undefined => {
  const { space } = commit
  const feeds = new Map<string, FeedRow>()
  let count = draft.counts.feeds
  for (const { feed, header } of commit.feeds) {
    const name = nameOf(space, feed)
    if (feeds.has(name) || draft.feeds.has(name)) continue
    feeds.set(name, { feed, header, number: ++count, first: 0, entries: 0, hash: entryHash(toBytes(feed)) })
  }
  const dropped = new Map<string, { readonly run: StoredRun; readonly cut: ReadonlyArray<StoredRun> }>()
  for (const { entries, feed, hash, header } of commit.starts) {
    const name = nameOf(space, feed)
    const fresh = { feed, header, number: count + 1, first: 0, entries: 0, hash: entryHash(toBytes(feed)) }
    const head = feeds.get(name) ?? draft.feeds.get(name) ?? fresh
    if (head === fresh) count++
    const isKept = entries < head.entries
    feeds.set(name, head.entries < entries ? { ...head, entries, hash } : head)
    const held = isKept ? draft.holding.get(startName(space, feed, entries)) : undefined
    const begin = held?.runs[0]
    const [before, last] =
      begin === undefined ? [entries, head.entries < entries ? hash : head.hash] : [begin.first, begin.previous]
    // the furthest of a feed's starts: one row stands for all that goes
    const run = droppedRun(feed, before, last)
    if (run.last > (dropped.get(name)?.run.last ?? -1))
      dropped.set(name, { run, cut: held?.isCut === true ? held.runs : [] })
  }
  for (const { feed, first, last, previous, hash } of commit.runs) {
    const name = nameOf(space, feed)
    const head = feeds.get(name) ?? draft.feeds.get(name)
    const conflict = conflictWith(head, { first, last, previous })
    if (head === undefined || conflict !== undefined) return new JournalConflict({ feed, what: conflict ?? "" })
    feeds.set(name, { ...head, entries: last + 1, hash })
  }
  const conflict = usedTwice(draft, commit)
  if (conflict !== undefined) return conflict
  putSpace(draft, space)
  draft.counts.feeds = count
  for (const [name, row] of feeds) {
    if (!draft.feeds.has(name)) draft.newFeeds.add(name)
    draft.feeds.set(name, row)
    move(draft.moved, name, space, row)
  }
  for (const { cut, run } of dropped.values()) {
    draft.drops.push([toBytes(space), toBytes(run.feed), run.last + 1])
    // what shared a row with runs that go is written again
    draft.moved.get(nameOf(space, run.feed))?.runs.push(...[run, ...cut].map(packedRun))
  }
  for (const run of commit.runs) draft.moved.get(nameOf(space, run.feed))?.runs.push(run)
  for (const [name, row] of commit.locals) draft.locals.set(nameOf(space, name), { space, name, row })
  for (const { requester, key, atMillis, row } of commit.results) {
    draft.results.set(nameOf(space, requester, key), row)
    draft.usedAt.set(nameOf(space, requester, key), atMillis)
  }
  return undefined
}

export const move = (moved: Map<string, Moved>, name: string, space: SpaceId, row: FeedRow): Moved => {
  const known = moved.get(name)
  if (known !== undefined) {
    known.row = row
    return known
  }
  const first = { space, row, runs: [] }
  moved.set(name, first)
  return first
}

export const runRows = (moved: ReadonlyMap<string, Moved>): ReadonlyArray<Columns> =>
  [...moved.values()].flatMap(({ runs, space }) => rowsOf(space, runs))

export const conflictWith = (
  head: FeedRow | undefined,
  { first, last, previous }: Pick<PackedRun, "first" | "last" | "previous">
): string | undefined => {
  if (head === undefined) return "the feed is unknown"
  if (first !== head.entries || last < first) return `entries ${first} to ${last} given, ${head.entries} is next`
  return previous === head.hash ? undefined : `the hash before entry ${first} differs`
}

/** A key has one result, also within a commit. A conflict has to name a feed: the commit's own, else the requester. */
const usedTwice = ({ usedAt }: Draft, { space, runs, results }: Encoded): JournalConflict | undefined => {
  const used = new Set<string>()
  for (const { requester, key, atMillis } of results) {
    const name = nameOf(space, requester, key)
    const before = usedAt.get(name)
    if (used.has(name) || (before !== undefined && atMillis - before < resultsKeptMillis)) {
      const feed = runs[0]?.feed ?? feedId(toBytes(requester))
      return new JournalConflict({ feed, what: `requester ${short(requester)} already used the key "${key}"` })
    }
    used.add(name)
  }
  return undefined
}

/** How far the feeds reach that the group moves. */
export const headsOf = (moved: ReadonlyMap<string, Moved>): ReadonlyMap<SpaceId, ReadonlyArray<StoredFeed>> => {
  const heads = new Map<SpaceId, Array<StoredFeed>>()
  for (const { row, space } of moved.values()) {
    const known = heads.get(space)
    if (known === undefined) heads.set(space, [row])
    else known.push(row)
  }
  return heads
}

const putSpace = (draft: Draft, space: SpaceId): void => {
  if (draft.spaces.has(space)) return
  const number = ++draft.counts.spaces
  draft.spaces.set(space, number)
  draft.newSpaces.set(space, [toBytes(space), number, spaceDigest(toBytes(space), number)])
}

const startName = (space: SpaceId, feed: FeedId, entries: number): string => `${nameOf(space, feed)} ${entries}`

/** Ids have one length, so what follows them can't be taken for a part of them. */
export const nameOf = (...parts: readonly [SpaceId, ...ReadonlyArray<FeedId | DeviceId | string>]): string =>
  parts.join(" ")
