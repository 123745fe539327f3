/**
 * A process that writes to a journal until it is killed: `node journalWriter.ts <file of an SQLite journal>`, or instead of
 * the file the URL of a PostgreSQL server, where the journal's owner is "writer".
 *
 * Each commit continues one feed and says in rows of the same commit how many entries there are and where the feed begins;
 * every fifth drops what lies 150 entries back, every eighth is followed by a repack of the last runs. A line on stdout is
 * the acknowledgement: the number of entries committed. After a commit that failed, the last line names the reason, and that
 * of the read which follows.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import assert from "node:assert/strict"
import { writeSync } from "node:fs"
import { pathToFileURL } from "node:url"
import type { JournalStore, JournalStoreError, StoredRun } from "../../src/effects/JournalStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { domain, hash } from "../../src/identity/Hash.ts"
import { entryHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"

const tag = domain("aura/test/journal-writer")
const encoder = new TextEncoder()

export const space = spaceId(hash(tag, encoder.encode("space")))
export const feed = feedId(hash(tag, encoder.encode("feed")))

const hashAt = (seq: number) => entryHash(seq < 0 ? toBytes(feed) : hash(tag, encoder.encode(String(seq))))

/** The only bytes that ever stand for these entries, so that a reader knows what has to be there. */
export const runOf = (first: number, last: number): StoredRun => ({
  feed,
  first,
  last,
  previous: hashAt(first - 1),
  hash: hashAt(last),
  bytes: Uint8Array.from({ length: (last - first + 1) * 45 }, (_, index) => (first * 31 + index * index) % 251)
})

export const entriesOf = (store: JournalStore["Service"]): Effect.Effect<number, JournalStoreError> =>
  Effect.map(store.feeds(space), (feeds) => feeds[0]?.entries ?? 0)

/** What a row of the last commit speaks of. */
const numberSaid = (store: JournalStore["Service"], name: "entries" | "start") =>
  Effect.map(
    store.local(space, name),
    Option.match({ onNone: () => 0, onSome: (bytes) => Number(Buffer.from(bytes).toString()) })
  )

const rowOf = (name: "entries" | "start", number: number) => ({ name, bytes: encoder.encode(String(number)) })

/**
 * Holds what a killed writer left against what it acknowledged: at most the one commit that was under way is there, too, and
 * each is there with all that belongs to it. How many entries there are.
 */
export const wholeAfter = (acknowledged: number) => (store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    const entries = yield* entriesOf(store)
    assert.ok(entries >= acknowledged && entries <= acknowledged + 64, `${entries}, ${acknowledged}`)
    assert.equal(yield* numberSaid(store, "entries"), entries)
    const runs = yield* store.read(space, feed, 0, Infinity)
    const [begin] = runs
    assert.equal(begin?.first, (yield* store.feeds(space))[0]?.first)
    const start = yield* numberSaid(store, "start")
    assert.ok(begin !== undefined && begin.first <= start && start <= begin.last, `${start}, ${begin?.first}`)
    let next = begin?.first ?? 0
    for (const run of runs) {
      assert.deepEqual(run, runOf(next, run.last))
      next = run.last + 1
    }
    assert.equal(next, entries)
    return entries
  })

export const owner = "writer"

const open = (place: string) =>
  place.startsWith("postgres:")
    ? PostgresJournal.make({ url: Redacted.make(place), owner })
    : SqliteJournal.make({ path: place })

const write = (path: string) =>
  Effect.gen(function* () {
    const store = yield* open(path)
    for (let commits = 1; ; commits++) {
      const first = yield* entriesOf(store)
      const last = first + (commits % 64)
      const header = encoder.encode("header")
      const start = Math.max(0, first - 150)
      const isPruned = commits % 5 === 0 && start > 0
      const commit = store.commit({
        space,
        feeds: [{ feed, header }],
        starts: isPruned ? [{ feed, header, entries: start, hash: hashAt(start - 1) }] : [],
        runs: [runOf(first, last)],
        locals: [rowOf("entries", last + 1), ...(isPruned ? [rowOf("start", start)] : [])]
      })
      const result = yield* Effect.result(commit)
      if (Result.isFailure(result)) {
        const next = yield* Effect.flip(store.spaces)
        return writeSync(1, `${result.failure.reason._tag} ${next.reason._tag}\n`)
      }
      writeSync(1, `${last + 1}\n`)
      if (commits % 8 === 0) {
        const runs = yield* store.read(space, feed, Math.max(0, first - 200), Infinity)
        yield* store.repack(space, runOf(runs[0]?.first ?? 0, last))
      }
      yield* Effect.yieldNow
    }
  })

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await Effect.runPromise(Effect.scoped(write(process.argv[2] ?? "")))
}
