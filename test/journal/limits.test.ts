/** How the limits of the journal relate: whatever one of them allows has room in what carries it. */
import { assert, describe, it } from "@effect/vitest"
import { definitionId, deviceId, entryHash, feedId } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Entry from "../../src/journal/Entry.ts"
import { requestKeyCharactersMax } from "../../src/journal/Request.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import * as Limits from "../../src/journal/limits.ts"
import * as Run from "../../src/journal/Run.ts"
import { accepted, bytesOf, feed } from "./writing.ts"

const signature = new Uint8Array(64)
const largestSeq = Limits.seqMax - 1
const ids = (count: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, (_, index) => bytesOf(`id ${index}`)).sort(Buffer.compare)

describe("the limits of the journal", () => {
  it("an entry fits a run of its own", () => {
    assert.isTrue(Run.fits(0, 0, Limits.entryBytesMax))
    const bodies = [new Uint8Array(Limits.entryBytesMax)]
    const run = {
      feed: feed.id,
      first: largestSeq,
      previous: entryHash(bytesOf("x")),
      times: [Clock.timeMax - 1],
      bodies
    }
    const bytes = Run.encode(run, signature)
    assert.isAtMost(bytes.length, Run.frameBytesMax + Run.entryFrameBytesMax + Limits.entryBytesMax)
    assert.deepStrictEqual(accepted(Run.decode(bytes)).bodies, bodies)
  })

  it("the bodies that a run may have fit it, even if they share nothing", () => {
    const most = Run.frameBytesMax + Limits.runEntriesMax * Run.entryFrameBytesMax + Limits.runBodyBytesMax
    assert.isAtMost(most, Limits.runBytesMax)
    const size = Math.floor(Limits.runBodyBytesMax / Limits.runEntriesMax)
    const bodies = Array.from({ length: Limits.runEntriesMax }, (_, index) => {
      const noise = [0, 1, 2, 3, 4, 5, 6].map((part) => bytesOf(`${index} ${part}`))
      return new Uint8Array(Buffer.concat(noise)).subarray(0, size)
    })
    const times = bodies.map((_, index) => index * 2 ** 42)
    const run = { feed: feed.id, first: 1, previous: entryHash(bytesOf("x")), times, bodies }
    assert.deepStrictEqual(accepted(Run.decode(Run.encode(run, signature))).bodies, bodies)
  })

  it("a complete `seen` fits an entry, and leaves room for as much data again", () => {
    const seen = ids(Limits.seenPositionsMax).map((id) => ({ feed: feedId(id), seq: largestSeq, hash: entryHash(id) }))
    const body = Entry.encode({
      keyEpoch: bytesOf("epoch"),
      definition: definitionId(bytesOf("definition")),
      seen,
      facts: [{ type: `a.${"b".repeat(Limits.factTypeCharactersMax - 2)}`, payload: [] }],
      request: { requester: deviceId(bytesOf("device")), key: "\u{10000}".repeat(requestKeyCharactersMax / 2) }
    })
    assert.isAtMost(body.length, (Limits.entryBytesMax * 2) / 3)
    assert.strictEqual(accepted(Entry.decode(body)).seen.length, Limits.seenPositionsMax)
  })

  it("a boundary where reading can start is never further away than a run is long", () => {
    assert.strictEqual(Limits.completeSeenEvery, Limits.runEntriesMax)
  })

  it("the largest header fits", () => {
    const position = { feed: feed.id, seq: largestSeq, hash: entryHash(bytesOf("x")) }
    const key = { publicKey: deviceId(bytesOf("key")), signature }
    const { bytes } = Feed.encode({ ...feed, time: Clock.timeMax - 1, closes: position, key })
    assert.isAtMost(bytes.length, Limits.headerBytesMax)
  })

  it("the position of a change in its feed packs into a safe integer", () => {
    const changes = Limits.entryFactsMax * Limits.factChangesMax
    assert.isAtMost((Limits.seqMax - 1) * changes + changes - 1, Number.MAX_SAFE_INTEGER)
  })

  it("a frontier of as many feeds as it may name reads back", () => {
    const frontier = new Map(
      ids(Limits.frontierFeedsMax).map((id) => [
        feedId(id),
        { seq: largestSeq, mark: "f".repeat(Frontier.markCharacters) }
      ])
    )
    const bytes = Cbor.encode(Frontier.toCbor(frontier))
    assert.strictEqual(accepted(Frontier.fromCbor(accepted(Cbor.decode(bytes)))).size, Limits.frontierFeedsMax)
  })
})
