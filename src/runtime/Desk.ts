/**
 * What a replica's writer has in front of it: the books, the store they are kept in, and how far to trust that the two
 * still say the same.
 *
 * A commit whose outcome is unknown leaves the books behind the store (`isStale`). Nothing is done then before the store
 * was read again, and readers are told of it with the books that show it. A turn that begins calls `attempt` or
 * `recover`; one that took something calls `settle`.
 *
 * A desk is changed in place by the turn that runs, and never handed out; only `abandoned` and `listeners` change between
 * turns. It has no queue and knows no turns: those are the replica's.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { SecureRandom } from "effect/crypto/SecureRandom"
import { JournalStore, type Commit, type JournalStoreError } from "../effects/JournalStore.ts"
import { Keys } from "../effects/Keys.ts"
import { SecretStore, type SecretStoreError } from "../effects/SecretStore.ts"
import { Time } from "../effects/Time.ts"
import { Verifier } from "../effects/Verifier.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type * as Authority from "../trust/Authority.ts"
import * as Metrics from "../observability/Metrics.ts"
import type { Effected } from "../observability/Telemetry.ts"
import * as Checkpoint from "./Checkpoint.ts"
import { fold, refold, type Folded } from "./Fold.ts"
import * as Judging from "./Judging.ts"
import * as Ladder from "./Ladder.ts"
import * as Ledger from "./Ledger.ts"
import * as Packing from "./Packing.ts"
import * as Rejudging from "./Rejudging.ts"
import * as Token from "./Token.ts"
import * as Undone from "./Undone.ts"

/** Something happened that readers may want to know; given after the books moved. */
export interface Notice {
  /** State fields that changed; "*" when the whole journal was folded anew. */
  readonly fields: ReadonlySet<string>
  readonly authorityGrew: boolean
  readonly overturned: boolean
  /** What was applied and no longer counts, or counts again; not empty only where something was overturned. */
  readonly undone: ReadonlyArray<Undone.Undone>
}

export interface Desk {
  readonly space: SpaceId
  readonly store: JournalStore["Service"]
  readonly keys: Keys["Service"]
  readonly verifier: Verifier["Service"]
  readonly time: Time["Service"]
  readonly random: SecureRandom["Service"]
  readonly secrets: SecretStore["Service"]
  /** The books, and where the store did not hold what was written. Another one after each folding. */
  folded: Folded
  /** Own feeds that must not be continued: the store may have lost some of them, or a peer knows more. */
  readonly abandoned: Set<FeedId>
  /** Own feeds that this process began: nobody can know more of them. */
  readonly begun: Set<FeedId>
  readonly listeners: Set<(notice: Notice) => void>
  readonly recordApplied: (count: number) => void
  readonly recordRestricted: (outcome: Effected, seconds: number) => void
  /** When the turn that runs began. */
  turnMillis: number
  /** When the turn began that took up a restriction of which readers have not been told yet. */
  restrictedMillis: number | undefined
  /** The store may hold something else than the books say; nothing is done before it was read again. */
  isStale: boolean
  /** It may hold more, too, or the books were taken apart: only the whole journal tells. */
  isUnsure: boolean
  /** Something was overturned that readers still see as it was, because the store could not be read back. */
  isOverturnOwed: boolean
  /** What that undid. */
  undoneOwed: ReadonlyArray<Undone.Undone>
  /** This device's runs in the block that it is filling. */
  readonly block: Packing.Block
  /** The books as they stood before. */
  readonly ladder: Ladder.Ladder
  /** Entries that the last checkpoint row holds. */
  checkpointed: number
  /** What checkpoints are sealed with, once this device has said or claimed anything here. */
  checkpointKey: Redacted.Redacted<Uint8Array> | undefined
  /** What lies below a seal is dropped as soon as these books stand on it. */
  readonly dropsSealed: boolean
  /** The authority with which the newest seal could not be taken up from what is here. */
  sealTriedBy: Authority.Authority | undefined
  /** Whether this opening has drawn its token: before that this device writes nothing here. */
  isClaimed: boolean
}

export interface Options {
  /** Entries between two rungs of the ladder that late restrictions are folded from; `rungEntriesMin` by default. */
  readonly rungEntriesMin?: number
  /** Whether what lies below a seal is dropped as soon as the books stand on it. */
  readonly dropsSealed?: boolean
}

/** Reads a space back and compares the tokens: feeds of this device that may have been lost are not continued. */
export const open = Effect.fnUntraced(function* (
  space: SpaceId,
  { dropsSealed = false, rungEntriesMin }: Options = {}
): Effect.fn.Return<
  Desk,
  JournalStoreError | SecretStoreError,
  JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom
> {
  const store = yield* JournalStore
  const keys = yield* Keys
  const verifier = yield* Verifier
  const time = yield* Time
  const random = yield* SecureRandom
  const secrets = yield* SecretStore
  const secret = yield* Token.read(secrets, space)
  const tokens = yield* Token.compare(store, secret, space)
  const folded = yield* fold(store, space, time.now().millis, secret?.checkpointKey ?? "whole")
  const abandoned = yield* Token.abandonedFeeds(store, space)
  if (tokens === "Unequal")
    for (const line of folded.ledger.lines.values()) if (line.feed.device === keys.device) abandoned.add(line.feed.id)
  const desk: Desk = {
    space,
    store,
    keys,
    verifier,
    time,
    random,
    secrets,
    folded,
    abandoned,
    begun: new Set(),
    listeners: new Set(),
    recordApplied: yield* Metrics.appliedRecorder,
    recordRestricted: yield* Metrics.restrictedRecorder,
    turnMillis: time.now().millis,
    restrictedMillis: undefined,
    isStale: false,
    isUnsure: false,
    isOverturnOwed: false,
    undoneOwed: [],
    block: Packing.emptyBlock(),
    ladder: Ladder.make(rungEntriesMin),
    checkpointed: folded.ledger.applied,
    checkpointKey: secret?.checkpointKey,
    dropsSealed,
    sealTriedBy: undefined,
    isClaimed: false
  }
  if (folded.base !== undefined) Ladder.put(desk.ladder, folded.base)
  // a space that is new here has to be found again, and feeds that are given up have to stay so, whatever comes next
  if (tokens !== "Equal") yield* claim(desk)
  return desk
})

/** Draws the token of this opening, once: nothing of this device's own is written before. */
export const claim = (desk: Desk): Effect.Effect<void, JournalStoreError | SecretStoreError> =>
  Effect.suspend(() =>
    desk.isClaimed
      ? Effect.void
      : Effect.map(Token.draw(desk.store, desk.secrets, desk.random, desk.space, desk.abandoned), (key) => {
          desk.checkpointKey = key
          desk.isClaimed = true
        })
  )

export const commit = (desk: Desk, parts: Omit<Commit, "space">): Effect.Effect<void, JournalStoreError> =>
  desk.store.commit({ space: desk.space, ...parts })

/** What touches the store: after books that lag were brought up, and noting when they may lag again. */
export const attempt = <A>(
  desk: Desk,
  work: Effect.Effect<A, JournalStoreError>
): Effect.Effect<A, JournalStoreError> =>
  Effect.andThen(recover(desk), work).pipe(Effect.onError((cause) => Effect.sync(() => doubt(desk, cause))))

/** Reads books that lag anew, for a turn that begins: what it finds is news to readers. */
export const recover = (desk: Desk): Effect.Effect<void, JournalStoreError> =>
  Effect.suspend(() =>
    desk.isStale
      ? Effect.andThen(
          readBack(desk),
          Effect.suspend(() => {
            const owed = pay(desk)
            return tell(desk, { fields: everyField, authorityGrew: true, ...owed }) ?? Effect.void
          })
        )
      : Effect.void
  )

/** Whether something that had been judged no longer is, or is judged otherwise. */
const isUndone = (before: Ledger.Ledger, after: Ledger.Ledger): boolean => {
  for (const { id, judged } of before.lines.values()) if ((after.lines.get(id)?.judged ?? 0) < judged) return true
  for (const key of before.quarantine.keys()) if (!after.quarantine.has(key)) return true
  for (const [key, { feed, seq }] of after.quarantine)
    if (!before.quarantine.has(key) && seq < (before.lines.get(feed)?.judged ?? 0)) return true
  return false
}

/** Notes of a commit that failed whether the store may hold it all the same. */
export const doubt = (desk: Desk, cause: Cause.Cause<JournalStoreError>): void => {
  if (!isUnsure(cause)) return
  desk.isStale = true
  desk.isUnsure = true
}

/**
 * Moves the books on and tells everyone; folds anew when a verdict was overturned. Never fails: what led here is durable,
 * and a store that can't be read back now is read before anything else is done. `took`: entries came, judged or not.
 */
export const settle = (desk: Desk, took: boolean): Effect.Effect<void> =>
  Effect.suspend(() => settleNow(desk, took) ?? Effect.void)

/** The same at once; what is returned is still to be done, and nearly always nothing is. */
export const settleNow = (desk: Desk, took: boolean): Effect.Effect<void> | undefined => {
  const { ledger } = desk.folded
  const advanced = Judging.advance(ledger, desk.time.now().millis)
  // what came to count of a forked feed is read with all that is behind it
  const advance = Ledger.isBehind(ledger) ? { ...advanced, overturned: true, doubts: [] } : advanced
  if (advance.applied > 0) desk.recordApplied(advance.applied)
  if (advance.restricts) desk.restrictedMillis ??= desk.turnMillis
  if (advance.doubts.length > 0) return settleDoubts(desk, took, advance)
  return settleAdvance(desk, took, advance)
}

/** What may only have been overturned is judged again before anything is folded. */
const settleDoubts = (desk: Desk, took: boolean, advance: Judging.Advance): Effect.Effect<void> =>
  Rejudging.areAlike(desk.store, desk.folded.ledger, advance.doubts).pipe(
    // a store that can't be read now is read before anything else is done
    Effect.catch(() => Effect.succeed(false)),
    Effect.flatMap((isAlike) => {
      const settled = isAlike ? { ...advance, overturned: false, shifts: [] } : advance
      return settleAdvance(desk, took, settled) ?? Effect.void
    })
  )

const settleAdvance = (desk: Desk, took: boolean, advance: Judging.Advance): Effect.Effect<void> | undefined => {
  if (advance.overturned) desk.isStale = true
  if (advance.overturned || advance.shifts.length > 0) Ladder.drop(desk.ladder, desk.folded.ledger, advance.shifts)
  if (!desk.isStale) return report(desk, took, advance)
  return readBack(desk).pipe(
    Effect.catch((error) => Effect.logWarning("the journal store can't be read back yet", error.message)),
    Effect.andThen(Effect.suspend(() => report(desk, took, advance) ?? Effect.void))
  )
}

const report = (
  desk: Desk,
  took: boolean,
  { applied, authorityGrew, fields, overturned: isOverturned }: Judging.Advance
): Effect.Effect<void> | undefined => {
  if (!took && applied === 0 && !authorityGrew && !isOverturned) return undefined
  // what was overturned is told with the books that show it, be it later
  if (isOverturned) desk.isOverturnOwed = true
  const owed = desk.isStale ? nothingOwed : pay(desk)
  return tell(desk, { fields: owed.overturned ? everyField : fields, authorityGrew, ...owed })
}

/** What readers have to be told of what was overturned, once. */
const pay = (desk: Desk): Pick<Notice, "overturned" | "undone"> => {
  if (!desk.isOverturnOwed) return nothingOwed
  const owed = { overturned: true, undone: desk.undoneOwed }
  desk.isOverturnOwed = false
  desk.undoneOwed = []
  return owed
}

const nothingOwed = { overturned: false, undone: [] } as const

/** Whether so much was applied since the last checkpoint row that a new one pays. */
export const isCheckpointDue = ({ checkpointed, folded, isStale }: Desk, entriesMin: number): boolean =>
  !isStale && Math.abs(folded.ledger.applied - checkpointed) >= entriesMin

/** Writes the checkpoint row if it is due. */
export const keepCheckpoint = Effect.fnUntraced(function* (desk: Desk, entriesMin: number) {
  const { ledger } = desk.folded
  const key = desk.checkpointKey
  if (key === undefined || !isCheckpointDue(desk, entriesMin)) return
  const checkpoint = Checkpoint.encode(ledger)
  if (checkpoint === undefined) return
  const bytes = Checkpoint.seal(Redacted.value(key), checkpoint)
  Ladder.add(desk.ladder, ledger, checkpoint)
  desk.checkpointed = ledger.applied
  yield* commit(desk, { locals: [{ name: Checkpoint.checkpointRow, bytes }] }).pipe(
    Effect.catch((error) => Effect.logWarning("no checkpoint was kept; the next opening takes longer", error.message))
  )
})

/** Takes a rung of the ladder if it is due. */
export const keepRung = (desk: Desk, isQuiet: boolean): void => {
  if (isRungDue(desk, isQuiet)) Ladder.climb(desk.ladder, desk.folded.ledger)
}

export const isRungDue = ({ folded, isStale, ladder }: Desk, isQuiet: boolean): boolean =>
  !isStale && Ladder.isDue(ladder, folded.ledger, isQuiet)

const readBack = (desk: Desk): Effect.Effect<void, JournalStoreError> =>
  Effect.suspend(() =>
    desk.isStale
      ? Effect.map(foldAnew(desk), (anew) => {
          if (isUndone(desk.folded.ledger, anew.ledger)) desk.isOverturnOwed = true
          desk.undoneOwed = [...desk.undoneOwed, ...Undone.between(desk.folded.ledger, anew.ledger)]
          desk.folded = anew
          desk.isStale = false
          desk.isUnsure = false
        })
      : Effect.void
  )

/** Reads the whole journal again, for its beginning is another one, and tells everybody. */
export const foldWhole = (desk: Desk): Effect.Effect<void, JournalStoreError> =>
  Effect.suspend(() => {
    desk.isStale = true
    desk.isUnsure = true
    return recover(desk)
  })

/** From the ladder where the store holds what the books say, and only verdicts differ; else from the beginning. */
const foldAnew = Effect.fnUntraced(function* (desk: Desk) {
  const { folded, isUnsure, ladder, space, store } = desk
  const nowMillis = desk.time.now().millis
  // books that are folded beside these share their feeds of authority: whatever stops that halfway, these are spent
  desk.isUnsure = true
  const anew = isUnsure ? undefined : yield* refold(store, folded, ladder.rungs, nowMillis)
  if (anew !== undefined) {
    Ladder.owe(ladder)
    return anew
  }
  Ladder.clear(ladder)
  return yield* fold(store, space, nowMillis, "whole")
})

/** Tells all listeners at once; what is returned tells the log of those that threw. */
const tell = (desk: Desk, notice: Notice): Effect.Effect<void> | undefined => {
  const complaints = tellAll(desk, notice)
  if (desk.restrictedMillis !== undefined && !desk.isStale) {
    const millis = Math.max(0, desk.time.now().millis - desk.restrictedMillis)
    desk.recordRestricted(notice.overturned ? "folded" : "noted", millis / 1000)
    desk.restrictedMillis = undefined
  }
  return complaints
}

const tellAll = (desk: Desk, notice: Notice): Effect.Effect<void> | undefined => {
  let complaints: Effect.Effect<void> | undefined
  for (const listener of desk.listeners) {
    const told = Result.try(() => listener(notice))
    if (Result.isSuccess(told)) continue
    const complaint = Effect.logError("a listener of a replica threw", told.failure)
    complaints = complaints === undefined ? complaint : Effect.andThen(complaints, complaint)
  }
  return complaints
}

const everyField: ReadonlySet<string> = new Set(["*"])

/** After these the store may or may not hold what was handed to it. */
const isUnsure = (cause: Cause.Cause<JournalStoreError>): boolean => {
  const failure = cause.reasons.find((reason) => reason._tag === "Fail")
  return (
    failure === undefined ||
    failure.error.reason._tag === "JournalUnavailable" ||
    failure.error.reason._tag === "JournalConflict"
  )
}
