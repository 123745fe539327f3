/** How the limits of sync relate to those of the journal and of the network: what may exist can be sent. */
import { assert, describe, it } from "@effect/vitest"
import { frameBytesMax } from "../../src/effects/Network.ts"
import { blobHash, entryHash, feedId } from "../../src/identity/Id.ts"
import { pieceBytesMax } from "../../src/journal/Blob.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Frontier from "../../src/journal/Frontier.ts"
import { frontierFeedsMax, headerBytesMax, runBytesMax, seqMax } from "../../src/journal/limits.ts"
import * as Limits from "../../src/sync/limits.ts"
import * as Message from "../../src/sync/Message.ts"
import { accepted, bytesOf } from "../journal/writing.ts"

const tag = "f".repeat(32)
const fits = (message: Message.Message): void => {
  const bytes = Message.encode(message)
  assert.isAtMost(bytes.length, Limits.messageBytesMax)
  assert.strictEqual(accepted(Message.decode(bytes))._tag, message._tag)
}

describe("the limits of sync", () => {
  it("a message fits a frame", () => {
    assert.isAtMost(Limits.messageBytesMax, frameBytesMax)
  })

  it("the largest run with its header fits a message", () => {
    fits({ _tag: "Run", space: tag, header: new Uint8Array(headerBytesMax), run: new Uint8Array(runBytesMax) })
  })

  it("the largest piece of a blob fits a message", () => {
    const piece = { kind: "manifest", hash: blobHash(bytesOf("blob")) } as const
    fits({ _tag: "Piece", space: tag, piece, bytes: new Uint8Array(pieceBytesMax) })
  })

  it("a part of sealed books fits a message", () => {
    const [digest, total, bytes] = ["5e".repeat(32), Limits.sealedBytesMax, new Uint8Array(Limits.sealedPartBytes)]
    fits({ _tag: "Sealed", space: tag, digest, total, offset: total - bytes.length, bytes })
  })

  it("a proof of a fork with two of the largest runs fits a message", () => {
    const [header, run] = [new Uint8Array(headerBytesMax), new Uint8Array(runBytesMax)]
    fits({ _tag: "Fork", space: tag, proof: Cbor.encode([1, header, run, run]) })
  })

  it("a frontier of as many feeds as one may name fits a message, with a bound of as many", () => {
    const frontier: Frontier.Frontier = new Map(
      Array.from({ length: frontierFeedsMax }, (_, index) => bytesOf(`feed ${index}`)).map((id) => [
        feedId(id),
        { seq: seqMax - 1, mark: Frontier.mark(entryHash(id)) }
      ])
    )
    fits({ _tag: "Have", space: tag, frontier, upTo: frontier, more: true })
  })

  it("a hello of as many spaces as it may name fits a message", () => {
    const spaces = new Array<string>(Limits.helloSpacesMax).fill(tag)
    fits({ _tag: "Hello", version: Message.version, spaces })
    fits({ _tag: "Offer", spaces })
  })

  it("several of the largest runs are in flight at once", () => {
    assert.isAtLeast(Limits.windowBytes, 4 * runBytesMax)
    assert.isAtLeast(Limits.windowRuns, Limits.windowBytes / runBytesMax)
  })

  it("what one peer may claim is more than one message can say", () => {
    assert.isAtLeast(Limits.unknownFeedsMax, frontierFeedsMax)
    assert.isAtLeast(Limits.unknownSpacesMax, Limits.helloSpacesMax)
  })
})
