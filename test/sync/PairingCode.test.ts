/** The form of a code, what a typing person is forgiven and told, and proofs that fit one channel. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import fc from "fast-check"
import { createHash, createHmac } from "node:crypto"
import { deviceId } from "../../src/identity/Id.ts"
import * as PairingCode from "../../src/sync/PairingCode.ts"

const alice = deviceId(new Uint8Array(32).fill(0xa1))
const mallory = deviceId(new Uint8Array(32).fill(0xee))
const secret = Redacted.make(Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]))
const address = "Home.example:8443"
const text = Redacted.value(PairingCode.encode(PairingCode.make(alice, secret, address)))
const [digits = ""] = text.slice("aura-".length).split("@")

const read = (typed: string) => PairingCode.decode(Redacted.make(typed))
const accepted = (typed: string): PairingCode.PairingCode =>
  Result.getOrThrowWith(read(typed), ({ what }) => new Error(what))
const reasonOf = (typed: string): string =>
  Result.match(read(typed), { onSuccess: () => "Accepted", onFailure: ({ reason }) => reason })
const whatOf = (typed: string): string =>
  Result.match(read(typed), { onSuccess: () => "", onFailure: ({ what }) => what })
const content = (code: PairingCode.PairingCode) => [code.issuer, Redacted.value(code.secret), code.address]

describe("PairingCode", () => {
  it("has the form that its format says", () => {
    assert.match(text, /^aura-([0-9A-HJKMNP-TV-Z]{4}-){11}[0-9A-HJKMNP-TV-Z]{4}@Home\.example:8443$/)
    assert.strictEqual(text, "aura-0630-B9CT-8WZS-Y5JK-8G92-G8NP-5J2G-0082-0C20-A1G7-13ZR-5R68@Home.example:8443")
    const hashed = createHash("sha256").update("aura/pairing-issuer/v1\0").update(Buffer.alloc(32, 0xa1)).digest()
    const body = Buffer.concat([Buffer.of(1), hashed.subarray(0, 16), Redacted.value(secret)])
    const checksum = createHash("sha256").update("aura/pairing-checksum/v1\0").update(body).digest().subarray(0, 3)
    const bits = BigInt(`0x${Buffer.concat([body, checksum]).toString("hex")}`)
      .toString(32)
      .padStart(48, "0")
    const crockford = [...bits].map((digit) => "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[Number.parseInt(digit, 32)]).join("")
    assert.strictEqual(digits.replaceAll("-", ""), crockford)
  })

  it("reads back what it wrote", () => {
    const addresses = fc.constantFrom("a", "[::1]:1", "wss://host/path?x=@y", "a".repeat(255), "user@host:1")
    const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(deviceId)
    const secrets = fc.uint8Array({ minLength: 10, maxLength: 10 })
    fc.assert(
      fc.property(ids, secrets, addresses, (issuer, bytes, where) => {
        const code = PairingCode.make(issuer, Redacted.make(bytes), where)
        const copy = accepted(Redacted.value(PairingCode.encode(code)))
        assert.deepStrictEqual(content(copy), content(code))
        assert.isTrue(PairingCode.isIssuer(copy, issuer))
      })
    )
  })

  it("forgives what Crockford forgives, in the code and not in the address", () => {
    const lookalikes = digits.replaceAll("0", "O").replaceAll("1", "l")
    assert.notStrictEqual(lookalikes, digits)
    for (const typed of [
      text.toLowerCase().replace("home", "Home"),
      `${digits}@${address}`,
      `AURA-${digits}@${address}`,
      `aura-${lookalikes}@${address}`,
      `aura-${lookalikes.toLowerCase().replaceAll("l", "I")}@${address}`,
      `aura-${digits.replaceAll("-", "")}@${address}`,
      `--${digits.replaceAll("-", "--")}-@${address}`,
      `  ${text}\n`
    ]) {
      assert.deepStrictEqual(content(accepted(typed)), content(accepted(text)), typed)
    }
    assert.strictEqual(accepted(text.replace("Home", "HOME")).address, "HOME.example:8443")
  })

  it("names the position of a character that is in no code", () => {
    for (const [typed, position] of [
      [`U${text.slice(1)}`, 1],
      [text.slice(0, 5) + "U" + text.slice(6), 6],
      [text.slice(0, 10) + "*" + text.slice(11), 11],
      [text.slice(0, 7) + " " + text.slice(7), 8],
      [text.slice(0, 8) + "\u0131" + text.slice(9), 9],
      [text.slice(0, 8) + "\u017f" + text.slice(9), 9],
      [`${digits.slice(0, 3)}u`, 4]
    ] as const) {
      assert.strictEqual(reasonOf(typed), "Character")
      assert.include(whatOf(typed), `position ${position} `)
    }
  })

  it("finds every single wrong character and every swap of neighbours", () => {
    const plain = digits.replaceAll("-", "")
    for (let index = 0; index < plain.length; index++) {
      const other = plain[index] === "7" ? "8" : "7"
      assert.strictEqual(reasonOf(`${plain.slice(0, index)}${other}${plain.slice(index + 1)}@a`), "Checksum")
      if (index > 0 && plain[index - 1] !== plain[index]) {
        const swapped = `${plain.slice(0, index - 1)}${plain[index]}${plain[index - 1]}${plain.slice(index + 1)}`
        assert.strictEqual(reasonOf(`${swapped}@a`), "Checksum")
      }
    }
  })

  it("says that characters are missing or too many", () => {
    const plain = digits.replaceAll("-", "")
    assert.strictEqual(whatOf(`${plain.slice(1)}@a`), "the code has 47 characters instead of 48")
    assert.strictEqual(whatOf(`${plain.slice(0, 40)}@a`), "the code has 40 characters instead of 48")
    for (const typed of ["", "aura-", "@", "@host:1", "0", `${plain}0@a`, `${plain}00000000@a`]) {
      assert.strictEqual(reasonOf(typed), "Length", typed)
    }
  })

  it("tells a code of a newer version from one that is mistyped", () => {
    const body = Buffer.concat([Buffer.of(2), Buffer.alloc(31)])
    const checksum = createHash("sha256").update("aura/pairing-checksum/v1\0").update(body).digest().subarray(0, 3)
    const bits = BigInt(`0x${Buffer.concat([body, checksum]).toString("hex")}`)
      .toString(32)
      .padStart(56, "0")
    const newer = [...bits].map((digit) => "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[Number.parseInt(digit, 32)]).join("")
    assert.strictEqual(reasonOf(`${newer}@a`), "Version")
    assert.include(whatOf(`${newer}@a`), "version 2")
    assert.strictEqual(reasonOf(`${newer.slice(0, -1)}Z@a`), "Checksum")
  })

  it("wants an address", () => {
    for (const typed of [digits, `${digits}@`, `${digits}@ `]) assert.strictEqual(reasonOf(typed), "Address", typed)
    assert.include(whatOf(digits), "missing")
    for (const where of ["a b", "a\u0007b", "h\u00f6st", "a".repeat(256)]) {
      assert.strictEqual(reasonOf(`${digits}@${where}`), "Address")
      assert.throws(() => PairingCode.make(alice, secret, where), RangeError)
    }
  })

  it("shows nothing of the secret in errors and prints", () => {
    const code = accepted(text)
    const printed = [String(PairingCode.encode(code)), JSON.stringify({ ...code, issuer: "" }), String(code.secret)]
    assert.deepStrictEqual(
      printed.filter((line) => line.includes(digits.slice(-9)) || line.includes("[0,1,2")),
      []
    )
    assert.include(printed[1], "redacted")
    for (const typed of [digits, `${digits}0@a`, `${digits.slice(0, -1)}*@a`, `${digits.slice(0, -1)}@a`]) {
      for (const group of digits.split("-")) assert.notInclude(whatOf(typed), group)
    }
  })

  it("knows its issuer from everybody else", () => {
    assert.isTrue(PairingCode.isIssuer(accepted(text), alice))
    assert.isFalse(PairingCode.isIssuer(accepted(text), mallory))
  })

  it("proves the secret for one channel only", () => {
    const channel = new Uint8Array(32).fill(1)
    const key = PairingCode.proofKey(secret)
    const proof = PairingCode.proof(secret, channel)
    const hmacKey = createHash("sha256").update("aura/pairing-secret/v1\0").update(Redacted.value(secret)).digest()
    const expected = createHmac("sha256", hmacKey).update("aura/pairing-proof/v1\0").update(channel).digest("hex")
    assert.strictEqual(Buffer.from(proof).toString("hex"), expected)
    assert.isTrue(PairingCode.isProof(key, channel, proof))
    assert.isFalse(PairingCode.isProof(key, new Uint8Array(32).fill(2), proof))
    assert.isFalse(PairingCode.isProof(PairingCode.proofKey(Redacted.make(new Uint8Array(10))), channel, proof))
    assert.isFalse(PairingCode.isProof(key, channel, proof.subarray(0, 31)))
    assert.isFalse(PairingCode.isProof(key, channel, new Uint8Array(0)))
    for (let index = 0; index < 32; index++)
      assert.isFalse(PairingCode.isProof(key, channel, proof.with(index, proof[index]! ^ 1)))
  })

  it("dies on a secret of another size", () => {
    for (const size of [0, 9, 11]) {
      assert.throws(() => PairingCode.make(alice, Redacted.make(new Uint8Array(size)), address), RangeError)
    }
  })
})
