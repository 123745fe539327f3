/** Short texts: what is read out of the bytes is what stands there, whatever was read before. */
import { assert, it } from "@effect/vitest"
import fc from "fast-check"
import * as ShortText from "../../src/journal/ShortText.ts"

const words = fc.constantFrom(
  "",
  "a",
  "b",
  "set",
  "sett",
  "put",
  "entries",
  "entrieS",
  "k000001",
  "k000010",
  "x".repeat(24)
)
const encoder = new TextEncoder()

it("a text is what its bytes say, wherever they stand and whatever was read in its place of the table before", () => {
  const text = fc.oneof(words, fc.string({ maxLength: 24 }), fc.string({ maxLength: 8, unit: "binary" }))
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.nat(3)), { maxLength: 60 }), (all) => {
      for (const [expected, from] of all) {
        const encoded = encoder.encode(expected)
        const bytes = new Uint8Array(from + encoded.length + 2).fill(0x61)
        bytes.set(encoded, from)
        const isAscii = encoded.every((byte) => byte < 0x80)
        assert.strictEqual(ShortText.read(bytes, from, from + encoded.length), isAscii ? expected : undefined)
      }
    })
  )
})

it("texts that share a place of the table do not pass for each other", () => {
  // far more of one length than there are places
  const texts = Array.from({ length: 2000 }, (_, index) => `key${String(index).padStart(5, "0")}`)
  for (let round = 0; round < 2; round++)
    for (const text of texts) assert.strictEqual(ShortText.read(encoder.encode(text), 0, text.length), text)
})
