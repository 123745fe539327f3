/** Sealing makes the bytes that an independent implementation makes, and nothing altered opens. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import fc from "fast-check"
import * as XChaCha from "../../../src/handlers/node/XChaCha.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const plains = fc.constantFrom(0, 1, 100, 4_095, 4_096, 4_097, 20_000).chain(bytes)

describe("XChaCha", () => {
  it("what it seals opens in an independent implementation, and the other way round", () => {
    fc.assert(
      fc.property(bytes(32), plains, fc.uint8Array({ maxLength: 40 }), (key, plain, context) => {
        const sealed = XChaCha.seal(key, plain, context)
        const nonce = sealed.subarray(0, 24)
        assert.strictEqual(sealed.length, plain.length + XChaCha.overheadBytes)
        assert.deepStrictEqual(xchacha20poly1305(key, nonce, context).encrypt(plain), sealed.subarray(24))
        assert.deepStrictEqual(XChaCha.open(key, sealed, context), Option.some(plain))
      }),
      { numRuns: 60 }
    )
  })

  it("a key that lies inside a larger buffer is that key", () => {
    const pool = Buffer.from(new Uint8Array(200).map((_, at) => at))
    const key = pool.subarray(7, 39)
    const plain = new Uint8Array(5_000).fill(1)
    assert.deepStrictEqual(XChaCha.open(Uint8Array.from(key), XChaCha.seal(key, plain, pool), pool), Option.some(plain))
  })

  it("another key or context, a byte altered, cut off or added opens nothing", () => {
    const key = new Uint8Array(32).fill(1)
    const context = new Uint8Array([1, 2, 3])
    for (const size of [20, 5_000]) {
      const sealed = XChaCha.seal(key, new Uint8Array(size), context)
      assert.isTrue(Option.isNone(XChaCha.open(new Uint8Array(32), sealed, context)))
      assert.isTrue(Option.isNone(XChaCha.open(key, sealed, new Uint8Array([1, 2]))))
      assert.isTrue(Option.isNone(XChaCha.open(key, Buffer.concat([sealed, new Uint8Array(1)]), context)))
      for (let at = 0; at < sealed.length; at += size < 100 ? 1 : 97) {
        assert.isTrue(Option.isNone(XChaCha.open(key, sealed.with(at, sealed[at]! ^ 1), context)), `byte ${at}`)
        assert.isTrue(Option.isNone(XChaCha.open(key, sealed.subarray(0, at), context)), `the first ${at} bytes`)
      }
    }
  })
})
