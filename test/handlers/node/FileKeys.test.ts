/** The device key in its sealed file: the laws, with and without a passphrase, and every byte of damage. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as nodeCrypto from "node:crypto"
import { keysLaws } from "../../../src/conformance/KeysLaws.ts"
import { Keys, type KeysError } from "../../../src/effects/Keys.ts"
import { SecretStore, type SecretStoreError } from "../../../src/effects/SecretStore.ts"
import * as MemorySecretStore from "../../../src/handlers/memory/MemorySecretStore.ts"
import * as DeviceKeyFile from "../../../src/handlers/node/DeviceKeyFile.ts"
import * as FileKeys from "../../../src/handlers/node/FileKeys.ts"

type Store = SecretStore["Service"]

const alice = Redacted.make("correct horse battery staple")
const mallory = Redacted.make("incorrect horse")
const quick = { unlockMillis: 1 }

const layerOver = (store: Store, options: FileKeys.FileKeysOptions = {}) =>
  Layer.provide(FileKeys.layer({ ...quick, ...options }), Layer.succeed(SecretStore, store))

const using = <A, E>(
  store: Store,
  options: FileKeys.FileKeysOptions,
  work: (keys: Keys["Service"]) => Effect.Effect<A, E>
) => Effect.provide(Effect.flatMap(Keys, work), layerOver(store, options))

const open = (store: Store, options: FileKeys.FileKeysOptions = {}) => using(store, options, Effect.succeed)

const rewrap = (store: Store, options: FileKeys.RewrapOptions) =>
  Effect.provideService(FileKeys.rewrap({ ...quick, ...options }), SecretStore, store)

const reasonOf = <A>(effect: Effect.Effect<A, KeysError>) =>
  Effect.map(Effect.flip(effect), (error) => `${error.reason._tag}: ${error.message}`)

const fileOf = (store: Store) =>
  Effect.map(store.get("device-key"), (found) => Redacted.value(Option.getOrThrow(found)))

const copyOf = (store: Store) =>
  Effect.gen(function* () {
    const copy = MemorySecretStore.make()
    for (const name of ["device-key", "device-key.wrap"]) {
      const secret = yield* store.get(name)
      if (Option.isSome(secret)) yield* copy.put(name, secret.value)
    }
    return copy
  })

const putFile = (store: Store, bytes: Uint8Array) => store.put("device-key", Redacted.make(bytes))

/** With its hash made anew, as one would who alters a file on purpose. */
const rehashed = (bytes: Uint8Array): Uint8Array => {
  const hash = nodeCrypto.createHash("sha256").update("aura/device-key/v1\0").update(bytes.subarray(0, 1))
  const copy = bytes.slice()
  copy.set(hash.update(bytes.subarray(33)).digest(), 1)
  return copy
}

const written = (bytes: Uint8Array, write: (view: DataView) => void): Uint8Array => {
  const copy = bytes.slice()
  write(new DataView(copy.buffer))
  return copy
}

describe("FileKeys keeps the laws", () => {
  for (const { name, check } of keysLaws) {
    it.effect(name, () => Effect.provide(check, layerOver(MemorySecretStore.make())))
  }
  it.effect("all of them under a passphrase", () =>
    Effect.provide(
      Effect.forEach(keysLaws, ({ check }) => check, { discard: true }),
      layerOver(MemorySecretStore.make(), { passphrase: alice })
    )
  )
})

describe("FileKeys", () => {
  for (const options of [{}, { passphrase: alice }]) {
    const how = "passphrase" in options ? "with a passphrase" : "without a passphrase"

    it.effect(`the first open creates a device and later ones are the same device, ${how}`, () =>
      Effect.gen(function* () {
        const store = MemorySecretStore.make()
        const first = yield* open(store, options)
        const sealed = yield* using(store, options, (keys) => keys.seal("purpose", new Uint8Array([1, 2, 3])))
        yield* using(store, options, (keys) =>
          Effect.gen(function* () {
            assert.strictEqual(keys.device, first.device)
            assert.deepStrictEqual(keys.box, first.box)
            assert.strictEqual(keys.level, "passphrase" in options ? "High" : "Low")
            assert.deepStrictEqual(yield* keys.open("purpose", sealed), new Uint8Array([1, 2, 3]))
          })
        )
        assert.strictEqual((yield* fileOf(store)).length, DeviceKeyFile.fileBytes)
        assert.strictEqual(Option.isSome(yield* store.get("device-key.wrap")), !("passphrase" in options))
      })
    )

    it.effect(`every byte of the file altered, every cut and every addition is named as damage, ${how}`, () =>
      Effect.gen(function* () {
        const store = MemorySecretStore.make()
        yield* open(store, options)
        const whole = yield* fileOf(store)
        const damaged = [
          ...Array.from(whole, (byte, at) => whole.with(at, byte ^ (1 << (at % 8)))),
          ...Array.from(whole, (_, at) => whole.slice(0, at)),
          Buffer.concat([whole, new Uint8Array(1)])
        ]
        for (const bytes of damaged) {
          yield* putFile(store, bytes)
          assert.include(
            yield* reasonOf(open(store, options)),
            'KeysCorrupt: key material in the secret "device-key" is damaged'
          )
        }
      })
    )
  }

  it.effect("two installations are two devices", () =>
    Effect.gen(function* () {
      assert.notStrictEqual(
        (yield* open(MemorySecretStore.make())).device,
        (yield* open(MemorySecretStore.make())).device
      )
    })
  )

  it.effect("a wrong, missing, needless or empty passphrase leaves the key locked and the file as it was", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      const { device } = yield* open(store, { passphrase: alice })
      const file = yield* fileOf(store)
      assert.include(yield* reasonOf(open(store, { passphrase: mallory })), "KeysLocked: the device key stays locked")
      assert.include(yield* reasonOf(open(store)), "none was given")
      assert.deepStrictEqual(yield* fileOf(store), file)
      assert.strictEqual((yield* open(store, { passphrase: alice })).device, device)

      const bare = MemorySecretStore.make()
      yield* open(bare)
      assert.include(yield* reasonOf(open(bare, { passphrase: alice })), "made without one")
      const empty = open(MemorySecretStore.make(), { passphrase: Redacted.make("") })
      assert.include(yield* reasonOf(empty), "an empty passphrase protects nothing")
    })
  )

  it.effect("a passphrase typed as composed or as decomposed characters is the same passphrase", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      const { device } = yield* open(store, { passphrase: Redacted.make("caf\u00e9") })
      assert.strictEqual((yield* open(store, { passphrase: Redacted.make("cafe\u0301") })).device, device)
    })
  )

  it.effect("what an attacker alters and hashes anew still does not open", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store)
      const whole = yield* fileOf(store)
      // Device, box, passes (bound though unused), salt, check value, sealed part.
      for (const [at, where] of [
        [33, "bytes 131 to 266 do not open"],
        [65, "bytes 131 to 266 do not open"],
        [105, "bytes 131 to 266 do not open"],
        [107, "is not the key that"],
        [123, "is not the key that"],
        [131, "bytes 131 to 266 do not open"],
        [266, "bytes 131 to 266 do not open"]
      ] as const) {
        yield* putFile(store, rehashed(whole.with(at, whole[at]! ^ 1)))
        assert.include(yield* reasonOf(open(store)), where, `byte ${at}`)
      }
      yield* putFile(store, rehashed(whole.with(97, 7)))
      assert.include(yield* reasonOf(open(store)), "protection 7 is unknown")
    })
  )

  it.effect("parameters beyond the limits are refused before any work", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store, { passphrase: alice })
      const whole = yield* fileOf(store)
      for (const [memory, passes, parallelism] of [
        [DeviceKeyFile.argonMemoryMax + 1, 1, 4],
        [65_536, 1_025, 4],
        [0xffffffff, 0xffffffff, 255],
        [65_536, 0, 4],
        [65_536, 3, 0],
        [31, 3, 4]
      ] as const) {
        const bytes = written(whole, (view) => {
          view.setUint32(98, memory)
          view.setUint32(102, passes)
          view.setUint8(106, parallelism)
        })
        yield* putFile(store, rehashed(bytes))
        assert.include(yield* reasonOf(open(store, { passphrase: alice })), "beyond what is allowed")
      }
    })
  )

  it.effect("a file of a newer version is left alone, and says that Aura must be upgraded", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store)
      const newer = rehashed(Buffer.concat([(yield* fileOf(store)).with(0, 2), new Uint8Array(10)]))
      yield* putFile(store, newer)
      assert.include(yield* reasonOf(open(store)), "has format 2, this version reads 1: upgrade Aura")
      assert.deepStrictEqual(yield* fileOf(store), newer)
    })
  )

  it.effect("without its random key the file stays closed, and another one does not open it", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store)
      yield* store.put("device-key.wrap", Redacted.make(new Uint8Array(32)))
      assert.include(yield* reasonOf(open(store)), 'KeysCorrupt: key material in the secret "device-key.wrap"')
      yield* store.put("device-key.wrap", Redacted.make(new Uint8Array(31)))
      assert.include(yield* reasonOf(open(store)), "31 bytes, not 32")
      yield* store.remove("device-key.wrap")
      assert.include(yield* reasonOf(open(store)), "KeysUnavailable")
    })
  )

  it.effect("another passphrase, a first one and none keep the device, and only the new way opens it", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      const { device } = yield* open(store)
      const sealed = yield* using(store, {}, (keys) => keys.seal("purpose", new Uint8Array([7])))

      yield* rewrap(store, { nextPassphrase: mallory })
      assert.isTrue(Option.isNone(yield* store.get("device-key.wrap")))
      yield* rewrap(store, { passphrase: mallory, nextPassphrase: alice })
      assert.include(yield* reasonOf(open(store, { passphrase: mallory })), "KeysLocked")
      yield* using(store, { passphrase: alice }, (keys) =>
        Effect.map(keys.open("purpose", sealed), (plain) => {
          assert.strictEqual(keys.device, device)
          assert.deepStrictEqual(plain, new Uint8Array([7]))
        })
      )
      yield* rewrap(store, { passphrase: alice })
      assert.strictEqual((yield* open(store)).device, device)
      yield* rewrap(store, {})
      assert.strictEqual((yield* open(store)).device, device)
    })
  )

  it.effect("a rewrap that is cut off at any write leaves the old way of opening or the new one", () =>
    Effect.gen(function* () {
      const [bare, byAlice, byMallory] = [{}, { passphrase: alice }, { passphrase: mallory }]
      for (const [from, to, writesMax] of [
        [bare, bare, 1],
        [bare, byAlice, 2],
        [byAlice, bare, 2],
        [byAlice, byMallory, 2]
      ] as const) {
        const origin = MemorySecretStore.make()
        const { device } = yield* open(origin, from)
        for (let writes = 0; writes <= writesMax; writes++) {
          const store = yield* copyOf(origin)
          let left = writes
          const cut = (work: Effect.Effect<void, SecretStoreError>) =>
            Effect.suspend(() => (left-- > 0 ? work : Effect.die(new Error("cut off"))))
          const failing = SecretStore.of({
            ...store,
            put: (name, secret) => cut(store.put(name, secret)),
            remove: (name) => cut(store.remove(name))
          })
          const nextPassphrase = "passphrase" in to ? { nextPassphrase: to.passphrase } : {}
          const rewrapped = yield* Effect.exit(rewrap(failing, { ...from, ...nextPassphrase }))
          assert.strictEqual(Exit.isSuccess(rewrapped), writes === writesMax)
          const exits = yield* Effect.forEach([to, from], (way) => Effect.exit(open(store, way)))
          const devices = exits.filter(Exit.isSuccess).map((exit) => exit.value.device)
          assert.isAtLeast(devices.length, 1, `cut after ${writes} writes`)
          assert.isTrue(devices.every((found) => found === device))
        }
      }
    })
  )

  it.effect("a wrong passphrase rewraps nothing", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      assert.include(yield* reasonOf(rewrap(store, { nextPassphrase: alice })), "there is no")
      yield* open(store, { passphrase: alice })
      const file = yield* fileOf(store)
      assert.include(yield* reasonOf(rewrap(store, { passphrase: mallory, nextPassphrase: mallory })), "KeysLocked")
      assert.deepStrictEqual(yield* fileOf(store), file)
    })
  )

  it.effect("the file asks for 64 MiB, 4 lanes and at least 3 passes, however short a try is wanted", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store, { passphrase: alice })
      const view = new DataView((yield* fileOf(store)).buffer)
      assert.deepStrictEqual([view.getUint32(98), view.getUint32(102), view.getUint8(106)], [65_536, 3, 4])
    })
  )

  it("passes grow until one try takes long enough, never beyond what a reader takes", () => {
    const { passesAfter } = DeviceKeyFile
    //           passes  took   wanted  next
    const table = [
      [3, 250, 250, 3],
      [3, 125, 250, 7],
      [7, 249, 250, 8],
      [3, 0, 250, 825],
      [3, 1, 60_000, 1_024],
      [1_024, 1, 60_000, 1_024]
    ] as const
    for (const [passes, took, wanted, next] of table) assert.strictEqual(passesAfter(passes, took, wanted), next)
  })

  it.effect("after its scope the keys answer that they are closed", () =>
    Effect.gen(function* () {
      const keys = yield* open(MemorySecretStore.make())
      assert.include(yield* reasonOf(keys.sign(new Uint8Array(1))), "KeysUnavailable")
      assert.include(yield* reasonOf(keys.seal("purpose", new Uint8Array(1))), "KeysUnavailable")
      assert.include(yield* reasonOf(keys.open("purpose", new Uint8Array(41))), "KeysUnavailable")
    })
  )

  it.effect("errors and prints hold no passphrase and no key", () =>
    Effect.gen(function* () {
      const store = MemorySecretStore.make()
      yield* open(store, { passphrase: alice })
      const error = yield* Effect.flip(open(store, { passphrase: mallory }))
      for (const text of [`${error}`, JSON.stringify(error), String(error.stack)]) assert.notInclude(text, "horse")
    })
  )
})
