/**
 * Grants that have run out, and those of them that somebody still has to close.
 *
 * Entry time is chosen by an entry's author: it binds the honest. What binds a liar, who writes "before it ended" for
 * ever, is a closing: a withdrawal of the grant whose cut leaves alone what had been seen of it by then. A grant is over
 * when all of its rights are; one that has a right without an end never is.
 */
import type { DeviceId, EntryHash } from "../identity/Id.ts"
import * as Authority from "./Authority.ts"
import * as Book from "./Book.ts"
import * as Judge from "./Judge.ts"

export interface Ended {
  readonly grant: EntryHash
  readonly giver: DeviceId
  readonly device: DeviceId
  /** Entry time of its last moment. */
  readonly until: number
}

/** Counting grants that were over before `time` and that no standing withdrawal closes, by number. */
export const unclosed = (authority: Authority.Authority, time: number): ReadonlyArray<Ended> => {
  const judge = Authority.judgeOf(authority)
  const view = Authority.present(authority)
  const closed = new Set(
    judge.restrictions.flatMap(({ fact }) => (fact._tag === "Ungrant" ? [`${fact.grant} ${fact.device}`] : []))
  )
  return [...judge.book.grants].flatMap(([device, grants]) =>
    Authority.isRevoked(authority, device)
      ? []
      : grants.flatMap(({ fact, node }) => {
          const until = endOf(fact.rights)
          if (until === undefined || until >= time || closed.has(`${node.hash} ${device}`)) return []
          if (!Book.inView(view, node) || Judge.verdict(judge, node) === undefined) return []
          return [{ grant: node.hash, giver: node.feed.device, device, until }]
        })
  )
}

/** The earliest moment after which there may be something to close; undefined: never, as things stand. */
export const nextEnd = (authority: Authority.Authority): number | undefined => {
  let next: number | undefined
  for (const { until } of unclosed(authority, Number.POSITIVE_INFINITY))
    if (next === undefined || until < next) next = until
  return next
}

const endOf = (rights: ReadonlyArray<{ readonly until: number | undefined }>): number | undefined => {
  let last = 0
  for (const { until } of rights) {
    if (until === undefined) return undefined
    last = Math.max(last, until)
  }
  return last
}
