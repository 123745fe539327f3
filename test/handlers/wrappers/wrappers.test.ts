/** Every law of a contract holds through every wrapper and through a whole stack; and what each wrapper is for. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { journalStoreLaws } from "../../../src/conformance/JournalStoreLaws.ts"
import { storageLaws } from "../../../src/conformance/StorageLaws.ts"
import { JournalStore } from "../../../src/effects/JournalStore.ts"
import { Storage } from "../../../src/effects/Storage.ts"
import * as MemoryJournal from "../../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryStorage from "../../../src/handlers/memory/MemoryStorage.ts"
import * as Capture from "../../../src/handlers/wrappers/Capture.ts"
import * as CircuitBreaker from "../../../src/handlers/wrappers/CircuitBreaker.ts"
import * as Faults from "../../../src/handlers/wrappers/Faults.ts"
import * as Retry from "../../../src/handlers/wrappers/Retry.ts"
import * as StorageCache from "../../../src/handlers/wrappers/StorageCache.ts"
import * as Telling from "../../../src/handlers/wrappers/Telling.ts"
import * as Wrapper from "../../../src/handlers/wrappers/Wrapper.ts"
import { spaceId } from "../../../src/identity/Id.ts"
import * as EffectTelemetry from "../../../src/observability/EffectTelemetry.ts"

const space = spaceId(new Uint8Array(32).fill(7))

/** Repeatable calls fail one time in five, and are repeated until they don't. */
const unreliable: ReadonlyArray<Wrapper.Wrapper> = [
  Retry.make({ attemptsMax: 20, pauseMillis: 0.01 }),
  Faults.make({ seed: 7, percent: 20, only: ({ isRepeatable }) => isRepeatable })
]

const stacks: Readonly<Record<string, ReadonlyArray<Wrapper.Wrapper>>> = {
  metrics: [Telling.metrics],
  tracing: [Telling.tracing],
  breaker: [CircuitBreaker.make()],
  capture: [Capture.make().wrapper],
  "retry over faults": unreliable,
  "the whole stack": [Telling.metrics, Telling.tracing, CircuitBreaker.make(), ...unreliable, Capture.make().wrapper]
}

const cache = (bytesMax: number): Wrapper.StorageWrapper => ({
  _tag: "Storage",
  wrap: StorageCache.make({ bytesMax })
})

const any = (wrapper: Wrapper.Wrapper): Wrapper.StorageWrapper => ({ _tag: "Any", wrapper })

const journal = (wrappers: ReadonlyArray<Wrapper.Wrapper>) =>
  Layer.effect(
    JournalStore,
    Effect.flatMap(JournalStore, (store) => Wrapper.wrapJournal(store, wrappers))
  ).pipe(Layer.provide(MemoryJournal.layer()), Layer.provide(EffectTelemetry.layer))

const storage = (wrappers: ReadonlyArray<Wrapper.StorageWrapper>) =>
  Layer.effect(Storage, Wrapper.wrapStorage(MemoryStorage.make(), wrappers)).pipe(Layer.provide(EffectTelemetry.layer))

describe("every law holds", () => {
  for (const [name, wrappers] of Object.entries(stacks)) {
    describe(`through ${name}`, () => {
      for (const law of journalStoreLaws) it.live(law.name, () => Effect.provide(law.check, journal(wrappers)))
      for (const law of storageLaws) it.live(law.name, () => Effect.provide(law.check, storage(wrappers.map(any))))
    })
  }
  for (const bytesMax of [0, 3_000, 1_000_000]) {
    describe(`through a cache of ${bytesMax} bytes`, () => {
      for (const law of storageLaws)
        it.live(law.name, () => Effect.provide(law.check, storage([cache(bytesMax), ...unreliable.map(any)])))
    })
  }
})

/** A store of which every call fails while it is away. */
const awayStore = () => {
  const state = { isAway: true, asked: 0 }
  const away: Wrapper.Wrapper = ({ unavailable }) =>
    Effect.succeed((_, work) =>
      Effect.suspend(() => {
        state.asked++
        return state.isAway ? Effect.fail(unavailable("the cable is out")) : work
      })
    )
  return { state, away }
}

describe("retry", () => {
  it.effect("repeats a read with growing pauses, and gives up with the store's own words", () =>
    Effect.gen(function* () {
      const { away, state } = awayStore()
      const store = yield* Wrapper.wrapJournal(yield* MemoryJournal.make(MemoryJournal.disk()), [Retry.make(), away])
      const read = yield* Effect.forkChild(Effect.flip(store.feeds(space)))
      yield* TestClock.adjust("10 seconds")
      assert.include((yield* Fiber.join(read)).message, "the cable is out")
      assert.strictEqual(state.asked, 4)
    }).pipe(Effect.scoped)
  )

  it.effect("never repeats a commit: whether it took place is not known", () =>
    Effect.gen(function* () {
      const { away, state } = awayStore()
      const store = yield* Wrapper.wrapJournal(yield* MemoryJournal.make(MemoryJournal.disk()), [Retry.make(), away])
      yield* Effect.flip(store.commit({ space }))
      assert.strictEqual(state.asked, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("does not repeat what was answered", () =>
    Effect.gen(function* () {
      const capture = Capture.make()
      const store = yield* Wrapper.wrapStorage(MemoryStorage.make({ limitBytes: 1 }), [
        any(Retry.make()),
        any(capture.wrapper)
      ])
      yield* Effect.flip(store.put("key", new Uint8Array(100)))
      assert.deepStrictEqual(capture.calls(), [{ effect: "storage", method: "put", isOk: false }])
    }).pipe(Effect.scoped)
  )
})

describe("a circuit breaker", () => {
  it.effect("asks no more after five failures, tries once after thirty seconds, and opens again or closes", () =>
    Effect.gen(function* () {
      const { away, state } = awayStore()
      const store = yield* Wrapper.wrapJournal(yield* MemoryJournal.make(MemoryJournal.disk()), [
        CircuitBreaker.make(),
        away
      ])
      for (let count = 0; count < 8; count++) yield* Effect.flip(store.spaces)
      assert.strictEqual(state.asked, 5)
      assert.include((yield* Effect.flip(store.spaces)).message, "5 times in a row")
      yield* TestClock.adjust("30 seconds")
      for (let count = 0; count < 3; count++) yield* Effect.flip(store.spaces)
      assert.strictEqual(state.asked, 6, "one tried, and failed")
      yield* TestClock.adjust("29 seconds")
      yield* Effect.flip(store.spaces)
      assert.strictEqual(state.asked, 6)
      state.isAway = false
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* store.spaces, [])
      assert.deepStrictEqual(yield* store.spaces, [])
    }).pipe(Effect.scoped)
  )

  it.effect("lets the next one try when the one that tried went away", () =>
    Effect.gen(function* () {
      const { away, state } = awayStore()
      const hanging = { isOn: false }
      const slow: Wrapper.Wrapper = () =>
        Effect.succeed((_, work) => Effect.suspend(() => (hanging.isOn ? Effect.never : work)))
      const store = yield* Wrapper.wrapJournal(yield* MemoryJournal.make(MemoryJournal.disk()), [
        CircuitBreaker.make(),
        slow,
        away
      ])
      for (let count = 0; count < 5; count++) yield* Effect.flip(store.spaces)
      yield* TestClock.adjust("30 seconds")
      Object.assign(hanging, { isOn: true })
      const trying = yield* Effect.forkChild(store.spaces, { startImmediately: true })
      assert.include((yield* Effect.flip(store.spaces)).message, "is being tried")
      yield* Fiber.interrupt(trying)
      Object.assign(hanging, { isOn: false })
      state.isAway = false
      assert.deepStrictEqual(yield* store.spaces, [])
    }).pipe(Effect.scoped)
  )

  it.effect("counts failures in a row, and refusals not at all", () =>
    Effect.gen(function* () {
      const { away, state } = awayStore()
      const store = yield* Wrapper.wrapStorage(MemoryStorage.make(), [any(CircuitBreaker.make()), any(away)])
      for (let count = 0; count < 20; count++) {
        state.isAway = count % 5 !== 0
        yield* Effect.exit(store.get("key"))
      }
      state.isAway = false
      for (let count = 0; count < 9; count++) yield* Effect.flip(store.get("/"))
      assert.deepStrictEqual(yield* store.get("key"), Option.none())
    }).pipe(Effect.scoped)
  )
})

describe("a cache", () => {
  it.effect("asks the store once for what it has room for, and forgets what was longest unread", () =>
    Effect.gen(function* () {
      const capture = Capture.make()
      const store = yield* Wrapper.wrapStorage(MemoryStorage.make(), [cache(250), any(capture.wrapper)])
      for (const key of ["a", "b", "c"]) yield* store.put(key, new Uint8Array(100))
      const gets = () => capture.calls().filter(({ method }) => method === "get").length
      for (const key of ["a", "b", "a", "b"]) yield* store.get(key)
      assert.strictEqual(gets(), 2)
      yield* store.get("a")
      yield* store.get("c")
      yield* store.get("a")
      assert.strictEqual(gets(), 3, "a was read later than b")
      yield* store.get("b")
      assert.strictEqual(gets(), 4)
    }).pipe(Effect.scoped)
  )

  it.effect("hands out bytes that belong to the caller", () =>
    Effect.gen(function* () {
      const store = StorageCache.make({ bytesMax: 1_000 })(MemoryStorage.make())
      yield* store.put("key", new Uint8Array([1]))
      for (let count = 0; count < 3; count++) {
        const found = Option.getOrThrow(yield* store.get("key"))
        assert.deepStrictEqual(found, new Uint8Array([1]))
        found.fill(0)
      }
    })
  )

  it.effect("does not keep what was read while somebody wrote", () =>
    Effect.gen(function* () {
      const memory = MemoryStorage.make()
      yield* memory.put("key", new Uint8Array([1]))
      const slow = { ...memory, get: (key: string) => Effect.tap(memory.get(key), () => Effect.sleep("1 second")) }
      const store = StorageCache.make({ bytesMax: 1_000 })(slow)
      const reading = yield* Effect.forkChild(store.get("key"), { startImmediately: true })
      yield* store.put("key", new Uint8Array([2]))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(reading)
      const found = yield* Effect.forkChild(store.get("key"))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(found), Option.some(new Uint8Array([2])))
    })
  )
})

describe("faults", () => {
  it.effect("are the same for the same seed, and leave some calls done and unknown", () =>
    Effect.gen(function* () {
      const outcomes = Effect.fnUntraced(function* (seed: number) {
        const inside = MemoryStorage.make()
        const store = yield* Wrapper.wrapStorage(inside, [any(Faults.make({ seed, percent: 50 }))])
        const told: Array<string> = []
        for (let count = 0; count < 40; count++) {
          const exit = yield* Effect.exit(store.put(`k${count}`, new Uint8Array(1)))
          told.push(`${exit._tag} ${Option.isSome(yield* inside.get(`k${count}`))}`)
        }
        return told
      })
      const first = yield* outcomes(1)
      assert.deepStrictEqual(yield* outcomes(1), first)
      assert.notDeepEqual(yield* outcomes(2), first)
      assert.sameMembers([...new Set(first)], ["Success true", "Failure true", "Failure false"])
    }).pipe(Effect.scoped)
  )
})

describe("metrics", () => {
  it.effect("are a histogram by effect, method and outcome", () =>
    Effect.gen(function* () {
      const registry: typeof Metric.MetricRegistry.Service = new Map()
      yield* Effect.gen(function* () {
        const services = yield* Layer.build(journal([Telling.metrics]))
        yield* Context.get(services, JournalStore).commit({ space })
        yield* Context.get(services, JournalStore).spaces
      }).pipe(Effect.provideService(Metric.MetricRegistry, registry))
      const told = [...registry.values()].filter(({ id }) => id === "aura_store_duration_seconds")
      assert.deepStrictEqual(
        told.map(({ attributes }) => attributes),
        [
          { effect: "journal", method: "commit", outcome: "ok" },
          { effect: "journal", method: "spaces", outcome: "ok" }
        ]
      )
    }).pipe(Effect.scoped)
  )
})
