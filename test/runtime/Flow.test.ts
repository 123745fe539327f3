/** Budgets between agents: who is over budget waits and goes on by itself, receipts are believed if they are true, hours are summed up alike. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { Network } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import { toBytes, type SpaceId } from "../../src/identity/Id.ts"
import * as Signature from "../../src/identity/Signature.ts"
import { Telemetry } from "../../src/observability/Telemetry.ts"
import * as AccountRow from "../../src/runtime/AccountRow.ts"
import { receiptMillis } from "../../src/runtime/limits.ts"
import type { Replica } from "../../src/runtime/Replica.ts"
import { Summarizing } from "../../src/runtime/Summaries.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Budget from "../../src/trust/Budget.ts"
import type * as Fact from "../../src/trust/Fact.ts"
import * as Receipt from "../../src/sync/Receipt.ts"
import {
  agentOn,
  alice,
  bob,
  bring,
  carol,
  entriesOf,
  fact,
  founded,
  head,
  installation,
  mallory,
  noonMillis,
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

const epoch = Budget.epochOf(noonMillis)

const budget = (amount: number): Fact.Budget => ({
  _tag: "Budget",
  peer: bob.device,
  epoch,
  limit: 1000,
  leases: [
    { device: alice.device, amount },
    { device: carol.device, amount: 500 }
  ]
})

const world = (nonce: number, ...facts: ReadonlyArray<Fact.AuthorityFact>) => {
  const { authority, space } = founded(
    [bob, carol].map((keys) => [keys, right("*", 1)] as const),
    nonce
  )
  for (const one of facts) say(authority, { facts: [fact(one)] })
  return { authority, space }
}

/** Lets everything run, and a moment of the clock pass. */
const moment = Effect.gen(function* () {
  for (let i = 0; i < 4; i++) {
    yield* quiet
    yield* TestClock.adjust(receiptMillis)
  }
  yield* quiet
})

const device = (on: Installation, hub: MemoryNetwork.Hub, name: string) =>
  Effect.gen(function* () {
    const agent = yield* agentOn(on, hub, name)
    return { agent, replica: (space: SpaceId) => agent.replica(space)! }
  })

const fill = (replica: Replica, key: string, bytes: number) =>
  replica.write(written(alice.device, set(key, "x".repeat(bytes))))

describe("a link that is over budget", () => {
  const scene = Effect.gen(function* () {
    const [tight, free] = [world(1, budget(40)), world(2)]
    const [hers, his] = [installation(alice), installation(bob)]
    for (const on of [hers, his])
      for (const { authority, space } of [tight, free]) yield* bring(on, space, runOf(authority))
    const hub = MemoryNetwork.hub()
    const a = yield* device(hers, hub, "alice")
    const b = yield* device(his, hub, "bob")
    const link = yield* b.agent.connect("alice", alice.device)
    yield* moment
    const from = a.agent.links()[0]!
    for (let i = 0; i < 6; i++) yield* fill(a.replica(tight.space), `tight ${i}`, 9000 + i)
    yield* until("the budget is spent", () => from.isOverBudget(tight.space))
    return { a, b, free, from, hers, his, link, tight }
  })

  it.effect("holds that space back, and nothing else; it goes on when the hour ends", () =>
    Effect.gen(function* () {
      const { a, b, free, from, hers, his, tight } = yield* scene
      yield* fill(a.replica(free.space), "free", 9000)
      yield* until("the other space goes on", () => "free" in entriesOf(b.replica(free.space)))
      yield* moment
      const arrived = Object.keys(entriesOf(b.replica(tight.space))).length
      assert.isBelow(arrived, 6)
      assert.isTrue(from.isOverBudget(tight.space))
      const account = yield* a.replica(tight.space).spending.account(bob.device)
      assert.isAtMost(account.spent()[0]!.spent, 40)
      // what Bob says arrives all the same, and is acknowledged only later
      yield* b.replica(tight.space).write(written(bob.device, set("bob", "1")))
      yield* until("it is here", () => "bob" in entriesOf(a.replica(tight.space)))
      for (const on of [hers, his]) on.clock.millis += Budget.restMillis(on.clock.millis)
      yield* TestClock.adjust("1 hour")
      yield* until("all is there", () => Object.keys(entriesOf(b.replica(tight.space))).length === 7)
      assert.isFalse(from.isOverBudget(tight.space))
      assert.lengthOf(a.agent.links(), 1)
      yield* until("all is acknowledged", () => b.agent.links()[0]!.isServed(tight.space))
    }).pipe(Effect.scoped)
  )

  it.effect("goes on at once when it was given more", () =>
    Effect.gen(function* () {
      const { a, b, from, tight } = yield* scene
      const hers = script(tight.space, carol, "authority")
      const give: Fact.Give = { _tag: "Give", peer: bob.device, epoch, to: alice.device, amount: 200 }
      say(hers, { facts: [fact(give)], seen: [head(tight.authority)], time: tight.authority.entries.at(-1)!.time + 1 })
      yield* a.replica(tight.space).receive([runOf(hers)])
      yield* until("all is there", () => Object.keys(entriesOf(b.replica(tight.space))).length === 6)
      assert.isFalse(from.isOverBudget(tight.space))
    }).pipe(Effect.scoped)
  )

  it.effect("stays so over a reconnect, and through a restart", () =>
    Effect.gen(function* () {
      const { authority, space } = world(1, budget(5))
      const [hers, his] = [installation(alice), installation(bob)]
      for (const on of [hers, his]) yield* bring(on, space, runOf(authority))
      let spent = 0
      for (let life = 0; life < 4; life++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const a = yield* device(hers, hub, "alice")
            const b = yield* device(his, hub, "bob")
            yield* b.agent.connect("alice", alice.device)
            yield* fill(a.replica(space), `life ${life}`, 3000)
            yield* moment
            const account = yield* a.replica(space).spending.account(bob.device)
            spent = account.spent().find((one) => one.epoch === epoch)?.spent ?? 0
            assert.isAtMost(spent, 5)
          })
        )
      }
      assert.isAtLeast(spent, 4)
    })
  )
})

/** Bob, as a script that says whatever it likes. */
const speaker = (hub: MemoryNetwork.Hub, space: SpaceId) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(MemoryNetwork.layer(hub, { device: bob.device }))
    const connection = yield* Context.get(services, Network).connect("alice")
    const heard: Array<Message.Message> = []
    yield* Effect.forkScoped(
      Effect.ignore(
        Effect.forever(Effect.map(connection.receive, (frame) => heard.push(Result.getOrThrow(Message.decode(frame)))))
      )
    )
    const tag = Message.tagOf(connection.channelKey, space)
    const tell = (message: Message.Message) => Effect.ignore(connection.send(Message.encode(message)))
    yield* tell({ _tag: "Hello", version: Message.version, spaces: [tag] })
    yield* tell({ _tag: "Have", space: tag, frontier: new Map(), upTo: undefined, more: false })
    const receipts = () => heard.flatMap((message) => (message._tag === "Receipt" ? [message] : []))
    return { tag, say: tell, receipts }
  })

describe("what is spent", () => {
  it.effect("is told to whoever counts, and so is that it was all", () => {
    const counted = { units: 0, exhaustions: 0, refused: Array<string>() }
    return Effect.gen(function* () {
      const { authority, space } = world(1, budget(12))
      const on = installation(alice)
      yield* bring(on, space, runOf(authority))
      const hub = MemoryNetwork.hub()
      const a = yield* device(on, hub, "alice")
      const his = yield* speaker(hub, space)
      yield* moment
      for (let i = 0; i < 3; i++) yield* fill(a.replica(space), `${i}`, 6000)
      yield* moment
      yield* his.say({
        _tag: "Receipt",
        space: his.tag,
        epoch,
        nonce: 1,
        receipt: { spent: 1, previous: Receipt.first, signature: new Uint8Array(64) }
      })
      yield* moment
      const account = yield* a.replica(space).spending.account(bob.device)
      assert.strictEqual(counted.units, account.spent()[0]!.spent)
      assert.deepStrictEqual([counted.exhaustions, counted.refused], [1, ["receipt"]])
    }).pipe(
      Effect.scoped,
      Effect.provideServiceEffect(
        Telemetry,
        Telemetry.useSync((told) => ({
          ...told,
          charged: (units: number) => void (counted.units += units),
          exhausted: () => void counted.exhaustions++,
          refused: (reason: string) => void counted.refused.push(reason)
        }))
      )
    )
  })
})

describe("receipts", () => {
  const at = (on: Installation) => {
    const made = world(1)
    return Effect.as(bring(on, made.space, runOf(made.authority)), made.space)
  }

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
      const make = (nonce: number, spent: number, over: Partial<Receipt.Parties & Receipt.Receipt> = {}, by = bob) =>
        Effect.map(
          Effect.suspend(() => {
            const receipt = { epoch, nonce, spent, previous: Receipt.first, ...over }
            const parties = { space, source: bob.device, peer: alice.device, ...over }
            return Effect.zip(Effect.succeed(receipt), by.sign(Receipt.message(parties, receipt)))
          }),
          ([receipt, signature]) => ({ ...receipt, signature })
        )
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
      const held = (replica: Replica) => Effect.flatMap(replica.spending.account(bob.device), (account) => account.held)
      const during = (
        use: (his: Effect.Success<ReturnType<typeof speaker>>, replica: Replica) => Effect.Effect<void>
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
      const bring = (his: Effect.Success<ReturnType<typeof speaker>>, { epoch, nonce, ...receipt }: Receipt.Signed) =>
        Effect.andThen(his.say({ _tag: "Receipt", space: his.tag, epoch, nonce, receipt }), moment)
      const first = yield* during((his, replica) =>
        Effect.gen(function* () {
          yield* bring(his, good)
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
            yield* bring(his, one)
            assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          }
          yield* bring(his, good)
        })
      )
      assert.strictEqual(first, 1)
      // a forger is let go
      for (const one of forged) {
        const links = yield* during((his, replica) =>
          Effect.gen(function* () {
            yield* bring(his, one)
            assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          })
        )
        assert.strictEqual(links, 0)
      }
      // what is held outlives the process
      const last = yield* during((his, replica) =>
        Effect.gen(function* () {
          for (const one of [...bad, good]) yield* bring(his, one)
          assert.deepStrictEqual(yield* Effect.orDie(held(replica)), good)
          yield* bring(his, better)
          yield* bring(his, good)
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

describe("summaries", () => {
  it.effect("are said once for each hour in which something was told, and are the same everywhere", () =>
    Effect.gen(function* () {
      const made = world(1)
      const homes = [installation(alice), installation(bob), installation(carol)]
      for (const on of homes) yield* bring(on, made.space, runOf(made.authority))
      const hub = MemoryNetwork.hub()
      const names = ["alice", "bob", "carol"]
      const devices = yield* Effect.forEach(homes, (on, i) => device(on, hub, names[i]!))
      const replicas = devices.map(({ replica }) => replica(made.space))
      yield* devices[0]!.agent.connect("bob", bob.device)
      yield* devices[1]!.agent.connect("carol", carol.device)
      yield* fill(replicas[0]!, "one", 5000)
      yield* moment
      yield* replicas[2]!.write(written(carol.device, set("two", "2")))
      yield* moment
      const sums = () => replicas.map((replica) => Budget.sums(Budget.saidIn(replica.ledger().authority!)))
      const spent = yield* Effect.forEach([0, 1, 2], (i) =>
        Effect.map(
          Effect.forEach([alice, bob, carol], (to) => replicas[i]!.spending.account(to.device)),
          (accounts) => accounts.map((account) => account.spent().find((one) => one.epoch === epoch)?.spent ?? 0)
        )
      )
      assert.deepStrictEqual(sums(), [[], [], []])
      const hour = Effect.gen(function* () {
        for (const on of homes) on.clock.millis += Budget.epochMillis
        yield* TestClock.adjust("1 hour")
        yield* moment
        yield* TestClock.adjust("5 minutes")
        yield* moment
      })
      yield* hour
      const [first, ...others] = sums()
      for (const other of others) assert.deepStrictEqual(other, first)
      for (const { peer, spent: sum } of first!) {
        const column = [alice, bob, carol].findIndex((keys) => keys.device === peer)
        assert.strictEqual(sum, spent[0]![column]! + spent[1]![column]! + spent[2]![column]!)
      }
      assert.sameMembers(
        first!.map(({ peer }) => peer),
        [alice.device, bob.device, carol.device]
      )
      // to tell of summaries is nothing that would be summed up
      const count = () => replicas.map((replica) => replica.ledger().authority!.memo.count)
      const before = count()
      for (let i = 0; i < 3; i++) yield* hour
      assert.deepStrictEqual(count(), before)
      assert.isTrue(before.every((one) => one === before[0]))
    }).pipe(Effect.scoped, Effect.provideService(Summarizing, true))
  )
})
