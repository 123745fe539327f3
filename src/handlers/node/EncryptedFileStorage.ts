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
 * the whole store put back. It does not lock its directory against a second
 * process; the data directory's lock does. Blobs pass through memory whole.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Keys } from "../../effects/Keys.ts"
import { Storage, StorageError, StorageFull, StorageUnavailable } from "../../effects/Storage.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import type { Disk } from "./PrivatePath.ts"
import * as SealedStorage from "./SealedStorage.ts"

export interface EncryptedFileStorageOptions {
  /** Created if missing. One process uses it at a time. */
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
 * Seals the store's data key for `next` instead of the Keys in force. One atomic write, no blob is touched; no storage
 * may be open over the directory meanwhile.
 */
export const reseal = Effect.fn("EncryptedFileStorage.reseal")(function* (
  options: EncryptedFileStorageOptions,
  next: Keys["Service"]
) {
  yield* SealedStorage.reseal(yield* openFiles(options), yield* Keys, next)
})

const openFiles = ({ directory, disk }: EncryptedFileStorageOptions) =>
  Effect.mapBoth(PrivateDirectory.open(directory, disk), { onFailure: toStorageError, onSuccess: filesIn })

const filesIn = (directory: PrivateDirectory.PrivateDirectory): SealedStorage.SealedFiles => {
  const own = <A>(work: Effect.Effect<A, PrivateDirectory.DirectoryError>) => Effect.mapError(work, toStorageError)
  const recordsIn = Effect.fnUntraced(function* (child: string) {
    const files = (yield* own(directory.names(child))).map((name) => `${child}/${name}`)
    return yield* Effect.forEach(files, (file) => Effect.map(own(directory.length(file)), (bytes) => ({ file, bytes })))
  })
  return {
    mechanism: "EncryptedFileStorage",
    read: (file, bytesMax) => own(directory.read(file, bytesMax)),
    replace: (file, parts) => own(directory.replace(file, parts)),
    // Nobody else writes here: what was missing is missing.
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
