/**
 * What applications see of maps and sets: immutable and sorted; sorted only when somebody walks them or something changes.
 *
 * A kind keeps its own mutable map for applying changes, and an `Index` beside it. While nobody reads, the index costs
 * nothing. A view that was read looks things up in the kind's map, as long as that says what the view has to say: a
 * change announces itself before it is made, and the view then stands on a sorted tree of its own. From then on changes
 * note their keys, and the next read folds these into a new tree. So looking up costs O(1), reading after a change
 * O(log n), and only walking a view costs its size; a view made before keeps what it showed (test/journal/crdt/Views.test.ts).
 */
import type { Cbor } from "../Cbor.ts"
import { keyOf } from "./Element.ts"
import * as SortedTree from "./SortedTree.ts"
import type { Key, Tree } from "./SortedTree.ts"

/** What a view of a map asks of what it shows. */
export interface MapContent<Value> {
  readonly size: () => number
  readonly find: (key: string) => Value | undefined
  /** In key order; with `after`, those behind that key. */
  readonly walk: (after?: string) => Iterable<readonly [string, Value]>
}

/** What a view of a set asks of what it shows. */
export interface SetContent<Value> {
  readonly size: () => number
  readonly has: (value: Value) => boolean
  readonly walk: () => Iterable<Value>
}

/** A sorted immutable map by text key. Values keep their identity from view to view until they change. */
export class MapView<Value> implements ReadonlyMap<string, Value> {
  readonly #content: MapContent<Value>

  /** For the kinds of this folder: applications are handed views. */
  constructor(content: MapContent<Value>) {
    this.#content = content
  }

  get size(): number {
    return this.#content.size()
  }

  get(key: string): Value | undefined {
    return this.#content.find(key)
  }

  has(key: string): boolean {
    return this.#content.find(key) !== undefined
  }

  /** At most `limit` entries in key order, those behind the key `after` when it is given. */
  page(options: { readonly after?: string; readonly limit: number }): ReadonlyArray<readonly [string, Value]> {
    const page: Array<readonly [string, Value]> = []
    if (options.limit <= 0) return page
    for (const entry of this.#content.walk(options.after)) {
      page.push(entry)
      if (page.length >= options.limit) break
    }
    return page
  }

  /** In key order; with `after`, those behind that key. */
  *entries(after?: string): Generator<[string, Value], undefined> {
    for (const [key, value] of this.#content.walk(after)) yield [key, value]
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.#content.walk()) yield key
  }

  *values(): Generator<Value, undefined> {
    for (const [, value] of this.#content.walk()) yield value
  }

  [Symbol.iterator](): Generator<[string, Value], undefined> {
    return this.entries()
  }

  forEach(visit: (value: Value, key: string, view: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.#content.walk()) visit(value, key, this)
  }

  /** For logs and `JSON.stringify`. */
  toJSON(): { readonly [key: string]: Value } {
    return Object.fromEntries(this.entries())
  }
}

/** A sorted immutable set of values: numbers first, then texts, then whatever else there is. */
export class SetView<Value> implements Iterable<Value> {
  readonly #content: SetContent<Value>

  /** For the kinds of this folder: applications are handed views. */
  constructor(content: SetContent<Value>) {
    this.#content = content
  }

  get size(): number {
    return this.#content.size()
  }

  /** Whether an equal value is there: composite values are compared by what is in them. */
  has(value: Value): boolean {
    return this.#content.has(value)
  }

  *[Symbol.iterator](): Generator<Value, undefined> {
    yield* this.#content.walk()
  }

  values(): Generator<Value, undefined> {
    return this[Symbol.iterator]()
  }

  /** For logs and `JSON.stringify`. */
  toJSON(): ReadonlyArray<Value> {
    return [...this]
  }
}

export const mapView = <Value>(basis: Basis<Value>): MapView<Value> =>
  new MapView({
    size: () => basis.size(),
    find: (key) => basis.find(key),
    walk: function* (after) {
      for (const [key, value] of SortedTree.entries(basis.sorted(), after)) yield [String(key), value] as const
    }
  })

/** A view of elements that lie under their keys. */
export const setView = (basis: Basis<Cbor>): SetView<Cbor> =>
  new SetView({
    size: () => basis.size(),
    has: (element) => basis.find(keyOf(element)) !== undefined,
    walk: function* () {
      for (const [, element] of SortedTree.entries(basis.sorted())) yield element
    }
  })

/**
 * The same view with every value shown through `show`, when it is asked for. What `show` does not show is passed over;
 * `size` counts it, for counting only the rest would walk everything.
 */
export const mapValues = <Value, Shown>(
  view: MapView<Value>,
  show: (value: Value) => Shown | undefined
): MapView<Shown> =>
  new MapView<Shown>({
    size: () => view.size,
    find: (key) => {
      const value = view.get(key)
      return value === undefined ? undefined : show(value)
    },
    walk: function* (after) {
      for (const [key, value] of view.entries(after)) {
        const shown = show(value)
        if (shown !== undefined) yield [key, shown] as const
      }
    }
  })

/** As `mapValues`, for sets; `hide` is the inverse of `show`. */
export const mapElements = <Value, Shown>(
  view: SetView<Value>,
  show: (value: Value) => Shown | undefined,
  hide: (shown: Shown) => Value
): SetView<Shown> =>
  new SetView<Shown>({
    size: () => view.size,
    has: (shown) => view.has(hide(shown)),
    walk: function* () {
      for (const value of view) {
        const shown = show(value)
        if (shown !== undefined) yield shown
      }
    }
  })

/** What a kind keeps, as an index asks for it. */
export interface Source<Value> {
  /** The value at `key` now; undefined when it is absent. */
  readonly find: (key: Key) => Value | undefined
  /** All keys at which a value may be present. */
  readonly keys: () => Iterable<Key>
  /** At how many keys a value is present. */
  readonly count: () => number
}

/**
 * What one view shows: the kind's own map until that is about to change, and a sorted tree from when it is needed.
 * It has at least one of the two.
 */
export class Basis<Value> {
  #source: Source<Value> | undefined
  #tree: Tree<Value>
  #isSorted: boolean
  #size: number | undefined

  constructor(source: Source<Value>, sorted?: { readonly tree: Tree<Value> }) {
    this.#source = source
    this.#tree = sorted?.tree
    this.#isSorted = sorted !== undefined
  }

  find(key: Key): Value | undefined {
    return this.#source === undefined ? SortedTree.find(this.#tree, key) : this.#source.find(key)
  }

  size(): number {
    return (this.#size ??=
      this.#isSorted || this.#source === undefined ? SortedTree.size(this.#tree) : this.#source.count())
  }

  sorted(): Tree<Value> {
    if (!this.#isSorted && this.#source !== undefined) {
      this.#tree = sort(this.#source)
      this.#isSorted = true
    }
    return this.#tree
  }

  /** The map is about to change: from now on it is not asked. */
  leave(): void {
    this.sorted()
    this.#source = undefined
  }

  /** The map says again what this shows. */
  rejoin(source: Source<Value>): void {
    this.#source = source
  }
}

/** A mutable map's shadow: what was last shown of it, and what changed since; see the module comment. */
export interface Index<Value, View> {
  /** Undefined until somebody reads. */
  shown: { readonly view: View; readonly basis: Basis<Value> } | undefined
  readonly dirty: Set<Key>
}

export const makeIndex = <Value, View>(): Index<Value, View> => ({ shown: undefined, dirty: new Set() })

/** Says that the value at `key` may change: always before it does. */
export const note = <Value, View>(index: Index<Value, View>, key: Key): void => {
  if (index.shown === undefined) return
  if (index.dirty.size === 0) index.shown.basis.leave()
  index.dirty.add(key)
}

/** The view of all present values: the same one as long as none changed. */
export const show = <Value, View>(
  index: Index<Value, View>,
  source: Source<Value>,
  make: (basis: Basis<Value>) => View
): View => {
  const { dirty, shown } = index
  if (shown !== undefined && dirty.size === 0) return shown.view
  let basis: Basis<Value>
  if (shown === undefined || dirty.size * anewRatio > shown.basis.size() + anewSizeMin) basis = new Basis(source)
  else {
    const before = shown.basis.sorted()
    const tree = update(before, dirty, source)
    if (tree === before) {
      dirty.clear()
      shown.basis.rejoin(source)
      return shown.view
    }
    basis = new Basis(source, { tree })
  }
  dirty.clear()
  const view = make(basis)
  index.shown = { view, basis }
  return view
}

/** From one changed key in so many on, sorting everything anew is cheaper than changing the tree key by key. */
const anewRatio = 3
const anewSizeMin = 64

const sort = <Value>({ find, keys }: Source<Value>): Tree<Value> => {
  const ordered = [...keys()]
  // texts alone are in this order by themselves, in half the time
  if (ordered.every((key) => typeof key === "string")) ordered.sort()
  else ordered.sort(SortedTree.compareKeys)
  const pairs: Array<readonly [Key, Value]> = []
  for (const key of ordered) {
    const value = find(key)
    if (value !== undefined) pairs.push([key, value])
  }
  return SortedTree.fromSorted(pairs)
}

const update = <Value>(before: Tree<Value>, dirty: Iterable<Key>, { find }: Source<Value>): Tree<Value> => {
  let tree = before
  for (const key of dirty) {
    const value = find(key)
    if (value === undefined) tree = SortedTree.remove(tree, key)
    else if (SortedTree.find(tree, key) !== value) tree = SortedTree.insert(tree, key, value)
  }
  return tree
}
