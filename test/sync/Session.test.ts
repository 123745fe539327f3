/** Two devices bring their journals together, whatever the order in which things happen. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { FeedId } from "../../src/identity/Id.ts"
import type { FeedKind } from "../../src/journal/Feed.ts"
import type * as Frontier from "../../src/journal/Frontier.ts"
import { digestFeedsMin } from "../../src/sync/limits.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Session from "../../src/sync/Session.ts"
import { space } from "../journal/writing.ts"
import { channelKey, connect, feedNamed, Machine, settle } from "./machines.ts"

/** A scheduler from one seed: a linear congruential generator is random enough to interleave. */
const scheduler = (seed: number) => {
  let state = seed >>> 0
  return (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}

const runsOf = (machine: Machine): ReadonlyArray<string> => machine.outcomes

/** So many feeds that both have alike: with them, how far the two are is told as a digest first. */
const crowd = (count: number, ...machines: ReadonlyArray<Machine>): void => {
  for (const machine of machines) for (let i = 0; i < count; i++) machine.write(`crowd ${i}`, 1)
}

const tagsOf = (machine: Machine): ReadonlyArray<string> => machine.sent.map(({ _tag }) => _tag)

const assertEqual = (a: Machine, b: Machine): void => {
  assert.strictEqual(a.session._tag, "Open", JSON.stringify(a.session))
  assert.strictEqual(b.session._tag, "Open", JSON.stringify(b.session))
  assert.deepStrictEqual(a.heads(), b.heads())
  assert.strictEqual(a.inFlight, 0)
  assert.strictEqual(b.inFlight, 0)
  assert.isTrue(Session.isServed(a.session, space, a.frontier()))
  assert.isTrue(Session.isServed(b.session, space, b.frontier()))
  for (const { forks, session } of [a, b]) {
    const ends = new Map([...forks].map(([feed, at]) => [feedNamed(feed), at]))
    const isWanted = (feed: FeedId, seq: number) => seq < (ends.get(feed) ?? Number.POSITIVE_INFINITY)
    assert.isTrue(Session.isCaughtUp(session, space, isWanted))
  }
}

interface Written {
  readonly feed: string
  readonly kind: FeedKind
  readonly count: number
  readonly size: number
}

const names = ["root", "ada", "alice", "bob", "carol"] as const
const writes: fc.Arbitrary<ReadonlyArray<Written>> = fc.array(
  fc.record({
    feed: fc.constantFrom(...names),
    kind: fc.constant<FeedKind>("data"),
    count: fc.integer({ min: 1, max: 4 }),
    size: fc.constantFrom(0, 0, 0, 220_000)
  }),
  { maxLength: 25 }
)
const kindOf = (feed: string): FeedKind => (feed === "root" || feed === "ada" ? "authority" : "data")

const writeAll = (machine: Machine, all: ReadonlyArray<Written>): void => {
  for (const { feed, count, size } of all) machine.write(feed, count, { kind: kindOf(feed), size })
}

/** Both have a prefix of one history: whoever has less of a feed has the beginning of what the other has. */
const pair = (all: ReadonlyArray<Written>, lacking: number, rules: ConstructorParameters<typeof Machine>[1] = {}) => {
  const [a, b] = [new Machine("Alice", rules), new Machine("Bob", rules)]
  const firstHalf = all.slice(0, Math.floor(all.length / 2))
  writeAll(a, firstHalf)
  writeAll(b, firstHalf)
  for (const one of all.slice(firstHalf.length))
    writeAll(names.indexOf(one.feed as "ada") % 2 === lacking ? a : b, [one])
  return [a, b] as const
}

describe("two honest devices", () => {
  it("end with equal frontiers, however their messages, loads and writes interleave", () => {
    fc.assert(
      fc.property(writes, writes, fc.nat(3), fc.integer(), (before, later, how, seed) => {
        const lacking = how % 2
        const [a, b] = pair(before, lacking)
        if (how > 1) crowd(digestFeedsMin, a, b)
        const choose = scheduler(seed)
        connect(a, b)
        const waiting = [...later]
        const next = enabledWith(a, b, waiting, lacking)
        for (let move = next(); move !== undefined; move = next()) move(choose)
        settle(a, b, choose)
        assertEqual(a, b)
      }),
      { numRuns: 150 }
    )
  })

  it("send nothing when they are equal, and each run once when they are not", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (const machine of [a, b]) machine.write("alice", 5)
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual([...runsOf(a), ...runsOf(b)], [])
    for (let i = 0; i < 10; i++) {
      a.write("alice", 2)
      a.changed()
      settle(a, b)
    }
    assert.strictEqual(runsOf(b).length, 10)
    assert.isTrue(runsOf(b).every((outcome) => outcome.startsWith("Stored")))
    assert.deepStrictEqual(runsOf(a), [])
    assertEqual(a, b)
  })

  it("tell only what is news: an acknowledgement names the feeds that moved", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (let i = 0; i < 50; i++) for (const machine of [a, b]) machine.write(`feed ${i}`, 1)
    connect(a, b)
    settle(a, b)
    a.write("feed 7", 1)
    a.changed()
    settle(a, b)
    const haves = b.sent.filter((message) => message._tag === "Have")
    assert.deepStrictEqual(
      haves.map((have) => have.frontier.size),
      [1]
    )
  })

  it("tell a short frontier at once, and a long one as a digest: when they are equal nothing else crosses", () => {
    for (const [count, expected] of [
      [digestFeedsMin - 1, ["Hello", "Have"]],
      [digestFeedsMin, ["Hello", "Digest"]],
      [3_000, ["Hello", "Digest"]]
    ] as const) {
      const [a, b] = [new Machine("Alice"), new Machine("Bob")]
      crowd(count, a, b)
      connect(a, b)
      settle(a, b)
      for (const machine of [a, b]) assert.deepStrictEqual(tagsOf(machine), expected)
      const bytes = [...a.sent, ...b.sent].reduce((sum, message) => sum + Message.encode(message).length, 0)
      if (count >= digestFeedsMin) assert.isBelow(bytes, 160)
      assertEqual(a, b)
    }
  })

  it("that differ by one entry tell their whole frontiers, and send that one", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    crowd(50, a, b)
    a.write("crowd 7", 1)
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual(tagsOf(a), ["Hello", "Digest", "Have", "Run"])
    assert.deepStrictEqual(tagsOf(b), ["Hello", "Digest", "Have", "Credit", "Have"])
    assert.deepStrictEqual(b.outcomes, ["Stored crowd 7 1"])
    assertEqual(a, b)
  })

  it("that are equal and write before they hear so tell what is new, and no more", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    crowd(50, a, b)
    connect(a, b)
    // both hear the greeting and tell their digests; neither has heard the other's
    a.receive(b.outgoing.shift()!)
    b.receive(a.outgoing.shift()!)
    a.write("alice", 1)
    b.write("bob", 1)
    for (const machine of [a, b]) machine.changed()
    assert.deepStrictEqual(
      [tagsOf(a), tagsOf(b)],
      [
        ["Hello", "Digest"],
        ["Hello", "Digest"]
      ]
    )
    settle(a, b)
    for (const machine of [a, b])
      for (const message of machine.sent) if (message._tag === "Have") assert.strictEqual(message.frontier.size, 1)
    assertEqual(a, b)
  })

  it("of which one wants part of it tell their frontiers as ever", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob", { upTo: new Map() })]
    crowd(50, a, b)
    a.write("alice", 1)
    connect(a, b)
    settle(a, b)
    assert.isFalse(tagsOf(b).includes("Digest"))
    assert.strictEqual(b.taken("alice"), 0)
    assert.isTrue(Session.isServed(a.session, space, a.frontier()))
    assert.isTrue(Session.isCaughtUp(b.session, space, () => true))
  })

  it("say how far they are in parts when one message can't hold it, and are heard when it is complete", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (let i = 0; i < 4097; i++) for (const machine of [a, b]) machine.write(`feed ${i}`, 1)
    b.write("bob", 1)
    connect(a, b)
    settle(a, b)
    const haves = a.sent.filter((message) => message._tag === "Have")
    assert.deepStrictEqual(
      haves.slice(0, 2).map((have) => [have.frontier.size, have.more]),
      [
        [4096, true],
        [1, false]
      ]
    )
    assertEqual(a, b)
  })

  it("keep to the window when one of them is slow", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (let i = 0; i < 40; i++) a.write("alice", 1, { size: 240 * 1024 })
    connect(a, b)
    for (;;) {
      if (a.outgoing.length > 0) b.receive(a.outgoing.shift()!)
      else if (b.outgoing.length > 0) a.receive(b.outgoing.shift()!)
      else if (a.loads.length > 0) a.answerLoad()
      else break
    }
    assert.isAbove(b.takes.length, 8)
    assert.isBelow(b.takes.length, 40)
    settle(a, b)
    assertEqual(a, b)
  })

  it("send many small runs a few at a time", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (let i = 0; i < 1_200; i++) a.write("alice", 1)
    connect(a, b)
    let most = 0
    settle(a, b, (count) => {
      most = Math.max(most, a.outgoing.length + b.takes.length)
      return count - 1
    })
    assert.isAtMost(most, 520)
    assertEqual(a, b)
  })
})

/** Moves of two devices of which one also writes: yields until nothing happens any more and nothing is left to write. */
const enabledWith = (a: Machine, b: Machine, waiting: Array<Written>, lacking: number) => {
  return (): ((choose: (count: number) => number) => void) | undefined => {
    if (waiting.length === 0) return undefined
    return (choose) => {
      const one = waiting.shift()!
      const writer = names.indexOf(one.feed as "ada") % 2 === lacking ? a : b
      writeAll(writer, [one])
      writer.changed()
      for (let steps = choose(12); steps > 0; steps--) step(a, b, choose)
    }
  }
}

const step = (a: Machine, b: Machine, choose: (count: number) => number): void => {
  const moves: Array<() => void> = []
  for (const [from, to] of [[a, b] as const, [b, a] as const]) {
    if (from.outgoing.length > 0) moves.push(() => to.receive(from.outgoing.shift()!))
    if (from.loads.length > 0) moves.push(() => from.answerLoad())
    if (from.takes.length > 0) moves.push(() => from.settleTake())
  }
  if (moves.length > 0) moves[choose(moves.length)]!()
}

describe("authority", () => {
  it("goes feed by feed as the runtime lists them: the founder's first, without which the others mean nothing", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    a.write("alice", 1)
    for (const feed of ["root", "ada", "eve"]) a.write(feed, 1, { kind: "authority" })
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual(b.outcomes, ["Stored root 0", "Stored ada 0", "Stored eve 0", "Stored alice 0"])
  })

  it("goes before data, also when it is written in between", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const choose = scheduler(seed)
        const [a, b] = [new Machine("Alice"), new Machine("Bob")]
        for (let i = 0; i < 4; i++) {
          a.write("alice", 1, { size: 220_000 })
          a.write("root", 1, { kind: "authority" })
        }
        connect(a, b)
        for (let i = 0; i < 5; i++) {
          for (let steps = choose(10); steps > 0; steps--) step(a, b, choose)
          a.write("root", 1, { kind: "authority" })
          a.write("alice", 1)
          a.changed()
        }
        settle(a, b, choose)
        assertEqual(a, b)
        // A load that was under way may finish; after it nothing of data goes while authority is left.
        for (const [index, outcome] of b.outcomes.entries()) {
          if (outcome === "Stored alice 0") assert.include(b.outcomes.slice(0, index), "Stored root 3")
        }
      }),
      { numRuns: 30 }
    )
  })
})

describe("a peer that may not read", () => {
  it("is told nothing, whatever it brings, and all it is owed once it may", () => {
    const [a, b] = [new Machine("Alice", { peerReadsFrom: 99 }), new Machine("Bob")]
    a.write("alice", 3)
    b.write("root", 2, { kind: "authority" })
    b.write("bob", 2)
    connect(a, b)
    settle(a, b)
    // Machine asserts that nothing of the space left Alice; only her greeting did.
    assert.deepStrictEqual(a.sent, [{ _tag: "Hello", version: 1, spaces: [] }])
    assert.strictEqual(a.taken("root"), 2)
    assert.strictEqual(a.taken("bob"), 0)
    assert.strictEqual(b.taken("alice"), 0)
    assert.isAbove(b.inFlight, 0)
    a.write("root", 98, { kind: "authority" })
    a.changed()
    settle(a, b)
    assertEqual(a, b)
  })

  it("is told nothing more from the moment it may not", () => {
    for (const late of [0, 1, 2, 5, 9, 14]) {
      const [a, b] = [new Machine("Alice"), new Machine("Bob")]
      for (let i = 0; i < 5; i++) a.write("alice", 1, { size: 200_000 })
      b.write("bob", 1)
      connect(a, b)
      for (let steps = 0; steps < late; steps++) step(a, b, () => 0)
      a.mayRead = () => false
      a.changed()
      const before = a.sent.length
      settle(a, b)
      b.write("bob", 1)
      b.changed()
      settle(a, b)
      assert.strictEqual(a.sent.length, before)
      assert.strictEqual(Session.rewind(a.session, space, feedNamed("bob"), 0).asks.length, 0)
    }
  })

  it("is served again when it may again, without a second offer", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    connect(a, b)
    settle(a, b)
    a.mayRead = () => false
    a.changed()
    a.write("alice", 2)
    b.write("bob", 2)
    for (const machine of [a, b]) machine.changed()
    settle(a, b)
    assert.strictEqual(b.taken("alice"), 0)
    a.mayRead = () => true
    a.changed()
    settle(a, b)
    assert.isFalse(a.sent.some((message) => message._tag === "Offer"))
    assertEqual(a, b)
  })
})

describe("a peer that was put out", () => {
  /** Alice tells Bob of two feeds of authority, up to the third entry of one and the first of the other. */
  const putOut = (machine: Machine, adas = 0): Machine => {
    const share = machine.share.bind(machine)
    const head = (feed: string) => [...share().feeds].find(([id]) => id === feedNamed(feed))![1].head
    const marks = [head("root").mark, head("ada").mark]
    for (const feed of ["root", "ada"]) machine.write(feed, 2, { kind: "authority" })
    machine.share = () => ({
      space,
      mayRead: true,
      isDismissal: true,
      feeds: new Map([
        [feedNamed("root"), { kind: "authority", head: { seq: 2, mark: marks[0]! }, last: 2 }],
        [feedNamed("ada"), { kind: "authority", head: { seq: adas, mark: marks[1]! }, last: 1 }]
      ])
    })
    return machine
  }
  const alices = (): Machine => {
    const alice = new Machine("Alice", { takesFrom: { bob: 99 } })
    alice.write("root", 3, { kind: "authority" })
    alice.write("ada", 1, { kind: "authority" })
    alice.write("alice", 2)
    return alice
  }

  it("is sent the runs that end where it may be told, and no other", () => {
    const [a, b] = [putOut(alices()), new Machine("Bob")]
    crowd(30, b)
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual(b.outcomes, ["Stored root 0", "Stored ada 0"])
    assert.deepStrictEqual(tagsOf(a).slice(0, 4), ["Hello", "Have", "Run", "Run"])
    assert.isTrue(Session.isCaughtUp(b.session, space, () => true))
  })

  it("is told everything anew when it is a member again", () => {
    const alice = alices()
    const share = alice.share.bind(alice)
    const [a, b] = [putOut(alice), new Machine("Bob")]
    connect(a, b)
    settle(a, b)
    a.share = share
    a.changed()
    settle(a, b)
    const last = a.sent.findLast((message) => message._tag === "Have")
    assert.strictEqual(last?.frontier.size, 3)
    assertEqual(a, b)
  })

  it("is sent nothing of a run that reaches further", () => {
    // the second run of ada holds what it needs, and one entry more
    const [a, b] = [putOut(alices(), 1), new Machine("Bob")]
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual(b.outcomes, ["Stored root 0", "Stored ada 0"])
    assert.isFalse(Session.isCaughtUp(b.session, space, () => true))
  })

  it("is asked for nothing, whatever it says and brings", () => {
    const [a, b] = [putOut(alices()), new Machine("Bob")]
    b.write("root", 3, { kind: "authority", branch: "other", forkAt: 0 })
    for (let i = 0; i < 3; i++) b.write("bob", 3)
    a.fit = () => "Detached 0"
    connect(a, b)
    settle(a, b)
    a.retry()
    assert.isNotEmpty(a.outcomes)
    for (const _tag of tagsOf(a)) assert.include(["Hello", "Have", "Run", "Credit"], _tag)
  })
})

describe("a digest of one who may not read", () => {
  it("that lost and gained the right meanwhile is told everything anew, and both are equal", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 4 }), (seed, late, gap) => {
        const choose = scheduler(seed)
        const [a, b] = [new Machine("Alice"), new Machine("Bob")]
        crowd(20, a, b)
        if (seed % 2 === 0) b.write("bob", 1)
        connect(a, b)
        for (let steps = 0; steps < late; steps++) step(a, b, choose)
        const mayRead = a.mayRead.bind(a)
        a.mayRead = () => false
        // what a has told of itself and is still on its way is stopped at the door
        const passing = a.outgoing.filter(({ _tag }) => _tag !== "Have" && _tag !== "Digest")
        a.outgoing.splice(0, a.outgoing.length, ...passing)
        a.changed()
        for (let steps = 0; steps < gap; steps++) step(a, b, choose)
        a.mayRead = mayRead
        a.changed()
        settle(a, b, choose)
        assertEqual(a, b)
      }),
      { numRuns: 200 }
    )
  })
})

describe("a new member", () => {
  it("introduces itself to who does not know it, by the authority feeds alone, and then both are equal", () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(true, false), fc.constantFrom(0, 20), (seed, known, others) => {
        const alice = new Machine("Alice", { peerReadsFrom: 3 })
        const bob = new Machine("Bob")
        crowd(others, alice, bob)
        alice.write("root", 2, { kind: "authority" })
        alice.write("alice", 4)
        bob.write("root", known ? 2 : 1, { kind: "authority" })
        bob.write("root", known ? 1 : 2, { kind: "authority" })
        bob.write("bob", 4)
        connect(alice, bob)
        settle(alice, bob, scheduler(seed))
        assertEqual(alice, bob)
        const firstHave = bob.sent.findIndex(({ _tag }) => _tag === "Have" || _tag === "Digest")
        const told = bob.sent.slice(0, firstHave).filter((message) => message._tag === "Run")
        assert.isTrue(told.every((message) => new TextDecoder().decode(message.run).includes("authority")))
      })
    )
  })

  it("that comes to be one while connected introduces itself, too", () => {
    const [alice, bob] = [new Machine("Alice", { peerReadsFrom: 2 }), new Machine("Bob", { peerReadsFrom: 1 })]
    alice.write("root", 1, { kind: "authority" })
    connect(alice, bob)
    settle(alice, bob)
    bob.write("root", 2, { kind: "authority" })
    bob.changed()
    settle(alice, bob)
    assertEqual(alice, bob)
  })

  it("whose introduction was dropped, because the space was unknown there, is greeted anew when it is known", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    a.write("root", 2, { kind: "authority" })
    a.open()
    b.step(Session.open(channelKey, []))
    settle(a, b)
    assert.isAbove(a.inFlight, 0)
    assert.strictEqual(b.taken("root"), 0)
    b.changed()
    assert.deepStrictEqual(b.session, Session.close("a space became known here: begin anew"))
  })

  it("whose introduction fills the window in vain is not stuck for ever", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (let i = 0; i < 30; i++) a.write("root", 1, { kind: "authority", size: 220_000 })
    a.open()
    b.step(Session.open(channelKey, []))
    settle(a, b)
    b.changed()
    assert.strictEqual(b.session._tag, "Closed")
  })

  it("that turns everything away is sent everything once", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob", { takesFrom: { alice: 99 } })]
    for (let i = 0; i < 10; i++) a.write("alice", 1)
    connect(a, b)
    settle(a, b)
    assert.strictEqual(b.outcomes.length, 10)
    assert.strictEqual(b.heads().length, 0)
  })
})

describe("a feed that was turned away", () => {
  it("is not asked for again and again", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob", { takesFrom: { alice: 99 } })]
    for (let i = 0; i < 100; i++) a.write("alice", 1)
    connect(a, b)
    settle(a, b)
    assert.isFalse(b.sent.some((message) => message._tag === "Want"))
    assert.strictEqual(b.session._tag, "Open")
  })

  it("is asked for once it is wanted, however late the authority comes", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const choose = scheduler(seed)
        const [a, b] = [new Machine("Alice"), new Machine("Bob", { takesFrom: { alice: 2, carol: 3 } })]
        for (let i = 0; i < 5; i++) for (const feed of ["alice", "carol"]) a.write(feed, 2)
        connect(a, b)
        for (let i = 0; i < 3; i++) {
          for (let steps = choose(40); steps > 0; steps--) step(a, b, choose)
          b.write("root", 1, { kind: "authority" })
          b.changed()
          b.retry()
        }
        settle(a, b, choose)
        assertEqual(a, b)
      })
    )
  })
})

describe("partial sync", () => {
  const upTo: Frontier.Frontier = new Map([[feedNamed("alice"), { seq: 5, mark: "00".repeat(16) }]])

  it("brings no data beyond the bound, and authority completely", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob", { upTo })]
    for (let i = 0; i < 5; i++) a.write("alice", 2)
    a.write("carol", 2)
    a.write("root", 3, { kind: "authority" })
    connect(a, b)
    settle(a, b)
    assert.deepStrictEqual([b.taken("alice"), b.taken("carol"), b.taken("root")], [6, 0, 3])
    assert.isTrue(Session.isServed(a.session, space, a.frontier()))
    assert.isTrue(Session.isCaughtUp(b.session, space, () => true))
  })

  it("goes on when the bound is moved", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob", { upTo })]
    for (let i = 0; i < 5; i++) a.write("alice", 4)
    connect(a, b)
    settle(a, b)
    assert.strictEqual(b.taken("alice"), 4)
    b.step(Session.shared(b.session, { ...b.share(), upTo: undefined }))
    const share = b.share.bind(b)
    b.share = () => ({ ...share(), upTo: undefined })
    settle(a, b)
    assertEqual(a, b)
  })
})

describe("a store", () => {
  it("that has nothing to give is not asked for ever, and other feeds go on", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (const feed of ["alice", "carol", "dave"]) a.write(feed, 2)
    connect(a, b)
    const answer = a.answerLoad.bind(a)
    a.answerLoad = () => {
      const [ask] = a.loads
      if (ask!.feed === feedNamed("carol")) return answer()
      a.loads.shift()
      a.loadsDone++
      a.step(Session.loaded(a.session, space, ask!.feed, []))
    }
    settle(a, b)
    assert.strictEqual(a.loadsDone, 3)
    assert.strictEqual(b.taken("carol"), 2)
    a.answerLoad = answer
    a.write("alice", 1)
    a.changed()
    settle(a, b)
    assert.strictEqual(b.taken("alice"), 3)
  })

  it("whose last run reaches behind the end of a feed still serves it", () => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    a.write("alice", 10)
    const heads = a.frontier.bind(a)
    a.frontier = () =>
      new Map([...heads()].map(([feed, local]) => [feed, { ...local, head: { ...local.head, seq: 4 } }]))
    connect(a, b)
    settle(a, b)
    assert.strictEqual(b.taken("alice"), 10)
  })
})

describe("two histories of one feed", () => {
  const fork = (lengthA: number, lengthB: number, forkAt: number, size: number) => {
    const [a, b] = [new Machine("Alice"), new Machine("Bob")]
    for (const [machine, length, branch] of [
      [a, lengthA, "left"],
      [b, lengthB, "right"]
    ] as const) {
      while (machine.taken("carol") < length) {
        const count = Math.min(size, length - machine.taken("carol"))
        machine.write("carol", count, { branch, forkAt })
      }
      machine.write("dave", 3)
    }
    return [a, b] as const
  }

  it("are found by both, and both end with both", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        (forkAt, more, other, size, seed) => {
          const [a, b] = fork(forkAt + 1 + more, forkAt + 1 + other, forkAt, size)
          connect(a, b)
          settle(a, b, scheduler(seed))
          assertEqual(a, b)
          const ends = [...a.frontier().values()].map(({ head }) => head.seq)
          assert.sameMembers(ends, [2, forkAt - 1, more, other])
        }
      ),
      { numRuns: 150 }
    )
  })

  it("are found far back in a number of questions that grows like a logarithm", () => {
    const [a, b] = fork(1_000, 1_000, 3, 1)
    connect(a, b)
    settle(a, b)
    assertEqual(a, b)
    assert.isBelow(a.sent.filter((message) => message._tag === "Want").length, 20)
  })
})
