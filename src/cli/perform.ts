/**
 * `aura perform OPERATION JSON`: performs an operation of the application; durable here when it answers.
 *
 * `--wait acknowledged` also waits until another device has the entry durably, `--wait everywhere` until all members do;
 * when they do not in time, the command fails, but the entry is written and travels with the next sync.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { short, type DeviceId } from "../identity/Id.ts"
import type { Agent } from "../runtime/Agent.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Voice } from "./Control.ts"
import type { ErrandOf } from "./Errand.ts"
import type { Office } from "./Office.ts"
import type { Data } from "./Output.ts"
import * as Problem from "./Problem.ts"

type Perform = ErrandOf<"Perform">

export const answer = Effect.fnUntraced(function* (office: Office, errand: Perform, voice: Voice) {
  const replica = yield* office.replica
  const app = yield* office.application
  const agent = yield* office.agent
  const spaceApp = replica.ledger().genesis?.app
  if (spaceApp !== undefined && spaceApp !== app.name) {
    return yield* Problem.make("ApplicationForeign", {
      what: `the space belongs to the application "${spaceApp}", not to "${app.name}"`,
      do: "name the application's own file (app in aura.toml), or another space (--space)"
    })
  }
  yield* Operations.define(replica, agent.device, app)
  const performer = yield* Operations.performer({ replica, device: agent.device, store: office.store }, app)
  const { position, result } = yield* answered(
    office,
    errand,
    performer
      .performJson(errand.operation, errand.payload, errand.key === null ? {} : { key: errand.key })
      .pipe(Effect.mapError((error) => problemOf(errand.operation, agent.device, error)))
  )
  if (errand.wait !== "durable" && position !== undefined) {
    yield* voice.note(
      `written; waiting until ${errand.wait === "acknowledged" ? "another device has" : "all devices have"} it`
    )
    yield* waited(office, agent, errand, agent.acknowledged(replica.space, position, tiers[errand.wait]))
  }
  yield* voice.data({
    operation: errand.operation,
    result: toJson(result),
    entry: position === undefined ? null : { feed: position.feed, seq: position.seq, hash: position.hash }
  })
})

/** Waits no longer than was asked for. What was begun goes on: nobody can take back what a database was sent. */
const answered = Effect.fnUntraced(function* <A, E, R>(office: Office, errand: Perform, work: Effect.Effect<A, E, R>) {
  const fiber = yield* Effect.forkIn(work, office.scope)
  const answer = yield* Effect.timeoutOption(Fiber.join(fiber), errand.timeoutSeconds * 1000)
  if (Option.isSome(answer)) return answer.value
  return yield* Problem.make("NotAnswered", {
    what: `the journal gave no answer within ${errand.timeoutSeconds} s; whether the operation is written is not known yet`,
    do:
      errand.key === null
        ? 'see "aura status" for the reason, and "aura journal log" before performing it again; with --key it can be repeated safely'
        : 'see "aura status" for the reason, and perform it again with the same key'
  })
})

const tiers = { acknowledged: { _tag: "Peers", count: 1 }, everywhere: { _tag: "AllMembers" } } as const

const waited = Effect.fnUntraced(function* <E>(
  office: Office,
  agent: Agent["Service"],
  errand: Perform,
  acknowledged: Effect.Effect<void, E>
) {
  if (!office.isServing) for (const peer of office.settings.peers) yield* agent.stayConnected(peer.address, peer.device)
  const inTime = yield* Effect.timeoutOption(acknowledged, errand.timeoutSeconds * 1000)
  if (Option.isSome(inTime)) return
  return yield* Problem.make("NotAcknowledged", {
    what: `no answer within ${errand.timeoutSeconds} s; the entry is written here and is not lost`,
    do: 'run "aura sync" when another device can be reached; do not perform it again'
  })
})

/** Who is denied is told where to look, and who can change it. */
const problemOf = <E>(operation: string, device: DeviceId, error: E | Operations.OperationDenied | Refused) => {
  if (error instanceof Operations.OperationDenied) {
    return Problem.make(error._tag, {
      what: error.message,
      do: `"aura explain ${short(device)} ${operation}" shows what is missing; a device that may can give it: aura grant ${short(device)} --role ROLE`
    })
  }
  return isRefused(error) ? refusedBy(operation, error.refused) : error
}

interface Refused {
  readonly refused: unknown
}

const isRefused = (error: unknown): error is Refused =>
  typeof error === "object" && error !== null && "refused" in error

const refusedBy = (operation: string, refused: unknown): Problem.Problem =>
  Problem.make(tagOf(refused) ?? "OperationRefused", {
    what:
      refused instanceof Error && refused.message !== ""
        ? refused.message
        : `"${operation}" was refused by the application`,
    details: [toJson(refused)],
    do: "nothing was written; correct the payload and perform it again"
  })

const tagOf = (value: unknown): string | undefined =>
  typeof value === "object" && value !== null && "_tag" in value && typeof value._tag === "string"
    ? value._tag
    : undefined

/** What has no JSON form is left out. */
const toJson = (value: unknown): Schema.Json =>
  Result.getOrElse(Schema.decodeUnknownResult(Schema.Json)(Operations.toJson(value)), () => null)

export const render = (data: Data): string => {
  const { result } = data
  if (result === null) return "done"
  return typeof result === "string" ? result : JSON.stringify(result, undefined, 2)
}
