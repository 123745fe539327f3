/** The journal as people ask for it: by device, by what was said, by time, and the newest of that. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ErrandOf } from "../../src/cli/Errand.ts"
import { answer } from "../../src/cli/journal.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import { Time } from "../../src/effects/Time.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  add,
  alice,
  bob,
  bring,
  carol,
  during,
  founded,
  head,
  installation,
  noonMillis,
  right,
  runOf,
  runsOf,
  say,
  script,
  set
} from "../runtime/fixtures.ts"

const minute = 60_000
const entries = 2_500
const millisOf = (entry: number): number => noonMillis + (entry + 1) * minute

type Asked = ErrandOf<"JournalLog">
const nothing: Omit<Asked, "_tag"> = { limit: 50, device: null, type: null, since: null, until: null }

/** Bob said something each minute, a sum each hundredth time; Carol said one thing in the middle. */
const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
const bobs = script(space, bob, "data")
for (let at = 0; at < entries; at++) {
  const seen = at % 1024 === 0 ? [head(authority)] : []
  const facts = [at % 100 === 99 ? add(1) : set("key", `${at}`)]
  say(bobs, { facts, seen, time: Clock.fromMillis(millisOf(at)) })
}
const carols = script(space, carol, "data")
say(carols, { facts: [set("key", "hers")], seen: [head(authority)], time: Clock.fromMillis(millisOf(1_000) + 1) })

const hers = installation(alice)
hers.clock.millis = millisOf(entries)
const filled = bring(hers, space, runOf(authority), ...runsOf(bobs, 300), runOf(carols))

const ask = (asked: Partial<Omit<Asked, "_tag">>) =>
  during(
    hers,
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      const office = {
        replica: Effect.succeed(replica),
        store: yield* JournalStore,
        time: yield* Time
      }
      const found: Array<{ readonly device: string; readonly seq: number }> = []
      const voice = {
        data: ({ device, seq }: Readonly<Record<string, unknown>>) =>
          Effect.sync(() => void found.push({ device: String(device), seq: Number(seq) })),
        note: () => Effect.void
      }
      yield* answer(office, { _tag: "JournalLog", ...nothing, ...asked }, voice)
      return found
    })
  )

const seqs = (found: ReadonlyArray<{ readonly seq: number }>) => found.map(({ seq }) => seq)
const iso = (millis: number): string => new Date(millis).toISOString()

describe("aura journal log", () => {
  it.live("tells what was asked for, the newest of it, oldest first", () =>
    Effect.gen(function* () {
      yield* filled
      assert.deepStrictEqual(seqs(yield* ask({ limit: 3 })), [2497, 2498, 2499])
      const byCarol = yield* ask({ device: carol.device.slice(0, 8) })
      assert.deepStrictEqual(byCarol, [{ device: carol.device, seq: 0 }])
      assert.deepStrictEqual(seqs(yield* ask({ type: "kv.add", limit: 3 })), [2299, 2399, 2499])
      assert.strictEqual((yield* ask({ type: "kv.add", limit: 100 })).length, 25)
      assert.strictEqual((yield* ask({ type: "kv.*", limit: 10_000 })).length, entries + 1)
      assert.strictEqual((yield* ask({ type: "aura.device.*" })).length, 2)
      assert.deepStrictEqual(yield* ask({ type: "kv" }), [])
      const around = yield* ask({ since: iso(millisOf(1_000)), until: iso(millisOf(1_002)) })
      assert.deepStrictEqual(
        around.map(({ device, seq }) => [device, seq]),
        [
          [bob.device, 1_000],
          [carol.device, 0],
          [bob.device, 1_001]
        ]
      )
      assert.deepStrictEqual(seqs(yield* ask({ since: "2m" })), [2498, 2499])
      assert.deepStrictEqual(yield* ask({ until: iso(noonMillis - minute) }), [])
      const last = yield* ask({ until: iso(millisOf(10)), device: bob.device, limit: 2 })
      assert.deepStrictEqual(seqs(last), [8, 9])
    })
  )

  for (const [what, asked, code] of [
    ["a device that nobody is", { device: "Nobody" }, "DeviceUnknown"],
    ["a time that is none", { since: "yesterday" }, "TimeInvalid"],
    ["a type with a star inside", { type: "kv.*.x" }, "TypeInvalid"],
    ["no entries", { limit: 0 }, "LimitInvalid"]
  ] as const) {
    it.live(`refuses ${what}`, () =>
      Effect.map(Effect.flip(ask(asked)), (problem) => assert.deepInclude(problem, { code, isUsage: true }))
    )
  }
})
