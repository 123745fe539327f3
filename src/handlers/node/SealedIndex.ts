/** The keys of a sealed store by file, read when first asked for and kept up to date by every write since. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { StorageError } from "../../effects/Storage.ts"
import * as SealedRecord from "./SealedRecord.ts"
import type { SealedFiles } from "./SealedStorage.ts"

export interface SealedIndex {
  readonly keys: Effect.Effect<ReadonlyArray<string>, StorageError>
  /** The file now holds this key, or nothing. */
  readonly note: (file: string, key: Option.Option<string>) => void
  /** A write failed halfway: what is stored is to be looked up again. */
  readonly forget: () => void
}

/** `keyOf` opens the key in the beginning of a file. */
export const make = (
  files: SealedFiles,
  keyOf: (file: string, begin: Uint8Array) => Effect.Effect<string, StorageError>
): SealedIndex => {
  let keyByFile: Map<string, string> | undefined
  // What changed since a scan began; undefined when none is under way, or when it can't be kept.
  let changes: Map<string, Option.Option<string>> | undefined

  const apply = (target: Map<string, string>, file: string, key: Option.Option<string>): void => {
    if (Option.isSome(key)) target.set(file, key.value)
    else target.delete(file)
  }

  const readKey = (file: string) =>
    Effect.gen(function* () {
      const begin = yield* files.read(file, SealedRecord.beginBytesMax)
      return Option.isNone(begin) ? [] : [[file, yield* keyOf(file, begin.value)] as const]
    })

  const scan = Effect.gen(function* () {
    const records = yield* files.records
    return (yield* Effect.forEach(records, ({ file }) => readKey(file), { concurrency: scanConcurrency })).flat()
  })

  const scanned = Effect.gen(function* () {
    if (keyByFile !== undefined) return keyByFile
    const ownChanges = (changes = new Map())
    const found = new Map(yield* scan)
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

/** Records whose beginnings a listing reads at once. */
const scanConcurrency = 16
