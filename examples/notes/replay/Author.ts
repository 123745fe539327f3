/**
 * One device of an author: an agent with a directory of its own that types, and meets the server when it is told to.
 *
 * Between meetings there is no connection. A meeting gives the server all that was typed here and takes what is asked
 * for and no more: the link is bounded by that frontier, and it is cut when both sides have their part durably.
 */
import { Agent, layerAgent, Operations, PairingCode, Schema, type EntryHash, type FeedId } from "aura"
import { DataDirectory, JournalStore, NodeEffects } from "aura/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { app, type Patch, type PositionOutside } from "../app.ts"
import type { Server } from "./Command.ts"

/** An entry's place in the journal. */
export interface Position {
  readonly feed: FeedId
  readonly seq: number
  readonly hash: EntryHash
}

export interface Author {
  readonly directory: string
  /** Durable when it succeeds. Positions count UTF-16 code units. */
  readonly type: (patches: ReadonlyArray<Patch>) => Effect.Effect<Position, Operations.PerformError | PositionOutside>
  readonly text: () => string
  /** Gives all up to `own`, takes exactly what is in `others`. */
  readonly meet: (
    server: Server,
    own: Position | undefined,
    others: ReadonlyArray<Position>
  ) => Effect.Effect<void, MeetingFailed>
}

/** The server could not be met, or this device then held something else than it was to be given. */
export class MeetingFailed extends Schema.TaggedError<MeetingFailed>()("MeetingFailed", {
  where: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `${this.where}: meeting the server failed: ${this.what}`
  }
}

/** The directory holds no notes, or they can't be read to the end. */
export class NotesUnreadable extends Schema.TaggedError<NotesUnreadable>()("NotesUnreadable", {
  where: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `${this.where}: ${this.what}`
  }
}

const pollMillis = 10
/** How long one meeting may take, and how often it is tried. */
const meetingMillis = 60_000
const meetingsMax = 3

/** Opens the agent of a directory until the scope ends; `code` is for its first time. */
export const open = Effect.fn("Author.open")(function* (directory: string, code?: string) {
  const home = yield* DataDirectory.open(directory)
  const context = yield* Layer.build(layerAgent.pipe(Layer.provideMerge(NodeEffects.layer(home))))
  const agent = Context.get(context, Agent)
  if (code !== undefined) yield* Effect.scoped(join(agent, code, directory))
  const [replica] = agent.replicas()
  if (replica === undefined) return yield* new NotesUnreadable({ where: directory, what: "no notes are here" })
  const [damage] = replica.damage()
  if (damage !== undefined) {
    return yield* new NotesUnreadable({ where: directory, what: `entry ${damage.seq} of a feed: ${damage.what}` })
  }
  const host = { replica, device: agent.device, store: Context.get(context, JournalStore) }
  const performer = yield* Effect.provideContext(Operations.performer(host, app), context)

  const judged = (feed: FeedId): number => replica.ledger().lines.get(feed)?.judged ?? 0
  const arrived = (others: ReadonlyArray<Position>): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const isHere = (): boolean => others.every(({ feed, seq }) => judged(feed) > seq)
      if (isHere()) return resume(Effect.void)
      const stop = replica.listen(() => {
        if (!isHere()) return
        stop()
        resume(Effect.void)
      })
      return Effect.sync(stop)
    })

  const meetOnce = Effect.fnUntraced(function* (
    server: Server,
    own: Position | undefined,
    others: ReadonlyArray<Position>
  ) {
    const bound = new Map(others.map(({ feed, hash, seq }) => [feed, { seq, mark: hash.slice(0, 32) }]))
    yield* agent.connect(server.address, undefined, { upTo: new Map([[replica.space, bound]]) })
    if (own !== undefined) yield* agent.acknowledged(replica.space, own, { _tag: "Peers", count: 1 })
    yield* arrived(others)
  }, Effect.scoped)

  const author: Author = {
    directory,
    text: () => Operations.state(replica, app).body,
    type: Effect.fnUntraced(function* (patches) {
      const { position } = yield* performer.perform("edit", { patches: [...patches] })
      if (position === undefined) throw new TypeError("an edit without a key was answered from memory")
      return position
    }),
    meet: Effect.fnUntraced(function* (server, own, others) {
      const failed = (what: string) => new MeetingFailed({ where: directory, what })
      yield* meetOnce(server, own, others).pipe(
        Effect.timeoutOrElse({
          duration: meetingMillis,
          orElse: () => Effect.fail(failed(`${meetingMillis} ms were not enough`))
        }),
        Effect.retry({ times: meetingsMax - 1 }),
        Effect.mapError((error) => (error instanceof MeetingFailed ? error : failed(error.message)))
      )
      const more = others.find(({ feed, seq }) => judged(feed) > seq + 1)
      if (more !== undefined)
        return yield* failed(
          `feed ${more.feed.slice(0, 10)} came up to ${judged(more.feed) - 1}, ${more.seq} was asked for`
        )
    })
  }
  return author
})

/** Redeems the code and stays until the space is here. */
const join = Effect.fnUntraced(function* (agent: Agent["Service"], code: string, directory: string) {
  const decoded = yield* Effect.fromResult(PairingCode.decode(Redacted.make(code)))
  const { link, replica } = yield* agent.join(decoded, directory.split(/[\\/]/u).at(-1) ?? "author")
  yield* Effect.suspend(() => (link.isCaughtUp(replica.space) ? Effect.void : Effect.fail("not yet" as const))).pipe(
    Effect.retry({ schedule: Schedule.spaced(pollMillis) })
  )
})
