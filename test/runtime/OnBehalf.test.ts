/**
 * Alice's server writes for Bob, and Carol judges it. Bob may write (or not), the server may (or not), and what Bob signed
 * says what he asked for.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Keys } from "../../src/effects/Keys.ts"
import { toBytes } from "../../src/identity/Id.ts"
import * as Clock from "../../src/journal/Clock.ts"
import type { Position } from "../../src/journal/Feed.ts"
import * as Request from "../../src/journal/Request.ts"
import * as OnBehalf from "../../src/runtime/OnBehalf.ts"
import * as Replica from "../../src/runtime/Replica.ts"
import type { Right } from "../../src/trust/Fact.ts"
import {
  alice,
  bob,
  carol,
  during,
  entriesOf,
  founded,
  head,
  installation,
  mallory,
  noon,
  revoke,
  right,
  runOf,
  say,
  script,
  set,
  type Script
} from "./fixtures.ts"

const write = [right("kv:write"), right("space:read")]

/** Alice, Bob and Mallory's server are members; what the server and Bob may is given. */
const world = (mays: { readonly server?: ReadonlyArray<Right>; readonly bob?: ReadonlyArray<Right> } = {}) => {
  const { authority, space } = founded([
    [mallory, ...(mays.server ?? write)],
    [bob, ...(mays.bob ?? write)],
    [carol, ...write]
  ])
  const feed = script(space, mallory, "data")
  return { space, authority, feed, seen: [head(authority)] }
}

type World = ReturnType<typeof world>

const asked = ({ space }: Pick<World, "space">, by: Keys["Service"], changes: Partial<OnBehalf.Wish> = {}) =>
  Effect.runSync(
    OnBehalf.sign(by, {
      space,
      target: mallory.device,
      operation: "kv.set",
      key: "a key",
      time: noon,
      payload: "{}",
      ...changes
    })
  )

/** What Carol makes of the server's feed: what she shows, and why she refused entries. */
const judged = (here: World, ...feeds: ReadonlyArray<Script>) =>
  during(
    installation(carol),
    Effect.gen(function* () {
      const replica = yield* Replica.open(here.space)
      const outcomes = yield* replica.receive([here.authority, here.feed, ...feeds].map((one) => runOf(one)))
      return {
        outcomes: outcomes.map((outcome) => outcome._tag),
        entries: entriesOf(replica),
        refused: [...replica.ledger().quarantine.values()].map(({ because }) => because)
      }
    })
  )

const told = (here: World, request: Request.Request, time?: number): Position =>
  say(here.feed, { seen: here.seen, facts: [set("bob", "was here")], request, ...(time === undefined ? {} : { time }) })

describe("an entry on another's behalf", () => {
  it.effect("counts for everybody when both may and the other signed it", () =>
    Effect.gen(function* () {
      const here = world()
      told(here, asked(here, bob))
      assert.deepStrictEqual(yield* judged(here), {
        outcomes: ["Stored", "Stored"],
        entries: { bob: "was here" },
        refused: []
      })
    })
  )

  it.effect("does not without a signature: a server can't write in the name of whoever it likes", () =>
    Effect.gen(function* () {
      const here = world()
      told(here, { requester: bob.device, key: "a key" })
      const { entries, refused } = yield* judged(here)
      assert.deepStrictEqual(entries, {})
      assert.deepStrictEqual(refused, [{ _tag: "RequestForeign", requester: bob.device }])
    })
  )

  it.effect("is judged at the meet of both: each has to be allowed", () =>
    Effect.gen(function* () {
      for (const [mays, lacking] of [
        [{ server: [right("space:read")] }, mallory.device],
        [{ bob: [right("space:read")] }, bob.device]
      ] as const) {
        const here = world(mays)
        told(here, asked(here, bob))
        const { entries, refused } = yield* judged(here)
        assert.deepStrictEqual(entries, {})
        assert.deepInclude(refused[0], { _tag: "MissingCapability", device: lacking })
      }
    })
  )

  it.effect("with a signature that is not the other's over just this is no run at all", () =>
    Effect.gen(function* () {
      const strange: ReadonlyArray<(here: World) => Request.Request> = [
        (here) => ({ ...asked(here, mallory), requester: bob.device }),
        (here) => asked(here, bob, { target: alice.device }),
        (here) => asked({ ...here, space: founded([], 7).space }, bob),
        (here) => asked(here, bob, { operation: "kv.add" }),
        (here) => ({ ...asked(here, bob), key: "another key" }),
        (here) => {
          const request = asked(here, bob)
          return { ...request, envelope: { ...request.envelope!, time: noon + 1 } }
        },
        (here) => {
          const request = asked(here, bob)
          return { ...request, envelope: { ...request.envelope!, payload: Request.payloadDigest("[]") } }
        }
      ]
      for (const request of strange) {
        const here = world()
        told(here, request(here))
        const { entries, outcomes } = yield* judged(here)
        assert.deepStrictEqual(outcomes, ["Stored", "Refused"])
        assert.deepStrictEqual(entries, {})
      }
    })
  )

  it.effect("is of one fact, and of the day it was asked for", () =>
    Effect.gen(function* () {
      const both = world()
      say(both.feed, { seen: both.seen, facts: [set("bob", "1"), set("bob", "2")], request: asked(both, bob) })
      assert.deepStrictEqual((yield* judged(both)).refused, [{ _tag: "RequestForeign", requester: bob.device }])
      for (const [lateness, counts] of [
        [Request.requestAgeMax, true],
        [Request.requestAgeMax + 1, false]
      ] as const) {
        const here = world()
        const time = here.feed.feed.time + 10
        told(here, asked(here, bob, { time: time - lateness }), time)
        const { entries, refused } = yield* judged(here)
        assert.deepStrictEqual(entries, counts ? { bob: "was here" } : {})
        assert.deepStrictEqual(
          refused.map(({ _tag }) => _tag),
          counts ? [] : ["RequestStale"]
        )
      }
    })
  )

  it.effect("counts as long as the server had not seen that the other was put out", () =>
    Effect.gen(function* () {
      for (const hasSeen of [false, true]) {
        const here = world()
        const before = head(here.authority)
        const end = say(here.authority, { facts: [revoke(bob.device, head(here.authority, 2), [])] })
        told({ ...here, seen: [hasSeen ? end : before] }, asked(here, bob))
        const { entries, refused } = yield* judged(here)
        assert.deepStrictEqual(entries, hasSeen ? {} : { bob: "was here" })
        assert.deepStrictEqual(
          refused.map(({ _tag }) => _tag),
          hasSeen ? ["Revoked"] : []
        )
      }
    })
  )

  it.effect("asked of two servers counts once: the earlier one", () =>
    Effect.gen(function* () {
      const here = world()
      const { authority, space } = here
      const other = script(space, alice, "data")
      told(here, asked(here, bob), noon + 2 * Clock.ticksPerMilli)
      say(other, {
        seen: [head(authority)],
        time: noon + 3 * Clock.ticksPerMilli,
        facts: [set("bob", "was there")],
        request: asked(here, bob, { target: alice.device })
      })
      const { entries, refused } = yield* judged(here, other)
      assert.deepStrictEqual(entries, { bob: "was here" })
      assert.deepStrictEqual(refused, [{ _tag: "Duplicate", feed: here.feed.feed.id, seq: 0 }])
    })
  )
})

describe("a request", () => {
  it("comes back from its encoding, and nothing else passes for one", () => {
    const here = world()
    const request = asked(here, bob)
    const encoded = Request.toCbor(request) as ReadonlyArray<Uint8Array | string | number>
    assert.deepStrictEqual(Request.fromCbor([...encoded]), request)
    assert.deepStrictEqual(Request.fromCbor(["k", toBytes(bob.device)]), { requester: bob.device, key: "k" })
    const [key, requester, payload, time, signature] = encoded
    for (const other of [
      [key!],
      ["", requester!],
      [key!, new Uint8Array(31)],
      [key!, requester!, payload!],
      [key!, requester!, payload!, -1, signature!],
      [key!, requester!, payload!, time!, new Uint8Array(63)],
      [key!, requester!, new Uint8Array(31), time!, signature!],
      [...encoded, 1]
    ])
      assert.isUndefined(Request.fromCbor(other))
  })
})
