/**
 * Runs and proofs that peers bring: sorted into what continues, what is known, what comes too early and what contradicts.
 *
 * What continues is staged and stored in few commits, since one durable write is what costs. Staging ends where the
 * books have to move first: before a feed that is new here, and before each run of authority, which decides about what
 * follows. A run that contradicts what the store has is held against it: two histories of one feed are a proof, which is
 * kept before anyone is told.
 *
 * A feed of this device that comes from a peer is one this device has lost: it is stored and never continued.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { FeedId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Feed from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import * as Run from "../journal/Run.ts"
import { gather, type Delivery } from "./Arrivals.ts"
import * as Desk from "./Desk.ts"
import { forks, forksRow } from "./Fold.ts"
import * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import { abandonedLocal } from "./Token.ts"

/** Takes what peers brought; one outcome for each delivery, in order. What is told as stored is durable. */
export const receiveAll = Effect.fnUntraced(function* (desk: Desk.Desk, deliveries: ReadonlyArray<Delivery>) {
  const { arrivals, settled } = yield* gather(desk.verifier, desk.folded.ledger, deliveries)
  const outcomes: Array<Intake.Outcome> = new Array(deliveries.length)
  for (const [delivery, outcome] of settled) outcomes[delivery] = outcome
  const proofs: Array<Uint8Array> = []
  const staged = new Map<FeedId, Array<Run.Run>>()
  const stagedFeeds = new Map<FeedId, Feed.Feed>()

  const flush = Effect.fnUntraced(function* () {
    if (staged.size === 0) return
    const runs = [...staged.values()].flat()
    const isOwn = [...stagedFeeds.values()].some((feed) => feed.device === desk.keys.device)
    yield* Desk.commit(desk, {
      feeds: [...stagedFeeds.values()].map((feed) => ({ feed: feed.id, header: feed.bytes })),
      runs: runs.map(Intake.stored),
      locals: isOwn ? [abandonedLocal(desk.abandoned)] : []
    })
    for (const run of runs)
      Ledger.take(desk.folded.ledger, Ledger.lineOf(desk.folded.ledger, stagedFeeds.get(run.feed)!), run)
    staged.clear()
    stagedFeeds.clear()
    yield* Desk.settle(desk, true)
  })

  for (const one of arrivals) {
    const tellAll = (outcome: Intake.Outcome): void => {
      for (const delivery of one.deliveries) outcomes[delivery] = outcome
    }
    // what was staged decides how this one fits: the same feed's end, and the authority that admits its device
    const pendingOfFeed = staged.get(one.run.feed)
    const isNew = pendingOfFeed === undefined && !desk.folded.ledger.lines.has(one.run.feed)
    if (isNew || one.feed.kind === "authority") yield* flush()
    const ahead = staged.get(one.run.feed)
    const end = ahead === undefined ? undefined : ahead[ahead.length - 1]
    const fit = Intake.fit(desk.folded.ledger, one.feed, one.run, end)
    if (fit._tag === "Continues") {
      stagedFeeds.set(one.feed.id, one.feed)
      staged.set(one.feed.id, [...(ahead ?? []), fit.run])
      if (one.feed.device === desk.keys.device) desk.abandoned.add(one.feed.id)
      tellAll({
        _tag: "Stored",
        feed: one.feed.id,
        seq: Run.lastSeq(fit.run),
        mark: Run.lastHash(fit.run).slice(0, 32)
      })
    } else if (fit._tag === "Contradicts") {
      yield* flush()
      const outcome = yield* compare(desk, one.feed, one.run)
      if (outcome._tag === "Forked") proofs.push(outcome.proof)
      tellAll(outcome)
    } else tellAll(fit)
  }
  yield* flush()
  if (proofs.length > 0) yield* Desk.settle(desk, false, proofs)
  return outcomes
})

/** Takes a proof that a feed has two histories. False: it proves nothing, or nothing new. */
export const proveOne = Effect.fnUntraced(function* (desk: Desk.Desk, proof: Uint8Array) {
  const fork = Fork.decode(proof)
  if (Result.isFailure(fork) || fork.success.feed.space !== desk.space) return false
  const known = desk.folded.ledger.forks.get(fork.success.feed.id)
  if (known !== undefined && known.seq < fork.success.at) return false
  if (
    !desk.folded.ledger.lines.has(fork.success.feed.id) &&
    Ledger.limitOf(desk.folded.ledger, fork.success.feed).seq < 0
  )
    return false
  const { feed } = fork.success
  const keyClaims = feed.key === undefined ? [] : [Feed.keyClaim(feed, feed.key)]
  const genuine = yield* desk.verifier.verify([...Fork.claims(fork.success), ...keyClaims])
  if (!genuine.every((good) => good)) return false
  const isNews = yield* keepFork(desk, fork.success)
  yield* Desk.settle(desk, false, isNews ? [proof] : [])
  return isNews
})

/** Holds a run against what the store has of the same stretch: known, two histories, or apart even earlier. */
const compare = Effect.fnUntraced(function* (desk: Desk.Desk, feed: Feed.Feed, run: Run.Run) {
  const last = Run.lastSeq(run)
  for (let from = run.first; from <= last;) {
    const [one] = yield* desk.store.read(desk.space, feed.id, from, 1)
    const own = one === undefined ? undefined : Run.decode(one.bytes)
    if (own === undefined || Result.isFailure(own)) break
    const fork = Fork.between(feed, own.success, run)
    if (fork !== undefined) {
      yield* keepFork(desk, fork)
      return { _tag: "Forked", feed: feed.id, at: fork.at, proof: fork.bytes } satisfies Intake.Outcome
    }
    from = Run.lastSeq(own.success) + 1
    const same = own.success.hashes[last - own.success.first]
    if (same !== undefined && sameBytes(same, run.hashes[run.hashes.length - 1]!))
      return {
        _tag: "Known",
        feed: feed.id,
        seq: last,
        mark: Run.lastHash(run).slice(0, 32)
      } satisfies Intake.Outcome
  }
  return {
    _tag: "Detached",
    feed: feed.id,
    from: Math.max(0, run.first - Math.max(1, run.bodies.length))
  } satisfies Intake.Outcome
})

/** Keeps a proof durably, beside those of other feeds, and freezes the feed. True when this is news. */
const keepFork = Effect.fnUntraced(function* (desk: Desk.Desk, fork: Fork.Fork) {
  const others = (yield* forks(desk.store, desk.space)).known.filter(
    (known) => known.feed.id !== fork.feed.id || known.at < fork.at
  )
  yield* Desk.commit(desk, {
    locals: [{ name: forksRow, bytes: Cbor.encode([...others, fork].map((known) => known.bytes)) }]
  })
  return Ledger.noteFork(desk.folded.ledger, fork)
})

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, i) => byte === b[i])
