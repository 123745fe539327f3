/** The founder's device writes what the next hour may cost, once; nobody else does. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Replenishing from "../../src/runtime/Replenishing.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Budget from "../../src/trust/Budget.ts"
import { alice, bob, during, founded, installation, noonMillis, right, runOf } from "./fixtures.ts"

const base = 1000
const hour = Budget.epochOf(noonMillis)

describe("the budgets of the next hour", () => {
  it.effect("are written once by the founder's device, and bind whoever spends", () =>
    during(
      installation(alice),
      Effect.gen(function* () {
        const { authority, space } = founded([[bob, right("space:read")]])
        const replica = yield* Replica.open(space)
        yield* replica.receive([runOf(authority)])
        assert.strictEqual(yield* Replenishing.replenish(replica, alice.device, base, noonMillis), 2)
        assert.strictEqual(yield* Replenishing.replenish(replica, alice.device, base, noonMillis), 0, "once an hour")
        const said = Budget.saidIn(replica.ledger().authority!)
        assert.strictEqual(
          Budget.lease(said, bob.device, alice.device, hour + 1),
          base,
          "the founder is trusted in full"
        )
        assert.isBelow(Budget.lease(said, alice.device, bob.device, hour + 1), 100, "nobody vouches for Bob")
        assert.strictEqual(Budget.lease(said, alice.device, bob.device, hour), Budget.shareDefault, "not this hour")
        assert.strictEqual(
          yield* Replenishing.replenish(replica, alice.device, base, noonMillis + Budget.epochMillis),
          2,
          "the hour after"
        )
      })
    )
  )

  it.effect("are nobody else's to write", () =>
    during(
      installation(bob),
      Effect.gen(function* () {
        const { authority, space } = founded([[bob, right("*", 3)]])
        const replica = yield* Replica.open(space)
        yield* replica.receive([runOf(authority)])
        assert.strictEqual(yield* Replenishing.replenish(replica, bob.device, base, noonMillis), 0)
      })
    )
  )
})
