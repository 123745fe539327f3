/** A restriction leaves alone all that is here, as far as it can name it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Governing from "../../src/runtime/Governing.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { cutPositionsMax } from "../../src/trust/limits.ts"
import * as Policy from "../../src/trust/Policy.ts"
import {
  alice,
  bob,
  carol,
  during,
  founded,
  head,
  installation,
  mallory,
  right,
  runOf,
  say,
  script,
  set
} from "./fixtures.ts"

const policy: Governing.Act = {
  _tag: "SetPolicy",
  app: "kv",
  operation: "kv.write",
  policy: Policy.any(),
  reason: "nobody writes any more"
}

const writers = [bob, carol, mallory]

describe("a change of policy", () => {
  it.live("counts while it can name every feed, and with one more is refused and says what to do instead", () =>
    Effect.gen(function* () {
      const { authority, space } = founded(writers.map((keys) => [keys, right("*", 1)] as const))
      const admitted = head(authority)
      const feed = (number: number) => {
        const writer = writers[number % writers.length]!
        const data = script(space, writer, "data", { nonce: Math.floor(number / writers.length) })
        say(data, { facts: [set(`k${number}`, "1")], seen: [admitted] })
        return runOf(data)
      }
      yield* during(
        installation(alice),
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive([
            runOf(authority),
            ...Array.from({ length: cutPositionsMax }, (_, number) => feed(number))
          ])
          assert.strictEqual(replica.ledger().lines.size, cutPositionsMax + 1)
          const refused = yield* Effect.flip(Governing.perform(replica, alice.device, policy))
          assert.strictEqual(refused._tag, "ActDenied")
          assert.strictEqual(refused.message, "this reaches 513 feeds, and a restriction can leave 512 alone")
          assert.include(refused._tag === "ActDenied" ? refused.do : "", "restrict devices one by one")
          assert.deepStrictEqual(Authority.restrictions(replica.ledger().authority!), [])
        })
      )
      yield* during(
        installation(alice),
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive([
            runOf(authority),
            ...Array.from({ length: cutPositionsMax - 1 }, (_, number) => feed(number))
          ])
          yield* Governing.perform(replica, alice.device, policy)
          const [standing] = Authority.restrictions(replica.ledger().authority!)
          assert.lengthOf(standing?.fact.cut ?? [], cutPositionsMax)
          assert.strictEqual(replica.ledger().quarantine.size, 0, "what was written before stays")
        })
      )
    })
  )
})
