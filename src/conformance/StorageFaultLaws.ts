/**
 * What every Storage handler promises where things go wrong: at each step of what it does, a crash or a want of room.
 *
 * A handler is tried through a `FaultyStore`, which knows its steps (a write of the disk, a request) and lets one kind of
 * fault strike from a given one on. The laws strike at the first step, at the second, and so on, until nothing is struck.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Storage, type StorageError } from "../effects/Storage.ts"
import { expect, type Law } from "./Law.ts"

export interface FaultyStore {
  /** The store as it lies there. The fault strikes at step `from` (0: the first) and at every one behind it. */
  readonly open: (from: number) => Layer.Layer<Storage, StorageError>
  /** Whether the fault of the last `open` struck. */
  readonly hasStruck: () => boolean
  /** No fault from here on; what was not durable is gone, where power was cut. */
  readonly recover: Effect.Effect<void>
}

/** For a fault behind which nothing is answered any more, so that whether a write took place is unknown. */
export const storageCrashLaws = (
  fresh: Effect.Effect<FaultyStore, never, Scope.Scope>
): ReadonlyArray<Law<Scope.Scope>> => [
  {
    name: "struck at any step, a key has its old blob or its new one, whole, and nothing acknowledged is lost",
    check: atEachStep(fresh, (store, step) =>
      Effect.gen(function* () {
        const done = new Set<string>()
        yield* changes(done).pipe(Effect.ignore, Effect.provide(store.open(step)), Effect.ignore)
        yield* store.recover
        yield* Effect.provide(
          Effect.gen(function* () {
            yield* expectOneOf(step, "a", done.has("put a") ? ["new a"] : ["old a", "new a"])
            yield* expectOneOf(step, "b", done.has("remove b") ? [undefined] : ["old b", undefined])
            yield* expectOneOf(step, "c", done.has("put c") ? ["new c"] : [undefined, "new c"])
            yield* expectListed(step)
          }),
          store.open(Infinity)
        )
      })
    )
  },
  {
    name: "struck at any step, repeating what failed does it",
    check: atEachStep(fresh, (store, step) =>
      Effect.gen(function* () {
        yield* changes(new Set()).pipe(Effect.ignore, Effect.provide(store.open(step)), Effect.ignore)
        yield* store.recover
        yield* Effect.provide(
          Effect.gen(function* () {
            yield* changes(new Set())
            yield* expectOneOf(step, "a", ["new a"])
            yield* expectOneOf(step, "b", [undefined])
            yield* expectOneOf(step, "c", ["new c"])
          }),
          store.open(Infinity)
        )
      })
    )
  }
]

/** For a fault that says that there is no room. */
export const storageNoRoomLaws = (
  fresh: Effect.Effect<FaultyStore, never, Scope.Scope>
): ReadonlyArray<Law<Scope.Scope>> => [
  {
    name: "without room from any step on, a put that is StorageFull changed nothing, and one that succeeded is done",
    check: atEachStep(fresh, (store, step) =>
      Effect.gen(function* () {
        const put = Effect.flatMap(Storage, (storage) => storage.put("a", utf8("new a")))
        const failed = yield* put.pipe(
          Effect.as(Option.none<StorageError>()),
          Effect.provide(store.open(step)),
          Effect.catch((error) => Effect.succeed(Option.some(error)))
        )
        const tag = Option.getOrUndefined(Option.map(failed, ({ reason }) => reason._tag))
        const allowed = { done: ["new a"], StorageFull: ["old a"], StorageUnavailable: ["old a", "new a"] }
        const isKnown = tag === undefined || tag === "StorageFull" || tag === "StorageUnavailable"
        yield* expect(isKnown, `step ${step}: the put failed with ${String(tag)}`)
        yield* store.recover
        yield* Effect.provide(
          Effect.andThen(expectOneOf(step, "a", isKnown ? allowed[tag ?? "done"] : []), expectListed(step)),
          store.open(Infinity)
        )
      })
    )
  }
]

/** Each with a store of its own that holds a and b. */
const atEachStep = <E>(
  fresh: Effect.Effect<FaultyStore, never, Scope.Scope>,
  check: (store: FaultyStore, step: number) => Effect.Effect<void, E>
): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    let isStruck = true
    for (let step = 0; isStruck; step++) {
      yield* expect(step < stepsMax, `${stepsMax} steps and no end`)
      const store = yield* fresh
      yield* Effect.provide(
        Effect.gen(function* () {
          const storage = yield* Storage
          yield* storage.put("a", utf8("old a"))
          yield* storage.put("b", utf8("old b"))
        }),
        store.open(Infinity)
      )
      isStruck = false
      const watching: FaultyStore = {
        ...store,
        recover: Effect.suspend(() => {
          isStruck = store.hasStruck()
          return store.recover
        })
      }
      yield* check(watching, step)
    }
  })

/** No handler takes that many for three writes. */
const stepsMax = 200

const changes = (done: Set<string>) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* storage.put("a", utf8("new a"))
    done.add("put a")
    yield* storage.remove("b")
    done.add("remove b")
    yield* storage.put("c", utf8("new c"))
    done.add("put c")
  })

const expectOneOf = (step: number, key: string, allowed: ReadonlyArray<string | undefined>) =>
  Effect.gen(function* () {
    const found = Option.getOrUndefined(Option.map(yield* (yield* Storage).get(key), text))
    yield* expect(allowed.includes(found), `step ${step}: ${key} is ${String(found)}, not ${allowed.join(" or ")}`)
  })

/** The list and the blobs agree. */
const expectListed = (step: number) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    const listed = yield* storage.list("")
    for (const key of ["a", "b", "c"]) {
      const isThere = Option.isSome(yield* storage.get(key))
      yield* expect(listed.includes(key) === isThere, `step ${step}: the list and the blob of ${key} differ`)
    }
  })

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
