/**
 * Text: what honest people type converges whatever the network does, lies change nothing but the liar's own words, and
 * a plan that fails leaves no trace.
 */
import { assert, describe, it } from "@effect/vitest"
import { hexToBytes } from "@noble/hashes/utils.js"
import * as fc from "fast-check"
import * as Result from "effect/Result"
import { feedId, type FeedId } from "../../../src/identity/Id.ts"
import * as Cbor from "../../../src/journal/Cbor.ts"
import type { Change, Fields } from "../../../src/journal/crdt/Crdt.ts"
import * as Field from "../../../src/journal/crdt/Field.ts"
import * as State from "../../../src/journal/crdt/State.ts"
import type { Stamp } from "../../../src/journal/crdt/Stamp.ts"
import { Text, type TextDraft } from "../../../src/text.ts"

const definition = { body: Text() }
const fields: Fields = Field.typesOf(definition)

const feed = (...bytes: ReadonlyArray<number>): FeedId => {
  const id = new Uint8Array(32)
  id.set(bytes)
  return feedId(id)
}
const alice = feed(9)
const bob = feed(4)
const carol = feed(200)

interface Event {
  readonly change: Change
  readonly stamp: Stamp
  readonly isRefused: boolean
}

/** A device: its feed, what it has joined, and how it writes. */
class Device {
  readonly state = State.empty()
  readonly wrote: Array<Event> = []
  readonly seen: Array<number> = []
  readonly feed: FeedId

  constructor(name: FeedId) {
    this.feed = name
  }

  get text(): string {
    return String(State.read(this.state, fields)["body"])
  }

  draft(): TextDraft {
    return Field.draftOf(definition, fields, this.state, this.feed).body
  }

  /** One entry with the changes that `plan` makes. */
  edit(plan: (body: TextDraft) => ReadonlyArray<Change>, isRefused = false): void {
    const seq = (this.wrote.at(-1)?.stamp.seq ?? -1) + 1
    plan(this.draft()).forEach((change, index) => {
      const event = { change, stamp: { time: seq, feed: this.feed, seq, index }, isRefused }
      this.wrote.push(event)
      this.join(event)
    })
  }

  join({ change, stamp, isRefused }: Event): void {
    const verdict = State.inspect(fields, change)
    assert.strictEqual(verdict._tag, "Touch", JSON.stringify([change, verdict]))
    if (isRefused) State.applyRefused(this.state, fields, change, stamp)
    else State.apply(this.state, fields, change, stamp)
  }

  /** The rest of what another wrote, or the next few of it. */
  receive(other: Device, index: number, count = Infinity): void {
    const from = this.seen[index] ?? 0
    const news = other.wrote.slice(from, from + count)
    this.seen[index] = from + news.length
    for (const event of news) this.join(event)
  }
}

const bytesOf = (state: State.State): Uint8Array => Cbor.encode(State.toCbor(state))

const joined = (events: ReadonlyArray<Event>): State.State => {
  const device = new Device(carol)
  for (const event of events) device.join(event)
  return device.state
}

const textOf = (state: State.State): unknown => State.read(state, fields)["body"]

const assertSame = (actual: State.State, wanted: State.State): void => {
  assert.strictEqual(textOf(actual), textOf(wanted))
  assert.deepStrictEqual(bytesOf(actual), bytesOf(wanted))
}

const runs = { numRuns: 200 }

/** What people do: type somewhere, delete somewhere, receive some of what another wrote. */
const steps = fc.array(
  fc.record({
    who: fc.nat(2),
    what: fc.constantFrom("insert", "insert", "delete", "both", "receive", "receive"),
    where: fc.nat(1000),
    count: fc.integer({ min: 1, max: 4 }),
    from: fc.nat(2)
  }),
  { maxLength: 40 }
)

type Steps = typeof steps extends fc.Arbitrary<infer S> ? S : never

const letters = "abcdefghijklmnopqrstuvwxyz"

/** Three devices after these steps, not all knowing all. */
const perform = (all: Steps): ReadonlyArray<Device> => {
  const devices = [alice, bob, carol].map((name) => new Device(name))
  all.forEach(({ who, what, where, count, from }, step) => {
    const device = devices[who]!
    if (what === "receive") return from === who ? undefined : device.receive(devices[from]!, from, count)
    const length = device.text.length
    const at = where % (length + 1)
    const removed = Math.min(count, length - at)
    const typed = letters[step % letters.length]!.repeat(count)
    device.edit((body) => {
      if (what === "insert") return [body.insert(at, typed)]
      if (what === "delete") return [body.delete(at, removed)]
      return [body.delete(at, removed), body.insert(at, typed), body.insert(at + 1, "_")]
    })
  })
  return devices
}

/** An interleaving of the feeds in which each keeps its own order. */
const interleaved = (
  lists: ReadonlyArray<ReadonlyArray<Event>>,
  choices: ReadonlyArray<number>
): ReadonlyArray<Event> => {
  const rest = lists.map((list) => [...list])
  const all: Array<Event> = []
  for (let turn = 0; rest.some((list) => list.length > 0); turn++) {
    const open = rest.filter((list) => list.length > 0)
    all.push(open[(choices[turn % choices.length] ?? 0) % open.length]!.shift()!)
  }
  return all
}

const choices = fc.array(fc.nat(2), { minLength: 1, maxLength: 30 })

describe("honest people", () => {
  it("see the same text once each has everything", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const devices = perform(all)
        for (const device of devices)
          devices.forEach((other, index) => other !== device && device.receive(other, index))
        assertSame(devices[1]!.state, devices[0]!.state)
        assertSame(devices[2]!.state, devices[0]!.state)
      }),
      runs
    )
  })

  it("see on their own device exactly what they typed", () => {
    fc.assert(
      fc.property(steps, fc.nat(1000), fc.nat(5), fc.string(), (all, where, count, typed) => {
        const text = typed.replace(/[\ud800-\udfff]/g, "?")
        const device = perform(all)[0]!
        const before = device.text
        const at = where % (before.length + 1)
        const removed = Math.min(count, before.length - at)
        device.edit((body) => {
          const changes = [body.insert(at, text), body.delete(at + text.length, removed), body.insert(at, "<")]
          assert.strictEqual(body.toString(), before.slice(0, at) + "<" + text + before.slice(at + removed))
          assert.strictEqual(body.length, body.toString().length)
          return changes
        })
        assert.strictEqual(device.text, before.slice(0, at) + "<" + text + before.slice(at + removed))
      }),
      runs
    )
  })

  it("see what a plan did however often it edits one place, deletes its own words and writes there again", () => {
    const edits = fc.array(
      fc.record({ where: fc.nat(1000), count: fc.nat(4), typed: fc.constantFrom("", "x", "yz") }),
      {
        minLength: 1,
        maxLength: 8
      }
    )
    fc.assert(
      fc.property(steps, edits, (all, edited) => {
        const device = perform(all)[0]!
        let text = device.text
        device.edit((body) =>
          edited.flatMap(({ where, count, typed }) => {
            const at = where % (text.length + 1)
            const removed = Math.min(count, text.length - at)
            text = text.slice(0, at) + typed + text.slice(at + removed)
            return [body.delete(at, removed), body.insert(at, typed)]
          })
        )
        assert.strictEqual(device.text, text)
      }),
      runs
    )
  })

  it("converge in any order of delivery, repetitions included, even within a feed", () => {
    const worlds = steps.chain((all) => {
      const events = perform(all).flatMap(({ wrote }) => wrote)
      return fc.tuple(
        fc.constant(events),
        fc.shuffledSubarray(events, { minLength: events.length }),
        fc.subarray(events)
      )
    })
    fc.assert(
      fc.property(worlds, ([events, shuffled, again]) => assertSame(joined([...shuffled, ...again]), joined(events))),
      runs
    )
  })

  it("lose nothing by checkpoints and merges, in the middle of anything", () => {
    fc.assert(
      fc.property(steps, fc.nat(100), choices, (all, cut, order) => {
        const lists = perform(all).map(({ wrote }) => wrote)
        const events = interleaved(lists, order)
        const at = cut % (events.length + 1)
        const data = Result.getOrThrow(Cbor.decode(bytesOf(joined(events.slice(0, at)))))
        const restored = Result.getOrThrow(State.fromCbor(data))
        assertSame(restored, joined(events.slice(0, at)))
        for (const { change, stamp } of events.slice(at)) State.apply(restored, fields, change, stamp)
        assertSame(restored, joined(events))
        assertSame(State.merge(joined(events.slice(0, at)), joined(events)), joined(events))
        const parts = lists.map((_, index) =>
          joined(events.filter(({ stamp }) => stamp.feed !== [alice, bob, carol][index]))
        )
        assertSame(State.merge(parts[0]!, parts[1]!), joined(events))
      }),
      runs
    )
  })

  it("keep what they typed behind words that were refused", () => {
    const [one, two] = [new Device(alice), new Device(bob)]
    one.edit((body) => [body.insert(0, "hello")])
    two.receive(one, 0)
    one.edit((body) => [body.insert(5, " forbidden"), body.delete(0, 5)], true)
    assert.strictEqual(one.text, "hello")
    // Bob's device judged later than it joined: it saw the words, and he typed behind them.
    const fooled = new Device(bob)
    for (const { change, stamp } of one.wrote) State.apply(fooled.state, fields, change, stamp)
    assert.strictEqual(fooled.text, " forbidden")
    fooled.edit((body) => [body.insert(10, "!")])
    for (const device of [one, two]) device.receive(fooled, 1)
    two.receive(one, 0)
    assert.strictEqual(one.text, "hello!")
    assert.strictEqual(two.text, "hello!")
  })
})

describe("authors whose ids begin alike", () => {
  const twins = [
    feed(7, 7, 7, 7, 7, 7, 7, 3),
    feed(7, 7, 7, 7, 7, 7, 7, 1),
    feed(7, 7, 7, 7, 7, 7, 7, 2),
    feed(7, 7, 7, 7, 7, 7, 16)
  ]
  const changes = fc.tuple(
    ...twins.map((name) => fc.array(fc.tuple(fc.nat(20), fc.nat(2)), { maxLength: 5 }).map((all) => ({ name, all })))
  )

  it("write beside each other, and every device agrees, whoever it met first", () => {
    fc.assert(
      fc.property(changes, choices, choices, (all, one, other) => {
        const devices = all.map(({ name }) => new Device(name))
        all.forEach(({ all: edits }, index) => {
          for (const [where, kind] of edits) {
            const device = devices[index]!
            if (kind === 0) device.receive(devices[(index + 1) % 4]!, (index + 1) % 4)
            else device.edit((body) => [body.insert(where % (body.length + 1), letters[where]!)])
          }
        })
        const lists = devices.map(({ wrote }) => wrote)
        const first = joined(interleaved(lists, one))
        assertSame(joined(interleaved(lists, other)), first)
        assertSame(joined(lists.toReversed().flat()), first)
        assertSame(Result.getOrThrow(State.fromCbor(State.toCbor(first))), first)
        assert.strictEqual(String(textOf(first)).length, lists.flat().length)
      }),
      runs
    )
  })
})

describe("a plan", () => {
  it("leaves the state as it was until its changes are applied", () => {
    const device = new Device(alice)
    device.edit((body) => [body.insert(0, "abc")])
    const before = bytesOf(device.state)
    const body = device.draft()
    body.insert(1, "x")
    body.delete(0, 3)
    assert.strictEqual(body.toString(), "c")
    assert.deepStrictEqual(bytesOf(device.state), before)
    assert.strictEqual(device.text, "abc")
  })

  it("dies on positions that are not in the text", () => {
    const device = new Device(alice)
    device.edit((body) => [body.insert(0, "abc")])
    const body = device.draft()
    for (const bad of [-1, 4, 0.5, NaN]) assert.throws(() => body.insert(bad, "x"), RangeError)
    assert.throws(() => body.delete(2, 2), RangeError)
    assert.throws(() => body.delete(1, -1), RangeError)
  })

  it("names its own characters by clock alone, and others' by their feed", () => {
    const [one, two] = [new Device(alice), new Device(bob)]
    one.edit((body) => [body.insert(0, "ab")])
    two.receive(one, 0)
    two.edit((body) => [body.insert(1, "x")])
    one.receive(two, 1)
    const [a, b] = [hexToBytes(alice.slice(0, 32)), hexToBytes(bob.slice(0, 32))]
    assert.deepStrictEqual(two.wrote[0]!.change, ["insert", "body", 0, [a, 0], [a, 1], "x"])
    assert.deepStrictEqual(one.draft().insert(2, "y"), ["insert", "body", 2, [b, 0], 1, "y"])
    assert.deepStrictEqual(one.draft().delete(0, 3), [
      "delete",
      "body",
      [
        [0, 1],
        [b, 0, 1],
        [1, 1]
      ]
    ])
  })
})

describe("what is no edit", () => {
  const bytes = new Uint8Array(16)
  const refused: ReadonlyArray<readonly [what: string, change: Change]> = [
    ["a Yjs update", ["edit", "body", new Uint8Array([0, 0])]],
    ["a start that is no clock", ["insert", "body", -1, null, null, "x"]],
    ["its own character as neighbour", ["insert", "body", 3, 3, null, "x"]],
    ["a neighbour with a short feed", ["insert", "body", 0, [new Uint8Array(15), 0], null, "x"]],
    ["bytes for text", ["insert", "body", 0, null, null, bytes]],
    ["half a surrogate pair", ["insert", "body", 0, null, null, "\ud83d"]],
    ["a text too long", ["insert", "body", 0, null, null, "x".repeat(65_537)]],
    ["a range of nothing", ["delete", "body", [[0, 0]]]],
    ["ranges that are no list", ["delete", "body", 1]],
    ["a range beyond every clock", ["delete", "body", [[bytes, 2 ** 40, 1]]]]
  ]
  for (const [what, change] of refused) {
    it(`is refused: ${what}`, () => assert.strictEqual(State.inspect(fields, change)._tag, "Invalid"))
  }
})

describe("Mallory", () => {
  const place = fc.oneof(
    fc.constant(null),
    fc.nat(8),
    fc.tuple(
      fc.constantFrom(alice, bob, carol).map((name) => hexToBytes(name.slice(0, 32))),
      fc.nat(10)
    )
  )
  const typed = fc.constantFrom("x", "yy", "zzz")
  /** Mostly the clock that is next, so that much of it integrates. */
  const slip = fc.constantFrom(0, 0, 0, 0, 0, -1, 1)
  const said = fc.record({ slip, left: place, right: place, typed, isRefused: fc.nat(4), isDeletion: fc.nat(4) })

  /** What a feed says when only the form of each change is right. */
  const lies = (name: FeedId): fc.Arbitrary<ReadonlyArray<Event>> =>
    fc.array(said, { maxLength: 8 }).map((all) => {
      let next = 0
      return all.map((one, seq): Event => {
        const start = Math.max(0, next + one.slip)
        const own = (at: Cbor.Cbor): Cbor.Cbor => (typeof at === "number" && at >= start ? null : at)
        const stamp = { time: seq, feed: name, seq, index: 0 }
        const isRefused = one.isRefused === 0
        if (one.isDeletion === 0) return { change: ["delete", "body", [[start, 1]]], stamp, isRefused }
        if (start === next) next += one.typed.length
        return { change: ["insert", "body", start, own(one.left), own(one.right), one.typed], stamp, isRefused }
      })
    })

  const lists = fc.tuple(lies(alice), lies(bob), lies(carol))

  it("inserts nothing by leaving out what he must have seen between his neighbours", () => {
    const stamp = (name: FeedId, seq: number): Stamp => ({ time: seq, feed: name, seq, index: 0 })
    const his = (seq: number, change: Change): Event => ({ change, stamp: stamp(bob, seq), isRefused: false })
    const hers: Event = { change: ["insert", "body", 0, null, null, "abc"], stamp: stamp(alice, 0), isRefused: false }
    const b = [hexToBytes(alice.slice(0, 32)), 1]
    assert.strictEqual(
      textOf(joined([his(0, ["insert", "body", 0, null, null, "x"]), his(1, ["insert", "body", 1, null, null, "y"])])),
      "x"
    )
    assert.strictEqual(textOf(joined([hers, his(0, ["insert", "body", 0, null, b, "x"])])), "abc")
    assert.strictEqual(textOf(joined([hers, his(0, ["insert", "body", 0, b, b, "x"])])), "abc")
  })

  it("splits nobody by inconsistent neighbours, double claims, gaps and cycles", () => {
    fc.assert(
      fc.property(lists, choices, choices, (all, one, other) => {
        assertSame(joined(interleaved(all, one)), joined(interleaved(all, other)))
      }),
      { numRuns: 2000 }
    )
  })

  it("splits nobody with checkpoints in between", () => {
    fc.assert(
      fc.property(lists, choices, fc.nat(24), (all, order, at) => {
        const events = interleaved(all, order)
        const half = joined(events.slice(0, at))
        const restored = Result.getOrThrow(State.fromCbor(State.toCbor(half)))
        const device = new Device(carol)
        for (const event of events.slice(at)) {
          if (event.isRefused) State.applyRefused(restored, fields, event.change, event.stamp)
          else State.apply(restored, fields, event.change, event.stamp)
        }
        assert.strictEqual(device.text, "")
        assertSame(restored, joined(events))
      }),
      { numRuns: 1000 }
    )
  })
})
