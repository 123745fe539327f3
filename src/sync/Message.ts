/**
 * What two devices say to each other about journals, over an authenticated channel (identity/DeviceChannel.ts).
 *
 * A message is the deterministic CBOR of an array; `tag` = first 16 bytes of HMAC-SHA-256(channel key,
 * "aura/space-tag/v1" NUL ‖ SpaceId), so a peer learns of no space that it does not know already.
 *
 *     [0, version, [tag…]]              hello    the spaces I would speak of with you; exactly once, first
 *     [1, [tag…]]                       offer    further such spaces, later
 *     [2, tag, frontier, upTo, more]    have     how far I have this space, durably: an acknowledgement. Only what changed
 *                                                since the last one on this connection; `more`: further parts follow.
 *                                                `upTo` null, or a frontier: send me no data beyond it (partial sync)
 *     [3, tag, header | null, run]      run      the header with a feed's first run, and with each of a branch
 *     [4, tag, bytes]                   credit   that many bytes of your runs are dealt with: send as many again
 *     [5, tag, feed, from]              want     send this feed again, from the run that holds `from`
 *     [6, tag, proof]                   fork     a proof that a feed has two histories (journal/Fork.ts): taken as these;
 *                                                nobody has to send it, for every history is told of
 *     [7, [field…]]                     pairing  a step of pairing (sync/Pairing.ts); only before hello
 *     [8, tag, digest]                  digest   how far I have this space, as the 32 bytes of Frontier.digest: instead of
 *                                                the first have, where the frontier is long and unbounded
 *     [9, tag, epoch, nonce, receipt | null]
 *                               receipt  what I have spent on you in an epoch so far: receipt = [spent, previous (32),
 *                                        signature (64)] (sync/Receipt.ts); or null: I hold your receipts of that epoch up
 *                                        to this nonce, durably. One that can't be true is a breach; one that moves
 *                                        nothing on is passed over
 *     [10, tag, kind, hash]     seek     give me this piece of a blob (journal/Blob.ts): kind 0 is a chunk, 1 a manifest.
 *                                                At most `seeksMax` of a connection are unanswered
 *     [11, tag, kind, hash, bytes | null]
 *                               piece    what was sought; null: it is not here. One that was not sought, or is not what its
 *                                        name says, is a breach
 *     [12, tag, digest, offset]         want sealed  give me these sealed books (runtime/Sealed.ts) from this byte on
 *     [13, tag, digest, total, offset, bytes]
 *                               sealed   a part of them; without bytes an offer; total 0: I don't have them (sync/Handover.ts)
 *
 * A digest says "we may be equal". Who has said one and hears the same one knows that the peer has what its own digest
 * was made of, and each has told the other so: neither sends its frontier, and what came since goes in a have. In every
 * other case what is due is said as if there had been no digest: the whole frontier, in a have. A digest is a peer's
 * first word about a space, or a breach.
 *
 * Anything else, a second hello, or a message over its limit is a breach: the connection closes with the reason. A tag
 * that the receiver does not know, or would not speak of with this peer, is not answered: both look the same. A hello
 * of another version is read as far as its version, so that the refusal can name it.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import { domain, hashBytes } from "../identity/Hash.ts"
import { blobHash, chunkHash, feedId, toBytes, type FeedId, type SpaceId } from "../identity/Id.ts"
import { signatureBytes } from "../identity/Signing.ts"
import { pieceBytesMax, type Piece } from "../journal/Blob.ts"
import * as Cbor from "../journal/Cbor.ts"
import { isSeq } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import type * as Handover from "./Handover.ts"
import { isCount, type Signed } from "./Receipt.ts"
import { helloSpacesMax, messageBytesMax } from "./limits.ts"

/** A space's name on one connection: 32 hexadecimal digits. */
export type Tag = string

export type Message =
  | { readonly _tag: "Hello"; readonly version: number; readonly spaces: ReadonlyArray<Tag> }
  | { readonly _tag: "Offer"; readonly spaces: ReadonlyArray<Tag> }
  | {
      readonly _tag: "Have"
      readonly space: Tag
      readonly frontier: Frontier.Frontier
      readonly upTo: Frontier.Frontier | undefined
      readonly more: boolean
    }
  | { readonly _tag: "Run"; readonly space: Tag; readonly header: Uint8Array | undefined; readonly run: Uint8Array }
  | { readonly _tag: "Credit"; readonly space: Tag; readonly bytes: number }
  | { readonly _tag: "Want"; readonly space: Tag; readonly feed: FeedId; readonly from: number }
  | { readonly _tag: "Fork"; readonly space: Tag; readonly proof: Uint8Array }
  | { readonly _tag: "Pairing"; readonly fields: ReadonlyArray<Cbor.Cbor> }
  | { readonly _tag: "Digest"; readonly space: Tag; readonly digest: Uint8Array }
  | { readonly _tag: "Seek"; readonly space: Tag; readonly piece: Piece }
  | {
      readonly _tag: "Piece"
      readonly space: Tag
      readonly piece: Piece
      /** Undefined: it is not here. */
      readonly bytes: Uint8Array | undefined
    }
  | {
      readonly _tag: "Receipt"
      readonly space: Tag
      readonly epoch: number
      readonly nonce: number
      /** Undefined: an answer. */
      readonly receipt: Pick<Signed, "spent" | "previous" | "signature"> | undefined
    }
  | { readonly _tag: "WantSealed"; readonly space: Tag; readonly digest: string; readonly offset: number }
  | ({ readonly _tag: "Sealed"; readonly space: Tag } & Handover.Part)

export type Receipt = Message & { readonly _tag: "Receipt" }

/** About pieces of blobs, in either direction. */
export type OfBlobs = Message & { readonly _tag: "Seek" | "Piece" }

export interface MessageMalformed {
  readonly _tag: "MessageMalformed"
  readonly what: string
}

/** Version of this protocol. */
export const version = 1

const tagBytesCount = 16
const tagDomain = domain("aura/space-tag/v1")

/** The key is a channel's own and never changes; its tags are asked for at every step, and remembered with it. */
export const tagOf = (channelKey: Uint8Array, space: SpaceId): Tag => {
  const tags = tagsByKey.get(channelKey) ?? new Map<SpaceId, Tag>()
  const known = tags.get(space)
  if (known !== undefined) return known
  const tag = bytesToHex(hmac(sha256, channelKey, concatBytes(tagDomain, toBytes(space))).subarray(0, tagBytesCount))
  tagsByKey.set(channelKey, tags.set(space, tag))
  return tag
}

const tagsByKey = new WeakMap<Uint8Array, Map<SpaceId, Tag>>()

export const encode = (message: Message): Uint8Array => {
  switch (message._tag) {
    case "Hello":
      return Cbor.encode([0, message.version, message.spaces.map(tagBytes)])
    case "Offer":
      return Cbor.encode([1, message.spaces.map(tagBytes)])
    case "Have":
      return Cbor.encode([
        2,
        tagBytes(message.space),
        Frontier.toCbor(message.frontier),
        message.upTo === undefined ? null : Frontier.toCbor(message.upTo),
        message.more
      ])
    case "Run":
      return Cbor.encode([3, tagBytes(message.space), message.header ?? null, message.run])
    case "Credit":
      return Cbor.encode([4, tagBytes(message.space), message.bytes])
    case "Want":
      return Cbor.encode([5, tagBytes(message.space), toBytes(message.feed), message.from])
    case "Fork":
      return Cbor.encode([6, tagBytes(message.space), message.proof])
    case "Pairing":
      return Cbor.encode([7, message.fields])
    case "Digest":
      return Cbor.encode([8, tagBytes(message.space), message.digest])
    case "Receipt": {
      const { epoch, nonce, receipt, space } = message
      const signed = receipt === undefined ? null : [receipt.spent, receipt.previous, receipt.signature]
      return Cbor.encode([9, tagBytes(space), epoch, nonce, signed])
    }
    case "Seek":
      return Cbor.encode([10, tagBytes(message.space), ...pieceFields(message.piece)])
    case "Piece":
      return Cbor.encode([11, tagBytes(message.space), ...pieceFields(message.piece), message.bytes ?? null])
    case "WantSealed":
      return Cbor.encode([12, tagBytes(message.space), hexToBytes(message.digest), message.offset])
    case "Sealed": {
      const { bytes, digest, offset, space, total } = message
      return Cbor.encode([13, tagBytes(space), hexToBytes(digest), total, offset, bytes])
    }
  }
}

export const decode = (bytes: Uint8Array): Result.Result<Message, MessageMalformed> => {
  if (bytes.length > messageBytesMax) return malformed(`longer than ${messageBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  if (!Array.isArray(decoded.success)) return malformed("not an array")
  const [kind, ...fields] = decoded.success as ReadonlyArray<Cbor.Cbor>
  if (kind === 0 && isSeq(fields[0]) && fields[0] !== version) {
    return succeed({ _tag: "Hello", version: fields[0], spaces: [] })
  }
  const known = kinds.find((candidate) => candidate.kind === kind)
  if (known === undefined) return malformed(`kind ${typeof kind === "number" ? kind : typeof kind}, known: 0 to 13`)
  if (fields.length !== known.fields) return malformed(`${fields.length} fields in ${known.name}, not ${known.fields}`)
  return known.read(fields)
}

const kinds: ReadonlyArray<{
  readonly kind: number
  readonly name: string
  readonly fields: number
  readonly read: (fields: ReadonlyArray<Cbor.Cbor>) => Result.Result<Message, MessageMalformed>
}> = [
  {
    kind: 0,
    name: "a hello",
    fields: 2,
    read: ([number, spaces]) =>
      isSeq(number) && isTags(spaces)
        ? succeed({ _tag: "Hello", version: number, spaces: spaces.map(bytesToHex) })
        : malformed("a hello of other than a version and tags")
  },
  {
    kind: 1,
    name: "an offer",
    fields: 1,
    read: ([spaces]) =>
      isTags(spaces)
        ? succeed({ _tag: "Offer", spaces: spaces.map(bytesToHex) })
        : malformed("an offer of other than tags")
  },
  {
    kind: 2,
    name: "a have",
    fields: 4,
    read: ([tag, heads, bound, more]) => {
      if (!isTag(tag) || typeof more !== "boolean") return malformed("a have of other than a tag and frontiers")
      const frontier = Frontier.fromCbor(heads)
      if (Result.isFailure(frontier)) return malformed(frontier.failure)
      const upTo = bound === null ? Result.succeed(undefined) : Frontier.fromCbor(bound)
      if (Result.isFailure(upTo)) return malformed(upTo.failure)
      return succeed({ _tag: "Have", space: bytesToHex(tag), frontier: frontier.success, upTo: upTo.success, more })
    }
  },
  {
    kind: 3,
    name: "a run",
    fields: 3,
    read: ([tag, header, run]) =>
      isTag(tag) && (header === null || isBytes(header)) && isBytes(run)
        ? succeed({ _tag: "Run", space: bytesToHex(tag), header: header ?? undefined, run })
        : malformed("a run of other than a tag, a header and bytes")
  },
  {
    kind: 4,
    name: "a credit",
    fields: 2,
    read: ([tag, bytes]) =>
      isTag(tag) && isSeq(bytes)
        ? succeed({ _tag: "Credit", space: bytesToHex(tag), bytes })
        : malformed("a credit of other than a tag and a number")
  },
  {
    kind: 5,
    name: "a want",
    fields: 3,
    read: ([tag, feed, from]) =>
      isTag(tag) && isBytes(feed) && feed.length === 32 && isSeq(from)
        ? succeed({ _tag: "Want", space: bytesToHex(tag), feed: feedId(feed), from })
        : malformed("a want of other than a tag, a feed and a position")
  },
  {
    kind: 6,
    name: "a fork",
    fields: 2,
    read: ([tag, proof]) =>
      isTag(tag) && isBytes(proof)
        ? succeed({ _tag: "Fork", space: bytesToHex(tag), proof })
        : malformed("a fork of other than a tag and a proof")
  },
  {
    kind: 7,
    name: "a step of pairing",
    fields: 1,
    read: ([fields]) =>
      Array.isArray(fields)
        ? succeed({ _tag: "Pairing", fields: fields as ReadonlyArray<Cbor.Cbor> })
        : malformed("a step of pairing that is no list")
  },
  {
    kind: 8,
    name: "a digest",
    fields: 2,
    read: ([tag, digest]) =>
      isTag(tag) && isDigest(digest)
        ? succeed({ _tag: "Digest", space: bytesToHex(tag), digest })
        : malformed("a digest of other than a tag and 32 bytes")
  },
  {
    kind: 9,
    name: "a receipt",
    fields: 4,
    read: ([tag, epoch, nonce, signed]) => {
      const receipt = signed === null ? undefined : receiptOf(signed)
      return isTag(tag) && isCount(epoch) && isCount(nonce) && receipt !== "malformed"
        ? succeed({ _tag: "Receipt", space: bytesToHex(tag), epoch, nonce, receipt })
        : malformed("a receipt of other than a tag, an epoch, a nonce and what is signed")
    }
  },
  {
    kind: 10,
    name: "a seek",
    fields: 3,
    read: ([tag, kind, hash]) => {
      const piece = pieceOf(kind, hash)
      return isTag(tag) && piece !== undefined
        ? succeed({ _tag: "Seek", space: bytesToHex(tag), piece })
        : malformed("a seek of other than a tag, a kind and a hash")
    }
  },
  {
    kind: 11,
    name: "a piece",
    fields: 4,
    read: ([tag, kind, hash, bytes]) => {
      const piece = pieceOf(kind, hash)
      return isTag(tag) && piece !== undefined && (bytes === null || (isBytes(bytes) && bytes.length <= pieceBytesMax))
        ? succeed({ _tag: "Piece", space: bytesToHex(tag), piece, bytes: bytes ?? undefined })
        : malformed("a piece of other than a tag, a kind, a hash and as many bytes as a piece may have")
    }
  },
  {
    kind: 12,
    name: "a want of sealed books",
    fields: 3,
    read: ([tag, digest, offset]) =>
      isTag(tag) && isDigest(digest) && isSeq(offset)
        ? succeed({ _tag: "WantSealed", space: bytesToHex(tag), digest: bytesToHex(digest), offset })
        : malformed("a want of sealed books of other than a tag, a digest and a number")
  },
  {
    kind: 13,
    name: "a part of sealed books",
    fields: 5,
    read: ([tag, digest, total, offset, bytes]) =>
      isTag(tag) && isDigest(digest) && isSeq(total) && isSeq(offset) && isBytes(bytes)
        ? succeed({ _tag: "Sealed", space: bytesToHex(tag), digest: bytesToHex(digest), total, offset, bytes })
        : malformed("a part of sealed books of other than a tag, a digest, numbers and bytes")
  }
]

const pieceFields = ({ hash, kind }: Piece): ReadonlyArray<Cbor.Cbor> => [kind === "chunk" ? 0 : 1, toBytes(hash)]

const pieceOf = (kind: Cbor.Cbor | undefined, hash: Cbor.Cbor | undefined): Piece | undefined => {
  if (!isBytes(hash) || hash.length !== hashBytes) return undefined
  if (kind === 0) return { kind: "chunk", hash: chunkHash(hash) }
  return kind === 1 ? { kind: "manifest", hash: blobHash(hash) } : undefined
}

const receiptOf = (value: Cbor.Cbor | undefined): Receipt["receipt"] | "malformed" => {
  if (!Array.isArray(value) || value.length !== 3) return "malformed"
  const [spent, previous, signature] = value as ReadonlyArray<Cbor.Cbor>
  return isCount(spent) &&
    isBytes(previous) &&
    previous.length === 32 &&
    isBytes(signature) &&
    signature.length === signatureBytes
    ? { spent, previous, signature }
    : "malformed"
}

/** Dies on a tag of another length: it came from `tagOf` or `decode`. */
const tagBytes = (tag: Tag): Uint8Array => {
  if (tag.length !== tagBytesCount * 2) throw new RangeError("no tag")
  return hexToBytes(tag)
}

const isBytes = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array

const isDigest = (value: Cbor.Cbor | undefined): value is Uint8Array => isBytes(value) && value.length === 32

const isTag = (value: Cbor.Cbor | undefined): value is Uint8Array => isBytes(value) && value.length === tagBytesCount

const isTags = (value: Cbor.Cbor | undefined): value is ReadonlyArray<Uint8Array> & Array<Uint8Array> =>
  Array.isArray(value) && value.length <= helloSpacesMax && value.every((item: Cbor.Cbor) => isTag(item))

const succeed = (message: Message): Result.Result<Message, MessageMalformed> => Result.succeed(message)

const malformed = (what: string): Result.Result<never, MessageMalformed> =>
  Result.fail({ _tag: "MessageMalformed", what: `message: ${what}` })
