/**
 * Operations that people perform in a simulated world, and what they were told: the promises that checkers hold against.
 *
 * Every operation has an idempotency key and is repeated with it until the answer is definite, however often the
 * device crashes meanwhile; impatient people send it twice at once. An answer is definite when the operation was
 * performed, or refused by the application or by authority. A refusal after an attempt whose outcome nobody knows says
 * nothing about that attempt.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SpaceId } from "../identity/Id.ts"
import * as Operations from "../runtime/Operations.ts"
import type { Replica } from "../runtime/Replica.ts"
import { DeviceRevoked } from "../runtime/Revocation.ts"
import type { Agent } from "./Agents.ts"
import type { Chance } from "./Chance.ts"
import type { Device, DeviceError } from "./Devices.ts"
import * as Incidents from "./Incidents.ts"
import * as Notebook from "./Notebook.ts"

/** One operation and what its author was told. */
export interface Deed {
  readonly who: string
  readonly key: string
  readonly name: Notebook.Name
  readonly payload: unknown
  /** Forgotten: it was performed before, and nobody knows any more with what result. */
  outcome: "Open" | "Performed" | "Forgotten" | "Refused"
  result: unknown
  /** Some attempt ended without an answer. */
  isUnsure: boolean
}

/** What somebody would like to do, from what they see. */
export const wish = (chance: Chance, noteIds: ReadonlyArray<string>): readonly [Notebook.Name, unknown] => {
  const text = chance.pick(["a", "b", "c"])
  const amount = chance.pick([1, 2, -1])
  if (noteIds.length === 0 || chance.happens(0.2)) return ["add", { title: text }]
  const id = chance.pick(noteIds)
  return chance.pick<readonly [Notebook.Name, unknown]>([
    ["rename", { id, title: text }],
    ["vote", { id, amount }],
    ["vote", { id, amount }],
    ["remove", { id }],
    ["count", { amount }],
    ["tag", { tag: text }],
    ["untag", { tag: text }],
    ["set", { key: text, value: chance.pick(["x", "y"]) }],
    ["unset", { key: text }]
  ])
}

/** Asks once. Fails when there was no definite answer. */
export const attempt = (
  agent: Agent<Device, DeviceError>,
  space: SpaceId,
  deed: Deed
): Effect.Effect<void, "NoAnswer"> =>
  agent
    .use(({ agent: running, store }) =>
      Effect.gen(function* () {
        const replica = yield* Incidents.replicaOf({ agent: running }, space)
        const { performJson } = yield* performerOf({ replica, device: running.device, store })
        return yield* performJson(deed.name, deed.payload, { key: deed.key })
      })
    )
    .pipe(
      Effect.exit,
      Effect.flatMap((exit) => (hear(deed, exit) ? Effect.void : Effect.fail("NoAnswer" as const)))
    )

/** Notes an answer; false if it is none: the device went down, was closed, or could not say what became of it. */
const hear = (deed: Deed, exit: Exit.Exit<Operations.Performed<unknown>, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return tell(deed, "Performed", exit.value.result)
  const error = Cause.squash(exit.cause)
  if (error instanceof Operations.RequestConflict) return tell(deed, "Forgotten", undefined)
  if (isVerdict(error)) return tell(deed, "Refused", undefined)
  deed.isUnsure = true
  return false
}

const isVerdict = (error: unknown): boolean =>
  error instanceof Operations.OperationDenied ||
  error instanceof DeviceRevoked ||
  (typeof error === "object" && error !== null && "refused" in error)

const performers = new WeakMap<Replica, Operations.Performer<typeof Notebook.app>>()

const performerOf = (host: Operations.Host): Effect.Effect<Operations.Performer<typeof Notebook.app>> => {
  const known = performers.get(host.replica)
  if (known !== undefined) return Effect.succeed(known)
  return Effect.tap(Operations.performer(host, Notebook.app), (made) =>
    Effect.sync(() => performers.set(host.replica, made))
  )
}

const tell = (deed: Deed, outcome: Deed["outcome"], result: unknown): true => {
  // a repeat may only say what was said before
  if (deed.outcome === "Performed" && outcome === "Performed" && !isSame(deed.result, result))
    deed.result = new Error(`"${deed.key}" answered first ${String(deed.result)}, then ${String(result)}`)
  if (deed.outcome === "Performed") return true
  deed.outcome = outcome
  deed.result = result
  return true
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one ?? null) === JSON.stringify(other ?? null)
