/**
 * How states are written down and read back: columns (numbers, names, texts, other values) that every kind fills in a
 * fixed order of its own, and reads in the same order; nothing in them has a frame.
 *
 *     numbers   bytes. A natural is a varint (journal/Varint.ts). An integer begins with a byte of bit 7: more follows,
 *               bit 6: negative, bits 0–5: the least of its magnitude; what is left of that follows as a natural
 *     names     keys, ids and the like one after the other, in blocks: one is full at 65 536 code units or more, and
 *               nothing lies in two. Their lengths are naturals
 *     texts     the same of values that are texts: for such a value the natural is 1 + its length
 *     values    any other value stands here, and its natural is 0
 *     table     ids, once, in the order of their first mention; elsewhere an id is its place in it, a natural
 *     stamp     time and seq, as integers less those of the stamp before, the feed's id between them; then the index
 *
 * Equal states give equal columns, because every kind writes in a fixed order. Alike stands beside alike, so little is
 * left when they are compressed, and what is read is a piece of its block: nothing is made in between.
 * `Reader` believes nothing: what the columns can't mean is `Damaged`.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { hashBytes } from "../../identity/Hash.ts"
import { feedId, type FeedId } from "../../identity/Id.ts"
import type { Cbor } from "../Cbor.ts"
import * as Clock from "../Clock.ts"
import { seqMax } from "../limits.ts"
import * as Varint from "../Varint.ts"
import { dotFeedBytes } from "./limits.ts"
import type { Dot, Stamp } from "./Stamp.ts"

/** A block of text is full from here on; the last one is shorter. */
const blockLengthMin = 65_536

/** What the first byte of an integer holds of its magnitude. */
const leastUnit = 64
const isNegative = 64
const goesOn = 128

export class Writer {
  readonly #ids: Array<string> = []
  readonly #byId = new Map<string, number>()
  readonly #numbers: Varint.Cursor = { bytes: new Uint8Array(1024), at: 0 }
  readonly #names = new TextWriter()
  readonly #texts = new TextWriter()
  readonly #values: Array<Cbor> = []
  /** Of the stamp written last. */
  #time = 0
  #seq = 0

  natural(number: number): void {
    this.#makeRoom()
    Varint.write(this.#numbers, number)
  }

  integer(number: number): void {
    this.#makeRoom()
    const magnitude = Math.abs(number)
    const least = (magnitude % leastUnit) + (number < 0 ? isNegative : 0)
    const rest = Math.floor(magnitude / leastUnit)
    this.#numbers.bytes[this.#numbers.at++] = rest === 0 ? least : least + goesOn
    if (rest > 0) Varint.write(this.#numbers, rest)
  }

  name(name: string): void {
    this.natural(name.length)
    this.#names.append(name)
  }

  value(value: Cbor): void {
    if (typeof value === "string") {
      this.natural(1 + value.length)
      this.#texts.append(value)
    } else {
      this.natural(0)
      this.#values.push(value)
    }
  }

  /** A whole id, or the beginning of one as dots have it, in hexadecimal digits. */
  id(id: string): void {
    let place = this.#byId.get(id)
    if (place === undefined) {
      place = this.#ids.length
      this.#ids.push(id)
      this.#byId.set(id, place)
    }
    this.natural(place)
  }

  stamp(stamp: Stamp): void {
    this.integer(stamp.time - this.#time)
    this.id(stamp.feed)
    this.integer(stamp.seq - this.#seq)
    this.natural(stamp.index)
    this.#time = stamp.time
    this.#seq = stamp.seq
  }

  dot(dot: Dot): void {
    this.id(dot.feed)
    this.natural(dot.seq)
    this.natural(dot.index)
  }

  /** The table and the columns; nothing is written afterwards. */
  toCbor(): Cbor {
    const numbers = this.#numbers.bytes.slice(0, this.#numbers.at)
    return [this.#ids.map(hexToBytes), numbers, this.#names.end(), this.#texts.end(), this.#values]
  }

  #makeRoom(): void {
    const { at, bytes } = this.#numbers
    if (at + 1 + Varint.varintBytesMax <= bytes.length) return
    this.#numbers.bytes = new Uint8Array(bytes.length * 2)
    this.#numbers.bytes.set(bytes)
  }
}

class TextWriter {
  readonly #blocks: Array<string> = []
  #parts: Array<string> = []
  #length = 0

  append(text: string): void {
    this.#parts.push(text)
    this.#length += text.length
    if (this.#length >= blockLengthMin) this.#endBlock()
  }

  end(): ReadonlyArray<string> {
    if (this.#length > 0) this.#endBlock()
    return this.#blocks
  }

  #endBlock(): void {
    this.#blocks.push(this.#parts.join(""))
    this.#parts = []
    this.#length = 0
  }
}

/** What a checkpoint says is not what one of ours would say. */
export class Damaged {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** Reads what a `Writer` wrote, in its order; every method throws `Damaged`, which `State.fromCbor` catches. */
export class Reader {
  readonly #ids: ReadonlyArray<string>
  /** Undefined where only a beginning is known. */
  readonly #feeds: ReadonlyArray<FeedId | undefined>
  readonly #numbers: Varint.Cursor
  readonly #names: TextReader
  readonly #texts: TextReader
  readonly #values: ReadonlyArray<Cbor>
  #valueAt = 0
  #time = 0
  #seq = 0

  constructor(data: Cbor | undefined) {
    const [table, numbers, names, texts, values] = listOf(data)
    if (!(numbers instanceof Uint8Array)) throw new Damaged("the numbers are missing")
    this.#ids = listOf(table).map(idFrom)
    this.#feeds = listOf(table).map((id) =>
      id instanceof Uint8Array && id.length === hashBytes ? feedId(id) : undefined
    )
    this.#numbers = { bytes: numbers, at: 0 }
    this.#names = new TextReader(listOf(names))
    this.#texts = new TextReader(listOf(texts))
    this.#values = listOf(values)
  }

  natural(): number {
    const { at, bytes } = this.#numbers
    const byte = bytes[at]
    if (byte !== undefined && byte < 0x80) {
      this.#numbers.at = at + 1
      return byte
    }
    const number = Varint.read(this.#numbers)
    if (number === Varint.malformed) throw new Damaged("a number is missing")
    return number
  }

  integer(): number {
    const byte = this.#numbers.bytes[this.#numbers.at++]
    if (byte === undefined) throw new Damaged("a number is missing")
    const least = byte % leastUnit
    const magnitude = byte < goesOn ? least : this.natural() * leastUnit + least
    if (!Number.isSafeInteger(magnitude)) throw new Damaged("a number is out of range")
    return (byte & isNegative) === 0 ? magnitude : -magnitude
  }

  name(): string {
    return this.#names.take(this.natural())
  }

  value(): Cbor {
    const form = this.natural()
    if (form > 0) return this.#texts.take(form - 1)
    const value = this.#values[this.#valueAt++]
    if (value === undefined) throw new Damaged("a value is missing")
    return value
  }

  /** One of `choices`, by its position. */
  among<Choice>(choices: ReadonlyArray<Choice>): Choice {
    const choice = choices[this.natural()]
    if (choice === undefined) throw new Damaged("a position is out of range")
    return choice
  }

  id(): string {
    return this.among(this.#ids)
  }

  feed(): FeedId {
    const feed = this.#feeds[this.natural()]
    if (feed === undefined) throw new Damaged("a feed is not in the table")
    return feed
  }

  stamp(): Stamp {
    const time = this.integer() + this.#time
    if (!Clock.isTime(time)) throw new Damaged("a time is out of range")
    const feed = this.feed()
    const seq = this.integer() + this.#seq
    if (seq < 0 || seq >= seqMax) throw new Damaged("a sequence number is out of range")
    this.#time = time
    this.#seq = seq
    return { time, feed, seq, index: this.natural() }
  }

  dot(): Dot {
    const feed = this.id()
    const seq = this.natural()
    if (seq >= seqMax) throw new Damaged("a sequence number is out of range")
    return { feed, seq, index: this.natural() }
  }

  /** Whether everything was read, for a kind that forgets something would be seen. */
  get isAtEnd(): boolean {
    return (
      this.#numbers.at === this.#numbers.bytes.length &&
      this.#names.isAtEnd &&
      this.#texts.isAtEnd &&
      this.#valueAt === this.#values.length
    )
  }
}

class TextReader {
  readonly #blocks: ReadonlyArray<Cbor>
  #next = 0
  #block = ""
  #at = 0

  constructor(blocks: ReadonlyArray<Cbor>) {
    this.#blocks = blocks
  }

  take(length: number): string {
    if (length === 0) return ""
    if (this.#at === this.#block.length) {
      const block = this.#blocks[this.#next++]
      if (typeof block !== "string") throw new Damaged("a text is missing")
      this.#block = block
      this.#at = 0
    }
    const end = this.#at + length
    if (end > this.#block.length) throw new Damaged("a text is cut off")
    const text = this.#block.slice(this.#at, end)
    this.#at = end
    return text
  }

  get isAtEnd(): boolean {
    return this.#next === this.#blocks.length && this.#at === this.#block.length
  }
}

const listOf = (data: Cbor | undefined): ReadonlyArray<Cbor> => {
  if (!Array.isArray(data)) throw new Damaged("a list is missing")
  return data
}

const idFrom = (id: Cbor): string => {
  if (!(id instanceof Uint8Array) || (id.length !== hashBytes && id.length !== dotFeedBytes))
    throw new Damaged("the table holds something that is no id")
  return bytesToHex(id)
}
