/**
 * Blobs as sealed files: the storage of a server or desktop. The disk sees neither keys nor contents.
 *
 * Each blob is a file of its own in a private directory (PrivatePath.ts), named by a keyed hash of its key and sealed
 * with it (SealedRecord.ts has the formats, SealedStorage.ts what is done with them). Files are replaced atomically and
 * durably (PrivateDirectory.ts): after a kill or a power cut a key has its old blob or its new one, whole. What was
 * altered, cut short, exchanged with another file or brought from another store is `StorageCorrupt`; a `key` in such an
 * error that begins with "/" names a file of the store, for no storage key does. A full disk, an exhausted quota, a file
 * size limit and the limit in the settings are `StorageFull`.
 *
 * The data key is random and sealed by Keys in the header, so another device key, or rotation, re-seals the header and
 * no blob (`reseal`).
 *
 * A record put back to an older version, or removed by somebody else, is `StorageCorrupt` too; one put back after it was
 * removed is absent. It does not notice a record put back together with the ledger of its directory (SealedLedger.ts), or
 * the whole store put back. Blobs pass through memory whole.
 *
 * One opener has the directory at a time, in whatever process: it holds "lock" there (ProcessLock.ts) as long as its scope
 * lives, and a second one is refused as `taken` before anything of the store is read or tidied. A process that was killed holds nothing.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import { Keys } from "../../effects/Keys.ts"
import { Storage, StorageError, StorageFull, StorageUnavailable } from "../../effects/Storage.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import { makePrivate, type Disk } from "./PrivatePath.ts"
import * as ProcessLock from "./ProcessLock.ts"
import * as SealedStorage from "./SealedStorage.ts"

export interface EncryptedFileStorageOptions {
  /** Created if missing. */
  readonly directory: string
  /** The file system; tests put faults between. */
  readonly disk?: Disk
  /** Room for all records, sealed; without it the disk's own. */
  readonly limitBytes?: number | undefined
}

export const layer = (options: EncryptedFileStorageOptions): Layer.Layer<Storage, StorageError, Keys> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      return yield* SealedStorage.open(yield* openFiles(options), yield* Keys, options)
    })
  )

/**
 * Seals the store's data key for `next` instead of the Keys in force. One atomic write, no blob is touched. Refused as
 * `taken` while a storage is open over the directory.
 */
export const reseal = Effect.fn("EncryptedFileStorage.reseal")(function* (
  options: EncryptedFileStorageOptions,
  next: Keys["Service"]
) {
  const keys = yield* Keys
  yield* Effect.scoped(Effect.flatMap(openFiles(options), (files) => SealedStorage.reseal(files, keys, next)))
})

const openFiles = Effect.fnUntraced(function* ({ directory, disk = fileSystem }: EncryptedFileStorageOptions) {
  const home = path.resolve(directory)
  yield* Effect.acquireRelease(hold(disk, home), (lock) => Effect.sync(() => lock.close()))
  return filesIn(yield* Effect.mapError(PrivateDirectory.open(home, disk), toStorageError))
})

/** Before anything is tidied up, which nobody but the holder may. */
const hold = (disk: Disk, home: string): Effect.Effect<ProcessLock.ProcessLock, StorageError> =>
  PrivateDirectory.attempt(disk, home, async () => {
    await makePrivate(disk, home)
    return ProcessLock.tryAcquire(path.join(home, "lock"))
  }).pipe(
    Effect.mapError(toStorageError),
    Effect.filterOrFail(
      (lock) => lock !== undefined,
      () => taken(home)
    )
  )

const taken = (home: string): StorageError =>
  new StorageError({
    reason: new StorageUnavailable({
      why: "taken",
      what: `the storage in ${home} is open already, here or in another process: end that one first`
    })
  })

const filesIn = (directory: PrivateDirectory.PrivateDirectory): SealedStorage.SealedFiles => {
  const own = <A>(work: Effect.Effect<A, PrivateDirectory.DirectoryError>) => Effect.mapError(work, toStorageError)
  const recordsIn = Effect.fnUntraced(function* (child: string) {
    const files = (yield* own(directory.names(child))).map((name) => `${child}/${name}`)
    return yield* Effect.forEach(files, (file) => Effect.map(own(directory.length(file)), (bytes) => ({ file, bytes })))
  })
  return {
    mechanism: "EncryptedFileStorage",
    isExclusive: true,
    read: (file, bytesMax) => own(directory.read(file, bytesMax)),
    replace: (file, parts) => own(directory.replace(file, parts)),
    // Nobody else writes here: what was missing is missing, and ledgers are as they were read.
    replaceLedger: (file, bytes) => Effect.as(own(directory.replace(file, [bytes])), true),
    create: (file, bytes) => Effect.as(own(directory.replace(file, [bytes])), true),
    remove: (file) => own(directory.remove(file)),
    all: Effect.gen(function* () {
      const children = (yield* own(directory.names(""))).filter((name) => /^[0-9a-f]{2}$/.test(name))
      return (yield* Effect.forEach(children, recordsIn)).flat()
    })
  }
}

const toStorageError = (error: PrivateDirectory.DirectoryError): StorageError =>
  new StorageError({
    reason:
      error._tag === "DirectoryFull"
        ? new StorageFull({ limitBytes: error.limitBytes })
        : new StorageUnavailable({ what: error.message })
  })
