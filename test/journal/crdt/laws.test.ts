/**
 * The laws of every kind: a state is a function of the set of changes that were applied to it, whatever the order and
 * however often; merging is the union; equal sets have equal bytes. And each reads as its definition says, word for
 * word, computed naively from the set.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Result from "effect/Result"
import * as Cbor from "../../../src/journal/Cbor.ts"
import * as State from "../../../src/journal/crdt/State.ts"
import { MapView, SetView } from "../../../src/journal/crdt/Views.ts"
import { delivered, eventsOf, fields, kinds, type Event } from "./arbitraries.ts"
import { expected } from "./definitions.ts"
import { plain } from "./plain.ts"

const joined = (events: ReadonlyArray<Event>, into: State.State = State.empty()): State.State => {
  for (const { change, stamp } of events) State.apply(into, fields, change, stamp)
  return into
}

const shown = (state: State.State) => plain(State.read(state, fields))

const assertSame = (actual: State.State, wanted: State.State): void => {
  assert.deepStrictEqual(shown(actual), shown(wanted))
  assert.deepStrictEqual(Cbor.encode(State.toCbor(actual)), Cbor.encode(State.toCbor(wanted)))
}

const runs = { numRuns: 300 }

for (const kind of kinds) {
  const events = eventsOf(kind)
  describe(kind, () => {
    it("finds every generated change well formed", () => {
      fc.assert(
        fc.property(events, (all) => {
          for (const { change } of all) assert.strictEqual(State.inspect(fields, change)._tag, "Touch")
        }),
        runs
      )
    })

    it("does not care for order and repetition", () => {
      const orders = events.chain((all) => fc.tuple(fc.constant(all), delivered(all)))
      fc.assert(
        fc.property(orders, ([all, other]) => assertSame(joined(other), joined(all))),
        runs
      )
    })

    it("does not care for being read in between", () => {
      fc.assert(
        fc.property(events, (all) => {
          const state = State.empty()
          for (const event of all) {
            joined([event], state)
            State.read(state, fields)
          }
          assertSame(state, joined(all))
        }),
        runs
      )
    })

    it("merges to the union of what was applied, in either order, and into itself", () => {
      const parts = events.chain((all) => fc.tuple(fc.constant(all), fc.subarray([...all]), fc.subarray([...all])))
      fc.assert(
        fc.property(parts, ([all, some, others]) => {
          const union = joined(all.filter((event) => some.includes(event) || others.includes(event)))
          assertSame(State.merge(joined(some), joined(others)), union)
          assertSame(State.merge(joined(others), joined(some)), union)
          assertSame(State.merge(union, union), union)
        }),
        runs
      )
    })

    it("comes back from its data, and goes on from there", () => {
      const split = events.chain((all) => fc.tuple(fc.constant(all), fc.nat(all.length)))
      fc.assert(
        fc.property(split, ([all, at]) => {
          const bytes = Cbor.encode(State.toCbor(joined(all.slice(0, at))))
          const restored = Result.getOrThrow(State.fromCbor(Result.getOrThrow(Cbor.decode(bytes))))
          assertSame(restored, joined(all.slice(0, at)))
          assertSame(joined(all.slice(at), restored), joined(all))
        }),
        runs
      )
    })

    it("refuses data that was altered, or reads it as some other state, but never dies of it", () => {
      const altered = fc.tuple(events, fc.nat(), fc.integer({ min: 1, max: 255 }))
      fc.assert(
        fc.property(altered, ([all, at, by]) => {
          const bytes = Cbor.encode(State.toCbor(joined(all)))
          bytes[at % bytes.length]! ^= by
          const data = Cbor.decode(bytes)
          if (Result.isFailure(data)) return
          const restored = State.fromCbor(data.success)
          if (Result.isSuccess(restored)) shown(restored.success)
        }),
        runs
      )
    })

    it("reads as its definition says", () => {
      fc.assert(
        fc.property(events, (all) => {
          const state = joined(all)
          assert.deepStrictEqual(plain(State.read(state, fields)[kind]), expected(kind, all))
        }),
        runs
      )
    })

    it("shows what it showed before when later changes come", () => {
      fc.assert(
        fc.property(events, (all) => {
          const state = State.empty()
          const views: Array<readonly [view: State.Shown, then: unknown]> = []
          for (const event of all) {
            joined([event], state)
            const view = State.read(state, fields)
            views.push([view, plain(view)])
          }
          for (const [view, then] of views) assert.deepStrictEqual(plain(view), then)
        }),
        runs
      )
    })

    it("shows at last what it had to show at first, however much of it was looked at meanwhile", () => {
      const looks = fc.array(fc.constantFrom("unread", "kept", "glanced at", "walked"), { minLength: 1, maxLength: 9 })
      fc.assert(
        fc.property(events, looks, (all, how) => {
          const state = State.empty()
          const views: Array<readonly [view: State.Shown, then: State.Shown]> = []
          all.forEach((event, at) => {
            joined([event], state)
            const look = how[at % how.length]
            if (look === "unread") return
            const view = State.read(state, fields)
            views.push([view, State.read(joined(all.slice(0, at + 1)), fields)])
            if (look === "glanced at") glance(view[kind])
            if (look === "walked") plain(view)
          })
          for (const [view, then] of views) {
            assert.deepStrictEqual(glance(view[kind]), glance(then[kind]))
            assert.deepStrictEqual(plain(view), plain(then))
            // what is looked up agrees with what is walked
            assert.deepStrictEqual(glance(view[kind]), glance(then[kind]))
          }
        }),
        runs
      )
    })
  })
}

/** A value by looking up alone: nothing is walked, so nothing is sorted. */
const glance = (value: unknown): unknown => {
  if (value instanceof MapView) return [value.size, ...keys.map((key) => [value.has(key), glance(value.get(key))])]
  if (value instanceof SetView) return [value.size, ...elements.map((element) => value.has(element))]
  if (value instanceof Uint8Array || typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, glance(inside)]))
}

const keys = ["k", "l", "m"]
const elements = ["x", 1, true, null, "1", { a: 1 }, { a: 2 }, new Uint8Array([7]), "k"]
