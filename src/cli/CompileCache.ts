/**
 * Keeps what Node made of the program's modules, so that the next start need not make it again: a third of its time.
 *
 * Who can write there decides what runs here. So it is a folder of this user's alone: `aura` in XDG_CACHE_HOME or in
 * ~/.cache, made with mode 0700. One that is a link, belongs to somebody else (also when root works in a user's home) or
 * lets others write is not used, and neither is one that can't be made. Node itself takes from it only what it made of
 * the same source in the same version. NODE_DISABLE_COMPILE_CACHE=1 turns it off. Windows has no modes: none there.
 */
import { lstatSync, mkdirSync } from "node:fs"
import * as module from "node:module"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

/** Who goes on so long keeps what there is by then: a process that is killed keeps nothing at its end. */
export const keepAfterMillis = 2_000

/** For modules that are loaded from now on. Never fails: without it the program starts as well, only later. */
export const enable = (): void => {
  const directory = folder()
  if (!isOurs(directory)) return
  module.enableCompileCache(directory)
}

/** Writes what was compiled so far; a process that ends by itself need not. */
export const keep = (): void => module.flushCompileCache()

const folder = (): string => {
  const named = process.env["XDG_CACHE_HOME"]
  return join(named !== undefined && isAbsolute(named) ? named : join(homedir(), ".cache"), "aura")
}

const isOurs = (directory: string): boolean => {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const found = lstatSync(directory)
    return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & othersMayWrite) === 0
  } catch {
    return false
  }
}

const othersMayWrite = 0o022
