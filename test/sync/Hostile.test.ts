/** Mallory on the other end, one scripted sequence per limit: the machine returns, stays small, and closes when it must. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { chunkHash, feedId, type FeedId } from "../../src/identity/Id.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import { frontierFeedsMax, runBytesMax, seqMax } from "../../src/journal/limits.ts"
import * as Limits from "../../src/sync/limits.ts"
import * as Message from "../../src/sync/Message.ts"
import * as Session from "../../src/sync/Session.ts"
import { bytesOf, space } from "../journal/writing.ts"
import { channelKey, feedNamed, tag } from "./machines.ts"

const carol = feedNamed("carol")
const root = feedNamed("root")
const head = (seq: number, mark = "00".repeat(16)): Frontier.Head => ({ seq, mark })
const share = (changes: Partial<Session.Share> = {}): Session.Share => ({
  space,
  mayRead: true,
  feeds: new Map([
    [root, { kind: "authority", head: head(3) }],
    [carol, { kind: "data", head: head(9) }]
  ]),
  ...changes
})

const piece = { kind: "chunk", hash: chunkHash(bytesOf("chunk")) } as const

const hello: Message.Message = { _tag: "Hello", version: Message.version, spaces: [tag] }
const have = (heads: Iterable<readonly [FeedId, Frontier.Head]> = []): Message.Message => ({
  _tag: "Have",
  space: tag,
  frontier: new Map(heads),
  upTo: undefined,
  more: false
})
const run = (length: number, space = tag): Message.Message => ({
  _tag: "Run",
  space,
  header: undefined,
  run: new Uint8Array(length)
})
const credit = (bytes: number): Message.Message => ({ _tag: "Credit", space: tag, bytes })
const want = (from: number, feed = carol): Message.Message => ({ _tag: "Want", space: tag, feed, from })

/** The machine after the peer said all this; every ask it made. */
const after = (
  said: Iterable<Message.Message>,
  start: Session.Step = Session.open(channelKey, [share()])
): { readonly session: Session.Session; readonly asks: ReadonlyArray<Session.Ask> } => {
  let { session } = start
  const asks = [...start.asks]
  for (const message of said) {
    const step = Session.receive(session, message)
    session = step.session
    asks.push(...step.asks)
  }
  return { session, asks }
}

const because = (said: Iterable<Message.Message>, start?: Session.Step): string => {
  const { session } = after(said, start)
  return session._tag === "Closed" ? session.because : "open"
}

const repeated = (count: number, message: (index: number) => Message.Message): ReadonlyArray<Message.Message> =>
  Array.from({ length: count }, (_, index) => message(index))

const loadedRun = (first: number, last: number, length: number): Session.Loaded => ({
  first,
  last,
  mark: "00".repeat(16),
  header: bytesOf("header"),
  bytes: new Uint8Array(length)
})

describe("order of words", () => {
  it("anything before hello is a breach, and so is a second hello, or pairing after it", () => {
    assert.match(because([have()]), /Have before Hello/)
    assert.match(because([{ _tag: "Pairing", fields: [] }]), /Pairing before Hello/)
    assert.match(because([hello, hello]), /a second Hello/)
    assert.match(because([hello, { _tag: "Pairing", fields: ["redeem"] }]), /pairing after Hello/)
    assert.match(because([{ ...hello, version: 2 }]), /protocol version 2, known: 1/)
    assert.strictEqual(because([hello, have()]), "open")
  })

  it("after a breach nothing is heard and nothing is said", () => {
    const { session } = after([hello, hello])
    for (const step of [
      Session.receive(session, have()),
      Session.shared(session, share()),
      Session.acknowledge(session, space),
      Session.loaded(session, space, carol, [loadedRun(0, 1, 10)]),
      Session.dealt(session, space, 10),
      Session.rewind(session, space, carol, 0),
      Session.retry(session, space, () => true)
    ]) {
      assert.strictEqual(step.session, session)
      assert.deepStrictEqual(step.asks, [])
    }
    assert.strictEqual(Session.learned(session, space, carol, head(1)), session)
    assert.strictEqual(Session.missed(session, space, carol, undefined), session)
    assert.isFalse(Session.isServed(session, space, new Map()))
    assert.isFalse(Session.isCaughtUp(session, space, () => false))
  })
})

describe("spaces that are unknown here", () => {
  it("are passed over in silence, and so are spaces the peer may not read: both look the same", () => {
    const unknown = "ab".repeat(16)
    const words = (name: Message.Tag): ReadonlyArray<Message.Message> => [
      { _tag: "Hello", version: Message.version, spaces: [name] },
      { _tag: "Have", space: name, frontier: new Map([[carol, head(99)]]), upTo: undefined, more: false },
      run(100, name),
      { _tag: "Want", space: name, feed: carol, from: 0 },
      { _tag: "Fork", space: name, proof: new Uint8Array(10) },
      { _tag: "Offer", spaces: [name] }
    ]
    const said = (step: ReturnType<typeof after>) => step.asks.filter((ask) => ask._tag === "Send")
    const forbidden = Session.open(channelKey, [share({ mayRead: false })])
    assert.deepStrictEqual(
      said(after(words(unknown), Session.open(channelKey, []))),
      said(after(words(tag), forbidden))
    )
    assert.strictEqual(said(after(words(tag), forbidden)).length, 1)
    const taken = after(words(tag), forbidden)
    assert.deepStrictEqual(Session.dealt(taken.session, space, 100).asks, [])
  })

  it("are remembered up to a limit", () => {
    const offers = (count: number) =>
      repeated(count / 1024, (page) => ({
        _tag: "Offer",
        spaces: Array.from({ length: 1024 }, (_, index) => (page * 1024 + index).toString(16).padStart(32, "0"))
      }))
    const greeting: Message.Message = { ...hello, spaces: [] }
    assert.strictEqual(because([greeting, ...offers(Limits.unknownSpacesMax), ...offers(1024)]), "open")
    assert.match(because([greeting, ...offers(Limits.unknownSpacesMax + 1024)]), /more than 4096 spaces/)
  })

  it("take no more than a window of runs in vain", () => {
    const unknown = "ab".repeat(16)
    const offered: Message.Message = { ...hello, spaces: [unknown] }
    const full = repeated(Limits.windowBytes / (runBytesMax / 2), () => run(runBytesMax / 2, unknown))
    assert.strictEqual(because([offered, ...full]), "open")
    assert.match(because([offered, ...full, run(runBytesMax, unknown)]), /bytes of runs in flight/)
    // A tag that was never offered costs nothing at all.
    assert.strictEqual(because([hello, ...full, ...full]), "open")
  })
})

describe("runs", () => {
  it("beyond the window are a breach, and what was dealt with makes room", () => {
    const half = Limits.windowBytes / 2
    assert.strictEqual(because([hello, run(half), run(half)]), "open")
    assert.match(because([hello, run(half), run(half), run(1)]), /bytes of runs in flight/)
    const { session } = after([hello, have(), run(half), run(half)])
    const dealt = Session.dealt(session, space, half)
    assert.deepStrictEqual(dealt.asks, [{ _tag: "Send", message: credit(half) }])
    assert.strictEqual(because([run(half)], dealt), "open")
    assert.match(because([run(half), run(1)], dealt), /bytes of runs in flight/)
  })

  it("are never credited twice, whatever the runtime reports", () => {
    const { session } = after([hello, have(), run(100)])
    const once = Session.dealt(session, space, 100)
    assert.deepStrictEqual(Session.dealt(once.session, space, 100).asks, [])
  })
})

describe("a store that hands out more than it was asked for", () => {
  it("has the rest sent later: the window holds", () => {
    const count = Math.floor(Limits.windowBytes / runBytesMax)
    const all = Array.from({ length: count + 9 }, (_, index) => loadedRun(index, index, runBytesMax))
    const long = share({ feeds: new Map([[carol, { kind: "data", head: head(count + 8) }]]) })
    const { session } = after([hello, have()], Session.open(channelKey, [long]))
    const { asks } = Session.loaded(session, space, carol, all)
    assert.strictEqual(asks.filter((ask) => ask._tag === "Send").length, count)
  })
})

describe("credit", () => {
  const sent = Session.loaded(after([hello, have()]).session, space, root, [loadedRun(0, 3, 100)])

  it("for more than is in flight is a breach", () => {
    assert.strictEqual(because([credit(100)], sent), "open")
    assert.match(because([credit(101)], sent), /credit for 101 bytes, 100 are in flight/)
    assert.match(because([credit(60), credit(60)], sent), /credit for 60 bytes, 40 are in flight/)
    assert.match(because([hello, have(), credit(1)]), /credit for 1 bytes, 0 are in flight/)
  })

  it("in crumbs is counted to the byte", () => {
    const crumbs = [1, 39, 0, 60].map(credit)
    assert.strictEqual(because(crumbs, sent), "open")
    assert.match(because([...crumbs, credit(1)], sent), /0 are in flight/)
  })
})

describe("questions for feeds from an earlier point", () => {
  it("are answered a limited number of times, and dealing with runs gives them back", () => {
    const questions = (count: number) => repeated(count, (index) => want(index % 3))
    assert.strictEqual(because([hello, have(), ...questions(Limits.rewindsMax)]), "open")
    assert.match(because([hello, have(), ...questions(Limits.rewindsMax + 1)]), /asked 65 times/)
    const sent = Session.loaded(after([hello, have()]).session, space, root, [loadedRun(0, 3, 2 * Limits.rewindBytes)])
    const credited = credit(2 * Limits.rewindBytes)
    assert.strictEqual(because([credited, ...questions(Limits.rewindsMax + 2)], sent), "open")
    assert.match(because([credited, ...questions(Limits.rewindsMax + 3)], sent), /asked 67 times/)
  })

  it("are asked by an honest device no more often than its peer allows, whatever it is told", () => {
    const feeds = Array.from({ length: 500 }, (_, index) => feedId(bytesOf(`disputed ${index}`)))
    const own = new Map(feeds.map((feed) => [feed, { kind: "data" as const, head: head(5) }]))
    const disputing = have(feeds.map((feed) => [feed, head(5, "ff".repeat(16))]))
    const { asks } = after([hello, disputing, disputing], Session.open(channelKey, [share({ feeds: own })]))
    const wants = asks.filter((ask) => ask._tag === "Send" && ask.message._tag === "Want")
    assert.strictEqual(wants.length, Limits.rewindsMax)
  })

  it("about one conflict are asked once, however often it is claimed", () => {
    const disputing = have([[carol, head(9, "ff".repeat(16))]])
    const first = after([hello, ...repeated(500, () => disputing)])
    // Even when the search has met what is here: from then on the runs lead.
    const second = after([disputing], { session: Session.learned(first.session, space, carol, head(4)), asks: [] })
    assert.strictEqual(second.session._tag, "Open")
    const wants = [...first.asks, ...second.asks].filter((ask) => ask._tag === "Send" && ask.message._tag === "Want")
    assert.strictEqual(wants.length, 1)
  })

  it("go back in doubling steps, and are not repeated for what comes meanwhile from behind their point", () => {
    let { session } = after([hello, have()])
    const asked: Array<number> = []
    const detached = (from: number): void => {
      const step = Session.rewind(session, space, carol, from)
      session = step.session
      for (const ask of step.asks) if (ask._tag === "Send" && ask.message._tag === "Want") asked.push(ask.message.from)
    }
    for (const from of [100, 100, 101, 250, 99, 98, 97, 99, 90, 5, 1]) detached(from)
    assert.deepStrictEqual(asked, [100, 98, 95, 86, 0])
    session = Session.learned(session, space, carol, head(4))
    detached(5)
    assert.deepStrictEqual(asked, [100, 98, 95, 86, 0, 5])
  })

  it("about feeds that are unknown here, or positions beyond them, load nothing", () => {
    const { asks } = after([
      hello,
      have([
        [carol, head(9)],
        [root, head(3)]
      ]),
      want(0, feedId(bytesOf("unknown"))),
      want(99)
    ])
    assert.isFalse(asks.some((ask) => ask._tag === "Load"))
  })

  it("hold against what the peer says it has, until the feed was sent again", () => {
    const first = after([
      hello,
      have([
        [carol, head(9)],
        [root, head(3)]
      ]),
      want(4),
      have([[carol, head(9)]])
    ])
    const loads = first.asks.filter((ask) => ask._tag === "Load")
    assert.deepStrictEqual(
      loads.map((load) => [load.feed, load.from]),
      [[carol, 4]]
    )
    const sent = Session.loaded(first.session, space, carol, [loadedRun(3, 9, 100)])
    assert.deepStrictEqual(
      sent.asks.map((ask) => ask._tag),
      ["Send"]
    )
  })

  it("are over when the feed was sent again: from then on the peer is believed", () => {
    const all: ReadonlyArray<readonly [FeedId, Frontier.Head]> = [
      [carol, head(9)],
      [root, head(3)]
    ]
    const wanted = after([hello, have(all), want(4)])
    const sent = Session.loaded(wanted.session, space, carol, [loadedRun(3, 9, 100)])
    const { session } = after([have([[carol, head(12)]])], sent)
    const grown = share({ feeds: new Map([[carol, { kind: "data", head: head(12) }]]) })
    assert.isFalse(Session.shared(session, grown).asks.some((ask) => ask._tag === "Load"))
  })

  it("while the feed is being loaded make the answer stale: it is loaded again", () => {
    const loading = after([hello, have([[root, head(3)]]), want(4)])
    const step = Session.loaded(loading.session, space, carol, [loadedRun(0, 9, 100)])
    assert.deepStrictEqual(
      step.asks.map((ask) => (ask._tag === "Load" ? ask.from : ask._tag)),
      [4]
    )
  })
})

describe("claims", () => {
  it("of feeds that are not here are remembered up to a limit", () => {
    const named = (index: number): FeedId =>
      feedId(Uint8Array.from({ length: 32 }, (_, at) => Math.floor(index / 256 ** at)))
    const page = (number: number) =>
      have(Array.from({ length: frontierFeedsMax }, (_, index) => [named(number * frontierFeedsMax + index), head(1)]))
    const pages = Limits.unknownFeedsMax / frontierFeedsMax
    const said = repeated(pages + 1, page)
    assert.strictEqual(because([hello, ...said.slice(0, pages)]), "open")
    assert.match(because([hello, ...said]), /feeds more than there are here/)
  })

  it("of positions without end send nothing and ask for nothing", () => {
    const { asks } = after([
      hello,
      have([
        [carol, head(seqMax - 1)],
        [root, head(seqMax - 1)]
      ])
    ])
    assert.deepStrictEqual(
      asks.map((ask) => (ask._tag === "Send" ? ask.message._tag : ask._tag)),
      ["Hello", "Have", "Acknowledged"]
    )
  })

  it("that never end keep the peer unheard: it is sent nothing", () => {
    const parts = repeated(100, () => ({ ...have(), more: true }) as Message.Message)
    assert.isFalse(after([hello, ...parts]).asks.some((ask) => ask._tag === "Load"))
  })
})

describe("digests", () => {
  const many = share({
    feeds: new Map(
      Array.from({ length: Limits.digestFeedsMin }, (_, index) => [
        feedNamed(`feed ${index}`),
        { kind: "data" as const, head: head(index) }
      ])
    )
  })
  const digest = (bytes: Uint8Array, space = tag): Message.Message => ({ _tag: "Digest", space, digest: bytes })
  const ours = Frontier.digest(new Map([...many.feeds].map(([feed, local]) => [feed, local.head])))
  const start = () => Session.open(channelKey, [many])

  it("that claim falsely to be equal gain nothing: what is here is not sent, and can still be asked for", () => {
    const greeted = after([hello], start())
    assert.deepStrictEqual(greeted.asks.at(-1), { _tag: "Send", message: digest(ours) })
    const lied = after([digest(ours)], { session: greeted.session, asks: [] })
    assert.deepStrictEqual(
      lied.asks.map((ask) => ask._tag),
      ["Acknowledged"]
    )
    const feed = feedNamed("feed 3")
    const asked = after([want(0, feed)], { session: lied.session, asks: [] })
    assert.deepStrictEqual(
      asked.asks.map((ask) => (ask._tag === "Load" ? [ask.feed, ask.from] : ask._tag)),
      [[feed, 0]]
    )
  })

  it("that are not equal are answered with the whole frontier, once", () => {
    const { session, asks } = after([hello, digest(new Uint8Array(32))], start())
    const last = asks.at(-1)
    assert.isTrue(
      last?._tag === "Send" && last.message._tag === "Have" && last.message.frontier.size === many.feeds.size
    )
    assert.match(because([digest(ours)], { session, asks: [] }), /a digest after its first word/)
  })

  it("after any first word are a breach", () => {
    assert.match(because([hello, have(), digest(ours)], start()), /a digest after its first word/)
    assert.match(because([hello, digest(ours), digest(ours)], start()), /a digest after its first word/)
  })

  it("of a space that the peer may not read are heard in silence, however many", () => {
    const hidden = Session.open(channelKey, [{ ...many, mayRead: false }])
    const { asks, session } = after([hello, digest(ours), digest(ours)], hidden)
    assert.deepStrictEqual(
      asks.map((ask) => (ask._tag === "Send" ? ask.message._tag : ask._tag)),
      ["Hello"]
    )
    assert.strictEqual(session._tag, "Open")
  })
})

describe("fork proofs", () => {
  it("are looked at a limited number of times", () => {
    const proof: Message.Message = { _tag: "Fork", space: tag, proof: new Uint8Array(10) }
    const { asks } = after([hello, ...repeated(Limits.proofsMax, () => proof)])
    assert.strictEqual(asks.filter((ask) => ask._tag === "Prove").length, Limits.proofsMax)
    assert.match(because([hello, ...repeated(Limits.proofsMax + 1, () => proof)]), /more than 1024 fork proofs/)
  })
})

describe("whatever the peer says", () => {
  const names = fc.constantFrom(tag, "ab".repeat(16))
  const feeds = fc.constantFrom(carol, root, feedId(bytesOf("unknown")))
  const seqs = fc.constantFrom(0, 3, 4, 9, 10, seqMax - 1)
  const marks = fc.constantFrom("00".repeat(16), "ff".repeat(16))
  const frontiers: fc.Arbitrary<Frontier.Frontier> = fc
    .uniqueArray(fc.tuple(feeds, seqs, marks), { selector: ([feed]) => feed })
    .map((heads) => new Map(heads.map(([feed, seq, mark]) => [feed, { seq, mark }])))
  const words: fc.Arbitrary<Message.Message> = fc.oneof(
    fc.record({ _tag: fc.constant("Offer" as const), spaces: fc.array(names, { maxLength: 2 }) }),
    fc.record({
      _tag: fc.constant("Have" as const),
      space: names,
      frontier: frontiers,
      upTo: fc.option(frontiers, { nil: undefined }),
      more: fc.boolean()
    }),
    fc.tuple(fc.constantFrom(0, 1, 1_000_000), names).map(([length, name]) => run(length, name)),
    fc.record({ _tag: fc.constant("Credit" as const), space: names, bytes: fc.constantFrom(0, 1, 100, seqMax - 1) }),
    fc.record({ _tag: fc.constant("Want" as const), space: names, feed: feeds, from: seqs }),
    fc.record({ _tag: fc.constant("Fork" as const), space: names, proof: fc.constant(new Uint8Array(3)) }),
    fc.record({ _tag: fc.constant("Digest" as const), space: names, digest: fc.constant(new Uint8Array(32)) }),
    fc.record({ _tag: fc.constant("Seek" as const), space: names, piece: fc.constant(piece) }),
    fc.record({
      _tag: fc.constant("Piece" as const),
      space: names,
      piece: fc.constant(piece),
      bytes: fc.constantFrom(undefined, new Uint8Array(3))
    })
  )
  it("to a space it may not read, it hears and sees what it would of a space that is unknown here", () => {
    const half = Limits.windowBytes / 2
    const heavy = fc.tuple(fc.constantFrom(half, half + 1), names).map(([length, name]) => run(length, name))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(words, heavy, fc.constant(credit(1))), { maxLength: 40 }),
        fc.boolean(),
        (said, named) => {
          const all = [{ ...hello, spaces: named ? [tag] : [] } as Message.Message, ...said]
          let [hidden, unknown] = [Session.open(channelKey, [share({ mayRead: false })]), Session.open(channelKey, [])]
          for (const message of all) {
            ;[hidden, unknown] = [Session.receive(hidden.session, message), Session.receive(unknown.session, message)]
            const seen = [hidden, unknown].map(({ asks, session }) => [
              asks.filter((ask) => ask._tag === "Send"),
              session._tag === "Closed" ? session.because : "open"
            ])
            assert.deepStrictEqual(seen[0], seen[1])
            // the runtime deals with what was taken, and finds much of it not wanted
            let { session } = hidden
            for (const ask of hidden.asks) {
              if (ask._tag !== "Take") continue
              for (const step of [
                Session.rewind(session, space, carol, 3),
                Session.dealt(session, space, ask.run.length),
                Session.retry(session, space, () => true),
                Session.acknowledge(session, space),
                Session.shared(session, share({ mayRead: false }))
              ]) {
                assert.deepStrictEqual(step.asks, [])
                session = step.session
              }
            }
            hidden = { session, asks: [] }
          }
        }
      ),
      { numRuns: 1_000 }
    )
  })

  it("about spaces it may not read counts towards those that are unknown here", () => {
    const others = (count: number): Message.Message => ({
      _tag: "Offer",
      spaces: Array.from({ length: count }, (_, index) => index.toString(16).padStart(32, "0"))
    })
    const pages = repeated(4, (page) => {
      const offer = others(1024) as Message.Message & { readonly _tag: "Offer" }
      return { ...offer, spaces: offer.spaces.map((name) => `${page}${name.slice(1)}`) }
    })
    for (const start of [Session.open(channelKey, [share({ mayRead: false })]), Session.open(channelKey, [])])
      assert.match(because([hello, ...pages], start), /more than 4096 spaces/)
  })

  const reactions = fc.constantFrom("loaded", "empty", "dealt", "shared", "hidden", "rewind", "missed", "retry")

  it("the machine returns, sends no more than a window, and nothing to who may not read", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(words, reactions), { maxLength: 60 }), (events) => {
        let step = Session.receive(Session.open(channelKey, [share()]).session, hello)
        let mayRead = true
        let inFlight = 0
        for (const event of events) {
          const { session } = step
          if (typeof event !== "string") {
            step = Session.receive(session, event)
            if (event._tag === "Credit" && event.space === tag && step.session._tag === "Open") inFlight -= event.bytes
          } else {
            if (event === "shared") mayRead = true
            if (event === "hidden") mayRead = false
            step = react(session, event, mayRead)
          }
          for (const ask of step.asks) {
            if (ask._tag !== "Send" || !("space" in ask.message)) continue
            assert.isTrue(mayRead, ask.message._tag)
            if (ask.message._tag === "Run") inFlight += ask.message.run.length
          }
          assert.isAtMost(inFlight, Limits.windowBytes)
          if (step.session._tag === "Closed") break
        }
      }),
      { numRuns: 500 }
    )
  })

  const react = (session: Session.Session, event: string, mayRead: boolean): Session.Step => {
    switch (event) {
      case "loaded":
        return Session.loaded(session, space, carol, [loadedRun(0, 4, runBytesMax), loadedRun(5, 9, runBytesMax)])
      case "empty":
        return Session.loaded(session, space, root, [])
      case "dealt":
        return Session.dealt(session, space, 1_000_000)
      case "rewind":
        return Session.rewind(session, space, carol, 3)
      case "missed":
        return { session: Session.missed(session, space, carol, undefined), asks: [] }
      case "retry":
        return Session.retry(session, space, () => true)
      default:
        return Session.shared(session, share({ mayRead }))
    }
  }
})
