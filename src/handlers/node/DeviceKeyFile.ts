/**
 * The sealed file that holds a device's secrets, and what it takes to open it.
 *
 *     0   1  version, 1
 *     1  32  SHA-256("aura/device-key/v1" NUL ‖ version ‖ everything from byte 33 on)
 *    33  32  Ed25519 public key
 *    65  32  X25519 public key
 *    97   1  protection: 0 = a random key kept elsewhere, 1 = a passphrase through Argon2id
 *    98   4  memory in KiB, big-endian (0 without a passphrase, as the next two)
 *   102   4  passes, big-endian
 *   106   1  parallelism
 *   107  16  salt, random
 *   123   8  check value
 *   131 136  sealed (XChaCha.ts): Ed25519 seed (32) ‖ X25519 secret (32) ‖ storage root (32); context: bytes 0 and 33–130
 *
 *   root key     the random key, or Argon2id(passphrase in NFC and UTF-8, salt) of 32 bytes
 *   sealing key  HKDF-SHA-256(root key, salt, "aura/device-key/v1/seal"); check value: the same with ".../check"
 *
 * The hash tells damage (`KeysCorrupt`) from a wrong passphrase (`KeysLocked`: the check value differs). It keeps no
 * attacker out: that is the seal, whose context holds all that is not secret. Parameters beyond the limits below are
 * refused before any work. A file of a higher version, hash intact, is `KeysUnavailable`; every version keeps bytes 0
 * to 32 as they are. A file is never changed in place: a new passphrase is a new file around the same secrets.
 *
 * It does not store anything, and it does not know where the file came from but for the name put into errors.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as nodeCrypto from "node:crypto"
import { KeysCorrupt, KeysError, KeysLocked, KeysUnavailable } from "../../effects/Keys.ts"
import { domain } from "../../identity/Hash.ts"
import * as XChaCha from "./XChaCha.ts"

/** Three times 32 bytes. Who holds them wipes them. */
export interface DeviceSecrets {
  readonly signingSeed: Uint8Array
  readonly boxSecret: Uint8Array
  readonly storageRoot: Uint8Array
}

/** What opens the file: a passphrase, or a random key of 32 bytes that `name` names in errors. */
export type Opener =
  | { readonly _tag: "Passphrase"; readonly passphrase: Redacted.Redacted<string> }
  | { readonly _tag: "Key"; readonly key: Redacted.Redacted<Uint8Array>; readonly name: string }

export type Protection = Opener["_tag"]

/** 64 MiB and 4 lanes, and never fewer passes than RFC 9106 recommends for that memory. */
const argonMemory = 64 * 1024
const argonParallelism = 4
const argonPassesMin = 3

/** Largest parameters that a file may ask for: memory in KiB, and memory × passes (under a minute on one slow core). */
export const argonMemoryMax = 1024 * 1024
export const argonWorkMax = argonMemory * 1024

export const fileBytes = 267

/** Fresh secrets from the operating system's randomness. */
export const generate = (): DeviceSecrets => ({
  signingSeed: nodeCrypto.randomFillSync(new Uint8Array(32)),
  boxSecret: nodeCrypto.randomFillSync(new Uint8Array(32)),
  storageRoot: nodeCrypto.randomFillSync(new Uint8Array(32))
})

/** Seals the secrets. A passphrase is stretched until one try takes at least `unlockMillis` on this machine. */
export const encode = Effect.fn("DeviceKeyFile.encode")(function* (
  secrets: DeviceSecrets,
  opener: Opener,
  unlockMillis: number
) {
  const salt = nodeCrypto.randomFillSync(new Uint8Array(16))
  const { argon, root } =
    opener._tag === "Key"
      ? { argon: noArgon, root: Redacted.value(opener.key).slice() }
      : yield* calibrated(opener.passphrase, salt, unlockMillis)
  const bytes = new Uint8Array(fileBytes)
  const view = new DataView(bytes.buffer)
  bytes[at.version] = version
  bytes.set(publicKey(signingKey(secrets)), at.device)
  bytes.set(publicKey(boxKey(secrets)), at.box)
  bytes[at.protection] = opener._tag === "Key" ? 0 : 1
  view.setUint32(at.memory, argon.memory)
  view.setUint32(at.passes, argon.passes)
  bytes[at.parallelism] = argon.parallelism
  bytes.set(salt, at.salt)
  bytes.set(derive(root, salt, "check").subarray(0, at.sealed - at.check), at.check)
  const plain = joined(secrets.signingSeed, secrets.boxSecret, secrets.storageRoot)
  const sealingKey = derive(root, salt, "seal")
  bytes.set(XChaCha.seal(sealingKey, plain, contextOf(bytes)), at.sealed)
  bytes.set(hashOf(bytes), at.hash)
  for (const secret of [plain, sealingKey, root]) secret.fill(0)
  return bytes
})

/** How the file is protected. Fails for what is damaged or too new; opens nothing. */
export const protectionOf = (bytes: Uint8Array, where: string): Effect.Effect<Protection, KeysError> =>
  Effect.suspend(() => {
    if (bytes.length < at.device) return corrupt(where, `it has ${bytes.length} bytes, not ${fileBytes}`)
    if (!isEqual(hashOf(bytes), bytes.subarray(at.hash, at.device))) return corrupt(where, "its hash does not match")
    if (bytes[at.version] !== version) {
      const what = `${where} has format ${bytes[at.version]}, this version reads ${version}: upgrade Aura`
      return Effect.fail(new KeysError({ reason: new KeysUnavailable({ what }) }))
    }
    if (bytes.length !== fileBytes) return corrupt(where, `it has ${bytes.length} bytes, not ${fileBytes}`)
    const protection = bytes[at.protection]
    if (protection === 0) return Effect.succeed("Key")
    return protection === 1 ? Effect.succeed("Passphrase") : corrupt(where, `protection ${protection} is unknown`)
  })

/** Opens a file whose protection is that of the opener; another opener is a defect of the caller. */
export const decode = Effect.fn("DeviceKeyFile.decode")(function* (bytes: Uint8Array, opener: Opener, where: string) {
  const protection = yield* protectionOf(bytes, where)
  if (protection !== opener._tag) throw new Error(`${where} opens with a ${protection}, not with a ${opener._tag}`)
  const salt = bytes.slice(at.salt, at.check)
  const root =
    opener._tag === "Key"
      ? Redacted.value(opener.key).slice()
      : yield* stretched(opener.passphrase, salt, yield* argonOf(bytes, where))
  const sealingKey = derive(root, salt, "seal")
  const check = derive(root, salt, "check").subarray(0, at.sealed - at.check)
  root.fill(0)
  if (!isEqual(check, bytes.subarray(at.check, at.sealed))) {
    return yield* opener._tag === "Key"
      ? corrupt(opener.name, `it is not the key that ${where} was sealed with`)
      : locked(`the passphrase does not open ${where}`)
  }
  const plain = XChaCha.open(sealingKey, bytes.subarray(at.sealed), contextOf(bytes))
  sealingKey.fill(0)
  if (Option.isNone(plain)) return yield* corrupt(where, `bytes ${at.sealed} to ${fileBytes - 1} do not open`)
  const secrets = {
    signingSeed: plain.value.slice(0, 32),
    boxSecret: plain.value.slice(32, 64),
    storageRoot: plain.value.slice(64, 96)
  }
  plain.value.fill(0)
  const isOurs =
    isEqual(publicKey(signingKey(secrets)), bytes.subarray(at.device, at.box)) &&
    isEqual(publicKey(boxKey(secrets)), bytes.subarray(at.box, at.protection))
  return isOurs ? secrets : yield* corrupt(where, "its public keys are not those of its secrets")
})

/** The passes to try next, after some took so long; the same number when they took long enough or are the most allowed. */
export const passesAfter = (passes: number, tookMillis: number, unlockMillis: number): number => {
  if (tookMillis >= unlockMillis) return passes
  // A tenth more than in proportion, so that a lucky try does not need a third round.
  const wanted = Math.ceil((passes * 11 * unlockMillis) / (10 * Math.max(tookMillis, 1)))
  return Math.min(argonWorkMax / argonMemory, Math.max(passes + 1, wanted))
}

/** The Ed25519 key in OpenSSL's hands. */
export const signingKey = ({ signingSeed }: DeviceSecrets): nodeCrypto.KeyObject =>
  privateKey("302e020100300506032b657004220420", signingSeed)

/** The X25519 key in OpenSSL's hands. */
export const boxKey = ({ boxSecret }: DeviceSecrets): nodeCrypto.KeyObject =>
  privateKey("302e020100300506032b656e04220420", boxSecret)

/** The 32 bytes of its public key. */
export const publicKey = (key: nodeCrypto.KeyObject): Uint8Array =>
  new Uint8Array(nodeCrypto.createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32))

export const wipe = (secrets: DeviceSecrets): void => {
  for (const secret of [secrets.signingSeed, secrets.boxSecret, secrets.storageRoot]) secret.fill(0)
}

const version = 1
const fileDomain = domain("aura/device-key/v1")

/** Where each field begins. */
const at = {
  version: 0,
  hash: 1,
  device: 33,
  box: 65,
  protection: 97,
  memory: 98,
  passes: 102,
  parallelism: 106,
  salt: 107,
  check: 123,
  sealed: 131
} as const

interface Argon {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

const noArgon: Argon = { memory: 0, passes: 0, parallelism: 0 }

/** Tries, raising the passes, until a try takes long enough; the last try's key is the result. */
const calibrated = Effect.fnUntraced(function* (
  passphrase: Redacted.Redacted<string>,
  salt: Uint8Array,
  unlockMillis: number
) {
  if (Redacted.value(passphrase) === "") return yield* locked("an empty passphrase protects nothing")
  let passes = argonPassesMin
  while (true) {
    const argon = { memory: argonMemory, passes, parallelism: argonParallelism }
    const begun = performance.now()
    const root = yield* stretched(passphrase, salt, argon)
    const tookMillis = performance.now() - begun
    const next = passesAfter(passes, tookMillis, unlockMillis)
    if (next === passes) return { argon, root }
    root.fill(0)
    passes = next
  }
})

const argonOf = (bytes: Uint8Array, where: string): Effect.Effect<Argon, KeysError> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const memory = view.getUint32(at.memory)
  const passes = view.getUint32(at.passes)
  const parallelism = view.getUint8(at.parallelism)
  const isAllowed =
    passes >= 1 &&
    parallelism >= 1 &&
    memory >= 8 * parallelism &&
    memory <= argonMemoryMax &&
    memory * passes <= argonWorkMax
  return isAllowed
    ? Effect.succeed({ memory, passes, parallelism })
    : corrupt(where, `it asks for ${memory} KiB, ${passes} passes and ${parallelism} lanes, beyond what is allowed`)
}

const stretched = (
  passphrase: Redacted.Redacted<string>,
  salt: Uint8Array,
  { memory, parallelism, passes }: Argon
): Effect.Effect<Uint8Array, KeysError> =>
  Effect.callback((resume) => {
    if (typeof nodeCrypto.argon2 !== "function") {
      const what = `a passphrase needs Argon2id, which Node has from 24.7 on; this is ${process.version}`
      return resume(Effect.fail(new KeysError({ reason: new KeysUnavailable({ what }) })))
    }
    const message = new TextEncoder().encode(Redacted.value(passphrase).normalize("NFC"))
    const parameters = { message, nonce: salt, parallelism, tagLength: 32, memory, passes }
    nodeCrypto.argon2("argon2id", parameters, (error, root) => {
      message.fill(0)
      resume(
        error === null
          ? Effect.succeed(root)
          : Effect.fail(new KeysError({ reason: new KeysUnavailable({ what: `Argon2id: ${error.message}` }) }))
      )
    })
  })

const derive = (root: Uint8Array, salt: Uint8Array, use: "check" | "seal"): Uint8Array =>
  new Uint8Array(nodeCrypto.hkdfSync("sha256", root, salt, `aura/device-key/v1/${use}`, 32))

const contextOf = (bytes: Uint8Array): Uint8Array => joined(bytes.subarray(0, 1), bytes.subarray(at.device, at.sealed))

const hashOf = (bytes: Uint8Array): Uint8Array =>
  nodeCrypto
    .createHash("sha256")
    .update(fileDomain)
    .update(bytes.subarray(0, 1))
    .update(bytes.subarray(at.device))
    .digest()

const privateKey = (pkcs8Head: string, secret: Uint8Array): nodeCrypto.KeyObject => {
  const der = joined(Buffer.from(pkcs8Head, "hex"), secret)
  const key = nodeCrypto.createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" })
  der.fill(0)
  return key
}

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && nodeCrypto.timingSafeEqual(a, b)

/** Key material in `where` is not what was written. */
export const corrupt = (where: string, what: string): Effect.Effect<never, KeysError> =>
  Effect.fail(new KeysError({ reason: new KeysCorrupt({ where, what }) }))

/** The key stays closed for this reason. */
export const locked = (what: string): Effect.Effect<never, KeysError> =>
  Effect.fail(new KeysError({ reason: new KeysLocked({ what }) }))
