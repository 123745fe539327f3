/**
 * The SQLite journal keeps every law of journal stores. Below them: what only files and processes can do to it, which
 * are kill -9, flipped bytes, strangers' files and openings while it is open.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import {
  fullJournalLaws,
  JournalPlace,
  journalPlaceLaws,
  journalStoreLaws
} from "../../src/conformance/JournalStoreLaws.ts"
import type { JournalStore, JournalStoreError, StoredRun } from "../../src/effects/JournalStore.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { deviceId, entryHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"
import { entriesOf, wholeAfter } from "./journalWriter.ts"

/** Hands over the path of a journal in a fresh directory, which goes afterwards. */
const atFreshPath = <A, E>(check: (path: string) => Effect.Effect<A, E>, parent = tmpdir()): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(parent, "aura-journal-"))),
    (directory) => check(join(directory, "journal")),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
  )

const withStore = <A, E>(path: string, use: (store: JournalStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(SqliteJournal.make({ path }), use))

describe("SqliteJournal", () => {
  for (const { name, check } of journalStoreLaws) {
    it.effect(name, () => atFreshPath((path) => Effect.provide(check, SqliteJournal.layer({ path }))))
  }
  for (const { name, check } of journalPlaceLaws) {
    it.effect(name, () =>
      atFreshPath((path) => Effect.provide(check, Layer.succeed(JournalPlace, { open: SqliteJournal.make({ path }) })))
    )
  }
  for (const { name, check } of fullJournalLaws) {
    it.effect(name, () =>
      atFreshPath((path) => Effect.provide(check, SqliteJournal.layer({ path, limitBytes: 512 * 1024 })))
    )
  }
})

const filled = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const [home, work] = [spaceId(filled(1)), spaceId(filled(2))]
const [phone, laptop] = [feedId(filled(0xa1)), feedId(filled(0xb1))]
const alice = deviceId(filled(9))
const hashAt = (feed: typeof phone, seq: number) =>
  entryHash(seq < 0 ? toBytes(feed) : filled((toBytes(feed)[0] ?? 0) + seq))
const runOf = (feed: typeof phone, first: number, last: number, length: number): StoredRun => ({
  feed,
  first,
  last,
  previous: hashAt(feed, first - 1),
  hash: hashAt(feed, last),
  bytes: Uint8Array.from({ length }, (_, index) => (index * index + first + (toBytes(feed)[0] ?? 0)) % 41)
})

const fill = (store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    const header = filled(7)
    yield* store.commit({ space: home, feeds: [{ feed: phone, header }], runs: [runOf(phone, 0, 2, 40)] })
    yield* store.commit({
      space: home,
      // the long one is stored deflated, the others as they are
      runs: [runOf(phone, 3, 3, 900), runOf(phone, 4, 6, 9_000)],
      locals: [{ name: "token", bytes: filled(3) }],
      results: [{ requester: alice, key: "key", payload: filled(4), result: filled(5), atMillis: 0 }]
    })
    yield* store.commit({ space: work, feeds: [{ feed: laptop, header }], runs: [runOf(laptop, 0, 0, 10)] })
  })

const everything = (store: JournalStore["Service"]) =>
  Effect.all({
    spaces: store.spaces,
    feedsOfHome: store.feeds(home),
    feedsOfWork: store.feeds(work),
    runsOfPhone: store.read(home, phone, 0, Infinity),
    lastRunOfPhone: store.read(home, phone, 5, 0),
    runsOfLaptop: store.read(work, laptop, 0, Infinity),
    token: store.local(home, "token"),
    noToken: store.local(work, "token"),
    result: store.result(home, alice, "key"),
    noResult: store.result(home, alice, "another")
  })

/** Goes on where `fill` ended, with every kind of write. */
const goOn = (store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    yield* store.commit({
      space: home,
      runs: [runOf(phone, 7, 7, 2_500)],
      locals: [{ name: "token", bytes: filled(8) }],
      results: [{ requester: alice, key: "next", payload: filled(4), result: filled(5), atMillis: 0 }]
    })
    yield* store.repack(home, runOf(phone, 0, 3, 700))
  })

/** Memory, where there is a file system for it: thousands of openings need no disk under them. */
const scratch = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

/** Writes the file anew with one byte changed, by one bit or by all of them, and asks `use` what it sees. */
const withFlippedByte = <A>(
  path: string,
  intact: Buffer,
  offset: number,
  use: (store: JournalStore["Service"]) => Effect.Effect<A, JournalStoreError>
): Effect.Effect<string> =>
  Effect.suspend(() => {
    const damaged = Buffer.from(intact)
    damaged[offset] = (intact[offset] ?? 0) ^ (offset % 3 === 0 ? 0xff : 1 << (offset % 8))
    rmSync(`${path}-wal`, { force: true })
    writeFileSync(path, damaged)
    return Effect.match(withStore(path, use), {
      onSuccess: () => "right",
      onFailure: ({ reason }) => reason._tag
    })
  })

const count = (outcomes: ReadonlyArray<string>, name: string): number =>
  outcomes.filter((outcome) => outcome === name).length

/** Changes the file behind the store's back, in ways that leave it sound for SQLite. */
const damagedBy = (sql: string, where: string, use: typeof everything | typeof nothing = everything) =>
  atFreshPath((path) =>
    Effect.gen(function* () {
      yield* withStore(path, fill)
      const database = new DatabaseSync(path)
      database.exec(sql)
      database.close()
      const { reason } = yield* Effect.flip(withStore<unknown, JournalStoreError>(path, use))
      assert.strictEqual(reason._tag, "JournalCorrupt")
      assert.include(reason.message, where)
    })
  )

/** For what is noticed by opening alone. */
const nothing = () => Effect.void

describe("a damaged SqliteJournal", () => {
  // as many stores as the file has bytes: the only test for which a busy machine takes more than a minute
  it.effect(
    "fails with a typed error or has the right data, whichever byte of the file is flipped",
    () =>
      atFreshPath(
        (path) =>
          Effect.gen(function* () {
            const before = yield* withStore(path, (store) => Effect.andThen(fill(store), everything(store)))
            const intact = readFileSync(path)
            const after = yield* withStore(path, (store) => Effect.andThen(goOn(store), everything(store)))
            const isPadding = (offset: number) =>
              intact.subarray(Math.max(0, offset - 8), offset + 8).every((byte) => byte === 0)

            const outcomes: Array<string> = []
            for (const offset of intact.keys()) {
              const outcome = yield* withFlippedByte(path, intact, offset, (store) =>
                Effect.gen(function* () {
                  assert.deepStrictEqual(yield* everything(store), before, `byte ${offset}, before writing`)
                  if (isPadding(offset)) return
                  yield* goOn(store)
                  assert.deepStrictEqual(yield* everything(store), after, `byte ${offset}, after writing`)
                })
              )
              outcomes.push(outcome)
            }
            assert.isAbove(count(outcomes, "JournalCorrupt"), 1_000)
            const known = ["right", "JournalCorrupt", "JournalTooNew", "JournalUnavailable"]
            assert.deepStrictEqual(
              outcomes.filter((outcome) => !known.includes(outcome)),
              []
            )
          }),
        scratch
      ),
    180_000
  )

  it.effect("does so too when its tables are trees of several pages", () =>
    atFreshPath(
      (path) =>
        Effect.gen(function* () {
          const spaces = Array.from({ length: 60 }, (_, index) => spaceId(filled(index + 1)))
          const feeds = Array.from({ length: 30 }, (_, index) => feedId(filled(index + 1)))
          const names = Array.from({ length: 40 }, (_, index) => `row ${index}`)
          const all = (store: JournalStore["Service"]) =>
            Effect.all({
              spaces: store.spaces,
              feeds: store.feeds(home),
              runs: Effect.forEach(feeds, (feed) => store.read(home, feed, 0, Infinity)),
              rows: Effect.forEach(names, (name) => store.local(home, name)),
              results: Effect.forEach(names, (name) => store.result(home, alice, name))
            })
          yield* withStore(path, (store) =>
            Effect.gen(function* () {
              for (const space of spaces) yield* store.commit({ space })
              for (const feed of feeds) {
                const runs = [runOf(feed, 0, 0, 1_500), runOf(feed, 1, 1, 900), runOf(feed, 2, 4, 2_000)]
                yield* store.commit({ space: home, feeds: [{ feed, header: filled(7) }], runs })
              }
              yield* store.commit({
                space: home,
                locals: names.map((name) => ({ name, bytes: filled(3) })),
                results: names.map((key) => ({
                  requester: alice,
                  key,
                  payload: filled(4),
                  result: filled(5),
                  atMillis: 0
                }))
              })
            })
          )
          const intact = readFileSync(path)
          const before = yield* withStore(path, all)
          // The schema and the roots (which only point at pages here), and a sample of the rest.
          const roots = [...intact.subarray(0, 6 * 2048).keys()].filter((offset) => intact[offset] !== 0)
          const sample = Array.from(
            { length: 400 },
            (_, index) => 6 * 2048 + ((index * 7_919) % (intact.length - 6 * 2048))
          )
          const outcomes: Array<string> = []
          for (const offset of [...roots, ...sample]) {
            const outcome = yield* withFlippedByte(path, intact, offset, (store) =>
              Effect.map(all(store), (found) => assert.deepStrictEqual(found, before, `byte ${offset}`))
            )
            outcomes.push(outcome)
          }
          assert.isAbove(count(outcomes, "JournalCorrupt"), 500)
        }),
      scratch
    )
  )

  for (const [what, sql, where] of [
    ["the last run of a feed", "DELETE FROM runs WHERE last = 6", `feed ${phone}`],
    ["all runs of a feed", "DELETE FROM runs WHERE place < 8589934592", `feed ${phone}`],
    ["a run before the last", "DELETE FROM runs WHERE last = 3", "entry 3: the run of entries 0 to 2 is found instead"],
    ["the first run", "DELETE FROM runs WHERE last = 2", `feed ${phone}, entry 0`],
    ["a space", "DELETE FROM spaces WHERE number = 2", "rows"],
    ["a table", "DROP TABLE locals", "schema"]
  ] as const) {
    it.effect(`notices the loss of ${what}`, () =>
      damagedBy(sql, where, where.includes("entry") ? everything : nothing)
    )
  }
  for (const [what, sql, where] of [
    ["ends at another entry", "UPDATE runs SET last = 5 WHERE last = 6", `feed ${phone}`],
    ["has another hash at its end", "UPDATE runs SET hash = zeroblob(32) WHERE last = 6", `feed ${phone}`],
    ["has another hash inside", "UPDATE runs SET hash = zeroblob(32) WHERE last = 2", `feed ${phone}, entry 0`],
    ["begins elsewhere", "UPDATE runs SET place = place + 1 WHERE last = 6", `feed ${phone}, entry 4`],
    ["lies in another feed", "UPDATE runs SET place = 8589934595 WHERE last = 6", `feed ${phone}`],
    ["belongs to another space", "UPDATE feeds SET space = 2 WHERE space = 1", `feed ${phone}`],
    ["lies in no space", "UPDATE locals SET space = 3", "rows"],
    ["has another type", "UPDATE runs SET plainBytes = 70000000000 WHERE last = 6", `feed ${phone}, entry 4`],
    ["has one column more", "ALTER TABLE locals ADD COLUMN note BLOB", "schema"]
  ] as const) {
    it.effect(`notices when something ${what}`, () =>
      damagedBy(sql, where, where.includes("entry") ? everything : nothing)
    )
  }

  for (const [what, sql, where] of [
    ["what stands for dropped runs is gone", "DELETE FROM runs WHERE length(bytes) = 0", `feed ${phone}, entry 0`],
    ["more is said to be dropped than was", "UPDATE runs SET last = 3 WHERE length(bytes) = 0", "what was dropped"],
    ["less is said to be dropped than was", "UPDATE runs SET last = 1 WHERE length(bytes) = 0", "what was dropped"],
    [
      "what was dropped ended with another hash",
      "UPDATE runs SET hash = zeroblob(32) WHERE length(bytes) = 0",
      "what was dropped"
    ],
    ["the first run that is kept is gone", "DELETE FROM runs WHERE last = 3", `feed ${phone}, entry 3`],
    ["all runs that are kept are gone", "DELETE FROM runs WHERE last > 2 AND place < 8589934592", `feed ${phone}`]
  ] as const) {
    it.effect(`that was pruned notices when ${what}`, () =>
      atFreshPath((path) =>
        Effect.gen(function* () {
          const start = { feed: phone, header: filled(7), entries: 3, hash: hashAt(phone, 2) }
          yield* withStore(path, (store) => Effect.andThen(fill(store), store.commit({ space: home, starts: [start] })))
          const database = new DatabaseSync(path)
          database.exec(sql)
          database.close()
          const { reason } = yield* Effect.flip(Effect.asVoid(withStore(path, everything)))
          assert.strictEqual(reason._tag, "JournalCorrupt", reason.message)
          assert.include(reason.message, where)
        })
      )
    )
  }

  it.effect("names the feed and the entry", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        yield* withStore(path, fill)
        const bytes = readFileSync(path)
        const stored = runOf(laptop, 0, 0, 10).bytes
        bytes.writeUInt8(0xee, bytes.indexOf(stored) + 4)
        writeFileSync(path, bytes)
        yield* withStore(path, (store) =>
          Effect.gen(function* () {
            assert.lengthOf(yield* store.read(home, phone, 0, Infinity), 3)
            const { reason } = yield* Effect.flip(store.read(work, laptop, 0, Infinity))
            assert.strictEqual(reason._tag, "JournalCorrupt")
            assert.include(reason.message, `feed ${laptop}, entry 0`)
          })
        )
      })
    )
  )
})

describe("a SqliteJournal that a commit failed in", () => {
  it.effect("goes on where each feed was before it", () =>
    atFreshPath((path) =>
      withStore(path, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          const next = runOf(phone, 7, 7, 50)
          const { reason } = yield* Effect.flip(store.commit({ space: home, runs: [next, runOf(phone, 9, 9, 50)] }))
          assert.strictEqual(reason._tag, "JournalConflict")
          yield* store.commit({ space: home, runs: [next] })
          assert.strictEqual((yield* store.feeds(home))[0]?.entries, 8)
        })
      )
    )
  )
})

describe("the file of a SqliteJournal", () => {
  const openingFails = (path: string) => Effect.map(Effect.flip(withStore(path, everything)), ({ reason }) => reason)

  it.effect("is readable by its owner alone, and so is its log", () =>
    atFreshPath((path) =>
      withStore(path, (store) =>
        Effect.map(fill(store), () => {
          assert.strictEqual(statSync(path).mode & 0o777, 0o600)
          assert.strictEqual(statSync(`${path}-wal`).mode & 0o777, 0o600)
        })
      )
    )
  )

  it.effect("is left as it was when it is somebody else's", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        const database = new DatabaseSync(path)
        database.exec("CREATE TABLE mine(a); INSERT INTO mine VALUES (1)")
        database.close()
        const before = readFileSync(path)
        assert.strictEqual((yield* openingFails(path))._tag, "JournalCorrupt")
        assert.deepStrictEqual(readFileSync(path), before)

        writeFileSync(path, "these are my notes\n".repeat(100))
        assert.strictEqual((yield* openingFails(path))._tag, "JournalCorrupt")
      })
    )
  )

  it.effect("of a newer format is refused, with both numbers", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        yield* withStore(path, fill)
        const database = new DatabaseSync(path)
        database.exec("PRAGMA user_version=2")
        database.close()
        const reason = yield* openingFails(path)
        assert.deepInclude(reason, { _tag: "JournalTooNew", where: path, found: 2, known: 1 })
      })
    )
  )

  it.effect("can't be made in a directory that is not there", () =>
    atFreshPath((path) =>
      Effect.map(openingFails(join(path, "journal")), (reason) => assert.strictEqual(reason._tag, "JournalUnavailable"))
    )
  )

  it.effect("can be opened after its creation was cut off", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        const database = new DatabaseSync(path)
        database.exec("PRAGMA page_size=2048; PRAGMA journal_mode=WAL")
        database.close()
        assert.isAbove(statSync(path).size, 0)
        yield* withStore(path, fill)
        assert.lengthOf(yield* withStore(path, (store) => store.spaces), 2)
      })
    )
  )

  it.effect("gives room back at closing when much of it is free, and stays the same journal", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        const runs = Array.from({ length: 200 }, (_, seq) => runOf(phone, seq, seq, 1_900))
        yield* withStore(path, (store) =>
          store.commit({ space: home, feeds: [{ feed: phone, header: filled(7) }], runs })
        )
        const before = statSync(path).size
        yield* withStore(path, (store) => store.repack(home, runOf(phone, 0, 199, 100)))
        assert.isBelow(statSync(path).size, before / 2)
        const kept = yield* withStore(path, (store) => store.read(home, phone, 0, Infinity))
        assert.deepStrictEqual(kept, [runOf(phone, 0, 199, 100)])
      })
    )
  )

  it.effect("forgets results a day after, at opening and while it is open", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        const bytes = filled(4)
        const result = (key: string, atMillis: number) => ({
          requester: alice,
          key,
          payload: bytes,
          result: bytes,
          atMillis
        })
        const kept = (store: JournalStore["Service"], key: string) =>
          Effect.map(store.result(home, alice, key), Option.isSome)
        yield* withStore(path, (store) => store.commit({ space: home, results: [result("first", 0)] }))
        yield* TestClock.adjust("24 hours")
        assert.isTrue(yield* withStore(path, (store) => kept(store, "first")))
        yield* TestClock.adjust("1 millis")
        yield* withStore(path, (store) =>
          Effect.gen(function* () {
            assert.isFalse(yield* kept(store, "first"))
            yield* store.commit({ space: home, results: [result("second", 86_400_001)] })
            yield* TestClock.adjust("25 hours")
            assert.isTrue(yield* kept(store, "second"))
            yield* store.commit({ space: home, results: [result("third", 176_400_001)] })
            assert.isFalse(yield* kept(store, "second"))
            assert.isTrue(yield* kept(store, "third"))
          })
        )
      })
    )
  )
})

describe("a SqliteJournal whose process is killed", () => {
  const writer = join(import.meta.dirname, "journalWriter.ts")

  /** Lets a writer run for a while after its first acknowledgement; the last number it acknowledged. */
  const killedWriter = (path: string, millis: number): Promise<number> => {
    const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      if (output === "") void setTimeout(millis).then(() => child.kill("SIGKILL"))
      output += chunk.toString()
    })
    return once(child, "close").then(() => Number(output.split("\n").at(-2) ?? 0))
  }

  it.live("has every acknowledged commit, whole, and opens at once", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        let entries = 0
        for (let kill = 0; kill < 15; kill++) {
          const acknowledged = yield* Effect.promise(() => killedWriter(path, (kill * 37) % 90))
          assert.isAbove(acknowledged, entries)
          entries = yield* withStore(path, wholeAfter(acknowledged))
        }
      })
    )
  )

  it.live("stops when the system refuses to write, and has every acknowledged commit when opened again", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        // No file of that process may grow over 400 KiB: its log does, in the middle of a commit.
        const limited = `ulimit -f 400 && exec "$0" "$@"`
        const child = spawn("bash", ["-c", limited, process.execPath, writer, path], {
          stdio: ["ignore", "pipe", "inherit"]
        })
        const lines = yield* Effect.promise(async () => (await child.stdout.toArray()).join("").trim().split("\n"))
        assert.strictEqual(lines.at(-1), "JournalUnavailable JournalUnavailable")
        const acknowledged = Number(lines.at(-2))
        assert.isAbove(acknowledged, 0)
        assert.strictEqual(yield* withStore(path, wholeAfter(acknowledged)), acknowledged)
      })
    )
  )

  it.live("is locked while that process lives, and free as soon as it does not", () =>
    atFreshPath((path) =>
      Effect.gen(function* () {
        const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] })
        yield* Effect.promise(() => once(child.stdout, "data"))
        const { reason } = yield* Effect.flip(withStore(path, entriesOf))
        assert.strictEqual(reason._tag, "JournalLocked")
        child.kill("SIGKILL")
        yield* Effect.promise(() => once(child, "exit"))
        assert.isAbove(yield* withStore(path, entriesOf), 0)
      })
    )
  )
})
