/** What readiness tries, how long it waits, and that nobody spoils it for the next who asks. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Readiness from "../../../src/cli/web/Readiness.ts"
import { JournalFull, JournalStore, JournalStoreError } from "../../../src/effects/JournalStore.ts"
import type { Keys } from "../../../src/effects/Keys.ts"
import { Time } from "../../../src/effects/Time.ts"
import * as ClockTime from "../../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../../src/handlers/memory/MemoryJournal.ts"
import { spaceId } from "../../../src/identity/Id.ts"
import { alice } from "./world.ts"

const space = spaceId(new Uint8Array(32).fill(7))

const readiness = Effect.fnUntraced(function* (sign: Keys["Service"]["sign"], failing?: JournalStoreError) {
  const services = yield* Layer.build(Layer.merge(MemoryJournal.layer(), ClockTime.layer()))
  const store = Context.get(services, JournalStore)
  const broken = failing === undefined ? store : { ...store, commit: () => Effect.fail(failing) }
  return yield* Readiness.make({ store: broken, keys: { sign }, time: Context.get(services, Time), space })
})

describe("readiness", () => {
  it.effect("names the kind of failure and nothing else of it", () =>
    Effect.gen(function* () {
      const full = new JournalStoreError({ reason: new JournalFull({ what: "/secret/path" }) })
      const ready = yield* yield* readiness(alice.sign, full)
      assert.isFalse(ready.ok)
      assert.deepStrictEqual(
        ready.checks.map(({ name, ok, what }) => [name, ok, what]),
        [
          ["journal", false, "JournalFull"],
          ["clock", true, "the system's, believed"],
          ["keys", true, "the device key signs"]
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("does not wait for ever for a key that does not answer", () =>
    Effect.gen(function* () {
      const asked = yield* Effect.forkChild(yield* readiness(() => Effect.never))
      yield* TestClock.adjust("3 seconds")
      const { checks } = yield* Fiber.join(asked)
      assert.deepStrictEqual(checks[2], { name: "keys", ok: false, what: "does not answer" })
    }).pipe(Effect.scoped)
  )

  it.effect("is remembered for a moment, and not spoiled by who asks and goes away", () =>
    Effect.gen(function* () {
      let signed = 0
      const sign: Keys["Service"]["sign"] = (message) =>
        Effect.delay(
          Effect.suspend(() => (signed++, alice.sign(message))),
          "1 second"
        )
      const ready = yield* readiness(sign)
      const first = yield* Effect.forkChild(ready)
      yield* TestClock.adjust("500 millis")
      yield* Effect.forkChild(Fiber.interrupt(first))
      const second = yield* Effect.forkChild(ready)
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* Fiber.join(second)).ok)
      assert.isTrue((yield* ready).ok)
      assert.strictEqual(signed, 1)
      yield* TestClock.adjust("6 seconds")
      const third = yield* Effect.forkChild(ready)
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* Fiber.join(third)).ok)
      assert.strictEqual(signed, 2)
    }).pipe(Effect.scoped)
  )
})
