/** How the limits of application state relate to each other and to the journal's. */
import { assert, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Cbor from "../../../src/journal/Cbor.ts"
import * as limits from "../../../src/journal/crdt/limits.ts"
import * as State from "../../../src/journal/crdt/State.ts"
import type { Fields } from "../../../src/journal/crdt/Crdt.ts"
import type { ValueType } from "../../../src/journal/crdt/ValueType.ts"
import * as Entry from "../../../src/journal/Entry.ts"
import { entryBytesMax } from "../../../src/journal/limits.ts"
import { feeds } from "./arbitraries.ts"

const deepest = (depth: number): readonly [ValueType, Cbor.Cbor] => {
  if (depth === 1) return [{ kind: "boolean" }, true]
  const [type, value] = deepest(depth - 1)
  return [{ kind: "array", items: type }, [value]]
}

it("the deepest value fits into an entry and into a checkpoint", () => {
  const [type, value] = deepest(limits.valueDepthMax)
  const fields: Fields = { tasks: { kind: "ORMap", fields: { value: { kind: "MVRegister", value: type } } } }
  const change: Cbor.Cbor = ["put", "tasks", "t", { value }]
  assert.strictEqual(State.inspect(fields, change)._tag, "Touch")
  const facts = [{ type: "tasks.put", payload: [change] }]
  const body = Entry.encode({ keyEpoch: undefined, definition: undefined, seen: [], facts, request: undefined })
  assert.isTrue(Result.isSuccess(Entry.decode(body)))
  const state = State.empty()
  State.apply(state, fields, change, { time: 1, feed: feeds[0]!, seq: 0, index: 0 })
  // Around it stands what else a checkpoint says: one more level.
  assert.isTrue(Result.isSuccess(Cbor.decode(Cbor.encode([State.toCbor(state)]))))
})

it("the longest text, and a removal of as many dots as one can name, fit into an entry", () => {
  assert.isBelow(limits.stringLengthMax, entryBytesMax)
  const dots = Array.from({ length: limits.dotsMax }, () => [new Uint8Array(limits.dotFeedBytes), 2 ** 32, 0])
  assert.isBelow(Cbor.encode(dots).length, entryBytesMax)
})
