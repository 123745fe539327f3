/**
 * Every effect of a server or desktop over one data directory, merged: the handlers of this folder, wired.
 *
 *     journal.sqlite   SqliteJournal *          secrets/   DirectorySecretStore, in it the device key (FileKeys)
 *     tls/             PrivateAuthority         blobs/     EncryptedFileStorage *
 *
 * * Or, where a database is named, PostgresJournal, and where a bucket is named, S3Storage: then the directory holds none.
 *
 * `stores` is what needs no network, `network` what connects; `layer` is all of it. Who opened the directory owns it
 * (DataDirectory.ts) and keeps it open as long as these layers. It reads no configuration and chooses nothing.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { networkInterfaces } from "node:os"
import type { JournalStore, JournalStoreError } from "../../effects/JournalStore.ts"
import { Keys } from "../../effects/Keys.ts"
import type { Storage, StorageError } from "../../effects/Storage.ts"
import type { DeviceId } from "../../identity/Id.ts"
import * as EffectTelemetry from "../../observability/EffectTelemetry.ts"
import type { DataDirectory } from "./DataDirectory.ts"
import * as DirectorySecretStore from "./DirectorySecretStore.ts"
import * as EncryptedFileStorage from "./EncryptedFileStorage.ts"
import * as FileKeys from "./FileKeys.ts"
import * as NodeVerifier from "./NodeVerifier.ts"
import * as PrivateAuthority from "./PrivateAuthority.ts"
import type { S3StorageOptions } from "./S3Storage.ts"
import * as SqliteJournal from "./SqliteJournal.ts"
import * as SystemTime from "./SystemTime.ts"
import * as TlsNetwork from "./TlsNetwork.ts"

export interface StoresOptions {
  /** Opens the device key, and protects it when it is created; without one a key in the secret store does. */
  readonly passphrase?: Redacted.Redacted<string>
  /** Keeps the journal: what `journal` would give, or something around it or in its place. */
  readonly journal?: ReturnType<typeof journal>
  /** Keeps the journal in this database. `owner`: the first half of the device's id if undefined. */
  readonly postgres?: {
    readonly url: Redacted.Redacted<string>
    readonly owner: string | undefined
    readonly poolMax: number
  }
}

export interface StorageOptions {
  /** Keeps blobs in this bucket instead of the directory. */
  readonly s3?: Omit<S3StorageOptions, "limitBytes">
  readonly limitBytes?: number | undefined
}

/** Like `TlsNetworkOptions`, with the private authority of the directory behind the listener. */
export interface NetworkOptions extends Omit<TlsNetwork.TlsNetworkOptions, "listen"> {
  /** Without it connections are only opened, never accepted. */
  readonly listen?: { readonly host: string; readonly port: number }
}

/** Files in the data directory; `secret-device-key.bin` below `secrets` is the device itself. */
export const names = {
  journal: "journal.sqlite",
  secrets: "secrets",
  authority: "tls",
  blobs: "blobs"
} as const

export const stores = (home: DataDirectory, options: StoresOptions = {}) =>
  Layer.mergeAll(
    options.journal ?? journal(home, options),
    SystemTime.layer(),
    NodeVerifier.layer,
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  ).pipe(
    Layer.provideMerge(
      FileKeys.layer(options.passphrase === undefined ? {} : { passphrase: options.passphrase }).pipe(
        Layer.provideMerge(DirectorySecretStore.layer({ directory: home.file(names.secrets) }))
      )
    )
  )

/** What keeps the journal, bare. */
export const journal = (
  home: DataDirectory,
  { postgres }: Pick<StoresOptions, "postgres"> = {}
): Layer.Layer<JournalStore, JournalStoreError, Keys> =>
  postgres === undefined ? SqliteJournal.layer({ path: home.file(names.journal) }) : journalIn(postgres)

/** Whose journal it is in a database where nobody said: as long a name as leaves room for others. */
export const ownerOf = (device: DeviceId): string => device.slice(0, 32)

/** The driver is loaded by who has a database: a command on a file starts sooner without it. */
const journalIn = ({ owner, ...others }: NonNullable<StoresOptions["postgres"]>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { device } = yield* Keys
      const PostgresJournal = yield* Effect.promise(() => import("./PostgresJournal.ts"))
      return PostgresJournal.layer({ ...others, owner: owner ?? ownerOf(device) })
    })
  )

/** What keeps blobs, bare. */
export const storage = (
  home: DataDirectory,
  { limitBytes, s3 }: StorageOptions = {}
): Layer.Layer<Storage, StorageError, Keys> => {
  if (s3 !== undefined) {
    return Layer.unwrap(
      Effect.map(
        Effect.promise(() => import("./S3Storage.ts")),
        (S3Storage) => S3Storage.layer({ ...s3, limitBytes })
      )
    )
  }
  return EncryptedFileStorage.layer({ directory: home.file(names.blobs), limitBytes })
}

export const network = (home: DataDirectory, options: NetworkOptions = {}) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { listen, ...others } = options
      if (listen === undefined) return TlsNetwork.layer(others)
      const names = [...namesOf(listen.host), ...(options.advertise ?? [])]
      const authority = yield* PrivateAuthority.open({ directory: home.file("tls"), names })
      return TlsNetwork.layer({ ...others, listen: { ...listen, authority } })
    })
  )

export const layer = (
  home: DataDirectory,
  options: StoresOptions & { readonly network?: NetworkOptions; readonly storage?: StorageOptions } = {}
) =>
  Layer.mergeAll(network(home, options.network), storage(home, options.storage)).pipe(
    Layer.provideMerge(stores(home, options))
  )

/** What the certificate has to name so that others reach a listener there: every address of ours behind a wildcard. */
const namesOf = (host: string): ReadonlyArray<string> =>
  host === "0.0.0.0" || host === "::"
    ? Object.values(networkInterfaces()).flatMap((addresses) =>
        (addresses ?? []).filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address)
      )
    : [host]
