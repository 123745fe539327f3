/**
 * `aura space seal` and `aura journal prune`: root says what the space's history comes to, and what lies below is dropped.
 *
 * A seal names, per feed, the last entry that it covers, and the digest of the books that follow (runtime/Sealed.ts). Nothing
 * below is judged again, whatever comes: a restriction that reaches further back does not reach what is sealed. Who lacks what
 * others dropped is handed the sealed books instead. So it is root that seals, with the recovery words, after what it would
 * cover was shown; dropping is each device's own affair.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Clock from "../journal/Clock.ts"
import { authorityWrite } from "../runtime/Write.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { SealRefused } from "../runtime/Sealing.ts"
import * as Authority from "../trust/Authority.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as RootKey from "./RootKey.ts"
import { count, time } from "./Text.ts"

export const seal = Effect.fnUntraced(function* (office: Office, errand: ErrandOf<"SpaceSeal">, voice: Voice) {
  const replica = yield* office.replica
  const { author } = yield* RootKey.authorOf(replica, errand.words)
  const proposed = replica.proposeSeal()
  if (Result.isFailure(proposed)) return yield* refusedAs(proposed.failure)
  const { books, fact } = proposed.success
  if (errand.isConfirmed) {
    yield* replica.write({ ...authorityWrite([fact]), as: author })
    yield* Effect.catchTag(replica.takeUp(books), "SealRefused", refusedAs)
  }
  const unheard = waitingOf(replica)
  yield* voice.data({
    isWritten: errand.isConfirmed,
    feeds: fact.positions.length,
    entries: fact.positions.reduce((sum, { seq }) => sum + seq + 1, 0),
    bytes: books.length,
    waiting: unheard
  })
})

/** Entries that are here and not judged: a seal does not cover them. */
const waitingOf = (replica: Replica): number =>
  [...replica.ledger().lines.values()].reduce(
    (sum, { feed, pending }) => (feed.kind === "data" ? sum + pending.length : sum),
    0
  )

const refusedAs = ({ do: todo, what }: SealRefused): Problem.Problem =>
  Problem.make("SealRefused", { what: `${what}; nothing was written`, do: todo })

export const prune = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const replica = yield* office.replica
  const { authority, sealed } = replica.ledger()
  if (sealed === undefined) {
    const isKnown = authority !== undefined && Authority.seals(authority).length > 0
    return yield* Problem.make("NotSealed", {
      what: isKnown
        ? "the space is sealed, but this device does not stand on the seal yet"
        : "the space has no seal, so there is nothing that could be dropped",
      do: isKnown ? 'run "aura sync", then try again' : 'seal it first: "aura space seal", with the recovery words'
    })
  }
  const dropped = yield* replica.drop
  yield* voice.data({ space: replica.space, dropped, feeds: sealed.ends.size })
})

const Sealed = Schema.Struct({
  isWritten: Schema.Boolean,
  feeds: Schema.Finite,
  entries: Schema.Finite,
  bytes: Schema.Finite,
  waiting: Schema.Finite
})

export const renderSeal = (data: Data): string => {
  const { bytes, entries, feeds, isWritten, waiting } = Schema.decodeUnknownSync(Sealed)(data)
  const covers = `${count(entries, "entry", "entries")} in ${count(feeds, "feed")}; what follows from them takes ${(bytes / 1024).toFixed(0)} KiB`
  const rest = waiting === 0 ? [] : [`${count(waiting, "entry", "entries")} wait here and are not covered`]
  return isWritten
    ? [
        `sealed: ${covers}`,
        ...rest,
        '"aura sync" carries it to the others; "aura journal prune" drops what it covers'
      ].join("\n")
    : [
        `would seal ${covers}`,
        ...rest,
        "what others wrote and this device does not have is not covered, and counts when it comes: sync first",
        "nothing below is judged again: a revocation that reaches further back reaches nothing that is sealed"
      ].join("\n")
}

const Pruned = Schema.Struct({ space: Schema.String, dropped: Schema.Finite, feeds: Schema.Finite })

export const renderPruned = (data: Data): string => {
  const { dropped, feeds, space } = Schema.decodeUnknownSync(Pruned)(data)
  return dropped === 0
    ? `nothing of space ${space.slice(0, 10)} is left below the seal`
    : `dropped ${count(dropped, "entry", "entries")} of ${count(feeds, "feed")} in space ${space.slice(0, 10)}`
}

/** A line for `aura status`; undefined: nothing was sealed. */
export const summaryOf = (replica: Replica): Summary | null => {
  const { authority, lines, sealed } = replica.ledger()
  const newest = authority === undefined ? undefined : Authority.seals(authority).at(-1)
  if (newest === undefined) return null
  const dropped = [...lines.values()].reduce((sum, { branch, kept }) => (branch === undefined ? sum + kept : sum), 0)
  const entries = newest.fact.positions.reduce((sum, { seq }) => sum + seq + 1, 0)
  return {
    atMillis: Clock.toMillis(newest.node.time),
    entries,
    dropped,
    isStoodOn: sealed !== undefined && replica.wantedSeal() === undefined
  }
}

export const Summary = Schema.Struct({
  atMillis: Schema.Finite,
  entries: Schema.Finite,
  dropped: Schema.Finite,
  isStoodOn: Schema.Boolean
})
export type Summary = typeof Summary.Type

export const summaryText = ({ atMillis, dropped, entries, isStoodOn }: Summary): string =>
  [
    `${count(entries, "entry", "entries")} at ${time(atMillis)}`,
    ...(isStoodOn ? [] : ["not taken up here yet"]),
    ...(dropped === 0 ? [] : [`${dropped} dropped here`])
  ].join(", ")
