/** The laws of every Network over real sockets on loopback; then certificates, people in the middle, strangers, endings. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import type * as net from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import * as tls from "node:tls"
import { WebSocket } from "ws"
import { networkLaws, NetworkWorld } from "../../src/conformance/NetworkLaws.ts"
import { Keys } from "../../src/effects/Keys.ts"
import { Network } from "../../src/effects/Network.ts"
import * as MemoryKeys from "../../src/handlers/memory/MemoryKeys.ts"
import * as NodeVerifier from "../../src/handlers/node/NodeVerifier.ts"
import * as PrivateAuthority from "../../src/handlers/node/PrivateAuthority.ts"
import * as TlsNetwork from "../../src/handlers/node/TlsNetwork.ts"
import * as Address from "../../src/handlers/shared/Address.ts"

const authority = (names: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-network-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    return yield* PrivateAuthority.open({ directory: join(directory, "tls"), names })
  })

/** A device with the network of these options; ends with the scope. */
const member = (seed: number, options: TlsNetwork.TlsNetworkOptions) =>
  Effect.gen(function* () {
    const keys = MemoryKeys.make({ seed: new Uint8Array(32).fill(seed) })
    const context = yield* Layer.build(
      TlsNetwork.layer(options).pipe(Layer.provide([Layer.succeed(Keys, keys), NodeVerifier.layer]))
    )
    return { device: keys.device, network: Context.get(context, Network) }
  })

const listener = (seed: number, more: Partial<TlsNetwork.TlsNetworkOptions> = {}) =>
  Effect.gen(function* () {
    const made = yield* authority()
    const bob = yield* member(seed, { listen: { host: "127.0.0.1", port: 0, authority: made }, ...more })
    return { ...bob, authority: made, address: bob.network.addresses()[0]! }
  })

const world = (addressOf: (network: Network["Service"]) => string, more: Partial<TlsNetwork.TlsNetworkOptions> = {}) =>
  Layer.effect(
    NetworkWorld,
    Effect.gen(function* () {
      const bob = yield* listener(2, more)
      const pin = Address.parse(bob.address)
      return {
        alice: yield* member(1, {}),
        bob: { ...bob, address: addressOf(bob.network) },
        carol: yield* member(3, {}),
        deserted: "aura://127.0.0.1:1",
        nonsense: pin._tag === "Success" ? "aura://127.0.0.1" : ""
      }
    })
  )

describe("TlsNetwork with a pin", () => {
  for (const { check, name } of networkLaws) {
    it.live(name, () =>
      Effect.provide(
        check,
        world((network) => network.addresses()[0]!)
      )
    )
  }
})

describe("TlsNetwork over loopback without TLS", () => {
  for (const { check, name } of networkLaws) {
    it.live(name, () =>
      Effect.provide(
        check,
        world((network) => network.addresses()[1]!, { plain: { port: 0 } })
      )
    )
  }
})

const refusalOf = <A, E extends { readonly reason: { readonly _tag: string }; readonly message: string }, R>(
  effect: Effect.Effect<A, E, R>
) => Effect.map(Effect.flip(effect), ({ message, reason }) => `${reason._tag}: ${message}`)

const withoutPin = (address: string) => address.split("?")[0]!

describe("what TlsNetwork makes of a certificate", () => {
  it.live("connects without a pin only towards an expected device, and to no other", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const alice = yield* member(1, {})
      const address = withoutPin(bob.address)
      assert.include(yield* refusalOf(alice.network.connect(address)), "AddressInvalid")
      assert.include(yield* refusalOf(alice.network.connect(address, alice.device)), "PeerRefused")
      const [ours] = yield* Effect.all([alice.network.connect(address, bob.device), bob.network.accept], {
        concurrency: 2
      })
      assert.strictEqual(ours.peer, bob.device)
      const [asked] = yield* Effect.all(
        [alice.network.connect(address, (device) => device === bob.device), bob.network.accept],
        { concurrency: 2 }
      )
      assert.strictEqual(asked.peer, bob.device)
    }).pipe(Effect.scoped)
  )

  it.live("refuses another authority than the pinned one, though the device behind it is the right one", () =>
    Effect.gen(function* () {
      const [bob, other] = [yield* listener(2), yield* listener(2)]
      const alice = yield* member(1, {})
      const [, pin] = other.address.split("?")
      assert.include(
        yield* refusalOf(alice.network.connect(`${withoutPin(bob.address)}?${pin}`, bob.device)),
        "its certificate is not under the pinned authority"
      )
      // Known by now, the pinned authority is the only root, and OpenSSL refuses.
      yield* Effect.all([alice.network.connect(other.address), other.network.accept], { concurrency: 2 })
      assert.include(
        yield* refusalOf(alice.network.connect(`${withoutPin(bob.address)}?${pin}`, bob.device)),
        "PeerRefused"
      )
    }).pipe(Effect.scoped)
  )

  it.live("refuses a certificate that does not name the host, pin or not", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const alice = yield* member(1, {})
      // 127.0.0.2 is this machine as well, and not in the certificate.
      const made = yield* member(4, {
        listen: { host: "127.0.0.2", port: 0, authority: bob.authority },
        advertise: ["127.0.0.1"]
      })
      const elsewhere = made.network.addresses()[0]!.replace("127.0.0.1", "127.0.0.2")
      const reason = yield* refusalOf(alice.network.connect(elsewhere, made.device))
      assert.include(reason, "PeerRefused")
      assert.include(reason, "127.0.0.2")
    }).pipe(Effect.scoped)
  )

  it.live("speaks nothing older than TLS 1.3, on either side", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const port = Number(/:(\d+)\?/u.exec(bob.address)?.[1])
      const attempt = (maxVersion: tls.SecureVersion) =>
        Effect.promise(
          () =>
            new Promise<string>((resolve) => {
              const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, maxVersion })
              socket.on("secureConnect", () => (resolve(socket.getProtocol() ?? ""), socket.destroy()))
              socket.on("error", (error) => resolve(String(error)))
            })
        )
      assert.strictEqual(yield* attempt("TLSv1.3"), "TLSv1.3")
      assert.include(yield* attempt("TLSv1.2"), "alert protocol version")

      const { certificates, key } = yield* bob.authority.credentials
      const old = yield* started(
        https.createServer({ cert: certificates, key: Redacted.value(key), maxVersion: "TLSv1.2" })
      )
      const alice = yield* member(1, {})
      const [, pin] = bob.address.split("?")
      assert.include(yield* refusalOf(alice.network.connect(`aura://127.0.0.1:${old}?${pin}`)), "PeerRefused")
    }).pipe(Effect.scoped)
  )
})

/** A server on a free port of 127.0.0.1 for the length of the scope; hands out the port. */
const started = (server: net.Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address()
        resume(Effect.succeed(typeof bound === "object" && bound !== null ? bound.port : 0))
      })
    }),
    () => Effect.sync(() => (server.close(), undefined))
  )

/**
 *     Alice ══ TLS, another certificate ══ Mallory ══ TLS ══ Bob
 *
 * She ends the TLS of both sides and copies bytes, keeping what she sees and changing what she likes.
 */
const mallory = (targetPort: number, change: (bytes: Buffer, seen: number) => Buffer = (bytes) => bytes) =>
  Effect.gen(function* () {
    const { credentials } = yield* authority()
    const { certificates, key } = yield* credentials
    const seen: Array<Buffer> = []
    const server = tls.createServer({ cert: certificates, key: Redacted.value(key) }, (towardsAlice) => {
      const towardsBob = tls.connect({ host: "127.0.0.1", port: targetPort, rejectUnauthorized: false })
      const relay = (from: tls.TLSSocket, to: tls.TLSSocket) => {
        from.on("data", (bytes) => {
          seen.push(bytes)
          to.write(change(bytes, Buffer.concat(seen).length))
        })
        from.on("error", () => to.destroy())
        from.on("close", () => to.destroy())
      }
      relay(towardsAlice, towardsBob)
      relay(towardsBob, towardsAlice)
    })
    return { port: yield* started(server), seen, pin: (yield* credentials).authorityPin }
  })

const portOf = (address: string) => Number(/:(\d+)/u.exec(address.replace(/^\w+:\/\//u, ""))?.[1])

describe("a man in the middle who ends TLS with another certificate", () => {
  it.live("is refused at once by whoever knows the pin", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const alice = yield* member(1, {})
      const { port, seen } = yield* mallory(portOf(bob.address))
      const [, pin] = bob.address.split("?")
      assert.include(
        yield* refusalOf(alice.network.connect(`aura://127.0.0.1:${port}?${pin}`, bob.device)),
        "PeerRefused"
      )
      assert.isEmpty(seen)
    }).pipe(Effect.scoped)
  )

  it.live("is noticed without a pin, because the two ends are bound to different TLS", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const alice = yield* member(1, {})
      const { port, seen } = yield* mallory(portOf(bob.address))
      const reason = yield* refusalOf(alice.network.connect(`aura://127.0.0.1:${port}`, bob.device))
      assert.include(reason, "the outer TLS of the two ends is not the same")
      assert.notInclude(Buffer.concat(seen).toString("hex"), alice.device)
    }).pipe(Effect.scoped)
  )

  const secret = Buffer.from("the secret that Alice tells Bob, and nobody else")

  it.live("reads nothing where the ends don't look at TLS: only sealed bytes go by", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2, { bindTls: false })
      const alice = yield* member(1, { bindTls: false })
      const { port, seen } = yield* mallory(portOf(bob.address))
      const [ours, theirs] = yield* Effect.all(
        [alice.network.connect(`aura://127.0.0.1:${port}`, bob.device), bob.network.accept],
        { concurrency: 2 }
      )
      yield* ours.send(secret)
      assert.deepStrictEqual(Buffer.from(yield* theirs.receive), secret)
      const all = Buffer.concat(seen)
      for (const hidden of [
        secret,
        Buffer.from(alice.device, "hex"),
        Buffer.from(bob.device, "hex"),
        ours.channelKey
      ]) {
        assert.isFalse(all.includes(Buffer.from(hidden)))
      }
    }).pipe(Effect.scoped)
  )

  it.live("forges nothing: a changed byte ends the connection", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2, { bindTls: false })
      const alice = yield* member(1, { bindTls: false })
      let armed = false
      const { port } = yield* mallory(portOf(bob.address), (bytes) => {
        if (!armed) return bytes
        armed = false
        const changed = Buffer.from(bytes)
        changed[changed.length - 1]! ^= 1
        return changed
      })
      const [ours, theirs] = yield* Effect.all(
        [alice.network.connect(`aura://127.0.0.1:${port}`, bob.device), bob.network.accept],
        { concurrency: 2 }
      )
      armed = true
      yield* ours.send(secret)
      assert.include((yield* Effect.flip(theirs.receive)).message, "a frame does not open")
      assert.include((yield* Effect.flip(ours.receive)).message, "connection closed")
    }).pipe(Effect.scoped)
  )

  it.live("may be a proxy that only one end knows of: the server that states no binding is reached through it", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2, { bindTls: false })
      const alice = yield* member(1, {})
      const proxy = yield* mallory(portOf(bob.address))
      const [ours] = yield* Effect.all(
        [alice.network.connect(`aura://127.0.0.1:${proxy.port}?pin=${proxy.pin}`, bob.device), bob.network.accept],
        { concurrency: 2 }
      )
      assert.strictEqual(ours.peer, bob.device)
    }).pipe(Effect.scoped)
  )
})

/** A bare WebSocket without any device behind it. */
const stranger = (address: string, path = Address.channelPath) =>
  Effect.acquireRelease(
    Effect.callback<WebSocket, string>((resume) => {
      const url = `${address.replace(/^aura/u, "wss").split("?")[0]}${path}`
      const socket = new WebSocket(url, { rejectUnauthorized: false })
      socket.on("open", () => resume(Effect.succeed(socket)))
      socket.on("error", (error) => resume(Effect.fail(error.message)))
    }),
    (socket) => Effect.sync(() => socket.terminate())
  )

const closing = (socket: WebSocket) =>
  Effect.callback<number>((resume) => {
    if (socket.readyState === socket.CLOSED) return resume(Effect.succeed(0))
    socket.on("close", (code) => resume(Effect.succeed(code)))
  })

describe("a stranger at TlsNetwork's door", () => {
  it.live("is cut off for text, for noise, for too much and for another version, and told of in the log", () => {
    const lines: Array<string> = []
    const capture = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function* () {
      const bob = yield* listener(2)
      for (const message of ["hello", Buffer.from([1, 2, 3]), Buffer.alloc(600), Buffer.alloc(520), Buffer.from([9])]) {
        const socket = yield* stranger(bob.address)
        socket.send(message)
        yield* closing(socket)
      }
      const tooMuch = yield* stranger(bob.address)
      tooMuch.send(Buffer.alloc(1024 * 1024))
      assert.strictEqual(yield* closing(tooMuch), 1009)
      // One line a second at most, whatever strangers do.
      assert.isAtLeast(lines.length, 1)
      assert.isAtMost(lines.length, 3)
      assert.include(lines[0], "handshake message is cut short")
      // And Bob serves on.
      const alice = yield* member(1, {})
      const [, atBob] = yield* Effect.all([alice.network.connect(bob.address), bob.network.accept], { concurrency: 2 })
      assert.strictEqual(atBob.peer, alice.device)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([capture])))
  })

  it.live("takes one of a limited number of places while it proves nothing", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2, { handshakesMax: 2 })
      const first = yield* stranger(bob.address)
      yield* stranger(bob.address)
      assert.include(yield* Effect.flip(stranger(bob.address)), "503")
      first.terminate()
      yield* Effect.retry(stranger(bob.address), { times: 100, schedule: Schedule.spaced(10) })
    }).pipe(Effect.scoped)
  )

  it.live("finds no channel at another path, and the pages of the server at theirs", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2, { request: (_request, response) => void response.end("a page") })
      assert.include(yield* Effect.flip(stranger(bob.address, "/elsewhere")), "404")
      const { authority: ca } = yield* bob.authority.credentials
      const page = yield* Effect.promise(
        () =>
          new Promise<string>((resolve, reject) => {
            https
              .get(`https://127.0.0.1:${portOf(bob.address)}/`, { ca, agent: false }, (response) => {
                response.setEncoding("utf8").on("data", resolve)
              })
              .on("error", reject)
          })
      )
      assert.strictEqual(page, "a page")
    }).pipe(Effect.scoped)
  )

  it.live("is not served without TLS from another machine", () =>
    Effect.gen(function* () {
      // What a proxy on another address would send: the same server, reached over an address that is not loopback.
      const outside = Object.values(networkInterfaces())
        .flatMap((each) => each ?? [])
        .find(({ family, internal }) => !internal && family === "IPv4")
      const server = http.createServer()
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void server.listen(0, "0.0.0.0", () => resume(Effect.void))),
        () => Effect.sync(() => (server.close(), server.closeAllConnections()))
      )
      yield* member(2, { servers: [server] })
      const bound = server.address()
      const port = typeof bound === "object" && bound !== null ? bound.port : 0
      yield* stranger(`ws://127.0.0.1:${port}`)
      if (outside !== undefined) {
        assert.include(yield* Effect.flip(stranger(`ws://${outside.address}:${port}`)), "403")
      }
    }).pipe(Effect.scoped)
  )
})

describe("TlsNetwork's life", () => {
  it.live("carries the channel on a server that somebody else made, and leaves that server alone afterwards", () =>
    Effect.gen(function* () {
      const made = yield* authority()
      const { certificates, key } = yield* made.credentials
      const server = https.createServer(
        { cert: certificates, key: Redacted.value(key), minVersion: "TLSv1.3" },
        (_, response) => {
          response.end()
        }
      )
      const port = yield* started(server)
      const bobsLife = yield* Scope.make()
      const bob = yield* Scope.provide(member(2, { servers: [server], advertise: ["127.0.0.1"] }), bobsLife)
      assert.deepStrictEqual(bob.network.addresses(), [`aura://127.0.0.1:${port}`])
      const alice = yield* member(1, {})
      const [ours] = yield* Effect.all(
        [alice.network.connect(`127.0.0.1:${port}`, bob.device), Scope.provide(bob.network.accept, bobsLife)],
        { concurrency: 2 }
      )
      yield* Scope.close(bobsLife, Exit.void)
      assert.include((yield* Effect.flip(ours.receive)).message, "connection closed")
      assert.isTrue(server.listening)
      assert.strictEqual(server.listenerCount("upgrade"), 0)
    }).pipe(Effect.scoped)
  )

  it.live("says farewell to everybody when it stops, and frees its port", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const alicesLife = yield* Scope.make()
      const alice = yield* Scope.provide(member(1, {}), alicesLife)
      const accepting = yield* Effect.forkChild(bob.network.accept)
      yield* alice.network.connect(bob.address)
      const theirs = yield* Fiber.join(accepting)
      yield* Scope.close(alicesLife, Exit.void)
      assert.include((yield* Effect.flip(theirs.receive)).message, 'the peer closed it: "the device stopped"')
    }).pipe(Effect.scoped)
  )

  it.live("says what is in the way when it can't listen", () =>
    Effect.gen(function* () {
      const bob = yield* listener(2)
      const reason = yield* refusalOf(
        member(3, { listen: { host: "127.0.0.1", port: portOf(bob.address), authority: bob.authority } })
      )
      assert.include(reason, "can't listen there")
      assert.include(reason, "EADDRINUSE")
    }).pipe(Effect.scoped)
  )

  it.live("only advertises hosts that its certificate names", () =>
    Effect.gen(function* () {
      const made = yield* authority(["aura.example.org"])
      const bob = yield* member(2, {
        listen: { host: "127.0.0.1", port: 0, authority: made },
        advertise: ["aura.example.org", "elsewhere.example.org", "::1"]
      })
      const { authorityPin } = yield* made.credentials
      assert.deepStrictEqual(
        bob.network.addresses().map((address) => address.replace(/:\d+\?/u, ":PORT?")),
        [`aura://aura.example.org:PORT?pin=${authorityPin}`, `aura://[::1]:PORT?pin=${authorityPin}`]
      )
    }).pipe(Effect.scoped)
  )
})
