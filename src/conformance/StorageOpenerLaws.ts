/**
 * What every durable Storage handler promises where its place is opened twice at once: by two processes, or by one that
 * was restarted before the other had ended.
 *
 * A handler keeps the second opener out, or lets both in and tells one of them that the place is `taken`. Which of the two
 * it does its module comment says; that nothing is lost in silence holds for both. A store in memory has no place.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Storage, type StorageError } from "../effects/Storage.ts"
import { expect, expectSame, type Law } from "./Law.ts"

/** The same place at every opening; there is nothing in it. */
export type StoragePlace = Layer.Layer<Storage, StorageError>

export const storageOpenerLaws = (
  fresh: Effect.Effect<StoragePlace, never, Scope.Scope>
): ReadonlyArray<Law<Scope.Scope>> => [
  {
    name: "of two who have a place open, one goes on and the other is told that it is taken",
    check: Effect.gen(function* () {
      const place = yield* fresh
      const [first, second] = yield* twice(place)
      const told: Array<number> = []
      for (let round = 0; round < 3; round++)
        for (const [who, opener] of [first, second].entries())
          if ((yield* attempt(opener, put("a"))) === "taken") told.push(who)
      yield* expect(told.length >= 1, "both went on writing, and neither was told")
      const both = [yield* attempt(first, put("b")), yield* attempt(second, put("b"))]
      yield* expectSame(both.toSorted(), ["done", "taken"], "what the two are told in the end")
    })
  },
  {
    name: "what either was told is done, is there for who opens the place afterwards",
    check: Effect.gen(function* () {
      const place = yield* fresh
      const [first, second] = yield* twice(place)
      const done: Array<string> = []
      for (const key of keys) {
        for (const [who, opener] of [first, second].entries()) {
          const own = `${key}-${who}`
          if ((yield* attempt(opener, (store) => store.put(own, utf8(own)))) === "done") done.push(own)
        }
      }
      yield* close(first)
      yield* close(second)
      const third = yield* opened(place)
      for (const key of done) yield* expectSame(yield* found(third, key), key, key)
      const listed = yield* attempt(third, (store) =>
        Effect.flatMap(store.list(""), (all) =>
          expect(
            done.every((key) => all.includes(key)),
            "the list lacks some"
          )
        )
      )
      yield* expectSame(listed, "done", "the list")
    })
  },
  {
    name: "where both wrote the same key, the last blob that was done is there, or its damage is told",
    check: Effect.gen(function* () {
      const place = yield* fresh
      const [first, second] = yield* twice(place)
      const allowed = new Map<string, Array<string | undefined>>()
      for (const [round, who] of ([0, 1, 0, 0, 1, 1, 0, 1] as const).entries()) {
        const opener = [first, second][who]!
        for (const key of ["a", "b"]) {
          const isRemoval = round % 3 === 2 && key === "b"
          const blob = isRemoval ? undefined : `${key} ${round}`
          const outcome = yield* attempt(opener, (store) =>
            isRemoval ? store.remove(key) : store.put(key, utf8(`${key} ${round}`))
          )
          // one that failed may have taken place
          if (outcome === "done") allowed.set(key, [blob])
          else allowed.get(key)?.push(blob)
        }
      }
      yield* close(first)
      yield* close(second)
      const third = yield* opened(place)
      for (const [key, blobs] of allowed) {
        const blob = yield* found(third, key)
        yield* expect(
          blob === "damaged" || blobs.includes(blob),
          `${key} is ${String(blob)}, not ${blobs.join(" or ")}`
        )
      }
    })
  },
  {
    name: "once one has closed, the next opens and goes on",
    check: Effect.gen(function* () {
      const place = yield* fresh
      for (const key of ["a", "b"]) {
        const opener = yield* opened(place)
        yield* expectSame(yield* attempt(opener, put(key)), "done", key)
        yield* close(opener)
      }
      const last = yield* opened(place)
      for (const key of ["a", "b"]) yield* expectSame(yield* found(last, key), key, key)
    })
  }
]

/** So many that two openers also write where the other one wrote. */
const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`)

interface Opener {
  readonly scope: Scope.Closeable
  /** Or why it was not let in. */
  readonly store: Exit.Exit<Storage["Service"], StorageError>
}

const opened = Effect.fnUntraced(function* (place: StoragePlace): Effect.fn.Return<Opener, never, Scope.Scope> {
  const scope = yield* Scope.fork(yield* Effect.scope)
  // built anew, however often the same layer was
  const store = yield* Effect.exit(
    Layer.build(Layer.fresh(place)).pipe(
      Effect.flatMap((built) => Effect.provide(Storage, built)),
      Scope.provide(scope)
    )
  )
  return { scope, store }
})

/** The second one opens what the first one is writing to. */
const twice = Effect.fnUntraced(function* (place: StoragePlace) {
  const first = yield* opened(place)
  yield* expectSame(yield* attempt(first, put("before")), "done", "a put of the only opener")
  return [first, yield* opened(place)] as const
})

const close = ({ scope }: Opener): Effect.Effect<void> => Scope.close(scope, Exit.void)

/** Anything but success and `taken` breaks the law. */
const attempt = <A, E>(
  { store }: Opener,
  work: (store: Storage["Service"]) => Effect.Effect<A, E>
): Effect.Effect<"done" | "taken", E | StorageError> =>
  Effect.matchEffect(Effect.flatMap(store, work), {
    onSuccess: () => Effect.succeed("done" as const),
    onFailure: (error) => (isTaken(error) ? Effect.succeed("taken" as const) : Effect.fail(error))
  })

const isTaken = (error: unknown): boolean =>
  typeof error === "object" &&
  error !== null &&
  "reason" in error &&
  (error as StorageError).reason._tag === "StorageUnavailable" &&
  (error as StorageError & { readonly reason: { readonly why?: string } }).reason.why === "taken"

const put = (key: string) => (store: Storage["Service"]) => store.put(key, utf8(key))

const found = ({ store }: Opener, key: string) =>
  Effect.flatMap(store, (open) => open.get(key)).pipe(
    Effect.map((blob) => Option.getOrUndefined(Option.map(blob, (bytes) => new TextDecoder().decode(bytes)))),
    Effect.catchIf(
      (error: StorageError) => error.reason._tag === "StorageCorrupt",
      () => Effect.succeed("damaged")
    )
  )

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
