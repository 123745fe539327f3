/**
 * Performs an application's operations on a replica: decode, plan, decide, write; and reads its state.
 *
 * The order is that of the life of a fact: the payload is decoded by its Schema; in its turn the plan sees the state as
 * it then is; what it would change is judged by the same rule that judges everybody's entries; then one entry is
 * written, durably. A refusal at any step leaves everything as it was. With an idempotency key an operation runs once:
 * repeating it answers what the first time answered, also after a restart.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { JournalStoreError, type JournalStore } from "../effects/JournalStore.ts"
import { KeysError } from "../effects/Keys.ts"
import { domain, hash } from "../identity/Hash.ts"
import type { DeviceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import { draftOf, show } from "../journal/crdt/Field.ts"
import { requestKeyCharactersMax } from "../journal/Entry.ts"
import type { Position } from "../journal/Feed.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import * as App from "./App.ts"
import { authorityWrite } from "./Agent.ts"
import { freshIdsMax } from "./FreshId.ts"
import * as Ledger from "./Ledger.ts"
import { EntryTooLarge, type Replica, type Turn, type Write } from "./Replica.ts"

/** The application has no operation of this name. */
export class OperationUnknown extends Schema.TaggedError<OperationUnknown>()("OperationUnknown", {
  operation: Schema.String,
  allowed: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `there is no operation "${this.operation}"; there are: ${this.allowed.join(", ")}`
  }
}

/** The payload is not what the operation's Schema takes. */
export class PayloadInvalid extends Schema.TaggedError<PayloadInvalid>()("PayloadInvalid", {
  operation: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `the payload of "${this.operation}" is not valid: ${this.what}`
  }
}

/** Authority says no; `decision` has the link that broke, `what` says it for an operator. */
export class OperationDenied extends Schema.TaggedError<OperationDenied>()("OperationDenied", {
  operation: Schema.String,
  what: Schema.String,
  refusal: Schema.String
}) {
  override get message(): string {
    return `"${this.operation}" is denied: ${this.what}`
  }
}

/** The idempotency key was used for another request, or is none. */
export class RequestConflict extends Schema.TaggedError<RequestConflict>()("RequestConflict", {
  key: Schema.String,
  what: Schema.String
}) {
  override get message(): string {
    return `idempotency key "${this.key}": ${this.what}`
  }
}

/** Everything but the application's own errors. */
export type PerformError =
  | OperationUnknown
  | PayloadInvalid
  | OperationDenied
  | RequestConflict
  | EntryTooLarge
  | JournalStoreError
  | KeysError

export interface Performed<A> {
  readonly result: A
  /** Undefined when a repeat was answered from what the first time left. */
  readonly position: Position | undefined
}

export interface PerformOptions {
  /** Idempotency key, 1 to 128 characters: the operation runs once however often it is asked for within a day. */
  readonly key?: string | undefined
}

/** Durable here when it succeeds. */
export const perform = <Of extends App.AnyApp, Name extends App.OperationName<Of>>(
  host: { readonly replica: Replica; readonly device: DeviceId; readonly store: JournalStore["Service"] },
  app: Of,
  name: Name,
  payload: App.PayloadOf<Of, Name>,
  options: PerformOptions = {}
): Effect.Effect<Performed<App.ResultOf<Of, Name>>, PerformError | App.ErrorOf<Of, Name>> =>
  performUnknown(host, app, name, payload, "value", options) as Effect.Effect<
    Performed<App.ResultOf<Of, Name>>,
    PerformError | App.ErrorOf<Of, Name>
  >

/** The same for callers that know names and payloads only as text: the command line, HTTP. `payload` is JSON-like. */
export const performJson = (
  host: { readonly replica: Replica; readonly device: DeviceId; readonly store: JournalStore["Service"] },
  app: App.AnyApp,
  name: string,
  payload: unknown,
  options: PerformOptions = {}
): Effect.Effect<Performed<unknown>, PerformError | { readonly refused: unknown }> =>
  performUnknown(host, app, name, payload, "encoded", options).pipe(
    Effect.mapError((error) => (isPerformError(error) ? error : { refused: error }))
  )

const isPerformError = Schema.is(
  Schema.Union([OperationUnknown, PayloadInvalid, OperationDenied, RequestConflict, EntryTooLarge, JournalStoreError, KeysError])
)

const performUnknown = Effect.fn("Operations.perform")(function* (
  host: { readonly replica: Replica; readonly device: DeviceId; readonly store: JournalStore["Service"] },
  app: App.AnyApp,
  name: string,
  payload: unknown,
  form: "value" | "encoded",
  options: PerformOptions
) {
  const clock = yield* Clock.Clock
  const began = clock.currentTimeMillisUnsafe()
  const operation: App.AnyOperation<never> | undefined = Object.hasOwn(app.operations, name) ? app.operations[name] : undefined
  if (operation === undefined)
    return yield* new OperationUnknown({ operation: name, allowed: Object.keys(app.operations) })
  const type = App.typeOf(app.name, name)
  const run = Effect.gen(function* () {
    const decoded =
      form === "value"
        ? Schema.decodeUnknownResult(Schema.toType(operation.payload))(payload)
        : Schema.decodeUnknownResult(operation.payload)(payload)
    if (Result.isFailure(decoded)) return yield* new PayloadInvalid({ operation: name, what: String(decoded.failure) })
    const request = yield* requestOf(options.key, host.device)
    const digest = request === undefined ? undefined : digestOf(type, operation, decoded.success)
    if (request !== undefined) {
      const before = yield* host.store.result(host.replica.space, host.device, request.key)
      if (Option.isSome(before)) {
        if (!sameBytes(before.value.payload, digest!))
          return yield* new RequestConflict({ key: request.key, what: "was used for another request" })
        return { result: fromAnswer(before.value.result), position: undefined }
      }
    }
    const write: Write<App.Answer, unknown> = {
      kind: "data",
      request,
      prepare: (turn) => {
        const prepared = prepare(turn, host.device, app, name, operation, decoded.success, request)
        if (Result.isFailure(prepared)) return prepared
        if (request === undefined) return prepared
        const kept = { key: request.key, payload: digest!, result: Cbor.encode([prepared.success.answer ?? null]) }
        return Result.succeed({ ...prepared.success, result: kept })
      }
    }
    const written = yield* host.replica.write(write)
    return { result: written.answer, position: written.position }
  })
  return yield* run.pipe(
    Effect.onExit((exit) => {
      const seconds = (clock.currentTimeMillisUnsafe() - began) / 1000
      const outcome = exit._tag === "Success" ? "performed" : isDenial(exit) ? "denied" : "failed"
      return Metrics.operation(type, outcome, seconds)
    })
  )
})

/** Plans, then judges what was planned exactly as others will. */
const prepare = (
  turn: Turn,
  device: DeviceId,
  app: App.AnyApp,
  name: string,
  operation: App.AnyOperation<never>,
  payload: unknown,
  request: { readonly requester: DeviceId; readonly key: string } | undefined
) => {
  const deny = (because: Decision.Refusal) => {
    const denied = Decision.denied(because)
    return Result.fail(new OperationDenied({ operation: name, what: Decision.explain(denied), refusal: Decision.refusal(denied) }))
  }
  const { authority } = turn.ledger
  if (authority === undefined) return deny({ _tag: "NotAdmitted", device })
  const view = Authority.present(authority)
  const restriction = Authority.restrictionOn(authority, device, turn.feed, turn.seq)
  if (restriction !== undefined) return deny(Decision.revokedBy(restriction))
  if (!Authority.isAdmitted(authority, view, device)) return deny({ _tag: "NotAdmitted", device })
  const definition = Decision.definitionFor(authority, view, app.definition.id)
  if (Result.isFailure(definition)) return deny(definition.failure)
  let count = 0
  const issued: Array<string> = []
  const newId = (): string => {
    if (count >= freshIdsMax) throw new RangeError(`an operation can make at most ${freshIdsMax} ids`)
    const id = turn.newId(count++)
    issued.push(id)
    return id
  }
  const planned = operation.plan(draftOf(app.state, app.types, turn.ledger.state) as never, payload, { newId, self: device })
  if ("refused" in planned) return Result.fail(planned.refused)
  const type = App.typeOf(app.name, name)
  const decision = Decision.decide(authority, view, {
    device,
    time: turn.time,
    definition: definition.success,
    type,
    changes: planned.changes,
    fresh: (id) => issued.includes(id)
  })
  if (decision._tag === "Denied") return deny(decision.because)
  const facts = [{ type, payload: planned.changes }]
  return Result.succeed({ definition: definition.success.id, facts, answer: planned.result as App.Answer, request })
}

/** The application's state as it stands; immutable, and the same object until something changes. */
export const state = <Of extends App.AnyApp>(replica: Replica, app: Of): App.StateOf<Of> =>
  show(app.state, Ledger.read(replica.ledger(), app.definition)) as App.StateOf<Of>

/**
 * Calls back with what `select` picks of the state: now, and whenever that changed by `isEqual`. Returns how to stop.
 * Selectors run after every change of the replica and must be quick.
 */
export const watch = <Of extends App.AnyApp, Picked>(
  replica: Replica,
  app: Of,
  select: (state: App.StateOf<Of>) => Picked,
  callback: (picked: Picked) => void,
  isEqual: (a: Picked, b: Picked) => boolean = Object.is
): (() => void) => {
  let last = select(state(replica, app))
  callback(last)
  return replica.listen(() => {
    const next = select(state(replica, app))
    if (isEqual(last, next)) return
    last = next
    callback(next)
  })
}

/** Writes the application's definition into the space if it is not there and this device may define; tells whether it is there. */
export const define = Effect.fn("Operations.define")(function* (replica: Replica, device: DeviceId, app: App.AnyApp) {
  const isDefined = (): boolean => {
    const authority = replica.ledger().authority
    return authority !== undefined && Authority.definition(authority, Authority.present(authority), app.definition.id) !== undefined
  }
  if (isDefined()) return true
  const authority = replica.ledger().authority
  if (authority === undefined || !Authority.mayDefine(authority, device)) return false
  yield* replica.write(authorityWrite([{ _tag: "Define", definition: app.definition }]))
  return isDefined()
})

/** State as JSON-like data, by any definition, with or without the application's code: maps as objects, sets as lists. */
export const toJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { bytes: value.length, hex: Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("") }
  if (typeof value === "bigint") return value.toString()
  if (typeof value !== "object" || value === null) return value ?? null
  if (Array.isArray(value)) return value.map(toJson)
  if (isMapLike(value)) return Object.fromEntries([...value.entries()].map(([key, inner]) => [key, toJson(inner)]))
  if (Symbol.iterator in value) return [...(value as Iterable<unknown>)].map(toJson)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}

const isMapLike = (value: object): value is ReadonlyMap<string, unknown> =>
  "entries" in value && "get" in value && typeof value.entries === "function"

const requestOf = (key: string | undefined, requester: DeviceId) =>
  key === undefined
    ? Effect.succeed(undefined)
    : key.length === 0 || key.length > requestKeyCharactersMax || !key.isWellFormed()
      ? Effect.fail(new RequestConflict({ key: key.slice(0, 40), what: `a key has 1 to ${requestKeyCharactersMax} characters` }))
      : Effect.succeed({ requester, key })

const payloadDomain = domain("aura/payload/v1")

/** Of the payload as encoded by its Schema: equal requests have equal digests. */
const digestOf = (type: string, operation: App.AnyOperation<never>, payload: unknown): Uint8Array =>
  hash(payloadDomain, Cbor.encode([type, JSON.stringify(Schema.encodeUnknownSync(operation.payload)(payload)) ?? null]))

const fromAnswer = (bytes: Uint8Array): App.Answer => {
  const decoded = Result.getOrThrow(Cbor.decode(bytes))
  const [answer] = decoded as ReadonlyArray<Cbor.Cbor>
  return answer === null ? undefined : answer
}

const isDenial = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error instanceof OperationDenied)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
