/**
 * Journals that other agents keep in the same place, for instance in one database: what an agent may learn from there
 * without a connection to them, and while they are not running.
 *
 * Each agent owns its journal and writes in no other; what it reads of a neighbour's is as foreign as what a peer sends,
 * and goes through the same door (runtime/Neighbouring.ts). The place decides who can read what: who shares one trusts
 * those who have its credentials with the bytes, be they members of a space or not.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type { JournalStoreError, StoredFeed, StoredRun } from "./JournalStore.ts"

/** How far a neighbour's feed reaches: so many entries, and the first 16 bytes of the last one's hash, as hex. */
export interface Reach {
  readonly entries: number
  readonly mark: string
}

/** Somebody else's journal may have grown. A hint: it may be wrong, late, or come twice, and proves nothing. */
export type Change =
  | {
      readonly _tag: "Grew"
      readonly neighbour: string
      readonly space: SpaceId
      readonly feeds: ReadonlyMap<FeedId, Reach>
    }
  /** Something may have been missed: every neighbour is to be looked at. */
  | { readonly _tag: "Anything" }

/** Nothing of this agent's own is ever among what is handed out. Errors name the neighbour. */
export class Neighbours extends Context.Service<
  Neighbours,
  {
    /**
     * Until the scope ends, calls the listener with each change; first with `Anything`, and with it again whenever changes
     * may have been lost. Never fails: while the place can't be reached, it tries again. Listeners must not throw.
     */
    readonly listen: (listener: (change: Change) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Those whose journals can be read here, in the order of their names. */
    readonly names: Effect.Effect<ReadonlyArray<string>, JournalStoreError>
    /** The feeds that a neighbour has of a space, or those named of them, in the order of their first commit. */
    readonly feeds: (
      neighbour: string,
      space: SpaceId,
      only?: ReadonlyArray<FeedId>
    ) => Effect.Effect<ReadonlyArray<StoredFeed>, JournalStoreError>
    /** Like `JournalStore.read`. */
    readonly read: (
      neighbour: string,
      space: SpaceId,
      feed: FeedId,
      from: number,
      bytesMax: number
    ) => Effect.Effect<ReadonlyArray<StoredRun>, JournalStoreError>
    /** Like `JournalStore.local`. None also where the neighbour shows its feeds and not these rows. */
    readonly local: (
      neighbour: string,
      space: SpaceId,
      name: string
    ) => Effect.Effect<Option.Option<Uint8Array>, JournalStoreError>
  }
>()("aura/effects/Neighbours") {}
