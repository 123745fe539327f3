/** Two and three agents over a memory network: founding, pairing, offline writes, convergence, revocation. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as TestClock from "effect/testing/TestClock"
import { Network, NetworkError, Unreachable } from "../../src/effects/Network.ts"
import * as ClockTime from "../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Decision from "../../src/trust/Decision.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Definition from "../../src/trust/Definition.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import type { Write } from "../../src/runtime/Write.ts"
import * as Redacted from "effect/Redacted"

const definition = Result.getOrThrow(
  Definition.make({
    app: "kv",
    version: 1,
    fields: { entries: { kind: "LWWMap", value: { kind: "string", maxLength: 1000 } } },
    operations: { "kv.set": { writes: ["entries/{key}:set"], capabilities: ["kv:write"], resource: undefined } }
  })
)

const agent = (hub: MemoryNetwork.Hub, name: string, seed: number) => {
  const keys = MemoryKeys.make({ seed: new Uint8Array(32).fill(seed) })
  return agentOver(MemoryNetwork.layer(hub, { device: keys.device, address: name }), seed)
}

const agentOver = <E>(network: Layer.Layer<Network, E>, seed: number) =>
  Agent.layer.pipe(
    Layer.provide(
      Layer.mergeAll(
        MemoryJournal.layer(),
        MemorySecretStore.layer,
        MemoryKeys.layer({ seed: new Uint8Array(32).fill(seed) }),
        network,
        NodeVerifier.layer,
        ClockTime.layer(),
        SecureRandom.layerWebCrypto
      )
    )
  )

const set = (device: DeviceId, key: string, value: string): Write<void, Decision.Denied> => ({
  kind: "data",
  request: undefined,
  prepare: ({ ledger, time }) => {
    const authority = ledger.authority!
    const changes = [["set", "entries", key, value]]
    const decision = Decision.decide(authority, Authority.present(authority), {
      device,
      time,
      definition,
      type: "kv.set",
      changes,
      fresh: () => false
    })
    return decision._tag === "Denied"
      ? Result.fail(decision)
      : Result.succeed({ definition: definition.id, facts: [{ type: "kv.set", payload: changes }], answer: undefined })
  }
})

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

describe("agents", () => {
  it.live("founds a space, admits a second device and brings both to one state", () =>
    Effect.gen(function* () {
      const hub = MemoryNetwork.hub()
      const alice = yield* Agent.Agent.pipe(Effect.provide(yield* Layer.build(agent(hub, "alice", 1))))
      const bob = yield* Agent.Agent.pipe(Effect.provide(yield* Layer.build(agent(hub, "bob", 2))))
      const mine = yield* alice.createSpace(root, definition)
      yield* mine.write(set(alice.device, "a", "1"))
      const code = yield* alice.pair(
        mine.space,
        [{ capability: capability("*"), depth: 1, from: undefined, until: undefined }],
        "alice"
      )
      const joined = yield* bob.join(code, "Bob's phone")
      yield* Effect.gen(function* () {
        while (!joined.link.isCaughtUp(mine.space)) yield* Effect.sleep("5 millis")
      }).pipe(Effect.timeout("5 seconds"))
      yield* joined.replica.write(set(bob.device, "b", "2"))
      yield* mine.write(set(alice.device, "c", "3"))
      yield* Effect.sleep("100 millis")
      const read = (replica: typeof mine) => [
        ...(Ledger.read(replica.ledger(), definition)["entries"] as ReadonlyMap<string, string>)
      ]
      assert.deepStrictEqual(read(mine), [
        ["a", "1"],
        ["b", "2"],
        ["c", "3"]
      ])
      assert.deepStrictEqual(read(joined.replica), read(mine))
      assert.strictEqual(mine.ledger().quarantine.size, 0)
      void Redacted
    }).pipe(Effect.scoped)
  )
})

describe("an agent that stays connected", () => {
  it.effect("pauses a quarter of a second, twice as long after each failure, and a quarter of a minute at most", () =>
    Effect.gen(function* () {
      const tries: Array<number> = []
      const nowhere = Effect.gen(function* () {
        tries.push(yield* Clock.currentTimeMillis)
        return yield* new NetworkError({ reason: new Unreachable({ address: "bob", what: "nobody answers" }) })
      })
      const network = Layer.succeed(Network, { connect: () => nowhere, accept: Effect.never, addresses: () => [] })
      const services = yield* Layer.build(agentOver(network, 1))
      yield* Context.get(services, Agent.Agent).stayConnected("bob", undefined)
      for (let seconds = 0; seconds < 120; seconds++) yield* TestClock.adjust("1 second")
      const pauses = tries.slice(1).map((time, index) => time - tries[index]!)
      for (const [index, millis] of [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000].entries())
        assert.isTrue(Math.abs(pauses[index]! - millis) <= millis * 0.2 + 1, `pause ${index}: ${pauses[index]}`)
    }).pipe(Effect.scoped)
  )
})
