/**
 * What a device that was put out learns of it: what its peers may still tell it, and how it refuses its own writes.
 *
 * It was a member, so it may know that it no longer is, by whom and when; a stranger may know nothing at all. What peers
 * tell it (`toldTo`) is of authority feeds only, runs up to the revocation and what that names as its past; a run that
 * reaches further goes only if all of it was written before the revocation, since one signature covers a whole run. So
 * runs of authority end behind each revocation, where they are written, put together and packed. A replica whose stored
 * run reaches too far leaves the telling to others.
 *
 * It believes nobody: its own replica judges the revocation like everyone's. From then on its writes are refused here
 * (`DeviceRevoked`), since they would count nowhere. What it has stays readable.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import type { DeviceId, FeedId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Frontier from "../journal/Frontier.ts"
import type * as Run from "../journal/Run.ts"
import type { Local } from "../sync/Share.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import { revokeType } from "../trust/Fact.ts"
import * as Line from "./Line.ts"
import { historiesOf, type Ledger } from "./Ledger.ts"

/** This device was put out of the space: what it writes would count nowhere, so nothing was written. */
export class DeviceRevoked extends Data.TaggedError("DeviceRevoked")<{
  readonly device: DeviceId
  readonly by: DeviceId
  /** What the space calls that device; empty when it is the recovery key. */
  readonly byName: string
  /** The recovery words did it. */
  readonly isByRoot: boolean
  readonly atMillis: number
  readonly reason: string
}> {
  override get message(): string {
    const by = this.isByRoot ? "with the recovery words" : `by ${this.by.slice(0, 10)}`
    return `this device was revoked ${by}: ${this.reason === "" ? "no reason given" : this.reason}`
  }
}

/** What a device needs to be told what is in a space. */
export const spaceRead = capability("space:read")

/** The restriction that ends a device by these books, with who wrote it and when; undefined while nothing does. */
export const of = ({ authority }: Ledger, device: DeviceId): DeviceRevoked | undefined => {
  if (authority === undefined || !Authority.isRevoked(authority, device)) return undefined
  const { fact, node } = Authority.revocations(authority, device)[0]!
  const by = node.feed.device
  return new DeviceRevoked({
    device,
    by,
    byName: Authority.members(authority).find((member) => member.device === by)?.name ?? "",
    isByRoot: by === authority.genesis.root,
    atMillis: Clock.toMillis(node.time),
    reason: fact.reason
  })
}

/** A feed that is told of up to a certain entry. */
type Bounded = Required<Omit<Local, "first">>

/** What a peer that was put out may be told. */
export interface Told extends Authority.Dismissal {
  /** By the names that feeds of authority and their branches have among peers, and how far. */
  readonly feeds: ReadonlyMap<FeedId, Bounded>
}

/** Undefined for members, for strangers, and for who could not read the space when it was put out. */
export const toldTo = (ledger: Ledger, peer: DeviceId): Told | undefined => {
  const { authority } = ledger
  const dismissal = authority === undefined ? undefined : Authority.dismissal(authority, peer)
  if (authority === undefined || dismissal === undefined) return undefined
  const { time } = dismissal.restriction.node
  if (Authority.holds(authority, Authority.present(authority), peer, spaceRead, time) === undefined) return undefined
  const feeds = new Map<FeedId, Bounded>()
  for (const [feed, ends] of dismissal.heads) {
    for (const part of historiesOf(ledger, feed).flatMap(Line.partsOf)) {
      const local = within(authority, part, ends, time)
      if (local !== undefined) feeds.set(part.id, local)
    }
  }
  return { ...dismissal, feeds }
}

/** How far a part of a feed leads to one of these entries, and how far it was written by then. */
const within = (
  authority: Authority.Authority,
  { from, hash, line, to }: Line.Part,
  ends: ReadonlyArray<Authority.Node>,
  time: number
): Bounded | undefined => {
  const judged = Math.min(to, line.judged - 1)
  const at = (seq: number): Authority.Node | undefined =>
    Authority.backTo(authority, judged === to ? hash : line.judgedHash, seq)
  let last: Authority.Node | undefined
  for (const end of ends) {
    const node = end.seq < from || judged < from ? undefined : at(Math.min(end.seq, judged))
    const isOnTheWay = node !== undefined && Authority.backTo(authority, end.hash, node.seq) === node
    if (isOnTheWay && (last === undefined || last.seq < node.seq)) last = node
  }
  if (last === undefined) return undefined
  let written = last.seq
  while (written < judged && at(written + 1)!.time <= time) written++
  const head = { seq: last.seq - from, mark: Frontier.mark(last.hash) }
  return { kind: "authority", head, last: written - from }
}

/** Whether a run ends with a revocation: then its signature is kept, so that it can be told without what comes later. */
export const isEnd = (run: Run.Run): boolean => {
  const body = Entry.decode(run.bodies[run.bodies.length - 1]!)
  return Result.isSuccess(body) && body.success.facts.some(({ type }) => type === revokeType)
}
