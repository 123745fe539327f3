/**
 * Drives one connection: the sync machine on one side, replicas on the other, the guard at the door.
 *
 * One fiber reads frames into a bounded mailbox, one takes what has gathered, steps the machine and does what it asks,
 * one sends. The middle one never waits for the peer, so two links can't wait for each other: what it has to say goes
 * into an outbox, which the machine's window keeps small; a peer that reads so little that it fills is let go. Runs that
 * came together are verified and stored together. When the mailbox is full the connection is not read, which is the
 * back-pressure the peer feels. A breach ends the connection with its reason and is logged as a security event;
 * a store that fails ends it too, without blaming the peer.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type { Connection, NetworkError } from "../effects/Network.ts"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type { Piece } from "../journal/Blob.ts"
import { ticksPerMilli } from "../journal/Clock.ts"
import type * as Frontier from "../journal/Frontier.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Message from "../sync/Message.ts"
import * as Receipt from "../sync/Receipt.ts"
import * as Session from "../sync/Session.ts"
import type { BlobStore } from "./BlobStore.ts"
import * as Branches from "./Branches.ts"
import * as Guard from "./Guard.ts"
import * as Handing from "./Handing.ts"
import * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"
import * as Outbox from "./Outbox.ts"
import type * as Pieces from "./Pieces.ts"
import type { Replica } from "./Replica.ts"
import * as Revocation from "./Revocation.ts"
import { mailboxMax, takenBytesMax } from "./limits.ts"

/** What a link needs of its agent. */
export interface Host {
  readonly replicas: () => Iterable<Replica>
  readonly replica: (space: SpaceId) => Replica | undefined
  /** Tells when replicas come to be; returns how to stop. */
  readonly onReplica: (listener: (replica: Replica) => void) => () => void
  readonly now: () => number
  /** Undefined: this device keeps no blobs. */
  readonly blobs: ((space: SpaceId) => BlobStore) | undefined
  /** The peer says that it has this durably. */
  readonly acknowledged: (link: Link, space: SpaceId, frontier: Frontier.Frontier) => void
  /** A step of pairing; undefined: not now. */
  readonly pairing: (
    connection: Connection,
    message: Message.Message & { _tag: "Pairing" }
  ) => Effect.Effect<void, NetworkError>
}

export interface Options {
  /** Sync only these spaces; undefined = all. */
  readonly spaces?: ReadonlySet<SpaceId> | undefined
  /** Take nothing beyond this frontier (partial sync), per space. */
  readonly upTo?: ReadonlyMap<SpaceId, Frontier.Frontier> | undefined
}

export interface Link {
  readonly connection: Connection
  /** Whether all that the peer claims to have of a space is here, judged, and not waiting for its past. */
  readonly isCaughtUp: (space: SpaceId) => boolean
  /** Whether the peer has said that it has all that is here. */
  readonly isServed: (space: SpaceId) => boolean
  /** Entries here that the peer has not acknowledged; undefined while nothing is known of what it has. */
  readonly lag: (space: SpaceId) => number | undefined
  /** Whether what is due to the peer waits, for what may be spent on it in this hour is spent. */
  readonly isOverBudget: (space: SpaceId) => boolean
  /** Asks the peer for a piece of a blob; undefined where it is no member, or may not read. */
  readonly giver: (space: SpaceId) => Giver | undefined
}

/** None: the peer has it not. */
export type Giver = (piece: Piece) => Effect.Effect<Option.Option<Uint8Array>, Pieces.PieceFailed>

type Event =
  | { readonly _tag: "Message"; readonly message: Message.Message; readonly bytes: number }
  | { readonly _tag: "Changed"; readonly replica: Replica }
  /** The peer said what is no message; nothing after it is read. */
  | { readonly _tag: "Malformed"; readonly what: string }
  | { readonly _tag: "Ended"; readonly error: NetworkError | JournalStoreError }

/** Reads until the connection ends, or the peer says what is no message. */
const readAll = Effect.fnUntraced(function* (connection: Connection, events: Queue.Enqueue<Event>) {
  for (;;) {
    const frame = yield* connection.receive
    const message = Message.decode(frame)
    if (Result.isFailure(message)) {
      yield* Queue.offer(events, { _tag: "Malformed", what: message.failure.what })
      return
    }
    yield* Queue.offer(events, { _tag: "Message", message: message.success, bytes: frame.length })
  }
})

/** Runs until the connection ends; returns why. `linked` is told once the machine runs. */
export const run = Effect.fnUntraced(function* (
  host: Host,
  connection: Connection,
  options: Options,
  linked: (link: Link) => void
) {
  const events = yield* Queue.bounded<Event>(mailboxMax)
  const changed = new Set<SpaceId>()
  /** Replicas whose notice found the mailbox full. */
  const missed = new Set<Replica>()
  const announce = (replica: Replica): void => {
    if (options.spaces !== undefined && !options.spaces.has(replica.space)) return
    // one notice per space waits at a time: it always tells the newest
    if (changed.has(replica.space)) return
    if (Queue.offerUnsafe(events, { _tag: "Changed", replica })) changed.add(replica.space)
    else missed.add(replica)
  }
  const stops: Array<() => void> = []
  const attach = (replica: Replica): void => {
    stops.push(
      replica.listen((notice) => {
        announce(replica)
        if (notice.authorityGrew) outbox.retry()
      })
    )
  }
  const outbox = yield* Outbox.make(connection, {
    replicaOf: (tag) => {
      const space = Session.spaceOf(session, tag)
      return space === undefined ? undefined : host.replica(space)
    },
    now: host.now,
    ended: (error) => Queue.offer(events, { _tag: "Ended", error })
  })
  for (const replica of host.replicas()) attach(replica)
  const adopt = (replica: Replica): void => {
    attach(replica)
    announce(replica)
  }
  stops.push(host.onReplica(adopt))
  yield* Effect.addFinalizer(() => Effect.sync(() => stops.forEach((stop) => stop())))

  const shareOf = (replica: Replica): Session.Share => {
    const { space } = replica
    const ledger = replica.ledger()
    const upTo = options.upTo?.get(space)
    if (Guard.mayRead(ledger, connection.peer, host.now()))
      return {
        space,
        mayRead: true,
        feeds: replica.feeds(),
        upTo,
        sealed: ledger.sealed?.digest,
        wanted: replica.wantedSeal()
      }
    const told = Revocation.toldTo(ledger, connection.peer)
    if (told !== undefined) return { space, mayRead: true, isDismissal: true, feeds: told.feeds }
    return { space, mayRead: false, feeds: replica.feeds(), upTo }
  }
  const greet = (): Session.Step => {
    const all = [...host.replicas()]
    const chosen = all.filter((replica) => options.spaces === undefined || options.spaces.has(replica.space))
    return Session.open(connection.channelKey, chosen.map(shareOf))
  }
  // who was called greets second: the caller may have come to pair, and is a member only afterwards
  let greeted = connection.initiator
  const opened = greet()
  let session = opened.session

  const link = linkOf(host, connection, () => session, outbox)
  linked(link)

  /** Runs waiting to be verified and stored, per space, in order of arrival. */
  const taking = new Map<SpaceId, Array<Session.Ask & { _tag: "Take" }>>()

  const handing = Handing.make(host.replica)

  const step = (next: Session.Step): Effect.Effect<void, NetworkError | JournalStoreError> => {
    session = next.session
    return Effect.forEach(next.asks, perform, { discard: true })
  }

  const acknowledged = ({ frontier, space }: Session.Ask & { _tag: "Acknowledged" }) =>
    Effect.suspend(() => {
      host.replica(space)?.compare(frontier)
      host.acknowledged(link, space, frontier)
      const since = outbox.sentAt.get(space)
      if (since === undefined || !link.isServed(space)) return Effect.void
      outbox.sentAt.delete(space)
      return Metrics.acknowledged((host.now() - since) / ticksPerMilli / 1000)
    })

  const perform = (ask: Session.Ask): Effect.Effect<void, NetworkError | JournalStoreError> => {
    switch (ask._tag) {
      case "Send":
        return Effect.sync(() => {
          if (!outbox.offer(ask.message)) session = Session.close("the peer does not read what it is sent")
        })
      case "Load": {
        const replica = host.replica(ask.space)
        if (replica === undefined) return Effect.void
        return Effect.flatMap(replica.load(ask.feed, ask.from, ask.bytesMax), (runs) =>
          step(Session.loaded(session, ask.space, ask.feed, runs))
        )
      }
      case "Take": {
        const list = taking.get(ask.space)
        if (list === undefined) taking.set(ask.space, [ask])
        else list.push(ask)
        return Effect.void
      }
      case "Prove": {
        const replica = host.replica(ask.space)
        return replica === undefined ? Effect.void : Effect.asVoid(replica.prove(ask.proof))
      }
      case "Acknowledged":
        return acknowledged(ask)
      case "OfBlobs":
        return Effect.map(aboutBlobs(host, connection, outbox.pieces, ask), (breach) => {
          if (breach !== undefined) session = Session.close(breach)
        })
      case "Receipt": {
        const replica = host.replica(ask.space)
        if (replica === undefined) return Effect.void
        return Effect.map(outbox.receipt(replica, ask.message), (breach) => {
          if (breach !== undefined) session = Session.close(Receipt.breaches[breach])
        })
      }
      case "LoadSealed":
        return Effect.flatMap(handing.read(ask), (books) =>
          step(Session.sealedLoaded(session, ask.space, ask.digest, ask.offset, books))
        )
      case "TakeSealed":
        return Effect.map(handing.take(ask), (taken) => {
          if (taken === "Forged") session = Session.close("sealed books of another digest")
          if (taken === "Refused") session = Session.sealedRefused(session, ask.space, ask.digest)
        })
    }
  }

  /** The sealed books of which the peer was told how far they reach. */
  const standsOn = new Map<SpaceId, string | undefined>()

  /** After the books moved: what the peer may have of them, and what of it was turned away and is wanted by now. */
  const renew = Effect.fnUntraced(function* (replica: Replica) {
    yield* step(Session.shared(session, shareOf(replica)))
    const ledger = replica.ledger()
    yield* step(Session.retry(session, replica.space, (feed, header) => Intake.isWanted(ledger, feed, header)))
    if (standsOn.get(replica.space) === ledger.sealed?.digest) return
    // whoever dropped what this side lacked goes on from here
    standsOn.set(replica.space, ledger.sealed?.digest)
    yield* step(Session.acknowledge(session, replica.space))
  })

  const settleTaken = Effect.fnUntraced(function* () {
    for (const [space, asks] of [...taking]) {
      taking.delete(space)
      const replica = host.replica(space)
      if (replica === undefined) continue
      const outcomes: Array<Intake.Outcome> = []
      for (const portion of portions(asks)) outcomes.push(...(yield* replica.receive(portion)))
      let bytes = 0
      for (let i = 0; i < asks.length; i++) {
        const outcome = outcomes[i]!
        bytes += asks[i]!.run.length
        const header = asks[i]!.header
        const branch = Intake.branchOf(header)
        switch (outcome._tag) {
          case "Stored":
          case "Known": {
            const head = { seq: outcome.seq, mark: outcome.mark }
            session = Session.learned(session, space, outcome.feed, head, branch?.id)
            break
          }
          case "Detached":
            // the peer looks for what it is asked by the name that it sent; what a branch follows comes by another one
            if (branch === undefined) yield* step(Session.rewind(session, space, outcome.feed, outcome.from))
            else if (outcome.first > branch.at)
              yield* step(Session.rewind(session, space, branch.id, Math.max(0, outcome.from - branch.at)))
            else session = Session.missed(session, space, branch.id, header)
            break
          case "Refused":
            yield* Metrics.refused("run")
            // who may not know of the space sees what it would see if it were unknown here
            if (!shareOf(replica).mayRead) break
            yield* Effect.logWarning("security event: a peer brought a run that can't be true", outcome.why)
            session = Session.close(outcome.why)
            return
          case "Unwanted":
            session = Session.missed(session, space, branch?.id ?? outcome.feed, header)
            break
        }
      }
      yield* step(Session.dealt(session, space, bytes))
      yield* renew(replica)
      yield* step(Session.acknowledge(session, space))
    }
  })

  /** One event that does not end the connection. */
  const handle = Effect.fnUntraced(function* (event: Exclude<Event, { readonly _tag: "Ended" }>) {
    switch (event._tag) {
      case "Malformed":
        yield* Metrics.refused("message")
        session = Session.close(event.what)
        break
      case "Message":
        if (event.message._tag === "Pairing" && !greeted) {
          yield* host.pairing(connection, event.message)
          break
        }
        if (!greeted) {
          greeted = true
          yield* step(greet())
        }
        outbox.arrived(event.message, event.bytes)
        // what was brought before may hold the seal itself
        if (event.message._tag === "Sealed") yield* settleTaken()
        yield* step(Session.receive(session, event.message))
        break
      case "Changed":
        changed.delete(event.replica.space)
        if (greeted) yield* renew(event.replica)
        break
    }
  })

  /** Runs beside the loop; whichever direction ends first ends the connection. */
  const forkBeside = (work: Effect.Effect<void, NetworkError>) =>
    work.pipe(
      Effect.catch((error) => Queue.offer(events, { _tag: "Ended", error })),
      Effect.forkScoped
    )

  yield* forkBeside(readAll(connection, events))
  if (greeted) yield* step(opened)
  for (;;) {
    const batch = yield* Queue.takeAll(events)
    for (const event of batch) {
      if (event._tag === "Ended") return event.error.message
      yield* handle(event)
    }
    yield* settleTaken()
    // a copy: what finds the mailbox full again goes back into `missed`
    const again = [...missed]
    missed.clear()
    for (const replica of again) announce(replica)
    if (session._tag === "Closed") {
      yield* connection.close(session.because)
      return session.because
    }
  }
})

/** What others may ask of a connection whose machine stands so. */
const linkOf = (
  host: Host,
  connection: Connection,
  session: () => Session.Session,
  { isOverBudget, pieces }: Outbox.Outbox
): Link => ({
  connection,
  isCaughtUp: (space) => {
    const replica = host.replica(space)
    if (replica === undefined || session()._tag === "Closed") return false
    const ledger = replica.ledger()
    for (const line of ledger.lines.values())
      if (line.blocked?._tag === "Waiting" && line.pending.length > 0) return false
    return Session.isCaughtUp(session(), space, (feed, seq) => {
      const end = Branches.endNamed(ledger, feed)
      if (end !== undefined) return seq <= end
      const line = ledger.parted.get(feed) ?? ledger.lines.get(feed)
      return line === undefined || startNamed(line, feed) + seq <= Ledger.boundOf(ledger, line.feed).seq
    })
  },
  isServed: (space) => {
    const replica = host.replica(space)
    return replica !== undefined && Session.isServed(session(), space, replica.feeds())
  },
  lag: (space) => {
    const replica = host.replica(space)
    return replica === undefined ? undefined : Session.lag(session(), space, replica.feeds())
  },
  isOverBudget,
  giver: (space) => (Session.isShared(session(), space) ? giverOf(host, connection, pieces, space) : undefined)
})

const mayRead = (host: Host, { peer }: Connection, space: SpaceId): boolean => {
  const replica = host.replica(space)
  return replica !== undefined && Guard.mayRead(replica.ledger(), peer, host.now())
}

const giverOf = (host: Host, connection: Connection, pieces: Pieces.Pieces, space: SpaceId): Giver | undefined =>
  mayRead(host, connection, space)
    ? (piece) => pieces.seek(Message.tagOf(connection.channelKey, space), piece)
    : undefined

/** Returns how the message breaks the protocol, if it does. */
const aboutBlobs = (
  host: Host,
  connection: Connection,
  pieces: Pieces.Pieces,
  { message, space }: Session.Ask & { readonly _tag: "OfBlobs" }
): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const breach = pieces.receive(message, (piece) =>
      host.blobs === undefined || !mayRead(host, connection, space)
        ? Effect.succeedNone
        : host
            .blobs(space)
            .piece(piece)
            .pipe(Effect.catch((error) => Effect.as(Effect.logWarning(unread, error.message), Option.none())))
    )
    if (breach === undefined) return undefined
    yield* Metrics.refused("piece")
    yield* Effect.logWarning(`security event: a peer breaks the protocol: ${breach}`, { device: connection.peer })
    return breach
  })

const unread = "a blob could not be read for a peer"

/** Where what goes by a name begins in its feed. */
const startNamed = (line: Line.Line, id: FeedId): number =>
  line.splits.find(({ own }) => own.id === id)?.own.at ?? Line.startOf(line)

/** What is taken together: in order, each portion within `takenBytesMax` but for the run that crosses it. */
const portions = <Taken extends { readonly run: Uint8Array }>(
  all: ReadonlyArray<Taken>
): ReadonlyArray<ReadonlyArray<Taken>> => {
  const result: Array<Array<Taken>> = []
  let bytes = takenBytesMax
  for (const one of all) {
    if (bytes >= takenBytesMax) {
      result.push([])
      bytes = 0
    }
    result[result.length - 1]!.push(one)
    bytes += one.run.length
  }
  return result
}
