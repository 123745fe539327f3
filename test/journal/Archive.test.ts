/** Archives: what is written is read back in whatever pieces it comes, and nothing else passes for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { readFileSync } from "node:fs"
import { domain, hash } from "../../src/identity/Hash.ts"
import { entryHash, feedId, spaceId } from "../../src/identity/Id.ts"
import * as Archive from "../../src/journal/Archive.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import { headerBytesMax, runBytesMax } from "../../src/journal/limits.ts"
import { bytesOf, fromHex, hexOf } from "./writing.ts"

const Vectors = Schema.Struct({
  items: Schema.Array(Schema.String),
  records: Schema.Array(Schema.String),
  root: Schema.String
})
const vectors = Schema.decodeUnknownSync(Schema.fromJsonString(Vectors))(
  readFileSync(new URL("../vectors/archive.json", import.meta.url), "utf8")
)
const records = vectors.records.map(fromHex)
const file = Buffer.concat(records)

/** What a reader says to a file that comes in pieces of these sizes, again and again. */
const readIn = (bytes: Uint8Array, sizes: ReadonlyArray<number>) => {
  const reader = Archive.reader()
  const items: Array<Archive.Placed> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    const taken = reader.take(bytes.slice(at, at + size))
    if (Result.isFailure(taken)) return Result.fail(taken.failure)
    items.push(...taken.success)
    at += size
  }
  return Result.map(reader.end(), () => items)
}

/** A record of any payload, as a writer would chain it. */
const chained = (payloads: ReadonlyArray<Cbor.Cbor>): Uint8Array => {
  let before: Uint8Array = new Uint8Array(32)
  const parts = payloads.flatMap((one) => {
    const payload = Cbor.encode(one)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(payload.length)
    before = hash(domain("aura/archive/v1"), before, payload)
    return [length, payload, before]
  })
  return new Uint8Array(Buffer.concat(parts))
}

describe("an archive", () => {
  it("is what it was when it was frozen, both ways", () => {
    const items = Result.getOrThrow(readIn(file, [file.length]))
    assert.deepStrictEqual(
      items.map(({ _tag }) => _tag),
      vectors.items
    )
    const encode = Archive.writer()
    assert.deepStrictEqual(
      items.map(({ offset: _, ...item }) => hexOf(encode(item))),
      vectors.records
    )
    const total = items.at(-1)!
    assert.strictEqual(total._tag === "Total" && hexOf(total.root), vectors.root)
  })

  it("is the same in whatever pieces it comes", () => {
    const whole = readIn(file, [file.length])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), (sizes) => {
        assert.deepStrictEqual(readIn(file, sizes), whole)
      })
    )
  })

  it("with any byte altered is refused, at the record that holds it", () => {
    const starts = records.map((_, index) => records.slice(0, index).reduce((sum, { length }) => sum + length, 0))
    for (let at = 0; at < file.length; at++) {
      const altered = new Uint8Array(file)
      altered[at]! ^= 1 << (at % 8)
      const read = readIn(altered, [1_000])
      assert.isTrue(Result.isFailure(read), `byte ${at}`)
      if (Result.isFailure(read) && read.failure._tag === "ArchiveMalformed")
        assert.strictEqual(
          read.failure.offset,
          starts.findLast((start) => start <= at),
          `byte ${at}`
        )
    }
  })

  it("that is cut off anywhere, or goes on, is refused", () => {
    for (let end = 0; end < file.length; end++)
      assert.isTrue(Result.isFailure(readIn(file.subarray(0, end), [1_000])), `${end} bytes`)
    assert.isTrue(Result.isFailure(readIn(Buffer.concat([file, new Uint8Array(1)]), [1_000])))
  })

  it("with a record left out, or two changed about, is refused", () => {
    for (let index = 0; index < records.length; index++) {
      const without = records.filter((_, other) => other !== index)
      assert.isTrue(Result.isFailure(readIn(Buffer.concat(without), [1_000])), `without ${index}`)
    }
    const swapped = [...records]
    ;[swapped[1], swapped[2]] = [swapped[2]!, swapped[1]!]
    assert.isTrue(Result.isFailure(readIn(Buffer.concat(swapped), [1_000])))
  })

  it("of a later version is told by its number, whatever else is in it", () => {
    const read = readIn(chained([["aura archive", 7, { something: "new" }, 1]]), [1_000])
    assert.deepStrictEqual(read, Result.fail({ _tag: "ArchiveLater", found: 7 }))
  })

  it.each([
    ["another's file", [["tar archive", 1, 0]]],
    [
      "a feed of no space",
      [
        ["aura archive", 1, 0],
        [3, new Uint8Array(1), 0]
      ]
    ],
    [
      "a run of no feed",
      [
        ["aura archive", 1, 0],
        [2, bytesOf("s")],
        [4, new Uint8Array(1)]
      ]
    ],
    [
      "a path out of the directory",
      [
        ["aura archive", 1, 1],
        [1, "../evil", 0, new Uint8Array(1)]
      ]
    ],
    ["an unknown kind", [["aura archive", 1, 0], [9]]]
  ])("holds no %s", (_, payloads) => {
    const read = readIn(chained(payloads), [1_000])
    assert.isTrue(Result.isFailure(read) && read.failure._tag === "ArchiveMalformed")
  })

  it("has a root that depends on the entries, and on no order", () => {
    const end = (feed: string, entries: number) => ({
      feed: feedId(bytesOf(feed)),
      entries,
      hash: entryHash(bytesOf(`${feed} ${entries}`))
    })
    const [one, two] = [spaceId(bytesOf("one")), spaceId(bytesOf("two"))]
    const root = (...spaces: ReadonlyArray<readonly [typeof one, ReadonlyArray<Archive.End>]>) =>
      hexOf(Archive.rootOf(new Map(spaces)))
    const whole = root([one, [end("a", 1), end("b", 2)]], [two, []])
    assert.strictEqual(root([two, []], [one, [end("b", 2), end("a", 1)]]), whole)
    assert.notStrictEqual(root([one, [end("a", 1), end("b", 3)]], [two, []]), whole)
    assert.notStrictEqual(root([one, [end("a", 1)]], [two, [end("b", 2)]]), whole)
  })

  it("has room for the largest of what it holds", () => {
    assert.isAbove(Archive.recordBytesMax, Archive.headsMax * (32 + 32 + 16))
    assert.isAbove(Archive.recordBytesMax, runBytesMax + headerBytesMax)
    assert.isAbove(Archive.recordBytesMax, Archive.pieceBytesMax + 1_000)
  })
})
