/**
 * Runs and proofs that peers bring: sorted into what continues, what is known, what comes too early and what contradicts.
 *
 * What continues is staged and stored in few commits, since one durable write is what costs. Staging ends where the
 * books have to move first: before a feed that is new here, and before each run of authority, which decides about what
 * follows. A run of data that contradicts what the store has is held against it: two histories of one feed are a proof,
 * which is kept before anyone is told. Of authority feeds every history is kept (runtime/Branches.ts).
 *
 * A feed of this device that comes from a peer is one this device has lost: it is stored and never continued.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../identity/Bytes.ts"
import type { FeedId } from "../identity/Id.ts"
import type * as Branch from "../journal/Branch.ts"
import * as Cbor from "../journal/Cbor.ts"
import * as Feed from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import * as Run from "../journal/Run.ts"
import { gather, type Delivery } from "./Arrivals.ts"
import * as Branches from "./Branches.ts"
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
  const staged = new Map<FeedId, Staged>()

  const flush = Effect.fnUntraced(function* () {
    if (staged.size === 0) return
    const stretches = [...staged.values()]
    const isOwn = stretches.some(({ feed }) => feed.device === desk.keys.device)
    yield* Desk.commit(desk, {
      feeds: stretches.map(({ branch, feed }) =>
        branch === undefined ? { feed: feed.id, header: feed.bytes } : { feed: branch.id, header: branch.bytes }
      ),
      runs: stretches.flatMap(({ branch, runs }) => runs.map((run) => Intake.stored(run, branch))),
      locals: isOwn ? [abandonedLocal(desk.abandoned)] : []
    })
    for (const { branch, feed, runs } of stretches) {
      const line = Branches.lineOf(desk.folded.ledger, feed, branch)
      for (const run of runs) Ledger.take(desk.folded.ledger, line, run)
    }
    staged.clear()
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
    const fit = Intake.fit(desk.folded.ledger, one.feed, one.run, ahead?.runs.at(-1))
    if (fit._tag === "Continues") {
      const { branch, end, run } = fit
      if (ahead === undefined) staged.set(branch?.id ?? one.feed.id, { feed: one.feed, branch, runs: [run] })
      else ahead.runs.push(run)
      if (one.feed.device === desk.keys.device) desk.abandoned.add(one.feed.id)
      tellAll({ _tag: "Stored", ...end })
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

/** Runs about to be stored that follow each other. */
interface Staged {
  readonly feed: Feed.Feed
  readonly branch: Branch.Branch | undefined
  readonly runs: Array<Run.Run>
}

/** Takes a proof that a feed has two histories. False: it proves nothing, or nothing new. */
export const proveOne = Effect.fnUntraced(function* (desk: Desk.Desk, proof: Uint8Array) {
  const fork = Fork.decode(proof)
  if (Result.isFailure(fork) || fork.success.feed.space !== desk.space) return false
  if (fork.success.feed.kind === "authority") {
    const header = fork.success.feed.bytes
    const outcomes = yield* receiveAll(
      desk,
      fork.success.branches.map((run, source) => ({ header, run: run.bytes, source }))
    )
    return outcomes.some(({ _tag }) => _tag === "Stored")
  }
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
    if (same !== undefined && Bytes.isSame(same, run.hashes[run.hashes.length - 1]!))
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
    from: Math.max(0, run.first - Math.max(1, run.bodies.length)),
    first: run.first
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
