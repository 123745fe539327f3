/** Sealed objects: the laws on a real server, pages, what the bucket shows, and a network and a store that fail. */
import { afterAll, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { createServer } from "node:http"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { storageCrashLaws, storageNoRoomLaws } from "../../../src/conformance/StorageFaultLaws.ts"
import { storageOpenerLaws } from "../../../src/conformance/StorageOpenerLaws.ts"
import { storageFullLaws, storageLaws } from "../../../src/conformance/StorageLaws.ts"
import { Keys } from "../../../src/effects/Keys.ts"
import { Storage, type StorageError } from "../../../src/effects/Storage.ts"
import * as MemoryKeys from "../../../src/handlers/memory/MemoryKeys.ts"
import { triesMax } from "../../../src/handlers/node/S3Bucket.ts"
import * as S3Storage from "../../../src/handlers/node/S3Storage.ts"
import { filesBelow } from "./disks.ts"
import { openS3, secret, type Fault, type S3Server, type Seen } from "./s3Server.ts"

type Store = Storage["Service"]

const alice = MemoryKeys.make({ seed: new Uint8Array(32).fill(1) })
const bob = MemoryKeys.make({ seed: new Uint8Array(32).fill(2) })

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

let directory: string
let server: S3Server
let prefixes = 0
let prefix: string
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "aura-s3-"))
  server = await openS3(directory)
})
afterAll(() => server.close())
beforeEach(() => {
  server.fault = () => undefined
  server.knowsConditions = true
  prefix = `prefix-${prefixes++}`
})

type Options = Partial<S3Storage.S3StorageOptions>

const layer = (options: Options = {}, keys = alice) =>
  Layer.provide(S3Storage.layer({ ...server.options, prefix, ...options }), Layer.succeed(Keys, keys))

const using = <A, E>(work: (store: Store) => Effect.Effect<A, E>, options: Options = {}, keys = alice) =>
  Effect.provide(Effect.flatMap(Storage, work), layer(options, keys))

const text = (store: Store, key: string) =>
  Effect.map(store.get(key), (found) =>
    Option.getOrUndefined(Option.map(found, (bytes) => new TextDecoder().decode(bytes)))
  )

const reasonOf = <A>(effect: Effect.Effect<A, StorageError>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** The fault strikes the first `times` requests of which `isMeant` holds. */
const strike = (fault: Fault, times: number, isMeant: (seen: Seen) => boolean = () => true) => {
  let struck = 0
  server.fault = (seen) => (isMeant(seen) && struck++ < times ? fault : undefined)
  return () => Math.min(struck, times)
}

const isRecord = ({ path: name }: Seen): boolean => /\/[0-9a-f]{2}\/[0-9a-f]{62}$/u.test(name)

describe("S3Storage keeps the laws", () => {
  for (const { name, check } of storageLaws) {
    it.live(name, () => Effect.provide(check, layer({ pageMax: 7 })), 60_000)
  }
  for (const { name, check } of storageFullLaws(100_000)) {
    it.live(name, () => Effect.provide(check, layer({ limitBytes: 100_000 })))
  }
  it.live("and without conditions too", () => {
    server.knowsConditions = false
    return Effect.provide(
      Effect.forEach(storageLaws.slice(0, 4), ({ check }) => check),
      layer()
    )
  })
})

describe("S3Storage keeps the laws of two openers", () => {
  for (const lookMillis of [0, 1_000, 3_600_000]) {
    const place = Effect.sync(() => layer({ prefix: `openers-${prefixes++}`, lookMillis }))
    for (const { name, check } of storageOpenerLaws(place)) {
      it.live(`looking at the header after ${lookMillis} ms: ${name}`, () => Effect.scoped(check))
    }
  }
})

/** The fault strikes every request from one on, and its tries. */
const faulty = (fault: Fault) =>
  Effect.sync(() => {
    const own = `faulty-${prefixes++}`
    let requests = 0
    let isStruck = false
    return {
      open: (from: number) => {
        requests = 0
        isStruck = false
        server.fault = () => {
          if (requests++ < from) return undefined
          isStruck = true
          return fault
        }
        return layer({ prefix: own, pauseMillis: 1 })
      },
      hasStruck: () => isStruck,
      recover: Effect.sync(() => {
        server.fault = () => undefined
      })
    }
  })

describe("S3Storage keeps the laws of faults", () => {
  const crashes: ReadonlyArray<readonly [string, Fault]> = [
    ["no connection", { kind: "cut", at: "request" }],
    ["a connection that ends after the work", { kind: "cut", at: "answer" }],
    ["a connection that ends in mid body", { kind: "cut", at: "body" }],
    ["503", { kind: "refuse", status: 503 }]
  ]
  for (const [what, fault] of crashes) {
    for (const { name, check } of storageCrashLaws(faulty(fault))) {
      it.live(`${what}: ${name}`, () => Effect.scoped(check), 60_000)
    }
  }
  for (const { name, check } of storageNoRoomLaws(faulty({ kind: "refuse", status: 507, code: "XMinioStorageFull" }))) {
    it.live(name, () => Effect.scoped(check), 60_000)
  }
})

describe("S3Storage", () => {
  it.live("what one process put, the next one gets and lists, page by page", () =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 25 }, (_, index) => `note/${String(index).padStart(2, "0")}`)
      yield* using((store) => Effect.forEach(keys, (key) => store.put(key, utf8(key))))
      const before = server.seen.length
      assert.deepStrictEqual(yield* using((store) => store.list(""), { pageMax: 4 }), keys)
      const pages = server.seen.slice(before).filter(({ path: name }) => name.includes("list-type=2"))
      assert.isAtLeast(pages.length, 7)
      assert.strictEqual(yield* using((store) => text(store, keys[3]!)), keys[3])
    })
  )

  it.live("the bucket holds neither a key nor a blob nor a name made of them, and no request carries one", () =>
    Effect.gen(function* () {
      const before = server.seen.length
      yield* using((store) =>
        Effect.gen(function* () {
          yield* store.put("planted/key", utf8("planted text".repeat(1_000)))
          yield* store.list("planted/")
          yield* store.get("planted/key")
        })
      )
      const files = yield* filesBelow(directory)
      assert.isNotEmpty(files.filter((file) => file.includes(prefix)))
      for (const file of files) {
        const bytes = yield* Effect.promise(() => readFile(path.join(directory, file), "latin1"))
        assert.notInclude(`${file} ${bytes}`, "planted")
        assert.notInclude(bytes, secret)
      }
      assert.notInclude(JSON.stringify(server.seen.slice(before)), "planted")
      assert.notInclude(JSON.stringify(server.seen), secret)
    })
  )

  it.live("an object put back to an older version, or taken away, is damage", () =>
    Effect.gen(function* () {
      yield* using((store) => store.put("key", utf8("first")))
      const isOwn = (file: string) => file.includes(`/${prefix}/`) && /[0-9a-f]{62}/u.test(file)
      const objects = (yield* filesBelow(directory)).filter(isOwn).map((file) => path.join(directory, file))
      const older = yield* Effect.promise(() => Promise.all(objects.map((file) => readFile(file))))
      yield* using((store) => store.put("key", utf8("later")))
      yield* Effect.promise(() => Promise.all(objects.map((file, at) => writeFile(file, older[at]!))))
      const reason = yield* reasonOf(using((store) => store.get("key")))
      assert.include(reason.message, "an older version of it was put back")
      yield* Effect.promise(() => Promise.all(objects.map((file) => rm(file))))
      assert.strictEqual((yield* reasonOf(using((store) => store.list(""))))._tag, "StorageCorrupt")
      yield* using((store) => store.put("key", utf8("newest")))
      assert.strictEqual(yield* using((store) => text(store, "key")), "newest")
    })
  )

  it.live("another device does not open the store, and has one of its own without a prefix", () =>
    Effect.gen(function* () {
      yield* using((store) => store.put("key", utf8("blob")))
      const refused = yield* reasonOf(using((store) => text(store, "key"), {}, bob))
      assert.deepStrictEqual([refused._tag, "key" in refused && refused.key], ["StorageCorrupt", "/header"])
      for (const keys of [alice, bob]) {
        yield* using((store) => store.put("key", utf8(keys.device)), { prefix: undefined }, keys)
      }
      assert.strictEqual(yield* using((store) => text(store, "key"), { prefix: undefined }), alice.device)
    })
  )

  it.live("of two that make a store at once, one goes on with the other's, and nothing acknowledged is lost", () =>
    Effect.gen(function* () {
      // The first has seen that there is no store, and tries again when the second has made one.
      const isHeader = ({ method, path: name }: Seen) => method === "PUT" && name.endsWith("/header")
      const struck = strike({ kind: "refuse", status: 503 }, 1, isHeader)
      const open = (key: string, pauseMillis: number) => using((store) => store.put(key, utf8(key)), { pauseMillis })
      const first = yield* Effect.forkChild(open("first", 500))
      while (struck() === 0) yield* Effect.sleep(5)
      yield* open("second", 1)
      yield* Fiber.join(first)
      yield* using((store) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* store.list(""), ["first", "second"])
          for (const key of ["first", "second"]) assert.strictEqual(yield* text(store, key), key)
        })
      )
    })
  )

  it.live("a store is resealed for another device without a blob being written", () =>
    Effect.gen(function* () {
      yield* using((store) => store.put("key", utf8("blob")))
      const before = server.seen.length
      yield* Effect.provideService(S3Storage.reseal({ ...server.options, prefix }, bob), Keys, alice)
      assert.isFalse(server.seen.slice(before).some(isRecord))
      assert.strictEqual(yield* using((store) => text(store, "key"), {}, bob), "blob")
      assert.strictEqual((yield* reasonOf(using((store) => text(store, "key"))))._tag, "StorageCorrupt")
    })
  )

  it.live("who reserves counters over somebody else's header is told that the store is taken", () =>
    Effect.gen(function* () {
      yield* using((store) => store.put("key", utf8("old")))
      const reason = yield* using((first) =>
        Effect.gen(function* () {
          yield* using((second) => second.put("key", utf8("second")))
          return yield* reasonOf(first.put("key", utf8("first")))
        })
      )
      assert.strictEqual("why" in reason ? reason.why : undefined, "taken")
      assert.strictEqual(yield* using((store) => text(store, "key")), "second")
    })
  )
})

describe("S3Storage and a failing network", () => {
  const passing: ReadonlyArray<readonly [string, Fault]> = [
    ["a connection that ends at once", { kind: "cut", at: "request" }],
    ["a connection that ends after the work", { kind: "cut", at: "answer" }],
    ["a connection that ends in mid body", { kind: "cut", at: "body" }],
    ["503", { kind: "refuse", status: 503, code: "SlowDown" }],
    ["500 without a word", { kind: "refuse", status: 500 }],
    ["no answer", { kind: "never" }]
  ]
  for (const [name, fault] of passing) {
    it.live(`${name} passes, at every request`, () =>
      Effect.gen(function* () {
        const options = { timeoutMillis: 400 }
        const twice = (method: string) => strike(fault, 2, (seen) => seen.method === method)
        yield* using((store) => store.put("key", utf8("old")), options)
        const work = (store: Store) =>
          Effect.gen(function* () {
            twice("PUT")
            yield* store.put("key", utf8("new"))
            twice("GET")
            assert.strictEqual(yield* text(store, "key"), "new")
            twice("GET")
            assert.deepStrictEqual(yield* store.list(""), ["key"])
            twice("DELETE")
            assert.isTrue(yield* store.remove("key"))
            twice("HEAD")
            assert.isFalse(yield* store.remove("key"))
          })
        yield* using(work, options)
      })
    )
  }

  it.live("a new store is made also when the first answer was lost", () =>
    Effect.gen(function* () {
      strike({ kind: "cut", at: "answer" }, 1, ({ method }) => method === "PUT")
      yield* using((store) => store.put("key", utf8("blob")))
      assert.strictEqual(yield* using((store) => text(store, "key")), "blob")
    })
  )

  it.live("an answer that was shortened is asked for again, and is damage when it stays so", () =>
    Effect.gen(function* () {
      yield* using((store) =>
        Effect.gen(function* () {
          yield* store.put("key", utf8("a blob"))
          strike({ kind: "shorten", bytes: 3 }, 1, isRecord)
          assert.strictEqual(yield* text(store, "key"), "a blob")
          strike({ kind: "shorten", bytes: 3 }, 100, isRecord)
          assert.strictEqual((yield* reasonOf(store.get("key")))._tag, "StorageCorrupt")
        })
      )
    })
  )

  it.live("what does not pass is told after some tries, with endpoint and bucket and without the secret", () =>
    Effect.gen(function* () {
      yield* using((store) => store.put("key", utf8("old")))
      yield* using((store) =>
        Effect.gen(function* () {
          const struck = strike({ kind: "refuse", status: 503, code: "SlowDown" }, 100, isRecord)
          const reason = yield* reasonOf(store.put("key", utf8("new")))
          assert.strictEqual(struck(), triesMax)
          assert.include(reason.message, `"blobs" at ${server.options.endpoint}`)
          assert.include(reason.message, "SlowDown")
          server.fault = () => undefined
          assert.strictEqual(yield* text(store, "key"), "old")
        })
      )
    })
  )

  const refusals: ReadonlyArray<readonly [string, Fault, string]> = [
    ["forbidden", { kind: "refuse", status: 403, code: "AccessDenied" }, "forbidden"],
    ["without a bucket", { kind: "refuse", status: 404, code: "NoSuchBucket" }, "noBucket"],
    ["off the store's clock", { kind: "refuse", status: 403, code: "RequestTimeTooSkewed" }, "clockSkew"],
    ["elsewhere", { kind: "refuse", status: 301, code: "PermanentRedirect" }, "forbidden"],
    ["full", { kind: "refuse", status: 507, code: "XMinioStorageFull" }, "StorageFull"],
    ["over a quota", { kind: "refuse", status: 400, code: "QuotaExceeded" }, "StorageFull"]
  ]
  for (const [name, fault, expected] of refusals) {
    it.live(`a put that is ${name} is told at once, and changes nothing`, () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.put("key", utf8("old"))
          const struck = strike(fault, 100, isRecord)
          const reason = yield* reasonOf(store.put("key", utf8("new")))
          assert.strictEqual(reason._tag === "StorageUnavailable" ? reason.why : reason._tag, expected)
          assert.strictEqual(struck(), 1)
          assert.include(reason.message, `"blobs" at ${server.options.endpoint}`)
          assert.notInclude(JSON.stringify(reason), secret)
          server.fault = () => undefined
          assert.strictEqual(yield* text(store, "key"), "old")
        })
      )
    )
  }

  it.live("a bucket that is not there, an unknown key and a wrong secret are told by the server itself", () =>
    Effect.gen(function* () {
      const none = yield* reasonOf(using((store) => store.list(""), { bucket: "none" }))
      assert.strictEqual("why" in none ? none.why : "", "noBucket")
      const unknown = { accessKeyId: Redacted.make("MALLORY") }
      const wrong = { secretAccessKey: Redacted.make("another-pl4nted") }
      for (const options of [unknown, wrong]) {
        const forbidden = yield* reasonOf(using((store) => store.list(""), options))
        assert.strictEqual("why" in forbidden ? forbidden.why : "", "forbidden")
        assert.notInclude(forbidden.message, "pl4nted")
      }
    })
  )

  it.live("a store that is away is down", () =>
    Effect.gen(function* () {
      const closed = createServer()
      yield* Effect.promise(() => new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve)))
      const { port } = closed.address() as AddressInfo
      yield* Effect.promise(() => new Promise((resolve) => closed.close(resolve)))
      const reason = yield* reasonOf(using((store) => store.list(""), { endpoint: `http://127.0.0.1:${port}` }))
      assert.strictEqual("why" in reason ? reason.why : "", "down")
      assert.include(reason.message, "ECONNREFUSED")
    })
  )
})
