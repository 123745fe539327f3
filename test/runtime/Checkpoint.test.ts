/** A checkpoint is a cache: taken up whole when it fits, and otherwise not at all, whatever is wrong with it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Checkpoint from "../../src/runtime/Checkpoint.ts"
import { fold } from "../../src/runtime/Fold.ts"
import {
  account,
  add,
  bob,
  bring,
  during,
  founded,
  head,
  installation,
  keysOf,
  noonMillis,
  right,
  runOf,
  say,
  script,
  set
} from "./fixtures.ts"

const now = noonMillis + 60_000
const entries = 40
const key = new Uint8Array(32).fill(7)

/** A journal with a checkpoint behind it that `alter` was given; how it folds, and from where its data were read. */
const foldedBehind = (
  alter: (parts: Array<Cbor.Cbor>) => void,
  sealed: (row: Uint8Array) => Uint8Array = (row) => row
) =>
  Effect.gen(function* () {
    const { authority, space } = founded([[bob, right("*", 1)]])
    const data = script(space, bob, "data")
    for (let i = 0; i < entries; i++)
      say(data, { facts: [set(`k${i % 5}`, `${i}`), add(1)], seen: i === 0 ? [head(authority)] : [] })
    const on = installation(keysOf(77))
    yield* bring(on, space, runOf(authority), runOf(data, 0, entries / 2 - 1), runOf(data, entries / 2))
    const reads: Array<number> = []
    return yield* during(
      on,
      Effect.gen(function* () {
        const store = yield* JournalStore
        const whole = yield* fold(store, space, now, "whole")
        const bytes = Checkpoint.encode(whole.ledger)!
        const parts = [...(Result.getOrThrow(Cbor.decode(bytes, { depthMax: 32 })) as ReadonlyArray<Cbor.Cbor>)]
        alter(parts)
        const altered = Cbor.encode(parts, { depthMax: 32 })
        const row = sealed(Checkpoint.seal(key, altered))
        yield* store.commit({ space, locals: [{ name: Checkpoint.checkpointRow, bytes: row }] })
        reads.length = 0
        const quick = yield* fold(store, space, now, Redacted.make(key))
        assert.deepStrictEqual(account(quick.ledger), account(whole.ledger))
        return reads
      }),
      (store) => ({
        ...store,
        read: (of, feed, from, bytesMax) => {
          if (feed === data.feed.id) reads.push(from)
          return store.read(of, feed, from, bytesMax)
        }
      })
    )
  })

describe("a checkpoint", () => {
  it.live("that fits is taken up: nothing that it covers is read", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* foldedBehind(() => {}), [])
    })
  )

  const wrong: ReadonlyArray<readonly [what: string, alter: (parts: Array<Cbor.Cbor>) => void]> = [
    ["of the version before", (parts) => (parts[0] = 1)],
    ["of a version to come", (parts) => (parts[0] = 3)],
    ["of other restrictions", (parts) => (parts[1] = new Uint8Array(32))],
    [
      "whose state is of another version",
      (parts) => (parts[3] = [1, ...(parts[3] as ReadonlyArray<Cbor.Cbor>).slice(1)])
    ],
    ["whose state is cut off", (parts) => (parts[3] = (parts[3] as ReadonlyArray<Cbor.Cbor>).slice(0, 1))],
    ["whose state has lost a number", (parts) => (parts[3] = without(parts[3], 1))],
    ["whose state has lost its names", (parts) => (parts[3] = without(parts[3], 2))],
    ["whose state has lost its texts", (parts) => (parts[3] = without(parts[3], 3))],
    ["whose state says more than its fields", (parts) => (parts[3] = withMore(parts[3]))]
  ]
  const forged: ReadonlyArray<readonly [what: string, sealed: (row: Uint8Array) => Uint8Array]> = [
    ["sealed by somebody else", (row) => Checkpoint.seal(key.with(31, 8), row.subarray(32))],
    ["not sealed at all", (row) => row.subarray(32)],
    ["with another tag", (row) => row.with(0, row[0]! ^ 1)],
    ["with another byte in it", (row) => row.with(row.length - 1, row.at(-1)! ^ 1)],
    ["of which nothing is left", () => new Uint8Array(0)]
  ]
  for (const [what, sealed] of forged)
    it.live(`${what} is passed over: who can write to the store makes no state`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* foldedBehind(() => {}, sealed), [0])
      })
    )

  for (const [what, alter] of wrong)
    it.live(`${what} is passed over: all is read again`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* foldedBehind(alter), [0])
      })
    )
})

type Columns = readonly [number, ReadonlyArray<Cbor.Cbor>]

/** The state's data with one column shorter by what stands last in it. */
const without = (state: Cbor.Cbor | undefined, column: number): Cbor.Cbor => {
  const [version, columns] = state as unknown as Columns
  const shorter = (whole: Cbor.Cbor): Cbor.Cbor =>
    whole instanceof Uint8Array ? whole.slice(0, -1) : (whole as ReadonlyArray<Cbor.Cbor>).slice(0, -1)
  return [version, columns.map((one, at) => (at === column ? shorter(one) : one))]
}

const withMore = (state: Cbor.Cbor | undefined): Cbor.Cbor => {
  const [version, columns] = state as unknown as Columns
  return [version, [...columns.slice(0, 4), [...(columns[4] as ReadonlyArray<Cbor.Cbor>), true]]]
}
