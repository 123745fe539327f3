/** Three devices that can't hear each other, in a simulated world, each sending a fourth all that it may. */
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import * as Clock from "../../src/journal/Clock.ts"
import { authorityWrite } from "../../src/runtime/Write.ts"
import * as Operations from "../../src/runtime/Operations.ts"
import { Summarizing } from "../../src/runtime/Summaries.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import * as Agents from "../../src/simulation/Agents.ts"
import * as Devices from "../../src/simulation/Devices.ts"
import * as Incidents from "../../src/simulation/Incidents.ts"
import * as Notebook from "../../src/simulation/Notebook.ts"
import * as SimulatedNetwork from "../../src/simulation/SimulatedNetwork.ts"
import * as Watch from "../../src/simulation/Watch.ts"
import * as World from "../../src/simulation/World.ts"
import * as Budget from "../../src/trust/Budget.ts"
import { all } from "../../src/trust/Capability.ts"
import * as Right from "../../src/trust/Right.ts"
import { valueOf } from "./outcomes.ts"
import { keyring, verifier } from "./signing.ts"

const names = ["Alice", "Bob", "Carol", "Dave"]
const limit = 300

const play = (world: World.World) =>
  Effect.gen(function* () {
    const founded: { space?: SpaceId } = {}
    const network = SimulatedNetwork.make(world)
    const people = Agents.make(world, network, { keyring, verifier })
    const watch = Watch.make(world, () => founded.space)
    const peersOf = (name: string) =>
      names
        .filter((other) => other > name)
        .map((other) => ({ address: SimulatedNetwork.addressOf(other), device: people.deviceOf(other) }))
    const program = Devices.program(peersOf, watch)
    const actors = names.map((name) =>
      people.install(name, (installed, called) => Effect.provideService(program(installed, called), Summarizing, true))
    )
    const [alice, bob, carol, dave] = actors as [
      (typeof actors)[0],
      (typeof actors)[0],
      (typeof actors)[0],
      (typeof actors)[0]
    ]
    const nowEpoch = Effect.map(
      alice.use(({ agent }) => Effect.succeed(agent.now())),
      (now) => Budget.epochOf(Clock.toMillis(now))
    )
    const eventually = (what: string, condition: Effect.Effect<boolean, unknown>) =>
      Effect.map(World.eventually(condition, { withinMillis: 40 * 60_000 }), (isSo) => assert.isTrue(isSo, what))
    for (const actor of actors) yield* actor.start
    const { space } = yield* alice.use(({ agent }) =>
      agent.createSpace(people.deviceOf("words"), Notebook.app.definition)
    )
    founded.space = space
    const replicaOf = (actor: typeof alice) => actor.use((device) => Incidents.replicaOf(device, space))
    const counts = Effect.forEach(actors, (actor) =>
      Effect.map(replicaOf(actor), (replica) => replica.ledger().applied)
    )
    const areAlike = Effect.map(counts, (all) => all.every((count) => count === all[0]))
    for (const actor of [bob, carol, dave]) yield* Incidents.join(actor, alice, space, [Right.make(all, { depth: 1 })])
    const epoch = (yield* nowEpoch) + 1
    const leases = [alice, bob, carol].map(({ device }) => ({ device, amount: limit / 3 }))
    const budget = { _tag: "Budget", peer: dave.device, epoch, limit, leases } as const
    yield* Effect.flatMap(replicaOf(alice), (replica) => replica.write(authorityWrite([budget])))
    yield* Effect.sleep("30 minutes")
    const knows = (actor: typeof alice) =>
      Effect.map(replicaOf(actor), (replica) => Budget.saidIn(replica.ledger().authority!).length > 0)
    yield* eventually(
      "all know the budget",
      Effect.map(Effect.forEach(actors, knows), (all) => all.every(Boolean))
    )

    while ((yield* nowEpoch) < epoch) yield* Effect.sleep("1 minute")
    for (const one of ["Alice", "Bob", "Carol"])
      for (const other of ["Alice", "Bob", "Carol"]) if (one !== other) network.cut(one, other)
    const work = (actor: typeof alice, times: number) =>
      actor.use(({ agent, store }) =>
        Effect.gen(function* () {
          const replica = yield* Incidents.replicaOf({ agent }, space)
          const { perform } = yield* Operations.performer({ replica, device: agent.device, store }, Notebook.app)
          for (let i = 0; i < times; i++) {
            yield* perform("add", { title: `${actor.name} ${i}` })
            yield* Effect.sleep("1 second")
          }
        })
      )
    yield* Effect.forEach([alice, bob, carol], (actor) => work(actor, 40), { concurrency: 3 })
    yield* bob.crash
    yield* bob.start
    yield* Effect.forEach([alice, bob, carol], (actor) => work(actor, 60), { concurrency: 3 })
    assert.strictEqual(yield* nowEpoch, epoch)
    const spent = yield* Effect.forEach([alice, bob, carol], (actor) =>
      Effect.gen(function* () {
        const account = yield* (yield* replicaOf(actor)).spending.account(dave.device)
        const link = yield* actor.use(({ agent }) => Effect.succeed(agent.links()))
        assert.isTrue(
          link.some((one) => one.isOverBudget(space)),
          actor.name
        )
        return account.spent().find((one) => one.epoch === epoch)!.spent
      })
    )
    assert.isFalse(yield* areAlike)
    const sum = spent.reduce((a, b) => a + b, 0)
    assert.isAtMost(sum, limit)
    assert.isAbove(sum, limit * 0.9)

    network.heal()
    yield* Effect.sleep("1 hour")
    yield* eventually("all have the same", areAlike)
    yield* Effect.sleep("10 minutes")
    const sums = yield* Effect.forEach(actors, (actor) =>
      Effect.map(replicaOf(actor), (replica) =>
        Budget.sums(Budget.saidIn(replica.ledger().authority!)).filter((one) => one.epoch === epoch)
      )
    )
    for (const other of sums) assert.deepStrictEqual(other, sums[0])
    assert.strictEqual(sums[0]!.find(({ peer }) => peer === dave.device)?.spent, sum)
    assert.deepStrictEqual(watch.violations(), [])
    return sum
  })

describe("three devices that can't hear each other", () => {
  it("send together no more than the limit, and afterwards all tell the same of it", () => {
    for (const seed of [1, 2, 3]) valueOf(World.run({ seed }, play))
  })
})
