/**
 * The directory in which an installation keeps everything: private, of a known format, and open in one process.
 *
 *     format      "aura data directory 1" and a newline
 *     lock        an SQLite file without content; the owner holds an exclusive transaction on it
 *     owner       who that is: {"pid": …, "controlSocket": …}, only for messages and for finding the socket
 *     anything else belongs to the handlers, each of which checks what it reads
 *
 * The lock is one of the operating system, so it goes with the process however that ends; Node has no `flock`, SQLite
 * has locks, and the file never gets any content. POSIX drops such a lock when *any* handle of the file closes: nothing
 * in this process may open `lock` by other means. `owner` is no lock: after kill -9 it stays and nobody believes it.
 *
 * A directory is private when it is no link, belongs to the user of the process and has mode 0700, and when nobody else
 * can put another in its place: every directory above belongs to that user or to root and is writable at most by a
 * group the process is in, unless it is sticky (as /tmp is). A fresh one is created 0700 at once, in a directory that
 * exists; one that holds foreign files is not taken over.
 *
 * On macOS the same holds. On Windows SQLite locks by LockFileEx, which ends with the process too, but Node sees no
 * owners or access lists there: neither is checked, and a directory under the user's profile is private by inheritance.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** Somebody else could read the directory or put another in its place. */
export class DataDirectoryExposed extends Schema.TaggedError<DataDirectoryExposed>()("DataDirectoryExposed", {
  where: Schema.String,
  what: Schema.String,
  allowed: Schema.String
}) {
  override get message(): string {
    return `${this.where} is not private: ${this.what}; allowed: ${this.allowed}`
  }
}

/** What is there is no data directory. Nothing in it was changed. */
export class DataDirectoryForeign extends Schema.TaggedError<DataDirectoryForeign>()("DataDirectoryForeign", {
  where: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `${this.where} is no data directory: ${this.what}; name one that is empty or does not exist`
  }
}

/** Another process has it open. Who, is known unless that process is just starting. */
export class DataDirectoryInUse extends Schema.TaggedError<DataDirectoryInUse>()("DataDirectoryInUse", {
  where: Schema.String,
  pid: Schema.Option(Schema.Finite),
  controlSocket: Schema.Option(Schema.String)
}) {
  override get message(): string {
    const who = Option.match(this.pid, { onNone: () => "another process", onSome: (pid) => `process ${pid}` })
    return `${this.where} is open in ${who}: stop it, or let it do the work`
  }
}

/** A newer version of Aura made it. */
export class DataDirectoryTooNew extends Schema.TaggedError<DataDirectoryTooNew>()("DataDirectoryTooNew", {
  where: Schema.String,
  found: Schema.Finite,
  known: Schema.Finite
}) {
  override get message(): string {
    return `${this.where} has format ${this.found}, this version reads up to ${this.known}: upgrade Aura`
  }
}

/** It can't be created, read or written. */
export class DataDirectoryUnavailable extends Schema.TaggedError<DataDirectoryUnavailable>()(
  "DataDirectoryUnavailable",
  { where: Schema.String, what: Schema.String }
) {
  override get message(): string {
    return `${this.where} is unavailable: ${this.what}`
  }
}

export class DataDirectoryError extends Schema.TaggedError<DataDirectoryError>()("DataDirectoryError", {
  reason: Schema.Union([
    DataDirectoryExposed,
    DataDirectoryForeign,
    DataDirectoryInUse,
    DataDirectoryTooNew,
    DataDirectoryUnavailable
  ])
}) {
  override get message(): string {
    return this.reason.message
  }
}

export interface DataDirectory {
  /** Absolute, without links. */
  readonly path: string
  /** The path of a file in it. The name is a plain one, without separators: anything else is a defect of the caller. */
  readonly file: (name: string) => string
}

export interface Options {
  /** Where the owner listens for commands; others learn it from `DataDirectoryInUse`. */
  readonly controlSocket?: string
}

const formatVersion = 1
const formatPattern = /^aura data directory (\d{1,9})\n$/
/** What may lie in a directory before it becomes ours: a configuration, the root of a file system, a first try. */
const namesBefore: ReadonlyArray<string> = ["aura.toml", "lost+found", "lock", "owner", "owner.new", "format.new"]

const Owner = Schema.fromJsonString(
  Schema.Struct({ pid: Schema.Finite, controlSocket: Schema.optionalKey(Schema.String) })
)

/** Opens the directory, creating it if there is none, and owns it until the scope closes. */
export const open = (
  path: string,
  options: Options = {}
): Effect.Effect<DataDirectory, DataDirectoryError, Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* attempt(path, () => prepareDirectory(path))
    yield* Effect.acquireRelease(
      attempt(directory, () => takeLock(directory)),
      (lock) => Effect.sync(() => releaseLock(directory, lock))
    )
    yield* attempt(directory, () => {
      checkFormat(directory)
      writeOwner(directory, options)
    })
    return {
      path: directory,
      file: (name) => {
        if (name !== basename(name) || name === "" || name === "." || name === "..") {
          throw new TypeError(`"${name}" is no plain file name`)
        }
        return join(directory, name)
      }
    }
  })

/** Runs synchronous work; a failed system call becomes `DataDirectoryUnavailable`, our own mistakes are defects. */
const attempt = <A>(where: string, work: () => A): Effect.Effect<A, DataDirectoryError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      const reason = isReason(error) ? error : unavailable(where, error)
      return reason === undefined ? Effect.die(error) : Effect.fail(new DataDirectoryError({ reason }))
    }
  })

const isReason = Schema.is(DataDirectoryError.fields.reason)

const unavailable = (where: string, error: unknown): DataDirectoryUnavailable | undefined =>
  error instanceof Error && ("syscall" in error || "errcode" in error)
    ? new DataDirectoryUnavailable({ where, what: error.message })
    : undefined

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code

/** Creates the directory if need be; its path without links once it is known to be private. */
const prepareDirectory = (path: string): string => {
  const absolute = resolve(path)
  const parent = realpathSync(dirname(absolute))
  const directory = join(parent, basename(absolute))
  try {
    mkdirSync(directory, { mode: 0o700 })
    syncDirectory(parent)
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error
  }
  checkDirectory(directory)
  for (let above = parent; ; above = dirname(above)) {
    checkAbove(directory, above)
    if (above === dirname(above)) return directory
  }
}

const checkDirectory = (where: string): void => {
  const found = lstatSync(where)
  if (found.isSymbolicLink()) throw new DataDirectoryExposed({ where, what: "it is a link", allowed: "a directory" })
  if (!found.isDirectory()) throw new DataDirectoryForeign({ where, what: "it is no directory" })
  const user = process.geteuid?.()
  if (user === undefined) return
  const [mode, allowed] = [found.mode & 0o7777, `mode 0700, owned by user ${user}`]
  if (found.uid !== user) throw new DataDirectoryExposed({ where, what: `it belongs to user ${found.uid}`, allowed })
  if ((mode & 0o077) !== 0) throw new DataDirectoryExposed({ where, what: `it has mode ${octal(mode)}`, allowed })
}

/** Who can rename entries of a directory above can put another directory in the place of ours. */
const checkAbove = (where: string, above: string): void => {
  const user = process.geteuid?.()
  if (user === undefined) return
  const { uid, gid, mode } = statSync(above)
  const isOwnGroup = gid === process.getegid?.() || process.getgroups?.().includes(gid) === true
  const isSticky = (mode & 0o1000) !== 0
  const writers = (mode & 0o002) !== 0 ? "everybody" : (mode & 0o020) !== 0 && !isOwnGroup ? `group ${gid}` : undefined
  if (uid !== user && uid !== 0) {
    const allowed = `directories above of user ${user} or root`
    throw new DataDirectoryExposed({ where, what: `${above} belongs to user ${uid}`, allowed })
  }
  if (writers !== undefined && !isSticky) {
    const allowed = "directories above that only their owner can write"
    throw new DataDirectoryExposed({
      where,
      what: `${writers} can write ${above} (mode ${octal(mode & 0o7777)})`,
      allowed
    })
  }
}

const octal = (mode: number): string => mode.toString(8).padStart(4, "0")

const takeLock = (directory: string): DatabaseSync => {
  const path = join(directory, "lock")
  try {
    // An existing one is not touched: closing it here would drop the lock of an owner in this process.
    closeSync(openSync(path, "wx", 0o600))
  } catch (error) {
    if (!isCode(error, "EEXIST")) throw error
  }
  const lock = new DatabaseSync(path)
  try {
    lock.exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE")
  } catch (error) {
    lock.close()
    throw isBusy(error) ? inUse(directory) : error
  }
  // Until we write our own, nobody shall find that of a process that was killed.
  rmSync(join(directory, "owner"), { force: true })
  return lock
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === 5

const inUse = (where: string): DataDirectoryInUse => {
  const owner = Schema.decodeUnknownOption(Owner)(textOf(join(where, "owner")))
  return new DataDirectoryInUse({
    where,
    pid: Option.map(owner, ({ pid }) => pid),
    controlSocket: Option.flatMap(owner, ({ controlSocket }) => Option.fromUndefinedOr(controlSocket))
  })
}

const releaseLock = (directory: string, lock: DatabaseSync): void => {
  try {
    rmSync(join(directory, "owner"), { force: true })
  } finally {
    lock.close()
  }
}

/** The text of a small file; undefined if there is none. */
const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined
    throw error
  }
}

/** Names the format of a fresh directory; refuses one of a newer format or of somebody else. */
const checkFormat = (where: string): void => {
  const text = textOf(join(where, "format"))
  if (text === undefined) {
    const foreign = readdirSync(where).find((name) => !namesBefore.includes(name))
    if (foreign !== undefined)
      throw new DataDirectoryForeign({ where, what: `it has no format, but holds "${foreign}"` })
    replaceFile(where, "format", `aura data directory ${formatVersion}\n`)
    return syncDirectory(where)
  }
  const found = Number(formatPattern.exec(text)?.[1] ?? 0)
  if (found === 0) throw new DataDirectoryForeign({ where, what: "its format is not one of ours" })
  if (found > formatVersion) throw new DataDirectoryTooNew({ where, found, known: formatVersion })
}

const writeOwner = (directory: string, { controlSocket }: Options): void =>
  replaceFile(
    directory,
    "owner",
    Schema.encodeSync(Owner)({ pid: process.pid, ...(controlSocket === undefined ? {} : { controlSocket }) })
  )

/** A reader finds the old text or the new one. The bytes are on the disk; the name is once the directory is synced. */
const replaceFile = (directory: string, name: string, text: string): void => {
  const [path, fresh] = [join(directory, name), join(directory, `${name}.new`)]
  const handle = openSync(fresh, "w", 0o600)
  try {
    writeFileSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(fresh, path)
}

/** Makes creations and renames in a directory durable. Windows does so by itself and can't open directories. */
const syncDirectory = (path: string): void => {
  if (process.platform === "win32") return
  const handle = openSync(path, "r")
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
