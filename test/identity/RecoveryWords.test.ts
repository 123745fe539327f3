/** Words to key and back, and what a person is told about words that are none. */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import fc from "fast-check"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { toBytes } from "../../src/identity/Id.ts"
import { verify } from "../../src/identity/Signature.ts"

const read = (words: string) => RecoveryWords.seed(Redacted.make(words))
const entropyOf = (words: string): Uint8Array =>
  Redacted.value(Result.getOrThrowWith(read(words), ({ what }) => new Error(what)))
const failureOf = (words: string): RecoveryWords.WordsInvalid => {
  const result = read(words)
  if (Result.isSuccess(result)) throw new Error("the words were accepted")
  return result.failure
}

/** Published with BIP-39. */
const published: ReadonlyArray<readonly [fill: number, words: string]> = [
  [0x00, `${"abandon ".repeat(23)}art`],
  [
    0x7f,
    "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title"
  ],
  [0xff, `${"zoo ".repeat(23)}vote`]
]
const zeros = published[0]![1]

describe("RecoveryWords", () => {
  it("makes and reads the published words", () => {
    for (const [fill, words] of published) {
      const entropy = new Uint8Array(32).fill(fill)
      assert.strictEqual(Redacted.value(RecoveryWords.make(entropy)), words)
      assert.deepStrictEqual(entropyOf(words), entropy)
    }
  })

  it("reads back what it made", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (entropy) =>
        assert.deepStrictEqual(entropyOf(Redacted.value(RecoveryWords.make(entropy))), entropy)
      )
    )
  })

  it("forgives case, spaces and line ends, and nothing else", () => {
    const words = published[1]![1]
    const entropy = entropyOf(words)
    const forgiven = [
      words.toUpperCase(),
      `\n ${words} \r\n`,
      words.replaceAll(" ", "  "),
      words.replaceAll(" ", "\r\n")
    ]
    for (const typed of forgiven) assert.deepStrictEqual(entropyOf(typed), entropy)
    for (const typed of [
      words.replace("winner", "winnr"),
      words.replaceAll(" ", ","),
      `1. ${words}`,
      words.replace("legal", "lega")
    ]) {
      assert.strictEqual(failureOf(typed).reason, "Unknown")
    }
  })

  it("names the numbers of all unknown words, and never a word", () => {
    const list = published[1]![1].split(" ")
    const failure = failureOf(list.with(2, "thnak").with(23, "tittle").join(" "))
    assert.deepStrictEqual(failure.wordNumbers, [3, 24])
    assert.match(failure.what, /word 3, 24 of 24/)
    for (const word of ["thnak", "tittle", "winner"]) assert.notInclude(JSON.stringify(failure), word)
  })

  it("says how many words there are and how many there have to be", () => {
    for (const [count, words] of [
      [0, ""],
      [0, "\n"],
      [23, "abandon ".repeat(23)],
      [25, `${zeros} art`]
    ] as const) {
      assert.deepStrictEqual(failureOf(words), {
        _tag: "WordsInvalid",
        reason: "Count",
        wordNumbers: [],
        what: `${count} words instead of 24`
      })
    }
    // Twelve words are valid BIP-39, but no root key of ours.
    assert.strictEqual(failureOf(`${"abandon ".repeat(11)}about`).reason, "Count")
  })

  it("finds words that are swapped or replaced within the list", () => {
    assert.strictEqual(failureOf("abandon ".repeat(24)).reason, "Checksum")
    assert.strictEqual(failureOf(zeros.replace("abandon", "ability")).reason, "Checksum")
    assert.notInclude(failureOf("abandon ".repeat(24)).what, "abandon")
  })

  it("gives the root key that node and RFC 8032 give for the same seed", () => {
    const seed = Redacted.make(
      Uint8Array.from(Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex"))
    )
    assert.strictEqual(RecoveryWords.rootOf(seed), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    const message = new TextEncoder().encode("the first phone is gone")
    assert.isTrue(verify(toBytes(RecoveryWords.rootOf(seed)), message, RecoveryWords.signer(seed)(message)))
  })

  it("prints neither words nor seed", () => {
    const words = RecoveryWords.make(new Uint8Array(32))
    const seed = Result.getOrThrow(RecoveryWords.seed(words))
    assert.notInclude(`${String(words)} ${JSON.stringify(words)} ${String(seed)} ${JSON.stringify(seed)}`, "abandon")
    assert.strictEqual(JSON.stringify(seed), '"<redacted:root key>"')
  })

  it("dies on entropy of another size", () => {
    for (const size of [0, 16, 31, 33]) assert.throws(() => RecoveryWords.make(new Uint8Array(size)), RangeError)
  })
})
