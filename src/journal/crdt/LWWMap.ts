/**
 * LWWMap: values by text key; each key is a register of its own, and can be removed.
 *
 *     ["set", field, key, value]
 *     ["remove", field, key]
 *
 * Of concurrent settings and removals of one key the last in stamp order wins. A removed key keeps its stamp, for ever:
 * an older setting may still arrive.
 */
import type { Cbor } from "../Cbor.ts"
import { Damaged } from "./Checkpoint.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"
import { freeze } from "./Element.ts"
import { compare, type Stamp } from "./Stamp.ts"
import { check, isKey } from "./ValueType.ts"
import { makeIndex, mapView, note, show, type Index, type MapView } from "./Views.ts"

export interface LWWMapState {
  readonly slots: Map<string, Slot>
  readonly index: Index<Cbor, MapView<Cbor>>
}

interface Slot {
  stamp: Stamp
  /** Undefined when the last change removed the key. */
  value: Cbor | undefined
}

const empty = (): LWWMapState => ({ slots: new Map(), index: makeIndex() })

export const lwwMap: Crdt<LWWMapState, MapView<Cbor>> = {
  kind: "LWWMap",
  parameters: "value",
  empty,
  inspect: (type, change, at) => {
    const isSet = change[0] === "set" && change.length === at + 2
    if (!isSet && (change[0] !== "remove" || change.length !== at + 1)) {
      return unknownMutator(change, `["set", …, key, value] and ["remove", …, key]`)
    }
    const key = change[at]
    if (!isKey(key)) return invalid("the key is not a text of 1 to 256")
    const wrong = isSet ? check(valueOf(type), change[at + 1]!) : undefined
    return wrong === undefined ? touch(change, at, key) : invalid(wrong)
  },
  apply: (state, _, change, at, stamp) => put(state, String(change[at]), change[at + 1], stamp),
  read: ({ slots, index }) =>
    show(
      index,
      { find: (key) => slots.get(String(key))?.value, keys: () => slots.keys(), count: () => countPresent(slots) },
      mapView
    ),
  peek: ({ slots }, _, key) => slots.get(String(key))?.value,
  encode: ({ slots }, writer) => {
    const ordered = [...slots].sort(([, a], [, b]) => compare(a.stamp, b.stamp))
    const removed: Array<readonly [string, Slot]> = []
    writer.natural(countPresent(slots))
    for (const [key, slot] of ordered) {
      if (slot.value === undefined) removed.push([key, slot])
      else {
        writer.name(key)
        writer.stamp(slot.stamp)
        writer.value(slot.value)
      }
    }
    writer.natural(removed.length)
    for (const [key, { stamp }] of removed) {
      writer.name(key)
      writer.stamp(stamp)
    }
  },
  decode: (reader) => {
    const state = empty()
    const { slots } = state
    const present = reader.natural()
    for (let left = present; left > 0; left--)
      slots.set(reader.name(), { stamp: reader.stamp(), value: freeze(reader.value()) })
    const removed = reader.natural()
    for (let left = removed; left > 0; left--) slots.set(reader.name(), { stamp: reader.stamp(), value: undefined })
    if (slots.size !== present + removed) throw new Damaged("a key is there twice")
    return state
  },
  merge: (a, b) => {
    const state = empty()
    for (const { slots } of [a, b]) for (const [key, { stamp, value }] of slots) put(state, key, value, stamp)
    return state
  }
}

const put = (state: LWWMapState, key: string, value: Cbor | undefined, stamp: Stamp): void => {
  const slot = state.slots.get(key)
  if (slot !== undefined && compare(slot.stamp, stamp) >= 0) return
  note(state.index, key)
  const kept = value === undefined ? undefined : freeze(value)
  if (slot === undefined) state.slots.set(key, { stamp, value: kept })
  else {
    slot.stamp = stamp
    slot.value = kept
  }
}

const countPresent = (slots: ReadonlyMap<string, Slot>): number => {
  let count = 0
  for (const { value } of slots.values()) if (value !== undefined) count++
  return count
}
