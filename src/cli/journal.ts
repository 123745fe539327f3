/** `aura journal log`: the newest entries of the space, oldest first, with what became of each. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Chronicle from "./Chronicle.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import { printable, time } from "./Text.ts"

/** The longest log in one answer. */
export const limitMax = 10_000

export const answer = Effect.fnUntraced(function* (office: Office, { limit }: ErrandOf<"JournalLog">, voice: Voice) {
  if (limit < 1 || limit > limitMax) {
    return yield* Problem.make("LimitInvalid", {
      what: `a limit of ${limit}`,
      allowed: `1 to ${limitMax}`,
      isUsage: true
    })
  }
  const replica = yield* office.replica
  const ledger = replica.ledger()
  const rows: Array<Chronicle.Row> = []
  for (const line of ledger.lines.values()) {
    rows.push(...(yield* Chronicle.rowsOf(office.store, replica.space, line, Math.max(0, line.taken - limit))))
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
