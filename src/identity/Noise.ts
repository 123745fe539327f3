/**
 * The Noise handshake XX: two strangers agree on keys that nobody between them knows, and each learns a long-lived
 * key of the other's under the seal of what was agreed before.
 *
 * `Noise_XX_25519_ChaChaPoly_SHA256` of the Noise Protocol Framework, revision 34, as a value machine:
 *
 *     → e                  32 bytes, payload in the clear
 *     ← e, ee, s, es       32 + 48 bytes, payload sealed from whoever is not the sender of the first message
 *     → s, se              48 bytes, payload sealed for both keys of the responder
 *
 * A message is its keys and then its payload; the two are written and read apart, because what authenticates a side
 * (identity/DeviceChannel.ts) signs `hash` as it stands between them. After the third payload `finish` yields a key
 * per direction, and a third secret by the same derivation, for other uses.
 *
 * Held to the published vectors of the cacophony and snow implementations (test/vectors/noise-xx.json). Nothing here
 * proves who somebody is, draws randomness, knows a socket or limits a length. A key pair serves one handshake.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import { x25519 } from "@noble/curves/ed25519.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concatBytes } from "@noble/hashes/utils.js"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

export const keyBytes = 32
export const tagBytes = 16

/** One key of ChaCha20-Poly1305, prepared once because preparing is what costs on some platforms. */
export interface Cipher {
  /** `room` zero bytes for the caller's own use, the ciphertext, the tag. Owns its result. */
  readonly seal: (nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array, room: number) => Uint8Array
  /** Undefined: these bytes were not sealed with this key, nonce and associated data. Owns its result. */
  readonly open: (nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array) => Uint8Array | undefined
}

/** The primitives, so that a platform can bring its own; all of them compute the same. */
export interface Suite {
  readonly publicKey: (secret: Uint8Array) => Uint8Array
  /** X25519. Undefined where the result is zero: the public key is of small order. */
  readonly agree: (secret: Uint8Array, publicKey: Uint8Array) => Uint8Array | undefined
  readonly cipher: (key: Uint8Array) => Cipher
}

export interface KeyPair {
  readonly secret: Redacted.Redacted<Uint8Array>
  readonly publicKey: Uint8Array
}

export type Failure = "Truncated" | "SmallOrder" | "NotAuthentic"

/** Where a handshake stands. Immutable; every step returns another one. */
export interface Handshake {
  readonly initiator: boolean
  /** What both have seen so far, 32 bytes. */
  readonly hash: Uint8Array
  /** The other's long-lived key, once it was received. */
  readonly peerStatic: Uint8Array | undefined
  readonly [state]: State
}

export interface Finished {
  readonly hash: Uint8Array
  readonly initiatorKey: Uint8Array
  readonly responderKey: Uint8Array
  /** 32 bytes that tell nothing about the two keys, nor they about it. */
  readonly secret: Uint8Array
}

/** The portable suite, in JavaScript. */
export const nobleSuite: Suite = {
  publicKey: (secret) => x25519.getPublicKey(secret),
  agree: (secret, publicKey) => Result.getOrUndefined(Result.try(() => x25519.getSharedSecret(secret, publicKey))),
  cipher: (key) => ({
    seal: (nonce, associated, plain, room) => {
      const sealed = new Uint8Array(room + plain.length + tagBytes)
      chacha20poly1305(key, nonce, associated).encrypt(plain, sealed.subarray(room))
      return sealed
    },
    open: (nonce, associated, sealed) =>
      Result.getOrUndefined(Result.try(() => chacha20poly1305(key, nonce, associated).decrypt(sealed)))
  })
}

/** `secret` is 32 bytes of secure randomness. */
export const keyPair = (suite: Suite, secret: Redacted.Redacted<Uint8Array>): KeyPair => ({
  secret,
  publicKey: suite.publicKey(Redacted.value(secret))
})

/** Both sides must give the same prologue, or the second message does not open. */
export const start = (
  suite: Suite,
  options: {
    readonly initiator: boolean
    readonly prologue: Uint8Array
    readonly static: KeyPair
    readonly ephemeral: KeyPair
  }
): Handshake => {
  const symmetric: Symmetric = { hash: protocolName, chainingKey: protocolName, cipher: undefined, nonce: 0 }
  return handshake(options.initiator, {
    suite,
    static: options.static,
    ephemeral: options.ephemeral,
    messages: 0,
    peerEphemeral: undefined,
    peerStatic: undefined,
    symmetric: mixHash(symmetric, options.prologue)
  })
}

/** True while it is this side's turn to write. */
export const mayWrite = (self: Handshake): boolean =>
  self[state].messages < tokens.length && (self[state].messages % 2 === 0) === self.initiator

/** The keys of the next message. Out of turn is a defect of the caller. */
export const writeKeys = (self: Handshake): Result.Result<readonly [Handshake, Uint8Array], Failure> => {
  if (!mayWrite(self)) throw new Error("it is not this side's turn to write")
  let now = self[state]
  const parts: Array<Uint8Array> = []
  for (const token of tokens[now.messages] ?? []) {
    switch (token) {
      case "e": {
        parts.push(now.ephemeral.publicKey)
        now = { ...now, symmetric: mixHash(now.symmetric, now.ephemeral.publicKey) }
        break
      }
      case "s": {
        const [symmetric, sealed] = seal(now.symmetric, now.static.publicKey)
        parts.push(sealed)
        now = { ...now, symmetric }
        break
      }
      default: {
        const mixed = agree(now, self.initiator, token)
        if (mixed === undefined) return Result.fail("SmallOrder")
        now = mixed
      }
    }
  }
  return Result.succeed([handshake(self.initiator, now), concatBytes(...parts)])
}

/** The payload that ends the message whose keys were just written. */
export const writePayload = (self: Handshake, payload: Uint8Array): readonly [Handshake, Uint8Array] => {
  const [symmetric, sealed] = seal(self[state].symmetric, payload)
  return [nextMessage(self, symmetric), sealed]
}

/** Reads the keys at the start of a message; hands out what follows them, the payload as it came. */
export const readKeys = (
  self: Handshake,
  message: Uint8Array
): Result.Result<readonly [Handshake, Uint8Array], Failure> => {
  if (mayWrite(self) || self[state].messages >= tokens.length) throw new Error("it is not this side's turn to read")
  let now = self[state]
  let rest = message
  for (const token of tokens[now.messages] ?? []) {
    switch (token) {
      case "e": {
        if (rest.length < keyBytes) return Result.fail("Truncated")
        const peerEphemeral = rest.slice(0, keyBytes)
        rest = rest.subarray(keyBytes)
        now = { ...now, peerEphemeral, symmetric: mixHash(now.symmetric, peerEphemeral) }
        break
      }
      case "s": {
        if (rest.length < keyBytes + tagBytes) return Result.fail("Truncated")
        const opened = open(now.symmetric, rest.subarray(0, keyBytes + tagBytes))
        if (opened === undefined) return Result.fail("NotAuthentic")
        const [symmetric, peerStatic] = opened
        rest = rest.subarray(keyBytes + tagBytes)
        now = { ...now, peerStatic, symmetric }
        break
      }
      default: {
        const mixed = agree(now, self.initiator, token)
        if (mixed === undefined) return Result.fail("SmallOrder")
        now = mixed
      }
    }
  }
  return Result.succeed([handshake(self.initiator, now), rest])
}

/** Opens what `readKeys` left over. */
export const readPayload = (
  self: Handshake,
  sealed: Uint8Array
): Result.Result<readonly [Handshake, Uint8Array], Failure> => {
  const opened = open(self[state].symmetric, sealed)
  if (opened === undefined) return Result.fail("NotAuthentic")
  return Result.succeed([nextMessage(self, opened[0]), opened[1]])
}

/** After the third payload. Before it, a defect of the caller. */
export const finish = (self: Handshake): Finished => {
  const { messages, symmetric } = self[state]
  if (messages !== tokens.length) throw new Error("the handshake is not complete")
  const [initiatorKey, responderKey, secret] = derive(symmetric.chainingKey, new Uint8Array(0))
  return { hash: symmetric.hash, initiatorKey, responderKey, secret }
}

/** Noise's REKEY: a key that the old one yields and that does not yield the old one. */
export const nextKey = (cipher: Cipher): Uint8Array =>
  cipher.seal(lastNonce, new Uint8Array(0), new Uint8Array(keyBytes), 0).slice(0, keyBytes)

/** Noise's nonce: four zero bytes and the counter, little-endian. */
export const nonceOf = (counter: number): Uint8Array => {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, counter >>> 0, true)
  view.setUint32(8, Math.floor(counter / 2 ** 32), true)
  return nonce
}

type Token = "e" | "s" | "ee" | "es" | "se"

const state: unique symbol = Symbol("aura/Noise/state")
const tokens: ReadonlyArray<ReadonlyArray<Token>> = [["e"], ["e", "ee", "s", "es"], ["s", "se"]]
const lastNonce = Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)

/** Exactly as long as the hash, so it is the first hash itself. */
const protocolName = new TextEncoder().encode("Noise_XX_25519_ChaChaPoly_SHA256")

interface Symmetric {
  readonly hash: Uint8Array
  readonly chainingKey: Uint8Array
  readonly cipher: Cipher | undefined
  readonly nonce: number
}

interface State {
  readonly suite: Suite
  readonly static: KeyPair
  readonly ephemeral: KeyPair
  /** Messages that went by, in both directions. */
  readonly messages: number
  readonly peerEphemeral: Uint8Array | undefined
  readonly peerStatic: Uint8Array | undefined
  readonly symmetric: Symmetric
}

const handshake = (initiator: boolean, now: State): Handshake => ({
  initiator,
  hash: now.symmetric.hash,
  peerStatic: now.peerStatic,
  [state]: now
})

const nextMessage = (self: Handshake, symmetric: Symmetric): Handshake =>
  handshake(self.initiator, { ...self[state], symmetric, messages: self[state].messages + 1 })

const agree = (now: State, initiator: boolean, token: "ee" | "es" | "se"): State | undefined => {
  // The first letter names the initiator's key, the second the responder's.
  const [ours, theirs] = initiator ? [token[0], token[1]] : [token[1], token[0]]
  const publicKey = theirs === "e" ? now.peerEphemeral : now.peerStatic
  if (publicKey === undefined) throw new Error("the pattern uses a key before it was sent")
  const { secret } = ours === "e" ? now.ephemeral : now.static
  const shared = now.suite.agree(Redacted.value(secret), publicKey)
  return shared && { ...now, symmetric: mixKey(now.suite, now.symmetric, shared) }
}

const mixHash = (self: Symmetric, bytes: Uint8Array): Symmetric => ({
  ...self,
  hash: sha256(concatBytes(self.hash, bytes))
})

const mixKey = (suite: Suite, self: Symmetric, input: Uint8Array): Symmetric => {
  const [chainingKey, key] = derive(self.chainingKey, input)
  return { ...self, chainingKey, cipher: suite.cipher(key), nonce: 0 }
}

const seal = (self: Symmetric, plain: Uint8Array): readonly [Symmetric, Uint8Array] => {
  const sealed = self.cipher?.seal(nonceOf(self.nonce), self.hash, plain, 0) ?? plain.slice()
  return [mixHash({ ...self, nonce: self.nonce + 1 }, sealed), sealed]
}

const open = (self: Symmetric, sealed: Uint8Array): readonly [Symmetric, Uint8Array] | undefined => {
  if (self.cipher === undefined) return [mixHash(self, sealed), sealed.slice()]
  if (sealed.length < tagBytes) return undefined
  const plain = self.cipher.open(nonceOf(self.nonce), self.hash, sealed)
  return plain && [mixHash({ ...self, nonce: self.nonce + 1 }, sealed), plain]
}

/** Noise's HKDF with three outputs; the first two are those of HKDF with two. */
const derive = (chainingKey: Uint8Array, input: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] => {
  const extracted = hmac(sha256, chainingKey, input)
  const first = hmac(sha256, extracted, Uint8Array.of(1))
  const second = hmac(sha256, extracted, concatBytes(first, Uint8Array.of(2)))
  return [first, second, hmac(sha256, extracted, concatBytes(second, Uint8Array.of(3)))]
}
