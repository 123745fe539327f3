/**
 * The law of the books: the same set of entries gives the same state, authority, waiting and quarantine, in whatever
 * order and portions it came, whatever came twice, and when the process ended in between.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Redacted from "effect/Redacted"
import * as Effect from "effect/Effect"
import type { SpaceId } from "../../src/identity/Id.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Checkpoint from "../../src/runtime/Checkpoint.ts"
import * as Token from "../../src/runtime/Token.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  account,
  bob,
  during,
  entriesOf,
  founded,
  head,
  installation,
  keysOf,
  revoke,
  right,
  runOf,
  say,
  script,
  set,
  type Script
} from "./fixtures.ts"
import { dice, history, type Dice, type History } from "./histories.ts"

/** Some entries of one branch, as a peer may hold them. */
interface Portion {
  readonly of: Script
  readonly first: number
  readonly last: number
}

/** All entries in random portions, some of them twice, in random order. */
const portions = ({ scripts }: History, { roll, shuffled }: Dice): Array<Portion> => {
  const result: Array<Portion> = []
  const longest = 1 + roll(8)
  for (const of of scripts) {
    for (let first = 0; first < of.entries.length;) {
      const last = Math.min(of.entries.length - 1, first + roll(longest))
      result.push({ of, first, last })
      if (roll(4) === 0) result.push({ of, first: roll(first + 1), last })
      first = last + 1
    }
  }
  return shuffled(result)
}

const deliveries = new WeakMap<Script, Map<number, Delivery>>()

/** A portion as a run; each is signed once. */
const signed = ({ first, last, of }: Portion): Delivery => {
  const known = deliveries.get(of) ?? new Map<number, Delivery>()
  deliveries.set(of, known)
  const delivery = known.get(first * 1024 + last) ?? runOf(of, first, last)
  known.set(first * 1024 + last, delivery)
  return delivery
}

/** Brings the portions to a replica, again and again as sync would, until a whole round brings nothing new. */
const deliver = (replica: Replica.Replica, pool: ReadonlyArray<Portion>, { roll }: Dice) =>
  Effect.gen(function* () {
    let left = [...pool]
    for (let isNews = true; isNews;) {
      isNews = false
      const next: Array<Portion> = []
      while (left.length > 0) {
        const batch = left.splice(0, 1 + roll(4))
        const outcomes = yield* replica.receive(batch.map(signed))
        for (let i = 0; i < batch.length; i++) {
          const outcome = outcomes[i]!
          const portion = batch[i]!
          if (outcome._tag === "Refused") assert.fail(`refused: ${outcome.why}`)
          if (outcome._tag === "Stored") isNews = true
          if (outcome._tag === "Unwanted") next.push(portion)
          if (outcome._tag === "Detached") {
            const first = Math.min(portion.first, outcome.from)
            if (first < portion.first) left.unshift({ ...portion, first })
            else next.push(portion)
          }
        }
      }
      left = next
    }
  })

/** A device that is no member: it can't admit itself by accident. */
const observer = keysOf(77)

/** What a stranger's replica makes of a history in one random order; half of them are opened anew on the way. */
const told = (of: History, seed: number) =>
  Effect.gen(function* () {
    const chance = dice(seed)
    const on = installation(observer)
    const all = portions(of, chance)
    // few entries lie between two rungs, so that what is overturned is folded from the ladder; some have none
    const rungs = { rungEntriesMin: [1, 2, 5, Number.POSITIVE_INFINITY][chance.roll(4)]! }
    if (chance.roll(3) > 0) {
      const some = all.slice(0, chance.roll(all.length + 1))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(of.space, rungs)
          yield* deliver(replica, some, chance)
          const checkpoint = Checkpoint.encode(replica.ledger())
          if (checkpoint === undefined || chance.roll(4) === 0) return
          const store = yield* JournalStore
          const key = (yield* Token.read(on.secrets, of.space))!.checkpointKey
          const row = Checkpoint.seal(Redacted.value(key), checkpoint)
          yield* store.commit({ space: of.space, locals: [{ name: Checkpoint.checkpointRow, bytes: row }] })
        })
      )
    }
    const live = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(of.space, rungs)
        yield* deliver(replica, all, chance)
        assert.deepStrictEqual(replica.damage(), [])
        return account(replica.ledger())
      })
    )
    const reopened = yield* during(
      on,
      Effect.map(Replica.open(of.space), (replica) => account(replica.ledger()))
    )
    assert.deepStrictEqual(reopened, live, "reopened")
    on.clock.millis += 3 * 3_600_000
    const later = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(of.space)
        yield* deliver(replica, all, chance)
        return account(replica.ledger())
      })
    )
    return { live, later }
  })

describe("the books of a replica", () => {
  it("are the same whatever the order, the portions, the repetitions and the interruptions", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 50 }), async (seed, steps) => {
        const of = history(seed, steps)
        const first = await Effect.runPromise(told(of, seed + 1))
        for (let order = 2; order < 4; order++) {
          const other = await Effect.runPromise(told(of, seed + order))
          assert.deepStrictEqual(other, first, `order ${order}`)
        }
      }),
      { numRuns: 300, seed: 7 }
    )
  }, 300_000)

  it.live("end a feed where a later feed of its device closes it, whichever came first", () =>
    Effect.gen(function* () {
      const { authority, data, next, space } = closing()
      for (const order of [
        [data, next],
        [next, data]
      ]) {
        const { live, reopened } = yield* brought(space, [runOf(authority), ...order.map((of) => runOf(of))])
        assert.deepStrictEqual(live, { old: "1", new: "1" })
        assert.deepStrictEqual(reopened, live)
      }
    })
  )

  it.live("let a thief close nothing: a feed behind the cut does not take back what stands before it", () =>
    Effect.gen(function* () {
      const { admitted, authority, data, next, space } = closing()
      const admission = runOf(authority)
      say(authority, { facts: [revoke(bob.device, admitted, [head(data)])] })
      for (const deliveries of [
        [admission, runOf(data), runOf(next), runOf(authority)],
        [runOf(authority), runOf(next), runOf(data)]
      ]) {
        const { live, reopened } = yield* brought(space, deliveries)
        assert.deepStrictEqual(live, { old: "3" })
        assert.deepStrictEqual(reopened, live)
      }
    })
  )
})

/** Bob wrote three entries, then a feed that closes the first one behind its first entry. */
const closing = () => {
  const { authority, space } = founded([[bob, right("*", 1)]])
  const data = script(space, bob, "data")
  for (const value of ["1", "2", "3"])
    say(data, { facts: [set("old", value)], seen: value === "1" ? [head(authority)] : [] })
  const next = script(space, bob, "data", { nonce: 1, closes: head(data, 0) })
  say(next, { facts: [set("new", "1")], seen: [head(authority)] })
  return { admitted: head(authority), authority, data, next, space }
}

/** The entries after these deliveries, and after a restart. */
const brought = (space: SpaceId, runs: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const on = installation(observer)
    const live = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(space)
        for (const run of runs) yield* replica.receive([run])
        return entriesOf(replica)
      })
    )
    return { live, reopened: yield* during(on, Effect.map(Replica.open(space), entriesOf)) }
  })
