/**
 * New ids that an operation may use: derived, so that nobody can aim at another's id and a retry makes the same ones.
 *
 * The i-th id of an entry is the first 16 bytes of SHA-256("aura/new-id/v1" NUL ‖ author (32) ‖ FeedId (32) ‖ u64 seq ‖
 * u64 i), or, for a request with an idempotency key, of SHA-256("aura/new-id/v1" NUL ‖ requester (32) ‖ u64 i ‖ key), as
 * 26 characters of Crockford's base32 in lower case. A judge derives them again: `{new}` in a writes-path accepts no other.
 */
import { domain, hash } from "../identity/Hash.ts"
import { toBytes, type DeviceId, type FeedId } from "../identity/Id.ts"
import { writeU64 } from "../journal/Entry.ts"
import type { Request } from "../journal/Request.ts"

/** Ids one entry may derive. */
export const freshIdsMax = 64

export interface Origin {
  readonly device: DeviceId
  readonly feed: FeedId
  readonly seq: number
  readonly request: Request | undefined
}

const idDomain = domain("aura/new-id/v1")
const digits = "0123456789abcdefghjkmnpqrstvwxyz"
const encoder = new TextEncoder()

export const freshId = (origin: Origin, index: number): string => {
  const number = new Uint8Array(16)
  const view = new DataView(number.buffer)
  writeU64(view, 8, index)
  if (origin.request !== undefined) {
    const { key, requester } = origin.request
    return toText(hash(idDomain, toBytes(requester), number.subarray(8), encoder.encode(key)))
  }
  writeU64(view, 0, origin.seq)
  return toText(hash(idDomain, toBytes(origin.device), toBytes(origin.feed), number))
}

/** Tells whether a text is one of the ids derived for this origin; computes no more of them than it must. */
export const freshIds = (origin: Origin): ((id: string) => boolean) => {
  const known: Array<string> = []
  return (id) => {
    if (known.includes(id)) return true
    while (known.length < freshIdsMax) {
      const next = freshId(origin, known.length)
      known.push(next)
      if (next === id) return true
    }
    return false
  }
}

/** 128 bits as 26 digits; the first digit holds three bits. */
const toText = (bytes: Uint8Array): string => {
  let value = 0n
  for (let i = 0; i < 16; i++) value = (value << 8n) | BigInt(bytes[i]!)
  let text = ""
  for (let i = 0; i < 26; i++) {
    text = digits[Number(value & 31n)]! + text
    value >>= 5n
  }
  return text
}
