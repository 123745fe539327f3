/**
 * `aura journal log`: the newest entries of the space, oldest first, with what became of each; of all, or of those that a
 * device wrote, that say something, or that were written in a stretch of time. Only feeds of that device are read, and each from
 * its end backwards, as far as the answer needs it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Chronicle from "./Chronicle.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { JournalStore } from "../effects/JournalStore.ts"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Line from "../runtime/Line.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { Data } from "./Output.ts"
import * as Moment from "./Moment.ts"
import * as Person from "./Person.ts"
import * as Problem from "./Problem.ts"
import { printable, time } from "./Text.ts"

/** The longest log in one answer. */
export const limitMax = 10_000

export const answer = Effect.fnUntraced(function* (
  office: Pick<Office, "replica" | "store" | "time">,
  errand: ErrandOf<"JournalLog">,
  voice: Voice
) {
  const { limit } = errand
  if (limit < 1 || limit > limitMax) {
    return yield* Problem.make("LimitInvalid", {
      what: `a limit of ${limit}`,
      allowed: `1 to ${limitMax}`,
      isUsage: true
    })
  }
  const replica = yield* office.replica
  const ledger = replica.ledger()
  const wanted = yield* wantedBy(errand, replica, office.time.now().millis)
  const rows: Array<Chronicle.Row> = []
  for (const line of ledger.lines.values()) {
    if (wanted.device !== undefined && line.feed.device !== wanted.device) continue
    rows.push(...(yield* newestOf(office.store, replica.space, line, limit, wanted)))
  }
  const newest = rows.toSorted((a, b) => a.clock - b.clock || (a.feed < b.feed ? -1 : 1)).slice(-limit)
  const names = Chronicle.namesOf(ledger)
  for (const row of newest) {
    const { verdict, why } = Chronicle.verdictOf(ledger, row)
    yield* voice.data({
      timeMillis: row.timeMillis,
      device: row.device,
      name: names.get(row.device) ?? null,
      feed: row.feed,
      kind: row.kind,
      seq: row.seq,
      hash: row.hash,
      types: row.facts.length === 0 ? ["(malformed)"] : row.facts.map(({ type }) => type),
      verdict,
      why
    })
  }
})

/** What is asked for; times in Unix milliseconds. */
interface Wanted {
  readonly device: DeviceId | undefined
  readonly isOfType: (type: string) => boolean
  readonly sinceMillis: number
  /** Not included. */
  readonly untilMillis: number
}

const wantedBy = Effect.fnUntraced(function* (
  { device, since, type, until }: ErrandOf<"JournalLog">,
  replica: Replica,
  nowMillis: number
): Effect.fn.Return<Wanted, Problem.Problem> {
  return {
    device: device === null ? undefined : yield* Person.device(replica, device),
    isOfType: yield* typesOf(type),
    sinceMillis: since === null ? Number.NEGATIVE_INFINITY : yield* Moment.pastOf(since, nowMillis),
    untilMillis: until === null ? Number.POSITIVE_INFINITY : yield* Moment.pastOf(until, nowMillis)
  }
})

const typesOf = Effect.fnUntraced(function* (pattern: string | null) {
  if (pattern === null) return () => true
  if (!/^[^*]*\*?$/u.test(pattern) || pattern === "") {
    return yield* Problem.make("TypeInvalid", {
      what: `"${pattern}" is no type`,
      allowed: "a type (tasks.add), or how one begins (tasks.*)",
      isUsage: true
    })
  }
  return pattern.endsWith("*")
    ? (type: string) => type.startsWith(pattern.slice(0, -1))
    : (type: string) => type === pattern
})

/** Entries read at a time, at least. */
const windowMin = 1024

/** The newest of a line that are wanted, so many at most, in order. Times rise along a line, so what is too old ends the search. */
const newestOf = Effect.fnUntraced(function* (
  store: JournalStore["Service"],
  space: SpaceId,
  line: Line.Line,
  limit: number,
  { isOfType, sinceMillis, untilMillis }: Wanted
) {
  const start = Line.startOf(line)
  const found: Array<ReadonlyArray<Chronicle.Row>> = []
  let [count, end] = [0, line.taken]
  while (end > start && count < limit) {
    const from = Math.max(start, end - Math.max(limit, windowMin))
    const rows = yield* Chronicle.rowsOf(store, space, line, from, end)
    const wanted = rows.filter(
      ({ facts, timeMillis }) =>
        timeMillis >= sinceMillis &&
        timeMillis < untilMillis &&
        (facts.length === 0 ? isOfType("") : facts.some(({ type }) => isOfType(type)))
    )
    found.unshift(wanted)
    count += wanted.length
    end = (rows[0]?.timeMillis ?? sinceMillis) < sinceMillis ? start : from
  }
  return found.flat().slice(-limit)
})

const Logged = Schema.Struct({
  timeMillis: Schema.Finite,
  device: Schema.String,
  name: Schema.NullOr(Schema.String),
  feed: Schema.String,
  seq: Schema.Finite,
  types: Schema.Array(Schema.String),
  verdict: Schema.String,
  why: Schema.String
})

const nameWidth = 14

export const render = (data: Data): string => {
  const { device, feed, name, seq, timeMillis, types, verdict, why } = Schema.decodeUnknownSync(Logged)(data)
  const who = printable(name ?? device.slice(0, 10))
    .slice(0, nameWidth)
    .padEnd(nameWidth)
  const counts = new Map<string, number>()
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1)
  const said = [...counts].map(([type, count]) => (count === 1 ? type : `${type} ×${count}`)).join(", ")
  const became = verdict === "applied" ? "" : `  ${verdict}${why === "" ? "" : `: ${printable(why)}`}`
  return `${time(timeMillis)}  ${who}  ${feed.slice(0, 10)}:${String(seq).padEnd(4)}  ${said}${became}`
}
