/**
 * The inner channel of every connection: both ends prove their device keys, and everything after is sealed between
 * them, whatever carries it. A mis-issued certificate, a proxy or a relay in between sees lengths and forges nothing.
 *
 * The handshake is Noise XX (identity/Noise.ts) with prologue `aura/channel/v1` NUL and fresh key pairs for every
 * connection; the device keys sign inside it. Byte 0 of each handshake message is the version, 1, and there is nothing
 * to negotiate: another version is refused, so there is no weaker one to be talked into.
 *
 *     1 →  version ‖ e ‖ count, versions                           in the clear
 *     2 ←  version ‖ e ‖ sealed s ‖ sealed { device 32 ‖ signature 64 ‖ count, versions ‖ binding }
 *     3 →  version ‖ sealed s ‖ sealed { device 32 ‖ signature 64 ‖ binding }
 *
 *     count, versions   1 byte, 1 to 8; as many bytes, rising: what of the protocol inside the sender understands
 *     binding           0, or 1 ‖ 32 bytes: hash of what the sender's outer TLS exports (RFC 9266), if it has that
 *
 * Each signature is Ed25519 over `aura/channel/v1` NUL ‖ role (1 initiator, 2 responder) ‖ the Noise hash just before
 * the payload ‖ s of the signer ‖ s of the other ‖ device of the other ‖ both lists, the initiator's first ‖ both
 * bindings, the initiator's first. What the responder can't know yet (s, device and binding of the initiator) is zeros
 * in its text; the Noise hash that the initiator signs later covers it all. A signature therefore fits one handshake
 * between two key pairs and can't be carried into another one.
 *
 * Order of disclosure: the responder shows its device to whoever asks; the initiator checks it with `isExpected` and
 * its signature against its key, and only then signs. Two bindings that are both stated must be equal, else somebody
 * ends the TLS of one side and begins another; a side that states none (a browser) relies on this channel alone.
 *
 * Afterwards every frame is sealed with a key per direction (identity/SealedFrames.ts). A whole conversation stands in
 * test/vectors/device-channel.json.
 *
 * A value machine: it asks for messages, signatures and verdicts, and is handed them. It does not know sockets, time
 * or what a frame means, and it hides neither lengths nor moments.
 */
import { concatBytes } from "@noble/hashes/utils.js"
import * as Result from "effect/Result"
import * as Bytes from "./Bytes.ts"
import * as Hash from "./Hash.ts"
import { deviceId, toBytes, type DeviceId } from "./Id.ts"
import * as Noise from "./Noise.ts"
import * as SealedFrames from "./SealedFrames.ts"
import { publicKeyBytes, signatureBytes, signed as signedText } from "./Signing.ts"

export const version = 1

/** Largest handshake message, in bytes; the largest one we write has 235. */
export const handshakeBytesMax = 512

/** Most entries of a version list. */
export const versionsMax = 8

export interface Options {
  readonly suite: Noise.Suite
  readonly initiator: boolean
  readonly device: DeviceId
  /** Both pairs are for this connection alone. */
  readonly static: Noise.KeyPair
  readonly ephemeral: Noise.KeyPair
  /** 1 to 8 rising numbers from 0 to 255; anything else is a defect of the caller. */
  readonly versions: ReadonlyArray<number>
  /** What the outer TLS exports, at least 32 bytes, if this side can ask it. */
  readonly exported?: Uint8Array | undefined
  /** Whether to go on with a device; without it, with any. For a responder, whom to let in. */
  readonly isExpected?: ((device: DeviceId) => boolean) | undefined
}

export interface Claim {
  readonly signer: DeviceId
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

export type Because =
  "Version" | "Malformed" | "NotAuthentic" | "OtherDevice" | "SameDevice" | "OtherBinding" | "BadSignature"

/** Why this side stopped, for its operator. The peer is told nothing. */
export interface Refusal {
  readonly because: Because
  readonly what: string
  /** Who the other end said it was, if it came to that; proved only if the signature was not the reason. */
  readonly found: DeviceId | undefined
}

/** An open channel. Its two functions count frames and are the one thing here that changes. */
export interface Session {
  readonly peer: DeviceId
  /** 32 secret bytes, equal at both ends, of this connection alone. */
  readonly channelKey: Uint8Array
  /** The peer's version list, as it signed it. */
  readonly peerVersions: ReadonlyArray<number>
  readonly seal: SealedFrames.Seal
  readonly open: SealedFrames.Open
}

/** What the machine waits for. `Open` and `Refused` are ends. */
export type Need =
  | { readonly _tag: "Message" }
  | { readonly _tag: "Sign"; readonly message: Uint8Array }
  | { readonly _tag: "Verify"; readonly claim: Claim }
  | { readonly _tag: "Open"; readonly session: Session }
  | { readonly _tag: "Refused"; readonly refusal: Refusal }

export interface Step {
  readonly channel: Channel
  /** To be sent before anything else, if there is something. */
  readonly send: Uint8Array | undefined
  readonly need: Need
}

export interface Channel {
  readonly [state]: State
}

export const start = (options: Options): Step => {
  const { versions } = options
  if (!isVersions(versions)) throw new RangeError(`no version list: ${versions.join(", ")}`)
  const noise = Noise.start(options.suite, { ...options, prologue: tag })
  const talk: Talk = { options, noise, initiatorVersions: versions, responderVersions: versions }
  if (!options.initiator) return waitFor({ _tag: "First", talk })
  const keys = Result.getOrThrow(Noise.writeKeys(noise))
  const payload = Noise.writePayload(keys[0], list(versions))
  const send = concatBytes(Uint8Array.of(version), keys[1], payload[1])
  return waitFor({ _tag: "Second", talk: { ...talk, noise: payload[0] } }, send)
}

/** The next handshake message. Called only when the machine needs one; else a defect. */
export const receive = (self: Channel, message: Uint8Array): Step => {
  const now = self[state]
  if (now._tag !== "First" && now._tag !== "Second" && now._tag !== "Third") {
    throw new Error(`no message is due in state ${now._tag}`)
  }
  if (message.length > handshakeBytesMax) {
    return refuse("Malformed", `a handshake message has at most ${handshakeBytesMax} bytes, not ${message.length}`)
  }
  if (message[0] !== version) {
    return refuse("Version", `the peer speaks channel version ${message[0] ?? "none"}, this side ${version}`)
  }
  const keys = Noise.readKeys(now.talk.noise, message.subarray(1))
  const opened = Result.flatMap(keys, ([noise, rest]) =>
    Result.map(Noise.readPayload(noise, rest), ([after, payload]) => ({ hash: noise.hash, noise: after, payload }))
  )
  if (Result.isFailure(opened)) return refuse("NotAuthentic", `handshake message ${failures[opened.failure]}`)
  const { hash, noise, payload } = opened.success
  const talk = { ...now.talk, noise }
  switch (now._tag) {
    case "First":
      return receiveFirst(talk, payload)
    case "Second":
      return receiveSecond(talk, hash, payload)
    case "Third":
      return receiveThird(now.talk.responderBinding, talk, hash, payload)
  }
}

/** The signature that was asked for. */
export const signed = (self: Channel, signature: Uint8Array): Step => {
  const now = self[state]
  if (now._tag !== "Signing") throw new Error(`no signature is due in state ${now._tag}`)
  if (signature.length !== signatureBytes) throw new RangeError(`a signature has ${signatureBytes} bytes`)
  const { talk } = now
  const binding = bindingOf(talk.options)
  const parts = [toBytes(talk.options.device), signature]
  if (talk.options.initiator) parts.push(binding)
  else parts.push(list(talk.responderVersions), binding)
  const [noise, payload] = Noise.writePayload(talk.noise, concatBytes(...parts))
  const send = concatBytes(Uint8Array.of(version), now.keys, payload)
  if (now.peer === undefined) {
    return waitFor({ _tag: "Third", talk: { ...talk, noise, responderBinding: binding } }, send)
  }
  return opened({ ...talk, noise }, now.peer, send)
}

/** Whether the claim that was asked about holds, by the rule of identity/Signature.ts. */
export const verified = (self: Channel, holds: boolean): Step => {
  const now = self[state]
  if (now._tag !== "Verifying") throw new Error(`no verdict is due in state ${now._tag}`)
  const { peer, peerBinding, talk } = now
  if (!holds) return refuse("BadSignature", "the peer does not hold the key of the device it names", peer)
  return talk.options.initiator ? askSignature(talk, peer, peerBinding) : opened(talk, peer)
}

const receiveFirst = (talk: Talk, payload: Uint8Array): Step => {
  const read = readList(payload)
  if (read === undefined || read.rest.length > 0) return refuse("Malformed", versionsAllowed)
  return askSignature({ ...talk, initiatorVersions: read.versions }, undefined, noBinding)
}

const receiveSecond = (talk: Talk, hash: Uint8Array, payload: Uint8Array): Step => {
  const proof = readProof(payload)
  const read = proof && readList(proof.rest)
  if (proof === undefined || read === undefined) return refuse("Malformed", versionsAllowed)
  if (!isBinding(read.rest)) return refuse("Malformed", "the peer's channel binding is neither absent nor a hash")
  return askVerdict({ ...talk, responderVersions: read.versions }, hash, proof, read.rest, noBinding)
}

const receiveThird = (responderBinding: Uint8Array, talk: Talk, hash: Uint8Array, payload: Uint8Array): Step => {
  const proof = readProof(payload)
  if (proof === undefined || !isBinding(proof.rest)) return refuse("Malformed", "the peer's proof has another length")
  return askVerdict(talk, hash, proof, proof.rest, responderBinding)
}

/** What this side refuses by itself comes first: nobody's signature is worth checking for it. */
const askVerdict = (talk: Talk, hash: Uint8Array, proof: Proof, binding: Uint8Array, ours: Uint8Array): Step => {
  const { device, initiator, isExpected } = talk.options
  const { peer, signature } = proof
  if (isExpected?.(peer) === false) return refuse("OtherDevice", "another device answers there", peer)
  if (peer === device) return refuse("SameDevice", "this device itself answers there", peer)
  if (isStated(binding) && isStated(bindingOf(talk.options)) && !Bytes.isSame(binding, bindingOf(talk.options))) {
    return refuse("OtherBinding", "the outer TLS of the two ends is not the same: something in between ends it", peer)
  }
  const message = text(talk, hash, {
    role: initiator ? responderRole : initiatorRole,
    signerStatic: talk.noise.peerStatic ?? zeros,
    otherStatic: initiator ? zeros : talk.options.static.publicKey,
    otherDevice: initiator ? zeros : toBytes(device),
    initiatorBinding: initiator ? noBinding : binding,
    responderBinding: initiator ? binding : ours
  })
  const need: Need = { _tag: "Verify", claim: { signer: peer, message, signature } }
  return { channel: { [state]: { _tag: "Verifying", talk, peer, peerBinding: binding } }, send: undefined, need }
}

/** Writes the keys of this side's proof and asks for the signature over the hash after them. */
const askSignature = (talk: Talk, peer: DeviceId | undefined, peerBinding: Uint8Array): Step => {
  const written = Noise.writeKeys(talk.noise)
  if (Result.isFailure(written)) return refuse("NotAuthentic", `handshake message ${failures[written.failure]}`)
  const [noise, keys] = written.success
  const { initiator } = talk.options
  const message = text(talk, noise.hash, {
    role: initiator ? initiatorRole : responderRole,
    signerStatic: talk.options.static.publicKey,
    otherStatic: noise.peerStatic ?? zeros,
    otherDevice: peer === undefined ? zeros : toBytes(peer),
    initiatorBinding: initiator ? bindingOf(talk.options) : noBinding,
    responderBinding: initiator ? peerBinding : bindingOf(talk.options)
  })
  const channel = { [state]: { _tag: "Signing" as const, talk: { ...talk, noise }, keys, peer } }
  return { channel, send: undefined, need: { _tag: "Sign", message } }
}

const opened = (talk: Talk, peer: DeviceId, send?: Uint8Array): Step => {
  const { initiator, suite } = talk.options
  const finished = Noise.finish(talk.noise)
  const [out, into] = initiator
    ? [finished.initiatorKey, finished.responderKey]
    : [finished.responderKey, finished.initiatorKey]
  const session: Session = {
    peer,
    channelKey: Hash.hash(channelKeyTag, finished.secret, finished.hash),
    peerVersions: initiator ? talk.responderVersions : talk.initiatorVersions,
    seal: SealedFrames.sealer(suite, out),
    open: SealedFrames.opener(suite, into)
  }
  return { channel: { [state]: { _tag: "Ended" } }, send, need: { _tag: "Open", session } }
}

const state: unique symbol = Symbol("aura/DeviceChannel/state")
const tag = Hash.domain("aura/channel/v1")
const bindingTag = Hash.domain("aura/channel/binding/v1")
const channelKeyTag = Hash.domain("aura/channel/key/v1")

const initiatorRole = 1
const responderRole = 2
const zeros = new Uint8Array(Noise.keyBytes)
const noBinding = Uint8Array.of(0)
const versionsAllowed = `a version list has 1 to ${versionsMax} rising numbers, and nothing else stands there`

const failures: Record<Noise.Failure, string> = {
  Truncated: "is cut short",
  SmallOrder: "carries a key of small order",
  NotAuthentic: "does not open: altered, or not meant for this connection"
}

/** What both sides of one handshake have said so far. A list not heard yet repeats our own and is never signed. */
interface Talk {
  readonly options: Options
  readonly noise: Noise.Handshake
  readonly initiatorVersions: ReadonlyArray<number>
  readonly responderVersions: ReadonlyArray<number>
}

type State =
  | { readonly _tag: "First" | "Second"; readonly talk: Talk }
  | { readonly _tag: "Third"; readonly talk: Talk & { readonly responderBinding: Uint8Array } }
  | { readonly _tag: "Signing"; readonly talk: Talk; readonly keys: Uint8Array; readonly peer: DeviceId | undefined }
  | { readonly _tag: "Verifying"; readonly talk: Talk; readonly peer: DeviceId; readonly peerBinding: Uint8Array }
  | { readonly _tag: "Ended" }

const waitFor = (now: State, send?: Uint8Array): Step => ({
  channel: { [state]: now },
  send,
  need: { _tag: "Message" }
})

const refuse = (because: Because, what: string, found?: DeviceId): Step => ({
  channel: { [state]: { _tag: "Ended" } },
  send: undefined,
  need: { _tag: "Refused", refusal: { because, what, found } }
})

const text = (
  talk: Talk,
  hash: Uint8Array,
  parts: {
    readonly role: number
    readonly signerStatic: Uint8Array
    readonly otherStatic: Uint8Array
    readonly otherDevice: Uint8Array
    readonly initiatorBinding: Uint8Array
    readonly responderBinding: Uint8Array
  }
): Uint8Array =>
  signedText(
    tag,
    Uint8Array.of(parts.role),
    hash,
    parts.signerStatic,
    parts.otherStatic,
    parts.otherDevice,
    list(talk.initiatorVersions),
    list(talk.responderVersions),
    parts.initiatorBinding,
    parts.responderBinding
  )

interface Proof {
  readonly peer: DeviceId
  readonly signature: Uint8Array
  readonly rest: Uint8Array
}

const readProof = (payload: Uint8Array): Proof | undefined => {
  const end = publicKeyBytes + signatureBytes
  if (payload.length < end) return undefined
  return {
    peer: deviceId(payload.subarray(0, publicKeyBytes)),
    signature: payload.slice(publicKeyBytes, end),
    rest: payload.subarray(end)
  }
}

const isVersions = (versions: ReadonlyArray<number>): boolean =>
  versions.length >= 1 &&
  versions.length <= versionsMax &&
  versions.every((each, index) => Number.isInteger(each) && each > (versions[index - 1] ?? -1) && each <= 255)

const list = (versions: ReadonlyArray<number>): Uint8Array => Uint8Array.of(versions.length, ...versions)

const readList = (bytes: Uint8Array) => {
  const end = 1 + (bytes[0] ?? 0)
  const versions = Array.from(bytes.subarray(1, end))
  return bytes.length >= end && isVersions(versions) ? { versions, rest: bytes.subarray(end) } : undefined
}

const bindingOf = ({ exported }: Options): Uint8Array =>
  exported === undefined ? noBinding : concatBytes(Uint8Array.of(1), Hash.hash(bindingTag, exported))

const isStated = (binding: Uint8Array): boolean => binding[0] === 1

const isBinding = (bytes: Uint8Array): boolean =>
  (bytes.length === 1 && bytes[0] === 0) || (bytes.length === 1 + Hash.hashBytes && bytes[0] === 1)
