/** What a server answers over HTTP, on its own port and on the one for who runs it: probes, metrics, pages, events, and what it keeps to itself; over real sockets. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { connect } from "node:net"
import * as FrontDoor from "../../../src/cli/web/FrontDoor.ts"
import { histogramErrors, parse } from "./exposition.ts"
import { alice, ask, bob, eventsUntil, logged, pageHeaders, parsed, perform, server, type Server } from "./world.ts"

const secure = (world: Server) => `https://127.0.0.1:${world.tlsPort}`
const plain = (world: Server) => `http://127.0.0.1:${world.plainPort}`

const add = (world: Server, title: string) =>
  ask(`${plain(world)}/ui/operations`, {
    method: "POST",
    headers: pageHeaders(world.plainPort),
    body: JSON.stringify({ operation: "add", payload: { title } })
  })

describe("probes", () => {
  it.live("say that the process lives and that it is ready", () =>
    Effect.gen(function* () {
      const world = yield* server()
      for (const base of [secure(world), plain(world)]) {
        const health = yield* ask(`${base}/healthz`)
        assert.deepStrictEqual([health.status, parsed(health)], [200, { ok: true }])
      }
      const head = yield* ask(`${secure(world)}/healthz`, { method: "HEAD" })
      assert.deepStrictEqual([head.status, head.text], [200, ""])
    }).pipe(Effect.scoped)
  )

  it.live("leave readiness and metrics to the listener for who runs it", () =>
    Effect.gen(function* () {
      const world = yield* server()
      for (const path of ["/readyz", "/metrics"]) {
        for (const base of [secure(world), plain(world)]) {
          const answer = yield* ask(`${base}${path}`)
          assert.strictEqual(answer.status, 404)
          assert.notInclude(answer.text, "journal")
        }
        assert.strictEqual((yield* ask(`${world.management}${path}`)).status, 200)
      }
      const offered = parsed(yield* ask(`${secure(world)}/openapi.json`)) as { readonly paths: object }
      assert.sameMembers(Object.keys(offered.paths), ["/healthz", "/api/v1/operations", "/api/v1/decisions"])
    }).pipe(Effect.scoped)
  )

  it.live("say to a stranger that something is not ready, and not what", () =>
    Effect.gen(function* () {
      const checks = [{ name: "journal", ok: false, what: "JournalFull" }]
      const world = yield* server({ site: { ready: Effect.succeed({ ok: false, checks }) } })
      const page = (yield* ask(`${secure(world)}/`)).text
      assert.include(page, "not ready")
      assert.notInclude(page, "Journal")
    }).pipe(Effect.scoped)
  )

  it.live("tell a server that starts from one that is not there", () =>
    Effect.gen(function* () {
      const world = yield* server({ isOpen: false })
      assert.strictEqual((yield* ask(`${secure(world)}/healthz`)).status, 200)
      const page = yield* ask(`${secure(world)}/`)
      assert.deepStrictEqual([page.status, page.headers["retry-after"]], [503, "1"])
      const ready = yield* ask(`${world.management}/readyz`)
      assert.strictEqual(ready.status, 503)
      assert.include(ready.text, "the server is starting")
    }).pipe(Effect.scoped)
  )
})

describe("metrics", () => {
  it.live("have the promised names in a form that Prometheus reads", () =>
    Effect.gen(function* () {
      const world = yield* server()
      assert.strictEqual((yield* add(world, "milk")).status, 200)
      assert.strictEqual((yield* perform(world, bob, { operation: "nonsense", payload: {} })).status, 404)
      const answer = yield* ask(`${world.management}/metrics`)
      assert.strictEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const families = parse(answer.text)
      const byName = new Map(families.map((family) => [family.name, family]))
      const operations = byName.get("aura_operations_total")
      assert.strictEqual(operations?.type, "counter")
      assert.isTrue(
        operations?.samples.some(({ labels }) => labels["type"] === "tasks.add" && labels["outcome"] === "performed")
      )
      assert.strictEqual(byName.get("aura_operation_duration_seconds")?.type, "histogram")
      assert.strictEqual(byName.get("aura_peers_connected")?.type, "gauge")
      assert.deepStrictEqual(families.filter(({ type }) => type === "histogram").flatMap(histogramErrors), [])
      assert.notInclude(answer.text, alice.device)
      assert.notInclude(answer.text, world.replica.space)
    }).pipe(Effect.scoped)
  )
})

describe("the page", () => {
  it.live("shows a person at this machine what runs, who is a member and the state", () =>
    Effect.gen(function* () {
      const world = yield* server()
      yield* add(world, "<img src=x onerror=alert(1)> & milk")
      const page = yield* ask(`${plain(world)}/`)
      assert.strictEqual(page.status, 200)
      for (const part of ["tasks, version 1", alice.device, "Bob", "Carol", "not connected", 'data-operation="add"'])
        assert.include(page.text, part)
      assert.include(page.text, "<bdi>&#60;img src=x onerror=alert(1)&#62; &#38; milk</bdi>")
      assert.notInclude(page.text, "<img")
    }).pipe(Effect.scoped)
  )

  it.live("lets nothing run but its own script, and is neither framed nor kept", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const pages = [yield* ask(`${plain(world)}/`), yield* ask(`${plain(world)}/`), yield* ask(`${secure(world)}/`)]
      const nonces = pages.map(({ headers, text }) => {
        const policy = String(headers["content-security-policy"])
        const nonce = /script-src 'nonce-([\w-]+)'/u.exec(policy)?.[1] ?? ""
        assert.isAtLeast(nonce.length, 20)
        assert.include(policy, "default-src 'none'")
        assert.include(policy, "frame-ancestors 'none'")
        for (const [tag] of text.matchAll(/<(?:script|style)[^>]*>/gu)) assert.include(tag, `nonce="${nonce}"`)
        assert.notMatch(text, /\son\w+=|(?:src|href)="(?!data:,")|style="/u)
        assert.strictEqual(headers["cache-control"], "no-store")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.isUndefined(headers["server"])
        return nonce
      })
      assert.strictEqual(new Set(nonces).size, 3)
    }).pipe(Effect.scoped)
  )

  it.live("tells a stranger nothing of the space", () =>
    Effect.gen(function* () {
      const world = yield* server()
      yield* add(world, "milk")
      const page = yield* ask(`${secure(world)}/`)
      assert.strictEqual(page.status, 200)
      assert.include(page.text, "aura join CODE")
      for (const secret of [
        "tasks",
        "milk",
        "Bob",
        alice.device.slice(0, 10),
        world.replica.space.slice(0, 10),
        "<script"
      ])
        assert.notInclude(page.text, secret)
      for (const path of ["/ui/events", "/ui/operations", "/ui/pairing"]) {
        const answer = yield* ask(`${secure(world)}${path}`, { method: path === "/ui/events" ? "GET" : "POST" })
        assert.strictEqual(answer.status, 404)
      }
    }).pipe(Effect.scoped)
  )

  it.live("changes while it is open, and only where something changed", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const reading = yield* Effect.forkChild(
        eventsUntil(`${plain(world)}/ui/events`, (text) => text.includes("bread"))
      )
      yield* Effect.sleep("50 millis")
      yield* add(world, "bread")
      const [first = "", second = ""] = (yield* Effect.timeout(Fiber.join(reading), "5 seconds"))
        .split("\n\n")
        .filter((event) => event.includes("data: "))
      assert.include(first, "retry: 1000")
      assert.include(first, '"members"')
      assert.include(second, "bread")
      assert.notInclude(second, '"members"')
    }).pipe(Effect.scoped)
  )

  it.live("performs operations and makes codes for its own origin", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const added = yield* add(world, "milk")
      assert.strictEqual(added.status, 200)
      const empty = yield* add(world, "  ")
      assert.deepStrictEqual(
        [empty.status, parsed(empty)],
        [
          422,
          {
            type: "about:blank",
            title: "Unprocessable Content",
            status: 422,
            code: "TitleEmpty",
            detail: "a task needs a title"
          }
        ]
      )
      const paired = yield* ask(`${plain(world)}/ui/pairing`, {
        method: "POST",
        headers: pageHeaders(world.plainPort),
        body: "{}"
      })
      assert.strictEqual(paired.status, 200)
      assert.match(paired.text, /"code":"aura-[0-9A-Z-]{20,}@/u)
    }).pipe(Effect.scoped)
  )

  it.live("is refused to other sites, other names and other hands", () =>
    Effect.gen(function* () {
      const log = logged()
      const world = yield* server().pipe(Effect.provide(log.layer))
      const good = pageHeaders(world.plainPort)
      const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
      const cases: ReadonlyArray<
        readonly [name: string, path: string, method: string, headers: Readonly<Record<string, string>>]
      > = [
        ["a rebound name", "/", "GET", { host: `evil.example:${world.plainPort}` }],
        ["a rebound name on another port", "/", "GET", { host: "127.0.0.1:1" }],
        ["no port", "/", "GET", { host: "localhost" }],
        ["a page that embeds it", "/", "GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
        ["the API under a rebound name", "/openapi.json", "GET", { host: `evil.example:${world.plainPort}` }],
        ["events from another site", "/ui/events", "GET", { "sec-fetch-site": "same-site" }],
        ["events from another origin", "/ui/events", "GET", { origin: "http://localhost:3000" }],
        ["an action of another origin", "/ui/operations", "POST", { ...good, origin: "http://127.0.0.1:3000" }],
        ["an action without an origin", "/ui/operations", "POST", without("origin")],
        ["an action without our header", "/ui/operations", "POST", without("aura-page")],
        ["an action of another site", "/ui/operations", "POST", { ...good, "sec-fetch-site": "same-site" }],
        ["an action from a sandbox", "/ui/operations", "POST", { ...good, origin: "null" }],
        ["a code for another origin", "/ui/pairing", "POST", { ...good, origin: "https://evil.example" }]
      ]
      for (const [name, path, method, headers] of cases) {
        const body = method === "POST" ? { body: JSON.stringify({ operation: "add", payload: { title: "evil" } }) } : {}
        const answer = yield* ask(`${plain(world)}${path}`, { method, headers, ...body })
        assert.strictEqual(answer.status, 403, name)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json", name)
        assert.isUndefined(answer.headers["access-control-allow-origin"], name)
      }
      assert.notInclude((yield* ask(`${plain(world)}/`)).text, "evil")
      assert.strictEqual(log.lines.filter((line) => line.includes("security event")).length, cases.length)
    }).pipe(Effect.scoped)
  )

  it.live("opens under every name of this machine, and for a link from elsewhere", () =>
    Effect.gen(function* () {
      const world = yield* server()
      for (const headers of [
        { host: `localhost:${world.plainPort}` },
        { host: `[::1]:${world.plainPort}` },
        { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
        { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }
      ])
        assert.strictEqual((yield* ask(`${plain(world)}/`, { headers })).status, 200)
    }).pipe(Effect.scoped)
  )
})

describe("a request that nobody should send", () => {
  it.live("is answered with a problem", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const json = pageHeaders(world.plainPort)
      const cases: ReadonlyArray<
        readonly [
          path: string,
          method: string,
          body: string | undefined,
          headers: Readonly<Record<string, string>>,
          status: number
        ]
      > = [
        ["/nothing", "GET", undefined, {}, 404],
        ["/../etc/passwd", "GET", undefined, {}, 404],
        ["/ui", "GET", undefined, {}, 404],
        ["/constructor", "GET", undefined, {}, 404],
        ["/__proto__", "GET", undefined, {}, 404],
        ["/", "POST", "{}", {}, 405],
        ["/healthz", "DELETE", undefined, {}, 405],
        ["/api/v1/operations", "GET", undefined, {}, 405],
        ["/ui/operations", "OPTIONS", undefined, json, 405],
        ["/ui/operations", "POST", "{}", { ...json, "content-type": "text/plain" }, 415],
        ["/ui/operations", "POST", "{", json, 400],
        ["/ui/operations", "POST", "\ufffd\ud800", json, 400],
        ["/ui/operations", "POST", '{"operation":"add"}', json, 400],
        ["/ui/operations", "POST", '{"operation":"add","payload":{"title":"x"},"Key":"k"}', json, 400],
        ["/ui/operations", "POST", '{"operation":"nothing","payload":{}}', json, 404],
        ["/ui/operations", "POST", '{"operation":"__proto__","payload":{}}', json, 404],
        ["/ui/operations", "POST", '{"operation":"add","payload":{"title":7}}', json, 422],
        ["/ui/operations", "POST", '{"operation":"complete","payload":{"id":"none"}}', json, 422],
        [
          "/ui/operations",
          "POST",
          `{"operation":"add","payload":{"title":"${"x".repeat(FrontDoor.bodyBytesMax)}"}}`,
          json,
          413
        ]
      ]
      for (const [path, method, body, headers, status] of cases) {
        const answer = yield* ask(`${plain(world)}${path}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body })
        })
        const what = `${method} ${path} ${body?.slice(0, 60) ?? ""}`
        assert.strictEqual(answer.status, status, what)
        assert.strictEqual(answer.headers["content-type"], "application/problem+json", what)
        assert.notMatch(answer.text, /node_modules|\.ts|Error:|effect\//u, what)
      }
      const wrong = yield* ask(`${plain(world)}/`, { method: "PUT" })
      assert.strictEqual(wrong.headers["allow"], "GET, HEAD")
    }).pipe(Effect.scoped)
  )

  it.live("is cut off when its body grows past the limit without saying so", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const text = yield* Effect.callback<string>((resume) => {
        let received = ""
        const socket = connect(world.plainPort, "127.0.0.1", () => {
          const headers = Object.entries({
            ...pageHeaders(world.plainPort),
            host: `127.0.0.1:${world.plainPort}`,
            "transfer-encoding": "chunked"
          })
          socket.write(
            `POST /ui/operations HTTP/1.1\r\n${headers.map(([key, value]) => `${key}: ${value}\r\n`).join("")}\r\n`
          )
          for (let sent = 0; sent <= FrontDoor.bodyBytesMax; sent += 1024)
            socket.write(`400\r\n${"x".repeat(1024)}\r\n`)
        })
        socket.on("data", (chunk: Buffer) => {
          received += chunk.toString()
          socket.destroy()
          resume(Effect.succeed(received))
        })
        socket.on("error", () => undefined)
      }).pipe(Effect.timeout("5 seconds"))
      assert.match(text, /^HTTP\/1\.1 413 /u)
    }).pipe(Effect.scoped)
  )
})
