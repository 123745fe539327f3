/**
 * LWWRegister: one value; of concurrent settings the last in stamp order wins.
 *
 *     ["set", field, value]
 *
 * A liar can claim a time up to the drift allowed ahead (journal/Clock.ts) and win that long; never longer.
 */
import type { Cbor } from "../Cbor.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"
import { freeze } from "./Element.ts"
import { compare, type Stamp } from "./Stamp.ts"
import { check } from "./ValueType.ts"

export interface LWWRegisterState {
  stamp: Stamp | undefined
  /** Meaningless without a stamp. */
  value: Cbor
}

export const lwwRegister: Crdt<LWWRegisterState, Cbor | undefined> = {
  kind: "LWWRegister",
  parameters: "value",
  empty: () => ({ stamp: undefined, value: null }),
  inspect: (type, change, at) => {
    if (change[0] !== "set" || change.length !== at + 1) return unknownMutator(change, `["set", …, value]`)
    const wrong = check(valueOf(type), change[at]!)
    return wrong === undefined ? touch(change, at) : invalid(wrong)
  },
  apply: (state, _, change, at, stamp) => set(state, change[at]!, stamp),
  read: ({ stamp, value }) => (stamp === undefined ? undefined : value),
  encode: ({ stamp, value }, writer) => {
    writer.natural(stamp === undefined ? 0 : 1)
    if (stamp === undefined) return
    writer.stamp(stamp)
    writer.value(value)
  },
  decode: (reader) =>
    reader.natural() === 0
      ? { stamp: undefined, value: null }
      : { stamp: reader.stamp(), value: freeze(reader.value()) },
  merge: (a, b) => {
    const state = { ...a }
    if (b.stamp !== undefined) set(state, b.value, b.stamp)
    return state
  },
  initial: (value) => ["set", value]
}

const set = (state: LWWRegisterState, value: Cbor, stamp: Stamp): void => {
  if (state.stamp !== undefined && compare(state.stamp, stamp) >= 0) return
  state.stamp = stamp
  state.value = freeze(value)
}
