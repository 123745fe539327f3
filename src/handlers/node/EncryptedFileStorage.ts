/**
 * Blobs as sealed files: the storage of a server or desktop. The disk sees neither keys nor contents.
 *
 * Each blob is a file of its own in a private directory (PrivatePath.ts), named by a keyed hash of its key and sealed
 * with it (SealedRecord.ts has the formats). Files are replaced atomically and durably (PrivateDirectory.ts): after a
 * kill or a power cut a key has its old blob or its new one, whole. What was altered, cut short, exchanged with another
 * file or brought from another store is `StorageCorrupt`; a `key` in such an error that begins with "/" names a file of
 * the store, for no storage key does. A full disk, an exhausted quota and a file size limit are `StorageFull`.
 *
 * The data key is random and sealed by Keys in the header, so another device key, or rotation, re-seals the header and
 * no blob (`reseal`). Counters of records come from blocks that the header reserves, so none is given out twice.
 *
 * get, put and remove touch the file of their key only. The first `list` reads the beginning of every file (about 0.1 ms
 * each) and keeps all keys in memory from then on; a store that is never listed never pays. One damaged beginning fails
 * every list, by name: leaving it out would pass damage for absence.
 *
 * It does not notice a whole record replaced by an older whole record of the same key, or a record removed by somebody
 * else: both need a ledger outside the files, which is not here. It does not lock its directory against a second
 * process; the data directory's lock does. Blobs pass through memory whole.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import { randomFillSync } from "node:crypto"
import { Keys, type KeysError } from "../../effects/Keys.ts"
import {
  blobBytesMax,
  isKey,
  Storage,
  StorageCorrupt,
  StorageError,
  StorageFull,
  StorageKeyInvalid,
  StorageUnavailable
} from "../../effects/Storage.ts"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import type { Disk } from "./PrivatePath.ts"
import * as SealedRecord from "./SealedRecord.ts"

export interface EncryptedFileStorageOptions {
  /** Created if missing. One process uses it at a time. */
  readonly directory: string
  /** The file system; tests put faults between. */
  readonly disk?: Disk
}

export const layer = (options: EncryptedFileStorageOptions): Layer.Layer<Storage, StorageError, Keys> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const keys = yield* Keys
      const directory = yield* openDirectory(options)
      const store = yield* openOrCreate(directory, keys)
      let isOpen = true
      // The keys are not wiped here: a write that is under way would go on with zeros.
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          isOpen = false
        })
      )
      return makeStorage(directory, store, () => isOpen)
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
  const directory = yield* openDirectory(options)
  const file = yield* readHeader(directory)
  if (Option.isNone(file)) return yield* corrupt(`/${headerFile}`, "there is none")
  const { dataKey, header, keys } = yield* openStore(yield* Keys, file.value)
  const sealedDataKey = yield* Effect.mapError(
    next.seal(SealedRecord.purposeOf(keys.storeId), dataKey),
    unavailableKeys
  )
  yield* writeHeader(directory, keys, { ...header, sealedDataKey })
  dataKey.fill(0)
  SealedRecord.wipe(keys)
})

const headerFile = "header"

/** Headers of other Keys handlers may be longer than ours; none is this long. */
const headerBytesMax = 64 * 1024

/** Counters reserved by one write of the header. */
const counterBlock = 65_536

/** Records whose beginnings a listing reads at once. */
const scanConcurrency = 16

interface Store {
  readonly keys: SealedRecord.StoreKeys
  readonly header: SealedRecord.Header
}

const openDirectory = (options: EncryptedFileStorageOptions) =>
  Effect.mapError(PrivateDirectory.open(options.directory, options.disk), toStorageError)

const readHeader = (directory: PrivateDirectory.PrivateDirectory) =>
  Effect.mapError(directory.read(headerFile, headerBytesMax), toStorageError)

const writeHeader = (
  directory: PrivateDirectory.PrivateDirectory,
  keys: SealedRecord.StoreKeys,
  header: SealedRecord.Header
) => Effect.mapError(directory.replace(headerFile, [SealedRecord.encodeHeader(keys, header)]), toStorageError)

const openOrCreate = Effect.fnUntraced(function* (
  directory: PrivateDirectory.PrivateDirectory,
  device: Keys["Service"]
): Effect.fn.Return<Store, StorageError> {
  const file = yield* readHeader(directory)
  if (Option.isSome(file)) {
    const { dataKey, header, keys } = yield* openStore(device, file.value)
    dataKey.fill(0)
    return { header, keys }
  }
  const children = yield* Effect.mapError(directory.names(""), toStorageError)
  if (children.some((child) => /^[0-9a-f]{2}$/.test(child))) {
    return yield* corrupt(`/${headerFile}`, "it is missing, yet there are records")
  }
  const dataKey = randomFillSync(new Uint8Array(32))
  const keys = SealedRecord.deriveKeys(dataKey, randomFillSync(new Uint8Array(SealedRecord.storeIdBytes)))
  const purpose = SealedRecord.purposeOf(keys.storeId)
  const header = {
    counterLimit: 0,
    sealedDataKey: yield* Effect.mapError(device.seal(purpose, dataKey), unavailableKeys)
  }
  dataKey.fill(0)
  yield* writeHeader(directory, keys, header)
  return { header, keys }
})

const openStore = Effect.fnUntraced(function* (device: Keys["Service"], file: Uint8Array) {
  const where = `/${headerFile}`
  const { sealedDataKey, storeId } = yield* orCorrupt(where, SealedRecord.splitHeader(file))
  const dataKey = yield* Effect.mapError(device.open(SealedRecord.purposeOf(storeId), sealedDataKey), (error) =>
    error.reason._tag === "SealInvalid"
      ? storageCorrupt(where, "its data key was altered, or sealed by another device")
      : unavailableKeys(error)
  )
  const keys = SealedRecord.deriveKeys(dataKey, storeId)
  return { dataKey, keys, header: yield* orCorrupt(where, SealedRecord.openHeader(keys, file)) }
})

const makeStorage = (
  directory: PrivateDirectory.PrivateDirectory,
  { header, keys }: Store,
  isOpen: () => boolean
): Storage["Service"] => {
  const nextCounter = makeCounter(directory, keys, header)
  const index = makeIndex(directory, keys)
  // Writes under one key take turns; so do those of the 1/256 of all keys that share its directory.
  const turns = Array.from({ length: 256 }, () => Semaphore.makeUnsafe(1))
  const inTurn = (file: string) => Semaphore.withPermit(turns[Number.parseInt(file.slice(0, 2), 16)]!)

  const withFile = <A>(key: string, work: (file: string) => Effect.Effect<A, StorageError>) =>
    Effect.suspend(() => {
      if (!isKey(key)) return Effect.fail(new StorageError({ reason: new StorageKeyInvalid({ key }) }))
      return isOpen() ? work(SealedRecord.fileOf(keys, key)) : closed
    })

  const get = (key: string, file: string) =>
    Effect.gen(function* () {
      const found = yield* Effect.mapError(directory.read(file, SealedRecord.recordBytesMax + 1), toStorageError)
      if (Option.isNone(found)) return Option.none()
      return Option.some(yield* orCorrupt(key, SealedRecord.openRecord(keys, key, found.value)))
    })

  const put = (key: string, file: string, bytes: Uint8Array) =>
    Effect.gen(function* () {
      const record = SealedRecord.encodeRecord(keys, key, yield* nextCounter, bytes)
      yield* Effect.mapError(directory.replace(file, record), toStorageError)
      index.note(file, Option.some(key))
    })

  const remove = (file: string) =>
    Effect.gen(function* () {
      const wasThere = yield* Effect.mapError(directory.remove(file), toStorageError)
      index.note(file, Option.none())
      return wasThere
    })

  const inTurnAndWhole = <A>(file: string, work: Effect.Effect<A, StorageError>) =>
    work.pipe(
      Effect.tapError(() => Effect.sync(index.forget)),
      Effect.uninterruptible,
      inTurn(file)
    )

  return Storage.of({
    get: Effect.fn("EncryptedFileStorage.get")((key) => withFile(key, (file) => get(key, file))),
    put: Effect.fn("EncryptedFileStorage.put")((key, bytes) => {
      if (bytes.length > blobBytesMax) throw new RangeError(`a blob has at most ${blobBytesMax} bytes`)
      return withFile(key, (file) => inTurnAndWhole(file, put(key, file, bytes)))
    }),
    remove: Effect.fn("EncryptedFileStorage.remove")((key) =>
      withFile(key, (file) => inTurnAndWhole(file, remove(file)))
    ),
    list: Effect.fn("EncryptedFileStorage.list")(function* (prefix) {
      if (!isOpen()) return yield* closed
      return (yield* index.keys).filter((key) => key.startsWith(prefix)).sort()
    })
  })
}

/** Numbers that no record of the store had before, also after crashes: a block is reserved durably before its first. */
const makeCounter = (
  directory: PrivateDirectory.PrivateDirectory,
  keys: SealedRecord.StoreKeys,
  header: SealedRecord.Header
): Effect.Effect<number, StorageError> => {
  let next = header.counterLimit
  let limit = next
  const reserve = Effect.suspend(() => {
    if (next < limit) return Effect.void
    const counterLimit = next + counterBlock
    return Effect.map(writeHeader(directory, keys, { ...header, counterLimit }), () => {
      limit = counterLimit
    })
  })
  return Effect.map(reserve, () => next++).pipe(Semaphore.withPermit(Semaphore.makeUnsafe(1)))
}

interface Index {
  readonly keys: Effect.Effect<ReadonlyArray<string>, StorageError>
  /** The file now holds this key, or nothing. */
  readonly note: (file: string, key: Option.Option<string>) => void
  /** A write failed halfway: what the disk holds is to be looked up again. */
  readonly forget: () => void
}

/** The keys by file, read from the disk when first asked for and kept up to date by every write since. */
const makeIndex = (directory: PrivateDirectory.PrivateDirectory, keys: SealedRecord.StoreKeys): Index => {
  let keyByFile: Map<string, string> | undefined
  // What changed since a scan began; undefined when none is under way, or when it can't be kept.
  let changes: Map<string, Option.Option<string>> | undefined

  const apply = (target: Map<string, string>, file: string, key: Option.Option<string>): void => {
    if (Option.isSome(key)) target.set(file, key.value)
    else target.delete(file)
  }

  const scanned = Effect.gen(function* () {
    if (keyByFile !== undefined) return keyByFile
    const ownChanges = (changes = new Map())
    const found = new Map(yield* scan(directory, keys))
    for (const [file, key] of ownChanges) apply(found, file, key)
    if (changes === ownChanges) keyByFile = found
    return found
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        changes = undefined
      })
    )
  )

  return {
    keys: Effect.map(scanned, (found) => [...found.values()]).pipe(Semaphore.withPermit(Semaphore.makeUnsafe(1))),
    note: (file, key) => {
      changes?.set(file, key)
      if (keyByFile !== undefined) apply(keyByFile, file, key)
    },
    forget: () => {
      keyByFile = undefined
      changes = undefined
    }
  }
}

const scan = Effect.fnUntraced(function* (
  directory: PrivateDirectory.PrivateDirectory,
  keys: SealedRecord.StoreKeys
): Effect.fn.Return<ReadonlyArray<readonly [file: string, key: string]>, StorageError> {
  const children = yield* Effect.mapError(directory.names(""), toStorageError)
  const files: Array<string> = []
  for (const child of children.filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    const names = yield* Effect.mapError(directory.names(child), toStorageError)
    files.push(...names.map((name) => `${child}/${name}`).filter(SealedRecord.isFile))
  }
  const readKey = Effect.fnUntraced(function* (file: string) {
    const begin = yield* Effect.mapError(directory.read(file, SealedRecord.beginBytesMax), toStorageError)
    if (Option.isNone(begin)) return []
    return [[file, yield* orCorrupt(`/${file}`, SealedRecord.openKey(keys, file, begin.value))] as const]
  })
  return (yield* Effect.forEach(files, readKey, { concurrency: scanConcurrency })).flat()
})

const orCorrupt = <A>(key: string, result: Result.Result<A, string>): Effect.Effect<A, StorageError> =>
  Effect.fromResult(Result.mapError(result, (what) => storageCorrupt(key, what)))

const storageCorrupt = (key: string, what: string): StorageError =>
  new StorageError({ reason: new StorageCorrupt({ key, what }) })

const corrupt = (key: string, what: string): Effect.Effect<never, StorageError> =>
  Effect.fail(storageCorrupt(key, what))

const unavailableKeys = (error: KeysError): StorageError =>
  new StorageError({ reason: new StorageUnavailable({ what: error.message }) })

const closed = Effect.fail(
  new StorageError({ reason: new StorageUnavailable({ what: "it was closed with its scope" }) })
)

const toStorageError = (error: PrivateDirectory.DirectoryError): StorageError =>
  new StorageError({
    reason:
      error._tag === "DirectoryFull"
        ? new StorageFull({ limitBytes: error.limitBytes })
        : new StorageUnavailable({ what: error.message })
  })
