/**
 * The sealed books on one connection: read once for a peer that takes them part by part, and put together as they come.
 *
 * Books are whole in memory while they go over, one of a space in each direction; `sealedBytesMax` bounds them.
 */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { SpaceId } from "../identity/Id.ts"
import * as Metrics from "../observability/Metrics.ts"
import { sealedPartBytes } from "../sync/limits.ts"
import type { Ask } from "../sync/Session.ts"
import type { Replica } from "./Replica.ts"
import * as Sealed from "./Sealed.ts"

export interface Handing {
  /** The books that a peer asks for; undefined: they are not here. */
  readonly read: (
    ask: Ask & { readonly _tag: "LoadSealed" }
  ) => Effect.Effect<Uint8Array | undefined, JournalStoreError>
  /** Keeps a part; with the last one the books are taken up, if they are root's and can be. */
  readonly take: (ask: Ask & { readonly _tag: "TakeSealed" }) => Effect.Effect<Taken, JournalStoreError>
}

/** `Forged`: the peer is at fault. */
type Taken = "Kept" | "TakenUp" | "Forged" | "Refused"

export const make = (replicaOf: (space: SpaceId) => Replica | undefined): Handing => {
  let reading: { readonly digest: string; readonly books: Uint8Array } | undefined
  const coming = new Map<SpaceId, Array<Uint8Array>>()
  return {
    read: Effect.fnUntraced(function* ({ digest, offset, space }) {
      if (offset <= 0 || reading?.digest !== digest) {
        const found = Option.getOrUndefined(yield* replicaOf(space)?.sealedBooks(digest) ?? Effect.succeedNone)
        reading = found && { digest, books: found }
      }
      const books = reading?.books
      if (books === undefined || offset < 0 || offset + sealedPartBytes >= books.length) reading = undefined
      return books
    }),
    take: Effect.fnUntraced(function* ({ bytes, digest, offset, space, total }) {
      const parts = offset === 0 ? [] : (coming.get(space) ?? [])
      parts.push(bytes)
      coming.set(space, parts)
      if (offset + bytes.length < total) return "Kept"
      coming.delete(space)
      const books = concatBytes(...parts)
      if (bytesToHex(Sealed.digestOf(books)) !== digest) {
        yield* Metrics.refused("seal")
        yield* Effect.logWarning("security event: a peer brought sealed books of another digest")
        return "Forged"
      }
      const taken = Effect.as(replicaOf(space)?.takeUp(books) ?? Effect.void, "TakenUp" as const)
      return yield* Effect.catchTag(taken, "SealRefused", (refused) =>
        Effect.as(Effect.logWarning(refused.message), "Refused" as const)
      )
    })
  }
}
