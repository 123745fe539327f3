/**
 * When and by whom a change was made: its dot (feed, seq, index), which is its name, and its hybrid time, which orders.
 *
 * A change never carries its own dot: whoever applies it takes the dot from the entry it stands in. Changes name the
 * dots of others, exactly and one by one, as `[first 16 bytes of the FeedId, seq, index]`.
 *
 * Stamps are ordered by time, then feed, seq and index: total, the same on every device, and in agreement with what
 * authors had seen, because an entry's time is above that of everything before it.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import type { FeedId } from "../../identity/Id.ts"
import type { Cbor } from "../Cbor.ts"
import { entryFactsMax, factChangesMax, seqMax } from "../limits.ts"
import { dotFeedBytes, dotsMax } from "./limits.ts"

export interface Stamp {
  /** Hybrid time of the entry (journal/Clock.ts). */
  readonly time: number
  readonly feed: FeedId
  readonly seq: number
  /** Running number of the change within its entry. */
  readonly index: number
}

/** The name of a change as others use it; `feed` is the beginning of a FeedId, in hexadecimal digits. */
export interface Dot {
  readonly feed: string
  readonly seq: number
  readonly index: number
}

/** Negative when `a` comes first, 0 only for the same change. */
export const compare = (a: Stamp, b: Stamp): number =>
  a.time !== b.time
    ? a.time - b.time
    : a.feed !== b.feed
      ? a.feed < b.feed
        ? -1
        : 1
      : a.seq !== b.seq
        ? a.seq - b.seq
        : a.index - b.index

const prefixDigits = dotFeedBytes * 2

/** A map key: one for each dot. Takes a stamp as well. */
export const dotKey = (dot: Dot | Stamp): string => `${dot.feed.slice(0, prefixDigits)}${dot.seq}.${dot.index}`

export const dotToCbor = (dot: Dot | Stamp): Cbor => [hexToBytes(dot.feed.slice(0, prefixDigits)), dot.seq, dot.index]

/** Believes what `isDots` has checked. */
export const dotFromCbor = (value: DotCbor): Dot => ({ feed: bytesToHex(value[0]), seq: value[1], index: value[2] })

export type DotCbor = readonly [feed: Uint8Array, seq: number, index: number]

const indexMax = entryFactsMax * factChangesMax

const isDot = (value: unknown): value is DotCbor =>
  Array.isArray(value) &&
  value.length === 3 &&
  isFeedPrefix(value[0]) &&
  isNatural(value[1], seqMax) &&
  isNatural(value[2], indexMax)

/** A list of dots in the form that changes carry: at most `dotsMax`, in any order; naming one twice changes nothing. */
export const isDots = (value: unknown): value is ReadonlyArray<DotCbor> =>
  Array.isArray(value) && value.length <= dotsMax && value.every(isDot)

export const isFeedPrefix = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && value.length === dotFeedBytes

/** An integer from 0, below `max`. */
export const isNatural = (value: unknown, max: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < max
