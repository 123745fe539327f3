/**
 * A frontier says, feed by feed, how far one has a journal, and with which hash: a join-semilattice.
 *
 * Hashes are what makes two frontiers comparable: equal numbers over different histories would look like agreement. On
 * the wire a frontier is the deterministic CBOR of [[feed (32), seq, first 16 bytes of the hash]…], sorted by feed; its
 * digest is SHA-256("aura/frontier/v1" NUL ‖ those bytes), so equal journals are recognised by 32 bytes.
 *
 * Laws (test/journal/Frontier.test.ts): join is commutative, associative and idempotent on frontiers of one history, and
 * `covers(join(a, b), a)`. Where two histories of a feed conflict there is no join: that is a fork, and `conflicts` names
 * the feeds; `join` then keeps the one it was given first.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import { feedId, toBytes, type FeedId } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import { isSeq } from "./Feed.ts"
import { frontierFeedsMax } from "./limits.ts"

/** The last entry one has of a feed. `mark` = the first 16 bytes of its hash, as hexadecimal. */
export interface Head {
  readonly seq: number
  readonly mark: string
}

export type Frontier = ReadonlyMap<FeedId, Head>

/** Characters of a mark: 16 bytes. */
export const markCharacters = 32

export const empty: Frontier = new Map()

/** The mark of an entry's hash, given as 64 hexadecimal digits. */
export const mark = (hash: string): string => hash.slice(0, markCharacters)

/** Keeps the further position of each feed. */
export const join = (a: Frontier, b: Frontier): Frontier => {
  const result = new Map(a)
  for (const [feed, head] of b) {
    const known = result.get(feed)
    if (known === undefined || known.seq < head.seq) result.set(feed, head)
  }
  return result
}

/** True when everything `b` names is in `a`, as far as numbers tell. */
export const covers = (a: Frontier, b: Frontier): boolean => {
  for (const [feed, head] of b) if ((a.get(feed)?.seq ?? -1) < head.seq) return false
  return true
}

/** Feeds of which the two name the same position with different hashes: proof that somebody signed two histories. */
export const conflicts = (a: Frontier, b: Frontier): ReadonlyArray<FeedId> => {
  const feeds: Array<FeedId> = []
  for (const [feed, head] of b) {
    const known = a.get(feed)
    if (known !== undefined && known.seq === head.seq && known.mark !== head.mark) feeds.push(feed)
  }
  return feeds
}

export const toCbor = (frontier: Frontier): Cbor.Cbor =>
  [...frontier]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([feed, head]) => [toBytes(feed), head.seq, hexToBytes(head.mark)])

export const fromCbor = (value: Cbor.Cbor | undefined): Result.Result<Frontier, string> => {
  if (!Array.isArray(value)) return Result.fail("a frontier is a list")
  if (value.length > frontierFeedsMax) return Result.fail(`a frontier names at most ${frontierFeedsMax} feeds`)
  const result = new Map<FeedId, Head>()
  let before = ""
  for (const item of value as ReadonlyArray<Cbor.Cbor>) {
    if (!Array.isArray(item) || item.length !== 3) return Result.fail("a frontier lists [feed, seq, mark]")
    const [feed, seq, bytes] = item as ReadonlyArray<Cbor.Cbor>
    if (!(feed instanceof Uint8Array) || feed.length !== 32 || !isSeq(seq))
      return Result.fail("a frontier names no feed")
    if (!(bytes instanceof Uint8Array) || bytes.length !== 16) return Result.fail("a mark has 16 bytes")
    const id = feedId(feed)
    if (id <= before) return Result.fail("a frontier is sorted by feed")
    before = id
    result.set(id, { seq, mark: bytesToHex(bytes) })
  }
  return Result.succeed(result)
}

const frontierDomain = domain("aura/frontier/v1")

/** Equal for equal frontiers, whatever the order they were put together in. */
export const digest = (frontier: Frontier): Uint8Array => hash(frontierDomain, Cbor.encode(toCbor(frontier)))
