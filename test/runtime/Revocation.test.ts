/**
 * Who is thrown out stays out, by whatever way the words come; what was said before stays; a thief is undone by root.
 *
 *     root ─ ─ ─ Alice (founder) ── admits ── Bob, Carol          Mallory stands outside
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Network } from "../../src/effects/Network.ts"
import * as MemoryNetwork from "../../src/handlers/memory/MemoryNetwork.ts"
import type { Notice } from "../../src/runtime/Desk.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import * as Message from "../../src/sync/Message.ts"
import * as PairingCode from "../../src/sync/PairingCode.ts"
import * as Authority from "../../src/trust/Authority.ts"
import * as Decision from "../../src/trust/Decision.ts"
import * as Wording from "../../src/trust/Wording.ts"
import {
  account,
  admit,
  agentOn,
  alice,
  bob,
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
  written
} from "./fixtures.ts"

/** A bare connection of a device that speaks whatever it likes; everything it hears is kept. */
const stranger = (hub: MemoryNetwork.Hub, keys: typeof mallory, address: string) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(MemoryNetwork.layer(hub, { device: keys.device }))
    const connection = yield* Context.get(services, Network).connect(address)
    const heard: Array<Message.Message> = []
    const state = { ended: "" }
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.map(connection.receive, (frame) => heard.push(Result.getOrThrow(Message.decode(frame))))
      ).pipe(Effect.catch((error) => Effect.sync(() => (state.ended = error.message))))
    )
    return { connection, heard, state, say: (message: Message.Message) => connection.send(Message.encode(message)) }
  })

const offered = (heard: ReadonlyArray<Message.Message>): ReadonlyArray<string> =>
  heard.flatMap((message) => (message._tag === "Hello" || message._tag === "Offer" ? message.spaces : []))

describe("a stranger", () => {
  it.live("is told nothing, not even that the space is here, whatever it knows and says", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([[bob, right("*")]])
      const hers = installation(alice)
      const data = script(space, alice, "data")
      say(data, { facts: [set("secret", "1")], seen: [head(authority)] })
      yield* bring(hers, space, runOf(authority), runOf(data))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const agent = yield* agentOn(hers, hub, "alice")
          yield* agent.pair(space, [right("*")], "alice")
          const before = account(agent.replica(space)!.ledger())
          const mine = yield* stranger(hub, mallory, "alice")
          const tag = Message.tagOf(mine.connection.channelKey, space)
          yield* mine.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
          yield* mine.say({ _tag: "Have", space: tag, frontier: new Map(), upTo: undefined, more: false })
          yield* mine.say({ _tag: "Want", space: tag, feed: data.feed.id, from: 0 })
          const own = script(space, mallory, "data")
          say(own, { facts: [set("secret", "0")], seen: [head(authority)] })
          yield* mine.say({ _tag: "Run", space: tag, header: own.feed.bytes, run: runOf(own).run })
          yield* quiet
          assert.deepStrictEqual(offered(mine.heard), [])
          assert.deepStrictEqual(
            mine.heard.map((message) => message._tag),
            ["Hello"]
          )
          assert.deepStrictEqual(account(agent.replica(space)!.ledger()), before)
        })
      )
    })
  )

  it.live("with a wrong code is refused and stays a stranger", () =>
    Effect.gen(function* () {
      const { authority, space } = founded()
      const [hers, his] = [installation(alice), installation(mallory)]
      yield* bring(hers, space, runOf(authority))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const agent = yield* agentOn(hers, hub, "alice")
          const other = yield* agentOn(his, hub, "mallory")
          yield* agent.pair(space, [right("*")], "alice")
          const guessed = PairingCode.make(
            alice.device,
            Redacted.make(new Uint8Array(PairingCode.secretBytes)),
            "alice"
          )
          const refused = yield* Effect.flip(other.join(guessed, "Mallory"))
          assert.strictEqual(refused._tag, "PairingRefused")
          assert.include(refused.message, "this code is not valid here")
          assert.deepStrictEqual(other.replicas(), [])
          assert.lengthOf(Authority.members(agent.replica(space)!.ledger().authority!), 1)
        })
      )
    })
  )
})

/** Alice admits Bob and Carol; Bob writes two entries and then, cut off or not, two more and a second feed. */
const story = () => {
  const { authority, space } = founded([
    [bob, right("*", 1)],
    [carol, right("*", 1)]
  ])
  const admitted = [head(authority, 1), head(authority, 2)] as const
  const data = script(space, bob, "data")
  say(data, { facts: [set("before", "1")], seen: [head(authority)] })
  say(data, { facts: [set("before", "2")] })
  const cut = head(data)
  const known = head(authority)
  say(data, { facts: [set("beyond", "1")] })
  say(data, { facts: [set("before", "3")] })
  const other = script(space, bob, "data", { nonce: 1 })
  say(other, { facts: [set("elsewhere", "1")], seen: [known] })
  const governing = script(space, bob, "authority")
  say(governing, { facts: admit(mallory, right("*")), seen: [known] })
  say(authority, { facts: [revoke(bob.device, admitted[0], [cut], "the phone was lost")] })
  return { authority, space, admitted, data, other, governing, known }
}

describe("a revoked device", () => {
  it.live("says nothing any more that counts, by another device or in another feed either", () =>
    Effect.gen(function* () {
      const { authority, data, governing, known, other, space } = story()
      const [hers, his] = [installation(alice), installation(carol)]
      yield* bring(hers, space, runOf(authority), runOf(data, 0, 1))
      // Carol has not heard of it yet
      yield* bring(his, space, runOf(authority, 0, known.seq), runOf(data), runOf(other), runOf(governing))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const one = (yield* agentOn(hers, hub, "alice")).replica(space)!
          const carols = yield* agentOn(his, hub, "carol")
          const two = carols.replica(space)!
          assert.deepStrictEqual(entriesOf(two), { before: "3", beyond: "1", elsewhere: "1" })
          const notices: Array<Notice> = []
          two.listen((notice) => notices.push(notice))
          yield* carols.connect("alice", alice.device)
          yield* until("Carol hears of it", () => entriesOf(two)["beyond"] === undefined)
          yield* quiet
          assert.deepStrictEqual(entriesOf(two), { before: "2" })
          assert.isTrue(notices.some((notice) => notice.overturned && notice.fields.has("*")))
          assert.deepStrictEqual(account(two.ledger()), account(one.ledger()))
          const members = Authority.members(two.ledger().authority!)
          assert.deepStrictEqual(
            members.map(({ device, revoked }) => [device, revoked]).sort(),
            [
              [alice.device, false],
              [bob.device, true],
              [carol.device, false]
            ].sort()
          )
          const outcomes = yield* one.receive([runOf(data), runOf(other)])
          // what stands in one run with entries before the cut is kept, and never judged
          assert.deepStrictEqual(
            outcomes.map((outcome) => outcome._tag),
            ["Known", "Unwanted"]
          )
          assert.deepStrictEqual(entriesOf(one), { before: "2" })
        })
      )
      const again = yield* during(his, Effect.map(Replica.open(space), entriesOf))
      assert.deepStrictEqual(again, { before: "2" })
    })
  )

  it.live("is told why by its own replica", () =>
    Effect.gen(function* () {
      const { authority, data, space } = story()
      const his = installation(bob)
      yield* bring(his, space, runOf(authority), runOf(data, 0, 1))
      const ledger = yield* during(
        his,
        Effect.map(Replica.open(space), (replica) => replica.ledger())
      )
      const restriction = Authority.revocationOn(ledger.authority!, bob.device, data.feed.id, 2)
      assert.match(
        Wording.explain(Decision.denied(Decision.revokedBy(restriction!))),
        /^device [0-9a-f]{10} was revoked by [0-9a-f]{10} \(entry [0-9a-f]{10}\): the phone was lost$/
      )
    })
  )

  it.live("is asked for again what was turned away, when root undoes its revocation", () =>
    Effect.gen(function* () {
      const dave = keysOf(5)
      const { authority, space } = founded([bob, carol, dave].map((keys) => [keys, right("*", 1)] as const))
      const honest = head(authority)
      const bobs = script(space, bob, "data")
      say(bobs, { facts: [set("bob", "1")], seen: [honest] })
      say(authority, { facts: [revoke(bob.device, head(authority, 1), [])] })
      const undoing = script(space, root, "authority", { time: noon + 100 })
      say(undoing, { facts: [revoke(alice.device, head(authority, 0), [honest])], seen: [head(authority)] })
      const hers = installation(carol)
      yield* bring(hers, space, runOf(authority))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const replica = (yield* agentOn(hers, hub, "carol")).replica(space)!
          const daves = yield* stranger(hub, dave, "carol")
          const tag = Message.tagOf(daves.connection.channelKey, space)
          yield* daves.say({ _tag: "Hello", version: Message.version, spaces: [tag] })
          yield* daves.say({ _tag: "Have", space: tag, frontier: new Map(), upTo: undefined, more: false })
          yield* daves.say({ _tag: "Run", space: tag, header: bobs.feed.bytes, run: runOf(bobs).run })
          yield* until("the run is dealt with", () => daves.heard.some((message) => message._tag === "Credit"))
          assert.isFalse(daves.heard.some((message) => message._tag === "Want"))
          yield* replica.receive([runOf(undoing)])
          yield* until("Carol asks for it", () =>
            daves.heard.some(
              (message) => message._tag === "Want" && message.feed === bobs.feed.id && message.from === 0
            )
          )
          yield* daves.say({ _tag: "Run", space: tag, header: bobs.feed.bytes, run: runOf(bobs).run })
          yield* until("it counts", () => entriesOf(replica)["bob"] === "1")
        })
      )
    })
  )

  it.live("that stole the first device and threw out the others is undone by root, and they go on", () =>
    Effect.gen(function* () {
      const { authority, space } = founded([
        [bob, right("*", 1)],
        [carol, right("*", 1)]
      ])
      const honest = head(authority)
      const alices = script(space, alice, "data")
      say(alices, { facts: [set("alice", "1")], seen: [honest] })
      const bobs = script(space, bob, "data")
      say(bobs, { facts: [set("bob", "1")], seen: [honest] })
      say(bobs, { facts: [set("bob", "2")] })
      const cutOfAlice = [honest, head(alices)]
      // the thief
      say(authority, {
        facts: [revoke(bob.device, head(authority, 1), []), revoke(carol.device, head(authority, 2), [])]
      })
      say(alices, { facts: [set("alice", "thief")], seen: [head(authority)] })

      const [hers, his] = [installation(carol), installation(bob)]
      yield* bring(hers, space, runOf(authority), runOf(alices))
      yield* bring(his, space, runOf(authority, 0, honest.seq), runOf(alices, 0, 0), runOf(bobs))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = MemoryNetwork.hub()
          const carols = yield* agentOn(hers, hub, "carol")
          const bobsAgent = yield* agentOn(his, hub, "bob")
          const [one, two] = [carols.replica(space)!, bobsAgent.replica(space)!]
          yield* two.receive([runOf(authority), runOf(alices)])
          assert.deepStrictEqual(entriesOf(one), { alice: "thief" })
          assert.deepStrictEqual(entriesOf(two), { alice: "thief" })
          yield* bobsAgent.connect("carol", carol.device)
          // the recovery words are typed in at Carol's
          const founding = Authority.admissionOf(one.ledger().authority!, alice.device)!
          yield* one.write({
            kind: "authority",
            as: root,
            request: undefined,
            prepare: () =>
              Result.succeed({
                definition: undefined,
                facts: [
                  revoke(alice.device, { feed: founding.feed.id, seq: 0, hash: founding.hash }, cutOfAlice, "stolen")
                ],
                answer: undefined
              })
          })
          yield* two.receive(yield* runsOf(one, root.device))
          yield* until("Bob's words are back at Carol's", () => entriesOf(one)["bob"] === "2")
          yield* one.write(written(carol.device, set("carol", "1")))
          yield* until("Carol's arrive at Bob's", () => entriesOf(two)["carol"] === "1")
          assert.deepStrictEqual(entriesOf(one), { alice: "1", bob: "2", carol: "1" })
          assert.deepStrictEqual(account(one.ledger()), account(two.ledger()))
          assert.deepStrictEqual(
            Authority.revocations(one.ledger().authority!, alice.device).map(({ fact }) => [fact.device, fact.reason]),
            [[alice.device, "stolen"]]
          )
        })
      )
    })
  )
})

/** Everything a replica has of a device's feeds, as a peer would bring it. */
const runsOf = (replica: Replica.Replica, device: string) =>
  Effect.map(
    Effect.forEach(
      [...replica.ledger().lines.values()].filter((line) => line.feed.device === device),
      (line) => replica.load(line.feed.id, 0, 1_000_000)
    ),
    (loaded) => loaded.flat().map(({ bytes, header }) => ({ header, run: bytes }))
  )
