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
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DeviceId, type FeedId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import * as Entry from "../journal/Entry.ts"
import * as Frontier from "../journal/Frontier.ts"
import type * as Run from "../journal/Run.ts"
import type { Local } from "../sync/Share.ts"
import * as Authority from "../trust/Authority.ts"
import { capability } from "../trust/Capability.ts"
import { revokeType } from "../trust/Fact.ts"
import type { Ledger } from "./Ledger.ts"

/** This device was put out of the space: what it writes would count nowhere, so nothing was written. */
export class DeviceRevoked extends Schema.TaggedError<DeviceRevoked>()("DeviceRevoked", {
  device: DeviceId,
  by: DeviceId,
  /** What the space calls that device; empty when it is the recovery key. */
  byName: Schema.String,
  /** The recovery words did it. */
  isByRoot: Schema.Boolean,
  atMillis: Schema.Finite,
  reason: Schema.String
}) {
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
  const { fact, node } = Authority.restrictions(authority).find((one) => one.fact.device === device)!
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

/**
 * The authority feeds of which a peer that was put out may be told, and how far: undefined for members, for strangers, and
 * for who could not read the space when it was put out.
 */
export const toldTo = ({ authority }: Ledger, peer: DeviceId): ReadonlyMap<FeedId, Required<Local>> | undefined => {
  if (authority === undefined) return undefined
  const dismissal = Authority.dismissal(authority, peer)
  if (dismissal === undefined) return undefined
  const { feeds, restriction } = dismissal
  const view = Authority.present(authority)
  if (Authority.holds(authority, view, peer, spaceRead, restriction.node.time) === undefined) return undefined
  const told = new Map<FeedId, Required<Local>>()
  for (const [feed, { hash, seq, written }] of feeds)
    told.set(feed, { kind: "authority", head: { seq, mark: Frontier.mark(hash) }, last: written })
  return told
}

/** Whether a run ends with a revocation: then its signature is kept, so that it can be told without what comes later. */
export const isEnd = (run: Run.Run): boolean => {
  const body = Entry.decode(run.bodies[run.bodies.length - 1]!)
  return Result.isSuccess(body) && body.success.facts.some(({ type }) => type === revokeType)
}
