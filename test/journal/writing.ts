/** Devices that write feeds, and runs of them: what the tests of the journal's formats are made from. Deterministic. */
import { createHash, createPrivateKey, createPublicKey, sign as signNow, verify as verifyNow } from "node:crypto"
import * as Result from "effect/Result"
import { deviceId, entryHash, spaceId, toBytes, type DeviceId } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Feed from "../../src/journal/Feed.ts"
import * as Run from "../../src/journal/Run.ts"

export const bytesOf = (text: string): Uint8Array => new Uint8Array(createHash("sha256").update(text).digest())

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))

const pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex")
const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex")

export interface Device {
  readonly id: DeviceId
  readonly sign: (message: Uint8Array) => Uint8Array
}

/** The same name has the same key, always. */
export const device = (name: string): Device => {
  const der = Buffer.concat([pkcs8Prefix, bytesOf(`device ${name}`)])
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(spkiPrefix.length)
  return {
    id: deviceId(new Uint8Array(publicKey)),
    sign: (message) => new Uint8Array(signNow(null, message, key))
  }
}

export const alice = device("alice")
export const bob = device("bob")
export const mallory = device("mallory")

export const isGenuine = (claim: ReturnType<typeof Run.claim>): boolean => {
  const der = Buffer.concat([spkiPrefix, toBytes(claim.signer)])
  return verifyNow(null, claim.message, createPublicKey({ key: der, format: "der", type: "spki" }), claim.signature)
}

export const space = spaceId(bytesOf("space"))

export const header = (changes: Partial<Feed.Header> = {}): Feed.Header => ({
  space,
  device: alice.id,
  kind: "data",
  nonce: bytesOf("nonce").slice(0, Feed.nonceBytes),
  time: 1_000,
  closes: undefined,
  key: undefined,
  ...changes
})

export const feed = Feed.encode(header())

/** The entries of a feed from its beginning on, one run under one signature. */
export const write = (
  writer: Device,
  of: Feed.Feed,
  bodies: ReadonlyArray<Uint8Array>,
  times: ReadonlyArray<number> = bodies.map((_, index) => 2_000 + index)
): Run.Run => sign(writer, { feed: of.id, first: 0, previous: entryHash(Feed.origin(of)), times, bodies })

/** Goes on where a run ended. */
export const goOn = (writer: Device, before: Run.Run, bodies: ReadonlyArray<Uint8Array>): Run.Run => {
  const after = before.times[before.times.length - 1]!
  const times = bodies.map((_, index) => after + 1 + index)
  const first = Run.lastSeq(before) + 1
  return sign(writer, { feed: before.feed, first, previous: Run.lastHash(before), times, bodies })
}

export const sign = (writer: Device, unsigned: Run.Unsigned): Run.Run => {
  const hashes = Run.hashes(unsigned)
  const last = unsigned.first + unsigned.bodies.length - 1
  const signature = writer.sign(Run.message(unsigned.feed, last, hashes[hashes.length - 1]!))
  return accepted(Run.decode(Run.encode(unsigned, signature)))
}

export const body = (text: string): Uint8Array =>
  Cbor.encode([null, bytesOf("definition"), null, [["kv.set", [["set", "entries", text, hexOf(bytesOf(text))]]]]])

export const accepted = <A, E extends { readonly what: string } | string>(result: Result.Result<A, E>): A =>
  Result.getOrThrowWith(result, (error) => new Error(typeof error === "string" ? error : error.what))

/** The reason, or `undefined` for what was accepted. */
export const refusal = <A>(result: Result.Result<A, { readonly what: string } | string>): string | undefined =>
  Result.match(result, {
    onFailure: (error) => (typeof error === "string" ? error : error.what),
    onSuccess: () => undefined
  })
