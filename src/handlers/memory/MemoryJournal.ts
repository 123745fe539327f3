/**
 * A journal store that lives in memory: for tests, simulations and devices that want to forget.
 *
 * Everything happens synchronously inside one effect, so a commit is atomic by itself and a seeded simulation stays
 * one. What is kept belongs to a `Disk`: a store opened on a disk finds what earlier stores put there, as after a
 * crash, and a disk has one holder at a time, as a file would. Closing the scope lets go of the disk; `kill` takes it
 * away from a holder that can't run its finalizers any more, which is what kill -9 does to a process.
 *
 * The laws it keeps are those of `conformance/JournalStoreLaws.ts`. It does not survive the process, damages nothing
 * and loses nothing: torn writes and lost syncs are the business of whoever simulates bad disks.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import {
  JournalConflict,
  JournalFull,
  JournalLocked,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit,
  type Start,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "../../effects/JournalStore.ts"
import {
  entryHash,
  feedId,
  toBytes,
  type DeviceId,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../../identity/Id.ts"

export interface Options {
  /** Room for headers, runs, rows and results together; a commit that needs more is `JournalFull`. No limit if absent. */
  readonly limitBytes?: number
}

/** What survives a store that is closed or killed. Opaque: only this module looks inside or changes it. */
export interface Disk {
  readonly limitBytes: number
  readonly spaces: Map<SpaceId, Space>
  usedBytes: number
  /** Identity of the store that has the disk open. */
  holder: object | undefined
}

interface Space {
  readonly feeds: Map<FeedId, Feed>
  readonly locals: Map<string, Uint8Array>
  readonly results: Map<string, StoredResult>
}

interface Feed {
  readonly header: Uint8Array
  /** What comes before the runs: nothing, or what was dropped. */
  start: Head
  readonly runs: Array<StoredRun>
}

type Reason = JournalStoreError["reason"]

/** Results are kept this long at least, and so long nothing else may use their key. */
const resultsKeptMillis = 24 * 60 * 60 * 1000

/** A store on a disk of its own, gone with the layer. */
export const layer = (options: Options = {}): Layer.Layer<JournalStore> =>
  Layer.effect(
    JournalStore,
    // A fresh disk can't be held by anybody, so a failure here would be our own mistake.
    Effect.suspend(() => Effect.orDie(make(disk(options))))
  )

/** An empty disk. */
export const disk = (options: Options = {}): Disk => ({
  limitBytes: options.limitBytes ?? Infinity,
  spaces: new Map(),
  usedBytes: 0,
  holder: undefined
})

/** Opens the disk until the scope closes. `JournalLocked` while another store has it. Forgets results older than a day. */
export const make = (disk: Disk): Effect.Effect<JournalStore["Service"], JournalStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const holder = yield* Effect.acquireRelease(take(disk), (holder) => Effect.sync(() => release(disk, holder)))
    forgetResults(disk, (yield* Clock.currentTimeMillis) - resultsKeptMillis)

    const whileHeld = <A>(work: () => Result.Result<A, Reason>): Effect.Effect<A, JournalStoreError> =>
      Effect.suspend(() => {
        if (disk.holder !== holder) return failed(new JournalUnavailable({ what: "the store was closed" }))
        const result = work()
        return Result.isFailure(result) ? failed(result.failure) : Effect.succeed(result.success)
      })
    const look = <A>(work: () => A): Effect.Effect<A, JournalStoreError> => whileHeld(() => Result.succeed(work()))

    return JournalStore.of({
      persistenceGuaranteed: true,
      spaces: look(() => [...disk.spaces.keys()]),
      feeds: (space) => look(() => [...(disk.spaces.get(space)?.feeds ?? [])].map(storedFeed)),
      commit: (commit) => whileHeld(() => keep(disk, commit)),
      read: (space, feed, from, bytesMax) =>
        look(() => runsFrom(feedOf(disk, space, feed)?.runs ?? [], from, bytesMax)),
      repack: (space, run) => whileHeld(() => replaceRuns(disk, space, run)),
      local: (space, name) =>
        look(() => Option.map(Option.fromNullishOr(disk.spaces.get(space)?.locals.get(name)), copyOf)),
      result: (space, requester, key) =>
        look(() =>
          Option.map(
            Option.fromNullishOr(disk.spaces.get(space)?.results.get(resultName(requester, key))),
            copyOfResult
          )
        )
    })
  })

/** Takes the disk away from its holder, whose every further call is `JournalUnavailable`. Keeps what was committed. */
export const kill = (disk: Disk): Effect.Effect<void> =>
  Effect.sync(() => {
    disk.holder = undefined
  })

const take = (disk: Disk): Effect.Effect<object, JournalStoreError> =>
  Effect.suspend(() => {
    if (disk.holder !== undefined) return failed(new JournalLocked({ where: "the memory disk" }))
    disk.holder = {}
    return Effect.succeed(disk.holder)
  })

const release = (disk: Disk, holder: object): void => {
  if (disk.holder === holder) disk.holder = undefined
}

const failed = (reason: Reason): Effect.Effect<never, JournalStoreError> =>
  Effect.fail(new JournalStoreError({ reason }))

const feedOf = (disk: Disk, space: SpaceId, feed: FeedId): Feed | undefined => disk.spaces.get(space)?.feeds.get(feed)

const storedFeed = ([id, feed]: readonly [FeedId, Feed]): StoredFeed => ({
  feed: id,
  header: copyOf(feed.header),
  first: feed.start.entries,
  ...headOf(feed)
})

/** Where a feed ends: the next seq and the hash that the next run has to name. */
interface Head {
  readonly entries: number
  readonly hash: EntryHash
}

const headOf = ({ runs, start }: Feed): Head => {
  const last = runs.at(-1)
  return last === undefined ? start : { entries: last.last + 1, hash: last.hash }
}

const emptyHead = (feed: FeedId): Head => ({ entries: 0, hash: entryHash(toBytes(feed)) })

/** Checks all of the commit, then applies all of it: nothing can fail in between. */
const keep = (disk: Disk, commit: Commit): Result.Result<void, Reason> => {
  const space: Space = disk.spaces.get(commit.space) ?? { feeds: new Map(), locals: new Map(), results: new Map() }
  const refusal = runsRefused(space, commit) ?? resultsRefused(space, commit)
  if (refusal !== undefined) return Result.fail(refusal)
  const usedBytes = disk.usedBytes + growthBytes(space, commit)
  if (usedBytes > disk.limitBytes && usedBytes > disk.usedBytes) {
    return Result.fail(new JournalFull({ what: `limit ${disk.limitBytes} bytes, needed ${usedBytes}` }))
  }

  disk.usedBytes = usedBytes
  disk.spaces.set(commit.space, space)
  for (const { feed, header } of commit.feeds ?? []) {
    if (!space.feeds.has(feed)) space.feeds.set(feed, { header: copyOf(header), start: emptyHead(feed), runs: [] })
  }
  for (const start of commit.starts ?? []) begin(disk, space, start)
  for (const run of commit.runs ?? []) space.feeds.get(run.feed)?.runs.push(copyOfRun(run))
  for (const { name, bytes } of commit.locals ?? []) {
    if (bytes === null) space.locals.delete(name)
    else space.locals.set(name, copyOf(bytes))
  }
  for (const result of commit.results ?? []) {
    space.results.set(resultName(result.requester, result.key), copyOfResult(result))
  }
  return Result.succeed(undefined)
}

/** Drops the runs that lie whole before a start. */
const begin = (disk: Disk, space: Space, { entries, feed: id, hash, header }: Start): void => {
  const feed = space.feeds.get(id) ?? { header: copyOf(header), start: emptyHead(id), runs: [] }
  space.feeds.set(id, feed)
  const isShort = headOf(feed).entries < entries
  const kept = isShort ? feed.runs.length : indexOfEntry(feed.runs, entries)
  const dropped = feed.runs.splice(0, kept)
  for (const { bytes } of dropped) disk.usedBytes -= bytes.length
  const last = dropped.at(-1)
  if (isShort) feed.start = { entries, hash }
  else if (last !== undefined) feed.start = { entries: last.last + 1, hash: last.hash }
}

const runsRefused = (space: Space, commit: Commit): JournalConflict | undefined => {
  const heads = new Map<FeedId, Head>()
  for (const { feed } of commit.feeds ?? []) if (!space.feeds.has(feed)) heads.set(feed, emptyHead(feed))
  for (const { entries, feed, hash } of commit.starts ?? []) {
    const stored = space.feeds.get(feed)
    const head = heads.get(feed) ?? (stored ? headOf(stored) : emptyHead(feed))
    heads.set(feed, head.entries < entries ? { entries, hash } : head)
  }
  for (const { feed, first, last, previous, hash } of commit.runs ?? []) {
    const stored = space.feeds.get(feed)
    const head = heads.get(feed) ?? (stored && headOf(stored))
    if (head === undefined) return new JournalConflict({ feed, what: "the feed is unknown" })
    if (first !== head.entries || last < first) {
      return new JournalConflict({ feed, what: `entries ${first} to ${last} given, ${head.entries} is next` })
    }
    if (previous !== head.hash) return new JournalConflict({ feed, what: `the hash before entry ${first} differs` })
    heads.set(feed, { entries: last + 1, hash })
  }
  return undefined
}

/** A key has one result, also within a commit. A conflict has to name a feed: the commit's own, else the requester. */
const resultsRefused = (space: Space, commit: Commit): JournalConflict | undefined => {
  const used = new Set<string>()
  for (const { requester, key, atMillis } of commit.results ?? []) {
    const name = resultName(requester, key)
    const stored = space.results.get(name)
    if (used.has(name) || (stored !== undefined && atMillis - stored.atMillis < resultsKeptMillis)) {
      const feed = commit.runs?.[0]?.feed ?? feedId(toBytes(requester))
      return new JournalConflict({ feed, what: `requester ${requester.slice(0, 10)} already used the key "${key}"` })
    }
    used.add(name)
  }
  return undefined
}

/** A device id has a fixed length, so names of different pairs differ. */
const resultName = (requester: DeviceId, key: string): string => `${requester}${key}`

const growthBytes = (space: Space, commit: Commit): number => {
  let bytes = 0
  const seen = new Set<FeedId>(space.feeds.keys())
  for (const { feed, header } of [...(commit.feeds ?? []), ...(commit.starts ?? [])]) {
    if (!seen.has(feed)) bytes += header.length
    seen.add(feed)
  }
  for (const run of commit.runs ?? []) bytes += run.bytes.length
  const lengths = new Map<string, number>()
  for (const { name, bytes: row } of commit.locals ?? []) lengths.set(name, row?.length ?? 0)
  for (const [name, length] of lengths) bytes += length - (space.locals.get(name)?.length ?? 0)
  for (const result of commit.results ?? []) {
    const stored = space.results.get(resultName(result.requester, result.key))
    bytes += resultBytes(result) - (stored === undefined ? 0 : resultBytes(stored))
  }
  return bytes
}

const resultBytes = (result: StoredResult): number => result.payload.length + result.result.length

const forgetResults = (disk: Disk, beforeMillis: number): void => {
  for (const { results } of disk.spaces.values()) {
    for (const [name, result] of results) {
      if (result.atMillis >= beforeMillis) continue
      results.delete(name)
      disk.usedBytes -= resultBytes(result)
    }
  }
}

const runsFrom = (runs: ReadonlyArray<StoredRun>, from: number, bytesMax: number): ReadonlyArray<StoredRun> => {
  const found: Array<StoredRun> = []
  let bytes = 0
  for (let index = indexOfEntry(runs, from); index < runs.length; index++) {
    const run = runs[index]
    if (run === undefined || (found.length > 0 && bytes >= bytesMax)) break
    found.push(copyOfRun(run))
    bytes += run.bytes.length
  }
  return found
}

/** Index of the run that holds entry `seq`, by bisection; the number of runs if none does. */
const indexOfEntry = (runs: ReadonlyArray<StoredRun>, seq: number): number => {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle]?.last ?? Infinity) < seq) low = middle + 1
    else high = middle
  }
  return low
}

const replaceRuns = (disk: Disk, space: SpaceId, run: StoredRun): Result.Result<void, Reason> => {
  const runs = feedOf(disk, space, run.feed)?.runs ?? []
  const from = indexOfEntry(runs, run.first)
  const to = indexOfEntry(runs, run.last)
  const refusal = repackRefused(runs[from], runs[to], run)
  if (refusal !== undefined) return Result.fail(new JournalConflict({ feed: run.feed, what: refusal }))
  const usedBytes = runs.slice(from, to + 1).reduce((bytes, old) => bytes - old.bytes.length, disk.usedBytes)
  if (usedBytes + run.bytes.length > Math.max(disk.limitBytes, disk.usedBytes)) {
    return Result.fail(new JournalFull({ what: `limit ${disk.limitBytes} bytes` }))
  }
  disk.usedBytes = usedBytes + run.bytes.length
  runs.splice(from, to - from + 1, copyOfRun(run))
  return Result.succeed(undefined)
}

const repackRefused = (
  from: StoredRun | undefined,
  to: StoredRun | undefined,
  { first, last, previous, hash }: StoredRun
): string | undefined => {
  if (from?.first !== first || to?.last !== last || last < first)
    return `no stored runs hold exactly entries ${first} to ${last}`
  if (from.previous !== previous) return `the hash before entry ${first} differs`
  if (to.hash !== hash) return `the hash of entry ${last} differs`
  return undefined
}

/** Not `slice`, which shares memory when a caller hands in a subclass such as Node's Buffer. */
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

const copyOfRun = ({ feed, first, last, previous, hash, bytes }: StoredRun): StoredRun => ({
  feed,
  first,
  last,
  previous,
  hash,
  bytes: copyOf(bytes)
})

const copyOfResult = ({ requester, key, payload, result, atMillis }: StoredResult): StoredResult => ({
  requester,
  key,
  payload: copyOf(payload),
  result: copyOf(result),
  atMillis
})
