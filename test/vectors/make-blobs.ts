/**
 * Wrote `blobs.json`, once: `node test/vectors/make-blobs.ts > test/vectors/blobs.json`.
 *
 * State and stores name blobs by these hashes: a test that fails against them is right, and the code is wrong.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import * as Blob from "../../src/journal/Blob.ts"

/** Byte at place n is n modulo 251. */
const vectorOf = (size: number) => {
  const bytes = new Uint8Array(size).map((_, at) => at % 251)
  const chunks = Array.from({ length: Blob.chunksOf(size) }, (_, at) =>
    Blob.hashOfChunk(bytes.subarray(at * Blob.chunkBytes, (at + 1) * Blob.chunkBytes))
  )
  const manifest = Blob.encodeManifest({ size, chunks })
  return { size, manifest: bytesToHex(manifest), hash: Blob.hashOfManifest(manifest) }
}

const about =
  "Blobs, version 1: the byte at place n is n modulo 251. Made once by make-blobs.ts; bytes are hexadecimal."
const sizes = [0, 1, Blob.chunkBytes - 1, Blob.chunkBytes, Blob.chunkBytes + 1, 3 * Blob.chunkBytes]
process.stdout.write(`${JSON.stringify({ about, blobs: sizes.map(vectorOf) }, null, 2)}\n`)
