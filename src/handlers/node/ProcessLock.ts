/**
 * A file that one opener holds at a time, in this process or another: a lock of the operating system, which goes with the
 * process however that ends.
 *
 * Node has no `flock`, SQLite has locks: the file is one of SQLite without content, and who holds it is in an exclusive
 * transaction. POSIX drops such a lock when *any* handle of the file closes, so nothing in this process may open it by
 * other means. macOS locks the same way; on Windows SQLite uses LockFileEx, which ends with the process too. It is not for
 * network file systems whose locks are local.
 */
import * as fileSystem from "node:fs/promises"
import { DatabaseSync } from "node:sqlite"
import { codeOf } from "./PrivatePath.ts"

export interface ProcessLock {
  readonly close: () => void
}

/** Creates the file (mode 0600) if there is none. Undefined: somebody holds it. Throws what the operating system says. */
export const tryAcquire = async (file: string): Promise<ProcessLock | undefined> => {
  await createOnce(file)
  const database = new DatabaseSync(file)
  try {
    database.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE")
    return database
  } catch (cause) {
    database.close()
    if (isBusy(cause)) return undefined
    throw cause
  }
}

/** An existing file is not touched: opening and closing it here would drop the lock of an owner in this process. */
const createOnce = async (file: string): Promise<void> => {
  try {
    await (await fileSystem.open(file, "wx", 0o600)).close()
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause
  }
}

const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && "errcode" in cause && (Number(cause.errcode) & 0xff) === sqliteBusy

const sqliteBusy = 5
