/**
 * ORSet: a set from which one can remove what one has seen; an addition that the remover had not seen stays.
 *
 *     ["add", field, element]
 *     ["remove", field, element, [dots of the additions seen]]
 *
 * The dots of a removal count for the element it names and no other. See Presence.ts for forged ones. A removal that
 * names nothing is well formed and does nothing. Tombstones stay for ever, one per addition that was removed.
 */
import type { Cbor } from "../Cbor.ts"
import { invalid, touch, unknownMutator, valueOf, type Crdt } from "./Crdt.ts"
import { freeze, keyOf, pathOf } from "./Element.ts"
import * as Presence from "./Presence.ts"
import { compareKeys, type Key } from "./SortedTree.ts"
import { isDots } from "./Stamp.ts"
import { check } from "./ValueType.ts"
import { makeIndex, note, setView, show, type Index, type SetView } from "./Views.ts"

export interface ORSetState {
  readonly elements: Map<Key, Element>
  readonly index: Index<Cbor, SetView<Cbor>>
}

interface Element {
  readonly value: Cbor
  readonly presence: Presence.Presence
}

const empty = (): ORSetState => ({ elements: new Map(), index: makeIndex() })

export const orSet: Crdt<ORSetState, SetView<Cbor>> = {
  kind: "ORSet",
  parameters: "value",
  empty,
  inspect: (type, change, at) => {
    const isAdd = change[0] === "add" && change.length === at + 1
    if (!isAdd && (change[0] !== "remove" || change.length !== at + 2)) {
      return unknownMutator(change, `["add", …, element] and ["remove", …, element, dots]`)
    }
    if (!isAdd && !isDots(change[at + 1])) return invalid("what it removes is not a list of dots")
    const wrong = check(valueOf(type), change[at]!)
    return wrong === undefined ? touch(change, at, pathOf(change[at]!)) : invalid(wrong)
  },
  apply: (state, _, change, at, stamp) => {
    const dots = change[at + 1]
    if (change[0] === "add") Presence.add(element(state, change[at]!), stamp)
    else if (isDots(dots) && dots.length > 0) Presence.remove(element(state, change[at]!), dots, stamp.time)
  },
  read: ({ elements, index }) =>
    show(
      index,
      {
        find: (key) => present(elements.get(key)),
        keys: () => elements.keys(),
        count: () => Presence.countPresent(elements.values())
      },
      setView
    ),
  peek: ({ elements }, _, element) => present(elements.get(keyOf(element))),
  dots: ({ elements }, element) => Presence.seenDots(elements.get(keyOf(element))?.presence),
  encode: ({ elements }, writer) => {
    writer.natural(elements.size)
    for (const [, { value, presence }] of [...elements].sort(([a], [b]) => compareKeys(a, b))) {
      writer.value(value)
      Presence.encode(presence, writer)
    }
  },
  decode: (reader) => {
    const state = empty()
    for (let left = reader.natural(); left > 0; left--) {
      const value = reader.value()
      state.elements.set(keyOf(value), { value: freeze(value), presence: Presence.decode(reader) })
    }
    return state
  },
  merge: (a, b) => {
    const state = empty()
    for (const { elements } of [a, b]) {
      for (const { value, presence } of elements.values()) Presence.mergePresence(element(state, value), presence)
    }
    return state
  }
}

const present = (element: Element | undefined): Cbor | undefined =>
  element !== undefined && Presence.isPresent(element.presence) ? element.value : undefined

/** The element's presence, about to be changed. */
const element = (state: ORSetState, value: Cbor): Presence.Presence => {
  const key = keyOf(value)
  note(state.index, key)
  const known = state.elements.get(key)
  if (known !== undefined) return known.presence
  const presence = Presence.makePresence()
  state.elements.set(key, { value: freeze(value), presence })
  return presence
}
