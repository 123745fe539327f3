/**
 * A small replicated program for testing the simulation itself: agents that gossip a set of numbers.
 *
 * A number is acknowledged when it is on the disk. Every agent dials every other, sends all it has when a connection
 * opens and then each second, and keeps what it hears. Two bugs can be planted: `HastyAnswer` acknowledges before the
 * disk has it, `OneShot` sends each number once, to who is connected at that moment.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { JournalStore, type JournalStoreError } from "../../src/effects/JournalStore.ts"
import { Network, type Connection, type NetworkError } from "../../src/effects/Network.ts"
import { spaceId } from "../../src/identity/Id.ts"
import * as Agents from "../../src/simulation/Agents.ts"
import * as Faults from "../../src/simulation/Faults.ts"
import * as SimulatedNetwork from "../../src/simulation/SimulatedNetwork.ts"
import * as World from "../../src/simulation/World.ts"
import { keyring } from "./signing.ts"

export type Bug = "HastyAnswer" | "OneShot"

export interface Gossip {
  /** Succeeds when the number is durable. */
  readonly add: (number: number) => Effect.Effect<void, JournalStoreError>
  readonly numbers: () => ReadonlyArray<number>
}

const space = spaceId(new Uint8Array(32).fill(7))
const toBytes = (numbers: Iterable<number>): Uint8Array => new TextEncoder().encode([...numbers].join(","))
const fromBytes = (bytes: Uint8Array): ReadonlyArray<number> =>
  new TextDecoder().decode(bytes).split(",").filter(Boolean).map(Number)

const program =
  (names: ReadonlyArray<string>, bug: Bug | undefined): Agents.Program<Gossip, JournalStoreError> =>
  (installed, name) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(installed)
      return yield* Effect.provideContext(run(names, bug, name), context)
    })

const run = Effect.fn("Gossip.run")(function* (names: ReadonlyArray<string>, bug: Bug | undefined, name: string) {
  const store = yield* JournalStore
  const network = yield* Network
  const writer = yield* Semaphore.make(1)
  const connections = new Set<Connection>()
  const row = yield* store.local(space, "numbers")
  const numbers = new Set(Option.match(row, { onNone: () => [], onSome: fromBytes }))

  const keep = Effect.fnUntraced(function* (heard: ReadonlyArray<number>) {
    if (heard.every((number) => numbers.has(number))) return
    const all = new Set([...numbers, ...heard])
    yield* store.commit({ space, locals: [{ name: "numbers", bytes: toBytes(all) }] })
    for (const number of all) numbers.add(number)
  }, writer.withPermits(1))
  const talk = Effect.fnUntraced(function* (connection: Connection) {
    connections.add(connection)
    const tell = Effect.suspend(() => connection.send(toBytes(numbers))).pipe(Effect.andThen(Effect.sleep("1 second")))
    const hear = Effect.flatMap(connection.receive, (bytes) => keep(fromBytes(bytes)))
    const talking = bug === "OneShot" ? [hear] : [hear, tell]
    yield* Effect.forEach(talking, (one) => Effect.forever(one), { concurrency: 2, discard: true }).pipe(
      Effect.ensuring(Effect.sync(() => connections.delete(connection)))
    )
  })
  const meet = (connection: Effect.Effect<Connection, NetworkError, Scope.Scope>) =>
    Effect.ignore(Effect.scoped(Effect.flatMap(connection, talk)))
  for (const peer of names.filter((other) => other !== name)) {
    const dial = meet(network.connect(SimulatedNetwork.addressOf(peer)))
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(dial, Effect.sleep("300 millis"))))
  }
  const accept = Effect.fnUntraced(function* () {
    const connection = yield* network.accept
    yield* Effect.ignore(talk(connection))
  }, Effect.scoped)
  yield* Effect.forEach(names, () => Effect.forkScoped(Effect.forever(accept())))

  const add = Effect.fnUntraced(function* (number: number) {
    if (bug === "HastyAnswer") yield* Effect.forkDetach(Effect.ignore(keep([number])))
    else yield* keep([number])
    if (bug === "OneShot") {
      for (const connection of connections) yield* Effect.ignore(connection.send(toBytes([number])))
    }
  })
  return { add, numbers: () => [...numbers].toSorted((one, other) => one - other) }
})

const names = ["Alice", "Bob", "Carol"]

/** A disk that lies may lose what was acknowledged, so this program can't be held to its word on one. */
const bearable = Faults.kinds.filter((kind) => kind !== "LyingDisks")

/** What of the promises was broken; nothing if none. */
export const world = (seed: number, bug?: Bug): World.Outcome<ReadonlyArray<string>, unknown> =>
  World.run({ seed }, (world) =>
    Effect.gen(function* () {
      const plan = Faults.draw(seed, { agents: names, kinds: bearable, safetyMillis: 20_000 })
      const network = SimulatedNetwork.make(world)
      const people = Agents.make(world, network, { keyring })
      const agents = plan.agents.map(({ diskLies, name, skewMillis }) =>
        people.install(name, program(names, bug), { diskLies, skewMillis })
      )
      const acknowledged = new Set<number>()
      const isOver = yield* Deferred.make<void>()
      const work = Effect.fnUntraced(function* (agent: Agents.Agent<Gossip, JournalStoreError>, index: number) {
        const chance = world.chance(`work/${agent.name}`)
        for (let count = 0; !(yield* Deferred.isDone(isOver)); count++) {
          const number = 1_000 * (index + 1) + count
          yield* agent
            .use(({ add }) => add(number))
            .pipe(Effect.andThen(Effect.sync(() => acknowledged.add(number))), Effect.ignore)
          yield* Effect.sleep(chance.between(100, 2_000))
        }
      })
      const workers = yield* Effect.forEach(agents, (agent, index) => Effect.forkChild(work(agent, index)))
      yield* Faults.carryOut(plan, world, network, agents)
      yield* Deferred.succeed(isOver, undefined)
      yield* Fiber.joinAll(workers)

      const look = Effect.forEach(agents, (agent) => agent.use(({ numbers }) => Effect.sync(numbers)))
      const isAlike = Effect.map(look, ([first, ...others]) => others.every((each) => String(each) === String(first)))
      const converged = yield* World.eventually(isAlike, { withinMillis: 180_000 })
      const [atAlice = []] = yield* look
      const lost = [...acknowledged].filter((number) => !atAlice.includes(number))
      return [
        ...(converged ? [] : ["the replicas stay different"]),
        ...(converged && lost.length > 0 ? [`acknowledged and lost: ${lost.join(", ")}`] : [])
      ]
    })
  )
