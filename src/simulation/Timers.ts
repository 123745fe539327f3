/**
 * What is due when in a simulated world: a binary heap of things by virtual time.
 *
 * Things due at one instant leave in the order they were set; who wants another order among them draws it. A cancelled
 * timer stays in the heap, marked, until it comes up, so cancelling costs nothing.
 */

export interface Timer<A> {
  readonly atMillis: number
  readonly item: A
  cancelled: boolean
}

export interface Timers<A> {
  readonly set: (atMillis: number, item: A) => Timer<A>
  /** Removes the timers of the earliest instant at which any is due, in the order they were set; none if none is. */
  readonly next: () => ReadonlyArray<Timer<A>>
  /** Those still to come, in no particular order, for people. */
  readonly pending: () => ReadonlyArray<Timer<A>>
}

interface Node<A> {
  readonly order: number
  readonly timer: Timer<A>
}

export const make = <A>(): Timers<A> => {
  const heap: Array<Node<A>> = []
  let order = 0
  const earliest = (): Timer<A> | undefined => {
    while (heap[0]?.timer.cancelled === true) pop(heap)
    return heap[0]?.timer
  }
  return {
    set: (atMillis, item) => {
      const timer = { atMillis, item, cancelled: false }
      push(heap, { order: order++, timer })
      return timer
    },
    next: () => {
      const first = earliest()
      const due: Array<Timer<A>> = []
      for (let timer = first; timer !== undefined && timer.atMillis === first?.atMillis; timer = earliest()) {
        due.push(timer)
        pop(heap)
      }
      return due
    },
    pending: () => heap.map(({ timer }) => timer).filter(({ cancelled }) => !cancelled)
  }
}

const isBefore = <A>(one: Node<A>, other: Node<A>): boolean =>
  one.timer.atMillis < other.timer.atMillis || (one.timer.atMillis === other.timer.atMillis && one.order < other.order)

const push = <A>(heap: Array<Node<A>>, node: Node<A>): void => {
  let index = heap.length
  while (index > 0) {
    const parentIndex = (index - 1) >> 1
    const parent = heap[parentIndex]
    if (parent === undefined || !isBefore(node, parent)) break
    heap[index] = parent
    index = parentIndex
  }
  heap[index] = node
}

/** Removes the root and sinks the last node from there. */
const pop = <A>(heap: Array<Node<A>>): void => {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  while (true) {
    const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]]
    const isRight = left !== undefined && right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (child === undefined || !isBefore(child, last)) break
    heap[index] = child
    index = 2 * index + (isRight ? 2 : 1)
  }
  heap[index] = last
}
