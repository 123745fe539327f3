/**
 * ORMap: records by id; each field of a record is a replicated type of its own (any kind but ORMap).
 *
 *     ["put", field, id, {name: initial…}]     adds the record, and sets the named fields (registers only)
 *     [mutator, field, id, name, …arguments]   a change of one field of the record
 *     ["remove", field, id, [dots of the puts seen]]
 *
 * A record is there when some put of it is not removed (Presence.ts); a change of a field alone neither makes nor
 * revives one. Fields outlive a removal unseen, since a concurrent put may bring the record back: a later put of the
 * same id goes on from them. So ids are best never used twice. A put adds a value to an MVRegister, it overwrites none.
 */
import type { Cbor } from "../Cbor.ts"
import { Damaged, type Reader } from "./Checkpoint.ts"
import {
  invalid,
  touch,
  unknownMutator,
  type AnyCrdt,
  type Change,
  type Crdt,
  type Fields,
  type FieldType,
  type Invalid,
  type Touch
} from "./Crdt.ts"
import * as Kinds from "./Kinds.ts"
import { layoutOf, partsOfKey, type Layout, type LayoutField } from "./Layout.ts"
import * as Presence from "./Presence.ts"
import { compareKeys } from "./SortedTree.ts"
import { isDots, type Stamp } from "./Stamp.ts"
import { isKey, isMap } from "./ValueType.ts"
import { makeIndex, mapView, note, show, type Index, type MapView } from "./Views.ts"

/** What is read of a record: every field's value, by name. */
export interface Record {
  readonly [name: string]: unknown
}

export interface ORMapState {
  readonly entries: Map<string, Entry>
  readonly index: Index<Record, MapView<Record>>
  /** Where each field's state stands in an entry: by `LayoutField.key`, in the order of first use. */
  readonly columns: Map<string, Column>
  /** The type by which records were last shown. */
  shownType: FieldType | undefined
}

interface Column {
  readonly position: number
  readonly crdt: AnyCrdt
}

export interface Entry {
  readonly presence: Presence.Presence
  /** By column; undefined until a change touches the field. */
  readonly fields: Array<unknown>
  shown: Record | undefined
  /** By which fields `shown` was made; undefined when a change came since. */
  shownBy: Layout | undefined
}

const empty = (): ORMapState => ({
  entries: new Map(),
  index: makeIndex(),
  columns: new Map(),
  shownType: undefined
})

export const orMap: Crdt<ORMapState, MapView<Record>> = {
  kind: "ORMap",
  parameters: "fields",
  empty,
  inspect: (type, change, at) => {
    const id = change[at]
    if (!isKey(id)) return invalid("the id is not a text of 1 to 256")
    if (change.length === at + 2) {
      if (change[0] === "put") return inspectPut(type, change, at)
      if (change[0] === "remove") {
        return isDots(change[at + 1]) ? touch(change, at, id) : invalid("what it removes is not a list of dots")
      }
    }
    const field = fieldNamed(type, change[at + 1])
    if (field === undefined) return unknownMutator(change, `["put", …, id, {}], ["remove", …, id, dots] and fields`)
    return field.crdt.inspect(field.type, change, at + 2)
  },
  apply: (state, type, change, at, stamp) => {
    const id = String(change[at])
    const argument = change[at + 1]
    const isWhole = change.length === at + 2
    if (isWhole && change[0] === "remove" && isDots(argument)) {
      if (argument.length === 0) return
      note(state.index, id)
      Presence.remove(entryAt(state, id).presence, argument, stamp.time)
    } else if (isWhole && change[0] === "put" && isMap(argument)) {
      note(state.index, id)
      put(state, entryAt(state, id), type, argument, stamp)
    } else {
      const field = fieldNamed(type, argument)
      if (field === undefined) throw new TypeError("a change was applied that had not been inspected")
      note(state.index, id)
      const entry = entryAt(state, id)
      field.crdt.apply(fieldState(state, entry, field), field.type, change, at + 2, stamp)
      entry.shownBy = undefined
    }
  },
  applyRefused: (state, type, change, at, stamp) => {
    const field = change.length > at + 2 ? fieldNamed(type, change[at + 1]) : undefined
    if (field?.crdt.applyRefused === undefined) return
    const id = String(change[at])
    note(state.index, id)
    const entry = entryAt(state, id)
    field.crdt.applyRefused(fieldState(state, entry, field), field.type, change, at + 2, stamp)
    entry.shownBy = undefined
  },
  read: (state, type) => {
    const { entries, index, columns } = state
    const layout = layoutOf(fieldsOf(type))
    if (state.shownType !== type) {
      for (const id of entries.keys()) note(index, id)
      state.shownType = type
    }
    return show(
      index,
      {
        find: (id) => shown(entries.get(String(id)), columns, layout),
        keys: () => entries.keys(),
        count: () => Presence.countPresent(entries.values())
      },
      mapView
    )
  },
  peek: ({ entries, columns, shownType }, type, id) => {
    const layout = layoutOf(fieldsOf(type))
    // what a view shows stays the same object, by whatever other fields its records are looked at
    const isShown = shownType === undefined || layoutOf(fieldsOf(shownType)) === layout
    return shown(entries.get(String(id)), columns, layout, isShown)
  },
  dots: ({ entries }, id) => Presence.seenDots(entries.get(String(id))?.presence),
  inside: ({ entries, columns }, id, field) => {
    const column = columns.get(field)
    return column === undefined ? undefined : entries.get(id)?.fields[column.position]
  },
  *blobs({ columns, entries }) {
    const naming = [...columns.values()].filter(({ crdt }) => crdt.blobs !== undefined)
    if (naming.length === 0) return
    for (const { fields, presence } of entries.values()) {
      if (!Presence.isPresent(presence)) continue
      for (const { crdt, position } of naming) if (fields[position] !== undefined) yield* crdt.blobs!(fields[position])
    }
  },
  encode: ({ entries, columns }, writer) => {
    const ordered = [...columns].sort(([a], [b]) => compareKeys(a, b))
    writer.natural(ordered.length)
    for (const [key] of ordered) writer.name(key)
    writer.natural(entries.size)
    for (const id of [...entries.keys()].sort(compareKeys)) {
      const { presence, fields } = entries.get(id)!
      writer.name(id)
      Presence.encode(presence, writer)
      writer.natural(fields.reduce<number>((count, state) => (state === undefined ? count : count + 1), 0))
      ordered.forEach(([, { position, crdt }], number) => {
        const state = fields[position]
        if (state === undefined) return
        writer.natural(number)
        crdt.encode(state, writer)
      })
    }
  },
  decode: (reader) => {
    const state = empty()
    const columns = columnsFrom(state, reader)
    const count = reader.natural()
    for (let left = count; left > 0; left--) {
      const id = reader.name()
      const entry = makeEntry(Presence.decode(reader))
      for (let states = reader.natural(); states > 0; states--) {
        const { position, crdt } = reader.among(columns)
        entry.fields[position] = crdt.decode(reader)
      }
      state.entries.set(id, entry)
    }
    if (state.entries.size !== count) throw new Damaged("a record is there twice")
    return state
  },
  merge: (a, b) => {
    const state = empty()
    for (const { entries, columns } of [a, b]) {
      for (const [key, { crdt }] of columns) columnAt(state, key, crdt)
      for (const [id, from] of entries) {
        const entry = entryAt(state, id)
        Presence.mergePresence(entry.presence, from.presence)
        for (const [key, { position, crdt }] of columns) {
          const field = from.fields[position]
          if (field === undefined) continue
          const to = columnAt(state, key, crdt).position
          entry.fields[to] = crdt.merge(entry.fields[to] ?? crdt.empty(), field)
        }
      }
    }
    return state
  }
}

const inspectPut = (type: FieldType, change: Change, at: number): Touch | Invalid => {
  const initial = change[at + 1]
  if (!isMap(initial)) return invalid("what a put sets is not a map")
  for (const name of Object.keys(initial)) {
    const field = fieldNamed(type, name)
    if (field === undefined) return invalid(`a put sets ${JSON.stringify(name.slice(0, 40))}, which is no field`)
    if (field.crdt.initial === undefined) return invalid(`a put sets ${name}, a ${field.type.kind}: only registers`)
    const verdict = field.crdt.inspect(field.type, field.crdt.initial(initial[name]!), 1)
    if (verdict._tag === "Invalid") return invalid(`${name}: ${verdict.reason}`)
  }
  return touch(change, at, String(change[at]))
}

const put = (
  state: ORMapState,
  entry: Entry,
  type: FieldType,
  initial: { readonly [name: string]: Cbor },
  stamp: Stamp
): void => {
  Presence.add(entry.presence, stamp)
  for (const name of Object.keys(initial)) {
    const field = fieldNamed(type, name)
    const change = field?.crdt.initial?.(initial[name]!)
    if (field === undefined || change === undefined) throw new TypeError("a put was applied uninspected")
    field.crdt.apply(fieldState(state, entry, field), field.type, change, 1, stamp)
    entry.shownBy = undefined
  }
}

const fieldNamed = (type: FieldType, name: Cbor | undefined): LayoutField | undefined =>
  typeof name === "string" ? layoutOf(fieldsOf(type)).get(name) : undefined

const entryAt = (state: ORMapState, id: string): Entry => {
  const known = state.entries.get(id)
  if (known !== undefined) return known
  const entry = makeEntry(Presence.makePresence())
  state.entries.set(id, entry)
  return entry
}

const makeEntry = (presence: Presence.Presence): Entry => ({
  presence,
  fields: [],
  shown: undefined,
  shownBy: undefined
})

const fieldsOf = (type: FieldType): Fields => {
  if (type.fields === undefined) throw new TypeError("an ORMap without fields")
  return type.fields
}

const fieldState = (state: ORMapState, entry: Entry, { key, crdt }: LayoutField): unknown =>
  (entry.fields[columnAt(state, key, crdt).position] ??= crdt.empty())

const columnAt = ({ columns }: ORMapState, key: string, crdt: AnyCrdt): Column => {
  const known = columns.get(key)
  if (known !== undefined) return known
  const column = { position: columns.size, crdt }
  columns.set(key, column)
  return column
}

const columnsFrom = (state: ORMapState, reader: Reader): ReadonlyArray<Column> => {
  const columns: Array<Column> = []
  for (let left = reader.natural(); left > 0; left--) {
    const key = reader.name()
    const crdt = Kinds.find(partsOfKey(key)?.[1] ?? "")
    if (crdt === undefined) throw new Damaged(`the kind of ${key.slice(0, 80)} is unknown here`)
    columns.push(columnAt(state, key, crdt))
  }
  return columns
}

/** The record as it is now, the same object while its fields read the same; undefined when it is not there. */
const shown = (
  entry: Entry | undefined,
  columns: ReadonlyMap<string, Column>,
  layout: Layout,
  isKept = true
): Record | undefined => {
  if (entry === undefined || !Presence.isPresent(entry.presence)) return undefined
  const before = entry.shown
  if (before !== undefined && entry.shownBy === layout) return before
  const record: { [name: string]: unknown } = {}
  let isSame = before !== undefined && Object.keys(before).length === layout.size
  for (const { name, key, type, crdt, emptyValue } of layout.values()) {
    const column = columns.get(key)
    const state = column === undefined ? undefined : entry.fields[column.position]
    const value = state === undefined ? emptyValue : crdt.read(state, type)
    record[name] = value
    isSame &&= before !== undefined && name in before && before[name] === value
  }
  if (isSame && before !== undefined) {
    if (isKept) entry.shownBy = layout
    return before
  }
  if (!isKept) return Object.freeze(record)
  entry.shownBy = layout
  return (entry.shown = Object.freeze(record))
}
