/**
 * Who was put out learns that, from whom it was and why, and nothing else; who never was in learns nothing at all.
 *
 *     Alice (founder) ── admits ── Bob, Carol ──          Bob is put out while he is away; Mallory stands outside
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Network, type Connection } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { SpaceId } from "../../src/identity/Id.ts"
import * as Clock from "../../src/journal/Clock.ts"
import type * as Feed from "../../src/journal/Feed.ts"
import type * as Frontier from "../../src/journal/Frontier.ts"
import { runBytesMax } from "../../src/journal/limits.ts"
import * as Run from "../../src/journal/Run.ts"
import { authorityWrite } from "../../src/runtime/Write.ts"
import * as Guard from "../../src/runtime/Guard.ts"
import * as Open from "../../src/runtime/Replica.ts"
import * as Revocation from "../../src/runtime/Revocation.ts"
import * as Message from "../../src/sync/Message.ts"
import {
  admit,
  agentOn,
  alice,
  bob,
  branch,
  bring,
  carol,
  during,
  entriesOf,
  founded,
  head,
  installation,
  keysOf,
  mallory,
  noon,
  quiet,
  revoke,
  right,
  root,
  runOf,
  say,
  script,
  set,
  until,
  written,
  type Installation,
  type Script
} from "./fixtures.ts"

const dave = keysOf(5)

/** A bare connection of a device that says whatever it likes; everything it hears is kept, and why it ended. */
const speaker = (hub: MemoryNetwork.Hub, keys: typeof mallory, address: string) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(MemoryNetwork.layer(hub, { device: keys.device }))
    const connection = yield* Context.get(services, Network).connect(address)
    const frames: Array<Uint8Array> = []
    const state = { ended: "" }
    yield* Effect.forkScoped(
      Effect.forever(Effect.map(connection.receive, (frame) => frames.push(frame))).pipe(
        Effect.catch((error) => Effect.sync(() => (state.ended = error.message)))
      )
    )
    const heard = (): ReadonlyArray<Message.Message> => frames.map((frame) => Result.getOrThrow(Message.decode(frame)))
    const tell = (message: Message.Message) => Effect.ignore(connection.send(Message.encode(message)))
    return { connection, frames, heard, state, say: tell }
  })

const have = (tag: Message.Tag, frontier: Frontier.Frontier = new Map()): Message.Message => ({
  _tag: "Have",
  space: tag,
  frontier,
  upTo: undefined,
  more: false
})

/** Everything that runs say, as `feed seq`. */
const entriesIn = (heard: ReadonlyArray<Message.Message>): ReadonlyArray<string> =>
  heard.flatMap((message) => {
    if (message._tag !== "Run") return []
    const run = Result.getOrThrow(Run.decode(message.run))
    return run.bodies.map((_, index) => `${run.feed} ${run.first + index}`)
  })

/** Whether any frame holds this text. */
const isIn = (frames: ReadonlyArray<Uint8Array>, text: string): boolean =>
  frames.some((frame) => Buffer.from(frame).includes(text))

/**
 * Alice admits Bob, who writes twice, and Carol. Then she puts Bob out, and goes on: she admits Dave and writes.
 */
const story = () => {
  const { authority, space } = founded([
    [bob, right("*", 1)],
    [carol, right("*", 1)]
  ])
  const founding = head(authority)
  const bobs = script(space, bob, "data")
  say(bobs, { facts: [set("bob", "1")], seen: [founding] })
  say(bobs, { facts: [set("bob", "2")] })
  const hers = script(space, alice, "data")
  say(hers, { facts: [set("hers", "seen by Bob")], seen: [founding] })
  const putOut = say(authority, {
    facts: [revoke(bob.device, head(authority, 1), [head(bobs, 0)], "the phone was lost")]
  })
  say(authority, { facts: admit(dave, right("*")) })
  say(hers, { facts: [set("hers", "a secret of later")], seen: [head(authority)] })
  return { authority, space, founding, bobs, hers, putOut }
}

type Told = ReturnType<typeof story>

/** What Alice has: the revocation in a run of its own. */
const toAlice = ({ authority, bobs, hers, putOut }: Told) => [
  runOf(authority, 0, putOut.seq),
  runOf(authority, putOut.seq + 1),
  runOf(bobs, 0, 0),
  runOf(hers)
]

/** What Bob had when he went away. */
const toBob = ({ authority, bobs, founding, hers }: Told) => [
  runOf(authority, 0, founding.seq),
  runOf(bobs),
  runOf(hers, 0, 0)
]

const deviceOf = (on: Installation, space: SpaceId, hub: MemoryNetwork.Hub, address: string) =>
  Effect.map(agentOn(on, hub, address), (agent) => ({ agent, replica: agent.replica(space)! }))

const isOut = (replica: Open.Replica) => (): boolean => Revocation.of(replica.ledger(), bob.device) !== undefined

describe("a device that was put out", () => {
  it.live("learns who did it, when and why; keeps what it had, and is refused what it would write", () =>
    Effect.gen(function* () {
      const told = story()
      const [hers, his] = [installation(alice), installation(bob)]
      yield* bring(hers, told.space, ...toAlice(told))
      yield* bring(his, told.space, ...toBob(told))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          yield* agentOn(hers, hub, "alice")
          const { agent, replica } = yield* deviceOf(his, told.space, hub, "bob")
          const link = yield* agent.connect("alice", alice.device)
          yield* until("Bob knows it", isOut(replica))
          yield* until("Bob has all he is told", () => link.isCaughtUp(told.space))
          const revoked = Revocation.of(replica.ledger(), bob.device)!
          assert.deepInclude(revoked, { device: bob.device, by: alice.device, byName: "creator", isByRoot: false })
          assert.strictEqual(revoked.reason, "the phone was lost")
          assert.strictEqual(revoked.atMillis, Clock.toMillis(told.authority.entries[told.putOut.seq]!.time))
          assert.strictEqual(
            revoked.message,
            `this device was revoked by ${alice.device.slice(0, 10)}: the phone was lost`
          )
          const refused = yield* Effect.flip(replica.write(written(bob.device, set("bob", "3"))))
          assert.instanceOf(refused, Revocation.DeviceRevoked)
          const admission = authorityWrite([
            { _tag: "Admit", device: mallory.device, box: mallory.box, name: "Mallory" }
          ])
          assert.strictEqual((yield* Effect.flip(replica.write(admission)))._tag, "DeviceRevoked")
          yield* quiet
          assert.deepStrictEqual(entriesOf(replica), { bob: "1", hers: "seen by Bob" })
          assert.isUndefined(Revocation.of(replica.ledger(), alice.device))
        })
      )
      // and it knows it still when it starts again, alone
      const again = yield* during(
        his,
        Effect.map(Open.open(told.space), (replica) => [isOut(replica)(), entriesOf(replica)])
      )
      assert.deepStrictEqual(again, [true, { bob: "1", hers: "seen by Bob" }])
    })
  )

  it.live("learns it at once while it is connected", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([[bob, right("*", 1)]])
      const [hers, his] = [installation(alice), installation(bob)]
      yield* bring(hers, space, runOf(authority))
      yield* bring(his, space, runOf(authority))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const one = yield* deviceOf(hers, space, hub, "alice")
          const two = yield* deviceOf(his, space, hub, "bob")
          const link = yield* two.agent.connect("alice", alice.device)
          yield* until("they are level", () => link.isCaughtUp(space) && link.isServed(space))
          yield* one.replica.write(written(alice.device, set("a", "1")))
          yield* until("Bob has it", () => entriesOf(two.replica)["a"] === "1")
          yield* one.replica.write(
            authorityWrite([
              {
                _tag: "Revoke",
                device: bob.device,
                admission: head(authority, 1).hash,
                cut: [],
                reason: ""
              }
            ])
          )
          yield* one.replica.write(written(alice.device, set("a", "2")))
          yield* until("Bob knows it", isOut(two.replica))
          yield* quiet
          assert.strictEqual(entriesOf(two.replica)["a"], "1")
          assert.match(Revocation.of(two.replica.ledger(), bob.device)!.message, /no reason given/u)
        })
      )
    })
  )

  it.live("learns it from a device that it never heard of, put out by another one that it never heard of", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([[bob, right("*", 1)]])
      const early = head(authority)
      say(authority, { facts: admit(carol, right("*", 1)) })
      const carols = script(space, carol, "authority", { time: noon + 50 })
      say(carols, { facts: admit(dave, right("*")), seen: [head(authority)] })
      say(carols, { facts: [revoke(bob.device, head(authority, 1), [], "Carol says so")] })
      const [theirs, his] = [installation(dave), installation(bob)]
      yield* bring(theirs, space, runOf(authority), runOf(carols, 0, 0), runOf(carols, 1))
      yield* bring(his, space, runOf(authority, 0, early.seq))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          yield* agentOn(theirs, hub, "dave")
          const { agent, replica } = yield* deviceOf(his, space, hub, "bob")
          yield* agent.connect("dave", dave.device)
          yield* until("Bob knows it", isOut(replica))
          assert.strictEqual(Revocation.of(replica.ledger(), bob.device)!.by, carol.device)
        })
      )
    })
  )

  it.live("is a member again, and told everything, when root undoes it", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
      const honest = head(authority)
      const hers = script(space, alice, "data")
      say(hers, { facts: [set("a", "1")], seen: [honest] })
      const undoing = script(space, root, "authority", { time: noon + 100 })
      const carols = script(space, carol, "authority", { time: noon + 50 })
      say(carols, { facts: [revoke(bob.device, head(authority, 1), [], "a thief says so")], seen: [honest] })
      say(undoing, { facts: [revoke(carol.device, head(authority, 2), [])], seen: [honest, head(carols)] })
      const [one, his] = [installation(alice), installation(bob)]
      yield* bring(one, space, runOf(authority), runOf(carols), runOf(undoing), runOf(hers))
      yield* bring(his, space, runOf(authority), runOf(carols))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          yield* agentOn(one, hub, "alice")
          const { agent, replica } = yield* deviceOf(his, space, hub, "bob")
          assert.isTrue(isOut(replica)())
          yield* agent.connect("alice", alice.device)
          yield* until("Bob has the data", () => entriesOf(replica)["a"] === "1")
          assert.isFalse(isOut(replica)())
          yield* replica.write(written(bob.device, set("b", "1")))
        })
      )
    })
  )

  it.live("is a member again while it is connected, when root undoes it then", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
      const honest = head(authority)
      const hers = script(space, alice, "data")
      say(hers, { facts: [set("a", "1")], seen: [honest] })
      const carols = script(space, carol, "authority", { time: noon + 50 })
      say(carols, { facts: [revoke(bob.device, head(authority, 1), [])], seen: [honest] })
      const undoing = script(space, root, "authority", { time: noon + 100 })
      say(undoing, { facts: [revoke(carol.device, head(authority, 2), [])], seen: [honest, head(carols)] })
      const [one, his] = [installation(alice), installation(bob)]
      yield* bring(one, space, runOf(authority), runOf(carols), runOf(hers))
      yield* bring(his, space, runOf(authority))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const alices = yield* deviceOf(one, space, hub, "alice")
          const { agent, replica } = yield* deviceOf(his, space, hub, "bob")
          const link = yield* agent.connect("alice", alice.device)
          yield* until("Bob knows it", isOut(replica))
          yield* quiet
          assert.isUndefined(entriesOf(replica)["a"])
          yield* alices.replica.receive([runOf(undoing)])
          yield* until("Bob has the data", () => entriesOf(replica)["a"] === "1")
          yield* replica.write(written(bob.device, set("b", "1")))
          yield* until("Alice has his", () => entriesOf(alices.replica)["b"] === "1")
          yield* until("they are level", () => link.isCaughtUp(space) && link.isServed(space))
        })
      )
    })
  )
})

describe("a device that was put out on one history of a feed that has two", () => {
  it.live("is told that history, and nothing of the other", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([bob, carol].map((keys) => [keys, right("*", 1)] as const))
      const trunk = script(space, carol, "authority", { time: noon + 50 })
      say(trunk, { facts: admit(dave, right("*")), seen: [head(authority)] })
      const [one, other] = [branch(trunk, 1), branch(trunk, 1)]
      say(one, { facts: [revoke(bob.device, head(authority, 1), [], "on one of two")], time: noon + 1_000 })
      say(other, { facts: admit(mallory, right("*")), time: noon + 900 })
      for (const order of [
        [one, other],
        [other, one]
      ]) {
        const [hers, his] = [installation(alice), installation(bob)]
        yield* bring(hers, space, runOf(authority), runOf(trunk), ...order.map((of) => runOf(of, 1)))
        yield* bring(his, space, runOf(authority))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            yield* agentOn(hers, hub, "alice")
            const speaks = yield* speaker(hub, bob, "alice")
            const tag = Message.tagOf(speaks.connection.channelKey, space)
            yield* speaks.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
            yield* speaks.say(have(tag))
            yield* quiet
            assert.isTrue(isIn(speaks.frames, "on one of two"))
            assert.isFalse(isIn(speaks.frames, mallory.device.slice(0, 6)))
            const { agent, replica } = yield* deviceOf(his, space, hub, "bob")
            yield* agent.connect("alice", alice.device)
            yield* until("Bob knows it", isOut(replica))
          })
        )
      }
    })
  )
})

describe("what a device that was put out is sent", () => {
  /** All that Bob could say to get more, before and after he is told. */
  const beg = function* (his: Effect.Success<ReturnType<typeof speaker>>, told: Told) {
    const tag = Message.tagOf(his.connection.channelKey, told.space)
    yield* his.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
    yield* his.say(have(tag))
    yield* quiet
    for (const feed of [told.hers, told.authority, told.bobs])
      for (const from of [0, feed.entries.length - 1])
        yield* his.say({ _tag: "Want", space: tag, feed: feed.feed.id, from })
    yield* his.say({ _tag: "Run", space: tag, header: told.bobs.feed.bytes, run: runOf(told.bobs, 1).run })
    const claims = [told.hers, told.authority].map(({ feed }) => [feed.id, { seq: 0, mark: "00".repeat(16) }] as const)
    yield* his.say(have(tag, new Map(claims)))
    yield* quiet
    return his
  }

  const allowedOf = ({ authority, putOut }: Told): ReadonlySet<string> =>
    new Set(authority.entries.slice(0, putOut.seq + 1).map((_, seq) => `${authority.feed.id} ${seq}`))

  const isTold = (his: Effect.Success<ReturnType<typeof speaker>>, told: Told): void => {
    const allowed = allowedOf(told)
    for (const entry of entriesIn(his.heard())) assert.isTrue(allowed.has(entry), entry)
    for (const message of his.heard()) {
      assert.include(["Hello", "Have", "Run", "Credit", "Offer"], message._tag)
      if (message._tag !== "Have") continue
      for (const [feed, { seq }] of message.frontier) assert.isTrue(allowed.has(`${feed} ${seq}`), `${feed} ${seq}`)
    }
    for (const secret of ["a secret of later", "seen by Bob", dave.device.slice(0, 6)])
      assert.isFalse(isIn(his.frames, secret))
  }

  it.live(
    "is its revocation with its past: no data, no later entry, whatever it asks for, also by another device",
    () =>
      Effect.gen(function* () {
        const told = story()
        const [hers, theirs] = [installation(alice), installation(carol)]
        yield* bring(hers, told.space, ...toAlice(told))
        // Carol was away, and gets all of it together
        yield* during(
          theirs,
          Effect.flatMap(Open.open(told.space), (replica) => replica.receive(toAlice(told)))
        )
        for (const [on, address] of [
          [hers, "alice"],
          [theirs, "carol"]
        ] as const) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const hub = MemoryNetwork.hub()
              const { replica } = yield* deviceOf(on, told.space, hub, address)
              assert.strictEqual(entriesOf(replica)["hers"], "a secret of later")
              const his = yield* beg(yield* speaker(hub, bob, address), told)
              if (on === hers) yield* replica.write(written(alice.device, set("hers", "a secret of later still")))
              yield* quiet
              assert.deepStrictEqual(new Set(entriesIn(his.heard())), allowedOf(told))
              isTold(his, told)
              assert.strictEqual(his.state.ended, "")
            })
          )
        }
      })
  )

  it.live("is nothing of a run that was signed after it: who has no other leaves the telling to others", () =>
    Effect.gen(function* () {
      const told = story()
      const hers = installation(carol)
      yield* bring(hers, told.space, runOf(told.authority), runOf(told.hers))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          yield* agentOn(hers, hub, "carol")
          const his = yield* beg(yield* speaker(hub, bob, "carol"), told)
          assert.deepStrictEqual(entriesIn(his.heard()), [])
          isTold(his, told)
        })
      )
    })
  )

  it.live("may hold what others had written by then, where one signature covers it with what it needs", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([
        [bob, right("*", 1)],
        [carol, right("*", 1)]
      ])
      const seen = head(authority)
      say(authority, { facts: admit(dave, right("*")) })
      const carols = script(space, carol, "authority", { time: noon + 50 })
      say(carols, { facts: [revoke(bob.device, head(authority, 1), [])], seen: [seen], time: noon + 1_000_000 })
      say(authority, { facts: admit(keysOf(6), right("*")), time: noon + 2_000_000 })
      for (const [last, expected] of [
        [seen.seq + 1, seen.seq + 1],
        [seen.seq + 2, -1]
      ] as const) {
        const hers = installation(alice)
        yield* bring(hers, space, runOf(authority, 0, last), runOf(carols))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const hub = MemoryNetwork.hub()
            const { replica } = yield* deviceOf(hers, space, hub, "alice")
            const { head: needed, last: written } = Revocation.toldTo(replica.ledger(), bob.device)!.feeds.get(
              authority.feed.id
            )!
            assert.deepStrictEqual([needed.seq, written], [seen.seq, seen.seq + 1])
            const his = yield* speaker(hub, bob, "alice")
            const tag = Message.tagOf(his.connection.channelKey, space)
            yield* his.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
            yield* his.say(have(tag))
            yield* quiet
            const ofAlice = entriesIn(his.heard()).filter((entry) => entry.startsWith(authority.feed.id))
            assert.strictEqual(ofAlice.length - 1, expected)
            assert.include(entriesIn(his.heard()), `${carols.feed.id} 0`)
          })
        )
      }
    })
  )

  it("is held to that at the door, whatever a link would send", () => {
    const told = story()
    // written before Bob was put out, by one that Alice had not heard of then
    const aside = script(told.space, carol, "authority")
    say(aside, { facts: admit(keysOf(6), right("*")) })
    const replay = Effect.gen(function* () {
      const replica = yield* Open.open(told.space)
      yield* replica.receive([...toAlice(told), runOf(aside)])
      return { ledger: replica.ledger(), account: yield* replica.spending.account(bob.device) }
    })
    return Effect.runPromise(
      during(
        installation(carol),
        Effect.gen(function* () {
          const { account, ledger } = yield* replay
          const sent: Array<string> = []
          const to = ({ device }: typeof bob): Connection => ({
            peer: device,
            channelKey: new Uint8Array(32),
            address: "",
            initiator: true,
            send: (frame) => Effect.sync(() => void sent.push(Result.getOrThrow(Message.decode(frame))._tag)),
            receive: Effect.never,
            close: () => Effect.void
          })
          const space = { ledger: () => ledger, time: noon + 1, account }
          const tag = "ab".repeat(16)
          const run = (of: Script, first: number, last: number): Message.Message => ({
            _tag: "Run",
            space: tag,
            header: of.feed.bytes,
            run: runOf(of, first, last).run
          })
          const at = (position: Feed.Position) =>
            new Map([[position.feed, { seq: position.seq, mark: position.hash.slice(0, 32) }]])
          const { authority, bobs, hers, putOut } = told
          const words: ReadonlyArray<readonly [Message.Message, boolean]> = [
            [run(authority, 0, putOut.seq), true],
            [run(authority, 0, putOut.seq + 1), false],
            [run(authority, putOut.seq + 1, putOut.seq + 1), false],
            [run(aside, 0, 0), false],
            [run(hers, 0, 0), false],
            [run(bobs, 0, 0), false],
            [{ _tag: "Run", space: tag, header: undefined, run: new Uint8Array(9) }, false],
            [have(tag, at(putOut)), true],
            [have(tag, at(head(authority))), false],
            [have(tag, at(head(hers, 0))), false],
            [{ ...have(tag), upTo: at(head(hers)) } as Message.Message, false],
            [{ _tag: "Digest", space: tag, digest: new Uint8Array(32) }, false],
            [{ _tag: "Want", space: tag, feed: bobs.feed.id, from: 1 }, false],
            [{ _tag: "Fork", space: tag, proof: new Uint8Array(9) }, false],
            [{ _tag: "Credit", space: tag, bytes: 1 }, true]
          ]
          for (const [message, goes] of words) {
            const what = `${message._tag} ${words.findIndex(([one]) => one === message)}`
            const isCredit = message._tag === "Credit"
            assert.strictEqual(yield* Guard.send(to(bob), message, space), goes ? "Sent" : "Denied", what)
            assert.strictEqual(yield* Guard.send(to(mallory), message, space), isCredit ? "Sent" : "Denied", what)
            assert.strictEqual(yield* Guard.send(to(dave), message, space), "Sent", what)
          }
          assert.lengthOf(sent, words.length + words.filter(([, goes]) => goes).length + 1)
        })
      )
    )
  })

  it.live("does not make its word count: what it says it has is no acknowledgement, and its codes are none", () =>
    Effect.gen(function* () {
      const told = story()
      const [hers, his] = [installation(alice), installation(bob)]
      yield* bring(hers, told.space, ...toAlice(told))
      yield* bring(his, told.space, runOf(told.authority, 0, told.putOut.seq))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const { agent } = yield* deviceOf(hers, told.space, hub, "alice")
          const last = head(told.hers)
          const waiting = yield* Effect.forkScoped(agent.acknowledged(told.space, last, { _tag: "Peers", count: 1 }))
          const claim = new Map([[last.feed, { seq: last.seq, mark: last.hash.slice(0, 32) }]])
          for (const [keys, isEnough] of [
            [bob, false],
            [mallory, false],
            [dave, true]
          ] as const) {
            const one = yield* speaker(hub, keys, "alice")
            const tag = Message.tagOf(one.connection.channelKey, told.space)
            yield* one.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
            yield* one.say(have(tag, claim))
            yield* quiet
            assert.strictEqual(waiting.pollUnsafe() !== undefined, isEnough, keys.device)
          }
          const bobs = yield* agentOn(his, hub, "bob")
          const refused = yield* Effect.flip(bobs.pair(told.space, [right("*")], "bob"))
          assert.strictEqual(refused._tag, "DeviceRevoked")
        })
      )
    })
  )

  it("is nothing where it was no member, or could not read the space", () => {
    const { authority, space } = founded([
      [bob, right("kv:write")],
      [carol, right("space:read")]
    ])
    // neither may admit anybody, so Dave never was a member
    const carols = script(space, carol, "authority", { time: noon + 50 })
    say(carols, { facts: admit(dave, right("*")), seen: [head(authority)] })
    // whom Alice gives something is no member by that
    say(authority, { facts: admit(dave, right("*")).slice(1) })
    for (const [device, admission] of [
      [bob.device, head(authority, 1)],
      [carol.device, head(authority, 2)],
      [dave.device, head(carols)]
    ] as const)
      say(authority, {
        facts: [revoke(device, admission, [])],
        seen: [head(carols)],
        time: noon + 100 * authority.entries.length
      })
    return Effect.runPromise(
      during(
        installation(alice),
        Effect.flatMap(Open.open(space), (replica) =>
          Effect.gen(function* () {
            yield* replica.receive([runOf(authority, 0, 2)])
            yield* replica.receive([runOf(carols), runOf(authority, 3)])
            const told = [bob, carol, dave, mallory, alice].map(
              ({ device }) => Revocation.toldTo(replica.ledger(), device)?.feeds.size
            )
            assert.deepStrictEqual(told, [undefined, 2, undefined, undefined, undefined])
          })
        )
      )
    )
  })
})

describe("a stranger", () => {
  it.live("can't tell a space that is here from one that is not, whatever it knows of it and says", () =>
    Effect.gen(function* () {
      const told = story()
      const own = script(told.space, mallory, "data")
      say(own, { facts: [set("mallory", "1")], seen: [told.founding] })
      const forged = runOf(told.hers, 0, 1).run.slice()
      forged[forged.length - 1]! ^= 1
      const words = (tag: Message.Tag): ReadonlyArray<ReadonlyArray<Message.Message>> => {
        const greeting = (spaces: ReadonlyArray<Message.Tag>): Message.Message => ({
          _tag: "Hello",
          version: Message.version,
          spaces
        })
        const all: ReadonlyArray<Message.Message> = [
          have(tag),
          have(tag, new Map([[told.hers.feed.id, { seq: 9, mark: "00".repeat(16) }]])),
          { _tag: "Digest", space: tag, digest: new Uint8Array(32) },
          { _tag: "Digest", space: tag, digest: new Uint8Array(32) },
          { _tag: "Want", space: tag, feed: told.hers.feed.id, from: 0 },
          { _tag: "Credit", space: tag, bytes: 1 },
          { _tag: "Fork", space: tag, proof: new Uint8Array(9) },
          { _tag: "Run", space: tag, header: own.feed.bytes, run: runOf(own).run },
          { _tag: "Run", space: tag, header: told.authority.feed.bytes, run: runOf(told.authority).run },
          { _tag: "Run", space: tag, header: told.hers.feed.bytes, run: forged },
          { _tag: "Run", space: tag, header: undefined, run: new Uint8Array(9) },
          ...Array.from({ length: 70 }, (): Message.Message => ({
            _tag: "Want",
            space: tag,
            feed: own.feed.id,
            from: 0
          })),
          { _tag: "Offer", spaces: [tag] }
        ]
        const large: Message.Message = { _tag: "Run", space: tag, header: undefined, run: new Uint8Array(runBytesMax) }
        return [
          [greeting([tag]), ...all],
          [greeting([]), ...all, ...all],
          [greeting([]), { _tag: "Offer", spaces: [tag] }, ...all],
          [greeting([tag]), ...Array.from({ length: 20 }, () => large)]
        ]
      }
      const transcripts = (isHere: boolean) =>
        Effect.gen(function* () {
          const hers = installation(alice)
          if (isHere) yield* bring(hers, told.space, ...toAlice(told))
          return yield* Effect.scoped(
            Effect.gen(function* () {
              const hub = MemoryNetwork.hub()
              yield* agentOn(hers, hub, "alice")
              const results: Array<unknown> = []
              for (const at of [0, 1, 2, 3]) {
                const one = yield* speaker(hub, mallory, "alice")
                for (const message of words(Message.tagOf(one.connection.channelKey, told.space))[at]!)
                  yield* one.say(message)
                yield* quiet
                results.push([one.heard(), one.state.ended])
              }
              return results
            })
          )
        })
      const [here, elsewhere] = [yield* transcripts(true), yield* transcripts(false)]
      assert.deepStrictEqual(here, elsewhere)
      assert.deepStrictEqual(here[0], [[{ _tag: "Hello", version: Message.version, spaces: [] }], ""])
    })
  )
})
