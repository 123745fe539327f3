/**
 * What a restriction written now leaves alone: as a rule all that is here, so that nobody's past changes.
 *
 * A cut names the feeds of whom the restriction reaches; a feed that it does not name is cut at its start, which is right
 * for feeds nobody has heard of. Of a feed with several histories it names what they share, or the first that came.
 */
import type { DeviceId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import type { Ledger } from "./Ledger.ts"
import * as Line from "./Line.ts"

/** All that is here of the feeds of these devices; undefined: of all. */
export const everythingOf = (
  ledger: Ledger,
  devices: ReadonlySet<DeviceId> | undefined,
  ofSeveral: "shared" | "first" = "shared"
): ReadonlyArray<Position> =>
  [...ledger.lines.values()]
    .filter(({ branch, feed }) => branch === undefined && (devices === undefined || devices.has(feed.device)))
    .map((line) => {
      const end = ofSeveral === "first" ? { seq: line.taken - 1, hash: line.hash } : Line.sharedEnd(line)
      return { feed: line.feed.id, ...end }
    })
    .filter(({ seq }) => seq >= 0)
