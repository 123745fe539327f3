/**
 * Operations asked for by devices over TLS, each request signed with the device's key:
 *
 *     Alice runs the server      Bob: "*"      Carol: task:write/tasks/x      Mallory: nobody
 *
 * Who may do what there, and what nobody may: replay, redirect, alter, backdate, or ask in another's name.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import { app } from "../../../examples/tasks/app.ts"
import * as NonceBook from "../../../src/cli/web/NonceBook.ts"
import * as SignedRequest from "../../../src/cli/web/SignedRequest.ts"
import { Time } from "../../../src/effects/Time.ts"
import * as ClockTime from "../../../src/handlers/memory/ClockTime.ts"
import { authorityWrite } from "../../../src/runtime/Write.ts"
import * as Operations from "../../../src/runtime/Operations.ts"
import * as Authority from "../../../src/trust/Authority.ts"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { alice, ask, bob, carol, logged, mallory, parsed, perform, server, type Answer, type Server } from "./world.ts"

const add = (title: string, key?: string) => ({
  operation: "add",
  payload: { title },
  ...(key === undefined ? {} : { key })
})

const titles = (world: Server) =>
  [...Operations.state(world.replica, app).tasks.values()].map(({ title }) => title).sort()

const detailOf = (answer: Answer): string => {
  assert.strictEqual(answer.headers["content-type"], "application/problem+json")
  const problem = parsed(answer)
  return typeof problem === "object" && problem !== null && "detail" in problem ? String(problem.detail) : ""
}

const url = (world: Server) => `https://127.0.0.1:${world.tlsPort}/api/v1/operations`

describe("an operation over HTTP", () => {
  it.live("is performed for a member, durably, and answers what it answered", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const answer = yield* perform(world, bob, add("milk"))
      assert.strictEqual(answer.status, 200)
      const body = parsed(answer)
      const id = typeof body === "object" && body !== null && "result" in body ? String(body.result) : ""
      assert.strictEqual(Operations.state(world.replica, app).tasks.get(id)?.title, "milk")
      assert.strictEqual((yield* perform(world, bob, { operation: "tasks.complete", payload: { id } })).status, 200)
      assert.isTrue(Operations.state(world.replica, app).tasks.get(id)?.done)
      assert.strictEqual((yield* perform(world, alice, add("bread"))).status, 200)
      assert.deepStrictEqual(titles(world), ["bread", "milk"])
    }).pipe(Effect.scoped)
  )

  it.live("needs the right of who asks, though the server has it", () =>
    Effect.gen(function* () {
      const log = logged()
      const world = yield* server().pipe(Effect.provide(log.layer))
      const answer = yield* perform(world, carol, add("milk"))
      assert.strictEqual(answer.status, 403)
      assert.strictEqual(detailOf(answer), '"add" is denied: you lack task:write')
      assert.deepStrictEqual(titles(world), [])
      const line = log.lines.find((one) => one.includes("security event: an operation was refused")) ?? ""
      assert.include(line, carol.device)
    }).pipe(Effect.scoped)
  )

  it.live("is refused to devices that are no members, or no longer", () =>
    Effect.gen(function* () {
      const log = logged()
      const world = yield* server().pipe(Effect.provide(log.layer))
      const stranger = yield* perform(world, mallory, add("evil"))
      assert.deepStrictEqual([stranger.status, detailOf(stranger)], [403, "your device is not a member"])
      yield* revoke(world, bob.device)
      const revoked = yield* perform(world, bob, add("late"))
      assert.deepStrictEqual([revoked.status, detailOf(revoked)], [403, "your device was revoked"])
      assert.notInclude(revoked.text, alice.device.slice(0, 10))
      assert.deepStrictEqual(titles(world), [])
      assert.isTrue(
        log.lines.some((line) => line.includes("a signed request was refused") && line.includes(mallory.device))
      )
    }).pipe(Effect.scoped)
  )

  it.live("runs once for one key, and keys belong to who asks", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const first = yield* perform(world, bob, add("milk", "k"))
      const again = yield* perform(world, bob, add("milk", "k"))
      assert.deepStrictEqual([first.status, again.status], [200, 200])
      assert.include(again.text, '"repeated":true')
      assert.strictEqual(again.text.match(/"result":"\w+"/u)?.[0], first.text.match(/"result":"\w+"/u)?.[0])
      assert.deepStrictEqual(titles(world), ["milk"])
      const other = yield* perform(world, bob, add("bread", "k"))
      assert.strictEqual(other.status, 409)
      assert.strictEqual((yield* perform(world, alice, add("milk", "k"))).status, 200)
      assert.deepStrictEqual(titles(world), ["milk", "milk"])
    }).pipe(Effect.scoped)
  )

  it.live("is out of reach where the application's code is missing", () =>
    Effect.gen(function* () {
      const world = yield* server({ site: { app: undefined } })
      const answer = yield* perform(world, bob, add("milk"))
      assert.strictEqual(answer.status, 503)
      assert.include(detailOf(answer), "relays and verifies")
    }).pipe(Effect.scoped)
  )
})

describe("a request that was not signed like this", () => {
  it.live("is refused, counted, logged, and changes nothing", () =>
    Effect.gen(function* () {
      const log = logged()
      const world = yield* server().pipe(Effect.provide(log.layer))
      const change =
        (name: string, from: string | RegExp, to: string) => (signed: Readonly<Record<string, string>>) => ({
          ...signed,
          [name]: (signed[name] ?? "").replace(from, to)
        })
      const body = add("evil")
      const cases: ReadonlyArray<readonly [name: string, asked: Effect.Effect<Answer>, detail: string]> = [
        ["unsigned", perform(world, bob, body, { headers: () => ({}) }), "needs a signature"],
        [
          "for another device",
          perform(world, bob, body, { target: carol.device }),
          "not the device that aura-device names"
        ],
        [
          "redirected here",
          perform(world, bob, body, {
            target: carol.device,
            headers: change("aura-device", carol.device, alice.device)
          }),
          "does not hold"
        ],
        ["with another body", perform(world, bob, add("good"), { sent: JSON.stringify(body) }), "content-digest"],
        [
          "with another body and digest",
          perform(world, bob, body, { headers: change("content-digest", /=:..../u, "=:AAAA") }),
          "content-digest"
        ],
        [
          "in another's name",
          perform(world, mallory, body, { headers: change("signature-input", mallory.device, bob.device) }),
          "does not hold"
        ],
        [
          "with a longer life",
          perform(world, bob, body, { headers: change("signature-input", /expires=\d+/u, "expires=9999999999") }),
          "1 to 60 seconds"
        ],
        [
          "from the past",
          perform(world, bob, body, {
            headers: change("signature-input", /created=\d+;expires=\d+/u, "created=1700000000;expires=1700000030")
          }),
          "expired"
        ],
        [
          "from the future",
          perform(world, bob, body, {
            headers: change("signature-input", /created=\d+;expires=\d+/u, "created=9000000000;expires=9000000030")
          }),
          "ahead of the clock"
        ],
        [
          "covering less",
          perform(world, bob, body, { headers: change("signature-input", ' "content-digest"', "") }),
          "cover content-digest"
        ],
        [
          "with another tag",
          perform(world, bob, body, { headers: change("signature-input", "aura/http/v1", "aura/http/v2") }),
          "needs a signature"
        ],
        [
          "with another algorithm",
          perform(world, bob, body, { headers: change("signature-input", 'alg="ed25519"', 'alg="hmac-sha256"') }),
          "alg has to be"
        ],
        [
          "with no nonce to speak of",
          perform(world, bob, body, { headers: change("signature-input", /nonce="[^"]*"/u, 'nonce="short"') }),
          "nonce has"
        ],
        [
          "with a nonce of its own",
          perform(world, bob, body, {
            headers: change("signature-input", /nonce="[^"]*"/u, 'nonce="0123456789abcdef"')
          }),
          "does not hold"
        ],
        [
          "with half a signature",
          perform(world, bob, body, { headers: change("signature", /=:.*:/u, "=:AAAA:") }),
          "does not hold"
        ],
        [
          "with two of them",
          perform(world, bob, body, {
            headers: (signed) => ({
              ...signed,
              "signature-input": `${signed["signature-input"]}, x${signed["signature-input"]}`
            })
          }),
          "one is due"
        ],
        [
          "with gibberish",
          perform(world, bob, body, { headers: () => ({ "signature-input": "((", signature: "x" }) }),
          "signature-input:"
        ]
      ]
      for (const [name, asked, detail] of cases) {
        const answer = yield* asked
        assert.strictEqual(answer.status, 401, name)
        assert.include(detailOf(answer), detail, name)
        assert.strictEqual(answer.headers["www-authenticate"], "Signature", name)
        assert.include(String(answer.headers["accept-signature"]), 'tag="aura/http/v1"', name)
      }
      assert.deepStrictEqual(titles(world), [])
      assert.isTrue(log.lines.some((line) => line.startsWith("Warn security event: a signed request was refused")))
      const metrics = (yield* ask(`${world.management}/metrics`)).text
      for (const reason of ["unsigned", "misdirected", "altered", "untimely", "malformed", "forged"])
        assert.match(metrics, new RegExp(`aura_denials_total\\{reason="http_${reason}"\\} [1-9]`, "u"))
    }).pipe(Effect.scoped)
  )

  it.live("is refused when it was sent before, also after a restart", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const body = JSON.stringify(add("milk"))
      const signed = yield* SignedRequest.signRequest(bob, {
        method: "POST",
        url: url(world),
        body: new TextEncoder().encode(body),
        target: alice.device
      }).pipe(Effect.provide(world.services))
      const send = ask(url(world), { method: "POST", headers: { ...signed, "content-type": "application/json" }, body })
      assert.strictEqual((yield* send).status, 200)
      const replayed = yield* send
      assert.deepStrictEqual(
        [replayed.status, detailOf(replayed)],
        [401, "this request was sent before: sign each with a new nonce"]
      )
      yield* world.door.open(world.site)
      assert.strictEqual((yield* send).status, 401)
      assert.deepStrictEqual(titles(world), ["milk"])
    }).pipe(Effect.scoped)
  )

  it.live("can't be moved to another path, method, port or scheme", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const body = JSON.stringify(add("evil"))
      const sign = (method: string, target: string) =>
        SignedRequest.signRequest(bob, {
          method,
          url: target,
          body: new TextEncoder().encode(body),
          target: alice.device
        }).pipe(Effect.provide(world.services))
      const elsewhere = [
        yield* sign("PUT", url(world)),
        yield* sign("POST", `${url(world)}?x=1`),
        yield* sign("POST", url(world).replace(`:${world.tlsPort}`, ":1")),
        yield* sign("POST", url(world).replace("https:", "http:"))
      ]
      for (const headers of elsewhere) {
        const answer = yield* ask(url(world), {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body
        })
        assert.deepStrictEqual([answer.status, detailOf(answer)], [401, "the signature does not hold"])
      }
      assert.deepStrictEqual(titles(world), [])
    }).pipe(Effect.scoped)
  )
})

describe("the life of a signed request", () => {
  const target = alice.device
  const request = { method: "POST", url: "https://example.com/api/v1/operations", body: new Uint8Array(), target }
  const checkAt = (headers: Readonly<Record<string, string>>, nowMillis: number) => {
    const received = {
      method: "POST",
      targetUri: request.url,
      header: (name: string) => headers[name],
      body: request.body
    }
    return SignedRequest.check(received, target, nowMillis)
  }
  const outcome = (result: ReturnType<typeof checkAt>) => (Result.isSuccess(result) ? "counts" : result.failure.reason)

  it.effect("begins with its creation, a little clock error allowed, and ends with its expiry", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_800_000_000_000)
      const signed = yield* SignedRequest.signRequest(bob, request)
      const at = (seconds: number) => outcome(checkAt(signed, 1_800_000_000_000 + seconds * 1000))
      assert.deepStrictEqual([-6, -5, 0, 29, 30, 31].map(at), [
        "untimely",
        "counts",
        "counts",
        "counts",
        "untimely",
        "untimely"
      ])
      assert.strictEqual((yield* Time).now().millis, 1_800_000_000_000)
    }).pipe(Effect.provide([ClockTime.layer(), SecureRandom.layerWebCrypto]))
  )
})

describe("the book of nonces", () => {
  it.live("forgets what can't be sent any more and keeps its limits", () =>
    Effect.gen(function* () {
      const { site } = yield* server()
      const book = yield* NonceBook.open(site.store, site.replica.space)
      const claim = (device: typeof bob.device, nonce: string, now: number) => book.claim(device, nonce, now + 30, now)
      assert.strictEqual(yield* claim(bob.device, "n", 1000), "Fresh")
      assert.strictEqual(yield* claim(bob.device, "n", 1000), "Used")
      assert.strictEqual(yield* claim(carol.device, "n", 1000), "Fresh")
      assert.strictEqual(yield* claim(bob.device, "n", 1031), "Used")
      assert.strictEqual(yield* claim(bob.device, "n", 1091), "Fresh")
      for (let index = 1; index < NonceBook.nonceMax / 4; index++) yield* claim(bob.device, `n${index}`, 1091)
      assert.strictEqual(yield* claim(bob.device, "one more", 1091), "Full")
      assert.strictEqual(yield* claim(carol.device, "hers", 1091), "Fresh")
      assert.strictEqual(yield* claim(bob.device, "later", 1200), "Fresh")
    }).pipe(Effect.scoped)
  )

  it.live("does not open when its row is damaged", () =>
    Effect.gen(function* () {
      const { site } = yield* server()
      yield* site.store.commit({
        space: site.replica.space,
        locals: [{ name: "http-nonces", bytes: new Uint8Array([0xff]) }]
      })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(NonceBook.open(site.store, site.replica.space))))
    }).pipe(Effect.scoped)
  )
})

/** Alice revokes a device with nothing of its kept. */
const revoke = Effect.fnUntraced(function* ({ replica }: Server, device: typeof bob.device) {
  const authority = replica.ledger().authority
  const admission = authority === undefined ? undefined : Authority.admissionOf(authority, device)
  if (admission === undefined) throw new Error("nobody admitted the device")
  yield* replica.write(authorityWrite([{ _tag: "Revoke", device, admission: admission.hash, cut: [], reason: "lost" }]))
})
