/** Alice's server with its real listeners on loopback, and clients that ask it whatever they like. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { mkdtempSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { app } from "../../../examples/tasks/app.ts"
import * as FrontDoor from "../../../src/cli/web/FrontDoor.ts"
import * as Management from "../../../src/cli/web/Management.ts"
import * as Readiness from "../../../src/cli/web/Readiness.ts"
import * as SignedRequest from "../../../src/cli/web/SignedRequest.ts"
import type { Site } from "../../../src/cli/web/Site.ts"
import { JournalStore } from "../../../src/effects/JournalStore.ts"
import { Keys } from "../../../src/effects/Keys.ts"
import { Time } from "../../../src/effects/Time.ts"
import { Verifier } from "../../../src/effects/Verifier.ts"
import * as ClockTime from "../../../src/handlers/memory/ClockTime.ts"
import * as MemoryJournal from "../../../src/handlers/memory/MemoryJournal.ts"
import * as MemoryKeys from "../../../src/handlers/memory/MemoryKeys.ts"
import * as MemoryStorage from "../../../src/handlers/memory/MemoryStorage.ts"
import * as MemorySecretStore from "../../../src/handlers/memory/MemorySecretStore.ts"
import * as NodeVerifier from "../../../src/handlers/node/NodeVerifier.ts"
import * as PrivateAuthority from "../../../src/handlers/node/PrivateAuthority.ts"
import * as TlsNetwork from "../../../src/handlers/node/TlsNetwork.ts"
import type { DeviceId } from "../../../src/identity/Id.ts"
import * as RecoveryWords from "../../../src/identity/RecoveryWords.ts"
import * as EffectTelemetry from "../../../src/observability/EffectTelemetry.ts"
import * as Agent from "../../../src/runtime/Agent.ts"
import { authorityWrite } from "../../../src/runtime/Write.ts"
import * as PairingCode from "../../../src/sync/PairingCode.ts"
import { capability } from "../../../src/trust/Capability.ts"
import * as Right from "../../../src/trust/Right.ts"

export const alice = MemoryKeys.make({ seed: new Uint8Array(32).fill(1) })
export const bob = MemoryKeys.make({ seed: new Uint8Array(32).fill(2) })
export const carol = MemoryKeys.make({ seed: new Uint8Array(32).fill(3) })
export const mallory = MemoryKeys.make({ seed: new Uint8Array(32).fill(4) })

const root = RecoveryWords.rootOf(Result.getOrThrow(RecoveryWords.seed(RecoveryWords.make(new Uint8Array(32).fill(9)))))

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aura-web-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

export interface Options {
  /** False: the door stays closed, as it is while a server starts. */
  readonly isOpen?: boolean
  readonly site?: Partial<Site>
}

/** Alice runs the task list; Bob is a member with all rights, Carol one that may write one task only. */
export const server = Effect.fnUntraced(function* (options: Options = {}) {
  const door = yield* FrontDoor.make
  const management = yield* Management.make("127.0.0.1:0")
  const directory = yield* temporaryDirectory
  const authority = yield* PrivateAuthority.open({ directory: join(directory, "tls"), names: [] })
  const effects = Layer.mergeAll(
    MemoryJournal.layer(),
    MemorySecretStore.layer,
    Layer.succeed(Keys, alice),
    NodeVerifier.layer,
    ClockTime.layer(),
    SecureRandom.layerWebCrypto,
    EffectTelemetry.layer
  )
  const network = TlsNetwork.layer({
    listen: { host: "127.0.0.1", port: 0, authority },
    plain: { port: 0 },
    request: door.listener
  })
  const services = yield* Layer.build(Agent.layer.pipe(Layer.provideMerge(network), Layer.provideMerge(effects)))
  return yield* Effect.gen(function* () {
    const agent = yield* Agent.Agent
    const store = yield* JournalStore
    const time = yield* Time
    const replica = yield* agent.createSpace(root, app.definition)
    yield* replica.write(
      authorityWrite([...admitted(bob, "Bob", "*"), ...admitted(carol, "Carol", "task:write/tasks/x")])
    )
    const readiness = yield* Readiness.watch({
      store,
      storage: MemoryStorage.make(),
      keys: alice,
      time,
      space: replica.space
    })
    const site: Site = {
      agent,
      replica,
      store,
      time,
      app,
      verifier: yield* Verifier,
      ready: readiness.told,
      pair: agent.pair(replica.space, [right("*")], agent.addresses()[0] ?? "").pipe(Effect.map(PairingCode.encode)),
      facts: [{ name: "Data", text: directory }],
      startedMillis: time.now().millis,
      ...options.site
    }
    if (options.isOpen !== false) {
      yield* door.open(site)
      management.open({ ready: readiness.now, gauges: () => ({ peers: agent.links().length, quarantined: 0 }) })
    }
    const [secure, plain] = agent.addresses()
    return {
      door,
      management: String(management.address),
      site,
      replica,
      services,
      tlsPort: portOf(secure),
      plainPort: portOf(plain)
    }
  }).pipe(Effect.provide(services))
})

export type Server = Effect.Success<ReturnType<typeof server>>

const right = (text: string) => Right.make(capability(text))

const admitted = (keys: Keys["Service"], name: string, may: string) => [
  { _tag: "Admit" as const, device: keys.device, box: keys.box, name },
  { _tag: "Grant" as const, device: keys.device, rights: [right(may)] }
]

const portOf = (address: string | undefined): number => Number(/:(\d+)(?:$|\?)/u.exec(address ?? "")?.[1])

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Asks with exactly these headers; `url` names scheme and port. */
export const ask = (url: string, { body, headers, method = "GET" }: Ask = {}): Effect.Effect<Answer> =>
  Effect.callback((resume, signal) => {
    const options = { method, headers: { ...headers }, signal, agent: false as const, rejectUnauthorized: false }
    const request = (url.startsWith("https:") ? https : http).request(url, options, (response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        resume(
          Effect.succeed({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString()
          })
        )
      )
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end(body)
  })

export const parsed = (answer: Answer): unknown => JSON.parse(answer.text)

/** An operation asked for by a device over TLS; what is sent can differ from what was signed. */
export const perform = (
  world: Server,
  keys: Keys["Service"],
  body: unknown,
  how: {
    readonly target?: DeviceId
    readonly sent?: string
    readonly headers?: (signed: Readonly<Record<string, string>>) => Readonly<Record<string, string>>
  } = {}
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const url = `https://127.0.0.1:${world.tlsPort}/api/v1/operations`
    const text = JSON.stringify(body)
    const signed = yield* SignedRequest.signRequest(keys, {
      method: "POST",
      url,
      body: new TextEncoder().encode(text),
      target: how.target ?? alice.device
    })
    const headers = { ...(how.headers?.(signed) ?? signed), "content-type": "application/json" }
    return yield* ask(url, { method: "POST", headers, body: how.sent ?? text })
  }).pipe(Effect.provide(world.services), Effect.orDie)

/** A path that a device asks for over TLS, signed. */
export const askSigned = (
  world: Server,
  keys: Keys["Service"],
  path: string,
  how: { readonly sentPath?: string } = {}
): Effect.Effect<Answer> =>
  Effect.gen(function* () {
    const base = `https://127.0.0.1:${world.tlsPort}`
    const request = { method: "GET", url: `${base}${path}`, body: new Uint8Array(), target: alice.device }
    const headers = yield* SignedRequest.signRequest(keys, request)
    return yield* ask(`${base}${how.sentPath ?? path}`, { headers })
  }).pipe(Effect.provide(world.services), Effect.orDie)

/** Collects what is logged; provide `layer` around the server. */
export const logged = () => {
  const lines: Array<string> = []
  const collect = Logger.make(({ fiber, logLevel, message }) => {
    lines.push(`${logLevel} ${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
  })
  return { lines, layer: Logger.layer([collect]) }
}

/** The page's own way to ask: same origin, with the header that its script sets. */
export const pageHeaders = (port: number): Readonly<Record<string, string>> => ({
  origin: `http://127.0.0.1:${port}`,
  "sec-fetch-site": "same-origin",
  "content-type": "application/json",
  "aura-page": "1"
})

/** Reads server-sent events until `isEnough` says so of everything that came; ends the connection then. */
export const eventsUntil = (url: string, isEnough: (text: string) => boolean): Effect.Effect<string> =>
  Effect.callback((resume, signal) => {
    let text = ""
    const request = http.get(url, { signal, agent: false }, (response) => {
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString()
        if (!isEnough(text)) return
        response.destroy()
        resume(Effect.succeed(text))
      })
      response.on("error", () => undefined)
    })
    request.on("error", (error) => resume(Effect.die(error)))
  })
