/**
 * The listener for those who run a server: probes and metrics, on a port of its own and by default for this machine alone.
 *
 *     /healthz    200 while the process lives
 *     /readyz     200 or 503, with each part: { name, ok, reason, since }
 *     /metrics    Prometheus' text format 0.0.4
 *
 * It answers from the start of the process, and `/readyz` says 503 until the server serves. It asks for no proof and tells
 * nothing of a space, no ids and no secrets; but reasons name places, a database's host among them. So it is bound elsewhere
 * than to this machine only by who says so (`management.listen`), where a network of its own or a mesh keeps strangers away.
 * On loopback it is asked by address or as localhost, so that no page of a stranger's name can read it (DNS rebinding).
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type * as Scope from "effect/Scope"
import { createServer, type RequestListener, type Server } from "node:http"
import { isIP } from "node:net"
import { defaultListen, parseListen, type Listen } from "../../config/Listen.ts"
import * as EffectTelemetry from "../../observability/EffectTelemetry.ts"
import * as Metrics from "../../observability/Metrics.ts"
import { Telemetry } from "../../observability/Telemetry.ts"
import * as Problem from "../Problem.ts"
import { time } from "../Text.ts"
import type { Detail } from "./Readiness.ts"
import * as Reply from "./Reply.ts"

export interface Managed {
  readonly ready: Effect.Effect<ReadonlyArray<Detail>>
  /** What is only measured when it is asked for. */
  readonly gauges: () => { readonly peers: number; readonly quarantined: number }
}

export interface Management {
  /** Undefined: turned off. */
  readonly address: string | undefined
  readonly open: (managed: Managed) => void
}

/** Requests at once; more wait for a connection. */
const connectionsMax = 64
const requestMillisMax = 10_000

/** `listen` as it was set; undefined: the default, or a free port where somebody has that one already. */
export const make = Effect.fnUntraced(function* (
  listen: string | undefined
): Effect.fn.Return<Management, Problem.Problem, Scope.Scope> {
  const place = parseListen(listen ?? defaultListen)
  if (place === undefined) return { address: undefined, open: () => undefined }
  const telemetry = yield* EffectTelemetry.make
  let managed: Managed | undefined
  const handler = yield* NodeHttpServer.makeHandler(
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.provideService(answer(managed, place, request), Telemetry, telemetry)
    ),
    { scope: yield* Effect.scope }
  )
  const port = yield* listening(handler, place).pipe(
    Effect.catch((error) => (listen === undefined ? listening(handler, { ...place, port: 0 }) : Effect.fail(error)))
  )
  const host = isIP(place.host) === 6 ? `[${place.host}]` : place.host
  return {
    address: `http://${host}:${port}`,
    open: (opened) => {
      managed = opened
    }
  }
})

const listening = (handler: RequestListener, { host, port }: Listen) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Server, Problem.Problem>((resume) => {
        const server = createServer({ requestTimeout: requestMillisMax }, handler)
        server.maxConnections = connectionsMax
        server.once("error", (error) => resume(notListening(error, `${host}:${port}`)))
        server.listen(port, host, () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    (server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : port
    }
  )

const notListening = (error: Error, where: string) =>
  Problem.make("ManagementNotListening", {
    what: `can't listen at ${where} for probes and metrics (${error.message})`,
    where: "management.listen",
    do: 'name another address and port, or "off"'
  })

const answer = (
  managed: Managed | undefined,
  place: Listen,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Reply.Reply> => {
  const path = request.url.split("?")[0] ?? ""
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  if (route === undefined) return refuse(404, "NotFound", `there are ${Object.keys(routes).join(", ")}`)
  if (request.method !== "GET" && request.method !== "HEAD")
    return refuse(405, "MethodNotAllowed", `${path} takes GET`, { allow: "GET, HEAD" })
  if (isLoopback(place.host) && !isNamedByAddress(request.headers["host"] ?? ""))
    return refuse(403, "HostUnknown", "ask by address, or as localhost")
  return route(managed)
}

const refuse = (status: number, code: string, detail: string, headers = {}): Effect.Effect<Reply.Reply> =>
  Effect.succeed(Reply.problem({ status, code, detail, headers }))

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")

const isNamedByAddress = (host: string): boolean => {
  const name = host.replace(/:\d+$/u, "").toLowerCase()
  return name === "localhost" || isIP(name.replace(/^\[(.*)\]$/u, "$1")) !== 0
}

const routes: Readonly<Record<string, (managed: Managed | undefined) => Effect.Effect<Reply.Reply>>> = {
  "/healthz": () => Effect.sync(() => Reply.json({ ok: true })),
  "/readyz": (managed) => (managed === undefined ? starting : Effect.map(managed.ready, readiness)),
  "/metrics": (managed) => metrics(managed)
}

const starting = Effect.sync(() =>
  Reply.json({ ok: false, checks: [{ name: "start", ok: false, reason: "the server is starting" }] }, 503)
)

const readiness = (details: ReadonlyArray<Detail>): Reply.Reply => {
  const ok = details.every((detail) => detail.ok)
  const checks = details.map(({ name, ok, reason, sinceMillis }) => ({ name, ok, reason, since: time(sinceMillis) }))
  return Reply.json({ ok, checks }, ok ? 200 : 503)
}

const metrics = Effect.fnUntraced(function* (managed: Managed | undefined) {
  if (managed !== undefined) {
    const { peers, quarantined } = managed.gauges()
    yield* Metrics.connected(peers)
    yield* Metrics.quarantine(quarantined)
    for (const { name, ok } of yield* managed.ready) yield* Metrics.readiness(name, ok)
  }
  return Reply.text(yield* PrometheusMetrics.format(), "text/plain; version=0.0.4; charset=utf-8")
})
