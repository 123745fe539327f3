/**
 * The device key of a server or desktop: one sealed file in the SecretStore, opened once, when the layer is built.
 *
 * The secret "device-key" is the file (DeviceKeyFile.ts has the format). With a passphrase nothing else is needed and
 * the level is `High`. Without one a random key in the secret "device-key.wrap" opens it, and the level is that of the
 * SecretStore: `Low` for a directory. Signing goes through OpenSSL, which holds the key from then on.
 *
 *   Keys.seal    byte 1 (version) ‖ sealed (XChaCha.ts) under HKDF-SHA-256(storage root, "aura/keys/v1" NUL ‖ purpose)
 *
 * What is secret is wiped when the scope ends, and the keys then answer `KeysUnavailable`.
 *
 * When no file is there, a device is created. Whether there ought to be one is not known here: who has a data directory
 * compares, so that a lost file does not pass for a first start. Nothing here opens what others seal to `box`: the
 * contract does not ask for it. JavaScript strings cannot be wiped, so a passphrase stays in memory until collected.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as nodeCrypto from "node:crypto"
import { Keys, KeysError, KeysUnavailable, SealInvalid } from "../../effects/Keys.ts"
import { SecretStore, type SecretStoreError } from "../../effects/SecretStore.ts"
import { deviceId } from "../../identity/Id.ts"
import * as DeviceKeyFile from "./DeviceKeyFile.ts"
import * as XChaCha from "./XChaCha.ts"

/** So long one try of a passphrase takes at least, on the machine that made the file. */
export const unlockMillisDefault = 250

export interface FileKeysOptions {
  /** Opens the key, and protects it when it is created. */
  readonly passphrase?: Redacted.Redacted<string>
  /** Time one try takes at creation; `unlockMillisDefault` without. Ignored when the file exists. */
  readonly unlockMillis?: number
}

export interface RewrapOptions {
  /** What opens the file now; the random key without. */
  readonly passphrase?: Redacted.Redacted<string>
  /** What opens it from then on; a random key without. */
  readonly nextPassphrase?: Redacted.Redacted<string>
  readonly unlockMillis?: number
}

export const layer = (options: FileKeysOptions = {}): Layer.Layer<Keys, KeysError, SecretStore> =>
  Layer.effect(
    Keys,
    Effect.gen(function* () {
      const store = yield* SecretStore
      const stored = yield* read(store, fileName)
      const secrets = yield* Option.isSome(stored) ? opened(store, stored.value, options) : created(store, options)
      return yield* service(secrets, options.passphrase === undefined ? store.level : "High")
    })
  )

/**
 * Puts the same key under another passphrase, or none. One atomic write decides: a crash leaves the old way of opening
 * or the new one. Keys in use meanwhile stay as they are.
 */
export const rewrap = Effect.fn("FileKeys.rewrap")(function* (options: RewrapOptions) {
  const store = yield* SecretStore
  const stored = yield* read(store, fileName)
  if (Option.isNone(stored)) return yield* unavailable(`there is no ${fileWhere}`)
  const secrets = yield* opened(store, stored.value, options)
  // The random key in use must outlive the file it opens, so it is neither replaced before nor removed until afterwards.
  const opener =
    options.nextPassphrase !== undefined
      ? passphraseOpener(options.nextPassphrase)
      : options.passphrase !== undefined
        ? yield* newWrapOpener(store)
        : yield* wrapOpener(store)
  yield* write(store, secrets, opener, options.unlockMillis)
  DeviceKeyFile.wipe(secrets)
  if (opener._tag === "Passphrase") yield* Effect.mapError(store.remove(wrapName), toKeysError)
})

const fileName = "device-key"
const fileWhere = `the secret "${fileName}"`
const wrapName = "device-key.wrap"
const wrapWhere = `the secret "${wrapName}"`

const created = Effect.fnUntraced(function* (store: SecretStore["Service"], options: FileKeysOptions) {
  const opener = options.passphrase === undefined ? yield* newWrapOpener(store) : passphraseOpener(options.passphrase)
  const secrets = DeviceKeyFile.generate()
  yield* write(store, secrets, opener, options.unlockMillis)
  return secrets
})

const opened = Effect.fnUntraced(function* (store: SecretStore["Service"], file: Uint8Array, options: FileKeysOptions) {
  const protection = yield* DeviceKeyFile.protectionOf(file, fileWhere)
  if (options.passphrase === undefined) {
    if (protection === "Passphrase") {
      return yield* DeviceKeyFile.locked(`a passphrase protects ${fileWhere}, and none was given`)
    }
    return yield* DeviceKeyFile.decode(file, yield* wrapOpener(store), fileWhere)
  }
  if (protection === "Key") {
    const what = `a passphrase was given, but ${fileWhere} was made without one: protect it first, or give none`
    return yield* DeviceKeyFile.locked(what)
  }
  return yield* DeviceKeyFile.decode(file, passphraseOpener(options.passphrase), fileWhere)
})

const passphraseOpener = (passphrase: Redacted.Redacted<string>): DeviceKeyFile.Opener => ({
  _tag: "Passphrase",
  passphrase
})

const wrapOpener = Effect.fnUntraced(function* (store: SecretStore["Service"]) {
  const key = yield* Effect.mapError(store.get(wrapName), toKeysError)
  if (Option.isNone(key)) return yield* unavailable(`${wrapWhere}, which opens ${fileWhere}, is not there`)
  const { length } = Redacted.value(key.value)
  if (length !== XChaCha.keyBytes) return yield* DeviceKeyFile.corrupt(wrapWhere, `it has ${length} bytes, not 32`)
  return { _tag: "Key", key: key.value, name: wrapWhere } satisfies DeviceKeyFile.Opener
})

/** Durable before the file that it opens. */
const newWrapOpener = Effect.fnUntraced(function* (store: SecretStore["Service"]) {
  const key = Redacted.make(nodeCrypto.randomFillSync(new Uint8Array(XChaCha.keyBytes)))
  yield* Effect.mapError(store.put(wrapName, key), toKeysError)
  return { _tag: "Key", key, name: wrapWhere } satisfies DeviceKeyFile.Opener
})

const read = (store: SecretStore["Service"], name: string): Effect.Effect<Option.Option<Uint8Array>, KeysError> =>
  Effect.mapBoth(store.get(name), { onFailure: toKeysError, onSuccess: Option.map(Redacted.value) })

const write = Effect.fnUntraced(function* (
  store: SecretStore["Service"],
  secrets: DeviceKeyFile.DeviceSecrets,
  opener: DeviceKeyFile.Opener,
  unlockMillis: number = unlockMillisDefault
) {
  const file = yield* DeviceKeyFile.encode(secrets, opener, unlockMillis)
  yield* Effect.mapError(store.put(fileName, Redacted.make(file)), toKeysError)
})

const service = Effect.fnUntraced(function* (secrets: DeviceKeyFile.DeviceSecrets, level: Keys["Service"]["level"]) {
  const signing = DeviceKeyFile.signingKey(secrets)
  const device = deviceId(DeviceKeyFile.publicKey(signing))
  const box = DeviceKeyFile.publicKey(DeviceKeyFile.boxKey(secrets))
  let isOpen = true
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isOpen = false
      DeviceKeyFile.wipe(secrets)
    })
  )
  const whileOpen = <A>(work: () => Effect.Effect<A, KeysError>): Effect.Effect<A, KeysError> =>
    Effect.suspend(() => (isOpen ? work() : unavailable("it was closed with its scope")))

  return Keys.of({
    device,
    get box() {
      return box.slice()
    },
    sign: (message) => whileOpen(() => Effect.sync(() => new Uint8Array(nodeCrypto.sign(null, message, signing)))),
    seal: (purpose, plain) =>
      whileOpen(() =>
        Effect.sync(() => {
          const key = sealingKey(secrets.storageRoot, purpose)
          const sealed = XChaCha.seal(key, plain, sealVersion)
          key.fill(0)
          return new Uint8Array(Buffer.concat([sealVersion, sealed]))
        })
      ),
    open: (purpose, sealed) =>
      whileOpen(() => {
        const key = sealingKey(secrets.storageRoot, purpose)
        const plain = XChaCha.open(key, sealed.subarray(1), sealed.subarray(0, 1))
        key.fill(0)
        return Option.isSome(plain) && sealed[0] === sealVersion[0]
          ? Effect.succeed(plain.value)
          : Effect.fail(new KeysError({ reason: new SealInvalid({ purpose }) }))
      }),
    level
  })
})

const sealVersion = new Uint8Array([1])

const sealingKey = (storageRoot: Uint8Array, purpose: string): Uint8Array =>
  new Uint8Array(nodeCrypto.hkdfSync("sha256", storageRoot, "", `aura/keys/v1\0${purpose}`, XChaCha.keyBytes))

const toKeysError = (error: SecretStoreError): KeysError =>
  new KeysError({ reason: new KeysUnavailable({ what: error.message }) })

const unavailable = (what: string): Effect.Effect<never, KeysError> =>
  Effect.fail(new KeysError({ reason: new KeysUnavailable({ what }) }))
