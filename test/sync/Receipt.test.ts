/** What a receipt's signature covers, and which receipt follows which. */
import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import fc from "fast-check"
import { deviceId, spaceId, toBytes } from "../../src/identity/Id.ts"
import * as Receipt from "../../src/sync/Receipt.ts"
import { bytesOf, hexOf } from "../journal/writing.ts"

const parties: Receipt.Parties = {
  space: spaceId(bytesOf("space")),
  source: deviceId(bytesOf("source")),
  peer: deviceId(bytesOf("peer"))
}

const receipts = fc.record({
  epoch: fc.constantFrom(0, 5, 6, 7),
  nonce: fc.constantFrom(0, 1, 2, 2 ** 53 - 1),
  spent: fc.constantFrom(0, 1, 2, 2 ** 40),
  previous: fc.constantFrom(Receipt.first, new Uint8Array(32).fill(9))
})

describe("a receipt", () => {
  it("is signed over its tag and all of its fields, each at its place", () => {
    fc.assert(
      fc.property(receipts, ({ epoch, nonce, previous, spent }) => {
        const numbers = Buffer.alloc(24)
        for (const [at, value] of [epoch, nonce, spent].entries()) numbers.writeBigUInt64BE(BigInt(value), at * 8)
        const { peer, source, space } = parties
        const expected = [Buffer.from("aura/receipt/v1\0"), ...[space, source, peer].map(toBytes), numbers, previous]
        const receipt = { epoch, nonce, spent, previous }
        const message = Receipt.message(parties, receipt)
        assert.strictEqual(hexOf(message), Buffer.concat(expected).toString("hex"))
        const digest = createHash("sha256").update("aura/receipt-hash/v1\0").update(message).digest("hex")
        assert.strictEqual(hexOf(Receipt.hashOf(parties, receipt)), digest)
      })
    )
  })

  it("follows no other that follows it, nor itself, and none of a time that has not come", () => {
    fc.assert(
      fc.property(receipts, receipts, fc.constantFrom(4, 5, 6), (a, b, now) => {
        assert.isFalse(Receipt.follows(a, a, now))
        if (Receipt.follows(a, b, now)) assert.isFalse(Receipt.follows(b, a, now))
        for (const held of [undefined, a]) if (b.epoch > now + 1) assert.isFalse(Receipt.follows(held, b, now))
        if (b.epoch <= now + 1) assert.isTrue(Receipt.follows(undefined, b, now))
      })
    )
  })
})
