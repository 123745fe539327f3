/**
 * One space on one connection, as seen from one end: what the peer may be sent, was sent, has, and is owed.
 *
 * Sending goes feed by feed from `next`, authority feeds first, in loads that the window has room for. Three things move
 * `next`: what was sent, what the peer says it has, and what it wants again; the last holds against the others until all
 * of that feed was sent once more.
 *
 * A peer that speaks of a space which it, in our eyes, may not read is listened to and told nothing, not even that its
 * runs arrived: it sees what it would see if the space were unknown here. What it is owed is credited once it may read.
 * That is how a new member, whom the other side does not know yet, introduces itself: it sends its authority feeds
 * unasked, as far as one window goes. What does not fit is for another member to tell.
 *
 * A long frontier is first told as its digest (sync/Message.ts). Digests are compared with digests alone, so both ends
 * come to the same conclusion, whatever each has learnt meanwhile. A peer that repeats ours without being equal is
 * believed as one that lies in its frontier is: it is not sent what it says it has, and may still ask for it.
 */
import * as Bytes from "../identity/Bytes.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import * as Frontier from "../journal/Frontier.ts"
import { frontierFeedsMax, runBytesMax } from "../journal/limits.ts"
import { proofsMax, rewindBytes, rewindsMax, unknownFeedsMax, windowBytes, windowRuns } from "./limits.ts"
import type * as Message from "./Message.ts"
import { claimOf, isLong, type Claim, type Loaded, type Local, type Reach, type Share } from "./Share.ts"

/** What the runtime is to do next, in order. */
export type Ask =
  | { readonly _tag: "Send"; readonly message: Message.Message }
  | {
      readonly _tag: "Load"
      readonly space: SpaceId
      readonly feed: FeedId
      readonly from: number
      readonly bytesMax: number
    }
  | {
      readonly _tag: "Take"
      readonly space: SpaceId
      readonly header: Uint8Array | undefined
      readonly run: Uint8Array
    }
  | { readonly _tag: "Prove"; readonly space: SpaceId; readonly proof: Uint8Array }
  | { readonly _tag: "Acknowledged"; readonly space: SpaceId; readonly frontier: Frontier.Frontier }
  | { readonly _tag: "Receipt"; readonly space: SpaceId; readonly message: Message.Receipt }
  | { readonly _tag: "OfBlobs"; readonly space: SpaceId; readonly message: Message.OfBlobs }

export interface Topic {
  readonly share: Share
  readonly tag: Message.Tag
  /** We have said that we speak of this space with the peer; so has it. */
  readonly offered: boolean
  readonly peerOffered: boolean
  /** The peer did not offer a space that we did: it is told the authority feeds. */
  readonly introducing: boolean

  /** The digest we told, until the peer's first word says whether it is equal. */
  readonly claim: Claim | undefined
  /** The peer has said its first word of how far it is. */
  readonly peerSpoke: boolean

  /** The peer has said how far it is, completely. */
  readonly heard: boolean
  /** What the peer said it has durably. */
  readonly acknowledged: Frontier.Frontier
  readonly peerUpTo: Frontier.Frontier | undefined
  /** The next position to send, per feed; 0 where there is none. */
  readonly next: ReadonlyMap<FeedId, number>
  /** Feeds the peer wants again: what it says it has of them does not move `next`. */
  readonly rewound: ReadonlySet<FeedId>
  /** Bytes sent and not yet credited, and the sizes of the runs that they are. */
  readonly inFlight: number
  readonly runsInFlight: ReadonlyArray<number>
  readonly loading: { readonly feed: FeedId; readonly from: number } | undefined
  /** Feeds of which the store had nothing to give, with the bound up to which it was asked. */
  readonly exhausted: ReadonlyMap<FeedId, number>
  /** How often the peer wanted something again, and the bytes it credited, which give that back. */
  readonly wants: number
  readonly credited: number
  /** How many proofs of forks the peer brought. */
  readonly proofs: number

  /** What the peer was told we have; undefined until it was told anything. */
  readonly told: Frontier.Frontier | undefined
  /** Bytes taken from the peer and not yet credited; how many of them are dealt with. */
  readonly owed: number
  readonly withheld: number
  /** Feeds we asked for again; how often we asked at all, and the bytes we credited, which give that back. */
  readonly asked: ReadonlyMap<FeedId, Question>
  readonly asks: number
  readonly given: number
  /** Feeds whose frontier contradicted ours: the search for the fork has begun. */
  readonly disputed: ReadonlySet<FeedId>
  /** Feeds whose runs were turned away, with their headers: to be asked for when they are wanted. */
  readonly missed: ReadonlyMap<FeedId, Uint8Array | undefined>
}

/** From where a feed was asked for again, and by how much further back the next question about it goes. */
export interface Question {
  readonly from: number
  readonly step: number
}

/** A topic's next state with what to do. */
export interface Next {
  readonly topic: Topic
  readonly asks: ReadonlyArray<Ask>
}

/** What the peer said broke the protocol. */
export interface Breach {
  readonly breach: string
  /** More runs than may be in flight: a breach of any space, known here or not. */
  readonly isOfWindow?: boolean
}

export const make = (share: Share, tag: Message.Tag): Topic => ({
  share,
  tag,
  offered: false,
  peerOffered: false,
  introducing: false,
  claim: undefined,
  peerSpoke: false,
  heard: false,
  acknowledged: Frontier.empty,
  peerUpTo: undefined,
  next: new Map(),
  rewound: new Set(),
  inFlight: 0,
  runsInFlight: [],
  loading: undefined,
  exhausted: new Map(),
  wants: 0,
  credited: 0,
  proofs: 0,
  told: undefined,
  owed: 0,
  withheld: 0,
  asked: new Map(),
  asks: 0,
  given: 0,
  disputed: new Set(),
  missed: new Map()
})

/** The peer offered this space before it was known here, and sent so many bytes of runs in vain: they are credited. */
export const adopt = (topic: Topic, bytes: number): Topic => ({
  ...topic,
  peerOffered: true,
  owed: topic.owed + bytes,
  withheld: topic.withheld + bytes
})

/** Whether the peer may be told anything of this space now. */
const mayTell = (topic: Topic): boolean => topic.share.mayRead && topic.offered && topic.peerOffered

/** Whether the two are members together: one that was put out is told why, and asked for nothing. */
export const mayShare = (topic: Topic): boolean => mayTell(topic) && topic.share.isDismissal !== true

/** Begins to tell a peer that has not offered the space why it may speak of it with us. */
export const introduce = (topic: Topic): Next => {
  if (!topic.share.mayRead || !topic.offered || topic.peerOffered || topic.introducing) return { topic, asks: [] }
  return pump({ ...topic, introducing: true })
}

/** The peer speaks of this space. It learns how far we are, if it may. */
export const offeredByPeer = (topic: Topic): Next =>
  topic.peerOffered ? { topic, asks: [] } : tellHave({ ...topic, peerOffered: true, introducing: false })

/** The share changed: new entries, a right gained or lost, another bound. */
export const update = (topic: Topic, share: Share): Next => {
  const isNewlyReadable = share.mayRead && (!topic.share.mayRead || isWhole(share, topic.share))
  const isBoundMoved = share.upTo !== topic.share.upTo
  // What was told before the right was lost may have been dropped at the door: it is told again.
  let next: Topic = { ...topic, share, told: isNewlyReadable ? undefined : topic.told }
  const asks: Array<Ask> = []
  const follow = (step: Next): void => {
    next = step.topic
    asks.push(...step.asks)
  }
  if (share.mayRead && !next.offered) {
    next = { ...next, offered: true }
    asks.push({ _tag: "Send", message: { _tag: "Offer", spaces: [next.tag] } })
  }
  const isRepeated = isNewlyReadable && (topic.told !== undefined || topic.claim !== undefined)
  if (mayTell(next) && (next.told === undefined || isBoundMoved)) follow(tellHave(next, isRepeated || isBoundMoved))
  if (mayTell(next) && next.withheld > 0) follow(credit(next))
  follow(pump(next))
  return { topic: next, asks }
}

/** Whether a peer that was put out is a member again. */
const isWhole = (share: Share, before: Share): boolean => before.isDismissal === true && share.isDismissal !== true

/** Says what we have more than the peer was told; the first time as a digest if that may do, else even if it is nothing. */
export const tellHave = (topic: Topic, always = false): Next => {
  if (!mayTell(topic)) return { topic, asks: [] }
  if (topic.told === undefined && !always) {
    // what we have is said with the answer to our digest
    if (topic.claim !== undefined) return { topic, asks: [] }
    if (!topic.peerSpoke && isLong(topic.share)) return claim(topic)
  }
  const told = new Map(topic.told)
  const news: Array<readonly [FeedId, Frontier.Head]> = []
  for (const [feed, { head }] of topic.share.feeds) {
    const known = told.get(feed)
    if (known !== undefined && known.seq === head.seq && known.mark === head.mark) continue
    told.set(feed, head)
    news.push([feed, head])
  }
  if (news.length === 0 && !always && topic.told !== undefined) return { topic, asks: [] }
  const asks: Array<Ask> = []
  for (let from = 0; from === 0 || from < news.length; from += frontierFeedsMax) {
    const frontier = new Map(news.slice(from, from + frontierFeedsMax))
    const more = from + frontierFeedsMax < news.length
    const message = { _tag: "Have", space: topic.tag, frontier, upTo: topic.share.upTo, more } as const
    asks.push({ _tag: "Send", message })
  }
  return { topic: { ...topic, told }, asks }
}

/** The peer says how far it is, by a digest. */
export const digested = (topic: Topic, digest: Uint8Array): Next | Breach => {
  if (topic.peerSpoke) return { breach: "a digest after its first word" }
  const spoken: Topic = { ...topic, peerOffered: true, introducing: false, peerSpoke: true }
  if (topic.claim !== undefined) {
    if (Bytes.isSame(topic.claim.digest, digest)) return settle(spoken, topic.claim.frontier)
    return tellHave({ ...spoken, claim: undefined }, topic.told === undefined)
  }
  // we have said how far we are, or say it now: the peer's own frontier is its answer to that
  return tellHave(spoken)
}

/** The peer says how far it is. */
export const have = (topic: Topic, message: Message.Message & { readonly _tag: "Have" }): Next | Breach => {
  const { frontier } = message
  const acknowledged = Frontier.join(topic.acknowledged, frontier)
  const unknown = acknowledged.size - topic.share.feeds.size
  if (unknown > unknownFeedsMax) return { breach: `it claims ${unknown} feeds more than there are here` }
  const heard = topic.heard || !message.more
  // The first complete word replaces what an introduction sent and nobody may have listened to.
  const base = topic.heard ? topic.next : new Map<FeedId, number>()
  const next = heard ? raise(base, topic.heard ? frontier : acknowledged, topic.rewound) : topic.next
  const spoken: Topic = {
    ...topic,
    peerOffered: true,
    introducing: false,
    claim: undefined,
    peerSpoke: true,
    heard,
    acknowledged,
    next,
    peerUpTo: message.upTo
  }
  const asks: Array<Ask> = [{ _tag: "Acknowledged", space: topic.share.space, frontier: acknowledged }]
  const answered = topic.told === undefined ? tellHave(spoken, true) : { topic: spoken, asks: [] }
  const disputed = dispute(answered.topic, frontier)
  const pumped = pump(disputed.topic)
  return { topic: pumped.topic, asks: [...asks, ...answered.asks, ...disputed.asks, ...pumped.asks] }
}

/** The peer brings a run. */
export const take = (topic: Topic, message: Message.Message & { readonly _tag: "Run" }): Next | Breach => {
  const owed = topic.owed + message.run.length
  if (owed > windowBytes) return { breach: windowBreach(owed), isOfWindow: true }
  const ask = { _tag: "Take", space: topic.share.space, header: message.header, run: message.run } as const
  return { topic: { ...topic, owed }, asks: [ask] }
}

export const windowBreach = (bytes: number): string => `${bytes} bytes of runs in flight, ${windowBytes} are allowed`

/** A run was dealt with: the peer may send as much again, and hears so when it may read. */
export const dealt = (topic: Topic, bytes: number): Next => {
  const withheld = Math.min(topic.withheld + bytes, topic.owed)
  return credit({ ...topic, withheld })
}

/** The peer has dealt with so many bytes of our runs. */
export const credited = (topic: Topic, bytes: number): Next | Breach => {
  if (bytes > topic.inFlight) return { breach: `credit for ${bytes} bytes, ${topic.inFlight} are in flight` }
  let done = 0
  let rest = bytes
  while (done < topic.runsInFlight.length && topic.runsInFlight[done]! <= rest) rest -= topic.runsInFlight[done++]!
  const runsInFlight = topic.runsInFlight.slice(done)
  if (rest > 0) runsInFlight[0] = runsInFlight[0]! - rest
  return pump({ ...topic, inFlight: topic.inFlight - bytes, runsInFlight, credited: topic.credited + bytes })
}

/** The peer wants a feed again. */
export const want = (topic: Topic, feed: FeedId, from: number): Next | Breach => {
  const wants = topic.wants + 1
  if (wants > questionsMax(topic.credited)) return { breach: `it asked ${wants} times for feeds from an earlier point` }
  const exhausted = new Map(topic.exhausted)
  exhausted.delete(feed)
  // Kept even where there is nothing to give now: the feed may be back in the journal, or the peer, before it asks again.
  const next = new Map(topic.next).set(feed, from)
  return pump({ ...topic, wants, exhausted, next, rewound: new Set(topic.rewound).add(feed) })
}

/** The peer brings a proof of a fork. */
export const prove = (topic: Topic, proof: Uint8Array): Next | Breach => {
  const proofs = topic.proofs + 1
  if (proofs > proofsMax) return { breach: `more than ${proofsMax} fork proofs of one space` }
  return { topic: { ...topic, proofs }, asks: [{ _tag: "Prove", space: topic.share.space, proof }] }
}

/** The peer sent us these entries, by this name, so it has them durably: they are not sent back. */
export const learned = (topic: Topic, feed: FeedId, head: Frontier.Head, name: FeedId): Topic => {
  const heads = new Map([[feed, head]])
  const asked = new Map(topic.asked)
  asked.delete(feed)
  asked.delete(name)
  const acknowledged = Frontier.join(topic.acknowledged, heads)
  return { ...topic, asked, acknowledged, next: raise(topic.next, heads, topic.rewound) }
}

/**
 * Asks for a feed from an earlier point. Where the answer does not meet what is here either, the next question goes
 * further back, in doubling steps; what comes meanwhile from behind the question's point is no reason for another one.
 */
export const askAgain = (topic: Topic, feed: FeedId, from: number): Next => {
  const last = topic.asked.get(feed)
  const isAnswered = (last !== undefined && from >= last.from) || topic.missed.has(feed)
  if (!mayShare(topic) || isAnswered || !mayAsk(topic)) return { topic, asks: [] }
  const question = last === undefined ? { from, step: 1 } : { from: Math.max(0, from - last.step), step: last.step * 2 }
  const message = { _tag: "Want", space: topic.tag, feed, from: question.from } as const
  return {
    topic: { ...topic, asked: new Map(topic.asked).set(feed, question), asks: topic.asks + 1 },
    asks: [{ _tag: "Send", message }]
  }
}

/** A run was turned away as not wanted. */
export const miss = (topic: Topic, feed: FeedId, header: Uint8Array | undefined): Topic => {
  if (topic.missed.size >= unknownFeedsMax) return topic
  const missed = new Map(topic.missed).set(feed, header ?? topic.missed.get(feed))
  return { ...topic, missed }
}

/** Asks for those of the feeds turned away that are wanted by now. */
export const retry = (topic: Topic, isWanted: (feed: FeedId, header: Uint8Array | undefined) => boolean): Next => {
  let next = topic
  const asks: Array<Ask> = []
  for (const [feed, header] of topic.missed) {
    if (!mayShare(next) || !mayAsk(next)) break
    if (!isWanted(feed, header)) continue
    const missed = new Map(next.missed)
    missed.delete(feed)
    const asked = new Map(next.asked)
    asked.delete(feed)
    const step = askAgain({ ...next, missed, asked }, feed, (topic.share.feeds.get(feed)?.head.seq ?? -1) + 1)
    next = step.topic
    asks.push(...step.asks)
  }
  return { topic: next, asks }
}

/** The store's answer to a Load. */
export const loaded = (topic: Topic, feed: FeedId, runs: ReadonlyArray<Loaded>): Next => {
  if (topic.loading?.feed !== feed) return { topic, asks: [] }
  const { from } = topic.loading
  const idle: Topic = { ...topic, loading: undefined }
  const local = topic.share.feeds.get(feed)
  // Asked anew, acknowledged or taken out of the journal meanwhile: this is not what to send now.
  if (local === undefined || !mayServe(topic, local) || (topic.next.get(feed) ?? 0) !== from) return pump(idle)
  const bound = boundOf(topic, feed, local)
  const asks: Array<Ask> = []
  const runsInFlight = [...topic.runsInFlight]
  const covered: Array<Reach> = []
  let { inFlight } = topic
  let position = from
  for (const run of runs) {
    if (run.last < position) continue
    // A run may reach behind our head, when a cut ends the feed inside it; never behind the bound the peer has set.
    if (run.first > position || run.first > bound || run.last > lastOf(topic, feed, local)) break
    if (inFlight + run.bytes.length > windowBytes || runsInFlight.length >= windowRuns) break
    // What the peer does not know begins at 0, or inside a run; anywhere else a header tells it nothing.
    const header = run.first <= 0 || run.isBranch === true ? run.header : undefined
    asks.push({ _tag: "Send", message: { _tag: "Run", space: topic.tag, header, run: run.bytes } })
    inFlight += run.bytes.length
    runsInFlight.push(run.bytes.length)
    covered.push(...(run.covers ?? []))
    position = run.last + 1
  }
  const pumped = pump(
    position === from
      ? { ...idle, exhausted: new Map(topic.exhausted).set(feed, bound) }
      : { ...idle, inFlight, runsInFlight, ...passed(topic, feed, position, local.head.seq, covered) }
  )
  return { topic: pumped.topic, asks: [...asks, ...pumped.asks] }
}

/** How far the peer is served with a feed: as far as we have it, not beyond its own bound. */
export const boundOf = (topic: Topic, feed: FeedId, local: Local): number =>
  Math.min(local.head.seq, lastOf(topic, feed, local))

/** No run ends behind this: what the share says, and for data the peer's own bound. */
const lastOf = (topic: Topic, feed: FeedId, { kind, last = Number.POSITIVE_INFINITY }: Local): number =>
  kind === "authority" || topic.peerUpTo === undefined ? last : Math.min(last, topic.peerUpTo.get(feed)?.seq ?? -1)

/**
 * Asks the store for the next feed that the peer lacks, authority first. Only when half of the window is free, so that
 * the store is not asked for each run that was credited; and for no more than can be sent, if runs are very small.
 */
const pump = (topic: Topic): Next => {
  const runsFree = windowRuns - topic.runsInFlight.length
  const isBusy = topic.inFlight > windowBytes / 2 || runsFree < windowRuns / 2
  if (topic.loading !== undefined || isBusy) return { topic, asks: [] }
  let found: FeedId | undefined
  for (const [feed, local] of topic.share.feeds) {
    if (found !== undefined && local.kind === "data") continue
    if (!mayServe(topic, local)) continue
    const bound = boundOf(topic, feed, local)
    if (bound < (topic.next.get(feed) ?? 0) || topic.exhausted.get(feed) === bound) continue
    found = feed
    if (local.kind === "authority") break
  }
  if (found === undefined) return { topic, asks: [] }
  const from = topic.next.get(found) ?? 0
  const bytesMax = Math.min(windowBytes - topic.inFlight - runBytesMax, runsFree * smallRunBytes)
  const load = { _tag: "Load", space: topic.share.space, feed: found, from, bytesMax } as const
  return { topic: { ...topic, loading: { feed: found, from } }, asks: [load] }
}

/** About the size of a run of one entry with some data. */
const smallRunBytes = 512

/** Everything, once the peer said how far it is; before that only an introduction. */
const mayServe = (topic: Topic, local: Local): boolean =>
  topic.share.mayRead &&
  topic.offered &&
  ((topic.peerOffered && topic.heard) || (topic.introducing && local.kind === "authority"))

/** Where sending goes on after `position − 1` was sent, and what else was with it. */
const passed = (
  topic: Topic,
  feed: FeedId,
  position: number,
  head: number,
  covered: ReadonlyArray<Reach>
): Pick<Topic, "next" | "rewound"> => {
  const next = new Map(raise(topic.next, covered, topic.rewound)).set(feed, position)
  if (!topic.rewound.has(feed) || position <= head) return { next, rewound: topic.rewound }
  const rewound = new Set(topic.rewound)
  rewound.delete(feed)
  return { next: next.set(feed, Math.max(position, (topic.acknowledged.get(feed)?.seq ?? -1) + 1)), rewound }
}

/** Moves on what the peer has; never back, and not what it wants again. */
const raise = (
  next: ReadonlyMap<FeedId, number>,
  heads: Iterable<Reach>,
  rewound: ReadonlySet<FeedId>
): ReadonlyMap<FeedId, number> => {
  const raised = new Map(next)
  for (const [feed, { seq }] of heads) {
    if (!rewound.has(feed) && (raised.get(feed) ?? 0) <= seq) raised.set(feed, seq + 1)
  }
  return raised
}

/** Tells what we have by its digest. */
const claim = (topic: Topic): Next => {
  const made = claimOf(topic.share)
  return { topic: { ...topic, claim: made }, asks: [sayDigest(topic, made.digest)] }
}

/** Both have said that they have exactly this. What came since is told, and sent. */
const settle = (topic: Topic, frontier: Frontier.Frontier): Next => {
  const acknowledged = Frontier.join(topic.acknowledged, frontier)
  const next = raise(new Map(), acknowledged, topic.rewound)
  const level: Topic = { ...topic, claim: undefined, told: topic.told ?? frontier, heard: true, acknowledged, next }
  const asks: Array<Ask> = [{ _tag: "Acknowledged", space: topic.share.space, frontier: acknowledged }]
  const told = tellHave(level)
  const pumped = pump(told.topic)
  return { topic: pumped.topic, asks: [...asks, ...told.asks, ...pumped.asks] }
}

const sayDigest = ({ tag }: Topic, digest: Uint8Array): Ask => ({
  _tag: "Send",
  message: { _tag: "Digest", space: tag, digest }
})

/** Where the peer's frontier contradicts ours, its branch is asked for: once per feed, then the runs themselves lead. */
const dispute = (topic: Topic, frontier: Frontier.Frontier): Next => {
  let next = topic
  const asks: Array<Ask> = []
  for (const [feed, head] of frontier) {
    const own = topic.share.feeds.get(feed)?.head
    if (own === undefined || own.seq !== head.seq || own.mark === head.mark || topic.disputed.has(feed)) continue
    const step = askAgain(next, feed, head.seq)
    next = { ...step.topic, disputed: new Set(step.topic.disputed).add(feed) }
    asks.push(...step.asks)
  }
  return { topic: next, asks }
}

const credit = (topic: Topic): Next => {
  const bytes = topic.withheld
  if (bytes === 0 || !mayTell(topic)) return { topic, asks: [] }
  return {
    topic: { ...topic, withheld: 0, owed: topic.owed - bytes, given: topic.given + bytes },
    asks: [{ _tag: "Send", message: { _tag: "Credit", space: topic.tag, bytes } }]
  }
}

/** Whether one more question is left. */
export const mayAsk = (topic: Topic): boolean => topic.asks < questionsMax(topic.given)

/** Both sides count alike, so an honest one never asks too often. */
const questionsMax = (bytes: number): number => rewindsMax + Math.floor(bytes / rewindBytes)
