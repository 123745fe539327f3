/**
 * A member that lies about its own authority feed, with good signatures: runs that no honest device makes, histories in the
 * worst order, more of them than anybody needs.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { JournalStore } from "../../src/effects/JournalStore.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import { entryHash, feedId, type FeedId } from "../../src/identity/Id.ts"
import * as Branch from "../../src/journal/Branch.ts"
import * as Entry from "../../src/journal/Entry.ts"
import * as Run from "../../src/journal/Run.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Intake from "../../src/runtime/Intake.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  account,
  agentOn,
  alice,
  bob,
  branch,
  bring,
  carol,
  during,
  entriesOf,
  fact,
  founded,
  head,
  installation,
  quiet,
  right,
  runOf,
  say,
  script,
  set,
  until,
  written,
  type Script
} from "./fixtures.ts"

const grant = fact({ _tag: "Grant", device: carol.device, rights: [right("kv:write")] })

/** Alice's space with Bob, who may next to nothing, and his authority feed of so many entries. */
const world = (entries: number) => {
  const { authority, space } = founded([
    [bob, right("kv:write")],
    [carol, right("*", 1)]
  ])
  const trunk = script(space, bob, "authority")
  for (let i = 0; i < entries; i++)
    say(trunk, {
      facts: [grant],
      seen: i === 0 ? [head(authority)] : [],
      time: authority.entries.at(-1)!.time + 1 + 10 * i
    })
  return { authority, space, trunk }
}

/** The feed up to and without `at`, and so many other entries behind it. */
const other = (of: Script, at: number, count: number, offset = 1): Script => {
  const to = branch(of, at)
  const after = (to.entries.at(-1)?.time ?? of.entries[0]!.time - 1) + offset
  for (let i = 0; i < count; i++) say(to, { facts: [grant], seen: [], time: after + i })
  return to
}

/** One entry at `seq` chained to an entry that is not the one before it; by what name it likes. */
const skipping = (of: Script, feed: FeedId, seq: number, previous: Uint8Array, time: number): Delivery => {
  const body = Entry.encode({
    keyEpoch: undefined,
    definition: undefined,
    seen: [],
    facts: [grant],
    request: undefined
  })
  const hash = Entry.chain(previous, seq, time, body)
  const unsigned = { feed, first: seq, previous: entryHash(previous), times: [time], bodies: [body] }
  const signature = Effect.runSync(of.keys.sign(Run.message(feed, seq, hash)))
  return { header: of.feed.bytes, run: Run.encode(unsigned, signature) }
}

describe("a lying member's authority feed", () => {
  it.live("can't leave positions out: what follows an entry comes right behind it", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(12)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(trunk))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const before = account(replica.ledger())
          const late = trunk.entries.at(-1)!.time + 50
          for (const [seq, at] of [
            [10, 3],
            [20, 11],
            [20, 3],
            [2, 5]
          ] as const) {
            const [outcome] = yield* replica.receive([
              skipping(trunk, trunk.feed.id, seq, trunk.entries[at]!.hash, late)
            ])
            assert.strictEqual(outcome?._tag, "Detached", `${seq} behind ${at}`)
          }
          assert.deepStrictEqual(account(replica.ledger()), before)
        })
      )
    })
  )

  it.live("can't go by the name of one of its branches", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(4)
      const second = other(trunk, 2, 3)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(trunk), runOf(second))
      const { id } = Branch.make(trunk.feed, 2, head(trunk, 1).hash, head(second, 2).hash)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          assert.isTrue(replica.ledger().lines.has(id))
          const before = account(replica.ledger())
          const late = trunk.entries.at(-1)!.time + 50
          for (const of of [trunk, second]) {
            const [outcome] = yield* replica.receive([
              skipping(trunk, id, of.entries.length, of.entries.at(-1)!.hash, late)
            ])
            assert.strictEqual(outcome?._tag, "Refused")
          }
          assert.deepStrictEqual(account(replica.ledger()), before)
        })
      )
      yield* during(
        on,
        Effect.map(Replica.open(space), (replica) => assert.deepStrictEqual(replica.damage(), []))
      )
    })
  )

  it.live("may be a copy of another's, which makes nothing of it known", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(4)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(trunk))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const before = account(replica.ledger())
          const copied = { ...trunk, entries: authority.entries }
          for (const [first, last] of [
            [1, 1],
            [1, 2],
            [2, 2]
          ] as const)
            assert.strictEqual((yield* replica.receive([runOf(copied, first, last)]))[0]?._tag, "Detached")
          assert.deepStrictEqual(account(replica.ledger()), before)
        })
      )
    })
  )

  it.live("has nobody's journal read again by forking lower and lower, when nothing rests on it", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(6)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(trunk))
      let reads = 0
      const counted = (store: JournalStore["Service"]): JournalStore["Service"] => ({
        ...store,
        read: (...asked) => Effect.suspend(() => (reads++, store.read(...asked)))
      })
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          reads = 0
          for (let at = 5; at >= 0; at--)
            assert.strictEqual((yield* replica.receive([runOf(other(trunk, at, 1), at)]))[0]?._tag, "Stored")
          assert.strictEqual(reads, 0)
          assert.strictEqual(replica.ledger().forks.get(trunk.feed.id)?.seq, -1)
        }),
        counted
      )
    })
  )

  it.live("is named up to its fork, so that nobody waits for the history that another came to know first", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(4)
      const second = other(trunk, 2, 3)
      const [one, two] = [installation(alice), installation(carol)]
      yield* bring(one, space, runOf(authority), runOf(trunk), runOf(second))
      yield* bring(two, space, runOf(authority), runOf(second))
      const { feed } = yield* during(
        one,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          return (yield* replica.write(written(alice.device, set("x", "1")))).position
        })
      )
      const said = yield* during(
        one,
        Effect.flatMap(Replica.open(space), (replica) => replica.load(feed, 0, 1_000_000))
      )
      yield* during(
        two,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive(said.map(({ bytes, header }) => ({ header, run: bytes })))
          assert.deepStrictEqual(entriesOf(replica), { x: "1" })
        })
      )
    })
  )

  it.live("is not stored over damage: a branch that can't be read is turned away like a feed", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(4)
      const second = other(trunk, 2, 3)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(trunk), runOf(second))
      const { id } = Branch.make(trunk.feed, 2, head(trunk, 1).hash, head(second, 2).hash)
      const spoilt = (store: JournalStore["Service"]): JournalStore["Service"] => ({
        ...store,
        read: (at, feed, from, bytesMax) =>
          Effect.map(store.read(at, feed, from, bytesMax), (runs) =>
            runs.map((run) => (feed === id ? { ...run, bytes: run.bytes.with(90, run.bytes[90]! ^ 1) } : run))
          )
      })
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const [outcome] = yield* replica.receive([runOf(second)])
          assert.strictEqual(outcome?._tag, "Unwanted")
        }),
        spoilt
      )
    })
  )

  it.live("is asked for no more while its histories together hold too much that waits", () =>
    Effect.gen(function* () {
      const { authority, space } = world(0)
      const nowhere = { feed: feedId(new Uint8Array(32)), seq: 0, hash: entryHash(new Uint8Array(32)) }
      const large = { type: "aura.later.thing", payload: "x".repeat(120_000) }
      const trunk = script(space, bob, "authority")
      const time = authority.entries.at(-1)!.time + 1
      say(trunk, { facts: [grant], seen: [nowhere], time })
      const [first, second] = [branch(trunk, 1), branch(trunk, 1)]
      for (const [offset, of] of [first, second].entries())
        for (let i = 0; i < 80; i++) say(of, { facts: [large], time: time + 1 + offset + i })
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          for (const of of [first, second])
            for (let i = 0; i < 81; i++) {
              const [outcome] = yield* replica.receive([runOf(of, i, i)])
              if (outcome?._tag !== "Unwanted") continue
              assert.strictEqual(of, second)
              const { id } = Branch.make(trunk.feed, 1, head(trunk).hash, head(second, 1).hash)
              assert.strictEqual(outcome.feed, id)
              for (const name of [id, trunk.feed.id])
                assert.isFalse(Intake.isWanted(replica.ledger(), name, trunk.feed.bytes))
              return
            }
          assert.fail("all of it was taken")
        })
      )
    })
  )

  it.live("is told of whole, however many its histories above a fork that the other does not know", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = world(6)
      const many = Array.from({ length: 150 }, (_, i) => other(trunk, 5, 1, 20 + i))
      const below = other(trunk, 2, 2)
      const [one, two] = [installation(alice), installation(carol)]
      yield* bring(
        one,
        space,
        runOf(authority),
        runOf(trunk, 0, 2),
        runOf(trunk, 3, 5),
        ...many.map((of) => runOf(of, 5))
      )
      yield* bring(two, space, runOf(authority), runOf(below))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const alices = (yield* agentOn(one, hub, "alice")).replica(space)!
          const carols = yield* agentOn(two, hub, "carol")
          const hers = carols.replica(space)!
          // what one connection may ask for is bounded: it ends, and the next one brings the rest
          for (let i = 0; i < 2; i++) {
            const link = yield* carols.connect("alice", alice.device)
            yield* until("it ends or is level", () => !carols.links().includes(link) || link.isCaughtUp(space))
            yield* quiet
          }
          yield* until(
            "both have all",
            () => hers.ledger().lines.size === alices.ledger().lines.size && alices.ledger().lines.size === 153
          )
          assert.deepStrictEqual(account(hers.ledger()), account(alices.ledger()))
        })
      )
    })
  )

  for (const { lower, upper, third, size } of [
    { lower: 2, upper: 5, third: 8, size: 1 },
    { lower: 0, upper: 5, third: 8, size: 1 },
    { lower: 2, upper: 5, third: 4, size: 1 },
    { lower: 2, upper: 5, third: 1, size: 2 },
    { lower: 4, upper: 5, third: 2, size: 1 },
    { lower: 4, upper: 9, third: 12, size: 3 }
  ])
    it.live(
      `is told of whole by one who knows two histories to one who knows a third: ${lower} ${upper} ${third} ${size}`,
      () =>
        Effect.gen(function* () {
          const { authority, space, trunk } = world(12)
          const second = other(trunk, upper, 4)
          const below = other(trunk, lower, third, 3)
          const [one, two] = [installation(alice), installation(carol)]
          const runs = (of: Script, from = 0) => {
            const result: Array<Delivery> = []
            for (let first = from; first < of.entries.length; first += size)
              result.push(runOf(of, first, Math.min(of.entries.length, first + size) - 1))
            return result
          }
          yield* bring(one, space, runOf(authority), ...runs(trunk), ...runs(second, upper))
          yield* bring(two, space, runOf(authority), ...runs(below))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const hub = MemoryNetwork.hub()
              const alices = (yield* agentOn(one, hub, "alice")).replica(space)!
              const carols = yield* agentOn(two, hub, "carol")
              const link = yield* carols.connect("alice", alice.device)
              const hers = carols.replica(space)!
              yield* until(
                "both have all",
                () => JSON.stringify(account(hers.ledger())) === JSON.stringify(account(alices.ledger()))
              ).pipe(
                Effect.catchDefect(() =>
                  Effect.sync(() => assert.deepStrictEqual(account(hers.ledger()), account(alices.ledger())))
                )
              )
              yield* until("it is quiet", () => link.isCaughtUp(space) && link.isServed(space))
            })
          )
        })
    )
})
