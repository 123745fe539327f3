/**
 * The state of an application: a record of replicated fields, made by joining changes in any order.
 *
 * As data, version 2: [2, [table of ids, numbers, names, texts, values]], the columns of Checkpoint.ts: how many fields there
 * are, then of each in the order of the names its name:kind and what the kind writes; a field that no change has
 * touched is absent. States joined from equal sets of changes have equal data, so `digest` compares
 * replicas. A reader of another version, or without a kind that stands there, says so and joins the changes anew: the
 * data is a cache, never the truth.
 *
 * A state belongs to no definition: changes come with the fields of the definition that their fact names, reading with
 * those that the reader knows, so that several versions of an application write into one state.
 *
 * It does not judge: whoever calls `apply` has inspected the change and found its author entitled to it.
 */
import * as Result from "effect/Result"
import { domain, hash } from "../../identity/Hash.ts"
import type { BlobRef } from "../Blob.ts"
import * as Cbor from "../Cbor.ts"
import * as Kinds from "./BuiltIn.ts"
import { Damaged, Reader, Writer } from "./Checkpoint.ts"
import { invalid, type AnyCrdt, type Change, type Fields, type Invalid, type Touch } from "./Crdt.ts"
import { layoutOf, partsOfKey, type LayoutField } from "./Layout.ts"
import { compareKeys } from "./SortedTree.ts"
import type { Stamp } from "./Stamp.ts"

/** Changed in place by `apply`. */
export interface State {
  /** By `LayoutField.key`. */
  readonly slots: Map<string, Slot>
  /** What was last read, by which fields, and whether a change came since. */
  shown: Shown | undefined
  shownFields: Fields | undefined
  stale: boolean
}

export interface Slot {
  readonly crdt: AnyCrdt
  readonly state: unknown
}

/** What is read of a state: every field's value, by name; immutable. */
export interface Shown {
  readonly [field: string]: unknown
}

/** Nothing was said. */
export const empty = (): State => ({ slots: new Map(), shown: undefined, shownFields: undefined, stale: true })

/** Whether the change is one of these fields, by data alone; what it touches, or why not. */
export const inspect = (fields: Fields, change: Change): Touch | Invalid => {
  if (typeof change[0] !== "string") return invalid("a change begins with the name of its mutator")
  const field = typeof change[1] === "string" ? layoutOf(fields).get(change[1]) : undefined
  if (field === undefined) return invalid(`there is no field ${String(JSON.stringify(change[1])).slice(0, 80)}`)
  return field.crdt.inspect(field.type, change, argumentsAt)
}

/**
 * Joins a change that `inspect` accepted for the same fields. Repeating it, and the order, make no difference. The
 * change and the stamp are kept: nobody may alter them afterwards.
 */
export const apply = (state: State, fields: Fields, change: Change, stamp: Stamp): void => {
  const field = fieldOf(fields, change)
  field.crdt.apply(slotAt(state, field).state, field.type, change, argumentsAt, stamp)
  state.stale = true
}

/**
 * For a well-formed change in an entry that was judged invalid: joins what honest changes behind it stand on, and
 * nothing that anyone sees. Most kinds need nothing.
 */
export const applyRefused = (state: State, fields: Fields, change: Change, stamp: Stamp): void => {
  const field = fieldOf(fields, change)
  if (field.crdt.applyRefused === undefined) return
  field.crdt.applyRefused(slotAt(state, field).state, field.type, change, argumentsAt, stamp)
  state.stale = true
}

/** Whether the change stands on those before it in its feed, so that the next plan must see it: Text, also in a record. */
export const isOrderBound = (fields: Fields, change: Change): boolean => {
  const { crdt, type } = fieldOf(fields, change)
  if (crdt.applyRefused === undefined) return false
  const inside = change[recordFieldAt]
  return type.fields === undefined || (typeof inside === "string" && isOrderBoundIn(type.fields, inside))
}

const isOrderBoundIn = (fields: Fields, name: string): boolean =>
  layoutOf(fields).get(name)?.crdt.applyRefused !== undefined

/** Immutable; the same object, and the same objects inside, until a change touches them. */
export const read = (state: State, fields: Fields): Shown => {
  const before = state.shownFields === fields ? state.shown : undefined
  if (before !== undefined && !state.stale) return before
  const shown: { [field: string]: unknown } = {}
  let isSame = before !== undefined
  for (const field of layoutOf(fields).values()) {
    const slot = state.slots.get(field.key)
    const value = slot === undefined ? field.emptyValue : field.crdt.read(slot.state, field.type)
    shown[field.name] = value
    isSame &&= before?.[field.name] === value
  }
  state.shownFields = fields
  state.stale = false
  return (state.shown = isSame && before !== undefined ? before : Object.freeze(shown))
}

/** The blobs that the state names, whatever fields it is read by: each as often as it is named. */
export function* blobs({ slots }: State): Iterable<BlobRef> {
  for (const { crdt, state } of slots.values()) if (crdt.blobs !== undefined) yield* crdt.blobs(state)
}

/** Everything that either state knows; for laws, and for joining two checkpoints of one space. */
export const merge = (a: State, b: State): State => {
  const merged = empty()
  for (const { slots } of [a, b]) {
    for (const [key, { crdt, state }] of slots) {
      const known = merged.slots.get(key)
      merged.slots.set(key, {
        crdt,
        state: known === undefined ? crdt.merge(state, state) : crdt.merge(known.state, state)
      })
    }
  }
  return merged
}

export const toCbor = (state: State): Cbor.Cbor => {
  const writer = new Writer()
  writer.natural(state.slots.size)
  for (const [key, { crdt, state: inside }] of [...state.slots].sort(([a], [b]) => compareKeys(a, b))) {
    writer.name(key)
    crdt.encode(inside, writer)
  }
  return [version, writer.toCbor()]
}

/** Checks the form, not whether the changes it claims exist: a state from elsewhere must come with its proof. */
export const fromCbor = (data: Cbor.Cbor): Result.Result<State, string> => {
  if (!Array.isArray(data) || data.length !== 2) return Result.fail("not a list of version and columns")
  const [found, columns] = data as ReadonlyArray<Cbor.Cbor>
  if (found !== version) return Result.fail(`version ${JSON.stringify(found)}; known is ${version}`)
  try {
    const state = empty()
    const reader = new Reader(columns)
    for (let left = reader.natural(); left > 0; left--) {
      const key = reader.name()
      const crdt = Kinds.find(partsOfKey(key)?.[1] ?? "")
      if (crdt === undefined) return Result.fail(`the kind of ${key.slice(0, 80)} is unknown here`)
      state.slots.set(key, { crdt, state: crdt.decode(reader) })
    }
    return reader.isAtEnd ? Result.succeed(state) : Result.fail("more is written than its fields read")
  } catch (cause) {
    if (cause instanceof Damaged) return Result.fail(cause.reason)
    throw cause
  }
}

/** Equal exactly for states joined from sets of changes that mean the same. Takes time proportional to the state. */
export const digest = (state: State): Uint8Array => hash(digestDomain, Cbor.encode(toCbor(state)))

const version = 2
const digestDomain = domain("aura/state/v1")

/** Before them stand the mutator and the field's name. */
const argumentsAt = 2

/** Where a change of a record's field names it: behind mutator, map and id. */
const recordFieldAt = 3

const fieldOf = (fields: Fields, change: Change): LayoutField => {
  const field = layoutOf(fields).get(String(change[1]))
  if (field === undefined) throw new TypeError("a change was applied that had not been inspected")
  return field
}

/** The field's state, made when it is first touched. */
const slotAt = (state: State, { key, crdt }: LayoutField): Slot => {
  const known = state.slots.get(key)
  if (known !== undefined) return known
  const slot = { crdt, state: crdt.empty() }
  state.slots.set(key, slot)
  return slot
}
