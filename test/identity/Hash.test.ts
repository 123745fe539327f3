/** The one hash: one answer, however the message is handed in, and the one that everybody else's SHA-256 gives. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { createHash } from "node:crypto"
import * as Hash from "../../src/identity/Hash.ts"

const lengthMax = 1000
const scratch = Hash.makeScratch(lengthMax)
const inScratch = (message: Uint8Array): Uint8Array => {
  scratch.bytes.set(message)
  return Hash.hashScratch(scratch, message.length)
}
const platform = (message: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(message).digest())

describe("the hash", () => {
  it("is SHA-256 of the tag and the parts", () => {
    const tag = Hash.domain("aura/test/v1")
    const parts = fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 3 })
    fc.assert(
      fc.property(parts, (all) => {
        assert.deepStrictEqual(Hash.hash(tag, ...all), platform(new Uint8Array(Buffer.concat([tag, ...all]))))
      })
    )
  })

  it("is the same of a message in scratch memory, at every length around a block, whatever stood there before", () => {
    for (let length = 0; length <= 200; length++) {
      const message = Uint8Array.from({ length }, (_, index) => 255 - ((index * 7) % 256))
      scratch.bytes.fill(0xa5)
      assert.deepStrictEqual(inScratch(message), platform(message), `${length} bytes`)
    }
    const longest = new Uint8Array(lengthMax).fill(0xff)
    assert.deepStrictEqual(inScratch(longest), platform(longest))
    assert.throws(() => Hash.hashScratch(scratch, lengthMax + 1), RangeError)
  })

  it("gives digests that nobody else writes into", () => {
    const first = inScratch(Uint8Array.of(1))
    const kept = first.slice()
    inScratch(Uint8Array.of(2))
    assert.deepStrictEqual(first, kept)
  })
})
