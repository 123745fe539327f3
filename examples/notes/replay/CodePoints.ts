/**
 * Where the code points of a text stand in UTF-16, so that patches of one kind become patches of the other.
 *
 * Only characters beyond U+FFFF make a difference: they are two code units and one code point. Their positions are kept
 * and moved along with each edit, so a text without any costs nothing, and one with a few costs a few steps, however
 * long it is.
 */
import type { Patch } from "./Trace.ts"

/** Changed in place by `toUnits`. */
export interface CodePoints {
  /** Positions, in code points and rising, of the characters that take two code units. */
  astral: Array<number>
}

const pattern = /[\u{10000}-\u{10FFFF}]/gu

export const hasAstral = (text: string): boolean => text.search(pattern) >= 0

export const of = (text: string): CodePoints => ({ astral: astralIn(text) })

const astralIn = (text: string): Array<number> => {
  const found: Array<number> = []
  for (const { index } of text.matchAll(pattern)) found.push(index - found.length)
  return found
}

/** The patch counted in code units; from now on the index is of the text behind it. */
export const toUnits = (index: CodePoints, { at, insert, remove }: Patch): Patch => {
  const { astral } = index
  const inserted = astralIn(insert)
  if (astral.length === 0 && inserted.length === 0) return { at, insert, remove }
  const before = countBelow(astral, at)
  const upTo = countBelow(astral, at + remove)
  const grown = insert.length - inserted.length - remove
  index.astral = [
    ...astral.slice(0, before),
    ...inserted.map((position) => at + position),
    ...astral.slice(upTo).map((position) => position + grown)
  ]
  return { at: at + before, insert, remove: remove + upTo - before }
}

/** How many of the rising numbers are below `limit`. */
const countBelow = (rising: ReadonlyArray<number>, limit: number): number => {
  let low = 0
  let high = rising.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (rising[middle]! < limit) low = middle + 1
    else high = middle
  }
  return low
}
