/**
 * What happened in a simulated world, line by line, and one hash of all of it.
 *
 * A line is `<virtual millis> <who> <what>`; the hash is SHA-256 over all lines, each with its newline. Two runs of one
 * seed must give the same hash: a difference means that something outside the seed had a say. Bytes appear by length
 * and checksum. Only the newest lines are kept for reading; the hash covers the others too.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex } from "@noble/hashes/utils.js"

export interface Trace {
  readonly add: (atMillis: number, who: string, what: string) => void
  /** Of everything added so far, 64 hexadecimal digits. */
  readonly hash: () => string
  /** The newest lines, oldest first. */
  readonly tail: () => ReadonlyArray<string>
}

const encoder = new TextEncoder()

/** Keeps at least the newest `linesKept` lines. */
export const make = (linesKept: number): Trace => {
  const digest = sha256.create()
  let lines: Array<string> = []
  return {
    add: (atMillis, who, what) => {
      const line = `${atMillis} ${who} ${what}`
      digest.update(encoder.encode(`${line}\n`))
      lines.push(line)
      if (lines.length >= 2 * linesKept + 1) lines = lines.slice(-linesKept)
    },
    hash: () => bytesToHex(digest.clone().digest()),
    tail: () => lines.slice(-linesKept)
  }
}

/** Names bytes in a trace: length and FNV-1a. Tells runs apart, protects nothing. */
export const nameOf = (bytes: Uint8Array): string => {
  let sum = 0x811c9dc5
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193)
  return `${bytes.length}#${(sum >>> 0).toString(16)}`
}
