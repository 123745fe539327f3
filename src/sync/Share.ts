/**
 * What the runtime tells a session of one space: what is stored of it here, and what of it this peer may have.
 *
 * A peer may be told everything (`mayRead`), nothing, or, when it was a member and was put out, just what lets its own
 * replica find that out: then `feeds` holds nothing else, and `isDismissal` says that nothing is asked of it.
 */
import type { FeedId, SpaceId } from "../identity/Id.ts"
import type { FeedKind } from "../journal/Feed.ts"
import * as Frontier from "../journal/Frontier.ts"
import type { Wanted } from "./Handover.ts"
import { digestFeedsMin } from "./limits.ts"

/** Where one feed stands, as far as this side serves it. */
export interface Local {
  readonly kind: FeedKind
  readonly head: Frontier.Head
  /** The first entry that is still here: what comes before was sealed, and dropped. Undefined: all of it is. */
  readonly first?: number | undefined
  /** No run that reaches behind this is sent. Undefined: any that begins at or before `head` is. */
  readonly last?: number | undefined
}

/** A space as this peer may see it: its feeds as durably stored. */
export interface Share {
  readonly space: SpaceId
  /** Whether the peer may be told what is in `feeds`. */
  readonly mayRead: boolean
  readonly feeds: ReadonlyMap<FeedId, Local>
  /** Digest of the sealed books that are here: they stand for what was dropped. */
  readonly sealed?: string | undefined
  /** Sealed books that are not here, and that this side would stand on. */
  readonly wanted?: Wanted | undefined
  /** The peer was put out: nothing is asked of it. */
  readonly isDismissal?: boolean
  /** Send me no data beyond this (partial sync). Authority is always told completely. */
  readonly upTo?: Frontier.Frontier | undefined
}

/** A stored run as the runtime loaded it. */
export interface Loaded {
  readonly first: number
  readonly last: number
  readonly mark: string
  readonly header: Uint8Array | undefined
  /** The header names a branch, which the run itself does not: it goes with every run. */
  readonly isBranch?: boolean
  /** Further names under which the run goes on, and how far: they need not be sent it again. */
  readonly covers?: ReadonlyArray<Reach>
  readonly bytes: Uint8Array
}

/** How far something reaches, by one name. */
export type Reach = readonly [FeedId, Pick<Frontier.Head, "seq">]

/** A digest that was told, and the frontier it is of. */
export interface Claim {
  readonly digest: Uint8Array
  readonly frontier: Frontier.Frontier
}

/** Whether a first word as a digest may pay: the whole frontier is longer by much, and unbounded. */
export const isLong = ({ feeds, isDismissal, upTo }: Share): boolean =>
  isDismissal !== true && upTo === undefined && feeds.size >= digestFeedsMin

export const claimOf = ({ feeds }: Share): Claim => {
  const frontier: Frontier.Frontier = new Map([...feeds].map(([feed, { head }]) => [feed, head]))
  return { digest: Frontier.digest(frontier), frontier }
}
