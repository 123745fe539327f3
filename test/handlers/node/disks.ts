/**
 * Directories and disks for the tests of handlers on Node: a directory that goes away with the test, and file systems
 * with faults between the handler and the real one, which stays underneath.
 */
import * as Effect from "effect/Effect"
import * as fileSystem from "node:fs/promises"
import { tmpdir } from "node:os"
import * as path from "node:path"
import type { Disk } from "../../../src/handlers/node/PrivatePath.ts"

/** An empty directory of mode 0700 for the life of the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.promise(async () => fileSystem.realpath(await fileSystem.mkdtemp(path.join(tmpdir(), "aura-test-")))),
  (directory) => Effect.promise(() => fileSystem.rm(directory, { recursive: true, force: true }))
)

/** All files below, by path relative to `directory`, sorted. */
export const filesBelow = (directory: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const entries = await fileSystem.readdir(directory, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    return files.map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name))).sort()
  })

type Step = (name: string, file: string) => Promise<void>

/** The real disk with `before` in front of every call that changes something. */
export const watched = (before: Step): Disk => ({
  ...fileSystem,
  mkdir: (async (directory: string, options: { readonly mode: number }) => {
    await before("mkdir", directory)
    return fileSystem.mkdir(directory, options)
  }) as Disk["mkdir"],
  open: async (file, flags, mode) => {
    const handle = await fileSystem.open(file, flags, mode)
    const writeFile = handle.writeFile.bind(handle)
    const sync = handle.sync.bind(handle)
    handle.writeFile = async (data, options) => {
      await before("write", String(file))
      return writeFile(data, options)
    }
    handle.sync = async () => {
      await before("sync", String(file))
      return sync()
    }
    return handle
  },
  rename: async (from, to) => {
    await before("rename", String(to))
    return fileSystem.rename(from, to)
  },
  unlink: async (file) => {
    await before("unlink", String(file))
    return fileSystem.unlink(file)
  }
})

/** What the operating system says, as the handler would get it. */
export const systemError = (code: string): Error => Object.assign(new Error(`${code}: made by a test`), { code })

/** What may be gone after a power cut: nothing, the unsynced bytes, or also the unsynced names. */
export type Loss = "nothing" | "bytes" | "bytes and names"

export interface CutDisk {
  readonly disk: Disk
  /** True once the power is gone: every later call fails. */
  readonly isCut: () => boolean
  /** Applies the loss to the real disk, as if the machine had come back. */
  readonly lose: (loss: Loss) => Promise<void>
}

/** A disk whose power goes at the step with this number (0 = the first). It knows what was synced and what was not. */
export const cutAt = (step: number): CutDisk => {
  let steps = 0
  const unsyncedFiles = new Set<string>()
  let unsyncedNames: Array<{ readonly directory: string; readonly undo: () => Promise<void> }> = []
  const bytesOf = (file: string) => fileSystem.readFile(file).catch(() => undefined)
  const restore = async (file: string, bytes: Buffer | undefined) => {
    await fileSystem.rm(file, { force: true })
    if (bytes !== undefined) await fileSystem.writeFile(file, bytes, { mode: 0o600 })
  }

  const before: Step = async (name, file) => {
    if (steps++ >= step) throw systemError("EIO")
    if (name === "write") unsyncedFiles.add(file)
    if (name === "sync") {
      unsyncedFiles.delete(file)
      unsyncedNames = unsyncedNames.filter(({ directory }) => directory !== file)
    }
    if (name === "rename" || name === "unlink") {
      const old = await bytesOf(file)
      unsyncedNames.push({ directory: path.dirname(file), undo: () => restore(file, old) })
    }
    if (name === "mkdir") {
      const undo = () => fileSystem.rm(file, { recursive: true, force: true })
      unsyncedNames.push({ directory: path.dirname(file), undo })
    }
  }

  const disk = watched(before)
  return {
    disk: {
      ...disk,
      // An unsynced file keeps being unsynced under its new name.
      rename: async (from, to) => {
        await disk.rename(from, to)
        if (unsyncedFiles.delete(String(from))) unsyncedFiles.add(String(to))
      }
    },
    isCut: () => steps > step,
    lose: async (loss) => {
      if (loss === "nothing") return
      for (const file of unsyncedFiles) await fileSystem.truncate(file, 0).catch(() => undefined)
      if (loss === "bytes") return
      for (const { undo } of unsyncedNames.toReversed()) await undo()
    }
  }
}
