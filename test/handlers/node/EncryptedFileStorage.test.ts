/** Sealed files: the laws, every byte of damage, exchanged files, full disks, and crashes at every step of a write. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/testing/TestClock"
import { spawn } from "node:child_process"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import { storageCrashLaws, storageNoRoomLaws } from "../../../src/conformance/StorageFaultLaws.ts"
import { storageOpenerLaws } from "../../../src/conformance/StorageOpenerLaws.ts"
import { storageFullLaws, storageLaws } from "../../../src/conformance/StorageLaws.ts"
import { Keys } from "../../../src/effects/Keys.ts"
import { Storage, type StorageError } from "../../../src/effects/Storage.ts"
import * as MemoryKeys from "../../../src/handlers/memory/MemoryKeys.ts"
import * as EncryptedFileStorage from "../../../src/handlers/node/EncryptedFileStorage.ts"
import type { Disk } from "../../../src/handlers/node/PrivatePath.ts"
import { cutAt, filesBelow, systemError, temporaryDirectory, watched, type Loss } from "./disks.ts"

type Store = Storage["Service"]

const alice = MemoryKeys.make({ seed: new Uint8Array(32).fill(1) })
const bob = MemoryKeys.make({ seed: new Uint8Array(32).fill(2) })

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

const layerOver = (directory: string, disk: Disk = fileSystem, keys = alice) =>
  Layer.provide(EncryptedFileStorage.layer({ directory, disk }), Layer.succeed(Keys, keys))

const using = <A, E>(
  directory: string,
  work: (store: Store) => Effect.Effect<A, E>,
  disk: Disk = fileSystem,
  keys = alice
) => Effect.provide(Effect.flatMap(Storage, work), layerOver(directory, disk, keys))

const newStore = Effect.map(temporaryDirectory, (directory) => path.join(directory, "blobs"))

const reasonOf = <A>(effect: Effect.Effect<A, StorageError>) => Effect.map(Effect.flip(effect), ({ reason }) => reason)

/** What damage is called: [tag, key]. */
const corruptKey = <A>(effect: Effect.Effect<A, StorageError>) =>
  Effect.map(reasonOf(effect), (reason) => [reason._tag, "key" in reason ? reason.key : ""])

const recordsOf = (directory: string) =>
  Effect.map(filesBelow(directory), (files) => files.filter((file) => /^[0-9a-f]{2}\/[0-9a-f]{62}$/u.test(file)))

const text = (store: Store, key: string) =>
  Effect.map(store.get(key), (found) =>
    Option.getOrUndefined(Option.map(found, (bytes) => new TextDecoder().decode(bytes)))
  )

const turnsOfTheLoop = async (turns: number): Promise<void> => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe("EncryptedFileStorage keeps the laws", () => {
  for (const { name, check } of storageLaws) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const directory = yield* newStore
        yield* Effect.provide(check, layerOver(directory))
        assert.deepStrictEqual(yield* recordsOf(directory), [])
      })
    )
  }
})

/** The power goes at a step, with what was not durable; or the disk says `code` from there on, and goes on afterwards. */
const faulty = (loss: Loss | "ENOSPC") =>
  Effect.map(newStore, (directory) => {
    let cut = cutAt(Infinity)
    let isStruck = false
    const full = (from: number) => {
      let steps = 0
      return watched(async (step) => {
        if (step === "unlink" || steps++ < from) return
        isStruck = true
        throw systemError("ENOSPC")
      })
    }
    return {
      open: (from: number) => {
        isStruck = false
        cut = cutAt(from)
        return layerOver(directory, loss === "ENOSPC" ? full(from) : cut.disk)
      },
      hasStruck: () => isStruck || cut.isCut(),
      recover: Effect.promise(async () => {
        if (loss !== "ENOSPC") await cut.lose(loss)
      })
    }
  })

describe("EncryptedFileStorage keeps the laws of faults", () => {
  for (const loss of ["nothing", "bytes", "bytes and names"] as ReadonlyArray<Loss>) {
    for (const { name, check } of storageCrashLaws(faulty(loss))) {
      it.effect(`a power cut that loses ${loss}: ${name}`, () => Effect.scoped(check))
    }
  }
  for (const { name, check } of storageNoRoomLaws(faulty("ENOSPC"))) it.effect(name, () => Effect.scoped(check))
})

/** Opens the store in a process of its own and holds it until it is killed. */
const held = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, "writer.ts"), directory, "hold"], {
        stdio: ["ignore", "pipe", "inherit"]
      })
      const said = await new Promise<string>((resolve) => child.stdout.once("data", (text) => resolve(String(text))))
      return { said, kill: () => ended(child) }
    }),
    ({ kill }) => Effect.promise(kill)
  )

const ended = (child: ReturnType<typeof spawn>): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

describe("EncryptedFileStorage keeps the laws of two openers", () => {
  const place = Effect.map(newStore, (directory) => layerOver(directory))
  for (const { name, check } of storageOpenerLaws(place)) it.effect(name, () => Effect.scoped(check))

  it.live("a directory that another process has open is taken, and untouched, until that one is gone", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const other = yield* held(directory)
      assert.strictEqual(other.said, "open\n")
      const leftover = path.join(directory, `${"ab".repeat(8)}.tmp`)
      yield* Effect.promise(() => fileSystem.writeFile(leftover, "the other process is writing this"))
      for (const refused of [
        using(directory, (store) => store.get("key")),
        Effect.provideService(EncryptedFileStorage.reseal({ directory }, bob), Keys, alice)
      ]) {
        const reason = yield* reasonOf(refused as Effect.Effect<unknown, StorageError>)
        assert.strictEqual("why" in reason ? reason.why : undefined, "taken")
        assert.include(reason.message, directory)
      }
      assert.include(yield* filesBelow(directory), path.basename(leftover))
      assert.strictEqual((yield* held(directory)).said, "StorageUnavailable\n")
      yield* Effect.promise(other.kill)
      assert.strictEqual(yield* using(directory, (store) => text(store, "key")), "blob")
    })
  )
})

describe("EncryptedFileStorage with a limit keeps the laws", () => {
  for (const { name, check } of storageFullLaws(100_000)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const layer = EncryptedFileStorage.layer({ directory: yield* newStore, limitBytes: 100_000 })
        yield* Effect.provide(check, Layer.provide(layer, Layer.succeed(Keys, alice)))
      })
    )
  }
})

describe("EncryptedFileStorage", () => {
  it.effect("what one process put, the next one gets and lists", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) =>
        Effect.andThen(store.put("notes/one", utf8("first")), store.put("notes/two", utf8("second")))
      )
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* text(store, "notes/one"), "first")
          assert.isTrue(yield* store.remove("notes/two"))
        })
      )
      assert.deepStrictEqual(yield* using(directory, (store) => store.list("")), ["notes/one"])
    })
  )

  it.effect("the disk holds neither a key nor a blob nor a name made of them", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("planted/key", utf8("planted text".repeat(1_000))))
      for (const file of yield* filesBelow(directory)) {
        const bytes = yield* Effect.promise(() => fileSystem.readFile(path.join(directory, file), "latin1"))
        assert.notInclude(`${file} ${bytes}`, "planted")
      }
      const modes = yield* Effect.promise(async () => (await fileSystem.stat(directory)).mode & 0o777)
      assert.strictEqual(modes, 0o700)
    })
  )

  it.effect("the same key has another file name in another store, so names do not tell keys", () =>
    Effect.gen(function* () {
      const names: Array<string> = []
      for (let count = 0; count < 2; count++) {
        const directory = yield* newStore
        yield* using(directory, (store) => store.put("key", utf8("blob")))
        names.push(...(yield* recordsOf(directory)))
      }
      assert.notStrictEqual(names[0], names[1])
    })
  )

  it.effect("every byte of a record altered, and every cut, is damage under its key", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("some/key", utf8("small")))
      const file = path.join(directory, (yield* recordsOf(directory))[0]!)
      const whole = yield* Effect.promise(() => fileSystem.readFile(file))
      const damaged = [
        ...Array.from(whole, (byte, at) => Buffer.from(whole.with(at, byte ^ (1 << (at % 8))))),
        ...Array.from(whole, (_, at) => whole.subarray(0, at)),
        Buffer.concat([whole, Buffer.alloc(1)])
      ]
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          for (const bytes of damaged) {
            yield* Effect.promise(() => fileSystem.writeFile(file, bytes))
            assert.deepStrictEqual(yield* corruptKey(store.get("some/key")), ["StorageCorrupt", "some/key"])
          }
          yield* store.put("some/key", utf8("mended"))
          assert.strictEqual(yield* text(store, "some/key"), "mended")
        })
      )
    })
  )

  it.effect("a damaged beginning fails the list and names the file, and removing the key mends it", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("some/key", utf8("small")))
      const [record] = yield* recordsOf(directory)
      const file = path.join(directory, record!)
      const whole = yield* Effect.promise(() => fileSystem.readFile(file))
      for (const at of [0, 1, 8, 9, 10, 11, 40, 58]) {
        yield* Effect.promise(() => fileSystem.writeFile(file, whole.with(at, whole[at]! ^ 1)))
        const listed = using(directory, (store) => store.list(""))
        assert.deepStrictEqual(yield* corruptKey(listed), ["StorageCorrupt", `/${record}`], `byte ${at}`)
      }
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          assert.isTrue(yield* store.remove("some/key"))
          assert.deepStrictEqual(yield* store.list(""), [])
        })
      )
    })
  )

  it.effect("two records that exchanged their files are both damage, for get and for list", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) =>
        Effect.andThen(store.put("one", utf8("same length")), store.put("two", utf8("same lengte")))
      )
      const [first, second] = (yield* recordsOf(directory)).map((file) => path.join(directory, file))
      yield* Effect.promise(async () => {
        await fileSystem.rename(first!, `${first}.away`)
        await fileSystem.rename(second!, first!)
        await fileSystem.rename(`${first}.away`, second!)
      })
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* corruptKey(store.get("one")), ["StorageCorrupt", "one"])
          assert.deepStrictEqual(yield* corruptKey(store.get("two")), ["StorageCorrupt", "two"])
          assert.strictEqual((yield* reasonOf(store.list("")))._tag, "StorageCorrupt")
        })
      )
    })
  )

  it.effect("a record put back to an older version is damage, also in the next process, and a new put mends it", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      const putBack = (bytes: Buffer, file: string) =>
        Effect.promise(() => fileSystem.writeFile(file, bytes, { mode: 0o600 }))
      const older = yield* using(directory, (store) =>
        Effect.gen(function* () {
          yield* store.put("key", utf8("first"))
          const file = path.join(directory, (yield* recordsOf(directory))[0]!)
          const bytes = yield* Effect.promise(() => fileSystem.readFile(file))
          yield* store.put("key", utf8("later"))
          yield* putBack(bytes, file)
          assert.deepStrictEqual(yield* corruptKey(store.get("key")), ["StorageCorrupt", "key"])
          return { bytes, file }
        })
      )
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(store.get("key"))
          assert.include(reason.message, "an older version of it was put back")
          assert.strictEqual((yield* reasonOf(store.list("")))._tag, "StorageCorrupt")
          yield* store.put("key", utf8("newest"))
          assert.strictEqual(yield* text(store, "key"), "newest")
          yield* store.remove("key")
        })
      )
      yield* putBack(older.bytes, older.file)
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          assert.isUndefined(yield* text(store, "key"), "what was removed stays so")
          assert.deepStrictEqual(yield* store.list(""), [])
          assert.isFalse(yield* store.remove("key"))
        })
      )
    })
  )

  it.effect(
    "a ledger is written once for the puts of some seconds, and when the store is closed, and counts meanwhile",
    () =>
      Effect.gen(function* () {
        const directory = yield* newStore
        const ledgers: Array<string> = []
        const disk = watched((step, file) =>
          Promise.resolve(void (step === "rename" && file.endsWith("/ledger") && ledgers.push(file)))
        )
        yield* using(
          directory,
          (store) =>
            Effect.gen(function* () {
              yield* store.put("key", utf8("first"))
              const file = path.join(directory, (yield* recordsOf(directory))[0]!)
              const older = yield* Effect.promise(() => fileSystem.readFile(file))
              for (const blob of ["second", "third"]) yield* store.put("key", utf8(blob))
              assert.deepStrictEqual(ledgers, [])
              const whole = yield* Effect.promise(() => fileSystem.readFile(file))
              yield* Effect.promise(() => fileSystem.writeFile(file, older))
              assert.deepStrictEqual(yield* corruptKey(store.get("key")), ["StorageCorrupt", "key"])
              yield* Effect.promise(() => fileSystem.writeFile(file, whole))
              yield* TestClock.adjust("5 seconds")
              while (ledgers.length === 0) yield* Effect.promise(() => turnsOfTheLoop(1))
              yield* store.put("key", utf8("fourth"))
              assert.strictEqual(ledgers.length, 1)
            }),
          disk
        )
        assert.strictEqual(ledgers.length, 2)
      })
  )

  it.effect("a record that somebody else removed is damage for get and list, until its key is removed", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const [record] = yield* recordsOf(directory)
      yield* Effect.promise(() => fileSystem.unlink(path.join(directory, record!)))
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* corruptKey(store.get("key")), ["StorageCorrupt", "key"])
          assert.deepStrictEqual(yield* corruptKey(store.list("")), ["StorageCorrupt", `/${record}`])
          assert.isFalse(yield* store.remove("key"))
          assert.isUndefined(yield* text(store, "key"))
          assert.deepStrictEqual(yield* store.list(""), [])
        })
      )
    })
  )

  it.effect("a counter that was made up is not believed when its record is removed", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const record = path.join(directory, (yield* recordsOf(directory))[0]!)
      const whole = yield* Effect.promise(() => fileSystem.readFile(record))
      const ledger = path.join(path.dirname(record), "ledger")
      yield* Effect.promise(async () => {
        await fileSystem.writeFile(record, Buffer.from(whole).fill(0xff, 1, 9))
        await fileSystem.unlink(ledger)
      })
      yield* using(directory, (store) => store.remove("key"))
      yield* using(directory, (store) => store.put("key", utf8("new")))
      yield* Effect.promise(() => fileSystem.unlink(ledger))
      assert.strictEqual(yield* using(directory, (store) => text(store, "key")), "new")
    })
  )

  it.effect("every byte of a ledger altered, every cut, and another directory's are damage by name", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => Effect.forEach(["a", "b"], (key) => store.put(key, utf8(key))))
      const [own, other] = (yield* recordsOf(directory)).map((record) => `${path.dirname(record)}/ledger`)
      const read = (file: string) => Effect.promise(() => fileSystem.readFile(path.join(directory, file)))
      const [whole, foreign] = [yield* read(own!), yield* read(other!)]
      const damaged = [...whole.keys()].flatMap((at) => [whole.with(at, whole[at]! ^ 1), whole.subarray(0, at)])
      for (const bytes of [...damaged, foreign]) {
        yield* Effect.promise(() => fileSystem.writeFile(path.join(directory, own!), bytes))
        const listed = using(directory, (store) => store.list(""))
        assert.deepStrictEqual(yield* corruptKey(listed), ["StorageCorrupt", `/${own}`])
      }
    })
  )

  it.effect("a limit is kept over restarts, whatever is put, replaced and removed", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      const limited = <A>(work: (store: Store) => Effect.Effect<A, StorageError>) =>
        Effect.provide(
          Effect.flatMap(Storage, work),
          Layer.provide(EncryptedFileStorage.layer({ directory, limitBytes: 1_000 }), Layer.succeed(Keys, alice))
        )
      yield* limited((store) => store.put("a", new Uint8Array(400)))
      const reason = yield* reasonOf(limited((store) => store.put("b", new Uint8Array(500))))
      assert.deepStrictEqual([reason._tag, "limitBytes" in reason && reason.limitBytes], ["StorageFull", 1_000])
      yield* limited((store) => store.put("a", new Uint8Array(800)))
      yield* limited((store) => store.remove("a"))
      yield* limited((store) => store.put("b", new Uint8Array(800)))
    })
  )

  it.effect("every byte of the header altered, every cut, and its loss are damage of the header", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const file = path.join(directory, "header")
      const whole = yield* Effect.promise(() => fileSystem.readFile(file))
      const opened = using(directory, (store) => store.get("key"))
      for (let at = 0; at < whole.length; at++) {
        for (const bytes of [whole.with(at, whole[at]! ^ 1), whole.subarray(0, at)]) {
          yield* Effect.promise(() => fileSystem.writeFile(file, bytes))
          assert.deepStrictEqual(yield* corruptKey(opened), ["StorageCorrupt", "/header"], `byte ${at}`)
        }
      }
      yield* Effect.promise(() => fileSystem.unlink(file))
      assert.deepStrictEqual(yield* corruptKey(opened), ["StorageCorrupt", "/header"])
      assert.notInclude(yield* filesBelow(directory), "header", "nothing new was made")
    })
  )

  it.effect("another device does not open the store until it was resealed for it, and then the first does not", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const openedBy = (keys: Keys["Service"]) => using(directory, (store) => text(store, "key"), fileSystem, keys)
      assert.deepStrictEqual(yield* corruptKey(openedBy(bob)), ["StorageCorrupt", "/header"])
      const record = path.join(directory, (yield* recordsOf(directory))[0]!)
      const before = yield* Effect.promise(() => fileSystem.stat(record))
      yield* Effect.provideService(EncryptedFileStorage.reseal({ directory }, bob), Keys, alice)
      assert.strictEqual(yield* openedBy(bob), "blob")
      assert.deepStrictEqual(yield* corruptKey(openedBy(alice)), ["StorageCorrupt", "/header"])
      const after = yield* Effect.promise(() => fileSystem.stat(record))
      assert.deepStrictEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs], "the blob was not touched")
    })
  )

  it.effect("no two records ever have the same counter, also across restarts", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      const counters: Array<bigint> = []
      for (let count = 0; count < 3; count++) {
        for (const key of ["a", "b"]) {
          yield* using(directory, (store) => store.put(key, utf8("blob")))
        }
        for (const file of yield* recordsOf(directory)) {
          const bytes = yield* Effect.promise(() => fileSystem.readFile(path.join(directory, file)))
          counters.push(bytes.readBigUInt64BE(1))
        }
      }
      assert.strictEqual(new Set(counters).size, counters.length)
    })
  )

  it.effect("a list that runs while others write knows of every write that was done", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      const keys = Array.from({ length: 30 }, (_, index) => `key-${String(index).padStart(2, "0")}`)
      yield* using(directory, (store) => Effect.forEach(keys.slice(0, 20), (key) => store.put(key, utf8(key))))
      yield* using(directory, (store) =>
        Effect.gen(function* () {
          const writes = [
            ...keys.slice(20).map((key) => store.put(key, utf8(key))),
            ...keys.slice(0, 10).map((key) => store.remove(key))
          ]
          yield* Effect.all([store.list(""), ...writes, store.list("")], { concurrency: "unbounded", discard: true })
          assert.deepStrictEqual(yield* store.list(""), keys.slice(10))
        })
      )
    })
  )

  it.effect("a removal waits for the put of its key, so the list agrees with the files", () =>
    Effect.gen(function* () {
      const renamed = Promise.withResolvers<void>()
      const removed = Promise.withResolvers<void>()
      let isArmed = false
      let isRenamed = false
      // Holds the put between its rename and its end until the removal is done, or has had every chance.
      const disk = watched(async (step) => {
        if (!isArmed || step !== "sync" || !isRenamed) {
          isRenamed = step === "rename"
          return
        }
        isArmed = false
        renamed.resolve()
        await Promise.race([removed.promise, turnsOfTheLoop(500)])
      })
      const removal = (store: Store) =>
        Effect.promise(() => renamed.promise).pipe(
          Effect.andThen(store.remove("key")),
          Effect.tap(() => Effect.sync(removed.resolve))
        )
      yield* using(
        yield* newStore,
        (store) =>
          Effect.gen(function* () {
            yield* store.put("key", utf8("first"))
            assert.deepStrictEqual(yield* store.list(""), ["key"])
            isArmed = true
            yield* Effect.all([store.put("key", utf8("second")), removal(store)], { concurrency: 2 })
            assert.isTrue(Option.isNone(yield* store.get("key")))
            assert.deepStrictEqual(yield* store.list(""), [])
          }),
        disk
      )
    })
  )

  it.effect("what a killed process may not have made durable is made so before it is read, once", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("blob")))
      const child = path.join(directory, path.dirname((yield* recordsOf(directory))[0]!))
      const steps: Array<string> = []
      const disk = watched((step, file) => Promise.resolve(void steps.push(`${step} ${file}`)))
      yield* using(
        directory,
        (store) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(steps, [`sync ${directory}`, `sync ${path.dirname(directory)}`])
            yield* store.get("key")
            yield* store.get("key")
            assert.deepStrictEqual(steps.slice(2), [`sync ${child}`])
          }),
        disk
      )
    })
  )

  it.effect("after its scope the store answers that it is closed", () =>
    Effect.gen(function* () {
      const store = yield* using(yield* newStore, Effect.succeed)
      for (const call of [store.get("a"), store.put("a", utf8("a")), store.remove("a"), store.list("")]) {
        assert.strictEqual((yield* reasonOf(call as Effect.Effect<unknown, StorageError>))._tag, "StorageUnavailable")
      }
    })
  )
})

describe("EncryptedFileStorage and a failing disk", () => {
  for (const code of ["ENOSPC", "EDQUOT", "EFBIG"]) {
    it.effect(`${code} at any step of a put is StorageFull, keeps the old blob and leaves nothing behind`, () =>
      Effect.gen(function* () {
        for (const failing of ["write", "sync", "rename"]) {
          const directory = yield* newStore
          yield* using(directory, (store) => store.put("key", utf8("old")))
          const disk = watched((step) => (step === failing ? Promise.reject(systemError(code)) : Promise.resolve()))
          const reason = yield* reasonOf(using(directory, (store) => store.put("key", utf8("new, and longer")), disk))
          assert.strictEqual(reason._tag, "StorageFull", failing)
          assert.isAbove("limitBytes" in reason ? reason.limitBytes : 0, 0)
          assert.strictEqual(yield* using(directory, (store) => text(store, "key")), "old", failing)
          assert.isEmpty((yield* filesBelow(directory)).filter((file) => file.endsWith(".tmp")))
        }
      })
    )
  }

  it.effect("another error of the operating system is unavailable, and says which", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      yield* using(directory, (store) => store.put("key", utf8("old")))
      const disk = watched((step) => (step === "write" ? Promise.reject(systemError("EROFS")) : Promise.resolve()))
      const reason = yield* reasonOf(using(directory, (store) => store.put("key", utf8("new")), disk))
      assert.include("what" in reason ? reason.what : "", "EROFS")
      assert.strictEqual(yield* using(directory, (store) => text(store, "key")), "old")
    })
  )

  it.effect("a list after a write that failed halfway looks at the disk again", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      let fails = false
      let isRenamed = false
      // The rename takes place; only whether it is durable stays unknown.
      const disk = watched(async (step) => {
        if (fails && step === "sync" && isRenamed) throw systemError("EIO")
        isRenamed = step === "rename"
      })
      yield* using(
        directory,
        (store) =>
          Effect.gen(function* () {
            yield* store.put("a", utf8("a"))
            assert.deepStrictEqual(yield* store.list(""), ["a"])
            fails = true
            assert.strictEqual((yield* reasonOf(store.put("b", utf8("b"))))._tag, "StorageUnavailable")
            fails = false
            assert.strictEqual(yield* text(store, "b"), "b")
            assert.deepStrictEqual(yield* store.list(""), ["a", "b"])
          }),
        disk
      )
    })
  )

  for (const loss of ["nothing", "bytes", "bytes and names"] as ReadonlyArray<Loss>) {
    it.effect(`a power cut at any step that loses ${loss} leaves the old blob or the new, whole`, () =>
      Effect.gen(function* () {
        for (let step = 0; ; step++) {
          const directory = yield* newStore
          yield* using(directory, (store) =>
            Effect.andThen(store.put("a", utf8("old a")), store.put("b", utf8("old b")))
          )
          const { disk, isCut, lose } = cutAt(step)
          const done: Array<string> = []
          const acknowledge = (what: string) => Effect.sync(() => done.push(what))
          const work = using(
            directory,
            (store) =>
              Effect.gen(function* () {
                yield* store.put("a", utf8("new a"))
                yield* acknowledge("put a")
                yield* store.put("c", utf8("new c"))
                yield* acknowledge("put c")
                yield* store.remove("b")
                yield* acknowledge("remove b")
              }),
            disk
          )
          yield* Effect.exit(work)
          yield* Effect.promise(() => lose(loss))
          yield* using(directory, (store) =>
            Effect.gen(function* () {
              const where = `power cut at step ${step}`
              const [a, b, c] = [yield* text(store, "a"), yield* text(store, "b"), yield* text(store, "c")]
              assert.include(done.includes("put a") ? ["new a"] : ["old a", "new a"], a, where)
              assert.include(done.includes("put c") ? ["new c"] : [undefined, "new c"], c, where)
              assert.include(done.includes("remove b") ? [undefined] : ["old b", undefined], b, where)
              const kept = [["a", a] as const, ["b", b] as const, ["c", c] as const].filter(
                ([, blob]) => blob !== undefined
              )
              assert.deepStrictEqual(
                yield* store.list(""),
                kept.map(([key]) => key),
                where
              )
            })
          )
          assert.isEmpty((yield* filesBelow(directory)).filter((file) => file.endsWith(".tmp")))
          if (!isCut()) {
            assert.strictEqual(done.length, 3)
            assert.isAtLeast(step, 15, "each write has a step to write, to sync, to rename and to sync the directory")
            return
          }
        }
      })
    )
  }
})

/** Runs writer.ts in a process of its own; answers its lines and the signal that ended it. */
const runWriter = (shellLimit: string, ...words: ReadonlyArray<string>) =>
  Effect.promise(
    () =>
      new Promise<{ readonly lines: ReadonlyArray<string>; readonly signal: string | null }>((resolve) => {
        const program = [process.execPath, path.join(import.meta.dirname, "writer.ts"), ...words]
        const child = spawn("sh", ["-c", `${shellLimit} exec "$@"`, "sh", ...program])
        let output = ""
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk))
        let complaint = ""
        child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaint += chunk))
        child.on("close", (_, signal) => resolve({ lines: [...output.split("\n"), complaint].filter(Boolean), signal }))
      })
  )

describe("EncryptedFileStorage in a process of its own", () => {
  it.effect("killed at a step of a write, it loses nothing that it acknowledged", () =>
    Effect.gen(function* () {
      // In front of: making the directory, the header's rename, the record's child directory, its sync, the first
      // record's write, sync, rename and directory sync, and the same of a later one.
      const steps = [0, 6, 12, 13, 14, 15, 16, 17, 30, 31, 32, 33]
      yield* Effect.forEach(
        steps,
        Effect.fnUntraced(function* (step) {
          const directory = yield* newStore
          const { lines, signal } = yield* runWriter("", directory, "kill", String(step))
          assert.strictEqual(signal, "SIGKILL", lines.join())
          const acknowledged = lines.length
          const found = yield* using(directory, (store) =>
            Effect.zip(store.get("a"), store.list(""), { concurrent: true })
          )
          const length = Option.match(found[0], { onNone: () => 0, onSome: (bytes) => bytes.length })
          assert.include([acknowledged, acknowledged + 1], length, `killed at step ${step}`)
          assert.deepStrictEqual(found[1], length === 0 ? [] : ["a"])
          assert.isEmpty((yield* filesBelow(directory)).filter((file) => file.endsWith(".tmp")))
        }),
        { concurrency: 2, discard: true }
      )
    })
  )

  it.effect("under a file size limit it answers StorageFull, keeps what it has and leaves nothing behind", () =>
    Effect.gen(function* () {
      const directory = yield* newStore
      const { lines } = yield* runWriter("ulimit -f 64;", directory, "fill", "100000")
      assert.deepStrictEqual(lines, ["small 10", "StorageFull"])
      yield* using(directory, (store) => Effect.map(store.list(""), (keys) => assert.deepStrictEqual(keys, ["small"])))
      assert.strictEqual((yield* recordsOf(directory)).length, 1)
    })
  )
})
