/**
 * The text that a trace ends with, by the plainest reading of what a trace is: one long list of code points, each with
 * who made it and who took it away; a transaction sees those of its past. It is slow, and knows nothing of Yjs.
 *
 * Where two authors insert at one place at once, the text of the lower one goes first.
 */
import type { Trace } from "../../examples/notes/replay/Trace.ts"

interface CodePoint {
  readonly character: string
  /** The transaction that made it, and those that took it away. */
  readonly maker: number
  readonly removers: Set<number>
}

export const mergedText = ({ transactions }: Trace): string => {
  const line: Array<CodePoint> = []
  const pasts: Array<Set<number>> = []
  for (const [number, { author, parents, patches }] of transactions.entries()) {
    const past = new Set([number, ...parents.flatMap((parent) => [...pasts[parent]!])])
    pasts.push(past)
    for (const { at, insert, remove } of patches) {
      const seen = line.filter(
        ({ maker, removers }) => past.has(maker) && ![...removers].some((remover) => past.has(remover))
      )
      for (const codePoint of seen.slice(at, at + remove)) codePoint.removers.add(number)
      let place = at === 0 ? 0 : line.indexOf(seen[at - 1]!) + 1
      const isBefore = ({ maker }: CodePoint): boolean => !past.has(maker) && transactions[maker]!.author < author
      while (place < line.length && isBefore(line[place]!)) place++
      line.splice(
        place,
        0,
        ...Array.from(insert, (character) => ({ character, maker: number, removers: new Set<number>() }))
      )
    }
  }
  return line
    .filter(({ removers }) => removers.size === 0)
    .map(({ character }) => character)
    .join("")
}
