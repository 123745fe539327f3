/** The formats as they were frozen: `test/vectors/journal.json` is read, never written (make-journal.ts says how it was). */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Schema from "effect/Schema"
import { DeviceId, entryHash, EntryHash, FeedId, SpaceId, toBytes } from "../../src/identity/Id.ts"
import * as Branch from "../../src/journal/Branch.ts"
import * as Entry from "../../src/journal/Entry.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Fork from "../../src/journal/Fork.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import * as Genesis from "../../src/journal/Genesis.ts"
import * as Run from "../../src/journal/Run.ts"
import { accepted, alice, fromHex, hexOf, isGenuine } from "./writing.ts"

const Hex = Schema.String
const Vectors = Schema.Struct({
  device: DeviceId,
  genesis: Schema.Struct({
    root: DeviceId,
    creator: DeviceId,
    app: Schema.String,
    nonce: Hex,
    time: Schema.Number,
    bytes: Hex,
    space: SpaceId
  }),
  feeds: Schema.Array(
    Schema.Struct({
      bytes: Hex,
      id: FeedId,
      space: SpaceId,
      device: DeviceId,
      kind: Schema.Literals(["authority", "data"]),
      nonce: Hex,
      time: Schema.Number,
      closes: Schema.NullOr(Schema.Struct({ feed: FeedId, seq: Schema.Number, hash: EntryHash })),
      key: Schema.NullOr(Schema.Struct({ publicKey: DeviceId, signature: Hex })),
      keyClaim: Schema.NullOr(Hex)
    })
  ),
  bodies: Schema.Array(Hex),
  chain: Schema.Struct({ previous: FeedId, seq: Schema.Number, time: Schema.Number, body: Hex, hash: Hex }),
  runs: Schema.Array(
    Schema.Struct({
      bytes: Hex,
      feed: FeedId,
      first: Schema.Number,
      previous: EntryHash,
      times: Schema.Array(Schema.Number),
      bodies: Schema.Array(Hex),
      hashes: Schema.Array(Hex),
      claim: Hex,
      signature: Hex
    })
  ),
  frontier: Schema.Struct({ heads: Schema.Array(Schema.Tuple([FeedId, Schema.Number, Schema.String])), digest: Hex }),
  fork: Schema.Struct({ bytes: Hex, at: Schema.Number, hashBefore: EntryHash, feed: FeedId }),
  branch: Schema.Struct({
    bytes: Hex,
    id: FeedId,
    of: FeedId,
    at: Schema.Number,
    previous: EntryHash,
    first: EntryHash
  })
})

const vectors = Schema.decodeUnknownSync(Schema.fromJsonString(Vectors))(
  readFileSync(new URL("../vectors/journal.json", import.meta.url), "utf8")
)

describe("the frozen formats", () => {
  it("genesis: the record and the space it names", () => {
    const { bytes, space, nonce, ...rest } = vectors.genesis
    const genesis = { ...rest, nonce: fromHex(nonce) }
    assert.deepStrictEqual(accepted(Genesis.decode(fromHex(bytes))), { ...genesis, space })
    assert.strictEqual(hexOf(Genesis.encode(genesis).bytes), bytes)
  })

  it("feed headers, with the key that one of them names", () => {
    for (const { bytes, id, keyClaim, ...rest } of vectors.feeds) {
      const header: Feed.Header = {
        ...rest,
        nonce: fromHex(rest.nonce),
        closes: rest.closes ?? undefined,
        key: rest.key === null ? undefined : { ...rest.key, signature: fromHex(rest.key.signature) }
      }
      const feed = Feed.encode(header)
      assert.deepStrictEqual(feed, { ...header, id, bytes: fromHex(bytes) })
      assert.deepStrictEqual(accepted(Feed.decode(fromHex(bytes))), feed)
      if (feed.key === undefined) continue
      const claim = Feed.keyClaim(feed, feed.key)
      assert.strictEqual(hexOf(claim.message), keyClaim)
      assert.isTrue(isGenuine(claim))
    }
  })

  it("bodies of entries", () => {
    for (const bytes of vectors.bodies)
      assert.strictEqual(hexOf(Entry.encode(accepted(Entry.decode(fromHex(bytes))))), bytes)
    const [founding, full] = vectors.bodies.map((bytes) => accepted(Entry.decode(fromHex(bytes))))
    assert.strictEqual(founding?.facts[0]?.type, "aura.space.create")
    assert.strictEqual(full?.request?.key, "order 7")
    assert.strictEqual(full?.seen.length, 1)
  })

  it("the hash that chains entries", () => {
    const { previous, seq, time, body, hash } = vectors.chain
    assert.strictEqual(hexOf(Entry.chain(toBytes(previous), seq, time, fromHex(body))), hash)
  })

  it("runs: what they hold, and what is signed", () => {
    for (const { bytes, claim, signature, bodies, hashes, ...rest } of vectors.runs) {
      const run = accepted(Run.decode(fromHex(bytes)))
      assert.deepStrictEqual(run, {
        ...rest,
        bodies: bodies.map(fromHex),
        hashes: hashes.map(fromHex),
        signature: fromHex(signature),
        bytes: fromHex(bytes)
      })
      assert.strictEqual(hexOf(Run.claim(run, alice.id).message), claim)
      assert.isTrue(isGenuine(Run.claim(run, vectors.device)))
    }
  })

  it("a frontier's digest", () => {
    const frontier: Frontier.Frontier = new Map(
      vectors.frontier.heads.map(([feed, seq, mark]) => [feed, { seq, mark }])
    )
    assert.strictEqual(hexOf(Frontier.digest(frontier)), vectors.frontier.digest)
  })

  it("a fork's proof", () => {
    const fork = accepted(Fork.decode(fromHex(vectors.fork.bytes)))
    assert.strictEqual(fork.at, vectors.fork.at)
    assert.strictEqual(Fork.hashBefore(fork), vectors.fork.hashBefore)
    assert.strictEqual(fork.feed.id, vectors.fork.feed)
    assert.isTrue(Fork.claims(fork).every(isGenuine))
    const [left, right] = fork.branches
    assert.strictEqual(hexOf(Fork.between(fork.feed, right, left)?.bytes ?? new Uint8Array(0)), vectors.fork.bytes)
    assert.strictEqual(entryHash(toBytes(left.previous)), fork.branches[1].previous)
  })

  it("the header of a branch", () => {
    const { at, bytes, first, id, of, previous } = vectors.branch
    const { branch, feed } = accepted(Branch.decodeNamed(fromHex(bytes)))
    assert.strictEqual(feed.id, of)
    assert.deepStrictEqual(branch, { id, bytes: fromHex(bytes), of: feed, at, previous, first })
    assert.strictEqual(hexOf(Branch.make(feed, at, previous, first).bytes), bytes)
  })
})
