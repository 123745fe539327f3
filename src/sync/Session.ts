/**
 * How two devices bring their journals together, as a value machine: no socket, no clock, no store, no signatures.
 *
 * The runtime feeds it what happened (`receive`, `shared`, `advanced`, `loaded`, `dealt`) and does what it asks for:
 * `send` these messages in order, `load` that part of a feed from the store, `take` this run (verify, judge, store it,
 * then report `dealt`), `fetch`-like things do not exist: what the peer lacks is sent as soon as it is known to lack it.
 *
 * Laws (test/sync/Session.test.ts): whatever the peer sends, the machine returns; after a breach it is closed for good;
 * nothing of a space is sent before the runtime said that this peer may read it; authority feeds go before data feeds;
 * never more than a window of bytes is in flight; two honest machines end with equal frontiers.
 *
 * It does not decide who may read what, which feeds are wanted or whether a run is true.
 */
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type { FeedKind } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import { rewindsMax, windowBytes } from "./limits.ts"
import * as Message from "./Message.ts"

/** Where one feed stands, as far as this side serves it. */
export interface Local {
  readonly kind: FeedKind
  readonly head: Frontier.Head
}

/** What the runtime tells of a space: its feeds as durably stored, and whether this peer may read them. */
export interface Share {
  readonly space: SpaceId
  readonly mayRead: boolean
  readonly feeds: ReadonlyMap<FeedId, Local>
  /** Send me nothing beyond this (partial sync). */
  readonly upTo?: Frontier.Frontier | undefined
}

/** One space on this connection. */
export interface Topic {
  readonly share: Share
  readonly tag: Message.Tag
  /** We have said that we speak of this space with the peer. */
  readonly offered: boolean
  readonly peerOffered: boolean
  /** What the peer has, or was sent; undefined until it said so. */
  readonly peer: Frontier.Frontier | undefined
  /** The peer has said how far it is. */
  readonly heard: boolean
  /** What the peer said it has durably. */
  readonly acknowledged: Frontier.Frontier
  readonly peerUpTo: Frontier.Frontier | undefined
  /** Bytes sent and not yet credited. */
  readonly inFlight: number
  /** The feed now being read from the store. */
  readonly loading: FeedId | undefined
  readonly rewinds: number
}

export type Session =
  | {
      readonly _tag: "Open"
      readonly channelKey: Uint8Array
      readonly greeted: boolean
      readonly topics: ReadonlyMap<Message.Tag, Topic>
      /** Tags the peer offered that we do not (yet) speak of. */
      readonly strange: ReadonlySet<Message.Tag>
    }
  | { readonly _tag: "Closed"; readonly because: string }

/** What the runtime is to do next, in order. */
export type Ask =
  | { readonly _tag: "Send"; readonly message: Message.Message }
  | { readonly _tag: "Load"; readonly space: SpaceId; readonly feed: FeedId; readonly from: number; readonly bytesMax: number }
  | { readonly _tag: "Take"; readonly space: SpaceId; readonly header: Uint8Array | undefined; readonly run: Uint8Array }
  | { readonly _tag: "Prove"; readonly space: SpaceId; readonly proof: Uint8Array }
  | { readonly _tag: "Acknowledged"; readonly space: SpaceId; readonly frontier: Frontier.Frontier }

export interface Step {
  readonly session: Session
  readonly asks: ReadonlyArray<Ask>
}

/** A stored run as the runtime loaded it. */
export interface Loaded {
  readonly first: number
  readonly last: number
  readonly mark: string
  readonly header: Uint8Array | undefined
  readonly bytes: Uint8Array
}

/** The first words: which spaces we speak of with this peer. */
export const open = (channelKey: Uint8Array, shares: ReadonlyArray<Share>): Step => {
  const topics = new Map<Message.Tag, Topic>()
  for (const share of shares) {
    const tag = Message.tagOf(channelKey, share.space)
    topics.set(tag, { ...newTopic(share, tag), offered: share.mayRead })
  }
  const spaces = [...topics.values()].filter((topic) => topic.offered).map((topic) => topic.tag)
  return {
    session: { _tag: "Open", channelKey, greeted: false, topics, strange: new Set() },
    asks: [{ _tag: "Send", message: { _tag: "Hello", version: Message.version, spaces } }]
  }
}

/** What the peer said. A breach closes. */
export const receive = (session: Session, message: Message.Message): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  if (!session.greeted) {
    if (message._tag !== "Hello") return breach(`${message._tag} before Hello`)
    if (message.version !== Message.version) return breach(`protocol version ${message.version}, known: ${Message.version}`)
    return offers({ ...session, greeted: true }, message.spaces, true)
  }
  switch (message._tag) {
    case "Hello":
      return breach("a second Hello")
    case "Pairing":
      return breach("pairing after Hello")
    case "Offer":
      return offers(session, message.spaces, false)
    case "Have":
      return on(session, message.space, (topic) => have(topic, message.frontier, message.upTo))
    case "Run":
      return on(session, message.space, (topic) => ({
        topic,
        asks: [{ _tag: "Take", space: topic.share.space, header: message.header, run: message.run }]
      }))
    case "Credit":
      return on(session, message.space, (topic) =>
        message.bytes > topic.inFlight
          ? { breach: `credit for ${message.bytes} bytes, ${topic.inFlight} are in flight` }
          : pump({ ...topic, inFlight: topic.inFlight - message.bytes })
      )
    case "Want":
      return on(session, message.space, (topic) => want(topic, message.feed, message.from))
    case "Fork":
      return on(session, message.space, (topic) => ({
        topic,
        asks: [{ _tag: "Prove", space: topic.share.space, proof: message.proof }]
      }))
  }
}

/** A space came to be shared, its frontier moved, or the peer gained or lost the right to read it. */
export const shared = (session: Session, share: Share): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const tag = Message.tagOf(session.channelKey, share.space)
  const known = session.topics.get(tag)
  const topic: Topic = known === undefined ? newTopic(share, tag) : { ...known, share }
  const asks: Array<Ask> = []
  let next: Topic = { ...topic, peerOffered: topic.peerOffered || session.strange.has(tag) }
  if (share.mayRead && !next.offered) {
    next = { ...next, offered: true }
    asks.push({ _tag: "Send", message: { _tag: "Offer", spaces: [tag] } })
    if (next.peerOffered) asks.push(haveMessage(next))
  }
  const pumped = pump(next)
  return { session: withTopic(session, pumped.topic), asks: [...asks, ...pumped.asks] }
}

/** Says how far this side now has a space: after every durable write of what this peer sent, and of our own. */
export const acknowledge = (session: Session, space: SpaceId): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined || !topic.offered || !topic.peerOffered) return { session, asks: [] }
  return { session, asks: [haveMessage(topic)] }
}

/** The store's answer to a Load, whole runs in order; empty when there is nothing from there on. */
export const loaded = (session: Session, space: SpaceId, feed: FeedId, runs: ReadonlyArray<Loaded>): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined || topic.loading !== feed) return { session, asks: [] }
  const asks: Array<Ask> = []
  const peer = new Map(topic.peer)
  let inFlight = topic.inFlight
  for (const run of runs) {
    const bound = topic.peerUpTo === undefined ? Number.POSITIVE_INFINITY : (topic.peerUpTo.get(feed)?.seq ?? -1)
    if (!topic.share.mayRead || run.last > bound) break
    const known = (peer.get(feed)?.seq ?? -1) >= 0
    const header = known ? undefined : run.header
    asks.push({ _tag: "Send", message: { _tag: "Run", space: topic.tag, header, run: run.bytes } })
    inFlight += run.bytes.length
    peer.set(feed, { seq: run.last, mark: run.mark })
  }
  const stuck = asks.length === 0
  const next: Topic = { ...topic, peer, inFlight, loading: undefined }
  const pumped = stuck ? pump(next, new Set([feed])) : pump(next)
  return { session: withTopic(session, pumped.topic), asks: [...asks, ...pumped.asks] }
}

/** A run was dealt with (stored, known already, or refused): the peer may send as many bytes again. */
export const dealt = (session: Session, space: SpaceId, bytes: number): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const tag = Message.tagOf(session.channelKey, space)
  return { session, asks: [{ _tag: "Send", message: { _tag: "Credit", space: tag, bytes } }] }
}

/** The peer has these entries: it sent them to us, so they are not sent back. */
export const learned = (session: Session, space: SpaceId, feed: FeedId, head: Frontier.Head): Session => {
  if (session._tag === "Closed") return session
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined) return session
  return withTopic(session, { ...topic, peer: Frontier.join(topic.peer ?? Frontier.empty, new Map([[feed, head]])) })
}

/** Asks the peer for a feed from an earlier point: its run did not continue what is here. */
export const rewind = (session: Session, space: SpaceId, feed: FeedId, from: number): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const tag = Message.tagOf(session.channelKey, space)
  return { session, asks: [{ _tag: "Send", message: { _tag: "Want", space: tag, feed, from } }] }
}

/** Hands on a proof that a feed has two histories, to a peer that may read the space. */
export const proof = (session: Session, space: SpaceId, bytes: Uint8Array): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined || !topic.offered || !topic.peerOffered) return { session, asks: [] }
  return { session, asks: [{ _tag: "Send", message: { _tag: "Fork", space: topic.tag, proof: bytes } }] }
}

/** Which space a tag of this connection names. */
export const spaceOf = (session: Session, tag: Message.Tag): SpaceId | undefined =>
  session._tag === "Closed" ? undefined : session.topics.get(tag)?.share.space

/** Whether the peer has acknowledged everything in `feeds`, up to what it asked for. */
export const isServed = (session: Session, space: SpaceId, feeds: ReadonlyMap<FeedId, Local>): boolean => {
  if (session._tag === "Closed") return false
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined || topic.peer === undefined || !topic.peerOffered) return false
  for (const [feed, local] of feeds) if ((topic.acknowledged.get(feed)?.seq ?? -1) < local.head.seq) return false
  return true
}

/** Ends the session; what comes afterwards is ignored. */
export const close = (because: string): Session => ({ _tag: "Closed", because })

/** Whether everything the peer claims to have is here, among the feeds that `wanted` tells. */
export const isCaughtUp = (
  session: Session,
  space: SpaceId,
  wanted: (feed: FeedId, seq: number) => boolean
): boolean => {
  if (session._tag === "Closed") return false
  const topic = session.topics.get(Message.tagOf(session.channelKey, space))
  if (topic === undefined || !topic.heard) return false
  for (const [feed, head] of topic.acknowledged) {
    if ((topic.share.feeds.get(feed)?.head.seq ?? -1) < head.seq && wanted(feed, head.seq)) return false
  }
  return true
}

/** A topic's next state with what to do, or a breach. */
type Outcome = { readonly topic: Topic; readonly asks: ReadonlyArray<Ask> } | { readonly breach: string }

const on = (session: Session & { _tag: "Open" }, tag: Message.Tag, step: (topic: Topic) => Outcome): Step => {
  const topic = session.topics.get(tag)
  if (topic === undefined) return { session, asks: [] }
  const outcome = step(topic)
  if ("breach" in outcome) return breach(outcome.breach)
  return { session: withTopic(session, outcome.topic), asks: outcome.asks }
}

/**
 * Spaces the peer speaks of. Where we do too, it learns how far we are. Where it does not (it may not know yet that we
 * are a member), the authority feeds go out unasked: they are what can convince it.
 */
const offers = (session: Session & { _tag: "Open" }, tags: ReadonlyArray<Message.Tag>, isHello: boolean): Step => {
  const topics = new Map(session.topics)
  const strange = new Set(session.strange)
  const asks: Array<Ask> = []
  for (const tag of tags) {
    const topic = topics.get(tag)
    if (topic === undefined) strange.add(tag)
    else if (!topic.peerOffered) {
      const next = { ...topic, peerOffered: true }
      topics.set(tag, next)
      if (next.offered) asks.push(haveMessage(next))
    }
  }
  if (isHello) {
    for (const topic of topics.values()) {
      if (!topic.offered || topic.peerOffered) continue
      const pumped = pump({ ...topic, peer: Frontier.empty })
      topics.set(topic.tag, pumped.topic)
      asks.push(...pumped.asks)
    }
  }
  if (strange.size > strangeMax) return breach(`more than ${strangeMax} spaces that are unknown here`)
  return { session: { ...session, topics, strange }, asks }
}

const strangeMax = 4096

const have = (topic: Topic, frontier: Frontier.Frontier, upTo: Frontier.Frontier | undefined): Outcome => {
  const acknowledged = Frontier.join(topic.acknowledged, frontier)
  const asks: Array<Ask> = [{ _tag: "Acknowledged", space: topic.share.space, frontier: acknowledged }]
  const mine: Frontier.Frontier = new Map([...topic.share.feeds].map(([feed, local]) => [feed, local.head]))
  const rewinds: Array<Ask> = Frontier.conflicts(mine, frontier).map((feed) => ({
    _tag: "Send",
    message: { _tag: "Want", space: topic.tag, feed, from: Math.max(0, (frontier.get(feed)?.seq ?? 0) - 1) }
  }))
  if (topic.rewinds + rewinds.length > rewindsMax) return { breach: "its frontiers conflict without end" }
  // the first Have replaces what an introduction assumed
  const base = !topic.heard ? frontier : Frontier.join(topic.peer, frontier)
  const pumped = pump({ ...topic, heard: true, acknowledged, peer: base, peerUpTo: upTo, rewinds: topic.rewinds + rewinds.length })
  return { topic: pumped.topic, asks: [...asks, ...rewinds, ...pumped.asks] }
}

const want = (topic: Topic, feed: FeedId, from: number): Outcome => {
  if (topic.rewinds >= rewindsMax) return { breach: `asked to rewind more than ${rewindsMax} times` }
  if (!topic.share.mayRead || !topic.share.feeds.has(feed)) return { topic, asks: [] }
  const peer = new Map(topic.peer)
  if (from === 0) peer.delete(feed)
  else peer.set(feed, { seq: from - 1, mark: "" })
  return pump({ ...topic, peer, rewinds: topic.rewinds + 1 })
}

/** Asks the store for the next feed the peer lacks, authority first, while the window has room. */
const pump = (
  topic: Topic,
  skip: ReadonlySet<FeedId> = none
): { readonly topic: Topic; readonly asks: ReadonlyArray<Ask> } => {
  if (!topic.share.mayRead || topic.peer === undefined || topic.loading !== undefined || topic.inFlight >= windowBytes)
    return { topic, asks: [] }
  const introducing = !topic.peerOffered
  let next: FeedId | undefined
  for (const [feed, local] of topic.share.feeds) {
    if (skip.has(feed) || (introducing && local.kind !== "authority")) continue
    const known = topic.peer.get(feed)?.seq ?? -1
    const bound = topic.peerUpTo === undefined ? local.head.seq : Math.min(local.head.seq, topic.peerUpTo.get(feed)?.seq ?? -1)
    if (bound <= known) continue
    if (local.kind === "authority") {
      next = feed
      break
    }
    next ??= feed
  }
  if (next === undefined) return { topic, asks: [] }
  const from = (topic.peer.get(next)?.seq ?? -1) + 1
  const bytesMax = windowBytes - topic.inFlight
  return {
    topic: { ...topic, loading: next },
    asks: [{ _tag: "Load", space: topic.share.space, feed: next, from, bytesMax }]
  }
}

const none: ReadonlySet<FeedId> = new Set()

const haveMessage = (topic: Topic): Ask => ({
  _tag: "Send",
  message: {
    _tag: "Have",
    space: topic.tag,
    frontier: new Map([...topic.share.feeds].map(([feed, local]) => [feed, local.head])),
    upTo: topic.share.upTo
  }
})

const newTopic = (share: Share, tag: Message.Tag): Topic => ({
  share,
  tag,
  offered: false,
  peerOffered: false,
  peer: undefined,
  heard: false,
  acknowledged: Frontier.empty,
  peerUpTo: undefined,
  inFlight: 0,
  loading: undefined,
  rewinds: 0
})

const withTopic = (session: Session & { _tag: "Open" }, topic: Topic): Session => ({
  ...session,
  topics: new Map(session.topics).set(topic.tag, topic)
})

const breach = (because: string): Step => ({ session: { _tag: "Closed", because }, asks: [] })
