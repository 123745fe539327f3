/**
 * What a liar can put into a well-formed entry: dots of the future, his own, other elements' and absurd ones, amounts
 * out of range, changes of no form. None of it touches what others said.
 */
import { assert, describe, it } from "@effect/vitest"
import * as State from "../../../src/journal/crdt/State.ts"
import { dotToCbor, type Stamp } from "../../../src/journal/crdt/Stamp.ts"
import type { Cbor } from "../../../src/journal/Cbor.ts"
import type { Change, Fields } from "../../../src/journal/crdt/Crdt.ts"
import { seqMax } from "../../../src/journal/limits.ts"
import { feeds } from "./arbitraries.ts"
import { plain } from "./plain.ts"

const fields: Fields = {
  tags: { kind: "ORSet", value: { kind: "string" } },
  name: { kind: "MVRegister", value: { kind: "string" } },
  likes: { kind: "GCounter" },
  stock: { kind: "PNCounter" },
  kv: { kind: "LWWMap", value: { kind: "string", maxLength: 4 } },
  tasks: {
    kind: "ORMap",
    fields: { done: { kind: "LWWRegister", value: { kind: "boolean" } }, votes: { kind: "GCounter" } }
  }
}

const [alice, mallory] = [feeds[0]!, feeds[1]!]
const at = (feed: typeof alice, seq: number, time: number, index = 0): Stamp => ({ time, feed, seq, index })
const dot = (stamp: Stamp): Cbor => dotToCbor(stamp)

const shownAfter = (...events: ReadonlyArray<readonly [Change, Stamp]>) => {
  const state = State.empty()
  for (const [change, stamp] of events) {
    assert.strictEqual(State.inspect(fields, change)._tag, "Touch", JSON.stringify(change))
    State.apply(state, fields, change, stamp)
  }
  return plain(State.read(state, fields)) as { readonly [name: string]: unknown }
}

describe("a removal", () => {
  it("that names an addition of the future does nothing, whichever arrives first", () => {
    const added: [Change, Stamp] = [["add", "tags", "x"], at(alice, 9, 90)]
    const removed: [Change, Stamp] = [["remove", "tags", "x", [dot(added[1])]], at(mallory, 0, 50)]
    assert.deepStrictEqual(shownAfter(added, removed)["tags"], { size: 1, elements: ["x"] })
    assert.deepStrictEqual(shownAfter(removed, added)["tags"], { size: 1, elements: ["x"] })
  })

  it("that names an addition of the same time does nothing", () => {
    const added: [Change, Stamp] = [["add", "tags", "x"], at(alice, 9, 90)]
    const removed: [Change, Stamp] = [["remove", "tags", "x", [dot(added[1])]], at(mallory, 0, 90)]
    assert.deepStrictEqual(shownAfter(removed, added)["tags"], { size: 1, elements: ["x"] })
  })

  it("that names itself does nothing", () => {
    const stamp = at(mallory, 0, 90)
    const put: [Change, Stamp] = [["put", "tasks", "t", { done: true }], stamp]
    const removed: [Change, Stamp] = [
      ["remove", "tasks", "t", [dot(stamp), dot(at(mallory, 0, 90, 1))]],
      at(mallory, 0, 90, 1)
    ]
    assert.deepStrictEqual(shownAfter(put, removed)["tasks"], [["t", { done: true, votes: 0 }]])
  })

  it("reaches only the element it names, whatever its dots say", () => {
    const added: [Change, Stamp] = [["add", "tags", "x"], at(alice, 1, 10)]
    const put: [Change, Stamp] = [["put", "tasks", "t", {}], at(alice, 2, 11)]
    const shown = shownAfter(
      added,
      put,
      [["remove", "tags", "y", [dot(added[1])]], at(mallory, 0, 50)],
      [["remove", "tasks", "u", [dot(put[1])]], at(mallory, 1, 51)]
    )
    assert.deepStrictEqual(shown["tags"], { size: 1, elements: ["x"] })
    assert.deepStrictEqual(shown["tasks"], [["t", { done: undefined, votes: 0 }]])
  })

  it("that came before what it names still removes it, and a later addition stays", () => {
    const put: [Change, Stamp] = [["put", "tasks", "t", { done: false }], at(alice, 1, 10)]
    const removed: [Change, Stamp] = [["remove", "tasks", "t", [dot(put[1])]], at(mallory, 0, 50)]
    const again: [Change, Stamp] = [["put", "tasks", "t", {}], at(alice, 2, 60)]
    assert.deepStrictEqual(shownAfter(removed, put)["tasks"], [])
    assert.deepStrictEqual(shownAfter(removed, put, again)["tasks"], [["t", { done: false, votes: 0 }]])
  })
})

describe("an overwrite", () => {
  it("that names values of the future suppresses none of them", () => {
    const future = [5, 6, 7].map((seq) => at(alice, seq, 70 + seq))
    const lie: [Change, Stamp] = [["set", "name", "mine", future.map(dot)], at(mallory, 0, 50)]
    const shown = shownAfter(lie, [["set", "name", "hers", [dot(lie[1])]], future[0]!])
    assert.deepStrictEqual(shown["name"], ["hers"])
  })
})

describe("a change of a field", () => {
  it("neither makes a record nor revives one", () => {
    const put: [Change, Stamp] = [["put", "tasks", "t", {}], at(alice, 1, 10)]
    const shown = shownAfter(
      put,
      [["remove", "tasks", "t", [dot(put[1])]], at(alice, 2, 20)],
      [["set", "tasks", "t", "done", true], at(mallory, 1, 60)],
      [["add", "tasks", "u", "votes", 1], at(mallory, 2, 61)]
    )
    assert.deepStrictEqual(shown["tasks"], [])
  })
})

describe("a counter", () => {
  it("reads a sum beyond the safe integers as the nearest, and comes back, in any order", () => {
    const most = Number.MAX_SAFE_INTEGER
    const amounts = [most, most, -most, 5, -most, -most]
    const changes = amounts.map((amount, seq): [Change, Stamp] => [["add", "stock", amount], at(alice, seq, seq)])
    assert.strictEqual(shownAfter(...changes.slice(0, 2))["stock"], most)
    assert.strictEqual(shownAfter(...changes.slice(0, 4))["stock"], most)
    assert.strictEqual(shownAfter(...changes.slice(0, 5))["stock"], 5)
    assert.strictEqual(shownAfter(...changes.toReversed())["stock"], 5 - most)
  })
})

describe("what is no change", () => {
  const bytes = new Uint8Array(16)
  const refused: ReadonlyArray<readonly [what: string, change: Change]> = [
    ["nothing", []],
    ["no field", ["add"]],
    ["an unknown field", ["add", "toString", 1]],
    ["a field that is an array", ["add", ["likes"], 1]],
    ["a prototype's name", ["set", "tasks", "t", "constructor", true]],
    ["a field in a field that is an array", ["set", "tasks", "t", ["done"], true]],
    ["an unknown mutator", ["reset", "likes"]],
    ["one part too many", ["add", "likes", 1, 1]],
    ["amount 0", ["add", "likes", 0]],
    ["a negative amount", ["add", "likes", -1]],
    ["amount 0 up or down", ["add", "stock", 0]],
    ["an unsafe amount", ["add", "likes", 2 ** 53]],
    ["a bigint amount", ["add", "stock", 2n ** 60n]],
    ["half an amount", ["add", "stock", 0.5]],
    ["an empty key", ["set", "kv", "", "v"]],
    ["a key too long", ["set", "kv", "k".repeat(257), "v"]],
    ["a key with half a pair", ["set", "kv", "\ud800", "v"]],
    ["a value too long", ["set", "kv", "k", "value"]],
    ["dots that are no list", ["remove", "tags", "x", "all"]],
    ["a dot with a short feed", ["remove", "tags", "x", [[new Uint8Array(15), 0, 0]]]],
    ["a dot beyond every feed", ["remove", "tags", "x", [[bytes, seqMax, 0]]]],
    ["a dot with a negative seq", ["remove", "tags", "x", [[bytes, -1, 0]]]],
    ["a dot with a fraction", ["remove", "tags", "x", [[bytes, 0.5, 0]]]],
    ["a range of dots", ["remove", "tags", "x", [[bytes, 0, 0, 9]]]],
    ["too many dots", ["remove", "tags", "x", Array.from({ length: 4097 }, () => [bytes, 0, 0])]],
    ["an overwrite without dots", ["set", "name", "x"]],
    ["a put that is no map", ["put", "tasks", "t", []]],
    ["a put of an unknown field", ["put", "tasks", "t", { title: "x" }]],
    ["a put of what is no register", ["put", "tasks", "t", { votes: 1 }]],
    ["a put of a wrong value", ["put", "tasks", "t", { done: 1 }]],
    ["a put of a prototype", ["put", "tasks", "t", JSON.parse('{"__proto__": true}') as Cbor]]
  ]
  for (const [what, change] of refused) {
    it(`is refused with a reason: ${what}`, () => {
      const verdict = State.inspect(fields, change)
      assert.strictEqual(verdict._tag, "Invalid")
      assert.isNotEmpty(verdict._tag === "Invalid" ? verdict.reason : "")
    })
  }
})
