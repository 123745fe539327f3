/**
 * Laws of what is dropped of a feed: whole runs before a start, and nothing else; what is left goes on as it would have.
 * A part of `journalStoreLaws`.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Commit, JournalStore, Start, StoredFeed } from "../effects/JournalStore.ts"
import {
  expectAllRefused,
  expectConflict,
  feedAt,
  firstOf,
  hashAt,
  header,
  home,
  id,
  laptop,
  law,
  noise,
  phone,
  rangesOf,
  runOf,
  text,
  type Store
} from "./JournalSample.ts"
import { entryHash, type FeedId } from "../identity/Id.ts"
import { expectSame, type Law } from "./Law.ts"

const startAt = (feed: FeedId, entries: number): Start => ({
  feed,
  header: header(feed),
  entries,
  hash: hashAt(feed, entries - 1)
})

const begin = (...starts: ReadonlyArray<Start>): Commit => ({ space: home, starts })

const keptFrom = (feed: FeedId, first: number, entries: number): StoredFeed => ({ ...feedAt(feed, entries), first })

/** Ten entries in runs of three, two, four and one. */
const written = (store: Store) =>
  store.commit(firstOf(home, phone, runOf(phone, 0, 2), runOf(phone, 3, 4), runOf(phone, 5, 8), runOf(phone, 9, 9)))

const rangesFrom = (store: Store, from: number) => Effect.map(store.read(home, phone, from, Infinity), rangesOf)

export const startLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a start drops whole runs before it, and keeps the one that holds it", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      for (const [at, first, ranges] of [
        [0, 0, ["0-2", "3-4", "5-8", "9-9"]],
        [2, 0, ["0-2", "3-4", "5-8", "9-9"]],
        [3, 3, ["3-4", "5-8", "9-9"]],
        [7, 5, ["5-8", "9-9"]],
        [4, 5, ["5-8", "9-9"]],
        [9, 9, ["9-9"]],
        [10, 10, []]
      ] as const) {
        yield* store.commit(begin(startAt(phone, at)))
        yield* expectSame(yield* store.feeds(home), [keptFrom(phone, first, 10)], `feeds from ${at}`)
        for (const from of [0, first]) yield* expectSame(yield* rangesFrom(store, from), ranges, `runs from ${from}`)
      }
    })
  ),
  law("what is kept is as it was, is read from anywhere in it, and goes on", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      yield* store.commit(begin(startAt(phone, 6)))
      yield* expectSame(yield* store.read(home, phone, 7, 1), [runOf(phone, 5, 8)], "the run that holds it")
      yield* expectSame(yield* rangesFrom(store, 9), ["9-9"], "runs from 9")
      yield* expectAllRefused(store, {
        "what was dropped": store.commit({ space: home, runs: [runOf(phone, 0, 2)] }),
        "an entry too few": store.commit({ space: home, runs: [runOf(phone, 9, 9)] })
      })
      yield* store.commit({ space: home, runs: [runOf(phone, 10, 12)] })
      yield* store.repack(home, runOf(phone, 5, 9))
      yield* expectConflict(store.repack(home, runOf(phone, 3, 9)), "packing what was dropped")
      yield* expectSame(yield* store.feeds(home), [keptFrom(phone, 5, 13)], "feeds")
      yield* expectSame(yield* rangesFrom(store, 0), ["5-9", "10-12"], "runs")
    })
  ),
  law("a feed that is unknown, empty or shorter begins at the start, behind its hash, and nowhere else", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      yield* store.commit(firstOf(home, laptop))
      for (const [feed, entries] of [
        [phone, 20],
        [laptop, 5]
      ] as const) {
        yield* store.commit(begin(startAt(feed, entries)))
        yield* expectSame(yield* store.read(home, feed, 0, Infinity), [], "nothing is kept")
        yield* expectAllRefused(store, {
          "from the beginning": store.commit({ space: home, runs: [runOf(feed, 0, 2)] }),
          "with a gap": store.commit({ space: home, runs: [runOf(feed, entries + 1, entries + 1)] }),
          "another history": store.commit({
            space: home,
            runs: [{ ...runOf(feed, entries, entries), previous: entryHash(id(9)) }]
          })
        })
        yield* store.commit({
          space: home,
          runs: [runOf(feed, entries, entries + 1), runOf(feed, entries + 2, entries + 2)]
        })
        yield* expectSame(
          (yield* store.feeds(home)).find((one) => one.feed === feed),
          keptFrom(feed, entries, entries + 3),
          "the feed"
        )
      }
    })
  ),
  law("starts come before the runs of their commit, and all of it is kept or nothing", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      const row = { name: "sealed", bytes: text("books") }
      const both = { ...begin(startAt(laptop, 7), startAt(phone, 5)), locals: [row] }
      yield* expectConflict(store.commit({ ...both, runs: [runOf(laptop, 8, 8)] }), "a run that does not follow")
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 10)], "feeds after a refusal")
      yield* expectSame(yield* store.local(home, "sealed"), Option.none(), "the row after a refusal")
      yield* store.commit({ ...both, runs: [runOf(laptop, 7, 9, noise("laptop", 40_000)), runOf(phone, 10, 10)] })
      yield* expectSame(yield* store.feeds(home), [keptFrom(phone, 5, 11), keptFrom(laptop, 7, 10)], "feeds")
      yield* expectSame(yield* store.local(home, "sealed"), Option.some(row.bytes), "the row")
    })
  ),
  law("a start that was taken, and one below it, change nothing", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      for (const at of [6, 6, 3, 0]) yield* store.commit(begin(startAt(phone, at)))
      yield* expectSame(yield* store.feeds(home), [keptFrom(phone, 5, 10)], "feeds")
      yield* store.commit(begin(startAt(phone, 30)))
      for (const at of [30, 12]) yield* store.commit(begin(startAt(phone, at)))
      yield* expectSame(yield* store.feeds(home), [keptFrom(phone, 30, 30)], "feeds that went on elsewhere")
    })
  ),
  law("what was dropped stays so: no repack puts entries there again", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      yield* store.commit(begin(startAt(phone, 6)))
      yield* expectAllRefused(store, {
        "all that was dropped": store.repack(home, runOf(phone, 0, 4)),
        "what was dropped and what is kept": store.repack(home, runOf(phone, 0, 9))
      })
    })
  ),
  law("of several starts of a feed in one commit the furthest counts, in any order", (store) =>
    Effect.gen(function* () {
      yield* written(store)
      for (const entries of [
        [9, 5],
        [5, 9]
      ]) {
        const starts = entries.map((at) => startAt(laptop, at))
        yield* expectConflict(
          store.commit({ space: home, starts, runs: [runOf(laptop, 5, 6)] }),
          "a run behind the nearer start"
        )
      }
      yield* store.commit({ ...begin(startAt(laptop, 9), startAt(laptop, 5)), runs: [runOf(laptop, 9, 9)] })
      yield* store.commit(begin(startAt(phone, 3), startAt(phone, 6)))
      yield* store.commit(begin(startAt(phone, 9), startAt(phone, 7)))
      yield* expectSame(yield* store.feeds(home), [keptFrom(phone, 9, 10), keptFrom(laptop, 9, 10)], "feeds")
      yield* expectSame(yield* rangesFrom(store, 0), ["9-9"], "runs")
    })
  )
]
