/**
 * How sealed books go from one peer to another, as a value machine: beside the runs of a space, one part at a time.
 *
 * Who finds that a peer lacks entries which it dropped itself offers its sealed books. The other one asks for them if root
 * sealed them and it does not stand on them, part by part, so that never more than one is on its way. Who can't make the
 * books of a seal from what it has asks without an offer. What comes unasked is a breach; what is asked for in vain is
 * asked of that peer once on a connection. Whether the books are root's the runtime finds out when it has all of them.
 */
import { sealedBytesMax, sealedPartBytes } from "./limits.ts"

/** Part of sealed books as it travels; `total` 0: the sender does not have them. Without bytes it is an offer. */
export interface Part {
  readonly digest: string
  readonly total: number
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface Handover {
  /** What the peer was offered, and has offered, on this connection. */
  readonly told: string | undefined
  readonly offered: string | undefined
  /** What was asked of the peer, from which byte on; `total` once a part came. */
  readonly asked: { readonly digest: string; readonly offset: number; readonly total: number | undefined } | undefined
  /** What the peer was asked for in vain. */
  readonly without: ReadonlySet<string>
  /** What is read for the peer. */
  readonly serving: { readonly digest: string; readonly offset: number } | undefined
}

/** The books that are wanted here; `isNeeded`: nothing else makes them. */
export interface Wanted {
  readonly digest: string
  readonly isNeeded: boolean
}

export type Said =
  | { readonly _tag: "WantSealed"; readonly digest: string; readonly offset: number }
  | ({ readonly _tag: "Sealed" } & Part)
  /** Read this part of the books, and tell `loaded`. */
  | { readonly _tag: "LoadSealed"; readonly digest: string; readonly offset: number }
  /** The next part of what was asked for, in order. */
  | ({ readonly _tag: "TakeSealed" } & Part)

export interface Next {
  readonly handover: Handover
  readonly says: ReadonlyArray<Said>
}

export interface Breach {
  readonly breach: string
}

export const none: Handover = {
  told: undefined,
  offered: undefined,
  asked: undefined,
  without: new Set(),
  serving: undefined
}

/** The peer lacks what was dropped here: it is told of the books that hold it, once. */
export const offer = (handover: Handover, digest: string | undefined): Next =>
  digest === undefined || handover.told === digest || handover.serving !== undefined
    ? { handover, says: [] }
    : { handover: { ...handover, told: digest }, says: [{ _tag: "LoadSealed", digest, offset: -1 }] }

/** Asks for books that are wanted here, if this peer may have them. */
export const ask = (handover: Handover, wanted: Wanted | undefined): Next => {
  const { asked, offered, without } = handover
  if (wanted === undefined || asked !== undefined || without.has(wanted.digest)) return { handover, says: [] }
  if (!wanted.isNeeded && offered !== wanted.digest) return { handover, says: [] }
  const question = { digest: wanted.digest, offset: 0 }
  return {
    handover: { ...handover, asked: { ...question, total: undefined } },
    says: [{ _tag: "WantSealed", ...question }]
  }
}

/** The peer asks for books from a byte on. */
export const asked = (handover: Handover, digest: string, offset: number): Next | Breach =>
  handover.serving !== undefined
    ? { breach: "sealed books were asked for before the last part had come" }
    : {
        handover: { ...handover, serving: { digest, offset } },
        says: [{ _tag: "LoadSealed", digest, offset }]
      }

/** What was to be read for the peer; undefined: these books are not here. */
export const loaded = (
  handover: Handover,
  { digest, offset }: Omit<Part, "total" | "bytes">,
  books: Uint8Array | undefined
): Next => {
  const isOffer = offset < 0
  if (isOffer && books === undefined) return { handover, says: [] }
  const from = Math.max(0, offset)
  const bytes = isOffer || books === undefined ? new Uint8Array(0) : books.slice(from, from + sealedPartBytes)
  const part: Said = { _tag: "Sealed", digest, total: books?.length ?? 0, offset: from, bytes }
  return { handover: isOffer ? handover : { ...handover, serving: undefined }, says: [part] }
}

/** The peer brings a part, offers books, or says that it has none. */
export const part = (handover: Handover, came: Part): Next | Breach => {
  const { asked } = handover
  const { bytes, digest, offset, total } = came
  if (bytes.length === 0 && total > 0 && offset === 0) return { handover: { ...handover, offered: digest }, says: [] }
  if (asked === undefined || asked.digest !== digest || asked.offset !== offset)
    return { breach: "sealed books that nobody asked for" }
  if (total === 0)
    return { handover: { ...handover, asked: undefined, without: new Set(handover.without).add(digest) }, says: [] }
  const end = offset + bytes.length
  if (total > sealedBytesMax || end > total || bytes.length === 0 || (asked.total ?? total) !== total)
    return { breach: "a part of sealed books that can't be one" }
  const take: Said = { _tag: "TakeSealed", digest, total, offset, bytes }
  if (end === total) return { handover: { ...handover, asked: undefined }, says: [take] }
  return {
    handover: { ...handover, asked: { digest, offset: end, total } },
    says: [take, { _tag: "WantSealed", digest, offset: end }]
  }
}

/** What came was not what root sealed, or can't be taken up: this peer is not asked for it again. */
export const refuse = (handover: Handover, digest: string): Handover => ({
  ...handover,
  without: new Set(handover.without).add(digest)
})
