/**
 * The directory in which an installation keeps everything: ours alone, of a known format, open in one process.
 *
 *     format      "aura data directory 1" and a newline
 *     lock        held by the owner (ProcessLock.ts)
 *     owner       who that is: {"pid": …, "controlSocket": …}, only for messages and for finding the socket
 *     the rest    belongs to the handlers, each of which checks what it reads
 *
 * The lock goes with the process however that ends. `owner` is no lock: after kill -9 it stays, and nobody believes it. What "ours alone" means says
 * PrivatePath.ts; a directory that is not empty and names no format is not taken over.
 *
 * On Windows Node sees neither owners nor access lists, so privacy rests on where the directory lies.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import * as PrivateDirectory from "./PrivateDirectory.ts"
import { codeOf, DirectoryExposed, makePrivate } from "./PrivatePath.ts"
import * as ProcessLock from "./ProcessLock.ts"

/** What is there is no data directory. Nothing in it was changed. */
export class DataDirectoryForeign extends Data.TaggedError("DataDirectoryForeign")<{
  readonly where: string
  readonly what: string
}> {
  override get message(): string {
    return `${this.where} is no data directory: ${this.what}; name one that is empty or does not exist`
  }
}

/** Another process has it open; which one is known unless that process is just starting. */
export class DataDirectoryInUse extends Data.TaggedError("DataDirectoryInUse")<{
  readonly where: string
  readonly pid: Option.Option<number>
  readonly controlSocket: Option.Option<string>
}> {
  override get message(): string {
    const who = Option.match(this.pid, { onNone: () => "another process", onSome: (pid) => `process ${pid}` })
    return `${this.where} is open in ${who}: stop it, or let it do the work`
  }
}

/** A newer version of Aura made it. */
export class DataDirectoryTooNew extends Data.TaggedError("DataDirectoryTooNew")<{
  readonly where: string
  readonly found: number
  readonly known: number
}> {
  override get message(): string {
    return `${this.where} has format ${this.found}, this version reads up to ${this.known}: upgrade Aura`
  }
}

export class DataDirectoryError extends Data.TaggedError("DataDirectoryError")<{
  readonly reason:
    | DirectoryExposed
    | PrivateDirectory.DirectoryFull
    | PrivateDirectory.DirectoryUnavailable
    | DataDirectoryForeign
    | DataDirectoryInUse
    | DataDirectoryTooNew
}> {
  override get message(): string {
    return this.reason.message
  }
}

export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  /** The path of a file in it. The name is a plain one, without separators: anything else is a defect of the caller. */
  readonly file: (name: string) => string
}

export interface Options {
  /** Where the owner listens for commands; others learn it from `DataDirectoryInUse`. */
  readonly controlSocket?: string
}

type Reason = DataDirectoryError["reason"]

const formatVersion = 1
const formatPattern = /^aura data directory (\d{1,9})\n$/
/** Longest text of `format` and of `owner`, in bytes; what is longer is not ours. */
const textBytesMax = 4096
/** What may lie in a directory before it becomes ours: a configuration, the root of a file system, a first try. */
const namesBefore: ReadonlyArray<string> = ["aura.toml", "lost+found", "lock", "owner"]

const Owner = Schema.fromJsonString(
  Schema.Struct({ pid: Schema.Finite, controlSocket: Schema.optionalKey(Schema.String) })
)

/** Opens the directory, creating it if there is none, and owns it until the scope closes. */
export const open = (
  directory: string,
  options: Options = {}
): Effect.Effect<DataDirectory, DataDirectoryError, Scope.Scope> =>
  Effect.gen(function* () {
    const home = path.resolve(directory)
    yield* attempt(home, () => makePrivate(fileSystem, home))
    yield* Effect.acquireRelease(lock(home), (lock) => Effect.sync(() => lock.close()))
    // Only now: opening it tidies up, which nobody but the owner may.
    const files = yield* PrivateDirectory.open(home)
    yield* checkFormat(files)
    yield* Effect.acquireRelease(files.replace("owner", [ownText(options)]), () => Effect.ignore(files.remove("owner")))
    return { path: home, file: (name: string) => path.join(home, plainName(name)) }
  }).pipe(
    Effect.mapError((error) =>
      error instanceof DataDirectoryError ? error : new DataDirectoryError({ reason: error })
    )
  )

const ownText = ({ controlSocket }: Options): Uint8Array =>
  Buffer.from(Schema.encodeSync(Owner)({ pid: process.pid, ...(controlSocket === undefined ? {} : { controlSocket }) }))

const plainName = (name: string): string => {
  if (name === path.basename(name) && name !== "" && name !== "." && name !== "..") return name
  throw new TypeError(`"${name}" is no plain file name`)
}

/** What the operating system refuses is a typed error, anything else a mistake of ours. */
const attempt = <A>(where: string, work: () => Promise<A>): Effect.Effect<A, Reason> =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => {
      if (isReason(cause)) return cause
      if (cause instanceof Error && codeOf(cause) !== undefined) {
        return new PrivateDirectory.DirectoryUnavailable({ what: `${where}: ${cause.message}` })
      }
      throw cause
    }
  })

const isReason = (cause: unknown): cause is Reason => reasons.some((reason) => cause instanceof reason)

const reasons = [
  DirectoryExposed,
  PrivateDirectory.DirectoryFull,
  PrivateDirectory.DirectoryUnavailable,
  DataDirectoryForeign,
  DataDirectoryInUse,
  DataDirectoryTooNew
]

const lock = (home: string): Effect.Effect<ProcessLock.ProcessLock, Reason> =>
  attempt(home, async () => {
    const held = await ProcessLock.tryAcquire(path.join(home, "lock"))
    if (held === undefined) throw await inUse(home)
    // Until we write our own, nobody shall find that of a process that was killed.
    await fileSystem.rm(path.join(home, "owner"), { force: true }).catch((cause: unknown) => {
      held.close()
      throw cause
    })
    return held
  })

const inUse = async (where: string): Promise<DataDirectoryInUse> => {
  const text = await fileSystem.readFile(path.join(where, "owner"), "utf8").catch(() => "")
  const owner = Schema.decodeUnknownOption(Owner)(text)
  return new DataDirectoryInUse({
    where,
    pid: Option.map(owner, ({ pid }) => pid),
    controlSocket: Option.flatMap(owner, ({ controlSocket }) => Option.fromUndefinedOr(controlSocket))
  })
}

/** Names the format of a fresh directory; refuses one of a newer format or of somebody else. */
const checkFormat = (files: PrivateDirectory.PrivateDirectory): Effect.Effect<void, Reason> =>
  Effect.gen(function* () {
    const where = files.path
    const bytes = yield* files.read("format", textBytesMax)
    if (Option.isNone(bytes)) {
      const foreign = (yield* files.names("")).find((name) => !namesBefore.includes(name))
      if (foreign !== undefined) {
        return yield* Effect.fail(
          new DataDirectoryForeign({ where, what: `it names no format, but holds "${foreign}"` })
        )
      }
      return yield* files.replace("format", [Buffer.from(`aura data directory ${formatVersion}\n`)])
    }
    const found = Number(formatPattern.exec(Buffer.from(bytes.value).toString())?.[1] ?? 0)
    if (found === 0)
      return yield* Effect.fail(new DataDirectoryForeign({ where, what: "its format is not one of ours" }))
    if (found > formatVersion) {
      return yield* Effect.fail(new DataDirectoryTooNew({ where, found, known: formatVersion }))
    }
  })
