/**
 * A forked feed of data of which somebody who may says up to where which history counts:
 *
 *     Bob 0 … k ┬─ X … X ← settled ─ X         What counts, for whoever had X, Y or neither when the word came?
 *               └─ Y … Y
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { JournalStore, type Commit } from "../../src/effects/JournalStore.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import type { Position } from "../../src/journal/Feed.ts"
import { deviceHistoriesMax } from "../../src/journal/limits.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Checkpoint from "../../src/runtime/Checkpoint.ts"
import * as Governing from "../../src/runtime/Governing.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Token from "../../src/runtime/Token.ts"
import type { Undone } from "../../src/runtime/Undone.ts"
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
  keysOf,
  mallory,
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
const members = [bob, carol, dave]

/** Alice's space with everyone in it, and Bob's data feed with two ends. */
const forked = (common: number, x: number, y: number) => {
  const { authority, space } = founded([
    ...members.map((keys) => [keys, right("*", 1)] as const),
    [mallory, right("kv:write"), right(`device:revoke/${carol.device}`)] as const,
    [erin, right(`device:revoke/${bob.device}`)] as const
  ])
  const trunk = script(space, bob, "data")
  const tell = (to: Script, key: string, count: number): Script => {
    for (let i = 0; i < count; i++) {
      const seen = to.entries.length % 1024 === 0 ? [head(authority)] : []
      say(to, { facts: [set(key, `${i}`)], seen })
    }
    return to
  }
  tell(trunk, "common", common)
  return { space, authority, x: tell(branch(trunk, common), "x", x), y: tell(branch(trunk, common), "y", y), tell }
}

type Keys = typeof alice

/** What somebody says about a feed of data, having seen so much of Alice's. */
const word = (space: SpaceId, by: Keys, seen: Position, ...positions: ReadonlyArray<Position>): Script => {
  const words = script(space, by, "authority", { nonce: 7 })
  positions.forEach((position, index) =>
    say(words, {
      facts: [fact({ _tag: "Settle", ...position })],
      seen: index === 0 ? [seen] : [],
      time: words.feed.time + (by === root ? 5_000 : 1_000) + index
    })
  )
  return words
}

/** All orders of so few. */
const orders = <A>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  all.length < 2 ? [all] : all.flatMap((one, index) => orders(all.toSpliced(index, 1)).map((rest) => [one, ...rest]))

/** What a replica makes of these, one after the other, again and again until nothing is news; and once it is opened anew. */
const told = (space: SpaceId, deliveries: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const on = installation(keysOf(77))
    const live = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(space, { rungEntriesMin: 1 })
        for (let isNews = true; isNews;) {
          isNews = false
          for (const delivery of deliveries) {
            const [outcome] = yield* replica.receive([delivery])
            if (outcome?._tag === "Stored") isNews = true
          }
        }
        return { entries: entriesOf(replica), account: account(replica.ledger()) }
      })
    )
    const again = yield* during(
      on,
      Effect.map(Replica.open(space), (replica) => account(replica.ledger()))
    )
    assert.deepStrictEqual(again, live.account, "opened anew")
    return live
  })

/** The same in every order: they have to agree. */
const toldInAnyOrder = (space: SpaceId, deliveries: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach(orders(deliveries), (order) => told(space, order))
    for (const one of all) assert.deepStrictEqual(one, all[0])
    return all[0]!.entries
  })

describe("a forked feed of data that was settled", () => {
  it.live("counts on the branch named and up to the position named, in whatever order it came", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 4, 3)
      for (const [settled, expected] of [
        [head(x, 4), { common: "1", x: "2" }],
        [head(x), { common: "1", x: "3" }],
        [head(y, 2), { common: "1", y: "0" }],
        // what all share counts anyway
        [head(x, 0), { common: "1" }]
      ] as const) {
        const words = word(space, root, head(authority), settled)
        const runs = [runOf(authority), runOf(words), runOf(x), runOf(y)]
        assert.deepStrictEqual(yield* toldInAnyOrder(space, runs), expected)
      }
    })
  )

  it.live("counts where it leads over a fork of a fork, and from the very first entry on", () =>
    Effect.gen(function* () {
      const { authority, space, tell, x, y } = forked(0, 4, 2)
      const again = tell(branch(x, 2), "again", 2)
      const words = word(space, root, head(authority), head(again))
      const runs = [runOf(authority), runOf(words), runOf(x), runOf(y), runOf(again)]
      assert.deepStrictEqual(yield* toldInAnyOrder(space, runs), { x: "1", again: "1" })
    })
  )

  it.live("is settled by who may revoke its device and by root, whose word wins; by nobody else", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(1, 2, 2)
      const seen = head(authority)
      const entriesAfter = (...words: ReadonlyArray<Script>) =>
        toldInAnyOrder(space, [runOf(authority), runOf(x), runOf(y), ...words.map((one) => runOf(one))])
      const [onX, onY] = [
        { common: "0", x: "1" },
        { common: "0", y: "1" }
      ]
      assert.deepStrictEqual(yield* entriesAfter(word(space, carol, seen, head(x))), onX)
      assert.deepStrictEqual(yield* entriesAfter(word(space, erin, seen, head(x))), onX)
      assert.deepStrictEqual(yield* entriesAfter(word(space, mallory, seen, head(x))), { common: "0" })
      const [hers, his] = [word(space, carol, seen, head(x)), word(space, dave, seen, head(y))]
      assert.deepStrictEqual(yield* entriesAfter(hers, his), { common: "0" }, "they contradict each other")
      assert.deepStrictEqual(yield* entriesAfter(hers, word(space, root, seen, head(y))), onY)
      const twice = word(space, carol, seen, head(x), head(x, 1))
      assert.deepStrictEqual(yield* entriesAfter(twice), { common: "0" }, "two positions")
    })
  )

  it.live("is settled in vain by an entry that nobody has, or that stands elsewhere", () =>
    Effect.gen(function* () {
      const { authority, space, tell, x, y } = forked(1, 3, 2)
      const unknown = tell(branch(x, 2), "z", 1)
      for (const settled of [head(unknown), { ...head(x), seq: 2 }]) {
        const words = word(space, root, head(authority), settled)
        const runs = [runOf(authority), runOf(words), runOf(x), runOf(y)]
        assert.deepStrictEqual(yield* toldInAnyOrder(space, runs), { common: "0" })
      }
    })
  )

  it.live("says what no longer counts when its settler is revoked from before, and what a new one brings back", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 3, 2)
      const admission = head(authority, 2)
      const hers = word(space, carol, head(authority), head(x))
      const [before, after] = [runOf(authority), authority.entries.length]
      say(authority, { facts: [revoke(carol.device, admission, [])], time: hers.entries[0]!.time + 1 })
      const words = word(space, root, head(authority), head(y))
      const on = installation(alice)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const undone: Array<Undone> = []
          replica.listen((notice) => undone.push(...notice.undone))
          for (const one of [before, runOf(y), runOf(x), runOf(hers)]) yield* replica.receive([one])
          assert.deepStrictEqual(entriesOf(replica), { common: "1", x: "2" })
          undone.length = 0
          yield* replica.receive([runOf(authority, after)])
          assert.deepStrictEqual(entriesOf(replica), { common: "1" })
          assert.deepStrictEqual(undone, [
            {
              feed: x.feed.id,
              device: bob.device,
              from: 2,
              to: 4,
              because: { _tag: "Forked", feed: x.feed.id, at: 2 }
            }
          ])
          yield* replica.receive([runOf(words)])
          assert.deepStrictEqual(entriesOf(replica), { common: "1", y: "1" })
        })
      )
      const runs = [runOf(authority), runOf(hers), runOf(words), runOf(x), runOf(y)]
      assert.deepStrictEqual(yield* toldInAnyOrder(space, runs), { common: "1", y: "1" })
    })
  )

  it.live("counts after a death between storing and judging, and from a checkpoint of before the word", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 4, 3)
      const words = word(space, root, head(authority), head(x, 4))
      const [settled, frozen] = [{ common: "1", x: "2" }, { common: "1" }]
      for (const [before, entries, after] of [
        [[authority, y, x], frozen, words],
        // where the histories part can't be known yet
        [[authority, y, words], { common: "1", y: "2" }, x],
        [[authority, x, words], { common: "1", x: "3" }, y]
      ] as const) {
        const on = installation(keysOf(77))
        yield* during(
          on,
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            for (const one of before) yield* replica.receive([runOf(one)])
            // what comes last is stored, and never judged by this process
            const store = yield* JournalStore
            const dies = {
              ...store,
              commit: (commit: Commit) => Effect.andThen(store.commit(commit), Effect.die("killed"))
            }
            const second = yield* Replica.open(space).pipe(Effect.provideService(JournalStore, dies))
            yield* Effect.exit(second.receive([runOf(after)]))
            const books = Checkpoint.encode(replica.ledger())!
            const key = (yield* Token.read(on.secrets, space))!.checkpointKey
            const row = Checkpoint.seal(Redacted.value(key), books)
            yield* store.commit({ space, locals: [{ name: Checkpoint.checkpointRow, bytes: row }] })
            assert.deepStrictEqual(entriesOf(replica), entries)
          })
        )
        assert.deepStrictEqual(yield* during(on, Effect.map(Replica.open(space), entriesOf)), settled)
      }
    })
  )

  it.live("ends at a cut all the same, be the entry that was settled on behind it", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 4, 3)
      say(authority, { facts: [revoke(bob.device, head(authority, 1), [head(x, 3)])] })
      const words = word(space, root, head(authority), head(x))
      const runs = [runOf(authority), runOf(words), runOf(x), runOf(y)]
      assert.deepStrictEqual(yield* toldInAnyOrder(space, runs), { common: "1", x: "1" })
    })
  )
})

/** Every replica has the same, with these entries. */
const areAt = (replicas: ReadonlyArray<Replica.Replica>, entries: Record<string, string>): boolean => {
  const [first, ...others] = replicas.map((replica) => JSON.stringify(account(replica.ledger())))
  return (
    others.every((other) => other === first) &&
    replicas.every((replica) => JSON.stringify(entriesOf(replica)) === JSON.stringify(entries))
  )
}

const reopened = (on: Installation, space: SpaceId) =>
  during(
    on,
    Effect.map(Replica.open(space), (replica) => {
      assert.deepStrictEqual(replica.damage(), [])
      return account(replica.ledger())
    })
  )

describe("over the wire, a settlement", () => {
  for (const { common, size, x, y } of [
    { common: 1, x: 1, y: 1, size: 1 },
    { common: 3, x: 9, y: 4, size: 2 },
    { common: 1500, x: 2600, y: 1100, size: 700 }
  ]) {
    it.live(`brings its branch to who has another, and to who comes later: ${common} entries, ${x} and ${y}`, () =>
      Effect.gen(function* () {
        const of = forked(common, x, y)
        const { authority, space } = of
        const on = [installation(alice), installation(carol), installation(dave)] as const
        yield* bring(on[0], space, runOf(authority), ...runsOf(of.y, size))
        yield* bring(on[1], space, runOf(authority), ...runsOf(of.x, size))
        yield* bring(on[2], space, runOf(authority))
        const accounts = yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const one = (yield* agentOn(on[0], hub, "alice")).replica(space)!
            // she knows the other history by its name alone
            yield* Governing.perform(one, alice.device, { _tag: "Settle", position: head(of.x) })
            assert.deepStrictEqual(Object.keys(entriesOf(one)), ["common", "y"])
            const carols = yield* agentOn(on[1], hub, "carol")
            yield* carols.connect("alice", alice.device)
            const two = carols.replica(space)!
            const settled = { common: `${common - 1}`, x: `${x - 1}` }
            yield* until("both have what was settled on", () => areAt([one, two], settled))
            const daves = yield* agentOn(on[2], hub, "dave")
            const link = yield* daves.connect("carol", carol.device)
            const three = daves.replica(space)!
            yield* until("the third has it", () => areAt([one, two, three], settled))
            yield* until("and knows that it has all", () => link.isCaughtUp(space) && link.isServed(space))
            return [one, two, three].map((replica) => account(replica.ledger()))
          })
        )
        for (const [index, one] of on.entries()) assert.deepStrictEqual(yield* reopened(one, space), accounts[index])
      })
    )
  }

  it.live("keeps what its device wrote behind the fork, which goes on in a new feed", () =>
    Effect.gen(function* () {
      const { authority, space, x, y } = forked(2, 2, 3)
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
          yield* until("the fork is known", () => areAt([one, two], { common: "1" }))
          yield* Governing.perform(one, alice.device, { _tag: "Settle", position: head(y, 3) })
          yield* until("it counts for both", () => areAt([one, two], { common: "1", y: "1" }))
          const { position } = yield* two.write(written(bob.device, set("new", "1")))
          assert.notStrictEqual(position.feed, x.feed.id)
          yield* until("what comes new does too", () => areAt([one, two], { common: "1", new: "1", y: "1" }))
        })
      )
    })
  )
})

describe("false branches of a feed of data", () => {
  it.live("keep the right one out neither by their number nor by their size, nor memory full", () =>
    Effect.gen(function* () {
      const { authority, space, tell, x } = forked(1, 30, 0)
      const words = word(space, root, head(authority), head(x))
      const on = installation(alice)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* replica.receive([runOf(authority), runOf(words)])
          const fill = "x".repeat(15_000)
          const long = branch(x, 1)
          for (let i = 0; i < 1200; i++) say(long, { facts: [set("long", fill)] })
          for (const run of runsOf(long, 10)) yield* replica.receive([run])
          const short = Array.from({ length: 300 }, (_, i) => runOf(tell(branch(x, 1), `false ${i}`, 1)))
          for (const run of short) assert.strictEqual((yield* replica.receive([run]))[0]?._tag, "Stored")
          // entry by entry: until the last one came nobody can know that it is the right one
          for (const run of runsOf(x, 1, 1)) {
            assert.deepStrictEqual(entriesOf(replica), { common: "0" })
            assert.strictEqual((yield* replica.receive([run]))[0]?._tag, "Stored")
          }
          assert.deepStrictEqual(entriesOf(replica), { common: "0", x: "29" })
          let bytes = 0
          for (const { pendingBytes } of replica.ledger().lines.values()) bytes += pendingBytes
          assert.strictEqual(bytes, 0)
          const late = Ledger.historiesOf(replica.ledger(), x.feed.id)
          assert.strictEqual(late.length, 302)
          assert.isBelow(late.length, deviceHistoriesMax)
        })
      )
    })
  )
})
