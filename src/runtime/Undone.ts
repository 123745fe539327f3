/**
 * What was applied here and no longer counts, or counts again, after the journal was folded anew.
 *
 * Folding anew gives other books; these two are compared entry by entry, by their verdicts. Entries that were never
 * applied here are no news to anybody.
 */
import type { DeviceId, FeedId } from "../identity/Id.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import type { Ledger } from "./Ledger.ts"
import { startOf, type Line } from "./Line.ts"

/** Consecutive entries of a feed of data that are undone, with the reason, or count again. */
export interface Undone {
  readonly feed: FeedId
  readonly device: DeviceId
  /** The first and the last of them. */
  readonly from: number
  readonly to: number
  /** Undefined: they count again. */
  readonly because: Decision.Refusal | undefined
}

/** In the order of feeds, and of entries within each. */
export const between = (before: Ledger, after: Ledger): ReadonlyArray<Undone> =>
  [...before.lines.values()].flatMap((line) =>
    line.feed.kind === "data" ? changesOf(before, after, line, after.lines.get(line.id)) : []
  )

const changesOf = (before: Ledger, after: Ledger, then: Line, now: Line | undefined): ReadonlyArray<Undone> => {
  const { device, id: feed } = then.feed
  const start = startOf(then)
  const judged = Math.min(then.judged, now?.judged ?? start)
  const changes: Array<Undone> = []
  for (const { because, seq } of quarantined(after, feed, start, judged))
    if (!before.quarantine.has(nameOf(feed, seq))) changes.push({ feed, device, from: seq, to: seq, because })
  // what was refused below a seal stays refused, and is told of no more
  const sealed = after.sealed?.ends.get(feed)?.seq ?? -1
  for (const { seq } of quarantined(before, feed, Math.max(start, sealed + 1), judged))
    if (!after.quarantine.has(nameOf(feed, seq))) changes.push({ feed, device, from: seq, to: seq, because: undefined })
  if (judged < then.judged) {
    const from = judged
    changes.push({ feed, device, from, to: then.judged - 1, because: endOf(after, then, from) })
  }
  return changes.sort((a, b) => a.from - b.from)
}

const nameOf = (feed: FeedId, seq: number): string => `${feed} ${seq}`

const quarantined = ({ quarantine }: Ledger, feed: FeedId, from: number, below: number) =>
  [...quarantine.values()].filter((one) => one.feed === feed && one.seq >= from && one.seq < below)

/** Why a feed ends where it ends by these books. */
const endOf = ({ authority, forks }: Ledger, { feed }: Line, seq: number): Decision.Refusal => {
  const { device, id } = feed
  if (authority === undefined) return { _tag: "NotAdmitted", device }
  const revocation = Authority.revocationOn(authority, device, id, seq)
  if (revocation !== undefined) return Decision.revokedBy(revocation)
  const fork = forks.get(id)
  if (fork !== undefined && fork.seq < seq) return { _tag: "Forked", feed: id, at: fork.seq + 1 }
  if (!Authority.isAdmitted(authority, Authority.present(authority), device)) return { _tag: "NotAdmitted", device }
  return { _tag: "Closed", feed: id, by: device }
}
