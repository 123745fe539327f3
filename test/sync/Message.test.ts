/** Messages: what is said is understood, and nothing that was not said. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import fc from "fast-check"
import { blobHash, chunkHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"
import { pieceBytesMax, type Piece } from "../../src/journal/Blob.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import type * as Frontier from "../../src/journal/Frontier.ts"
import { seqMax } from "../../src/journal/limits.ts"
import { helloSpacesMax, messageBytesMax } from "../../src/sync/limits.ts"
import * as Message from "../../src/sync/Message.ts"
import { accepted, bytesOf, fromHex, hexOf, refusal, space } from "../journal/writing.ts"

const tags = fc.constantFrom("00".repeat(16), "7f".repeat(16), "ff".repeat(16))
const feeds = fc.constantFrom(...["a", "b", "c"].map((name) => feedId(bytesOf(name))))
const seqs = fc.constantFrom(0, 1, 23, 24, 2 ** 33, seqMax - 1)
const blobs = fc.uint8Array({ maxLength: 40 })
const frontiers: fc.Arbitrary<Frontier.Frontier> = fc
  .uniqueArray(fc.tuple(feeds, seqs), { selector: ([feed]) => feed })
  .map(
    (heads) =>
      new Map(heads.sort(([a], [b]) => (a < b ? -1 : 1)).map(([feed, seq]) => [feed, { seq, mark: "ab".repeat(16) }]))
  )

const pieces: fc.Arbitrary<Piece> = fc
  .tuple(fc.boolean(), fc.constantFrom("a", "b"))
  .map(([isChunk, name]) =>
    isChunk ? { kind: "chunk", hash: chunkHash(bytesOf(name)) } : { kind: "manifest", hash: blobHash(bytesOf(name)) }
  )

const digests = fc.constantFrom("00".repeat(32), "5e".repeat(32))

const messages: fc.Arbitrary<Message.Message> = fc.oneof(
  fc.record({ _tag: fc.constant("Hello" as const), version: fc.constant(Message.version), spaces: fc.array(tags) }),
  fc.record({ _tag: fc.constant("Offer" as const), spaces: fc.array(tags) }),
  fc.record({
    _tag: fc.constant("Have" as const),
    space: tags,
    frontier: frontiers,
    upTo: fc.option(frontiers, { nil: undefined }),
    more: fc.boolean()
  }),
  fc.record({
    _tag: fc.constant("Run" as const),
    space: tags,
    header: fc.option(blobs, { nil: undefined }),
    run: blobs
  }),
  fc.record({ _tag: fc.constant("Credit" as const), space: tags, bytes: seqs }),
  fc.record({ _tag: fc.constant("Want" as const), space: tags, feed: feeds, from: seqs }),
  fc.record({ _tag: fc.constant("Fork" as const), space: tags, proof: blobs }),
  fc.record({
    _tag: fc.constant("Pairing" as const),
    fields: fc.array(fc.oneof(fc.string({ unit: "grapheme-ascii" }), blobs))
  }),
  fc.record({
    _tag: fc.constant("Digest" as const),
    space: tags,
    digest: fc.uint8Array({ minLength: 32, maxLength: 32 })
  }),
  fc.record({ _tag: fc.constant("Seek" as const), space: tags, piece: pieces }),
  fc.record({
    _tag: fc.constant("Piece" as const),
    space: tags,
    piece: pieces,
    bytes: fc.option(blobs, { nil: undefined })
  }),
  fc.record({
    _tag: fc.constant("Receipt" as const),
    space: tags,
    epoch: seqs,
    nonce: seqs,
    receipt: fc.option(
      fc.record({
        spent: fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER),
        previous: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        signature: fc.uint8Array({ minLength: 64, maxLength: 64 })
      }),
      { nil: undefined }
    )
  }),
  fc.record({ _tag: fc.constant("WantSealed" as const), space: tags, digest: digests, offset: seqs }),
  fc.record({
    _tag: fc.constant("Sealed" as const),
    space: tags,
    digest: digests,
    total: seqs,
    offset: seqs,
    bytes: blobs
  })
)

const fieldsOf = (message: Message.Message): ReadonlyArray<Cbor.Cbor> =>
  accepted(Cbor.decode(Message.encode(message))) as ReadonlyArray<Cbor.Cbor>

describe("a message", () => {
  it("reads back as what was said", () => {
    fc.assert(
      fc.property(messages, (message) =>
        assert.deepStrictEqual(accepted(Message.decode(Message.encode(message))), message)
      )
    )
  })

  it("with a field too many or too few is refused, whatever it is", () => {
    fc.assert(
      fc.property(messages, fc.constantFrom<Cbor.Cbor>(null, 0, []), (message, more) => {
        const fields = fieldsOf(message)
        assert.match(refusal(Message.decode(Cbor.encode([...fields, more]))) ?? "accepted", /\d fields in an? /)
        assert.match(refusal(Message.decode(Cbor.encode(fields.slice(0, -1)))) ?? "accepted", /\d fields in an? /)
      })
    )
  })

  it("of an unknown kind is refused by name", () => {
    for (const [kind, named] of [
      [14, "kind 14"],
      [-1, "kind -1"],
      ["hello", "kind string"],
      [null, "kind object"]
    ] as const) {
      assert.include(refusal(Message.decode(Cbor.encode([kind, 1]))), named)
    }
    assert.include(refusal(Message.decode(Cbor.encode([]))), "kind undefined")
    assert.include(refusal(Message.decode(Cbor.encode({ a: 1 }))), "not an array")
    assert.include(refusal(Message.decode(new Uint8Array(0))), "at byte 0")
  })

  it("with a field of another form is refused", () => {
    const tag = new Uint8Array(16)
    const mark = new Uint8Array(16)
    const head = [toBytes(feedId(bytesOf("a"))), 1, mark]
    const wrong: ReadonlyArray<ReadonlyArray<Cbor.Cbor>> = [
      [0, "1", []],
      [0, Message.version, [new Uint8Array(15)]],
      [0, Message.version, tag],
      [1, [1]],
      [1, Array.from({ length: helloSpacesMax + 1 }, () => tag)],
      [2, new Uint8Array(17), [head], null, false],
      [2, tag, null, null, false],
      [2, tag, [head, head], null, false],
      [2, tag, [head], 1, false],
      [2, tag, [head], [head, head], false],
      [2, tag, [head], null, 0],
      [3, tag, 0, tag],
      [3, tag, null, null],
      [4, tag, -1],
      [4, tag, seqMax],
      [4, tag, 0.5],
      [5, tag, new Uint8Array(31), 0],
      [5, tag, new Uint8Array(32), -1],
      [6, tag, "proof"],
      [6, "tag", tag],
      [7, "redeem"],
      [8, tag, new Uint8Array(31)],
      [8, tag, "digest"],
      [8, new Uint8Array(15), new Uint8Array(32)],
      [9, tag, 1, 1, 0],
      [9, tag, -1, 1, null],
      [9, tag, 1, 0.5, null],
      [9, tag.subarray(1), 1, 1, null],
      [9, tag, 1, 1, [1, new Uint8Array(32)]],
      [9, tag, 1, 1, [-1, new Uint8Array(32), new Uint8Array(64)]],
      [9, tag, 1, 1, [1, new Uint8Array(31), new Uint8Array(64)]],
      [9, tag, 1, 1, [1, new Uint8Array(32), new Uint8Array(63)]],
      [9, tag, 1, 1, [1, new Uint8Array(32), new Uint8Array(64), 0]],
      [10, tag, 2, new Uint8Array(32)],
      [10, tag, 0, new Uint8Array(31)],
      [10, new Uint8Array(15), 0, new Uint8Array(32)],
      [11, tag, -1, new Uint8Array(32), null],
      [11, tag, 1, "hash", null],
      [11, tag, 1, new Uint8Array(32), "bytes"],
      [11, tag, 1, new Uint8Array(32), new Uint8Array(pieceBytesMax + 1)],
      [12, tag, new Uint8Array(31), 0],
      [12, tag, new Uint8Array(32), -1],
      [12, new Uint8Array(15), new Uint8Array(32), 0],
      [13, tag, new Uint8Array(31), 1, 0, tag],
      [13, tag, new Uint8Array(32), -1, 0, tag],
      [13, tag, new Uint8Array(32), 1, "0", tag],
      [13, tag, new Uint8Array(32), 1, 0, null]
    ]
    for (const fields of wrong) assert.isDefined(refusal(Message.decode(Cbor.encode(fields))), JSON.stringify(fields))
  })

  it("longer than a message may be is refused before it is read", () => {
    assert.include(refusal(Message.decode(new Uint8Array(messageBytesMax + 1))), "longer than")
  })

  it("of greeting is read as far as its version when that is another", () => {
    const future = Cbor.encode([0, Message.version + 1, { spaces: "elsewhere" }, 1, 2, 3])
    assert.deepStrictEqual(accepted(Message.decode(future)), {
      _tag: "Hello",
      version: Message.version + 1,
      spaces: []
    })
  })
})

const Vectors = Schema.Struct({
  channelKey: Schema.String,
  tag: Schema.String,
  messages: Schema.Array(Schema.Struct({ name: Schema.String, bytes: Schema.String }))
})

describe("the messages as they were frozen", () => {
  const vectors = Schema.decodeUnknownSync(Schema.fromJsonString(Vectors))(
    readFileSync(new URL("../vectors/messages.json", import.meta.url), "utf8")
  )

  it("read, and read back as the same bytes", () => {
    assert.strictEqual(Message.tagOf(fromHex(vectors.channelKey), space), vectors.tag)
    for (const { bytes, name } of vectors.messages) {
      const message = accepted(Message.decode(fromHex(bytes)))
      assert.isTrue(name.startsWith(message._tag.toLowerCase()), name)
      assert.strictEqual(hexOf(Message.encode(message)), bytes, name)
    }
  })
})

describe("a space's name on a connection", () => {
  it("is remembered with the key it was made by, for each space its own", () => {
    const keys = [bytesOf("one channel"), bytesOf("another")]
    const spaces = [space, spaceId(bytesOf("another space"))]
    const names = () => keys.flatMap((key) => spaces.map((one) => Message.tagOf(key, one)))
    const first = names()
    assert.strictEqual(new Set(first).size, 4)
    assert.deepStrictEqual(names(), first)
    assert.strictEqual(Message.tagOf(keys[0]!.slice(), spaces[1]!), first[1])
  })

  it("is an HMAC of the space under the channel's key, so it tells nothing to who does not know the space", () => {
    const key = bytesOf("channel")
    const expected = createHmac("sha256", key).update("aura/space-tag/v1\0").update(toBytes(space)).digest("hex")
    assert.strictEqual(Message.tagOf(key, space), expected.slice(0, 32))
    assert.notStrictEqual(Message.tagOf(bytesOf("another channel"), space), Message.tagOf(key, space))
    assert.strictEqual(
      hexOf(Message.encode({ _tag: "Offer", spaces: [expected.slice(0, 32)] })),
      `8201815${"0"}${expected.slice(0, 32)}`
    )
  })
})
