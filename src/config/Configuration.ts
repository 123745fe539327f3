/**
 * All settings of Aura, as one Schema of `aura.toml`: what each is called, what it may be, and what people are told of it.
 *
 * A setting is `section.name` (`listen.port`, `storage.s3.bucket`), or a name alone. Every field carries its `Facts` as an annotation, so the
 * messages, the file that `aura config init` writes and the JSON Schema all say the same. A secret is `Redacted` as soon
 * as it is read, and has a twin `NAME_file` that names a file which holds it, as orchestrators mount them.
 *
 * Where values come from is the business of Sources.ts, what they come to of Reading.ts.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { DeviceId, SpaceId } from "../identity/Id.ts"
import { flowBaseMax } from "../trust/FlowLimit.ts"
import { deviceNameCharactersMax } from "../trust/limits.ts"
import * as JournalUrl from "./JournalUrl.ts"
import * as Listen from "./Listen.ts"
import * as S3Endpoint from "./S3Endpoint.ts"

/** What is known of a setting besides its Schema. */
export interface Facts {
  /** For people: what it is for. */
  readonly about: string
  readonly allowed: string
  /** How text (a variable, a flag) stands for it; a path is relative to the file that names it. */
  readonly kind: "text" | "path" | "number" | "switch" | "list" | "tables"
  /** Left out when nothing is meant by leaving the setting out. */
  readonly default?: Schema.Json
  /** What takes the default's place where that depends on the machine, for people. */
  readonly otherwise?: string
  readonly example?: Schema.Json
  readonly isSecret?: true
  /** Commands write it; people seldom do. */
  readonly isLearned?: true
  readonly production?: Production
}

/** What production mode refuses of a setting. */
export interface Production {
  readonly allowed: string
  readonly refuses: (given: Given | undefined) => boolean
}

/** A value as production mode looks at it; that of a secret is `Redacted`. */
export interface Given {
  readonly value: unknown
  /** Whether it stands in a file of settings itself. */
  readonly isInFile: boolean
}

declare module "effect/Schema" {
  // a namespace of another module is extended in no other way
  // oxlint-disable-next-line typescript/no-namespace
  namespace Annotations {
    interface Augment {
      readonly setting?: Facts | undefined
    }
  }
}

export const Peer = Schema.Struct({ device: DeviceId, address: Schema.String })
export type Peer = typeof Peer.Type

export const dataDefault = ".aura"

const journalOwnerBytesMax = 50
/** One to write with, one to hear what others write, one to read with. */
const journalPoolMin = 3
const journalPoolMax = 1000

const cacheBytesMax = 1024 * 1024 * 1024

const optional = <S extends Schema.Top>(schema: S, facts: Facts) =>
  Schema.optionalKey(schema.pipe(Schema.annotate({ setting: facts })))

/** A setting that is always there: the default is written as in the file. */
const always = <S extends Schema.Top>(schema: S, missing: S["Encoded"] & Schema.Json, facts: Facts) =>
  schema.pipe(
    Schema.withDecodingDefaultKey(Effect.succeed<S["Encoded"]>(missing)),
    Schema.annotate({ setting: { ...facts, default: missing } })
  )

const secret = <S extends Schema.Top>(schema: S, facts: Facts) =>
  optional(Schema.RedactedFromValue(schema), { ...facts, isSecret: true })

const text = (charactersMax = 4096) =>
  Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(charactersMax)))

const regionName = Schema.String.pipe(Schema.check(Schema.isPattern(/^[A-Za-z0-9-]{1,64}$/u)))

const integer = (minimum: number, maximum: number) =>
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum, maximum })))

const journalOwner = Schema.String.pipe(
  Schema.check(
    Schema.makeFilter((owner) => {
      const bytes = Buffer.byteLength(owner)
      return bytes > 0 && bytes <= journalOwnerBytesMax && owner.isWellFormed() && !/[\0"]/u.test(owner)
    })
  )
)

const port = { kind: "number", allowed: "a whole number from 0 to 65535" } as const

const top = {
  app: optional(text(), {
    kind: "path",
    about: "The application's file, TypeScript or JavaScript, that exports `app`",
    allowed: "the path of a file that exports `app`",
    example: "app.ts"
  }),
  data: optional(text(), {
    kind: "path",
    about: "The data directory: device key, journal and blobs",
    allowed: "the path of a directory",
    otherwise: dataDefault,
    example: dataDefault
  }),
  space: optional(SpaceId, {
    kind: "text",
    about: "The space to work in, when the directory has several",
    allowed: "64 hexadecimal digits: a SpaceId",
    example: "0".repeat(64),
    isLearned: true
  }),
  name: optional(text(deviceNameCharactersMax), {
    kind: "text",
    about: "This device's name, for people",
    allowed: `1 to ${deviceNameCharactersMax} characters`,
    otherwise: "the host's name",
    example: "server"
  }),
  production: always(Schema.Boolean, false, {
    kind: "switch",
    about: "Production mode: refuses what is for development, and opens no plain port",
    allowed: "true or false"
  }),
  log: always(Schema.Literals(["debug", "info", "warn", "error"]), "info", {
    kind: "text",
    about: "How much is logged",
    allowed: "debug, info, warn, error"
  }),
  peers: always(Schema.Array(Peer), [], {
    kind: "tables",
    about: 'Known devices to stay connected with; "aura join" writes them',
    allowed: "tables [[peers]] with device (64 hexadecimal digits) and address",
    isLearned: true
  }),
  device: optional(DeviceId, {
    kind: "text",
    about: "The device this directory belongs to; the first start writes it",
    allowed: "64 hexadecimal digits: a DeviceId",
    isLearned: true
  })
}

const listen = {
  host: always(text(), "127.0.0.1", {
    kind: "text",
    about: "Where to listen: 127.0.0.1 is this machine alone, 0.0.0.0 is everywhere",
    allowed: "a host name or an IP address"
  }),
  port: always(integer(0, 65_535), 8443, { ...port, about: "TLS port; 0 takes a free one" }),
  http: always(integer(0, 65_535), 8080, {
    ...port,
    about: "Plain port for browsers on this machine; 0 takes a free one",
    production: {
      allowed: "nothing: production opens no plain port",
      refuses: (given) => given !== undefined
    }
  }),
  advertise: always(Schema.Array(text()), [], {
    kind: "list",
    about: "Names or addresses under which others reach this device",
    allowed: "a list of names or addresses",
    example: ["aura.example.org"]
  })
}

const keys = {
  passphrase: secret(text(), {
    kind: "text",
    about: "Protects the device key",
    allowed: "a passphrase",
    production: {
      allowed: "a passphrase from the environment or from the file that keys.passphrase_file names",
      refuses: (given) => given === undefined || given.isInFile
    }
  })
}

const flow = {
  base: optional(integer(1, flowBaseMax), {
    kind: "number",
    about:
      "Units that a fully trusted device may be sent in an hour: this device, if it founded the space, then writes budgets",
    allowed: `a whole number from 1 to ${flowBaseMax}`,
    otherwise: "no budgets",
    example: 100_000
  })
}

const journal = {
  kind: always(Schema.Literals(["sqlite", "postgres", "memory"]), "sqlite", {
    kind: "text",
    about:
      "What keeps the journal: sqlite, a file in the data directory; postgres, a database at journal.url; memory, nothing",
    allowed: "sqlite, postgres or memory",
    production: {
      allowed: "sqlite or postgres: a journal in memory is gone with the process",
      refuses: (given) => given?.value === "memory"
    }
  }),
  url: secret(JournalUrl.JournalUrl, {
    kind: "text",
    about: "The database of a journal that is kept on a server",
    allowed: JournalUrl.allowed,
    production: {
      allowed: "sslmode=verify-full, or a database on this machine",
      refuses: (given) =>
        given !== undefined && Redacted.isRedacted(given.value) && !JournalUrl.isSafe(Redacted.value(given.value))
    }
  }),
  poolMax: always(integer(journalPoolMin, journalPoolMax), 5, {
    kind: "number",
    about: "Connections to the database at most",
    allowed: `a whole number from ${journalPoolMin} to ${journalPoolMax}`
  }),
  owner: optional(journalOwner, {
    kind: "text",
    about: "Whose journal it is, where several installations keep theirs in one database",
    allowed: `1 to ${journalOwnerBytesMax} bytes of text without quotes`,
    otherwise: "the first half of the device's id",
    example: "aura-0"
  }),
  sealed: always(Schema.Literals(["keep", "drop"]), "keep", {
    kind: "text",
    about: "What becomes here of entries that root sealed: keep, or drop as soon as the sealed state stands for them",
    allowed: "keep or drop"
  })
}

const management = {
  listen: optional(Listen.Place, {
    kind: "text",
    about: "Where probes and metrics are answered, in plain HTTP: /healthz, /readyz, /metrics",
    allowed: Listen.allowed,
    otherwise: `${Listen.defaultListen}, or a free port where another program has that one`,
    example: Listen.defaultListen
  })
}

const anyWrapper = ["metrics", "tracing", "retry", "breaker", "faults"] as const
const storageWrapper = [...anyWrapper, "cache"] as const

const withoutFaults: Production = {
  allowed: "a list without faults",
  refuses: (given) => Array.isArray(given?.value) && given.value.includes("faults")
}

const wrap = {
  journal: always(Schema.Array(Schema.Literals(anyWrapper)), ["metrics"], {
    kind: "list",
    about: "What goes around the journal store, the first outermost",
    allowed: `a list of ${anyWrapper.join(", ")}`,
    production: withoutFaults
  }),
  storage: always(Schema.Array(Schema.Literals(storageWrapper)), ["metrics"], {
    kind: "list",
    about: "What goes around the store of blobs, the first outermost",
    allowed: `a list of ${storageWrapper.join(", ")}`,
    production: withoutFaults
  }),
  cacheBytes: always(integer(0, cacheBytesMax), 16 * 1024 * 1024, {
    kind: "number",
    about: "Bytes of blobs that the wrapper cache keeps in memory",
    allowed: `a whole number from 0 to ${cacheBytesMax}`
  }),
  faultPercent: always(integer(0, 100), 1, {
    kind: "number",
    about: "Of a hundred calls, how many the wrapper faults lets fail",
    allowed: "a whole number from 0 to 100"
  }),
  faultSeed: always(integer(0, 2 ** 31), 1, {
    kind: "number",
    about: "What the wrapper faults draws from: the same seed, the same faults",
    allowed: `a whole number from 0 to ${2 ** 31}`
  })
}

/** A pebibyte. */
const storageLimitMax = 2 ** 50

const storage = {
  kind: always(Schema.Literals(["file", "s3", "memory"]), "file", {
    kind: "text",
    about:
      "What keeps blobs: file, the data directory, sealed; s3, the bucket that storage.s3 names, sealed; memory, nothing",
    allowed: "file, s3 or memory",
    production: {
      allowed: "file or s3: blobs in memory are gone with the process",
      refuses: (given) => given?.value === "memory"
    }
  }),
  limit: optional(integer(1, storageLimitMax), {
    kind: "number",
    about: "Room for blobs in bytes, as they are stored",
    allowed: `a whole number from 1 to ${storageLimitMax}`,
    otherwise: "what the disk or the bucket has",
    example: 10_000_000_000
  })
}

const s3 = {
  endpoint: optional(S3Endpoint.S3Endpoint, {
    kind: "text",
    about: "The S3-compatible store",
    allowed: S3Endpoint.allowed,
    example: "https://s3.eu-central-1.amazonaws.com",
    production: {
      allowed: "https, or a store on this machine",
      refuses: (given) => given !== undefined && !S3Endpoint.isSafe(given.value)
    }
  }),
  region: always(regionName, "us-east-1", {
    kind: "text",
    about: "Its region, as requests are signed for it",
    allowed: "letters, digits and hyphens, 1 to 64"
  }),
  bucket: optional(Schema.String.pipe(Schema.check(Schema.isPattern(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/u))), {
    kind: "text",
    about: "The bucket, which has to be there",
    allowed: "3 to 63 lower-case letters, digits, hyphens and dots",
    example: "aura-blobs"
  }),
  prefix: optional(Schema.String.pipe(Schema.check(Schema.isPattern(/^[\w.-]{1,64}(?:\/[\w.-]{1,64}){0,7}$/u))), {
    kind: "text",
    about: "What the names of all objects begin with; each device has one of its own",
    allowed: "up to 8 parts of 1 to 64 letters, digits, hyphens, dots and underscores, separated by /",
    otherwise: "the first half of the device's id",
    example: "aura-0"
  }),
  accessKeyId: secret(text(), {
    kind: "text",
    about: "Who asks, as the store knows it; may get, put, delete and list in the bucket",
    allowed: "an access key id"
  }),
  secretAccessKey: secret(text(), {
    kind: "text",
    about: "The secret of storage.s3.accessKeyId",
    allowed: "a secret access key",
    production: {
      allowed: "a secret from the environment or from the file that storage.s3.secretAccessKey_file names",
      refuses: (given) => given?.isInFile === true
    }
  })
}

const section = <F extends Schema.Struct.Fields>(fields: F) => Schema.Struct(fields)

export const Configuration = Schema.Struct({
  ...top,
  listen: section(listen),
  keys: section(keys),
  flow: section(flow),
  journal: section(journal),
  management: section(management),
  wrap: section(wrap),
  storage: section({ ...storage, s3: section(s3) })
})
export type Configuration = typeof Configuration.Type

type Decoder = Schema.ConstraintDecoder<unknown>

/** One setting, by its full name. */
export interface Setting extends Facts {
  readonly name: string
  readonly section: string
  /** Its name in the section. */
  readonly key: string
  readonly schema: Decoder
}

const fieldsBySection: Readonly<Record<string, Readonly<Record<string, Decoder>>>> = {
  "": top,
  listen,
  keys,
  flow,
  journal,
  management,
  wrap,
  storage,
  "storage.s3": s3
}

export const sections: ReadonlyArray<string> = Object.keys(fieldsBySection).filter((name) => name !== "")

/** Every setting, in the order in which people are shown them. */
export const settings: ReadonlyArray<Setting> = Object.entries(fieldsBySection).flatMap(([section, fields]) =>
  Object.entries(fields).map(([key, schema]) => {
    const facts = Schema.resolveAnnotations(schema)?.setting
    if (facts === undefined) throw new Error(`the setting ${key} has no facts`)
    return { ...facts, name: section === "" ? key : `${section}.${key}`, section, key, schema }
  })
)

export const settingsByName: ReadonlyMap<string, Setting> = new Map(settings.map((one) => [one.name, one]))

const fileSuffix = "_file"

/** The name that names a file which holds the secret. */
export const fileNameOf = (setting: Setting): string => `${setting.name}${fileSuffix}`

/** Every name that may be given, those of files of secrets included. */
export const names: ReadonlyArray<string> = settings.flatMap((setting) =>
  setting.isSecret === true ? [setting.name, fileNameOf(setting)] : [setting.name]
)

/** The tables that lead to a section, outermost first. */
export const tablesOf = (section: string): ReadonlyArray<string> => (section === "" ? [] : section.split("."))

/** `journal.poolMax` is AURA_JOURNAL__POOL_MAX, and `storage.s3.bucket` AURA_STORAGE__S3__BUCKET. */
export const variableOf = (name: string): string =>
  `AURA_${name
    .replaceAll(/(?<=[a-z])(?=[A-Z])/gu, "_")
    .replaceAll(".", "__")
    .toUpperCase()}`
