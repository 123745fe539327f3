/**
 * What every Storage handler promises, as checks that run anywhere, also beside blobs in use: they touch only keys that
 * begin with "conformance/", need 2 MiB of room, and leave nothing behind when they hold.
 *
 * What takes a crash or a full disk to see is in StorageFaultLaws.ts; damage is for tests of the handler that knows its bytes.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { blobBytesMax, keyBytesMax, Storage, type StorageError } from "../effects/Storage.ts"
import { expect, expectFailure, expectSame, type Law } from "./Law.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const blob = (size: number, tint: number): Uint8Array => new Uint8Array(size).map((_, at) => at * 31 + tint)

const expectStored = (key: string, expected: Uint8Array) =>
  Effect.gen(function* () {
    const found = yield* (yield* Storage).get(key)
    yield* expect(Option.isSome(found), `the blob ${JSON.stringify(key)} is absent`)
    const bytes = Option.getOrElse(found, () => new Uint8Array(0))
    yield* expect(
      isEqual(bytes, expected),
      `the blob ${JSON.stringify(key)} is not what was put: ${bytes.length} bytes`
    )
  })

const expectAbsent = (key: string) =>
  Effect.gen(function* () {
    const found = yield* (yield* Storage).get(key)
    yield* expect(Option.isNone(found), `the blob ${JSON.stringify(key)} is there`)
  })

const isEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at])

const removeAll = (keys: Iterable<string>) =>
  Effect.gen(function* () {
    const storage = yield* Storage
    yield* Effect.forEach(keys, (key) => storage.remove(key), { discard: true })
  })

const isReason =
  (tag: StorageError["reason"]["_tag"]) =>
  (error: StorageError): boolean =>
    error.reason._tag === tag

/** Keys that careless file names, folding, normalising or cutting would confuse with each other. */
const lookAlikes: ReadonlyArray<string> = [
  "a/b",
  "a_b",
  "a%2Fb",
  "a\\b",
  "a",
  "A",
  "a ",
  " a",
  "a.",
  ".a",
  "...",
  "a\0b",
  "a\nb",
  "con",
  "\u00e9",
  "e\u0301",
  "ß",
  "ss",
  "😀",
  "\uff5e",
  "x".repeat(keyBytesMax - 12),
  "x".repeat(keyBytesMax - 13)
].map((key) => `conformance/${key}`)

const invalidKeys: ReadonlyArray<string> = [
  "",
  "/",
  "conformance//a",
  "/conformance",
  "conformance/",
  "conformance/.",
  "conformance/../a",
  "\ud800",
  "conformance/\udc00",
  "é".repeat(keyBytesMax / 2) + "a"
]

export const storageLaws: ReadonlyArray<Law<Storage>> = [
  {
    name: "a key that was never put is absent",
    check: expectAbsent("conformance/never")
  },
  {
    name: "a blob is read back as it was put, whatever its size",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      for (const size of [0, 1, 1_000, 8_191, 8_192, 70_000, 1_048_576]) {
        yield* storage.put("conformance/size", blob(size, size))
        yield* expectStored("conformance/size", blob(size, size))
      }
      yield* storage.remove("conformance/size")
    })
  },
  {
    name: "a second put replaces the first, longer or shorter",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      for (const size of [100, 10_000, 10]) {
        yield* storage.put("conformance/replace", blob(size, 1))
        yield* expectStored("conformance/replace", blob(size, 1))
      }
      yield* expectSame(yield* storage.list("conformance/replace"), ["conformance/replace"], "the list")
      yield* storage.remove("conformance/replace")
    })
  },
  {
    name: "removing says whether there was something, and leaves nothing",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      yield* expectSame(yield* storage.remove("conformance/remove"), false, "removing what is absent")
      yield* storage.put("conformance/remove", blob(10, 1))
      yield* expectSame(yield* storage.remove("conformance/remove"), true, "removing what is there")
      yield* expectSame(yield* storage.remove("conformance/remove"), false, "removing it again")
      yield* expectAbsent("conformance/remove")
      yield* expectSame(yield* storage.list("conformance/remove"), [], "the list")
    })
  },
  {
    name: "keys that differ never collide, however alike they look",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      for (const key of lookAlikes) yield* storage.put(key, utf8(key))
      for (const key of lookAlikes) yield* expectStored(key, utf8(key))
      yield* expectSame(yield* storage.list("conformance/"), [...lookAlikes].sort(), "the list")
      yield* removeAll(lookAlikes)
      for (const key of lookAlikes) yield* expectAbsent(key)
    })
  },
  {
    name: "list takes a prefix as plain text and sorts by code unit",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      // By code unit the emoji (D83D) comes before U+FF5E; by code point or UTF-8 it would come after.
      const sorted = ["B", "a", "a/b", "a/b/c", "ab", "\u00e9", "😀", "\uff5e"].map((key) => `conformance/list/${key}`)
      for (const key of sorted.toReversed()) yield* storage.put(key, utf8(key))
      yield* expectSame(yield* storage.list("conformance/list/"), sorted, "everything")
      yield* expectSame(yield* storage.list("conformance/list/a"), sorted.slice(1, 5), "what starts with a")
      yield* expectSame(yield* storage.list("conformance/list/a/"), sorted.slice(2, 4), "what starts with a/")
      yield* expectSame(yield* storage.list("conformance/list/c"), [], "what starts with c")
      const all = yield* storage.list("")
      yield* expect(
        sorted.every((key) => all.includes(key)),
        "the list of everything lacks some"
      )
      yield* removeAll(sorted)
      yield* expectSame(yield* storage.list("conformance/list/"), [], "the list after removing all")
    })
  },
  {
    name: "what is no key is refused by name and changes nothing",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const before = yield* storage.list("")
      for (const key of invalidKeys) {
        const refused = isReason("StorageKeyInvalid")
        yield* expectFailure(storage.put(key, blob(1, 1)), refused, `putting ${JSON.stringify(key)}`)
        yield* expectFailure(storage.get(key), refused, `getting ${JSON.stringify(key)}`)
        yield* expectFailure(storage.remove(key), refused, `removing ${JSON.stringify(key)}`)
      }
      yield* expectSame(yield* storage.list(""), before, "the list")
    })
  },
  {
    name: "a blob above the limit is a defect that changes nothing",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      yield* storage.put("conformance/large", blob(10, 1))
      const exit = yield* Effect.exit(storage.put("conformance/large", new Uint8Array(blobBytesMax + 1)))
      yield* expect(Exit.hasDies(exit), `${blobBytesMax + 1} bytes were taken`)
      yield* expectStored("conformance/large", blob(10, 1))
      yield* storage.remove("conformance/large")
    })
  },
  {
    name: "a buffer that was put or handed out is not shared with the store",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const bytes = blob(1_000, 1)
      yield* storage.put("conformance/shared", bytes)
      bytes.fill(0)
      const handedOut = yield* storage.get("conformance/shared")
      if (Option.isSome(handedOut)) handedOut.value.fill(0)
      yield* expectStored("conformance/shared", blob(1_000, 1))
      yield* storage.remove("conformance/shared")
    })
  },
  {
    name: "of concurrent puts under one key one wins whole, and readers meanwhile see whole blobs",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const candidates = Array.from({ length: 8 }, (_, index) => blob(2_000 + index, index))
      const isWhole = (found: Option.Option<Uint8Array>): boolean =>
        Option.isSome(found) && candidates.some((candidate) => isEqual(candidate, found.value))
      yield* storage.put("conformance/race", candidates[0]!)
      const seen = yield* Effect.forEach(
        candidates,
        (candidate) => Effect.andThen(storage.put("conformance/race", candidate), storage.get("conformance/race")),
        { concurrency: "unbounded" }
      )
      yield* expect(seen.every(isWhole), "a reader saw something that nobody put")
      yield* expect(isWhole(yield* storage.get("conformance/race")), "what stayed is none of the blobs put")
      yield* expectSame(yield* storage.list("conformance/race"), ["conformance/race"], "the list")
      yield* storage.remove("conformance/race")
    })
  },
  {
    name: "concurrent puts, lists and removals of different keys do not disturb each other",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const keys = Array.from({ length: 24 }, (_, index) => `conformance/many/${String(index).padStart(2, "0")}`)
      const isKept = (key: string): boolean => keys.indexOf(key) % 3 !== 0
      yield* Effect.forEach(
        keys,
        (key) =>
          Effect.gen(function* () {
            yield* storage.put(key, utf8(key))
            const listed = yield* storage.list("conformance/many/")
            yield* expect(listed.includes(key), `${key} was put and is not listed`)
            if (!isKept(key)) yield* storage.remove(key)
          }),
        { concurrency: "unbounded", discard: true }
      )
      const kept = keys.filter(isKept)
      yield* expectSame(yield* storage.list("conformance/many/"), kept, "the list")
      for (const key of kept) yield* expectStored(key, utf8(key))
      yield* removeAll(kept)
    })
  }
]

/** For a store that has room for `limitBytes`, at most 16 MiB, and is empty. */
export const storageFullLaws = (limitBytes: number): ReadonlyArray<Law<Storage>> => [
  {
    name: "a put without room is StorageFull with the limit and changes nothing, and removing makes room again",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const half = Math.ceil(limitBytes / 2)
      yield* storage.put("conformance/full/old", blob(half, 1))
      for (const key of ["conformance/full/new", "conformance/full/old"]) {
        const isNamed = ({ reason }: StorageError) => reason._tag === "StorageFull" && reason.limitBytes === limitBytes
        yield* expectFailure(storage.put(key, blob(limitBytes + 1, 2)), isNamed, `putting ${key}`)
      }
      yield* expectAbsent("conformance/full/new")
      yield* expectStored("conformance/full/old", blob(half, 1))
      yield* expectSame(yield* storage.list(""), ["conformance/full/old"], "the list")
      yield* storage.remove("conformance/full/old")
      yield* storage.put("conformance/full/new", blob(half, 3))
      yield* expectStored("conformance/full/new", blob(half, 3))
      yield* storage.remove("conformance/full/new")
    })
  }
]
