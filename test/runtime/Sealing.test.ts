/** Replicas that stand on what root sealed have the books of those that read everything, whatever came, and drop what lies below. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import { JournalStore } from "../../src/effects/JournalStore.ts"
import type { Delivery } from "../../src/runtime/Arrivals.ts"
import { fold, foldTo } from "../../src/runtime/Fold.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Sealed from "../../src/runtime/Sealed.ts"
import {
  account,
  add,
  agentOn,
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
  keysOf,
  noon,
  noonMillis,
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
  type Script
} from "./fixtures.ts"
import { dice, history } from "./histories.ts"

const dave = keysOf(5)
const entries = 40
const later = noon + 1_000

/** Bob and Carol wrote; Bob also what he may not. */
const story = () => {
  const { authority, space } = founded([
    [bob, right("kv:write", 1)],
    [carol, right("kv:write", 1)],
    [dave, right("space:read")]
  ])
  const admitted = { bob: head(authority, 1), carol: head(authority, 2) }
  const [his, hers] = [script(space, bob, "data"), script(space, carol, "data")]
  for (let i = 0; i < entries; i++)
    for (const of of [his, hers])
      say(of, {
        facts: [set(`k${i % 5}`, `${i}`), add(1)],
        seen: i === 0 ? [head(authority)] : [],
        request: i === 10 && of === hers ? { requester: carol.device, key: "once" } : undefined
      })
  say(his, { facts: [{ type: "kv.name", payload: [["add", "names", "forbidden"]] }] })
  return { admitted, authority, hers, his, space }
}

type Story = ReturnType<typeof story>

/** What root says to seal what lies before these entries, and the books that are sealed. */
const sealOf = ({ authority, hers, his, space }: Story, upTo: readonly [number, number], time = later) =>
  during(
    installation(keysOf(70)),
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      for (const delivery of [runOf(authority), runOf(his, 0, upTo[0]), runOf(hers, 0, upTo[1])])
        yield* replica.receive([delivery])
      const proposed = Result.getOrThrow(replica.proposeSeal())
      const words = script(space, root, "authority", { time })
      say(words, { facts: [fact(proposed.fact)], seen: [head(authority)] })
      return { ...proposed, words }
    })
  )

/** A replica that gets these, is told to take up these books if there are any, and what its own opening makes of it. */
const taken = (
  { space }: Story,
  deliveries: ReadonlyArray<Delivery>,
  books?: Uint8Array,
  after: (replica: Replica.Replica) => Effect.Effect<unknown, unknown> = () => Effect.void
) => {
  const on = installation(keysOf(71))
  return Effect.gen(function* () {
    const live = yield* during(
      on,
      Effect.gen(function* () {
        const replica = yield* Replica.open(space)
        for (const delivery of deliveries) yield* replica.receive([delivery])
        if (books !== undefined) yield* replica.takeUp(books)
        yield* Effect.orDie(after(replica) as Effect.Effect<unknown, never>)
        return account(replica.ledger())
      })
    )
    const opened = yield* during(
      on,
      Effect.gen(function* () {
        const store = yield* JournalStore
        const folded = yield* fold(store, space, noonMillis + 60_000, "whole")
        return { ...folded, books: account(folded.ledger) }
      })
    )
    assert.deepStrictEqual(opened.damage, [])
    assert.deepStrictEqual(opened.books, live, "what is read back is what was there")
    return live
  })
}

/** Two accounts but for what was refused below the seal. */
const same = (a: ReturnType<typeof account>, b: ReturnType<typeof account>): void => {
  const seen = ({ quarantine: _, ...rest }: ReturnType<typeof account>) => rest
  assert.deepStrictEqual(seen(a), seen(b))
}

const everything = ({ authority, hers, his }: Story): ReadonlyArray<Delivery> => [
  runOf(authority),
  ...runsOf(his, 8),
  ...runsOf(hers, 8)
]

describe("a replica that was handed what root sealed", () => {
  it.live("has the books of who read everything, with and without the entries below", () =>
    Effect.gen(function* () {
      const of = story()
      const { books, words } = yield* sealOf(of, [29, 20])
      const whole = yield* taken(of, [...everything(of), runOf(words)])
      const stands = yield* taken(of, [...everything(of), runOf(words)], books)
      same(stands, whole)
      const fresh = [runOf(of.authority), runOf(words)]
      const rest = (replica: Replica.Replica) =>
        Effect.forEach([runOf(of.his, 30), runOf(of.hers, 21)], (delivery) => replica.receive([delivery]))
      same(yield* taken(of, fresh, books, rest), whole)
      const some = [runOf(of.authority), runOf(of.his, 0, 10), runOf(words)]
      same(yield* taken(of, some, books, rest), whole)
    })
  )

  it.live("drops what lies below, and goes on from there", () =>
    Effect.gen(function* () {
      const of = story()
      const { books, words } = yield* sealOf(of, [29, 20])
      const whole = yield* taken(of, [...everything(of), runOf(words)])
      let dropped = 0
      const dropping = (replica: Replica.Replica) =>
        Effect.gen(function* () {
          dropped = yield* replica.drop
          assert.strictEqual(yield* replica.drop, 0, "once is enough")
          assert.deepStrictEqual(
            [...replica.feeds().values()].flatMap(({ first }) => first ?? []),
            [24, 16]
          )
          // what a peer brings again is known
          for (const outcome of yield* replica.receive([runOf(of.his), runOf(of.his, 25, 35), runOf(of.hers, 0, 7)]))
            assert.strictEqual(outcome._tag, "Known")
        })
      same(yield* taken(of, [...everything(of), runOf(words)], books, dropping), whole)
      assert.strictEqual(dropped, 24 + 16, "whole runs")
    })
  )
})

/** Installations of Alice, who stands on the seal and dropped what lies below, and of Dave, who has so much of it all. */
const apart = (of: Story, books: Uint8Array, words: Script, daves: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    const [hers, his] = [installation(alice), installation(dave)]
    yield* bring(hers, of.space, ...everything(of), runOf(words))
    yield* bring(his, of.space, ...daves)
    const dropped = yield* during(
      hers,
      Effect.gen(function* () {
        const replica = yield* Replica.open(of.space)
        yield* replica.takeUp(books)
        return yield* replica.drop
      })
    )
    assert.strictEqual(dropped, 24 + 16)
    return { hers, his }
  })

describe("a peer that lacks what was dropped", () => {
  for (const [what, daves] of [
    ["all of it", (of: Story) => [runOf(of.authority)]],
    ["some of it", (of: Story) => [runOf(of.authority), runOf(of.his, 0, 9)]],
    ["nothing but what came later", (of: Story) => everything(of).slice(0, -1)]
  ] as const)
    it.live(`is handed the sealed books: ${what}`, () =>
      Effect.gen(function* () {
        const of = story()
        const { books, words } = yield* sealOf(of, [29, 20])
        const whole = yield* taken(of, [...everything(of), runOf(words)])
        const { hers, his } = yield* apart(of, books, words, daves(of))
        const hub = MemoryNetwork.hub()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const one = (yield* agentOn(hers, hub, "alice")).replica(of.space)!
            const daves = yield* agentOn(his, hub, "dave")
            const link = yield* daves.connect("alice", alice.device)
            const two = daves.replica(of.space)!
            yield* until("he has it all", () => account(two.ledger()).count === account(one.ledger()).count)
            yield* until("and knows that he has", () => link.isCaughtUp(of.space) && link.isServed(of.space))
            same(account(two.ledger()), whole)
          })
        )
      })
    )
})

/** What comes late of what would reach below a seal, and how many of the 80 entries count then. */
const lateWords: ReadonlyArray<readonly [what: string, count: number, words: (of: Story) => ReadonlyArray<Delivery>]> =
  [
    [
      "a revocation with a cut at the start",
      30 + 40,
      ({ admitted, authority }) => {
        say(authority, { facts: [revoke(bob.device, admitted.bob, [])] })
        return [runOf(authority)]
      }
    ],
    [
      "a withdrawn grant",
      30 + 40,
      ({ admitted, authority }) => {
        const reason = "taken back"
        say(authority, {
          facts: [fact({ _tag: "Ungrant", device: bob.device, grant: admitted.bob.hash, cut: [], reason })]
        })
        return [runOf(authority)]
      }
    ],
    [
      "a feed that closes a sealed one further down",
      30 + 40 + 1,
      ({ authority, his, space }) => {
        const next = script(space, bob, "data", { nonce: 5, closes: head(his, 9), time: later })
        say(next, { facts: [add(1)], seen: [head(authority)] })
        return [runOf(next)]
      }
    ],
    [
      "an earlier entry with a key that a sealed one carries",
      80,
      ({ authority, space }) => {
        const early = script(space, carol, "data", { nonce: 6, time: noon + 1 })
        say(early, {
          facts: [add(1)],
          seen: [head(authority)],
          request: { requester: carol.device, key: "once" },
          time: noon + 2000
        })
        return [runOf(early)]
      }
    ],
    [
      "another history of a sealed feed",
      80,
      ({ his }) => {
        const other = branch(his, 12)
        for (let i = 0; i < 30; i++) say(other, { facts: [add(1000)] })
        return runsOf(other, 7, 7)
      }
    ]
  ]

describe("what lies below a seal", () => {
  for (const [what, count, words] of lateWords)
    it.live(`counts whatever comes: ${what}`, () =>
      Effect.gen(function* () {
        const of = story()
        const sealed = yield* sealOf(of, [29, 20])
        const late = words({ ...of, authority: { ...of.authority, entries: [...of.authority.entries] } })
        const all = everything(of)
        const seal = [runOf(of.authority), runOf(sealed.words)]
        const bring = (deliveries: ReadonlyArray<Delivery>) => (replica: Replica.Replica) =>
          bringAll(replica, deliveries)
        const accounts = [
          yield* taken(of, [...all, ...seal], sealed.books, bring(late)),
          yield* taken(
            of,
            [...seal, ...late.slice(0, what.startsWith("another") ? 0 : 1)],
            sealed.books,
            bring([...all, ...late])
          ),
          yield* taken(of, seal, sealed.books, bring([...late, ...all])),
          yield* taken(of, [...all, ...seal], sealed.books, (replica) =>
            Effect.andThen(replica.drop, bringAll(replica, [...late, ...all]))
          )
        ]
        for (const one of accounts) assert.deepStrictEqual(one, accounts[0])
        assert.strictEqual(accounts[0]!.count, count)
        const reached = accounts[0]!.frontier.find((head) => head.startsWith(of.his.feed.id.slice(0, 8)))
        assert.isAtLeast(Number(reached?.split(" ")[1]), 29, "nothing sealed leaves the journal")
      })
    )
})

describe("a device that lost what it wrote before a seal", () => {
  it.live("goes on in a new feed, also after it was killed", () =>
    Effect.gen(function* () {
      const of = story()
      const { books, words } = yield* sealOf(of, [29, 20])
      const on = installation(bob)
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(of.space)
          for (const delivery of [runOf(of.authority), runOf(words)]) yield* replica.receive([delivery])
          yield* replica.takeUp(books)
        })
      )
      const { position } = yield* during(
        on,
        Effect.flatMap(Replica.open(of.space), (replica) => replica.write(written(bob.device, set("k", "new"))))
      )
      assert.notStrictEqual(position.feed, of.his.feed.id)
    })
  )
})

/** The last authority entry of each feed, as root has seen them all, and times below which root may not speak. */
const ends = (scripts: ReadonlyArray<Script>) => {
  const authority = scripts.filter(({ feed }) => feed.kind === "authority")
  return {
    seen: [...new Map(authority.map((of) => [of.feed.id, head(of)])).values()],
    time: Math.max(...authority.map((of) => of.entries.at(-1)!.time))
  }
}

/** Whether each feed of data has one history: others are refused a seal. */
const isPlain = (scripts: ReadonlyArray<Script>): boolean => {
  const data = scripts.filter(({ feed }) => feed.kind === "data")
  return new Set(data.map(({ feed }) => feed.id)).size === data.length
}

/** Brings what is wanted in any order, again and again until nothing is new. */
const bringAll = (replica: Replica.Replica, deliveries: ReadonlyArray<Delivery>) =>
  Effect.gen(function* () {
    for (let isNews = true; isNews;) {
      isNews = false
      for (const delivery of deliveries) {
        const [outcome] = yield* replica.receive([delivery])
        if (outcome?._tag === "Stored") isNews = true
        if (outcome?._tag === "Refused") assert.fail(outcome.why)
      }
    }
  })

describe("replicas that stand on a seal", () => {
  it("have the same books, whatever each had, in whatever order it came, dropped or not", async () => {
    let [sealed, taken] = [0, 0]
    const law = (seed: number, steps: number) =>
      Effect.gen(function* () {
        const { roll, shuffled } = dice(seed)
        const { scripts, space } = history(seed, steps)
        if (!isPlain(scripts)) return
        const all = scripts.flatMap((of) => runsOf(of, 1 + roll(6)))
        const known = shuffled(all).slice(0, 1 + all.length - roll(1 + all.length / 2))
        const said = yield* during(
          installation(keysOf(70)),
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            yield* bringAll(replica, known)
            const proposed = replica.proposeSeal()
            if (Result.isFailure(proposed)) return undefined
            const { seen, time } = ends(scripts)
            const words = script(space, root, "authority", { nonce: 9, time: time + 1 })
            const below = yield* foldTo(
              yield* JournalStore,
              space,
              noonMillis + 60_000,
              proposed.success.fact.positions
            )
            assert.deepStrictEqual(Sealed.encode(below.ledger), proposed.success.books, "what is here makes them")
            const here = seen.filter(({ feed }) => (replica.ledger().lines.get(feed)?.judged ?? 0) > 0)
            const last = here.map(({ feed }) => {
              const { judged, judgedHash } = replica.ledger().lines.get(feed)!
              return { feed, seq: judged - 1, hash: judgedHash }
            })
            say(words, { facts: [fact(proposed.success.fact)], seen: last })
            return { ...proposed.success, words: runOf(words) }
          })
        )
        if (said === undefined) return
        sealed++
        const accounts: Array<ReturnType<typeof account>> = []
        for (let turn = 0; turn < 3; turn++) {
          const on = installation(keysOf(71 + turn))
          const before = turn === 0 ? [] : shuffled(all).slice(0, roll(all.length + 1))
          const authority = scripts.filter(({ feed }) => feed.kind === "authority").map((of) => runOf(of))
          yield* during(
            on,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space, { rungEntriesMin: 1 + roll(5) })
              yield* bringAll(replica, [...before, ...authority, said.words])
              if (replica.wantedSeal() === undefined) return
              yield* replica.takeUp(said.books)
              taken++
              if (roll(2) === 0) yield* replica.drop
              yield* bringAll(replica, shuffled(all))
            })
          )
          const books = yield* during(
            on,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              assert.deepStrictEqual(replica.damage(), [])
              yield* bringAll(replica, shuffled(all))
              if (roll(2) === 0) yield* replica.drop
              return account(replica.ledger())
            })
          )
          accounts.push(books)
        }
        assert.deepStrictEqual(accounts[1], accounts[0], "with some of it before, and with nothing")
        assert.deepStrictEqual(accounts[2], accounts[0])
      })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 50 }), (seed, steps) =>
        Effect.runPromise(law(seed, steps))
      ),
      { numRuns: 500, seed: 11 }
    )
    assert.isAbove(sealed, 150)
    assert.isAbove(taken, 400)
  }, 300_000)
})
