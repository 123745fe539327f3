/** Numbers of the run format: what is written reads back, and each number has one spelling. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Varint from "../../src/journal/Varint.ts"

const written = (value: number): Uint8Array => {
  const cursor = { bytes: new Uint8Array(Varint.varintBytesMax), at: 0 }
  Varint.write(cursor, value)
  return cursor.bytes.slice(0, cursor.at)
}

const read = (...bytes: ReadonlyArray<number>): number => Varint.read({ bytes: Uint8Array.from(bytes), at: 0 })

const edges = [0, 1, 127, 128, 16_383, 16_384, 2 ** 32 - 1, 2 ** 32, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER]

describe("a varint", () => {
  it("reads back as what was written, and leaves the cursor behind itself", () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat()), (value) => {
        const bytes = written(value)
        const cursor = { bytes: Uint8Array.of(0xff, ...bytes, 0xff), at: 1 }
        assert.strictEqual(Varint.read(cursor), value)
        assert.strictEqual(cursor.at, 1 + bytes.length)
      })
    )
  })

  it("is as short as seven bits a byte allow", () => {
    for (const value of edges) {
      const bytes = Math.max(1, Math.ceil(value.toString(2).length / 7))
      assert.strictEqual(written(value).length, value === 0 ? 1 : bytes)
    }
    assert.strictEqual(written(Number.MAX_SAFE_INTEGER).length, Varint.varintBytesMax)
  })

  it("is refused in every other form, and the cursor stays", () => {
    const malformed: ReadonlyArray<readonly [why: string, bytes: ReadonlyArray<number>]> = [
      ["nothing there", []],
      ["cut off", [0x80]],
      ["cut off later", [0xff, 0xff]],
      ["a needless zero", [0x80, 0x00]],
      ["a needless zero at the end", [0xff, 0x80, 0x00]],
      ["2^53", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
      ["2^56 − 1", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
      ["a ninth byte", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]]
    ]
    for (const [why, bytes] of malformed) {
      const cursor = { bytes: Uint8Array.from(bytes), at: 0 }
      assert.strictEqual(Varint.read(cursor), Varint.malformed, why)
      assert.strictEqual(cursor.at, 0, why)
    }
    assert.strictEqual(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f), Number.MAX_SAFE_INTEGER)
  })

  it("never has two spellings: whatever is accepted is written the same way", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff), { maxLength: 9 }), (bytes) => {
        const cursor = { bytes: Uint8Array.from(bytes), at: 0 }
        const value = Varint.read(cursor)
        if (value !== Varint.malformed) assert.deepStrictEqual(written(value), cursor.bytes.slice(0, cursor.at))
      })
    )
  })
})
