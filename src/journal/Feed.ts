/**
 * A feed: the append-only, hash-chained sequence of one device's entries in one space, named by its header.
 *
 * Header, version 1: the deterministic CBOR of
 *   [1, space (32), device (32), kind, nonce (16), time, closes, key]
 *     kind    0 authority (only `aura.*` facts, never pruned, synced first) · 1 data
 *     nonce   random: a new incarnation is a new feed
 *     time    hybrid clock at its creation
 *     closes  null or [feed (32), seq, hash (32)]: entries of that own feed behind seq never count
 *     key     null or [public key (32), signature (64)]: an Ed25519 key made for this feed, vouched for by the device
 *             key over "aura/feed-key/v1" NUL ‖ SHA-256("aura/feed-key/v1" NUL ‖ the header with the bare public key
 *             in this place); null = the device key signs. The whole header is vouched for, so that who steals a feed
 *             key can't use it in a header that closes the device's other feeds.
 * FeedId = SHA-256("aura/feed/v1" NUL ‖ header). A reader of an unknown version keeps the feed out and says so.
 * A header alone proves nothing: a feed exists for us from its first verified run by an admitted device.
 */
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import {
  deviceId,
  entryHash,
  feedId,
  spaceId,
  toBytes,
  type DeviceId,
  type EntryHash,
  type FeedId,
  type SpaceId
} from "../identity/Id.ts"
import { signatureBytes, signed } from "../identity/Signing.ts"
import * as Cbor from "./Cbor.ts"
import * as Clock from "./Clock.ts"
import { headerBytesMax, seqMax } from "./limits.ts"

/** `authority`: who may do what. `data`: what the application says. */
export type FeedKind = "authority" | "data"

/** One entry, named beyond doubt. `hash` chains everything before it. */
export interface Position {
  readonly feed: FeedId
  readonly seq: number
  readonly hash: EntryHash
}

/** A feed's own Ed25519 key, vouched for by the device key: for devices whose key signs slowly. */
export interface FeedKey {
  readonly publicKey: DeviceId
  readonly signature: Uint8Array
}

export interface Header {
  readonly space: SpaceId
  readonly device: DeviceId
  readonly kind: FeedKind
  readonly nonce: Uint8Array
  readonly time: number
  readonly closes: Position | undefined
  readonly key: FeedKey | undefined
}

/** A header with its name and its bytes as hashed. */
export interface Feed extends Header {
  readonly id: FeedId
  readonly bytes: Uint8Array
}

/** Bytes that are no header. */
export interface FeedMalformed {
  readonly _tag: "FeedMalformed"
  readonly what: string
}

/** Bytes of the nonce. */
export const nonceBytes = 16

const feedDomain = domain("aura/feed/v1")
const feedKeyDomain = domain("aura/feed-key/v1")
const version = 1

export const isPosition = (value: Cbor.Cbor): value is [Uint8Array, number, Uint8Array] =>
  Array.isArray(value) &&
  value.length === 3 &&
  value[0] instanceof Uint8Array &&
  value[0].length === 32 &&
  isSeq(value[1]) &&
  value[2] instanceof Uint8Array &&
  value[2].length === 32

export const positionToCbor = (position: Position): Cbor.Cbor => [
  toBytes(position.feed),
  position.seq,
  toBytes(position.hash)
]

export const positionFromCbor = (value: readonly [Uint8Array, number, Uint8Array]): Position => ({
  feed: feedId(value[0]),
  seq: value[1],
  hash: entryHash(value[2])
})

export const isSeq = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < seqMax

/** Dies on a header that `decode` would refuse. */
export const encode = (header: Header): Feed => {
  if (header.nonce.length !== nonceBytes || !Clock.isTime(header.time)) throw new RangeError("no such feed header")
  const key = header.key === undefined ? null : [toBytes(header.key.publicKey), header.key.signature]
  return named(header, Cbor.encode([...fieldsBeforeKey(header), key]))
}

export const decode = (bytes: Uint8Array): Result.Result<Feed, FeedMalformed> => {
  if (bytes.length > headerBytesMax) return malformed(`longer than ${headerBytesMax} bytes`)
  const decoded = Cbor.decode(bytes)
  if (Result.isFailure(decoded)) return malformed(`at byte ${decoded.failure.offset}: ${decoded.failure.what}`)
  const fields = decoded.success
  if (!Array.isArray(fields) || fields.length === 0) return malformed("not an array")
  if (fields[0] !== version) return malformed(`version ${String(fields[0])}, this reader knows ${version}`)
  const [, space, device, kind, nonce, time, closes, key] = fields as ReadonlyArray<Cbor.Cbor>
  if (fields.length !== 8) return malformed(`${fields.length} fields instead of 8`)
  if (!isBytes(space, 32) || !isBytes(device, 32) || !isBytes(nonce, nonceBytes))
    return malformed("an id of a wrong size")
  if (kind !== 0 && kind !== 1) return malformed(`kind ${String(kind)}, known: 0, 1`)
  if (typeof time !== "number" || !Clock.isTime(time)) return malformed("a time out of range")
  if (closes === undefined || (closes !== null && !isPosition(closes))) return malformed("closes names no position")
  if (key === undefined || (key !== null && !isKey(key))) return malformed("key is no feed key")
  const header: Header = {
    space: spaceId(space),
    device: deviceId(device),
    kind: kind === 0 ? "authority" : "data",
    nonce,
    time,
    closes: closes === null ? undefined : positionFromCbor(closes),
    key: key === null ? undefined : { publicKey: deviceId(key[0]), signature: key[1] }
  }
  return Result.succeed(named(header, bytes))
}

/** Own and foreign feeds are made here alike, property by property: hot paths meet both. */
const named = ({ closes, device, key, kind, nonce, space, time }: Header, bytes: Uint8Array): Feed => ({
  id: feedId(hash(feedDomain, bytes)),
  bytes,
  space,
  device,
  kind,
  nonce,
  time,
  closes,
  key
})

/** Who must have signed the runs of this feed. */
export const signer = (feed: Feed): DeviceId => feed.key?.publicKey ?? feed.device

/** What the first entry chains to: the feed's own id. */
export const origin = (feed: Feed): Uint8Array => toBytes(feed.id)

/** The signature that makes a feed key the device's. */
export const keyClaim = (
  feed: Feed,
  key: FeedKey
): { readonly signer: DeviceId; readonly message: Uint8Array; readonly signature: Uint8Array } => ({
  signer: feed.device,
  message: feedKeyMessage(feed, key.publicKey),
  signature: key.signature
})

/** What the device key signs to vouch for a feed key in this very header. */
export const feedKeyMessage = (header: Omit<Header, "key">, publicKey: DeviceId): Uint8Array =>
  signed(feedKeyDomain, hash(feedKeyDomain, Cbor.encode([...fieldsBeforeKey(header), toBytes(publicKey)])))

const fieldsBeforeKey = (header: Omit<Header, "key">): ReadonlyArray<Cbor.Cbor> => [
  version,
  toBytes(header.space),
  toBytes(header.device),
  header.kind === "authority" ? 0 : 1,
  header.nonce,
  header.time,
  header.closes === undefined ? null : positionToCbor(header.closes)
]

const isBytes = (value: Cbor.Cbor | undefined, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length

const isKey = (value: Cbor.Cbor): value is [Uint8Array, Uint8Array] =>
  Array.isArray(value) && value.length === 2 && isBytes(value[0], 32) && isBytes(value[1], signatureBytes)

const malformed = (what: string): Result.Result<never, FeedMalformed> =>
  Result.fail({ _tag: "FeedMalformed", what: `feed header: ${what}` })
