/** What people see who look into a journal with the tools of its database: the same in a file and on a server. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { JournalStore, StoredRun } from "../../src/effects/JournalStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { entryHash, toBytes, type FeedId } from "../../src/identity/Id.ts"
import * as Branch from "../../src/journal/Branch.ts"
import * as Feed from "../../src/journal/Feed.ts"
import { alice, bob, noon, spaceOf } from "../runtime/fixtures.ts"
import { clusterOfFile } from "./clusterOfFile.ts"

const cluster = clusterOfFile()

const { space } = spaceOf()
const empty = spaceOf(1).space

const feedOf = (device: typeof alice, kind: Feed.FeedKind, closes?: Feed.Position) =>
  Feed.encode({ space, device: device.device, kind, nonce: new Uint8Array(16), time: noon, closes, key: undefined })

const runOf = (feed: FeedId, last: number, length: number): StoredRun => ({
  feed,
  first: 0,
  last,
  previous: entryHash(toBytes(feed)),
  hash: entryHash(new Uint8Array(32).fill(7)),
  bytes: new Uint8Array(length)
})

const authority = feedOf(alice, "authority")
const data = feedOf(bob, "data")
const hash = entryHash(new Uint8Array(32).fill(8))
/** Of a header so long that its branch has one byte more before it. */
const closing = Feed.encode({
  space,
  device: bob.device,
  kind: "data",
  nonce: new Uint8Array(16).fill(1),
  time: noon,
  closes: { feed: data.id, seq: 3, hash },
  key: { publicKey: alice.device, signature: new Uint8Array(64) }
})
const branches = [data, closing].map((feed) => Branch.make(feed, 1, hash, hash))

const fill = (store: JournalStore["Service"]) =>
  Effect.gen(function* () {
    yield* store.commit({
      space,
      feeds: [...[authority, data, closing], ...branches].map(({ bytes, id }) => ({ feed: id, header: bytes })),
      runs: [runOf(authority.id, 2, 100), runOf(data.id, 4, 20_000), ...branches.map(({ id }) => runOf(id, 0, 50))]
    })
    const start = { feed: data.id, header: data.bytes, entries: 5, hash: runOf(data.id, 4, 0).hash }
    yield* store.commit({
      space,
      starts: [start],
      runs: [{ ...runOf(data.id, 6, 700), first: 5, previous: start.hash }]
    })
    yield* store.commit({ space: empty, locals: [{ name: "token", bytes: new Uint8Array(4) }] })
  })

const feedsQuery = `SELECT space, feed, device, kind, CASE WHEN is_branch THEN 1 ELSE 0 END AS branch, entries,
  kept_from AS kept, runs, plain_bytes AS plain FROM feed_overview`
const spacesQuery = "SELECT space, feeds, entries, plain_bytes AS plain FROM space_overview"

type Shown = ReadonlyArray<Readonly<Record<string, unknown>>>

const plain = (rows: Shown): Shown =>
  rows
    .map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value])
      )
    )
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

const inFile = Effect.gen(function* () {
  const directory = mkdtempSync(join(tmpdir(), "aura-overviews-"))
  const path = join(directory, "journal.sqlite")
  yield* Effect.scoped(Effect.flatMap(SqliteJournal.make({ path }), fill))
  // as somebody might have left it
  const other = new DatabaseSync(path)
  other.exec("DROP VIEW space_overview; CREATE VIEW space_overview AS SELECT 1; CREATE VIEW mine AS SELECT 2 AS two")
  other.close()
  yield* Effect.scoped(SqliteJournal.make({ path }))
  const database = new DatabaseSync(path)
  const shown = [feedsQuery, spacesQuery].map((query) => plain(database.prepare(query).all()))
  assert.deepStrictEqual({ ...database.prepare("SELECT two FROM mine").get() }, { two: 2 })
  database.close()
  rmSync(directory, { recursive: true })
  return shown
})

const onServer = Effect.gen(function* () {
  const open = PostgresJournal.make({ url: cluster.url, owner: "shown" })
  const ask = (query: string) => cluster.run(`SET search_path = aura_shown`, query)
  yield* Effect.scoped(Effect.flatMap(open, fill))
  // as an older version might have left it
  for (const change of ["DROP VIEW space_overview", "CREATE VIEW space_overview AS SELECT 1"]) {
    yield* Effect.promise(() => ask(change))
  }
  yield* Effect.scoped(open)
  return [plain(yield* Effect.promise(() => ask(feedsQuery))), plain(yield* Effect.promise(() => ask(spacesQuery)))]
})

const expected: ReadonlyArray<Shown> = [
  [
    {
      feed: authority.id,
      device: alice.device,
      kind: "authority",
      branch: 0,
      entries: 3,
      kept: 0,
      runs: 1,
      plain: 100
    },
    { feed: data.id, device: bob.device, kind: "data", branch: 0, entries: 7, kept: 5, runs: 1, plain: 700 },
    { feed: closing.id, device: bob.device, kind: "data", branch: 0, entries: 0, kept: 0, runs: 0, plain: 0 },
    ...branches.map(({ id }) => ({
      feed: id,
      device: bob.device,
      kind: "data",
      branch: 1,
      entries: 1,
      kept: 0,
      runs: 1,
      plain: 50
    }))
  ].map((row) => ({ space, ...row })),
  [
    { space, feeds: 5, entries: 12, plain: 900 },
    { space: empty, feeds: 0, entries: 0, plain: 0 }
  ]
].map(plain)

describe("overviews of a journal", () => {
  it.live("in a file name what is in it", () => Effect.map(inFile, (shown) => assert.deepStrictEqual(shown, expected)))
  it.live("on a server do so", () => Effect.map(onServer, (shown) => assert.deepStrictEqual(shown, expected)))
})
