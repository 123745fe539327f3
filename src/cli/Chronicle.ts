/**
 * The journal as people read it: entries with time, device, place in their feed, what they say, and what became of them.
 *
 * A verdict is one of: applied; quarantined, with the reason; waiting, for what; held, until when; outside (behind the end
 * of its feed: a cut, a fork, a closing); sealed: root settled it, refused or not. Entries behind a waiting or held one of the same feed share its verdict.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore } from "../effects/JournalStore.ts"
import { entryHash, type DeviceId, type EntryHash, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import type * as Feed from "../journal/Feed.ts"
import * as Run from "../journal/Run.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import * as Decision from "../trust/Decision.ts"
import * as Wording from "../trust/Wording.ts"
import * as Person from "./Person.ts"
import { time } from "./Text.ts"

export interface Row {
  readonly timeMillis: number
  readonly clock: number
  readonly device: DeviceId
  readonly feed: FeedId
  /** Its feed, or the branch of it that the entry lies on here. */
  readonly line: FeedId
  readonly kind: Feed.FeedKind
  readonly seq: number
  readonly hash: EntryHash
  /** None when the body is malformed. */
  readonly facts: ReadonlyArray<Entry.Fact>
}

export interface Verdict {
  readonly verdict: "applied" | "quarantined" | "waiting" | "held" | "outside" | "sealed"
  readonly why: string
}

/** Bytes asked of the store at a time. */
const readBytes = 256 * 1024

/** Every entry of a line from the position `from` on, up to `to`; what does not decode is left to `aura journal verify`. */
export const rowsOf = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  line: Line.Line,
  from: number,
  to = Number.POSITIVE_INFINITY
) {
  const rows: Array<Row> = []
  const start = Line.startOf(line)
  for (let next = Math.max(start, from); ;) {
    const stored = yield* store.read(space, line.id, next - start, readBytes)
    for (const { bytes } of stored) {
      const run = Run.decode(bytes)
      if (Result.isFailure(run)) return rows
      for (let index = Math.max(0, next - run.success.first); index < run.success.times.length; index++) {
        if (run.success.first + index >= to) return rows
        rows.push(rowOf(line, run.success, index))
      }
      next = Run.lastSeq(run.success) + 1
    }
    if (stored.length === 0) return rows
  }
})

const rowOf = ({ feed, id }: Line.Line, run: Run.Run, index: number): Row => {
  const body = Entry.decode(run.bodies[index]!)
  const clock = run.times[index]!
  return {
    timeMillis: Clock.toMillis(clock),
    clock,
    device: feed.device,
    feed: feed.id,
    line: id,
    kind: feed.kind,
    seq: run.first + index,
    hash: entryHash(run.hashes[index]!),
    facts: Result.isSuccess(body) ? body.success.facts : []
  }
}

export const verdictOf = (ledger: Ledger.Ledger, row: Pick<Row, "feed" | "line" | "seq">): Verdict => {
  const { feed, seq } = row
  const line = ledger.lines.get(row.line)
  if (line === undefined || seq > Ledger.limitOf(ledger, line)) {
    return { verdict: "outside", why: line === undefined ? "its feed is not in the books" : endOf(ledger, line.feed) }
  }
  if (seq <= (ledger.sealed?.ends.get(line.id)?.seq ?? -1))
    return { verdict: "sealed", why: "it was settled when root sealed the space" }
  const quarantined = ledger.quarantine.get(`${feed} ${seq}`)
  if (quarantined !== undefined)
    return { verdict: "quarantined", why: Wording.explain(Decision.denied(quarantined.because)) }
  if (seq < line.judged) {
    const isFrozen = line.feed.kind === "authority" && seq > (ledger.forks.get(feed)?.seq ?? Number.POSITIVE_INFINITY)
    return isFrozen ? { verdict: "outside", why: `${twoHistories}: revocations stand, nothing else` } : applied
  }
  const behind = line.blocked === undefined || line.blocked.seq === seq ? "" : `behind entry ${line.blocked.seq}: `
  if (line.blocked?._tag === "Held") return { verdict: "held", why: `${behind}until ${time(line.blocked.untilMillis)}` }
  return { verdict: "waiting", why: `${behind}${line.blocked?.what ?? "its turn has not come"}` }
}

const applied: Verdict = { verdict: "applied", why: "" }

const twoHistories = "its device signed two histories from here on"

const endOf = (ledger: Ledger.Ledger, feed: Feed.Feed): string => {
  if (ledger.forks.has(feed.id)) return twoHistories
  if (ledger.closers.has(feed.id)) return "its device closed the feed before"
  return "its device was revoked before, or never admitted"
}

/** What people call a device: the name it was admitted with. */
export const namesOf = (ledger: Ledger.Ledger): Person.Names =>
  ledger.authority === undefined ? new Map() : Person.namesOf(ledger.authority)
