/**
 * The sending half of a link: what waits to be sent, what waits for budget, and receipts of what was spent.
 *
 * One fiber sends, in order, through the guard; permission and budget are asked when a message leaves, not when it was
 * made. A space that is over budget stops here: what tells of it is parked in order, while the connection, credits and
 * all other spaces go on, and leaves as soon as the hour ends or a lease rises. Acknowledgements that are parked become
 * one, so that what is parked of a space is bounded by the session's window.
 *
 * Receipts go at most once in `receiptMillis`, one for all that was spent meanwhile, and after a reconnect those that the
 * peer has not acknowledged, in order. Nothing waits for the signer. None is signed before the last one left, so that the
 * peer can hold them against what came (sync/Arrived.ts). A receipt of the peer is kept durably before it is answered with
 * the highest nonce that is held, as rarely.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import { ConnectionClosed, NetworkError, type Connection } from "../effects/Network.ts"
import { short, type SpaceId } from "../identity/Id.ts"
import { ticksPerMilli, toMillis } from "../journal/Clock.ts"
import * as Frontier from "../journal/Frontier.ts"
import { frontierFeedsMax } from "../journal/limits.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Arrived from "../sync/Arrived.ts"
import type * as Message from "../sync/Message.ts"
import * as Receipt from "../sync/Receipt.ts"
import * as Budget from "../trust/Budget.ts"
import type * as Account from "./Account.ts"
import * as Guard from "./Guard.ts"
import { budgetRetryMillis, outboxMax, parkedMax, receiptMillis } from "./limits.ts"
import * as Pieces from "./Pieces.ts"
import type { Replica } from "./Replica.ts"
import * as Summaries from "./Summaries.ts"

export interface Outbox {
  /** False: so much waits that the peer has to be let go. */
  readonly offer: (message: Message.Message) => boolean
  readonly isOverBudget: (space: SpaceId) => boolean
  /** A lease may have risen. */
  readonly retry: () => void
  /** When the oldest run was sent that the peer has not said it has, per space, in hybrid time. */
  readonly sentAt: Map<SpaceId, number>
  /** Pieces of blobs, asked for and given. */
  readonly pieces: Pieces.Pieces
  /** A message of so many bytes came from the peer. */
  readonly arrived: (message: Message.Message, bytes: number) => void
  /** The peer brings a receipt, or answers one. */
  readonly receipt: (
    replica: Replica,
    message: Message.Receipt
  ) => Effect.Effect<Receipt.Breach | undefined, JournalStoreError>
}

/** What it needs of its link. */
export interface Needs {
  readonly replicaOf: (tag: Message.Tag) => Replica | undefined
  /** Hybrid time. */
  readonly now: () => number
  readonly ended: (error: NetworkError | JournalStoreError) => Effect.Effect<unknown>
}

type Failure = NetworkError | JournalStoreError

/** Begins to send. Ends with the scope. */
export const make = Effect.fnUntraced(function* (
  connection: Connection,
  { ended, now, replicaOf }: Needs
): Effect.fn.Return<Outbox, never, Scope.Scope> {
  const { peer } = connection
  const queue = yield* Queue.bounded<Message.Message | "Retry">(outboxMax)
  const sentAt = new Map<SpaceId, number>()
  const parked = new Map<SpaceId, Array<Message.Message>>()
  const parkings = yield* Queue.bounded<true>(1)
  /** Messages that are queued. */
  let waiting = 0

  const offer = (message: Message.Message): boolean => {
    if (waiting >= outboxMax || !Queue.offerUnsafe(queue, message)) return false
    waiting++
    return true
  }
  const retry = (): void => {
    if (parked.size > 0) Queue.offerUnsafe(queue, "Retry")
  }
  const receipts = yield* makeReceipts(connection, now, offer)
  const pieces = yield* Pieces.make(offer)

  const send = Effect.fnUntraced(function* (
    message: Message.Message,
    replica: Replica | undefined
  ): Effect.fn.Return<Guard.Outcome, Failure> {
    if (replica === undefined || !Guard.isTelling(message)) return yield* Guard.send(connection, message, undefined)
    const time = now()
    const account = replica.spending.known(peer) ?? (yield* replica.spending.account(peer))
    const outcome = yield* Guard.send(connection, message, { ledger: replica.ledger, time, account })
    if (outcome !== "OverBudget") pieces.left(message)
    if (outcome !== "Sent") return outcome
    if (message._tag === "Run" && !sentAt.has(replica.space)) sentAt.set(replica.space, time)
    receipts.spent(replica, message.space, time, waiting === 0)
    return outcome
  })

  const sendOrPark = Effect.fnUntraced(function* (message: Message.Message): Effect.fn.Return<void, Failure> {
    const replica = "space" in message ? replicaOf(message.space) : undefined
    const list = replica !== undefined && Guard.isTelling(message) ? parked.get(replica.space) : undefined
    waiting--
    if (list !== undefined) {
      park(list, message)
      if (list.length > parkedMax) yield* ended(new NetworkError({ reason: new ConnectionClosed({ reason: crowded }) }))
      return
    }
    const outcome = yield* send(message, replica)
    if (replica !== undefined && message._tag === "Receipt" && message.receipt !== undefined) receipts.left(replica)
    if (outcome !== "OverBudget") return
    const space = replica!.space
    parked.set(space, [message])
    Queue.offerUnsafe(parkings, true)
    yield* Metrics.exhausted
    yield* Effect.logWarning("what may be spent on a peer in this hour is spent: it is told no more until it may be", {
      space: short(space),
      device: short(peer)
    })
  })

  /** Sends what is parked, as far as it can be paid. */
  const unpark = Effect.fnUntraced(function* (): Effect.fn.Return<void, Failure> {
    for (const [space, list] of [...parked]) {
      for (let next = list[0]; next !== undefined; next = list[0]) {
        const replica = "space" in next ? replicaOf(next.space) : undefined
        if ((yield* send(next, replica)) === "OverBudget") break
        list.shift()
      }
      if (list.length === 0) parked.delete(space)
    }
  })

  const forkBeside = (work: Effect.Effect<void, Failure>) => work.pipe(Effect.catch(ended), Effect.forkScoped)
  // what waits leaves together: the other end then verifies and stores it together
  yield* forkBeside(
    Effect.forever(
      Effect.flatMap(Queue.take(queue), (next) => (next === "Retry" ? unpark() : sendOrPark(next))),
      { disableYield: true }
    )
  )
  yield* forkBeside(receipts.run)
  const untilTheHourEnds = Effect.suspend(() =>
    Effect.sleep(Math.min(Budget.restMillis(toMillis(now())), budgetRetryMillis))
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function* () {
        yield* Queue.take(parkings)
        while (parked.size > 0) {
          yield* untilTheHourEnds
          retry()
        }
      })
    )
  )
  const arrived: Outbox["arrived"] = (message, bytes) => {
    const replica = Guard.isTelling(message) ? replicaOf(message.space) : undefined
    if (replica !== undefined && !Summaries.isOfSummaries(replica.ledger(), message))
      receipts.arrived(replica, Budget.costOf(bytes))
  }
  return {
    offer,
    isOverBudget: (space) => parked.has(space),
    retry,
    sentAt,
    arrived,
    pieces,
    receipt: receipts.receive
  }
})

const crowded = "more waits for budget than a window holds"

/** Parks a message behind others, or makes it part of one that is there. */
const park = (list: Array<Message.Message>, message: Message.Message): void => {
  const at = message._tag === "Have" && !message.more ? list.findIndex(({ _tag }) => _tag === "Have") : -1
  const known = list[at]
  if (
    message._tag === "Have" &&
    known?._tag === "Have" &&
    !known.more &&
    known.upTo === message.upTo &&
    known.frontier.size + message.frontier.size <= frontierFeedsMax
  ) {
    list[at] = { ...message, frontier: new Map([...Frontier.join(known.frontier, message.frontier)].sort(byFeed)) }
  } else list.push(message)
}

const byFeed = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

const isBreach = (taken: Account.Taken): taken is Receipt.Breach => taken in Receipt.breaches

/** Receipts of one connection, in both directions. */
interface Receipts {
  /** Something was spent on the peer; `isLast`: nothing else waits to be sent. */
  readonly spent: (replica: Replica, tag: Message.Tag, time: number, isLast: boolean) => void
  /** A receipt left. */
  readonly left: (replica: Replica) => void
  /** Something came from the peer that cost so much at least. */
  readonly arrived: (replica: Replica, units: number) => void
  readonly receive: Outbox["receipt"]
  readonly run: Effect.Effect<never, JournalStoreError>
}

const makeReceipts = Effect.fnUntraced(function* (
  { peer }: Connection,
  now: Needs["now"],
  offer: Outbox["offer"]
): Effect.fn.Return<Receipts> {
  const signals = yield* Queue.bounded<true>(1)
  const due = new Map<Replica, Message.Tag>()
  const answers = new Map<Replica, Message.Tag>()
  /** The last one that was sent on this connection. */
  const last = new Map<SpaceId, { readonly epoch: number; readonly nonce: number }>()
  /** How many of them have not left. */
  const leaving = new Map<Replica, number>()
  const came = new Map<SpaceId, Arrived.Arrived>()
  let signedAt = 0
  const mayHear = (replica: Replica): boolean => Guard.mayRead(replica.ledger(), peer, now())

  const tell = Effect.fnUntraced(function* (replica: Replica, space: Message.Tag) {
    if (!mayHear(replica)) return
    if ((leaving.get(replica) ?? 0) > 0) return void due.set(replica, space)
    const account = yield* replica.spending.account(peer)
    const isFirst = !last.has(replica.space)
    const signed = yield* account.sign.pipe(
      Effect.catchTag("KeysError", (error) => Effect.logWarning("no receipt could be signed", error.message))
    )
    for (const { epoch, nonce, previous, signature, spent } of account.receipts()) {
      // an older one says less than went by here since
      if (!isFirst && epoch !== signed) continue
      const before = last.get(replica.space)
      const isNew = before === undefined || before.epoch < epoch || (before.epoch === epoch && before.nonce < nonce)
      if (!isNew || !offer({ _tag: "Receipt", space, epoch, nonce, receipt: { spent, previous, signature } })) continue
      last.set(replica.space, { epoch, nonce })
      leaving.set(replica, (leaving.get(replica) ?? 0) + 1)
    }
  })
  const answer = Effect.fnUntraced(function* (replica: Replica, space: Message.Tag) {
    if (!mayHear(replica)) return
    const account = yield* replica.spending.account(peer)
    const held = yield* account.held
    if (held !== undefined) offer({ _tag: "Receipt", space, epoch: held.epoch, nonce: held.nonce, receipt: undefined })
  })
  return {
    spent: (replica, tag, time, isLast) => {
      due.set(replica, tag)
      if (!isLast && time - signedAt < receiptMillis * ticksPerMilli) return
      signedAt = time
      Queue.offerUnsafe(signals, true)
    },
    left: (replica) => {
      leaving.set(replica, (leaving.get(replica) ?? 0) - 1)
      if (due.has(replica)) Queue.offerUnsafe(signals, true)
    },
    arrived: ({ space }, units) => {
      came.set(space, Arrived.add(came.get(space) ?? Arrived.nothing, units))
    },
    receive: Effect.fnUntraced(function* (replica, { epoch, nonce, receipt, space }) {
      const account = yield* replica.spending.account(peer)
      const arrived = came.get(replica.space) ?? Arrived.nothing
      const brought = receipt && { epoch, nonce, ...receipt }
      const taken: Account.Taken =
        brought !== undefined
          ? yield* account.receive(brought, arrived)
          : account.acknowledged(epoch, nonce)
            ? "Known"
            : "NeverSent"
      if (taken === "Refused" || isBreach(taken)) yield* Metrics.refused("receipt")
      if (isBreach(taken)) {
        yield* Effect.logWarning(`security event: a peer brought ${Receipt.breaches[taken]}`, { device: peer })
        return taken
      }
      if (brought === undefined) return undefined
      if (taken !== "Refused") came.set(replica.space, Arrived.told(arrived, brought))
      answers.set(replica, space)
      Queue.offerUnsafe(signals, true)
      return undefined
    }),
    run: Effect.forever(
      Effect.gen(function* () {
        yield* Queue.take(signals)
        for (const [replica, tag] of [...due]) {
          due.delete(replica)
          yield* tell(replica, tag)
        }
        for (const [replica, tag] of [...answers]) {
          answers.delete(replica)
          yield* answer(replica, tag)
        }
        yield* Effect.sleep(receiptMillis)
      })
    )
  }
})
