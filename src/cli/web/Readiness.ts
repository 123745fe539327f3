/**
 * Whether a server can do its work: the journal takes a durable write, the store of blobs answers, the clock is
 * believable, the device key signs. Each is tried, not assumed: a row of a few bytes is committed, a blob that nobody
 * has is asked for, a tagged message is signed.
 *
 * Everything is tried every five seconds, and anew for who asks `now` when the last trial is more than a second old: he
 * waits two seconds at most. What does not answer by then is not ready, and is not asked again before it has answered. What
 * comes of each commit of the server counts at once.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { JournalStore, JournalStoreError } from "../../effects/JournalStore.ts"
import type { Keys } from "../../effects/Keys.ts"
import type { Storage } from "../../effects/Storage.ts"
import type { Time } from "../../effects/Time.ts"
import { domain } from "../../identity/Hash.ts"
import type { SpaceId } from "../../identity/Id.ts"
import type { Readiness } from "./Site.ts"

export interface Parts {
  readonly store: JournalStore["Service"]
  readonly storage: Pick<Storage["Service"], "get">
  readonly keys: Pick<Keys["Service"], "sign">
  readonly time: Time["Service"]
  readonly space: SpaceId
}

/** For who runs this: `reason` names the place that fails, never a secret. */
export interface Detail {
  readonly name: string
  readonly ok: boolean
  readonly reason: string
  /** Since when it has been so, Unix milliseconds. */
  readonly sinceMillis: number
  /** For strangers: the kind of failure alone. */
  readonly what: string
}

export interface Watch {
  /** Tried within the last second. */
  readonly now: Effect.Effect<ReadonlyArray<Detail>>
  /** As of the last trial; costs nothing. For strangers. */
  readonly told: Effect.Effect<Readiness>
  /** What came of a commit. */
  readonly committed: (exit: Exit.Exit<unknown, JournalStoreError>) => void
}

export const everyMillis = 5_000
export const answerMillisMax = 2_000
const freshMillis = 1_000

/** Looks until the scope ends, and once before it returns. */
export const watch = Effect.fnUntraced(function* (parts: Parts): Effect.fn.Return<Watch, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const journal = yield* makePart("journal", "takes writes", clock, commitOf(parts))
  const rest = [
    yield* makePart("storage", "answers", clock, Effect.exit(failureText(parts.storage.get(blobKey)))),
    yield* makePart("clock", "", clock, Effect.exit(clockOf(parts.time))),
    yield* makePart("keys", "the device key signs", clock, Effect.exit(failureText(parts.keys.sign(probeDomain))))
  ]
  const all = [journal, ...rest]
  const look = Effect.forEach(all, (part) => part.look, { concurrency: "unbounded", discard: true })
  const details = Effect.sync(() => all.map((part) => part.detail()))
  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(everyMillis)))
  yield* look
  return {
    now: Effect.andThen(look, details),
    told: Effect.map(details, (found) => ({
      ok: found.every(({ ok }) => ok),
      checks: found.map(({ name, ok, what }) => ({ name, ok, what }))
    })),
    committed: (exit) => {
      if (Exit.isSuccess(exit)) journal.found(Exit.succeed("takes writes"))
      else
        Option.match(Exit.findErrorOption(exit), {
          onNone: () => undefined,
          // somebody else's entry in one's place says nothing against the store
          onSome: (error) => {
            if (error.reason._tag !== "JournalConflict") journal.found(Exit.fail(textOf(error)))
          }
        })
    }
  }
})

const rowName = "readiness"
const blobKey = "readiness"
const probeDomain = domain("aura/readiness/v1")

interface Said {
  readonly what: string
  readonly reason: string
}

type Trial = Effect.Effect<Exit.Exit<unknown, Said>>

interface Part {
  /** Tries, unless it was just tried; returns when there is an answer or none is waited for any more. */
  readonly look: Effect.Effect<void>
  readonly found: (exit: Exit.Exit<unknown, Said>) => void
  readonly detail: () => Detail
}

const makePart = Effect.fnUntraced(function* (name: string, good: string, clock: Clock.Clock, trial: Trial) {
  const scope = yield* Effect.scope
  let detail: Detail = {
    name,
    ok: false,
    what: "not tried yet",
    reason: "not tried yet",
    sinceMillis: clock.currentTimeMillisUnsafe()
  }
  let triedMillis = Number.NEGATIVE_INFINITY
  let running: Fiber.Fiber<void> | undefined
  const turn = (ok: boolean, said: Said): void => {
    detail = { name, ok, ...said, sinceMillis: ok === detail.ok ? detail.sinceMillis : clock.currentTimeMillisUnsafe() }
  }
  const found: Part["found"] = (exit) => {
    if (Exit.isSuccess(exit)) {
      const text = typeof exit.value === "string" ? exit.value : good
      turn(true, { what: text, reason: text })
    } else Option.match(Exit.findErrorOption(exit), { onNone: () => undefined, onSome: (said) => turn(false, said) })
  }
  const begun = Effect.suspend(() => {
    if (running !== undefined) return Effect.succeed(running)
    return Effect.tap(
      Effect.forkIn(
        Effect.map(trial, (exit) => {
          running = undefined
          triedMillis = clock.currentTimeMillisUnsafe()
          found(exit)
        }),
        scope
      ),
      (fiber) =>
        Effect.sync(() => {
          running = fiber
        })
    )
  })
  const silent = Effect.sync(() => {
    const what = "does not answer"
    turn(false, { what, reason: `${what} within ${answerMillisMax / 1_000} seconds` })
  })
  const look = Effect.suspend(() =>
    clock.currentTimeMillisUnsafe() - triedMillis < freshMillis
      ? Effect.void
      : Effect.flatMap(begun, (fiber) =>
          Effect.timeoutOrElse(Effect.asVoid(Fiber.await(fiber)), { duration: answerMillisMax, orElse: () => silent })
        )
  )
  return { look, found, detail: () => detail } satisfies Part
})

const commitOf = ({ space, store }: Parts): Trial =>
  Effect.exit(failureText(store.commit({ space, locals: [{ name: rowName, bytes: new Uint8Array([1]) }] })))

interface Reasoned {
  readonly message: string
  readonly reason: { readonly _tag: string }
}

const textOf = ({ message, reason }: Reasoned): Said => ({ what: reason._tag, reason: message })

const failureText = <A>(work: Effect.Effect<A, Reasoned>): Effect.Effect<void, Said> =>
  Effect.asVoid(Effect.mapError(work, textOf))

const clockOf = (time: Time["Service"]): Effect.Effect<string, Said> =>
  Effect.suspend(() => {
    const { status } = time.now()
    const what = { Synced: "checked against others", Unchecked: "the system's, believed", Stepped: "it just jumped" }[
      status
    ]
    return status === "Stepped" ? Effect.fail({ what, reason: what }) : Effect.succeed(what)
  })
