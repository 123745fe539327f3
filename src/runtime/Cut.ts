/**
 * What a restriction written now leaves alone: as a rule all that is here, so that nobody's past changes.
 *
 * A cut names the feeds of whom the restriction reaches; a feed that it does not name is cut at its start, which is right
 * for feeds nobody has heard of. Of a feed of authority with several histories it names what they share, or the first that
 * came; of one of data the longest: any of them may be settled on, and what none was settled on counts anyway for nothing.
 */
import type { DeviceId } from "../identity/Id.ts"
import type { Position } from "../journal/Feed.ts"
import { historiesOf, type Ledger } from "./Ledger.ts"
import * as Line from "./Line.ts"

/** All that is here of the feeds of these devices; undefined: of all. */
export const everythingOf = (
  ledger: Ledger,
  devices: ReadonlySet<DeviceId> | undefined,
  ofSeveral: "shared" | "first" = "shared"
): ReadonlyArray<Position> =>
  [...ledger.lines.values()]
    .filter(({ branch, feed }) => branch === undefined && (devices === undefined || devices.has(feed.device)))
    .map((line) => ({ feed: line.feed.id, ...endOf(ledger, line, ofSeveral) }))
    .filter(({ seq }) => seq >= 0)

const endOf = (ledger: Ledger, line: Line.Line, ofSeveral: "shared" | "first"): Omit<Position, "feed"> => {
  if (line.feed.kind === "authority" && ofSeveral === "shared") return Line.sharedEnd(line)
  const all = line.feed.kind === "authority" ? [line] : historiesOf(ledger, line.feed.id)
  const { hash, taken } = all.reduce((one, other) => (other.taken > one.taken ? other : one))
  return { seq: taken - 1, hash }
}
