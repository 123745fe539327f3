/**
 * Carries out an operation that came over HTTP: `{ operation, payload, key? }`, JSON, for whoever was proved to ask.
 *
 * This device may ask as it likes, by its own rights. Another device's request is judged twice in the turn that writes
 * it, as the asking device and as this one: both must be allowed. With `request: {time, signature}`, what the asking
 * device signed for this one operation (journal/Request.ts), the entry carries that, so everybody judges it at the meet
 * of both. Without it the entry is this device's own fact, and who asked stands in the log alone.
 *
 * An idempotency key belongs to who asks: two devices may use the same one. Where the entry is this device's own, a key of
 * another device goes into it as the hash of that device and its key. Texts for another device name no third party.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { JournalStoreError } from "../../effects/JournalStore.ts"
import { domain, hash } from "../../identity/Hash.ts"
import { toBytes, type DeviceId } from "../../identity/Id.ts"
import * as Clock from "../../journal/Clock.ts"
import * as Request from "../../journal/Request.ts"
import * as Metrics from "../../observability/Metrics.ts"
import { typeOf, type AnyApp } from "../../runtime/App.ts"
import * as Operations from "../../runtime/Operations.ts"
import type { Replica } from "../../runtime/Replica.ts"
import type { Done, Prepared, Turn, Write } from "../../runtime/Write.ts"
import * as Authority from "../../trust/Authority.ts"
import * as Decision from "../../trust/Decision.ts"
import * as Wording from "../../trust/Wording.ts"
import * as Reply from "./Reply.ts"
import type { Site } from "./Site.ts"

export const operationCharactersMax = 128

const Wanted = Schema.fromJsonString(
  Schema.Struct({
    operation: Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(operationCharactersMax))),
    payload: Schema.Json,
    key: Schema.optionalKey(
      Schema.String.pipe(Schema.check(Schema.isMinLength(1), Schema.isMaxLength(Request.requestKeyCharactersMax)))
    ),
    request: Schema.optionalKey(
      Schema.Struct({
        time: Schema.Int.pipe(Schema.check(Schema.makeFilter(Clock.isTime, { expected: "an entry time" }))),
        signature: Schema.String.pipe(Schema.check(Schema.isPattern(/^[0-9a-f]{128}$/u)))
      })
    )
  })
)

/** `asker` was proved and is a member; whether it may do this is found out here. */
export const answer = Effect.fn("OperationRequest.answer")(function* (site: Site, asker: DeviceId, body: Uint8Array) {
  if (site.app === undefined) {
    const detail = "this device has no code of the application: it relays and verifies, and performs nothing"
    return Reply.problem({ status: 503, code: "ApplicationAbsent", detail })
  }
  const wanted = decode(body)
  if (Result.isFailure(wanted)) return Reply.problem({ status: 400, code: "RequestInvalid", detail: wanted.failure })
  return yield* perform(site, site.app, asker, wanted.success)
})

/** Why a device is no member of the space now; undefined when it is one. */
export const strangenessOf = (
  authority: Authority.Authority | undefined,
  device: DeviceId
): Decision.Refusal | undefined => {
  if (authority === undefined || !Authority.isAdmitted(authority, Authority.present(authority), device))
    return { _tag: "NotAdmitted", device }
  const restriction = Authority.revocations(authority, device)[0]
  return restriction === undefined ? undefined : Decision.revokedBy(restriction)
}

/** Lines that who watches for attacks looks for. */
export const security = (what: string, details: Readonly<Record<string, unknown>>): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logWarning(`security event: ${what}`), { event: "security", ...details })

const decode = (body: Uint8Array): Result.Result<typeof Wanted.Type, string> =>
  Result.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(body),
    catch: () => "the body is no UTF-8"
  }).pipe(
    Result.flatMap((text) =>
      Result.mapError(
        Schema.decodeUnknownResult(Wanted)(text, { onExcessProperty: "error" }),
        (error) => `the body is {"operation", "payload", "key"?} as JSON: ${String(error.message)}`
      )
    )
  )

const perform = Effect.fnUntraced(function* (site: Site, app: AnyApp, asker: DeviceId, wanted: typeof Wanted.Type) {
  const device = site.agent.device
  const isOwn = asker === device
  const operation = wanted.operation.startsWith(`${app.name}.`)
    ? wanted.operation.slice(app.name.length + 1)
    : wanted.operation
  const request = isOwn ? undefined : yield* carried(site, app, operation, asker, wanted)
  if (request === "unsigned") {
    yield* security("a request that was not signed as it says was refused", { device: asker, operation })
    const detail =
      "request holds no signature of yours over this operation: space, target, operation, key, payload, time"
    return Reply.problem({ status: 422, code: "RequestUnsigned", detail })
  }
  const isCarried = isOwn || request !== undefined
  const replica = isCarried ? site.replica : judgedTwice(site.replica, app, operation, asker)
  const performer = yield* Operations.performer({ device, store: site.store, replica }, app)
  const key = wanted.key === undefined || isCarried ? wanted.key : keyOf(asker, wanted.key)
  const performed = yield* Effect.result(performer.performJson(operation, wanted.payload, { key, request }))
  if (Result.isFailure(performed)) {
    const error = performed.failure
    if (error instanceof Operations.OperationDenied) {
      yield* Metrics.refused("http_operation")
      if (!isOwn) yield* security("an operation was refused", { device: asker, operation, because: error.what })
    } else if (error instanceof JournalStoreError) yield* Effect.logError("an operation was not written", error.message)
    return Reply.problem(problemOf(error, isOwn))
  }
  if (!isOwn) yield* Effect.logInfo("an operation was performed for a device", { device: asker, operation })
  const { position, result } = performed.success
  return Reply.json({
    ok: true,
    result: Operations.toJson(result),
    entry: position === undefined ? null : { feed: position.feed, seq: position.seq },
    repeated: position === undefined
  })
})

/** What the asker signed for the journal to carry: undefined when it signed nothing of the kind. */
const carried = Effect.fnUntraced(function* (
  site: Site,
  app: AnyApp,
  operation: string,
  requester: DeviceId,
  { key, payload, request }: typeof Wanted.Type
) {
  if (request === undefined) return undefined
  if (key === undefined) return "unsigned" as const
  const envelope = {
    payload: Request.payloadDigest(JSON.stringify(payload)),
    time: request.time,
    signature: new Uint8Array(Buffer.from(request.signature, "hex"))
  }
  const asked = { requester, key, envelope }
  const type = typeOf(app.name, operation)
  const claim = Request.claim(asked, { space: site.replica.space, target: site.agent.device, operation: type })!
  const [isGenuine] = yield* site.verifier.verify([claim])
  return isGenuine === true ? asked : ("unsigned" as const)
})

/** The same replica, except that what is to be written must also be what `asker` may write. */
const judgedTwice = (replica: Replica, app: AnyApp, operation: string, asker: DeviceId): Replica => ({
  ...replica,
  submit: <A, E>(write: Write<A, E>, done: Done<A, E>) =>
    replica.submit<A, E | Operations.OperationDenied>(
      {
        ...write,
        prepare: (turn) => {
          const issued: Array<string> = []
          const newId = (index: number): string => {
            const id = turn.newId(index)
            issued.push(id)
            return id
          }
          const prepared = write.prepare({ ...turn, newId })
          if (Result.isFailure(prepared)) return prepared
          const refusal = refusalOf(turn, app, asker, prepared.success, issued)
          if (refusal === undefined) return prepared
          const denied = Decision.denied(refusal)
          const error = { operation, what: Wording.explain(denied), refusal: Wording.refusal(denied) }
          return Result.fail(new Operations.OperationDenied(error))
        }
      },
      // a performer hands every refusal through, whatever its type; that one more may come, Write can't say
      done as Done<A, E | Operations.OperationDenied>
    )
})

const refusalOf = (
  turn: Turn,
  app: AnyApp,
  asker: DeviceId,
  prepared: Prepared<unknown>,
  issued: ReadonlyArray<string>
): Decision.Refusal | undefined => {
  const { authority } = turn.ledger
  const strangeness = strangenessOf(authority, asker)
  if (authority === undefined || strangeness !== undefined) return strangeness
  const view = Authority.present(authority)
  for (const { payload, type } of prepared.facts) {
    const request = { device: asker, time: turn.time, definition: app.definition, type, changes: payload }
    const decision = Decision.decide(authority, view, { ...request, fresh: (id) => issued.includes(id) })
    if (decision._tag === "Denied") return decision.because
  }
  return undefined
}

const keyDomain = domain("aura/http/key/v1")

const keyOf = (asker: DeviceId, key: string): string =>
  Buffer.from(hash(keyDomain, toBytes(asker), Buffer.from(key, "utf8"))).toString("hex")

type Failure = Operations.PerformError | { readonly refused: unknown }

/** For ourselves in the operator's words, for another device in the peer's. */
const problemOf = (error: Failure, isOwn: boolean): Reply.Problem => {
  if ("refused" in error) return { status: 422, code: tagOf(error.refused), detail: messageOf(error.refused) }
  switch (error._tag) {
    case "OperationUnknown":
      return { status: 404, code: error._tag, detail: error.message }
    case "PayloadInvalid":
      return { status: 422, code: error._tag, detail: error.message }
    case "OperationDenied":
      return {
        status: 403,
        code: error._tag,
        detail: isOwn ? error.message : `"${error.operation}" is denied: ${error.refusal}`,
        do: `GET /api/v1/decisions?operation=${encodeURIComponent(error.operation)} says what is missing; a member that may can give it`
      }
    case "DeviceRevoked":
      return {
        status: 403,
        code: error._tag,
        detail: isOwn ? error.message : "this device was revoked and can't write"
      }
    case "RequestConflict":
      return { status: 409, code: error._tag, detail: `idempotency key: ${error.what}` }
    case "EntryTooLarge":
      return { status: 413, code: error._tag, detail: error.message }
    case "FeedsExhausted":
      return { status: 507, code: error._tag, detail: isOwn ? error.message : "this device can't write here any more" }
    case "ReplicaBusy":
      return {
        status: 503,
        code: error._tag,
        detail: "too many writes wait here; try again",
        headers: { "retry-after": "1" }
      }
    case "JournalStoreError":
      return {
        status: 503,
        code: error.reason._tag,
        detail: isOwn ? error.message : "the journal can't be written now"
      }
    case "KeysError":
      return { status: 503, code: error.reason._tag, detail: isOwn ? error.message : "this device can't sign now" }
    case "SecretStoreError":
      return { status: 503, code: error.reason._tag, detail: isOwn ? error.message : "this device can't write now" }
  }
}

/** An application's own refusal. */
const tagOf = (refused: unknown): string =>
  typeof refused === "object" && refused !== null && "_tag" in refused ? String(refused._tag) : "Refused"

const messageOf = (refused: unknown): string =>
  refused instanceof Error && refused.message !== ""
    ? refused.message
    : JSON.stringify(Operations.toJson(refused)).slice(0, 1000)
