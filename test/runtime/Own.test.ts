/**
 * What a device writes it has judged already, and applies as it was decided: the others, who decode and judge the same
 * bytes, come to the same state, whatever an application's plan hands over.
 */
import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import * as fc from "fast-check"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { App, LWWMap, LWWRegister, MVRegister, ORMap, ORSet, PNCounter, Policy } from "aura"
import { Text } from "../../src/journal/crdt/TextDraft.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import type { Cbor } from "../../src/journal/Cbor.ts"
import type { Change } from "../../src/journal/crdt/Crdt.ts"
import * as State from "../../src/journal/crdt/State.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Judging from "../../src/runtime/Judging.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import type * as Line from "../../src/runtime/Line.ts"
import * as Operations from "../../src/runtime/Operations.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  alice,
  bob,
  bring,
  carol,
  definition,
  during,
  entriesOf,
  fact,
  founded,
  head,
  installation,
  noon,
  noonMillis,
  revoke,
  right,
  runOf,
  say,
  script,
  set,
  type Installation
} from "./fixtures.ts"

const Box = Schema.Struct({ z: Schema.Number, a: Schema.Array(Schema.Number), bytes: Schema.Uint8Array })

const state = {
  entries: LWWMap(Schema.String),
  boxes: LWWMap(Box),
  count: PNCounter(),
  names: ORSet(Schema.Union([Schema.String, Schema.Number])),
  notes: ORMap({
    title: LWWRegister(Schema.String),
    both: MVRegister(Schema.Number),
    done: LWWRegister(Schema.Boolean)
  })
}

const open = Policy.make({ capabilities: ["kv:write"] })
const payload = Schema.Struct({ key: Schema.String, number: Schema.Number })
const anywhere = ["entries/*:*", "boxes/*:*", "count:*", "names/*:*", "notes/*:*", "notes/*/title:*", "notes/*/both:*"]

/** What plans keep of what they handed over, to spoil it later. */
const kept: Array<Array<Cbor>> = []

/** Says one thing when it is looked at first, and another from then on. */
const shifting = (first: string, then: string): string => {
  let looks = 0
  return new Proxy<Array<string>>([first], {
    get: (target, name) => (name === "0" ? (looks++ === 0 ? first : then) : Reflect.get(target, name))
  }) as unknown as string
}

const app = App.make("kv", {
  version: 3,
  state,
  operations: (operation) => ({
    set: operation({
      payload,
      writes: ["entries/{key}:set", "count:add"],
      policy: open,
      plan: ({ count, entries }, { key, number }) => ({
        changes: number === 0 ? [entries.set(key, "zero")] : [entries.set(key, String(number)), count.add(number)],
        result: undefined
      })
    }),
    note: operation({
      payload,
      writes: ["notes/{new}:put", "notes/*/both:set", "notes/*:remove", "names/*:*"],
      policy: open,
      plan: ({ names, notes }, { key, number }, { newId }) => {
        const id = newId()
        const [other] = notes.value.keys()
        const changes: Array<Change> = [notes.put(id, { title: key, done: number > 2 }), names.add(number)]
        if (other !== undefined) changes.push(number % 2 === 0 ? notes.at(other).both.set(number) : notes.remove(other))
        if (names.has(number - 1)) changes.push(names.remove(number - 1))
        return { changes, result: id }
      }
    }),
    /** Hands over changes of its own making, in forms that no draft would give them. */
    odd: operation({
      payload,
      writes: anywhere,
      policy: open,
      plan: (_, { key, number }) => {
        const box = { z: -0, bytes: Buffer.from([number]), a: [number, -0] }
        const late: Array<Cbor> = ["set", "entries", key, "as planned"]
        kept.push(late, box.a)
        const changes: ReadonlyArray<Change> = [late, ["set", "boxes", key, box]]
        const lists: ReadonlyArray<ReadonlyArray<Change>> = [
          changes,
          [...changes, ["add", "names", -0]],
          [["set", "boxes", key, { a: [], z: 1, bytes: new Uint8Array(0), more: 1 }]],
          [shifting("set", "remove")].map((mutator) => [String(mutator), "entries", key, "x"]),
          [Object.assign(shifting("set", "set") as unknown as Array<Cbor>, { 1: "entries", 2: key, 3: "y", length: 4 })]
        ]
        return { changes: lists[number % lists.length]!, result: undefined }
      }
    })
  })
})

const texts = App.make("kv", {
  version: 4,
  state: { body: Text(), pages: ORMap({ title: LWWRegister(Schema.String), body: Text() }) },
  operations: (operation) => ({
    type: operation({
      payload,
      writes: ["body:*", "pages/*:put", "pages/*/body:*"],
      policy: open,
      plan: ({ body, pages }, { key, number }) => ({
        changes:
          number % 3 === 0
            ? [pages.put(key, { title: key })]
            : number % 3 === 1
              ? [body.insert(0, key || "."), body.insert(1, "!")]
              : [pages.at("a").body.insert(0, "x")],
        result: undefined
      })
    })
  })
})

/** One operation, by its place in the application. */
interface Asked {
  readonly operation: number
  readonly key: string
  readonly number: number
  /** Its idempotency key, if it has one. */
  readonly once: string | undefined
}

const asked: fc.Arbitrary<Asked> = fc.record({
  operation: fc.nat(2),
  key: fc.constantFrom("a", "b", "c", ""),
  number: fc.nat(9),
  once: fc.option(fc.constantFrom("one", "two"), { nil: undefined, freq: 6 })
})

/** What was asked for together, batch by batch. */
const histories = fc.array(fc.array(asked, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })

const home = (on: Installation, apps: ReadonlyArray<App.AnyApp>) =>
  Effect.gen(function* () {
    const { authority, space } = founded([[bob, right("kv:read")]])
    for (const { definition } of apps) say(authority, { facts: [fact({ _tag: "Define", definition })] })
    yield* bring(on, space, runOf(authority))
    return { authority, space }
  })

/** Performs a history, batch by batch; returns how many operations succeeded. */
const perform = (on: Installation, space: SpaceId, app: App.AnyApp, history: ReadonlyArray<ReadonlyArray<Asked>>) =>
  during(
    on,
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      const host = { replica, device: on.keys.device, store: yield* JournalStore }
      const performer = yield* Operations.performer(host, app)
      const names = Object.keys(app.operations)
      let count = 0
      for (const batch of history) {
        const exits = yield* Effect.forEach(
          batch,
          ({ key, number, once, operation }) =>
            Effect.exit(performer.performJson(names[operation % names.length]!, { key, number }, { key: once })),
          { concurrency: batch.length }
        )
        for (const list of kept.splice(0)) list.fill("spoilt")
        count += exits.filter(Exit.isSuccess).length
      }
      return { count, mine: yield* accountOf(replica), runs: yield* runsOf(replica) }
    })
  )

const accountOf = (replica: Replica.Replica) =>
  Effect.sync(() => {
    const ledger = replica.ledger()
    return {
      digest: Buffer.from(State.digest(ledger.state)).toString("hex"),
      applied: ledger.applied,
      latest: ledger.latest,
      requests: [...ledger.requests].sort(),
      quarantine: [...ledger.quarantine.values()].map(({ because, seq }) => `${seq} ${because._tag}`),
      lines: [...ledger.lines.values()]
        .filter(({ feed }) => feed.kind === "data")
        .map(({ judged, judgedHash, judgedTime, pending, pendingBytes, taken }) => ({
          judged,
          judgedHash,
          judgedTime,
          pending: pending.length,
          pendingBytes,
          taken
        }))
    }
  })

const runsOf = (replica: Replica.Replica) =>
  Effect.map(
    Effect.forEach([...replica.feeds().keys()], (feed) => replica.load(feed, 0, 1_000_000)),
    (loaded) => loaded.flat()
  )

/** What somebody makes of these runs who had no hand in them. */
const toldTo = (
  on: Installation,
  space: SpaceId,
  runs: ReadonlyArray<{ header: Uint8Array | undefined; bytes: Uint8Array }>
) =>
  during(
    on,
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      for (const { bytes, header } of runs) yield* replica.receive([{ header, run: bytes }])
      return yield* accountOf(replica)
    })
  )

const law = (app: App.AnyApp, history: ReadonlyArray<ReadonlyArray<Asked>>) =>
  Effect.gen(function* () {
    const on = installation(alice)
    const { space } = yield* home(on, [app])
    const { count, mine, runs } = yield* perform(on, space, app, history)
    assert.isAtMost(mine.applied, count)
    assert.deepStrictEqual(mine.quarantine, [])
    assert.deepStrictEqual(yield* toldTo(installation(bob), space, runs), mine)
    const again = yield* during(on, Effect.flatMap(Replica.open(space), accountOf))
    assert.deepStrictEqual(again, mine)
    return mine
  })

describe("an own entry", () => {
  it.live("is applied as a peer applies it that decodes and judges it", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(histories, (history) => Effect.runPromise(law(app, history)).then(() => undefined)),
        { numRuns: 60 }
      )
    )
  )

  it.live("of a text too, where each stands on the one before", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(histories, (history) => Effect.runPromise(law(texts, history)).then(() => undefined)),
        { numRuns: 30 }
      )
    )
  )

  it.live("that is held is judged by what has become known when its time comes", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([[bob, right("kv:write", 1)], [carol]])
      say(authority, { facts: [fact({ _tag: "Define", definition: app.definition })] })
      const his = script(space, bob, "authority")
      say(his, {
        time: noon + 10,
        seen: [head(authority)],
        facts: [fact({ _tag: "Grant", device: carol.device, rights: [right("kv:write")] })]
      })
      const on = installation(carol)
      yield* bring(on, space, runOf(authority), runOf(his))
      say(authority, { facts: [revoke(bob.device, head(authority, 1), [])] })
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const host = { replica, device: carol.device, store: yield* JournalStore }
          const { perform } = yield* Operations.performer(host, app)
          on.clock.millis = noonMillis - 3_600_000
          yield* perform("set", { key: "a", number: 1 })
          const held = yield* accountOf(replica)
          assert.deepStrictEqual([held.applied, held.lines[0]?.pending], [0, 1])
          on.clock.millis = noonMillis + 60_000
          yield* replica.receive([runOf(authority)])
          const { applied, quarantine } = yield* accountOf(replica)
          assert.deepStrictEqual([applied, quarantine], [0, ["0 MissingCapability"]])
          const denied = yield* Effect.flip(perform("set", { key: "b", number: 1 }))
          assert.strictEqual(denied._tag, "OperationDenied")
        })
      )
    })
  )

  it.live("is denied once its author is revoked, also where the cut takes nothing back", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([[carol, right("kv:write")]])
      say(authority, { facts: [fact({ _tag: "Define", definition: app.definition })] })
      const on = installation(carol)
      yield* bring(on, space, runOf(authority))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const host = { replica, device: carol.device, store: yield* JournalStore }
          const { perform } = yield* Operations.performer(host, app)
          const { position } = yield* perform("set", { key: "a", number: 1 })
          const { state } = replica.ledger()
          say(authority, { facts: [revoke(carol.device, head(authority, 1), [position!])] })
          yield* replica.receive([runOf(authority)])
          assert.strictEqual(replica.ledger().state, state)
          const denied = yield* Effect.flip(perform("set", { key: "a", number: 2 }))
          assert.match(String(Reflect.get(denied, "message")), /was revoked by/u)
        })
      )
    })
  )

  it.live("counts as decided only while authority and view are those it was decided by", () =>
    Effect.gen(function* () {
      const { authority, space } = founded()
      const hers = script(space, alice, "data")
      say(hers, { seen: [head(authority)], facts: [set("a", "first")] })
      say(hers, { facts: [set("a", "as written")] })
      const said = { keyEpoch: undefined, definition: definition.id, seen: [], request: undefined }
      const body = { ...said, facts: [set("a", "as decided")] }
      const judged = (change: (by: Line.DecidedBy) => Line.DecidedBy) =>
        during(
          installation(alice),
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            yield* replica.receive([runOf(authority)])
            yield* replica.receive([runOf(hers, 0, 0)])
            const ledger = replica.ledger()
            const line = ledger.lines.get(hers.feed.id)!
            const decided = { by: change({ authority: ledger.authority!, view: line.view }), body }
            Ledger.take(ledger, line, Result.getOrThrow(Run.decode(runOf(hers, 1, 1).run)), [decided])
            Judging.advance(ledger, noonMillis + 60_000)
            return entriesOf(replica)["a"]
          })
        )
      assert.strictEqual(yield* judged((by) => by), "as decided")
      assert.strictEqual(yield* judged((by) => ({ ...by, authority: { ...by.authority } })), "as written")
      assert.strictEqual(yield* judged((by) => ({ ...by, view: { ...by.view } })), "as written")
    })
  )
})

describe("operations that are asked for together", () => {
  it.live("share a run, records too; those on a text stand alone, for each has to see the one before", () =>
    Effect.gen(function* () {
      const batch = (numbers: ReadonlyArray<number>, operation: number): ReadonlyArray<Asked> =>
        numbers.map((number) => ({ operation, key: "a", number, once: undefined }))
      const on = installation(alice)
      const { space } = yield* home(on, [app, texts])
      const counted = (of: App.AnyApp, asked: ReadonlyArray<Asked>) =>
        Effect.map(perform(on, space, of, [asked]), ({ runs }) => runs.length)
      const before = yield* counted(app, batch([2], 0))
      assert.strictEqual((yield* counted(app, batch([1, 2, 3, 4], 1))) - before, 1)
      assert.strictEqual((yield* counted(texts, batch([3, 6, 9], 0))) - before, 2)
      assert.strictEqual((yield* counted(texts, batch([1, 1, 2, 2], 0))) - before, 6)
    })
  )
})
