/** Blobs by key: what we ask of a disk, a bucket or a browser's database. No implementation lives here. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

/** No room for these bytes. Nothing changed. */
export class StorageFull extends Data.TaggedError("StorageFull")<{
  /** 0 when unknown: a store elsewhere seldom tells its own. */
  readonly limitBytes: number
  /** Whose limit it is, when not the store's own. */
  readonly where?: string
}> {
  override get message(): string {
    const limit = this.limitBytes === 0 ? "its limit is not known here" : `limit ${this.limitBytes} bytes`
    const where = this.where === undefined ? "storage" : this.where
    return `${where} is full (${limit}): free space or raise the limit, then try again`
  }
}

/** What is stored under this key is not what was put: altered, torn, swapped or sealed with another key. */
export class StorageCorrupt extends Data.TaggedError("StorageCorrupt")<{
  readonly key: string
  readonly what: string
}> {
  override get message(): string {
    return `the record "${this.key}" is damaged (${this.what}): restore it from a backup, or remove it`
  }
}

/**
 * Why a store elsewhere does not serve: `down` passes by itself, the others when somebody does something: about the
 * credentials and their rights, the bucket's name, this machine's clock, or another process that writes to the same store.
 */
export type StorageRefusal = "down" | "forbidden" | "noBucket" | "clockSkew" | "taken"

/** The store can't be reached or refuses. Whether a write took place is unknown; repeating it is safe. */
export class StorageUnavailable extends Data.TaggedError("StorageUnavailable")<{
  readonly what: string
  /** Left out where only people can tell. */
  readonly why?: StorageRefusal
}> {
  override get message(): string {
    return `storage is unavailable: ${this.what}`
  }
}

/** The key is not one the contract takes. Nothing changed. */
export class StorageKeyInvalid extends Data.TaggedError("StorageKeyInvalid")<{ readonly key: string }> {
  override get message(): string {
    return `"${this.key}" is no storage key: 1 to ${keyBytesMax} bytes of UTF-8, segments separated by "/", none of them empty, "." or ".."`
  }
}

export class StorageError extends Data.TaggedError("StorageError")<{
  readonly reason: StorageFull | StorageCorrupt | StorageUnavailable | StorageKeyInvalid
}> {
  override get message(): string {
    return this.reason.message
  }
}

/** Longest key, in bytes of UTF-8. */
export const keyBytesMax = 512

/** Largest blob put in one call. Larger things are for a chunking caller. */
export const blobBytesMax = 64 * 1024 * 1024

/** True for what every handler takes as a key; see `StorageKeyInvalid` for the rule. */
export const isKey = (key: string): boolean =>
  key.isWellFormed() &&
  new TextEncoder().encode(key).length <= keyBytesMax &&
  key.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")

/**
 * All methods are safe to call concurrently; calls on one key take effect in some order, one at a time. Keys that
 * differ never collide, whatever their characters. Buffers passed in are read before the call returns its first
 * result and never kept; buffers handed out belong to the caller.
 */
export class Storage extends Context.Service<
  Storage,
  {
    /** Returns the bytes last put under `key`. Absence is a value, not a failure. */
    readonly get: (key: string) => Effect.Effect<Option.Option<Uint8Array>, StorageError>
    /** Durable when it succeeds: a crash after success keeps the bytes; a crash before leaves the old ones, whole. */
    readonly put: (key: string, bytes: Uint8Array) => Effect.Effect<void, StorageError>
    /** Durable like `put`. True if there was something to remove. */
    readonly remove: (key: string) => Effect.Effect<boolean, StorageError>
    /** The keys that start with `prefix` (plain text, "" for all), sorted by code unit. */
    readonly list: (prefix: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
  }
>()("aura/effects/Storage") {}
