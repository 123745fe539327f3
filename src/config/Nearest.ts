/** The name that somebody who mistyped one most likely meant. */

/** Edits that a name may be away at most: one in so many of its letters. */
const lettersPerEdit = 3

/** Undefined when none is near. The first wins among equals. */
export const nearest = (wanted: string, names: ReadonlyArray<string>): string | undefined => {
  let [best, bestEdits]: [string | undefined, number] = [undefined, Math.ceil(wanted.length / lettersPerEdit)]
  for (const name of names) {
    const edits = editsBetween(wanted.toLowerCase(), name.toLowerCase())
    if (edits < bestEdits || (edits === bestEdits && best === undefined)) [best, bestEdits] = [name, edits]
  }
  return best
}

/** Letters put in, left out, replaced, or two neighbours swapped. */
const editsBetween = (one: string, other: string): number => {
  let [older, old]: [ReadonlyArray<number>, ReadonlyArray<number>] = [[], [...other, ""].map((_, index) => index)]
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      const isSwap = row > 1 && column > 1 && one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      next.push(
        Math.min(
          old[column]! + 1,
          next[column - 1]! + 1,
          old[column - 1]! + (isSame ? 0 : 1),
          isSwap ? older[column - 2]! + 1 : Infinity
        )
      )
    }
    ;[older, old] = [old, next]
  }
  return old[other.length]!
}
