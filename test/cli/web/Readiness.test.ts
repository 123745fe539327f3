/** What readiness tries, how long it waits, and that nobody spoils it for the next who asks. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Readiness from "../../../src/cli/web/Readiness.ts"
import {
  JournalConflict,
  JournalStore,
  JournalStoreError,
  JournalUnavailable,
  type Commit
} from "../../../src/effects/JournalStore.ts"
import type { Keys } from "../../../src/effects/Keys.ts"
import { Time } from "../../../src/effects/Time.ts"
import * as ClockTime from "../../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryStorage from "../../../src/handlers/memory/MemoryStorage.ts"
import { feedId, spaceId } from "../../../src/identity/Id.ts"
import { alice } from "./world.ts"

const space = spaceId(new Uint8Array(32).fill(7))

/** A journal that may be told to fail. */
const readiness = Effect.fnUntraced(function* (sign: Keys["Service"]["sign"]) {
  const services = yield* Layer.build(Layer.merge(MemoryJournal.layer(), ClockTime.layer()))
  const store = Context.get(services, JournalStore)
  const state: { failing: JournalStoreError | undefined } = { failing: undefined }
  const shaky = {
    ...store,
    commit: (commit: Commit) =>
      Effect.suspend(() => (state.failing === undefined ? store.commit(commit) : Effect.fail(state.failing)))
  }
  const watching = Readiness.watch({
    store: shaky,
    storage: MemoryStorage.make(),
    keys: { sign },
    time: Context.get(services, Time),
    space
  })
  return { state, watching }
})

const away = new JournalStoreError({ reason: new JournalUnavailable({ what: "the database at db.example: no route" }) })

const journalOf = (details: ReadonlyArray<Readiness.Detail>) => details.find(({ name }) => name === "journal")

describe("readiness", () => {
  it.effect("tells strangers the kind of a failure, and who runs the server the place and since when", () =>
    Effect.gen(function* () {
      const { state, watching } = yield* readiness(alice.sign)
      yield* TestClock.adjust("7 seconds")
      state.failing = away
      const watch = yield* watching
      const { checks, ok } = yield* watch.told
      assert.isFalse(ok)
      assert.deepStrictEqual(checks, [
        { name: "journal", ok: false, what: "JournalUnavailable" },
        { name: "storage", ok: true, what: "answers" },
        { name: "clock", ok: true, what: "the system's, believed" },
        { name: "keys", ok: true, what: "the device key signs" }
      ])
      const journal = journalOf(yield* watch.now)
      assert.include(journal?.reason, "the database at db.example: no route")
      assert.strictEqual(journal?.sinceMillis, 7_000)
    }).pipe(Effect.scoped)
  )

  it.effect("turns red within seconds and green again, both by itself", () =>
    Effect.gen(function* () {
      const { state, watching } = yield* readiness(alice.sign)
      const { told } = yield* watching
      assert.isTrue((yield* told).ok)
      state.failing = away
      assert.isTrue((yield* told).ok, "nobody looked yet")
      yield* TestClock.adjust(Readiness.everyMillis)
      assert.isFalse((yield* told).ok)
      state.failing = undefined
      yield* TestClock.adjust(Readiness.everyMillis)
      assert.isTrue((yield* told).ok)
    }).pipe(Effect.scoped)
  )

  it.effect("hears of each commit at once, and of a conflict nothing", () =>
    Effect.gen(function* () {
      const { watching } = yield* readiness(alice.sign)
      const { committed, told } = yield* watching
      const conflict = new JournalConflict({ feed: feedId(new Uint8Array(32)), what: "another" })
      committed(Exit.fail(new JournalStoreError({ reason: conflict })))
      assert.isTrue((yield* told).ok)
      committed(Exit.fail(away))
      assert.isFalse((yield* told).ok)
      committed(Exit.void)
      assert.isTrue((yield* told).ok)
    }).pipe(Effect.scoped)
  )

  it.effect("waits two seconds for a key that does not answer, and asks it no second time meanwhile", () =>
    Effect.gen(function* () {
      let signed = 0
      const { watching } = yield* readiness(() =>
        Effect.andThen(
          Effect.sync(() => signed++),
          Effect.never
        )
      )
      const opened = yield* Effect.forkChild(watching)
      yield* TestClock.adjust(Readiness.answerMillisMax)
      const { now } = yield* Fiber.join(opened)
      const asked = yield* Effect.forkChild(now)
      yield* TestClock.adjust("1 minute")
      const details = yield* Fiber.join(asked)
      assert.strictEqual(details.find(({ name }) => name === "keys")?.reason, "does not answer within 2 seconds")
      assert.strictEqual(signed, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("tries anew for who asks, once a second, and who goes away spoils nothing", () =>
    Effect.gen(function* () {
      let signed = 0
      const sign: Keys["Service"]["sign"] = (message) =>
        Effect.delay(
          Effect.suspend(() => (signed++, alice.sign(message))),
          "10 millis"
        )
      const { watching } = yield* readiness(sign)
      const opened = yield* Effect.forkChild(watching)
      yield* TestClock.adjust("10 millis")
      const { now } = yield* Fiber.join(opened)
      yield* now
      assert.strictEqual(signed, 1, "tried a moment ago")
      yield* TestClock.adjust("1 second")
      const first = yield* Effect.forkChild(now, { startImmediately: true })
      yield* Fiber.interrupt(first)
      const second = yield* Effect.forkChild(now)
      yield* TestClock.adjust("10 millis")
      assert.isTrue((yield* Fiber.join(second)).every(({ ok }) => ok))
      assert.strictEqual(signed, 2)
    }).pipe(Effect.scoped)
  )
})
