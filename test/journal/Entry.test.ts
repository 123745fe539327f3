/** Bodies of entries, and the hash that chains them. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import fc from "fast-check"
import { definitionId, entryHash, feedId, toBytes } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Entry from "../../src/journal/Entry.ts"
import { requestKeyCharactersMax } from "../../src/journal/Request.ts"
import type { Position } from "../../src/journal/Feed.ts"
import {
  entryBytesMax,
  entryFactsMax,
  factTypeCharactersMax,
  seenPositionsMax,
  seqMax
} from "../../src/journal/limits.ts"
import { accepted, alice, bytesOf, hexOf, refusal } from "./writing.ts"

const positions = (count: number): ReadonlyArray<Position> =>
  Array.from({ length: count }, (_, index) => bytesOf(`feed ${index}`))
    .map((id) => ({ feed: feedId(id), seq: 3, hash: entryHash(bytesOf("seen")) }))
    .sort((a, b) => (a.feed < b.feed ? -1 : 1))

const full: Entry.Body = {
  keyEpoch: bytesOf("epoch"),
  definition: definitionId(bytesOf("definition")),
  seen: positions(3),
  facts: [
    { type: "tasks.add", payload: [["set", "tasks", "milk"]] },
    { type: "tasks.complete-all", payload: null }
  ],
  request: { requester: alice.id, key: "order 1" }
}
const bare: Entry.Body = { ...full, keyEpoch: undefined, definition: undefined, seen: [], request: undefined }
const fields = accepted(Cbor.decode(Entry.encode(full))) as ReadonlyArray<Cbor.Cbor>
const seen = fields[2] as ReadonlyArray<ReadonlyArray<Cbor.Cbor>>

describe("an entry's body", () => {
  it("reads back as what was written, with any of its optional parts", () => {
    for (const body of [
      full,
      bare,
      { ...bare, seen: positions(seenPositionsMax) },
      { ...bare, request: full.request }
    ]) {
      assert.deepStrictEqual(accepted(Entry.decode(Entry.encode(body))), body)
    }
  })

  it("reads the same at once as with care, whatever stood before it and whichever byte was changed", () => {
    const [first, last] = [bytesOf("one"), bytesOf("one")]
    first[0]! ^= 1
    last[31]! ^= 1
    const definition = fc.constantFrom(undefined, ...[bytesOf("one"), first, last].map(definitionId))
    const type = fc.constantFrom("a.b", "a.bb", "tasks.add", "", "A", "a.a")
    const payload = fc.constantFrom<Cbor.Cbor>(
      null,
      [],
      [["set", "kv", "k", "v".repeat(40)]],
      [[[[[[[[[[[[[[]]]]]]]]]]]]]],
      1.5
    )
    const fields = fc.record({ definition, types: fc.array(type, { maxLength: 2 }), payload, isFull: fc.nat(9) })
    const change = fc.record({
      at: fc.nat(60),
      to: fc.nat(255),
      cut: fc.constantFrom(0, 0, 0, 1, 40),
      more: fc.constantFrom(0, 0, 1)
    })
    const one = fc.tuple(fields, fc.option(change)).map(([{ definition, isFull, payload, types }, change]) => {
      const facts = types.map((type) => [type, payload])
      const list: Array<Cbor.Cbor> = [null, definition === undefined ? null : toBytes(definition), null, facts]
      if (isFull === 0) list.push(["key", toBytes(alice.id)])
      const bytes = Cbor.encode(list, { depthMax: 20 })
      if (change === null) return bytes
      const changed = new Uint8Array(Math.max(0, bytes.length - change.cut) + change.more)
      changed.set(bytes.subarray(0, changed.length))
      if (change.at < changed.length) changed[change.at] = change.to
      return changed
    })
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (all) => {
        for (const bytes of all) assert.deepStrictEqual(Entry.decode(bytes), Entry.decodeAny(bytes))
      }),
      { numRuns: 500 }
    )
  })

  it("has the same bytes in memory of its own and in memory that many share, which grows", () => {
    const types = fc.constantFrom("tasks.add", "tasks.complete-all", "a.b")
    const payloads = fc.oneof(fc.string({ maxLength: 100 }), fc.array(fc.nat(), { maxLength: 30 }), fc.constant(null))
    const parts = fc.record({
      definition: fc.constantFrom(undefined, full.definition, definitionId(bytesOf("another"))),
      keyEpoch: fc.option(fc.constant(bytesOf("epoch")), { nil: undefined, freq: 5 }),
      seen: fc.constantFrom([], [], positions(2)),
      facts: fc.array(fc.record({ type: types, payload: payloads }), { minLength: 1, maxLength: 2 }),
      request: fc.constantFrom(undefined, undefined, full.request)
    })
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1, maxLength: 8 }), fc.constantFrom(0, 1, 100, 4096), (all, bytes) => {
        const room = Cbor.makeRoom(bytes)
        const together = all.map((body) => Entry.encodeIn(room, body))
        assert.deepStrictEqual(
          together.map(hexOf),
          all.map((body) => hexOf(Entry.encode(body)))
        )
      })
    )
    const deep = Array.from({ length: Cbor.depthMaxDefault - 3 }).reduce<Cbor.Cbor>((inside) => [inside], null)
    const room = Cbor.makeRoom(64)
    for (const payload of [deep, [deep]]) {
      const body = { ...bare, definition: full.definition, facts: [{ type: "a.b", payload }] }
      if (payload === deep) assert.deepStrictEqual(accepted(Entry.decode(Entry.encodeIn(room, body))), body)
      else assert.throws(() => Entry.encodeIn(room, body), RangeError)
    }
  })

  it("is refused with any field wrong, and the reason names it", () => {
    const fact = ["tasks.add", null]
    const wrong: ReadonlyArray<readonly [field: number, value: Cbor.Cbor, reason: RegExp]> = [
      [0, new Uint8Array(8), /keyEpoch is not 32 bytes/],
      [1, 7, /definition is not 32 bytes/],
      [2, [], /seen is not a sorted list/],
      [2, seen.toReversed(), /seen is not a sorted list/],
      [2, [seen[0]!, seen[0]!], /seen is not a sorted list/],
      [2, [seen[0]!.with(1, -1)], /seen is not a sorted list/],
      [2, [seen[0]!.with(1, seqMax)], /seen is not a sorted list/],
      [2, [seen[0]!.slice(0, 2)], /seen is not a sorted list/],
      [
        2,
        accepted(
          Cbor.decode(Cbor.encode(positions(seenPositionsMax + 1).map((one) => [toBytes(one.feed), 1, bytesOf("")])))
        ),
        /seen/
      ],
      [3, [], /facts is not a list of 1 to/],
      [3, Array.from({ length: entryFactsMax + 1 }, () => fact), /facts is not a list of 1 to/],
      [3, [["tasks.add"]], /facts is not a list/],
      [3, [["tasks.add", null, null]], /facts is not a list/],
      [3, [["tasks", null]], /facts is not a list/],
      [3, [["Tasks.add", null]], /facts is not a list/],
      [3, [["tasks..add", null]], /facts is not a list/],
      [3, [["tasks.add\n", null]], /facts is not a list/],
      [3, [[`tasks.${"a".repeat(factTypeCharactersMax - 5)}`, null]], /facts is not a list/],
      [4, null, /request is no request/],
      [4, ["", toBytes(alice.id)], /request is no request/],
      [4, ["k".repeat(requestKeyCharactersMax + 1), toBytes(alice.id)], /request is no request/],
      [4, ["key", new Uint8Array(31)], /request is no request/],
      [4, ["key"], /request is no request/]
    ]
    assert.isUndefined(refusal(Entry.decode(Cbor.encode(fields))))
    for (const [field, value, reason] of wrong) {
      assert.match(refusal(Entry.decode(Cbor.encode(fields.with(field, value)))) ?? "accepted", reason)
    }
    assert.match(refusal(Entry.decode(Cbor.encode(fields.slice(0, 3)))) ?? "", /not an array of 4 or 5/)
    assert.match(refusal(Entry.decode(Cbor.encode([...fields, null]))) ?? "", /not an array of 4 or 5/)
    assert.match(refusal(Entry.decode(new Uint8Array(entryBytesMax + 1))) ?? "", /longer than/)
    assert.match(refusal(Entry.decode(Uint8Array.of(0x84))) ?? "", /at byte 0/)
  })

  it("has facts named by dotted words", () => {
    for (const type of ["tasks.add", "aura.device.revoke", "kv.setAll", "a.b-1", `a.${"b".repeat(126)}`]) {
      assert.isTrue(Entry.isFactType(type), type)
    }
    for (const type of ["tasks", "", ".add", "tasks.", "tasks.Add", "1.a", "tasks add", "täsks.add", 7, null]) {
      assert.isFalse(Entry.isFactType(type), String(type))
    }
  })
})

describe("an entry's hash", () => {
  const u64 = (value: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(value))
    return bytes
  }

  it("is SHA-256 over tag, previous hash, position, time and body, as the format says", () => {
    const numbers = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.maxSafeNat())
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 4000, max: 9000 }).map((n) => new Uint8Array(n))
    )
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        numbers,
        numbers,
        bodies,
        (previous, seq, time, body) => {
          const expected = createHash("sha256")
            .update("aura/entry/v1\0")
            .update(previous)
            .update(u64(seq))
            .update(u64(time))
          assert.deepStrictEqual(Entry.chain(previous, seq, time, body), new Uint8Array(expected.update(body).digest()))
        }
      )
    )
  })
})
