/**
 * Changes that collide: three feeds, three keys, five entries each, few times; removals name any dot there could be,
 * also future ones, their own, and ones that never come.
 */
import * as fc from "fast-check"
import type { FeedId } from "../../../src/identity/Id.ts"
import { feedId } from "../../../src/identity/Id.ts"
import type { Cbor } from "../../../src/journal/Cbor.ts"
import type { Change, Fields } from "../../../src/journal/crdt/Crdt.ts"
import { dotToCbor, type Stamp } from "../../../src/journal/crdt/Stamp.ts"

/** A change with where it was made. */
export interface Event {
  readonly change: Change
  readonly stamp: Stamp
}

export const feeds: ReadonlyArray<FeedId> = [3, 1, 2].map((byte) => feedId(new Uint8Array(32).fill(byte)))

const leaves: Fields = {
  title: { kind: "LWWRegister", value: { kind: "string" } },
  owner: { kind: "MVRegister", value: { kind: "string" } },
  votes: { kind: "PNCounter" },
  labels: { kind: "ORSet", value: { kind: "string" } },
  highest: { kind: "MaxRegister", value: { kind: "integer" } },
  notes: { kind: "LWWMap", value: { kind: "string" } },
  photo: { kind: "Blob" }
}

/** One field of every kind of this folder, named like it. */
export const fields: Fields = {
  GCounter: { kind: "GCounter" },
  PNCounter: { kind: "PNCounter" },
  GSet: { kind: "GSet", value: mixed() },
  ORSet: { kind: "ORSet", value: mixed() },
  LWWRegister: { kind: "LWWRegister", value: mixed() },
  MVRegister: { kind: "MVRegister", value: mixed() },
  LWWMap: { kind: "LWWMap", value: mixed() },
  MaxRegister: { kind: "MaxRegister", value: { kind: "number" } },
  MinRegister: { kind: "MinRegister", value: { kind: "string" } },
  Blob: { kind: "Blob" },
  ORMap: { kind: "ORMap", fields: leaves }
}

/** Values of several types in one field, some of them composite. */
function mixed() {
  return {
    kind: "union",
    members: [
      { kind: "literals", values: ["x", 1, true, null, "1"] },
      { kind: "struct", fields: { a: { kind: "integer" } } },
      { kind: "bytes" }
    ]
  } as const
}

const value: fc.Arbitrary<Cbor> = fc.constantFrom<Cbor>(
  "x",
  1,
  true,
  null,
  "1",
  { a: 1 },
  { a: 2 },
  new Uint8Array([7])
)
const key = fc.constantFrom("k", "l", "m")
const amount = fc.constantFrom(1, 2, 1000, Number.MAX_SAFE_INTEGER)
const seqs = 5
const times = [0, 0, 1]

/** An entry's time rises with its seq; feeds share times. */
const timeOf = (feed: number, seq: number): number => 10 + seq * 2 + times[feed]!

const blob: fc.Arbitrary<Cbor> = fc.constantFrom<Cbor>(
  null,
  ...["aa", "bb"].map((two) => ({ hash: two.repeat(32), size: 3, type: "text/plain" }))
)

const dot: fc.Arbitrary<Cbor> = fc
  .tuple(fc.nat(2), fc.nat(seqs + 1), fc.nat(1))
  .map(([feed, seq, index]) => dotToCbor({ feed: feeds[feed]!, seq, index }))
const dots: fc.Arbitrary<Cbor> = fc.array(dot, { maxLength: 3 })

const leafChange = (kind: string, path: ReadonlyArray<Cbor>, of: fc.Arbitrary<Cbor>): fc.Arbitrary<Change> => {
  switch (kind) {
    case "GCounter":
      return amount.map((by) => ["add", ...path, by])
    case "PNCounter":
      return fc.tuple(amount, fc.boolean()).map(([by, down]) => ["add", ...path, down ? -by : by])
    case "GSet":
      return of.map((element) => ["add", ...path, element])
    case "ORSet":
      return fc.oneof(
        of.map((element) => ["add", ...path, element]),
        fc.tuple(of, dots).map(([element, seen]) => ["remove", ...path, element, seen])
      )
    case "MVRegister":
      return fc.tuple(of, dots).map(([to, seen]) => ["set", ...path, to, seen])
    case "LWWMap":
      return fc.oneof(
        fc.tuple(key, of).map(([at, to]) => ["set", ...path, at, to]),
        key.map((at) => ["remove", ...path, at])
      )
    case "Blob":
      return blob.map((to) => ["set", ...path, to])
    case "MaxRegister":
      return fc.constantFrom(-3, 0, 2, 7).map((to) => ["set", ...path, to])
    case "MinRegister":
      return fc.constantFrom("b", "a", "c").map((to) => ["set", ...path, to])
    default:
      return of.map((to) => ["set", ...path, to])
  }
}

const text: fc.Arbitrary<Cbor> = fc.constantFrom("x", "y", "z")

const recordChange: fc.Arbitrary<Change> = fc.oneof(
  fc
    .tuple(key, fc.record({ title: text, owner: text, highest: fc.nat(3), photo: blob }, { requiredKeys: [] }))
    .map(([id, initial]) => ["put", "ORMap", id, initial]),
  fc.tuple(key, dots).map(([id, seen]) => ["remove", "ORMap", id, seen]),
  fc
    .tuple(key, fc.constantFrom(...Object.keys(leaves)))
    .chain(([id, name]) => leafChange(leaves[name]!.kind, ["ORMap", id, name], text))
)

/** Changes of one field, each with a dot of its own: what a journal can hold. */
export const eventsOf = (kind: string): fc.Arbitrary<ReadonlyArray<Event>> => {
  const change = kind === "ORMap" ? recordChange : leafChange(kind, [kind], value)
  const place = fc.record({ feed: fc.nat(2), seq: fc.nat(seqs - 1), index: fc.nat(1) })
  return fc
    .uniqueArray(fc.tuple(place, change), {
      maxLength: 14,
      selector: ([{ feed, seq, index }]) => `${feed}/${seq}/${index}`
    })
    .map((placed) =>
      placed.map(([{ feed, seq, index }, made]) => ({
        change: made,
        stamp: { time: timeOf(feed, seq), feed: feeds[feed]!, seq, index }
      }))
    )
}

export const kinds = Object.keys(fields)

/** The events in another order, some of them twice. */
export const delivered = <Item>(items: ReadonlyArray<Item>): fc.Arbitrary<ReadonlyArray<Item>> =>
  fc
    .tuple(fc.shuffledSubarray([...items], { minLength: items.length }), fc.subarray([...items]))
    .map(([all, again]) => [...all, ...again])
