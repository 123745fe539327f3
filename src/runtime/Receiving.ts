/**
 * Runs and proofs that peers bring: sorted into what continues, what is known, what comes too early and what branches off.
 *
 * What continues is staged and stored in few commits, since one durable write is what costs. Staging ends where the
 * books have to move first: before a feed that is new here, and before each run of authority, which decides about what
 * follows. A run of data of which the books can't tell where it lies is held against what is stored (runtime/Histories.ts).
 * Every history of a feed is kept (runtime/Branches.ts): the histories themselves are what proves a fork.
 *
 * A feed of this device that comes from a peer is one this device has lost: it is stored and never continued.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { FeedId } from "../identity/Id.ts"
import type * as Branch from "../journal/Branch.ts"
import type * as Feed from "../journal/Feed.ts"
import * as Fork from "../journal/Fork.ts"
import type * as Run from "../journal/Run.ts"
import { gather, type Arrival, type Delivery } from "./Arrivals.ts"
import * as Branches from "./Branches.ts"
import * as Desk from "./Desk.ts"
import * as Histories from "./Histories.ts"
import * as Intake from "./Intake.ts"
import * as Ledger from "./Ledger.ts"
import { abandonedLocal } from "./Token.ts"

/** Takes what peers brought; one outcome for each delivery, in order. What is told as stored is durable. */
export const receiveAll = Effect.fnUntraced(function* (desk: Desk.Desk, deliveries: ReadonlyArray<Delivery>) {
  const { arrivals, settled } = yield* gather(desk.verifier, desk.folded.ledger, deliveries)
  const outcomes: Array<Intake.Outcome> = new Array(deliveries.length)
  for (const [delivery, outcome] of settled) outcomes[delivery] = outcome
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
    for (const { branch, feed, fork, runs } of stretches) {
      const line = Branches.lineOf(desk.folded.ledger, feed, branch, fork)
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
    const { branches, lines } = desk.folded.ledger
    const isNew = !staged.has(one.run.feed) && !lines.has(one.run.feed)
    if (isNew || one.feed.kind === "authority" || branches.has(one.run.feed)) yield* flush()
    const ahead = staged.get(one.run.feed)
    let fit = Intake.fit(desk.folded.ledger, one.feed, one.run, ahead?.runs.at(-1))
    if (fit._tag === "Unclear") {
      yield* flush()
      fit = yield* find(desk, one)
    }
    if (fit._tag === "Continues") {
      const { branch, end, fork, run } = fit
      const stretch = staged.get(branch?.id ?? one.feed.id)
      if (stretch === undefined) staged.set(branch?.id ?? one.feed.id, { feed: one.feed, branch, fork, runs: [run] })
      else stretch.runs.push(run)
      if (one.feed.device === desk.keys.device) desk.abandoned.add(one.feed.id)
      tellAll({ _tag: "Stored", ...end })
    } else tellAll(fit)
  }
  yield* flush()
  return outcomes
})

/** Runs about to be stored that follow each other. */
interface Staged {
  readonly feed: Feed.Feed
  readonly branch: Branch.Branch | undefined
  readonly fork: Branches.Fork | undefined
  readonly runs: Array<Run.Run>
}

/** How a run fits by what the store has of its feed. */
const find = Effect.fnUntraced(function* (desk: Desk.Desk, { feed, run }: Arrival) {
  const place = yield* Histories.place(desk.store, desk.folded.ledger, feed, run)
  if (place !== undefined) return Intake.fitAt(desk.folded.ledger, feed, run, place)
  const from = Math.max(0, run.first - Math.max(1, run.bodies.length))
  return { _tag: "Detached", feed: feed.id, from, first: run.first } as const
})

/** Takes the two histories that prove a fork. False: it proves nothing, or nothing new. */
export const proveOne = Effect.fnUntraced(function* (desk: Desk.Desk, proof: Uint8Array) {
  const fork = Fork.decode(proof)
  if (Result.isFailure(fork) || fork.success.feed.space !== desk.space) return false
  const genuine = yield* desk.verifier.verify(Fork.claims(fork.success))
  if (!genuine.every((good) => good)) return false
  const header = fork.success.feed.bytes
  const outcomes = yield* receiveAll(
    desk,
    fork.success.branches.map((run, source) => ({ header, run: run.bytes, source }))
  )
  return outcomes.some(({ _tag }) => _tag === "Stored")
})
