/** The memory journal keeps every law of journal stores, and its disk outlives the stores that were opened on it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import {
  fullJournalLaws,
  JournalPlace,
  journalPlaceLaws,
  journalStoreLaws
} from "../../src/conformance/JournalStoreLaws.ts"
import { deviceId, spaceId } from "../../src/identity/Id.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"

const space = spaceId(new Uint8Array(32).fill(1))
const requester = deviceId(new Uint8Array(32).fill(2))

describe("MemoryJournal", () => {
  for (const { name, check } of journalStoreLaws) {
    it.effect(name, () => Effect.provide(check, MemoryJournal.layer()))
  }

  for (const { name, check } of journalPlaceLaws) {
    it.effect(name, () => {
      const place = Layer.sync(JournalPlace, () => ({ open: MemoryJournal.make(disk) }))
      const disk = MemoryJournal.disk()
      return Effect.provide(check, place)
    })
  }

  for (const { name, check } of fullJournalLaws) {
    it.effect(name, () => Effect.provide(check, MemoryJournal.layer({ limitBytes: 200_000 })))
  }

  it.effect("a killed store answers no more, and the next one finds what it committed", () =>
    Effect.gen(function* () {
      const disk = MemoryJournal.disk()
      const abandoned = yield* Scope.make()
      const first = yield* Scope.provide(MemoryJournal.make(disk), abandoned)
      yield* first.commit({ space })
      yield* MemoryJournal.kill(disk)
      assert.strictEqual((yield* Effect.flip(first.spaces)).reason._tag, "JournalUnavailable")

      const second = yield* MemoryJournal.make(disk)
      yield* Scope.close(abandoned, Exit.void)
      assert.deepStrictEqual(yield* second.spaces, [space], "closing the dead store's scope does not close the new one")
    }).pipe(Effect.scoped)
  )

  it.effect("results are forgotten at opening once they are more than a day old", () =>
    Effect.gen(function* () {
      const disk = MemoryJournal.disk()
      const bytes = new Uint8Array(10)
      const result = { requester, key: "key", payload: bytes, result: bytes, atMillis: 0 }
      const keptAfterOpening = Effect.scoped(
        Effect.flatMap(MemoryJournal.make(disk), (store) => store.result(space, requester, "key"))
      )
      yield* Effect.scoped(
        Effect.flatMap(MemoryJournal.make(disk), (store) => store.commit({ space, results: [result] }))
      )
      yield* TestClock.adjust("24 hours")
      assert.isTrue(Option.isSome(yield* keptAfterOpening))
      yield* TestClock.adjust("1 millis")
      assert.isTrue(Option.isNone(yield* keptAfterOpening))
    })
  )
})
