/**
 * Decisions asked for by devices over TLS, each request signed with the device's key:
 *
 *     Alice runs the server      Bob: "*"      Carol: task:write/tasks/x      Mallory: nobody
 *
 * Alice is told everything about everybody; the others about themselves, and nobody's name.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Governing from "../../../src/runtime/Governing.ts"
import * as Policy from "../../../src/trust/Policy.ts"
import { alice, ask, askSigned, bob, carol, mallory, parsed, perform, server, type Answer } from "./world.ts"

const bodyOf = (answer: Answer) => parsed(answer) as Readonly<Record<string, unknown>>

const decisions = "/api/v1/decisions"

/** Nothing of these devices stands in an answer. */
const namesNobody = (answer: Answer, devices: ReadonlyArray<{ readonly device: string }>): void => {
  for (const { device } of devices) assert.notInclude(answer.text, device.slice(0, 10))
  for (const name of ["Alice", "Bob", "Carol", "creator"]) assert.notInclude(answer.text, name)
}

describe("a decision over HTTP", () => {
  it.live("tells a device about itself, in words that name nobody", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const allowed = yield* askSigned(world, bob, `${decisions}?operation=add`)
      assert.deepInclude(bodyOf(allowed), {
        ok: true,
        device: bob.device,
        operation: "tasks.add",
        resource: null,
        decision: "Allowed",
        refusal: null
      })
      namesNobody(allowed, [alice, carol])
      const denied = yield* askSigned(world, carol, `${decisions}?operation=tasks.add&device=${carol.device}`)
      assert.strictEqual(denied.status, 200)
      const refusal = { kind: "MissingCapability", text: "you lack task:write" }
      assert.deepInclude(bodyOf(denied), { decision: "Denied", refusal })
      assert.strictEqual(bodyOf(denied)["snapshot"], bodyOf(allowed)["snapshot"])
      namesNobody(denied, [alice, bob])
      const onHers = yield* askSigned(world, carol, `${decisions}?operation=rename&resource=tasks/x`)
      assert.deepInclude(bodyOf(onHers), { decision: "Allowed", resource: "tasks/x" })
      const unknown = yield* askSigned(world, carol, `${decisions}?operation=burn`)
      assert.deepInclude(bodyOf(unknown)["refusal"], { kind: "UnknownOperation" })
    }).pipe(Effect.scoped)
  )

  it.live("says of a policy that somebody set no more than that it is not met", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const policy = Policy.any(Policy.make({ minTrust: "High" }), Policy.make({ capabilities: ["task:rule"] }))
      const act = { _tag: "SetPolicy", app: "tasks", operation: "tasks.rename", policy, reason: "Bob" } as const
      yield* Governing.perform(world.replica, alice.device, act).pipe(Effect.provide(world.services))
      const answer = yield* askSigned(world, carol, `${decisions}?operation=rename`)
      const refusal = { kind: "NoneMet", text: "you meet none of what the policy allows" }
      assert.deepInclude(bodyOf(answer), { decision: "Denied", refusal })
      namesNobody(answer, [alice, bob])
    }).pipe(Effect.scoped)
  )

  it.live("is nobody else's business, whether the device exists or not", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const others = [alice.device, bob.device, "f".repeat(64)]
      const answers = yield* Effect.forEach(others, (device) =>
        askSigned(world, carol, `${decisions}?operation=add&device=${device}`)
      )
      for (const answer of answers) assert.deepStrictEqual([answer.status, answer.text], [403, answers[0]!.text])
      assert.deepInclude(bodyOf(answers[0]!), { code: "DecisionOfOthers", detail: "a device may ask about itself" })
      const stranger = yield* askSigned(world, mallory, `${decisions}?operation=add`)
      assert.deepInclude(bodyOf(stranger), { status: 403, detail: "your device is not a member" })
      const unsigned = yield* ask(`https://127.0.0.1:${world.tlsPort}${decisions}?operation=add`)
      assert.strictEqual(unsigned.status, 401)
      const moved = yield* askSigned(world, bob, `${decisions}?operation=add`, {
        sentPath: `${decisions}?operation=remove`
      })
      assert.strictEqual(moved.status, 401)
    }).pipe(Effect.scoped)
  )

  it.live("is told to the server's own device with all that it rests on", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const answer = yield* askSigned(world, alice, `${decisions}?operation=add&device=${carol.device}`)
      const body = bodyOf(answer)
      assert.deepInclude(body, { decision: "Denied", device: { device: carol.device, name: "Carol" } })
      const refusal = body["refusal"] as Readonly<Record<string, unknown>>
      assert.deepInclude(refusal, { kind: "MissingCapability", needed: "task:write", roles: ["owner", "writer"] })
      const [candidate] = refusal["candidates"] as ReadonlyArray<Readonly<Record<string, unknown>>>
      assert.deepInclude(candidate, {
        by: { device: alice.device, name: "creator" },
        fault: { kind: "TooNarrow", capability: "task:write/tasks/x" }
      })
      const stranger = yield* askSigned(world, alice, `${decisions}?operation=add&device=${mallory.device}`)
      assert.deepInclude(bodyOf(stranger)["refusal"], { kind: "Other", refusal: "NotAdmitted" })
    }).pipe(Effect.scoped)
  )

  it.live("needs an operation, and takes nothing that it does not know", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const queries = [
        "",
        "?operation=",
        "?operation=add&x=1",
        "?operation=add&operation=remove",
        "?operation=add&device=bob"
      ]
      for (const query of [...queries, "?operation=add&resource=/", `?operation=${"a".repeat(129)}`]) {
        const answer = yield* askSigned(world, bob, `${decisions}${query}`)
        assert.deepStrictEqual([answer.status, bodyOf(answer)["code"]], [400, "RequestInvalid"], query)
      }
    }).pipe(Effect.scoped)
  )

  it.live("is where a refused operation points", () =>
    Effect.gen(function* () {
      const world = yield* server()
      const refused = yield* perform(world, carol, { operation: "add", payload: { title: "milk" } })
      assert.match(String(bodyOf(refused)["do"]), /^GET \/api\/v1\/decisions\?operation=add says what is missing/u)
      namesNobody(refused, [alice, bob])
    }).pipe(Effect.scoped)
  )
})
