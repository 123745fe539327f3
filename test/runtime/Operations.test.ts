/** An operation from its payload to its entry: what is refused and how, what runs once, who is told of what. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { App, GCounter, LWWRegister, ORMap, Policy } from "aura"
import { TaskUnknown } from "../../examples/tasks/app.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { Position } from "../../src/journal/Feed.ts"
import * as Operations from "../../src/runtime/Operations.ts"
import { DeviceRevoked } from "../../src/runtime/Revocation.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  agentOn,
  alice,
  bob,
  bring,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  pass,
  revoke,
  right,
  runOf,
  say,
  until,
  type Installation
} from "./fixtures.ts"

class Empty extends Schema.TaggedError<Empty>()("Empty", {}) {}

const Title = Schema.String.pipe(Schema.check(Schema.isMaxLength(50_000)))

const app = App.make("kv", {
  version: 7,
  state: { notes: ORMap({ title: LWWRegister(Title) }), seen: GCounter() },
  operations: (operation) => ({
    add: operation({
      payload: Schema.Struct({ titles: Schema.Array(Title) }),
      writes: ["notes/{new}:put", "notes/*:put"],
      policy: Policy.make({ capabilities: ["note:write"] }),
      plan: ({ notes }, { titles }, { newId }) =>
        titles.length === 0
          ? App.refuse(new Empty())
          : { changes: titles.map((title) => notes.put(newId(), { title })), result: titles.length }
    }),
    look: operation({
      payload: Schema.Struct({ times: Schema.Int }),
      writes: ["seen:add"],
      policy: Policy.make({ capabilities: [] }),
      plan: ({ seen }, { times }) => {
        if (times === 13) throw new Error("a plan with a mistake")
        return { changes: [seen.add(times)], result: undefined }
      }
    })
  })
})

/** A space of this application with Bob, who may only look. */
const home = () =>
  Effect.gen(function* () {
    const { authority, space } = founded([[bob, right("kv:write")]])
    say(authority, { facts: [fact({ _tag: "Define", definition: app.definition })] })
    const on = installation(alice)
    yield* bring(on, space, runOf(authority))
    return { authority, on, space }
  })

const using = <A, E>(
  on: Installation,
  space: Parameters<typeof Replica.open>[0],
  use: (performer: Operations.Performer<typeof app>, replica: Replica.Replica) => Effect.Effect<A, E>
) =>
  during(
    on,
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      const host = { replica, device: on.keys.device, store: yield* JournalStore }
      return yield* use(yield* Operations.performer(host, app), replica)
    })
  )

const seen = (replica: Replica.Replica): number => Operations.state(replica, app).seen

describe("an operation", () => {
  it.live("that is refused says which kind of no it is, and leaves everything as it was", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* using(on, space, ({ perform, performJson }, replica) =>
        Effect.gen(function* () {
          const unknown = yield* Effect.flip(performJson("remove", {}))
          assert.strictEqual(
            String(Reflect.get(unknown, "message")),
            'there is no operation "remove"; there are: add, look'
          )
          const invalid = yield* Effect.flip(performJson("add", { titles: [7] }))
          assert.strictEqual(Reflect.get(invalid, "_tag"), "PayloadInvalid")
          assert.match(String(Reflect.get(invalid, "message")), /^the payload of "add" is not valid: .*titles/su)
          assert.instanceOf(yield* Effect.flip(perform("add", { titles: [] })), Empty)
          assert.instanceOf(Reflect.get(yield* Effect.flip(performJson("add", { titles: [] })), "refused"), Empty)
          const large = yield* Effect.flip(
            perform("add", { titles: Array.from({ length: 4 }, () => "x".repeat(50_000)) })
          )
          assert.strictEqual(large._tag, "EntryTooLarge")
          assert.match(large.message, /^an entry of 20\d{4} bytes is too large: at most 131072; split the operation$/u)
          const key = yield* Effect.flip(perform("look", { times: 1 }, { key: "k".repeat(129) }))
          assert.strictEqual(key._tag, "RequestConflict")
          assert.strictEqual(replica.ledger().applied, 0)
          assert.strictEqual([...replica.ledger().lines.values()].filter(({ feed }) => feed.kind === "data").length, 0)
        })
      )
    })
  )

  it.live("without the right to it is denied with the link that is missing; what asks for nothing any member may", () =>
    Effect.gen(function* () {
      const { authority, space } = yield* home()
      const his = installation(bob)
      yield* bring(his, space, runOf(authority))
      yield* using(his, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          const denied = yield* Effect.flip(perform("add", { titles: ["a"] }))
          assert.strictEqual(denied._tag, "OperationDenied")
          assert.match(denied.message, /^"add" is denied: device [0-9a-f]{10} lacks note:write; it holds kv:write$/u)
          yield* perform("look", { times: 2 })
          assert.strictEqual(seen(replica), 2)
        })
      )
      say(authority, { facts: [revoke(bob.device, head(authority, 1), [], "he left")] })
      yield* using(his, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          yield* replica.receive([runOf(authority)])
          const denied = yield* Effect.flip(perform("look", { times: 1 }))
          assert.instanceOf(denied, DeviceRevoked)
          assert.match(denied.message, /^this device was revoked by [0-9a-f]{10}: he left$/u)
          assert.strictEqual(seen(replica), 0)
        })
      )
      const stranger = installation(carol)
      yield* bring(stranger, space, runOf(authority))
      yield* using(stranger, space, ({ perform }) =>
        Effect.gen(function* () {
          const denied = yield* Effect.flip(perform("look", { times: 1 }))
          assert.match(denied.message, /was not admitted/u)
        })
      )
    })
  )

  it.live("is allowed as soon as the right to it arrives", () =>
    Effect.gen(function* () {
      const { authority, space } = yield* home()
      const his = installation(bob)
      yield* bring(his, space, runOf(authority))
      yield* using(his, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          yield* perform("look", { times: 1 })
          assert.strictEqual((yield* Effect.flip(perform("add", { titles: ["a"] })))._tag, "OperationDenied")
          say(authority, { facts: [fact({ _tag: "Grant", device: bob.device, rights: [right("note:write")] })] })
          yield* replica.receive([runOf(authority)])
          assert.strictEqual((yield* perform("add", { titles: ["a"] })).result, 1)
        })
      )
    })
  )

  it.effect("with a key runs once: repeated, at once, after a restart, and never for another request", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* using(on, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          const first = yield* perform("add", { titles: ["a", "b"] }, { key: "once" })
          assert.deepStrictEqual([first.result, first.position === undefined], [2, false])
          assert.deepStrictEqual(yield* perform("add", { titles: ["a", "b"] }, { key: "once" }), {
            result: 2,
            position: undefined
          })
          const many = yield* Effect.forEach(
            Array.from({ length: 8 }),
            () => perform("look", { times: 5 }, { key: "together" }),
            { concurrency: 8 }
          )
          assert.lengthOf(
            many.filter(({ position }) => position !== undefined),
            1
          )
          assert.strictEqual(seen(replica), 5)
          const mixed = yield* Effect.forEach(
            [1, 2],
            (times) => Effect.exit(perform("look", { times }, { key: "mixed" })),
            { concurrency: 2 }
          )
          assert.deepStrictEqual(mixed.map(Exit.isSuccess), [true, false])
          assert.strictEqual(seen(replica), 6)
          assert.strictEqual(replica.ledger().quarantine.size, 0)
        })
      )
      yield* using(on, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* perform("look", { times: 5 }, { key: "together" }), {
            result: undefined,
            position: undefined
          })
          const conflict = yield* Effect.flip(perform("look", { times: 6 }, { key: "together" }))
          assert.strictEqual(conflict._tag, "RequestConflict")
          assert.include(conflict.message, "was used for another request")
          on.disk.spaces.get(space)!.results.clear()
          const forgotten = yield* Effect.flip(perform("look", { times: 5 }, { key: "together" }))
          assert.include(forgotten.message, "its answer is no longer kept")
          assert.strictEqual(seen(replica), 6)
        })
      )
    })
  )

  it.live("whose plan throws is a defect for its caller; what was asked for beside it goes on", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* using(on, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          const exits = yield* Effect.forEach([1, 13, 2], (times) => Effect.exit(perform("look", { times })), {
            concurrency: 3
          })
          assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false, true])
          const [reason] = Exit.isFailure(exits[1]!) ? exits[1]!.cause.reasons : []
          assert.strictEqual(reason?._tag, "Die")
          assert.strictEqual(seen(replica), 3)
        })
      )
    })
  )
})

describe("a refusal as data", () => {
  it("is its tag and fields, of either kind of error", () => {
    assert.deepStrictEqual(Operations.toJson(new Empty({})), { _tag: "Empty" })
    assert.deepStrictEqual(Operations.toJson(new TaskUnknown({ id: "x" })), { _tag: "TaskUnknown", id: "x" })
  })
})

describe("watching", () => {
  it.live("calls back at once, then only when what was picked has changed, and not after it was stopped", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* using(on, space, ({ perform }, replica) =>
        Effect.gen(function* () {
          const counts: Array<number> = []
          const parities: Array<number> = []
          const stop = Operations.watch(
            replica,
            app,
            (state) => state.seen,
            (count) => counts.push(count)
          )
          Operations.watch(
            replica,
            app,
            (state) => ({ odd: state.seen % 2 }),
            ({ odd }) => parities.push(odd),
            (a, b) => a.odd === b.odd
          )
          yield* perform("look", { times: 2 })
          yield* perform("add", { titles: ["x"] })
          yield* perform("look", { times: 3 })
          stop()
          yield* perform("look", { times: 1 })
          assert.deepStrictEqual(counts, [0, 2, 5])
          assert.deepStrictEqual(parities, [0, 1, 0])
        })
      )
    })
  )
})

describe("durability elsewhere", () => {
  it.live("is told when as many peers as were asked for, or all other members, say that they have it", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
      say(authority, { facts: [fact({ _tag: "Define", definition: app.definition })] })
      const places = [alice, bob, carol].map((keys) => installation(keys))
      for (const on of places) yield* bring(on, space, runOf(authority))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const [hers, his, theirs] = places as [Installation, Installation, Installation]
          const one = yield* agentOn(hers, hub, "alice")
          const replica = one.replica(space)!
          const { position } = yield* replica.write({
            kind: "data",
            request: undefined,
            prepare: () =>
              ({
                _tag: "Success",
                success: {
                  definition: app.definition.id,
                  facts: [{ type: "kv.look", payload: [["add", "seen", 1]] }],
                  answer: undefined
                }
              }) as never
          })
          const reached = (tier: Parameters<typeof one.acknowledged>[2], at: Position = position) => {
            const state = { reached: false }
            return Effect.as(
              Effect.forkChild(
                Effect.andThen(
                  one.acknowledged(space, at, tier),
                  Effect.sync(() => (state.reached = true))
                )
              ),
              state
            )
          }
          const [first, both, all] = [
            yield* reached({ _tag: "Peers", count: 1 }),
            yield* reached({ _tag: "Peers", count: 2 }),
            yield* reached({ _tag: "AllMembers" })
          ]
          yield* pass
          assert.deepStrictEqual([first.reached, both.reached, all.reached], [false, false, false])
          const two = yield* agentOn(his, hub, "bob")
          yield* two.connect("alice", alice.device)
          yield* until("Bob has it", () => first.reached)
          yield* Effect.repeat(pass, { times: 50 })
          assert.deepStrictEqual([both.reached, all.reached], [false, false])
          const three = yield* agentOn(theirs, hub, "carol")
          yield* three.connect("bob", bob.device)
          yield* until("Carol has it from Bob", () => three.replica(space)!.ledger().applied === 1)
          yield* Effect.repeat(pass, { times: 50 })
          assert.isFalse(all.reached)
          yield* three.connect("alice", alice.device)
          yield* until("Alice hears it from Carol", () => both.reached && all.reached)
        })
      )
    })
  )
})
