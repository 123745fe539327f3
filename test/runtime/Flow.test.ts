/** Budgets between agents: who is over budget waits and goes on by itself, and hours are summed up alike. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import { Telemetry } from "../../src/observability/Telemetry.ts"
import { Summarizing } from "../../src/runtime/Summaries.ts"
import * as Budget from "../../src/trust/Budget.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Receipt from "../../src/sync/Receipt.ts"
import {
  alice,
  bob,
  bring,
  carol,
  entriesOf,
  fact,
  head,
  installation,
  runOf,
  say,
  script,
  set,
  until,
  written
} from "./fixtures.ts"
import { budget, device, epoch, fill, moment, speaker, world } from "./flowing.ts"

describe("a link that is over budget", () => {
  const scene = Effect.gen(function* () {
    const [tight, free] = [world(1, budget(40)), world(2)]
    const [hers, his] = [installation(alice), installation(bob)]
    for (const on of [hers, his])
      for (const { authority, space } of [tight, free]) yield* bring(on, space, runOf(authority))
    const hub = MemoryNetwork.hub()
    const a = yield* device(hers, hub, "alice")
    const b = yield* device(his, hub, "bob")
    const link = yield* b.agent.connect("alice", alice.device)
    yield* moment
    const from = a.agent.links()[0]!
    for (let i = 0; i < 6; i++) yield* fill(a.replica(tight.space), `tight ${i}`, 9000 + i)
    yield* until("the budget is spent", () => from.isOverBudget(tight.space))
    return { a, b, free, from, hers, his, link, tight }
  })

  it.effect("holds that space back, and nothing else; it goes on when the hour ends", () =>
    Effect.gen(function* () {
      const { a, b, free, from, hers, his, tight } = yield* scene
      yield* fill(a.replica(free.space), "free", 9000)
      yield* until("the other space goes on", () => "free" in entriesOf(b.replica(free.space)))
      yield* moment
      const arrived = Object.keys(entriesOf(b.replica(tight.space))).length
      assert.isBelow(arrived, 6)
      assert.isTrue(from.isOverBudget(tight.space))
      const account = yield* a.replica(tight.space).spending.account(bob.device)
      assert.isAtMost(account.spent()[0]!.spent, 40)
      // what Bob says arrives all the same, and is acknowledged only later
      yield* b.replica(tight.space).write(written(bob.device, set("bob", "1")))
      yield* until("it is here", () => "bob" in entriesOf(a.replica(tight.space)))
      for (const on of [hers, his]) on.clock.millis += Budget.restMillis(on.clock.millis)
      yield* TestClock.adjust("1 hour")
      yield* until("all is there", () => Object.keys(entriesOf(b.replica(tight.space))).length === 7)
      assert.isFalse(from.isOverBudget(tight.space))
      assert.lengthOf(a.agent.links(), 1)
      yield* until("all is acknowledged", () => b.agent.links()[0]!.isServed(tight.space))
    }).pipe(Effect.scoped)
  )

  it.effect("goes on at once when it was given more", () =>
    Effect.gen(function* () {
      const { a, b, from, tight } = yield* scene
      const hers = script(tight.space, carol, "authority")
      const give: Fact.Give = { _tag: "Give", peer: bob.device, epoch, to: alice.device, amount: 200 }
      say(hers, { facts: [fact(give)], seen: [head(tight.authority)], time: tight.authority.entries.at(-1)!.time + 1 })
      yield* a.replica(tight.space).receive([runOf(hers)])
      yield* until("all is there", () => Object.keys(entriesOf(b.replica(tight.space))).length === 6)
      assert.isFalse(from.isOverBudget(tight.space))
    }).pipe(Effect.scoped)
  )

  it.effect("stays so over a reconnect, and through a restart", () =>
    Effect.gen(function* () {
      const { authority, space } = world(1, budget(5))
      const [hers, his] = [installation(alice), installation(bob)]
      for (const on of [hers, his]) yield* bring(on, space, runOf(authority))
      let spent = 0
      for (let life = 0; life < 4; life++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const a = yield* device(hers, hub, "alice")
            const b = yield* device(his, hub, "bob")
            yield* b.agent.connect("alice", alice.device)
            yield* fill(a.replica(space), `life ${life}`, 3000)
            yield* moment
            const account = yield* a.replica(space).spending.account(bob.device)
            spent = account.spent().find((one) => one.epoch === epoch)?.spent ?? 0
            assert.isAtMost(spent, 5)
          })
        )
      }
      assert.isAtLeast(spent, 4)
    })
  )
})

describe("what is spent", () => {
  it.effect("is told to whoever counts, and so is that it was all", () => {
    const counted = { units: 0, exhaustions: 0, refused: Array<string>() }
    return Effect.gen(function* () {
      const { authority, space } = world(1, budget(12))
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      const hub = MemoryNetwork.hub()
      const a = yield* device(on, hub, "alice")
      const his = yield* speaker(hub, space)
      yield* moment
      for (let i = 0; i < 3; i++) yield* fill(a.replica(space), `${i}`, 6000)
      yield* moment
      yield* his.say({
        _tag: "Receipt",
        space: his.tag,
        epoch,
        nonce: 1,
        receipt: { spent: 1, previous: Receipt.first, signature: new Uint8Array(64) }
      })
      yield* moment
      const account = yield* a.replica(space).spending.account(bob.device)
      assert.strictEqual(counted.units, account.spent()[0]!.spent)
      assert.deepStrictEqual([counted.exhaustions, counted.refused], [1, ["receipt"]])
    }).pipe(
      Effect.scoped,
      Effect.provideServiceEffect(
        Telemetry,
        Telemetry.useSync((told) => ({
          ...told,
          charged: (units: number) => void (counted.units += units),
          exhausted: () => void counted.exhaustions++,
          refused: (reason: string) => void counted.refused.push(reason)
        }))
      )
    )
  })
})

describe("summaries", () => {
  it.effect("are said once for each hour in which something was told, and are the same everywhere", () =>
    Effect.gen(function* () {
      const made = world(1)
      const homes = [installation(alice), installation(bob), installation(carol)]
      for (const on of homes) yield* bring(on, made.space, runOf(made.authority))
      const hub = MemoryNetwork.hub()
      const names = ["alice", "bob", "carol"]
      const devices = yield* Effect.forEach(homes, (on, i) => device(on, hub, names[i]!))
      const replicas = devices.map(({ replica }) => replica(made.space))
      yield* devices[0]!.agent.connect("bob", bob.device)
      yield* devices[1]!.agent.connect("carol", carol.device)
      yield* fill(replicas[0]!, "one", 5000)
      yield* moment
      yield* replicas[2]!.write(written(carol.device, set("two", "2")))
      yield* moment
      const sums = () => replicas.map((replica) => Budget.sums(Budget.saidIn(replica.ledger().authority!)))
      const spent = yield* Effect.forEach([0, 1, 2], (i) =>
        Effect.map(
          Effect.forEach([alice, bob, carol], (to) => replicas[i]!.spending.account(to.device)),
          (accounts) => accounts.map((account) => account.spent().find((one) => one.epoch === epoch)?.spent ?? 0)
        )
      )
      assert.deepStrictEqual(sums(), [[], [], []])
      const hour = Effect.gen(function* () {
        for (const on of homes) on.clock.millis += Budget.epochMillis
        yield* TestClock.adjust("1 hour")
        yield* moment
        yield* TestClock.adjust("5 minutes")
        yield* moment
      })
      yield* hour
      const [first, ...others] = sums()
      for (const other of others) assert.deepStrictEqual(other, first)
      for (const { peer, spent: sum } of first!) {
        const column = [alice, bob, carol].findIndex((keys) => keys.device === peer)
        assert.strictEqual(sum, spent[0]![column]! + spent[1]![column]! + spent[2]![column]!)
      }
      assert.sameMembers(
        first!.map(({ peer }) => peer),
        [alice.device, bob.device, carol.device]
      )
      // to tell of summaries is nothing that would be summed up
      const count = () => replicas.map((replica) => replica.ledger().authority!.memo.count)
      const before = count()
      for (let i = 0; i < 3; i++) yield* hour
      assert.deepStrictEqual(count(), before)
      assert.isTrue(before.every((one) => one === before[0]))
    }).pipe(Effect.scoped, Effect.provideService(Summarizing, true))
  )
})
