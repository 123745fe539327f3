/**
 * MaxRegister and MinRegister: the greatest or least value that anybody ever set.
 *
 *     ["set", field, value]
 *
 * Values are of one ordered kind: integers or numbers by size, texts by UTF-16 code units. It never goes back, so a
 * definition should bound it (`max`): one author can take it to the bound for ever.
 */
import { check } from "./ValueType.ts"
import type { Cbor } from "../Cbor.ts"
import { Damaged } from "./Checkpoint.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"

type Ordered = number | string

export interface ExtremeState {
  value: Ordered | undefined
}

const extreme = (
  kind: string,
  isBetter: (a: Ordered, b: Ordered) => boolean
): Crdt<ExtremeState, Ordered | undefined> => {
  const set = (state: ExtremeState, value: Cbor | undefined): void => {
    if (!isOrdered(value)) return
    if (state.value === undefined || isBetter(value, state.value)) state.value = value
  }
  return {
    kind,
    parameters: "ordered",
    empty: () => ({ value: undefined }),
    inspect: (type, change, at) => {
      if (change[0] !== "set" || change.length !== at + 1) return unknownMutator(change, `["set", …, value]`)
      const wrong = check(valueOf(type), change[at]!)
      return wrong === undefined ? touch(change, at) : invalid(wrong)
    },
    apply: (state, _, change, at) => set(state, change[at]),
    read: (state) => state.value,
    encode: (state, writer) => writer.value(state.value ?? null),
    decode: (reader) => {
      const value = reader.value()
      if (value !== null && !isOrdered(value)) throw new Damaged("neither a number nor a text")
      return { value: value ?? undefined }
    },
    merge: (a, b) => {
      const state = { ...a }
      set(state, b.value)
      return state
    },
    initial: (value) => ["set", value]
  }
}

const isOrdered = (value: Cbor | undefined): value is Ordered => typeof value === "number" || typeof value === "string"

export const maxRegister: Crdt<ExtremeState, Ordered | undefined> = extreme("MaxRegister", (a, b) => a > b)

export const minRegister: Crdt<ExtremeState, Ordered | undefined> = extreme("MinRegister", (a, b) => a < b)
