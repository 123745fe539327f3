/**
 * One space on this device: the only hand that writes its journal, and the state that follows from it.
 *
 * All changes go through one writer, in turns. A turn takes what has gathered meanwhile: writes of this device become
 * one run under one signature, runs of peers are verified together; either is one durable commit, after which the books
 * move on and everyone waiting is answered. Nothing is answered before it is durable; nothing is visible to readers or
 * peers before that either; when a commit fails, nothing has happened.
 *
 * Never fork: a feed is continued only while the tokens of journal store and secret store agree and nobody knows more
 * of it than we do; otherwise a new feed is opened.
 *
 * What a write means is decided by its `prepare`, in its turn, against the state as it then is (runtime/Operations.ts).
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { JournalStore, type Commit, type JournalStoreError } from "../effects/JournalStore.ts"
import { Keys, type KeysError } from "../effects/Keys.ts"
import { SecretStore, type SecretStoreError } from "../effects/SecretStore.ts"
import { Time } from "../effects/Time.ts"
import { Verifier } from "../effects/Verifier.ts"
import { entryHash, type DefinitionId, type DeviceId, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import type * as Frontier from "../journal/Frontier.ts"
import { completeSeenEvery, entryBytesMax, runEntriesMax } from "../journal/limits.ts"
import * as Run from "../journal/Run.ts"
import * as Metrics from "../observability/Metrics.ts"
import type { ForkKnown, Local, Loaded } from "../sync/Topic.ts"
import * as Checkpoint from "./Checkpoint.ts"
import { fold, forks, forksRow, type Damage } from "./Fold.ts"
import { freshId } from "./FreshId.ts"
import { gather, type Delivery } from "./Arrivals.ts"
import * as Intake from "./Intake.ts"
import * as Judging from "./Judging.ts"
import * as Ledger from "./Ledger.ts"
import { checkpointAtCloseMin, checkpointEveryMin, runsPerTurnMax, writesWaitingMax } from "./limits.ts"
import { pack } from "./Packing.ts"
import { abandonedFeeds, abandonedLocal, isRestored, openToken } from "./Token.ts"

/** What a write is given when its turn has come. */
export interface Turn {
  readonly ledger: Ledger.Ledger
  /** Authority as this device sees it now, for `Decision.decide`. */
  readonly time: number
  readonly feed: FeedId
  readonly seq: number
  /** The i-th new id of this entry. */
  readonly newId: (index: number) => string
}

/** What a write wants to say. */
export interface Prepared<A> {
  readonly definition: DefinitionId | undefined
  readonly facts: ReadonlyArray<Entry.Fact>
  readonly answer: A
  /** What it changes stands on the changes before it: the next write has to see it first. */
  readonly endsTurn?: boolean
  /** Kept with the entry for repeats of the same request. */
  readonly result?: { readonly key: string; readonly payload: Uint8Array; readonly result: Uint8Array }
}

/** A key that is not this device's: the space's root, in the hands of who has the recovery words. */
export interface Author {
  readonly device: DeviceId
  readonly sign: (message: Uint8Array) => Effect.Effect<Uint8Array, KeysError>
}

/** One entry to be written by this device, or by `as`. `prepare` is synchronous and may refuse. */
export interface Write<A, E> {
  readonly kind: Feed.FeedKind
  /** Writes in another's name, each time into a new feed: nobody can know here where its last one ended. */
  readonly as?: Author
  readonly request: Entry.Request | undefined
  readonly prepare: (turn: Turn) => Result.Result<Prepared<A>, E>
}

/** What an operation wants to write does not fit an entry. Nothing was written. */
export class EntryTooLarge extends Schema.TaggedError<EntryTooLarge>()("EntryTooLarge", {
  bytes: Schema.Finite,
  allowed: Schema.Finite
}) {
  override get message(): string {
    return `an entry of ${this.bytes} bytes is too large: at most ${this.allowed}; split the operation`
  }
}

/** More writes wait than are allowed to. Nothing was written; try again when some have ended. */
export class ReplicaBusy extends Schema.TaggedError<ReplicaBusy>()("ReplicaBusy", { allowed: Schema.Finite }) {
  override get message(): string {
    return `${this.allowed} writes are waiting already: wait for some to end`
  }
}

/** Where a write ended up; durable when it is told. */
export interface Written<A> {
  readonly answer: A
  readonly position: Feed.Position
}

/** Something happened that readers may want to know; given after the books moved. */
export interface Notice {
  /** State fields that changed; "*" when the whole journal was folded anew. */
  readonly fields: ReadonlySet<string>
  readonly authorityGrew: boolean
  readonly overturned: boolean
  /** Proofs of forks found in this turn, for everyone. */
  readonly proofs: ReadonlyArray<Uint8Array>
}

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
  /** Takes a proof that a feed has two histories. False: it proves nothing, or nothing new. */
  readonly prove: (proof: Uint8Array) => Effect.Effect<boolean, JournalStoreError>
  readonly load: (
    feed: FeedId,
    from: number,
    bytesMax: number
  ) => Effect.Effect<ReadonlyArray<Loaded>, JournalStoreError>
  /** Feeds as durably here, for a session to serve. */
  readonly feeds: () => ReadonlyMap<FeedId, Local>
  /** Feeds proved forked, for a session to tell of. */
  readonly forks: () => ReadonlyMap<FeedId, ForkKnown>
  /** Judges what time or new knowledge has released; harmless at any time. */
  readonly refresh: Effect.Effect<void, JournalStoreError>
  /** Holds a peer's frontier against our own feeds: one that reaches further, or differs, is not continued. */
  readonly compare: (frontier: Frontier.Frontier) => void
  /** Told after each turn that changed something. Returns how to stop. Listeners must not throw. */
  readonly listen: (listener: (notice: Notice) => void) => () => void
}

/** Why a write of any kind can fail. */
export type WriteError = EntryTooLarge | ReplicaBusy | JournalStoreError | KeysError

/** How a write ended. */
export type Done<A, E> = (exit: Exit.Exit<Written<A>, E | WriteError>) => void

/** A write waiting for its turn. */
interface Waiting {
  readonly write: Write<unknown, unknown>
  readonly done: Done<unknown, unknown>
  isAnswered: boolean
}

/** Something for the writer. */
type Item =
  | { readonly _tag: "Writes" }
  | {
      readonly _tag: "Receive"
      readonly deliveries: ReadonlyArray<Delivery>
      readonly done: Deferred.Deferred<ReadonlyArray<Intake.Outcome>, JournalStoreError>
    }
  | { readonly _tag: "Prove"; readonly proof: Uint8Array; readonly done: Deferred.Deferred<boolean, JournalStoreError> }
  | { readonly _tag: "Refresh"; readonly done: Deferred.Deferred<void, JournalStoreError> }
  /** Keeps durably which own feeds are not continued. */
  | { readonly _tag: "Abandon" }

/** Opens a space of this device's store: reads it back, compares the tokens, starts the writer. Ends with the scope. */
export const open = Effect.fn("Replica.open")(function* (
  space: SpaceId
): Effect.fn.Return<
  Replica,
  JournalStoreError | SecretStoreError,
  Scope.Scope | JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom
> {
  const store = yield* JournalStore
  const keys = yield* Keys
  const verifier = yield* Verifier
  const time = yield* Time
  const random = yield* SecureRandom
  const secrets = yield* SecretStore

  const restored = yield* isRestored(store, secrets, space)
  let folded = yield* fold(store, space, time.now().millis, "from checkpoint")

  /** Own feeds that must not be continued: the store may have lost some of them, or a peer knows more. */
  const abandoned = yield* abandonedFeeds(store, space)
  if (restored)
    for (const line of folded.ledger.lines.values()) if (line.feed.device === keys.device) abandoned.add(line.feed.id)
  yield* openToken(store, secrets, random, space, abandoned)
  /** Own feeds that this process began: nobody can know more of them. */
  const begun = new Set<FeedId>()

  const listeners = new Set<(notice: Notice) => void>()
  const items = yield* Queue.bounded<Item>(writesWaitingMax)

  const tell = Effect.fnUntraced(function* (notice: Notice) {
    for (const listener of listeners) {
      const told = Result.try(() => listener(notice))
      if (Result.isFailure(told)) yield* Effect.logError("a listener of a replica threw", told.failure)
    }
  })

  /** The store may hold something else than the books say; nothing is done before it was read again. */
  let isStale = false
  /** Something was overturned that readers still see as it was, because the store could not be read back. */
  let isOverturnOwed = false
  const readBack = Effect.suspend(() =>
    isStale
      ? Effect.map(fold(store, space, time.now().millis, "whole"), (anew) => {
          folded = anew
          isStale = false
        })
      : Effect.void
  )
  /** As `readBack`, for a turn that begins: what it finds is news to readers. */
  const recover = Effect.suspend(() =>
    isStale
      ? Effect.andThen(
          readBack,
          Effect.suspend(() => {
            const overturned = isOverturnOwed
            isOverturnOwed = false
            return tell({ fields: everyField, authorityGrew: true, overturned, proofs: [] })
          })
        )
      : Effect.void
  )

  /**
   * Moves the books on and tells everyone; folds anew when a verdict was overturned. Never fails: what led here is durable,
   * and a store that can't be read back now is read before anything else is done. `took`: entries came, judged or not.
   */
  const settle = Effect.fnUntraced(function* (took: boolean, proofs: ReadonlyArray<Uint8Array> = []) {
    const advance = Judging.advance(folded.ledger, time.now().millis)
    if (advance.applied > 0) yield* Metrics.applied(advance.applied)
    if (advance.overturned) isStale = true
    yield* readBack.pipe(
      Effect.catch((error) => Effect.logWarning("the journal store can't be read back yet", error.message))
    )
    if (took || advance.applied > 0 || advance.authorityGrew || advance.overturned || proofs.length > 0) {
      // what was overturned is told with the books that show it, be it later
      const overturned = advance.overturned && !isStale
      if (advance.overturned && isStale) isOverturnOwed = true
      const fields = overturned ? everyField : advance.fields
      yield* tell({ fields, authorityGrew: advance.authorityGrew, overturned, proofs })
    }
  })

  const commit = (parts: Omit<Commit, "space">): Effect.Effect<void, JournalStoreError> =>
    store.commit({ space, ...parts })

  // — writes of this device ——————————————————————————————————————————————————————————————————————————————

  const newFeed = Effect.fnUntraced(function* (device: DeviceId, kind: Feed.FeedKind) {
    const nonce = yield* random.randomBytes(Feed.nonceBytes)
    const born = Clock.next(folded.ledger.latest, time.now().millis)
    return Feed.encode({ space, device, kind, nonce, time: born, closes: undefined, key: undefined })
  })

  const ownLine = (kind: Feed.FeedKind): Ledger.Line | undefined => {
    let newest: Ledger.Line | undefined
    const { damaged, forks: forked, lines } = folded.ledger
    for (const line of lines.values()) {
      if (line.feed.device !== keys.device || line.feed.kind !== kind || abandoned.has(line.feed.id)) continue
      if (Ledger.endOf(folded.ledger, line.feed) !== undefined) continue
      if (damaged.has(line.feed.id) || forked.has(line.feed.id)) continue
      if (newest === undefined || newest.feed.time < line.feed.time) newest = line
    }
    return newest
  }

  /** Writes in the order they were asked for; one turn takes what has gathered. */
  let waiting: Array<Waiting> = []
  let isAnnounced = false
  let isClosed = false

  const submit = (one: Waiting): void => {
    if (isClosed) return answer(one, Exit.interrupt())
    if (waiting.length >= writesWaitingMax)
      return answer(one, Exit.fail(new ReplicaBusy({ allowed: writesWaitingMax })))
    waiting.push(one)
    if (!isAnnounced) isAnnounced = Queue.offerUnsafe(items, { _tag: "Writes" })
  }

  const writeAll = Effect.fnUntraced(function* () {
    isAnnounced = false
    const writes = waiting
    waiting = []
    for (let at = 0; at < writes.length;) {
      const rest = at === 0 ? writes : writes.slice(at)
      const exit = yield* Effect.exit(Effect.andThen(recover, writeRun(rest)))
      if (Exit.isSuccess(exit)) at += exit.value
      else {
        for (const one of rest) answer(one, Exit.failCause(exit.cause))
        at = writes.length
      }
    }
  })

  /** One run of as many of these writes as fit; returns how many were dealt with. */
  const writeRun = Effect.fnUntraced(function* (writes: ReadonlyArray<Waiting>) {
    const { as, kind } = writes[0]!.write
    const author: Author = as ?? keys
    const ledger = folded.ledger
    const line = as === undefined ? ownLine(kind) : undefined
    const feed = line?.feed ?? (yield* newFeed(author.device, kind))
    const first = line?.taken ?? 0
    const previous = line?.hash ?? entryHash(Feed.origin(feed))
    const times: Array<number> = []
    const bodies: Array<Uint8Array> = []
    const accepted: Array<{ readonly item: Waiting; readonly prepared: Prepared<unknown> }> = []
    let bytes = 0
    let after = Math.max(ledger.latest, line?.time ?? feed.time)
    let handled = 0
    for (const item of writes) {
      const { write } = item
      if (write.kind !== kind || write.as !== as) break
      // the first of two with one key has to be in the books before the second can see that it is a repeat
      if (write.request !== undefined && accepted.some(({ item }) => isSameRequest(item.write.request, write.request)))
        break
      const seq = first + bodies.length
      // a kept signature stands before every multiple of 1 024, where reading may start
      if (bodies.length > 0 && seq % completeSeenEvery === 0) break
      const at = Clock.next(after, time.now().millis)
      const origin = { device: author.device, feed: feed.id, seq, request: write.request }
      const turn: Turn = { ledger, time: at, feed: feed.id, seq, newId: (index) => freshId(origin, index) }
      const attempt = Result.try(() => write.prepare(turn))
      if (Result.isFailure(attempt)) {
        answer(item, Exit.die(attempt.failure))
        handled++
        continue
      }
      const prepared = attempt.success
      if (Result.isFailure(prepared)) {
        answer(item, Exit.fail(prepared.failure))
        handled++
        continue
      }
      const { definition, facts } = prepared.success
      const isBoundary = bodies.length === 0 || seq % completeSeenEvery === 0
      const seen = isBoundary ? Ledger.unseen(ledger, line, kind, seq) : noPositions
      const body = Entry.encode({ keyEpoch: undefined, definition, seen, facts, request: write.request })
      if (body.length > entryBytesMax) {
        answer(item, Exit.fail(new EntryTooLarge({ bytes: body.length, allowed: entryBytesMax })))
        handled++
        continue
      }
      if (bodies.length > 0 && !Run.fits(bodies.length, bytes, body.length)) break
      times.push(at)
      bodies.push(body)
      bytes += body.length
      after = at
      accepted.push({ item, prepared: prepared.success })
      handled++
      if (prepared.success.endsTurn === true) break
    }
    if (bodies.length === 0) return handled
    const failAll = (exit: Exit.Exit<never, JournalStoreError | KeysError>): void => {
      for (const { item } of accepted) answer(item, exit)
    }

    const unsigned: Run.Unsigned = { feed: feed.id, first, previous, times, bodies }
    const hashes = Run.hashes(unsigned)
    const signed = yield* Effect.exit(
      author.sign(Run.message(feed.id, first + bodies.length - 1, hashes[hashes.length - 1]!))
    )
    if (Exit.isFailure(signed)) {
      failAll(Exit.failCause(signed.cause))
      return handled
    }
    const encoded = Run.encode(unsigned, signed.value)
    const run: Run.Run = { ...unsigned, hashes, signature: signed.value, bytes: encoded }
    const results = accepted.flatMap(({ prepared }) =>
      prepared.result === undefined ? [] : [{ requester: keys.device, atMillis: time.now().millis, ...prepared.result }]
    )
    const durable = yield* Effect.exit(
      commit({
        feeds: line === undefined ? [{ feed: feed.id, header: feed.bytes }] : [],
        runs: [Intake.stored(run)],
        results,
        locals: line === undefined && abandoned.size > 0 ? [abandonedLocal(abandoned)] : []
      })
    )
    if (Exit.isFailure(durable)) {
      isStale = isUnsure(durable.cause)
      failAll(Exit.failCause(durable.cause))
      return handled
    }
    if (line === undefined) begun.add(feed.id)
    Ledger.take(ledger, Ledger.lineOf(ledger, feed), run)
    yield* settle(true)
    for (let i = 0; i < accepted.length; i++) {
      const { item, prepared } = accepted[i]!
      const position = { feed: feed.id, seq: first + i, hash: entryHash(hashes[i]!) }
      answer(item, Exit.succeed({ answer: prepared.answer, position }))
    }
    const end = first + bodies.length
    if (end % runEntriesMax === 0) yield* pack(store, space, feed.id, end - runEntriesMax)
    return handled
  })

  // — runs of peers ——————————————————————————————————————————————————————————————————————————————————————

  const receiveAll = Effect.fnUntraced(function* (deliveries: ReadonlyArray<Delivery>) {
    const { arrivals, settled } = yield* gather(verifier, folded.ledger, deliveries)
    const outcomes: Array<Intake.Outcome> = new Array(deliveries.length)
    for (const [delivery, outcome] of settled) outcomes[delivery] = outcome
    const proofs: Array<Uint8Array> = []
    const staged = new Map<FeedId, Array<Run.Run>>()
    const stagedFeeds = new Map<FeedId, Feed.Feed>()

    const flush = Effect.fnUntraced(function* () {
      if (staged.size === 0) return
      const runs = [...staged.values()].flat()
      const isOwn = [...stagedFeeds.values()].some((feed) => feed.device === keys.device)
      yield* commit({
        feeds: [...stagedFeeds.values()].map((feed) => ({ feed: feed.id, header: feed.bytes })),
        runs: runs.map(Intake.stored),
        locals: isOwn ? [abandonedLocal(abandoned)] : []
      })
      for (const run of runs) Ledger.take(folded.ledger, Ledger.lineOf(folded.ledger, stagedFeeds.get(run.feed)!), run)
      staged.clear()
      stagedFeeds.clear()
      yield* settle(true)
    })

    for (const one of arrivals) {
      const tellAll = (outcome: Intake.Outcome): void => {
        for (const delivery of one.deliveries) outcomes[delivery] = outcome
      }
      // what was staged decides how this one fits: the same feed's end, and the authority that admits its device
      const pendingOfFeed = staged.get(one.run.feed)
      const isNew = pendingOfFeed === undefined && !folded.ledger.lines.has(one.run.feed)
      if (isNew || one.feed.kind === "authority") yield* flush()
      const ahead = staged.get(one.run.feed)
      const end = ahead === undefined ? undefined : ahead[ahead.length - 1]
      const fit = Intake.fit(folded.ledger, one.feed, one.run, end)
      if (fit._tag === "Continues") {
        stagedFeeds.set(one.feed.id, one.feed)
        staged.set(one.feed.id, [...(ahead ?? []), fit.run])
        if (one.feed.device === keys.device) abandoned.add(one.feed.id)
        tellAll({
          _tag: "Stored",
          feed: one.feed.id,
          seq: Run.lastSeq(fit.run),
          mark: Run.lastHash(fit.run).slice(0, 32)
        })
      } else if (fit._tag === "Contradicts") {
        yield* flush()
        const outcome = yield* compare(one.feed, one.run)
        if (outcome._tag === "Forked") proofs.push(outcome.proof)
        tellAll(outcome)
      } else tellAll(fit)
    }
    yield* flush()
    if (proofs.length > 0) yield* settle(false, proofs)
    return outcomes
  })

  /** Holds a run against what the store has of the same stretch: known, two histories, or apart even earlier. */
  const compare = Effect.fnUntraced(function* (feed: Feed.Feed, run: Run.Run) {
    const last = Run.lastSeq(run)
    for (let from = run.first; from <= last;) {
      const [one] = yield* store.read(space, feed.id, from, 1)
      const own = one === undefined ? undefined : Run.decode(one.bytes)
      if (own === undefined || Result.isFailure(own)) break
      const fork = Fork.between(feed, own.success, run)
      if (fork !== undefined) {
        yield* keepFork(fork)
        return { _tag: "Forked", feed: feed.id, at: fork.at, proof: fork.bytes } satisfies Intake.Outcome
      }
      from = Run.lastSeq(own.success) + 1
      const same = own.success.hashes[last - own.success.first]
      if (same !== undefined && sameBytes(same, run.hashes[run.hashes.length - 1]!))
        return {
          _tag: "Known",
          feed: feed.id,
          seq: last,
          mark: Run.lastHash(run).slice(0, 32)
        } satisfies Intake.Outcome
    }
    return {
      _tag: "Detached",
      feed: feed.id,
      from: Math.max(0, run.first - Math.max(1, run.bodies.length))
    } satisfies Intake.Outcome
  })

  const keepFork = Effect.fnUntraced(function* (fork: Fork.Fork) {
    const others = (yield* forks(store, space)).known.filter(
      (known) => known.feed.id !== fork.feed.id || known.at < fork.at
    )
    yield* commit({ locals: [{ name: forksRow, bytes: Cbor.encode([...others, fork].map((known) => known.bytes)) }] })
    return Ledger.noteFork(folded.ledger, fork)
  })

  const proveOne = Effect.fnUntraced(function* (proof: Uint8Array) {
    const fork = Fork.decode(proof)
    if (Result.isFailure(fork) || fork.success.feed.space !== space) return false
    const known = folded.ledger.forks.get(fork.success.feed.id)
    if (known !== undefined && known.seq < fork.success.at) return false
    if (!folded.ledger.lines.has(fork.success.feed.id) && Ledger.limitOf(folded.ledger, fork.success.feed).seq < 0)
      return false
    const { feed } = fork.success
    const keyClaims = feed.key === undefined ? [] : [Feed.keyClaim(feed, feed.key)]
    const genuine = yield* verifier.verify([...Fork.claims(fork.success), ...keyClaims])
    if (!genuine.every((good) => good)) return false
    const isNews = yield* keepFork(fork.success)
    yield* settle(false, isNews ? [proof] : [])
    return isNews
  })

  // — the writer ———————————————————————————————————————————————————————————————————————————————————————

  /** What touches the store: after books that lag were brought up, and noting when they may lag again. */
  const attempt = <A>(work: Effect.Effect<A, JournalStoreError>): Effect.Effect<A, JournalStoreError> =>
    Effect.andThen(recover, work).pipe(
      Effect.onError((cause) =>
        Effect.sync(() => {
          if (isUnsure(cause)) isStale = true
        })
      )
    )

  /** Entries that the last checkpoint row holds. */
  let kept = folded.ledger.applied
  /** Writes the checkpoint row if enough was applied since the last one that it pays. */
  const keepCheckpoint = Effect.fnUntraced(function* (entriesMin: number) {
    const ledger = folded.ledger
    if (isStale || Math.abs(ledger.applied - kept) < entriesMin) return
    const bytes = Checkpoint.encode(ledger)
    if (bytes === undefined) return
    kept = ledger.applied
    yield* commit({ locals: [{ name: Checkpoint.checkpointRow, bytes }] }).pipe(
      Effect.catch((error) => Effect.logWarning("no checkpoint was kept; the next opening takes longer", error.message))
    )
  })

  const turn = Effect.fnUntraced(function* (batch: ReadonlyArray<Item>) {
    for (let at = 0; at < batch.length;) {
      const item = batch[at]!
      switch (item._tag) {
        case "Writes":
          yield* writeAll()
          at++
          break
        case "Receive": {
          const group: Array<Item & { _tag: "Receive" }> = []
          for (let count = 0; at < batch.length && count < runsPerTurnMax; at++) {
            const next = batch[at]!
            if (next._tag !== "Receive") break
            group.push(next)
            count += next.deliveries.length
          }
          const exit = yield* Effect.exit(attempt(receiveAll(group.flatMap((one) => one.deliveries))))
          let from = 0
          for (const one of group) {
            const upTo = from + one.deliveries.length
            yield* Deferred.done(
              one.done,
              Exit.map(exit, (outcomes) => outcomes.slice(from, upTo))
            )
            from = upTo
          }
          break
        }
        case "Prove":
          yield* Deferred.done(item.done, yield* Effect.exit(attempt(proveOne(item.proof))))
          at++
          break
        case "Refresh":
          yield* Deferred.done(item.done, yield* Effect.exit(attempt(settle(false))))
          at++
          break
        case "Abandon":
          // a store that can't take it now takes it with the next run of this device's own
          yield* Effect.ignore(attempt(commit({ locals: [abandonedLocal(abandoned)] })))
          at++
          break
      }
    }
    if (waiting.length > 0 && !isAnnounced) yield* writeAll()
    yield* keepCheckpoint(Math.max(checkpointEveryMin, kept / 2))
  })
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      for (const one of waiting.splice(0)) answer(one, Exit.interrupt())
      return keepCheckpoint(checkpointAtCloseMin)
    })
  )
  // waiting may be interrupted, a turn may not: who closes the replica waits for it to end
  yield* Effect.forkScoped(
    Effect.forever(Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(Queue.takeAll(items)), turn)))
  )

  const ask = <A, E>(make: (done: Deferred.Deferred<A, E>) => Item): Effect.Effect<A, E> =>
    Effect.flatMap(Deferred.make<A, E>(), (done) =>
      isClosed ? Effect.interrupt : Effect.andThen(Queue.offer(items, make(done)), Deferred.await(done))
    )

  return {
    space,
    ledger: () => folded.ledger,
    damage: () => folded.damage,
    write: <A, E>(write: Write<A, E>) =>
      Effect.callback<Written<A>, E | WriteError>((resume) =>
        submit({ write, done: resume as Done<unknown, unknown>, isAnswered: false })
      ),
    submit: (write, done) => submit({ write, done: done as Done<unknown, unknown>, isAnswered: false }),
    receive: (deliveries) => ask((done) => ({ _tag: "Receive", deliveries, done })),
    prove: (proof) => ask((done) => ({ _tag: "Prove", proof, done })),
    refresh: ask<void, JournalStoreError>((done) => ({ _tag: "Refresh", done })),
    load: Effect.fnUntraced(function* (feed: FeedId, from: number, bytesMax: number) {
      const header = folded.ledger.lines.get(feed)?.feed.bytes
      const limit = folded.ledger.lines.has(feed)
        ? Ledger.limitOf(folded.ledger, folded.ledger.lines.get(feed)!.feed).seq
        : -1
      const runs = yield* store.read(space, feed, from, bytesMax)
      return runs
        .filter((run) => run.first <= limit)
        .map((run) => ({ first: run.first, last: run.last, mark: run.hash.slice(0, 32), header, bytes: run.bytes }))
    }),
    feeds: () => {
      const heads: Frontier.Frontier = Ledger.frontier(folded.ledger)
      return new Map([...heads].map(([id, head]) => [id, { kind: folded.ledger.lines.get(id)!.feed.kind, head }]))
    },
    forks: () => new Map([...folded.ledger.forks].map(([feed, { proof, seq }]) => [feed, { at: seq + 1, proof }])),
    compare: (frontier) => {
      for (const [feed, head] of frontier) {
        const line = folded.ledger.lines.get(feed)
        if (line === undefined || line.feed.device !== keys.device || abandoned.has(feed) || begun.has(feed)) continue
        if (head.seq < line.taken - 1 || (head.seq === line.taken - 1 && head.mark === line.hash.slice(0, 32))) continue
        abandoned.add(feed)
        Queue.offerUnsafe(items, { _tag: "Abandon" })
      }
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
})

const everyField: ReadonlySet<string> = new Set(["*"])
const noPositions: ReadonlyArray<Feed.Position> = []

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i])

/** Once. */
const answer = (one: Waiting, exit: Exit.Exit<Written<unknown>, unknown>): void => {
  if (one.isAnswered) return
  one.isAnswered = true
  one.done(exit)
}

const isSameRequest = (a: Entry.Request | undefined, b: Entry.Request | undefined): boolean =>
  a !== undefined && b !== undefined && a.requester === b.requester && a.key === b.key

/** After these the store may or may not hold what was handed to it. */
const isUnsure = (cause: Cause.Cause<JournalStoreError>): boolean => {
  const failure = cause.reasons.find((reason) => reason._tag === "Fail")
  return (
    failure === undefined ||
    failure.error.reason._tag === "JournalUnavailable" ||
    failure.error.reason._tag === "JournalConflict"
  )
}
