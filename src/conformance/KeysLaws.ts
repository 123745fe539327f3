/** What every Keys handler promises, as checks that run anywhere. They make signatures and seals; they store nothing. */
import { ed25519 } from "@noble/curves/ed25519.js"
import * as Effect from "effect/Effect"
import { Keys, type KeysError } from "../effects/Keys.ts"
import { toBytes } from "../identity/Id.ts"
import { expect, expectFailure, expectSame, type Law } from "./Law.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const purpose = "aura/conformance"

const isSealInvalid = (error: KeysError): boolean => error.reason._tag === "SealInvalid"

const altered = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, bytes[at]! ^ 1)

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, at) => byte ^ (b[at] ?? 0))

const contains = (bytes: Uint8Array, part: Uint8Array): boolean => `,${bytes.join()},`.includes(`,${part.join()},`)

export const keysLaws: ReadonlyArray<Law<Keys>> = [
  {
    name: "a signature verifies under the device's public key, for empty and for long messages",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      for (const message of [new Uint8Array(0), utf8("aura/conformance\0hello"), new Uint8Array(100_000).fill(7)]) {
        const signature = yield* keys.sign(message)
        yield* expect(signature.length === 64, `a signature has 64 bytes, not ${signature.length}`)
        yield* expect(
          ed25519.verify(signature, message, toBytes(keys.device), { zip215: false }),
          `the signature over ${message.length} bytes does not verify`
        )
      }
    })
  },
  {
    name: "signing the same message twice gives the same signature",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const message = utf8("aura/conformance\0twice")
      yield* expectSame(yield* keys.sign(message), yield* keys.sign(message), "the second signature")
    })
  },
  {
    name: "a signature covers every byte of the message",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const message = utf8("aura/conformance\0cover")
      const signature = yield* keys.sign(message)
      for (const other of [altered(message, 0), altered(message, message.length - 1), message.subarray(1)]) {
        const verifies = ed25519.verify(signature, other, toBytes(keys.device), { zip215: false })
        yield* expect(!verifies, "the signature verifies over another message")
      }
    })
  },
  {
    name: "the box key has 32 bytes, is not the signing key, and belongs to the caller who reads it",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const before = keys.box.slice()
      yield* expect(before.length === 32, `the box key has ${before.length} bytes`)
      yield* expect(
        before.some((byte, at) => byte !== toBytes(keys.device)[at]),
        "the box key is the signing key"
      )
      keys.box.fill(0)
      yield* expectSame(keys.box, before, "the box key after a caller overwrote what it was given")
    })
  },
  {
    name: "what was sealed for a purpose opens for that purpose",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      for (const plain of [new Uint8Array(0), utf8("a"), new Uint8Array(70_000).fill(9)]) {
        const sealed = yield* keys.seal(purpose, plain)
        yield* expectSame(yield* keys.open(purpose, sealed), plain, `${plain.length} sealed bytes`)
      }
    })
  },
  {
    name: "what was sealed for one purpose does not open for another",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const sealed = yield* keys.seal(purpose, utf8("plain"))
      for (const other of ["", `${purpose}/`, "aura"]) {
        yield* expectFailure(keys.open(other, sealed), isSealInvalid, `opening for "${other}"`)
      }
    })
  },
  {
    name: "sealed bytes with any byte altered, cut off or added do not open",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const sealed = yield* keys.seal(purpose, utf8("plain"))
      for (let at = 0; at < sealed.length; at++) {
        yield* expectFailure(keys.open(purpose, altered(sealed, at)), isSealInvalid, `opening with byte ${at} altered`)
        yield* expectFailure(keys.open(purpose, sealed.subarray(0, at)), isSealInvalid, `opening the first ${at} bytes`)
      }
      const longer = new Uint8Array(sealed.length + 1)
      longer.set(sealed)
      yield* expectFailure(keys.open(purpose, longer), isSealInvalid, "opening with a byte added")
    })
  },
  {
    name: "no two seals share a key stream",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const plains = Array.from({ length: 12 }, (_, index) => new Uint8Array(64).map((_, at) => index * 37 + at * at))
      const seals = yield* Effect.forEach(plains, (plain) => keys.seal(purpose, plain))
      for (let one = 0; one < seals.length; one++) {
        yield* expect(!contains(seals[one]!, plains[one]!), "the sealed bytes show the plain ones")
        for (let other = 0; other < one; other++) {
          const shared = contains(xor(seals[one]!, seals[other]!), xor(plains[one]!, plains[other]!))
          yield* expect(!shared, `seals ${one} and ${other} differ exactly as their plains do: a nonce was used twice`)
        }
      }
    })
  },
  {
    name: "neither signing nor sealing changes the caller's buffer",
    check: Effect.gen(function* () {
      const keys = yield* Keys
      const plain = utf8("buffer of the caller")
      yield* keys.sign(plain)
      yield* keys.seal(purpose, plain)
      yield* expectSame(plain, utf8("buffer of the caller"), "the caller's buffer")
    })
  }
]
