/**
 * Every journal store does what MemoryJournal does, whatever is asked of it in whatever order: the same answers, the same
 * refusals. Sizes collide with the bounds at which rows are shared, deflated or cut.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as FastCheck from "fast-check"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  header,
  home,
  noise,
  phone,
  laptop,
  runOf,
  hashAt,
  work,
  type Store
} from "../../src/conformance/JournalSample.ts"
import type { Commit, JournalStoreError } from "../../src/effects/JournalStore.ts"
import * as MemoryJournal from "../../src/handlers/memory/MemoryJournal.ts"
import * as PostgresJournal from "../../src/handlers/node/PostgresJournal.ts"
import * as SqliteJournal from "../../src/handlers/node/SqliteJournal.ts"
import { clusterOfFile } from "./clusterOfFile.ts"

const cluster = clusterOfFile()
const feeds = [phone, laptop]
const spaces = [home, work]

/** Around what is deflated, and what rows share at most. */
const lengths = [1, 40, 700, 8_191, 8_192, 20_000, 40_000]

type Act =
  | {
      readonly _tag: "Commit"
      readonly at: number
      readonly runs: ReadonlyArray<readonly [entries: number, length: number]>
    }
  | { readonly _tag: "Repack" | "Start"; readonly at: number; readonly from: number; readonly to: number }
  | { readonly _tag: "Read"; readonly at: number; readonly from: number; readonly bytesMax: number }

const place = FastCheck.nat(3)
const runs = FastCheck.array(
  FastCheck.tuple(FastCheck.integer({ min: 1, max: 4 }), FastCheck.constantFrom(...lengths)),
  { minLength: 1, maxLength: 6 }
)
const acts: FastCheck.Arbitrary<ReadonlyArray<Act>> = FastCheck.array(
  FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.record({ _tag: FastCheck.constant("Commit" as const), at: place, runs }) },
    {
      weight: 3,
      arbitrary: FastCheck.record({
        _tag: FastCheck.constantFrom("Repack" as const, "Start" as const),
        at: place,
        from: FastCheck.nat(20),
        to: FastCheck.nat(20)
      })
    },
    {
      weight: 2,
      arbitrary: FastCheck.record({
        _tag: FastCheck.constant("Read" as const),
        at: place,
        from: FastCheck.nat(30),
        bytesMax: FastCheck.constantFrom(0, 1, 41, 9_000, 70_000, Infinity)
      })
    }
  ),
  { minLength: 1, maxLength: 24 }
)

const told = <A>(work: Effect.Effect<A, JournalStoreError>) =>
  Effect.map(
    Effect.result(work),
    Result.match({ onFailure: ({ reason }) => reason._tag, onSuccess: (value) => value ?? "done" })
  )

/** The feed of an act, and its ends as the store tells them. */
const doneBy = (store: Store) => (act: Act) =>
  Effect.gen(function* () {
    const [space, feed] = [spaces[act.at % 2]!, feeds[act.at >> 1]!]
    const head = (yield* store.feeds(space)).find((one) => one.feed === feed)
    const entries = head?.entries ?? 0
    switch (act._tag) {
      case "Commit": {
        let next = entries
        const commits = act.runs.map(([count, length]): Commit => {
          const run = runOf(feed, next, (next += count) - 1, noise(`${space} ${next}`, length))
          return { space, feeds: [{ feed, header: header(feed) }], runs: [run] }
        })
        // the first of them alone, the others together: as many rows as the store likes
        const [first, ...others] = commits
        const whole = { ...others[0]!, runs: others.flatMap(({ runs }) => runs ?? []) }
        const all = others.length === 0 ? [first!] : [first!, whole]
        return yield* Effect.all(
          all.map((commit) => told(store.commit(commit))),
          { concurrency: "unbounded" }
        )
      }
      case "Repack": {
        const stored = yield* store.read(space, feed, 0, Infinity)
        const [from, to] = [stored[act.from % (stored.length + 1)], stored[act.to % (stored.length + 1)]]
        const [first, last] = [from?.first ?? act.from, to?.last ?? act.to]
        return yield* told(
          store.repack(space, runOf(feed, first, last, noise(`packed ${first} ${last}`, 90 * (act.to + 1))))
        )
      }
      case "Start": {
        const at = act.from % (entries + 3)
        const start = { feed, header: header(feed), entries: at, hash: hashAt(feed, at - 1) }
        const run = runOf(feed, Math.max(at, entries), Math.max(at, entries), noise("behind", 30))
        return yield* told(store.commit({ space, starts: [start], runs: act.to % 2 === 0 ? [] : [run] }))
      }
      case "Read":
        return yield* told(store.read(space, feed, act.from, act.bytesMax))
    }
  })

const everything = (store: Store) =>
  Effect.forEach(spaces, (space) =>
    Effect.all([store.feeds(space), ...feeds.map((feed) => store.read(space, feed, 0, Infinity))])
  )

/** Bytes by their digest: what differs is to be read at a glance. */
const shown = (answer: unknown): string =>
  JSON.stringify(answer, (_, value: unknown) =>
    value instanceof Uint8Array
      ? `${value.length} ${createHash("sha256").update(value).digest("hex").slice(0, 8)}`
      : value
  )

const lifeOf = (
  open: Effect.Effect<Store, JournalStoreError, Scope.Scope>,
  acts: ReadonlyArray<Act>
): Promise<ReadonlyArray<unknown>> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(open, scope)
      const answers: Array<unknown> = []
      for (const act of acts) answers.push(shown(yield* doneBy(store)(act)))
      yield* Scope.close(scope, Exit.void)
      const again = yield* Effect.scoped(Effect.flatMap(open, everything))
      return [...answers, shown(again)]
    })
  )

const isSame = (open: () => Effect.Effect<Store, JournalStoreError, Scope.Scope>) =>
  FastCheck.assert(
    FastCheck.asyncProperty(acts, async (acts) => {
      const disk = MemoryJournal.disk()
      const expected = await lifeOf(MemoryJournal.make(disk), acts)
      assert.deepStrictEqual(await lifeOf(open(), acts), expected)
    }),
    { numRuns: 40 }
  )

describe("what MemoryJournal answers", () => {
  it("answers SqliteJournal", async () => {
    const directory = mkdtempSync(join(tmpdir(), "aura-model-"))
    let files = 0
    await isSame(() => SqliteJournal.make({ path: join(directory, `${files++}.sqlite`) })).finally(() =>
      rmSync(directory, { recursive: true })
    )
  }, 60_000)

  it("answers PostgresJournal", async () => {
    let owners = 0
    await isSame(() => PostgresJournal.make({ url: cluster.url, owner: `model ${owners++}` }))
  }, 120_000)
})
