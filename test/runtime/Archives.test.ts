/**
 * Journals that go through an archive: the same on the other side, nothing unverified applied, no feed of the device itself
 * continued, and nothing missing after any number of interruptions.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Result from "effect/Result"
import { JournalFull, JournalStore, JournalStoreError } from "../../src/effects/JournalStore.ts"
import { Verifier } from "../../src/effects/Verifier.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import * as Archive from "../../src/journal/Archive.ts"
import * as Run from "../../src/journal/Run.ts"
import { exportSpaces, isSealed } from "../../src/runtime/Exporting.ts"
import { importSpaces } from "../../src/runtime/Importing.ts"
import { ArchiveBroken, inspect, type Source } from "../../src/runtime/Inspecting.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import * as Intake from "../../src/runtime/Intake.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  account,
  admit,
  alice,
  bob,
  branch,
  bring,
  carol,
  during,
  fact,
  founded,
  head,
  installation,
  mallory,
  right,
  revoke,
  root,
  runOf,
  runsOf,
  say,
  script,
  set,
  written,
  type Installation,
  type Installed
} from "./fixtures.ts"

type Wrap = (store: JournalStore["Service"]) => JournalStore["Service"]

const items = (bytes: Uint8Array): ReadonlyArray<Archive.Placed> => Result.getOrThrow(Archive.reader().take(bytes))

const bytesFrom = (list: ReadonlyArray<Archive.Item>): Uint8Array => {
  const encode = Archive.writer()
  return new Uint8Array(Buffer.concat(list.map(encode)))
}

const sourceOf = (bytes: Uint8Array): Source<never> => ({
  where: "memory",
  read: (use) => Effect.forEach(items(bytes), use, { discard: true })
})

const exported = (on: Installation, wrap?: Wrap) =>
  during(
    on,
    Effect.gen(function* () {
      const store = yield* JournalStore
      const isPruned = yield* isSealed(store, yield* store.spaces)
      const list: Array<Archive.Item> = [{ _tag: "Head", holds: "journal", isSealed: isPruned }]
      const sink = (item: Archive.Item) => Effect.sync(() => void list.push(item))
      yield* exportSpaces(store, yield* store.spaces, sink, () => Effect.void)
      return bytesFrom(list)
    }),
    wrap
  )

const inspected = (bytes: Uint8Array) =>
  during(
    installation(carol),
    Effect.flatMap(Verifier, (verifier) => inspect(sourceOf(bytes), verifier, () => Effect.void))
  )

/** As `aura journal import` does it. */
const imported = (on: Installation, bytes: Uint8Array, wrap?: Wrap) =>
  during(
    on,
    Effect.gen(function* () {
      const verifier = yield* Verifier
      const source = sourceOf(bytes)
      const services = yield* Effect.context<Installed | Scope.Scope>()
      yield* inspect(source, verifier, () => Effect.void)
      return yield* importSpaces(
        source,
        (space) => Effect.provideContext(Replica.open(space), services),
        () => Effect.void
      )
    }),
    wrap
  )

const opened = <A, E>(on: Installation, space: SpaceId, use: (replica: Replica.Replica) => Effect.Effect<A, E>) =>
  during(on, Effect.flatMap(Replica.open(space), use))

const accountOn = (on: Installation, space: SpaceId) =>
  opened(on, space, (replica) => Effect.sync(() => account(replica.ledger())))

const storedRun = ({ run }: Delivery) => Intake.stored(Result.getOrThrow(Run.decode(run)))

const rootIn = (bytes: Uint8Array) => {
  const total = items(bytes).at(-1)!
  return total._tag === "Total" ? Buffer.from(total.root).toString("hex") : ""
}

/** Alice's journal with what Bob wrote, in small runs; a fork of his and a revocation when asked for. */
const journal = Effect.fnUntraced(function* (isHostile = false) {
  const { authority, space } = founded([[bob, right("kv:write")]])
  const data = script(space, alice, "data")
  const ofBob = script(space, bob, "data", { nonce: 1 })
  const seen = [head(authority)]
  for (let i = 0; i < 20; i++) {
    say(data, { facts: [set(`a${i}`, `${i}`)], ...(i === 0 ? { seen } : {}) })
    say(ofBob, { facts: [set(`b${i}`, `${i}`)], ...(i === 0 ? { seen } : {}) })
  }
  const on = installation(alice)
  yield* bring(on, space, runOf(authority), ...runsOf(data, 3), ...runsOf(ofBob, 7))
  if (isHostile) {
    const other = branch(ofBob, 12)
    say(other, { facts: [set("b12", "otherwise")] })
    const cut = [head(data, 9)]
    say(authority, { facts: [revoke(bob.device, head(authority, 1), cut)] })
    yield* bring(on, space, runOf(other, 12), runOf(authority, 2))
  }
  return { on, space, authority, data, ofBob }
})

describe("a journal in an archive", () => {
  it.live("is the same journal on a device that had nothing, and once more does nothing", () =>
    Effect.gen(function* () {
      const { on, space } = yield* journal()
      const bytes = yield* exported(on)
      const fresh = installation(carol)
      const [first] = yield* imported(fresh, bytes)
      assert.deepStrictEqual([first?.stored, first?.leftOut.size], [42, 0])
      assert.deepStrictEqual(yield* accountOn(fresh, space), yield* accountOn(on, space))
      assert.strictEqual(rootIn(yield* exported(fresh)), rootIn(bytes))
      const [again] = yield* imported(fresh, bytes)
      assert.deepStrictEqual([again?.stored, again?.leftOut.size], [0, 0])
    })
  )

  it.live("comes with both histories of a fork and with revocations", () =>
    Effect.gen(function* () {
      const { on, space } = yield* journal(true)
      const fresh = installation(carol)
      yield* imported(fresh, yield* exported(on))
      const [here, there] = [yield* accountOn(fresh, space), yield* accountOn(on, space)]
      assert.deepStrictEqual({ ...here, frontier: [] }, { ...there, frontier: [] })
    })
  )

  it.live("joins what is there already", () =>
    Effect.gen(function* () {
      const { authority, data, ofBob, on, space } = yield* journal()
      const beside = installation(carol)
      const more = script(space, alice, "data", { nonce: 5 })
      say(more, { facts: [set("more", "1")], seen: [head(authority)] })
      yield* bring(beside, space, runOf(authority), runOf(data, 0, 5), runOf(more))
      yield* imported(beside, yield* exported(on))
      yield* bring(on, space, runOf(more))
      assert.deepStrictEqual(yield* accountOn(beside, space), yield* accountOn(on, space))
      assert.strictEqual(ofBob.entries.length, 20)
    })
  )

  it.live("that is interrupted after any number of commits is whole after the next import", () =>
    Effect.gen(function* () {
      const { on, space } = yield* journal()
      const bytes = yield* exported(on)
      for (let allowed = 0; ; allowed++) {
        const fresh = installation(carol)
        let left = allowed
        const failing: Wrap = (store) => ({
          ...store,
          commit: (commit) =>
            (commit.runs ?? []).length > 0 && left-- <= 0
              ? Effect.fail(new JournalStoreError({ reason: new JournalFull({ what: "pulled" }) }))
              : store.commit(commit)
        })
        const stopped = yield* Effect.exit(imported(fresh, bytes, failing))
        yield* imported(fresh, bytes)
        assert.strictEqual(rootIn(yield* exported(fresh)), rootIn(bytes), `after ${allowed} commits`)
        assert.deepStrictEqual(yield* accountOn(fresh, space), yield* accountOn(on, space))
        if (stopped._tag === "Success") break
      }
    })
  )

  it.live("gives a device its own feeds back, and the device goes on in a new one", () =>
    Effect.gen(function* () {
      const { data, on, space } = yield* journal()
      const again = installation(alice)
      const bytes = yield* exported(on)
      yield* imported(again, bytes)
      const before = data.entries.length
      for (const opening of ["one", "two"]) {
        yield* opened(again, space, (replica) =>
          Effect.gen(function* () {
            yield* replica.write(written(alice.device, set(opening, "1")))
            assert.strictEqual(replica.ledger().lines.get(data.feed.id)?.taken, before)
            const own = [...replica.ledger().lines.values()].filter(
              ({ feed }) => feed.device === alice.device && feed.kind === "data"
            )
            assert.strictEqual(own.length, 2, "one new feed, also at the opening after")
          })
        )
      }
      // the one that was lost went on meanwhile: no history contradicts another
      yield* opened(on, space, (replica) => replica.write(written(alice.device, set("lost", "1"))))
      yield* imported(again, yield* exported(on))
      yield* opened(again, space, (replica) => Effect.sync(() => assert.strictEqual(replica.ledger().forks.size, 0)))
    })
  )

  it.live("that was signed by somebody else is refused whole, though every hash fits", () =>
    Effect.gen(function* () {
      const { on } = yield* journal()
      const list = items(yield* exported(on))
      const runs = list.filter(({ _tag }) => _tag === "Run")
      for (const bad of [runs[0]!, runs[5]!, runs.at(-1)!]) {
        const forged = list.map((item): Archive.Item => {
          if (item !== bad || item._tag !== "Run") return item
          const run = Result.getOrThrow(Run.decode(item.bytes))
          return { _tag: "Run", bytes: Run.encode(run, new Uint8Array(64).fill(1)) }
        })
        const fresh = installation(carol)
        const refused = yield* Effect.flip(imported(fresh, bytesFrom(forged)))
        assert.instanceOf(refused, ArchiveBroken)
        assert.strictEqual(refused.offset, bad.offset)
        assert.strictEqual(fresh.disk.spaces.size, 0, "nothing was applied")
      }
    })
  )

  it.live("that leaves a run out, or says more than it holds, is refused whole", () =>
    Effect.gen(function* () {
      const { on } = yield* journal()
      const list = items(yield* exported(on))
      const without = (tag: Archive.Item["_tag"], index: number) => {
        const found = list.filter(({ _tag }) => _tag === tag).at(index)
        return bytesFrom(list.filter((item) => item !== found))
      }
      const more = list.map((item) => (item._tag === "Total" ? { ...item, entries: item.entries + 1 } : item))
      for (const bytes of [without("Run", 4), without("Run", -1), without("Ends", 0), bytesFrom(more)])
        assert.instanceOf(yield* Effect.flip(inspected(bytes)), ArchiveBroken)
    })
  )

  it.live(
    "whose data comes before what admits it is whole all the same, and a stranger's feed is left out and told",
    () =>
      Effect.gen(function* () {
        const { on, space } = yield* journal()
        const list = items(yield* exported(on))
        const feeds = list.flatMap((item, at) => (item._tag === "Feed" ? [at] : []))
        const [second, end] = [feeds[1]!, list.findIndex(({ _tag }) => _tag === "Ends")]
        const turned = [list.slice(0, feeds[0]), list.slice(second, end), list.slice(feeds[0], second), list.slice(end)]
        const fresh = installation(carol)
        const [one] = yield* imported(fresh, bytesFrom(turned.flat()))
        assert.deepStrictEqual([one?.stored, one?.leftOut.size], [42, 0])

        const strange = script(space, mallory, "data")
        say(strange, { facts: [set("stolen", "1")] })
        const { feed, hash } = head(strange)
        const ends = [...list].flatMap((item) => (item._tag === "Ends" ? item.ends : []))
        const all = [...ends, { feed, entries: 1, hash }]
        const total = list.at(-1)!
        if (total._tag !== "Total") return assert.fail("the last record is the total")
        const root = Archive.rootOf(new Map([[space, all]]))
        const { entries, feeds: count, runs } = total
        const outcome = yield* imported(
          installation(carol),
          bytesFrom([
            ...list.slice(0, end),
            { _tag: "Feed", header: strange.feed.bytes, from: 0 },
            { _tag: "Run", bytes: runOf(strange).run },
            ...Archive.endsOf(all),
            { _tag: "Total", spaces: 1, feeds: count + 1, runs: runs + 1, entries: entries + 1, root }
          ])
        )
        assert.deepStrictEqual(
          outcome.map(({ leftOut, stored }) => [stored, [...leftOut]]),
          [[42, [["its device is no member, as far as this replica knows", 1]]]]
        )
      })
  )

  it.live("that grew while it was written holds what its last entries had seen", () =>
    Effect.gen(function* () {
      const { authority, data, on, space } = yield* journal()
      // between two feeds Carol is admitted, Alice writes having seen it, and her feed is packed
      let isDone = false
      const growing: Wrap = (store) => ({
        ...store,
        read: (...asked) =>
          Effect.gen(function* () {
            if (!isDone && asked[1] === data.feed.id) {
              isDone = true
              say(authority, { facts: admit(carol) })
              const admitted = storedRun(runOf(authority, authority.entries.length - 1))
              say(data, { facts: [set("late", "1")], seen: [head(authority)] })
              const late = storedRun(runOf(data, data.entries.length - 1))
              yield* store.commit({ space, runs: [admitted, late] })
              yield* store.repack(space, storedRun(runOf(data)))
            }
            return yield* store.read(...asked)
          })
      })
      const bytes = yield* exported(on, growing)
      assert.isTrue(isDone)
      const fresh = installation(carol)
      const [one] = yield* imported(fresh, bytes)
      assert.strictEqual(one?.leftOut.size, 0)
      const { blocked, entries } = yield* accountOn(fresh, space)
      assert.deepStrictEqual(blocked, [])
      assert.deepInclude(entries, ["late", "1"])
    })
  )
})

/** Alice's journal, sealed by root and pruned, and three entries of Bob more. */
const pruned = Effect.fnUntraced(function* () {
  const { authority, ofBob, on, space } = yield* journal()
  const before = yield* exported(on)
  yield* opened(on, space, (replica) =>
    Effect.gen(function* () {
      const { books, fact: seal } = Result.getOrThrow(replica.proposeSeal())
      const words = script(space, root, "authority", { time: authority.entries.at(-1)!.time + 1000 })
      say(words, { facts: [fact(seal)], seen: [head(authority)] })
      yield* replica.receive([runOf(words)])
      yield* replica.takeUp(books)
      assert.isAbove(yield* replica.drop, 30)
      for (let i = 20; i < 23; i++) say(ofBob, { facts: [set(`b${i}`, `${i}`)] })
      yield* replica.receive([runOf(ofBob, 20)])
    })
  )
  return { before, on, space }
})

describe("a pruned journal in an archive", () => {
  it.live("is the same on a device that had nothing, some of it, or all of it unpruned", () =>
    Effect.gen(function* () {
      const { before, on, space } = yield* pruned()
      const bytes = yield* exported(on)
      assert.strictEqual(items(bytes).filter(({ _tag }) => _tag === "Sealed").length, 1)
      const whole = yield* accountOn(on, space)
      for (const earlier of [undefined, before]) {
        const fresh = installation(carol)
        if (earlier !== undefined) yield* imported(fresh, earlier)
        for (let again = 0; again < 2; again++) {
          const [one] = yield* imported(fresh, bytes)
          assert.strictEqual(one?.leftOut.size, 0)
          assert.deepStrictEqual(yield* accountOn(fresh, space), whole)
        }
        assert.strictEqual(rootIn(yield* exported(fresh)), rootIn(bytes), "a journal keeps its name")
      }
    })
  )

  it.live("is refused where the books are not those that root sealed, are missing, or are cut", () =>
    Effect.gen(function* () {
      const { on } = yield* pruned()
      const list = items(yield* exported(on))
      const altered = (change: (item: Archive.Item) => ReadonlyArray<Archive.Item>) => bytesFrom(list.flatMap(change))
      const onSealed = (change: (item: Archive.Item & { _tag: "Sealed" }) => ReadonlyArray<Archive.Item>) =>
        altered((item) => (item._tag === "Sealed" ? change(item) : [item]))
      for (const [what, bytes] of [
        ["forged", onSealed((item) => [{ ...item, bytes: item.bytes.with(item.bytes.length - 1, 99) }])],
        ["missing", onSealed(() => [])],
        ["cut", onSealed((item) => [{ ...item, bytes: item.bytes.subarray(0, 40) }])],
        ["from the middle", onSealed((item) => [{ ...item, from: 1 }])],
        ["twice", onSealed((item) => [item, item])]
      ] as const) {
        const fault = yield* Effect.flip(inspected(bytes))
        assert.instanceOf(fault, ArchiveBroken, what)
      }
      const first = altered((item) => (item._tag === "Head" ? [{ ...item, isSealed: false }] : [item]))
      assert.isTrue(Result.isFailure(Archive.reader().take(first)), "version 1 holds no sealed books")
    })
  )
})
