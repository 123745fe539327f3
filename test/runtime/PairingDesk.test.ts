/** Codes at their issuer's: once, for ten minutes, and not for who guesses. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as PairingDesk from "../../src/runtime/PairingDesk.ts"
import * as PairingCode from "../../src/sync/PairingCode.ts"
import { noonMillis, right, spaceOf } from "./fixtures.ts"

const channel = new Uint8Array(32).fill(1)
const secret = (byte: number) => Redacted.make(new Uint8Array(PairingCode.secretBytes).fill(byte))
const proof = (byte: number, key = channel) => PairingCode.proof(secret(byte), key)
const minute = 60_000
const offer: PairingDesk.Offer = {
  space: spaceOf().space,
  rights: [right("*")],
  expiresMillis: noonMillis + PairingDesk.codeMinutes * minute
}

const deskWith = (...bytes: ReadonlyArray<number>): PairingDesk.PairingDesk => {
  const desk = PairingDesk.make()
  for (const byte of bytes) assert.isTrue(desk.issue(secret(byte), offer, noonMillis))
  return desk
}

describe("a pairing code", () => {
  it("is redeemed once", () => {
    const desk = deskWith(1)
    assert.deepStrictEqual(desk.redeem(channel, proof(1), noonMillis), { _tag: "Redeemed", offer })
    assert.strictEqual(desk.redeem(channel, proof(1), noonMillis)._tag, "Refused")
  })

  it("is good for the channel it was proved on and no other", () => {
    const desk = deskWith(1)
    assert.strictEqual(desk.redeem(channel, proof(1, new Uint8Array(32).fill(2)), noonMillis)._tag, "Refused")
    assert.strictEqual(desk.redeem(channel, proof(1), noonMillis)._tag, "Redeemed")
  })

  it("lives ten minutes, to the millisecond", () => {
    assert.strictEqual(deskWith(1).redeem(channel, proof(1), offer.expiresMillis)._tag, "Redeemed")
    assert.deepStrictEqual(deskWith(1).redeem(channel, proof(1), offer.expiresMillis + 1), {
      _tag: "Refused",
      reason: "this code has expired; ask for a new one"
    })
  })

  it("burns with all others after five wrong proofs, whoever gave them", () => {
    const desk = deskWith(1, 2)
    for (let i = 0; i < PairingDesk.wrongProofsMax - 1; i++) desk.redeem(channel, proof(9), noonMillis)
    assert.strictEqual(desk.redeem(channel, proof(1), noonMillis)._tag, "Redeemed")
    desk.redeem(channel, proof(9), noonMillis)
    assert.strictEqual(desk.redeem(channel, proof(2), noonMillis)._tag, "Refused")
  })

  it("does not suffer from guesses at nothing before it was made", () => {
    const desk = deskWith()
    for (let i = 0; i < PairingDesk.wrongProofsMax - 1; i++) desk.redeem(channel, proof(9), noonMillis)
    desk.issue(secret(1), offer, noonMillis)
    desk.redeem(channel, proof(9), noonMillis)
    assert.strictEqual(desk.redeem(channel, proof(1), noonMillis)._tag, "Redeemed")
  })

  it("finds room again when those before it have expired", () => {
    const desk = deskWith(...Array.from({ length: PairingDesk.codesMax }, (_, i) => i))
    assert.isFalse(desk.issue(secret(100), offer, noonMillis))
    const later = offer.expiresMillis + 1
    assert.isTrue(desk.issue(secret(100), { ...offer, expiresMillis: later + minute }, later))
    assert.strictEqual(desk.redeem(channel, proof(100), later)._tag, "Redeemed")
  })
})
