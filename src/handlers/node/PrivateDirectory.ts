/**
 * Small files in a directory that is ours alone, replaced atomically and durably: under the secret store and the sealed
 * storage.
 *
 * To replace a file is to write `<16 hex digits>.tmp` in the directory itself (mode 0600, never through a link), fsync
 * it, rename it over the name, and fsync the directory that holds the name. So at every moment, also after a power cut,
 * a name leads to the old bytes or to the new, whole. What a crash leaves behind are `.tmp` files, removed at the next
 * `open`, and renames that are not durable yet, which become so before anybody reads through them. A name is a file, or a file in a child directory ("3f/a0…"); names come from the handler, never from outside.
 *
 * It does not lock: one process uses the directory at a time (who opens it sees to that, by ProcessLock.ts), and writes to one
 * name are put in order by the caller. It does not judge what it reads: sealing is the caller's business.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { randomBytes } from "node:crypto"
import * as fileSystem from "node:fs/promises"
import * as path from "node:path"
import {
  codeOf,
  DirectoryExposed,
  exposed,
  makePrivate,
  makePrivateChild,
  otherBits,
  ownUser,
  syncDirectory,
  type Disk
} from "./PrivatePath.ts"

/** No room: the disk, a quota or the process's own limit. The old bytes stand. */
export class DirectoryFull extends Data.TaggedError("DirectoryFull")<{
  readonly where: string /** Size of the file system that is full; 0 when unknown. */
  readonly limitBytes: number
}> {
  override get message(): string {
    return `no room in ${this.where}`
  }
}

/** The operating system refused; `what` is its reason. */
export class DirectoryUnavailable extends Data.TaggedError("DirectoryUnavailable")<{ readonly what: string }> {
  override get message(): string {
    return this.what
  }
}

export type DirectoryError = DirectoryExposed | DirectoryFull | DirectoryUnavailable

export interface PrivateDirectory {
  readonly path: string
  /** The first `bytesMax` bytes of a file (all, unless it is longer). Refuses links and what others may touch. */
  readonly read: (name: string, bytesMax: number) => Effect.Effect<Option.Option<Uint8Array>, DirectoryError>
  /** Durable and atomic when it succeeds; the parts are written one after the other. Not interruptible. */
  readonly replace: (name: string, parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, DirectoryError>
  /** Durable. True if there was a file. Not interruptible. */
  readonly remove: (name: string) => Effect.Effect<boolean, DirectoryError>
  /** Bytes of a file; 0 when there is none. */
  readonly length: (name: string) => Effect.Effect<number, DirectoryError>
  /** Entries of the directory ("") or of a child; none for a child that is not there. */
  readonly names: (child: string) => Effect.Effect<ReadonlyArray<string>, DirectoryError>
}

/** Creates or verifies the directory (see PrivatePath.ts) and tidies up after a crash. */
export const open = (directory: string, disk: Disk = fileSystem): Effect.Effect<PrivateDirectory, DirectoryError> => {
  const home = path.resolve(directory)
  const locate = (name: string): string => path.join(home, ...name.split("/"))
  const verifiedChildren = new Set<string>([home])
  const unsyncedChildren = new Set<string>()
  const settledChildren = new Set<string>([home])

  /** Before a child is first written to: it is there, private and durable. */
  const ensureChild = async (child: string): Promise<void> => {
    if (verifiedChildren.has(child)) return
    if (await makePrivateChild(disk, child)) unsyncedChildren.add(child)
    if (unsyncedChildren.has(child)) await syncDirectory(disk, home)
    unsyncedChildren.delete(child)
    verifiedChildren.add(child)
  }

  /** What a killed process wrote is seen by us, so it has to be as durable as what that process acknowledged. */
  const settledRead = async (file: string, bytesMax: number): Promise<Uint8Array | undefined> => {
    const bytes = await read(disk, file, bytesMax)
    const child = path.dirname(file)
    if (bytes !== undefined && !settledChildren.has(child)) {
      await syncDirectory(disk, child)
      settledChildren.add(child)
    }
    return bytes
  }

  const replace = async (name: string, parts: ReadonlyArray<Uint8Array>): Promise<void> => {
    const target = locate(name)
    await ensureChild(path.dirname(target))
    const temporary = path.join(home, `${randomBytes(8).toString("hex")}.tmp`)
    try {
      await writeDurably(disk, temporary, parts)
      await disk.rename(temporary, target)
    } catch (cause) {
      await disk.unlink(temporary).catch(() => undefined)
      throw cause
    }
    // The new bytes stand already: whatever the reason, this is no want of room that left the old ones.
    await syncDirectory(disk, path.dirname(target)).catch((cause: unknown) => {
      throw cause instanceof Error ? new DirectoryUnavailable({ what: `${target}: ${cause.message}` }) : cause
    })
  }

  const remove = async (name: string): Promise<boolean> => {
    const target = locate(name)
    const wasThere = await disk.unlink(target).then(
      () => true,
      (cause: unknown) => absent(cause, false)
    )
    // Also when nothing was there: a removal whose sync failed is repeated, and must not come back.
    await syncDirectory(disk, path.dirname(target)).catch((cause: unknown) => absent(cause, undefined))
    return wasThere
  }

  const length = (name: string): Promise<number> =>
    disk.lstat(locate(name)).then(
      ({ size }) => size,
      (cause: unknown) => absent(cause, 0)
    )

  const names = (child: string): Promise<ReadonlyArray<string>> =>
    disk.readdir(path.join(home, child)).catch((cause: unknown) => absent(cause, []))

  const recover = async (): Promise<void> => {
    const leftovers = (await names("")).filter((name) => /^[0-9a-f]{16}\.tmp$/.test(name))
    for (const name of leftovers) await disk.unlink(path.join(home, name))
    await syncDirectory(disk, home)
    // A parent that we may pass but not read was made by somebody else, and long ago.
    await syncDirectory(disk, path.dirname(home)).catch((cause: unknown) => {
      if (codeOf(cause) !== "EACCES") throw cause
    })
  }

  return attempt(disk, home, async () => {
    await makePrivate(disk, home)
    await recover()
    return {
      path: home,
      read: (name, bytesMax) =>
        Effect.map(
          attempt(disk, locate(name), () => settledRead(locate(name), bytesMax)),
          Option.fromUndefinedOr
        ),
      replace: (name, parts) => Effect.uninterruptible(attempt(disk, locate(name), () => replace(name, parts))),
      remove: (name) => Effect.uninterruptible(attempt(disk, locate(name), () => remove(name))),
      length: (name) => attempt(disk, locate(name), () => length(name)),
      names: (child) => attempt(disk, path.join(home, child), () => names(child))
    } satisfies PrivateDirectory
  })
}

/** What the operating system says of it as typed errors; anything else is a defect. `where` is for messages. */
export const attempt = <A>(disk: Disk, where: string, work: () => Promise<A>): Effect.Effect<A, DirectoryError> =>
  Effect.tryPromise({
    try: () =>
      work().catch(async (cause: unknown) => {
        throw await translated(disk, where, cause)
      }),
    catch: (cause) => {
      if (isDirectoryError(cause)) return cause
      throw cause
    }
  })

const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_WRONLY } = fileSystem.constants

const copiedBytesMax = 128 * 1024

const writeDurably = async (disk: Disk, file: string, parts: ReadonlyArray<Uint8Array>): Promise<void> => {
  const handle = await disk.open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    // a copy of a little costs less than a write of its own
    const isLarge = parts.some(({ length }) => length > copiedBytesMax)
    for (const part of isLarge ? parts : [Buffer.concat(parts)]) await handle.writeFile(part)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Without O_NONBLOCK a pipe in the file's place would be waited for. */
const read = async (disk: Disk, file: string, bytesMax: number): Promise<Uint8Array | undefined> => {
  const handle = await disk.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((cause: unknown) => {
    if (codeOf(cause) === "ELOOP") throw exposed(file, "a symbolic link", "the file itself")
    return absent(cause, undefined)
  })
  if (handle === undefined) return undefined
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw exposed(file, "not a file", "a regular file")
    if (ownUser !== undefined && found.uid !== ownUser) {
      throw exposed(file, `it belongs to user ${found.uid}`, `owner ${ownUser}, who runs this`)
    }
    if (ownUser !== undefined && (found.mode & otherBits) !== 0) {
      throw exposed(file, `mode 0${(found.mode & 0o777).toString(8)}`, `mode 0600 (chmod 600 "${file}")`)
    }
    return await readWhole(handle, Math.min(found.size, bytesMax))
  } finally {
    await handle.close()
  }
}

const readWhole = async (handle: fileSystem.FileHandle, size: number): Promise<Uint8Array> => {
  // not zeroed first: what was not filled is cut off
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

/** The answer where there is nothing; anything but "no such file" passes through. */
const absent = <A>(cause: unknown, answer: A): A => {
  if (codeOf(cause) === "ENOENT") return answer
  throw cause
}

/** Typed errors for what the operating system says; anything else is a defect and passes through. */
const translated = async (disk: Disk, where: string, cause: unknown): Promise<unknown> => {
  const code = codeOf(cause)
  if (isDirectoryError(cause) || code === undefined || !(cause instanceof Error)) return cause
  if (!fullCodes.has(code)) return new DirectoryUnavailable({ what: `${where}: ${cause.message}` })
  const limitBytes = await disk.statfs(path.dirname(where)).then(
    ({ blocks, bsize }) => blocks * bsize,
    () => 0
  )
  return new DirectoryFull({ where, limitBytes })
}

/** The disk, the user's quota, the process's largest file (ulimit -f). */
const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"])

const isDirectoryError = (cause: unknown): cause is DirectoryError =>
  cause instanceof DirectoryExposed || cause instanceof DirectoryFull || cause instanceof DirectoryUnavailable
