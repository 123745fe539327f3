/**
 * The order of map keys in our encoding: that of their encoded bytes (RFC 8949 §4.2.1), found without encoding them.
 *
 * An encoded text begins with its length in UTF-8 bytes, so shorter ones come first; among equally long ones the bytes
 * decide, which for UTF-8 is the order of code points. JavaScript compares UTF-16 code units, where surrogate pairs
 * (code points above U+FFFF) come before U+E000 to U+FFFF; here they come after. Texts are well formed: a lone
 * surrogate is refused by who encodes it.
 */

/** Negative when `left` comes first, 0 only for equal texts. */
export const compareEncodedText = (left: string, right: string): number => {
  const difference = utf8Length(left) - utf8Length(right)
  if (difference !== 0) return difference
  const shorter = Math.min(left.length, right.length)
  for (let index = 0; index < shorter; index++) {
    const one = left.charCodeAt(index)
    const other = right.charCodeAt(index)
    if (one !== other) return codePointRank(one) - codePointRank(other)
  }
  return left.length - right.length
}

/** UTF-8 orders by code point; among UTF-16 code units the surrogates must be moved behind U+E000 to U+FFFF. */
const codePointRank = (code: number): number => (code < 0xd800 ? code : code < 0xe000 ? code + 0x2000 : code - 0x800)

const utf8Length = (text: string): number => {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    // Half of a surrogate pair counts 2, the pair 4.
    if (code > 0x7f) length += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1
  }
  return length
}
