/**
 * Laws of feeds and runs: what is read back, what a commit and a repack refuse, and that a refusal leaves everything
 * as it was. A part of `journalStoreLaws`.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { JournalStore, Commit, StoredRun } from "../effects/JournalStore.ts"
import { feedId } from "../identity/Id.ts"
import {
  alice,
  expectAllRefused,
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
  resultOf,
  runOf,
  server,
  text,
  work
} from "./JournalSample.ts"
import { expectSame, type Law } from "./Law.ts"

export const readLaws: ReadonlyArray<Law<JournalStore>> = [
  law("an empty store has no spaces, and of an unknown space there is nothing", (store) =>
    Effect.gen(function* () {
      yield* expectSame(yield* store.spaces, [], "spaces")
      yield* expectSame(yield* store.feeds(home), [], "feeds")
      yield* expectSame(yield* store.read(home, phone, 0, 1_000), [], "runs")
      yield* expectSame(yield* store.local(home, "token"), Option.none(), "the row")
      yield* expectSame(yield* store.result(home, alice, "key"), Option.none(), "the result")
    })
  ),
  law("what was committed is found again, byte for byte", (store) =>
    Effect.gen(function* () {
      const runs = [runOf(phone, 0, 2), runOf(phone, 3, 3), runOf(phone, 4, 9)]
      yield* store.commit(firstOf(home, phone, ...runs.slice(0, 2)))
      yield* store.commit({ space: home, runs: runs.slice(2) })
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 10)], "feeds")
      yield* expectSame(yield* store.read(home, phone, 0, Infinity), runs, "runs")
    })
  ),
  law("a feed without entries has its own id as its hash", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone))
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 0)], "feeds")
      yield* expectSame(yield* store.read(home, phone, 0, 1_000), [], "runs")
    })
  ),
  law("spaces come in the order of their first commit, empty commits included", (store) =>
    Effect.gen(function* () {
      yield* store.commit({ space: home })
      yield* store.commit(firstOf(work, laptop))
      yield* store.commit(firstOf(home, phone))
      yield* expectSame(yield* store.spaces, [home, work], "spaces")
    })
  ),
  law("feeds come in the order of their first commit, and naming a known one again changes nothing", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone, runOf(phone, 0, 0)))
      yield* store.commit({ space: home, feeds: [laptop, server].map((feed) => ({ feed, header: header(feed) })) })
      const again = { feed: phone, header: text("another header") }
      yield* store.commit({ space: home, feeds: [again, again], runs: [runOf(phone, 1, 1)] })
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 2), feedAt(laptop, 0), feedAt(server, 0)], "feeds")
    })
  ),
  law("spaces do not meet, even where they use the same names", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit({
        ...firstOf(home, phone, runOf(phone, 0, 4)),
        locals: [{ name: "token", bytes: text("of home") }],
        results: [resultOf("key", atMillis)]
      })
      yield* store.commit(firstOf(work, phone, runOf(phone, 0, 0, text("of work"))))
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 5)], "feeds of home")
      yield* expectSame(yield* store.feeds(work), [feedAt(phone, 1)], "feeds of work")
      yield* expectSame(yield* store.read(work, phone, 0, 1_000), [runOf(phone, 0, 0, text("of work"))], "runs of work")
      yield* expectSame(yield* store.local(work, "token"), Option.none(), "the row of work")
      yield* expectSame(yield* store.result(work, alice, "key"), Option.none(), "the result of work")
    })
  ),
  law("a read begins with the run that holds the entry asked for, and after the last entry there is nothing", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone, runOf(phone, 0, 2), runOf(phone, 3, 3), runOf(phone, 4, 9)))
      for (const [from, ranges] of [
        [0, ["0-2", "3-3", "4-9"]],
        [2, ["0-2", "3-3", "4-9"]],
        [3, ["3-3", "4-9"]],
        [4, ["4-9"]],
        [7, ["4-9"]],
        [9, ["4-9"]],
        [10, []],
        [11, []]
      ] as const) {
        yield* expectSame(rangesOf(yield* store.read(home, phone, from, Infinity)), ranges, `read from ${from}`)
      }
      yield* expectSame(yield* store.read(home, laptop, 0, Infinity), [], "runs of an unknown feed")
    })
  ),
  law("a read hands out whole runs, at least one, and none after its limit of bytes is reached", (store) =>
    Effect.gen(function* () {
      const runs = [0, 1, 2].map((seq) => runOf(phone, seq, seq, noise(`run ${seq}`, 100)))
      yield* store.commit(firstOf(home, phone, ...runs))
      for (const [bytesMax, count] of [
        [0, 1],
        [1, 1],
        [100, 1],
        [101, 2],
        [200, 2],
        [201, 3],
        [1_000_000, 3]
      ] as const) {
        const read = yield* store.read(home, phone, 0, bytesMax)
        yield* expectSame(read, runs.slice(0, count), `read of ${bytesMax} bytes`)
      }
    })
  ),
  law("runs of any bytes and any size up to 256 KiB come back whole", (store) =>
    Effect.gen(function* () {
      const sizes = [1, 31, 257, 4_095, 4_096, 65_537, 256 * 1024]
      const plain = sizes.map((size) => new Uint8Array(size))
      const mixed = sizes.map((size) => Uint8Array.from({ length: size }, (_, index) => (index * 7) % 256))
      const random = sizes.map((size) => noise(`size ${size}`, size))
      const runs = [...plain, ...mixed, ...random].map((bytes, seq) => runOf(phone, seq, seq, bytes))
      yield* store.commit(firstOf(home, phone, ...runs))
      for (const run of runs) {
        yield* expectSame(yield* store.read(home, phone, run.first, 0), [run], `run of ${run.bytes.length} bytes`)
      }
    })
  )
]

export const commitLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a run that does not continue its feed is a conflict and leaves the store as it was", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone, runOf(phone, 0, 4), runOf(phone, 5, 9)))
      const attempt = (run: StoredRun) => store.commit({ space: home, runs: [run] })
      yield* expectAllRefused(store, {
        "a gap": attempt(runOf(phone, 11, 12)),
        "an overlap": attempt(runOf(phone, 9, 12)),
        "a repetition": attempt(runOf(phone, 5, 9)),
        "a beginning anew": attempt(runOf(phone, 0, 0)),
        "another previous hash": attempt({ ...runOf(phone, 10, 10), previous: hashAt(phone, 3) }),
        "an unknown feed": attempt(runOf(laptop, 0, 0)),
        "a feed of another space": store.commit({ space: work, runs: [runOf(phone, 10, 10)] }),
        "a range that ends before it begins": attempt({ ...runOf(phone, 10, 9), hash: hashAt(phone, 10) })
      })
    })
  ),
  law("the first run of a feed names the feed's id as the hash before it", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone))
      yield* expectAllRefused(store, {
        "a first run with another hash before it": store.commit({
          space: home,
          runs: [{ ...runOf(phone, 0, 0), previous: hashAt(laptop, -1) }]
        })
      })
      yield* store.commit({ space: home, runs: [runOf(phone, 0, 0)] })
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 1)], "feeds")
    })
  ),
  law("of a commit with one bad run nothing is kept", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit(firstOf(home, phone, runOf(phone, 0, 0)))
      const bad: Commit = {
        space: home,
        feeds: [{ feed: laptop, header: header(laptop) }],
        runs: [runOf(laptop, 0, 3), runOf(phone, 1, 1), runOf(laptop, 5, 6)],
        locals: [{ name: "token", bytes: text("token") }],
        results: [resultOf("key", atMillis)]
      }
      yield* expectAllRefused(store, {
        "a commit with one bad run": store.commit(bad),
        "the same in a new space": store.commit({ ...bad, space: work })
      })
      yield* expectSame(yield* store.local(home, "token"), Option.none(), "the row")
      yield* expectSame(yield* store.result(home, alice, "key"), Option.none(), "the result")
      yield* expectSame(yield* store.spaces, [home], "spaces")
    })
  ),
  law("runs of several feeds in one commit each continue their own feed", (store) =>
    Effect.gen(function* () {
      yield* store.commit({
        space: home,
        feeds: [phone, laptop].map((feed) => ({ feed, header: header(feed) })),
        runs: [runOf(phone, 0, 1), runOf(laptop, 0, 0), runOf(phone, 2, 2), runOf(laptop, 1, 5)]
      })
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 3), feedAt(laptop, 6)], "feeds")
      yield* expectSame(rangesOf(yield* store.read(home, laptop, 0, Infinity)), ["0-0", "1-5"], "runs")
    })
  ),
  law("of concurrent commits that continue the same entry one succeeds and the others conflict", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone))
      const contenders = Array.from({ length: 8 }, (_, index) =>
        store.commit({ space: home, runs: [runOf(phone, 0, index, text(`contender ${index}`))] })
      )
      const exits = yield* Effect.all(contenders.map(Effect.exit), { concurrency: "unbounded" })
      const winner = exits.findIndex(Exit.isSuccess)
      yield* expectSame(exits.filter(Exit.isSuccess).length, 1, "commits that succeeded")
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, winner + 1)], "feeds")
      yield* expectSame(
        yield* store.read(home, phone, 0, Infinity),
        [runOf(phone, 0, winner, text(`contender ${winner}`))],
        "runs"
      )
    })
  ),
  law("concurrent commits of different feeds are all kept", (store) =>
    Effect.gen(function* () {
      const feeds = Array.from({ length: 16 }, (_, index) => feedId(id(index)))
      yield* Effect.forEach(feeds, (feed) => store.commit(firstOf(home, feed, runOf(feed, 0, 3))), {
        concurrency: "unbounded"
      })
      const stored = yield* store.feeds(home)
      yield* expectSame(new Map(stored.map((feed) => [feed.feed, feed.entries])).size, feeds.length, "number of feeds")
      for (const feed of stored) yield* expectSame(feed, feedAt(feed.feed, 4), "feed")
    })
  )
]

export const repackLaws: ReadonlyArray<Law<JournalStore>> = [
  law("repacking puts one run in place of those whose entries it holds, and the feed goes on from there", (store) =>
    Effect.gen(function* () {
      const singles = Array.from({ length: 8 }, (_, seq) => runOf(phone, seq, seq))
      yield* store.commit(firstOf(home, phone, ...singles))
      yield* store.repack(home, runOf(phone, 2, 4, text("the middle")))
      yield* expectSame(
        rangesOf(yield* store.read(home, phone, 0, Infinity)),
        ["0-0", "1-1", "2-4", "5-5", "6-6", "7-7"],
        "runs after repacking the middle"
      )
      yield* store.repack(home, runOf(phone, 0, 7, text("everything")))
      yield* store.commit({ space: home, runs: [runOf(phone, 8, 8)] })
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 9)], "feeds")
      const packed = [runOf(phone, 0, 7, text("everything")), runOf(phone, 8, 8)]
      yield* expectSame(yield* store.read(home, phone, 3, Infinity), packed, "runs after repacking everything")
      yield* store.repack(home, runOf(phone, 0, 7, text("everything, written better")))
      yield* expectSame(
        yield* store.read(home, phone, 0, 0),
        [runOf(phone, 0, 7, text("everything, written better"))],
        "a run put in place of itself"
      )
    })
  ),
  law("repacking refuses other ranges and other hashes, and leaves the store as it was", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone, runOf(phone, 0, 2), runOf(phone, 3, 5), runOf(phone, 6, 8)))
      yield* expectAllRefused(store, {
        "a beginning inside a run": store.repack(home, runOf(phone, 1, 5)),
        "an end inside a run": store.repack(home, runOf(phone, 0, 4)),
        "a range past the last entry": store.repack(home, runOf(phone, 6, 9)),
        "a range after the last entry": store.repack(home, runOf(phone, 9, 9)),
        "a range that ends before it begins": store.repack(home, runOf(phone, 3, 2)),
        "another previous hash": store.repack(home, { ...runOf(phone, 3, 8), previous: hashAt(phone, 0) }),
        "another hash at its end": store.repack(home, { ...runOf(phone, 0, 5), hash: hashAt(phone, 8) }),
        "an unknown feed": store.repack(home, runOf(laptop, 0, 2)),
        "a feed of another space": store.repack(work, runOf(phone, 0, 2))
      })
      yield* expectSame(yield* store.spaces, [home], "spaces")
    })
  )
]
