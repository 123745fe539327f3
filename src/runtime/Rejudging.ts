/**
 * Whether entries that something new may reach are judged as they were: read again, judged again, and nothing folded.
 *
 * A limit that leaves out what somebody wrote meanwhile seldom forbids it. What is read is anchored in what was judged: it
 * chains to the last entry that passed. A doubt that can't be settled so is no answer; folding is.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore, JournalStoreError } from "../effects/JournalStore.ts"
import { entryHash, type EntryHash } from "../identity/Id.ts"
import * as Entry from "../journal/Entry.ts"
import { completeSeenEvery } from "../journal/limits.ts"
import * as Run from "../journal/Run.ts"
import * as Judging from "./Judging.ts"
import type { Ledger } from "./Ledger.ts"
import * as Line from "./Line.ts"
import { loadBytes, rejudgedMax } from "./limits.ts"

/** True only where every verdict stays, with its reason. */
export const areAlike = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  ledger: Ledger,
  doubts: ReadonlyArray<Judging.Doubt>
): Effect.fn.Return<boolean, JournalStoreError> {
  const count = doubts.reduce((sum, { from, line }) => sum + line.judged - from, 0)
  if (doubts.length === 0 || count > rejudgedMax) return false
  for (const doubt of doubts) if (!(yield* isAlike(store, ledger, doubt))) return false
  return true
})

const isAlike = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  ledger: Ledger,
  { from, line }: Judging.Doubt
): Effect.fn.Return<boolean, JournalStoreError> {
  // what a branch goes on from lies on another line
  if (line.branch !== undefined) return false
  // there its author restates all that it had seen, so nothing before is needed
  let at = from - (from % completeSeenEvery)
  const again = Line.make(line.feed, undefined)
  let previous: EntryHash | undefined
  while (at < line.judged) {
    const runs = yield* store.read(ledger.space, line.id, at, loadBytes)
    if (runs.length === 0) return false
    for (const { bytes } of runs) {
      if (at >= line.judged) break
      const decoded = Run.decode(bytes)
      if (Result.isFailure(decoded)) return false
      const run = decoded.success
      if (run.feed !== line.feed.id || run.first > at || Run.lastSeq(run) < at) return false
      if (previous !== undefined && Run.hashBefore(run, at) !== previous) return false
      for (; at <= Run.lastSeq(run) && at < line.judged; at++)
        if (!isAlikeAt(ledger, again, run, at) && at >= from) return false
      previous = entryHash(run.hashes[at - 1 - run.first]!)
    }
  }
  return previous === line.judgedHash
})

/** What two entries with one key make of each other follows from verdicts: it is none. */
const isAlikeAt = (ledger: Ledger, again: Line.Line, run: Run.Run, seq: number): boolean => {
  const at = seq - run.first
  const body = Entry.decode(run.bodies[at]!)
  if (Result.isFailure(body)) return true
  const pending = { seq, time: run.times[at]!, hash: run.hashes[at]!, body: run.bodies[at]!, decided: undefined }
  const verdict = Judging.judge(ledger, again, pending, body.success)
  const because = ledger.quarantine.get(Judging.placeOf(again, seq))?.because
  const refused = because?._tag === "Duplicate" ? undefined : because
  if (verdict === undefined) return false
  if (verdict._tag === "Allowed") return refused === undefined
  return refused !== undefined && JSON.stringify(refused) === JSON.stringify(verdict.because)
}
