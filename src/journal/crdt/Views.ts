/**
 * What applications see of maps and sets: immutable, sorted, made in O(log n) per change that they have not shown yet.
 *
 * A kind keeps its own mutable map for applying changes, and an `Index` beside it. While nobody reads, the index costs
 * nothing; once somebody has read, changes note their keys in it, and the next read folds these into a new tree. Views
 * made before keep the old tree. So reading after each change costs O(log n), and only walking a view costs its size.
 */
import * as SortedTree from "./SortedTree.ts"
import type { Key, Tree } from "./SortedTree.ts"

/** A sorted immutable map by text key. Values keep their identity from view to view until they change. */
export class MapView<Value> implements ReadonlyMap<string, Value> {
  readonly size: number
  readonly #find: (key: string) => Value | undefined
  readonly #walk: (after?: string) => Iterable<readonly [string, Value]>

  /** For the kinds of this folder: applications are handed views. */
  constructor(
    size: number,
    find: (key: string) => Value | undefined,
    walk: (after?: string) => Iterable<readonly [string, Value]>
  ) {
    this.size = size
    this.#find = find
    this.#walk = walk
  }

  get(key: string): Value | undefined {
    return this.#find(key)
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined
  }

  /** At most `limit` entries in key order, those behind the key `after` when it is given. */
  page(options: { readonly after?: string; readonly limit: number }): ReadonlyArray<readonly [string, Value]> {
    const page: Array<readonly [string, Value]> = []
    if (options.limit <= 0) return page
    for (const entry of this.#walk(options.after)) {
      page.push(entry)
      if (page.length >= options.limit) break
    }
    return page
  }

  /** In key order; with `after`, those behind that key. */
  *entries(after?: string): Generator<[string, Value], undefined> {
    for (const [key, value] of this.#walk(after)) yield [key, value]
  }

  *keys(): Generator<string, undefined> {
    for (const [key] of this.#walk()) yield key
  }

  *values(): Generator<Value, undefined> {
    for (const [, value] of this.#walk()) yield value
  }

  [Symbol.iterator](): Generator<[string, Value], undefined> {
    return this.entries()
  }

  forEach(visit: (value: Value, key: string, view: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this.#walk()) visit(value, key, this)
  }

  /** For logs and `JSON.stringify`. */
  toJSON(): { readonly [key: string]: Value } {
    return Object.fromEntries(this.entries())
  }
}

/** A sorted immutable set of values: numbers first, then texts, then whatever else there is. */
export class SetView<Value> implements Iterable<Value> {
  readonly size: number
  readonly #has: (value: Value) => boolean
  readonly #walk: () => Iterable<Value>

  /** For the kinds of this folder: applications are handed views. */
  constructor(size: number, has: (value: Value) => boolean, walk: () => Iterable<Value>) {
    this.size = size
    this.#has = has
    this.#walk = walk
  }

  /** Whether an equal value is there: composite values are compared by what is in them. */
  has(value: Value): boolean {
    return this.#has(value)
  }

  *[Symbol.iterator](): Generator<Value, undefined> {
    yield* this.#walk()
  }

  values(): Generator<Value, undefined> {
    return this[Symbol.iterator]()
  }

  /** For logs and `JSON.stringify`. */
  toJSON(): ReadonlyArray<Value> {
    return [...this]
  }
}

export const mapView = <Value>(tree: Tree<Value>): MapView<Value> =>
  new MapView(
    SortedTree.size(tree),
    (key) => SortedTree.find(tree, key),
    function* (after) {
      for (const [key, value] of SortedTree.entries(tree, after)) yield [String(key), value] as const
    }
  )

/** A set's values as they are now: the same view until one comes or goes. */
export const elementsView = (
  index: Index<Cbor, SetView<Cbor>>,
  find: (key: Key) => Cbor | undefined,
  keys: () => Iterable<Key>
): SetView<Cbor> =>
  show(index, find, keys, (tree) => {
    for (const [, value] of SortedTree.entries(tree)) freeze(value)
    return setView(tree)
  })

/** The same view with every value shown through `show`, when it is asked for. */
export const mapValues = <Value, Shown>(view: MapView<Value>, show: (value: Value) => Shown): MapView<Shown> =>
  new MapView(
    view.size,
    (key) => {
      const value = view.get(key)
      return value === undefined ? undefined : show(value)
    },
    function* (after) {
      for (const [key, value] of view.entries(after)) yield [key, show(value)] as const
    }
  )

/** A mutable map's sorted shadow; see the module comment. */
export interface Index<Value> {
  tree: Tree<Value>
  built: boolean
  readonly dirty: Set<Key>
}

export const makeIndex = <Value>(): Index<Value> => ({ tree: undefined, built: false, dirty: new Set() })

/** Says that the value at `key` may have changed. */
export const note = (index: Index<unknown>, key: Key): void => {
  if (index.built) index.dirty.add(key)
}

/**
 * The tree of all present values: the same one when none changed. `find` gives a key's value now, undefined when it is
 * absent; `keys` all keys that may be present.
 */
export const refresh = <Value>(
  index: Index<Value>,
  find: (key: Key) => Value | undefined,
  keys: () => Iterable<Key>
): Tree<Value> => {
  if (!index.built || index.dirty.size * rebuildRatio > SortedTree.size(index.tree) + rebuildSizeMin) {
    rebuild(index, find, keys)
  } else {
    for (const key of index.dirty) {
      const value = find(key)
      if (value === undefined) index.tree = SortedTree.remove(index.tree, key)
      else if (SortedTree.find(index.tree, key) !== value) index.tree = SortedTree.insert(index.tree, key, value)
    }
  }
  index.dirty.clear()
  return index.tree
}

/** From one changed key in so many on, sorting everything anew is cheaper than changing the tree key by key. */
const rebuildRatio = 3
const rebuildSizeMin = 64

const rebuild = <Value>(
  index: Index<Value>,
  find: (key: Key) => Value | undefined,
  keys: () => Iterable<Key>
): void => {
  const pairs: Array<readonly [Key, Value]> = []
  for (const key of keys()) {
    const value = find(key)
    if (value !== undefined) pairs.push([key, value])
  }
  pairs.sort((a, b) => SortedTree.compareKeys(a[0], b[0]))
  index.tree = SortedTree.fromSorted(pairs)
  index.built = true
}
