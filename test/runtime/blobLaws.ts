/** What blobs promise over any Storage: laws as data, run over memory, a directory and a bucket. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { expect, expectFailure, expectSame, type Law } from "../../src/conformance/Law.ts"
import { Storage, StorageError, StorageFull, StorageUnavailable } from "../../src/effects/Storage.ts"
import { spaceId, type BlobHash } from "../../src/identity/Id.ts"
import { chunkBytes, type BlobRef } from "../../src/journal/Blob.ts"
import * as BlobStore from "../../src/runtime/BlobStore.ts"
import { blobGraceMillis } from "../../src/runtime/limits.ts"

export const space = spaceId(new Uint8Array(32).fill(7))
export const type = "application/octet-stream"

/** Bytes of which no two chunks are alike. */
export const bytesOf = (size: number, tint = 0): Uint8Array => {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + (at >> 16) + tint) & 255
  return bytes
}

/** In parts of this size. */
export const inParts = (bytes: Uint8Array, size: number): Stream.Stream<Uint8Array> =>
  Stream.fromIterable(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size))
  )

export const put = (store: BlobStore.BlobStore, bytes: Uint8Array, part = 100_000) =>
  store.put(inParts(bytes, part), { type })

export const read = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  Effect.map(Stream.runCollect(stream), (parts) => Uint8Array.from(Buffer.concat(parts)))

const opened = Effect.map(Storage, (storage) => BlobStore.make(storage, space))

const records = (room = "") => Effect.flatMap(Storage, (storage) => storage.list(`blobs/${space}/${room}`))

const expectBlob = (store: BlobStore.BlobStore, ref: BlobRef, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const found = yield* read(store.get(ref))
    yield* expect(Buffer.from(found).equals(bytes), `${found.length} bytes that are not the ${bytes.length} put`)
  })

/** Fails from the write with this number on, 0 the first. */
const failingAt = (storage: Storage["Service"], at: number, error: StorageError): Storage["Service"] => {
  let writes = 0
  return { ...storage, put: (key, bytes) => (writes++ < at ? storage.put(key, bytes) : Effect.fail(error)) }
}

const full = new StorageError({ reason: new StorageFull({ limitBytes: 1 }) })
const away = new StorageError({ reason: new StorageUnavailable({ what: "made by a test" }) })

const clear = Effect.gen(function* () {
  const storage = yield* Storage
  for (const key of yield* storage.list("blobs/")) yield* storage.remove(key)
})

const laws: ReadonlyArray<Law<Storage>> = [
  {
    name: "a blob is read back as it was put, whatever its size and its parts, and is named by its bytes alone",
    check: Effect.gen(function* () {
      const store = yield* opened
      for (const size of [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes + 7]) {
        const bytes = bytesOf(size, size)
        const refs: Array<BlobRef> = []
        for (const part of [1_000, chunkBytes, 1_000_000]) refs.push(yield* put(store, bytes, part))
        yield* expectSame(refs, [refs[0], refs[0], refs[0]], "the references")
        yield* expectSame(refs[0]?.size, size, "the size")
        yield* expectBlob(store, refs[0]!, bytes)
      }
    })
  },
  {
    name: "equal chunks and equal blobs are kept once",
    check: Effect.gen(function* () {
      const store = yield* opened
      const [one, other] = [bytesOf(chunkBytes), bytesOf(chunkBytes, 1)]
      const ref = yield* put(store, Buffer.concat([one, other, one, one]))
      yield* put(store, Buffer.concat([one, other, one, one]))
      yield* put(store, other)
      yield* expectSame((yield* records("c")).length, 2, "chunks")
      yield* expectSame((yield* records("m")).length, 2, "manifests")
      yield* expectBlob(store, ref, Buffer.concat([one, other, one, one]))
    })
  },
  {
    name: "a put that fails at any write leaves nothing that counts, and is done by repeating it",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const bytes = bytesOf(2 * chunkBytes + 9)
      for (const [writes, error] of [0, 1, 2, 3].flatMap((at) => [[at, full] as const, [at, away] as const])) {
        const failing = BlobStore.make(failingAt(storage, writes, error), space)
        const isSame = (found: unknown) => found === error
        yield* expectFailure(put(failing, bytes), isSame, `a put that fails at write ${writes}`)
        yield* expectSame(yield* records(), [], `what stays after write ${writes}`)
      }
      const store = yield* opened
      yield* expectBlob(store, yield* put(store, bytes), bytes)
    })
  },
  {
    name: "a put that is interrupted leaves nothing that counts; its chunks are swept, or save writing when it is repeated",
    check: Effect.gen(function* () {
      const store = yield* opened
      const bytes = bytesOf(3 * chunkBytes)
      const endless = Stream.concat(inParts(bytes, chunkBytes), Stream.never)
      const interrupted = Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(store.put(endless, { type }))
        while ((yield* records("c")).length < 3) yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        yield* expectSame(yield* records("m"), [], "manifests")
      })
      yield* interrupted
      yield* expectSame(yield* store.sweep(new Set(), 0), { blobs: 0, chunks: 3 }, "what is swept")
      yield* interrupted
      const storage = yield* Storage
      const written: Array<string> = []
      const watched = {
        ...storage,
        put: (key: string, some: Uint8Array) => (written.push(key), storage.put(key, some))
      }
      const ref = yield* put(BlobStore.make(watched, space), bytes)
      yield* expectSame(written, [`blobs/${space}/m/${ref.hash}`], "what the repeated put writes")
      yield* expectBlob(store, ref, bytes)
    })
  },
  {
    name: "a put that failed takes nothing from one beside it that counts on the same chunks",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const store = yield* opened
      const bytes = bytesOf(chunkBytes)
      const failing = Stream.concat(
        inParts(bytes, chunkBytes),
        Stream.concat(
          inParts(bytesOf(chunkBytes, 1), chunkBytes),
          Stream.drain(Stream.fromEffect(Effect.sleep(5)))
        ).pipe(Stream.concat(Stream.fail("no more")))
      )
      const [failed, ref] = yield* Effect.all([Effect.exit(store.put(failing, { type })), put(store, bytes)], {
        concurrency: 2
      })
      yield* expect(failed._tag === "Failure", "the put was to fail")
      yield* expectBlob(store, ref, bytes)
      yield* expectSame((yield* storage.list(`blobs/${space}/c`)).length, 1, "chunks")
    })
  },
  {
    name: "bytes that are not what their name says are never handed on, and putting the blob again mends it",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const store = yield* opened
      const bytes = bytesOf(2 * chunkBytes)
      const ref = yield* put(store, bytes)
      const second = yield* put(store, bytes.subarray(chunkBytes))
      const [first] = (yield* records("c")).filter((key) => !second.hash.includes(key))
      for (const key of [first!, `blobs/${space}/m/${ref.hash}`]) {
        yield* storage.put(key, bytesOf(chunkBytes, 3))
        const given: Array<Uint8Array> = []
        const reading = Stream.runForEach(store.get(ref), (part) => Effect.sync(() => given.push(part)))
        yield* expectFailure(reading, (error) => error._tag === "BlobAbsent", "reading what was altered")
        yield* expect(
          given.every((part) =>
            [0, chunkBytes].some((at) => Buffer.from(part).equals(bytes.subarray(at, at + chunkBytes)))
          ),
          "altered bytes were handed on"
        )
        yield* expectSame(yield* put(store, bytes), ref, "the reference of the repeated put")
        yield* expectBlob(store, ref, bytes)
      }
    })
  },
  {
    name: "a reference that says another size, another form or a type that is none is refused",
    check: Effect.gen(function* () {
      const store = yield* opened
      const ref = yield* put(store, bytesOf(10))
      const isInvalid = (error: { readonly _tag: string }) => error._tag === "BlobInvalid"
      for (const wrong of [{ size: 11 }, { size: -1 }, { size: 0.5 }, { type: "" }, { hash: "00" as BlobHash }])
        yield* expectFailure(read(store.get({ ...ref, ...wrong })), isInvalid, JSON.stringify(wrong))
      yield* expectFailure(store.put(inParts(bytesOf(1), 1), { type: "\n" }), isInvalid, "a type of a line break")
    })
  },
  {
    name: "what nobody names goes when its time is over, with the chunks that no other blob has, and not before",
    check: Effect.gen(function* () {
      const store = yield* opened
      const shared = bytesOf(chunkBytes)
      const kept = yield* put(store, shared)
      const gone = yield* put(store, Buffer.concat([shared, bytesOf(5, 1)]))
      const named = new Set([kept.hash])
      yield* expectSame(yield* store.sweep(named, 1_000), { blobs: 0, chunks: 0 }, "the first sweep")
      yield* expectSame(yield* store.sweep(named, blobGraceMillis), { blobs: 0, chunks: 0 }, "a sweep within the time")
      yield* expect(yield* store.has(gone.hash), "it went too early")
      yield* store.sweep(new Set([kept.hash, gone.hash]), blobGraceMillis + 999)
      yield* store.sweep(named, blobGraceMillis + 1_000)
      yield* expect(yield* store.has(gone.hash), "it was named meanwhile, and went")
      yield* put(store, Buffer.concat([shared, bytesOf(5, 1)]))
      yield* store.sweep(named, 3 * blobGraceMillis)
      yield* expect(yield* store.has(gone.hash), "it was put again meanwhile, and went")
      yield* expectSame(yield* store.sweep(named, 4 * blobGraceMillis), { blobs: 1, chunks: 1 }, "the last sweep")
      yield* expect(!(yield* store.has(gone.hash)), "it is there still")
      yield* expectBlob(store, kept, shared)
      yield* expectSame((yield* records()).length, 2, "records")
    })
  },
  {
    name: "puts beside a sweep lose nothing, also of chunks that were lying about",
    check: Effect.gen(function* () {
      const store = yield* opened
      const blobs = Array.from({ length: 4 }, (_, at) => bytesOf(chunkBytes + 1, at))
      for (const bytes of blobs) {
        const failing = Stream.concat(inParts(bytes, chunkBytes), Stream.never)
        yield* Effect.timeoutOption(store.put(failing, { type }), 20)
      }
      const [refs] = yield* Effect.all(
        [
          Effect.forEach(blobs, (bytes) => put(store, bytes), { concurrency: 2 }),
          Effect.forEach([1, 2, 3, 4], (time) => store.sweep(new Set(), time))
        ],
        { concurrency: 2 }
      )
      for (const [at, ref] of refs.entries()) yield* expectBlob(store, ref, blobs[at]!)
    })
  },
  {
    name: "what is not here is fetched, chunk by chunk, each once, and stays",
    check: Effect.gen(function* () {
      const storage = yield* Storage
      const elsewhere = yield* opened
      const bytes = bytesOf(3 * chunkBytes + 1)
      const ref = yield* put(elsewhere, bytes)
      const other = spaceId(new Uint8Array(32).fill(8))
      const asked: Array<string> = []
      const fetch: BlobStore.Fetch = (piece, hash) => {
        asked.push(piece.kind)
        const none = () => new BlobStore.BlobAbsent({ hash, tried: [] })
        if (asked.length === 3) return Effect.fail(none())
        return Effect.flatMap(Effect.orDie(elsewhere.piece(piece)), Effect.fromOption).pipe(Effect.mapError(none))
      }
      const store = BlobStore.make(storage, other, () => fetch)
      const isAbsent = (error: BlobStore.BlobError) => error._tag === "BlobAbsent"
      yield* expectFailure(read(store.get(ref)), isAbsent, "a get that was cut off")
      yield* expect(!(yield* store.has(ref.hash)), "half of a blob counts as a blob")
      const before = (yield* storage.list(`blobs/${other}/c`)).length
      yield* expectBlob(store, ref, bytes)
      const chunks = asked.filter((kind) => kind === "chunk").length
      yield* expectSame([asked.length - chunks, chunks <= 5 + 4 - before], [1, true], "pieces asked for")
      yield* expect(yield* store.has(ref.hash), "it did not stay")
      const after = asked.length
      yield* expectBlob(store, ref, bytes)
      yield* expectSame(asked.length, after, "pieces asked for by the second get")
      yield* expect(Option.isSome(yield* store.piece({ kind: "manifest", hash: ref.hash })), "it can't be given on")
    })
  }
]

/** Each leaves the store as it found it. */
export const blobLaws: ReadonlyArray<Law<Storage>> = laws.map(({ check, name }) => ({
  name,
  check: Effect.ensuring(check, Effect.ignore(clear))
}))
