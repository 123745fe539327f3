/** Byte strings compared by what they hold. Not in constant time: nothing secret is compared here. */

export const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

/** Negative, 0 or positive, as the first byte that differs; of two that begin alike the shorter comes first. */
export const compare = (a: Uint8Array, b: Uint8Array): number => {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
