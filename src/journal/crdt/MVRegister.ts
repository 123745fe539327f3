/**
 * MVRegister: keeps every value that was set without having seen another, until somebody who sees them sets one anew.
 *
 *     ["set", field, value, [dots of the values that it overwrites]]
 *
 * An overwrite names what its author saw, dot by dot, so nobody can overwrite what he has not seen: naming dots of the
 * future does nothing (Presence.ts). Two settings in one entry do not overwrite each other: both stay. The value read is
 * a list in stamp order. Overwritten values are forgotten, their dots are not.
 */
import type { Cbor } from "../Cbor.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"
import { freeze } from "./Element.ts"
import * as Presence from "./Presence.ts"
import { compare, isDots, type Stamp } from "./Stamp.ts"
import { check } from "./ValueType.ts"

export interface MVRegisterState {
  readonly presence: Presence.Presence
  /** By the stamp of the setting, the object itself. */
  readonly values: Map<Stamp, Cbor>
  shown: ReadonlyArray<Cbor> | undefined
}

const empty = (): MVRegisterState => ({ presence: Presence.makePresence(), values: new Map(), shown: undefined })

export const mvRegister: Crdt<MVRegisterState, ReadonlyArray<Cbor>> = {
  kind: "MVRegister",
  parameters: "value",
  empty,
  inspect: (type, change, at) => {
    if (change[0] !== "set" || change.length !== at + 2) return unknownMutator(change, `["set", …, value, dots]`)
    if (!isDots(change[at + 1])) return invalid("what it overwrites is not a list of dots")
    const wrong = check(valueOf(type), change[at]!)
    return wrong === undefined ? touch(change, at) : invalid(wrong)
  },
  apply: (state, _, change, at, stamp) => {
    const dots = change[at + 1]
    if (isDots(dots)) Presence.remove(state.presence, dots, stamp.time, forget(state))
    set(state, change[at]!, stamp)
    state.shown = undefined
  },
  read: (state) =>
    (state.shown ??= Object.freeze([...state.values].sort(([a], [b]) => compare(a, b)).map(([, value]) => value))),
  dots: ({ presence }) => Presence.seenDots(presence),
  encode: ({ presence, values }, writer) => {
    writer.natural(values.size)
    for (const [stamp, value] of [...values].sort(([a], [b]) => compare(a, b))) {
      writer.stamp(stamp)
      writer.value(value)
    }
    Presence.encodeRemovals(presence, writer)
  },
  decode: (reader) => {
    const state = empty()
    for (let left = reader.natural(); left > 0; left--) {
      const stamp = reader.stamp()
      set(state, reader.value(), stamp)
    }
    Presence.decodeRemovals(state.presence, reader)
    return state
  },
  merge: (a, b) => {
    const state = empty()
    for (const { presence, values } of [a, b]) {
      for (const [stamp, value] of values) set(state, value, stamp)
      Presence.mergePresence(state.presence, { ...presence, first: undefined, more: undefined }, forget(state))
    }
    return state
  },
  initial: (value) => ["set", value, []]
}

const forget =
  (state: MVRegisterState) =>
  (stamp: Stamp): void => {
    state.values.delete(stamp)
  }

const set = (state: MVRegisterState, value: Cbor, stamp: Stamp): void => {
  if (Presence.add(state.presence, stamp, forget(state))) state.values.set(stamp, freeze(value))
}
