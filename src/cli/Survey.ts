/** What a replica has and what it holds back, in numbers: for `status`, `doctor` and whoever else reports on it. */
import * as Clock from "../journal/Clock.ts"
import * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Authority from "../trust/Authority.ts"

export interface Survey {
  readonly entries: number
  readonly feeds: number
  readonly members: number
  readonly revoked: number
  /** Judged and refused. */
  readonly quarantined: number
  /** Not judged yet because something they build on is not here, with those behind them. */
  readonly waiting: number
  /** Not judged yet because their time is too far ahead, with those behind them. */
  readonly held: number
  /** When the first held entry comes of age, Unix milliseconds. */
  readonly heldUntilMillis: number | undefined
  /** Behind the end of their feed: cut off, forked or closed. */
  readonly outside: number
  readonly damaged: number
  readonly latestMillis: number | undefined
}

export const of = (replica: Replica): Survey => {
  const ledger = replica.ledger()
  const members = ledger.authority === undefined ? [] : Authority.members(ledger.authority)
  const survey = { entries: 0, waiting: 0, held: 0, outside: 0 }
  let heldUntilMillis: number | undefined
  for (const line of ledger.lines.values()) {
    const limit = Ledger.limitOf(ledger, line)
    const inside = Math.min(line.taken, limit + 1)
    const start = Math.min(inside, Line.startOf(line))
    survey.entries += inside - start
    survey.outside += line.taken - Math.max(inside, Line.startOf(line))
    const open = Math.max(0, inside - line.judged)
    if (open === 0 || line.blocked === undefined) continue
    if (line.blocked._tag === "Held") {
      survey.held += open
      heldUntilMillis = Math.min(heldUntilMillis ?? Number.POSITIVE_INFINITY, line.blocked.untilMillis)
    } else survey.waiting += open
  }
  return {
    ...survey,
    heldUntilMillis,
    feeds: ledger.lines.size,
    members: members.filter(({ revoked }) => !revoked).length,
    revoked: members.filter(({ revoked }) => revoked).length,
    quarantined: ledger.quarantine.size,
    damaged: replica.damage().length,
    latestMillis: ledger.latest === 0 ? undefined : Clock.toMillis(ledger.latest)
  }
}
