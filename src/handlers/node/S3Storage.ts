/**
 * Blobs as sealed objects in a bucket of any S3-compatible store. The store sees neither keys nor contents.
 *
 * The objects are those files that EncryptedFileStorage keeps in a directory (SealedRecord.ts, SealedStorage.ts), each
 * below `prefix`: sealed here before they leave, named by keyed hashes. A put is one object, which the store replaces
 * whole; what was altered, cut, exchanged, brought from elsewhere, put back to an older version or removed by somebody
 * else is `StorageCorrupt`. A put takes two requests, the second for the ledger (SealedLedger.ts). A prefix belongs to one device:
 * its header opens with the Keys of that one alone.
 *
 * Nothing keeps a second opener out, but header and ledgers are written on the condition that they are as they were read
 * (If-None-Match, If-Match). Of two who make a store at once one goes on with the other's. Whoever writes takes the store
 * over from who wrote before, who is told that it is `taken`, and from then on writes nothing more: at its next write if it
 * looked at the header longer than `lookMillis` ago, else when it meets a ledger that the other has written. What both were told is done
 * stands; only where both wrote the same key within that time may one blob be on top of the other, and then it is
 * `StorageCorrupt`, never an older blob. A store that knows no such conditions ignores them or answers 501; then nothing
 * but the lock of the data directory keeps two processes apart.
 *
 * What S3Bucket.ts could not do in time is `StorageUnavailable`, with endpoint and bucket, and why. A put that ended so
 * may yet take place, even behind a later one of the same key, while the store still works on it: then the ledger tells
 * that the blob is an older one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { randomBytes } from "node:crypto"
import { Keys } from "../../effects/Keys.ts"
import { Storage, type StorageError } from "../../effects/Storage.ts"
import * as S3Answer from "./S3Answer.ts"
import * as S3Bucket from "./S3Bucket.ts"
import * as SealedStorage from "./SealedStorage.ts"

export interface S3StorageOptions extends S3Bucket.S3BucketOptions {
  /** What every object's name begins with; without it the first half of the device's id. */
  readonly prefix?: string | undefined
  /** Room for all records, sealed; without it what the store gives. */
  readonly limitBytes?: number | undefined
  /** So long after the header was looked at it is looked at again before a write. */
  readonly lookMillis?: number
}

const lookMillisDefault = 1_000

export const layer = (options: S3StorageOptions): Layer.Layer<Storage, StorageError, Keys> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const keys = yield* Keys
      return yield* SealedStorage.open(filesOf(options, keys), keys, options)
    })
  )

/**
 * Seals the store's data key for `next` instead of the Keys in force; without a prefix it stays where those have theirs. One
 * conditional write, no blob is touched; no storage may be open over the prefix meanwhile.
 */
export const reseal = Effect.fn("S3Storage.reseal")(function* (options: S3StorageOptions, next: Keys["Service"]) {
  const keys = yield* Keys
  yield* SealedStorage.reseal(filesOf(options, keys), keys, next)
})

const filesOf = (options: S3StorageOptions, { device }: Keys["Service"]): SealedStorage.SealedFiles =>
  filesIn(S3Bucket.make(options), `${options.prefix ?? device.slice(0, 32)}/`, options.lookMillis ?? lookMillisDefault)

const filesIn = (bucket: S3Bucket.S3Bucket, prefix: string, lookMillis: number): SealedStorage.SealedFiles => {
  const { headerFile } = SealedStorage
  // Of the header and the ledgers as they were last read or written here.
  const tags = new Map<string, string>()
  let lookedMillis = 0
  let isTaken = false
  // Two who write the same are still two.
  const mark = randomBytes(16).toString("hex")

  const read = (file: string, bytesMax: number) =>
    Effect.tap(bucket.get(`${prefix}${file}`, bytesMax), (found) =>
      Effect.sync(() => {
        if (!SealedStorage.isShared(file)) return
        if (Option.isSome(found)) tags.set(file, found.value.tag)
        else tags.delete(file)
      })
    )

  /** False if it is not as it was last read or written here, and what is there was not written by us. */
  const writeShared = Effect.fnUntraced(function* (file: string, bytes: Uint8Array<ArrayBuffer>, tag: string) {
    const written = yield* bucket.put(`${prefix}${file}`, bytes, { mark, tag })
    if (Option.isSome(written)) {
      tags.set(file, written.value)
      return true
    }
    // our own, if only the answer to a first try was lost
    const found = yield* bucket.get(`${prefix}${file}`, bytes.length + 1)
    const isOwn = Option.isSome(found) && found.value.mark === mark && Buffer.from(found.value.bytes).equals(bytes)
    if (isOwn) tags.set(file, found.value.tag)
    return isOwn
  })

  const taken = Effect.suspend(() => {
    isTaken = true
    return S3Answer.refused(
      "taken",
      `another process writes to the store in ${bucket.where}, below "${prefix}": end one of them`
    )
  })

  /** Before each write: the header is the one that was read or written here. */
  const expectOwn = (mayBeOldMillis: number) =>
    Effect.gen(function* () {
      if (isTaken) return yield* taken
      const now = yield* Clock.currentTimeMillis
      if (now - lookedMillis < mayBeOldMillis || !tags.has(headerFile)) return
      const found = yield* bucket.get(`${prefix}${headerFile}`, 1)
      if (Option.isSome(found) && found.value.tag !== tags.get(headerFile)) return yield* taken
      lookedMillis = now
    })

  return {
    mechanism: "S3Storage",
    isExclusive: false,
    read: (file, bytesMax) =>
      Effect.map(
        read(file, bytesMax),
        Option.map(({ bytes }) => bytes)
      ),
    create: (file, bytes) => writeShared(file, copied([bytes]), "absent"),
    replace: Effect.fnUntraced(function* (file, parts) {
      if (file === headerFile) {
        if (isTaken || !(yield* writeShared(file, copied(parts), tags.get(file) ?? "absent"))) return yield* taken
        lookedMillis = yield* Clock.currentTimeMillis
        return
      }
      yield* expectOwn(lookMillis)
      yield* bucket.put(`${prefix}${file}`, copied(parts))
    }),
    replaceLedger: Effect.fnUntraced(function* (file, bytes) {
      if (isTaken) return yield* taken
      if (yield* writeShared(file, copied([bytes]), tags.get(file) ?? "absent")) return true
      yield* expectOwn(0)
      return false
    }),
    remove: Effect.fnUntraced(function* (file) {
      yield* expectOwn(lookMillis)
      const wasThere = yield* bucket.has(`${prefix}${file}`)
      if (wasThere) yield* bucket.remove(`${prefix}${file}`)
      return wasThere
    }),
    all: Effect.map(bucket.list(prefix), (objects) =>
      objects.map(({ bytes, key }) => ({ bytes, file: key.slice(prefix.length) }))
    )
  }
}

const copied = (parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts))
