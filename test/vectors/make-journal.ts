/**
 * Wrote `journal.json`, once: `node test/vectors/make-journal.ts > test/vectors/journal.json`.
 *
 * The vectors are the format. What is written there was read by a released version or will be; a test that fails against
 * them is right, and the code is wrong. Running this again is for a new version of the format only, under a new name of
 * its file. It shows how each vector came to be.
 */
import * as Result from "effect/Result"
import { definitionId, deviceId, entryHash, feedId, toBytes } from "../../src/identity/Id.ts"
import * as Branch from "../../src/journal/Branch.ts"
import * as Entry from "../../src/journal/Entry.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Fork from "../../src/journal/Fork.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import * as Genesis from "../../src/journal/Genesis.ts"
import * as Run from "../../src/journal/Run.ts"
import { alice, body, bytesOf, device, goOn, hexOf, write } from "../journal/writing.ts"

const root = device("recovery key")
const token = device("a feed's own key")
const nonce = bytesOf("nonce").slice(0, 16)

const genesis: Genesis.Genesis = { root: root.id, creator: alice.id, app: "tasks", nonce, time: 5_000 }
const { space, bytes: genesisBytes } = Genesis.encode(genesis)

const plain: Feed.Header = {
  space,
  device: alice.id,
  kind: "data",
  nonce,
  time: 809_902_080_000_007,
  closes: undefined,
  key: undefined
}
const closes: Feed.Position = { feed: feedId(bytesOf("old")), seq: 2 ** 33, hash: entryHash(bytesOf("entry")) }
const keyed: Feed.Header = { ...plain, kind: "authority", closes }
const feeds = [
  Feed.encode(plain),
  Feed.encode(keyed),
  Feed.encode({
    ...keyed,
    key: { publicKey: token.id, signature: alice.sign(Feed.feedKeyMessage(keyed, token.id)) }
  })
]
const feed = feeds[0]!

const bodies: ReadonlyArray<Entry.Body> = [
  {
    keyEpoch: undefined,
    definition: undefined,
    seen: [],
    facts: [{ type: "aura.space.create", payload: genesisBytes }],
    request: undefined
  },
  {
    keyEpoch: bytesOf("epoch"),
    definition: definitionId(bytesOf("definition")),
    seen: [closes],
    facts: [
      { type: "tasks.add", payload: [["set", "tasks", "milk", -1.5]] },
      { type: "tasks.completeAll", payload: null }
    ],
    request: { requester: deviceId(bytesOf("requester")), key: "order 7" }
  }
]

const first = write(
  alice,
  feed,
  [body("k000001"), body("k000002"), Entry.encode(bodies[1]!), body("k000017"), body("k000002")],
  [809_902_080_000_008, 809_902_080_000_009, 809_902_080_004_096, 809_902_084_096_000, 809_902_084_096_001]
)
const second = goOn(alice, first, [body("left")])
const other = goOn(alice, first, [body("right"), body("and on")])
const fork = Fork.between(feed, Run.merge([first, second]), Run.merge([first, other]))
if (fork === undefined) throw new Error("the branches do not part")

const described = (run: Run.Run) => ({
  bytes: hexOf(run.bytes),
  feed: run.feed,
  first: run.first,
  previous: run.previous,
  times: run.times,
  bodies: run.bodies.map(hexOf),
  hashes: run.hashes.map(hexOf),
  claim: hexOf(Run.claim(run, alice.id).message),
  signature: hexOf(run.signature)
})

const frontier: Frontier.Frontier = new Map(
  [...feeds].reverse().map((one, index) => [one.id, { seq: index * 2 ** 20, mark: Frontier.mark(hexOf(bytesOf(one.id))) }])
)

const branch = Branch.make(feeds[2]!, 2 ** 33, entryHash(bytesOf("shared")), entryHash(bytesOf("parted")))

const vectors = {
  about: "Formats of src/journal, version 1. Made once by make-journal.ts; bytes are hexadecimal. The device is Alice.",
  device: hexOf(toBytes(alice.id)),
  genesis: { ...genesis, nonce: hexOf(nonce), bytes: hexOf(genesisBytes), space },
  feeds: feeds.map((one) => ({
    bytes: hexOf(one.bytes),
    id: one.id,
    space: one.space,
    device: one.device,
    kind: one.kind,
    nonce: hexOf(one.nonce),
    time: one.time,
    closes: one.closes ?? null,
    key: one.key === undefined ? null : { publicKey: one.key.publicKey, signature: hexOf(one.key.signature) },
    keyClaim: one.key === undefined ? null : hexOf(Feed.keyClaim(one, one.key).message)
  })),
  bodies: bodies.map((one) => hexOf(Entry.encode(one))),
  chain: {
    previous: feed.id,
    seq: 2 ** 33 + 1,
    time: 2 ** 52 + 1,
    body: hexOf(body("k000001")),
    hash: hexOf(Entry.chain(Feed.origin(feed), 2 ** 33 + 1, 2 ** 52 + 1, body("k000001")))
  },
  runs: [first, second, Run.merge([first, second]), Run.tail(first, 3)].map(described),
  frontier: {
    heads: [...frontier].map(([id, head]) => [id, head.seq, head.mark]),
    digest: hexOf(Frontier.digest(frontier))
  },
  fork: { bytes: hexOf(fork.bytes), at: fork.at, hashBefore: Fork.hashBefore(fork), feed: fork.feed.id },
  branch: {
    bytes: hexOf(branch.bytes),
    id: branch.id,
    of: branch.of.id,
    at: branch.at,
    previous: branch.previous,
    first: branch.first
  }
}

Result.getOrThrow(Fork.decode(fork.bytes))
process.stdout.write(`${JSON.stringify(vectors, null, 2)}\n`)
