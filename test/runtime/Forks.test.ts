/**
 * A device that signed two histories of one feed:
 *
 *     Alice ── has ── Bob 0 … k ── X … X
 *     Carol ── has ── Bob 0 … k ── Y … Y        Who finds out, what still counts, and who can't be blamed?
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Fork from "../../src/journal/Fork.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
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
  founded,
  head,
  installation,
  keysOf,
  mallory,
  quiet,
  right,
  runOf,
  runsOf,
  say,
  sayBytes,
  script,
  set,
  until,
  written,
  type Script
} from "./fixtures.ts"

const dave = keysOf(5)

/** Alice's space with everyone in it, and Bob's data feed with two ends. */
const forked = (common: number, x: number, y: number) => {
  const { authority, space } = founded([bob, carol, dave].map((keys) => [keys, right("*", 1)] as const))
  const trunk = script(space, bob, "data")
  const tell = (to: Script, key: string, count: number): Script => {
    for (let i = 0; i < count; i++) {
      const seen = to.entries.length % 1024 === 0 ? [head(authority)] : []
      say(to, { facts: [set(key, `${i}`)], seen })
    }
    return to
  }
  tell(trunk, "common", common)
  return { space, authority, x: tell(branch(trunk, common), "x", x), y: tell(branch(trunk, common), "y", y) }
}

const proofOf = (a: Script, b: Script): Uint8Array => {
  const [one, other] = [a, b].map((of) => Result.getOrThrow(Run.decode(runOf(of).run)))
  return Fork.between(a.feed, one!, other!)!.bytes
}

const isFrozenAt = (replica: Replica.Replica, of: Script, last: number): boolean =>
  replica.ledger().forks.has(of.feed.id) && (Ledger.frontier(replica.ledger()).get(of.feed.id)?.seq ?? -1) === last

/** Whether a replica has a history to its end, by whatever name. */
const isWhole = (replica: Replica.Replica, of: Script): boolean =>
  [...Ledger.frontier(replica.ledger()).values()].some(({ mark }) => head(of).hash.startsWith(mark))

describe("a forked feed", () => {
  for (const { common, size, x, y } of [
    { common: 1, x: 1, y: 1, size: 1 },
    { common: 5, x: 3, y: 9, size: 4 },
    { common: 0, x: 2, y: 2, size: 1 },
    { common: 120, x: 500, y: 300, size: 1 },
    { common: 2000, x: 3000, y: 2500, size: 700 }
  ]) {
    it.live(`is found out and frozen by two that have a branch each: ${common} entries, then ${x} and ${y}`, () =>
      Effect.gen(function* () {
        const { authority, space, x: left, y: other } = forked(common, x, y)
        const [hers, his] = [installation(alice), installation(carol)]
        yield* bring(hers, space, runOf(authority), ...runsOf(left, size))
        yield* bring(his, space, runOf(authority), ...runsOf(other, size))
        const hasAll = (replica: Replica.Replica): boolean => [left, other].every((of) => isWhole(replica, of))
        const accounts = yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const one = (yield* agentOn(hers, hub, "alice")).replica(space)!
            const two = yield* agentOn(his, hub, "carol")
            yield* two.connect("alice", alice.device)
            const theirs = two.replica(space)!
            yield* until("both have both histories, and freeze the feed", () =>
              [one, theirs].every((replica) => isFrozenAt(replica, left, common - 1) && hasAll(replica))
            )
            assert.deepStrictEqual(account(one.ledger()), account(theirs.ledger()))
            assert.deepStrictEqual(entriesOf(one), common === 0 ? {} : { common: `${common - 1}` })
            return [account(one.ledger()), account(theirs.ledger())]
          })
        )
        for (const [i, on] of [hers, his].entries()) {
          const again = yield* during(
            on,
            Effect.map(Replica.open(space), (replica) => account(replica.ledger()))
          )
          assert.deepStrictEqual(again, accounts[i])
        }
      })
    )
  }

  it.live("stops a third device that gets the proof alone, and one that comes later with the longer branch", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(4, 6, 3)
      const [hers, his, late] = [installation(alice), installation(carol), installation(dave)]
      yield* bring(hers, space, runOf(authority), runOf(x, 0, 5))
      yield* bring(his, space, runOf(authority), runOf(x, 0, 1))
      yield* bring(late, space, runOf(authority), runOf(x))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const one = (yield* agentOn(hers, hub, "alice")).replica(space)!
          const carols = yield* agentOn(his, hub, "carol")
          yield* carols.connect("alice", alice.device)
          const two = carols.replica(space)!
          assert.isTrue(yield* one.prove(proofOf(x, y)))
          assert.isFalse(yield* one.prove(proofOf(x, y)))
          yield* until("the proof reaches Carol", () => isFrozenAt(two, x, 3))
          const daves = yield* agentOn(late, hub, "dave")
          yield* daves.connect("carol", carol.device)
          const three = daves.replica(space)!
          assert.strictEqual(entriesOf(three)["x"], "5")
          let overturned = 0
          three.listen((notice) => (overturned += Number(notice.overturned)))
          yield* until("Dave learns of it", () => isFrozenAt(three, x, 3))
          assert.strictEqual(overturned, 1)
          for (const replica of [one, two, three])
            assert.deepStrictEqual(account(replica.ledger()), account(one.ledger()))
          assert.deepStrictEqual(entriesOf(three), { common: "3" })
        })
      )
    })
  )

  it.live("is frozen at its lowest fork, whichever proof came first", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(6, 3, 3)
      const z = branch(x, 2)
      say(z, { facts: [set("z", "0")] })
      const proofs = [proofOf(x, y), proofOf(x, z)]
      const results = yield* Effect.forEach([proofs, proofs.toReversed()], (order) =>
        Effect.gen(function* () {
          const on = installation(alice)
          yield* bring(on, space, runOf(authority), runOf(x))
          return yield* during(
            on,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              for (const proof of order) yield* replica.prove(proof)
              return account(replica.ledger())
            })
          )
        })
      )
      assert.deepStrictEqual(results[0], results[1])
      assert.deepStrictEqual(results[0]!.entries, [["common", "1"]])
    })
  )

  it.live("costs its device the feed and no more: it goes on in a new one", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(3, 2, 2)
      const [hers, his] = [installation(alice), installation(bob)]
      yield* bring(hers, space, runOf(authority), runOf(y))
      yield* bring(his, space, runOf(authority), runOf(x))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const one = (yield* agentOn(hers, hub, "alice")).replica(space)!
          const bobs = yield* agentOn(his, hub, "bob")
          yield* bobs.connect("alice", alice.device)
          const two = bobs.replica(space)!
          yield* until("both freeze the feed", () => [one, two].every((replica) => isFrozenAt(replica, x, 2)))
          const { position } = yield* two.write(written(bob.device, set("new", "1")))
          assert.notStrictEqual(position.feed, x.feed.id)
          yield* until("Alice has it", () => entriesOf(one)["new"] === "1")
          assert.deepStrictEqual(account(one.ledger()), account(two.ledger()))
        })
      )
    })
  )

  it.live("can't be made up by anybody else", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(3, 2, 2)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(x))
      const stolen: Script = { ...y, keys: mallory }
      const [header, other] = [x.feed.bytes, Result.getOrThrow(Feed.decode(x.feed.bytes))]
      const fakeKey = Feed.encode({ ...other, key: { publicKey: mallory.device, signature: new Uint8Array(64) } })
      const forged = (entries: Script): Script => {
        const of: Script = { keys: mallory, feed: fakeKey, entries: [] }
        for (const { body, time } of entries.entries) sayBytes(of, body, time)
        return of
      }
      const proofs: ReadonlyArray<readonly [string, Uint8Array]> = [
        ["a branch that another key signed", proofOf(x, stolen)],
        ["two runs that agree", Cbor.encode([1, header, runOf(x).run, runOf(x, 0, 3).run])],
        ["two runs that do not overlap", Cbor.encode([1, header, runOf(x, 0, 1).run, runOf(x, 2, 4).run])],
        ["a feed key that the device did not sign", proofOf(forged(x), forged(y))],
        ["bytes", new Uint8Array(100)]
      ]
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const before = account(replica.ledger())
          for (const [what, proof] of proofs) {
            assert.isFalse(yield* replica.prove(proof), what)
            assert.deepStrictEqual(account(replica.ledger()), before, what)
            assert.strictEqual(replica.ledger().forks.size, 0, what)
          }
          const outcomes = yield* replica.receive([runOf(stolen)])
          assert.deepStrictEqual(outcomes, [
            { _tag: "Refused", why: "a run that its feed's device did not sign, or a request in it that nobody did" }
          ])
          yield* quiet
        })
      )
    })
  )
})
