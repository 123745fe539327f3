/**
 * How states are written down and read back: ids once in a table, everything else refers to them by small integers.
 *
 * The table fills in the order of first mention, which is the same for equal states because every kind writes in a
 * fixed order. Times and sequence numbers are differences to the stamp written before, wherever that was: neighbours
 * are near each other, and small numbers are short. So every kind reads in the order in which it writes. `Items` walks a flat list whose parts have no frame of their own: one array instead of twenty thousand.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { hashBytes } from "../../identity/Hash.ts"
import { feedId, type FeedId } from "../../identity/Id.ts"
import type { Cbor } from "../Cbor.ts"
import * as Clock from "../Clock.ts"
import { seqMax } from "../limits.ts"
import { dotFeedBytes } from "./limits.ts"
import type { Dot, Stamp } from "./Stamp.ts"

/** Ids mentioned so far; `refer` gives the small integer of one, in hexadecimal digits. */
export interface Writer {
  readonly ids: Array<string>
  readonly byId: Map<string, number>
  /** Time and seq of the stamp written last. */
  time: number
  seq: number
}

/** The same table when reading: `feeds` has the whole ids, undefined where only a beginning is known. */
export interface Reader {
  readonly ids: ReadonlyArray<string>
  readonly feeds: ReadonlyArray<FeedId | undefined>
  time: number
  seq: number
}

export const makeWriter = (): Writer => ({ ids: [], byId: new Map(), time: 0, seq: 0 })

export const refer = (writer: Writer, id: string): number => {
  const known = writer.byId.get(id)
  if (known !== undefined) return known
  const number = writer.ids.length
  writer.ids.push(id)
  writer.byId.set(id, number)
  return number
}

export const tableToCbor = (writer: Writer): Cbor => writer.ids.map(hexToBytes)

/** Undefined for anything but a list of whole ids and beginnings of ids. */
export const readerFromCbor = (data: Cbor | undefined): Reader | undefined => {
  if (!Array.isArray(data)) return undefined
  const ids: Array<string> = []
  const feeds: Array<FeedId | undefined> = []
  for (const id of data as ReadonlyArray<Cbor>) {
    if (!(id instanceof Uint8Array) || (id.length !== hashBytes && id.length !== dotFeedBytes)) return undefined
    ids.push(bytesToHex(id))
    feeds.push(id.length === hashBytes ? feedId(id) : undefined)
  }
  return { ids, feeds, time: 0, seq: 0 }
}

/** Four items: time since the last stamp, feed, seq since the last stamp, index. */
export const pushStamp = (into: Array<Cbor>, writer: Writer, stamp: Stamp): void => {
  into.push(stamp.time - writer.time, refer(writer, stamp.feed), stamp.seq - writer.seq, stamp.index)
  writer.time = stamp.time
  writer.seq = stamp.seq
}

/** Three items: feed, seq, index. */
export const pushDot = (into: Array<Cbor>, writer: Writer, dot: Dot): void => {
  into.push(refer(writer, dot.feed), dot.seq, dot.index)
}

/** What a checkpoint says is not what one of ours would say. */
export class Damaged {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** Reads a flat list from its beginning; every method throws `Damaged`, which `State.fromCbor` catches. */
export class Items {
  readonly #items: ReadonlyArray<Cbor>
  readonly #reader: Reader
  #at = 0

  constructor(items: Cbor | undefined, reader: Reader) {
    if (!Array.isArray(items)) throw new Damaged("a list is missing")
    this.#items = items
    this.#reader = reader
  }

  get more(): boolean {
    return this.#at < this.#items.length
  }

  next(): Cbor {
    const item = this.#items[this.#at++]
    if (item === undefined) throw new Damaged("a list ends too early")
    return item
  }

  integer(): number {
    const item = this.next()
    if (typeof item !== "number" || !Number.isSafeInteger(item)) throw new Damaged("an integer is missing")
    return item
  }

  natural(): number {
    const item = this.integer()
    if (item < 0) throw new Damaged("a number is negative")
    return item
  }

  text(): string {
    const item = this.next()
    if (typeof item !== "string") throw new Damaged("a text is missing")
    return item
  }

  /** Items inside the next item. */
  inside(): Items {
    return new Items(this.next(), this.#reader)
  }

  /** One of `choices`, by its position. */
  among<Choice>(choices: ReadonlyArray<Choice>): Choice {
    const choice = choices[this.natural()]
    if (choice === undefined) throw new Damaged("a position is out of range")
    return choice
  }

  id(): string {
    const id = this.#reader.ids[this.natural()]
    if (id === undefined) throw new Damaged("an id is not in the table")
    return id
  }

  feed(): FeedId {
    const feed = this.#reader.feeds[this.natural()]
    if (feed === undefined) throw new Damaged("a feed is not in the table")
    return feed
  }

  stamp(): Stamp {
    const time = this.integer() + this.#reader.time
    if (!Clock.isTime(time)) throw new Damaged("a time is out of range")
    const feed = this.feed()
    const seq = this.integer() + this.#reader.seq
    if (seq < 0 || seq >= seqMax) throw new Damaged("a sequence number is out of range")
    this.#reader.time = time
    this.#reader.seq = seq
    return { time, feed, seq, index: this.natural() }
  }

  dot(): Dot {
    return { feed: this.id(), seq: this.seq(), index: this.natural() }
  }

  seq(): number {
    const seq = this.natural()
    if (seq >= seqMax) throw new Damaged("a sequence number is out of range")
    return seq
  }
}
