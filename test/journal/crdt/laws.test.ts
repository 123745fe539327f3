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
  })
}
