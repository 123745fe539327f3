/**
 * An immutable sorted map: a weight-balanced tree that shares what did not change with the tree it was made from.
 *
 * Looking up, inserting, removing and starting in the middle take O(log n). Views of application state stand on it, so
 * that a view handed out before a change stays as it was, and one change does not copy twenty thousand keys.
 * Balance: no subtree outweighs its sibling more than threefold; a rotation is double when the inner grandchild is at
 * least twice as heavy as the outer one (weights are sizes plus one).
 */

/** Numbers come before texts; texts are ordered by UTF-16 code units. */
export type Key = string | number

export type Tree<Value> = Node<Value> | undefined

interface Node<Value> {
  readonly key: Key
  readonly value: Value
  readonly size: number
  readonly left: Tree<Value>
  readonly right: Tree<Value>
}

export const compareKeys = (a: Key, b: Key): number =>
  a === b ? 0 : typeof a === typeof b ? (a < b ? -1 : 1) : typeof a === "number" ? -1 : 1

export const size = <Value>(tree: Tree<Value>): number => (tree === undefined ? 0 : tree.size)

export const find = <Value>(tree: Tree<Value>, key: Key): Value | undefined => {
  let node = tree
  while (node !== undefined) {
    const order = compareKeys(key, node.key)
    if (order === 0) return node.value
    node = order < 0 ? node.left : node.right
  }
  return undefined
}

/** `key` with `value`, whether it was there or not. */
export const insert = <Value>(tree: Tree<Value>, key: Key, value: Value): Tree<Value> => {
  if (tree === undefined) return node(key, value, undefined, undefined)
  const order = compareKeys(key, tree.key)
  if (order === 0) return node(key, value, tree.left, tree.right)
  return order < 0
    ? balance(tree.key, tree.value, insert(tree.left, key, value), tree.right)
    : balance(tree.key, tree.value, tree.left, insert(tree.right, key, value))
}

/** Without `key`; the same tree when it was not there. */
export const remove = <Value>(tree: Tree<Value>, key: Key): Tree<Value> => {
  if (tree === undefined) return undefined
  const order = compareKeys(key, tree.key)
  if (order === 0) return join(tree.left, tree.right)
  if (order < 0) {
    const left = remove(tree.left, key)
    return left === tree.left ? tree : balance(tree.key, tree.value, left, tree.right)
  }
  const right = remove(tree.right, key)
  return right === tree.right ? tree : balance(tree.key, tree.value, tree.left, right)
}

/** From pairs in ascending order of their keys, each key once. */
export const fromSorted = <Value>(
  pairs: ReadonlyArray<readonly [Key, Value]>,
  from = 0,
  to: number = pairs.length
): Tree<Value> => {
  if (from >= to) return undefined
  const middle = (from + to) >>> 1
  const pair = pairs[middle]!
  return node(pair[0], pair[1], fromSorted(pairs, from, middle), fromSorted(pairs, middle + 1, to))
}

/** The pairs in order; with `after`, those behind that key, whether or not it is there. */
export function* entries<Value>(tree: Tree<Value>, after?: Key): Generator<readonly [Key, Value], undefined> {
  const path: Array<Node<Value>> = []
  let next = tree
  while (next !== undefined || path.length > 0) {
    while (next !== undefined) {
      if (after !== undefined && compareKeys(next.key, after) <= 0) next = next.right
      else {
        path.push(next)
        next = next.left
      }
    }
    const current = path.pop()
    if (current === undefined) return
    yield [current.key, current.value]
    next = current.right
  }
}

const node = <Value>(key: Key, value: Value, left: Tree<Value>, right: Tree<Value>): Node<Value> => ({
  key,
  value,
  size: size(left) + size(right) + 1,
  left,
  right
})

/** Weight ratio above which siblings are rebalanced, and that of grandchildren from which a rotation is double. */
const delta = 3
const ratio = 2

const weight = (tree: Tree<unknown>): number => size(tree) + 1

const balance = <Value>(key: Key, value: Value, left: Tree<Value>, right: Tree<Value>): Node<Value> => {
  if (right !== undefined && weight(right) > delta * weight(left)) {
    const inner = right.left
    return inner === undefined || weight(inner) < ratio * weight(right.right)
      ? node(right.key, right.value, node(key, value, left, inner), right.right)
      : node(
          inner.key,
          inner.value,
          node(key, value, left, inner.left),
          node(right.key, right.value, inner.right, right.right)
        )
  }
  if (left !== undefined && weight(left) > delta * weight(right)) {
    const inner = left.right
    return inner === undefined || weight(inner) < ratio * weight(left.left)
      ? node(left.key, left.value, left.left, node(key, value, inner, right))
      : node(
          inner.key,
          inner.value,
          node(left.key, left.value, left.left, inner.left),
          node(key, value, inner.right, right)
        )
  }
  return node(key, value, left, right)
}

const join = <Value>(left: Tree<Value>, right: Tree<Value>): Tree<Value> => {
  if (left === undefined) return right
  if (right === undefined) return left
  const first = leftmost(right)
  return balance(first.key, first.value, left, withoutLeftmost(right))
}

const leftmost = <Value>(tree: Node<Value>): Node<Value> => {
  let first = tree
  while (first.left !== undefined) first = first.left
  return first
}

const withoutLeftmost = <Value>(tree: Node<Value>): Tree<Value> =>
  tree.left === undefined ? tree.right : balance(tree.key, tree.value, withoutLeftmost(tree.left), tree.right)
