/**
 * Keeps blobs that were read lately in memory, up to a number of bytes; the one longest unread goes first.
 *
 * What is read is what was last put through here. While a write is under way, and after one whose outcome is unknown, the
 * store itself is asked. So it is for a store that one process writes: what others put there it would notice late.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Storage } from "../../effects/Storage.ts"

export interface Options {
  readonly bytesMax: number
}

export const make =
  ({ bytesMax }: Options) =>
  (store: Storage["Service"]): Storage["Service"] => {
    const blobs = new Map<string, Uint8Array>()
    let usedBytes = 0
    const writing = new Map<string, number>()
    /** Goes up with every write that begins or ends. */
    let version = 0

    const forget = (key: string): void => {
      usedBytes -= sizeOf(key, blobs.get(key))
      blobs.delete(key)
    }
    const keep = (key: string, bytes: Uint8Array): void => {
      forget(key)
      if (sizeOf(key, bytes) > bytesMax) return
      blobs.set(key, bytes.slice())
      usedBytes += sizeOf(key, bytes)
      for (const oldest of blobs.keys()) {
        if (usedBytes <= bytesMax) return
        forget(oldest)
      }
    }
    const writes = <A, E>(key: string, work: Effect.Effect<A, E>): Effect.Effect<A, E> => {
      const count = (change: number) =>
        Effect.sync(() => {
          version++
          forget(key)
          const now = (writing.get(key) ?? 0) + change
          if (now === 0) writing.delete(key)
          else writing.set(key, now)
        })
      return Effect.acquireUseRelease(
        count(1),
        () => work,
        () => count(-1)
      )
    }
    return {
      get: (key) =>
        Effect.suspend(() => {
          const known = blobs.get(key)
          if (known !== undefined) {
            // the newest stands last
            blobs.delete(key)
            blobs.set(key, known)
            return Effect.succeed(Option.some(known.slice()))
          }
          const before = version
          return Effect.tap(store.get(key), (found) =>
            Effect.sync(() => {
              if (Option.isSome(found) && version === before && !writing.has(key)) keep(key, found.value)
            })
          )
        }),
      put: (key, bytes) => writes(key, store.put(key, bytes)),
      remove: (key) => writes(key, store.remove(key)),
      list: store.list
    }
  }

/** Keys count too, or a million empty blobs would be nothing. */
const sizeOf = (key: string, bytes: Uint8Array | undefined): number =>
  bytes === undefined ? 0 : bytes.length + 2 * key.length
