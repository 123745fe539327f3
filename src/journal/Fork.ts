/**
 * Proof that a device signed two histories of one feed: two runs that agree up to a position and differ there.
 *
 * Only bytes signed by the device can make one, so nobody can be framed. Version 1: the deterministic CBOR of
 * [1, header, run, run]; both runs are of that feed, each holds the position, each has its own valid signature. The
 * lowest position at which a feed is proved forked counts; a proof of a lower one replaces a higher one.
 */
import * as Result from "effect/Result"
import { entryHash, toBytes, type EntryHash } from "../identity/Id.ts"
import * as Cbor from "./Cbor.ts"
import * as Feed from "./Feed.ts"
import * as Run from "./Run.ts"

/** Both runs hold `at`; they have the same hash before it and different hashes at it. */
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

/** None when the runs do not overlap, or agree wherever they do. */
export const between = (feed: Feed.Feed, a: Run.Run, b: Run.Run): Fork | undefined => {
  if (a.feed !== feed.id || b.feed !== feed.id) return undefined
  const from = Math.max(a.first, b.first)
  const to = Math.min(Run.lastSeq(a), Run.lastSeq(b))
  if (from > to || !sameBytes(hashAtBefore(a, from), hashAtBefore(b, from))) return undefined
  for (let seq = from; seq <= to; seq++) {
    if (!sameBytes(a.hashes[seq - a.first]!, b.hashes[seq - b.first]!)) {
      const branches = compareBytes(a.hashes[seq - a.first]!, b.hashes[seq - b.first]!) < 0 ? ([a, b] as const) : ([b, a] as const)
      return { feed, at: seq, branches, bytes: Cbor.encode([version, feed.bytes, branches[0].bytes, branches[1].bytes]) }
    }
  }
  return undefined
}

/** Checks form, chains and overlap; the signatures are the caller's, one claim per branch (`claims`). */
export const decode = (bytes: Uint8Array): Result.Result<Fork, ForkMalformed> => {
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success
  if (!Array.isArray(fields) || fields.length !== 4 || fields[0] !== version) return malformed("not [1, header, run, run]")
  const [, header, first, second] = fields as ReadonlyArray<Cbor.Cbor>
  if (!isBytes(header) || !isBytes(first) || !isBytes(second)) return malformed("not [1, header, run, run]")
  const feed = Feed.decode(header)
  if (Result.isFailure(feed)) return malformed(feed.failure.what)
  const a = Run.decode(first)
  if (Result.isFailure(a)) return malformed(a.failure.what)
  const b = Run.decode(second)
  if (Result.isFailure(b)) return malformed(b.failure.what)
  const fork = between(feed.success, a.success, b.success)
  if (fork === undefined) return malformed("the two runs do not contradict each other")
  return Result.succeed(fork)
}

export const claims = (fork: Fork): ReadonlyArray<ReturnType<typeof Run.claim>> =>
  fork.branches.map((run) => Run.claim(run, Feed.signer(fork.feed)))

/** Hash of the last entry that both histories share; the FeedId when they share none. */
export const hashBefore = (fork: Fork): EntryHash => entryHash(hashAtBefore(fork.branches[0], fork.at))

/** Hash of the entry before `seq`, which the run holds or follows, as bytes. */
const hashAtBefore = (run: Run.Run, seq: number): Uint8Array =>
  seq === run.first ? toBytes(run.previous) : run.hashes[seq - run.first - 1]!

const isBytes = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array

const compareBytes = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && compareBytes(a, b) === 0

const malformed = (what: string): Result.Result<never, ForkMalformed> =>
  Result.fail({ _tag: "ForkMalformed", what: `fork proof: ${what}` })
