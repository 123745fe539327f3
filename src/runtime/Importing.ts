/**
 * Brings what an archive holds into this device's journals, by the same door as everything that peers bring
 * (runtime/Receiving.ts): verified again, judged, joined to what is there.
 *
 * The archive was inspected before (runtime/Inspecting.ts). Portions are durable one after the other, so what a killed import
 * left is taken up by the next. It is read again as long as that brings something: what comes first may wait for what
 * comes later. What this device does not want, it does not want from a file either, and that is told.
 */
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import type { JournalStoreError } from "../effects/JournalStore.ts"
import type { SpaceId } from "../identity/Id.ts"
import type * as Archive from "../journal/Archive.ts"
import type { Delivery } from "./Arrivals.ts"
import type { ArchiveFault, Source } from "./Inspecting.ts"
import * as Line from "./Line.ts"
import { runsPerTurnMax } from "./limits.ts"
import type { Replica } from "./Replica.ts"
import * as Sealed from "./Sealed.ts"

/** What became of one space of an archive. */
export interface Imported {
  readonly space: SpaceId
  /** Entries that are new here. */
  readonly stored: number
  /** Runs that are not here, by the reason. */
  readonly leftOut: ReadonlyMap<string, number>
}

/** Bytes of runs that are handed over at once: few durable writes, and little that outlives the collector's youth. */
const portionBytesMax = 1024 * 1024

/** `told` hears how many entries came so far. */
export const importSpaces = Effect.fnUntraced(function* <Lost, E>(
  source: Source<Lost>,
  replicaOf: (space: SpaceId) => Effect.Effect<Replica, E>,
  told: (entries: number) => Effect.Effect<void>
): Effect.fn.Return<ReadonlyArray<Imported>, Lost | E | ArchiveFault | JournalStoreError> {
  const stored = new Map<SpaceId, number>()
  for (;;) {
    const pass = yield* readOnce(source, replicaOf, stored, told)
    if (pass.entries === 0 || pass.leftOut.size === 0)
      return [...stored].map(([space, count]) => ({
        space,
        stored: count,
        leftOut: pass.leftOut.get(space) ?? new Map()
      }))
  }
})

/** One reading: what is new by it is counted in `stored`. */
const readOnce = Effect.fnUntraced(function* <Lost, E>(
  source: Source<Lost>,
  replicaOf: (space: SpaceId) => Effect.Effect<Replica, E>,
  stored: Map<SpaceId, number>,
  told: (entries: number) => Effect.Effect<void>
): Effect.fn.Return<
  { readonly entries: number; readonly leftOut: ReadonlyMap<SpaceId, ReadonlyMap<string, number>> },
  Lost | E | ArchiveFault | JournalStoreError
> {
  const leftOut = new Map<SpaceId, Map<string, number>>()
  let entries = 0
  let replica: Replica | undefined
  let header: Uint8Array | undefined
  let portion: Array<Delivery> = []
  let bytes = 0
  let books: Array<Uint8Array> = []

  const handOver = Effect.fnUntraced(function* () {
    if (replica === undefined || portion.length === 0) return
    const before = entriesOf(replica)
    const outcomes = yield* replica.receive(portion)
    portion = []
    bytes = 0
    for (const outcome of outcomes) {
      if (outcome._tag === "Stored" || outcome._tag === "Known") continue
      const why = outcome._tag === "Detached" ? "what comes before it is not here" : outcome.why
      leaveOut(replica, why)
    }
    yield* grow(replica, before)
  })

  const leaveOut = ({ space }: Replica, why: string): void => {
    const reasons = leftOut.get(space) ?? new Map<string, number>()
    leftOut.set(space, reasons.set(why, (reasons.get(why) ?? 0) + 1))
  }

  const grow = (replica: Replica, before: number): Effect.Effect<void> => {
    const grown = entriesOf(replica) - before
    entries += grown
    stored.set(replica.space, (stored.get(replica.space) ?? 0) + grown)
    return told([...stored.values()].reduce((sum, count) => sum + count, 0))
  }

  /** Behind the authority that the books are judged by, and before what goes on from them. */
  const takeUp = Effect.fnUntraced(function* () {
    const whole = concatBytes(...books)
    books = []
    if (replica === undefined || whole.length === 0) return
    yield* handOver()
    if (replica.wantedSeal()?.digest !== bytesToHex(Sealed.digestOf(whole))) return
    const before = entriesOf(replica)
    const { takeUp } = replica
    yield* Effect.catchTag(takeUp(whole), "SealRefused", ({ message }) =>
      Effect.sync(() => leaveOut(replica!, message))
    )
    yield* grow(replica, before)
  })

  const use = Effect.fnUntraced(function* (item: Archive.Placed) {
    if (item._tag === "Sealed") {
      books.push(item.bytes)
      return
    }
    if (books.length > 0) yield* takeUp()
    if (item._tag === "Space") {
      yield* handOver()
      replica = yield* replicaOf(item.space)
      stored.set(item.space, stored.get(item.space) ?? 0)
    } else if (item._tag === "Feed") ({ header } = item)
    else if (item._tag === "Run") {
      portion.push({ header, run: item.bytes })
      bytes += item.bytes.length
      if (bytes >= portionBytesMax || portion.length >= runsPerTurnMax) yield* handOver()
    }
  })
  yield* source.read(use)
  yield* handOver()
  return { entries, leftOut }
})

/** Entries that are stored here, on whatever branch, judged or not. */
const entriesOf = (replica: Replica): number => {
  let entries = 0
  for (const line of replica.ledger().lines.values()) entries += line.taken - Line.startOf(line)
  return entries
}
