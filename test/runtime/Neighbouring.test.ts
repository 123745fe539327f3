/**
 * Agents that keep their journals in one database and have no connection to each other: on a real server, everything that
 * one of them made durable reaches the others, and nothing that its rows hold can harm them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { StoredRun } from "../../src/effects/JournalStore.ts"
import { Keys } from "../../src/effects/Keys.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import { Time } from "../../src/effects/Time.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import { entryHash, toBytes, type SpaceId } from "../../src/identity/Id.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { clusterOfFile } from "../handlers/clusterOfFile.ts"
import {
  account,
  admit,
  alice,
  bob,
  branch,
  carol,
  entriesOf,
  fact,
  founded,
  head,
  mallory,
  noonMillis,
  right,
  root,
  runOf,
  runsOf,
  say,
  script,
  set,
  written,
  type Installed,
  type Script
} from "./fixtures.ts"
import { verifier } from "./signing.ts"

const cluster = clusterOfFile()

type Signer = Keys["Service"]

/** What stays of an agent when its process ends, but for its journal: that is in the database. */
interface Resident {
  readonly keys: Signer
  readonly owner: string
  readonly secrets: SecretStore["Service"]
}

let residents = 0
const resident = (keys: Signer): Resident => ({
  keys,
  owner: `resident ${++residents}`,
  secrets: MemorySecretStore.make()
})

const services = ({ keys, owner, secrets }: Resident): Layer.Layer<Installed> =>
  Layer.mergeAll(
    Layer.orDie(PostgresJournal.layer({ url: cluster.url, owner, poolMax: 3 })),
    Layer.succeed(SecretStore, secrets),
    Layer.succeed(Keys, keys),
    Layer.succeed(Time, {
      now: () => ({ millis: noonMillis + 60_000, uncertaintyMillis: Infinity, status: "Unchecked" as const })
    }),
    verifier,
    SecureRandom.layerWebCrypto
  )

/** Its agent, until the scope ends. Nobody connects to it, and it to nobody. */
const agentOf = (one: Resident) =>
  Effect.map(
    Layer.build(
      Agent.layer.pipe(
        Layer.provide(services(one)),
        Layer.provide(MemoryNetwork.layer(MemoryNetwork.hub(), { device: one.keys.device, address: "alone" }))
      )
    ),
    (built) => Context.get(built, Agent.Agent)
  )

/** Its replica without an agent, which takes these. */
const bring = (one: Resident, space: SpaceId, ...deliveries: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const replica = yield* Replica.open(space)
    for (const delivery of deliveries) {
      const [outcome] = yield* replica.receive([delivery])
      assert.strictEqual(outcome?._tag, "Stored", JSON.stringify(outcome))
    }
  }).pipe(Effect.scoped, Effect.provide(services(one)))

/** Puts rows into a journal that nobody looked at. */
const plant = (owner: string, space: SpaceId, of: Script, runs: ReadonlyArray<StoredRun>) =>
  Effect.scoped(
    Effect.flatMap(PostgresJournal.make({ url: cluster.url, owner }), (store) =>
      store.commit({ space, feeds: [{ feed: of.feed.id, header: of.feed.bytes }], runs })
    )
  )

const rowOf = (of: Script, bytes: Uint8Array = runOf(of).run): StoredRun => ({
  feed: of.feed.id,
  first: 0,
  last: of.entries.length - 1,
  previous: entryHash(toBytes(of.feed.id)),
  hash: head(of).hash,
  bytes
})

/** Each entry in a row of its own. */
const rowsOf = (of: Script): ReadonlyArray<StoredRun> =>
  of.entries.map((_, at) => ({
    feed: of.feed.id,
    first: at,
    last: at,
    previous: at === 0 ? entryHash(toBytes(of.feed.id)) : head(of, at - 1).hash,
    hash: head(of, at).hash,
    bytes: runOf(of, at, at).run
  }))

/** Within some seconds: far less than the time after which everything is looked at anyway. */
const eventually = (what: string, condition: () => boolean) =>
  Effect.gen(function* () {
    for (const end = performance.now() + 10_000; !condition();) {
      if (performance.now() > end) throw new Error(`it did not come to pass that ${what}`)
      yield* Effect.sleep("10 millis")
    }
  })

const has = (agent: Agent.Agent["Service"], space: SpaceId, key: string) => () =>
  key in entriesOf(agent.replica(space)!)

const put = (agent: Agent.Agent["Service"], space: SpaceId, key: string) =>
  agent.replica(space)!.write(written(agent.device, set(key, "said")))

/** Until everything was looked at that journals up to this name held: what Carol says in that one was found, behind it. */
const lookedAt = (owner: string, agent: Agent.Agent["Service"], space: SpaceId, authority: Script) =>
  Effect.gen(function* () {
    const last = script(space, carol, "data", { nonce: 11 })
    say(last, { facts: [set(`last of ${owner}`, "x")], seen: [head(authority)] })
    yield* plant(owner, space, last, [rowOf(last)])
    yield* eventually("it was looked at", has(agent, space, `last of ${owner}`))
  })

const members = [bob, carol].map((keys) => [keys, right("*", 1)] as const)
let spaces = 0
/** A space of Alice's with Bob and Carol in it, and an installation for each of these, that has all of it. */
const together = (...those: ReadonlyArray<Signer>) =>
  Effect.gen(function* () {
    const { authority, space } = founded(members, ++spaces)
    const all = those.map(resident)
    for (const one of all) yield* bring(one, space, runOf(authority))
    return { authority, space, all }
  })

const test = (name: string, body: Effect.Effect<void, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(body), { timeout: 60_000 })

describe("agents on one database", () => {
  test(
    "see at once what the others write",
    Effect.gen(function* () {
      const { all, space } = yield* together(alice, bob, carol)
      const agents = yield* Effect.forEach(all, agentOf)
      for (const [index, agent] of agents.entries()) {
        for (let count = 0; count < 5; count++) yield* put(agent, space, `${index} ${count}`)
        for (const other of agents) yield* eventually("all have it", has(other, space, `${index} 4`))
      }
      const accounts = agents.map((agent) => account(agent.replica(space)!.ledger()))
      assert.deepStrictEqual(accounts[1], accounts[0])
      assert.deepStrictEqual(accounts[2], accounts[0])
      assert.strictEqual(accounts[0]!.entries.length, 15)
    })
  )

  test(
    "take the sealed books of one that dropped what lies below, and believe root alone",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice, bob)
      const [hers, his] = all as [Resident, Resident]
      const data = script(space, alice, "data")
      for (let i = 0; i < 20; i++) say(data, { facts: [set(`k${i}`, "x")], seen: i === 0 ? [head(authority)] : [] })
      const runs = rowsOf(data).map(({ bytes }) => ({ header: data.feed.bytes, run: bytes }))
      const words = script(space, root, "authority", { time: authority.entries.at(-1)!.time + 1_000 })
      const dropped = yield* Effect.gen(function* () {
        const replica = yield* Replica.open(space)
        yield* replica.receive(runs)
        const { books, fact: seal } = Result.getOrThrow(replica.proposeSeal())
        say(words, { facts: [fact(seal)], seen: [head(authority)] })
        yield* replica.receive([runOf(words)])
        yield* replica.takeUp(books)
        return yield* replica.drop
      }).pipe(Effect.scoped, Effect.provide(services(hers)))
      assert.strictEqual(dropped, 20)
      // what is in the row of somebody who has no word of root's is nothing
      const liar = resident(carol)
      yield* Effect.scoped(
        Effect.flatMap(PostgresJournal.make({ url: cluster.url, owner: liar.owner }), (store) =>
          store.commit({ space, locals: [{ name: "sealed", bytes: new Uint8Array(40) }] })
        )
      )
      const agent = yield* agentOf(his)
      yield* eventually("Bob has what is nowhere any more", has(agent, space, "k0"))
      yield* eventually("and the last of it", has(agent, space, "k19"))
      assert.strictEqual(agent.replica(space)!.ledger().lines.get(data.feed.id)!.kept, 20)
    })
  )

  test(
    "see what one wrote that is no more, and take only what is new",
    Effect.gen(function* () {
      const { all, space } = yield* together(alice, bob)
      const [hers, his] = all as [Resident, Resident]
      yield* Effect.scoped(Effect.flatMap(agentOf(hers), (agent) => put(agent, space, "last words")))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const agent = yield* agentOf(his)
          yield* eventually("Bob has it", has(agent, space, "last words"))
        })
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const agent = yield* agentOf(hers)
          yield* put(agent, space, "risen")
          const other = yield* agentOf(his)
          assert.isTrue(has(other, space, "last words")(), "it is Bob's own copy")
          yield* eventually("Bob has more", has(other, space, "risen"))
        })
      )
    })
  )

  test(
    "catch up with what they did not hear",
    Effect.gen(function* () {
      const { all, space } = yield* together(alice, bob)
      const [hers, his] = yield* Effect.forEach(all, agentOf)
      yield* put(hers!, space, "before")
      yield* eventually("Bob has it", has(his!, space, "before"))
      yield* Effect.promise(() =>
        cluster.run(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'aura ${all[1]!.owner}' AND query LIKE 'LISTEN%'`
        )
      )
      yield* put(hers!, space, "meanwhile")
      yield* eventually("Bob has that, too", has(his!, space, "meanwhile"))
    })
  )

  test(
    "found anew take a long history in order",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice, bob)
      const long = script(space, carol, "data")
      for (let at = 0; at < 3000; at++)
        say(long, { facts: [set(`${at}`, "x")], seen: at % 1024 === 0 ? [head(authority)] : [] })
      yield* bring(all[0]!, space, ...runsOf(long, 100))
      const agent = yield* agentOf(all[1]!)
      yield* eventually("Bob has all of it", has(agent, space, "2999"))
      assert.strictEqual(Object.keys(entriesOf(agent.replica(space)!)).length, 3000)
    })
  )
})

describe("a journal beside one's own", () => {
  test(
    "that holds what nobody signed changes nothing, and what its owner did sign is taken",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice, bob)
      const honest = script(space, carol, "data")
      say(honest, { facts: [set("true", "x")], seen: [head(authority)] })
      const forged = script(space, bob, "data", { nonce: 7 })
      say(forged, { facts: [set("false", "x")], seen: [head(authority)] })
      // Mallory signs what says that it is Bob's
      yield* plant("liar 1", space, forged, [rowOf(forged, runOf({ ...forged, keys: mallory }).run)])
      yield* plant("liar 1", space, honest, [rowOf(honest)])
      const agent = yield* agentOf(all[0]!)
      yield* eventually("what Carol signed is there", has(agent, space, "true"))
      assert.isFalse(has(agent, space, "false")())
      assert.isFalse(agent.replica(space)!.ledger().lines.has(forged.feed.id), "nothing of it is stored")
    })
  )

  test(
    "that holds another history of a feed shows the fork",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice)
      const trunk = script(space, bob, "data")
      say(trunk, { facts: [set("common", "x")], seen: [head(authority)] })
      const [left, other] = [branch(trunk, 1), branch(trunk, 1)]
      for (let count = 0; count < 5; count++) say(left, { facts: [set(`left ${count}`, "x")] })
      for (let count = 0; count < 8; count++) say(other, { facts: [set(`right ${count}`, "x")] })
      yield* bring(all[0]!, space, runOf(left))
      yield* plant("two-faced", space, other, rowsOf(other))
      const agent = yield* agentOf(all[0]!)
      const replica = agent.replica(space)!
      yield* eventually("the fork is found", () => replica.ledger().forks.has(trunk.feed.id))
      yield* eventually("neither counts", () => Object.keys(entriesOf(replica)).join() === "common")
      yield* eventually("both histories are kept", () =>
        Ledger.historiesOf(replica.ledger(), trunk.feed.id).some(({ hash }) => hash === head(other).hash)
      )
    })
  )

  test(
    "that knows more of one's own feed than oneself ends that feed, and forks nothing",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice)
      const own = script(space, alice, "data", { nonce: 3 })
      say(own, { facts: [set("kept", "x")], seen: [head(authority)] })
      const before = branch(own, 1)
      say(own, { facts: [set("lost", "x")] })
      yield* bring(all[0]!, space, runOf(before))
      yield* plant("memory", space, own, [rowOf(own)])
      const agent = yield* agentOf(all[0]!)
      yield* eventually("what was lost is back", has(agent, space, "lost"))
      yield* put(agent, space, "new")
      const { forks, lines } = agent.replica(space)!.ledger()
      assert.strictEqual(forks.size, 0)
      assert.strictEqual(lines.get(own.feed.id)!.taken, 2, "it is not continued")
    })
  )

  test(
    "that knows more of one's own feed ends it even where it can't be read",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice, bob)
      const one = all[0]!
      const dataFeed = (agent: Agent.Agent["Service"]) =>
        [...agent.replica(space)!.ledger().lines.values()].find(({ feed }) => feed.kind === "data")!
      const own = yield* Effect.scoped(
        Effect.gen(function* () {
          const agent = yield* agentOf(one)
          yield* put(agent, space, "kept")
          const { feed, hash, time } = dataFeed(agent)
          const entry = { time, hash: toBytes(hash), body: new Uint8Array() }
          return { keys: alice, feed, entries: [entry] }
        })
      )
      say(own, { facts: [set("lost", "x")] })
      yield* plant("vague memory", space, own, [rowOf(own, new Uint8Array(40))])
      const agent = yield* agentOf(one)
      yield* lookedAt("vague memory", agent, space, authority)
      yield* put(agent, space, "new")
      assert.isTrue(has(agent, space, "new")())
      assert.strictEqual(agent.replica(space)!.ledger().lines.get(own.feed.id)!.taken, 1, "it is not continued")
    })
  )

  test(
    "that was damaged is read no further, and keeps no other out",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice)
      const [broken, whole] = [bob, carol].map((keys, index) => {
        const of = script(space, keys, "data", { nonce: 5 })
        say(of, { facts: [set(`of ${index}`, "x")], seen: [head(authority)] })
        return of
      })
      yield* plant("damaged", space, broken!, [rowOf(broken!)])
      yield* Effect.promise(() => cluster.run(`UPDATE "aura_damaged".runs SET bytes = bytes || '\\x00'`))
      yield* plant("undamaged", space, whole!, [rowOf(whole!)])
      const agent = yield* agentOf(all[0]!)
      yield* eventually("Carol's is there", has(agent, space, "of 1"))
      assert.isFalse(has(agent, space, "of 0")())
    })
  )

  test(
    "that holds what a stranger wrote is not taken before he is a member",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice)
      const strange = script(space, mallory, "data")
      const admitted = branch(authority, authority.entries.length)
      say(admitted, { facts: admit(mallory, right("*", 1)) })
      say(strange, { facts: [set("strange", "x")], seen: [head(admitted)] })
      yield* plant("early", space, strange, [rowOf(strange)])
      const agent = yield* agentOf(all[0]!)
      const replica = agent.replica(space)!
      yield* lookedAt("early", agent, space, authority)
      assert.isFalse(replica.ledger().lines.has(strange.feed.id))
      yield* replica.receive([runOf(admitted, authority.entries.length)])
      yield* eventually("he is heard now", has(agent, space, "strange"))
    })
  )

  test(
    "of a newer format is left alone",
    Effect.gen(function* () {
      const { all, authority, space } = yield* together(alice)
      const later = script(space, bob, "data", { nonce: 8 })
      say(later, { facts: [set("later", "x")], seen: [head(authority)] })
      yield* plant("newer", space, later, [rowOf(later)])
      yield* Effect.promise(() => cluster.run(`UPDATE "aura_newer".journal_format SET version = 9`))
      const agent = yield* agentOf(all[0]!)
      yield* lookedAt("newer still", agent, space, authority)
      assert.isFalse(has(agent, space, "later")())
    })
  )
})
