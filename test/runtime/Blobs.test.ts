/** Blobs over every kind of store: their laws, and that they pass in a few chunks of memory however large they are. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { Keys } from "../../src/effects/Keys.ts"
import type { Storage } from "../../src/effects/Storage.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryStorage from "../../src/handlers/memory/MemoryStorage.ts"
import * as EncryptedFileStorage from "../../src/handlers/node/EncryptedFileStorage.ts"
import * as S3Storage from "../../src/handlers/node/S3Storage.ts"
import { blobSizeMax, chunkBytes } from "../../src/journal/Blob.ts"
import * as BlobStore from "../../src/runtime/BlobStore.ts"
import { chunksAtOnce } from "../../src/runtime/limits.ts"
import { temporaryDirectory } from "../handlers/node/disks.ts"
import { openS3, type S3Server } from "../handlers/node/s3Server.ts"
import { blobLaws, space, type } from "./blobLaws.ts"

const keys = Layer.succeed(Keys, MemoryKeys.make({ seed: new Uint8Array(32).fill(1) }))

describe("blobs in memory keep the laws", () => {
  for (const { name, check } of blobLaws) it.live(name, () => Effect.provide(check, MemoryStorage.layer()))
})

describe("blobs in a directory keep the laws", () => {
  for (const { name, check } of blobLaws) {
    it.live(name, () =>
      Effect.flatMap(temporaryDirectory, (home) =>
        Effect.provide(check, Layer.provide(EncryptedFileStorage.layer({ directory: path.join(home, "blobs") }), keys))
      )
    )
  }
})

describe("blobs in a bucket keep the laws", () => {
  let server: S3Server
  let prefixes = 0
  beforeAll(async () => {
    server = await openS3(await mkdtemp(path.join(tmpdir(), "aura-s3-")))
  })
  afterAll(() => server.close())
  for (const { name, check } of blobLaws) {
    it.live(name, () =>
      Effect.suspend(() =>
        Effect.provide(
          check,
          Layer.provide(S3Storage.layer({ ...server.options, prefix: `blobs-${prefixes++}` }), keys)
        )
      )
    )
  }
})

describe("a blob that is larger than memory should be", () => {
  const total = 200 * 1024 * 1024
  const part = 64 * 1024
  // a page that is copied, with its place in front: no two chunks are alike
  const page = new Uint8Array(part).fill(5)
  const made = { bytes: 0, stored: 0, apart: 0, read: 0, given: 0 }
  const parts = Stream.unfold(0, (at: number) =>
    Effect.sync(() => {
      if (at === total) return undefined
      const bytes = page.slice()
      new DataView(bytes.buffer).setUint32(0, at)
      made.bytes += part
      return [bytes, at + part] as const
    })
  )
  const records = new Map<string, number>()
  let manifest: Uint8Array = new Uint8Array(0)
  /** Keeps names alone, and says what a chunk was from its place. */
  const storage: Storage["Service"] = {
    get: (key) =>
      Effect.sync(() => {
        if (key.includes("/m/") && records.has(key)) return Option.some(manifest)
        const at = records.get(key)
        if (at === undefined) return Option.none()
        const bytes = new Uint8Array(chunkBytes).fill(5)
        for (let inside = 0; inside < chunkBytes; inside += part)
          new DataView(bytes.buffer).setUint32(inside, at + inside)
        made.read += chunkBytes
        made.apart = Math.max(made.apart, made.read - made.given)
        return Option.some(bytes)
      }),
    put: (key, bytes) =>
      Effect.sync(() => {
        records.set(key, bytes.length === chunkBytes ? new DataView(bytes.buffer).getUint32(0) : -1)
        if (key.includes("/m/")) manifest = bytes
        made.stored += bytes.length
        made.apart = Math.max(made.apart, made.bytes - made.stored)
      }).pipe(Effect.andThen(Effect.yieldNow)),
    remove: () => Effect.succeed(false),
    list: () => Effect.succeed([])
  }
  const store = BlobStore.make(storage, space)
  const fewChunks = (4 * chunksAtOnce + 2) * chunkBytes

  it.live(
    "is put and read with a few of its chunks in memory",
    () =>
      Effect.gen(function* () {
        const ref = yield* store.put(parts, { type })
        assert.strictEqual(ref.size, total)
        assert.strictEqual(records.size, total / chunkBytes + 1)
        assert.isAtMost(made.apart, fewChunks)
        made.apart = 0
        yield* Stream.runForEach(store.get(ref), (bytes) =>
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => (made.given += bytes.length))
          )
        )
        assert.strictEqual(made.given, total)
        assert.isAtMost(made.apart, fewChunks)
      }),
    20_000
  )

  it.live("and one above the limit is refused by name, with nothing that counts", () =>
    Effect.gen(function* () {
      // a buffer that says it is so long: nobody has to hash two gibibytes
      const large = Object.defineProperty(new Uint8Array(1), "length", { value: blobSizeMax + 1 })
      const error = yield* Effect.flip(store.put(Stream.make(large), { type }))
      assert.strictEqual(error._tag, "BlobInvalid")
    })
  )
})
