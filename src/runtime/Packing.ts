/**
 * Puts the many small runs of a full block of 1 024 entries together into few large ones, in the store.
 *
 * Each turn of a writer leaves a run of its own; packed, a block needs one signature and shares its entries' beginnings
 * over its whole length: a third of the bytes, and one verification for whoever catches up. It never crosses a
 * multiple of 1 024. Feeds of authority are left as they are: they are short, and keep their signatures
 * (runtime/Revocation.ts). Packing is housekeeping: when it fails, nothing is lost and the runs stay as they were.
 *
 * Who writes a block from its first entry on still has its runs, and need not read, take apart and verify them again.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore } from "../effects/JournalStore.ts"
import type { FeedId, SpaceId } from "../identity/Id.ts"
import { runBodyBytesMax, runBytesMax, runEntriesMax } from "../journal/limits.ts"
import * as Run from "../journal/Run.ts"
import * as Intake from "./Intake.ts"

/** The runs of the block that is filling, in order and as they were committed, if they are all here; else none. */
export interface Block {
  feed: FeedId | undefined
  runs: Array<Run.Run>
  /** Bytes of the runs, and of the bodies in them. */
  bytes: number
}

export const emptyBlock = (): Block => ({ feed: undefined, runs: [], bytes: 0 })

/** Bytes of a block that are kept for packing; a larger one is read back. */
export const blockBytesMax = 1024 * 1024

/** Notes a run that was committed. */
export const note = (block: Block, run: Run.Run): void => {
  const last = block.runs[block.runs.length - 1]
  const isFirst = run.first % runEntriesMax === 0
  const isNext = block.feed === run.feed && last !== undefined && Run.lastSeq(last) + 1 === run.first
  if (isFirst || !isNext) forget(block)
  if (!isFirst && !isNext) return
  block.feed = run.feed
  block.runs.push(run)
  block.bytes += run.bodies.reduce((bytes, body) => bytes + body.length, run.bytes.length)
  if (block.bytes > blockBytesMax) forget(block)
}

/** What is kept of a block is no longer what the store has. */
export const forget = (block: Block): void => {
  block.feed = undefined
  block.runs = []
  block.bytes = 0
}

/** Packs the runs of a feed from `first` on, a multiple of 1 024, to the next multiple, which is full. */
export const pack = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  feed: FeedId,
  first: number,
  block: Block
): Effect.fn.Return<void> {
  const packed = Effect.gen(function* () {
    const isHere = block.feed === feed && block.runs[0]?.first === first
    const runs = isHere ? block.runs : yield* readBlock(store, space, feed, first)
    for (const group of groups(runs)) {
      if (group.length > 1) yield* store.repack(space, Intake.stored(Run.merge(group)))
    }
  })
  yield* packed.pipe(
    Effect.catch((error) => Effect.logWarning("a block could not be packed; it stays as it is", error.message))
  )
  forget(block)
})

/** The runs that lie in the block; none when one of them is damaged. */
const readBlock = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  feed: FeedId,
  first: number
) {
  const stored = yield* store.read(space, feed, first, runBodyBytesMax)
  const runs: Array<Run.Run> = []
  for (const one of stored) {
    if (one.first < first || one.last >= first + runEntriesMax) break
    const run = Run.decode(one.bytes)
    if (Result.isFailure(run)) return []
    runs.push(run.success)
  }
  return runs
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
