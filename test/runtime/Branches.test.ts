/**
 * A device that signed two histories of its authority feed:
 *
 *     Alice ── has ── Bob 0 … k ── revokes Dave …
 *     Carol ── has ── Bob 0 … k ── revokes Erin …        What of it stands, and do all say the same?
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore } from "../../src/effects/JournalStore.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import * as Branch from "../../src/journal/Branch.ts"
import type * as Feed from "../../src/journal/Feed.ts"
import * as Fork from "../../src/journal/Fork.ts"
import { deviceHistoriesMax, seenPositionsMax } from "../../src/journal/limits.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Intake from "../../src/runtime/Intake.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Authority from "../../src/trust/Authority.ts"
import {
  account,
  admit,
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
  keysOf,
  mallory,
  noon,
  quiet,
  revoke,
  right,
  root,
  runOf,
  runsOf,
  say,
  script,
  set,
  until,
  written,
  type Installation,
  type Script
} from "./fixtures.ts"

const dave = keysOf(5)
const erin = keysOf(6)
const others = [bob, carol, dave, erin]

/** Alice's space with everyone in it, and Bob's authority feed up to its fork: so many grants to himself. */
const trunkOf = (common: number) => {
  const { authority, space } = founded(others.map((keys) => [keys, right("*", 1)] as const))
  const trunk = script(space, bob, "authority")
  const admission = (keys: typeof bob) => head(authority, 1 + others.indexOf(keys))
  for (let i = 0; i < common; i++)
    say(trunk, {
      facts: [grant(bob.device)],
      seen: i === 0 ? [head(authority)] : [],
      time: authority.entries.at(-1)!.time + 1 + i
    })
  return { space, authority, trunk, admission }
}

const grant = (device: DeviceId) => fact({ _tag: "Grant", device, rights: [right("kv:write")] })

/** Bob's histories: one revokes Dave, one Erin, after so many grants each. */
const forked = (common: number, x: number, y: number) => {
  const { admission, authority, space, trunk } = trunkOf(common)
  const tell = (target: typeof dave, count: number): Script => {
    const to = branch(trunk, common)
    const after = authority.entries.at(-1)!.time + 1 + common
    for (let i = 0; i < count - 1; i++)
      say(to, { facts: [grant(target.device)], seen: i === 0 ? [head(authority)] : [], time: after + i })
    say(to, { facts: [revoke(target.device, admission(target), [])], seen: [head(authority)], time: after + count })
    return to
  }
  return { space, authority, trunk, admission, x: tell(dave, x), y: tell(erin, y) }
}

const revoked = (replica: Replica.Replica): ReadonlyArray<DeviceId> =>
  Authority.members(replica.ledger().authority!).flatMap(({ device, revoked }) => (revoked ? [device] : []))

const expectAlike = (replicas: ReadonlyArray<Replica.Replica>) => {
  for (const replica of replicas) assert.deepStrictEqual(account(replica.ledger()), account(replicas[0]!.ledger()))
}

const reopened = (on: Installation, space: Replica.Replica["space"]) =>
  during(
    on,
    Effect.map(Replica.open(space), (replica) => {
      assert.deepStrictEqual(replica.damage(), [])
      return account(replica.ledger())
    })
  )

describe("a forked authority feed", () => {
  for (const { common, size, x, y } of [
    { common: 1, x: 1, y: 1, size: 1 },
    { common: 0, x: 1, y: 2, size: 1 },
    { common: 5, x: 3, y: 9, size: 4 },
    { common: 40, x: 60, y: 30, size: 7 },
    { common: 300, x: 2500, y: 1200, size: 700 }
  ]) {
    it.live(`revokes on both its branches, for all who have either: ${common} entries, then ${x} and ${y}`, () =>
      Effect.gen(function* () {
        const { authority, space, trunk, x: left, y: other } = forked(common, x, y)
        const [hers, his, third] = [installation(alice), installation(carol), installation(keysOf(7))]
        say(authority, { facts: admit(third.keys, right("*", 1)) })
        yield* bring(hers, space, runOf(authority), ...runsOf(left, size))
        yield* bring(his, space, runOf(authority), ...runsOf(other, size))
        yield* bring(third, space, runOf(authority))
        const accounts = yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const one = (yield* agentOn(hers, hub, "alice")).replica(space)!
            const carols = yield* agentOn(his, hub, "carol")
            yield* carols.connect("alice", alice.device)
            const two = carols.replica(space)!
            const fresh = yield* agentOn(third, hub, "third")
            const link = yield* fresh.connect("carol", carol.device)
            const three = fresh.replica(space)!
            yield* until("all know of both", () =>
              [one, two, three].every((replica) => Ledger.frontier(replica.ledger()).size === (common === 0 ? 3 : 4))
            )
            yield* until("the third is caught up", () => link.isCaughtUp(space) && link.isServed(space))
            expectAlike([one, two, three])
            assert.sameMembers([...revoked(three)], [dave.device, erin.device])
            assert.strictEqual(
              Ledger.frontier(three.ledger()).get(trunk.feed.id)?.seq,
              common === 0 ? undefined : common - 1
            )
            return [one, two, three].map((replica) => account(replica.ledger()))
          })
        )
        for (const [i, on] of [hers, his, third].entries())
          assert.deepStrictEqual(yield* reopened(on, space), accounts[i])
      })
    )
  }

  it.live("gives nothing from the fork on, and what it gave before stays", () =>
    Effect.gen(function* () {
      const { admission, authority, space, trunk } = trunkOf(0)
      const guest = keysOf(8)
      say(trunk, {
        facts: admit(mallory, right("kv:write")),
        seen: [head(authority)],
        time: authority.entries.at(-1)!.time + 1
      })
      const x = branch(trunk, 1)
      say(x, { facts: admit(guest, right("kv:write")) })
      const y = branch(trunk, 1)
      say(y, { facts: [revoke(dave.device, admission(dave), [])] })
      const of = (keys: typeof guest, seen: Script) => {
        const data = script(space, keys, "data")
        say(data, {
          facts: [set(keys.device.slice(0, 4), "1")],
          seen: [head(authority), head(seen)],
          time: seen.entries.at(-1)!.time + 1
        })
        return data
      }
      const said = [of(mallory, trunk), of(guest, x)]
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(x), ...said.map((data) => runOf(data)))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          assert.strictEqual(Object.keys(entriesOf(replica)).length, 2)
          const overturns: Array<boolean> = []
          replica.listen(({ overturned }) => overturns.push(overturned))
          const [outcome] = yield* replica.receive([runOf(y)])
          assert.strictEqual(outcome?._tag, "Stored")
          assert.deepStrictEqual(overturns, [true])
          assert.deepStrictEqual(entriesOf(replica), { [mallory.device.slice(0, 4)]: "1" })
        })
      )
    })
  )

  it.live(
    "is undone on every branch by a revocation of root that cuts before the fork, and on one by a later cut",
    () =>
      Effect.gen(function* () {
        const { admission, authority, space, x, y } = forked(2, 2, 3)
        const byRoot = (cut: ReadonlyArray<Feed.Position>) => {
          const words = script(space, root, "authority")
          say(words, {
            facts: [revoke(bob.device, admission(bob), cut)],
            seen: [head(authority)],
            time: y.entries.at(-1)!.time + 9
          })
          return words
        }
        for (const [cut, expected] of [
          [[], [bob.device]],
          [[head(x, 1)], [bob.device]],
          [[head(x)], [bob.device, dave.device]],
          [[head(y)], [bob.device, erin.device]]
        ] as const) {
          for (const order of [
            [x, y],
            [y, x]
          ]) {
            const on = installation(alice)
            yield* bring(on, space, runOf(authority), ...order.map((one) => runOf(one)), runOf(byRoot(cut)))
            const found = yield* during(on, Effect.map(Replica.open(space), revoked))
            assert.sameMembers([...found], [...expected])
          }
        }
      })
  )

  it.live("may fork again on a branch, before the first fork, or three ways, in whatever order it comes", () =>
    Effect.gen(function* () {
      const { authority, space, trunk, x, y } = forked(4, 5, 4)
      const again = branch(x, 7)
      say(again, { facts: [grant(erin.device)] })
      const lower = branch(trunk, 2)
      say(lower, { facts: [grant(carol.device)] })
      const third = branch(trunk, 4)
      say(third, { facts: [grant(carol.device)] })
      const histories = [x, y, again, lower, third]
      const names: Array<unknown> = []
      for (let turn = 0; turn < histories.length; turn++) {
        const order = [...histories.slice(turn), ...histories.slice(0, turn)]
        const on = installation(alice)
        yield* bring(on, space, runOf(authority))
        yield* during(
          on,
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            // one entry at a time, all histories at once
            for (let i = 0; i < 10; i++)
              yield* replica.receive(order.filter(({ entries }) => i < entries.length).map((one) => runOf(one, i, i)))
            names.push(account(replica.ledger()))
          })
        )
        assert.deepStrictEqual(yield* reopened(on, space), names[turn] as ReturnType<typeof account>)
      }
      for (const one of names) assert.deepStrictEqual(one, names[0])
      // 0-1 | lower · 2-3 | y · third · 4-6 of x | its two ends; and Alice's own feed
      assert.strictEqual((names[0] as ReturnType<typeof account>).frontier.length, 9)
    })
  )

  it.live("spreads from a device that has one history longer than the others know", () =>
    Effect.gen(function* () {
      const { authority, space, trunk, x, y } = forked(3, 4, 4)
      const third = branch(trunk, 3)
      say(third, { facts: [grant(carol.device)] })
      say(third, { facts: [grant(erin.device)] })
      const sides = [installation(alice), installation(carol), installation(dave)]
      yield* bring(sides[0]!, space, runOf(authority), runOf(x), runOf(y))
      yield* bring(sides[1]!, space, runOf(authority), runOf(third))
      yield* bring(sides[2]!, space, runOf(authority), runOf(trunk))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const one = (yield* agentOn(sides[0]!, hub, "alice")).replica(space)!
          const carols = yield* agentOn(sides[1]!, hub, "carol")
          yield* carols.connect("alice", alice.device)
          const two = carols.replica(space)!
          yield* until("both have three histories", () =>
            [one, two].every((replica) => Ledger.frontier(replica.ledger()).size === 5)
          )
          expectAlike([one, two])
        })
      )
    })
  )

  it.live("comes as a proof as well", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(3, 2, 2)
      const [a, b] = [x, y].map((of) => Result.getOrThrow(Run.decode(runOf(of).run)))
      const proof = Fork.between(x.feed, a!, b!)!.bytes
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(x))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          assert.isTrue(yield* replica.prove(proof))
          assert.isFalse(yield* replica.prove(proof))
          assert.sameMembers([...revoked(replica)], [dave.device, erin.device])
        })
      )
    })
  )

  it.live("costs its device no more than the feed", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 2, 2)
      const on = installation(bob)
      yield* bring(on, space, runOf(authority), runOf(x), runOf(y))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const { position } = yield* replica.write({
            kind: "authority",
            request: undefined,
            prepare: () => Result.succeed({ definition: undefined, facts: [grant(carol.device)], answer: undefined })
          })
          assert.notStrictEqual(position.feed, x.feed.id)
          yield* quiet
        })
      )
    })
  )

  it.live("has a named number of histories at most, and what is beyond is turned away without a word", () =>
    Effect.gen(function* () {
      const { authority, space, trunk } = trunkOf(1)
      const histories = Array.from({ length: deviceHistoriesMax + 1 }, (_, i) => {
        const one = branch(trunk, 1)
        say(one, { facts: [grant(carol.device)], time: trunk.entries.at(-1)!.time + 1 + i })
        return runOf(one)
      })
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const outcomes = yield* replica.receive(histories)
          const counts = Map.groupBy(outcomes, ({ _tag }) => _tag)
          assert.strictEqual(counts.get("Stored")?.length, deviceHistoriesMax)
          assert.deepStrictEqual(
            counts.get("Unwanted")?.map((outcome) => "why" in outcome && outcome.why),
            ["its device has 4096 authority feeds already"]
          )
        })
      )
    })
  )

  it.live("can't be damaged unseen: a stored branch that is altered is named, the rest works", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 3, 3)
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(x), runOf(y))
      const named = Branch.make(y.feed, 2, head(y, 1).hash, head(y, 2).hash)
      const spoilt = (store: JournalStore["Service"]): JournalStore["Service"] => ({
        ...store,
        read: (at, feed, from, bytesMax) =>
          Effect.map(store.read(at, feed, from, bytesMax), (runs) =>
            runs.map((run) => (feed === named.id ? { ...run, bytes: run.bytes.with(90, run.bytes[90]! ^ 1) } : run))
          )
      })
      const damage = yield* during(
        on,
        Effect.map(Replica.open(space), (replica) => replica.damage()),
        spoilt
      )
      assert.deepStrictEqual(
        damage.map(({ feed, seq }) => [feed, seq]),
        [[named.id, 2]]
      )
    })
  )
})

describe("the header of a branch", () => {
  const { x } = forked(2, 1, 1)
  const made = Branch.make(x.feed, 2, head(x, 1).hash, head(x, 2).hash)

  it("names it, whoever reads it", () => {
    const named = Result.getOrThrow(Branch.decodeNamed(made.bytes))
    assert.deepStrictEqual(named.branch, made)
    assert.strictEqual(Branch.idOf(named), made.id)
    assert.strictEqual(Branch.idOf(Result.getOrThrow(Branch.decodeNamed(x.feed.bytes))), x.feed.id)
  })

  it("is refused in any other form", () => {
    const wrong = [
      made.bytes.subarray(0, -1),
      Uint8Array.of(...made.bytes, 0),
      made.bytes.with(1, 3),
      Branch.make(x.feed, 0, made.previous, made.first).bytes
    ]
    for (const bytes of wrong) assert.isTrue(Result.isFailure(Branch.decodeNamed(bytes)))
  })
})

describe("a flood of authority feeds", () => {
  it.live("does not keep out what others had seen of it: that is taken beyond the limit", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([
        [bob, right("kv:write")],
        [carol, right("*")]
      ])
      const feed = (i: number): Script => {
        const nonce = i % 256
        const one = script(space, bob, "authority", { nonce, time: noon + 1 + i })
        say(one, { facts: [grant(carol.device)], seen: [head(authority)], time: noon + 10_000 + i })
        return one
      }
      const flood = Array.from({ length: deviceHistoriesMax }, (_, i) => runOf(feed(i)))
      const last = feed(deviceHistoriesMax)
      const hers = script(space, carol, "data", { time: noon + 20_000 })
      say(hers, { facts: [set("x", "1")], seen: [head(authority), head(last)], time: noon + 30_000 })
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive(flood)
          const receive = (one: Script) => Effect.map(replica.receive([runOf(one)]), ([outcome]) => outcome?._tag)
          assert.strictEqual(yield* receive(last), "Unwanted")
          assert.strictEqual(yield* receive(hers), "Stored")
          assert.deepStrictEqual(entriesOf(replica), {})
          assert.isTrue(Intake.isWanted(replica.ledger(), last.feed.id, last.feed.bytes))
          assert.strictEqual(yield* receive(last), "Stored")
          assert.deepStrictEqual(entriesOf(replica), { x: "1" })
          assert.strictEqual(yield* receive(feed(deviceHistoriesMax + 1)), "Unwanted")
        })
      )
    })
  )

  it.live("does not make what others write too large to be believed", () =>
    Effect.gen(function* () {
      const { authority, space } = founded(others.map((keys) => [keys, right("kv:write")] as const))
      const seen = [head(authority)]
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const flood = Array.from({ length: seenPositionsMax + 40 }, (_, i) => {
            const one = script(space, bob, "authority", { nonce: i % 256, time: noon + 1 + i })
            say(one, { facts: [grant(carol.device)], seen, time: authority.entries.at(-1)!.time + 1 + i })
            return runOf(one)
          })
          for (const run of flood) assert.strictEqual((yield* replica.receive([run]))[0]?._tag, "Stored")
          yield* replica.write(written(alice.device, set("x", "1")))
          assert.deepStrictEqual(entriesOf(replica), { x: "1" })
          assert.strictEqual(replica.ledger().quarantine.size, 0)
        })
      )
    })
  )
})
