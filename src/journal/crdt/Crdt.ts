/**
 * What every replicated type offers: a state that changes join in any order, and an immutable value to look at.
 *
 * A change is data: `[mutator, field, …arguments]`, for a field inside an ORMap `[mutator, map, id, field, …arguments]`.
 * A field type is data too, so a device that never had the application's code judges and materialises like one that
 * has. Laws, for every kind (test/journal/crdt/laws.test.ts): the state is a function of the *set* of applied
 * (change, stamp): order and repetition do not matter; `merge` is the union of the sets; equal sets have equal bytes.
 * A kind that needs more of its caller says so (Text does).
 *
 * States are changed in place, because a replica applies hundreds of thousands of changes a second; what `read` hands
 * out never changes afterwards. No kind knows authority, time zones, or other fields.
 */
import type { BlobRef } from "../Blob.ts"
import type { Cbor } from "../Cbor.ts"
import type { Reader, Writer } from "./Checkpoint.ts"
import type { Stamp } from "./Stamp.ts"
import type { ValueType } from "./ValueType.ts"

/** A change as it stands in a fact. */
export type Change = ReadonlyArray<Cbor>

/** One field of a definition. What stands beside `kind` depends on it: see `Parameters`. */
export interface FieldType {
  readonly kind: string
  readonly value?: ValueType
  readonly fields?: Fields
}

/** The fields of a definition, or of the records of an ORMap, by name. */
export interface Fields {
  readonly [name: string]: FieldType
}

/** What a field type carries beside its kind: nothing, a value type, one with a natural order, or nested fields. */
export type Parameters = "none" | "value" | "ordered" | "fields"

/** A well-formed change, and what it touches: to be matched against `writes` (Writes.ts). */
export interface Touch {
  readonly _tag: "Touch"
  readonly mutator: string
  readonly path: ReadonlyArray<string>
}

/** No change of this field, and why. The same verdict everywhere. */
export interface Invalid {
  readonly _tag: "Invalid"
  readonly reason: string
}

/** `at` is always the position of the first argument in the change; what stands before it has been checked. */
export interface Crdt<State, Value> {
  readonly kind: string
  readonly parameters: Parameters
  /** A fresh state: nothing was said. */
  empty(): State
  /** Decides from data alone. Touches nothing. */
  inspect(type: FieldType, change: Change, at: number): Touch | Invalid
  /** Joins a change that `inspect` found well formed. Keeps `stamp` and values: nobody may alter them afterwards. */
  apply(state: State, type: FieldType, change: Change, at: number, stamp: Stamp): void
  /** Immutable, and the same object until a change touches it, also for what is nested. */
  read(state: State, type: FieldType): Value
  /** Deterministic: the state's digest is taken over it. */
  encode(state: State, writer: Writer): void
  /** Throws `Damaged` for what `encode` never writes; `State.fromCbor` catches it. */
  decode(reader: Reader): State
  /** A new state: everything that either knows. */
  merge(a: State, b: State): State
  /** The change, without field, by which an ORMap's `put` sets this; kinds without it can't stand in a `put`. */
  initial?(value: Cbor): Change
  /** What `read` would have at `key`, without making a view; undefined when it is absent. */
  peek?(state: State, type: FieldType, key: Cbor): unknown
  /** The dots that a removal or overwrite names, as this state has seen them; `key` is what it is about, if anything. */
  dots?(state: State, key: Cbor): ReadonlyArray<Cbor>
  /** The state of one field of the record at `id`, by `LayoutField.key`; undefined until a change touches it. */
  inside?(state: State, id: string, field: string): unknown
  /** The blobs that are named by what `read` shows; kinds without it name none. */
  blobs?(state: State): Iterable<BlobRef>
  /** Joins what must not be lost of a change in an entry that was judged invalid; kinds without it need nothing. */
  applyRefused?(state: State, type: FieldType, change: Change, at: number, stamp: Stamp): void
}

/** A kind whose state is not known here. Methods are bivariant, so no cast is needed; states never mix kinds. */
export type AnyCrdt = Crdt<unknown, unknown>

export const invalid = (reason: string): Invalid => ({ _tag: "Invalid", reason })

/** The touch of a change whose path is what precedes `at`, and then `key` if there is one. */
export const touch = (change: Change, at: number, key?: string): Touch => {
  const path: Array<string> = []
  for (let index = 1; index < at; index++) path.push(String(change[index]))
  if (key !== undefined) path.push(key)
  return { _tag: "Touch", mutator: String(change[0]), path }
}

/** The value type that a kind with the parameter "value" or "ordered" always has. */
export const valueOf = (type: FieldType): ValueType => {
  if (type.value === undefined) throw new TypeError(`a field of kind ${type.kind} has no value type`)
  return type.value
}

/** How a mutator and its number of arguments are refused, in one wording. */
export const unknownMutator = (change: Change, allowed: string): Invalid =>
  invalid(`${JSON.stringify(change[0])} with ${change.length} parts is no change of this field; it has ${allowed}`)
