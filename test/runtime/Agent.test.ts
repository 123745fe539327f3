/** Two and three agents over a memory network: founding, pairing, offline writes, convergence, revocation. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as SecureRandom from "effect/crypto/SecureRandom"
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
import * as Policy from "../../src/trust/Policy.ts"
import * as Right from "../../src/trust/Right.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import type { Write } from "../../src/runtime/Write.ts"
import * as Redacted from "effect/Redacted"

const definition = Result.getOrThrow(
  Definition.make({
    app: "kv",
    version: 1,
    fields: { entries: { kind: "LWWMap", value: { kind: "string", maxLength: 1000 } } },
    operations: {
      "kv.set": {
        writes: ["entries/{key}:set"],
        policy: Policy.make({ capabilities: ["kv:write"] }),
        resource: undefined
      }
    }
  })
)

const agent = (hub: MemoryNetwork.Hub, name: string, seed: number) => {
  const keys = MemoryKeys.make({ seed: new Uint8Array(32).fill(seed) })
  return Agent.layer.pipe(
    Layer.provide(
      Layer.mergeAll(
        MemoryJournal.layer(),
        MemorySecretStore.layer,
        MemoryKeys.layer({ seed: new Uint8Array(32).fill(seed) }),
        MemoryNetwork.layer(hub, { device: keys.device, address: name }),
        NodeVerifier.layer,
        ClockTime.layer(),
        SecureRandom.layerWebCrypto
      )
    )
  )
}

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
      const code = yield* alice.pair(mine.space, [Right.make(capability("*"), { depth: 1 })], "alice")
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
