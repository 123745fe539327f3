/**
 * Blobs in memory: for tests and simulations, gone with the process.
 *
 * Bytes are copied in and out. With `limitBytes`, a put that would take the sum of all keys (in UTF-8) and blobs above
 * it is `StorageFull` and changes nothing; replacing a blob frees the old one first. A blob above `blobBytesMax` is a
 * defect of the caller.
 *
 * It does not lose or damage anything: faults are the business of a wrapper around it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { blobBytesMax, isKey, Storage, StorageError, StorageFull, StorageKeyInvalid } from "../../effects/Storage.ts"

export interface MemoryStorageOptions {
  /** Room for keys and blobs together; unlimited without. */
  readonly limitBytes?: number | undefined
}

/** The store as a value: one that outlives a simulated crash is made once and provided again. */
export const make = (options: MemoryStorageOptions = {}): Storage["Service"] => {
  const limitBytes = options.limitBytes ?? Number.MAX_SAFE_INTEGER
  const blobByKey = new Map<string, Uint8Array>()
  let usedBytes = 0

  const put = (key: string, bytes: Uint8Array): Effect.Effect<void, StorageError> => {
    if (bytes.length > blobBytesMax) throw new RangeError(`a blob has at most ${blobBytesMax} bytes`)
    const old = blobByKey.get(key)
    const growth = old === undefined ? keyBytes(key) + bytes.length : bytes.length - old.length
    if (usedBytes + growth > limitBytes)
      return Effect.fail(new StorageError({ reason: new StorageFull({ limitBytes }) }))
    usedBytes += growth
    blobByKey.set(key, bytes.slice())
    return Effect.void
  }

  const remove = (key: string): boolean => {
    const old = blobByKey.get(key)
    if (old !== undefined) usedBytes -= keyBytes(key) + old.length
    return blobByKey.delete(key)
  }

  return Storage.of({
    get: (key) => withKey(key, () => Effect.succeed(Option.map(Option.fromUndefinedOr(blobByKey.get(key)), copy))),
    put: (key, bytes) => withKey(key, () => put(key, bytes)),
    remove: (key) => withKey(key, () => Effect.succeed(remove(key))),
    list: (prefix) => Effect.sync(() => [...blobByKey.keys()].filter((key) => key.startsWith(prefix)).sort())
  })
}

export const layer = (options: MemoryStorageOptions = {}): Layer.Layer<Storage> =>
  Layer.sync(Storage, () => make(options))

const withKey = <A>(key: string, work: () => Effect.Effect<A, StorageError>): Effect.Effect<A, StorageError> =>
  Effect.suspend(() =>
    isKey(key) ? work() : Effect.fail(new StorageError({ reason: new StorageKeyInvalid({ key }) }))
  )

const keyBytes = (key: string): number => new TextEncoder().encode(key).length

const copy = (bytes: Uint8Array): Uint8Array => bytes.slice()
