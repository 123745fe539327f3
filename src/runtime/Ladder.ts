/**
 * A replica's books as they stood before, at distances that double, so that what a late restriction takes back is folded
 * from the last of them that holds none of it, and not from the beginning: joins of CRDTs have no inverse.
 *
 * A rung is a checkpoint (runtime/Checkpoint.ts) in memory: a cache that is always right or gone. It goes as soon as
 * authority shifts in a way that may reach a verdict in it (runtime/Verdicts.ts), a feed ends before what it holds of it,
 * or another entry counts of those with one idempotency key. Between two that stay lies one as long as neither makes do
 * for it: with the newest n entries away, some rung is never more than about 2n away. Count and bytes are bounded; the
 * oldest goes first, for it saves least.
 *
 * Law (test/runtime/Ledger.test.ts): folding from a rung gives what folding the whole journal gives.
 */
import * as Checkpoint from "./Checkpoint.ts"
import { limitOf, type Ledger } from "./Ledger.ts"
import { startOf } from "./Line.ts"
import { ladderBytesMax, rungBytesPerEntry, rungEntriesMin, rungQuietTimes, rungsMax } from "./limits.ts"
import * as Verdicts from "./Verdicts.ts"

export interface Ladder {
  /** Oldest first. */
  readonly rungs: Array<Rung>
  /** Entries since the last rung before the next one is taken, at least. */
  readonly entriesMin: number
  /** Entries applied, and the bytes it took, when a rung was last taken, kept or not. */
  taken: { readonly applied: number; readonly bytes: number }
}

export interface Rung {
  readonly books: Uint8Array
  readonly applied: number
  /** How many authority entries were here: nobody in it can have seen another. */
  readonly count: number
  readonly extents: ReadonlyArray<Verdicts.Extent>
}

export const make = (entriesMin: number = rungEntriesMin): Ladder => ({
  rungs: [],
  entriesMin,
  taken: { applied: 0, bytes: 0 }
})

/** Whether a rung pays: what it costs is a small share of the work since the last one, of which a quiet moment has more. */
export const isDue = ({ entriesMin, taken }: Ladder, { applied }: Ledger, isQuiet: boolean): boolean =>
  Math.abs(applied - taken.applied) * (isQuiet ? rungQuietTimes : 1) >=
  Math.max(entriesMin, taken.bytes / rungBytesPerEntry)

/** Puts the books as they stand on top, as these bytes have them. */
export const add = (ladder: Ladder, ledger: Ledger, books: Uint8Array): void => put(ladder, rungOf(ledger, books))

/** The same of books that stood before, and have no rung above them. */
export const put = (ladder: Ladder, rung: Rung): void => {
  const { rungs } = ladder
  ladder.taken = { applied: rung.applied, bytes: rung.books.length }
  if (rung.books.length > ladderBytesMax) return
  rungs.push(rung)
  // of three the middle one goes where the older one is hardly further away
  for (let at = rungs.length - 2; at > 0; at--) {
    const [older, newer] = [rungs[at - 1]!, rungs[at + 1]!].map(({ applied }) => rung.applied - applied) as [
      number,
      number
    ]
    if (older <= 2 * newer) rungs.splice(at, 1)
  }
  while (rungs.length > rungsMax || bytesOf(rungs) > ladderBytesMax) rungs.shift()
}

/** The books as they stand; the bytes say the same. */
export const rungOf = ({ applied, authority, lines }: Ledger, books: Uint8Array): Rung => ({
  books,
  applied,
  count: authority?.memo.count ?? 0,
  extents: [...lines.values()]
    .filter((line) => line.feed.kind === "data" && line.judged > startOf(line))
    .map(({ feed, id, judged }) => ({ id, feed, judged }))
})

/** Takes the books as they stand, if they can be written down. */
export const climb = (ladder: Ladder, ledger: Ledger): void => {
  const books = Checkpoint.encode(ledger)
  if (books !== undefined) add(ladder, ledger, books)
}

/** Takes away the rungs in which anything is not as it would be judged now. */
export const drop = ({ rungs }: Ladder, ledger: Ledger, shifts: ReadonlyArray<Verdicts.Shift>): void => {
  const isLeft = ({ count, extents }: Rung): boolean =>
    !shifts.some((shift) => Verdicts.reaches(shift, extents, count)) &&
    extents.every(({ id, judged }) => judged - 1 <= limitOf(ledger, ledger.lines.get(id)!))
  rungs.splice(0, rungs.length, ...rungs.filter(isLeft))
}

/** After folding from a rung the next one is due whatever it costs: folding cost more, and restrictions seldom come alone. */
export const owe = (ladder: Ladder): void => {
  ladder.taken = { applied: ladder.rungs.at(-1)?.applied ?? 0, bytes: 0 }
}

/** Books that were folded anew from the beginning have no rungs: entries of authority are numbered anew in them. */
export const clear = (ladder: Ladder): void => {
  ladder.rungs.length = 0
  ladder.taken = { applied: 0, bytes: 0 }
}

/** Bytes that a ladder holds. */
export const bytesOf = (rungs: ReadonlyArray<Rung>): number => rungs.reduce((sum, { books }) => sum + books.length, 0)
