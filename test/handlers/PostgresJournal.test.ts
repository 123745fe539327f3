/**
 * The PostgreSQL journal keeps every law of journal stores, on a server of its own. Below them: what only a server, its
 * operators and kill -9 can do to it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { JournalPlace, journalPlaceLaws, journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import type { JournalStore, JournalStoreError, StoredRun } from "../../src/effects/JournalStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import type { Options } from "../../src/handlers/node/PostgresSession.ts"
import { deviceId, entryHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"
import { owner as writerOwner, wholeAfter } from "./journalWriter.ts"
import { clusterOfFile } from "./clusterOfFile.ts"
import { password } from "./postgresCluster.ts"

const cluster = clusterOfFile()

let owners = 0
const freshOwner = (): string => `test ${++owners}`
const optionsOf = (owner: string): Options => ({ url: cluster.url, owner, poolMax: 3 })
const withStore = <A, E>(owner: string, use: (store: JournalStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(PostgresJournal.make(optionsOf(owner)), use))
/** Statements behind the store's back, among the tables of an owner. */
const run = (owner: string, ...statements: ReadonlyArray<string>) =>
  Effect.promise(() => cluster.run(`SET search_path = "aura_${owner}"`, ...statements))

describe("PostgresJournal", () => {
  for (const { name, check } of journalStoreLaws) {
    it.effect(name, () => Effect.provide(check, PostgresJournal.layer(optionsOf(freshOwner()))))
  }
  for (const { name, check } of journalPlaceLaws) {
    it.effect(name, () => {
      const owner = freshOwner()
      return Effect.provide(
        check,
        Layer.sync(JournalPlace, () => ({ open: PostgresJournal.make(optionsOf(owner)) }))
      )
    })
  }
})

const filled = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const [home, work] = [spaceId(filled(1)), spaceId(filled(2))]
const [phone, laptop] = [feedId(filled(0xa1)), feedId(filled(0xb1))]
const alice = deviceId(filled(9))
const header = filled(7)
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
const hex = (bytes: Uint8Array): string => `'\\x${Buffer.from(bytes).toString("hex")}'`

const fill = (store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    yield* store.commit({ space: home, feeds: [{ feed: phone, header }], runs: [runOf(phone, 0, 2, 40)] })
    yield* store.commit({
      space: home,
      // the long one is stored deflated, the others as they are
      runs: [runOf(phone, 3, 3, 900), runOf(phone, 4, 6, 9_000)],
      locals: [{ name: "token", bytes: filled(3) }],
      results: [{ requester: alice, key: "key", payload: filled(4), result: filled(5), atMillis: 0 }]
    })
    // these share a row
    const shared = [runOf(laptop, 0, 0, 10), runOf(laptop, 1, 3, 20), runOf(laptop, 4, 4, 30)]
    yield* store.commit({ space: work, feeds: [{ feed: laptop, header }], runs: shared })
  })

const everything = (store: JournalStore["Service"]) =>
  Effect.all([
    store.spaces,
    store.feeds(home),
    store.feeds(work),
    store.read(home, phone, 0, Infinity),
    store.read(work, laptop, 0, Infinity),
    store.local(home, "token"),
    store.result(home, alice, "key")
  ])

const failsAt = (reason: JournalStoreError["reason"], tag: string, ...words: ReadonlyArray<string>) => {
  assert.strictEqual(reason._tag, tag, reason.message)
  for (const word of words) assert.include(reason.message, word)
  assert.notInclude(reason.message, password)
}

describe("a damaged PostgresJournal", () => {
  const runsOfPhone = `feed ${phone}`
  for (const [what, statement, ...where] of [
    ["the last run of a feed is gone", "DELETE FROM runs WHERE last = 6", "table runs", runsOfPhone],
    ["a run between others is gone", "DELETE FROM runs WHERE first = 3", "table runs", runsOfPhone, "entry 3"],
    ["the first run is gone", "DELETE FROM runs WHERE last = 2", "table runs", runsOfPhone, "entry 0"],
    ["all runs are gone", "DELETE FROM runs", "table runs", "entries"],
    ["a feed is gone", `DELETE FROM feeds WHERE feed = ${hex(filled(0xb1))}`, "table feeds"],
    ["a space is gone", `DELETE FROM spaces WHERE space = ${hex(filled(2))}`, "table spaces"],
    ["a table is gone", "DROP TABLE locals", "locals"],
    [
      "bytes of a run differ",
      "UPDATE runs SET bytes = set_byte(bytes, 9, 255) WHERE first = 3",
      runsOfPhone,
      "entry 3"
    ],
    [
      "deflated bytes differ",
      "UPDATE runs SET bytes = set_byte(bytes, 9, 255) WHERE first = 4",
      runsOfPhone,
      "entry 4"
    ],
    [
      "bytes of a run differ that shares its row",
      "UPDATE runs SET bytes = set_byte(bytes, 35, 255) WHERE length(ends) > 0",
      `feed ${laptop}`,
      "entry 0"
    ],
    [
      "a run ends elsewhere in the row that it shares",
      "UPDATE runs SET ends = set_byte(ends, 3, 2) WHERE length(ends) > 0",
      `feed ${laptop}`
    ],
    ["a run no longer shares its row", "UPDATE runs SET ends = substring(ends FROM 41)", `feed ${laptop}`],
    ["a run ends elsewhere", "UPDATE runs SET last = 5 WHERE last = 6", "table runs", runsOfPhone],
    ["a run's hash differs", `UPDATE runs SET hash = ${hex(filled(1))} WHERE last = 2`, runsOfPhone, "entry 0"],
    ["a hash is cut short", "UPDATE runs SET hash = '\\x01' WHERE last = 2", runsOfPhone, "entry 0"],
    ["the hash before a run differs", `UPDATE runs SET previous = ${hex(filled(1))} WHERE first = 3`, "entry 3"],
    [
      "two runs are swapped",
      `UPDATE runs SET bytes = other.bytes, plain_bytes = other.plain_bytes, digest = other.digest FROM runs other
        WHERE runs.space = other.space AND runs.first + other.first = 3`,
      runsOfPhone,
      "entry 0"
    ],
    ["a feed's head differs", `UPDATE feeds SET entries = 6 WHERE feed = ${hex(filled(0xa1))}`, runsOfPhone],
    ["a feed is in another space", `UPDATE feeds SET space = ${hex(filled(5))}`, "table feeds"],
    ["a row of the installation differs", "UPDATE locals SET bytes = bytes || '\\x00'", "token"],
    ["a result differs", "UPDATE results SET at_millis = at_millis + 1", "a result of space"],
    ["the format is not told", "DELETE FROM journal_format", "journal_format"]
  ] as const) {
    it.effect(`is noticed and named when ${what}`, () =>
      Effect.gen(function* () {
        const owner = freshOwner()
        yield* withStore(owner, fill)
        yield* run(owner, statement)
        const { reason } = yield* Effect.flip(Effect.asVoid(withStore(owner, everything)))
        failsAt(reason, "JournalCorrupt", ...where)
      })
    )
  }

  for (const [what, statement, ...where] of [
    ["what stands for dropped runs is gone", "DELETE FROM runs WHERE plain_bytes = 0", runsOfPhone, "entry 0"],
    ["more is said to be dropped than was", "UPDATE runs SET last = 3 WHERE plain_bytes = 0", "what was dropped"],
    [
      "what was dropped ended with another hash",
      `UPDATE runs SET hash = ${hex(filled(1))} WHERE plain_bytes = 0`,
      "dropped"
    ],
    ["the first run that is kept is gone", "DELETE FROM runs WHERE first = 3", runsOfPhone, "entry 3"]
  ] as const) {
    it.effect(`that was pruned is noticed and named when ${what}`, () =>
      Effect.gen(function* () {
        const owner = freshOwner()
        const start = { feed: phone, header, entries: 3, hash: hashAt(phone, 2) }
        yield* withStore(owner, (store) => Effect.andThen(fill(store), store.commit({ space: home, starts: [start] })))
        assert.deepInclude(yield* withStore(owner, (store) => Effect.map(store.feeds(home), ([one]) => one)), {
          first: 3,
          entries: 7
        })
        yield* run(owner, statement)
        const { reason } = yield* Effect.flip(Effect.asVoid(withStore(owner, everything)))
        failsAt(reason, "JournalCorrupt", ...where)
      })
    )
  }

  it.effect("of a newer format is refused, with both numbers", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, fill)
      yield* run(owner, "UPDATE journal_format SET version = 2")
      const { reason } = yield* Effect.flip(withStore(owner, fill))
      assert.deepInclude(reason, { _tag: "JournalTooNew", found: 2, known: 1 })
    })
  )
})

describe("a PostgresJournal whose server refuses", () => {
  const openingFails = (options: Options) =>
    Effect.map(Effect.flip(Effect.scoped(PostgresJournal.make(options))), ({ reason }) => reason)
  const at = (change: (url: URL) => void): Options => {
    const url = new URL(Redacted.value(cluster.url))
    change(url)
    return { url: Redacted.make(url.href), owner: "nobody" }
  }

  it.effect("says what to do, and never the password", () =>
    Effect.gen(function* () {
      const refused = yield* openingFails(at((url) => (url.port = "1")))
      failsAt(refused, "JournalUnavailable", "127.0.0.1:1", "ECONNREFUSED", "see that the server runs")
      const wrong = yield* openingFails(at((url) => (url.username = "mallory")))
      failsAt(wrong, "JournalUnavailable", "refuses the role or its password")
      const absent = yield* openingFails(at((url) => (url.pathname = "/absent")))
      failsAt(absent, "JournalUnavailable", "no such database")
      const nonsense = yield* openingFails({ url: Redacted.make(`${password}@there`), owner: "nobody" })
      failsAt(nonsense, "JournalUnavailable", "postgres://")
      const nameless = yield* openingFails({ url: cluster.url, owner: "" })
      failsAt(nameless, "JournalUnavailable", "owner")
    })
  )

  it.effect("has room for no more connections, and says so", () =>
    Effect.gen(function* () {
      yield* run(
        "nobody",
        "ALTER ROLE aura CONNECTION LIMIT 0",
        "CREATE ROLE bob LOGIN PASSWORD 'bob' CONNECTION LIMIT 0"
      )
      yield* run("nobody", "ALTER ROLE aura CONNECTION LIMIT -1")
      const full = yield* openingFails(at((url) => ([url.username, url.password] = ["bob", "bob"])))
      failsAt(full, "JournalUnavailable", "lower poolMax")
      yield* run("nobody", "ALTER ROLE bob CONNECTION LIMIT -1")
      const mayNot = yield* openingFails(at((url) => ([url.username, url.password] = ["bob", "bob"])))
      failsAt(mayNot, "JournalUnavailable", "grant it CREATE")
      yield* run("nobody", "ALTER ROLE bob SET default_transaction_read_only = on")
      const readOnly = yield* openingFails(at((url) => ([url.username, url.password] = ["bob", "bob"])))
      failsAt(readOnly, "JournalUnavailable", "read-only")
    })
  )

  const raising = (code: string, when: string) => [
    "CREATE SEQUENCE tries",
    `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF nextval('tries') ${when} THEN RAISE EXCEPTION 'no' USING ERRCODE = '${code}'; END IF; RETURN NEW; END $$`,
    "CREATE TRIGGER refuse BEFORE INSERT ON locals FOR EACH ROW EXECUTE FUNCTION refuse()"
  ]
  const next = { space: home, runs: [runOf(phone, 7, 7, 50)], locals: [{ name: "row", bytes: filled(1) }] }

  it.effect("for want of room keeps nothing of a commit, and goes on when there is some", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          yield* run(owner, ...raising("53100", "< 2"))
          failsAt((yield* Effect.flip(store.commit(next))).reason, "JournalFull")
          assert.strictEqual((yield* store.feeds(home))[0]?.entries, 7)
          yield* store.commit(next)
          assert.strictEqual((yield* store.feeds(home))[0]?.entries, 8)
        })
      )
    })
  )

  it.effect("for the sake of another transaction is asked again, a few times", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          yield* run(owner, ...raising("40001", "< 4"))
          yield* store.commit(next)
          yield* run(owner, "ALTER SEQUENCE tries INCREMENT -1 MINVALUE -99")
          const { reason } = yield* Effect.flip(store.commit({ space: home, locals: next.locals }))
          failsAt(reason, "JournalUnavailable", "it refuses")
        })
      )
    })
  )
})

const backendsOf = (owner: string) => `SELECT pid FROM pg_stat_activity WHERE application_name = 'aura ${owner}'`

describe("the session of a PostgresJournal", () => {
  it.effect("is taken up again when it was ended between two commits", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          yield* run(owner, `SELECT pg_terminate_backend(pid, 5000) FROM (${backendsOf(owner)}) ours`)
          yield* store.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] })
          assert.strictEqual((yield* store.feeds(home))[0]?.entries, 8)
        })
      )
    })
  )

  it.effect("writes nothing once another agent has the lock it lost", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (first) =>
        Effect.gen(function* () {
          yield* fill(first)
          yield* run(owner, `SELECT pg_terminate_backend(pid, 5000) FROM (${backendsOf(owner)}) ours`)
          yield* withStore(owner, (second) =>
            Effect.gen(function* () {
              const { reason } = yield* Effect.flip(first.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] }))
              failsAt(reason, "JournalLocked", owner)
              assert.strictEqual((yield* second.feeds(home))[0]?.entries, 7)
              yield* second.commit({ space: home, runs: [runOf(phone, 7, 7, 60)] })
            })
          )
          const { reason } = yield* Effect.flip(first.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] }))
          failsAt(reason, "JournalConflict", "8 is next")
        })
      )
    })
  )

  it.effect("is one of several: owners share a database and do not meet", () =>
    Effect.gen(function* () {
      const [one, other] = [freshOwner(), freshOwner()]
      yield* withStore(one, (first) =>
        withStore(other, (second) =>
          Effect.gen(function* () {
            yield* fill(first)
            assert.deepStrictEqual(yield* second.spaces, [])
            yield* fill(second)
            assert.deepStrictEqual(yield* everything(first), yield* everything(second))
          })
        )
      )
    })
  )

  it.effect("puts commits that meet into one transaction, each with an answer of its own", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      const feeds = Array.from({ length: 100 }, (_, index) => feedId(filled(index + 1)))
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          const outcomes = yield* Effect.forEach(
            [...feeds, laptop, phone],
            (feed, index) =>
              Effect.match(
                store.commit({
                  space: home,
                  feeds: index < 100 ? [{ feed, header }] : [],
                  runs: [index < 100 ? runOf(feed, 0, 0, 10) : runOf(feed, 5, 5, 10)]
                }),
                { onSuccess: () => "kept", onFailure: ({ reason }) => reason._tag }
              ),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(outcomes, [...feeds.map(() => "kept"), "JournalConflict", "JournalConflict"])
          assert.lengthOf(yield* store.feeds(home), 100)
        })
      )
      const [row] = yield* run(owner, "SELECT count(DISTINCT xmin::text) AS transactions FROM runs")
      assert.isAtMost(Number(row?.["transactions"]), 3)
    })
  )

  it.effect("is given up when its server is silent, and nobody waits for ever", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          const backends = yield* run(owner, backendsOf(owner))
          const signal = (name: "SIGSTOP" | "SIGKILL") =>
            Effect.promise(async () => {
              for (const { pid } of backends) process.kill(Number(pid), name)
              await setTimeout(50)
            })
          yield* Effect.addFinalizer(() => signal("SIGKILL"))
          yield* signal("SIGSTOP")
          const fiber = yield* Effect.forkChild(
            Effect.flip(store.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] })),
            {
              startImmediately: true
            }
          )
          yield* Effect.promise(() => setTimeout(50))
          for (let minute = 0; minute < 10; minute++) {
            yield* TestClock.adjust("1 minute")
            yield* Effect.promise(() => setTimeout(50))
          }
          const { reason } = yield* Fiber.join(fiber)
          // The silent session still has the lock, if this clock left time to ask for it.
          assert.include(["JournalLocked", "JournalUnavailable"], reason._tag)
        }).pipe(Effect.scoped)
      )
      yield* Effect.promise(() => cluster.kill().then(cluster.start))
    })
  )

  it.live("keeps a commit whose caller was interrupted, or does not, but whole", () =>
    Effect.gen(function* () {
      yield* withStore(freshOwner(), (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          const fiber = yield* Effect.forkChild(store.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] }), {
            startImmediately: true
          })
          yield* Fiber.interrupt(fiber)
          yield* store.commit({ space: work })
          const runs = yield* store.read(home, phone, 7, Infinity)
          assert.deepStrictEqual((yield* store.feeds(home))[0]?.entries, 7 + runs.length)
        })
      )
    })
  )
})

describe("what is large in a PostgresJournal", () => {
  it.effect("is read in several pages, as one", () =>
    Effect.gen(function* () {
      yield* withStore(freshOwner(), (store) =>
        Effect.gen(function* () {
          const hash = (seq: number) => entryHash(seq < 0 ? toBytes(phone) : filled(seq % 251))
          const runs = Array.from({ length: 600 }, (_, seq) => ({
            ...runOf(phone, seq, seq, 10),
            previous: hash(seq - 1),
            hash: hash(seq)
          }))
          yield* store.commit({ space: home, feeds: [{ feed: phone, header }], runs })
          assert.deepStrictEqual(yield* store.read(home, phone, 0, Infinity), runs)
          assert.deepStrictEqual(yield* store.read(home, phone, 100, 4_005), runs.slice(100, 501))
        })
      )
    })
  )

  it.effect("comes back whole: a row of more than the driver takes by itself", () =>
    Effect.gen(function* () {
      yield* withStore(freshOwner(), (store) =>
        Effect.gen(function* () {
          const bytes = new Uint8Array(randomBytes(20 * 1024 * 1024))
          yield* store.commit({ space: home, locals: [{ name: "checkpoint", bytes }] })
          const found = yield* store.local(home, "checkpoint")
          assert.isTrue(Option.isSome(found) && Buffer.compare(found.value, bytes) === 0)
        })
      )
    })
  )
})

describe("a PostgresJournal under kill -9", () => {
  const writer = join(import.meta.dirname, "journalWriter.ts")

  /** Starts a writer and does something some time after its first acknowledgement; the last number it acknowledged. */
  const writing = async (millis: number, act: (kill: () => void) => Promise<void> | void): Promise<number> => {
    const child = spawn(process.execPath, [writer, Redacted.value(cluster.url)], {
      // What it says of a server that was killed is no news.
      stdio: ["ignore", "pipe", "ignore"]
    })
    let output = ""
    let acting: Promise<void> = Promise.resolve()
    child.stdout.on("data", (chunk: Buffer) => {
      if (output === "") acting = setTimeout(millis).then(() => act(() => child.kill("SIGKILL")))
      output += chunk.toString()
    })
    await once(child, "close")
    await acting
    const numbers = output.split("\n").slice(0, -1).map(Number)
    return numbers.findLast((number) => !Number.isNaN(number)) ?? 0
  }

  const isWhole = (acknowledged: number) => withStore(writerOwner, wholeAfter(acknowledged))

  it.live("of its process has every acknowledged commit, whole, and opens at once", () =>
    Effect.gen(function* () {
      let entries = 0
      for (let kill = 0; kill < 4; kill++) {
        const acknowledged = yield* Effect.promise(() => writing(20 + kill * 37, (kill) => kill()))
        assert.isAbove(acknowledged, entries)
        entries = yield* isWhole(acknowledged)
      }
    })
  )

  it.live("of its server tells that, and has every acknowledged commit when the server runs again", () =>
    Effect.gen(function* () {
      for (let kill = 0; kill < 3; kill++) {
        const acknowledged = yield* Effect.promise(() => writing(40 + kill * 61, cluster.kill))
        yield* Effect.promise(cluster.start)
        assert.isAbove(acknowledged, 0)
        yield* isWhole(acknowledged)
      }
    })
  )

  it.live("of its server goes on with it, in the same store", () =>
    Effect.gen(function* () {
      const owner = freshOwner()
      yield* withStore(owner, (store) =>
        Effect.gen(function* () {
          yield* fill(store)
          yield* Effect.promise(cluster.kill)
          const { reason } = yield* Effect.flip(store.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] }))
          failsAt(reason, "JournalUnavailable", "see that the server runs")
          assert.strictEqual((yield* Effect.flip(store.spaces)).reason._tag, "JournalUnavailable")
          yield* Effect.promise(cluster.start)
          yield* store.commit({ space: home, runs: [runOf(phone, 7, 7, 50)] })
          assert.lengthOf(yield* store.spaces, 2)
        })
      )
    })
  )
})

describe("a feed that a PostgresJournal just wrote", () => {
  const feedRow = (owner: string) => Effect.map(run(owner, "SELECT * FROM feeds WHERE entries = 7"), ([row]) => row!)
  const commitNext = (store: JournalStore["Service"], entries: number) =>
    store.commit({ space: home, runs: [runOf(phone, entries, entries, 20)] })

  it.live("is held against its row before it is continued", () => {
    const owner = freshOwner()
    return withStore(owner, (store) =>
      Effect.gen(function* () {
        yield* fill(store)
        const row = yield* feedRow(owner)
        yield* commitNext(store, 7)
        // put back to what it was an entry ago, digest and all
        const { digest, hash } = row as { readonly digest: Uint8Array; readonly hash: Uint8Array }
        yield* run(
          owner,
          `UPDATE feeds SET entries = 7, hash = ${hex(hash)}, digest = ${hex(digest)} WHERE entries = 8`
        )
        failsAt((yield* Effect.flip(commitNext(store, 8))).reason, "JournalConflict", "7 is next")
        yield* run(owner, "UPDATE feeds SET entries = 8 WHERE entries = 7")
        failsAt((yield* Effect.flip(commitNext(store, 8))).reason, "JournalCorrupt", "digest")
        assert.strictEqual((yield* run(owner, "SELECT 1 FROM runs WHERE last > 7")).length, 0, "nothing was written")
      })
    )
  })

  it.live("is continued by many that wait, in order, and those that do not fit alone are refused", () => {
    const owner = freshOwner()
    return withStore(owner, (store) =>
      Effect.gen(function* () {
        yield* fill(store)
        yield* commitNext(store, 7)
        const outcomes = yield* Effect.forEach([8, 9, 11, 10, 11], (entry) => Effect.exit(commitNext(store, entry)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Success", "Success", "Failure", "Success", "Success"]
        )
        assert.strictEqual((yield* store.feeds(home))[0]?.entries, 12)
        assert.strictEqual((yield* store.read(home, phone, 0, Infinity)).at(-1)?.last, 11)
      })
    )
  })
})
