/** `aura feed settle`: Bob signed two histories of his feed, and Alice says which one counts, and up to where. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Meaning from "../../src/cli/Meaning.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { Time } from "../../src/effects/Time.ts"
import * as Governing from "../../src/runtime/Governing.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Authority from "../../src/trust/Authority.ts"
import {
  alice,
  bob,
  branch,
  bring,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  right,
  runOf,
  say,
  script,
  type Script
} from "../runtime/fixtures.ts"

describe("a feed with two histories", () => {
  it.live("is settled by an entry of one of them, and named by its hash where both have the number", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
      const trunk = script(space, bob, "authority")
      const attest = (to: Script, claim: string) =>
        say(to, { facts: [fact({ _tag: "Attest", device: carol.device, claim })], seen: [head(authority)] })
      attest(trunk, "common")
      const [left, other] = [branch(trunk, 1), branch(trunk, 1)]
      for (const claim of ["left 1", "left 2"]) attest(left, claim)
      attest(other, "other 1")
      const hers = installation(alice)
      yield* bring(hers, space, runOf(authority), runOf(left))
      yield* during(
        hers,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const desk = { store: yield* JournalStore, time: yield* Time }
          const settle = (position: string) => Meaning.actOf(desk, replica, { _tag: "Settle", position })
          yield* replica.receive([runOf(other, 1)])
          assert.isTrue(replica.ledger().forks.has(trunk.feed.id))
          const feed = trunk.feed.id.slice(0, 10)
          const twice = yield* Effect.flip(settle(`${feed}:1`))
          assert.deepInclude(twice, { code: "EntryAmbiguous", what: "2 histories have an entry 1", isUsage: true })
          assert.deepInclude(yield* Effect.flip(settle(`${feed}:9`)), { code: "EntryUnknown" })
          const act = yield* settle(`${feed}:1:${head(left, 1).hash.slice(0, 8)}`)
          assert.deepStrictEqual(act, { _tag: "Settle", position: head(left, 1) })
          assert.deepStrictEqual(yield* settle(`${feed}:2`), { _tag: "Settle", position: head(left, 2) })
          yield* Governing.perform(replica, alice.device, act)
          const settled = Authority.settlementOf(replica.ledger().authority!, trunk.feed.id)
          assert.deepInclude(settled, head(left, 1))
        })
      )
    })
  )
})
