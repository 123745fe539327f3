/**
 * Puts the many small runs of a full block of 1 024 entries together into few large ones, in the store.
 *
 * Each turn of a writer leaves a run of its own; packed, a block needs one signature and shares its entries' beginnings
 * over its whole length: a third of the bytes, and one verification for whoever catches up. It never crosses a
 * multiple of 1 024. Feeds of authority
 * are left as they are: they are short, and keep their signatures (runtime/Revocation.ts). Packing is housekeeping: when it fails, nothing is lost and the runs stay as they were.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore } from "../effects/JournalStore.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import { runBodyBytesMax, runBytesMax, runEntriesMax } from "../journal/limits.ts"
import * as Run from "../journal/Run.ts"
import * as Intake from "./Intake.ts"

/** Packs the stored runs of a feed from `first` on, a multiple of 1 024, to the next multiple. */
export const pack = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  feed: FeedId,
  first: number
): Effect.fn.Return<void> {
  const packed = Effect.gen(function* () {
    const stored = yield* store.read(space, feed, first, runBodyBytesMax)
    const runs: Array<Run.Run> = []
    for (const one of stored) {
      if (one.first < first || one.last >= first + runEntriesMax) break
      const run = Run.decode(one.bytes)
      if (Result.isFailure(run)) return
      runs.push(run.success)
    }
    for (const group of groups(runs)) {
      if (group.length > 1) yield* store.repack(space, Intake.stored(Run.merge(group)))
    }
  })
  yield* packed.pipe(
    Effect.catch((error) => Effect.logWarning("a block could not be packed; it stays as it is", error.message))
  )
})

/** Neighbours, as many together as surely fit a run. */
const groups = (runs: ReadonlyArray<Run.Run>): ReadonlyArray<ReadonlyArray<Run.Run>> => {
  const result: Array<Array<Run.Run>> = []
  let bytes = 0
  for (const run of runs) {
    const group = result[result.length - 1]
    if (group !== undefined && bytes + run.bytes.length <= runBytesMax / 2) {
      group.push(run)
      bytes += run.bytes.length
    } else {
      result.push([run])
      bytes = run.bytes.length
    }
  }
  return result
}
