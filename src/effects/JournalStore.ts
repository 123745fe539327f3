/**
 * Where journals live: what we ask of SQLite, PostgreSQL, IndexedDB or memory.
 *
 * The store keeps bytes and their order; it is no authority. It does not decode runs, judge nobody and repairs
 * nothing: what it hands out is verified by who reads it. One process owns a store at a time (the handler enforces
 * it with a lock of the operating system or of the database).
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { DeviceId, EntryHash, FeedId, SpaceId } from "../identity/Id.ts"

/** No room. Nothing of the commit was kept. */
export class JournalFull extends Data.TaggedError("JournalFull")<{ readonly what: string }> {
  override get message(): string {
    return `the journal store is full (${this.what}): free space, then try again; nothing was written`
  }
}

/** The commit does not continue the feed as stored: another writer, or a caller with a stale head. Nothing was kept. */
export class JournalConflict extends Data.TaggedError("JournalConflict")<{
  readonly feed: FeedId
  readonly what: string
}> {
  override get message(): string {
    return `feed ${this.feed.slice(0, 10)} does not continue here: ${this.what}; nothing was written`
  }
}

/** Stored bytes are not what was written, or the file is not a journal of ours. */
export class JournalCorrupt extends Data.TaggedError("JournalCorrupt")<{
  readonly where: string
  readonly what: string
}> {
  override get message(): string {
    return `the journal store is damaged at ${this.where}: ${this.what}; run "aura journal verify"`
  }
}

/** Another process has the store open. */
export class JournalLocked extends Data.TaggedError("JournalLocked")<{ readonly where: string }> {
  override get message(): string {
    return `${this.where} is open in another process: stop it, or let it do the work`
  }
}

/** A newer version of Aura wrote this store. */
export class JournalTooNew extends Data.TaggedError("JournalTooNew")<{
  readonly where: string
  readonly found: number
  readonly known: number
}> {
  override get message(): string {
    return `${this.where} has format ${this.found}, this version reads up to ${this.known}: upgrade Aura`
  }
}

/** The store can't be reached or refuses. Whether a commit took place is unknown until `feeds` is asked again. */
export class JournalUnavailable extends Data.TaggedError("JournalUnavailable")<{ readonly what: string }> {
  override get message(): string {
    return `the journal store is unavailable: ${this.what}`
  }
}

export class JournalStoreError extends Data.TaggedError("JournalStoreError")<{
  readonly reason: JournalFull | JournalConflict | JournalCorrupt | JournalLocked | JournalTooNew | JournalUnavailable
}> {
  override get message(): string {
    return this.reason.message
  }
}

/**
 * A feed as stored: `entries` = how many, so the next seq; `hash` = of the last one, the FeedId while there is none;
 * `first` = the first one still kept, 0 unless the beginning was dropped; `entries` where none is.
 */
export interface StoredFeed {
  readonly feed: FeedId
  readonly header: Uint8Array
  readonly first: number
  readonly entries: number
  readonly hash: EntryHash
}

/** Consecutive entries of one feed in the run format (journal/Run.ts), `first` to `last` inclusive. `bytes` is never empty. */
export interface StoredRun {
  readonly feed: FeedId
  readonly first: number
  readonly last: number
  /** Hash of the entry before `first` (the FeedId's own bytes when `first` is 0). */
  readonly previous: EntryHash
  /** Hash of the entry at `last`. */
  readonly hash: EntryHash
  readonly bytes: Uint8Array
}

/** What an operation with an idempotency key answered, kept so that a repeat answers the same. */
export interface StoredResult {
  readonly requester: DeviceId
  readonly key: string
  /** Hash of the request's payload: the same key with another payload is a conflict for the caller to report. */
  readonly payload: Uint8Array
  readonly result: Uint8Array
  /** Unix milliseconds; the handler may forget it 24 hours later, not before. */
  readonly atMillis: number
}

/**
 * From here on a feed is kept: of what lies before, everything that is a whole run is dropped. A feed that is unknown or
 * ends before `entries` is empty afterwards and goes on there, behind the entry with this hash. One that reaches so far
 * keeps its end, and the run that holds the entry at `entries`, with its own beginning. What was dropped stays so.
 */
export interface Start {
  readonly feed: FeedId
  readonly header: Uint8Array
  readonly entries: number
  readonly hash: EntryHash
}

/** All of it becomes durable, or none; starts take effect before runs. */
export interface Commit {
  readonly space: SpaceId
  /** Feeds seen for the first time; repeating a known one changes nothing. */
  readonly feeds?: ReadonlyArray<{ readonly feed: FeedId; readonly header: Uint8Array }>
  readonly starts?: ReadonlyArray<Start>
  /** Each continues its feed exactly: `first` = entries so far, `previous` = stored hash; else `JournalConflict`. */
  readonly runs?: ReadonlyArray<StoredRun>
  readonly results?: ReadonlyArray<StoredResult>
  /** Rows of this installation about this space (checkpoint, token): null removes. */
  readonly locals?: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array | null }>
}

/**
 * Methods may be called concurrently; commits take effect one after the other in some order. Buffers passed in are
 * not kept after the call; buffers handed out belong to the caller.
 */
export class JournalStore extends Context.Service<
  JournalStore,
  {
    /** False where the platform may throw data away by itself (a browser without persistent storage). */
    readonly persistenceGuaranteed: boolean
    /** The spaces that ever had a commit, in the order of their first. */
    readonly spaces: Effect.Effect<ReadonlyArray<SpaceId>, JournalStoreError>
    /** All feeds of a space, in the order of their first commit; none for an unknown space. */
    readonly feeds: (space: SpaceId) => Effect.Effect<ReadonlyArray<StoredFeed>, JournalStoreError>
    /** Atomic and durable when it succeeds: no crash, kill or power cut afterwards loses it. */
    readonly commit: (commit: Commit) => Effect.Effect<void, JournalStoreError>
    /**
     * Runs of a feed in order, beginning with the one that contains `from`, or the first one kept; whole runs, at least one if there is
     * one, no further run once `bytesMax` is reached.
     */
    readonly read: (
      space: SpaceId,
      feed: FeedId,
      from: number,
      bytesMax: number
    ) => Effect.Effect<ReadonlyArray<StoredRun>, JournalStoreError>
    /** Puts one run in place of the stored runs whose entries it holds, durably: same first, last and hash overall. */
    readonly repack: (space: SpaceId, run: StoredRun) => Effect.Effect<void, JournalStoreError>
    readonly local: (space: SpaceId, name: string) => Effect.Effect<Option.Option<Uint8Array>, JournalStoreError>
    readonly result: (
      space: SpaceId,
      requester: DeviceId,
      key: string
    ) => Effect.Effect<Option.Option<StoredResult>, JournalStoreError>
  }
>()("aura/effects/JournalStore") {}
