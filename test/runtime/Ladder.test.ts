/** What a late restriction takes back is folded from where nothing of it was in the books yet, and from nowhere else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Position } from "../../src/journal/Feed.ts"
import * as Checkpoint from "../../src/runtime/Checkpoint.ts"
import type { Notice } from "../../src/runtime/Desk.ts"
import { fold } from "../../src/runtime/Fold.ts"
import * as Ladder from "../../src/runtime/Ladder.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import { ladderBytesMax, rungsMax } from "../../src/runtime/limits.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { JournalStore, JournalStoreError, JournalUnavailable } from "../../src/effects/JournalStore.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Policy from "../../src/trust/Policy.ts"
import {
  account,
  add,
  admit,
  bob,
  branch,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  keysOf,
  mallory,
  noon,
  noonMillis,
  revoke,
  right,
  root,
  runOf,
  say,
  script,
  set
} from "./fixtures.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"

const entries = 64
/** Above all that the story says. */
const later = noon + 1_000

/** Bob and Carol wrote in turns, eight at a time; Alice says something about them that comes late. */
const story = (his: readonly [typeof bob, Fact.Right] = [bob, right("*", 1)]) => {
  const { authority, space } = founded([his, [carol, right("*", 1)]])
  const admitted = { bob: head(authority, 1), carol: head(authority, 2) }
  const [data, hers] = [script(space, bob, "data"), script(space, carol, "data")]
  for (let i = 0; i < entries; i++)
    for (const of of [data, hers])
      say(of, { facts: [set(`k${i % 5}`, `${i}`), add(1)], seen: i === 0 ? [head(authority)] : [] })
  const runs: Array<Delivery> = [runOf(authority)]
  for (let first = 0; first < entries; first += 8)
    runs.push(runOf(data, first, first + 7), runOf(hers, first, first + 7))
  return { admitted, authority, hers, his: data, runs, space }
}

type Story = ReturnType<typeof story>

/** What a replica with a rung every eight entries makes of the late words, and where it read feeds of data for that. */
const told = ({ runs, space, ...story }: Story, late: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const reads: Array<readonly [string, number]> = []
    const notices: Array<Notice> = []
    const on = installation(keysOf(77))
    const books = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(space, { rungEntriesMin: 8 })
        for (const run of runs) yield* replica.receive([run])
        reads.length = 0
        replica.listen((notice) => notices.push(notice))
        for (const run of late) yield* replica.receive([run])
        const during = [...reads]
        const whole = yield* fold(yield* JournalStore, space, noonMillis + 60_000, "whole")
        assert.deepStrictEqual(account(replica.ledger()), account(whole.ledger))
        return { ...account(replica.ledger()), reads: during }
      }),
      (store) => ({
        ...store,
        read: (of, feed, from, bytesMax) => {
          const name = feed === story.his.feed.id ? "his" : feed === story.hers.feed.id ? "hers" : "another"
          reads.push([name, from])
          return store.read(of, feed, from, bytesMax)
        }
      })
    )
    return {
      ...books,
      overturned: notices.some(({ overturned }) => overturned),
      undone: notices.flatMap(({ undone }) => undone)
    }
  })

const everything = ({ authority, hers, his }: Story): ReadonlyArray<Position> => [
  head(authority),
  head(his),
  head(hers)
]

describe("a late restriction", () => {
  it.live("is folded from the last rung before what it takes back: what lies below is not read", () =>
    Effect.gen(function* () {
      const of = story()
      say(of.authority, { facts: [revoke(bob.device, of.admitted.bob, [head(of.authority), head(of.his, 49)])] })
      const { count, overturned, reads, undone } = yield* told(of, [runOf(of.authority)])
      assert.strictEqual(count, 50 + entries)
      assert.isTrue(overturned)
      assert.deepStrictEqual(
        undone.map(({ because, feed, from, to }) => [feed, from, to, because?._tag]),
        [[of.his.feed.id, 50, entries - 1, "Revoked"]]
      )
      assert.isNotEmpty(reads)
      assert.isAtLeast(Math.min(...reads.map(([, from]) => from)), 32, JSON.stringify(reads))
    })
  )

  it.live("that goes back behind every rung is folded from the beginning", () =>
    Effect.gen(function* () {
      const of = story()
      say(of.authority, { facts: [revoke(bob.device, of.admitted.bob, [])] })
      const { count, reads } = yield* told(of, [runOf(of.authority)])
      assert.strictEqual(count, entries)
      assert.deepInclude(reads, ["hers", 0])
    })
  )

  const harmless: ReadonlyArray<readonly [what: string, (of: Story) => Fact.AuthorityFact]> = [
    ["a device", (of) => ({ ...cut(of), _tag: "Revoke", device: bob.device, admission: of.admitted.bob.hash })],
    ["a grant", (of) => ({ ...cut(of), _tag: "Ungrant", device: bob.device, grant: of.admitted.bob.hash })],
    [
      "what somebody may",
      (of) => ({
        ...cut(of),
        _tag: "Refine",
        device: bob.device,
        admission: of.admitted.bob.hash,
        grant: undefined,
        ceiling: []
      })
    ],
    [
      "an operation",
      (of) => ({
        ...cut(of),
        _tag: "SetPolicy",
        app: "kv",
        operation: "kv.set",
        policy: Policy.make({ minTrust: "High" })
      })
    ],
    [
      "trust",
      (of) => ({ ...cut(of), _tag: "Lower", device: bob.device, admission: of.admitted.bob.hash, level: "None" })
    ]
  ]
  for (const [what, says] of harmless)
    it.live(`on ${what} that leaves alone what was judged reads nothing and turns nothing over`, () =>
      Effect.gen(function* () {
        const of = story()
        say(of.authority, { facts: [fact(says(of))] })
        const { count, overturned, reads } = yield* told(of, [runOf(of.authority)])
        assert.deepStrictEqual({ count, overturned, reads }, { count: 2 * entries, overturned: false, reads: [] })
      })
    )

  for (const [what, capability, overturns] of [
    ["asks for what its author has, folds nothing", "kv:write", false],
    ["asks for more, is folded", "kv:admin", true]
  ] as const)
    it.live(`on an operation that leaves out what was judged, and ${what}`, () =>
      Effect.gen(function* () {
        const of = story([bob, right("kv:write", 1)])
        const policy = Policy.make({ capabilities: [capability] })
        const said = { cut: [head(of.his, 20)], reason: "late" }
        say(of.authority, { facts: [fact({ _tag: "SetPolicy", app: "kv", operation: "kv.set", policy, ...said })] })
        const { count, overturned } = yield* told(of, [runOf(of.authority)])
        assert.deepStrictEqual(
          { count, overturned },
          { count: overturns ? 21 + entries : 2 * entries, overturned: overturns }
        )
      })
    )

  it.live("on what nobody rests on turns nothing over, though its author's entries no longer count", () =>
    Effect.gen(function* () {
      const of = story()
      const words = script(of.space, carol, "authority", { time: later })
      say(words, {
        facts: [fact({ _tag: "Revoke", device: mallory.device, admission: head(of.authority).hash, ...cut(of) })],
        seen: [head(of.authority)]
      })
      const told1 = runOf(words)
      say(of.authority, { facts: [revoke(carol.device, of.admitted.carol, [head(of.hers), head(of.his)])] })
      const { overturned, reads } = yield* told({ ...of, runs: [...of.runs, told1] }, [runOf(of.authority)])
      assert.deepStrictEqual({ overturned, reads }, { overturned: false, reads: [] })
    })
  )
})

const cut = (of: Story) => ({ cut: everything(of), reason: "late" })

describe("a store that fails while it is read for that", () => {
  it.live("is read whole afterwards: books that were taken apart are not put together again", () =>
    Effect.gen(function* () {
      const of = story()
      say(of.authority, { facts: [revoke(bob.device, of.admitted.bob, [head(of.authority), head(of.his, 49)])] })
      const on = installation(keysOf(77))
      const reads: Array<number> = []
      let isDown = false
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(of.space, { rungEntriesMin: 8 })
          for (const run of of.runs) yield* replica.receive([run])
          isDown = true
          yield* replica.receive([runOf(of.authority)])
          assert.isTrue(replica.isLagging())
          isDown = false
          reads.length = 0
          yield* replica.refresh
          assert.isFalse(replica.isLagging())
          assert.include(reads, 0)
          const whole = yield* fold(yield* JournalStore, of.space, noonMillis + 60_000, "whole")
          assert.deepStrictEqual(account(replica.ledger()), account(whole.ledger))
        }),
        (store) => ({
          ...store,
          read: (space, feed, from, bytesMax) => {
            reads.push(from)
            // the first feed can be read, the second one not
            return isDown && feed === of.hers.feed.id
              ? Effect.fail(new JournalStoreError({ reason: new JournalUnavailable({ what: "a test" }) }))
              : store.read(space, feed, from, bytesMax)
          }
        })
      )
    })
  )
})

/** What was set is limited away, until root seals the first forty entries of Bob. */
const sealing = () => {
  const of = story()
  const policy = Policy.make({ minTrust: "High" })
  say(of.authority, {
    facts: [fact({ _tag: "SetPolicy", app: "kv", operation: "kv.set", policy, cut: [], reason: "early" })]
  })
  const words = script(of.space, root, "authority", { time: later })
  const digest = new Uint8Array(32)
  say(words, {
    facts: [fact({ _tag: "Seal", positions: [head(of.his, 39)], digest })],
    seen: [head(of.authority, 0)]
  })
  return { of, words }
}

describe("a late word of root's", () => {
  it.live("that seals what a limit had taken back lets it count again", () =>
    Effect.gen(function* () {
      const { of, words } = sealing()
      const limited = yield* told({ ...of, runs: [...of.runs, runOf(of.authority)] }, [])
      assert.strictEqual(limited.count, 0)
      const sealed = yield* told({ ...of, runs: [...of.runs, runOf(of.authority)] }, [runOf(words)])
      assert.strictEqual(sealed.count, 40)
      assert.isTrue(sealed.overturned)
    })
  )

  it.live("that seals something is not passed over by books that were written down before it", () =>
    Effect.gen(function* () {
      const { of, words } = sealing()
      const key = new Uint8Array(32).fill(7)
      yield* during(
        installation(keysOf(77)),
        Effect.gen(function* () {
          const replica = yield* Replica.open(of.space)
          for (const run of [...of.runs, runOf(of.authority)]) yield* replica.receive([run])
          const bytes = Checkpoint.seal(key, Checkpoint.encode(replica.ledger())!)
          yield* replica.receive([runOf(words)])
          const store = yield* JournalStore
          yield* store.commit({ space: of.space, locals: [{ name: Checkpoint.checkpointRow, bytes }] })
          const opened = yield* fold(store, of.space, noonMillis + 60_000, Redacted.make(key))
          assert.strictEqual(account(opened.ledger).count, 40)
        })
      )
    })
  )

  it.live("that settles on a branch of a forked feed lets count again what rests on it", () =>
    Effect.gen(function* () {
      const of = story()
      const his = script(of.space, bob, "authority", { time: later - 100 })
      say(his, { facts: admit(mallory, right("*")), seen: [head(of.authority)] })
      const other = branch(his, 0)
      say(other, { facts: admit(keysOf(5), right("*")), seen: [head(of.authority)] })
      const data = script(of.space, mallory, "data", { time: later })
      say(data, { facts: [set("m", "1"), add(1000)], seen: [head(his)] })
      const words = script(of.space, root, "authority", { time: later })
      say(words, { facts: [fact({ _tag: "Settle", ...head(his) })], seen: [head(of.authority, 0)] })
      const forked = { ...of, runs: [...of.runs, runOf(his), runOf(data), runOf(other)] }
      assert.strictEqual((yield* told(forked, [])).count, 2 * entries)
      const settled = yield* told(forked, [runOf(words)])
      assert.strictEqual(settled.count, 2 * entries + 1000)
    })
  )
})

describe("a ladder", () => {
  /** Books of a space in which Alice alone writes, after so many entries. */
  const climbed = (upTo: number, entriesMin: number, bytes = 100) => {
    const { space } = founded()
    const ladder = Ladder.make(entriesMin)
    const ledger = Ledger.make(space)
    for (let applied = 1; applied <= upTo; applied++) {
      ledger.applied = applied
      if (Ladder.isDue(ladder, ledger, false)) Ladder.add(ladder, ledger, new Uint8Array(bytes))
    }
    return ladder
  }

  it("has rungs at distances that double, few of them however long the journal", () => {
    const { rungs } = climbed(100_000, 16)
    const away = rungs.map(({ applied }) => 100_000 - applied)
    assert.isAtMost(rungs.length, rungsMax)
    for (let i = 1; i < away.length; i++) assert.isAtMost(away[i - 1]!, 3 * away[i]! + 64, JSON.stringify(away))
    assert.isAtLeast(away[0]!, 50_000)
  })

  it("takes no more bytes than it may, and none of books that are larger", () => {
    const { rungs } = climbed(4_000_000, 1, ladderBytesMax / 4)
    assert.isNotEmpty(rungs)
    assert.isAtMost(Ladder.bytesOf(rungs), ladderBytesMax)
    assert.deepStrictEqual(climbed(100, 1, ladderBytesMax + 1).rungs, [])
  })

  it("is climbed more seldom the larger the books are, for each rung costs their size", () => {
    const taken = (bytes: number) => climbed(60_000, 16, bytes).rungs.at(-1)!.applied
    assert.isAbove(taken(1_000), 59_000)
    assert.isBelow(taken(1_000_000), 59_000)
  })
})
