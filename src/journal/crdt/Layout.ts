/**
 * The fields of a definition, or of an ORMap's records, ready for use: each with its kind's code, looked up once.
 */
import type { AnyCrdt, Fields, FieldType } from "./Crdt.ts"
import * as Kinds from "./Kinds.ts"

export type Layout = ReadonlyMap<string, LayoutField>

export interface LayoutField {
  readonly name: string
  readonly type: FieldType
  readonly crdt: AnyCrdt
  /**
   * Names the state of this field. It contains the kind: should two versions of a definition give one name to
   * different kinds, each has a state of its own, on every device, and neither breaks the other.
   */
  readonly key: string
  /** What is read while nothing was said. */
  readonly emptyValue: unknown
}

/** In the order of the names. Computed once for each `fields` object. Dies on an unknown kind. */
export const layoutOf = (fields: Fields): Layout => {
  if (fields === lastFields) return lastLayout
  lastLayout = layouts.get(fields) ?? makeLayout(fields)
  lastFields = fields
  return lastLayout
}

const makeLayout = (fields: Fields): Layout => {
  const layout = new Map<string, LayoutField>()
  for (const name of Object.keys(fields).sort()) {
    const type = fields[name]!
    const crdt = Kinds.get(type.kind)
    layout.set(name, { name, type, crdt, key: `${name}:${type.kind}`, emptyValue: crdt.read(crdt.empty(), type) })
  }
  layouts.set(fields, layout)
  return layout
}

const layouts = new WeakMap<Fields, Layout>()

/** Changes that follow each other are of the same fields. */
let lastFields: Fields | undefined
let lastLayout: Layout = new Map()

/** The name and kind behind a key; undefined for what is none. */
export const partsOfKey = (key: string): readonly [name: string, kind: string] | undefined => {
  const at = key.indexOf(":")
  return at <= 0 ? undefined : [key.slice(0, at), key.slice(at + 1)]
}
