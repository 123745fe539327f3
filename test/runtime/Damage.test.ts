/** Bytes that are not what was written, in the store and on the wire: reported or refused, never applied. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { JournalStore, StoredRun } from "../../src/effects/JournalStore.ts"
import * as Fork from "../../src/journal/Fork.ts"
import * as Run from "../../src/journal/Run.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import { fold, type Folded } from "../../src/runtime/Fold.ts"
import * as Ledger from "../../src/runtime/Ledger.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import { JournalStore as Store } from "../../src/effects/JournalStore.ts"
import {
  account,
  add,
  alice,
  bob,
  branch,
  bring,
  definition,
  during,
  entriesOf,
  founded,
  head,
  installation,
  keysOf,
  noonMillis,
  right,
  runOf,
  say,
  script,
  set,
  written,
  type Script
} from "./fixtures.ts"
import { dice } from "./histories.ts"

const now = noonMillis + 60_000

/** A space with two authority runs and so many data entries of Alice and Bob, in runs of ten. */
const journal = (entries: number) =>
  Effect.gen(function* () {
    const { authority, space } = founded([[bob, right("*", 1)]])
    const scripts = [script(space, alice, "data"), script(space, bob, "data")]
    for (const data of scripts)
      for (let i = 0; i < entries; i++)
        say(data, { facts: [set(`k${i % 5}`, `${i}`), add(1)], seen: i % 1024 === 0 ? [head(authority)] : [] })
    const runs: Array<Delivery> = [runOf(authority, 0, 0), runOf(authority, 1)]
    for (const data of scripts)
      for (let first = 0; first < entries; first += 10) runs.push(runOf(data, first, Math.min(entries, first + 10) - 1))
    const on = installation(keysOf(77))
    yield* bring(on, space, ...runs)
    return { authority, on, runs, scripts, space }
  })

/** Reads the journal back with one byte of one run turned. */
const foldFlipped = (
  store: JournalStore["Service"],
  space: Parameters<typeof fold>[1],
  flip: { readonly feed: string; readonly first: number; readonly at: number }
): Effect.Effect<Folded, unknown> =>
  fold(
    {
      ...store,
      read: (of, feed, from, bytesMax) =>
        Effect.map(store.read(of, feed, from, bytesMax), (runs) =>
          runs.map((run): StoredRun => {
            if (run.feed !== flip.feed || run.first !== flip.first) return run
            return { ...run, bytes: flipped(run.bytes, flip.at) }
          })
        )
    },
    space,
    now,
    "whole"
  )

const signatureBytes = 64

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte))

/** The framing of a run is not canonical: another byte may unfold to the very same entries. */
const meansTheSame = (bytes: Uint8Array, original: Uint8Array): boolean => {
  const [a, b] = [Run.decode(bytes), Run.decode(original)]
  return (
    Result.isSuccess(a) &&
    Result.isSuccess(b) &&
    a.success.feed === b.success.feed &&
    Run.lastHash(a.success) === Run.lastHash(b.success)
  )
}

/** What may stand in a state that was read from a damaged journal: of each feed a beginning, nothing else. */
const counted = (ledger: Ledger.Ledger): number => Number(Ledger.read(ledger, definition)["count"])

const checkFlips = (
  entries: number,
  positions: (size: number) => Iterable<number>,
  runsOf: (count: number) => Iterable<number>
) =>
  Effect.gen(function* () {
    const { on, space } = yield* journal(entries)
    yield* during(
      on,
      Effect.gen(function* () {
        const store = yield* Store
        const whole = yield* fold(store, space, now, "whole")
        assert.deepStrictEqual(whole.damage, [])
        const stored: Array<StoredRun> = []
        for (const { feed } of yield* store.feeds(space))
          stored.push(...(yield* store.read(space, feed, 0, Number.MAX_SAFE_INTEGER)))
        for (const index of runsOf(stored.length)) {
          const run = stored[index]!
          for (const at of positions(run.bytes.length)) {
            const place = `byte ${at} of ${run.bytes.length}, entries ${run.first} to ${run.last} of ${run.feed.slice(0, 8)}`
            const { damage, ledger } = yield* foldFlipped(store, space, { feed: run.feed, first: run.first, at })
            const turned = flipped(run.bytes, at)
            if (at >= run.bytes.length - signatureBytes || meansTheSame(turned, run.bytes)) {
              // a signature counts when a run arrives; framing that unfolds to the same is the same run
              assert.deepStrictEqual(account(ledger), account(whole.ledger), place)
              continue
            }
            assert.lengthOf(damage, 1, place)
            assert.strictEqual(damage[0]!.feed, run.feed, place)
            assert.isTrue(damage[0]!.seq === run.first && damage[0]!.what !== "", place)
            assert.strictEqual(ledger.lines.get(run.feed)!.taken, run.first, place)
            assert.strictEqual(counted(ledger), ledger.applied, place)
            assert.strictEqual(ledger.quarantine.size, 0, place)
            for (const [id, line] of ledger.lines)
              if (id !== run.feed) assert.strictEqual(line.taken, whole.ledger.lines.get(id)!.taken, place)
          }
        }
      })
    )
  })

describe("a stored byte that turned", () => {
  it.live("is damage with a name wherever it is; what lies before it and beside it is usable", () =>
    checkFlips(
      12,
      (size) => Array.from({ length: size }, (_, at) => at),
      (count) => Array.from({ length: count }, (_, index) => index)
    )
  )

  it.live("is damage at 500 places of a large journal too", () => {
    const chance = dice(11)
    const places = Array.from({ length: 25 }, () => chance.roll(1_000_000))
    return checkFlips(
      400,
      (size) => Array.from({ length: 20 }, () => chance.roll(size)),
      (count) => places.map((place) => place % count)
    )
  })

  it.live("in a header keeps that feed out", () =>
    Effect.gen(function* () {
      const { on, space } = yield* journal(12)
      yield* during(
        on,
        Effect.gen(function* () {
          const store = yield* Store
          const feeds = yield* store.feeds(space)
          for (const broken of feeds) {
            for (let at = 0; at < broken.header.length; at++) {
              const folded = yield* fold(
                {
                  ...store,
                  feeds: () =>
                    Effect.succeed(
                      feeds.map((one) => {
                        if (one !== broken) return one
                        return { ...one, header: flipped(one.header, at) }
                      })
                    )
                },
                space,
                now,
                "whole"
              )
              assert.deepStrictEqual(
                folded.damage.map(({ feed }) => feed),
                [broken.feed]
              )
              assert.isFalse(folded.ledger.lines.has(broken.feed))
              assert.isTrue(folded.ledger.damaged.has(broken.feed))
            }
          }
        })
      )
    })
  )

  it.live("in a feed of the device itself ends that feed here: it goes on in a new one, others' feeds too", () =>
    Effect.gen(function* () {
      const { authority, scripts, space } = yield* journal(12)
      const [hers, his] = scripts as [Script, Script]
      const on = installation(alice)
      yield* bring(on, space, runOf(authority), runOf(hers, 0, 5), runOf(hers, 6), runOf(his, 0, 5), runOf(his, 6))
      const flip = (store: JournalStore["Service"]): JournalStore["Service"] => ({
        ...store,
        read: (of, feed, from, bytesMax) =>
          Effect.map(store.read(of, feed, from, bytesMax), (runs) =>
            runs.map((run) => (run.first === 6 ? { ...run, bytes: flipped(run.bytes, 80) } : run))
          )
      })
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          assert.lengthOf(replica.damage(), 2)
          const { position } = yield* replica.write(written(alice.device, set("new", "1")))
          assert.notStrictEqual(position.feed, hers.feed.id)
          const outcomes = yield* replica.receive([runOf(his, 6)])
          assert.deepStrictEqual(outcomes, [
            { _tag: "Unwanted", feed: his.feed.id, why: "its stored entries are damaged here" }
          ])
          assert.strictEqual(entriesOf(replica)["new"], "1")
        }),
        flip
      )
    })
  )
})

describe("a run on the wire", () => {
  it.live("with any byte turned is refused or unknown, and changes nothing", () =>
    Effect.gen(function* () {
      const { authority, on, scripts, space } = yield* journal(12)
      const [hers] = scripts as [Script, Script]
      say(hers, { facts: [add(1_000)] })
      say(hers, { facts: [add(1_000)] })
      const good = runOf(hers, 12)
      const founding = runOf(authority, 0, 0)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const before = account(replica.ledger())
          for (let at = 0; at < good.run.length; at++) {
            const turned = flipped(good.run, at)
            if (at < good.run.length - signatureBytes && meansTheSame(turned, good.run)) continue
            const [outcome] = yield* replica.receive([{ header: undefined, run: turned }])
            assert.include(["Refused", "Detached"], outcome!._tag, `byte ${at}`)
            assert.deepStrictEqual(account(replica.ledger()), before, `byte ${at}`)
          }
          assert.strictEqual((yield* replica.receive([good]))[0]?._tag, "Stored")
        })
      )
      // headers matter where the feed is new
      yield* during(
        installation(keysOf(78)),
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const header = founding.header!
          for (let at = 0; at < header.length; at++) {
            const [outcome] = yield* replica.receive([{ ...founding, header: flipped(header, at) }])
            assert.strictEqual(outcome?._tag, "Refused", `header ${at}`)
          }
          assert.strictEqual(replica.ledger().lines.size, 0)
        })
      )
    })
  )

  it.live("whose time falls behind the entry before it is refused, as within a run", () =>
    Effect.gen(function* () {
      const { on, scripts, space } = yield* journal(12)
      const [hers] = scripts as [Script, Script]
      say(hers, { facts: [add(1)], time: hers.entries[10]!.time })
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const [outcome] = yield* replica.receive([runOf(hers, 12)])
          assert.deepStrictEqual(outcome, {
            _tag: "Refused",
            why: "a run whose time is not above that of the entry before it"
          })
        })
      )
    })
  )
})

describe("a fork proof", () => {
  it.live("with any byte turned proves nothing", () =>
    Effect.gen(function* () {
      const { on, scripts, space } = yield* journal(4)
      const [hers] = scripts as [Script, Script]
      const other = branch(hers, 2)
      say(other, { facts: [add(7)] })
      const [a, b] = [hers, other].map((of) => Result.getOrThrow(Run.decode(runOf(of).run)))
      const proof = Fork.between(hers.feed, a!, b!)!.bytes
      const genuine = Result.getOrThrow(Fork.decode(proof))
      const hashesOf = ({ branches }: Fork.Fork): string =>
        branches.map((run) => `${Run.lastHash(run)} ${run.signature.join()}`).join()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          for (let at = 0; at < proof.length; at++) {
            const turned = Fork.decode(flipped(proof, at))
            const isTrue = Result.isSuccess(turned) && hashesOf(turned.success) === hashesOf(genuine)
            if (!isTrue) assert.isFalse(yield* replica.prove(flipped(proof, at)), `byte ${at}`)
          }
          assert.strictEqual(replica.ledger().forks.size, 0)
          assert.isTrue(yield* replica.prove(proof))
        })
      )
    })
  )
})
