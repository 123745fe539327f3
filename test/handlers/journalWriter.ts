/**
 * A process that writes to a journal until it is killed: `node journalWriter.ts <file of an SQLite journal>`, or instead of
 * the file the URL of a PostgreSQL server, where the journal's owner is "writer".
 *
 * Each commit continues one feed and says in a row of the same commit how many entries there are; every eighth is
 * followed by a repack of the last runs. A line on stdout is the acknowledgement: the number of entries committed. After
 * a commit that failed, the last line names the reason, and that of the read which follows.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
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

/** How many entries the row of the last commit speaks of. */
export const entriesSaid = (store: JournalStore["Service"]): Effect.Effect<number, JournalStoreError> =>
  Effect.map(
    store.local(space, "entries"),
    Option.match({ onNone: () => 0, onSome: (bytes) => Number(Buffer.from(bytes).toString()) })
  )

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
      const commit = store.commit({
        space,
        feeds: [{ feed, header: encoder.encode("header") }],
        runs: [runOf(first, last)],
        locals: [{ name: "entries", bytes: encoder.encode(String(last + 1)) }]
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
