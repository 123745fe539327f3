/**
 * What lies in a replica's store, decoded: the evidence that checkers start from, instead of the replica's own books.
 *
 * Reading takes the bytes as they are: a feed ends where its runs stop to chain. Authority entries come decoded as the
 * oracle wants them, data entries with what they change.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import { entryHash, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Entry from "../journal/Entry.ts"
import * as Branch from "../journal/Branch.ts"
import * as Feed from "../journal/Feed.ts"
import * as Genesis from "../journal/Genesis.ts"
import * as Run from "../journal/Run.ts"
import type { AuthorityEntry } from "../trust/Authority.ts"
import * as Fact from "../trust/Fact.ts"

export interface DataEntry {
  readonly feed: Feed.Feed
  readonly seq: number
  readonly time: number
  readonly hash: EntryHash
  readonly previousHash: EntryHash
  /** The feed, or the branch of it that this is stored under. */
  readonly line: FeedId
  readonly body: Entry.Body
}

export interface Records {
  readonly authority: ReadonlyArray<AuthorityEntry>
  readonly data: ReadonlyArray<DataEntry>
  readonly genesis: Genesis.Genesis | undefined
}

/** Everything of a space, feed by feed in the order of the store, entries in the order of their feeds. */
export const read = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId
): Effect.fn.Return<Records, JournalStoreError> {
  const authority: Array<AuthorityEntry> = []
  const data: Array<DataEntry> = []
  for (const stored of yield* store.feeds(space)) {
    const { branch, feed } = Result.getOrThrow(Branch.decodeNamed(stored.header))
    let previousHash = branch?.previous ?? entryHash(Feed.origin(feed))
    for (const { bytes } of yield* store.read(space, stored.feed, 0, Number.MAX_SAFE_INTEGER)) {
      const run = Result.getOrThrow(Run.decode(bytes))
      for (const [index, hash] of run.hashes.entries()) {
        const at = { feed, seq: run.first + index, time: run.times[index]!, hash: entryHash(hash) }
        const body = Entry.decode(run.bodies[index]!)
        if (feed.kind === "authority") authority.push({ ...at, previousHash, ...authorityParts(body) })
        else if (Result.isSuccess(body)) data.push({ ...at, previousHash, line: stored.feed, body: body.success })
        previousHash = at.hash
      }
    }
  }
  return { authority, data, genesis: genesisOf(authority, space) }
})

const authorityParts = (body: ReturnType<typeof Entry.decode>): Pick<AuthorityEntry, "facts" | "seen"> =>
  Result.isFailure(body)
    ? { seen: [], facts: [] }
    : { seen: body.success.seen, facts: body.success.facts.map((fact) => Fact.decode(fact)) }

const genesisOf = (entries: ReadonlyArray<AuthorityEntry>, space: SpaceId): Genesis.Genesis | undefined => {
  for (const { facts } of entries) {
    const [first] = facts
    if (first?._tag !== "Create") continue
    const genesis = Genesis.decode(first.genesis)
    if (Result.isSuccess(genesis) && genesis.success.space === space) return genesis.success
  }
  return undefined
}
