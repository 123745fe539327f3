/**
 * Unsigned integers of one to eight bytes, seven bits each, least significant first (LEB128), up to 2^53 − 1.
 *
 * Used by the run format only, which is framing: not hashed, so a longer spelling of the same number proves nothing
 * and is refused all the same. Readers and writers share a cursor object so that the hot loop allocates nothing.
 */

/** A position in a buffer; the functions below move it. */
export interface Cursor {
  bytes: Uint8Array
  at: number
}

/** Bytes of the longest varint. */
export const varintBytesMax = 8

/** Returned by `read` for a number that is cut off, too long, or spelt with a needless zero byte. */
export const malformed = -1

/** Moves the cursor only on success. */
export const read = (cursor: Cursor): number => {
  const bytes = cursor.bytes
  let at = cursor.at
  let value = 0
  let unit = 1
  for (let digits = 0; digits < varintBytesMax; digits++) {
    const byte = bytes[at++]
    if (byte === undefined) return malformed
    value += (byte & 0x7f) * unit
    if (byte < 0x80) {
      if ((byte === 0 && digits > 0) || value > Number.MAX_SAFE_INTEGER) return malformed
      cursor.at = at
      return value
    }
    unit *= 128
  }
  return malformed
}

/** `value` is a safe integer, not negative; the caller has made sure of `varintBytesMax` bytes of room. */
export const write = (cursor: Cursor, value: number): void => {
  let rest = value
  while (rest >= 0x80) {
    const high = Math.floor(rest / 128)
    cursor.bytes[cursor.at++] = rest - high * 128 + 0x80
    rest = high
  }
  cursor.bytes[cursor.at++] = rest
}
