/**
 * Blobs: bytes too large for an entry, named by their hash. The journal holds their names, stores hold their pieces.
 *
 *     chunk      262 144 bytes of the blob; the last one has what is left, 1 at least
 *     ChunkHash  SHA-256("aura/blob-chunk/v1" NUL ‖ the chunk)
 *     manifest   size of the blob (8, big-endian) ‖ the ChunkHash of each chunk in order (32 each)
 *     BlobHash   SHA-256("aura/blob/v1" NUL ‖ manifest)
 *
 * So the size says how many chunks there are, the name of a blob names its manifest, and this names each chunk: whoever
 * has a piece by its name knows that it is the right one, before the next one comes. A blob without bytes has a manifest
 * alone. A chunk fits a message on a link with room to spare, and is large beside what writing a record durably costs.
 *
 * An application names a blob as `{hash, size, type}`. The type is what the application says of it, and no part of the
 * hash; the size is part of it, so a wrong one is found with the manifest.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { domain, hash } from "../identity/Hash.ts"
import { BlobHash, blobHash, chunkHash, toBytes, type ChunkHash } from "../identity/Id.ts"

/** Bytes of every chunk but the last. */
export const chunkBytes = 256 * 1024

/** Bytes of a blob: its manifest is as large as a chunk. */
export const blobSizeMax = (chunkBytes / 32) * chunkBytes

/** Characters of a type. */
export const blobTypeCharactersMax = 128

/** Bytes of the largest piece: a manifest. */
export const pieceBytesMax = 8 + chunkBytes

/** Media types as they are written down, with parameters: printable ASCII. */
const typePattern = /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/u

/** A blob as state names it. */
export const BlobRef = /* @__PURE__ */ Schema.Struct({
  hash: BlobHash,
  size: /* @__PURE__ */ Schema.Int.pipe(
    /* @__PURE__ */ Schema.check(/* @__PURE__ */ Schema.isBetween({ minimum: 0, maximum: blobSizeMax }))
  ),
  type: /* @__PURE__ */ Schema.String.pipe(/* @__PURE__ */ Schema.check(/* @__PURE__ */ Schema.isPattern(typePattern)))
})
export type BlobRef = typeof BlobRef.Type

export const isBlobType = (type: string): boolean => typePattern.test(type)

/** Why this is no BlobRef; undefined if it is one. */
export const refFault = (value: unknown): string | undefined => {
  if (typeof value !== "object" || value === null) return "not {hash, size, type}"
  const { hash, size, type } = value as { readonly [key: string]: unknown }
  if (Object.keys(value).sort().join() !== "hash,size,type") return "not {hash, size, type}"
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/u.test(hash)) return "hash is not 64 lower-case hexadecimal digits"
  if (typeof size !== "number" || !Number.isInteger(size) || Object.is(size, -0) || size < 0 || size > blobSizeMax)
    return `size is no whole number from 0 to ${blobSizeMax}`
  if (typeof type !== "string" || !isBlobType(type))
    return `type is not 1 to ${blobTypeCharactersMax} characters of printable ASCII`
  return undefined
}

/** What stores hold and peers are asked for. */
export type Piece =
  { readonly kind: "manifest"; readonly hash: BlobHash } | { readonly kind: "chunk"; readonly hash: ChunkHash }

export interface Manifest {
  readonly size: number
  readonly chunks: ReadonlyArray<ChunkHash>
}

export const hashOfChunk = (chunk: Uint8Array): ChunkHash => chunkHash(hash(chunkDomain, chunk))

export const hashOfManifest = (manifest: Uint8Array): BlobHash => blobHash(hash(blobDomain, manifest))

/** Whether these bytes are what the name says. */
export const isPiece = ({ hash, kind }: Piece, bytes: Uint8Array): boolean =>
  hash === (kind === "chunk" ? hashOfChunk(bytes) : hashOfManifest(bytes))

/** How many chunks a blob of this size has. */
export const chunksOf = (size: number): number => Math.ceil(size / chunkBytes)

/** Dies on a size that does not go with the chunks. */
export const encodeManifest = ({ chunks, size }: Manifest): Uint8Array => {
  if (chunksOf(size) !== chunks.length) throw new RangeError(`${chunks.length} chunks of a blob of ${size} bytes`)
  const bytes = new Uint8Array(8 + 32 * chunks.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(size))
  for (const [at, chunk] of chunks.entries()) bytes.set(toBytes(chunk), 8 + 32 * at)
  return bytes
}

/** Of a piece that is what its name says; whoever named it may still have named anything. */
export const decodeManifest = (bytes: Uint8Array): Result.Result<Manifest, string> => {
  if (bytes.length < 8 || bytes.length > pieceBytesMax) return Result.fail(`a manifest of ${bytes.length} bytes`)
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0))
  if (size > blobSizeMax) return Result.fail(`a blob of ${size} bytes, ${blobSizeMax} are allowed`)
  if (bytes.length !== 8 + 32 * chunksOf(size))
    return Result.fail(`a blob of ${size} bytes in ${bytes.length - 8}/32 chunks`)
  const chunks: Array<ChunkHash> = []
  for (let at = 8; at < bytes.length; at += 32) chunks.push(chunkHash(bytes.subarray(at, at + 32)))
  return Result.succeed({ size, chunks })
}

/** Bytes of the chunk at this place. */
export const lengthOfChunk = ({ chunks, size }: Manifest, at: number): number =>
  at === chunks.length - 1 ? size - at * chunkBytes : chunkBytes

const chunkDomain = domain("aura/blob-chunk/v1")
const blobDomain = domain("aura/blob/v1")
