/**
 * What goes around a handler, whatever mechanism it has: a wrapper sees each call of a contract with its kind, and decides
 * what becomes of it. Contracts are described here once; each wrapper of this folder is written once for all of them.
 *
 * A stack is applied from the outside in: in `["metrics", "retry"]` metrics see a call with its repetitions as one. Every
 * law of a contract holds through every wrapper and every stack, that of faults apart, which is for breaking things.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { JournalStoreError, JournalUnavailable, type JournalStore } from "../../effects/JournalStore.ts"
import { StorageError, StorageUnavailable, type Storage } from "../../effects/Storage.ts"

/** One call of a method. */
export interface Call {
  readonly effect: "journal" | "storage"
  readonly method: string
  /** Whether doing it again after an unknown outcome changes nothing: reads, and writes that put the same again. */
  readonly isRepeatable: boolean
}

export type Around<E> = <A>(call: Call, work: Effect.Effect<A, E>) => Effect.Effect<A, E>

/** How a contract's failures are told apart, and made. */
export interface Failures<E> {
  /** The world did not answer: it may a moment later. */
  readonly isPassing: (error: E) => boolean
  readonly unavailable: (what: string) => E
}

/** A wrapper of any contract; what it remembers lives as long as the scope. */
export type Wrapper = <E>(failures: Failures<E>) => Effect.Effect<Around<E>, never, Scope.Scope>

type Journal = JournalStore["Service"]
type Blobs = Storage["Service"]

export const journalFailures: Failures<JournalStoreError> = {
  isPassing: ({ reason }) => reason._tag === "JournalUnavailable",
  unavailable: (what) => new JournalStoreError({ reason: new JournalUnavailable({ what }) })
}

export const storageFailures: Failures<StorageError> = {
  isPassing: ({ reason }) => reason._tag === "StorageUnavailable",
  unavailable: (what) => new StorageError({ reason: new StorageUnavailable({ what }) })
}

const journalCall = (method: string, isRepeatable: boolean): Call => ({ effect: "journal", method, isRepeatable })
const storageCall = (method: string, isRepeatable: boolean): Call => ({ effect: "storage", method, isRepeatable })

const calls = {
  spaces: journalCall("spaces", true),
  feeds: journalCall("feeds", true),
  // of unknown outcome until the feeds are read again, which its caller does
  commit: journalCall("commit", false),
  repack: journalCall("repack", false),
  read: journalCall("read", true),
  local: journalCall("local", true),
  result: journalCall("result", true),
  get: storageCall("get", true),
  put: storageCall("put", true),
  // whether there was something to remove, only the first call can tell
  remove: storageCall("remove", false),
  list: storageCall("list", true)
} as const

export const aroundJournal = (store: Journal, around: Around<JournalStoreError>): Journal => ({
  persistenceGuaranteed: store.persistenceGuaranteed,
  spaces: around(calls.spaces, store.spaces),
  feeds: (space) => around(calls.feeds, store.feeds(space)),
  commit: (commit) => around(calls.commit, store.commit(commit)),
  read: (space, feed, from, bytesMax) => around(calls.read, store.read(space, feed, from, bytesMax)),
  repack: (space, run) => around(calls.repack, store.repack(space, run)),
  local: (space, name) => around(calls.local, store.local(space, name)),
  result: (space, requester, key) => around(calls.result, store.result(space, requester, key))
})

export const aroundStorage = (store: Blobs, around: Around<StorageError>): Blobs => ({
  get: (key) => around(calls.get, store.get(key)),
  put: (key, bytes) => around(calls.put, store.put(key, bytes)),
  remove: (key) => around(calls.remove, store.remove(key)),
  list: (prefix) => around(calls.list, store.list(prefix))
})

/** A journal in a stack of wrappers, the first of them outermost. */
export const wrapJournal = Effect.fnUntraced(function* (store: Journal, wrappers: ReadonlyArray<Wrapper>) {
  let wrapped = store
  for (const wrapper of wrappers.toReversed()) wrapped = aroundJournal(wrapped, yield* wrapper(journalFailures))
  return wrapped
})

/** Storage in a stack, the first outermost. */
export const wrapStorage = Effect.fnUntraced(function* (store: Blobs, wrappers: ReadonlyArray<StorageWrapper>) {
  let wrapped = store
  for (const wrapper of wrappers.toReversed()) {
    wrapped =
      wrapper._tag === "Any" ? aroundStorage(wrapped, yield* wrapper.wrapper(storageFailures)) : wrapper.wrap(wrapped)
  }
  return wrapped
})

/** A wrapper of any contract, or one of what only Storage has: a cache. */
export type StorageWrapper =
  | { readonly _tag: "Any"; readonly wrapper: Wrapper }
  | { readonly _tag: "Storage"; readonly wrap: (store: Blobs) => Blobs }
