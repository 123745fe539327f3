/** Runs: what is folded unfolds to the same entries, nothing else passes for it, and a small run stays small. */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { entryHash, toBytes, type EntryHash } from "../../src/identity/Id.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Feed from "../../src/journal/Feed.ts"
import { entryBytesMax, runBodyBytesMax, runBytesMax, runEntriesMax, seqMax } from "../../src/journal/limits.ts"
import * as Run from "../../src/journal/Run.ts"
import * as Varint from "../../src/journal/Varint.ts"
import { accepted, alice, body, bytesOf, feed, goOn, isGenuine, refusal, sign, write } from "./writing.ts"

const signature = new Uint8Array(64).fill(7)
const origin = entryHash(Feed.origin(feed))
const unsigned = (bodies: ReadonlyArray<Uint8Array>, changes: Partial<Run.Unsigned> = {}): Run.Unsigned => ({
  feed: feed.id,
  first: 0,
  previous: origin,
  times: bodies.map((_, index) => 10 + index),
  bodies,
  ...changes
})

/** What a run says: everything but how it was folded. */
const meaning = ({ feed, first, previous, times, bodies, hashes, signature }: Run.Run) => ({
  feed,
  first,
  previous,
  times,
  bodies,
  hashes,
  signature
})

/** Bodies that share beginnings and ends with neighbours near and far, some of them long or empty. */
const pieces = ["", "a", "ab", "abab", "b".repeat(130), "x".repeat(600)].map((text) => new TextEncoder().encode(text))
const piece = fc.constantFrom(...pieces)
const bodies: fc.Arbitrary<ReadonlyArray<Uint8Array>> = fc.array(
  fc.tuple(piece, fc.uint8Array({ maxLength: 3 }), piece).map((parts) => new Uint8Array(Buffer.concat(parts))),
  { minLength: 1, maxLength: 40 }
)
const runs: fc.Arbitrary<Run.Unsigned> = bodies.chain((all) =>
  fc
    .record({
      steps: fc.array(fc.constantFrom(1, 2, 4096, 2 ** 33), { minLength: all.length, maxLength: all.length }),
      first: fc.constantFrom(0, 1, 1023, 2 ** 33)
    })
    .map(({ first, steps }) => {
      let time = 5
      const times = steps.map((step) => (time += step))
      const previous: EntryHash = first === 0 ? origin : entryHash(bytesOf("before"))
      return { feed: feed.id, first, previous, times, bodies: all }
    })
)

describe("a run", () => {
  it("unfolds to the entries it was folded from, with their hashes", () => {
    fc.assert(
      fc.property(runs, (run) => {
        const bytes = Run.encode(run, signature)
        const decoded = accepted(Run.decode(bytes))
        assert.deepStrictEqual(meaning(decoded), { ...run, hashes: Run.hashes(run), signature })
        assert.strictEqual(Run.lastSeq(decoded), run.first + run.bodies.length - 1)
        assert.strictEqual(Run.lastHash(decoded), entryHash(Run.hashes(run).at(-1)!))
      })
    )
  })

  it("holds 1 to 1 024 entries", () => {
    for (const count of [1, 2, 17, runEntriesMax]) {
      const run = unsigned(Array.from({ length: count }, (_, index) => body(`k${index}`)))
      assert.deepStrictEqual(accepted(Run.decode(Run.encode(run, signature))).bodies, run.bodies)
    }
  })

  it("leaves out what a neighbour has, at both ends", () => {
    const all = Array.from({ length: 64 }, (_, index) => body(`k${index % 7}${index}`))
    const plain = all.reduce((sum, one) => sum + one.length, 0)
    assert.isBelow(Run.encode(unsigned(all), signature).length, plain * 0.6)
    // The same entry sixteen places back costs two bytes: head and shared.
    const sixteen = Array.from({ length: 16 }, (_, index) => bytesOf(`body ${index}`))
    const once = Run.encode(unsigned(sixteen), signature).length
    assert.strictEqual(Run.encode(unsigned([...sixteen, sixteen[0]!]), signature).length, once + 2)
    const ends = [bytesOf("a"), new Uint8Array(Buffer.concat([Uint8Array.of(1), bytesOf("a")]))]
    const both = Run.encode(unsigned(ends), signature).length
    assert.isAtMost(both, Run.encode(unsigned([ends[0]!]), signature).length + 5)
  })

  it("put together from runs is folded as if it had been one from the start", () => {
    fc.assert(
      fc.property(bodies, fc.array(fc.nat({ max: 39 }), { maxLength: 4 }), (all, cuts) => {
        const padded = [...all, ...all, ...all]
        const whole = sign(alice, unsigned(padded))
        const ends = [...new Set([...cuts.map((cut) => (cut * 3) % padded.length), padded.length])].sort(
          (a, b) => a - b
        )
        let first = 0
        const parts: Array<Run.Run> = []
        for (const end of ends.filter((end) => end > 0)) {
          parts.push(
            sign(alice, {
              feed: feed.id,
              first,
              previous: Run.hashBefore(whole, first),
              times: whole.times.slice(first, end),
              bodies: padded.slice(first, end)
            })
          )
          first = end
        }
        assert.deepStrictEqual(Run.merge(parts), whole)
      })
    )
  })

  it("is true for its device when the one signature is, and says of which entries", () => {
    const run = write(alice, feed, [body("a"), body("b")])
    assert.isTrue(isGenuine(Run.claim(run, Feed.signer(feed))))
    assert.isFalse(isGenuine(Run.claim({ ...run, signature }, Feed.signer(feed))))
    assert.deepStrictEqual(
      Buffer.from(Run.message(feed.id, 1, run.hashes[1]!)).toString("latin1"),
      Buffer.concat([
        Buffer.from("aura/run/v1\0"),
        toBytes(feed.id),
        Buffer.alloc(7),
        Buffer.of(1),
        run.hashes[1]!
      ]).toString("latin1")
    )
  })

  it("with any bit flipped is refused, or unsigned, or the same entries in another framing", () => {
    const before = write(alice, feed, [body("a")])
    const run = goOn(alice, before, [body("aa"), body("ab"), bytesOf("another"), body("ab")])
    const counts = { refused: 0, unsigned: 0, same: 0 }
    for (let at = 0; at < run.bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = run.bytes.slice()
        flipped[at]! ^= 1 << bit
        const result = Run.decode(flipped)
        if (refusal(result) !== undefined) counts.refused++
        else {
          const other = accepted(result)
          if (!isGenuine(Run.claim(other, Feed.signer(feed)))) counts.unsigned++
          else {
            assert.deepStrictEqual(meaning(other), meaning(run), `byte ${at}, bit ${bit}`)
            counts.same++
          }
        }
      }
    }
    assert.isAbove(counts.refused, 0)
    assert.isAbove(counts.unsigned, 0)
    assert.isBelow(counts.same, 20)
  })

  it("cut off anywhere, or with bytes added, is refused", () => {
    const { bytes } = write(alice, feed, [body("a"), body("b")])
    for (let length = 0; length < bytes.length; length++) {
      const cut = Run.decode(bytes.subarray(0, length))
      if (refusal(cut) === undefined)
        assert.isFalse(isGenuine(Run.claim(accepted(cut), Feed.signer(feed))), String(length))
    }
    assert.match(refusal(Run.decode(Uint8Array.of(...bytes, 0))) ?? "", /between the last entry and the signature/)
  })
})

/** A run written by hand, for what `encode` would never write. */
const raw = (
  entries: ReadonlyArray<number>,
  changes: { count?: number; first?: number; previous?: Uint8Array } = {}
) => {
  const cursor = { bytes: new Uint8Array(64), at: 0 }
  Varint.write(cursor, changes.first ?? 0)
  const first = cursor.bytes.slice(0, cursor.at)
  cursor.at = 0
  Varint.write(cursor, changes.count ?? 1)
  const count = cursor.bytes.slice(0, cursor.at)
  const previous = changes.previous ?? toBytes(feed.id)
  const parts = [Uint8Array.of(1), toBytes(feed.id), first, previous, count, Uint8Array.from(entries), signature]
  return new Uint8Array(Buffer.concat(parts))
}

const varint = (value: number): ReadonlyArray<number> => {
  const cursor = { bytes: new Uint8Array(8), at: 0 }
  Varint.write(cursor, value)
  return [...cursor.bytes.slice(0, cursor.at)]
}

/** A first entry at time 1 with the body "abc". */
const abc = [0x10, 0, 3, 97, 98, 99]

describe("a run that can't be one", () => {
  it("is refused, at its byte and with its reason", () => {
    assert.isUndefined(refusal(Run.decode(raw(abc))))
    const cases: ReadonlyArray<readonly [bytes: Uint8Array, reason: RegExp]> = [
      [raw(abc).with(0, 2), /at byte 0: version 2, this reader knows 1/],
      [new Uint8Array(runBytesMax + 1), /at byte 0: longer than/],
      [new Uint8Array(0), /cut off/],
      [raw(abc, { previous: bytesOf("elsewhere") }), /must follow the feed's own id/],
      [raw(abc, { first: seqMax }), /sequence numbers out of range/],
      [raw([...abc, ...abc], { count: 2, first: seqMax - 1 }), /sequence numbers out of range/],
      [raw([], { count: 0 }), /count must be 1 to 1024/],
      [raw(abc, { count: runEntriesMax + 1 }), /count must be 1 to 1024/],
      [raw(abc, { count: 2 }), /cut off|time does not rise/],
      [raw(abc.with(0, 0x90)), /an unknown bit is set/],
      [raw([...abc, 0x00, 0, 0, 0], { count: 2 }), /time does not rise/],
      [raw([0x00, ...varint(Clock.timeMax), 0, 0]), /time out of range/],
      [raw([...abc, 0x00, ...varint(Number.MAX_SAFE_INTEGER), 0, 0], { count: 2 }), /time out of range/],
      [raw([0x10, 1, 0]), /shares more than there is/],
      [raw([...abc, 0x10, 4, 0], { count: 2 }), /shares more than there is/],
      [raw([...abc, 0x50, 2, 2, 0], { count: 2 }), /shares more than there is/],
      [raw([...abc, 0x11, 1, 0], { count: 2 }), /shares more than there is/],
      [raw([0x10, 0, 200, 97]), /cut off/],
      [raw([0x10, 0, ...varint(Number.MAX_SAFE_INTEGER)]), /cut off/],
      [raw([...abc, 7]), /between the last entry and the signature/],
      [
        raw([0x10, 0, ...varint(entryBytesMax + 1), ...new Array<number>(entryBytesMax + 1).fill(0)]),
        /an entry longer than/
      ]
    ]
    for (const [bytes, reason] of cases) assert.match(refusal(Run.decode(bytes)) ?? "accepted", reason)
  })

  it("is no bomb: the bodies count as they unfold", () => {
    const large = 1_000
    const first = [0x10, 0, ...varint(large), ...new Array<number>(large).fill(0)]
    const again = [0x30, ...varint(large)]
    const times = (count: number) =>
      raw([...first, ...Array.from({ length: count - 1 }, () => again).flat()], { count })
    const most = Math.floor(runBodyBytesMax / large)
    assert.strictEqual(accepted(Run.decode(times(most))).bodies.length, most)
    assert.match(refusal(Run.decode(times(most + 1))) ?? "accepted", /bodies of more than/)
  })

  it("is not written", () => {
    const fine = [bytesOf("a"), bytesOf("b")]
    const wrong: ReadonlyArray<Run.Unsigned> = [
      unsigned([]),
      unsigned(Array.from({ length: runEntriesMax + 1 }, () => new Uint8Array(0))),
      unsigned([new Uint8Array(entryBytesMax + 1)]),
      unsigned([new Uint8Array(entryBytesMax), new Uint8Array(runBodyBytesMax - entryBytesMax + 1)]),
      unsigned(fine, { times: [10, 10] }),
      unsigned(fine, { times: [10] }),
      unsigned(fine, { times: [10, Clock.timeMax] }),
      unsigned(fine, { first: seqMax - 1 })
    ]
    for (const run of wrong) assert.throws(() => Run.encode(run, signature), RangeError)
    assert.throws(() => Run.encode(unsigned(fine), new Uint8Array(63)), RangeError)
    assert.doesNotThrow(() => Run.encode(unsigned(fine), signature))
  })

  it("is what `fits` says, to the byte", () => {
    assert.isTrue(Run.fits(0, 0, entryBytesMax))
    assert.isFalse(Run.fits(0, 0, entryBytesMax + 1))
    assert.isTrue(Run.fits(runEntriesMax - 1, runBodyBytesMax - 10, 10))
    assert.isFalse(Run.fits(runEntriesMax - 1, runBodyBytesMax - 10, 11))
    assert.isFalse(Run.fits(runEntriesMax, 0, 0))
  })
})

describe("runs cut anew and put together", () => {
  const parts: fc.Arbitrary<ReadonlyArray<Run.Run>> = fc
    .array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 })
    .map((sizes) => {
      let run = write(
        alice,
        feed,
        Array.from({ length: sizes[0]! }, (_, index) => body(`0 ${index}`))
      )
      return sizes.map((size, part) => {
        if (part > 0)
          run = goOn(
            alice,
            run,
            Array.from({ length: size }, (_, index) => body(`${part} ${index}`))
          )
        return run
      })
    })

  it("keep times, bodies and hashes, and end in a signature that holds", () => {
    fc.assert(
      fc.property(parts, fc.nat(), (all, where) => {
        const whole = Run.merge(all)
        const last = all[all.length - 1]!
        assert.deepStrictEqual(meaning(accepted(Run.decode(whole.bytes))), meaning(whole))
        assert.deepStrictEqual(
          whole.hashes,
          all.flatMap((run) => run.hashes)
        )
        assert.isTrue(isGenuine(Run.claim(whole, alice.id)))

        const from = where % whole.bodies.length
        const rest = Run.tail(whole, from)
        assert.deepStrictEqual(meaning(accepted(Run.decode(rest.bytes))), meaning(rest))
        assert.deepStrictEqual(rest.hashes, whole.hashes.slice(from))
        assert.strictEqual(rest.previous, Run.hashBefore(whole, from))
        assert.strictEqual(Run.lastHash(rest), Run.lastHash(last))
        assert.isTrue(isGenuine(Run.claim(rest, alice.id)))
      }),
      { numRuns: 40 }
    )
  })

  it("cut at a signature that was kept are the runs that were merged", () => {
    const first = write(alice, feed, [body("a"), body("b")])
    const second = goOn(alice, first, [body("c")])
    assert.deepStrictEqual(meaning(Run.tail(Run.merge([first, second]), 2)), meaning(second))
    assert.strictEqual(Run.tail(second, 2), second)
  })

  it("always fit a run again, however the run they are cut from was folded", () => {
    // Each entry shares half of its body with one of the first two, which are cut away.
    const [left, right] = [bytesOf("left"), bytesOf("right")].map((seed) => new Uint8Array(20_000).fill(seed[0]!))
    const halves = Array.from({ length: 9 }, (_, index) =>
      index % 2 === 0 ? Uint8Array.of(...left!, index) : Uint8Array.of(index, ...right!)
    )
    const run = sign(alice, unsigned([left!, right!, ...halves.slice(0, 7)]))
    const rest = Run.tail(run, 2)
    assert.isAtMost(rest.bytes.length, runBytesMax)
    assert.deepStrictEqual(meaning(accepted(Run.decode(rest.bytes))), meaning(rest))
  })

  it("die on what does not follow", () => {
    const first = write(alice, feed, [body("a")])
    const other = write(alice, feed, [body("b")])
    const second = goOn(alice, first, [body("c")])
    assert.throws(() => Run.merge([]), RangeError)
    assert.throws(() => Run.merge([second, first]), RangeError)
    assert.throws(() => Run.merge([other, second]), RangeError)
    assert.throws(() => Run.merge([first, { ...second, feed: Feed.encode({ ...feed, time: 7 }).id }]), RangeError)
    assert.throws(() => Run.tail(second, 0), RangeError)
    assert.throws(() => Run.tail(second, 2), RangeError)
  })
})
