/**
 * What the tests of the runtime share: a small application, devices by name, installations that survive their process,
 * and feeds written by hand, signed for real, so that a test can say anything that a device could say.
 */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { JournalStore, type JournalStoreError } from "../../src/effects/JournalStore.ts"
import { Keys } from "../../src/effects/Keys.ts"
import type { NetworkError } from "../../src/effects/Network.ts"
import { SecretStore, type SecretStoreError } from "../../src/effects/SecretStore.ts"
import { Time } from "../../src/effects/Time.ts"
import type { Verifier } from "../../src/effects/Verifier.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as MemorySecretStore from "../../src/handlers/memory/MemorySecretStore.ts"
import { entryHash, toBytes, type DefinitionId, type DeviceId, type SpaceId } from "../../src/identity/Id.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as State from "../../src/journal/crdt/State.ts"
import * as Entry from "../../src/journal/Entry.ts"
import type { Request } from "../../src/journal/Request.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Genesis from "../../src/journal/Genesis.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Agent from "../../src/runtime/Agent.ts"
import * as Open from "../../src/runtime/Replica.ts"
import type { Replica } from "../../src/runtime/Replica.ts"
import type { Write } from "../../src/runtime/Write.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Authority from "../../src/trust/Authority.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Decision from "../../src/trust/Decision.ts"
import * as Definition from "../../src/trust/Definition.ts"
import * as Fact from "../../src/trust/Fact.ts"
import * as Policy from "../../src/trust/Policy.ts"
import * as Wording from "../../src/trust/Wording.ts"
import { keysOf, verifier } from "./signing.ts"

export { keysOf }

/** A map that anyone with `kv:write` sets, a counter that shows what was joined twice, a list for `kv:admin` alone. */
export const definition = Result.getOrThrow(
  Definition.make({
    app: "kv",
    version: 1,
    fields: {
      entries: { kind: "LWWMap", value: { kind: "string", maxLength: 16_000 } },
      count: { kind: "PNCounter" },
      names: { kind: "ORSet", value: { kind: "string", maxLength: 100 } }
    },
    operations: {
      "kv.set": {
        writes: ["entries/{key}:set"],
        policy: Policy.make({ capabilities: ["kv:write"] }),
        resource: undefined
      },
      "kv.add": { writes: ["count:add"], policy: Policy.make({ capabilities: ["kv:write"] }), resource: undefined },
      "kv.name": {
        writes: ["names/{name}:add"],
        policy: Policy.make({ capabilities: ["kv:admin"] }),
        resource: undefined
      }
    }
  })
)

export const root = keysOf(9)
export const alice = keysOf(1)
export const bob = keysOf(2)
export const carol = keysOf(3)
export const mallory = keysOf(4)

/** Noon of a day in 2026. */
export const noonMillis = Date.UTC(2026, 10, 23, 12)
export const noon = Clock.fromMillis(noonMillis)

export const right = (text: string, depth = 0): Fact.Right => ({
  hours: [],
  capability: capability(text),
  depth,
  from: undefined,
  until: undefined
})

// — feeds by hand ——————————————————————————————————————————————————————————————————————————————————————————

/** A feed as its device wrote it, every entry at hand. */
export interface Script {
  readonly keys: Keys["Service"]
  readonly feed: Feed.Feed
  readonly entries: Array<{ readonly time: number; readonly body: Uint8Array; readonly hash: Uint8Array }>
}

/** A space that nobody has opened: Alice founded it. */
export const spaceOf = (nonce = 0, creator = alice): { readonly space: SpaceId; readonly genesis: Uint8Array } => {
  const { bytes, space } = Genesis.encode({
    root: root.device,
    creator: creator.device,
    app: "kv",
    nonce: new Uint8Array(16).fill(nonce),
    time: noon
  })
  return { space, genesis: bytes }
}

export const script = (
  space: SpaceId,
  keys: Keys["Service"],
  kind: Feed.FeedKind,
  options: { readonly nonce?: number; readonly time?: number; readonly closes?: Feed.Position } = {}
): Script => ({
  keys,
  feed: Feed.encode({
    space,
    device: keys.device,
    kind,
    nonce: new Uint8Array(16).fill(options.nonce ?? 0),
    time: options.time ?? (kind === "data" ? noon + Clock.ticksPerMilli : noon),
    closes: options.closes,
    key: undefined
  }),
  entries: []
})

/** The same feed up to and without `at`, to be continued differently. */
export const branch = (of: Script, at: number): Script => ({ ...of, entries: of.entries.slice(0, at) })

export interface Said {
  readonly time?: number
  readonly definition?: DefinitionId | undefined
  readonly seen?: ReadonlyArray<Feed.Position>
  readonly facts: ReadonlyArray<Entry.Fact>
  readonly request?: Request | undefined
}

/** Writes one entry; what is not said is as an honest device would say it, except that nothing is seen by itself. */
export const say = (to: Script, said: Said): Feed.Position => {
  const seen = [...(said.seen ?? [])].sort((a, b) => (a.feed < b.feed ? -1 : 1))
  const isData = to.feed.kind === "data"
  const body = Entry.encode({
    keyEpoch: undefined,
    definition: "definition" in said ? said.definition : isData ? definition.id : undefined,
    seen,
    facts: said.facts,
    request: said.request
  })
  return sayBytes(to, body, said.time)
}

/** The same with a body of any bytes. */
export const sayBytes = (to: Script, body: Uint8Array, time?: number): Feed.Position => {
  const last = to.entries.at(-1)
  const at = time ?? (last?.time ?? to.feed.time) + 1
  const hash = Entry.chain(last?.hash ?? toBytes(to.feed.id), to.entries.length, at, body)
  to.entries.push({ time: at, body, hash })
  return head(to)
}

/** The last entry, or the one at `seq`. */
export const head = (of: Script, seq = of.entries.length - 1): Feed.Position => ({
  feed: of.feed.id,
  seq,
  hash: entryHash(of.entries[seq]!.hash)
})

/** Entries `first` to `last` under one signature, as a peer would bring them. */
export const runOf = (of: Script, first = 0, last = of.entries.length - 1): Delivery => {
  const entries = of.entries.slice(first, last + 1)
  const unsigned: Run.Unsigned = {
    feed: of.feed.id,
    first,
    previous: entryHash(first === 0 ? toBytes(of.feed.id) : of.entries[first - 1]!.hash),
    times: entries.map((entry) => entry.time),
    bodies: entries.map((entry) => entry.body)
  }
  const signature = Effect.runSync(of.keys.sign(Run.message(of.feed.id, last, of.entries[last]!.hash)))
  return { header: of.feed.bytes, run: Run.encode(unsigned, signature) }
}

/** All entries from `from` on, in runs of so many. */
export const runsOf = (of: Script, size: number, from = 0): ReadonlyArray<Delivery> => {
  const runs: Array<Delivery> = []
  for (let first = from; first < of.entries.length; first += size)
    runs.push(runOf(of, first, Math.min(of.entries.length, first + size) - 1))
  return runs
}

export const fact = (authority: Fact.AuthorityFact): Entry.Fact => Fact.encode(authority)

export const admit = (keys: Keys["Service"], ...rights: ReadonlyArray<Fact.Right>): ReadonlyArray<Entry.Fact> => [
  fact({ _tag: "Admit", device: keys.device, box: keys.box, name: keys.device.slice(0, 6) }),
  ...(rights.length === 0 ? [] : [fact({ _tag: "Grant", device: keys.device, rights })])
]

export const revoke = (
  device: DeviceId,
  admission: Feed.Position,
  cut: ReadonlyArray<Feed.Position>,
  reason = "lost"
): Entry.Fact => fact({ _tag: "Revoke", device, admission: admission.hash, cut, reason })

export const set = (key: string, value: string): Entry.Fact => ({
  type: "kv.set",
  payload: [["set", "entries", key, value]]
})

export const add = (amount: number): Entry.Fact => ({ type: "kv.add", payload: [["add", "count", amount]] })

/** Alice's authority feed with the founding entry, the application, and an admission for each of these. */
export const founded = (
  members: ReadonlyArray<readonly [Keys["Service"], ...ReadonlyArray<Fact.Right>]> = [],
  nonce = 0
): { readonly space: SpaceId; readonly authority: Script } => {
  const { genesis, space } = spaceOf(nonce)
  const authority = script(space, alice, "authority")
  say(authority, { facts: [fact({ _tag: "Create", genesis }), fact({ _tag: "Define", definition })] })
  for (const [keys, ...rights] of members) say(authority, { facts: admit(keys, ...rights) })
  return { space, authority }
}

// — installations ——————————————————————————————————————————————————————————————————————————————————————————

/** What stays when the process ends. The clock is set by the test. */
export interface Installation {
  readonly keys: Keys["Service"]
  readonly disk: MemoryJournal.Disk
  readonly secrets: SecretStore["Service"]
  readonly clock: { millis: number }
}

export const installation = (keys: Keys["Service"], options: MemoryJournal.Options = {}): Installation => ({
  keys,
  disk: MemoryJournal.disk(options),
  secrets: MemorySecretStore.make(),
  clock: { millis: noonMillis + 60_000 }
})

export type Installed = JournalStore | SecretStore | Keys | Verifier | Time | SecureRandom.SecureRandom

/** The handlers of one process on this installation; `wrap` puts something around its journal store. */
export const installed = (
  on: Installation,
  wrap: (store: JournalStore["Service"]) => JournalStore["Service"] = (store) => store
): Layer.Layer<Installed> =>
  Layer.mergeAll(
    Layer.effect(JournalStore, Effect.map(Effect.orDie(MemoryJournal.make(on.disk)), wrap)),
    Layer.succeed(SecretStore, on.secrets),
    Layer.succeed(Keys, on.keys),
    Layer.succeed(Time, {
      now: () => ({ millis: on.clock.millis, uncertaintyMillis: Infinity, status: "Unchecked" as const })
    }),
    verifier,
    SecureRandom.layerWebCrypto
  )

/** Runs with the handlers of one process, which ends with it. */
export const during = <A, E>(
  on: Installation,
  use: Effect.Effect<A, E, Installed | Scope.Scope>,
  wrap?: (store: JournalStore["Service"]) => JournalStore["Service"]
): Effect.Effect<A, E> =>
  Effect.scoped(
    Effect.flatMap(Layer.build(installed(on, wrap)), (services) =>
      Effect.provide(use, services as Context.Context<Installed>)
    )
  )

// — what a replica says ————————————————————————————————————————————————————————————————————————————————————

/** A write of `kv.*` that is judged as Operations does. */
export const written = (device: DeviceId, one: Entry.Fact, request?: Request): Write<void, Decision.Denied> => ({
  kind: "data",
  request,
  prepare: ({ ledger, time }) => {
    const authority = ledger.authority
    if (authority === undefined) return Result.fail(Decision.denied({ _tag: "NotAdmitted", device }))
    const asked = { device, time, definition, type: one.type, changes: one.payload, fresh: () => false }
    const decision = Decision.decide(authority, Authority.present(authority), asked)
    return decision._tag === "Denied"
      ? Result.fail(decision)
      : Result.succeed({ definition: definition.id, facts: [one], answer: undefined })
  }
})

export const entriesOf = (replica: Replica): Record<string, string> => {
  const shown = Ledger.read(replica.ledger(), definition)["entries"] as ReadonlyMap<string, string>
  return Object.fromEntries([...shown.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Everything that has to be equal on replicas with equal entries, in a form that shows where it is not. */
export const account = (ledger: Ledger.Ledger) => {
  const { authority } = ledger
  const shown = Ledger.read(ledger, definition)
  return {
    entries: [...(shown["entries"] as ReadonlyMap<string, string>).entries()].sort(),
    count: shown["count"],
    digest: Buffer.from(State.digest(ledger.state)).toString("hex"),
    members:
      authority === undefined ? [] : [...Authority.members(authority)].map((member) => JSON.stringify(member)).sort(),
    restrictions:
      authority === undefined
        ? []
        : Authority.restrictions(authority)
            .map(({ fact, index, node }) => `${fact._tag} ${node.hash} ${index} ${fact.reason}`)
            .sort(),
    quarantine: [...ledger.quarantine.values()]
      .map(
        ({ because, feed, seq }) =>
          `${feed.slice(0, 8)} ${seq} ${because._tag} ${Wording.explain({ _tag: "Denied", because })}`
      )
      .sort(),
    blocked: [...ledger.lines.values()]
      .filter((line) => line.blocked !== undefined && line.pending.length > 0)
      .map(({ blocked, feed }) => `${feed.id.slice(0, 8)} ${JSON.stringify(blocked)}`)
      .sort(),
    frontier: [...Ledger.frontier(ledger)].map(([feed, { mark, seq }]) => `${feed.slice(0, 8)} ${seq} ${mark}`).sort()
  }
}

// — agents —————————————————————————————————————————————————————————————————————————————————————————————————

/** An agent on this installation, reached at `address`, until the scope ends. */
export const agentOn = (
  on: Installation,
  hub: MemoryNetwork.Hub,
  address: string,
  wrap?: (store: JournalStore["Service"]) => JournalStore["Service"]
): Effect.Effect<Agent.Agent["Service"], JournalStoreError | SecretStoreError | NetworkError, Scope.Scope> =>
  Effect.map(
    Layer.build(
      Agent.layer.pipe(
        Layer.provideMerge(installed(on, wrap)),
        Layer.provide(MemoryNetwork.layer(hub, { device: on.keys.device, address }))
      )
    ),
    (services) => Context.get(services, Agent.Agent)
  )

/** Puts runs into an installation's journal as if peers had brought them; every one of them has to be wanted. */
export const bring = (on: Installation, space: SpaceId, ...deliveries: ReadonlyArray<Delivery>) =>
  during(
    on,
    Effect.gen(function* () {
      const replica = yield* Open.open(space)
      for (const delivery of deliveries) {
        const [outcome] = yield* replica.receive([delivery])
        if (outcome?._tag !== "Stored") throw new Error(JSON.stringify(outcome))
      }
    })
  )

/** One turn of the event loop: what is ready has run afterwards. */
export const pass: Effect.Effect<void> = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** Lets everything run until the condition holds; dies after very many turns. No clock is involved. */
export const until = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turns = 0; !condition(); turns++) {
      if (turns > 20_000) throw new Error(`it did not come to pass that ${what}`)
      yield* pass
    }
  })

/** So many turns without anything to wait for: time for what must not happen. */
export const quiet = Effect.forEach(Array.from({ length: 200 }), () => pass, { discard: true })
