/**
 * Wrote `blobs.json`, once: `node test/vectors/make-blobs.ts > test/vectors/blobs.json`.
 *
 * State and stores name blobs by these hashes: a test that fails against them is right, and the code is wrong.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { feedId } from "../../src/identity/Id.ts"
import * as Blob from "../../src/journal/Blob.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import type { Change, Fields } from "../../src/journal/crdt/Crdt.ts"
import * as State from "../../src/journal/crdt/State.ts"

/** Byte at place n is n modulo 251. */
const vectorOf = (size: number) => {
  const bytes = new Uint8Array(size).map((_, at) => at % 251)
  const chunks = Array.from({ length: Blob.chunksOf(size) }, (_, at) =>
    Blob.hashOfChunk(bytes.subarray(at * Blob.chunkBytes, (at + 1) * Blob.chunkBytes))
  )
  const manifest = Blob.encodeManifest({ size, chunks })
  return { size, manifest: bytesToHex(manifest), hash: Blob.hashOfManifest(manifest) }
}

const fields: Fields = { cover: { kind: "Blob" } }
const ref = { hash: "ab".repeat(32), size: 70_000, type: "image/png" }
const change: Change = ["set", "cover", ref]
const state = State.empty()
State.apply(state, fields, change, { time: 1, feed: feedId(new Uint8Array(32).fill(1)), seq: 2, index: 3 })
const inState = { change: bytesToHex(Cbor.encode(change as Cbor.Cbor)), digest: bytesToHex(State.digest(state)) }

const about =
  "Blobs, version 1: the byte at place n is n modulo 251. Made once by make-blobs.ts; bytes are hexadecimal."
const sizes = [0, 1, Blob.chunkBytes - 1, Blob.chunkBytes, Blob.chunkBytes + 1, 3 * Blob.chunkBytes]
process.stdout.write(`${JSON.stringify({ about, blobs: sizes.map(vectorOf), inState }, null, 2)}\n`)
