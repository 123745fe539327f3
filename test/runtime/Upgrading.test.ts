/**
 * An application moves from version 1 to version 2 (a field, an operation and a demand more) while devices of both are about.
 *
 * Question: does an old device go on, relay what it does not know, lose none of its own words, and see the same once it is new?
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { SecretStore } from "../../src/effects/SecretStore.ts"
import * as ClockTime from "../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import * as RecoveryWords from "../../src/identity/RecoveryWords.ts"
import { App, Aura, LWWRegister, ORMap, ORSet, Policy, Schema } from "../../src/index.ts"
import * as State from "../../src/journal/crdt/State.ts"

const notes = { notes: ORMap({ text: LWWRegister(Schema.String) }) }

const first = App.make("notes", {
  version: 1,
  state: notes,
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ text: Schema.String }),
      writes: ["notes/{id}:put"],
      policy: Policy.make({ capabilities: ["note:write"] }),
      plan: ({ notes }, { text }, { newId }) => {
        const id = newId()
        return { changes: [notes.put(id, { text })], result: id }
      }
    })
  })
})

/** Labels, an operation for them, and a demand on adding that was none before. */
const second = App.make("notes", {
  version: 2,
  state: { ...notes, labels: ORSet(Schema.String) },
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ text: Schema.String }),
      writes: ["notes/{id}:put"],
      policy: Policy.make({ capabilities: ["note:write"], minTrust: "Low" }),
      plan: ({ notes }, { text }, { newId }) => {
        const id = newId()
        return { changes: [notes.put(id, { text })], result: id }
      }
    }),
    label: operation({
      payload: Schema.Struct({ label: Schema.String }),
      writes: ["labels/{label}:add"],
      policy: Policy.make({ capabilities: ["note:write"] }),
      plan: ({ labels }, { label }) => ({ changes: [labels.add(label)], result: undefined })
    })
  })
})

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

/** A device that keeps what it has when it is closed. */
const deviceOf = (hub: MemoryNetwork.Hub, address: string, seed: number) => {
  const options = { seed: new Uint8Array(32).fill(seed) }
  const disk = MemoryJournal.disk()
  const { device } = MemoryKeys.make(options)
  const effects = Layer.mergeAll(
    Layer.effect(JournalStore, Effect.orDie(MemoryJournal.make(disk))),
    Layer.succeed(SecretStore, MemorySecretStore.make()),
    MemoryKeys.layer(options),
    MemoryNetwork.layer(hub, { device, address }),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto
  )
  return { address, device, effects }
}

const texts = (of: {
  readonly state: () => { readonly notes: { readonly values: () => Iterable<{ readonly text: string | undefined }> } }
}) => [...of.state().notes.values()].map(({ text }) => text).toSorted()

const digestOf = ({ replica }: { readonly replica: { readonly ledger: () => { readonly state: State.State } } }) =>
  Buffer.from(State.digest(replica.ledger().state)).toString("hex")

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let turns = 0; !holds(); turns++) {
    if (turns > 400) assert.fail(what)
    await new Promise((next) => setTimeout(next, 10))
  }
}

describe("an application of two versions", () => {
  it("is used by old and new devices at once, and is one when all are new", async () => {
    const hub = MemoryNetwork.hub()
    const [alice, bob, carol] = [deviceOf(hub, "alice", 1), deviceOf(hub, "bob", 2), deviceOf(hub, "carol", 3)]
    const founder = await Aura.open({ app: first, effects: alice.effects, found: { root } })
    await founder.perform("add", { text: "of the first version" })
    const old = await Aura.open({
      app: first,
      effects: bob.effects,
      join: { code: await founder.pair({ address: "alice" }), name: "Bob" }
    })
    const relayed = await Aura.open({
      app: first,
      effects: carol.effects,
      join: { code: await founder.pair({ address: "alice" }), name: "Carol" }
    })
    await relayed.close()
    await old.perform("add", { text: "of Bob, before" }, { wait: "acknowledged" })
    await founder.close()

    // the founder is new; Bob is not
    const renewed = await Aura.open({ app: second, effects: alice.effects })
    assert.deepStrictEqual(texts(renewed), ["of Bob, before", "of the first version"], "what was said stays")
    await renewed.connect("bob", bob.device)
    await renewed.perform("add", { text: "of the second version" })
    await renewed.perform("label", { label: "new" })
    await until("the old device shows what it knows", () => texts(old).includes("of the second version"))
    assert.deepStrictEqual(Object.keys(old.state()), ["notes"])
    assert.strictEqual(old.replica.ledger().quarantine.size, 0)
    await until("what it does not know is kept and joined", () => digestOf(old) === digestOf(renewed))

    // its own words count, under the version that it knows
    await old.perform("add", { text: "of Bob, who is old" }, { wait: "acknowledged" })
    await until("they count", () => texts(renewed).includes("of Bob, who is old"))
    assert.strictEqual(renewed.replica.ledger().quarantine.size, 0)
    await renewed.close()

    // it relays to a new device what it can't read itself
    const fresh = await Aura.open({ app: second, effects: carol.effects })
    await fresh.connect("bob", bob.device)
    await until("labels came through the old one", () => fresh.state().labels.has("new"))
    assert.deepStrictEqual(texts(fresh), texts(old))
    await fresh.perform("label", { label: "of Carol" }, { wait: "acknowledged" })
    await old.close()

    // and sees all of it once it is new
    const last = await Aura.open({ app: second, effects: bob.effects })
    await last.connect("carol", carol.device)
    await until("it is level", () => digestOf(last) === digestOf(fresh))
    assert.deepStrictEqual([...last.state().labels].toSorted(), ["new", "of Carol"])
    assert.deepStrictEqual(texts(last), texts(fresh))
    await last.perform("label", { label: "of Bob" }, { wait: "acknowledged" })
    assert.isTrue(fresh.state().labels.has("of Bob"))
    await last.close()
    await fresh.close()
  })
})
