/**
 * What two devices say to each other about journals, over an authenticated channel (identity/DeviceChannel.ts).
 *
 * A message is the deterministic CBOR of an array; `tag` = first 16 bytes of HMAC-SHA-256(channel key,
 * "aura/space-tag/v1" NUL ‖ SpaceId), so a peer learns of no space that it does not know already.
 *
 *     [0, version, [tag…]]              hello    the spaces I would speak of with you; exactly once, first
 *     [1, [tag…]]                       offer    further such spaces, later
 *     [2, tag, frontier, upTo]          have     how far I have this space, durably: an acknowledgement. `upTo` null, or
 *                                                a frontier: send me nothing beyond it (partial sync)
 *     [3, tag, header | null, run]      run      the header when the receiver may not know the feed
 *     [4, tag, bytes]                   credit   that many bytes of your runs are dealt with: send as many again
 *     [5, tag, feed, from]              want     send this feed again, from the run that holds `from`
 *     [6, tag, proof]                   fork     a proof that a feed has two histories (journal/Fork.ts)
 *     [7, [field…]]                     pairing  a step of pairing (sync/Pairing.ts); only before hello
 *
 * Anything else, a second hello, or a message over its limit is a breach: the connection closes with the reason. A tag
 * that the receiver does not know, or would not speak of with this peer, is not answered: both look the same.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import { domain } from "../identity/Hash.ts"
import { feedId, toBytes, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import { isSeq } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
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
    }
  | { readonly _tag: "Run"; readonly space: Tag; readonly header: Uint8Array | undefined; readonly run: Uint8Array }
  | { readonly _tag: "Credit"; readonly space: Tag; readonly bytes: number }
  | { readonly _tag: "Want"; readonly space: Tag; readonly feed: FeedId; readonly from: number }
  | { readonly _tag: "Fork"; readonly space: Tag; readonly proof: Uint8Array }
  | { readonly _tag: "Pairing"; readonly fields: ReadonlyArray<Cbor.Cbor> }

export interface MessageMalformed {
  readonly _tag: "MessageMalformed"
  readonly what: string
}

/** Version of this protocol. */
export const version = 1

const tagDomain = domain("aura/space-tag/v1")

export const tagOf = (channelKey: Uint8Array, space: SpaceId): Tag =>
  bytesToHex(hmac(sha256, channelKey, concatBytes(tagDomain, toBytes(space))).subarray(0, 16))

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
        message.upTo === undefined ? null : Frontier.toCbor(message.upTo)
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
  }
}

export const decode = (bytes: Uint8Array): Result.Result<Message, MessageMalformed> => {
  if (bytes.length > messageBytesMax) return malformed(`longer than ${messageBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  if (!Array.isArray(decoded.success)) return malformed("not an array")
  const [kind, first, second, third, ...more] = decoded.success as ReadonlyArray<Cbor.Cbor>
  if (more.length > 0) return malformed("too many fields")
  switch (kind) {
    case 0:
      return isSeq(first) && isTags(second) && third === undefined
        ? succeed({ _tag: "Hello", version: first, spaces: second.map(bytesToHex) })
        : malformed("no hello")
    case 1:
      return isTags(first) && second === undefined
        ? succeed({ _tag: "Offer", spaces: first.map(bytesToHex) })
        : malformed("no offer")
    case 2: {
      if (!isTag(first) || third === undefined) return malformed("no have")
      const frontier = Frontier.fromCbor(second)
      if (Result.isFailure(frontier)) return malformed(frontier.failure)
      const upTo = third === null ? Result.succeed(undefined) : Frontier.fromCbor(third)
      if (Result.isFailure(upTo)) return malformed(upTo.failure)
      return succeed({ _tag: "Have", space: bytesToHex(first), frontier: frontier.success, upTo: upTo.success })
    }
    case 3:
      return isTag(first) && (second === null || isBytes(second)) && isBytes(third)
        ? succeed({ _tag: "Run", space: bytesToHex(first), header: second ?? undefined, run: third })
        : malformed("no run")
    case 4:
      return isTag(first) && isSeq(second) && third === undefined
        ? succeed({ _tag: "Credit", space: bytesToHex(first), bytes: second })
        : malformed("no credit")
    case 5:
      return isTag(first) && isBytes(second) && second.length === 32 && isSeq(third)
        ? succeed({ _tag: "Want", space: bytesToHex(first), feed: feedId(second), from: third })
        : malformed("no want")
    case 6:
      return isTag(first) && isBytes(second) && third === undefined
        ? succeed({ _tag: "Fork", space: bytesToHex(first), proof: second })
        : malformed("no fork proof")
    case 7:
      return Array.isArray(first) && second === undefined
        ? succeed({ _tag: "Pairing", fields: first as ReadonlyArray<Cbor.Cbor> })
        : malformed("no step of pairing")
    default:
      return malformed(`kind ${String(kind)}, known: 0 to 7`)
  }
}

const tagBytes = (tag: Tag): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(tag.slice(i * 2, i * 2 + 2), 16))

const isBytes = (value: Cbor.Cbor | undefined): value is Uint8Array => value instanceof Uint8Array

const isTag = (value: Cbor.Cbor | undefined): value is Uint8Array => isBytes(value) && value.length === 16

const isTags = (value: Cbor.Cbor | undefined): value is ReadonlyArray<Uint8Array> & Array<Uint8Array> =>
  Array.isArray(value) && value.length <= helloSpacesMax && value.every((item: Cbor.Cbor) => isTag(item))

const succeed = (message: Message): Result.Result<Message, MessageMalformed> => Result.succeed(message)

const malformed = (what: string): Result.Result<never, MessageMalformed> =>
  Result.fail({ _tag: "MessageMalformed", what: `message: ${what}` })
