/**
 * GSet: a set that only grows.
 *
 *     ["add", field, element]
 */
import type { Cbor } from "../Cbor.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"
import { freeze, keyOf, pathOf } from "./Element.ts"
import { compareKeys, type Key } from "./SortedTree.ts"
import { check } from "./ValueType.ts"
import { makeIndex, note, setView, show, type Index, type SetView } from "./Views.ts"

export interface GSetState {
  readonly elements: Map<Key, Cbor>
  readonly index: Index<Cbor, SetView<Cbor>>
}

const empty = (): GSetState => ({ elements: new Map(), index: makeIndex() })

export const gSet: Crdt<GSetState, SetView<Cbor>> = {
  kind: "GSet",
  parameters: "value",
  empty,
  inspect: (type, change, at) => {
    if (change[0] !== "add" || change.length !== at + 1) return unknownMutator(change, `["add", …, element]`)
    const wrong = check(valueOf(type), change[at]!)
    return wrong === undefined ? touch(change, at, pathOf(change[at]!)) : invalid(wrong)
  },
  apply: (state, _, change, at) => add(state, change[at]!),
  read: ({ elements, index }) =>
    show(index, { find: (key) => elements.get(key), keys: () => elements.keys(), count: () => elements.size }, setView),
  peek: ({ elements }, _, element) => elements.get(keyOf(element)),
  encode: ({ elements }, writer) => {
    writer.natural(elements.size)
    for (const [, element] of [...elements].sort(([a], [b]) => compareKeys(a, b))) writer.value(element)
  },
  decode: (reader) => {
    const state = empty()
    for (let left = reader.natural(); left > 0; left--) add(state, reader.value())
    return state
  },
  merge: (a, b) => {
    const state = empty()
    for (const { elements } of [a, b]) for (const element of elements.values()) add(state, element)
    return state
  }
}

const add = (state: GSetState, element: Cbor): void => {
  const key = keyOf(element)
  if (state.elements.has(key)) return
  note(state.index, key)
  state.elements.set(key, freeze(element))
}
