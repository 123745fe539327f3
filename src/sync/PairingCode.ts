/**
 * What one device shows and another types, pastes or scans to join a space: whom to call, where, and a secret that
 * proves the joiner saw the code.
 *
 *     aura-0630-B9CT-…-5R68@192.168.1.20:8443
 *
 * Between `aura-` and the first `@` stand 48 characters of Crockford's base32 (0 to 9 and A to Z without I, L, O, U), most
 * significant bit first, in groups of four. They are 30 bytes, so no bit is left over:
 *
 *     1   version, 1
 *     16  issuer: the first bytes of SHA-256("aura/pairing-issuer/v1" NUL ‖ DeviceId)
 *     10  secret: random
 *     3   checksum: the first bytes of SHA-256("aura/pairing-checksum/v1" NUL ‖ all before)
 *
 * Every version begins with its number and ends with this checksum. Behind the `@` stands the address as the network
 * understands it, 1 to 255 visible ASCII characters. Case does not matter in the code, I and L read as 1, O as 0,
 * hyphens stand where they like or not at all, and `aura-` may be missing. The address is taken as it is.
 *
 * The joiner opens a channel to the address, breaks it off before sending anything unless `isIssuer` holds for the
 * device that answers, and then sends `proof`. The issuer keeps `proofKey` alone, for minutes, and compares with
 * `isProof`. Since the channel is to the device that the code names and the proof is bound to its key, nobody in
 * between can use either. How long a code lives and how many guesses it survives is the issuer's business, not here.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concatBytes } from "@noble/hashes/utils.js"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { domain, hash } from "../identity/Hash.ts"
import { toBytes, type DeviceId } from "../identity/Id.ts"

export const secretBytes = 10
export const addressCharsMax = 255

export interface PairingCode {
  /** 16 bytes that the issuer's DeviceId hashes to; compare with `isIssuer`. */
  readonly issuer: Uint8Array
  readonly secret: Redacted.Redacted<Uint8Array>
  readonly address: string
}

/** `what` is for the person who typed; it holds nothing of the code. */
export interface PairingCodeInvalid {
  readonly _tag: "PairingCodeInvalid"
  readonly reason: "Character" | "Length" | "Checksum" | "Version" | "Address"
  readonly what: string
}

/** Dies on a secret of another size than `secretBytes` and on an address that no code can carry. */
export const make = (issuer: DeviceId, secret: Redacted.Redacted<Uint8Array>, address: string): PairingCode => {
  const { length } = Redacted.value(secret)
  if (length !== secretBytes) throw new RangeError(`a pairing secret has ${secretBytes} bytes, not ${length}`)
  if (!isAddress(address)) throw new RangeError(`an address is ${addressRule}`)
  return { issuer: issuerOf(issuer), secret, address }
}

/** The text to show. Secret as long as the code lives. */
export const encode = (code: PairingCode): Redacted.Redacted<string> => {
  const body = concatBytes(Uint8Array.of(version), code.issuer, Redacted.value(code.secret))
  const digits = toBase32(concatBytes(body, checksumOf(body)))
  const groups = digits.match(/.{4}/g) ?? []
  return Redacted.make(`${prefix}${groups.join("-")}@${code.address}`, { label: "pairing code" })
}

/** Positions in errors count characters of the text from 1, without white space around it. */
export const decode = (text: Redacted.Redacted<string>): Result.Result<PairingCode, PairingCodeInvalid> => {
  const typed = Redacted.value(text).trim()
  const end = typed.indexOf("@")
  const address = end < 0 ? "" : typed.slice(end + 1)
  const start = typed.slice(0, prefix.length).toLowerCase() === prefix ? prefix.length : 0
  const read = fromBase32(typed.slice(start, end < 0 ? undefined : end))
  if (read._tag === "Wrong") {
    return invalid(
      "Character",
      `the character at position ${start + read.index + 1} is in no code: digits and letters without U`
    )
  }
  const { bytes, digits } = read
  const body = bytes.subarray(0, -checksumBytes)
  // An incomplete code names its length before its checksum: that is the mistake a person can see.
  if (digits !== codeDigits && bytes[0] === version) return invalid("Length", lengthRule(digits))
  if (digits % 8 !== 0 || digits === 0) return invalid("Length", lengthRule(digits))
  if (!isSame(checksumOf(body), bytes.subarray(-checksumBytes))) {
    return invalid("Checksum", "the code does not add up: a character is wrong or misplaced")
  }
  if (bytes[0] !== version)
    return invalid("Version", `the code has version ${bytes[0]}, this one reads ${version}: upgrade`)
  if (end < 0) return invalid("Address", `the address is missing: the code ends with "@" and where to call`)
  if (!isAddress(address)) return invalid("Address", `the address behind "@" is not ${addressRule}`)
  return Result.succeed({
    issuer: body.slice(1, 1 + issuerBytes),
    secret: Redacted.make(body.slice(1 + issuerBytes), { label: "pairing secret" }),
    address
  })
}

/** Whether this device made the code. Ask before the first byte is sent to it. */
export const isIssuer = (code: PairingCode, device: DeviceId): boolean => isSame(code.issuer, issuerOf(device))

/** What the issuer keeps in place of the secret. It makes proofs, so it is as secret, but shows no code. */
export const proofKey = (secret: Redacted.Redacted<Uint8Array>): Redacted.Redacted<Uint8Array> =>
  Redacted.make(hash(secretDomain, Redacted.value(secret)), { label: "pairing proof key" })

/** What the joiner sends: HMAC-SHA-256 under the proof key over a tag and the key of this very channel. 32 bytes. */
export const proof = (secret: Redacted.Redacted<Uint8Array>, channelKey: Uint8Array): Uint8Array =>
  proofBy(proofKey(secret), channelKey)

/** In constant time, for a guess must not learn how close it was. */
export const isProof = (key: Redacted.Redacted<Uint8Array>, channelKey: Uint8Array, claimed: Uint8Array): boolean =>
  isSame(proofBy(key, channelKey), claimed)

/** Takes the same time for all bytes of one length; lengths are no secret. */
export const isSame = (left: Uint8Array, right: Uint8Array): boolean => {
  if (left.length !== right.length) return false
  let difference = 0
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!
  return difference === 0
}

const version = 1
const prefix = "aura-"
const issuerBytes = 16
const checksumBytes = 3
const codeDigits = ((1 + issuerBytes + secretBytes + checksumBytes) * 8) / 5

const issuerDomain = domain("aura/pairing-issuer/v1")
const checksumDomain = domain("aura/pairing-checksum/v1")
const secretDomain = domain("aura/pairing-secret/v1")
const proofDomain = domain("aura/pairing-proof/v1")

const issuerOf = (device: DeviceId): Uint8Array => hash(issuerDomain, toBytes(device)).slice(0, issuerBytes)

const checksumOf = (body: Uint8Array): Uint8Array => hash(checksumDomain, body).slice(0, checksumBytes)

const proofBy = (key: Redacted.Redacted<Uint8Array>, channelKey: Uint8Array): Uint8Array =>
  hmac(sha256, Redacted.value(key), concatBytes(proofDomain, channelKey))

const addressRule = `1 to ${addressCharsMax} visible ASCII characters`

const isAddress = (address: string): boolean => address.length <= addressCharsMax && /^[\x21-\x7e]+$/.test(address)

const lengthRule = (digits: number): string => `the code has ${digits} characters instead of ${codeDigits}`

const invalid = (reason: PairingCodeInvalid["reason"], what: string): Result.Result<never, PairingCodeInvalid> =>
  Result.fail({ _tag: "PairingCodeInvalid", reason, what })

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/** The number of bits is a multiple of five: callers see to it. */
const toBase32 = (bytes: Uint8Array): string => {
  let [text, bits, value] = ["", 0, 0]
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >>> (bits - 5)) & 0x1f]
  }
  return text
}

type FromBase32 =
  | { readonly _tag: "Read"; readonly bytes: Uint8Array; readonly digits: number }
  | { readonly _tag: "Wrong"; readonly index: number }

/** Bits beyond the last whole byte are left out: a code has none. */
const fromBase32 = (text: string): FromBase32 => {
  const bytes: Array<number> = []
  let [digits, bits, value] = [0, 0, 0]
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "-") continue
    const digit = digitOf(text[index]!)
    if (digit < 0) return { _tag: "Wrong", index }
    digits += 1
    value = ((value << 5) | digit) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((value >>> bits) & 0xff)
    }
  }
  return { _tag: "Read", bytes: Uint8Array.from(bytes), digits }
}

/** -1 for a character outside the alphabet. Only ASCII has another case, so `ı` and `ſ` are not letters of it. */
const digitOf = (character: string): number => {
  if (!/^[0-9A-Za-z]$/.test(character)) return -1
  const upper = character.toUpperCase()
  return alphabet.indexOf(upper === "O" ? "0" : upper === "I" || upper === "L" ? "1" : upper)
}
