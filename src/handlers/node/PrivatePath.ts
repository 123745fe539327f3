/**
 * Makes sure that a directory is ours alone, and that nobody else can put another in its place.
 *
 * The path is walked from the root. Every parent must belong to us, to root or to the owner of "/", and must not let
 * others write, except with the sticky bit (as /tmp), where only owners replace entries. A group may write if nobody
 * but us is in it by /etc/passwd and /etc/group (many systems give each user such a group and make directories
 * group-writable). A symbolic link among the parents counts as an entry of its directory: it needs a trusted owner, and
 * its target is walked by the same rules. The directory itself is no link, belongs to us and has mode 0700; what is
 * missing is created with that mode at once, never opened up and closed afterwards.
 *
 * It does not look at access control lists, and on Windows, which has no modes, it only creates. It does not repair what
 * it finds too open: who opened it may have had a reason, and what was readable is known.
 */
import * as Data from "effect/Data"
import type * as fileSystem from "node:fs/promises"
import * as path from "node:path"

/** Another user could read or replace what is in the directory. Nothing was written. */
export class DirectoryExposed extends Data.TaggedError("DirectoryExposed")<{
  readonly where: string
  readonly what: string
  readonly allowed: string
}> {
  override get message(): string {
    return `${this.where} is not private: ${this.what}; allowed: ${this.allowed}`
  }
}

/** What this module and `PrivateDirectory.ts` ask of the file system; tests put faults between. */
export type Disk = Pick<
  typeof fileSystem,
  "lstat" | "mkdir" | "open" | "readdir" | "readFile" | "readlink" | "rename" | "statfs" | "unlink"
>

/** Our user number; undefined where files have no owners (Windows). */
export const ownUser = process.geteuid?.()

/** Permission bits of everybody but the owner. */
export const otherBits = 0o077

/** Creates what is missing of `directory` (absolute), each part durably, and verifies all of it. Throws `DirectoryExposed`. */
export const makePrivate = async (disk: Disk, directory: string): Promise<void> => {
  if (ownUser === undefined) {
    await disk.mkdir(directory, { recursive: true })
    return
  }
  const { root } = path.parse(directory)
  const trusted = new Set([ownUser, 0, (await disk.lstat(root)).uid])
  await walk({ disk, trusted, linksLeft: linksMax }, root, path.relative(root, directory).split(path.sep))
}

/** One private directory inside a private directory: verified, and true if it was missing. Durable with the next sync. */
export const makePrivateChild = async (disk: Disk, child: string): Promise<boolean> => {
  const isNew = await createdDirectory(disk, child)
  if (ownUser !== undefined) await verifyOwn(disk, child)
  return isNew
}

/** Makes the entries of a directory durable. Windows has no such call and orders them itself. */
export const syncDirectory = async (disk: Disk, directory: string): Promise<void> => {
  if (ownUser === undefined) return
  const handle = await disk.open(directory, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The operating system's name for what went wrong ("ENOENT"); undefined for anything else. */
export const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

export const exposed = (where: string, what: string, allowed: string): DirectoryExposed =>
  new DirectoryExposed({ where, what, allowed })

interface Walk {
  readonly disk: Disk
  readonly trusted: ReadonlySet<number>
  readonly linksLeft: number
}

/** As many links as the operating system itself follows. */
const linksMax = 40

const walk = async (context: Walk, parent: string, names: ReadonlyArray<string>): Promise<void> => {
  const [name, ...rest] = names
  if (name === undefined || name === "") return verifyOwn(context.disk, parent)
  await verifyParent(context, parent)
  const here = path.join(parent, name)
  if (await createdDirectory(context.disk, here)) await syncDirectory(context.disk, parent)
  const found = await context.disk.lstat(here)
  if (!found.isSymbolicLink() || rest.length === 0) return walk(context, here, rest)
  if (!context.trusted.has(found.uid)) throw exposed(here, `a link that belongs to user ${found.uid}`, trustedOwners)
  if (context.linksLeft === 0) throw exposed(here, "too many links", `at most ${linksMax} links on the way`)
  const target = path.resolve(parent, await context.disk.readlink(here))
  const { root } = path.parse(target)
  const remaining = [...path.relative(root, target).split(path.sep), ...rest].filter((part) => part !== "")
  return walk({ ...context, linksLeft: context.linksLeft - 1 }, root, remaining)
}

/** True if it was missing. The mode is part of the call, so there is no moment at which others may enter. */
const createdDirectory = async (disk: Disk, directory: string): Promise<boolean> => {
  try {
    await disk.lstat(directory)
    return false
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause
  }
  try {
    await disk.mkdir(directory, { mode: 0o700 })
    return true
  } catch (cause) {
    // Somebody was faster: who, and how, is verified like any other directory.
    if (codeOf(cause) !== "EEXIST") throw cause
    return false
  }
}

const verifyOwn = async (disk: Disk, directory: string): Promise<void> => {
  const { mode, uid, ...kind } = await described(disk, directory)
  if (kind.isLink) throw exposed(directory, "a symbolic link", "the directory itself")
  if (!kind.isDirectory) throw exposed(directory, "not a directory", "a directory")
  if (uid !== ownUser) throw exposed(directory, `it belongs to user ${uid}`, `owner ${ownUser}, who runs this`)
  if ((mode & otherBits) !== 0) {
    throw exposed(directory, `mode ${octal(mode)}`, `mode 0700 (chmod 700 "${directory}")`)
  }
}

const verifyParent = async ({ disk, trusted }: Walk, directory: string): Promise<void> => {
  const { gid, isDirectory, mode, uid } = await described(disk, directory)
  if (!isDirectory) throw exposed(directory, "not a directory", "a directory")
  if (!trusted.has(uid)) throw exposed(directory, `it belongs to user ${uid}`, trustedOwners)
  const isSticky = (mode & 0o1000) !== 0
  const othersMayWrite = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !(await isOwnGroup(disk, gid)))
  if (othersMayWrite && !isSticky) {
    throw exposed(
      directory,
      `mode ${octal(mode)}`,
      `no writing by others (chmod go-w "${directory}"), or the sticky bit`
    )
  }
}

const described = async (disk: Disk, directory: string) => {
  const found = await disk.lstat(directory)
  return {
    mode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
    isLink: found.isSymbolicLink(),
    isDirectory: found.isDirectory()
  }
}

/** True if the system's own files know the group and nobody in it but us. Users kept elsewhere are not seen. */
const isOwnGroup = async (disk: Disk, gid: number): Promise<boolean> => {
  const users = await records(disk, "/etc/passwd")
  const group = (await records(disk, "/etc/group")).find((fields) => Number(fields[2]) === gid)
  const ownName = users.find((fields) => Number(fields[2]) === ownUser)?.[0]
  if (group === undefined || ownName === undefined) return false
  const members = (group[3] ?? "").split(",").filter((name) => name !== "")
  const firstMembers = users.filter((fields) => Number(fields[3]) === gid).map(([name]) => name)
  return [...members, ...firstMembers].every((name) => name === ownName)
}

const records = async (disk: Disk, file: string): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const text = await disk.readFile(file, "utf8").catch(() => "")
  return text.split("\n").map((line) => line.split(":"))
}

const trustedOwners = `owner ${ownUser} or root`

const octal = (mode: number): string => mode.toString(8).padStart(4, "0")
