/**
 * `aura doctor`: tries what this installation rests on, on its own disk, and says what to do about what it finds.
 *
 * The laws that every handler keeps (conformance) run against real handlers in a temporary folder of the data directory,
 * so on the very disk and file system that the journal lies on, and where the journal is kept in a database, in a schema of its
 * own there that is removed afterwards. What is there is not touched. The rest looks at what is there: privacy of the directory,
 * the clock, the certificate, the recovery words, and what the journal holds back. It repairs nothing. Exit code 1 when
 * something is bad; warnings leave it at 0.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { X509Certificate } from "node:crypto"
import { mkdtemp, readFile, rm, stat } from "node:fs/promises"
import * as path from "node:path"
import * as Stores from "../composition/Stores.ts"
import { journalStoreLaws } from "../conformance/JournalStoreLaws.ts"
import { keysLaws } from "../conformance/KeysLaws.ts"
import type { Law } from "../conformance/Law.ts"
import { secretStoreLaws } from "../conformance/SecretStoreLaws.ts"
import { storageLaws } from "../conformance/StorageLaws.ts"
import { timeLaws } from "../conformance/TimeLaws.ts"
import { verifierLaws } from "../conformance/VerifierLaws.ts"
import { JournalStore } from "../effects/JournalStore.ts"
import { Keys } from "../effects/Keys.ts"
import * as DirectorySecretStore from "../handlers/node/DirectorySecretStore.ts"
import * as EncryptedFileStorage from "../handlers/node/EncryptedFileStorage.ts"
import * as FileKeys from "../handlers/node/FileKeys.ts"
import * as NodeEffects from "../handlers/node/NodeEffects.ts"
import * as NodeVerifier from "../handlers/node/NodeVerifier.ts"
import * as SqliteJournal from "../handlers/node/SqliteJournal.ts"
import * as SystemTime from "../handlers/node/SystemTime.ts"
import { short, spaceId } from "../identity/Id.ts"
import * as Revocation from "../runtime/Revocation.ts"
import * as Budget from "../trust/Budget.ts"
import type { Voice } from "./Control.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"
import * as Revoked from "./Revoked.ts"
import * as RootSeed from "./RootSeed.ts"
import * as Survey from "./Survey.ts"
import { count, printable, time } from "./Text.ts"

interface Finding {
  readonly check: string
  readonly verdict: "good" | "warning" | "bad"
  readonly what: string
  readonly do?: string
  /** How long the trial took. */
  readonly millis?: number
}

const good = (check: string, what: string): Finding => ({ check, verdict: "good", what })

export const answer = Effect.fnUntraced(function* (office: Office, voice: Voice) {
  const parts = [
    directory(office),
    clock(office),
    certificate(office),
    deviceKey(office),
    recoveryWords(office),
    contents(office),
    laws(office),
    database(office)
  ]
  let bad = 0
  for (const part of parts) {
    for (const finding of yield* part) {
      if (finding.verdict === "bad") bad++
      yield* voice.data({ ...finding })
    }
  }
  if (bad > 0) {
    return yield* Problem.make("Unwell", {
      what: `${count(bad, "thing is", "things are")} wrong`,
      do: "see above what to do about each"
    })
  }
})

/** Opening it verified privacy, owner and lock, so being here says they are good. */
const directory = (office: Office): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(async () => {
    const { mode } = await stat(office.home.path)
    const exposed = process.platform !== "win32" && (mode & 0o077) !== 0
    return exposed
      ? [
          {
            check: "directory",
            verdict: "bad",
            what: `${office.home.path} can be entered by others`,
            do: `chmod 700 ${office.home.path}`
          }
        ]
      : [good("directory", `${office.home.path} is private, and locked by this process`)]
  })

const clock = (office: Office): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.sync(() => {
    const { millis, status } = office.time.now()
    const now = time(millis)
    if (status === "Stepped") {
      return [
        {
          check: "clock",
          verdict: "warning",
          what: `it jumped a moment ago; now ${now}`,
          do: "let the system keep its clock by NTP"
        }
      ]
    }
    return [
      good(
        "clock",
        status === "Synced" ? `${now}, checked against others` : `${now}, as the system says: is that right?`
      )
    ]
  })

const dayMillis = 86_400_000
const daysLeftMin = 30

const certificate = (office: Office): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(async () => {
    const file = path.join(office.home.file(NodeEffects.names.authority), "server.pem")
    const text = await readFile(file, "utf8").catch(() => undefined)
    if (text === undefined) return [good("certificate", "none yet: the first serve makes one")]
    const { validTo } = new X509Certificate(text)
    const days = Math.floor((Date.parse(validTo) - office.time.now().millis) / dayMillis)
    return days < daysLeftMin
      ? [
          {
            check: "certificate",
            verdict: "warning",
            what: `valid for ${count(days, "day")}`,
            do: '"aura serve" makes a new one at its start'
          }
        ]
      : [good("certificate", `valid for ${count(days, "day")}`)]
  })

const deviceKey = (office: Office): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.succeed([
    office.keys.level === "High"
      ? good("device key", "protected by a passphrase")
      : {
          check: "device key",
          verdict: "warning",
          what: "on the disk without a passphrase: who can read the disk can act as this device",
          do: "on a server that others can reach, set keys.passphrase_file before the first start"
        }
  ])

const recoveryWords = Effect.fnUntraced(function* (office: Office) {
  const seed = yield* Effect.mapError(RootSeed.read(office), Problem.fromError)
  if (seed === undefined) return [good("recovery words", "not on this device")]
  const what = "not confirmed: if this device is lost or stolen, nobody can undo it"
  return [
    {
      check: "recovery words",
      verdict: "warning",
      what,
      do: 'write them down ("aura space words"), then "aura space confirm"'
    } as const
  ]
})

const contents = Effect.fnUntraced(function* (office: Office) {
  const opened = yield* Effect.result(office.agent)
  if (Result.isFailure(opened)) {
    const { do: way = "", what } = opened.failure
    return [{ check: "spaces", verdict: "bad", what, do: way } as const]
  }
  return opened.success.replicas().flatMap((replica): ReadonlyArray<Finding> => {
    const survey = Survey.of(replica)
    const check = `space ${short(replica.space)}`
    const findings: Array<Finding> = []
    const note = (amount: number, verdict: Finding["verdict"], what: string, way: string): void => {
      if (amount > 0) findings.push({ check, verdict, what: `${count(amount, "entry", "entries")} ${what}`, do: way })
    }
    const putOut = Revocation.of(replica.ledger(), office.keys.device)
    if (putOut !== undefined)
      findings.push({ check, verdict: "bad", what: Revoked.sentence(putOut), do: Revoked.waysOn })
    note(survey.damaged, "bad", "can't be read back", '"aura journal verify" shows where and the way on')
    note(survey.waiting, "warning", "waiting for others to arrive", '"aura sync" fetches what they wait for')
    const until = survey.heldUntilMillis === undefined ? "" : ` until ${time(survey.heldUntilMillis)}`
    note(
      survey.held,
      "warning",
      `held${until}: their time is too far ahead`,
      "check the clocks of the devices that wrote them"
    )
    note(
      survey.quarantined,
      "warning",
      "quarantined: refused and without effect",
      '"aura journal log" shows which and why'
    )
    if (survey.members > Budget.leaseSlots)
      findings.push({
        check,
        verdict: "warning",
        what: `${survey.members} devices, and ${Budget.leaseSlots} of them share what may be sent to a peer in an hour`,
        do: "let the device that founded the space set budgets that name those which send"
      })
    return findings.length > 0
      ? findings
      : [good(check, `${count(survey.entries, "entry", "entries")}, all of them judged`)]
  })
})

/** Each law has a folder of its own, so that none finds what another left. */
const laws = Effect.fnUntraced(function* (office: Office) {
  const home = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(path.join(office.home.path, "doctor-"))),
    (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
  )
  let folders = 0
  const fresh = (): string => path.join(home, `${folders++}`)
  const secrets = () => DirectorySecretStore.layer({ directory: fresh() })
  const keys = () => FileKeys.layer().pipe(Layer.provide(secrets()))
  return [
    yield* keep("journal on this disk", journalStoreLaws, () => SqliteJournal.layer({ path: `${fresh()}.sqlite` })),
    yield* keep("storage on this disk", storageLaws, () =>
      EncryptedFileStorage.layer({ directory: fresh() }).pipe(Layer.provide(keys()))
    ),
    ...(yield* database(office)),
    ...(yield* bucket(office)),
    yield* keep("secrets on this disk", secretStoreLaws, secrets),
    yield* keep("keys", keysLaws, keys),
    yield* keep("signatures", verifierLaws, () => NodeVerifier.layer),
    yield* keep("time", timeLaws, () => SystemTime.layer())
  ]
})

/** Where blobs are elsewhere: beside those of this device, in a store that only the doctor has. */
const bucket = Effect.fnUntraced(function* ({ home, keys, settings }: Office) {
  const { s3, ...others } = Stores.storageOptions(settings)
  if (s3 === undefined) return []
  const prefix = `${s3.prefix ?? keys.device.slice(0, 32)}/doctor`
  const options = { ...others, s3: { ...s3, prefix } }
  const layer = () => Layer.provide(NodeEffects.storage(home, options), Layer.succeed(Keys, keys))
  const advice = "see above what the store answers, and correct the settings of storage.s3 or the store"
  return [yield* keep("storage in the bucket", storageLaws, layer, advice)]
})

/** In the schema of a journal for trials, through the wrappers that go around the real one, faults apart. */
const database = Effect.fnUntraced(function* ({ home, keys, settings }: Office) {
  const { journal, storage, wrap } = settings
  if (journal.kind !== "postgres" || journal.url === undefined) return []
  const { removeTrial, trialPrefix } = yield* Effect.promise(() => import("../handlers/node/PostgresUpkeep.ts"))
  const owner = `${trialPrefix}${NodeEffects.ownerOf(keys.device)}`
  const remove = removeTrial({ url: journal.url, owner })
  const reached = yield* Effect.result(remove)
  if (Result.isFailure(reached)) {
    const way = "see that the server runs, that journal.url names it, and that its role has CREATE on the database"
    return [{ check: "database", verdict: "bad", what: reached.failure.message, do: way } as const]
  }
  const wrapped = { storage, journal: { ...journal, owner }, wrap: { ...wrap, journal: wrap.journal.filter(isHonest) } }
  const trial = () => Stores.journal(home, wrapped).pipe(Layer.provide(Layer.succeed(Keys, keys)))
  // each law finds nothing; what a killed doctor left is removed with the first
  const fresh = () => Layer.unwrap(Effect.as(remove, trial()))
  return yield* Effect.ensuring(
    Effect.gen(function* () {
      const kept = yield* keep("journal in the database", journalStoreLaws, fresh, databaseWay)
      return [kept, yield* commitTime(fresh())]
    }),
    Effect.ignore(remove)
  )
})

const databaseWay =
  "use a PostgreSQL server of version 15 or later directly, not through a transaction pooler and not a standby; see the laws that broke"

const isHonest = (name: string): boolean => name !== "faults"

const commitsTried = 20
const commitMillisMax = 100

const commitTime = Effect.fnUntraced(function* <E>(layer: Layer.Layer<JournalStore, E>) {
  const check = "commits there"
  const measured = yield* Effect.exit(
    Effect.scoped(
      Effect.gen(function* () {
        const store = Context.get(yield* Layer.build(layer), JournalStore)
        const row = { space: spaceId(new Uint8Array(32)), locals: [{ name: "doctor", bytes: new Uint8Array(1024) }] }
        const times: Array<number> = []
        for (let count = 0; count < commitsTried; count++) {
          const begin = performance.now()
          yield* store.commit(row)
          times.push(performance.now() - begin)
        }
        const millis = Math.round(times.toSorted((one, other) => one - other)[commitsTried / 2]!)
        return { millis, isDurable: store.persistenceGuaranteed }
      })
    )
  )
  if (Exit.isFailure(measured)) {
    const way = "see that the server runs and has room"
    return { check, verdict: "bad", what: reasonOf(measured.cause), do: way } as const
  }
  const { isDurable, millis } = measured.value
  const what = `half of them take up to ${millis} ms`
  if (!isDurable) {
    const lost = "the server acknowledges before the disk has it (fsync = off): a power cut loses entries"
    return { check, verdict: "bad", what: lost, do: "set fsync = on at the server", millis } as const
  }
  return millis > commitMillisMax
    ? ({ check, verdict: "warning", what, do: "move the server nearer, or give it a faster disk", millis } as const)
    : { ...good(check, what), millis }
})

const keep = Effect.fnUntraced(function* <R, E>(
  check: string,
  kept: ReadonlyArray<Law<R>>,
  layer: () => Layer.Layer<R, E>,
  way = "put the data directory on a local disk with a file system that keeps its promises"
) {
  const broken: Array<string> = []
  const begin = performance.now()
  for (const law of kept) {
    const exit = yield* Effect.exit(Effect.scoped(Effect.provide(law.check, layer())))
    if (Exit.isFailure(exit)) broken.push(`${law.name} (${reasonOf(exit.cause)})`)
  }
  const millis = Math.round(performance.now() - begin)
  if (broken.length === 0) return { ...good(check, `keeps all ${count(kept.length, "law")} (${millis} ms)`), millis }
  const what = `breaks ${count(broken.length, "law")}: ${broken.join("; ")}`
  return { check, verdict: "bad", what, do: way, millis } as const
})

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

const Found = Schema.Struct({
  check: Schema.String,
  verdict: Schema.String,
  what: Schema.String,
  do: Schema.optionalKey(Schema.String),
  millis: Schema.optionalKey(Schema.Finite)
})

const checkWidth = 23
const marks: Readonly<Record<string, string>> = { good: "good   ", warning: "warning", bad: "BAD    " }

export const render = (data: Data): string => {
  const { check, do: way, verdict, what } = Schema.decodeUnknownSync(Found)(data)
  const line = `${marks[verdict] ?? verdict}  ${check.padEnd(checkWidth)}  ${printable(what)}`
  return way === undefined ? line : `${line}\n${" ".repeat(checkWidth + 11)}${printable(way)}`
}
