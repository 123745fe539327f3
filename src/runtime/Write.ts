/**
 * A write: what somebody asks a replica to say, what it is given when its turn has come, and how it may end.
 *
 * The words between those who ask (runtime/Operations.ts) and the one writer that answers (runtime/Authoring.ts).
 * Nothing here decides or stores anything.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { KeysError } from "../effects/Keys.ts"
import type { SecretStoreError } from "../effects/SecretStore.ts"
import { entryHash, short, type DefinitionId, type DeviceId, type FeedId } from "../identity/Id.ts"
import type * as Entry from "../journal/Entry.ts"
import type { Request } from "../journal/Request.ts"
import type * as Feed from "../journal/Feed.ts"
import * as Fact from "../trust/Fact.ts"
import type * as Ledger from "./Ledger.ts"
import type * as Line from "./Line.ts"
import type { DeviceRevoked } from "./Revocation.ts"

/** What a write is given when its turn has come. */
export interface Turn {
  readonly ledger: Ledger.Ledger
  /** Hybrid time of the entry, above everything judged here. */
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
  /** How the facts were judged. They are data that nobody else holds (journal/Plain.ts). */
  readonly decidedBy?: Line.DecidedBy
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
  readonly request: Request | undefined
  readonly prepare: (turn: Turn) => Result.Result<Prepared<A>, E>
}

/** What an operation wants to write does not fit an entry. Nothing was written. */
export class EntryTooLarge extends Data.TaggedError("EntryTooLarge")<{
  readonly bytes: number
  readonly allowed: number
}> {
  override get message(): string {
    return `an entry of ${this.bytes} bytes is too large: at most ${this.allowed}; split the operation`
  }
}

/** More writes wait than are allowed to. Nothing was written; try again when some have ended. */
export class ReplicaBusy extends Data.TaggedError("ReplicaBusy")<{ readonly allowed: number }> {
  override get message(): string {
    return `${this.allowed} writes are waiting already: wait for some to end`
  }
}

/** The device had to begin a new feed so often that peers would take no more from it. Nothing was written. */
export class FeedsExhausted extends Data.TaggedError("FeedsExhausted")<{
  readonly device: DeviceId
  readonly allowed: number
}> {
  override get message(): string {
    return `device ${short(this.device)} has begun ${this.allowed} feeds of data here, and peers take no more: join with a new device, in a fresh directory`
  }
}

/** Where a write ended up; durable when it is told. */
export interface Written<A> {
  readonly result: A
  readonly position: Feed.Position
}

/** The same with the entry's hash as bytes: hardly anybody asks for it, and spelling it out takes its time. */
export interface WrittenBare<A> {
  readonly result: A
  readonly feed: FeedId
  readonly seq: number
  readonly hash: Uint8Array
}

export const written = <A>({ feed, hash, result, seq }: WrittenBare<A>): Written<A> => ({
  result,
  position: { feed, seq, hash: entryHash(hash) }
})

/** Why a write of any kind can fail. */
export type WriteError =
  EntryTooLarge | ReplicaBusy | FeedsExhausted | DeviceRevoked | JournalStoreError | KeysError | SecretStoreError

/** How a write ended. */
export type Done<A, E> = (exit: Exit.Exit<WrittenBare<A>, E | WriteError>) => void

/** Writes authority facts as they are; whether they count is judged like everyone's. */
export const authorityWrite = (facts: ReadonlyArray<Fact.AuthorityFact>): Write<void, never> => ({
  kind: "authority",
  request: undefined,
  prepare: () => Result.succeed({ definition: undefined, facts: facts.map(Fact.encode), answer: undefined })
})
