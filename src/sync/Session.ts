/**
 * How two devices bring their journals together, as a value machine: no socket, no clock, no store, no signatures.
 *
 * The runtime feeds it what happened (`receive`, `shared`, `loaded`, `dealt`, …) and does what it asks for: `Send` these
 * messages in order, `Load` that part of a feed from the store and report `loaded`, `Take` this run (verify, judge, store
 * it, then report `learned`, `rewind` or `missed`, and `dealt`), `Prove` this fork, keep this `Receipt`. What the peer lacks is sent as soon as
 * it is known to lack it; nobody asks for what is sent anyway.
 *
 * Laws (test/sync/Session.test.ts): whatever the peer sends, the machine returns; after a breach it is closed for good;
 * nothing of a space is sent, not even that it is known here, while the runtime says that this peer may not read it, and
 * whatever such a peer says, the session goes on or ends as if the space were unknown;
 * authority feeds go before data feeds; never more than a window of bytes is in flight, in either direction; memory is
 * bounded whatever the peer claims; two honest machines end with equal frontiers, however their messages interleave.
 *
 * It does not decide who may read what, which feeds are wanted or whether a run is true. sync/Topic.ts is one space of it.
 */
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type * as Frontier from "../journal/Frontier.ts"
import { helloSpacesMax, unknownSpacesMax, windowBytes } from "./limits.ts"
import type { Ask } from "./Ask.ts"
import * as Handing from "./Handing.ts"
import * as Message from "./Message.ts"
import type * as Sharing from "./Share.ts"
import * as Topic from "./Topic.ts"

export type Local = Sharing.Local
export type Share = Sharing.Share
export type Loaded = Sharing.Loaded
export type { Ask }

export type Session =
  | {
      readonly _tag: "Open"
      readonly channelKey: Uint8Array
      /** The peer has said hello. */
      readonly greeted: boolean
      readonly topics: ReadonlyMap<Message.Tag, Topic.Topic>
      /** Tags the peer offered that we do not (yet) speak of, and the bytes of runs it sent in vain. */
      readonly strange: ReadonlyMap<Message.Tag, number>
    }
  | { readonly _tag: "Closed"; readonly because: string }

export interface Step {
  readonly session: Session
  readonly asks: ReadonlyArray<Ask>
}

/** The first words: which spaces we speak of with this peer. */
export const open = (channelKey: Uint8Array, shares: ReadonlyArray<Share>): Step => {
  const topics = new Map<Message.Tag, Topic.Topic>()
  for (const share of shares) {
    const tag = Message.tagOf(channelKey, share.space)
    topics.set(tag, { ...Topic.make(share, tag), offered: share.mayRead })
  }
  const spaces = [...topics.values()].filter((topic) => topic.offered).map((topic) => topic.tag)
  const hello = { _tag: "Hello", version: Message.version, spaces: spaces.slice(0, helloSpacesMax) } as const
  const asks: Array<Ask> = [{ _tag: "Send", message: hello }]
  for (let from = helloSpacesMax; from < spaces.length; from += helloSpacesMax) {
    asks.push({ _tag: "Send", message: { _tag: "Offer", spaces: spaces.slice(from, from + helloSpacesMax) } })
  }
  return { session: { _tag: "Open", channelKey, greeted: false, topics, strange: new Map() }, asks }
}

/** What the peer said. A breach closes. */
export const receive = (session: Session, message: Message.Message): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  if (!session.greeted) {
    if (message._tag !== "Hello") return breach(`${message._tag} before Hello`)
    if (message.version !== Message.version) {
      return breach(`protocol version ${message.version}, known: ${Message.version}`)
    }
    return introductions(offers({ ...session, greeted: true }, message.spaces))
  }
  switch (message._tag) {
    case "Hello":
      return breach("a second Hello")
    case "Pairing":
      return breach("pairing after Hello")
    case "Offer":
      return offers(session, message.spaces)
    case "Have":
      return on(session, message.space, (topic) => Topic.have(topic, message))
    case "Digest":
      return on(session, message.space, (topic) => Topic.digested(topic, message.digest))
    case "Run":
      if (session.strange.has(message.space)) return dropped(session, message)
      return on(session, message.space, (topic) => Topic.take(topic, message))
    case "Credit":
      return on(session, message.space, (topic) => Topic.credited(topic, message.bytes))
    case "Want":
      return on(session, message.space, (topic) => Topic.want(topic, message.feed, message.from))
    case "Fork":
      return on(session, message.space, (topic) => Topic.prove(topic, message.proof))
    case "Receipt":
      return on(session, message.space, (topic) => receipt(topic, message))
    case "Seek":
    case "Piece":
      return on(session, message.space, (topic) => ofBlobs(topic, message))
    case "WantSealed":
      return on(session, message.space, (topic) => Handing.wantSealed(topic, message.digest, message.offset))
    case "Sealed":
      return on(session, message.space, (topic) => Handing.takeSealed(topic, message))
  }
}

/** A space came to be shared, its frontier moved, or the peer gained or lost the right to read it. */
export const shared = (session: Session, share: Share): Step => {
  if (session._tag === "Closed") return { session, asks: [] }
  const tag = Message.tagOf(session.channelKey, share.space)
  // Nothing is known here but the name: what the peer said of it went by unheard, and only a new greeting brings it back.
  if ((session.strange.get(tag) ?? 0) > 0 && share.feeds.size === 0)
    return breach("a space became known here: begin anew")
  const known = session.topics.get(tag) ?? Topic.make(share, tag)
  const adopted = session.strange.has(tag) ? Topic.adopt(known, session.strange.get(tag) ?? 0) : known
  const updated = Topic.update(adopted, share)
  const introduced = session.greeted ? Topic.introduce(updated.topic) : { topic: updated.topic, asks: [] }
  const strange = new Map(session.strange)
  strange.delete(tag)
  return { session: withTopic({ ...session, strange }, introduced.topic), asks: [...updated.asks, ...introduced.asks] }
}

/** Says how far this side now has a space, if that is news: after every durable write of what this peer sent. */
export const acknowledge = (session: Session, space: SpaceId): Step =>
  about(session, space, (topic) => Topic.tellHave(topic))

/** The store's answer to a Load, whole runs in order; empty when there is nothing from there on. */
export const loaded = (session: Session, space: SpaceId, feed: FeedId, runs: ReadonlyArray<Loaded>): Step =>
  about(session, space, (topic) => Topic.loaded(topic, feed, runs))

/** Runs of this many bytes were dealt with (stored, known already, or turned away): the peer may send as many again. */
export const dealt = (session: Session, space: SpaceId, bytes: number): Step =>
  about(session, space, (topic) => Topic.dealt(topic, bytes))

/** The peer has these entries: it sent them to us, perhaps by another name, so they are not sent back. */
export const learned = (
  session: Session,
  space: SpaceId,
  feed: FeedId,
  head: Frontier.Head,
  name: FeedId = feed
): Session => about(session, space, (topic) => ({ topic: Topic.learned(topic, feed, head, name), asks: [] })).session

/** The store's answer to a LoadSealed: the sealed books that have this digest, or undefined where they are not here. */
export const sealedLoaded = (
  session: Session,
  space: SpaceId,
  digest: string,
  offset: number,
  books: Uint8Array | undefined
): Step => about(session, space, (topic) => Handing.sealedLoaded(topic, digest, offset, books))

/** Sealed books that the peer brought can't be stood on here: it is not asked for them again. */
export const sealedRefused = (session: Session, space: SpaceId, digest: string): Session =>
  about(session, space, (topic) => ({ topic: Handing.sealedRefused(topic, digest), asks: [] })).session

/** Asks the peer for a feed from an earlier point: its run did not continue what is here. */
export const rewind = (session: Session, space: SpaceId, feed: FeedId, from: number): Step =>
  about(session, space, (topic) => Topic.askAgain(topic, feed, from))

/** A run of this feed, which came with this header, was turned away as not wanted (yet). */
export const missed = (session: Session, space: SpaceId, feed: FeedId, header: Uint8Array | undefined): Session =>
  about(session, space, (topic) => ({ topic: Topic.miss(topic, feed, header), asks: [] })).session

/**
 * Asks for the feeds that were turned away and are wanted by now: after authority, or the clock, moved on. More than may be
 * asked for takes a new greeting, which tells it all.
 */
export const retry = (
  session: Session,
  space: SpaceId,
  isWanted: (feed: FeedId, header: Uint8Array | undefined) => boolean
): Step => {
  const step = about(session, space, (topic) => Topic.retry(topic, isWanted))
  const topic = topicOf(step.session, space)
  const isStuck =
    topic !== undefined &&
    Topic.mayShare(topic) &&
    !Topic.mayAsk(topic) &&
    [...topic.missed].some(([feed, header]) => isWanted(feed, header))
  return isStuck ? breach("more is missing than may be asked for again: begin anew") : step
}

/** Which space a tag of this connection names. */
export const spaceOf = (session: Session, tag: Message.Tag): SpaceId | undefined =>
  session._tag === "Closed" ? undefined : session.topics.get(tag)?.share.space

/** Whether the two speak of a space as members of it. */
export const isShared = (session: Session, space: SpaceId): boolean => {
  const topic = topicOf(session, space)
  return topic !== undefined && Topic.mayShare(topic)
}

/** Entries in `feeds` that the peer asked for and has not acknowledged; undefined while nothing is known of it. */
export const lag = (session: Session, space: SpaceId, feeds: ReadonlyMap<FeedId, Local>): number | undefined => {
  const topic = topicOf(session, space)
  if (topic === undefined || !topic.heard) return undefined
  let entries = 0
  for (const [feed, local] of feeds)
    entries += Math.max(0, Topic.boundOf(topic, feed, local) - (topic.acknowledged.get(feed)?.seq ?? -1))
  return entries
}

/** Whether the peer has acknowledged everything in `feeds`, up to what it asked for. */
export const isServed = (session: Session, space: SpaceId, feeds: ReadonlyMap<FeedId, Local>): boolean =>
  lag(session, space, feeds) === 0

/** Whether everything the peer claims to have is here, among the feeds that `wanted` tells, up to what we asked for. */
export const isCaughtUp = (
  session: Session,
  space: SpaceId,
  wanted: (feed: FeedId, seq: number) => boolean
): boolean => {
  const topic = topicOf(session, space)
  if (topic === undefined || !topic.heard) return false
  const { feeds, upTo } = topic.share
  for (const [feed, { seq }] of topic.acknowledged) {
    const own = feeds.get(feed)
    const isBounded = upTo !== undefined && own?.kind !== "authority"
    const goal = isBounded ? Math.min(seq, upTo.get(feed)?.seq ?? -1) : seq
    if ((own?.head.seq ?? -1) < goal && wanted(feed, goal)) return false
  }
  return true
}

/** Ends the session; what comes afterwards is ignored. */
export const close = (because: string): Session => ({ _tag: "Closed", because })

const topicOf = (session: Session, space: SpaceId): Topic.Topic | undefined =>
  session._tag === "Closed" ? undefined : session.topics.get(Message.tagOf(session.channelKey, space))

/** A step of the runtime about a space; nothing happens where this connection does not speak of it. */
const about = (session: Session, space: SpaceId, step: (topic: Topic.Topic) => Topic.Next): Step => {
  const topic = topicOf(session, space)
  if (session._tag === "Closed" || topic === undefined) return { session, asks: [] }
  const next = step(topic)
  return { session: withTopic(session, next.topic), asks: next.asks }
}

/**
 * A step of the peer. A tag that is unknown here is passed over in silence; so is one that the peer may not read, until it
 * offers it, and then its breaches too, except the one that is a breach of unknown spaces as well: too many runs.
 */
const on = (
  session: Session & { readonly _tag: "Open" },
  tag: Message.Tag,
  step: (topic: Topic.Topic) => Topic.Next | Topic.Breach
): Step => {
  const topic = session.topics.get(tag)
  if (topic === undefined || isHidden(topic)) return { session, asks: [] }
  const next = step(topic)
  if (!("breach" in next)) return { session: withTopic(session, next.topic), asks: next.asks }
  return topic.share.mayRead || next.isOfWindow === true ? breach(next.breach) : { session, asks: [] }
}

/** For a peer that may not read and has not offered it, the space is as good as unknown. */
const isHidden = ({ peerOffered, share }: Topic.Topic): boolean => !share.mayRead && !peerOffered

/** Spaces the peer speaks of: where we do too, it learns how far we are; the others are remembered. */
const offers = (session: Session & { readonly _tag: "Open" }, tags: ReadonlyArray<Message.Tag>): Step => {
  const topics = new Map(session.topics)
  const strange = new Map(session.strange)
  const asks: Array<Ask> = []
  for (const tag of tags) {
    const topic = topics.get(tag)
    if (topic === undefined) strange.set(tag, strange.get(tag) ?? 0)
    else {
      const next = Topic.offeredByPeer(topic)
      topics.set(tag, next.topic)
      asks.push(...next.asks)
    }
  }
  let unknown = strange.size
  for (const { peerOffered, share } of topics.values()) if (peerOffered && !share.mayRead) unknown++
  if (unknown > unknownSpacesMax) return breach(`more than ${unknownSpacesMax} spaces that are unknown here`)
  return { session: { ...session, topics, strange }, asks }
}

/** What the peer spent on us, or which receipt of ours it holds. From one that we do not share the space with it is passed over. */
const receipt = (topic: Topic.Topic, message: Message.Receipt): Topic.Next => ({
  topic,
  asks: Topic.mayShare(topic) ? [{ _tag: "Receipt", space: topic.share.space, message }] : []
})

/** A piece of a blob, sought or brought; the runtime counts them. From one that we do not share the space with it is passed over. */
const ofBlobs = (topic: Topic.Topic, message: Message.OfBlobs): Topic.Next => ({
  topic,
  asks: Topic.mayShare(topic) ? [{ _tag: "OfBlobs", space: topic.share.space, message }] : []
})

/** A run of a space that is unknown here. Its bytes are credited if the space comes to be known. */
const dropped = (
  session: Session & { readonly _tag: "Open" },
  { space, run }: Message.Message & { readonly _tag: "Run" }
): Step => {
  const bytes = (session.strange.get(space) ?? 0) + run.length
  if (bytes > windowBytes) return breach(Topic.windowBreach(bytes))
  return { session: { ...session, strange: new Map(session.strange).set(space, bytes) }, asks: [] }
}

/** After the hellos: the peer may not know yet that we are a member where it keeps silent. */
const introductions = ({ session, asks }: Step): Step => {
  if (session._tag === "Closed") return { session, asks }
  const topics = new Map(session.topics)
  const more: Array<Ask> = []
  for (const topic of session.topics.values()) {
    const next = Topic.introduce(topic)
    topics.set(topic.tag, next.topic)
    more.push(...next.asks)
  }
  return { session: { ...session, topics }, asks: [...asks, ...more] }
}

const withTopic = (session: Session & { readonly _tag: "Open" }, topic: Topic.Topic): Session => ({
  ...session,
  topics: new Map(session.topics).set(topic.tag, topic)
})

const breach = (because: string): Step => ({ session: { _tag: "Closed", because }, asks: [] })
