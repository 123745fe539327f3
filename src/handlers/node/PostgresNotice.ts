/**
 * What agents on one database tell each other by NOTIFY: whose journal grew, in which space, and how far its feeds reach.
 *
 * A notice is JSON on the channel `aura_journals`: `{"journal": schema, "space": hex, "feeds": {hex: [entries, mark]}}`.
 * It is sent behind the transaction that it tells of, in one of its own: a transaction with a notice in it would hold
 * the lock of the server's queue of notices while it waits for the disk, and with it every other one. So a notice may get
 * lost with its sender; who listens looks by itself now and then.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoredFeed } from "../../effects/JournalStore.ts"
import type { Change, Reach } from "../../effects/Neighbours.ts"
import { feedId, spaceId, type FeedId, type SpaceId } from "../../identity/Id.ts"
import * as Frontier from "../../journal/Frontier.ts"
import { answered, tidyMillis } from "./PostgresSession.ts"

export const channel = "aura_journals"

/** Feeds in one notice: the server takes less than 8 000 bytes of them. */
const feedsMax = 50

/** A transaction that tells has a record in the log, too: nobody waits for the disk to have that one. */
const notify = "SELECT pg_notify($1, $2), set_config('synchronous_commit', 'off', true)"

/** Tells everybody who listens, in a few seconds at most. Never fails: it is a hint. */
export const tell = (
  connection: PgConnection,
  journal: string,
  heads: ReadonlyMap<SpaceId, ReadonlyArray<StoredFeed>>
): Effect.Effect<void> => {
  const notices = [...heads].flatMap(([space, feeds]) =>
    Array.from({ length: Math.ceil(feeds.length / feedsMax) }, (_, page) => {
      const told = feeds.slice(page * feedsMax, (page + 1) * feedsMax)
      const reaches = told.map(({ entries, feed, hash }) => [feed, [entries, Frontier.mark(hash)]])
      const payload = JSON.stringify({ journal, space, feeds: Object.fromEntries(reaches) })
      return Effect.ignore(answered(connection.query(notify, [channel, payload]), tidyMillis))
    })
  )
  return Effect.all(notices, { concurrency: "unbounded", discard: true })
}

const Hex = (digits: number) => Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${digits}}$`, "u")))

const Notice = Schema.fromJsonString(
  Schema.Struct({
    journal: Schema.String,
    space: Hex(64),
    feeds: Schema.Record(Hex(64), Schema.Tuple([Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Hex(32)]))
  })
)

const decode = Schema.decodeUnknownOption(Notice)

/** What a notice says to the agent of `journal`: nothing if it is its own. Of what can't be understood, anything may be true. */
export const changeOf = (payload: string, journal: string): Change | undefined => {
  if (payload.startsWith(`{"journal":${JSON.stringify(journal)},`)) return undefined
  const notice = decode(payload)
  if (Option.isNone(notice)) return { _tag: "Anything" }
  const { feeds, journal: neighbour, space } = notice.value
  if (neighbour === journal) return undefined
  const reaches = Object.entries(feeds).map(([feed, [entries, mark]]): readonly [FeedId, Reach] => [
    feedId(Buffer.from(feed, "hex")),
    { entries, mark }
  ])
  return { _tag: "Grew", neighbour, space: spaceId(Buffer.from(space, "hex")), feeds: new Map(reaches) }
}
