/** The disk: an honest one keeps the laws of every store, and each fault does what it says and no more. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { assert, describe, it } from "vitest"
import { JournalPlace, journalPlaceLaws, journalStoreLaws } from "../../src/conformance/JournalStoreLaws.ts"
import type { Law } from "../../src/conformance/Law.ts"
import { secretStoreLaws } from "../../src/conformance/SecretStoreLaws.ts"
import { JournalStore, type JournalStoreError } from "../../src/effects/JournalStore.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import { spaceId } from "../../src/identity/Id.ts"
import * as FaultyDisk from "../../src/simulation/FaultyDisk.ts"
import * as World from "../../src/simulation/World.ts"
import { valueOf } from "./outcomes.ts"

const space = spaceId(new Uint8Array(32).fill(7))
const slow = { ...FaultyDisk.sound, latencyMillis: { min: 1, max: 40 } }
const seeds = Array.from({ length: 40 }, (_, seed) => seed)

const countOf = (row: Option.Option<Uint8Array>): number => Option.getOrElse(row, () => new Uint8Array(1))[0] ?? 0
const put = (store: JournalStore["Service"], count: number): Effect.Effect<void, JournalStoreError> =>
  store.commit({ space, locals: [{ name: "count", bytes: new Uint8Array([count]) }] })

/** A disk and how a new process opens it; the stores stay open as long as the scope. */
const withDisk = <A>(
  seed: number,
  options: { readonly lies?: boolean },
  check: (
    disk: FaultyDisk.FaultyDisk,
    world: World.World,
    open: Effect.Effect<Context.Context<JournalStore | SecretStore>, JournalStoreError, Scope.Scope>
  ) => Effect.Effect<A, unknown, Scope.Scope>
): A =>
  valueOf(
    World.run({ seed }, (world) => {
      const disk = FaultyDisk.make(world, "Alice", options)
      return check(
        disk,
        world,
        Effect.suspend(() => Layer.build(disk.open(world.process("Alice"))))
      )
    })
  )

describe("An honest simulated disk, however slow, keeps the laws of every store", () => {
  for (const faults of [FaultyDisk.sound, slow]) {
    const pace = faults === slow ? "slow" : "at once"
    const laws: ReadonlyArray<Law<JournalStore | SecretStore>> = [...journalStoreLaws, ...secretStoreLaws]
    for (const { check, name } of laws) {
      it(`${name} (${pace})`, () => {
        withDisk(1, {}, (disk, _, open) => {
          disk.setFaults(faults)
          return Effect.flatMap(open, (stores) => Effect.provideContext(check, stores))
        })
      })
    }
    for (const { check, name } of journalPlaceLaws) {
      it(`${name} (${pace})`, () => {
        withDisk(1, {}, (disk, _, open) => {
          disk.setFaults(faults)
          const place = { open: Effect.map(open, Context.get(JournalStore)) }
          return Effect.provideService(check, JournalPlace, place)
        })
      })
    }
  }
})

/** Counts up in the store until the process dies; answers the last count that was acknowledged. */
const countUp = (world: World.World, disk: FaultyDisk.FaultyDisk, dies: (kill: () => void) => void) =>
  Effect.gen(function* () {
    let acknowledged = 0
    const process = world.process("Alice")
    const counting = Effect.gen(function* () {
      const store = yield* JournalStore
      for (let count = countOf(yield* store.local(space, "count")) + 1; count < 200; count++) {
        yield* put(store, count)
        acknowledged = count
      }
    })
    dies(process.kill)
    yield* Effect.exit(world.within(process, Effect.provide(counting, disk.open(process))))
    yield* disk.afterPowerLoss
    return acknowledged
  })

const countKept = (world: World.World, disk: FaultyDisk.FaultyDisk) => {
  const process = world.process("Alice")
  const look = Effect.flatMap(JournalStore, (store) => store.local(space, "count"))
  return Effect.map(world.within(process, Effect.provide(look, disk.open(process))), countOf)
}

describe("A loss of power", () => {
  it("leaves the commit it falls into whole or absent, and keeps all that were acknowledged", () => {
    const outcomes = new Set<number>()
    for (const seed of seeds) {
      const ahead = withDisk(seed, {}, (disk, world) =>
        Effect.gen(function* () {
          disk.setFaults(slow)
          const acknowledged = yield* countUp(world, disk, (kill) => world.after(200 + seed, kill))
          return (yield* countKept(world, disk)) - acknowledged
        })
      )
      outcomes.add(ahead)
    }
    assert.deepStrictEqual([...outcomes].toSorted(), [0, 1])
  })

  it("can be had at each storage step: before a write takes place, and before it is acknowledged", () => {
    for (let step = 1; step <= 12; step++) {
      const [acknowledged, kept] = withDisk(1, {}, (disk, world) =>
        Effect.gen(function* () {
          disk.cutPowerAtStep(step)
          return [yield* countUp(world, disk, () => undefined), yield* countKept(world, disk)]
        })
      )
      assert.strictEqual(acknowledged, Math.floor((step - 1) / 2))
      assert.strictEqual(kept, Math.floor(step / 2))
    }
  })

  it("takes from a lying disk the newest acknowledged writes, and secrets from none: tokens tell", () => {
    let lost = 0
    for (const seed of seeds) {
      const isCaught = withDisk(seed, { lies: true }, (disk, world) =>
        Effect.gen(function* () {
          const life = (token: number) => {
            const process = world.process("Alice")
            const program = Effect.gen(function* () {
              const store = yield* JournalStore
              const secrets = yield* SecretStore
              const found = countOf(yield* store.local(space, "token"))
              const expected = countOf(Option.map(yield* secrets.get("token"), Redacted.value))
              yield* store.commit({ space, locals: [{ name: "token", bytes: new Uint8Array([token]) }] })
              yield* secrets.put("token", Redacted.make(new Uint8Array([token])))
              return found === expected
            })
            return Effect.tap(
              world.within(process, Effect.provide(program, disk.open(process))),
              () => disk.afterPowerLoss
            )
          }
          assert.isTrue(yield* life(1))
          return !(yield* life(2))
        })
      )
      if (isCaught) lost += 1
    }
    assert.isAbove(lost, 5)
    assert.isBelow(lost, 40)
  })
})

describe("A bad disk", () => {
  it("refuses commits for want of room and keeps nothing of them", () => {
    withDisk(1, {}, (disk, _, open) =>
      Effect.gen(function* () {
        const store = Context.get(yield* open, JournalStore)
        yield* put(store, 1)
        disk.setFaults({ ...FaultyDisk.sound, fullShare: 1 })
        assert.strictEqual((yield* Effect.flip(put(store, 2))).reason._tag, "JournalFull")
        disk.setFaults(FaultyDisk.sound)
        assert.strictEqual(countOf(yield* store.local(space, "count")), 1)
      })
    )
  })

  it("is unavailable without saying whether the commit took place", () => {
    const kept = seeds.map((seed) =>
      withDisk(seed, {}, (disk, _, open) =>
        Effect.gen(function* () {
          const store = Context.get(yield* open, JournalStore)
          disk.setFaults({ ...FaultyDisk.sound, unavailableShare: 1 })
          assert.strictEqual((yield* Effect.flip(put(store, 2))).reason._tag, "JournalUnavailable")
          assert.strictEqual((yield* Effect.flip(store.spaces)).reason._tag, "JournalUnavailable")
          disk.setFaults(FaultyDisk.sound)
          return countOf(yield* store.local(space, "count"))
        })
      )
    )
    assert.deepStrictEqual([...new Set(kept)].toSorted(), [0, 2])
  })

  it("has one process at a time, until that one loses power", () => {
    withDisk(1, {}, (disk, _, open) =>
      Effect.gen(function* () {
        yield* open
        const second = yield* Effect.exit(open)
        assert.isTrue(Exit.isFailure(second))
        yield* disk.afterPowerLoss
        yield* open
      })
    )
  })
})
