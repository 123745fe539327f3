/** The memory handlers keep the same laws as those that touch the world, and replay from a seed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as nodeCrypto from "node:crypto"
import { keysLaws } from "../../../src/conformance/KeysLaws.ts"
import { secretStoreLaws } from "../../../src/conformance/SecretStoreLaws.ts"
import { storageCrashLaws, storageNoRoomLaws } from "../../../src/conformance/StorageFaultLaws.ts"
import { storageFullLaws, storageLaws } from "../../../src/conformance/StorageLaws.ts"
import { timeLaws } from "../../../src/conformance/TimeLaws.ts"
import type { Keys } from "../../../src/effects/Keys.ts"
import { Storage, StorageError, StorageFull, StorageUnavailable } from "../../../src/effects/Storage.ts"
import { Time } from "../../../src/effects/Time.ts"
import * as ClockTime from "../../../src/handlers/memory/ClockTime.ts"
import * as MemoryKeys from "../../../src/handlers/memory/MemoryKeys.ts"
import * as MemorySecretStore from "../../../src/handlers/memory/MemorySecretStore.ts"
import * as MemoryStorage from "../../../src/handlers/memory/MemoryStorage.ts"

const seed = (number: number): Uint8Array => new Uint8Array(32).fill(number)

/** RFC 8032 through OpenSSL: wraps the seed in the fixed head of a PKCS #8 key. */
const nativeSign = (seed: Uint8Array, message: Uint8Array): Uint8Array => {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed])
  return new Uint8Array(
    nodeCrypto.sign(null, message, nodeCrypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" }))
  )
}

/** Each write has a step before it takes place, and where the fault is no want of room, one behind it. */
const faultyMemory = (fault: "StorageUnavailable" | "StorageFull") =>
  Effect.sync(() => {
    const kept = MemoryStorage.make()
    const error = new StorageError({
      reason: fault === "StorageFull" ? new StorageFull({ limitBytes: 1 }) : new StorageUnavailable({ what: fault })
    })
    let isStruck = false
    const open = (from: number) => {
      let steps = 0
      isStruck = false
      const step = Effect.suspend(() => {
        if (steps++ < from) return Effect.void
        isStruck = true
        return Effect.fail(error)
      })
      const behind = fault === "StorageFull" ? Effect.void : step
      return Layer.succeed(Storage, {
        ...kept,
        put: (key, bytes) => step.pipe(Effect.andThen(kept.put(key, bytes)), Effect.andThen(behind)),
        remove: (key) => step.pipe(Effect.andThen(kept.remove(key)), Effect.tap(behind))
      })
    }
    return { open, hasStruck: () => isStruck, recover: Effect.void }
  })

describe("MemoryStorage", () => {
  for (const { name, check } of storageLaws) {
    it.effect(name, () => Effect.provide(check, MemoryStorage.layer({ limitBytes: 2 * 1024 * 1024 })))
  }
  for (const { name, check } of storageCrashLaws(faultyMemory("StorageUnavailable"))) {
    it.effect(name, () => Effect.scoped(check))
  }
  for (const { name, check } of storageNoRoomLaws(faultyMemory("StorageFull"))) {
    it.effect(name, () => Effect.scoped(check))
  }
  for (const { name, check } of storageFullLaws(1_000)) {
    it.effect(name, () => Effect.provide(check, MemoryStorage.layer({ limitBytes: 1_000 })))
  }

  it.effect("keys count against the limit, so empty blobs do not grow without bound", () =>
    Effect.gen(function* () {
      const storage = yield* Storage
      yield* storage.put("a".repeat(60), new Uint8Array(0))
      const error = yield* Effect.flip(storage.put("b".repeat(60), new Uint8Array(0)))
      assert.deepStrictEqual([error.reason._tag, error.message.includes("limit 100 bytes")], ["StorageFull", true])
      yield* storage.remove("a".repeat(60))
      yield* storage.put("b".repeat(60), new Uint8Array(40))
    }).pipe(Effect.provide(MemoryStorage.layer({ limitBytes: 100 })))
  )
})

describe("MemorySecretStore", () => {
  for (const { name, check } of secretStoreLaws) {
    it.effect(name, () => Effect.provide(check, MemorySecretStore.layer))
  }
})

describe("MemoryKeys", () => {
  for (const { name, check } of keysLaws) {
    it.effect(name, () => Effect.provide(check, MemoryKeys.layer({ seed: seed(1) })))
    it.effect(`${name} (native signer)`, () =>
      Effect.provide(check, MemoryKeys.layer({ seed: seed(1), sign: nativeSign }))
    )
  }

  const message = new TextEncoder().encode("aura/test\0message")
  const seen = (keys: Keys["Service"]) =>
    Effect.gen(function* () {
      return [keys.device, keys.box, yield* keys.sign(message), yield* keys.seal("purpose", message)]
    })

  it.effect("one seed is one device, whatever signs for it", () =>
    Effect.gen(function* () {
      const first = yield* seen(MemoryKeys.make({ seed: seed(1) }))
      assert.deepStrictEqual(yield* seen(MemoryKeys.make({ seed: seed(1) })), first)
      assert.deepStrictEqual(yield* seen(MemoryKeys.make({ seed: seed(1), sign: nativeSign })), first)
    })
  )

  it.effect("another seed is another device that opens nothing of the first", () =>
    Effect.gen(function* () {
      const alice = MemoryKeys.make({ seed: seed(1) })
      const bob = MemoryKeys.make({ seed: seed(2) })
      assert.notStrictEqual(alice.device, bob.device)
      assert.notDeepEqual(alice.box, bob.box)
      const sealed = yield* alice.seal("purpose", message)
      assert.strictEqual((yield* Effect.flip(bob.open("purpose", sealed))).reason._tag, "SealInvalid")
    })
  )

  it("everything runs synchronously, so a simulated world never waits for it", () => {
    const keys = MemoryKeys.make({ seed: seed(3) })
    const sealed = Effect.runSync(keys.seal("purpose", message))
    assert.deepStrictEqual(Effect.runSync(keys.open("purpose", sealed)), message)
    assert.strictEqual(Effect.runSync(keys.sign(message)).length, 64)
  })

  it("a caller who wipes the seed afterwards does not change the device", () => {
    const own = seed(4)
    const keys = MemoryKeys.make({ seed: own })
    own.fill(0)
    assert.deepStrictEqual(
      Effect.runSync(keys.seal("purpose", message)),
      Effect.runSync(MemoryKeys.make({ seed: seed(4) }).seal("purpose", message))
    )
    assert.throws(() => MemoryKeys.make({ seed: new Uint8Array(31) }), "a device seed has 32 bytes, not 31")
  })
})

describe("ClockTime", () => {
  for (const { name, check } of timeLaws) it.effect(name, () => Effect.provide(check, ClockTime.layer()))

  it.effect("it reads the clock in force, with the offset of this device", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const time = yield* Effect.provide(Time, ClockTime.layer({ offsetMillis: -250 }))
      assert.strictEqual(time.now().millis, 999_750)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(time.now(), { millis: 1_000_750, uncertaintyMillis: Infinity, status: "Unchecked" })
    })
  )

  it.effect("a clock that is set back is not followed until it has caught up", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const time = yield* Effect.provide(Time, ClockTime.layer())
      const readings = [time.now().millis]
      for (const millis of [1_000, 4_999, 5_001]) {
        yield* TestClock.setTime(millis)
        readings.push(time.now().millis)
      }
      assert.deepStrictEqual(readings, [5_000, 5_000, 5_000, 5_001])
    })
  )
})
