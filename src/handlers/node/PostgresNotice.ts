/**
 * What agents on one database tell each other by NOTIFY: whose journal grew, in which space, and how far its feeds reach.
 *
 * A notice is JSON on the channel `aura_journals`: `{"journal": schema, "space": hex, "feeds": {hex: [entries, mark]}}`.
 * It is sent after the transaction that it tells of, on another connection: a transaction with a notice in it would hold the
 * lock of the server's queue of notices while it waits for the disk, and with it every other one. So a notice may get
 * lost with its sender; who listens looks by itself now and then.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { JournalStoreError, StoredFeed } from "../../effects/JournalStore.ts"
import type { Change, Reach } from "../../effects/Neighbours.ts"
import { feedId, spaceId, type FeedId, type SpaceId } from "../../identity/Id.ts"
import * as Frontier from "../../journal/Frontier.ts"
import { answered } from "./PostgresSession.ts"

export const channel = "aura_journals"

/** Feeds in one notice: the server takes less than 8 000 bytes of them. */
const feedsMax = 50

/** So long after a notice the next one is sent: what is written meanwhile is told together. */
const pauseMillis = 5

/** Hands over how far feeds reach, to be told to everybody who listens. Returns at once: it is a hint. */
export type Tell = (heads: ReadonlyMap<SpaceId, ReadonlyArray<StoredFeed>>) => void

/** Tells, until the scope ends, over whatever connection `ask` has. */
export const makeTeller = (
  journal: string,
  ask: (
    work: (connection: PgConnection) => Effect.Effect<unknown, SqlError>
  ) => Effect.Effect<unknown, JournalStoreError>
): Effect.Effect<Tell, never, Scope.Scope> =>
  Effect.gen(function* () {
    const due = new Map<SpaceId, Map<FeedId, StoredFeed>>()
    const isDue = yield* Queue.sliding<void>(1)
    const tellAll = Effect.gen(function* () {
      yield* Queue.take(isDue)
      const payloads = [...due].flatMap(([space, feeds]) => payloadsOf(journal, space, [...feeds.values()]))
      due.clear()
      yield* Effect.ignore(
        ask((connection) =>
          Effect.forEach(payloads, (payload) =>
            answered(connection.query("SELECT pg_notify($1, $2)", [channel, payload]))
          )
        )
      )
      yield* Effect.sleep(pauseMillis)
    })
    yield* Effect.forkScoped(Effect.forever(tellAll))
    return (heads) => {
      for (const [space, feeds] of heads) {
        const known = due.get(space) ?? new Map<FeedId, StoredFeed>()
        due.set(space, known)
        for (const feed of feeds) known.set(feed.feed, feed)
      }
      Queue.offerUnsafe(isDue, undefined)
    }
  })

const payloadsOf = (journal: string, space: SpaceId, feeds: ReadonlyArray<StoredFeed>): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(feeds.length / feedsMax) }, (_, page) => {
    const told = feeds.slice(page * feedsMax, (page + 1) * feedsMax)
    const reaches = told.map(({ entries, feed, hash }) => [feed, [entries, Frontier.mark(hash)]])
    return JSON.stringify({ journal, space, feeds: Object.fromEntries(reaches) })
  })

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
