/**
 * Reads short ASCII text out of bytes, a plain loop being faster than the platform's decoder there.
 *
 * Types, mutators, fields and ids come again and again, so the text that was read last in a place of a small table is
 * looked at first: what is equal to it is it. The table is no truth, only a saving; texts that crowd each other out are
 * made anew. It does not know what text means, nor UTF-8 beyond ASCII.
 */

/** The text that these bytes are; undefined when they are not all ASCII. */
export const read = (bytes: Uint8Array, from: number, end: number): string | undefined => {
  let sum = end - from
  for (let index = from; index < end; index++) {
    const code = bytes[index]!
    if (code > 0x7f) return undefined
    sum = (sum * 31 + code) & 0xffff
  }
  const place = (sum ^ (sum >>> 8)) & (recentTexts.length - 1)
  const recent = recentTexts[place]!
  if (isTextAt(recent, bytes, from, end)) return recent
  return (recentTexts[place] = asciiOf(bytes, from, end))
}

const recentTexts: Array<string> = Array.from({ length: 256 }, () => "")

/** Whether the bytes are this text, which is ASCII. */
const isTextAt = (text: string, bytes: Uint8Array, from: number, end: number): boolean => {
  if (text.length !== end - from) return false
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[from + index]) return false
  return true
}

const asciiOf = (bytes: Uint8Array, from: number, end: number): string => {
  let text = ""
  let index = from
  // four at a time take half as long as one by one
  for (; index + 4 <= end; index += 4)
    text += String.fromCharCode(bytes[index]!, bytes[index + 1]!, bytes[index + 2]!, bytes[index + 3]!)
  for (; index < end; index++) text += String.fromCharCode(bytes[index]!)
  return text
}
