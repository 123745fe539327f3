/**
 * The plainest durable log for libraries that have none: their own updates, appended to one file, one `fdatasync` for
 * all writes in flight.
 *
 * Format: records of a 4-byte big-endian length and that many bytes. No checksum and no recovery of a torn tail: it is
 * the least a durable peer can do, so the comparison errs in the peer's favour.
 */
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"

export interface UpdateLog {
  /** What the file held when it was opened. */
  readonly stored: ReadonlyArray<Uint8Array>
  /** Durable when it returns. */
  readonly append: (updates: ReadonlyArray<Uint8Array>) => void
  readonly close: () => void
}

export const open = (directory: string): UpdateLog => {
  const path = join(directory, "updates.log")
  const file = openSync(path, "a+")
  return {
    stored: split(readFileSync(path)),
    append: (updates) => {
      writeSync(file, Buffer.concat(updates.flatMap((update) => [lengthOf(update), update])))
      fdatasyncSync(file)
    },
    close: () => closeSync(file)
  }
}

const lengthOf = (update: Uint8Array): Uint8Array => {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(update.length)
  return length
}

const split = (bytes: Buffer): ReadonlyArray<Uint8Array> => {
  const updates: Array<Uint8Array> = []
  for (let offset = 0; offset < bytes.length;) {
    const end = offset + 4 + bytes.readUInt32BE(offset)
    updates.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return updates
}
