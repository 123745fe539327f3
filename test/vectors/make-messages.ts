/**
 * Wrote `messages.json`, once: `node test/vectors/make-messages.ts > test/vectors/messages.json`; a new kind of message is
 * added to it, and what stands there stays as it is.
 *
 * The vectors are the format, as in make-journal.ts. One message of each kind, with every optional part once absent and once there.
 */
import { blobHash, chunkHash, feedId } from "../../src/identity/Id.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import * as Message from "../../src/sync/Message.ts"
import { bytesOf, hexOf, space } from "../journal/writing.ts"

const channelKey = bytesOf("channel key")
const tag = Message.tagOf(channelKey, space)
const other = Message.tagOf(bytesOf("another channel"), space)
const feeds = ["a", "b"].map((name) => feedId(bytesOf(name))).sort()
const frontier: Frontier.Frontier = new Map([
  [feeds[0]!, { seq: 0, mark: hexOf(bytesOf("first")).slice(0, 32) }],
  [feeds[1]!, { seq: 2 ** 33, mark: hexOf(bytesOf("second")).slice(0, 32) }]
])
const bytes = bytesOf("some bytes")

const messages: Readonly<Record<string, Message.Message>> = {
  hello: { _tag: "Hello", version: 1, spaces: [tag, other] },
  "hello, alone": { _tag: "Hello", version: 1, spaces: [] },
  offer: { _tag: "Offer", spaces: [tag] },
  have: { _tag: "Have", space: tag, frontier, upTo: undefined, more: false },
  "have, bounded": { _tag: "Have", space: tag, frontier: new Map(), upTo: frontier, more: true },
  run: { _tag: "Run", space: tag, header: undefined, run: bytes },
  "run with header": { _tag: "Run", space: tag, header: bytesOf("header"), run: bytes },
  credit: { _tag: "Credit", space: tag, bytes: 240 * 1024 },
  want: { _tag: "Want", space: tag, feed: feeds[0]!, from: 1024 },
  fork: { _tag: "Fork", space: tag, proof: bytes },
  pairing: { _tag: "Pairing", fields: ["redeem", bytes, bytesOf("box"), "Bob's phone"] },
  digest: { _tag: "Digest", space: tag, digest: Frontier.digest(frontier) },
  receipt: {
    _tag: "Receipt",
    space: tag,
    epoch: 497_000,
    nonce: 257,
    receipt: { spent: 2 ** 33, previous: Frontier.digest(frontier), signature: new Uint8Array(64).fill(7) }
  },
  "seek a chunk": { _tag: "Seek", space: tag, piece: { kind: "chunk", hash: chunkHash(bytes) } },
  "seek a manifest": { _tag: "Seek", space: tag, piece: { kind: "manifest", hash: blobHash(bytes) } },
  piece: { _tag: "Piece", space: tag, piece: { kind: "chunk", hash: chunkHash(bytes) }, bytes },
  "piece that is not here": {
    _tag: "Piece",
    space: tag,
    piece: { kind: "manifest", hash: blobHash(bytes) },
    bytes: undefined
  },
  "receipt, answered": { _tag: "Receipt", space: tag, epoch: 497_000, nonce: 257, receipt: undefined },
  "wantsealed": { _tag: "WantSealed", space: tag, digest: hexOf(Frontier.digest(frontier)), offset: 262_144 },
  sealed: { _tag: "Sealed", space: tag, digest: hexOf(Frontier.digest(frontier)), total: 2 ** 27, offset: 0, bytes }
}

const vectors = {
  about: "Messages of src/sync, version 1. Made by make-messages.ts; bytes are hexadecimal.",
  channelKey: hexOf(channelKey),
  space,
  tag,
  messages: Object.entries(messages).map(([name, message]) => ({ name, bytes: hexOf(Message.encode(message)) }))
}

process.stdout.write(`${JSON.stringify(vectors, null, 2)}\n`)
