/**
 * Names of things: devices by their public key, spaces and feeds by the hash of what founded them.
 *
 * An id is 32 bytes; in memory and in text it is 64 lower-case hexadecimal digits, so that equality, order (the byte
 * order) and map keys are those of plain strings. On the wire and in stores it is the 32 bytes. Nothing is parsed
 * leniently: upper case, spaces and prefixes are refused.
 */
import { hexToBytes } from "@noble/hashes/utils.js"
import * as Schema from "effect/Schema"

// the annotations let a bundler leave out the schemas that an application does not use
const hexadecimal = /* @__PURE__ */ Schema.String.pipe(
  /* @__PURE__ */ Schema.check(/* @__PURE__ */ Schema.isPattern(/^[0-9a-f]{64}$/))
)

/** A device's Ed25519 public key. Self-certifying: who can sign for it is it. */
export const DeviceId = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("DeviceId"))
export type DeviceId = typeof DeviceId.Type

/** Hash of a space's genesis record. */
export const SpaceId = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("SpaceId"))
export type SpaceId = typeof SpaceId.Type

/** Hash of a feed's header. */
export const FeedId = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("FeedId"))
export type FeedId = typeof FeedId.Type

/** Hash of an entry, chained to every entry before it in its feed. */
export const EntryHash = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("EntryHash"))
export type EntryHash = typeof EntryHash.Type

/** Hash of an application definition: what a fact names to say by which rules it is to be judged. */
export const DefinitionId = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("DefinitionId"))
export type DefinitionId = typeof DefinitionId.Type

/** Hash of a blob's manifest, and so of its bytes. */
export const BlobHash = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("BlobHash"))
export type BlobHash = typeof BlobHash.Type

/** Hash of a part of a blob. */
export const ChunkHash = /* @__PURE__ */ hexadecimal.pipe(/* @__PURE__ */ Schema.brand("ChunkHash"))
export type ChunkHash = typeof ChunkHash.Type

type AnyId = DeviceId | SpaceId | FeedId | EntryHash | DefinitionId | BlobHash | ChunkHash

const fromBytes =
  <Id extends AnyId>() =>
  (bytes: Uint8Array): Id => {
    if (bytes.length !== 32) throw new RangeError(`an id has 32 bytes, not ${bytes.length}`)
    for (let at = 0; at < 32; at++) {
      const byte = bytes[at]!
      digits[2 * at] = digitAt[byte >> 4]!
      digits[2 * at + 1] = digitAt[byte & 15]!
    }
    return ascii.decode(digits) as Id
  }

// In one piece: a string put together digit by digit is copied once more when a map first asks for its hash.
const digits = new Uint8Array(64)
const digitAt = /* @__PURE__ */ new TextEncoder().encode("0123456789abcdef")
const ascii = /* @__PURE__ */ new TextDecoder()

/** Each dies on anything but 32 bytes: decoders check lengths before they name things. */
export const deviceId = fromBytes<DeviceId>()
export const spaceId = fromBytes<SpaceId>()
export const feedId = fromBytes<FeedId>()
export const entryHash = fromBytes<EntryHash>()
export const definitionId = fromBytes<DefinitionId>()
export const blobHash = fromBytes<BlobHash>()
export const chunkHash = fromBytes<ChunkHash>()

/** The 32 bytes behind an id. A fresh copy. */
export const toBytes = (id: AnyId): Uint8Array => hexToBytes(id)

/** The first ten digits, for people. Never to be parsed or compared. */
export const short = (id: AnyId): string => id.slice(0, 10)
