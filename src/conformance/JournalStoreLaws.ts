/**
 * What every journal store promises (effects/JournalStore.ts), as data: any handler is checked with the same lists.
 *
 * Each law wants a store, or a place for one, that was empty before it began. To a store runs are opaque bytes, so the
 * runs in here are no runs at all; only their range and hashes are in order. Two promises are sharper here than the
 * contract's words: a commit that repeats a (requester, key) of its space fails with `JournalConflict` and keeps
 * nothing, whatever the rest says; and a key is free again once the new result is at least 24 hours younger than the
 * stored one, whether or not the store had forgotten it by then.
 *
 * Not in here: kill -9, torn writes, flipped bytes. Those need a process or a disk to break, and belong to the tests
 * of each handler.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import {
  JournalStore,
  type Commit,
  type JournalStoreError,
  type StoredFeed,
  type StoredResult,
  type StoredRun
} from "../effects/JournalStore.ts"
import { domain, hash, hashBytes } from "../identity/Hash.ts"
import {
  deviceId,
  entryHash,
  feedId,
  spaceId,
  toBytes,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../identity/Id.ts"
import { expect, expectFailure, expectSame, type LawBroken, type Law } from "./Law.ts"

/** Where a durable store lives: every opening opens the same one, and its scope's end closes it. */
export class JournalPlace extends Context.Service<
  JournalPlace,
  { readonly open: Effect.Effect<JournalStore["Service"], JournalStoreError, Scope.Scope> }
>()("aura/conformance/JournalPlace") {}

type Store = JournalStore["Service"]

const law = (name: string, check: (store: Store) => Effect.Effect<void, unknown>): Law<JournalStore> => ({
  name,
  check: Effect.flatMap(JournalStore, check)
})

const placeLaw = (
  name: string,
  check: (open: JournalPlace["Service"]["open"]) => Effect.Effect<void, unknown>
): Law<JournalPlace> => ({ name, check: Effect.flatMap(JournalPlace, ({ open }) => check(open)) })

const id = (fill: number): Uint8Array => new Uint8Array(hashBytes).fill(fill)
const [home, work] = [spaceId(id(0x20)), spaceId(id(0x10))]
/** Named in an order that is not the order of their ids. */
const [phone, laptop, server] = [feedId(id(0xcc)), feedId(id(0xaa)), feedId(id(0xbb))]
const [alice, bob] = [deviceId(id(0x0a)), deviceId(id(0x0b))]

const encoder = new TextEncoder()
const text = (characters: string): Uint8Array => encoder.encode(characters)
const header = (feed: FeedId): Uint8Array => text(`header of ${feed}`)
const lawTag = domain("aura/conformance/journal-store")

/** Bytes that do not compress, the same for the same seed. */
const noise = (seed: string, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let block = hash(lawTag, text(seed))
  for (let at = 0; at < length; at += hashBytes) {
    bytes.set(block.subarray(0, Math.min(hashBytes, length - at)), at)
    block = hash(lawTag, block)
  }
  return bytes
}

const hashAt = (feed: FeedId, seq: number): EntryHash =>
  entryHash(seq < 0 ? toBytes(feed) : hash(lawTag, toBytes(feed), text(String(seq))))

const runOf = (feed: FeedId, first: number, last: number, bytes?: Uint8Array): StoredRun => ({
  feed,
  first,
  last,
  previous: hashAt(feed, first - 1),
  hash: hashAt(feed, last),
  bytes: bytes ?? text(`entries ${first} to ${last} of ${feed}`)
})

const firstOf = (space: SpaceId, feed: FeedId, ...runs: ReadonlyArray<StoredRun>): Commit => ({
  space,
  feeds: [{ feed, header: header(feed) }],
  runs
})

const feedAt = (feed: FeedId, entries: number): StoredFeed => ({
  feed,
  header: header(feed),
  entries,
  hash: hashAt(feed, entries - 1)
})

const resultOf = (key: string, atMillis: number, requester = alice): StoredResult => ({
  requester,
  key,
  payload: hash(lawTag, text(key)),
  result: text(`result of ${key}`),
  atMillis
})

const dayMillis = 24 * 60 * 60 * 1000

const rangesOf = (runs: ReadonlyArray<StoredRun>): ReadonlyArray<string> =>
  runs.map(({ first, last }) => `${first}-${last}`)

/** Everything that the store says about feeds and runs. */
const contents = (store: Store): Effect.Effect<unknown, JournalStoreError> =>
  Effect.flatMap(store.spaces, (spaces) =>
    Effect.forEach(spaces, (space) =>
      Effect.flatMap(store.feeds(space), (feeds) =>
        Effect.forEach(feeds, (feed) =>
          Effect.map(store.read(space, feed.feed, 0, Infinity), (runs) => ({ space, feed, runs }))
        )
      )
    )
  )

const expectConflict = (effect: Effect.Effect<void, JournalStoreError>, what: string) =>
  expectFailure(effect, ({ reason }) => reason._tag === "JournalConflict", what)

/** Each of these is refused as a conflict and leaves feeds and runs as they were. */
const expectAllRefused = (
  store: Store,
  attempts: Readonly<Record<string, Effect.Effect<void, JournalStoreError>>>
): Effect.Effect<void, LawBroken | JournalStoreError> =>
  Effect.gen(function* () {
    const before = yield* contents(store)
    for (const [what, attempt] of Object.entries(attempts)) {
      yield* expectConflict(attempt, what)
      yield* expectSame(yield* contents(store), before, `the store after ${what}`)
    }
  })

const readLaws: ReadonlyArray<Law<JournalStore>> = [
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
      const sizes = [0, 1, 31, 257, 4_095, 4_096, 65_537, 256 * 1024]
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

const commitLaws: ReadonlyArray<Law<JournalStore>> = [
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

/** A buffer that shares its memory with every slice of it, as Node's own do. */
class SharingBytes extends Uint8Array<ArrayBuffer> {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return this.subarray(start, end)
  }
}

const sharing = (bytes: Uint8Array): SharingBytes => {
  const copy = new SharingBytes(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

const ownershipLaws: ReadonlyArray<Law<JournalStore>> = [
  law("buffers passed in are not kept: changing them afterwards changes nothing", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const given = [header(phone), text("run"), text("row"), text("payload"), text("result")].map(sharing)
      const [head, run, row, payload, result] = given
      if (!head || !run || !row || !payload || !result) return
      yield* store.commit({
        space: home,
        feeds: [{ feed: phone, header: head }],
        runs: [runOf(phone, 0, 0, run)],
        locals: [{ name: "row", bytes: row }],
        results: [{ ...resultOf("key", atMillis), payload, result }]
      })
      for (const bytes of given) bytes.fill(0xff)
      yield* expectSame(yield* store.feeds(home), [feedAt(phone, 1)], "feeds")
      yield* expectSame(yield* store.read(home, phone, 0, 0), [runOf(phone, 0, 0, text("run"))], "runs")
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("row")), "the row")
      const kept = { ...resultOf("key", atMillis), payload: text("payload"), result: text("result") }
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(kept), "the result")
      const repacked = sharing(text("repacked"))
      yield* store.repack(home, runOf(phone, 0, 0, repacked))
      repacked.fill(0xff)
      yield* expectSame(yield* store.read(home, phone, 0, 0), [runOf(phone, 0, 0, text("repacked"))], "repacked runs")
    })
  ),
  law("buffers handed out belong to the caller: changing them changes nothing", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit({
        ...firstOf(home, phone, runOf(phone, 0, 0), runOf(phone, 1, 1)),
        locals: [{ name: "row", bytes: text("row") }],
        results: [resultOf("key", atMillis)]
      })
      const handedOut = Effect.gen(function* () {
        const feeds = yield* store.feeds(home)
        const runs = yield* store.read(home, phone, 0, Infinity)
        const row = yield* store.local(home, "row")
        const result = yield* store.result(home, alice, "key")
        return {
          all: { feeds, runs, row, result },
          buffers: [
            ...feeds.map((feed) => feed.header),
            ...runs.map((run) => run.bytes),
            ...Option.toArray(row),
            ...Option.toArray(result).flatMap(({ payload, result }) => [payload, result])
          ]
        }
      })
      for (const bytes of (yield* handedOut).buffers) bytes.fill(0xff)
      yield* expectSame(
        (yield* handedOut).all,
        {
          feeds: [feedAt(phone, 2)],
          runs: [runOf(phone, 0, 0), runOf(phone, 1, 1)],
          row: Option.some(text("row")),
          result: Option.some(resultOf("key", atMillis))
        },
        "what is handed out next"
      )
    })
  )
]

const repackLaws: ReadonlyArray<Law<JournalStore>> = [
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
        "a range that ends before it begins": store.repack(home, { ...runOf(phone, 3, 5), last: 2 }),
        "another previous hash": store.repack(home, { ...runOf(phone, 3, 8), previous: hashAt(phone, 0) }),
        "another hash at its end": store.repack(home, { ...runOf(phone, 0, 5), hash: hashAt(phone, 8) }),
        "an unknown feed": store.repack(home, runOf(laptop, 0, 2)),
        "a feed of another space": store.repack(work, runOf(phone, 0, 2))
      })
      yield* expectSame(yield* store.spaces, [home], "spaces")
    })
  )
]

const rowLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a row of a space is put, replaced and removed; the last word of a commit counts", (store) =>
    Effect.gen(function* () {
      const put = (...locals: NonNullable<Commit["locals"]>) => store.commit({ space: home, locals })
      yield* put(
        { name: "absent", bytes: null },
        { name: "row", bytes: text("one") },
        { name: "empty", bytes: text("") }
      )
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("one")), "the row put")
      yield* expectSame(yield* store.local(home, "empty"), Option.some(text("")), "the empty row")
      yield* put({ name: "row", bytes: text("two") })
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("two")), "the row replaced")
      yield* put({ name: "row", bytes: null }, { name: "row", bytes: text("three") }, { name: "empty", bytes: null })
      yield* expectSame(yield* store.local(home, "row"), Option.some(text("three")), "the row put last")
      yield* expectSame(yield* store.local(home, "empty"), Option.none(), "the row removed")
      const large = noise("row", 256 * 1024)
      yield* put({ name: "row", bytes: large })
      yield* expectSame(yield* store.local(home, "row"), Option.some(large), "the large row")
    })
  ),
  law("names and keys that differ in any character are different", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const names = ["", "a", "A", "a ", "a\0", "a\0b", "é", "e\u0301", "%", "_", "'", "🦀", "1", "01"]
      yield* store.commit({
        space: home,
        locals: names.map((name) => ({ name, bytes: text(`row ${name}`) })),
        results: names.map((name) => resultOf(name, atMillis))
      })
      for (const name of names) {
        yield* expectSame(
          yield* store.local(home, name),
          Option.some(text(`row ${name}`)),
          `row ${JSON.stringify(name)}`
        )
        const result = yield* store.result(home, alice, name)
        yield* expectSame(result, Option.some(resultOf(name, atMillis)), `result ${JSON.stringify(name)}`)
      }
    })
  ),
  law("a result is found by its requester and key", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const [ofAlice, ofBob] = [
        resultOf("key", atMillis),
        { ...resultOf("key", atMillis, bob), result: text("of Bob") }
      ]
      yield* store.commit({ space: home, results: [ofAlice, ofBob] })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(ofAlice), "the result of Alice")
      yield* expectSame(yield* store.result(home, bob, "key"), Option.some(ofBob), "the result of Bob")
      yield* expectSame(yield* store.result(home, bob, "another"), Option.none(), "the result of another key")
    })
  ),
  law("a commit that uses a key again is a conflict, and nothing of it is kept", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const first = resultOf("key", atMillis)
      yield* store.commit({ ...firstOf(home, phone, runOf(phone, 0, 0)), results: [first] })
      const again = (results: ReadonlyArray<StoredResult>) =>
        store.commit({
          space: home,
          runs: [runOf(phone, 1, 1)],
          locals: [{ name: "row", bytes: text("row") }],
          results
        })
      yield* expectAllRefused(store, {
        "the same result again": again([first]),
        "another payload": again([{ ...first, payload: text("another"), atMillis: atMillis + dayMillis - 1 }]),
        "a used key beside a free one": again([resultOf("free", atMillis), resultOf("key", atMillis)]),
        "one free key twice": again([resultOf("free", atMillis), resultOf("free", atMillis)]),
        "no run at all": store.commit({ space: home, results: [first] })
      })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(first), "the result")
      yield* expectSame(yield* store.result(home, alice, "free"), Option.none(), "the result of the free key")
      yield* expectSame(yield* store.local(home, "row"), Option.none(), "the row")
    })
  ),
  law("a key is free again a day later", (store) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      yield* store.commit({ space: home, results: [resultOf("key", atMillis)] })
      const later = { ...resultOf("key", atMillis + dayMillis), result: text("the result of the next day") }
      yield* store.commit({ space: home, results: [later] })
      yield* expectSame(yield* store.result(home, alice, "key"), Option.some(later), "the result")
    })
  )
]

/** For every handler; a fresh store for each. */
export const journalStoreLaws: ReadonlyArray<Law<JournalStore>> = [
  ...readLaws,
  ...commitLaws,
  ...ownershipLaws,
  ...repackLaws,
  ...rowLaws
]

/** For handlers that keep things longer than one opening; a fresh place for each. */
export const journalPlaceLaws: ReadonlyArray<Law<JournalPlace>> = [
  placeLaw("a store opened again has everything, in the same order", (open) =>
    Effect.gen(function* () {
      const atMillis = yield* Clock.currentTimeMillis
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.commit(firstOf(home, phone, runOf(phone, 0, 2), runOf(phone, 3, 4), runOf(phone, 5, 5)))
          yield* store.commit(firstOf(work, laptop))
          yield* store.commit(firstOf(home, laptop, runOf(laptop, 0, 0, noise("laptop", 70_000))))
          yield* store.repack(home, runOf(phone, 0, 4))
          yield* store.commit({
            space: home,
            locals: [{ name: "row", bytes: text("row") }],
            results: [resultOf("key", atMillis)]
          })
          return yield* contents(store)
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* expectSame(yield* contents(store), before, "the store opened again")
          yield* expectSame(yield* store.local(home, "row"), Option.some(text("row")), "the row")
          yield* expectSame(
            yield* store.result(home, alice, "key"),
            Option.some(resultOf("key", atMillis)),
            "the result"
          )
          yield* expectAllRefused(store, {
            "a stale continuation": store.commit({ space: home, runs: [runOf(phone, 5, 5)] })
          })
          yield* store.commit({ space: home, runs: [runOf(phone, 6, 6)] })
          yield* expectSame(
            yield* store.feeds(home),
            [feedAt(phone, 7), feedAt(laptop, 1)],
            "feeds after going on from there"
          )
        })
      )
    })
  ),
  placeLaw("a refused commit is not there after opening again either", (open) =>
    Effect.gen(function* () {
      const commit: Commit = {
        ...firstOf(home, phone, runOf(phone, 0, 0)),
        locals: [{ name: "row", bytes: text("row") }]
      }
      yield* Effect.scoped(
        Effect.flatMap(open, (store) =>
          expectConflict(
            store.commit({ ...commit, runs: [...(commit.runs ?? []), runOf(phone, 2, 2)] }),
            "a bad commit"
          )
        )
      )
      const spaces = yield* Effect.scoped(Effect.flatMap(open, (store) => store.spaces))
      yield* expectSame(spaces, [], "spaces")
    })
  ),
  placeLaw("a store is open once: a second opener is told so and the first goes on", (open) =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open
          yield* store.commit(firstOf(home, phone, runOf(phone, 0, 0)))
          for (const opening of ["second", "third"]) {
            yield* expectFailure(
              Effect.scoped(Effect.flatMap(open, (other) => other.spaces)),
              ({ reason }) => reason._tag === "JournalLocked",
              `a ${opening} opening`
            )
          }
          yield* store.commit({ space: home, runs: [runOf(phone, 1, 1)] })
        })
      )
      const feeds = yield* Effect.scoped(Effect.flatMap(open, (store) => store.feeds(home)))
      yield* expectSame(feeds, [feedAt(phone, 2)], "feeds")
    })
  ),
  placeLaw("a closed store refuses instead of answering", (open) =>
    Effect.gen(function* () {
      const store = yield* Effect.scoped(open)
      const isUnavailable = ({ reason }: JournalStoreError) => reason._tag === "JournalUnavailable"
      yield* expectFailure(store.spaces, isUnavailable, "reading")
      yield* expectFailure(store.commit({ space: home }), isUnavailable, "committing")
    })
  )
]

/** For a store that has room for 64 KiB to 8 MiB; a fresh one for each. */
export const fullJournalLaws: ReadonlyArray<Law<JournalStore>> = [
  law("a full store keeps nothing of the commit that did not fit, and everything before it", (store) =>
    Effect.gen(function* () {
      yield* store.commit(firstOf(home, phone))
      const runBytes = 32 * 1024
      const fill = (seq: number): Effect.Effect<number, JournalStoreError | LawBroken> =>
        Effect.matchEffect(store.commit(firstOf(work, laptop, runOf(laptop, seq, seq, noise(`${seq}`, runBytes)))), {
          onSuccess: () => fill(seq + 1),
          onFailure: (error) =>
            Effect.as(expect(error.reason._tag === "JournalFull", `a commit without room: ${error.message}`), seq)
        })
      const fitted = yield* fill(0)
      yield* expect(fitted > 0 && fitted <= 256, `room for ${fitted} runs of ${runBytes} bytes`)
      yield* expectSame(yield* store.feeds(work), [feedAt(laptop, fitted)], "feeds when full")
      const runs = yield* store.read(work, laptop, 0, Infinity)
      for (const [seq, run] of runs.entries()) {
        yield* expectSame(run, runOf(laptop, seq, seq, noise(`${seq}`, runBytes)), `run ${seq} when full`)
      }
      yield* expectSame(runs.length, fitted, "number of runs when full")
      yield* store.repack(work, runOf(laptop, 0, fitted - 1, text("much smaller")))
      yield* store.commit({ space: work, runs: [runOf(laptop, fitted, fitted, noise("again", runBytes))] })
      yield* expectSame(yield* store.feeds(work), [feedAt(laptop, fitted + 1)], "feeds after making room")
    })
  )
]
