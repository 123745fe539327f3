/**
 * What a run brought by a peer means for a replica's books: continue a feed, nothing new, too early, or two histories.
 *
 * Synchronous and without side effects: the run was decoded and its chain checked; whether its signature is good is the
 * caller's to have settled. Nothing is stored that this replica does not want: feeds of devices that nobody admitted
 * and entries behind a feed's end (a standing cut, a fork, a closing).
 */
import { entryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import type { StoredRun } from "../effects/JournalStore.ts"
import { deviceFeedsMax } from "../journal/limits.ts"
import * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Entry from "../journal/Entry.ts"
import * as Fact from "../trust/Fact.ts"
import * as Genesis from "../journal/Genesis.ts"
import * as Result from "effect/Result"
import * as Ledger from "./Ledger.ts"
import { feedPendingBytesMax } from "./limits.ts"

/** What became of a run. */
export type Outcome =
  /** It continued its feed, which now ends at `seq`. */
  | { readonly _tag: "Stored"; readonly feed: FeedId; readonly seq: number; readonly mark: string }
  /** All of it was here. */
  | { readonly _tag: "Known"; readonly feed: FeedId; readonly seq: number; readonly mark: string }
  /** It begins behind what is here, or contradicts it: the peer is asked for the feed from `from`. */
  | { readonly _tag: "Detached"; readonly feed: FeedId; readonly from: number }
  /** Its device signed two histories; the proof is kept and goes to everyone. */
  | { readonly _tag: "Forked"; readonly feed: FeedId; readonly at: number; readonly proof: Uint8Array }
  /** Not wanted here: no breach, the peer may not know what we know. */
  | { readonly _tag: "Unwanted"; readonly feed: FeedId; readonly why: string }
  /** Never true: the peer that brought it is at fault. */
  | { readonly _tag: "Refused"; readonly why: string }

/** How a decoded run fits. */
export type Fit =
  | { readonly _tag: "Continues"; readonly run: Run.Run }
  | { readonly _tag: "Contradicts"; readonly at: number }
  | Outcome

/** The feed a run belongs to: known here, or told by its header. */
export const feedOf = (
  ledger: Ledger.Ledger,
  header: Uint8Array | undefined,
  run: Run.Run
): Result.Result<Feed.Feed, Outcome> => {
  const known = ledger.lines.get(run.feed)
  if (known !== undefined) return Result.succeed(known.feed)
  if (header === undefined) return Result.fail({ _tag: "Detached", feed: run.feed, from: 0 })
  const feed = Feed.decode(header)
  if (Result.isFailure(feed)) return Result.fail({ _tag: "Refused", why: feed.failure.what })
  if (feed.success.id !== run.feed) return Result.fail({ _tag: "Refused", why: "a header of another feed" })
  if (feed.success.space !== ledger.space) return Result.fail({ _tag: "Refused", why: "a feed of another space" })
  return Result.succeed(feed.success)
}

/**
 * Whether this replica keeps the feed at all, and how the run fits what it has of it; `ahead` = the last run of the
 * same feed that is about to be stored.
 */
export const fit = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run, ahead: Run.Run | undefined): Fit => {
  const line = ledger.lines.get(feed.id)
  const why = line === undefined && ahead === undefined ? unwantedFeed(ledger, feed, run) : undefined
  if (why !== undefined) return { _tag: "Unwanted", feed: feed.id, why }
  if (ledger.damaged.has(feed.id))
    return { _tag: "Unwanted", feed: feed.id, why: "its stored entries are damaged here" }
  if (run.first > Ledger.limitOf(ledger, feed).seq)
    return { _tag: "Unwanted", feed: feed.id, why: "behind the end of its feed" }
  const taken = ahead === undefined ? (line?.taken ?? 0) : Run.lastSeq(ahead) + 1
  const last = Run.lastSeq(run)
  if (run.first > taken) return { _tag: "Detached", feed: feed.id, from: taken }
  const ours = ahead === undefined ? (line?.hash ?? entryHash(Feed.origin(feed))) : Run.lastHash(ahead)
  if (last < taken - 1) return { _tag: "Contradicts", at: -1 }
  const theirs = run.first === taken ? run.previous : entryHash(run.hashes[taken - 1 - run.first]!)
  if (theirs !== ours) return { _tag: "Contradicts", at: taken - 1 }
  if (last === taken - 1) return { _tag: "Known", feed: feed.id, seq: last, mark: ours.slice(0, 32) }
  if (line !== undefined && line.pendingBytes > feedPendingBytesMax)
    return {
      _tag: "Unwanted",
      feed: feed.id,
      why: `more than ${feedPendingBytesMax} bytes of it wait here for what they name`
    }
  if (
    run.first === taken &&
    taken > 0 &&
    run.times[0]! <= (ahead === undefined ? line!.time : ahead.times[ahead.times.length - 1]!)
  )
    return { _tag: "Refused", why: "a run whose time is not above that of the entry before it" }
  return { _tag: "Continues", run: run.first === taken ? run : tail(run, taken, ours) }
}

/** Whether more of a feed that was turned away would be taken now; the header tells of one that is not here at all. */
export const isWanted = (ledger: Ledger.Ledger, id: FeedId, header: Uint8Array | undefined): boolean => {
  if (ledger.damaged.has(id)) return false
  const line = ledger.lines.get(id)
  if (line !== undefined && line.pendingBytes > feedPendingBytesMax) return false
  if (line !== undefined) return line.taken <= Ledger.limitOf(ledger, line.feed).seq
  const feed = header === undefined ? undefined : Feed.decode(header)
  return feed !== undefined && Result.isSuccess(feed) && Ledger.limitOf(ledger, feed.success).seq >= 0
}

/** A run as it goes to the store. */
export const stored = (run: Run.Run): StoredRun => ({
  feed: run.feed,
  first: run.first,
  last: Run.lastSeq(run),
  previous: run.previous,
  hash: Run.lastHash(run),
  bytes: run.bytes
})

/** The part of a run from `first` on: the same signature covers it. */
const tail = (run: Run.Run, first: number, previous: Run.Run["previous"]): Run.Run => {
  const skip = first - run.first
  const rest = { feed: run.feed, first, previous, times: run.times.slice(skip), bodies: run.bodies.slice(skip) }
  return { ...rest, hashes: run.hashes.slice(skip), signature: run.signature, bytes: Run.encode(rest, run.signature) }
}

const unwantedFeed = (ledger: Ledger.Ledger, feed: Feed.Feed, run: Run.Run): string | undefined => {
  if (ledger.authority === undefined)
    return founds(ledger.space, feed, run) ? undefined : "the space's founding entry is not here"
  if (Ledger.limitOf(ledger, feed).seq < 0) return "its device is no member, as far as this replica knows"
  let live = 0
  for (const line of ledger.lines.values()) if (line.feed.device === feed.device) live++
  return live >= deviceFeedsMax ? `its device has ${deviceFeedsMax} feeds already` : undefined
}

/** Whether a run begins with the record that this space is named by. */
const founds = (space: SpaceId, feed: Feed.Feed, run: Run.Run): boolean => {
  if (feed.kind !== "authority" || run.first !== 0) return false
  const body = Entry.decode(run.bodies[0]!)
  if (Result.isFailure(body)) return false
  const fact = Fact.decode(body.success.facts[0]!)
  if (fact._tag !== "Create") return false
  const genesis = Genesis.decode(fact.genesis)
  return Result.isSuccess(genesis) && genesis.success.space === space && genesis.success.creator === feed.device
}
