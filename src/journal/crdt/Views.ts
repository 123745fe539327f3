/**
 * What applications see of maps and sets: immutable, sorted, made in O(log n) per change that they have not shown yet.
 *
 * A kind keeps its own mutable map for applying changes, and an `Index` beside it. While nobody reads, the index costs
 * nothing; once somebody has read, changes note their keys in it, and the next read folds these into a new tree. Views
 * made before keep the old tree. So reading after each change costs O(log n), and only walking a view costs its size.
 */
import type { Cbor } from "../Cbor.ts"
import { keyOf } from "./Element.ts"
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

/** A view of elements that lie in the tree under their keys. */
export const setView = (tree: Tree<Cbor>): SetView<Cbor> =>
  new SetView(
    SortedTree.size(tree),
    (element) => SortedTree.find(tree, keyOf(element)) !== undefined,
    function* () {
      for (const [, element] of SortedTree.entries(tree)) yield element
    }
  )

/**
 * The same view with every value shown through `show`, when it is asked for. What `show` does not show is passed over;
 * `size` counts it, for counting only the rest would walk everything.
 */
export const mapValues = <Value, Shown>(
  view: MapView<Value>,
  show: (value: Value) => Shown | undefined
): MapView<Shown> =>
  new MapView<Shown>(
    view.size,
    (key) => {
      const value = view.get(key)
      return value === undefined ? undefined : show(value)
    },
    function* (after) {
      for (const [key, value] of view.entries(after)) {
        const shown = show(value)
        if (shown !== undefined) yield [key, shown] as const
      }
    }
  )

/** As `mapValues`, for sets; `hide` is the inverse of `show`. */
export const mapElements = <Value, Shown>(
  view: SetView<Value>,
  show: (value: Value) => Shown | undefined,
  hide: (shown: Shown) => Value
): SetView<Shown> =>
  new SetView<Shown>(
    view.size,
    (shown) => view.has(hide(shown)),
    function* () {
      for (const value of view) {
        const shown = show(value)
        if (shown !== undefined) yield shown
      }
    }
  )

/** A mutable map's sorted shadow, and what was last shown of it; see the module comment. */
export interface Index<Value, View> {
  tree: Tree<Value>
  /** Undefined until somebody reads. */
  view: View | undefined
  readonly dirty: Set<Key>
}

export const makeIndex = <Value, View>(): Index<Value, View> => ({ tree: undefined, view: undefined, dirty: new Set() })

/** Says that the value at `key` may have changed. */
export const note = <Value, View>(index: Index<Value, View>, key: Key): void => {
  if (index.view !== undefined) index.dirty.add(key)
}

/** What a kind keeps, as an index asks for it. */
export interface Source<Value> {
  /** The value at `key` now; undefined when it is absent. */
  readonly find: (key: Key) => Value | undefined
  /** All keys at which a value may be present. */
  readonly keys: () => Iterable<Key>
}

/** The view of all present values: the same one as long as none changed. */
export const show = <Value, View>(
  index: Index<Value, View>,
  source: Source<Value>,
  make: (tree: Tree<Value>) => View
): View => {
  if (index.view !== undefined && index.dirty.size === 0) return index.view
  const before = index.tree
  const many = index.dirty.size * rebuildRatio > SortedTree.size(before) + rebuildSizeMin
  index.tree = index.view === undefined || many ? build(source) : update(before, index.dirty, source)
  index.dirty.clear()
  return (index.view = index.view !== undefined && index.tree === before ? index.view : make(index.tree))
}

/** From one changed key in so many on, sorting everything anew is cheaper than changing the tree key by key. */
const rebuildRatio = 3
const rebuildSizeMin = 64

const build = <Value>({ find, keys }: Source<Value>): Tree<Value> => {
  const pairs: Array<readonly [Key, Value]> = []
  for (const key of keys()) {
    const value = find(key)
    if (value !== undefined) pairs.push([key, value])
  }
  pairs.sort((a, b) => SortedTree.compareKeys(a[0], b[0]))
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
