/** Receipts between agents: signed and chained, told again until they are acknowledged, and held against what came. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { KeysError, KeysUnavailable, type Keys } from "../../src/effects/Keys.ts"
import type { Connection } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import { toBytes, type SpaceId } from "../../src/identity/Id.ts"
import * as Signature from "../../src/identity/Signature.ts"
import * as AccountRow from "../../src/runtime/AccountRow.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Guard from "../../src/runtime/Guard.ts"
import * as Outbox from "../../src/runtime/Outbox.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Arrived from "../../src/sync/Arrived.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Receipt from "../../src/sync/Receipt.ts"
import * as Budget from "../../src/trust/Budget.ts"
import {
  alice,
  bob,
  bring,
  carol,
  fact,
  installation,
  installed,
  mallory,
  quiet,
  runOf,
  say,
  script,
  until,
  type Installation
} from "./fixtures.ts"
import { device, epoch, fill, moment, speaker, world } from "./flowing.ts"

const at = (on: Installation) => {
  const made = world(1)
  return Effect.as(bring(on, made.space, runOf(made.authority)), made.space)
}

/** Receipts of what Bob says that he spent on Alice. */
const bobs =
  (space: SpaceId) =>
  (nonce: number, spent: number, over: Partial<Receipt.Parties & Receipt.Receipt> = {}, by = bob) => {
    const receipt = { epoch, nonce, spent, previous: Receipt.first, ...over }
    const parties = { space, source: bob.device, peer: alice.device, ...over }
    return Effect.map(by.sign(Receipt.message(parties, receipt)), (signature) => ({ ...receipt, signature }))
  }

type Speaker = Effect.Success<ReturnType<typeof speaker>>

const bringTo = (his: Speaker, { epoch, nonce, previous, signature, spent }: Receipt.Signed) =>
  Effect.andThen(
    his.say({ _tag: "Receipt", space: his.tag, epoch, nonce, receipt: { spent, previous, signature } }),
    moment
  )

describe("receipts", () => {
  it.effect("say what was spent, are signed, and are sent again until they are acknowledged", () =>
    Effect.gen(function* () {
      const on = installation(alice)
      const space = yield* at(on)
      const parties = { space, source: alice.device, peer: bob.device }
      const issued: Array<Message.Receipt & { readonly receipt: object }> = []
      let previous: Uint8Array = Receipt.first
      for (let life = 0; life < 3; life++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const a = yield* device(on, hub, "alice")
            const his = yield* speaker(hub, space)
            yield* until("a receipt comes", () => his.receipts().length > 0)
            yield* moment
            yield* fill(a.replica(space), `life ${life}`, 5000)
            yield* moment
            const account = yield* a.replica(space).spending.account(bob.device)
            const got = his.receipts()
            for (const message of got) {
              if (message.receipt === undefined) return assert.fail("an answer to nothing")
              const receipt = { epoch: message.epoch, nonce: message.nonce, ...message.receipt }
              const signed = Receipt.message(parties, receipt)
              assert.isTrue(Signature.verify(toBytes(alice.device), signed, receipt.signature))
              assert.deepStrictEqual(receipt.previous, previous)
              issued.push({ ...message, receipt: message.receipt })
            }
            assert.strictEqual(got.at(-1)!.receipt!.spent, account.spent()[0]!.spent)
            if (life === 0) return
            const last = got.at(-1)!
            yield* his.say({ ...last, receipt: undefined })
            yield* moment
            previous = Receipt.hashOf(parties, { epoch, nonce: last.nonce, ...last.receipt! })
            assert.deepStrictEqual(account.receipts(), [])
          })
        )
      }
      const nonces = issued.map(({ nonce }) => nonce)
      assert.isAtLeast(nonces.length, 4)
      // what was not acknowledged may come again, nothing goes back
      assert.deepStrictEqual(
        nonces,
        nonces.toSorted((x, y) => x - y)
      )
    })
  )

  it.effect("that are forged, replayed, lower or of another time move nothing; honest duplicates do no harm", () =>
    Effect.gen(function* () {
      const on = installation(alice)
      const space = yield* at(on)
      const make = bobs(space)
      const good = yield* make(5, 10)
      const better = yield* make(7, 12)
      const forged = [
        yield* make(9, 20, {}, mallory),
        yield* make(9, 20, { peer: carol.device }),
        yield* make(9, 20, { source: carol.device }),
        yield* make(9, 20, { space: world(2).space }),
        { ...(yield* make(9, 20)), spent: 21 },
        { ...(yield* make(9, 20)), nonce: 10 },
        { ...(yield* make(9, 20)), previous: new Uint8Array(32).fill(1) }
      ]
      const bad = [
        yield* make(9, 20, { epoch: epoch + 2 }),
        yield* make(9, 20, { epoch: epoch - 1 }),
        yield* make(4, 9),
        yield* make(5, 11),
        yield* make(6, 9)
      ]
      const held = (replica: Replica.Replica) =>
        Effect.flatMap(replica.spending.account(bob.device), (account) => account.held)
      const during = (
        use: (his: Speaker, replica: Replica.Replica) => Effect.Effect<void>
      ): Effect.Effect<number, unknown> =>
        Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const a = yield* device(on, hub, "alice")
            const his = yield* speaker(hub, space)
            yield* moment
            yield* use(his, a.replica(space))
            return a.agent.links().length
          })
        )
      const first = yield* during((his, replica) =>
        Effect.gen(function* () {
          yield* bringTo(his, good)
          assert.deepStrictEqual((yield* Effect.orDie(held(replica)))?.nonce, 5)
          const answers = his.receipts().filter(({ receipt }) => receipt === undefined)
          assert.deepStrictEqual(
            answers.map(({ nonce }) => nonce),
            [5]
          )
          // and was durable before that
          const row = on.disk.spaces.get(space)!.locals.get(AccountRow.nameOf(bob.device))
          assert.deepStrictEqual(AccountRow.decode(row!)?.held, good)
          for (const one of bad) {
            yield* bringTo(his, one)
            assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          }
          yield* bringTo(his, good)
        })
      )
      assert.strictEqual(first, 1)
      // a forger is let go
      for (const one of forged) {
        const links = yield* during((his, replica) =>
          Effect.gen(function* () {
            yield* bringTo(his, one)
            assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          })
        )
        assert.strictEqual(links, 0)
      }
      // what is held outlives the process
      const last = yield* during((his, replica) =>
        Effect.gen(function* () {
          for (const one of [...bad, good]) yield* bringTo(his, one)
          assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          yield* bringTo(his, better)
          yield* bringTo(his, good)
          assert.deepStrictEqual(yield* Effect.orDie(held(replica)), better)
          assert.strictEqual(
            his
              .receipts()
              .filter(({ receipt }) => receipt === undefined)
              .at(-1)?.nonce,
            7
          )
        })
      )
      assert.strictEqual(last, 1)
    })
  )
})

const noSignature = Effect.fail(new KeysError({ reason: new KeysUnavailable({ what: "the key is gone" }) }))

describe("a device's own receipts", () => {
  /** Alice's sending half alone, on a connection that takes its time. */
  const sending = (keys: Keys["Service"]) =>
    Effect.gen(function* () {
      const on = { ...installation(alice), keys }
      const made = world(1)
      yield* bring(on, made.space, runOf(made.authority))
      const replica = yield* Effect.flatMap(Layer.build(installed(on)), (services) =>
        Effect.provide(Replica.open(made.space), services)
      )
      const sent: Array<{ readonly message: Message.Message; readonly units: number }> = []
      const connection: Connection = {
        peer: bob.device,
        channelKey: new Uint8Array(32),
        address: "",
        initiator: true,
        send: (frame) =>
          Effect.suspend(() => {
            const message = Result.getOrThrow(Message.decode(frame))
            sent.push({ message, units: Guard.isTelling(message) ? Budget.costOf(frame.length) : 0 })
            on.clock.millis += 50
            return Effect.sleep(50)
          }),
        receive: Effect.never,
        close: () => Effect.void
      }
      const outbox = yield* Outbox.make(connection, {
        replicaOf: () => replica,
        now: () => Clock.fromMillis(on.clock.millis),
        ended: () => Effect.void
      })
      const tag = "ab".repeat(16)
      const offer = Effect.repeat(
        Effect.sync(() => outbox.offer({ _tag: "Credit", space: tag, bytes: 1 })).pipe(
          Effect.andThen(
            Effect.sync(() =>
              outbox.offer({ _tag: "Have", space: tag, frontier: new Map(), upTo: undefined, more: true })
            )
          ),
          Effect.andThen(TestClock.adjust(60)),
          Effect.andThen(quiet)
        ),
        { times: 99 }
      )
      const drain = Effect.repeat(Effect.andThen(TestClock.adjust(100), quiet), { times: 200 })
      return { drain, offer, on, replica, sent }
    })

  it.effect("say no less than what left before the last one, however slowly it leaves", () =>
    Effect.gen(function* () {
      const { drain, offer, on, replica, sent } = yield* sending(alice)
      yield* offer
      on.clock.millis += Budget.epochMillis
      yield* offer
      yield* drain
      let arrived = Arrived.nothing
      const told: Array<Receipt.Receipt> = []
      for (const { message, units } of sent) {
        arrived = Arrived.add(arrived, units)
        if (message._tag !== "Receipt" || message.receipt === undefined) continue
        const receipt = { epoch: message.epoch, nonce: message.nonce, ...message.receipt }
        assert.strictEqual(Arrived.missingIn(arrived, receipt), 0)
        arrived = Arrived.told(arrived, receipt)
        told.push(receipt)
      }
      assert.isAbove(told.length, 4)
      const account = yield* replica.spending.account(bob.device)
      assert.strictEqual(told.at(-1)?.spent, account.spent().at(-1)!.spent)
      assert.deepStrictEqual([...new Set(told.map((one) => one.epoch))], [epoch, epoch + 1])
    }).pipe(Effect.scoped)
  )

  it.effect("that were signed for another connection are told only if they are of all that was spent", () =>
    Effect.gen(function* () {
      let isBroken = false
      const sign: Keys["Service"]["sign"] = (message) => (isBroken ? noSignature : alice.sign(message))
      const { drain, offer, on, replica, sent } = yield* sending({ ...alice, sign })
      const told = () => sent.flatMap(({ message }) => (message._tag === "Receipt" ? [message.nonce] : []))
      yield* offer
      yield* drain
      const account = yield* replica.spending.account(bob.device)
      for (const meanwhile of [() => (isBroken = true), () => (on.clock.millis += Budget.epochMillis)]) {
        isBroken = false
        assert.isTrue(account.take(1, true))
        yield* account.sign
        const before = told().length
        meanwhile()
        const [last] = account.receipts().slice(-1)
        yield* offer
        yield* drain
        assert.notInclude(told().slice(before), last!.nonce)
      }
    }).pipe(Effect.scoped)
  )
})

describe("a peer whose receipts", () => {
  /** Alice's agent, and as many lives of Bob as are asked for; each is given up when it ends. */
  const scene = Effect.gen(function* () {
    const on = installation(alice)
    const space = yield* at(on)
    const hub = MemoryNetwork.hub()
    const a = yield* device(on, hub, "alice")
    const life = <A, E>(use: (his: Speaker) => Effect.Effect<A, E>) =>
      Effect.scoped(
        Effect.gen(function* () {
          const his = yield* speaker(hub, space)
          yield* moment
          yield* use(his)
          return his.end.why
        })
      )
    const account = yield* a.replica(space).spending.account(bob.device)
    /** The hour after the next: whatever is said of it was said since. */
    const later = Effect.gen(function* () {
      on.clock.millis += 2 * Budget.epochMillis
      yield* TestClock.adjust("2 hours")
      yield* moment
    })
    return { account, later, life, make: bobs(space), space }
  })

  /** Two units, so many times. */
  const spend = (his: Speaker, times: number) =>
    Effect.forEach(
      Array.from({ length: times }),
      () => his.say({ _tag: "Have", space: his.tag, frontier: new Map(), upTo: undefined, more: false }),
      { discard: true }
    )

  it.effect("leave out what came before the last one is let go, and what it said is not held", () =>
    Effect.gen(function* () {
      const { account, life, make } = yield* scene
      for (const missing of [0, 1]) {
        const from = missing * 100
        const why = yield* life((his) =>
          Effect.gen(function* () {
            yield* bringTo(his, yield* make(from + 1, from + 10))
            yield* spend(his, 5)
            // what came since the last one may have left after this one was signed
            yield* bringTo(his, yield* make(from + 2, from + 10))
            yield* spend(his, 3)
            yield* bringTo(his, yield* make(from + 3, from + 20))
            yield* bringTo(his, yield* make(from + 2, from + 10))
            assert.strictEqual((yield* account.held)?.nonce, from + 3)
            yield* bringTo(his, yield* make(from + 4, from + 26 - missing))
            assert.strictEqual((yield* account.held)?.nonce, from + 4 - missing)
          })
        )
        assert.include(why, missing === 0 ? "" : "leaves out what was sent")
        assert.strictEqual(why === "", missing === 0)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("leave out summaries is not blamed: those are free", () =>
    Effect.gen(function* () {
      const { life, make, space } = yield* scene
      const feed = script(space, bob, "authority")
      const summary = {
        _tag: "Summary",
        peer: alice.device,
        epoch,
        spent: 1,
        receipts: 1,
        head: Receipt.first
      } as const
      for (let i = 0; i < 20; i++) say(feed, { facts: [fact({ ...summary, spent: i })] })
      const why = yield* life((his) =>
        Effect.gen(function* () {
          yield* bringTo(his, yield* make(1, 1))
          yield* his.say({ _tag: "Run", space: his.tag, ...runOf(feed) })
          for (const nonce of [2, 3]) yield* bringTo(his, yield* make(nonce, 1))
        })
      )
      assert.strictEqual(why, "")
    }).pipe(Effect.scoped)
  )

  it.effect("tell of another hour or come by a new connection are not held against what came before", () =>
    Effect.gen(function* () {
      const { account, life, make } = yield* scene
      for (const from of [0, 10]) {
        const why = yield* life((his) =>
          Effect.gen(function* () {
            yield* spend(his, 50)
            yield* bringTo(his, yield* make(from + 1, 1))
            yield* spend(his, 50)
          })
        )
        assert.strictEqual(why, "")
      }
      const why = yield* life((his) =>
        Effect.gen(function* () {
          yield* bringTo(his, yield* make(20, 1))
          yield* spend(his, 50)
          for (const nonce of [1, 2]) yield* bringTo(his, yield* make(nonce, nonce, { epoch: epoch + 1 }))
        })
      )
      assert.strictEqual(why, "")
      assert.deepStrictEqual([(yield* account.held)?.epoch, (yield* account.held)?.nonce], [epoch + 1, 2])
    }).pipe(Effect.scoped)
  )

  it.effect("name one before them that was not acknowledged, or go back behind one that they named, is let go", () =>
    Effect.gen(function* () {
      const { account, later, life, make, space } = yield* scene
      const parties = { space, source: bob.device, peer: alice.device }
      const invented = new Uint8Array(32).fill(7)
      // what was acknowledged in the hour in which the account was opened may be forgotten
      assert.strictEqual(
        yield* life((his) => Effect.flatMap(make(1, 1, { previous: invented }), (one) => bringTo(his, one))),
        ""
      )
      yield* later
      const now = { epoch: epoch + 2 }
      const one = yield* make(1, 1, now)
      const two = yield* make(2, 2, { ...now, previous: Receipt.hashOf(parties, one) })
      const named = { ...now, previous: Receipt.hashOf(parties, two) }
      const unchained = "does not follow those that were acknowledged"
      for (const [receipts, nonce, why] of [
        [[one, two, yield* make(3, 3, named), yield* make(4, 4, named)], 4, ""],
        [[yield* make(5, 5, { ...now, previous: invented })], 4, unchained],
        // on one connection nothing is forgotten
        [[yield* make(6, 6, named), yield* make(7, 7, now)], 6, unchained],
        [[yield* make(8, 8, named), yield* make(9, 9, { ...now, previous: two.previous })], 8, unchained],
        // who crashed may have to begin again
        [[yield* make(10, 10, now), yield* make(11, 11, { ...now, previous: two.previous })], 11, ""]
      ] as const) {
        const found = yield* life((his) => Effect.forEach(receipts, (receipt) => bringTo(his, receipt)))
        assert.strictEqual((yield* account.held)?.nonce, nonce)
        assert.include(found, why)
        assert.strictEqual(found === "", why === "")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("acknowledge what was never sent is let go; what may be forgotten is passed over", () =>
    Effect.gen(function* () {
      const { account, later, life } = yield* scene
      const answer = (his: Speaker, of: number, nonce: number) =>
        Effect.andThen(his.say({ _tag: "Receipt", space: his.tag, epoch: of, nonce, receipt: undefined }), moment)
      assert.strictEqual(yield* life((his) => answer(his, epoch, 900)), "")
      yield* later
      const honest = yield* life((his) =>
        Effect.gen(function* () {
          const last = his.receipts().at(-1)!
          assert.strictEqual(last.epoch, epoch + 2)
          for (const nonce of [last.nonce, last.nonce, 0]) yield* answer(his, last.epoch, nonce)
          yield* answer(his, epoch, 900)
          assert.deepStrictEqual(
            account.receipts().filter((one) => one.epoch === last.epoch),
            []
          )
        })
      )
      assert.strictEqual(honest, "")
      for (const [of, nonce] of [
        [epoch + 2, 900],
        [epoch + 3, 0]
      ] as const)
        assert.include(
          yield* life((his) => answer(his, of, nonce)),
          "an acknowledgement of a receipt that was not sent"
        )
    }).pipe(Effect.scoped)
  )
})
