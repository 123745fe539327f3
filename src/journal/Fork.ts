/**
 * Proof that a device signed two histories of one feed: two runs that follow the same entry with different ones.
 *
 * Only bytes signed by the device can make one, so nobody can be framed. Version 1: the deterministic CBOR of
 * [1, header, run, run]; both runs are of that feed, begin at the fork, name the same hash before it, and differ in
 * their first entry; the run whose first entry has the lower hash comes first; each has its own valid signature.
 *
 * Nothing here makes or keeps one any more: every history of a feed is kept, and those are the proof (runtime/Branches.ts).
 * One that a peer brings is taken as the two runs that it holds.
 */
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import type { EntryHash } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import * as Feed from "./Feed.ts"
import * as Run from "./Run.ts"

/** Both runs begin at `at`, behind the same entry. */
export interface Fork {
  readonly feed: Feed.Feed
  /** The first position that exists twice. */
  readonly at: number
  readonly branches: readonly [Run.Run, Run.Run]
  readonly bytes: Uint8Array
}

export interface ForkMalformed {
  readonly _tag: "ForkMalformed"
  readonly what: string
}

const version = 1

/**
 * Undefined when the runs do not overlap, agree wherever they do, or parted before the first position that both hold.
 * The signatures of both are the caller's to check or to have checked.
 */
export const between = (feed: Feed.Feed, a: Run.Run, b: Run.Run): Fork | undefined => {
  if (a.feed !== feed.id || b.feed !== feed.id) return undefined
  const from = Math.max(a.first, b.first)
  const to = Math.min(Run.lastSeq(a), Run.lastSeq(b))
  if (from > to || Run.hashBefore(a, from) !== Run.hashBefore(b, from)) return undefined
  for (let at = from; at <= to; at++) {
    const order = Bytes.compare(a.hashes[at - a.first]!, b.hashes[at - b.first]!)
    if (order === 0) continue
    const branches = [Run.tail(order < 0 ? a : b, at), Run.tail(order < 0 ? b : a, at)] as const
    return { feed, at, branches, bytes: Cbor.encode([version, feed.bytes, branches[0].bytes, branches[1].bytes]) }
  }
  return undefined
}

/** Checks form, chains and contradiction; the signatures are the caller's (`claims`). */
export const decode = (bytes: Uint8Array): Result.Result<Fork, ForkMalformed> => {
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success
  if (!Array.isArray(fields) || fields.length !== 4 || fields[0] !== version) {
    return malformed(`not [${version}, header, run, run]`)
  }
  const [, header, first, second] = fields as ReadonlyArray<Cbor.Cbor>
  if (!isBytes(header) || !isBytes(first) || !isBytes(second)) return malformed(`not [${version}, header, run, run]`)
  const feed = Feed.decode(header)
  if (Result.isFailure(feed)) return malformed(feed.failure.what)
  const a = Run.decode(first)
  if (Result.isFailure(a)) return malformed(a.failure.what)
  const b = Run.decode(second)
  if (Result.isFailure(b)) return malformed(b.failure.what)
  const branches = [a.success, b.success] as const
  if (branches.some((run) => run.feed !== feed.success.id)) return malformed("a run of another feed")
  if (branches[0].first !== branches[1].first || branches[0].previous !== branches[1].previous) {
    return malformed("the two runs do not follow the same entry")
  }
  if (Bytes.compare(branches[0].hashes[0]!, branches[1].hashes[0]!) >= 0) {
    return malformed("the two runs do not differ, lower hash first, in their first entries")
  }
  return Result.succeed({ feed: feed.success, at: branches[0].first, branches, bytes })
}

/**
 * Everything that must verify before a fork counts: one signature per branch, and the device's for its feed key if it
 * has one.
 */
export const claims = (fork: Fork): ReadonlyArray<ReturnType<typeof Run.claim>> => {
  const runs = fork.branches.map((run) => Run.claim(run, Feed.signer(fork.feed)))
  return fork.feed.key === undefined ? runs : [...runs, Feed.keyClaim(fork.feed, fork.feed.key)]
}

/** Hash of the last entry that both histories share; the FeedId when they share none. */
export const hashBefore = (fork: Fork): EntryHash => fork.branches[0].previous

const isBytes = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array

const malformed = (what: string): Result.Result<never, ForkMalformed> =>
  Result.fail({ _tag: "ForkMalformed", what: `fork proof: ${what}` })
