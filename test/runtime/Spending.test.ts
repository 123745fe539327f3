/** What a device spends on its peers: paid before it leaves, kept through crashes, and never more than everybody may. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import fc from "fast-check"
import type { Connection } from "../../src/effects/Network.ts"
import type { DeviceId } from "../../src/identity/Id.ts"
import type { Account } from "../../src/runtime/Account.ts"
import * as AccountRow from "../../src/runtime/AccountRow.ts"
import * as Giving from "../../src/runtime/Giving.ts"
import * as Guard from "../../src/runtime/Guard.ts"
import { accountEpochsMax, chargeBlock, operationsCostMax } from "../../src/runtime/limits.ts"
import * as Price from "../../src/runtime/Price.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import type * as Message from "../../src/sync/Message.ts"
import * as Budget from "../../src/trust/Budget.ts"
import * as Definition from "../../src/trust/Definition.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Policy from "../../src/trust/Policy.ts"
import {
  alice,
  bob,
  bring,
  carol,
  during,
  fact,
  founded,
  installation,
  mallory,
  noonMillis,
  right,
  runOf,
  say,
  script,
  type Installation
} from "./fixtures.ts"

const epoch = Budget.epochOf(noonMillis)
const peer = mallory.device

/** A space of Alice, Bob and Carol, with a peer that may read it and these budgets. */
const world = (...facts: ReadonlyArray<Fact.AuthorityFact>) => {
  const { authority, space } = founded([bob, carol, mallory].map((keys) => [keys, right("*", 1)] as const))
  for (const one of facts) say(authority, { facts: [fact(one)] })
  return { authority, space }
}

const budget = (limit: number, ...leases: ReadonlyArray<readonly [DeviceId, number]>): Fact.Budget => ({
  _tag: "Budget",
  peer,
  epoch,
  limit,
  leases: leases.map(([device, amount]) => ({ device, amount }))
})

const installed = (keys: typeof alice, { authority, space }: ReturnType<typeof world>) =>
  Effect.gen(function* () {
    const on = installation(keys)
    yield* bring(on, space, runOf(authority))
    return on
  })

const opened = <A, E>(
  on: Installation,
  space: Parameters<typeof Replica.open>[0],
  use: (replica: Replica.Replica, account: Account) => Effect.Effect<A, E>
) =>
  during(
    on,
    Effect.gen(function* () {
      const replica = yield* Replica.open(space)
      return yield* use(replica, yield* replica.spending.account(peer))
    })
  )

/** Spends as the guard does. */
const spend = (account: Account, cost: number): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    while (!account.take(cost, true)) if (!(yield* Effect.orDie(account.reserve(cost)))) return false
    return true
  })

/** What the store says was spent, as the next process would read it. */
const reservedOn = (on: Installation, space: Parameters<typeof Replica.open>[0]): number => {
  const bytes = on.disk.spaces.get(space)?.locals.get(AccountRow.nameOf(peer))
  const row = bytes === undefined ? undefined : AccountRow.decode(bytes)
  return row?.epochs.find((one) => one.epoch === epoch)?.reserved ?? 0
}

/** The process ends as by a power cut: the disk keeps what it holds, and no finalizer writes to it. */
const cutOff = (on: Installation): Installation => ({
  ...on,
  disk: { ...on.disk, spaces: structuredClone(on.disk.spaces), holder: undefined }
})

describe("what leaves for a peer", () => {
  it.live("is paid durably before it leaves, by what it weighs; what tells nothing costs nothing", () =>
    Effect.gen(function* () {
      const made = world()
      const on = yield* installed(alice, made)
      yield* opened(on, made.space, (replica, account) =>
        Effect.gen(function* () {
          let owed = 0
          let isTelling = true
          const connection: Connection = {
            peer,
            channelKey: new Uint8Array(32),
            address: "",
            initiator: true,
            send: (frame) =>
              Effect.sync(() => {
                if (isTelling) owed += Budget.costOf(frame.length)
                assert.isAtLeast(reservedOn(on, made.space), owed)
              }),
            receive: Effect.never,
            close: () => Effect.void
          }
          const tag = "ab".repeat(16)
          const space = { ledger: replica.ledger, time: noonMillis * 2 ** 13, account }
          const send = (message: Message.Message) => Guard.send(connection, message, space)
          for (const length of [1, 1000, 1024, 300_000, 500_000]) {
            for (let i = 0; i < 20; i++) {
              assert.strictEqual(yield* send({ _tag: "Fork", space: tag, proof: new Uint8Array(length) }), "Sent")
            }
          }
          isTelling = false
          yield* send({ _tag: "Credit", space: tag, bytes: 1 })
          yield* send({ _tag: "Receipt", space: tag, epoch, nonce: 1, receipt: undefined })
          assert.strictEqual(account.spent()[0]!.spent, owed)
          assert.isAbove(owed, 20 * 500)
        })
      )
      // closing gave back what was reserved and not spent
      yield* opened(on, made.space, (_, account) =>
        Effect.sync(() => assert.strictEqual(account.spent()[0]!.spent, reservedOn(on, made.space)))
      )
    })
  )

  it.live("counts as spent after a crash as far as it was reserved", () =>
    Effect.gen(function* () {
      const made = world()
      const on = yield* installed(alice, made)
      const after = yield* opened(on, made.space, (_, account) =>
        Effect.gen(function* () {
          for (let i = 0; i < 5; i++) assert.isTrue(yield* spend(account, 7))
          return cutOff(on)
        })
      )
      yield* opened(after, made.space, (_, account) =>
        Effect.gen(function* () {
          assert.strictEqual(account.spent()[0]!.spent, chargeBlock)
          assert.strictEqual(account.rest(), Budget.shareDefault - chargeBlock)
          yield* account.sign.pipe(Effect.orDie)
          const [first] = account.receipts()
          // nonces that may have been used are not used again
          assert.isAbove(first!.nonce, 5)
          assert.strictEqual(first!.spent, chargeBlock)
        })
      )
    })
  )
})

describe("an application that asks a price for an operation", () => {
  const priced = (cost: number) =>
    Result.getOrThrow(
      Definition.make({
        app: "kv",
        version: 2,
        fields: { count: { kind: "PNCounter" } },
        operations: {
          "kv.add": {
            writes: ["count:add"],
            policy: Policy.make({ capabilities: ["kv:write"] }),
            resource: undefined,
            cost
          },
          "kv.free": { writes: ["count:add"], policy: Policy.make({ capabilities: ["kv:write"] }), resource: undefined }
        }
      })
    )

  it.live("is paid it with every entry of that operation, up to a bound for each run", () =>
    Effect.gen(function* () {
      const dear = priced(40_000)
      const cheap = priced(7)
      const made = world({ _tag: "Define", definition: dear }, { _tag: "Define", definition: cheap })
      const on = yield* installed(alice, made)
      const data = script(made.space, alice, "data")
      const feed = (of: Definition.Definition, type: string) =>
        say(data, { facts: [{ type, payload: [["add", "count", 1]] }], definition: of.id })
      feed(cheap, "kv.add")
      feed(cheap, "kv.free")
      feed(cheap, "kv.add")
      feed(dear, "kv.add")
      feed(dear, "kv.add")
      yield* opened(on, made.space, (replica) =>
        Effect.sync(() => {
          const price = (first: number, last: number, bytes = 2000) =>
            Price.of(
              replica.ledger(),
              { _tag: "Run", space: "ab".repeat(16), header: undefined, run: runOf(data, first, last).run },
              bytes
            ) - Budget.costOf(bytes)
          assert.strictEqual(price(0, 2), 14)
          assert.strictEqual(price(1, 1), 0)
          assert.strictEqual(price(2, 3), 40_007)
          assert.strictEqual(price(0, 4), operationsCostMax)
          assert.isBelow(operationsCostMax, Budget.shareDefault / 8)
        })
      )
    })
  )
})

describe("three devices that can't hear each other", () => {
  const keysOf = [alice, bob, carol]

  it("spend together no more than the limit, whatever they give away and however often they crash", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 9_000 }), { minLength: 3, maxLength: 3 }),
        fc.nat({ max: 50 }),
        fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 3_000 })), { maxLength: 3 }),
        fc.infiniteStream(fc.nat({ max: 600 })),
        (amounts, slack, gives, chance) =>
          Effect.runPromise(
            Effect.gen(function* () {
              const limit = amounts.reduce((a, b) => a + b, slack)
              const made = world(budget(limit, ...amounts.map((one, i) => [keysOf[i]!.device, one] as const)))
              const homes: Array<Installation> = []
              for (const keys of keysOf) homes.push(yield* installed(keys, made))
              let left = 0
              /** Spends a while, perhaps all; perhaps the power fails. */
              const use = (i: number, times: number) =>
                Effect.gen(function* () {
                  const cut = yield* opened(homes[i]!, made.space, (_, account) =>
                    Effect.gen(function* () {
                      for (let k = 0; k < times; k++) {
                        const cost = chance.next().value + 1
                        if (yield* spend(account, cost)) left += cost
                        else if (account.rest() === 0) break
                      }
                      return chance.next().value % 3 === 0 ? cutOff(homes[i]!) : undefined
                    })
                  )
                  if (cut !== undefined) homes[i] = cut
                })
              for (let i = 0; i < 3; i++) yield* use(i, chance.next().value % 10)
              for (const [from, to, amount] of gives) {
                const runs = yield* opened(homes[from]!, made.space, (replica) =>
                  Effect.gen(function* () {
                    yield* Effect.ignore(Giving.give(replica, peer, keysOf[to]!.device, amount))
                    const feeds = [...replica.feeds()].filter(([, { kind }]) => kind === "authority")
                    const loaded = yield* Effect.forEach(feeds, ([id]) => replica.load(id, 0, 1e6))
                    return loaded.flat().map(({ bytes, first, header }) => ({
                      header: first === 0 ? header : undefined,
                      run: bytes
                    }))
                  })
                )
                if (chance.next().value % 2 === 0)
                  yield* opened(homes[to]!, made.space, (replica) => replica.receive(runs))
                yield* use(to, 5)
              }
              for (let i = 0; i < 3; i++) yield* use(i, 200)
              assert.isAtMost(left, limit)
            })
          )
      ),
      { numRuns: 15 }
    ))

  it.live("can spend all of it, when nothing is lost", () =>
    Effect.gen(function* () {
      const made = world(budget(30, [alice.device, 10], [bob.device, 15], [carol.device, 5]))
      let left = 0
      for (const keys of keysOf) {
        const on = yield* installed(keys, made)
        yield* opened(on, made.space, (_, account) =>
          Effect.gen(function* () {
            while (yield* spend(account, 1)) left++
          })
        )
      }
      assert.strictEqual(left, 30)
    })
  )
})

describe("a lease", () => {
  it.live("that was given away is not spent, and can't be given twice", () =>
    Effect.gen(function* () {
      const made = world(budget(30, [alice.device, 10]))
      const on = yield* installed(alice, made)
      yield* opened(on, made.space, (replica, account) =>
        Effect.gen(function* () {
          assert.isTrue(yield* spend(account, 4))
          const refused = yield* Effect.flip(Giving.give(replica, peer, bob.device, 7))
          assert.include(refused.message, "6 are left")
          yield* Giving.give(replica, peer, bob.device, 5)
          assert.strictEqual(account.rest(), 1)
          assert.strictEqual((yield* Effect.flip(Giving.give(replica, peer, bob.device, 2)))._tag, "LeaseTooSmall")
          assert.isFalse(yield* spend(account, 2))
          assert.isTrue(yield* spend(account, 1))
        })
      )
    })
  )

  it.live("is new in the next hour, and none where the clock goes back behind what is remembered", () =>
    Effect.gen(function* () {
      const made = world(budget(30, [alice.device, 10]))
      const on = yield* installed(alice, made)
      yield* opened(on, made.space, (_, account) =>
        Effect.gen(function* () {
          assert.isTrue(yield* spend(account, 10))
          assert.strictEqual(account.rest(), 0)
          on.clock.millis += Budget.epochMillis
          assert.strictEqual(account.rest(), Budget.shareDefault)
          on.clock.millis -= Budget.epochMillis
          assert.strictEqual(account.rest(), 0)
          for (let hour = 1; hour <= accountEpochsMax; hour++) {
            on.clock.millis += Budget.epochMillis
            assert.isTrue(yield* spend(account, 1))
          }
          on.clock.millis -= accountEpochsMax * Budget.epochMillis
          assert.strictEqual(account.rest(), 0)
          assert.isFalse(yield* spend(account, 1))
        })
      )
    })
  )

  it.live("is none in the hour in which the row can't be read, and as ever afterwards", () =>
    Effect.gen(function* () {
      const made = world()
      const on = yield* installed(alice, made)
      on.disk.spaces.get(made.space)!.locals.set(AccountRow.nameOf(peer), new Uint8Array(9))
      yield* opened(on, made.space, (_, account) =>
        Effect.gen(function* () {
          assert.isFalse(yield* spend(account, 1))
          on.clock.millis += Budget.epochMillis
          assert.isTrue(yield* spend(account, 1))
        })
      )
    })
  )
})

describe("the row of an account", () => {
  it("reads back as what was written, and nothing else is read", () => {
    const receipt = { epoch, nonce: 3, spent: 9, previous: new Uint8Array(32), signature: new Uint8Array(64) }
    const kept = {
      epoch,
      reserved: 4096,
      isTold: true,
      nonces: 256,
      acknowledged: { nonce: 2, hash: new Uint8Array(32).fill(1) },
      receipt
    }
    for (const row of [
      AccountRow.empty,
      { floor: epoch, epochs: [kept, { ...kept, epoch: epoch + 1, receipt: undefined }], held: receipt }
    ]) {
      const bytes = AccountRow.encode(row)
      assert.deepStrictEqual(AccountRow.decode(bytes), row)
      for (let at = 0; at < bytes.length; at++) assert.isUndefined(AccountRow.decode(bytes.subarray(0, at)))
    }
  })
})
