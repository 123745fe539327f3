/**
 * A branch: what one history of a forked feed has from a position on where another history goes on differently.
 *
 * All histories of a feed are kept: of authority, for a restriction earned on any of them stands (trust/Authority.ts); of
 * data, for any of them may be settled on. Each part behind a fork goes by an id of its own, in frontiers, on the wire
 * and in stores, as if it were a feed whose entries are counted from the fork; its entries and runs stay what they are,
 * entries of the feed.
 *
 * Header of a branch: the deterministic CBOR of
 *   [2, header of the feed (bytes, journal/Feed.ts), at, previous (32), first (32)]
 *     at        the position at which the histories part; the branch begins with its own entry there
 *     previous  hash of the last entry that they share; the FeedId when `at` is 0
 *     first     hash of the branch's own entry at `at`
 * Id = SHA-256("aura/branch/v1" NUL ‖ header). It is the same wherever it is found out, from whichever side. A header
 * alone proves nothing: a branch exists for us from its first verified run.
 */
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import { entryHash, feedId, toBytes, type EntryHash, type FeedId } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import * as Feed from "./Feed.ts"

export interface Branch {
  readonly id: FeedId
  /** The header as hashed. */
  readonly bytes: Uint8Array
  readonly of: Feed.Feed
  readonly at: number
  readonly previous: EntryHash
  readonly first: EntryHash
}

/** What a header in a store or of a peer names: a feed, or a branch of one. */
export interface Named {
  readonly feed: Feed.Feed
  readonly branch: Branch | undefined
}

const branchDomain = domain("aura/branch/v1")
const version = 2

/** The branch of a feed that begins with `first` at `at`. */
export const make = (of: Feed.Feed, at: number, previous: EntryHash, first: EntryHash): Branch => {
  const bytes = Cbor.encode([version, of.bytes, at, toBytes(previous), toBytes(first)])
  return { id: feedId(hash(branchDomain, bytes)), bytes, of, at, previous, first }
}

/** Reads the header of a feed or of a branch. */
export const decodeNamed = (bytes: Uint8Array): Result.Result<Named, Feed.FeedMalformed> => {
  if (!isBranch(bytes)) return Result.map(Feed.decode(bytes), (feed) => ({ feed, branch: undefined }))
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success as ReadonlyArray<Cbor.Cbor>
  const [, header, at, previous, first] = fields
  if (fields.length !== 5 || !(header instanceof Uint8Array) || !Feed.isSeq(at) || !isHash(previous) || !isHash(first))
    return malformed(`not [${version}, header, at, previous, first]`)
  const feed = Feed.decode(header)
  if (Result.isFailure(feed)) return Result.fail(feed.failure)
  if (at === 0 && entryHash(previous) !== (feed.success.id as string)) return malformed("it begins at 0 behind another")
  const branch = make(feed.success, at, entryHash(previous), entryHash(first))
  return Result.succeed({ feed: feed.success, branch })
}

/** The name under which a feed or branch is stored and told of. */
export const idOf = ({ branch, feed }: Named): FeedId => branch?.id ?? feed.id

/** An array of five whose first is the version. */
const isBranch = (bytes: Uint8Array): boolean => bytes[0] === 0x85 && bytes[1] === version

const isHash = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array && value.length === 32

const malformed = (what: string): Result.Result<never, Feed.FeedMalformed> =>
  Result.fail({ _tag: "FeedMalformed", what: `branch header: ${what}` })
