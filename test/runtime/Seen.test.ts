/** What an entry has to name as seen: with the fewest positions, all that naming the end of every feed would say. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Position } from "../../src/journal/Feed.ts"
import { completeSeenEvery } from "../../src/journal/limits.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Line from "../../src/runtime/Line.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { during, installation, keysOf, runsOf } from "./fixtures.ts"
import { history } from "./histories.ts"

/** The books of a stranger who got all entries, several times over: some wait for others. */
const booksOf = (seed: number) =>
  during(
    installation(keysOf(77)),
    Effect.gen(function* () {
      const { scripts, space } = history(seed, 60)
      const replica = yield* Replica.open(space)
      const runs = scripts.flatMap((script) => runsOf(script, 4))
      for (let round = 0; round < 4; round++) yield* replica.receive(runs)
      return replica.ledger()
    })
  )

/** The last entry of every other feed of authority that all of its histories share. */
const everything = (ledger: Ledger.Ledger, line: Line.Line | undefined): ReadonlyArray<Position> =>
  [...ledger.lines.values()].flatMap((other) => {
    if (other.feed.kind !== "authority" || other.branch !== undefined || other === line) return []
    const shared = Line.sharedEnd(other)
    const last = shared.seq < other.judged ? shared : { seq: other.judged - 1, hash: other.judgedHash }
    return last.seq < 0 ? [] : [{ feed: other.feed.id, ...last }]
  })

describe("what an entry names as seen", () => {
  it.effect("says all that it would say by naming every feed, and names nothing that another name says", () =>
    Effect.gen(function* () {
      let [named, all, forked] = [0, 0, 0]
      for (let seed = 1; seed <= 30; seed++) {
        const ledger = yield* booksOf(seed)
        const authority = ledger.authority!
        forked += ledger.branches.size
        const expectLast = (
          line: Line.Line | undefined,
          kind: "authority" | "data",
          seq: number,
          before: Authority.View
        ): void => {
          const last = Ledger.unseen(ledger, line, kind, seq)
          const view = Authority.look(authority, before, last)
          const others = everything(ledger, line)
          assert.strictEqual(view, Authority.look(authority, before, others))
          for (const one of last) {
            const rest = last.filter((other) => other !== one)
            assert.notStrictEqual(Authority.look(authority, before, rest), view)
          }
          assert.deepStrictEqual(
            last.map(({ feed }) => feed),
            [...new Set(last.map(({ feed }) => feed))].sort()
          )
          named += last.length
          all += others.length
        }
        const nothing = Authority.emptyView(authority)
        expectLast(undefined, "data", 0, nothing)
        expectLast(undefined, "authority", 0, nothing)
        for (const line of ledger.lines.values()) {
          if (line.branch !== undefined || line.judged === 0) continue
          if (line.feed.kind === "data") {
            expectLast(line, "data", 1, line.view)
            expectLast(line, "data", completeSeenEvery, nothing)
          } else {
            const own = { feed: line.feed.id, seq: line.judged - 1, hash: line.judgedHash }
            expectLast(line, "authority", line.judged, Authority.look(authority, nothing, [own]))
          }
        }
      }
      assert.isAbove(named, 200)
      assert.isBelow(named, all * 0.75)
      assert.isAbove(forked, 4)
    })
  )
})
