/** The standards' own examples: RFC 9421 Appendix B.2.6, RFC 9530 Appendices B and D, and malformed structured fields. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto"
import * as MessageSignature from "../../../src/cli/web/MessageSignature.ts"
import * as StructuredField from "../../../src/cli/web/StructuredField.ts"

const publicKey = createPublicKey({
  key: Buffer.from("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=", "base64"),
  format: "der",
  type: "spki"
})
const privateKey = createPrivateKey({
  key: Buffer.from("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF", "base64"),
  format: "der",
  type: "pkcs8"
})

/** The request that the examples of RFC 9421 sign. */
const testRequest: MessageSignature.Message = {
  method: "POST",
  targetUri: "https://example.com/foo?param=Value&Pet=dog",
  header: (name) =>
    ({
      host: "example.com",
      date: "Tue, 20 Apr 2021 02:07:55 GMT",
      "content-type": "application/json",
      "content-length": "18"
    })[name]
}

const input =
  'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'
const signature = "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"

const parsed = (text: string): StructuredField.Dictionary => Result.getOrThrow(StructuredField.parseDictionary(text))

const listOf = (text: string): StructuredField.ListMember => {
  const member = [...parsed(text).values()][0]
  if (member?._tag !== "List") throw new Error("no list")
  return member
}

describe("RFC 9421 B.2.6", () => {
  const { items, parameters } = listOf(input)
  const base = MessageSignature.base(
    testRequest,
    items.map(({ item }) => String(item.value)),
    parameters
  )

  it("has this base", () => {
    assert.strictEqual(
      Buffer.from(base!).toString(),
      [
        '"date": Tue, 20 Apr 2021 02:07:55 GMT',
        '"@method": POST',
        '"@path": /foo',
        '"@authority": example.com',
        '"content-type": application/json',
        '"content-length": 18',
        `"@signature-params": ${input.slice("sig-b26=".length)}`
      ].join("\n")
    )
  })

  it("verifies and is made again byte for byte", () => {
    const member = parsed(signature).get("sig-b26")
    assert.strictEqual(member?._tag, "Item")
    const bytes = member?._tag === "Item" && member.item._tag === "Bytes" ? member.item.value : new Uint8Array()
    assert.isTrue(verify(null, base!, publicKey, bytes))
    assert.deepStrictEqual(Uint8Array.from(sign(null, base!, privateKey)), bytes)
  })
})

describe("a signature base", () => {
  const cover = (...names: ReadonlyArray<string>) => MessageSignature.base(testRequest, names, new Map())

  it("knows the whole target and its query", () => {
    assert.include(
      Buffer.from(cover("@target-uri", "@query")!).toString(),
      '"@target-uri": https://example.com/foo?param=Value&Pet=dog\n"@query": ?param=Value&Pet=dog\n'
    )
  })

  it("is none for what is missing, repeated, unknown or not ASCII", () => {
    assert.isUndefined(cover("digest"))
    assert.isUndefined(cover("date", "date"))
    assert.isUndefined(cover("@status"))
    assert.isUndefined(cover("Date"))
    assert.isUndefined(MessageSignature.base({ ...testRequest, header: () => "caf\u00e9" }, ["date"], new Map()))
    assert.isUndefined(
      MessageSignature.base({ ...testRequest, header: () => 'x\n"@method": GET' }, ["date"], new Map())
    )
  })
})

describe("RFC 9530", () => {
  const bytesOf = (text: string) => new TextEncoder().encode(text)

  it("has these digests", () => {
    assert.strictEqual(
      MessageSignature.contentDigest(bytesOf('{"hello": "world"}\n')),
      "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    )
    assert.strictEqual(
      MessageSignature.contentDigest(bytesOf('{"hello": "world"}')),
      "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    )
    assert.strictEqual(
      MessageSignature.contentDigest(bytesOf("")),
      "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    )
  })

  it("is found among others and told from a wrong one", () => {
    const field = parsed(
      "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    )
    assert.isTrue(MessageSignature.isDigestOf(field, bytesOf('{"hello": "world"}\n')))
    assert.isFalse(MessageSignature.isDigestOf(field, bytesOf('{"hello": "World"}\n')))
    assert.isFalse(MessageSignature.isDigestOf(parsed("sha-512=:AAAA:"), bytesOf("")))
    assert.isFalse(MessageSignature.isDigestOf(parsed("sha-256=token"), bytesOf("")))
  })
})

describe("a structured field", () => {
  it("is written in one form, however it was spaced", () => {
    assert.strictEqual(
      StructuredField.writeList(listOf(String.raw`a=(  "x"   "y\"\\" );  created=7;flag;t=tok/en;b=:AQI=:;no=?0`)),
      String.raw`("x" "y\"\\");created=7;flag;t=tok/en;b=:AQI=:;no=?0`
    )
  })

  it("takes the last of members and parameters that are named twice", () => {
    assert.strictEqual(StructuredField.writeList(listOf("a=(1), a=(2)")), "(2)")
    assert.strictEqual(StructuredField.writeList(listOf("a=();x=1;y=2;x=3")), "();y=2;x=3")
  })

  for (const text of [
    'a=("x"',
    'a=("x""y")',
    "a=",
    "=1",
    "a=1,",
    "a=1 b",
    'a="x',
    "a=1.5",
    "a=:A:",
    "a=:AB==",
    "A=1",
    "a=(1 2);",
    "a=?2",
    'a="\u00e9"',
    "a=1234567890123456"
  ]) {
    it(`is refused: ${text}`, () => assert.isTrue(Result.isFailure(StructuredField.parseDictionary(text))))
  }
})
