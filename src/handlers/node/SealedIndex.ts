/** The keys of a sealed store by file, read when first asked for and kept up to date by every write since. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { StorageError } from "../../effects/Storage.ts"

export interface SealedIndex {
  readonly keys: Effect.Effect<ReadonlyArray<string>, StorageError>
  /** The file now holds this key, or nothing. */
  readonly note: (file: string, key: Option.Option<string>) => void
  /** A write failed halfway: what is stored is to be looked up again. */
  readonly forget: () => void
}

/** `files` is every file that holds a record, or should; `keyIn` reads which key it holds. */
export const make = (
  files: Effect.Effect<ReadonlyArray<string>, StorageError>,
  keyIn: (file: string) => Effect.Effect<Option.Option<string>, StorageError>
): SealedIndex => {
  let keyByFile: Map<string, string> | undefined
  // What changed since a scan began; undefined when none is under way, or when it can't be kept.
  let changes: Map<string, Option.Option<string>> | undefined

  const apply = (target: Map<string, string>, file: string, key: Option.Option<string>): void => {
    if (Option.isSome(key)) target.set(file, key.value)
    else target.delete(file)
  }

  const entryOf = (file: string) =>
    Effect.map(keyIn(file), (key) => (Option.isNone(key) ? [] : [[file, key.value] as const]))

  const scan = Effect.gen(function* () {
    return (yield* Effect.forEach(yield* files, entryOf, { concurrency: scanConcurrency })).flat()
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
