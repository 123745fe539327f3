/**
 * Performs an application's operations on a replica: decode, plan, decide, write; and reads its state.
 *
 * The order is that of the life of a fact: the payload is decoded by its Schema; in its turn the plan sees the state as
 * it was when the turn began; what it would change is judged by the same rule that judges everybody's entries; then one
 * entry is written, durably. Operations that were asked for together share a turn and do not see each other's changes,
 * text excepted: who needs to see one awaits it before asking for the next. A refusal at any step leaves everything as it was. With an idempotency key an operation runs once:
 * repeating it answers what the first time answered, also after a restart.
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { JournalStoreError, type JournalStore } from "../effects/JournalStore.ts"
import { KeysError } from "../effects/Keys.ts"
import { SecretStoreError } from "../effects/SecretStore.ts"
import * as Bytes from "../identity/Bytes.ts"
import { domain, hash } from "../identity/Hash.ts"
import type { DeviceId } from "../identity/Id.ts"
import * as Cbor from "../journal/Cbor.ts"
import { show } from "../journal/crdt/Field.ts"
import { requestKeyCharactersMax, type Request } from "../journal/Request.ts"
import type { Position } from "../journal/Feed.ts"
import * as Metrics from "../observability/Metrics.ts"
import * as Telemetry from "../observability/Telemetry.ts"
import * as Authority from "../trust/Authority.ts"
import * as Decision from "../trust/Decision.ts"
import * as Wording from "../trust/Wording.ts"
import * as App from "./App.ts"
import * as Ledger from "./Ledger.ts"
import * as Planning from "./Planning.ts"
import type { Replica } from "./Replica.ts"
import { DeviceRevoked } from "./Revocation.ts"
import {
  authorityWrite,
  EntryTooLarge,
  FeedsExhausted,
  ReplicaBusy,
  written,
  type Done,
  type Write,
  type WriteError
} from "./Write.ts"

/** The application has no operation of this name. */
export class OperationUnknown extends Data.TaggedError("OperationUnknown")<{
  readonly operation: string
  readonly allowed: ReadonlyArray<string>
}> {
  override get message(): string {
    return `there is no operation "${this.operation}"; there are: ${this.allowed.join(", ")}`
  }
}

/** The payload is not what the operation's Schema takes. */
export class PayloadInvalid extends Data.TaggedError("PayloadInvalid")<{
  readonly operation: string
  readonly what: string
}> {
  override get message(): string {
    return `the payload of "${this.operation}" is not valid: ${this.what}`
  }
}

/** Authority says no; `decision` has the link that broke, `what` says it for an operator. */
export class OperationDenied extends Data.TaggedError("OperationDenied")<{
  readonly operation: string
  readonly what: string
  readonly refusal: string
}> {
  override get message(): string {
    return `"${this.operation}" is denied: ${this.what}`
  }
}

/** The idempotency key was used for another request, or is none. */
export class RequestConflict extends Data.TaggedError("RequestConflict")<{
  readonly key: string
  readonly what: string
}> {
  override get message(): string {
    return `idempotency key "${this.key}": ${this.what}`
  }
}

/** Everything but the application's own errors. */
export type PerformError = OperationUnknown | PayloadInvalid | OperationDenied | RequestConflict | WriteError

export interface Performed<A> {
  readonly result: A
  /** Undefined when a repeat was answered from what the first time left. */
  readonly position: Position | undefined
}

export interface PerformOptions {
  /** Idempotency key, 1 to 128 characters: the operation runs once however often it is asked for within a day. */
  readonly key?: string | undefined
  /** What another device signed to have this done (runtime/OnBehalf.ts), verified by the caller; it holds the key. */
  readonly request?: Required<Request> | undefined
}

/** An application bound to a replica: what performs its operations. Made once, used for every operation. */
export interface Performer<Of extends App.AnyApp> {
  /** Durable here when it succeeds. */
  readonly perform: <Name extends App.OperationName<Of>>(
    name: Name,
    payload: App.PayloadOf<Of, Name>,
    options?: PerformOptions
  ) => Effect.Effect<Performed<App.ResultOf<Of, Name>>, PerformError | App.ErrorOf<Of, Name>>
  /**
   * For callers that know names and payloads only as text: the command line, HTTP. `payload` is JSON-like; the
   * application's own error comes wrapped.
   */
  readonly performJson: (
    name: string,
    payload: unknown,
    options?: PerformOptions
  ) => Effect.Effect<Performed<unknown>, PerformError | { readonly refused: unknown }>
  /** Without a fiber: `done` is called once, when it is durable or has failed. For hot paths (`Replica.submit`). */
  readonly submit: (name: string, payload: unknown, done: Done<unknown, unknown>) => void
}

export interface Host {
  readonly replica: Replica
  readonly device: DeviceId
  readonly store: JournalStore["Service"]
}

/** One operation, ready to run. */
interface Ready {
  readonly name: string
  readonly type: string
  readonly source: App.AnyOperation<never>
  readonly record: Telemetry.OperationRecorder
  readonly deny: (because: Decision.Refusal) => OperationDenied
  /** Payloads as values, and as what encodes to them. */
  readonly fromValue: (payload: unknown) => Result.Result<unknown, unknown>
  readonly fromJson: (payload: unknown) => Result.Result<unknown, unknown>
  readonly toJson: (payload: unknown) => unknown
}

export const performer = Effect.fnUntraced(function* <Of extends App.AnyApp>(
  host: Host,
  app: Of
): Effect.fn.Return<Performer<Of>> {
  const clock = yield* Clock.Clock
  const planner = Planning.make(host.device, app)
  const operations = new Map<string, Ready>()
  for (const [name, source] of Object.entries(app.operations as Record<string, App.AnyOperation<never>>)) {
    const type = App.typeOf(app.name, name)
    operations.set(name, {
      name,
      type,
      source,
      record: yield* Metrics.operationRecorder(type),
      deny: (because) => deniedBy(name, because),
      fromValue: Schema.decodeUnknownResult(Schema.toType(source.payload)),
      fromJson: Schema.decodeUnknownResult(source.payload),
      toJson: Schema.encodeUnknownSync(source.payload)
    })
  }

  const find = (name: string): Ready | OperationUnknown =>
    operations.get(name) ?? new OperationUnknown({ operation: name, allowed: [...operations.keys()] })

  const run = (ready: Ready, payload: unknown, request: Request | undefined, done: Done<unknown, unknown>): void => {
    const began = clock.currentTimeMillisUnsafe()
    const digest = request === undefined ? undefined : digestOf(ready, payload)
    const write: Write<App.Answer, unknown> = {
      kind: "data",
      request,
      prepare: (turn) => {
        if (request !== undefined && Ledger.isRequested(turn.ledger, request)) return Result.fail(repeated)
        const prepared = planner.plan(turn, ready.type, ready.source, payload, request, ready.deny)
        if (digest === undefined || request === undefined || Result.isFailure(prepared)) return prepared
        const kept = { key: request.key, payload: digest, result: Cbor.encode([prepared.success.answer ?? null]) }
        return Result.succeed({ ...prepared.success, result: kept })
      }
    }
    host.replica.submit(write, (exit) => {
      if (!isRepeated(exit)) ready.record(outcomeOf(exit), (clock.currentTimeMillisUnsafe() - began) / 1000)
      done(exit)
    })
  }

  const perform = Effect.fnUntraced(function* (
    name: string,
    payload: unknown,
    form: "fromValue" | "fromJson",
    options: PerformOptions
  ) {
    const ready = find(name)
    if (ready instanceof OperationUnknown) return yield* ready
    const decoded = ready[form](payload)
    if (Result.isFailure(decoded)) return yield* new PayloadInvalid({ operation: name, what: String(decoded.failure) })
    const request = options.request ?? (yield* requestOf(options.key, host.device))
    const once = Effect.callback<Performed<unknown>, unknown>((resume) =>
      run(ready, decoded.success, request, (exit) => resume(Exit.map(exit, written)))
    )
    if (request === undefined) return yield* once
    const before = yield* answered(ready, decoded.success, request)
    if (Option.isSome(before)) return before.value
    // a repeat may have been written between the question and our turn; then its answer is durable by now
    return yield* Effect.catchIf(
      once,
      (error) => error === repeated,
      () =>
        Effect.flatMap(
          answered(ready, decoded.success, request),
          Option.match({
            onSome: (performed) => Effect.succeed(performed),
            onNone: () =>
              Effect.fail(
                new RequestConflict({ key: request.key, what: "was used before, and its answer is no longer kept" })
              )
          })
        )
    )
  })

  /** What the same request was answered before. */
  const answered = Effect.fnUntraced(function* (ready: Ready, payload: unknown, request: Request) {
    const before = yield* host.store.result(host.replica.space, request.requester, request.key)
    if (Option.isNone(before)) return Option.none<Performed<unknown>>()
    if (!Bytes.isSame(before.value.payload, digestOf(ready, payload)))
      return yield* new RequestConflict({ key: request.key, what: "was used for another request" })
    return Option.some<Performed<unknown>>({ result: fromAnswer(before.value.result), position: undefined })
  })

  return {
    perform: (name, payload, options = {}) =>
      perform(name, payload, "fromValue", options) as Effect.Effect<never, never>,
    performJson: (name, payload, options = {}) =>
      Effect.mapError(perform(name, payload, "fromJson", options), (error) =>
        isPerformError(error) ? error : { refused: error }
      ),
    submit: (name, payload, done) => {
      const ready = find(name)
      if (ready instanceof OperationUnknown) return done(Exit.fail(ready))
      const decoded = ready.fromValue(payload)
      if (Result.isFailure(decoded))
        return done(Exit.fail(new PayloadInvalid({ operation: name, what: String(decoded.failure) })))
      run(ready, decoded.success, undefined, done)
    }
  }
})

/** In its turn a request is found in the journal already. Never leaves this file. */
const repeated: unique symbol = Symbol("repeated")

const isRepeated = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Fail" && reason.error === repeated)

/** That authority says no, in the words of who performs. */
const deniedBy = (name: string, because: Decision.Refusal): OperationDenied => {
  const denied = Decision.denied(because)
  const what = Wording.explain(denied)
  return new OperationDenied({ operation: name, what, refusal: Wording.refusal(denied) })
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
export const define = Telemetry.fn("Operations.define")(function* (
  replica: Replica,
  device: DeviceId,
  app: App.AnyApp
) {
  const isDefined = (): boolean => {
    const authority = replica.ledger().authority
    return (
      authority !== undefined &&
      Authority.definition(authority, Authority.present(authority), app.definition.id) !== undefined
    )
  }
  if (isDefined()) return true
  const authority = replica.ledger().authority
  if (authority === undefined || !Authority.mayDefine(authority, device)) return false
  yield* replica.write(authorityWrite([{ _tag: "Define", definition: app.definition }]))
  return isDefined()
})

/** State as JSON-like data, by any definition, with or without the application's code: maps as objects, sets as lists. */
export const toJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array)
    return { bytes: value.length, hex: Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("") }
  if (typeof value === "bigint") return value.toString()
  if (typeof value !== "object" || value === null) return value ?? null
  if (Array.isArray(value)) return value.map(toJson)
  if (isMapLike(value)) return Object.fromEntries([...value.entries()].map(([key, inner]) => [key, toJson(inner)]))
  // an error is an effect too, and iterates over itself
  if (Symbol.iterator in value && !(value instanceof Error)) return [...(value as Iterable<unknown>)].map(toJson)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}

const isMapLike = (value: object): value is ReadonlyMap<string, unknown> =>
  "entries" in value && "get" in value && typeof value.entries === "function"

const requestOf = (key: string | undefined, requester: DeviceId) =>
  key === undefined
    ? Effect.succeed(undefined)
    : key.length === 0 || key.length > requestKeyCharactersMax || !key.isWellFormed()
      ? Effect.fail(
          new RequestConflict({ key: key.slice(0, 40), what: `a key has 1 to ${requestKeyCharactersMax} characters` })
        )
      : Effect.succeed({ requester, key })

const payloadDomain = domain("aura/payload/v1")

/** Of the payload as encoded by its Schema: equal requests have equal digests. */
const digestOf = (ready: Ready, payload: unknown): Uint8Array =>
  hash(payloadDomain, Cbor.encode([ready.type, JSON.stringify(ready.toJson(payload)) ?? null]))

const fromAnswer = (bytes: Uint8Array): App.Answer => {
  const decoded = Result.getOrThrow(Cbor.decode(bytes))
  const [answer] = decoded as ReadonlyArray<Cbor.Cbor>
  return answer === null ? undefined : answer
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Telemetry.Outcome => {
  if (Exit.isSuccess(exit)) return "performed"
  const isDenied = exit.cause.reasons.some(
    (reason) =>
      reason._tag === "Fail" && (reason.error instanceof OperationDenied || reason.error instanceof DeviceRevoked)
  )
  return isDenied ? "denied" : "failed"
}

const isPerformError = (error: unknown): error is PerformError => performErrors.some((kind) => error instanceof kind)

const performErrors = [
  OperationUnknown,
  PayloadInvalid,
  OperationDenied,
  RequestConflict,
  EntryTooLarge,
  ReplicaBusy,
  FeedsExhausted,
  DeviceRevoked,
  JournalStoreError,
  KeysError,
  SecretStoreError
]
