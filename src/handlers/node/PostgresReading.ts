/**
 * What is read of a journal in PostgreSQL, checked on the way: digests, that runs follow each other without a gap, that a
 * feed ends where its row says. Which journal it is, the connection's search path decides: this agent's own, or that of a
 * neighbour.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import { JournalCorrupt, type StoredFeed, type StoredRun } from "../../effects/JournalStore.ts"
import { entryHash, spaceId, toBytes, type DeviceId, type FeedId, type SpaceId } from "../../identity/Id.ts"
import {
  feedFrom,
  idOf,
  integerOf,
  isDropped,
  keptFrom,
  resultFrom,
  spaceFrom,
  utf8,
  type FeedRow,
  type Row
} from "./JournalRows.ts"
import { attempt } from "./PostgresCommit.ts"
import { ask, sql } from "./PostgresRows.ts"
import { runsFrom } from "./PostgresRuns.ts"
import type { Place } from "./PostgresSession.ts"

/** Rows, and what they are once checked. */
export const checked =
  <A>(
    rows: (connection: PgConnection) => Effect.Effect<ReadonlyArray<Row>, SqlError>,
    from: (rows: ReadonlyArray<Row>) => A
  ) =>
  (connection: PgConnection): Effect.Effect<A, SqlError | JournalCorrupt> =>
    Effect.flatMap(rows(connection), (found) => attempt(() => from(found)))

export const checkEnd = (row: Row, { feed, entries, hash }: StoredFeed, where: string): void => {
  const at = `${where}, table runs, feed ${feed}`
  const next = row["last"] === null ? 0 : integerOf(row, "last", at) + 1
  if (next !== entries)
    throw new JournalCorrupt({ where: at, what: `it has ${entries} entries, its runs end at ${next}` })
  if (next > 0 && entryHash(idOf(row, "last_hash", at)) !== hash) {
    throw new JournalCorrupt({ where: `${at}, entry ${entries - 1}`, what: "its hash is not that of the feed" })
  }
}

export const allSpaces = (connection: PgConnection, { where }: Place) =>
  checked(
    (connection) => ask(connection, sql.spaces),
    (rows) => rows.map((row) => spaceId(spaceFrom(row, where).space))
  )(connection)

export const feedsFrom = (rows: ReadonlyArray<Row>, space: SpaceId, { where }: Place): ReadonlyArray<StoredFeed> =>
  rows.map((row) => {
    const stored = feedFrom(row, space, `${where}, table feeds`)
    const { feed, header, entries, hash } = stored
    return { feed, header, first: firstOf(row, stored, where), entries, hash }
  })

const firstOf = (row: Row, stored: FeedRow, where: string): number => {
  if (row["dropped_last"] === null || row["dropped_last"] === undefined) return 0
  const {
    dropped_bytes: bytes = null,
    dropped_digest: digest = null,
    dropped_hash: hash = null,
    dropped_last: last
  } = row
  return keptFrom({ last, hash, bytes, digest }, stored, where)
}

export const resultOf = (place: Place, space: SpaceId, requester: DeviceId, key: string) =>
  checked(
    (connection) => ask(connection, sql.result, toBytes(space), toBytes(requester), utf8(key)),
    ([row]) => Option.map(Option.fromUndefinedOr(row), (row) => resultFrom(row, space, place.where))
  )

export interface Wanted {
  readonly space: SpaceId
  readonly feed: FeedId
  readonly from: number
  readonly bytesMax: number
}

/** Runs as they were at one moment: the caller has begun a transaction, so that nothing is repacked meanwhile. */
export const runsOfSnapshot = (connection: PgConnection, { where }: Place, { space, feed, from, bytesMax }: Wanted) =>
  Effect.gen(function* () {
    const ids = [toBytes(space), toBytes(feed)]
    const [row] = yield* ask(connection, sql.feed, ...ids)
    const runs: Array<StoredRun> = []
    if (row === undefined) return runs
    const stored = yield* attempt(() => feedFrom(row, space, `${where}, table feeds`))
    let bytes = 0
    let next = from
    const isWanted = () => next < stored.entries && (runs.length === 0 || bytes < bytesMax)
    while (isWanted()) {
      const room = Math.min(Math.max(1, bytesMax - bytes), Number.MAX_SAFE_INTEGER)
      const page = yield* ask(connection, sql.runs, ...ids, next, room)
      yield* attempt(() => {
        const at = `${where}, table runs, feed ${feed}, entry ${next}`
        if (page.length === 0) throw new JournalCorrupt({ where: at, what: "no run holds it" })
        for (const row of page) {
          if (!isWanted()) return
          for (const run of runsFrom(row, feed, next, runs.at(-1)?.hash, where)) {
            if (!isWanted()) return
            next = run.last + 1
            if (run.last >= stored.entries - 1)
              checkEnd({ last: run.last, last_hash: new Uint8Array(toBytes(run.hash)) }, stored, where)
            if (isDropped(run)) continue
            runs.push(run)
            bytes += run.bytes.length
          }
        }
      })
    }
    return runs
  })
