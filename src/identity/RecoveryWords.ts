/**
 * The root key of a space as 24 English words that a person writes down: who has the words can undo any theft of
 * devices, so they are shown once and kept away from devices.
 *
 * The words are BIP-39 over 32 bytes of entropy, and that entropy is the Ed25519 seed (RFC 8032) of the root key as it
 * is: no passphrase, no stretching, no derivation path. Each word carries 11 bits, 8 bits of the last are a checksum.
 * Input may differ in case and in the number of spaces and line ends, and in nothing else: a word that is almost right
 * is wrong. What is wrong is said by the numbers of words, never by the words.
 *
 * Where entropy comes from is for the caller to say (effects/Random of the platform); nothing is kept here.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { entropyToMnemonic, mnemonicToEntropy, validateMnemonic } from "@scure/bip39"
import { wordlist } from "@scure/bip39/wordlists/english.js"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { deviceId, type DeviceId } from "./Id.ts"

export const wordCount = 24
export const entropyBytes = 32

/** `what` is for the person who typed; it holds no word. */
export interface WordsInvalid {
  readonly _tag: "WordsInvalid"
  readonly reason: "Count" | "Unknown" | "Checksum"
  /** The words, counted from 1, that are not in the list; empty for other reasons. */
  readonly wordNumbers: ReadonlyArray<number>
  readonly what: string
}

/** Lower case, one space between words. Dies on anything but 32 bytes. */
export const make = (entropy: Uint8Array): Redacted.Redacted<string> => {
  if (entropy.length !== entropyBytes) throw new RangeError(`entropy has ${entropyBytes} bytes, not ${entropy.length}`)
  return Redacted.make(entropyToMnemonic(entropy, wordlist), { label: "recovery words" })
}

/** The seed of the root key. A typing mistake that stays within the list is found in 255 of 256 cases. */
export const seed = (words: Redacted.Redacted<string>): Result.Result<Redacted.Redacted<Uint8Array>, WordsInvalid> => {
  const list = Redacted.value(words)
    .toLowerCase()
    .split(/[ \r\n]+/)
    .filter((word) => word !== "")
  const unknown = list.flatMap((word, index) => (known.has(word) ? [] : [index + 1]))
  if (unknown.length > 0) {
    const numbers = unknown.join(", ")
    return invalid("Unknown", `not in the English word list: word ${numbers} of ${list.length}`, unknown)
  }
  if (list.length !== wordCount) return invalid("Count", `${list.length} words instead of ${wordCount}`)
  const mnemonic = list.join(" ")
  if (!validateMnemonic(mnemonic, wordlist)) {
    return invalid("Checksum", "every word is in the list, but together they are no key: a word is wrong or misplaced")
  }
  return Result.succeed(Redacted.make(mnemonicToEntropy(mnemonic, wordlist), { label: "root key" }))
}

/** The public key that a space's genesis names as `root`. */
export const rootOf = (rootSeed: Redacted.Redacted<Uint8Array>): DeviceId =>
  deviceId(ed25519.getPublicKey(Redacted.value(rootSeed)))

/** Signs for the root, 64 bytes, deterministic. Messages begin with a domain tag (`signed` of Signature.ts). */
export const signer = (rootSeed: Redacted.Redacted<Uint8Array>): ((message: Uint8Array) => Uint8Array) => {
  return (message) => ed25519.sign(message, Redacted.value(rootSeed))
}

const known: ReadonlySet<string> = new Set(wordlist)

const invalid = (
  reason: WordsInvalid["reason"],
  what: string,
  wordNumbers: ReadonlyArray<number> = []
): Result.Result<never, WordsInvalid> => Result.fail({ _tag: "WordsInvalid", reason, wordNumbers, what })
