/** The handshake against published vectors, byte for byte and by both suites; then what it refuses. */
import { assert, describe, it } from "vitest"
import { hexToBytes } from "@noble/hashes/utils.js"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Noise from "../../src/identity/Noise.ts"
import { nodeSuite } from "../../src/handlers/node/NodeSuite.ts"
import published from "../vectors/noise-xx.json" with { type: "json" }

type Vector = (typeof published.vectors)[number]

const suites = { nobleSuite: Noise.nobleSuite, nodeSuite }
const none = new Uint8Array(0)

const pair = (suite: Noise.Suite, secret: string) => Noise.keyPair(suite, Redacted.make(hexToBytes(secret)))

const sides = (suite: Noise.Suite, vector: Vector) => ({
  initiator: Noise.start(suite, {
    initiator: true,
    prologue: hexToBytes(vector.init_prologue),
    static: pair(suite, vector.init_static),
    ephemeral: pair(suite, vector.init_ephemeral)
  }),
  responder: Noise.start(suite, {
    initiator: false,
    prologue: hexToBytes(vector.resp_prologue),
    static: pair(suite, vector.resp_static),
    ephemeral: pair(suite, vector.resp_ephemeral)
  })
})

const write = (self: Noise.Handshake, payload: Uint8Array): readonly [Noise.Handshake, Uint8Array] => {
  const [withKeys, keys] = Result.getOrThrow(Noise.writeKeys(self))
  const [written, sealed] = Noise.writePayload(withKeys, payload)
  return [written, Buffer.concat([keys, sealed])]
}

const read = (self: Noise.Handshake, message: Uint8Array) =>
  Result.flatMap(Noise.readKeys(self, message), ([withKeys, rest]) => Noise.readPayload(withKeys, rest))

/** Runs as many messages as asked for; hands out both sides and what went over the wire. */
const run = (suite: Noise.Suite, vector: Vector, count: number) => {
  let { initiator, responder } = sides(suite, vector)
  const wire: Array<Uint8Array> = []
  for (let index = 0; index < count; index++) {
    const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator]
    const [written, message] = write(writer, hexToBytes(vector.messages[index]!.payload))
    const [heard, payload] = Result.getOrThrow(read(reader, message))
    assert.deepStrictEqual(payload, hexToBytes(vector.messages[index]!.payload))
    wire.push(message)
    ;[initiator, responder] = index % 2 === 0 ? [written, heard] : [heard, written]
  }
  return { initiator, responder, wire }
}

for (const [name, suite] of Object.entries(suites)) {
  describe(`Noise XX by ${name}`, () => {
    for (const vector of published.vectors) {
      it(`says byte for byte what ${vector.origin} says`, () => {
        const { initiator, responder, wire } = run(suite, vector, 3)
        assert.deepStrictEqual(
          wire.map((message) => Buffer.from(message).toString("hex")),
          vector.messages.slice(0, 3).map(({ ciphertext }) => ciphertext)
        )
        assert.deepStrictEqual(initiator.peerStatic, suite.publicKey(hexToBytes(vector.resp_static)))
        assert.deepStrictEqual(responder.peerStatic, suite.publicKey(hexToBytes(vector.init_static)))
        const [ours, theirs] = [Noise.finish(initiator), Noise.finish(responder)]
        assert.deepStrictEqual(ours, theirs)
        if (vector.handshake_hash !== undefined) {
          assert.strictEqual(Buffer.from(ours.hash).toString("hex"), vector.handshake_hash)
        }
        const counters = [0, 0]
        vector.messages.slice(3).forEach(({ ciphertext, payload }, index) => {
          // The fourth message is the responder's again: the handshake had three.
          const direction = (index + 1) % 2
          const key = direction === 0 ? ours.initiatorKey : ours.responderKey
          const nonce = Noise.nonceOf(counters[direction]!++)
          const cipher = suite.cipher(key)
          const sealed = cipher.seal(nonce, none, hexToBytes(payload), 0)
          assert.strictEqual(Buffer.from(sealed).toString("hex"), ciphertext)
          assert.deepStrictEqual(cipher.open(nonce, none, sealed), hexToBytes(payload))
        })
      })
    }

    it("refuses each of the three messages with any byte of its sealed part flipped", () => {
      const vector = published.vectors[0]!
      for (const count of [1, 2]) {
        const before = run(suite, vector, count)
        const writer = count === 1 ? before.responder : before.initiator
        const reader = count === 1 ? before.initiator : before.responder
        const [, message] = write(writer, Uint8Array.of(1, 2, 3))
        assert.isTrue(Result.isSuccess(read(reader, message)))
        for (let at = 0; at < message.length; at++) {
          const altered = Uint8Array.from(message)
          altered[at]! ^= 1
          assert.isTrue(Result.isFailure(read(reader, altered)), `byte ${at} of message ${count + 1}`)
        }
        for (let length = 0; length < message.length; length++) {
          assert.isTrue(Result.isFailure(read(reader, message.subarray(0, length))), `the first ${length} bytes`)
        }
      }
    })

    it("finds a changed first message when the second does not open", () => {
      const { initiator, responder } = sides(suite, published.vectors[0]!)
      const [asked, first] = write(initiator, Uint8Array.of(1))
      const altered = Uint8Array.from(first)
      altered[32]! ^= 1
      const [heard] = Result.getOrThrow(read(responder, altered))
      const [, second] = write(heard, none)
      assert.deepStrictEqual(read(asked, second), Result.fail("NotAuthentic"))
    })

    it("refuses public keys of small order", () => {
      const { responder } = sides(suite, published.vectors[0]!)
      for (const point of smallOrder) {
        const [heard] = Result.getOrThrow(read(responder, hexToBytes(point)))
        assert.deepStrictEqual(Noise.writeKeys(heard), Result.fail("SmallOrder"), point)
      }
    })

    it("does not open when the prologues differ", () => {
      const vector = published.vectors[0]!
      const { initiator } = sides(suite, vector)
      const { responder } = sides(suite, { ...vector, resp_prologue: "00" })
      const [asked, first] = write(initiator, none)
      const [heard] = Result.getOrThrow(read(responder, first))
      assert.deepStrictEqual(read(asked, write(heard, none)[1]), Result.fail("NotAuthentic"))
    })
  })
}

describe("the two suites", () => {
  it("agree, seal and open alike, at any length and offset", () => {
    const key = new Uint8Array(32).fill(7)
    const [portable, native] = [Noise.nobleSuite.cipher(key), nodeSuite.cipher(key)]
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 1000, 70_000]) {
      const plain = Uint8Array.from({ length }, (_, index) => index)
      const nonce = Noise.nonceOf(length * 2 ** 31)
      const sealed = native.seal(nonce, Uint8Array.of(9), plain, 1)
      assert.deepStrictEqual(portable.seal(nonce, Uint8Array.of(9), plain, 1), sealed)
      assert.deepStrictEqual(portable.open(nonce, Uint8Array.of(9), sealed.subarray(1)), plain)
      assert.deepStrictEqual(native.open(nonce, Uint8Array.of(9), sealed.subarray(1)), plain)
      assert.isUndefined(native.open(nonce, Uint8Array.of(8), sealed.subarray(1)))
      assert.isUndefined(portable.open(nonce, Uint8Array.of(8), sealed.subarray(1)))
      assert.isUndefined(native.open(nonce, none, sealed.subarray(0, 3)))
      assert.isUndefined(portable.open(nonce, none, sealed.subarray(0, 3)))
    }
    assert.deepStrictEqual(Noise.nextKey(portable), Noise.nextKey(native))
  })

  it("count nonces beyond 32 bits without repeating one", () => {
    const hexadecimal = (counter: number) => Buffer.from(Noise.nonceOf(counter)).toString("hex")
    assert.strictEqual(hexadecimal(1), "000000000100000000000000")
    assert.strictEqual(hexadecimal(2 ** 32 + 2), "000000000200000001000000")
    assert.strictEqual(hexadecimal(Number.MAX_SAFE_INTEGER), "00000000ffffffffffff1f00")
  })
})

/** Points whose multiples by any X25519 scalar are zero: 0, 1, the two of order 8, and p − 1. */
const smallOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
]
