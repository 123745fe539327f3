/**
 * Readers and writers for the values in payloads of authority facts: ids, cuts, rights, policies.
 *
 * A shape reads what a stranger wrote: what does not fit is answered with what would (`Misfit`), never with its words.
 * A map has exactly the keys of its shape, neither fewer nor more; keys that are `absent` may be left out and have one
 * value that means so, which is then never written: every value has one encoding.
 *
 * Law (test/trust/Fact.test.ts): what is written is read back, and everything else is refused.
 */
import { deviceId, entryHash, feedId, toBytes, type DeviceId, type EntryHash, type FeedId } from "../identity/Id.ts"
import type * as Cbor from "../journal/Cbor.ts"
import * as Clock from "../journal/Clock.ts"
import { isMap } from "../journal/crdt/ValueType.ts"
import { isPosition, positionFromCbor, positionToCbor, type Position } from "../journal/Feed.ts"
import { isCapability, type Capability } from "./Capability.ts"
import { cutPositionsMax } from "./limits.ts"

/** What was expected instead, to be read behind the name of the key. */
export class Misfit {
  readonly what: string
  constructor(what: string) {
    this.what = what
  }
}

export interface Shape<Value> {
  readonly write: (value: Value) => Cbor.Cbor
  readonly read: (value: Cbor.Cbor) => Value | Misfit
}

/** A value that `test` lets through as it is. */
export const plain = <Value extends Cbor.Cbor>(
  expected: string,
  test: (value: Cbor.Cbor) => value is Value
): Shape<Value> => ({ write: (value) => value, read: (value) => (test(value) ? value : new Misfit(`is ${expected}`)) })

const isBytes32 = (value: Cbor.Cbor): value is Uint8Array => value instanceof Uint8Array && value.length === 32

/** Whatever an id of 32 bytes names. */
const id = <Id extends DeviceId | EntryHash | FeedId>(make: (bytes: Uint8Array) => Id): Shape<Id> => ({
  write: (value) => toBytes(value),
  read: (value) => (isBytes32(value) ? make(value) : new Misfit("is not 32 bytes"))
})

export const device = id(deviceId)
export const entry = id(entryHash)
export const feed = id(feedId)

export const bytes32 = plain("not 32 bytes", isBytes32)

export const text = (charactersMax: number): Shape<string> =>
  plain(
    `no text of at most ${charactersMax}`,
    (value): value is string => typeof value === "string" && value.length <= charactersMax
  )

export const integer = (min: number, max: number): Shape<number> =>
  plain(
    `no integer from ${min} to ${max}`,
    (value): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
  )

const time = plain("no time", (value): value is number => typeof value === "number" && Clock.isTime(value))

export const capability: Shape<Capability> = plain(
  "no capability",
  (value): value is Capability => typeof value === "string" && isCapability(value)
)

/** One of these words, as a number on the wire: its place in the list. */
export const word = <Word extends string>(words: ReadonlyArray<Word>): Shape<Word> => ({
  write: (value) => words.indexOf(value),
  read: (value) =>
    (typeof value === "number" ? words[value] : undefined) ?? new Misfit(`is none of ${words.join(", ")}`)
})

/** Nothing, or a value: null on the wire. */
export const optional = <Value>(shape: Shape<Value>): Shape<Value | undefined> => ({
  write: (value) => (value === undefined ? null : shape.write(value)),
  read: (value) => (value === null ? undefined : shape.read(value))
})

export const optionalTime = optional(time)

export const list = <Value>(item: Shape<Value>, min: number, max: number): Shape<ReadonlyArray<Value>> => ({
  write: (values) => values.map(item.write),
  read: (value) => {
    if (!Array.isArray(value) || value.length < min || value.length > max)
      return new Misfit(`is no list of ${min === 0 ? "at most" : `${min} to`} ${max}`)
    const values: Array<Value> = []
    for (const one of value as ReadonlyArray<Cbor.Cbor>) {
      const read = item.read(one)
      if (read instanceof Misfit) return new Misfit(`${values.length}: ${read.what}`)
      values.push(read)
    }
    return values
  }
})

/** A list in which no two have the same key. */
export const listBy = <Value>(
  item: Shape<Value>,
  min: number,
  max: number,
  keyOf: (value: Value) => string,
  twice: string
): Shape<ReadonlyArray<Value>> => {
  const all = list(item, min, max)
  return {
    write: all.write,
    read: (value) => {
      const read = all.read(value)
      if (read instanceof Misfit) return read
      return new Set(read.map(keyOf)).size === read.length ? read : new Misfit(twice)
    }
  }
}

const position: Shape<Position> = {
  write: positionToCbor,
  read: (value) => (isPosition(value) ? positionFromCbor(value) : new Misfit("no position"))
}

/** Per feed its last entry that something leaves alone. */
export const cut: Shape<ReadonlyArray<Position>> = {
  write: (positions) => positions.map(positionToCbor),
  read: (value) => {
    const read = listBy(position, 0, cutPositionsMax, (one) => one.feed, "names a feed twice").read(value)
    if (!(read instanceof Misfit) || read.what === "names a feed twice") return read
    return new Misfit(`is no list of at most ${cutPositionsMax} positions`)
  }
}

/** The keys of a map with their shapes. `absent`: the value for which the key is left out. */
export type Keys<Value> = {
  readonly [Key in keyof Value]-?: Shape<Value[Key]> & { readonly absent?: (value: Value[Key]) => boolean }
}

/** A key that is left out, where its value is the empty list. */
export const listOrAbsent = <Value>(shape: Shape<ReadonlyArray<Value>>) => ({
  ...shape,
  absent: (value: ReadonlyArray<Value>): boolean => value.length === 0
})

/** Exactly these keys. Those that may be left out read as if they held an empty list. */
export const map = <Value extends object>(keys: Keys<Value>): Shape<Value> => {
  const entries = Object.entries(keys) as ReadonlyArray<
    readonly [string, Shape<unknown> & { readonly absent?: (value: unknown) => boolean }]
  >
  const names = `{${entries.map(([key, { absent }]) => (absent === undefined ? key : `${key}?`)).join(", ")}}`
  return {
    write: (value) =>
      Object.fromEntries(
        entries.flatMap(([key, { absent, write }]) => {
          const inner = (value as Readonly<Record<string, unknown>>)[key]
          return absent?.(inner) === true ? [] : [[key, write(inner)]]
        })
      ),
    read: (value) => {
      if (!isMap(value)) return new Misfit(`not ${names}`)
      const result: Record<string, unknown> = {}
      let count = 0
      for (const [key, { absent, read }] of entries) {
        const isHere = Object.hasOwn(value, key)
        if (!isHere && absent === undefined) return new Misfit(`not ${names}`)
        if (isHere) count++
        const inner = isHere ? read(value[key]!) : []
        if (inner instanceof Misfit) return new Misfit(`${key} ${inner.what}`)
        if (isHere && absent?.(inner) === true) return new Misfit(`${key} is left out when it is empty`)
        result[key] = inner
      }
      return Object.keys(value).length === count ? (result as Value) : new Misfit(`not ${names}`)
    }
  }
}

/** Bytes of a record that has a decoder of its own. */
export const record = <Value>(
  write: (value: Value) => Uint8Array,
  read: (bytes: Uint8Array) => Value | Misfit
): Shape<Value> => ({
  write,
  read: (value) => (value instanceof Uint8Array ? read(value) : new Misfit("not bytes"))
})
