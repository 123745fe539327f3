/**
 * What each kind reads, straight from its definition: no state, no increments, quadratic and obvious. The laws compare
 * the real thing with this.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Cbor from "../../../src/journal/Cbor.ts"
import type { Change } from "../../../src/journal/crdt/Crdt.ts"
import { compare, dotKey, type Stamp } from "../../../src/journal/crdt/Stamp.ts"
import { fields, type Event } from "./arbitraries.ts"

/** A change without its path: `[mutator, …arguments]`. */
interface Said {
  readonly mutator: string
  readonly parts: ReadonlyArray<Cbor.Cbor>
  readonly stamp: Stamp
}

export const expected = (kind: string, events: ReadonlyArray<Event>): unknown => {
  const said = events.map(({ change, stamp }) => say(change, 2, stamp))
  return kind === "ORMap" ? records(said) : leaf(kind, said)
}

const say = (change: Change, at: number, stamp: Stamp): Said => ({
  mutator: String(change[0]),
  parts: change.slice(at),
  stamp
})

const leaf = (kind: string, said: ReadonlyArray<Said>): unknown => {
  switch (kind) {
    case "GCounter":
    case "PNCounter": {
      const sum = said.reduce((total, { parts }) => total + BigInt(Number(parts[0])), 0n)
      const most = BigInt(Number.MAX_SAFE_INTEGER)
      return Number(sum > most ? most : sum < -most ? -most : sum)
    }
    case "GSet":
      return elements(said.map(({ parts }) => parts[0]!))
    case "ORSet":
      return elements(said.filter((one) => isAlive(one, said)).map(({ parts }) => parts[0]!))
    case "Blob":
    case "LWWRegister":
      return latest(said)?.parts[0]
    case "MVRegister":
      return said
        .filter((one) => !said.some((other) => names(other, other.parts[1], one)))
        .toSorted((a, b) => compare(a.stamp, b.stamp))
        .map(({ parts }) => parts[0])
    case "LWWMap": {
      const keys = [...new Set(said.map(({ parts }) => String(parts[0])))].sort()
      return keys.flatMap((key) => {
        const last = latest(said.filter(({ parts }) => parts[0] === key))
        return last?.mutator === "set" ? [[key, last.parts[1]]] : []
      })
    }
    case "MaxRegister":
      return said.length === 0 ? undefined : Math.max(...said.map(({ parts }) => Number(parts[0])))
    case "MinRegister":
      return said.map(({ parts }) => String(parts[0])).sort()[0]
    default:
      throw new Error(kind)
  }
}

const records = (said: ReadonlyArray<Said>): unknown => {
  const leaves = fields["ORMap"]!.fields!
  const ids = [...new Set(said.map(({ parts }) => String(parts[0])))].sort()
  return ids.flatMap((id) => {
    const own = said.filter(({ parts }) => parts[0] === id)
    const whole = own.filter(({ parts }) => parts.length === 2 && typeof parts[1] === "object")
    const puts = whole.filter(({ mutator }) => mutator === "put")
    const removals = whole.filter(({ mutator }) => mutator === "remove")
    if (!puts.some((put) => !removals.some((removal) => names(removal, removal.parts[1], put)))) return []
    const record = Object.keys(leaves).map((name) => {
      const kind = leaves[name]!.kind
      const initial = puts.flatMap(({ parts, stamp }) => {
        const set = parts[1] as { readonly [key: string]: Cbor.Cbor }
        return Object.hasOwn(set, name) ? [{ mutator: "set", parts: [set[name]!, []], stamp }] : []
      })
      const changed = own
        .filter(({ parts }) => parts[1] === name)
        .map(({ mutator, parts, stamp }) => ({ mutator, parts: parts.slice(2), stamp }))
      return [name, leaf(kind, [...initial, ...changed])]
    })
    return [[id, Object.fromEntries(record)]]
  })
}

const latest = (said: ReadonlyArray<Said>): Said | undefined =>
  said.toSorted((a, b) => compare(a.stamp, b.stamp)).at(-1)

/** Whether `dots` of one change name another, and may. */
const names = (by: Said, dots: Cbor.Cbor | undefined, other: Said): boolean =>
  by.stamp.time > other.stamp.time &&
  (dots as ReadonlyArray<readonly [Uint8Array, number, number]>).some(
    ([feed, seq, index]) => dotKey({ feed: bytesToHex(feed), seq, index }) === dotKey(other.stamp)
  )

const isAlive = (one: Said, said: ReadonlyArray<Said>): boolean =>
  one.mutator === "add" &&
  !said.some(
    (other) => other.mutator === "remove" && same(other.parts[0]!, one.parts[0]!) && names(other, other.parts[1], one)
  )

const textOf = (value: Cbor.Cbor): string => bytesToHex(Cbor.encode(value))
const same = (a: Cbor.Cbor, b: Cbor.Cbor): boolean => textOf(a) === textOf(b)

/** Numbers first, then texts, then the rest by its encoding. */
const elements = (values: ReadonlyArray<Cbor.Cbor>): unknown => {
  const byText = new Map(values.map((value) => [textOf(value), value]))
  const rank = (value: Cbor.Cbor) => (typeof value === "number" ? 0 : typeof value === "string" ? 2 : 1)
  const ordered = [...byText].sort(([a, left], [b, right]) => rank(left) - rank(right) || (a < b ? -1 : 1))
  return { size: ordered.length, elements: ordered.map(([, value]) => value) }
}
