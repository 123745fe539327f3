/**
 * One space on this device: the only hand that writes its journal, and the state that follows from it.
 *
 * All changes go through one writer, in turns. A turn takes what has gathered meanwhile: writes of this device become
 * one run under one signature, runs of peers are verified together; either is one durable commit, after which the books
 * move on and everyone waiting is answered. Nothing is answered before it is durable; nothing is visible to readers or
 * peers before that either. When a commit fails, nothing has happened; when its fate is unknown, the store is read back
 * before anything else is done, and only then it shows.
 *
 * Never fork: a feed is continued only while the tokens of journal store and secret store agree and nobody knows more
 * of it than we do; otherwise a new feed is opened.
 *
 * Here are the queue and the turns. What a turn does stands in runtime/Authoring.ts and runtime/Receiving.ts, what it
 * works on in runtime/Desk.ts.
 *
 * What a write means is decided by its `prepare`, in its turn, against the state as that turn found it
 * (runtime/Operations.ts).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { SecureRandom } from "effect/crypto/SecureRandom"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import type { Keys } from "../effects/Keys.ts"
import type { SecretStore, SecretStoreError } from "../effects/SecretStore.ts"
import type { Time } from "../effects/Time.ts"
import type { Verifier } from "../effects/Verifier.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type * as Feed from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import type { Wanted } from "../sync/Handover.ts"
import type { Local, Loaded } from "../sync/Share.ts"
import type { Delivery } from "./Arrivals.ts"
import * as Authoring from "./Authoring.ts"
import * as Branches from "./Branches.ts"
import * as Desk from "./Desk.ts"
import type { Damage } from "./Fold.ts"
import type * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import * as Line from "./Line.ts"
import {
  checkpointAtCloseMin,
  checkpointEveryMin,
  checkpointLateTimes,
  checkpointQuietMillis,
  claimAfterMillis,
  runsPerTurnMax,
  writesWaitingMax
} from "./limits.ts"
import * as Quiet from "./Quiet.ts"
import * as Sealed from "./Sealed.ts"
import * as Sealing from "./Sealing.ts"
import * as Receiving from "./Receiving.ts"
import * as Spending from "./Spending.ts"
import { abandonedLocal } from "./Token.ts"
import { ReplicaBusy, written, type Done, type Write, type WriteError, type Written } from "./Write.ts"

export interface Replica {
  readonly space: SpaceId
  /** The books as they stand. Read at once and between turns; never kept, never changed. */
  readonly ledger: () => Ledger.Ledger
  readonly damage: () => ReadonlyArray<Damage>
  readonly write: <A, E>(write: Write<A, E>) => Effect.Effect<Written<A>, E | WriteError>
  /**
   * The same without a fiber for each write: `done` is called once, after the write is durable or has failed. For hot
   * paths; the caller bounds what it has under way (`writesWaitingMax`), beyond it the write fails with `ReplicaBusy`.
   */
  readonly submit: <A, E>(write: Write<A, E>, done: Done<A, E>) => void
  /** One outcome for each delivery, in order; what was stored is durable. */
  readonly receive: (
    deliveries: ReadonlyArray<Delivery>
  ) => Effect.Effect<ReadonlyArray<Intake.Outcome>, JournalStoreError>
  /** Takes the two histories that prove a fork. False: it proves nothing, or nothing new. */
  readonly prove: (proof: Uint8Array) => Effect.Effect<boolean, JournalStoreError>
  readonly load: (
    feed: FeedId,
    from: number,
    bytesMax: number
  ) => Effect.Effect<ReadonlyArray<Loaded>, JournalStoreError>
  /** Feeds as durably here, for a session to serve. */
  readonly feeds: () => ReadonlyMap<FeedId, Local>
  /** Judges what time or new knowledge has released; harmless at any time. */
  readonly refresh: Effect.Effect<void, JournalStoreError>
  /** Whether the store may hold more than the books show, since nobody knows what became of a commit. */
  readonly isLagging: () => boolean
  /** Holds a peer's frontier against our own feeds: one that reaches further, or differs, is not continued. */
  readonly compare: (frontier: Frontier.Frontier) => void
  /** What this device spends on each peer that it tells of the space. */
  readonly spending: Spending.Spending
  /**
   * Takes up the books of root's newest seal (runtime/Sealing.ts): durable, and what readers see, when it succeeds. Others are
   * refused.
   */
  readonly takeUp: (books: Uint8Array) => Effect.Effect<void, JournalStoreError | Sealing.SealRefused>
  /** What root would have to say now to seal all that counts here. */
  readonly proposeSeal: () => ReturnType<typeof Sealing.propose>
  /** The sealed books that this replica stands on, if they have this digest. */
  readonly sealedBooks: (digest: string) => Effect.Effect<Option.Option<Uint8Array>, JournalStoreError>
  /** The newest seal, if this replica does not stand on it; needed where the books don't follow from what is here. */
  readonly wantedSeal: () => Wanted | undefined
  /** Drops, durably, what lies below the sealed books: how many entries went. Whoever lacks them takes up the seal. */
  readonly drop: Effect.Effect<number, JournalStoreError>
  /** Told after each turn that changed something. Returns how to stop. Listeners must not throw. */
  readonly listen: (listener: (notice: Desk.Notice) => void) => () => void
}

/** Something for the writer. */
type Item =
  | { readonly _tag: "Writes" }
  | Receive
  | { readonly _tag: "Prove"; readonly proof: Uint8Array; readonly done: Deferred.Deferred<boolean, JournalStoreError> }
  | { readonly _tag: "Refresh"; readonly done: Deferred.Deferred<void, JournalStoreError> }
  /** Keeps durably which own feeds are not continued. */
  | { readonly _tag: "Abandon" }
  /** Draws the token of this opening, for nobody waits for it but the first write. */
  | { readonly _tag: "Claim" }
  /** Nobody wants anything: time for the checkpoint that is due, and the seal. */
  | { readonly _tag: "Checkpoint" }
  | {
      readonly _tag: "TakeUp"
      readonly books: Uint8Array
      readonly done: Deferred.Deferred<Sealing.SealRefused | undefined, JournalStoreError>
    }
  | { readonly _tag: "Drop"; readonly done: Deferred.Deferred<number, JournalStoreError> }

interface Receive {
  readonly _tag: "Receive"
  readonly deliveries: ReadonlyArray<Delivery>
  readonly done: Deferred.Deferred<ReadonlyArray<Intake.Outcome>, JournalStoreError>
}

export type Options = Desk.Options

/** Opens a space of this device's store: reads it back, compares the tokens, starts the writer. Ends with the scope. */
export const open = Telemetry.fn("Replica.open")(function* (
  space: SpaceId,
  options: Options = {}
): Effect.fn.Return<
  Replica,
  JournalStoreError | SecretStoreError,
  Scope.Scope | JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom
> {
  const desk = yield* Desk.open(space, options)
  const items = yield* Queue.bounded<Item>(writesWaitingMax)
  const quiet = yield* Quiet.make(checkpointQuietMillis, Queue.offer(items, { _tag: "Checkpoint" }))

  /** Writes in the order they were asked for; one turn takes what has gathered. */
  let waiting: Array<Authoring.Waiting> = []
  let isAnnounced = false
  let isClosed = false

  const submit = (one: Authoring.Waiting): void => {
    if (isClosed) return Authoring.answer(one, Exit.interrupt())
    if (waiting.length >= writesWaitingMax)
      return Authoring.answer(one, Exit.fail(new ReplicaBusy({ allowed: writesWaitingMax })))
    waiting.push(one)
    if (!isAnnounced) isAnnounced = Queue.offerUnsafe(items, { _tag: "Writes" })
  }

  const writeAll = Effect.fnUntraced(function* () {
    isAnnounced = false
    const writes = waiting
    waiting = []
    for (let at = 0; at < writes.length;) {
      const rest = at === 0 ? writes : writes.slice(at)
      const written = Authoring.writeRun(desk, rest)
      const isReady = !desk.isStale && desk.isClaimed
      const ready = Effect.andThen(Desk.recover(desk), Desk.claim(desk))
      const exit = yield* Effect.exit(isReady ? written : Effect.andThen(ready, written))
      if (Exit.isSuccess(exit)) at += exit.value
      else {
        for (const one of rest) Authoring.answer(one, Exit.failCause(exit.cause))
        at = writes.length
      }
    }
  })

  /** One durable write for all; each is answered with the outcomes of its own deliveries. */
  const receiveTogether = Effect.fnUntraced(function* (group: ReadonlyArray<Receive>) {
    const deliveries = group.flatMap((one, source) =>
      one.deliveries.map(({ header, run }) => ({ header, run, source }))
    )
    const exit = yield* Effect.exit(Desk.attempt(desk, Receiving.receiveAll(desk, deliveries)))
    let from = 0
    for (const one of group) {
      const upTo = from + one.deliveries.length
      yield* Deferred.done(
        one.done,
        Exit.map(exit, (outcomes) => outcomes.slice(from, upTo))
      )
      from = upTo
    }
  })

  const answer = <A>(done: Deferred.Deferred<A, JournalStoreError>, work: Effect.Effect<A, JournalStoreError>) =>
    Effect.flatMap(Effect.exit(Desk.attempt(desk, work)), (exit) => Deferred.done(done, exit))

  /** Housekeeping in a quiet moment: what fails is tried again in another one. */
  const keepHouse = Effect.fnUntraced(function* () {
    if (Sealing.isDue(desk))
      yield* Desk.attempt(desk, Sealing.takeUpOwn(desk)).pipe(
        Effect.catch((error) => Effect.logWarning("the seal could not be taken up yet", error.message))
      )
    yield* Desk.keepCheckpoint(desk, checkpointDue(desk))
    Desk.keepRung(desk, true)
  })

  const turn = Effect.fnUntraced(function* (batch: ReadonlyArray<Item>) {
    for (let at = 0; at < batch.length;) {
      const item = batch[at]!
      desk.turnMillis = desk.time.now().millis
      switch (item._tag) {
        case "Writes":
          yield* writeAll()
          at++
          break
        case "Receive": {
          const group: Array<Receive> = []
          for (let count = 0; at < batch.length && count < runsPerTurnMax; at++) {
            const next = batch[at]!
            if (next._tag !== "Receive") break
            group.push(next)
            count += next.deliveries.length
          }
          yield* receiveTogether(group)
          break
        }
        case "Prove":
          yield* answer(item.done, Receiving.proveOne(desk, item.proof))
          at++
          break
        case "Refresh":
          yield* answer(item.done, Desk.settle(desk, false))
          at++
          break
        case "Abandon":
          // a store that can't take it now takes it with the next run of this device's own
          yield* Effect.ignore(Desk.attempt(desk, Desk.commit(desk, { locals: [abandonedLocal(desk.abandoned)] })))
          at++
          break
        case "Claim":
          yield* Desk.claim(desk).pipe(
            Effect.catch((error) => Effect.logWarning("no token was kept; the first write tries again", error.message))
          )
          at++
          break
        case "Checkpoint":
          yield* keepHouse()
          at++
          break
        case "TakeUp":
          yield* answer(item.done, Sealing.takeUp(desk, item.books))
          at++
          break
        case "Drop":
          yield* answer(item.done, Sealing.drop(desk))
          at++
          break
      }
    }
    if (waiting.length > 0 && !isAnnounced) yield* writeAll()
    if (!batch.every(({ _tag }) => _tag === "Checkpoint")) yield* afterTurn()
  })

  const afterTurn = Effect.fnUntraced(function* () {
    const entriesMin = checkpointDue(desk)
    if (Desk.isCheckpointDue(desk, entriesMin * checkpointLateTimes))
      yield* Desk.keepCheckpoint(desk, entriesMin * checkpointLateTimes)
    Desk.keepRung(desk, false)
    quiet.stir()
    if (Desk.isCheckpointDue(desk, entriesMin) || Desk.isRungDue(desk, true) || Sealing.isDue(desk)) quiet.ask()
  })
  const spending = Spending.make({
    ...desk,
    nowMillis: () => desk.time.now().millis,
    authority: () => desk.folded.ledger.authority
  })
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      for (const one of waiting.splice(0)) Authoring.answer(one, Exit.interrupt())
      return Effect.andThen(Desk.keepCheckpoint(desk, checkpointAtCloseMin), spending.settle)
    })
  )
  // waiting may be interrupted, a turn may not: who closes the replica waits for it to end
  yield* Effect.forkScoped(
    Effect.forever(Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.takeAll(items)), turn)))
  )

  yield* Effect.forkScoped(Effect.andThen(Effect.sleep(claimAfterMillis), Queue.offer(items, { _tag: "Claim" })))

  const ask = <A, E>(make: (done: Deferred.Deferred<A, E>) => Item): Effect.Effect<A, E> =>
    Effect.flatMap(Deferred.make<A, E>(), (done) =>
      isClosed ? Effect.interrupt : Effect.andThen(Queue.offer(items, make(done)), Deferred.await(done))
    )

  return {
    space,
    ledger: () => desk.folded.ledger,
    damage: () => desk.folded.damage,
    spending,
    write: <A, E>(write: Write<A, E>) =>
      Effect.callback<Written<A>, E | WriteError>((resume) => {
        const done: Done<A, E> = (exit) => resume(Exit.map(exit, written))
        submit({ write, done: done as Done<unknown, unknown>, isAnswered: false })
      }),
    submit: (write, done) => submit({ write, done: done as Done<unknown, unknown>, isAnswered: false }),
    receive: (deliveries) => ask((done) => ({ _tag: "Receive", deliveries, done })),
    prove: (proof) => ask((done) => ({ _tag: "Prove", proof, done })),
    refresh: ask<void, JournalStoreError>((done) => ({ _tag: "Refresh", done })),
    isLagging: () => desk.isStale,
    load: Effect.fnUntraced(function* (feed: FeedId, from: number, bytesMax: number) {
      const part = Branches.partNamed(desk.folded.ledger, feed)
      if (part === undefined) return []
      const end = Math.min(part.to, Ledger.boundOf(desk.folded.ledger, part.line.feed).seq)
      // counted from where the part begins, in the store from where its line does
      const skip = part.from - Line.startOf(part.line)
      const runs = yield* desk.store.read(space, part.line.id, skip + from, bytesMax)
      return runs
        .filter(({ first }) => first - skip <= end - part.from)
        .map(({ bytes, first, hash, last }) => ({
          first: first - skip,
          last: last - skip,
          mark: Frontier.mark(hash),
          header: part.header,
          isBranch: part.id !== part.line.feed.id,
          covers: Line.behind(part, last + Line.startOf(part.line)),
          bytes
        }))
    }),
    feeds: () => {
      const heads: Frontier.Frontier = Ledger.frontier(desk.folded.ledger)
      const { lines, parted } = desk.folded.ledger
      const kindOf = (id: FeedId): Feed.FeedKind => (parted.get(id) ?? lines.get(id))!.feed.kind
      return new Map([...heads].map(([id, head]) => [id, { kind: kindOf(id), head, ...keptFrom(lines.get(id)) }]))
    },
    compare: (frontier) => {
      for (const [feed, head] of frontier) {
        if (!isOvertaken(desk, feed, head)) continue
        desk.abandoned.add(feed)
        Queue.offerUnsafe(items, { _tag: "Abandon" })
      }
    },
    takeUp: (books) =>
      ask<Sealing.SealRefused | undefined, JournalStoreError>((done) => ({ _tag: "TakeUp", books, done })).pipe(
        Effect.flatMap((refused) => refused ?? Effect.void)
      ),
    proposeSeal: () => Sealing.propose(desk.folded),
    sealedBooks: (digest) =>
      desk.folded.ledger.sealed?.digest === digest ? desk.store.local(space, Sealed.sealedRow) : Effect.succeedNone,
    wantedSeal: () => {
      const digest = Sealing.wanted(desk.folded.ledger)
      return digest === undefined ? undefined : { digest, isNeeded: Sealing.isFailed(desk) }
    },
    drop: ask<number, JournalStoreError>((done) => ({ _tag: "Drop", done })),
    listen: (listener) => {
      desk.listeners.add(listener)
      return () => desk.listeners.delete(listener)
    }
  }
})

/** The first entry of a feed that can be served, where others were dropped. */
const keptFrom = (line: Line.Line | undefined): { readonly first?: number } =>
  line === undefined || line.branch !== undefined || line.kept === 0 ? {} : { first: line.kept }

/** Entries since the last checkpoint that make the next one due. */
const checkpointDue = (desk: Desk.Desk): number => Math.max(checkpointEveryMin, desk.checkpointed / 2)

/** Whether somebody has more of a feed of this device than is here, or something else in its place. */
const isOvertaken = ({ abandoned, begun, folded, keys }: Desk.Desk, feed: FeedId, head: Frontier.Head): boolean => {
  const line = folded.ledger.lines.get(feed)
  if (line === undefined || line.feed.device !== keys.device || abandoned.has(feed) || begun.has(feed)) return false
  // a feed with two histories is not continued anyway
  if (folded.ledger.forks.has(line.feed.id)) return false
  return head.seq > line.taken - 1 || (head.seq === line.taken - 1 && head.mark !== line.hash.slice(0, 32))
}
