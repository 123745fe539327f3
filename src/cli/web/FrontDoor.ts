/**
 * The HTTP side of a server: one request listener for its TLS port and, in development, for plain HTTP on this machine.
 *
 *     path                 TLS                                plain, both ends this machine
 *     /healthz             200 while the process lives        the same
 *     /openapi.json        this API                           the same
 *     /api/v1/operations   POST, signed by a device           the same
 *     /api/v1/decisions    GET, signed by a device            the same
 *     /                    what this is, how to join          the live page of the space
 *     /ui/events           404                                the live page's events
 *     /ui/operations       404                                POST by the page, as this device
 *     /ui/pairing          404                                POST by the page: a pairing code
 *
 * Without a device's proof nothing of the space leaves by TLS: no application, no members, no state. Plain HTTP from
 * elsewhere is answered on the first path only. Bodies have at most 64 KiB, requests 30 seconds; errors are
 * problems (RFC 9457). The door stands from the start of the process and says 503 until it is opened, for the network
 * listens before the journal is read. Answers to HEAD are those to GET without content.
 *
 * Readiness with its reasons and metrics are for who runs this and have a listener of their own (Management.ts), none when
 * that is off; client certificates come with `aura keys`; the WebSocket of devices on the same port is none of its business (handlers/node/TlsNetwork.ts).
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { RequestListener } from "node:http"
import type { JournalStoreError } from "../../effects/JournalStore.ts"
import * as EffectTelemetry from "../../observability/EffectTelemetry.ts"
import * as Metrics from "../../observability/Metrics.ts"
import { Telemetry } from "../../observability/Telemetry.ts"
import * as CommandLine from "../CommandLine.ts"
import * as Decisions from "./Decisions.ts"
import * as DeviceProof from "./DeviceProof.ts"
import { formsOf, type Form } from "./Forms.ts"
import * as Live from "./Live.ts"
import * as Loopback from "./Loopback.ts"
import * as NonceBook from "./NonceBook.ts"
import { openApi } from "./OpenApi.ts"
import * as OperationRequest from "./OperationRequest.ts"
import * as Overview from "./Overview.ts"
import * as Page from "./Page.ts"
import * as Reply from "./Reply.ts"
import type { Readiness, Site } from "./Site.ts"

export const bodyBytesMax = 64 * 1024
export const answerMillisMax = 30_000

export interface FrontDoor {
  /** For `TlsNetworkOptions.request`. */
  readonly listener: RequestListener
  /** From here on requests are answered from the site. */
  readonly open: (site: Site) => Effect.Effect<void, JournalStoreError>
}

/** Requests under way end with the scope. */
export const make: Effect.Effect<FrontDoor, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const telemetry = yield* EffectTelemetry.make
  let opened: Opened | undefined
  const listener = yield* NodeHttpServer.makeHandler(
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.provideService(respond(opened, request), Telemetry, telemetry)
    ),
    { scope }
  )
  return {
    listener,
    open: Effect.fn("FrontDoor.open")(function* (site: Site) {
      const nonces = yield* NonceBook.open(site.store, site.replica.space)
      const forms = site.app === undefined ? [] : formsOf(site.app)
      opened = { site, forms, prove: DeviceProof.make(site, nonces), streams: { open: 0 } }
    })
  }
})

interface Opened {
  readonly site: Site
  readonly forms: ReadonlyArray<Form>
  readonly prove: DeviceProof.Prove
  readonly streams: { open: number }
}

/** A request with what the routes ask about it. */
interface Arrival {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly source: Loopback.Source
  /** Plain HTTP from this machine; false by TLS. */
  readonly isHere: boolean
}

interface Route {
  readonly method: "GET" | "POST"
  /** Undefined: for everyone. Otherwise for this machine alone, and what kind of asking it is there. */
  readonly local?: "script" | "action"
  /** Whoever asks proves it with a signature: then it matters little where a browser found the link. */
  readonly isSigned?: true
  readonly answer: (opened: Opened, arrival: Arrival) => Effect.Effect<Reply.Reply>
}

const respond = (
  opened: Opened | undefined,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Reply.Reply> => {
  const source = NodeHttpServerRequest.toIncomingMessage(request)
  const path = request.url.split("?")[0] ?? ""
  return dispatch(opened, path, { request, source, isHere: Loopback.isHere(source) }).pipe(
    Effect.timeoutOrElse({
      duration: answerMillisMax,
      orElse: () =>
        Effect.succeed(Reply.problem({ status: 503, code: "TooSlow", detail: "no answer was ready in time" }))
    }),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.as(
            Effect.logError(`a request for ${path.slice(0, 100)} failed`, cause),
            Reply.problem({ status: 500, code: "Defect", detail: "a mistake on this side; it is in the log" })
          )
    )
  )
}

const dispatch = (opened: Opened | undefined, path: string, arrival: Arrival): Effect.Effect<Reply.Reply> => {
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  const { isHere, request, source } = arrival
  if (route === undefined || (route.local !== undefined && !isHere))
    return refuse({ status: 404, code: "NotFound", detail: "there is nothing here" })
  const isProbe = path === "/healthz"
  if (!isProbe && !isHere && !isEncrypted(source))
    return refuse({ status: 403, code: "PlainWire", detail: "use https" })
  const strangeness = isProbe || !isHere ? undefined : Loopback.strangeness(source, route.local ?? "page")
  if (strangeness !== undefined && route.isSigned !== true) return refuseStrange(strangeness)
  const isAllowed =
    request.method === route.method ||
    (request.method === "HEAD" && route.method === "GET" && route.local === undefined)
  if (!isAllowed) {
    const detail = `${path} takes ${route.method}`
    return refuse({
      status: 405,
      code: "MethodNotAllowed",
      detail,
      headers: { allow: route.method === "GET" ? "GET, HEAD" : "POST" }
    })
  }
  if (isProbe) return alive
  if (opened === undefined)
    return refuse({ status: 503, code: "Starting", detail: "the server is starting", headers: { "retry-after": "1" } })
  return route.answer(opened, arrival)
}

const alive = Effect.sync(() => Reply.json({ ok: true }))

const refuse = (problem: Reply.Problem): Effect.Effect<Reply.Reply> => Effect.succeed(Reply.problem(problem))

const refuseStrange = Effect.fnUntraced(function* (detail: string) {
  yield* Metrics.refused("http_page")
  yield* OperationRequest.security("a browser asked for another site", { because: detail })
  return Reply.problem({ status: 403, code: "NotThisPage", detail })
})

const isEncrypted = ({ socket }: Loopback.Source): boolean => "encrypted" in socket

const routes: Readonly<Record<string, Route>> = {
  "/": { method: "GET", answer: (opened, arrival) => home(opened, arrival) },
  "/healthz": { method: "GET", answer: () => alive },
  "/openapi.json": { method: "GET", answer: () => Effect.succeed(Reply.json(openApi)) },
  "/api/v1/operations": {
    method: "POST",
    isSigned: true,
    answer: (opened, arrival) => signedOperation(opened, arrival)
  },
  "/api/v1/decisions": { method: "GET", isSigned: true, answer: (opened, arrival) => decision(opened, arrival) },
  "/ui/events": { method: "GET", local: "script", answer: (opened) => events(opened) },
  "/ui/operations": { method: "POST", local: "action", answer: (opened, arrival) => ownOperation(opened, arrival) },
  "/ui/pairing": { method: "POST", local: "action", answer: ({ site }) => pairing(site) }
}

const home = Effect.fnUntraced(function* ({ forms, site }: Opened, { isHere }: Arrival) {
  const readiness = yield* site.ready
  if (!isHere) return Reply.page((nonce) => Page.plain(nonce, readiness))
  const overview = Overview.of(site, readiness)
  const sections = Page.sectionsOf(site, forms, overview)
  const pairLine = site.command?.(["pair"]) ?? CommandLine.line(["pair"], undefined)
  return Reply.page((nonce) => Page.live(nonce, overview.app === "" ? "Aura" : overview.app, sections, pairLine))
})

const events = ({ forms, site, streams }: Opened): Effect.Effect<Reply.Reply> =>
  Effect.sync(() => {
    if (streams.open >= Live.streamsMax) {
      const detail = `${Live.streamsMax} pages are open already`
      return Reply.problem({ status: 503, code: "StreamsFull", detail, headers: { "retry-after": "10" } })
    }
    const sections = Effect.map(site.ready, (readiness: Readiness) =>
      Page.sectionsOf(site, forms, Overview.of(site, readiness))
    )
    return Reply.stream(Live.counted(streams, Live.events(site.replica, sections)), "text/event-stream; charset=utf-8")
  })

const ownOperation = Effect.fnUntraced(function* ({ site }: Opened, arrival: Arrival) {
  const body = yield* bodyOf(arrival)
  if (Result.isFailure(body)) return Reply.problem(body.failure)
  return yield* OperationRequest.answer(site, site.agent.device, body.success)
})

const signedOperation = Effect.fnUntraced(function* (opened: Opened, arrival: Arrival) {
  const body = yield* bodyOf(arrival)
  if (Result.isFailure(body)) return Reply.problem(body.failure)
  const proved = yield* provedBy(opened, arrival, body.success)
  if (Result.isFailure(proved)) return Reply.problem(proved.failure)
  return yield* OperationRequest.answer(opened.site, proved.success, body.success)
})

const decision = Effect.fnUntraced(function* (opened: Opened, arrival: Arrival) {
  const proved = yield* provedBy(opened, arrival, new Uint8Array())
  if (Result.isFailure(proved)) return Reply.problem(proved.failure)
  const { url } = arrival.request
  const query = url.includes("?") ? url.slice(url.indexOf("?") + 1) : ""
  return yield* Decisions.answer(opened.site, proved.success, query)
})

/** Which device signed a request with this body. */
const provedBy = ({ prove }: Opened, { request, source }: Arrival, body: Uint8Array) => {
  const scheme = isEncrypted(source) ? "https" : "http"
  return prove({
    method: request.method,
    targetUri: `${scheme}://${request.headers["host"] ?? ""}${request.url}`,
    header: (name) => request.headers[name],
    body
  })
}

const pairing = (site: Site): Effect.Effect<Reply.Reply> =>
  Effect.match(site.pair, {
    onFailure: ({ message }) => Reply.problem({ status: 503, code: "PairingUnavailable", detail: message }),
    onSuccess: (code) => {
      const text = Redacted.value(code)
      return Reply.json({ ok: true, code: text, command: CommandLine.line(["join", text], undefined) })
    }
  })

const bodyOf = ({ request }: Arrival): Effect.Effect<Result.Result<Uint8Array, Reply.Problem>> => {
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase()
  if (type !== "application/json") {
    return Effect.succeed(Result.fail({ status: 415, code: "NotJson", detail: "the body has to be application/json" }))
  }
  const tooLarge = { status: 413, code: "BodyTooLarge", detail: `the body has at most ${bodyBytesMax} bytes` }
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) return Effect.succeed(Result.fail(tooLarge))
  return request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyBytesMax)),
    Effect.match({
      onSuccess: (buffer) => Result.succeed(new Uint8Array(buffer)),
      onFailure: ({ reason }) =>
        Result.fail(
          reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
            ? tooLarge
            : { status: 400, code: "BodyUnread", detail: "the body could not be read" }
        )
    })
  )
}
