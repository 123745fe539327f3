/** Blobs as they are named: the frozen hashes, found by another implementation too, and what is no reference. */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import fc from "fast-check"
import { chunkHash, feedId } from "../../src/identity/Id.ts"
import * as Blob from "../../src/journal/Blob.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import type { Change, Fields } from "../../src/journal/crdt/Crdt.ts"
import * as State from "../../src/journal/crdt/State.ts"

const Vectors = Schema.Struct({
  inState: Schema.Struct({ change: Schema.String, digest: Schema.String }),
  blobs: Schema.Array(Schema.Struct({ size: Schema.Number, manifest: Schema.String, hash: Schema.String }))
})

const sha256 = (domain: string, bytes: Uint8Array): Buffer =>
  createHash("sha256").update(`${domain}\0`).update(bytes).digest()

describe("a blob's name", () => {
  const { blobs, inState } = Schema.decodeUnknownSync(Schema.fromJsonString(Vectors))(
    readFileSync(new URL("../vectors/blobs.json", import.meta.url), "utf8")
  )

  it("is as it was frozen, and as the specification reads", () => {
    for (const { hash, manifest, size } of blobs) {
      const bytes = new Uint8Array(size).map((_, at) => at % 251)
      const chunks: Array<Buffer> = []
      for (let at = 0; at < size; at += 262_144)
        chunks.push(sha256("aura/blob-chunk/v1", bytes.subarray(at, at + 262_144)))
      const head = Buffer.alloc(8)
      head.writeBigUInt64BE(BigInt(size))
      assert.strictEqual(Buffer.concat([head, ...chunks]).toString("hex"), manifest)
      assert.strictEqual(sha256("aura/blob/v1", Buffer.from(manifest, "hex")).toString("hex"), hash)
      const read = Result.getOrThrow(Blob.decodeManifest(Buffer.from(manifest, "hex")))
      assert.deepStrictEqual(read, { size, chunks: chunks.map(chunkHash) })
      assert.strictEqual(Blob.hashOfManifest(Blob.encodeManifest(read)), hash)
    }
  })

  it("stands in state as it was frozen", () => {
    const change = Result.getOrThrow(Cbor.decode(Buffer.from(inState.change, "hex"))) as Change
    const fields: Fields = { cover: { kind: "Blob" } }
    assert.strictEqual(State.inspect(fields, change)._tag, "Touch")
    const state = State.empty()
    State.apply(state, fields, change, { time: 1, feed: feedId(new Uint8Array(32).fill(1)), seq: 2, index: 3 })
    assert.strictEqual(Buffer.from(State.digest(state)).toString("hex"), inState.digest)
    assert.strictEqual(Buffer.from(Cbor.encode(change as Cbor.Cbor)).toString("hex"), inState.change)
  })

  it("is refused where the size and the number of chunks do not go together", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(4), fc.nat(31), (size, chunks, more) => {
        const bytes = new Uint8Array(8 + 32 * chunks + more)
        new DataView(bytes.buffer).setBigUint64(0, size)
        const isRight = more === 0 && size <= BigInt(Blob.blobSizeMax) && Blob.chunksOf(Number(size)) === chunks
        assert.strictEqual(Result.isSuccess(Blob.decodeManifest(bytes)), isRight)
      })
    )
    assert.isTrue(Result.isFailure(Blob.decodeManifest(new Uint8Array(7))))
    assert.isTrue(Result.isFailure(Blob.decodeManifest(new Uint8Array(Blob.pieceBytesMax + 32))))
  })
})

describe("a reference to a blob", () => {
  const good = { hash: "ab".repeat(32), size: 7, type: "text/plain; charset=utf-8" }
  const wrong: ReadonlyArray<unknown> = [
    null,
    "ab",
    [],
    {},
    { ...good, more: 1 },
    { hash: good.hash, size: 7 },
    ...["AB".repeat(32), "ab".repeat(31), new Uint8Array(32)].map((hash) => ({ ...good, hash })),
    ...[-1, -0, 0.5, NaN, Infinity, Blob.blobSizeMax + 1, "7"].map((size) => ({ ...good, size })),
    ...["", " text", "text ", "a\nb", "naïve", "x".repeat(129), 1].map((type) => ({ ...good, type }))
  ]

  it("is a hash, a size and a type, and nothing else", () => {
    for (const ref of [good, { ...good, size: 0 }, { ...good, size: Blob.blobSizeMax, type: "x".repeat(128) }])
      assert.isUndefined(Blob.refFault(ref))
    for (const ref of wrong) assert.isDefined(Blob.refFault(ref), JSON.stringify(ref))
  })

  it("is the same for the Schema that operations take", () => {
    const decode = Schema.decodeUnknownOption(Blob.BlobRef, { onExcessProperty: "error" })
    assert.isTrue(Option.isSome(decode(good)))
    for (const ref of wrong)
      assert.strictEqual(Option.isNone(decode(ref)), !Object.is((ref as typeof good)?.size, -0), JSON.stringify(ref))
  })

  it("fits beside its kind in a message: the largest piece is one chunk and a few bytes", () => {
    assert.strictEqual(Blob.pieceBytesMax, 8 + 32 * Blob.chunksOf(Blob.blobSizeMax))
  })
})
