/**
 * The blobs of an agent: a BlobStore for each space, peers behind it for what is not here, and the sweeping.
 *
 * A piece that is missing is sought from the connected peers that are members and may read, one after the other: one that
 * has it not, does not answer or brings something else is followed by the next, and who failed is asked no more for this
 * blob. What came stays, so a get that was cut off goes on where it was.
 *
 * Named are the blobs that the books show now (a field of kind Blob, journal/crdt/BlobRegister.ts). What is named only in
 * entries that wait, or were judged invalid for a while, lasts `blobGraceMillis`, and is fetched again when it counts.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Storage } from "../effects/Storage.ts"
import type { Time } from "../effects/Time.ts"
import type { BlobHash, SpaceId } from "../identity/Id.ts"
import * as State from "../journal/crdt/State.ts"
import * as BlobStore from "./BlobStore.ts"
import type { Link } from "./Link.ts"
import type { Replica } from "./Replica.ts"
import { sweepMillis } from "./limits.ts"

/** This device keeps no blobs. */
export class BlobsUnavailable extends Data.TaggedError("BlobsUnavailable")<{}> {
  override get message(): string {
    return "there is no Storage among the effects: add one (MemoryStorage, EncryptedFileStorage, S3Storage) to keep blobs"
  }
}

export interface Options {
  /** None: nothing is kept here. */
  readonly storage: Option.Option<Storage["Service"]>
  readonly links: () => Iterable<Link>
  readonly replicas: () => Iterable<Replica>
  readonly time: Time["Service"]
}

/** The blobs of a space. */
export type Blobs = (space: SpaceId) => BlobStore.BlobStore

/** Sweeps until the scope ends. Undefined without a Storage. */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Blobs | undefined, never, Scope.Scope> {
  const { links, replicas, time } = options
  if (Option.isNone(options.storage)) return undefined
  const storage = options.storage.value
  const stores = new Map<SpaceId, BlobStore.BlobStore>()
  const of: Blobs = (space) => {
    const known = stores.get(space)
    if (known !== undefined) return known
    const store = BlobStore.make(storage, space, () => fetchFrom(links, space))
    stores.set(space, store)
    return store
  }
  const sweep = ({ ledger, space }: Replica) =>
    ledger().authority === undefined
      ? Effect.void
      : of(space)
          .sweep(named(ledger()), time.now().millis)
          .pipe(
            Effect.tap(({ blobs, chunks }) =>
              blobs + chunks === 0
                ? Effect.void
                : Effect.logInfo("blobs that nobody names were removed", { blobs, chunks })
            ),
            Effect.catch((error) => Effect.logWarning("blobs could not be swept yet", error.message))
          )
  yield* Effect.suspend(() => Effect.forEach([...replicas()], sweep, { discard: true })).pipe(
    Effect.delay(sweepMillis),
    Effect.repeat(Schedule.forever),
    Effect.forkScoped
  )
  return of
})

/** The blobs that state shows. */
export const named = ({ state }: { readonly state: State.State }): ReadonlySet<BlobHash> =>
  new Set([...State.blobs(state)].map(({ hash }) => hash))

/** For one get. */
const fetchFrom = (links: () => Iterable<Link>, space: SpaceId): BlobStore.Fetch => {
  const failed = new Map<Link, string>()
  let giver: Link | undefined
  return Effect.fnUntraced(function* (piece, hash) {
    const able = [...links()].flatMap((link) => {
      const give = link.giver(space)
      return give === undefined ? [] : [{ link, give }]
    })
    const tried: Array<BlobStore.BlobAbsent["tried"][number]> = []
    // whoever gave the last one has the next one, most likely
    for (const { give, link } of able.toSorted((a, b) => Number(b.link === giver) - Number(a.link === giver))) {
      const { peer } = link.connection
      const found = failed.has(link) ? undefined : yield* Effect.result(give(piece))
      if (found !== undefined && Result.isSuccess(found) && Option.isSome(found.success)) {
        giver = link
        return found.success.value
      }
      if (found !== undefined && Result.isFailure(found)) failed.set(link, found.failure.what)
      tried.push({ peer, what: failed.get(link) ?? "has it not" })
    }
    return yield* new BlobStore.BlobAbsent({ hash, tried })
  })
}
