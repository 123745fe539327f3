/**
 * Who would gain or lose what, before it is done: two states of a space's authority side by side.
 *
 * A supposed fact is given an entry of its own in a copy of the books, as if its author wrote it now and had seen
 * everything (`suppose`); it leaves nothing behind. What is compared is what every member may in general, operation by
 * operation, and the rights that members hold; what already stands in the journal is another question: see
 * `undoneBy` for the entries that a cut would leave out.
 */
import { entryHash, type DeviceId, type FeedId } from "../identity/Id.ts"
import type { Feed, Position } from "../journal/Feed.ts"
import * as Authority from "./Authority.ts"
import { implies, type Capability } from "./Capability.ts"
import * as Decision from "./Decision.ts"
import type { Definition } from "./Definition.ts"
import type * as Fact from "./Fact.ts"

/** What changes for one device. Without a change in anything it is not listed. */
export interface Change {
  readonly device: DeviceId
  readonly name: string
  /** Whether it is a member that nothing ended. */
  readonly membership: { readonly before: boolean; readonly after: boolean }
  readonly operations: ReadonlyArray<OperationChange>
  readonly gained: ReadonlyArray<Capability>
  readonly lost: ReadonlyArray<Capability>
}

export interface OperationChange {
  readonly type: string
  readonly before: Decision.Decision
  readonly after: Decision.Decision
}

/** The authority as if a device wrote these facts now, having seen everything. `time` = entry time. */
export const suppose = (
  authority: Authority.Authority,
  author: DeviceId,
  facts: ReadonlyArray<Fact.AuthorityFact>,
  time: number
): Authority.Authority => {
  const heads = Authority.lastOf(Authority.present(authority))
  const seen = heads.map(({ feed, hash, seq }): Position => ({ feed: feed.id, seq, hash }))
  const feed: Feed = {
    id: supposedFeed,
    bytes: new Uint8Array(0),
    space: heads[0]!.feed.space,
    device: author,
    kind: "authority",
    nonce: new Uint8Array(16),
    time,
    closes: undefined,
    key: undefined
  }
  const hash = entryHash(new Uint8Array(32))
  return Authority.suppose(authority, [{ feed, seq: 0, hash, previousHash: hash, time, seen, facts }])
}

/** No feed has it: ids are hashes. */
const supposedFeed = "0".repeat(64) as FeedId

/** What differs between two states for every device that is a member in one of them, creator first. */
export const compare = (
  before: Authority.Authority,
  after: Authority.Authority,
  definition: Definition | undefined,
  time: number
): ReadonlyArray<Change> => {
  const names = new Map(
    [...Authority.members(before), ...Authority.members(after)].map((one) => [one.device, one.name])
  )
  return [...names].flatMap(([device, name]) => changeOf(before, after, definition, time, device, name))
}

const changeOf = (
  before: Authority.Authority,
  after: Authority.Authority,
  definition: Definition | undefined,
  time: number,
  device: DeviceId,
  name: string
): ReadonlyArray<Change> => {
  const membership = { before: isMember(before, device), after: isMember(after, device) }
  const operations = [...(definition?.operations.keys() ?? [])].flatMap((type): ReadonlyArray<OperationChange> => {
    const asked = (authority: Authority.Authority): Decision.Decision =>
      Decision.ask(authority, Authority.present(authority), { device, time, definition: definition!, type })
    const change = { type, before: asked(before), after: asked(after) }
    return change.before._tag === change.after._tag ? [] : [change]
  })
  const [held, then] = [capabilities(before, device), capabilities(after, device)]
  const gained = then.filter((one) => !held.some((other) => implies(other, one)))
  const lost = held.filter((one) => !then.some((other) => implies(other, one)))
  const isSame = membership.before === membership.after && operations.length + gained.length + lost.length === 0
  return isSame ? [] : [{ device, name, membership, operations, gained, lost }]
}

const isMember = (authority: Authority.Authority, device: DeviceId): boolean =>
  Authority.isAdmitted(authority, Authority.present(authority), device) && !Authority.isRevoked(authority, device)

const capabilities = (authority: Authority.Authority, device: DeviceId): ReadonlyArray<Capability> =>
  isMember(authority, device)
    ? [...new Set(Authority.rights(authority, Authority.present(authority), device).map((one) => one.capability))]
    : []
