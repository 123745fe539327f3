/**
 * The witness of a simulated world: sees every message leave and hears every notice, and remembers what was not right.
 *
 * Told of a space: to a device that the sender's own records, judged by the oracle, do not let read, nothing of the
 * space may leave; to one that was put out, only entries of authority that were written by then. Notices: whatever counted and no longer does was announced as overturned. What a replica learns and
 * what it sends in the same instant may cross; only what it knew an instant before binds it.
 */
import * as Result from "effect/Result"
import { entryHash, short, type DeviceId, type FeedId, type SpaceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import type { Notice } from "../runtime/Desk.ts"
import type { Replica } from "../runtime/Replica.ts"
import * as Frontier from "../journal/Frontier.ts"
import * as Run from "../journal/Run.ts"
import type * as Message from "../sync/Message.ts"
import type * as Authority from "../trust/Authority.ts"
import * as Charges from "./Charges.ts"
import type { Violation } from "./Checkers.ts"
import type { Witness } from "./Devices.ts"
import * as Oracle from "./Oracle.ts"
import type { World } from "./World.ts"

export interface Watch extends Witness {
  readonly violations: () => ReadonlyArray<Violation>
  readonly overturnings: () => number
  /** Messages by which devices that were put out were told so. */
  readonly dismissals: () => number
  /** Compares what a replica shows now with what its last notice left. */
  readonly look: (name: string, replica: Replica) => void
}

export const make = (world: World, spaceOf: () => SpaceId | undefined): Watch => {
  const violations: Array<Violation> = []
  const counted = new Map<string, Map<FeedId, number>>()
  /** By name, the books that it was last seen to stand on, and when it was first. */
  const sights = new Map<string, { readonly authority: Authority.Authority | undefined; readonly atMillis: number }>()
  const charges = Charges.make()
  let overturnings = 0
  let dismissals = 0

  const note = (checker: string, what: string): void => {
    if (violations.length < violationsMax) violations.push({ checker, what: `at ${world.now()} ms ${what}` })
  }
  /** Whether a replica is not known to have stood on these books before this instant. */
  const isNews = (name: string, authority: Authority.Authority | undefined): boolean => {
    const known = sights.get(name)
    if (known?.authority === authority) return known?.atMillis === world.now()
    sights.set(name, { authority, atMillis: world.now() })
    return true
  }
  const compare = (name: string, replica: Replica, isAnnounced: boolean): void => {
    const ledger = replica.ledger()
    const now = countsOf(ledger)
    for (const [feed, before] of counted.get(name) ?? []) {
      if ((now.get(feed) ?? 0) < before && !isAnnounced)
        note("notices", `${name} took back entries of ${short(feed)} in silence: ${before}, then ${now.get(feed) ?? 0}`)
    }
    counted.set(name, now)
  }
  return {
    violations: () => violations,
    overturnings: () => overturnings,
    dismissals: () => dismissals,
    opens: (name, replica) => {
      if (replica.space === spaceOf()) counted.set(name, countsOf(replica.ledger()))
    },
    hears: (name, replica, notice: Notice) => {
      if (replica.space !== spaceOf()) return
      if (notice.overturned) overturnings += 1
      isNews(name, replica.ledger().authority)
      compare(name, replica, notice.overturned)
    },
    look: (name, replica) => compare(name, replica, false),
    sends: (name, agent, to, message) => {
      const space = spaceOf()
      if (space === undefined) return
      const replica = agent.replica(space)
      const ledger = replica?.ledger()
      const isFresh = isNews(name, ledger?.authority)
      if (!isTelling(message)) return
      const unpaid = replica && charges.sends(name, replica, to, message)
      if (unpaid !== undefined) note("charge", unpaid)
      const nowTime = Clock.fromMillis(Number.MAX_SAFE_INTEGER / Clock.ticksPerMilli / 2)
      if (ledger?.authority === undefined) return note("privacy", `${name} tells of a space that it does not know`)
      const { putOut, readers, timeOf } = standingOf(ledger.authority, nowTime)
      if (readers.has(to) || isFresh) return
      const until = putOut.get(to)
      if (until === undefined) note("privacy", `${name} sends ${message._tag} to ${short(to)}, who may not read`)
      else if (!isOfAuthority(timeOf, message, until))
        note("privacy", `${name} sends ${message._tag} to ${short(to)}, who was put out`)
      else dismissals += 1
    }
  }
}

const violationsMax = 20

/** Per data feed, how many of its entries the state that is shown holds, whatever its limits have become since. */
const countsOf = (ledger: Ledger.Ledger): Map<FeedId, number> => {
  const counts = new Map<FeedId, number>()
  for (const line of ledger.lines.values()) {
    const { feed, judged } = line
    if (feed.kind === "data") counts.set(feed.id, (counts.get(feed.id) ?? 0) + judged - Line.startOf(line))
  }
  for (const { feed } of ledger.quarantine.values()) counts.set(feed, (counts.get(feed) ?? 0) - 1)
  return counts
}

const isTelling = ({ _tag }: Message.Message): boolean => telling.has(_tag)

const telling: ReadonlySet<Message.Message["_tag"]> = new Set([
  "Run",
  "Have",
  "Digest",
  "Fork",
  "Want",
  "Seek",
  "Piece"
])

/** Whether a message says nothing but entries of authority that were written by then. */
const isOfAuthority = (timeOf: Standing["timeOf"], message: Message.Message, until: number): boolean => {
  const isBy = (mark: string): boolean => (timeOf.get(mark) ?? Infinity) <= until
  if (message._tag === "Run") {
    const run = Result.getOrThrow(Run.decode(message.run))
    return run.hashes.every((hash) => isBy(Frontier.mark(entryHash(hash))))
  }
  if (message._tag !== "Have") return false
  return [...message.frontier.values()].every(({ mark }) => isBy(mark))
}

interface Standing {
  readonly readers: ReadonlySet<DeviceId>
  readonly putOut: ReadonlyMap<DeviceId, number>
  /** When each entry of authority was written, by its mark. */
  readonly timeOf: ReadonlyMap<string, number>
}

const standings = new WeakMap<Authority.Authority, Standing>()

const standingOf = (authority: Authority.Authority, time: number): Standing => {
  const known = standings.get(authority)
  if (known !== undefined) return known
  const { forks, genesis, memo } = authority
  const nodes = [...memo.book.nodes.values()].filter(({ number }) => number < memo.count)
  const oracle = Oracle.make(nodes, genesis, forks)
  const timeOf = new Map(nodes.map((node) => [Frontier.mark(node.hash), node.time]))
  const found = { readers: oracle.readers(time), putOut: oracle.putOut(), timeOf }
  standings.set(authority, found)
  return found
}
