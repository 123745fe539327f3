/**
 * Plans an operation in its turn, and judges what was planned exactly as others will.
 *
 * What is judged, written and applied is one and the same value: a copy of the plan's changes that nobody else holds
 * (journal/Plain.ts). Where an application stands in a space (whether its device is a member, its definition there) hangs
 * on the authority and the feed alone, so it is found once and holds until one of them is another.
 */
import * as Result from "effect/Result"
import type { DeviceId, FeedId } from "../identity/Id.ts"
import { drafter } from "../journal/crdt/Field.ts"
import type { Change } from "../journal/crdt/Crdt.ts"
import * as State from "../journal/crdt/State.ts"
import { plain } from "../journal/Plain.ts"
import type { Request } from "../journal/Request.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import type { Definition } from "../trust/Definition.ts"
import type * as App from "./App.ts"
import { freshIdsMax } from "./FreshId.ts"
import * as OnBehalf from "./OnBehalf.ts"
import type { DecidedBy } from "./Line.ts"
import type { Prepared, Turn } from "./Write.ts"

/** Plans operations of one application on one device. */
export interface Planner {
  /** What the operation writes, or its own refusal; `deny` says in the asker's words that it may not. */
  readonly plan: (
    turn: Turn,
    type: string,
    source: App.AnyOperation<never>,
    payload: unknown,
    /** Of another device's: what it asks for has to be allowed to it as well. */
    request: Request | undefined,
    deny: (because: Decision.Refusal) => unknown
  ) => Result.Result<Prepared<App.Answer>, unknown>
}

export const make = (device: DeviceId, app: App.AnyApp): Planner => {
  let standing: Standing | undefined

  const standingAt = (turn: Turn): Result.Result<Standing, Decision.Refusal> => {
    if (standing !== undefined && isFor(standing, turn)) return Result.succeed(standing)
    return Result.map(standAt(device, app, turn), (found) => (standing = found))
  }

  return {
    plan: (turn, type, source, payload, request, deny) => {
      const found = standingAt(turn)
      if (Result.isFailure(found)) return Result.fail(deny(found.failure))
      const { by, definition, isRestricted, nextDrafts } = found.success
      const restriction = isRestricted ? Authority.revocationOn(by.authority, device, turn.feed, turn.seq) : undefined
      if (restriction !== undefined) return Result.fail(deny(Decision.revokedBy(restriction)))
      const issued: Array<string> = []
      const newId = (): string => {
        if (issued.length >= freshIdsMax) throw new RangeError(`an operation can make at most ${freshIdsMax} ids`)
        const id = turn.newId(issued.length)
        issued.push(id)
        return id
      }
      const requester = request === undefined || request.requester === device ? undefined : request.requester
      const self = requester ?? device
      const planned = source.plan(nextDrafts() as never, payload, { newId, self })
      if ("refused" in planned) return Result.fail(planned.refused)
      const changes = plain(planned.changes) as ReadonlyArray<Change>
      const facts = [{ type, payload: changes }]
      const fresh = (id: string): boolean => issued.includes(id)
      const asked = { device, time: turn.time, definition, type, changes, fresh, self }
      const decision = Decision.decide(by.authority, by.view, asked)
      if (decision._tag === "Denied") return Result.fail(deny(decision.because))
      if (requester !== undefined) {
        const strangeness = OnBehalf.refusalOf(by.authority, by.view, { facts, request }, turn.time)
        if (strangeness !== undefined) return Result.fail(deny(strangeness))
        const theirs = Decision.decide(by.authority, by.view, { ...asked, device: requester })
        if (theirs._tag === "Denied") return Result.fail(deny(theirs.because))
      }
      return Result.succeed({
        definition: definition.id,
        facts,
        answer: planned.result,
        endsTurn: changes.some((change) => State.isOrderBound(app.types, change)),
        decidedBy: by
      })
    }
  }
}

/** Where an application stands in a space, and what it drafts with there. */
interface Standing {
  readonly by: DecidedBy
  readonly feed: FeedId
  readonly state: State.State
  readonly definition: Definition
  /** Something ends the device: whether it ends it before this position is asked anew. */
  readonly isRestricted: boolean
  readonly nextDrafts: () => unknown
}

const isFor = ({ by, feed, state }: Standing, turn: Turn): boolean =>
  by.authority === turn.ledger.authority && feed === turn.feed && state === turn.ledger.state

const standAt = (device: DeviceId, app: App.AnyApp, turn: Turn): Result.Result<Standing, Decision.Refusal> => {
  const { authority, state } = turn.ledger
  if (authority === undefined) return Result.fail({ _tag: "NotAdmitted", device })
  const view = Authority.present(authority)
  const restriction = Authority.revocationOn(authority, device, turn.feed, turn.seq)
  if (restriction !== undefined) return Result.fail(Decision.revokedBy(restriction))
  if (!Authority.isAdmitted(authority, view, device)) return Result.fail({ _tag: "NotAdmitted", device })
  return Result.map(Decision.definitionFor(authority, view, app.definition.id), (definition) => ({
    by: { authority, view },
    feed: turn.feed,
    state,
    definition,
    isRestricted: Authority.isRevoked(authority, device),
    nextDrafts: drafter(app.state, app.types, state, turn.feed)
  }))
}
