/** Feed headers: one name for each, and nothing accepted that is not one. */
import { assert, describe, it } from "@effect/vitest"
import { entryHash, feedId, spaceId, toBytes } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Feed from "../../src/journal/Feed.ts"
import { headerBytesMax, seqMax } from "../../src/journal/limits.ts"
import { accepted, alice, bob, bytesOf, device, header, isGenuine, refusal } from "./writing.ts"

const closes: Feed.Position = { feed: feedId(bytesOf("old")), seq: 7, hash: entryHash(bytesOf("entry")) }
const token = device("a feed's own key")

const withKey = (changes: Partial<Feed.Header> = {}): Feed.Feed => {
  const plain = header(changes)
  return Feed.encode({
    ...plain,
    key: { publicKey: token.id, signature: alice.sign(Feed.feedKeyMessage(plain, token.id)) }
  })
}

const fields = (): Array<Cbor.Cbor> => [
  ...(accepted(Cbor.decode(withKey({ closes }).bytes)) as ReadonlyArray<Cbor.Cbor>)
]

describe("a feed header", () => {
  it("reads back as what was written, with and without its optional parts", () => {
    for (const feed of [
      Feed.encode(header()),
      Feed.encode(header({ kind: "authority" })),
      Feed.encode(header({ closes })),
      withKey(),
      withKey({ closes })
    ]) {
      assert.deepStrictEqual(accepted(Feed.decode(feed.bytes)), feed)
      assert.isAtMost(feed.bytes.length, headerBytesMax)
    }
  })

  it("names a feed by all that stands in it", () => {
    const feeds = [
      header(),
      header({ space: spaceId(bytesOf("other")) }),
      header({ device: bob.id }),
      header({ kind: "authority" }),
      header({ nonce: new Uint8Array(16) }),
      header({ time: 1_001 }),
      header({ closes }),
      header({ closes: { ...closes, seq: 8 } }),
      header({ key: { publicKey: token.id, signature: new Uint8Array(64) } })
    ].map((one) => Feed.encode(one).id)
    assert.strictEqual(new Set(feeds).size, feeds.length)
  })

  it("is refused with any field wrong, and the reason names it", () => {
    const position = [toBytes(closes.feed), 7, toBytes(closes.hash)]
    const wrong: ReadonlyArray<readonly [field: number, value: Cbor.Cbor, reason: RegExp]> = [
      [0, 2, /version 2, this reader knows 1/],
      [1, new Uint8Array(31), /an id of a wrong size/],
      [1, null, /an id of a wrong size/],
      [2, new Uint8Array(33), /an id of a wrong size/],
      [3, 2, /kind 2, known: 0, 1/],
      [3, "data", /kind data/],
      [4, new Uint8Array(15), /an id of a wrong size/],
      [5, -1, /a time out of range/],
      [5, Clock.timeMax, /a time out of range/],
      [5, 0.5, /a time out of range/],
      [6, position.slice(0, 2), /closes names no position/],
      [6, [position[0]!, seqMax, position[2]!], /closes names no position/],
      [6, [position[0]!, 1, new Uint8Array(16)], /closes names no position/],
      [7, new Uint8Array(32), /key is no feed key/],
      [7, [toBytes(token.id), new Uint8Array(63)], /key is no feed key/],
      [7, [toBytes(token.id), new Uint8Array(64), 1], /key is no feed key/]
    ]
    assert.isUndefined(refusal(Feed.decode(Cbor.encode(fields()))))
    for (const [field, value, reason] of wrong) {
      assert.match(refusal(Feed.decode(Cbor.encode(fields().with(field, value)))) ?? "accepted", reason)
    }
    assert.match(refusal(Feed.decode(Cbor.encode(fields().slice(0, 7)))) ?? "", /7 fields instead of 8/)
    assert.match(refusal(Feed.decode(Cbor.encode([...fields(), null]))) ?? "", /9 fields instead of 8/)
    assert.match(refusal(Feed.decode(Cbor.encode({ a: 1 }))) ?? "", /not an array/)
    assert.match(refusal(Feed.decode(Uint8Array.of(0x81))) ?? "", /at byte 0/)
    assert.match(refusal(Feed.decode(new Uint8Array(headerBytesMax + 1))) ?? "", /longer than/)
  })

  it("is not written when nobody could read it", () => {
    assert.throws(() => Feed.encode(header({ nonce: new Uint8Array(15) })), RangeError)
    assert.throws(() => Feed.encode(header({ time: Clock.timeMax })), RangeError)
  })

  it("is signed for by the device, or by the key that the device vouched for", () => {
    assert.strictEqual(Feed.signer(Feed.encode(header())), alice.id)
    const feed = withKey()
    assert.strictEqual(Feed.signer(feed), token.id)
    assert.isTrue(isGenuine(Feed.keyClaim(feed, feed.key!)))
  })

  it("can't be given another content under a stolen feed key: the device vouched for the whole header", () => {
    const { key } = withKey()
    const changed: ReadonlyArray<Partial<Feed.Header>> = [
      { closes },
      { time: 1_001 },
      { kind: "authority" },
      { space: spaceId(bytesOf("other")) },
      { nonce: new Uint8Array(16) },
      { device: bob.id }
    ]
    for (const change of changed) {
      const forged = Feed.encode(header({ ...change, key }))
      assert.isFalse(isGenuine(Feed.keyClaim(forged, key!)), JSON.stringify(change))
    }
  })
})
