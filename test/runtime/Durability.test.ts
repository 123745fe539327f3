/** What a replica promises about its own words: never two histories, nothing acknowledged lost, nothing applied that failed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import {
  JournalFull,
  JournalStoreError,
  JournalUnavailable,
  type JournalStore
} from "../../src/effects/JournalStore.ts"
import { KeysError, KeysUnavailable } from "../../src/effects/Keys.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { FeedId } from "../../src/identity/Id.ts"
import { deviceFeedsMax } from "../../src/journal/limits.ts"
import { authorityWrite } from "../../src/runtime/Write.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import {
  account,
  add,
  agentOn,
  alice,
  bob,
  bring,
  during,
  entriesOf,
  founded,
  head,
  installation,
  quiet,
  right,
  runOf,
  say,
  script,
  set,
  until,
  written,
  type Installation
} from "./fixtures.ts"

/** Alice's space on her own installation, Bob a member. */
const home = () =>
  Effect.gen(function* () {
    const { authority, space } = founded([[bob, right("*", 1)]])
    const on = installation(alice)
    yield* bring(on, space, runOf(authority))
    return { authority, on, space }
  })

/** The same disk as it was: what a backup that is put back is. */
const copyOf = (on: Installation): Installation => ({
  ...on,
  disk: { ...on.disk, spaces: structuredClone(on.disk.spaces), holder: undefined }
})

const write = (replica: Replica.Replica, key: string, value: string) =>
  replica.write(written(alice.device, set(key, value)))

const feedsOf = (replica: Replica.Replica): ReadonlyMap<FeedId, number> =>
  new Map(
    [...replica.ledger().lines.values()]
      .filter((line) => line.feed.device === alice.device && line.feed.kind === "data")
      .map((line) => [line.feed.id, line.taken])
  )

const unavailable = new JournalStoreError({ reason: new JournalUnavailable({ what: "the wire was cut" }) })
const full = new JournalStoreError({ reason: new JournalFull({ what: "no room" }) })

/** What happens to the next commits that hold runs; reading is as it was unless `reads` fails. */
type Fault = "Full" | "LostBefore" | "LostAfter"

const faulty =
  (faults: Array<Fault>, reads = { broken: false }) =>
  (store: JournalStore["Service"]): JournalStore["Service"] => ({
    ...store,
    commit: (commit) => {
      const fault = (commit.runs?.length ?? 0) === 0 ? undefined : faults.shift()
      switch (fault) {
        case undefined:
          return store.commit(commit)
        case "Full":
          return Effect.fail(full)
        case "LostBefore":
          return Effect.fail(unavailable)
        case "LostAfter":
          return Effect.andThen(store.commit(commit), Effect.fail(unavailable))
      }
    },
    feeds: (space) => (reads.broken ? Effect.fail(unavailable) : store.feeds(space))
  })

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  return reason?._tag === "Fail" && reason.error instanceof JournalStoreError ? reason.error.reason._tag : undefined
}

describe("a journal that was put back from a copy", () => {
  for (const what of ["the journal", "the secrets"] as const) {
    it.live(
      `is noticed (${what}): a new feed is opened, also after another restart, and peers bring back what they have`,
      () =>
        Effect.gen(function* () {
          const { on, space } = yield* home()
          yield* during(
            on,
            Effect.andThen(Replica.open(space), (replica) => write(replica, "a", "1"))
          )
          const copy = copyOf(on)
          const secret = yield* on.secrets.get(`token.${space.slice(0, 32)}`)
          const lost = yield* during(
            on,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              yield* write(replica, "a", "2")
              yield* write(replica, "b", "1")
              return yield* Effect.forEach([...replica.ledger().lines.keys()], (feed) =>
                replica.load(feed, 0, 1_000_000)
              )
            })
          )
          const old = what === "the journal" ? copy : on
          if (what === "the secrets" && secret._tag === "Some")
            yield* on.secrets.put(`token.${space.slice(0, 32)}`, Redacted.make(Redacted.value(secret.value)))
          const before = yield* during(old, Effect.map(Replica.open(space), feedsOf))
          yield* during(
            old,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              const { position } = yield* write(replica, "c", "1")
              assert.isFalse(before.has(position.feed))
              yield* replica.receive(lost.flat().map(({ bytes, header }) => ({ header, run: bytes })))
              assert.strictEqual(replica.ledger().forks.size, 0)
              assert.deepStrictEqual(entriesOf(replica), { a: "2", b: "1", c: "1" })
              const next = yield* write(replica, "c", "2")
              assert.strictEqual(next.position.feed, position.feed)
            })
          )
          const authority = yield* during(
            old,
            Effect.gen(function* () {
              const replica = yield* Replica.open(space)
              const feed = [...replica.ledger().lines.values()]
                .map((line) => line.feed)
                .find(({ kind }) => kind === "authority")!
              const { position } = yield* replica.write({ ...written(alice.device, set("x", "")), kind: "authority" })
              return { known: feed.id, wrote: position.feed }
            })
          )
          assert.notStrictEqual(authority.wrote, authority.known)
        })
    )
  }

  it.live("together with the secrets: a peer that knows more of a feed than its device ends it", () =>
    Effect.gen(function* () {
      const { authority, on, space } = yield* home()
      const his = installation(bob)
      yield* bring(his, space, runOf(authority))
      yield* during(
        on,
        Effect.andThen(Replica.open(space), (replica) => write(replica, "a", "1"))
      )
      const copy = copyOf(on)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const bobs = yield* agentOn(his, hub, "bob")
          yield* Effect.scoped(
            Effect.gen(function* () {
              const alices = yield* agentOn(on, hub, "alice")
              yield* alices.connect("bob", bob.device)
              yield* write(alices.replica(space)!, "a", "2")
              yield* until("Bob has it", () => entriesOf(bobs.replica(space)!)["a"] === "2")
            })
          )
          // both stores are put back: nothing but Bob can tell
          const secret = yield* on.secrets.get(`token.${space.slice(0, 32)}`)
          const row = copy.disk.spaces.get(space)!.locals.get("token")!
          if (secret._tag === "Some") yield* on.secrets.put(`token.${space.slice(0, 32)}`, Redacted.make(row))
          const alices = yield* agentOn(copy, hub, "alice")
          const mine = alices.replica(space)!
          assert.deepStrictEqual(entriesOf(mine), { a: "1" })
          yield* alices.connect("bob", bob.device)
          yield* until("Alice has her own words back", () => entriesOf(mine)["a"] === "2")
          const [old] = [...feedsOf(mine).keys()]
          const { position } = yield* write(mine, "b", "1")
          assert.notStrictEqual(position.feed, old)
          yield* until("Bob has the new feed", () => entriesOf(bobs.replica(space)!)["b"] === "1")
          assert.strictEqual(mine.ledger().forks.size, 0)
          assert.deepStrictEqual(account(mine.ledger()), account(bobs.replica(space)!.ledger()))
        })
      )
    })
  )

  it.live("a peer's word alone ends a feed that was here at opening, also for later openings", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      const first = yield* during(
        on,
        Effect.andThen(Replica.open(space), (replica) => write(replica, "a", "1"))
      )
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          replica.compare(new Map([[first.position.feed, { seq: 1, mark: "00".repeat(16) }]]))
          yield* replica.refresh
        })
      )
      const next = yield* during(
        on,
        Effect.andThen(Replica.open(space), (replica) => write(replica, "a", "2"))
      )
      assert.notStrictEqual(next.position.feed, first.position.feed)
    })
  )

  it.live("a peer that claims more of a feed than there can be ends none that this process began", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const { position } = yield* write(replica, "a", "1")
          replica.compare(new Map([[position.feed, { seq: 1_000_000, mark: "00".repeat(16) }]]))
          const next = yield* write(replica, "a", "2")
          assert.strictEqual(next.position.feed, position.feed)
        })
      )
    })
  )
})

describe("a commit that fails", () => {
  for (const [fault, reason] of [
    ["Full", "JournalFull"],
    ["LostBefore", "JournalUnavailable"],
    ["LostAfter", "JournalUnavailable"]
  ] as const) {
    for (const first of [true, false]) {
      it.live(
        `${fault}, ${first ? "on a new feed" : "later"}: the caller learns it, later writes work, no feed forks`,
        () =>
          Effect.gen(function* () {
            const { on, space } = yield* home()
            const ahead: Array<Fault> = []
            const live = yield* during(
              on,
              Effect.gen(function* () {
                const replica = yield* Replica.open(space)
                if (!first) yield* write(replica, "a", "0")
                let told = 0
                replica.listen(() => told++)
                ahead.push(fault)
                const exits = yield* Effect.forEach(
                  ["1", "2", "3"],
                  (value) => Effect.exit(write(replica, "a", value)),
                  { concurrency: 3 }
                )
                for (const exit of exits) assert.strictEqual(reasonOf(exit), reason)
                assert.strictEqual(entriesOf(replica)["a"], first ? undefined : "0")
                assert.strictEqual(told, 0)
                yield* write(replica, "b", "1")
                assert.strictEqual(entriesOf(replica)["a"], fault === "LostAfter" ? "3" : first ? undefined : "0")
                assert.strictEqual(entriesOf(replica)["b"], "1")
                assert.strictEqual(feedsOf(replica).size, 1)
                return account(replica.ledger())
              }),
              faulty(ahead)
            )
            const again = yield* during(
              on,
              Effect.map(Replica.open(space), (replica) => account(replica.ledger()))
            )
            assert.deepStrictEqual(again, live)
          })
      )
    }
  }

  it.live("and a store that can't be read back after it: nothing is written until it can", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      const [ahead, reads]: [Array<Fault>, { broken: boolean }] = [[], { broken: false }]
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          yield* write(replica, "a", "0")
          ahead.push("LostAfter")
          reads.broken = true
          yield* Effect.flip(write(replica, "a", "1"))
          yield* Effect.flip(write(replica, "a", "2"))
          assert.strictEqual(on.disk.spaces.get(space)!.feeds.size, 2)
          reads.broken = false
          yield* write(replica, "b", "1")
          assert.deepStrictEqual(entriesOf(replica), { a: "1", b: "1" })
          assert.strictEqual(feedsOf(replica).size, 1)
        }),
        faulty(ahead, reads)
      )
    })
  )

  it.live("while a peer's run is stored: it is stored when it comes again, whether it was there or not", () =>
    Effect.gen(function* () {
      for (const fault of ["LostBefore", "LostAfter", "Full"] as const) {
        const { authority, on, space } = yield* home()
        const data = script(space, bob, "data")
        say(data, { facts: [add(1)], seen: [head(authority)] })
        const ahead: Array<Fault> = []
        yield* during(
          on,
          Effect.gen(function* () {
            const replica = yield* Replica.open(space)
            ahead.push(fault)
            yield* Effect.flip(replica.receive([runOf(data)]))
            const [outcome] = yield* replica.receive([runOf(data)])
            assert.strictEqual(outcome?._tag, fault === "LostAfter" ? "Known" : "Stored")
            assert.strictEqual(account(replica.ledger()).count, 1)
          }),
          faulty(ahead)
        )
      }
    })
  )
})

describe("a write", () => {
  it.live("that its caller gives up is written or not, and never half", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const fibers = yield* Effect.forEach(
            Array.from({ length: 50 }, (_, i) => i),
            (i) => Effect.forkChild(write(replica, `k${i}`, "1"))
          )
          yield* Effect.forEach(
            fibers.filter((_, i) => i % 2 === 0),
            Fiber.interrupt,
            { discard: true }
          )
          yield* Effect.forEach(
            fibers.filter((_, i) => i % 2 === 1),
            Fiber.join,
            { discard: true }
          )
          yield* write(replica, "last", "1")
          const entries = entriesOf(replica)
          for (let i = 1; i < 50; i += 2) assert.strictEqual(entries[`k${i}`], "1")
          assert.strictEqual(entries["last"], "1")
        })
      )
    })
  )

  it.live("whose key can't sign fails and leaves nothing; the next one works", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      let broken = true
      const sign: typeof alice.sign = (message) =>
        broken
          ? Effect.fail(new KeysError({ reason: new KeysUnavailable({ what: "the token was pulled" }) }))
          : alice.sign(message)
      yield* during(
        { ...on, keys: { ...alice, box: alice.box, sign } },
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          const error = yield* Effect.flip(write(replica, "a", "1"))
          assert.strictEqual(error._tag, "KeysError")
          assert.deepStrictEqual(entriesOf(replica), {})
          assert.strictEqual(feedsOf(replica).size, 0)
          broken = false
          yield* write(replica, "a", "2")
          assert.deepStrictEqual(entriesOf(replica), { a: "2" })
        })
      )
    })
  )

  it.live("that waits when the replica closes ends as interrupted, it does not hang", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      const replica = yield* during(on, Replica.open(space))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(write(replica, "a", "1"))))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(replica.refresh)))
    })
  )

  it.live("is answered though a listener throws, and the others are told", () =>
    Effect.gen(function* () {
      const { on, space } = yield* home()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          let told = 0
          replica.listen(() => {
            throw new Error("a selector with a mistake")
          })
          replica.listen(() => told++)
          yield* write(replica, "a", "1")
          yield* write(replica, "a", "2")
          assert.strictEqual(told, 2)
          yield* quiet
        })
      )
    })
  )
})

describe("a device that had to begin anew too often", () => {
  it.live("is told so instead of writing what nobody would fetch; what governs still goes", () =>
    Effect.gen(function* () {
      const { authority, on, space } = yield* home()
      yield* during(
        on,
        Effect.gen(function* () {
          const replica = yield* Replica.open(space)
          // feeds of its own that come from peers were lost here, and are not continued
          for (let nonce = 0; nonce < deviceFeedsMax; nonce++) {
            const lost = script(space, alice, "data", { nonce })
            say(lost, { facts: [set("lost", `${nonce}`)], seen: [head(authority)] })
            assert.strictEqual((yield* replica.receive([runOf(lost)]))[0]?._tag, "Stored")
          }
          const before = account(replica.ledger())
          const error = yield* Effect.flip(write(replica, "one more", "1"))
          assert.strictEqual(error._tag, "FeedsExhausted")
          assert.deepStrictEqual(account(replica.ledger()), before)
          yield* replica.write(authorityWrite([{ _tag: "Grant", device: bob.device, rights: [right("kv:write")] }]))
        })
      )
    })
  )
})
