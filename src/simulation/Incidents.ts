/**
 * What happens to the membership of a space in a simulated world: invitations, revocations, recovery by root words.
 *
 * Each is tried until it is done or the story is over, because the devices it needs may be down, and an attempt whose
 * outcome nobody knows is not made twice: who did it already finds that in the books.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { DeviceId, SpaceId } from "../identity/Id.ts"
import * as Clock from "../journal/Clock.ts"
import type * as Feed from "../journal/Feed.ts"
import { JoinIncomplete } from "../runtime/Joining.ts"
import type * as Ledger from "../runtime/Ledger.ts"
import * as Line from "../runtime/Line.ts"
import type { Replica } from "../runtime/Replica.ts"
import type { Author, Write } from "../runtime/Write.ts"
import * as Authority from "../trust/Authority.ts"
import * as Fact from "../trust/Fact.ts"
import type { Agent } from "./Agents.ts"
import type { Device, DeviceError } from "./Devices.ts"

/** Nobody to be revoked, or it is revoked already. */
export class NothingToDo extends Data.TaggedError("NothingToDo")<{ readonly what: string }> {}

/** The replica does not exist here. */
export class NoSpace extends Data.TaggedError("NoSpace")<{ readonly name: string }> {}

export const replicaOf = (device: Pick<Device, "agent">, space: SpaceId): Effect.Effect<Replica, NoSpace> =>
  Effect.suspend(() => {
    const replica = device.agent.replica(space)
    return replica === undefined ? Effect.fail(new NoSpace({ name: device.agent.device })) : Effect.succeed(replica)
  })

/** Ends a device from now on: the cut leaves alone everything of it that was judged here. */
export const revocation = (by: DeviceId, who: DeviceId): Write<void, NothingToDo> => ({
  kind: "authority",
  request: undefined,
  prepare: ({ ledger }) => {
    const admission = ledger.authority === undefined ? undefined : Authority.admissionOf(ledger.authority, who)
    if (ledger.authority === undefined || admission === undefined)
      return Result.fail(new NothingToDo({ what: "it is not known here" }))
    if (isRevokedBy(ledger.authority, by, who)) return Result.fail(new NothingToDo({ what: "it is revoked already" }))
    const fact: Fact.Revoke = { _tag: "Revoke", ...endOf(ledger, who), reason: "simulated" }
    return Result.succeed({ definition: undefined, facts: [Fact.encode(fact)], answer: undefined })
  }
})

/** Gives a member rights that end so long after the entry that gives them. */
export const gift = (
  who: DeviceId,
  rights: ReadonlyArray<Fact.Right>,
  lastsMillis: number
): Write<void, NothingToDo> => ({
  kind: "authority",
  request: undefined,
  prepare: ({ time }) => {
    const until = time + lastsMillis * Clock.ticksPerMilli
    const fact: Fact.Grant = { _tag: "Grant", device: who, rights: rights.map((right) => ({ ...right, until })) }
    return Result.succeed({ definition: undefined, facts: [Fact.encode(fact)], answer: undefined })
  }
})

/** What a revocation of a member names: its admission, and all of its entries that are here as what stays. */
export const endOf = (ledger: Ledger.Ledger, device: DeviceId): Pick<Fact.Revoke, "device" | "admission" | "cut"> => ({
  device,
  admission: Authority.admissionOf(ledger.authority!, device)!.hash,
  cut: judgedOf(ledger, device)
})

/** The last judged position of each feed of a device. */
const judgedOf = (ledger: Ledger.Ledger, device: DeviceId): ReadonlyArray<Feed.Position> =>
  [...ledger.lines.values()].flatMap((line) => {
    if (line.feed.device !== device || line.branch !== undefined || line.judged === 0) return []
    if (line.splits.length > 0) return [{ feed: line.id, ...Line.sharedEnd(line) }].filter(({ seq }) => seq >= 0)
    return [{ feed: line.id, seq: line.judged - 1, hash: line.judgedHash }]
  })

/** Joins by a code of another device, as a person does who reads it out over the telephone. */
export const join = (
  joiner: Agent<Device, DeviceError>,
  issuer: Agent<Device, DeviceError>,
  space: SpaceId,
  rights: ReadonlyArray<Fact.Right>
) =>
  Effect.gen(function* () {
    const code = yield* issuer.use(({ agent }) => agent.pair(space, rights, issuer.address))
    yield* joiner.use(({ agent, scope }) =>
      Scope.provide(agent.join(code, joiner.name), scope).pipe(
        // a member by now, whatever cuts it off: it fetches the rest like everyone
        Effect.catchIf(
          (error) => error instanceof JoinIncomplete && error.stage === "FirstSync",
          () => Effect.void
        )
      )
    )
  })

/**
 * The owner of the recovery words ends a device and takes back what it revoked: its authority feeds are cut before their
 * first revocation.
 */
export const recovery = (root: Author, who: DeviceId): Write<void, NothingToDo> => ({
  kind: "authority",
  as: root,
  request: undefined,
  prepare: ({ ledger }) => {
    const { authority } = ledger
    const admission = authority === undefined ? undefined : Authority.admissionOf(authority, who)
    if (authority === undefined || admission === undefined)
      return Result.fail(new NothingToDo({ what: "it is not known here" }))
    if (isRevokedBy(authority, root.device, who)) return Result.fail(new NothingToDo({ what: "it is revoked already" }))
    const cut = judgedOf(ledger, who).flatMap((position) => beforeRevocations(authority, position) ?? [])
    const fact: Fact.Revoke = { _tag: "Revoke", device: who, admission: admission.hash, cut, reason: "recovery" }
    return Result.succeed({ definition: undefined, facts: [Fact.encode(fact)], answer: undefined })
  }
})

const isRevokedBy = ({ memo }: Authority.Authority, by: DeviceId, who: DeviceId): boolean =>
  memo.book.restrictions.some(
    ({ fact, node }) =>
      node.number < memo.count && node.feed.device === by && fact._tag === "Revoke" && fact.device === who
  )

/** The position before the first revocation at or before this one, in an authority feed; the position itself else. */
const beforeRevocations = (authority: Authority.Authority, position: Feed.Position): Feed.Position | undefined => {
  let last: Feed.Position | undefined = position
  for (let node = authority.nodes.get(position.hash); node !== undefined; node = node.previous) {
    if (!node.facts.some((fact) => fact._tag === "Revoke")) continue
    last = node.previous === undefined ? undefined : { feed: node.feed.id, seq: node.seq - 1, hash: node.previousHash }
  }
  return last
}
