/**
 * Blobs as sealed objects in a bucket of any S3-compatible store. The store sees neither keys nor contents.
 *
 * The objects are those files that EncryptedFileStorage keeps in a directory (SealedRecord.ts, SealedStorage.ts), each
 * below `prefix`: sealed here before they leave, named by keyed hashes. A put is one object, which the store replaces
 * whole; what was altered, cut, exchanged, brought from elsewhere, put back to an older version or removed by somebody
 * else is `StorageCorrupt`. A put takes two requests, the second for the ledger (SealedLedger.ts). A prefix belongs to one device:
 * its header opens with the Keys of that one alone.
 *
 * The header is written on the condition that it is absent, or is what was read (If-None-Match, If-Match). So of two who
 * make a store at once one goes on with the other's, and who reserves counters over somebody else's header is told that
 * the store is `taken`. A store that knows no such conditions ignores them or answers 501; then the header is written
 * without, and nothing but the lock of the data directory keeps two processes apart.
 *
 * What S3Bucket.ts could not do in time is `StorageUnavailable`, with endpoint and bucket, and why. A put that ended so
 * may yet take place, even behind a later one of the same key, while the store still works on it: then the ledger tells
 * that the blob is an older one.
 */
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
}

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
  filesIn(S3Bucket.make(options), `${options.prefix ?? device.slice(0, 32)}/`)

const filesIn = (bucket: S3Bucket.S3Bucket, prefix: string): SealedStorage.SealedFiles => {
  // Of the header as it was last read or written here.
  let headerTag = "absent"
  // Two who write the same are still two.
  const mark = randomBytes(16).toString("hex")

  const read = (file: string, bytesMax: number) =>
    Effect.tap(bucket.get(`${prefix}${file}`, bytesMax), (found) =>
      Effect.sync(() => {
        if (file === SealedStorage.headerFile && Option.isSome(found)) headerTag = found.value.tag
      })
    )

  /** False if the condition did not hold, and what is there was not written by us. */
  const writeHeader = Effect.fnUntraced(function* (bytes: Uint8Array, tag: string) {
    const written = yield* bucket.put(`${prefix}${SealedStorage.headerFile}`, copied([bytes]), { mark, tag })
    if (Option.isSome(written)) {
      headerTag = written.value
      return true
    }
    // our own, if only the answer to a first try was lost
    const found = yield* read(SealedStorage.headerFile, bytes.length + 1)
    return Option.isSome(found) && found.value.mark === mark && Buffer.from(found.value.bytes).equals(bytes)
  })

  return {
    mechanism: "S3Storage",
    read: (file, bytesMax) =>
      Effect.map(
        read(file, bytesMax),
        Option.map(({ bytes }) => bytes)
      ),
    create: (_, bytes) => writeHeader(bytes, "absent"),
    replace: Effect.fnUntraced(function* (file, parts) {
      if (file !== SealedStorage.headerFile) {
        yield* bucket.put(`${prefix}${file}`, copied(parts))
        return
      }
      if (!(yield* writeHeader(copied(parts), headerTag))) {
        const what = `another process writes to the store in ${bucket.where}, below "${prefix}": end one of them`
        return yield* S3Answer.refused("taken", what)
      }
    }),
    remove: Effect.fnUntraced(function* (file) {
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
