/** A plain copy is what the encoding gives back, and nobody's but its holder's. */
import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import fc from "fast-check"
import { decode, depthMaxDefault, encode, type Cbor } from "../../src/journal/Cbor.ts"
import { plain } from "../../src/journal/Plain.ts"
import { accepted, hexOf } from "./writing.ts"

const keys = fc.constantFrom("", "__proto__", "constructor", "b", "a", "aa", "1", "0", "\uffff", "\u{1f511}")
const values: fc.Arbitrary<Cbor> = fc.letrec<{ value: Cbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom<Cbor>(null, true, 0, -0, 1.5, -7, 5n, -1n, 2n ** 53n, 2n ** 64n - 1n, BigInt(2 ** 53 - 1)),
    keys,
    fc.uint8Array({ maxLength: 4 }),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("value")), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs))
  )
})).value

/** Keys in the order in which they are found, at every depth. */
const ordered = (value: unknown): unknown =>
  typeof value !== "object" || value === null || value instanceof Uint8Array
    ? value
    : Array.isArray(value)
      ? value.map(ordered)
      : Object.entries(value).map(([key, inside]) => [key, ordered(inside)])

describe("a plain copy", () => {
  it("is what comes back from the encoding, to the order of the keys, and encodes alike", () => {
    fc.assert(
      fc.property(values, (value) => {
        const back = accepted(decode(encode(value)))
        const copy = plain(value)
        assert.deepStrictEqual(copy, back)
        assert.deepStrictEqual(ordered(copy), ordered(back))
        assert.strictEqual(hexOf(encode(copy)), hexOf(encode(value)))
      }),
      { numRuns: 2000 }
    )
  })

  it("shares nothing that can change with what it was made from", () => {
    const bytes = Uint8Array.of(1, 2)
    const inner = { list: [1], bytes }
    const outer: Array<Cbor> = [inner, "text"]
    const copy = plain(outer)
    inner.list.push(2)
    bytes[0] = 9
    outer.push("more")
    assert.deepStrictEqual(copy, [{ list: [1], bytes: Uint8Array.of(1, 2) }, "text"])
  })

  it("looks at each part once, whatever it would show the next time", () => {
    let reads = 0
    const faces = new Proxy<Array<Cbor>>(["a"], {
      get: (target, name) => (name === "0" ? `read ${++reads}` : Reflect.get(target, name))
    })
    const shifting = Object.defineProperty({}, "key", { enumerable: true, get: () => ++reads })
    assert.deepStrictEqual(plain([faces, shifting]), [["read 1"], { key: 2 }])
    assert.strictEqual(reads, 2)
  })

  it("leaves what has no encoding for the encoder to die on", () => {
    const cyclic: Array<unknown> = []
    cyclic.push(cyclic)
    const named = new (class Named {})()
    const lacking: ReadonlyArray<unknown> = [
      undefined,
      NaN,
      2 ** 53,
      "\ud800",
      named,
      { a: named },
      [, 1],
      cyclic,
      () => 1
    ]
    for (const value of lacking) {
      assert.throws(() => encode(value as Cbor))
      assert.throws(() => encode(plain(value as Cbor)))
    }
    const deep = Array.from({ length: depthMaxDefault }).reduce<Cbor>((inside) => [inside], [])
    assert.throws(() => encode(plain(deep)), RangeError)
  })
})
