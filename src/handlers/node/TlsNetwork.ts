/**
 * Connections over WebSocket on TLS 1.3, for servers and for everything else that runs on Node.
 *
 * Outside: one HTTPS listener serves pages, API and, at `/aura/v1/channel`, the device channel; servers that others made
 * can carry it too. TLS 1.3 only, no resumption, no early data, no compression. Plain `ws://` is taken from this machine
 * alone, for development. Inside, always: the device channel (shared/SecureConnection.ts), bound to the TLS around it
 * (RFC 9266), so whoever ends TLS in between is noticed by two ends that both look. Behind a proxy that ends TLS on
 * purpose, `bindTls: false` on the server says so; the inner channel is as strong without it.
 *
 * Strangers cost little: at most `handshakesMax` handshakes at once, each over within 10 seconds, at most
 * `connectionsMax` connections, `backlogMax` of them not yet accepted; more are answered 503. What fails is counted in
 * `aura_network_refused_total`; who lies or breaks the handshake is logged as a security event, one line a second.
 *
 * It does not retry, does not resolve who may connect, and asks for no client certificate: a device proves itself
 * inside.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { constants, randomBytes, X509Certificate } from "node:crypto"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { hostname, networkInterfaces } from "node:os"
import type { Duplex } from "node:stream"
import { WebSocketServer, type WebSocket } from "ws"
import { Keys } from "../../effects/Keys.ts"
import { Network, NetworkError, Unreachable, type Connection } from "../../effects/Network.ts"
import { Verifier } from "../../effects/Verifier.ts"
import * as Address from "../shared/Address.ts"
import * as Mailbox from "../shared/Mailbox.ts"
import * as SecureConnection from "../shared/SecureConnection.ts"
import { nodeSuite } from "./NodeSuite.ts"
import { covers, type Credentials, type PrivateAuthority } from "./PrivateAuthority.ts"
import * as TlsDial from "./TlsDial.ts"
import * as WebSocketDuplex from "./WebSocketDuplex.ts"

export interface TlsNetworkOptions {
  /** An HTTPS listener of our own; port 0 takes a free one. */
  readonly listen?: { readonly host: string; readonly port: number; readonly authority: PrivateAuthority }
  /** A plain HTTP listener on 127.0.0.1 as well, for development. */
  readonly plain?: { readonly port: number }
  /** Answers HTTP requests on both of our own listeners; without it they are 404. */
  readonly request?: http.RequestListener
  /** Servers of others that carry the channel too; who made them starts and stops them. */
  readonly servers?: ReadonlyArray<http.Server | https.Server>
  /** Hosts under which others reach us, in place of the listener's own. */
  readonly advertise?: ReadonlyArray<string>
  /** Pins for addresses that carry none. */
  readonly pins?: ReadonlyArray<string>
  /** False behind a proxy that ends TLS: this side then states no binding. */
  readonly bindTls?: boolean
  readonly handshakesMax?: number
  readonly connectionsMax?: number
}

export const handshakesMaxDefault = 64
export const connectionsMaxDefault = 1024

/** Connections that wait for `accept`. */
export const backlogMax = 64

/** How often a certificate that is about to run out is looked for. */
export const renewalMillis = 12 * 3_600_000

/** How long closing waits for farewells to leave, in real milliseconds. */
export const farewellMillis = 500

export const layer = (options: TlsNetworkOptions): Layer.Layer<Network, NetworkError, Keys | Verifier> =>
  Layer.effect(
    Network,
    Effect.gen(function* () {
      const keys = yield* Keys
      const verifier = yield* Verifier
      const channel = {
        suite: nodeSuite,
        keys,
        verifier,
        randomBytes: (size: number) => Uint8Array.from(randomBytes(size))
      }
      const bindTls = options.bindTls ?? true
      const sockets = yield* openSockets
      const inbox = yield* inbound(options, sockets, (socket, request) =>
        SecureConnection.open(WebSocketDuplex.attach(socket), {
          ...channel,
          initiator: false,
          address: `${Address.bracketed(request.socket.remoteAddress ?? "unknown")}:${request.socket.remotePort ?? 0}`,
          exported: bindTls ? TlsDial.exportedBy(request.socket) : undefined
        })
      )
      const listening = yield* listen(options, inbox.upgrade)
      const authorities: TlsDial.Authorities = new Map()
      return Network.of({
        connect: (address, expected) =>
          Effect.flatMap(
            dialled(TlsDial.dial(address, expected, options.pins ?? [], authorities), sockets),
            ({ exported, socket }) =>
              Effect.tap(
                SecureConnection.open(WebSocketDuplex.attach(socket), {
                  ...channel,
                  initiator: true,
                  address,
                  expected,
                  exported: bindTls ? exported : undefined
                }),
                (connection) => Effect.sync(() => sockets.proved(socket, connection))
              )
          ),
        accept: inbox.accept,
        addresses: listening.addresses
      })
    })
  )

/** A socket that nobody takes over before its scope ends is cut. */
const dialled = (
  dial: Effect.Effect<TlsDial.Dialled, NetworkError>,
  sockets: Sockets
): Effect.Effect<TlsDial.Dialled, NetworkError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tap(dial, ({ socket }) => Effect.sync(() => sockets.add(socket))),
    ({ socket }) =>
      Effect.sync(() => {
        if (socket.readyState === socket.OPEN) socket.terminate()
      }),
    { interruptible: true }
  )

interface Sockets {
  readonly count: () => number
  readonly add: (socket: WebSocket) => void
  /** From here on the socket is closed with a farewell. */
  readonly proved: (socket: WebSocket, connection: Connection) => void
}

/** Every open socket. When the layer goes they get a moment to say farewell, then they are cut. */
const openSockets: Effect.Effect<Sockets, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => new Map<WebSocket, Connection | undefined>()),
    (sockets) =>
      Effect.forEach(sockets, ([socket, connection]) =>
        connection === undefined ? Effect.sync(() => socket.terminate()) : connection.close("the device stopped")
      ).pipe(Effect.andThen(allClosed(sockets)))
  ),
  (sockets) => ({
    count: () => sockets.size,
    add: (socket) => {
      sockets.set(socket, undefined)
      socket.once("close", () => sockets.delete(socket))
    },
    proved: (socket, connection) => {
      if (sockets.has(socket)) sockets.set(socket, connection)
    }
  })
)

const allClosed = (sockets: ReadonlyMap<WebSocket, unknown>): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const done = (): void => {
      clearTimeout(timer)
      for (const socket of sockets.keys()) socket.terminate()
      resume(Effect.void)
    }
    const timer = setTimeout(done, farewellMillis)
    const check = (): void => {
      if (sockets.size === 0) done()
    }
    for (const socket of sockets.keys()) socket.once("close", check)
    check()
  })

interface Inbound {
  readonly upgrade: (isOwn: boolean) => (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void
  readonly accept: Effect.Effect<Connection, never, Scope.Scope>
}

type Shake = (socket: WebSocket, request: http.IncomingMessage) => Effect.Effect<Connection, NetworkError, Scope.Scope>

/** From an HTTP upgrade to a proved connection that waits for `accept`. */
const inbound = Effect.fnUntraced(function* (
  options: TlsNetworkOptions,
  sockets: Sockets,
  shake: Shake
): Effect.fn.Return<Inbound, never, Scope.Scope> {
  const { connectionsMax = connectionsMaxDefault, handshakesMax = handshakesMaxDefault } = options
  const proved = Mailbox.make<{ readonly connection: Connection; readonly scope: Scope.Closeable }>({
    itemsMax: backlogMax,
    bytesMax: Infinity
  })
  const server = new WebSocketServer({ ...WebSocketDuplex.socketOptions, noServer: true, clientTracking: false })
  const layerScope = yield* Effect.scope
  const run = yield* FiberSet.makeRuntime<never>()
  const refused = refusals()
  let handshakes = 0

  const greet = (socket: WebSocket, request: http.IncomingMessage): Effect.Effect<void> =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(layerScope)
      const exit = yield* Effect.exit(Scope.provide(shake(socket, request), scope))
      if (Exit.isSuccess(exit)) {
        sockets.proved(socket, exit.value)
        proved.push({ connection: exit.value, scope }, 0)
        return
      }
      yield* Scope.close(scope, exit)
      yield* refused(exit.cause, request.socket.remoteAddress)
    }).pipe(Effect.ensuring(Effect.sync(() => handshakes--)))

  return {
    upgrade: (isOwn) => (request, socket, head) => {
      if ((request.url ?? "").split("?")[0] !== Address.channelPath) return isOwn ? turnAway(socket, 404) : undefined
      if (!isPrivateWire(request)) return turnAway(socket, 403)
      const isFull = handshakes >= handshakesMax || sockets.count() >= connectionsMax || !proved.hasRoom()
      if (isFull) return turnAway(socket, 503)
      server.handleUpgrade(request, socket, head, (opened) => {
        handshakes++
        sockets.add(opened)
        run(greet(WebSocketDuplex.hold(opened), request))
      })
    },
    accept: Effect.acquireRelease(Effect.orDie(proved.take), ({ scope }) => Scope.close(scope, Exit.void), {
      interruptible: true
    }).pipe(Effect.map(({ connection }) => connection))
  }
})

const refusedTotal = Metric.counter("aura_network_refused_total", { incremental: true })

/** Counts every one; tells of those that lied or broke the handshake, not of those that went away. */
const refusals = () => {
  let quietUntilMillis = 0
  let unsaid = 0
  return Effect.fnUntraced(function* (cause: Cause.Cause<NetworkError>, from: string | undefined) {
    yield* Metric.update(refusedTotal, 1)
    const error = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (error?.reason._tag !== "PeerRefused") return
    const now = yield* Clock.currentTimeMillis
    if (now < quietUntilMillis) return void unsaid++
    yield* Effect.annotateLogs(Effect.logWarning(`a connection was refused: ${error.message}`), {
      event: "security",
      from: from ?? "unknown",
      unsaid
    })
    quietUntilMillis = now + 1000
    unsaid = 0
  })
}

/** TLS, or no wire at all. */
const isPrivateWire = ({ socket }: http.IncomingMessage): boolean =>
  "encrypted" in socket || (isLoopback(socket.remoteAddress) && isLoopback(socket.localAddress))

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && Address.isLoopback(address.replace(/^::ffff:/u, ""))

const turnAway = (socket: Duplex, status: 403 | 404 | 503): void => {
  socket.on("error", () => undefined)
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** Starts our own listeners and adds the channel to those of others. */
const listen = Effect.fnUntraced(function* (options: TlsNetworkOptions, upgrade: Inbound["upgrade"]) {
  const request = options.request ?? ((_request, response) => void response.writeHead(404).end())
  const carriers: Array<http.Server | https.Server> = [...(options.servers ?? [])]
  let credentials: Credentials | undefined
  if (options.listen !== undefined) {
    const { authority, host, port } = options.listen
    const address = `${host}:${port}`
    const current = Effect.mapError(authority.credentials, ({ message }) => unavailable(address, message))
    credentials = yield* current
    const server = https.createServer({ ...tlsOptions(credentials), ...httpLimits }, request)
    carriers.push(yield* started(server, host, port))
    server.on("upgrade", upgrade(true))
    yield* Effect.forkScoped(renewal(server, authority, credentials))
  }
  if (options.plain !== undefined) {
    const server = http.createServer(httpLimits, request)
    carriers.push(yield* started(server, "127.0.0.1", options.plain.port))
    server.on("upgrade", upgrade(true))
  }
  for (const server of options.servers ?? []) {
    const listener = upgrade(false)
    server.on("upgrade", listener)
    yield* Effect.addFinalizer(() => Effect.sync(() => server.off("upgrade", listener)))
  }
  return { addresses: () => carriers.flatMap((carrier) => addressesOf(carrier, options, credentials)) }
})

const tlsOptions = ({ certificates, key }: Credentials): https.ServerOptions => ({
  cert: certificates,
  key: Redacted.value(key),
  minVersion: "TLSv1.3",
  secureOptions: constants.SSL_OP_NO_TICKET,
  handshakeTimeout: SecureConnection.handshakeMillis
})

/** A stranger that dawdles over its request loses it after ten seconds, give or take five. */
const httpLimits = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 5_000 }

const started = <Server extends http.Server | https.Server>(server: Server, host: string, port: number) =>
  Effect.acquireRelease(
    Effect.callback<Server, NetworkError>((resume) => {
      const onError = (error: Error): void => resume(Effect.fail(unavailable(`${host}:${port}`, error.message)))
      server.once("error", onError)
      server.listen(port, host, () => {
        server.off("error", onError)
        resume(Effect.succeed(server))
      })
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )

const renewal = (server: https.Server, authority: PrivateAuthority, first: Credentials): Effect.Effect<void> =>
  Effect.gen(function* () {
    let presented = first
    while (true) {
      yield* Effect.sleep(renewalMillis)
      const due = yield* authority.credentials
      if (due !== presented) server.setSecureContext(tlsOptions(due))
      presented = due
    }
  }).pipe(
    Effect.catch((error) => Effect.logError(`the server certificate was not renewed: ${error.message}`)),
    Effect.forever
  )

const addressesOf = (
  server: http.Server | https.Server,
  options: TlsNetworkOptions,
  credentials: Credentials | undefined
): ReadonlyArray<string> => {
  const bound = server.address()
  if (bound === null || typeof bound === "string") return []
  const { port } = bound
  if (!(server instanceof https.Server)) return [Address.format({ host: "127.0.0.1", port, isTls: false, pins: [] })]
  const hosts = options.advertise ?? hostsOf(bound)
  if (credentials === undefined) return hosts.map((host) => Address.format({ host, port, isTls: true, pins: [] }))
  const certificate = new X509Certificate(credentials.certificates)
  return hosts
    .filter((host) => covers(certificate, host))
    .map((host) => Address.format({ host, port, isTls: true, pins: [credentials.authorityPin] }))
}

/** Where a listener is reached: its own address, or every address of this machine and its name. */
const hostsOf = ({ address }: AddressInfo): ReadonlyArray<string> => {
  if (address !== "0.0.0.0" && address !== "::") return [address]
  const outside = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return [hostname(), ...outside.filter(({ internal }) => !internal).map((each) => each.address), "localhost"]
}

const unavailable = (address: string, what: string): NetworkError =>
  new NetworkError({ reason: new Unreachable({ address, what: `can't listen there: ${what}` }) })
