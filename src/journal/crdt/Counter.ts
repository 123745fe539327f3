/**
 * Counters: GCounter only grows, PNCounter goes both ways.
 *
 *     ["add", field, amount]     GCounter: a positive safe integer; PNCounter: a safe integer other than 0
 *
 * An amount counts in its author's own slot, once: a counter remembers the dot of every addition (24 bytes each in
 * memory, about 4 in a checkpoint), and that is what makes repeated and unordered delivery harmless. Nobody can set or
 * lower another's slot, because a change names none.
 *
 * The value is the sum of all amounts, exact whatever the order. A sum beyond the safe integers reads as the nearest
 * safe integer and comes back when later amounts bring it back: the clamp is the reader's, the state never loses a bit.
 */
import type { Cbor } from "../Cbor.ts"
import type { FeedId } from "../../identity/Id.ts"
import {
  invalid,
  touch,
  unknownMutator,
  type Change,
  type Crdt,
  type FieldType,
  type Invalid,
  type Touch
} from "./Crdt.ts"

export interface CounterState {
  readonly byFeed: Map<FeedId, Additions>
  /** The exact sum in two parts, high × 2^26 + low: neither can leave the safe integers in any journal that fits a disk. */
  high: number
  low: number
}

/** Flat triples (seq, index, amount), ascending. */
type Additions = Array<number>

const unit = 2 ** 26

const counter = (kind: string, isAmount: (amount: Cbor | undefined) => boolean, allowed: string) =>
  ({
    kind,
    parameters: "none",
    empty,
    inspect: (_: FieldType, change: Change, at: number): Touch | Invalid => {
      if (change[0] !== "add" || change.length !== at + 1) return unknownMutator(change, `["add", …, amount]`)
      return isAmount(change[at]) ? touch(change, at) : invalid(`the amount is not ${allowed}`)
    },
    apply: (state, _, change, at, stamp) => add(state, stamp.feed, stamp.seq, stamp.index, Number(change[at])),
    read,
    encode: ({ byFeed }, writer) => {
      writer.natural(byFeed.size)
      for (const feed of [...byFeed.keys()].sort()) {
        const additions = byFeed.get(feed)!
        writer.id(feed)
        writer.natural(additions.length / 3)
        let previous = 0
        for (let i = 0; i < additions.length; i += 3) {
          writer.natural(additions[i]! - previous)
          writer.natural(additions[i + 1]!)
          writer.integer(additions[i + 2]!)
          previous = additions[i]!
        }
      }
    },
    decode: (reader) => {
      const state = empty()
      for (let feeds = reader.natural(); feeds > 0; feeds--) {
        const feed = reader.feed()
        let seq = 0
        for (let left = reader.natural(); left > 0; left--)
          add(state, feed, (seq += reader.natural()), reader.natural(), reader.integer())
      }
      return state
    },
    merge: (a, b) => {
      const state = empty()
      for (const { byFeed } of [a, b]) {
        for (const [feed, additions] of byFeed) {
          for (let i = 0; i < additions.length; i += 3) {
            add(state, feed, additions[i]!, additions[i + 1]!, additions[i + 2]!)
          }
        }
      }
      return state
    }
  }) satisfies Crdt<CounterState, number>

const empty = (): CounterState => ({ byFeed: new Map(), high: 0, low: 0 })

const read = ({ high, low }: CounterState): number => {
  const sum = high * unit + low
  if (Number.isSafeInteger(sum)) return sum
  return sum > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER
}

const add = (state: CounterState, feed: FeedId, seq: number, index: number, amount: number): void => {
  let additions = state.byFeed.get(feed)
  if (additions === undefined) state.byFeed.set(feed, (additions = []))
  const at = position(additions, seq, index)
  if (at < 0) return
  if (at === additions.length) additions.push(seq, index, amount)
  else additions.splice(at, 0, seq, index, amount)
  state.low += amount % unit
  state.high += Math.trunc(amount / unit)
}

/** Where the dot belongs; -1 when it is there. Almost always it belongs at the end. */
const position = (additions: Additions, seq: number, index: number): number => {
  let low = 0
  let high = additions.length / 3
  if (high === 0) return 0
  if (isBefore(additions, high - 1, seq, index)) return additions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(additions, middle, seq, index)) low = middle + 1
    else high = middle
  }
  return additions[low * 3] === seq && additions[low * 3 + 1] === index ? -1 : low * 3
}

const isBefore = (additions: Additions, triple: number, seq: number, index: number): boolean => {
  const own = additions[triple * 3]!
  return own < seq || (own === seq && additions[triple * 3 + 1]! < index)
}

export const gCounter: Crdt<CounterState, number> = counter(
  "GCounter",
  (amount) => Number.isSafeInteger(amount) && Number(amount) > 0,
  "a positive safe integer"
)

export const pnCounter: Crdt<CounterState, number> = counter(
  "PNCounter",
  (amount) => Number.isSafeInteger(amount) && amount !== 0,
  "a safe integer other than 0"
)
