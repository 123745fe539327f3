/**
 * The page's sections as they change, as server-sent events: at once when the replica changes, every two seconds for
 * what changes without it (connections, health, time), and a comment every fifteen seconds while nothing does, so that
 * both ends notice a dead connection. A browser that was cut off comes back by itself and is sent everything again.
 *
 * One reader gets at most ten rounds a second and is rendered for only while it reads; readers are counted (streamsMax).
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Sections } from "./Page.ts"
import type { Replica } from "../../runtime/Replica.ts"

/** Pages open at once. */
export const streamsMax = 16

const tickMillis = 2000
const quietMillisMax = 15_000
const pauseMillis = 100

export const events = (replica: Replica, sections: Effect.Effect<Sections>): Stream.Stream<Uint8Array> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const changes = yield* Queue.sliding<void>(1)
      const stop = replica.listen(() => void Queue.offerUnsafe(changes, undefined))
      yield* Effect.addFinalizer(() => Effect.sync(stop))
      const shown = new Map<string, string>()
      const round = Effect.fnUntraced(function* (quietMillis: number) {
        const isFirst = shown.size === 0
        const change = isFirst ? Option.some(undefined) : yield* Effect.timeoutOption(Queue.take(changes), tickMillis)
        const changed: Record<string, string> = {}
        for (const [id, { text }] of yield* sections) {
          if (shown.get(id) === text) continue
          shown.set(id, text)
          changed[id] = text
        }
        if (Object.keys(changed).length > 0) {
          if (!isFirst) yield* Effect.sleep(pauseMillis)
          return [`${isFirst ? "retry: 1000\n" : ""}event: sections\ndata: ${JSON.stringify(changed)}\n\n`, 0] as const
        }
        const quiet = Option.isSome(change) ? quietMillis : quietMillis + tickMillis
        return quiet < quietMillisMax ? (["", quiet] as const) : ([": still here\n\n", 0] as const)
      })
      return Stream.unfold(0, round).pipe(
        Stream.filter((text) => text !== ""),
        Stream.encodeText
      )
    })
  )

/** Counts the stream while it is read. */
export const counted = (streams: { open: number }, stream: Stream.Stream<Uint8Array>): Stream.Stream<Uint8Array> =>
  Stream.unwrap(
    Effect.as(
      Effect.acquireRelease(
        Effect.sync(() => streams.open++),
        () => Effect.sync(() => streams.open--)
      ),
      stream
    )
  )
