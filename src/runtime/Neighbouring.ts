/**
 * Takes in what other agents have written in the place where this agent's journal is kept (effects/Neighbours.ts).
 *
 * A neighbour's rows are as foreign as what a peer sends: they go through the replica's one door, which checks chain and
 * signature, judges, and stores them as this agent's own copy. So an agent sees what another has made durable also when
 * that one died, and nothing that a neighbour's journal holds can harm it. Nothing is sent and no peer is served here, so
 * nothing is charged.
 *
 * One neighbour's feed at a time, those of authority first; a hint that is no news costs no query. What can't be read now
 * is looked at again with the next hint, and everything is looked at every half a minute, for hints get lost. A feed
 * that was not wanted, or not genuine, is not read again before it or the authority of its space has changed.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Schedule from "effect/Schedule"
import type { StoredFeed } from "../effects/JournalStore.ts"
import { Neighbours, type Change, type Reach } from "../effects/Neighbours.ts"
import type { DeviceId, FeedId, SpaceId } from "../identity/Id.ts"
import * as Branch from "../journal/Branch.ts"
import * as Frontier from "../journal/Frontier.ts"
import { neighbourHintsMax, neighbourPollMillis, takenBytesMax } from "./limits.ts"
import type { Replica } from "./Replica.ts"
import * as Sealed from "./Sealed.ts"

export interface Options {
  readonly device: DeviceId
  readonly replicas: () => Iterable<Replica>
  /** Calls the listener with each replica that opens. */
  readonly onReplica: (listener: (replica: Replica) => void) => void
}

/** Until the scope ends; nothing where no journal of somebody else is kept beside this one. */
export const start = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<void, never, Scope.Scope> {
  const { onReplica, replicas } = options
  const found = yield* Effect.serviceOption(Neighbours)
  if (Option.isNone(found)) return
  const neighbours = found.value
  const watch: Watch = { ...options, neighbours, turnedAway: new Map(), complaints: new Map() }
  const due = makeDue()
  const told = yield* Queue.sliding<void>(1)
  const note = (change: Change) => {
    due.add(change)
    Queue.offerUnsafe(told, undefined)
  }
  const everywhere = () => note({ _tag: "Anything" })

  const follow = (replica: Replica) => {
    replica.listen(({ authorityGrew }) => {
      // what was not wanted may be now
      if (authorityGrew && watch.turnedAway.delete(replica.space)) everywhere()
    })
  }
  for (const replica of replicas()) follow(replica)
  onReplica((replica) => {
    follow(replica)
    everywhere()
  })
  yield* neighbours.listen(note)
  yield* Effect.forkScoped(Effect.repeat(Effect.sync(everywhere), Schedule.spaced(neighbourPollMillis)))
  const work = Effect.gen(function* () {
    yield* Queue.take(told)
    for (const task of due.take()) {
      yield* doTask(watch, task).pipe(
        Effect.catch((error) =>
          Effect.logDebug("the journals beside this one can't be found now", { why: error.message })
        )
      )
    }
  })
  yield* Effect.forkScoped(Effect.forever(work))
})

/** What is looked at next: everything, or what is known to have grown of one neighbour's space. */
type Task =
  | { readonly _tag: "Everything" }
  | { readonly _tag: "Some"; readonly neighbour: string; readonly space: SpaceId; readonly feeds: Map<FeedId, Reach> }

interface Watch extends Options {
  readonly neighbours: Neighbours["Service"]
  /** How far feeds reached that were not taken, by space, then by neighbour and feed. */
  readonly turnedAway: Map<SpaceId, Map<string, string>>
  /** What was said last of a neighbour that can't be read: once is enough. */
  readonly complaints: Map<string, string>
}

/** Hints that nobody followed yet, each feed once; of too many, all that is left is that there are some. */
const makeDue = () => {
  const tasks = new Map<string, Task & { readonly _tag: "Some" }>()
  let hints = 0
  let isAnything = false
  return {
    add: (change: Change): void => {
      isAnything ||= change._tag === "Anything" || hints > neighbourHintsMax
      if (change._tag === "Anything" || isAnything) return
      const { feeds, neighbour, space } = change
      const name = `${space} ${neighbour}`
      const known = tasks.get(name)
      if (known === undefined) tasks.set(name, { _tag: "Some", neighbour, space, feeds: new Map(feeds) })
      else for (const [feed, reach] of feeds) known.feeds.set(feed, reach)
      hints += feeds.size
    },
    take: (): ReadonlyArray<Task> => {
      const taken: ReadonlyArray<Task> = isAnything ? [{ _tag: "Everything" }] : [...tasks.values()]
      tasks.clear()
      hints = 0
      isAnything = false
      return taken
    }
  }
}

const doTask = (watch: Watch, task: Task) =>
  Effect.gen(function* () {
    const { neighbours, replicas } = watch
    if (task._tag === "Everything") {
      for (const neighbour of yield* neighbours.names)
        for (const replica of replicas()) yield* look(watch, replica, neighbour)
      return
    }
    for (const replica of replicas()) {
      if (replica.space !== task.space) continue
      const news = [...task.feeds].filter(([feed, reach]) => !isAt(replica, feed, reach)).map(([feed]) => feed)
      if (news.length > 0) yield* look(watch, replica, task.neighbour, news)
    }
  })

/** Whether a line of this name ends there. */
const isAt = (replica: Replica, feed: FeedId, { entries, mark }: Reach): boolean => {
  const line = replica.ledger().lines.get(feed)
  return line !== undefined && line.taken - (line.branch?.at ?? 0) === entries && Frontier.mark(line.hash) === mark
}

/** Takes what one neighbour has of a space, or of these feeds of it. What hinders it is no other neighbour's matter. */
const look = (watch: Watch, replica: Replica, neighbour: string, only?: ReadonlyArray<FeedId>): Effect.Effect<void> =>
  visit(watch, replica, neighbour, only).pipe(
    Effect.matchEffect({
      onSuccess: () => Effect.sync(() => void watch.complaints.delete(neighbour)),
      onFailure: ({ message: why }) =>
        Effect.suspend(() => {
          if (watch.complaints.get(neighbour) === why) return Effect.void
          watch.complaints.set(neighbour, why)
          return Effect.logWarning("a journal beside this one can't be read", { neighbour, why })
        })
    })
  )

const visit = (
  { device, neighbours, turnedAway }: Watch,
  replica: Replica,
  neighbour: string,
  only: ReadonlyArray<FeedId> | undefined
) =>
  Effect.gen(function* () {
    const stored = yield* neighbours.feeds(neighbour, replica.space, only)
    const named = stored.flatMap((feed) => {
      const header = Branch.decodeNamed(feed.header)
      return Result.isSuccess(header) ? [{ ...header.success, stored: feed }] : []
    })
    // who knows more of this device's own feeds than it does makes it begin new ones, before it writes again
    replica.compare(
      new Map(
        named
          .filter(({ feed, stored }) => feed.device === device && stored.entries > 0)
          .map(({ stored: { entries, feed, hash } }) => [feed, { seq: entries - 1, mark: Frontier.mark(hash) }])
      )
    )
    const ordered = [...named].sort((a, b) => Number(a.feed.kind === "data") - Number(b.feed.kind === "data"))
    const away = turnedAway.get(replica.space) ?? new Map<string, string>()
    for (const { branch, stored } of ordered) {
      const [name, end] = [`${neighbour} ${stored.feed}`, `${stored.entries} ${stored.hash}`]
      if (stored.entries === 0 || away.get(name) === end) continue
      if (isAt(replica, stored.feed, { entries: stored.entries, mark: Frontier.mark(stored.hash) })) continue
      if (stored.first > (replica.ledger().lines.get(stored.feed)?.taken ?? 0))
        yield* takeBooks(neighbours, replica, neighbour)
      const why = yield* takeFeed(neighbours, replica, neighbour, stored, branch?.at ?? 0)
      if (why === undefined) away.delete(name)
      else away.set(name, end)
    }
    if (away.size > 0) turnedAway.set(replica.space, away)
  })

/** What a neighbour dropped is in the sealed books that it stands on: they are taken up if root sealed them. */
const takeBooks = Effect.fnUntraced(function* (neighbours: Neighbours["Service"], replica: Replica, neighbour: string) {
  const wanted = replica.wantedSeal()
  if (wanted === undefined) return
  const books = Option.getOrUndefined(yield* neighbours.local(neighbour, replica.space, Sealed.sealedRow))
  if (books === undefined || bytesToHex(Sealed.digestOf(books)) !== wanted.digest) return
  yield* Effect.catchTag(replica.takeUp(books), "SealRefused", ({ message }) => Effect.logWarning(message))
})

/**
 * Takes a feed from where this replica's ends, or from further back where the two part. Why it was not taken to its end,
 * if it was not. `start`: where a branch leaves its feed; stored entries are counted from there.
 */
const takeFeed = Effect.fnUntraced(function* (
  neighbours: Neighbours["Service"],
  replica: Replica,
  neighbour: string,
  { entries, feed, header }: StoredFeed,
  start: number
) {
  const line = replica.ledger().lines.get(feed)
  let from = line === undefined ? 0 : Math.min(Math.max(0, line.taken - start), entries - 1)
  let detachedAt = from + 1
  while (from < entries) {
    const runs = yield* neighbours.read(neighbour, replica.space, feed, from, takenBytesMax)
    if (runs.length === 0) return "it can't be read to its end"
    const outcomes = yield* replica.receive(runs.map(({ bytes }) => ({ header, run: bytes })))
    const refused = outcomes.find(({ _tag }) => _tag !== "Stored" && _tag !== "Known")
    if (refused === undefined) from = runs.at(-1)!.last + 1
    else if (refused._tag === "Detached") {
      // it parts from what is here further back, or what it follows is not here
      const back = refused.from - start
      if (back < 0 || back >= detachedAt) return "what it follows is not here"
      from = detachedAt = back
    } else {
      const why = refused._tag === "Refused" || refused._tag === "Unwanted" ? refused.why : refused._tag
      if (refused._tag === "Refused")
        yield* Effect.logWarning("security event: a journal beside this one holds what nobody signed", {
          neighbour,
          space: replica.space,
          feed,
          why
        })
      return why
    }
  }
  return undefined
})
