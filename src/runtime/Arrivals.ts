/**
 * Runs as peers brought them, decoded, put together where they follow each other, and checked by as few signatures as
 * will do: the last signature of a stretch covers all of it, so a stretch is one run under one signature.
 *
 * A stretch is of one peer, since what becomes of it is told to who brought it, and to nobody else; and it never crosses a
 * multiple of 1 024, nor the end of a run that revokes a device, where a kept signature has to stay. If a stretch's signature is bad its
 * runs are checked one by one: what comes before the first bad one is still good.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Claim, Verifier } from "../effects/Verifier.ts"
import type { FeedId } from "../identity/Id.ts"
import * as Entry from "../journal/Entry.ts"
import * as Feed from "../journal/Feed.ts"
import { runBytesMax, runEntriesMax } from "../journal/limits.ts"
import * as Request from "../journal/Request.ts"
import * as Run from "../journal/Run.ts"
import * as Intake from "./Intake.ts"
import type { Ledger } from "./Ledger.ts"
import * as Revocation from "./Revocation.ts"

/** A run as a peer brought it; the header when the receiver may not know the feed. */
export interface Delivery {
  readonly header: Uint8Array | undefined
  readonly run: Uint8Array
  /** Who brought it, among those whose runs are taken together: nobody answers for what another brought. */
  readonly source?: number
}

/** One stretch of a feed, genuine; `deliveries` = which of the deliveries it holds, by their index. */
export interface Arrival {
  readonly feed: Feed.Feed
  readonly run: Run.Run
  readonly deliveries: ReadonlyArray<number>
}

/** What can be told at once of single deliveries, and the stretches that the books have to decide about, in order. */
export interface Arrivals {
  readonly settled: ReadonlyMap<number, Intake.Outcome>
  readonly arrivals: ReadonlyArray<Arrival>
}

interface Stretch {
  readonly feed: Feed.Feed
  readonly source: number | undefined
  readonly parts: Array<{ readonly run: Run.Run; readonly delivery: number }>
  bytes: number
}

export const gather = Effect.fnUntraced(function* (
  verifier: Verifier["Service"],
  ledger: Ledger,
  deliveries: ReadonlyArray<Delivery>
): Effect.fn.Return<Arrivals> {
  const settled = new Map<number, Intake.Outcome>()
  const stretches: Array<Stretch> = []
  // the header comes with a feed's first run only, which may be in this very delivery
  const introduced = new Map<FeedId, Feed.Feed>()
  deliveries.forEach(({ header, run, source }, delivery) => {
    const decoded = Run.decode(run)
    if (Result.isFailure(decoded)) return settled.set(delivery, { _tag: "Refused", why: decoded.failure.what })
    const known = introduced.get(decoded.success.feed)
    const feed = known === undefined ? Intake.feedOf(ledger, header, decoded.success) : Result.succeed(known)
    if (Result.isFailure(feed)) return settled.set(delivery, feed.failure)
    introduced.set(feed.success.id, feed.success)
    return append(stretches, feed.success, decoded.success, delivery, source)
  })
  const genuine = yield* verify(verifier, stretches.map(claimsOf))
  const arrivals: Array<Arrival> = []
  for (let i = 0; i < stretches.length; i++) {
    const { feed, parts } = stretches[i]!
    let good = parts
    if (!genuine[i]) {
      const each = yield* verify(
        verifier,
        parts.map(({ run }) => claimsOf({ feed, parts: [{ run, delivery: 0 }] }))
      )
      const firstBad = parts.length === 1 ? 0 : each.indexOf(false)
      good = firstBad < 0 ? parts : parts.slice(0, firstBad)
      for (const { delivery } of parts.slice(good.length))
        settled.set(delivery, {
          _tag: "Refused",
          why: "a run that its feed's device did not sign, or a request in it that nobody did"
        })
    }
    if (good.length > 0)
      arrivals.push({
        feed,
        run: good.length === 1 ? good[0]!.run : Run.merge(good.map(({ run }) => run)),
        deliveries: good.map(({ delivery }) => delivery)
      })
  }
  return { settled, arrivals }
})

/** Adds a run to the stretch before it if it continues that one and the whole still is a run. */
const append = (
  stretches: Array<Stretch>,
  feed: Feed.Feed,
  run: Run.Run,
  delivery: number,
  source: number | undefined
): void => {
  const stretch = stretches[stretches.length - 1]
  const before = stretch?.parts[stretch.parts.length - 1]?.run
  if (
    stretch !== undefined &&
    before !== undefined &&
    stretch.source === source &&
    before.feed === run.feed &&
    run.first === Run.lastSeq(before) + 1 &&
    run.previous === Run.lastHash(before) &&
    run.first % runEntriesMax !== 0 &&
    Math.floor(stretch.parts[0]!.run.first / runEntriesMax) === Math.floor(Run.lastSeq(run) / runEntriesMax) &&
    stretch.bytes + run.bytes.length <= mergedBytesMax &&
    (feed.kind === "data" || !Revocation.isEnd(before))
  ) {
    stretch.parts.push({ run, delivery })
    stretch.bytes += run.bytes.length
  } else stretches.push({ feed, source, parts: [{ run, delivery }], bytes: run.bytes.length })
}

/** Encoding anew may spend some bytes more per run on first entries, which then find no base: room for that. */
const mergedBytesMax = runBytesMax / 2

const claimsOf = ({ feed, parts }: Pick<Stretch, "feed" | "parts">): ReadonlyArray<Claim> => [
  Run.claim(parts[parts.length - 1]!.run, Feed.signer(feed)),
  ...(feed.key === undefined ? [] : [Feed.keyClaim(feed, feed.key)]),
  ...parts.flatMap(({ run }) => requestClaims(feed, run))
]

/** What others signed so that the entries of a run could be written on their behalf. */
export const requestClaims = (feed: Feed.Feed, run: Run.Run): ReadonlyArray<Claim> =>
  run.bodies.flatMap((body) => {
    const entry = Entry.mayHaveRequest(body) ? Entry.decode(body) : undefined
    if (entry === undefined || Result.isFailure(entry) || entry.success.request === undefined) return []
    const operation = entry.success.facts[0]?.type ?? ""
    return Request.claim(entry.success.request, { space: feed.space, target: feed.device, operation }) ?? []
  })

const verify = Effect.fnUntraced(function* (
  verifier: Verifier["Service"],
  claims: ReadonlyArray<ReadonlyArray<Claim>>
): Effect.fn.Return<ReadonlyArray<boolean>> {
  if (claims.length === 0) return []
  const verdicts = yield* verifier.verify(claims.flat())
  let at = 0
  return claims.map((group) => {
    const from = at
    at += group.length
    return verdicts.slice(from, at).every((verdict) => verdict)
  })
})
