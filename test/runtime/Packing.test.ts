/** A full block of small runs becomes few large ones, the same ones whether its runs were at hand or read back. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import type { FeedId, SpaceId } from "../../src/identity/Id.ts"
import { runEntriesMax } from "../../src/journal/limits.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Packing from "../../src/runtime/Packing.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { alice, bring, during, founded, head, installation, runOf, say, script, set, written } from "./fixtures.ts"

/** Writes so many entries, many at a time, in one process. */
const writeMany = (replica: Replica.Replica, count: number, together: number) =>
  Effect.forEach(
    Array.from({ length: count }),
    (_, index) => replica.write(written(alice.device, set(`k${index % 97}`, `v${index}`))),
    { concurrency: together, discard: true }
  )

const storedRuns = (space: SpaceId, feed: FeedId) =>
  Effect.gen(function* () {
    const runs = yield* (yield* JournalStore).read(space, feed, 0, 10_000_000)
    return runs
      .map(({ bytes }) => Result.getOrThrow(Run.decode(bytes)))
      .map((run) => ({ first: run.first, last: Run.lastSeq(run) }))
  })

const dataFeed = (replica: Replica.Replica): FeedId =>
  [...replica.ledger().lines.values()].find(({ feed }) => feed.kind === "data")!.feed.id

describe("packing", () => {
  it.live("leaves a full block as one run, read back only by a process that did not write all of it", () =>
    Effect.gen(function* () {
      const { authority, space } = founded()
      for (const written of [[runEntriesMax + 40], [100, runEntriesMax - 60]]) {
        const on = installation(alice)
        yield* bring(on, space, runOf(authority))
        const reads: Array<number> = []
        for (const count of written) {
          yield* during(
            on,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              reads.length = 0
              yield* writeMany(replica, count, 64)
            }),
            (store) => ({
              ...store,
              read: (...asked) => {
                reads.push(asked[2])
                return store.read(...asked)
              }
            })
          )
        }
        assert.deepStrictEqual(reads, written.length === 1 ? [] : [0])
        const runs = yield* during(
          on,
          Effect.flatMap(Replica.open(space), (replica) => storedRuns(space, dataFeed(replica)))
        )
        assert.deepStrictEqual(runs[0], { first: 0, last: runEntriesMax - 1 })
      }
    })
  )

  it("keeps the runs of the block that is filling, until one is missing or they are too many", () => {
    const { authority, space } = founded()
    const feed = script(space, alice, "data")
    say(feed, { seen: [head(authority)], facts: [set("a", "1")] })
    for (let i = 1; i < 1100; i++) say(feed, { facts: [set("a", i % 50 === 0 ? "x".repeat(15_000) : "y")] })
    const run = (first: number, last: number) => Result.getOrThrow(Run.decode(runOf(feed, first, last).run))
    const noted = (...runs: ReadonlyArray<readonly [number, number]>) => {
      const block = Packing.emptyBlock()
      for (const [first, last] of runs) Packing.note(block, run(first, last))
      return [block.feed, ...block.runs.map(({ first }) => first)]
    }
    assert.deepStrictEqual(noted([0, 9], [10, 10]), [feed.feed.id, 0, 10])
    assert.deepStrictEqual(noted([10, 10], [11, 12]), [undefined])
    assert.deepStrictEqual(noted([0, 9], [11, 12]), [undefined])
    assert.deepStrictEqual(noted([0, 9], [11, 12], [13, 14]), [undefined])
    assert.deepStrictEqual(noted([0, 9], [1024, 1030]), [feed.feed.id, 1024])
    assert.deepStrictEqual(noted(...Array.from({ length: 10 }, (_, i) => [i * 50, i * 50 + 49] as const)).length, 11)
    const heavy = Array.from({ length: 40 }, () => [0, 60] as const)
    const block = Packing.emptyBlock()
    for (const [first, last] of heavy) Packing.note(block, run(first, last))
    assert.isAtMost(block.bytes, Packing.blockBytesMax)
  })
})
