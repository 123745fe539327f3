/** The acceptance rule on honest and on hand-made signatures, beside OpenSSL and the laxer rules of the library. */
import { assert, describe, it } from "@effect/vitest"
import { ed25519 } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import fc from "fast-check"
import { createPublicKey, sign, createPrivateKey, verify as verifyByOpenSsl } from "node:crypto"
import { readFileSync } from "node:fs"
import { signatureCases, type SignatureCase } from "../../src/conformance/SignatureCases.ts"
import { domain } from "../../src/identity/Hash.ts"
import { satisfies, isSound, isWellFormed, verify } from "../../src/identity/Signature.ts"
import { signed } from "../../src/identity/Signing.ts"

const cases = signatureCases()
const withName = (words: string): ReadonlyArray<SignatureCase> => cases.filter(({ name }) => name.includes(words))
const openSsl = ({ publicKey, message, signature }: SignatureCase): boolean => {
  const x = Buffer.from(publicKey).toString("base64url")
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })
  return verifyByOpenSsl(null, message, key, signature)
}
const noble = ({ publicKey, message, signature }: SignatureCase, zip215: boolean): boolean =>
  ed25519.verify(signature, message, publicKey, { zip215 })

/** The equation with S taken modulo L, as a verifier computes it that does not check S. */
const isReduced = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const s = bytesToNumberLE(signature.subarray(32)) % ed25519.Point.Fn.ORDER
  return satisfies(publicKey, message, Uint8Array.of(...signature.subarray(0, 32), ...numberToBytesLE(s, 32)))
}

/** RFC 8032 §7.1, tests 1 to 3. */
const published = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
  },
  {
    seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
  }
]

describe("Signature", () => {
  it("accepts the published signatures", () => {
    for (const vector of published) {
      const [publicKey, message, signature] = [vector.publicKey, vector.message, vector.signature].map(hexToBytes)
      assert.strictEqual(bytesToHex(ed25519.getPublicKey(hexToBytes(vector.seed))), vector.publicKey)
      assert.isTrue(verify(publicKey!, message!, signature!))
      assert.isFalse(verify(publicKey!, Uint8Array.of(1, ...message!), signature!))
    }
  })

  for (const signatureCase of cases) {
    it(`${signatureCase.holds ? "accepts" : "refuses"} ${signatureCase.name}`, () => {
      const { publicKey, message, signature, holds } = signatureCase
      assert.strictEqual(verify(publicKey, message, signature), holds)
      assert.strictEqual(isWellFormed(signature) && isSound(publicKey) && openSsl(signatureCase), holds)
    })
  }

  it("decides the frozen cases as it decides those it makes today", () => {
    const frozen: unknown = JSON.parse(readFileSync(new URL("../vectors/ed25519.json", import.meta.url), "utf8"))
    const made = cases.map(({ name, publicKey, message, signature, holds }) => ({
      name,
      publicKey: bytesToHex(publicKey),
      message: bytesToHex(message),
      signature: bytesToHex(signature),
      holds
    }))
    assert.deepStrictEqual(made, frozen)
  })

  it("refuses what laxer rules accept, so every hand-made case has teeth", () => {
    const cofactored = (hand: SignatureCase) => noble(hand, true)
    const cofactorless = ({ publicKey, message, signature }: SignatureCase) => satisfies(publicKey, message, signature)
    const teeth: ReadonlyArray<readonly [words: string, isAccepted: (hand: SignatureCase) => boolean, count: number]> =
      [
        ["R with a component of order", cofactored, 7],
        ["R of order", cofactored, 8],
        ["R of order 1", cofactorless, 1],
        ["a key of order", cofactored, 8],
        ["a key of order", cofactorless, 8],
        ["that cancels out", cofactored, 7],
        ["that cancels out", cofactorless, 7],
        ["that does not", cofactored, 7],
        ["R that is not canonical: y = p", cofactored, 4],
        ["a key that is not canonical: y = p", cofactored, 4]
      ]
    for (const [words, isAccepted, count] of teeth) {
      assert.strictEqual(withName(words).filter(isAccepted).length, count, words)
      assert.isTrue(withName(words).every(({ holds }) => !holds))
    }
  })

  it("needs each of its steps", () => {
    const steps = ({ publicKey, message, signature }: SignatureCase) =>
      [
        isSound(publicKey),
        isWellFormed(signature),
        signature.length === 64 && isReduced(publicKey, message, signature)
      ] as const
    for (const step of [0, 1, 2]) {
      const only = cases.filter((hand) => steps(hand).every((passed, index) => passed === (index !== step)))
      assert.isAbove(only.length, 4)
    }
  })

  it("finds S and R well formed exactly up to their limits", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const prime = 2n ** 255n - 19n
    const bytesOf = (value: bigint) => hexToBytes(value.toString(16).padStart(64, "0")).toReversed()
    const isFine = (r: bigint, s: bigint) => isWellFormed(Uint8Array.of(...bytesOf(r), ...bytesOf(s)))
    const sign = 2n ** 255n
    assert.isTrue(isFine(5n, order - 1n))
    assert.isFalse(isFine(5n, order))
    assert.isFalse(isFine(5n, order + 1n))
    assert.isFalse(isFine(5n, 2n ** 256n - 1n))
    assert.isTrue(isFine(prime - 1n, 0n))
    assert.isFalse(isFine(prime, 0n))
    assert.isFalse(isFine(sign - 1n, 0n))
    assert.isTrue(isFine(sign + 2n, 0n))
    assert.isTrue(isFine(0n, 0n))
    assert.isTrue(isFine(2n, 0n))
    assert.isFalse(isFine(1n, 0n))
    assert.isFalse(isFine(sign + 1n, 0n))
    assert.isFalse(isFine(sign + prime - 1n, 0n))
    assert.isTrue(isFine(sign + prime - 2n, 0n))
  })

  it("decides as OpenSSL does on honest signatures and their alterations", () => {
    const seeds = fc.constantFrom(1, 2, 3).map((fill) => new Uint8Array(32).fill(fill))
    const alterations = fc.option(fc.tuple(fc.nat({ max: 63 }), fc.integer({ min: 1, max: 255 })), { freq: 2 })
    fc.assert(
      fc.property(
        seeds,
        seeds,
        fc.uint8Array({ maxLength: 80 }),
        alterations,
        (signer, claimed, message, alteration) => {
          const d = Buffer.from(signer).toString("base64url")
          const x = Buffer.from(ed25519.getPublicKey(signer)).toString("base64url")
          const key = createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", d, x }, format: "jwk" })
          const signature = new Uint8Array(sign(null, message, key))
          if (alteration !== null) signature[alteration[0]]! ^= alteration[1]
          const publicKey = ed25519.getPublicKey(claimed)
          const isOurs = verify(publicKey, message, signature)
          assert.strictEqual(isOurs, openSsl({ name: "", publicKey, message, signature, holds: false }))
          assert.strictEqual(isOurs, alteration === null && signer[0] === claimed[0])
        }
      ),
      { numRuns: 60 }
    )
  })

  it("puts the tag in front of the parts", () => {
    const message = signed(domain("aura/test/v1"), Uint8Array.of(1, 2), Uint8Array.of(3))
    assert.strictEqual(new TextDecoder().decode(message.subarray(0, 12)), "aura/test/v1")
    assert.deepStrictEqual([...message.subarray(12)], [0, 1, 2, 3])
  })
})
