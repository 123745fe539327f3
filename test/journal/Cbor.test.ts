/** One form for each value: published vectors, an independent encoder, and bytes that only look like ours. */
import { assert, describe, it } from "@effect/vitest"
import * as cbor2 from "cbor2"
import { Buffer } from "node:buffer"
import * as Result from "effect/Result"
import fc from "fast-check"
import { type Cbor, decode, depthMaxDefault, encode } from "../../src/journal/Cbor.ts"

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex")
const nested = (depth: number): Uint8Array => new Uint8Array(depth + 1).fill(0x81, 0, depth)

const accepted = (input: Uint8Array): Cbor => Result.getOrThrowWith(decode(input), (error) => new Error(error.what))

/** RFC 8949 appendix A, what falls in our set: encodes to these bytes, and reads back as the same value. */
const vectors: ReadonlyArray<readonly [value: Cbor, hex: string]> = [
  [0, "00"],
  [1, "01"],
  [10, "0a"],
  [23, "17"],
  [24, "1818"],
  [25, "1819"],
  [100, "1864"],
  [1000, "1903e8"],
  [1000000, "1a000f4240"],
  [1000000000000, "1b000000e8d4a51000"],
  [18446744073709551615n, "1bffffffffffffffff"],
  [-18446744073709551616n, "3bffffffffffffffff"],
  [-1, "20"],
  [-10, "29"],
  [-100, "3863"],
  [-1000, "3903e7"],
  [1.1, "fb3ff199999999999a"],
  [1.5, "f93e00"],
  [5.960464477539063e-8, "f90001"],
  [0.00006103515625, "f90400"],
  [-4.1, "fbc010666666666666"],
  [false, "f4"],
  [true, "f5"],
  [null, "f6"],
  [bytes(""), "40"],
  [bytes("01020304"), "4401020304"],
  ["", "60"],
  ["a", "6161"],
  ["IETF", "6449455446"],
  ['"\\', "62225c"],
  ["\u00fc", "62c3bc"],
  ["\u6c34", "63e6b0b4"],
  ["\u{10151}", "64f0908591"],
  [[], "80"],
  [[1, 2, 3], "83010203"],
  [[1, [2, 3], [4, 5]], "8301820203820405"],
  [Array.from({ length: 25 }, (_, index) => index + 1), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"],
  [{}, "a0"],
  [{ a: 1, b: [2, 3] }, "a26161016162820203"],
  [["a", { b: "c" }], "826161a161626163"],
  [{ a: "A", b: "B", c: "C", d: "D", e: "E" }, "a56161614161626142616361436164614461656145"]
]

/** Every other vector of appendix A: a value we do not have, or another form of one we have. */
const foreignVectors: ReadonlyArray<readonly [hex: string, why: string]> = [
  ["c249010000000000000000", "a bignum"],
  ["c349010000000000000000", "a negative bignum"],
  ["f90000", "0.0 as a float"],
  ["f98000", "-0.0"],
  ["f93c00", "1.0 as a float"],
  ["f97bff", "65504.0 as a float"],
  ["fa47c35000", "100000.0 as a float"],
  ["fa7f7fffff", "3.4e38 as a float"],
  ["fb7e37e43c8800759c", "1e300"],
  ["f9c400", "-4.0 as a float"],
  ["f97c00", "Infinity"],
  ["f97e00", "NaN"],
  ["f9fc00", "-Infinity"],
  ["fa7f800000", "Infinity in 32 bits"],
  ["fa7fc00000", "NaN in 32 bits"],
  ["faff800000", "-Infinity in 32 bits"],
  ["fb7ff0000000000000", "Infinity in 64 bits"],
  ["fb7ff8000000000000", "NaN in 64 bits"],
  ["fbfff0000000000000", "-Infinity in 64 bits"],
  ["f7", "undefined"],
  ["f0", "an unassigned simple value"],
  ["f8ff", "a simple value in two bytes"],
  ["c074323031332d30332d32315432303a30343a30305a", "a date"],
  ["c11a514b67b0", "a time"],
  ["c1fb41d452d9ec200000", "a time as a float"],
  ["d74401020304", "a tag"],
  ["d818456449455446", "embedded CBOR"],
  ["d82076687474703a2f2f7777772e6578616d706c652e636f6d", "a URI"],
  ["a201020304", "integer keys"],
  ["5f42010243030405ff", "indefinite bytes"],
  ["7f657374726561646d696e67ff", "indefinite text"],
  ["9fff", "an indefinite array"],
  ["9f018202039f0405ffff", "nested indefinite arrays"],
  ["9f01820203820405ff", "an indefinite array of arrays"],
  ["83018202039f0405ff", "an indefinite array inside"],
  ["83019f0203ff820405", "an indefinite array in the middle"],
  ["bf61610161629f0203ffff", "an indefinite map"],
  ["826161bf61626163ff", "an indefinite map inside"],
  ["bf6346756ef563416d7421ff", "an indefinite map of two"]
]

/** Other bytes for values that have bytes already, and attacks on the reader: all refused, at this offset. */
const malformed: ReadonlyArray<readonly [name: string, hex: string, offset: number, what: RegExp]> = [
  ["an integer in two bytes that fits one", "82180101", 1, /shortest/],
  ["an integer in three bytes that fits two", "1900ff", 0, /shortest/],
  ["an integer in five bytes that fits three", "1a0000ffff", 0, /shortest/],
  ["an integer in nine bytes that fits five", "1b00000000ffffffff", 0, /shortest/],
  ["a negative integer that is too long", "3817", 0, /shortest/],
  ["a length that is too long", "8178016161", 1, /shortest/],
  ["an array length that is too long", "980101", 0, /shortest/],
  ["an indefinite array", "9f01ff", 0, /indefinite/],
  ["indefinite text", "817f6161ff", 1, /indefinite/],
  ["unsorted keys", "a2616201616101", 4, /order/],
  ["a longer key before a shorter one", "a262616101616201", 5, /order/],
  ["the same key twice", "a2616101616102", 4, /twice/],
  ["a key that is no text", "a10101", 1, /not text/],
  ["a float in 32 bits that fits 16", "fa3fc00000", 0, /shortest/],
  ["a float in 64 bits that fits 32", "fb3ff8000020000000", 0, /shortest/],
  ["a float in 64 bits that fits 16", "fb3ff8000000000000", 0, /shortest/],
  ["an integer as a float", "81f93c00", 1, /fraction/],
  ["NaN with a payload", "fb7ff8000000000001", 0, /fraction/],
  ["minus zero", "fb8000000000000000", 0, /fraction/],
  ["bytes behind the value", "0000", 1, /follow/],
  ["nothing at all", "", 0, /end/],
  ["a head cut short", "1903", 1, /end/],
  ["a float cut short", "fb3ff1", 1, /end/],
  ["text that is no UTF-8", "62c328", 1, /UTF-8/],
  ["a surrogate in UTF-8", "63eda080", 1, /UTF-8/],
  ["an overlong character", "62c0af", 1, /UTF-8/],
  ["text that ends inside a character", "64e282ace2", 4, /UTF-8/],
  ["malformed text behind a replacement character", "64efbfbdff", 4, /UTF-8/],
  ["a small bignum", "c24101", 0, /tag/],
  ["undefined", "81f7", 1, /simple/],
  ["false in two bytes", "f814", 0, /simple/],
  ["a break without a beginning", "ff", 0, /simple/],
  ["a reserved head", "1c", 0, /reserved/],
  ["an array that claims 2^32 items", "9affffffff00", 0, /left/],
  ["an array that claims 2^64 items", "9bffffffffffffffff00", 0, /left/],
  ["a map that claims more pairs than bytes", "a2616101", 0, /left/],
  ["bytes that claim 2^40", "5b0000010000000000", 0, /left/],
  ["text that claims more than there is", "816261", 1, /left/]
]

/** Numbers without a fraction are safe; others are any double that has one. */
const numbers = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
  fc.constantFrom(1.5, -0.25, 2 ** -14, 2 ** -24, 2 ** -25, 1023 * 2 ** -24, 2 ** -149, 5e-324, 65503.5, 0.1)
)
const wideIntegers = fc.oneof(
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
  fc.constantFrom(2n ** 53n, -(2n ** 53n), 2n ** 64n - 1n, -(2n ** 64n))
)
/** Few keys, so that maps collide with themselves: empty, magic, NUL, long, both sides of the surrogates. */
const keys = fc.oneof(
  fc.constantFrom("", "__proto__", "constructor", "a", "b", "aa", "\0", "a\0b", "1", "\u00e9", "\uffff", "\u{1f511}"),
  fc.string({ unit: "binary", maxLength: 4 })
)
const texts = fc.oneof(keys, fc.string({ unit: "grapheme", maxLength: 90 }), fc.constantFrom("\ufeff", "\ufffd"))
const mapOf = (pairs: ReadonlyArray<readonly [string, Cbor]>): { readonly [key: string]: Cbor } =>
  Object.fromEntries(pairs)
const values: fc.Arbitrary<Cbor> = fc.letrec<{ value: Cbor }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom<Cbor>(null, true, false),
    numbers,
    wideIntegers,
    texts,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(keys, tie("value")), { maxLength: 6 }).map(mapOf)
  )
})).value

describe("Cbor", () => {
  it("writes and reads the vectors of RFC 8949 that are in the set", () => {
    for (const [value, expected] of vectors) {
      assert.strictEqual(hex(encode(value)), expected)
      assert.deepStrictEqual(accepted(bytes(expected)), value, expected)
    }
  })

  it("refuses every other vector of RFC 8949", () => {
    for (const [input, why] of foreignVectors) assert.isTrue(Result.isFailure(decode(bytes(input))), why)
  })

  for (const [name, input, offset, what] of malformed) {
    it(`refuses ${name}`, () => {
      const result = decode(bytes(input))
      assert.isTrue(Result.isFailure(result))
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure.offset, offset, result.failure.what)
        assert.match(result.failure.what, what)
      }
    })
  }

  it("reads back what it wrote", () => {
    fc.assert(
      fc.property(values, (value) => assert.deepStrictEqual(accepted(encode(value)), value)),
      { numRuns: 2000 }
    )
  })

  it("writes what cbor2 writes in its deterministic modes", () => {
    // dcbor wants its text normalised and has no integer below -2^63; cde has both and the same bytes otherwise.
    fc.assert(
      fc.property(values, (value) =>
        assert.strictEqual(hex(encode(value)), hex(cbor2.encode(value, cbor2.cdeEncodeOptions)))
      ),
      { numRuns: 2000 }
    )
    fc.assert(
      fc.property(
        fc.oneof(numbers, fc.array(numbers), fc.dictionary(fc.string({ unit: "grapheme-ascii" }), numbers)),
        (value) => assert.strictEqual(hex(encode(value)), hex(cbor2.encode(value, cbor2.dcborEncodeOptions)))
      )
    )
  })

  it("reads nothing from random bytes that it would not write the same", () => {
    const start = fc.constantFrom(0x81, 0x82, 0xa1, 0xa2, 0x61, 0x62, 0x18, 0x19, 0xf9, 0xfa, 0xfb, 0x00, 0x20, 0x41)
    const plausible = fc.array(fc.oneof(start, fc.integer({ min: 0, max: 255 })), { maxLength: 24 })
    let count = 0
    fc.assert(
      fc.property(plausible, (list) => {
        const input = Uint8Array.from(list)
        const result = decode(input)
        if (Result.isFailure(result)) return assert.isAtMost(result.failure.offset, input.length)
        count++
        assert.strictEqual(hex(encode(result.success)), hex(input))
      }),
      { numRuns: 20_000 }
    )
    assert.isAbove(count, 200)
  })

  it("reads nothing from altered encodings that it would not write the same", () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, position, change) => {
        const input = encode(value)
        const index = position % input.length
        input[index] = input[index]! ^ change
        const result = decode(input)
        if (Result.isSuccess(result)) assert.strictEqual(hex(encode(result.success)), hex(input))
      }),
      { numRuns: 5000 }
    )
  })

  it("writes the same bytes whatever the order in which properties were set", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(keys, numbers), { selector: ([key]) => key, maxLength: 8 }), (pairs) =>
        assert.strictEqual(hex(encode(mapOf(pairs))), hex(encode(mapOf(pairs.toReversed()))))
      )
    )
  })

  it("tells maps apart whose keys differ only by emptiness or NUL", () => {
    const written = [{}, { "": 1 }, { "\0": 1 }, { "": 1, "\0": 1 }, { a: 1, b: 1 }, { "a\0b": 1 }].map((value) =>
      hex(encode(value))
    )
    assert.strictEqual(new Set(written).size, written.length)
  })

  it("keeps a key named __proto__ as a key and pollutes nothing", () => {
    const input = encode(mapOf([["__proto__", { polluted: true }]]))
    const value = accepted(input)
    assert.deepStrictEqual(Object.keys(value as object), ["__proto__"])
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
    assert.isUndefined((value as { polluted?: unknown }).polluted)
    assert.strictEqual(hex(encode(value)), hex(input))
  })

  it("writes minus zero as zero, and a bigint that is safe as the number it is", () => {
    assert.strictEqual(hex(encode(-0)), "00")
    assert.strictEqual(hex(encode(5n)), "05")
    assert.strictEqual(hex(encode(-1n)), "20")
    assert.strictEqual(accepted(encode(BigInt(Number.MAX_SAFE_INTEGER))), Number.MAX_SAFE_INTEGER)
    assert.strictEqual(accepted(encode(BigInt(Number.MIN_SAFE_INTEGER))), Number.MIN_SAFE_INTEGER)
  })

  it("dies on what has no encoding", () => {
    const cyclic: Array<unknown> = []
    cyclic.push(cyclic)
    class Named {}
    const without: ReadonlyArray<unknown> = [
      undefined,
      NaN,
      Infinity,
      2 ** 53,
      -(2 ** 53),
      1e300,
      2n ** 64n,
      -(2n ** 64n) - 1n,
      "\ud800",
      "a".repeat(90) + "\udc00",
      { "\udfff": 1 },
      { a: undefined },
      [, 1],
      () => 1,
      Symbol("a"),
      new Map([["a", 1]]),
      new Date(0),
      new Named(),
      new Uint16Array(1),
      cyclic
    ]
    for (const value of without) {
      assert.throws(() => encode(value as Cbor))
      assert.throws(() => encode([1, value as Cbor]))
    }
    assert.strictEqual(hex(encode([1])), "8101")
  })

  it("limits nesting on both sides alike", () => {
    const deepest = accepted(nested(depthMaxDefault))
    assert.strictEqual(hex(encode(deepest)), hex(nested(depthMaxDefault)))
    const tooDeep = decode(nested(depthMaxDefault + 1))
    assert.deepStrictEqual(Result.isFailure(tooDeep) && tooDeep.failure.offset, depthMaxDefault)
    assert.throws(() => encode([deepest]), RangeError)
    assert.deepStrictEqual(accepted(encode([deepest], { depthMax: 99 }).slice(1)), deepest)
    assert.isTrue(Result.isFailure(decode(bytes("8180"), { depthMax: 1 })))
    assert.isTrue(Result.isSuccess(decode(bytes("8100"), { depthMax: 1 })))
    assert.isTrue(Result.isFailure(decode(nested(10_000))))
    assert.isTrue(Result.isFailure(decode(nested(1_000_000))))
  })

  it("hands out copies, also when it is given a platform's own kind of byte array", () => {
    for (const input of [bytes("4401020304"), Buffer.from("4401020304", "hex"), bytes("ff4401020304").subarray(1)]) {
      const value = accepted(input)
      input.fill(0)
      assert.deepStrictEqual(value, bytes("01020304"))
    }
  })

  it("survives a property that encodes while it is being encoded", () => {
    const value = {
      get a() {
        return encode([1, 2, 3])
      },
      b: "b"
    }
    assert.strictEqual(hex(encode(value)), hex(encode({ a: bytes("83010203"), b: "b" })))
  })

  it("reads large values that grow its buffers", () => {
    const value = {
      blob: new Uint8Array(3_000_000).fill(7),
      list: Array.from({ length: 5000 }, (_, index) => index),
      text: "\u00fc".repeat(100_000)
    }
    assert.deepStrictEqual(accepted(encode(value)), value)
  })
})
