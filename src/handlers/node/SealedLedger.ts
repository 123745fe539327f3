/**
 * Which version of each record counts, so that a record somebody put back to an older one, or took away, is noticed.
 *
 * For each of the 256 directories of a store, the file "3f/ledger", replaced after each write of a record there:
 *
 *     0  1  version, 1
 *     1  …  sealed (XChaCha.ts): floor (8) ‖ for each record the rest of its file's name (31) ‖ its counter (8);
 *           context "aura/storage/ledger/v1" NUL ‖ store id ‖ directory (1)
 *
 * A record that is listed has to be there with this counter or a larger one. One that is not listed counts if its counter
 * is larger than the floor: a crash came between it and the ledger. Otherwise it was removed, and is absent. So a put
 * writes its record first and a removal the ledger first, and no crash at any step looks like damage. What was found
 * unlisted is listed before it is handed out.
 *
 * Where nobody else has the files open, a ledger is written within seconds of its last put, for all puts of that time
 * together, and when the store is closed: a put that did all but this has succeeded, and is guarded in this process meanwhile. A process
 * that is killed may leave the puts of its last seconds unlisted: they count, and only an older version that somebody puts
 * back before the store is opened again is not told from them. So it is, too, where a ledger has no room. 40 bytes a record:
 * among a million records a ledger has 160 KB.
 *
 * Where somebody else could have written a ledger since it was read, it is replaced on the condition that nobody did; if
 * somebody did, both are joined. Counters only grow, so that joining an older ledger, or one put back, changes nothing.
 *
 * It does not see a record and its directory's ledger put back together, nor the whole store: both were true once.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { StorageCorrupt, StorageError, StorageUnavailable } from "../../effects/Storage.ts"
import { domain } from "../../identity/Hash.ts"
import type { StoreKeys } from "./SealedRecord.ts"
import type { SealedFiles } from "./SealedStorage.ts"
import * as XChaCha from "./XChaCha.ts"

/** What to make of the record in a file: `missing` is listed and gone, `absent` is not there or removed. */
export type Verdict = "counts" | "absent" | "missing" | "older"

export interface SealedLedger {
  /** Of a record with this counter; undefined: there is no file. */
  readonly judge: (file: string, counter: number | undefined) => Effect.Effect<Verdict, StorageError>
  /** The record with this counter was written. Where the ledgers are written later it counts from now on in this process. */
  readonly list: (file: string, counter: number) => Effect.Effect<void, StorageError>
  /** The record, with this counter if the ledger knows none, will be removed. */
  readonly strike: (file: string, counter: number) => Effect.Effect<void, StorageError>
  /** Has read the ledger. */
  readonly ready: (file: string) => Effect.Effect<void, StorageError>
  /** Makes durable what there was no room for. */
  readonly settle: (file: string) => Effect.Effect<void, StorageError>
  /** Reads the ledger again, for somebody else may have written it: what was known here stands, unless that is newer. */
  readonly refresh: (file: string) => Effect.Effect<void, StorageError>
  /** Every file that is listed in this ledger. */
  readonly filesIn: (ledger: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
}

export const isLedger = (file: string): boolean => /^[0-9a-f]{2}\/ledger$/.test(file)

/** Ends with the scope, when all that is to be written later is written. */
export const make = Effect.fnUntraced(function* (
  files: SealedFiles,
  keys: StoreKeys
): Effect.fn.Return<SealedLedger, never, Scope.Scope> {
  const pages = new Map<string, Page>()
  const dirty = yield* Queue.sliding<true>(1)

  const read = Effect.fnUntraced(function* (directory: string) {
    const found = yield* files.read(`${directory}/ledger`, ledgerBytesMax)
    const page = Option.isNone(found) ? emptyPage() : opened(keys, directory, found.value)
    return page ?? (yield* corrupt(`/${directory}/ledger`))
  })

  const pageOf = Effect.fnUntraced(function* (directory: string) {
    const known = pages.get(directory)
    if (known !== undefined) return known
    const page = yield* read(directory)
    const first = pages.get(directory) ?? page
    pages.set(directory, first)
    return first
  })

  const replace = (directory: string, page: Page, tries: number): Effect.Effect<void, StorageError> =>
    Effect.gen(function* () {
      if (yield* files.replaceLedger(`${directory}/ledger`, sealed(keys, directory, page))) return
      if (tries === 1) return yield* contested(directory)
      join(page, yield* read(directory))
      yield* replace(directory, page, tries - 1)
    })

  const write = (directory: string, page: Page) =>
    Effect.suspend(() => {
      if (!page.isDirty) return Effect.void
      page.isDirty = false
      return replace(directory, page, writeTriesMax)
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          page.isDirty = true
        })
      ),
      Effect.catchIf(
        (error) => error.reason._tag === "StorageFull",
        () => Effect.logWarning(`no room for the ledger of ${directory}: it is written with the next change there`)
      ),
      Effect.uninterruptible,
      // readers list what they find unlisted, beside each other
      Semaphore.withPermit(page.turn)
    )

  const writeDirty = Effect.suspend(() =>
    Effect.forEach(
      [...pages].filter(([, { isDirty }]) => isDirty),
      ([directory, page]) =>
        write(directory, page).pipe(
          Effect.catch((error) => Effect.logWarning(`the ledger of ${directory} is written later`, error.message))
        ),
      { concurrency: writesAtOnce, discard: true }
    )
  )
  if (files.isExclusive) {
    yield* Effect.addFinalizer(() => writeDirty)
    yield* Effect.forkScoped(
      Effect.forever(Effect.andThen(Queue.take(dirty), Effect.andThen(Effect.sleep(laterMillis), writeDirty)))
    )
  }

  const change = Effect.fnUntraced(function* (file: string, apply: (page: Page) => void) {
    const directory = directoryOf(file)
    const page = yield* pageOf(directory)
    apply(page)
    page.isDirty = true
    return [directory, page] as const
  })

  const changeNow = (file: string, apply: (page: Page) => void) =>
    Effect.flatMap(change(file, apply), ([directory, page]) => write(directory, page))

  const list: SealedLedger["list"] = (file, counter) => {
    const apply = ({ counters }: Page): void => void counters.set(file, Math.max(counter, counters.get(file) ?? 0))
    return files.isExclusive ? Effect.andThen(change(file, apply), Queue.offer(dirty, true)) : changeNow(file, apply)
  }

  return {
    list,
    judge: Effect.fnUntraced(function* (file, counter) {
      const { counters, floor } = yield* pageOf(directoryOf(file))
      const listed = counters.get(file)
      if (counter === undefined) return listed === undefined ? "absent" : "missing"
      if (listed === undefined && counter < floor) return "absent"
      if (listed !== undefined && counter < listed) return "older"
      if (listed !== counter) yield* list(file, counter)
      return "counts"
    }),
    strike: (file, counter) =>
      changeNow(file, (page) => {
        page.floor = Math.max(page.floor, (page.counters.get(file) ?? counter) + 1)
        page.counters.delete(file)
      }),
    refresh: Effect.fnUntraced(function* (file) {
      const known = pages.get(directoryOf(file))
      if (known !== undefined) join(known, yield* read(directoryOf(file)))
    }),
    ready: (file) => Effect.asVoid(pageOf(directoryOf(file))),
    settle: (file) => Effect.flatMap(pageOf(directoryOf(file)), (page) => write(directoryOf(file), page)),
    filesIn: (ledger) => Effect.map(pageOf(directoryOf(ledger)), ({ counters }) => [...counters.keys()])
  }
})

/** So long a process that was killed may leave a ledger without its last records. */
const laterMillis = 5_000

const writesAtOnce = 2

interface Page {
  /** What is not listed and has a smaller counter was removed. */
  floor: number
  readonly counters: Map<string, number>
  isDirty: boolean
  /** One writes it at a time. */
  readonly turn: Semaphore.Semaphore
}

const emptyPage = (): Page => ({ floor: 0, counters: new Map(), isDirty: false, turn: Semaphore.makeUnsafe(1) })

/** What either says of a record, unless the other removed it since. The same from a ledger that is older, or put back. */
const join = (page: Page, other: Page): void => {
  for (const [file, counter] of page.counters)
    if (!other.counters.has(file) && counter < other.floor) page.counters.delete(file)
  for (const [file, counter] of other.counters) {
    const known = page.counters.get(file)
    if (known !== undefined || counter >= page.floor) page.counters.set(file, Math.max(counter, known ?? 0))
  }
  page.floor = Math.max(page.floor, other.floor)
}

/** Somebody else would have to write between each reading and the next write. */
const writeTriesMax = 4

const version = 1
const tag = domain("aura/storage/ledger/v1")
const nameBytes = 31
const entryBytes = nameBytes + 8

/** Over three million records in a directory: a store has 256 times as many before it stops. */
const ledgerBytesMax = 128 * 1024 * 1024

const directoryOf = (file: string): string => file.slice(0, 2)

const contextOf = (keys: StoreKeys, directory: string): Uint8Array =>
  Buffer.concat([tag, keys.storeId, Buffer.from(directory, "hex")])

const sealed = (keys: StoreKeys, directory: string, { counters, floor }: Page): Uint8Array => {
  const plain = Buffer.alloc(8 + counters.size * entryBytes)
  plain.writeBigUInt64BE(BigInt(floor), 0)
  let at = 8
  for (const [file, counter] of counters) {
    plain.write(file.slice(3), at, "hex")
    plain.writeBigUInt64BE(BigInt(counter), at + nameBytes)
    at += entryBytes
  }
  return Buffer.concat([Buffer.of(version), XChaCha.seal(keys.record, plain, contextOf(keys, directory))])
}

/** Undefined when it was altered, or is that of another directory or store. */
const opened = (keys: StoreKeys, directory: string, bytes: Uint8Array): Page | undefined => {
  const plain = XChaCha.open(keys.record, bytes.subarray(1), contextOf(keys, directory))
  if (bytes[0] !== version || Option.isNone(plain) || (plain.value.length - 8) % entryBytes !== 0) return undefined
  const content = Buffer.from(plain.value)
  const page = { ...emptyPage(), floor: Number(content.readBigUInt64BE(0)) }
  for (let at = 8; at < content.length; at += entryBytes) {
    const file = `${directory}/${content.toString("hex", at, at + nameBytes)}`
    page.counters.set(file, Number(content.readBigUInt64BE(at + nameBytes)))
  }
  return page
}

const contested = (directory: string) =>
  Effect.fail(
    new StorageError({
      reason: new StorageUnavailable({
        what: `another process goes on writing to /${directory}/ledger: end it, then try again`
      })
    })
  )

const corrupt = (key: string) =>
  Effect.fail(
    new StorageError({
      reason: new StorageCorrupt({ key, what: "it was altered or cut, or belongs to another directory or store" })
    })
  )
