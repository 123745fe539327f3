/**
 * Blobs as sealed files, wherever the files are: what a directory and a bucket have in common.
 *
 * SealedRecord.ts has the formats. Here is what makes a Storage of them: the header with the sealed data key, counters
 * that are never given out twice (the header reserves blocks), turns, the ledgers that tell which version of a record
 * counts (SealedLedger.ts), the list of keys, and the limit.
 *
 * Writes to one file take turns and are not interrupted; readers of a file wait for its writer, so that also a store
 * whose replacing is not atomic shows none of its own halves to us. What does not open is read once more before it is
 * called damaged: an answer may have been cut on its way.
 *
 * get, put and remove touch the file of their key and its ledger only. The first `list` reads the beginning of every file and keeps all
 * keys in memory from then on; a store that is never listed never pays. One damaged beginning fails every list, by name:
 * leaving it out would pass damage for absence. With a limit, opening asks for the length of every file.
 *
 * One opener uses the files at a time. Where nothing keeps a second one out, the header and the ledgers tell: who finds
 * that somebody else has written one of them joins what that one said (SealedLedger.ts), as long as the header is its own.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { randomFillSync } from "node:crypto"
import type { Keys, KeysError } from "../../effects/Keys.ts"
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
import * as SealedIndex from "./SealedIndex.ts"
import * as SealedLedger from "./SealedLedger.ts"
import * as SealedRecord from "./SealedRecord.ts"

/** Names are those of SealedRecord.ts and the header's; none comes from outside. */
export interface SealedFiles {
  /** For spans and messages. */
  readonly mechanism: string
  /** Nobody else can have the files open: ledgers need not be written at once to be noticed. */
  readonly isExclusive: boolean
  /** The first `bytesMax` bytes of a file (all, unless it is longer). */
  readonly read: (file: string, bytesMax: number) => Effect.Effect<Option.Option<Uint8Array>, StorageError>
  /** Durable when it succeeds. The parts follow each other. */
  readonly replace: (file: string, parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, StorageError>
  /** Like `replace`. False, and nothing written: somebody else wrote the ledger since it was read or written here. */
  readonly replaceLedger: (file: string, bytes: Uint8Array) => Effect.Effect<boolean, StorageError>
  /** Like `replace`, unless there is a file already: then false. */
  readonly create: (file: string, bytes: Uint8Array) => Effect.Effect<boolean, StorageError>
  /** Durable. True if there was a file. */
  readonly remove: (file: string) => Effect.Effect<boolean, StorageError>
  /** Every file but the header, with its length; what is none of ours may be among them. */
  readonly all: Effect.Effect<ReadonlyArray<{ readonly file: string; readonly bytes: number }>, StorageError>
}

export interface SealedStorageOptions {
  /** Room for all records as they are stored, sealed, without header and ledgers; unlimited without. */
  readonly limitBytes?: number | undefined
}

/** Opens what is there or makes a new store; after the scope it answers that it is closed. */
export const open = Effect.fnUntraced(function* (
  files: SealedFiles,
  device: Keys["Service"],
  { limitBytes }: SealedStorageOptions = {}
): Effect.fn.Return<Storage["Service"], StorageError, Scope.Scope> {
  const store = yield* openOrCreate(files, device)
  const ledger = yield* SealedLedger.make(files, store.keys)
  const room = limitBytes === undefined ? endless : yield* makeRoom(files, limitBytes)
  let isOpen = true
  // The keys are not wiped here: a write that is under way would go on with zeros.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isOpen = false
    })
  )
  return makeStorage(files, store, room, ledger, () => isOpen)
})

/** Seals the store's data key for `next` instead of `device`. One write, no blob is touched; nobody has the store open. */
export const reseal = Effect.fnUntraced(function* (
  files: SealedFiles,
  device: Keys["Service"],
  next: Keys["Service"]
): Effect.fn.Return<void, StorageError> {
  const file = yield* readHeader(files)
  if (Option.isNone(file)) return yield* corrupt(`/${headerFile}`, "there is none")
  const { dataKey, header, keys } = yield* openStore(device, file.value)
  const sealedDataKey = yield* Effect.mapError(
    next.seal(SealedRecord.purposeOf(keys.storeId), dataKey),
    unavailableKeys
  )
  yield* writeHeader(files, keys, { ...header, sealedDataKey })
  dataKey.fill(0)
  SealedRecord.wipe(keys)
})

export const headerFile = "header"

/** Files that tell of other files: the header and the ledgers. */
export const isShared = (file: string): boolean => file === headerFile || SealedLedger.isLedger(file)

/** Headers of other Keys handlers may be longer than ours; none is this long. */
const headerBytesMax = 64 * 1024

/** Counters reserved by one write of the header. */
const counterBlock = 65_536

/** Readers of one turn at a time; a writer takes the places of all. */
const readersMax = 64

interface Store {
  readonly keys: SealedRecord.StoreKeys
  readonly header: SealedRecord.Header
}

const readHeader = (files: SealedFiles) => files.read(headerFile, headerBytesMax)

const writeHeader = (files: SealedFiles, keys: SealedRecord.StoreKeys, header: SealedRecord.Header) =>
  files.replace(headerFile, [SealedRecord.encodeHeader(keys, header)])

const openOrCreate = Effect.fnUntraced(function* (
  files: SealedFiles,
  device: Keys["Service"]
): Effect.fn.Return<Store, StorageError> {
  const file = yield* readHeader(files)
  if (Option.isSome(file)) return yield* opened(device, file.value)
  if ((yield* files.all).some(({ file }) => SealedRecord.isFile(file))) {
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
  if (yield* files.create(headerFile, SealedRecord.encodeHeader(keys, header))) return { header, keys }
  const other = yield* readHeader(files)
  return Option.isSome(other)
    ? yield* opened(device, other.value)
    : yield* corrupt(`/${headerFile}`, "it went away while the store was opened")
})

const opened = (device: Keys["Service"], file: Uint8Array): Effect.Effect<Store, StorageError> =>
  Effect.map(openStore(device, file), ({ dataKey, header, keys }) => {
    dataKey.fill(0)
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
  files: SealedFiles,
  { header, keys }: Store,
  room: Room,
  ledger: SealedLedger.SealedLedger,
  isOpen: () => boolean
): Storage["Service"] => {
  const nextCounter = makeCounter(files, keys, header)
  // Writes under one key take turns; so do those of the 1/256 of all keys that share its directory.
  const turns = Array.from({ length: 256 }, () => Semaphore.makeUnsafe(readersMax))
  const turnOf = (file: string) => turns[Number.parseInt(file.slice(0, 2), 16)]!

  const withFile = <A>(key: string, work: (file: string) => Effect.Effect<A, StorageError>) =>
    Effect.suspend(() => {
      if (!isKey(key)) return Effect.fail(new StorageError({ reason: new StorageKeyInvalid({ key }) }))
      return isOpen() ? work(SealedRecord.fileOf(keys, key)) : closed
    })

  /** The record in a file as far as it was read, if it is one that counts; `key` names it in an error. */
  const counted = Effect.fnUntraced(function* <A>(
    key: string,
    file: string,
    bytesMax: number,
    open: (bytes: Uint8Array) => Result.Result<A, string>
  ) {
    const found = yield* files.read(file, bytesMax)
    const record = yield* Effect.transposeOption(Option.map(found, (bytes) => orCorrupt(key, open(bytes))))
    const verdict = yield* ledger.judge(file, Option.getOrUndefined(Option.map(found, SealedRecord.counterOf)))
    if (verdict === "missing") return yield* corrupt(key, "it was put and is gone: somebody else removed it")
    if (verdict === "older") return yield* corrupt(key, "an older version of it was put back")
    return verdict === "absent" ? Option.none<A>() : record
  })

  const reading = <A>(file: string, work: Effect.Effect<A, StorageError>) =>
    work.pipe(
      Effect.catchIf(
        (error) => error.reason._tag === "StorageCorrupt",
        // what somebody else wrote here looks like damage until its ledger is read
        () => Effect.andThen(ledger.refresh(file), work)
      ),
      Semaphore.withPermits(turnOf(file), 1)
    )

  const index = SealedIndex.make(recordsOf(files, ledger), (file) =>
    reading(
      file,
      counted(`/${file}`, file, SealedRecord.beginBytesMax, (begin) => SealedRecord.openKey(keys, file, begin))
    )
  )

  const get = (key: string, file: string) =>
    reading(
      file,
      counted(key, file, SealedRecord.recordBytesMax + 1, (bytes) => SealedRecord.openRecord(keys, key, bytes))
    )

  const put = (key: string, file: string, bytes: Uint8Array) =>
    Effect.gen(function* () {
      // read before anything changes
      yield* ledger.ready(file)
      const counter = yield* nextCounter
      const parts = SealedRecord.encodeRecord(keys, key, counter, bytes)
      const length = parts[0].length + parts[1].length
      yield* room.take(file, length)
      yield* files.replace(file, parts)
      room.settle(file, length)
      yield* ledger.list(file, counter)
      index.note(file, Option.some(key))
    })

  const remove = (file: string) =>
    Effect.gen(function* () {
      const begin = yield* files.read(file, SealedRecord.beginBytesMax)
      const counter = Option.map(begin, (bytes) => provenCounter(keys, file, bytes))
      const verdict = yield* ledger.judge(file, Option.getOrUndefined(counter))
      if (verdict !== "absent") yield* ledger.strike(file, Option.getOrUndefined(counter) ?? 0)
      const wasThere = yield* files.remove(file)
      yield* ledger.settle(file)
      room.settle(file, 0)
      index.note(file, Option.none())
      return wasThere && verdict !== "absent"
    })

  const inTurnAndWhole = <A>(file: string, work: Effect.Effect<A, StorageError>) =>
    work.pipe(
      Effect.tapError(() => Effect.sync(index.forget)),
      Effect.uninterruptible,
      Semaphore.withPermits(turnOf(file), readersMax)
    )

  return Storage.of({
    get: Effect.fn(`${files.mechanism}.get`)((key) => withFile(key, (file) => get(key, file))),
    put: Effect.fn(`${files.mechanism}.put`)((key, bytes) => {
      if (bytes.length > blobBytesMax) throw new RangeError(`a blob has at most ${blobBytesMax} bytes`)
      return withFile(key, (file) => inTurnAndWhole(file, put(key, file, bytes)))
    }),
    remove: Effect.fn(`${files.mechanism}.remove`)((key) =>
      withFile(key, (file) => inTurnAndWhole(file, remove(file)))
    ),
    list: Effect.fn(`${files.mechanism}.list`)(function* (prefix) {
      if (!isOpen()) return yield* closed
      return (yield* index.keys).filter((key) => key.startsWith(prefix)).sort()
    })
  })
}

/** 0 for what is damaged: it is removed as well, and teaches the ledger nothing. */
const provenCounter = (keys: SealedRecord.StoreKeys, file: string, begin: Uint8Array): number =>
  Result.isSuccess(SealedRecord.openKey(keys, file, begin)) ? SealedRecord.counterOf(begin) : 0

/** Files that hold a record, or should. */
const recordsOf = (files: SealedFiles, ledger: SealedLedger.SealedLedger) =>
  Effect.gen(function* () {
    const all = (yield* files.all).map(({ file }) => file)
    const listed = yield* Effect.forEach(all.filter(SealedLedger.isLedger), ledger.filesIn, { concurrency: 16 })
    return [...new Set([...all.filter(SealedRecord.isFile), ...listed.flat()])]
  })

/** Numbers that no record of the store had before, also after crashes: a block is reserved durably before its first. */
const makeCounter = (
  files: SealedFiles,
  keys: SealedRecord.StoreKeys,
  header: SealedRecord.Header
): Effect.Effect<number, StorageError> => {
  let next = header.counterLimit
  let limit = next
  const reserve = Effect.suspend(() => {
    if (next < limit) return Effect.void
    const counterLimit = next + counterBlock
    return Effect.map(writeHeader(files, keys, { ...header, counterLimit }), () => {
      limit = counterLimit
    })
  })
  return Effect.map(reserve, () => next++).pipe(Semaphore.withPermit(Semaphore.makeUnsafe(1)))
}

/** What the limit leaves. A write that failed may have taken place, so the longer of both counts until it is repeated. */
interface Room {
  /** Before the file gets this length; a replaced file makes room for the new one. */
  readonly take: (file: string, bytes: number) => Effect.Effect<void, StorageError>
  /** The file has this length now; 0: it is gone. */
  readonly settle: (file: string, bytes: number) => void
}

const endless: Room = { take: () => Effect.void, settle: () => undefined }

const makeRoom = (files: SealedFiles, limitBytes: number): Effect.Effect<Room, StorageError> =>
  Effect.map(files.all, (all) => {
    const records = all.filter(({ file }) => SealedRecord.isFile(file))
    const bytesByFile = new Map(records.map(({ bytes, file }) => [file, bytes]))
    let usedBytes = records.reduce((sum, { bytes }) => sum + bytes, 0)
    const settle = (file: string, bytes: number): void => {
      usedBytes += bytes - (bytesByFile.get(file) ?? 0)
      if (bytes === 0) bytesByFile.delete(file)
      else bytesByFile.set(file, bytes)
    }
    return {
      settle,
      take: (file, bytes) =>
        Effect.suspend(() => {
          const old = bytesByFile.get(file) ?? 0
          if (bytes > old && usedBytes + bytes - old > limitBytes) return full(limitBytes)
          settle(file, Math.max(old, bytes))
          return Effect.void
        })
    }
  })

const full = (limitBytes: number) => Effect.fail(new StorageError({ reason: new StorageFull({ limitBytes }) }))

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
