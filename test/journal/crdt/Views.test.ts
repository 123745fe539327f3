/** Views: sorted, immutable, identical until something in them changes, and balanced however they came about. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import type { Fields } from "../../../src/journal/crdt/Crdt.ts"
import { layoutOf } from "../../../src/journal/crdt/Layout.ts"
import * as SortedTree from "../../../src/journal/crdt/SortedTree.ts"
import * as State from "../../../src/journal/crdt/State.ts"
import { MapView } from "../../../src/journal/crdt/Views.ts"
import { feeds } from "./arbitraries.ts"

describe("a sorted tree", () => {
  const step = fc.tuple(fc.constantFrom("insert", "insert", "remove"), fc.nat(40), fc.nat(3))

  it("does what a map does, and leaves earlier versions as they were", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(40), (steps, after) => {
        let tree: SortedTree.Tree<number> = undefined
        const map = new Map<number, number>()
        const versions: Array<readonly [SortedTree.Tree<number>, ReadonlyArray<readonly [SortedTree.Key, number]>]> = []
        for (const [what, key, value] of steps) {
          tree = what === "insert" ? SortedTree.insert(tree, key, value) : SortedTree.remove(tree, key)
          if (what === "insert") map.set(key, value)
          else map.delete(key)
          versions.push([tree, [...map].sort(([a], [b]) => a - b)])
        }
        for (const [version, entries] of versions) {
          assert.deepStrictEqual([...SortedTree.entries(version)], entries)
          assert.strictEqual(SortedTree.size(version), entries.length)
          const behind = entries.filter(([key]) => SortedTree.compareKeys(key, after) > 0)
          assert.deepStrictEqual([...SortedTree.entries(version, after)], behind)
        }
        for (let key = 0; key <= 40; key++) assert.strictEqual(SortedTree.find(tree, key), map.get(key))
      })
    )
  })

  it("stays shallow when keys come in order", () => {
    let tree: SortedTree.Tree<number> = undefined
    for (let key = 0; key < 4096; key++) tree = SortedTree.insert(tree, key, key)
    for (let key = 0; key < 4000; key++) tree = SortedTree.remove(tree, key)
    const depth = (node: SortedTree.Tree<number>): number =>
      node === undefined ? 0 : 1 + Math.max(depth(node.left), depth(node.right))
    assert.isAtMost(depth(tree), 12)
  })

  it("puts numbers before texts", () => {
    assert.isBelow(SortedTree.compareKeys(9, "1"), 0)
    assert.isAbove(SortedTree.compareKeys("1", 9), 0)
    assert.isBelow(SortedTree.compareKeys(9, 10), 0)
    assert.isAbove(SortedTree.compareKeys("9", "10"), 0)
  })
})

const fields: Fields = {
  kv: { kind: "LWWMap", value: { kind: "integer" } },
  tasks: {
    kind: "ORMap",
    fields: {
      done: { kind: "LWWRegister", value: { kind: "boolean" } },
      tags: { kind: "GSet", value: { kind: "string" } }
    }
  }
}

/** A state that is written to by one device. */
const makeState = () => {
  const state = State.empty()
  let seq = 0
  const write = (...change: ReadonlyArray<string | number | boolean | {}>) => {
    State.apply(state, fields, change as never, { time: seq, feed: feeds[0]!, seq: seq++, index: 0 })
    return State.read(state, fields)
  }
  return { state, write }
}

/** A state of its own with the same in it: what is read of it tells nothing to the first. */
const copyOf = (state: State.State): State.State => Result.getOrThrow(State.fromCbor(State.toCbor(state)))

const plain = (shown: State.Shown): unknown => JSON.parse(JSON.stringify(shown))

const dotsIn = (
  state: State.State,
  types: Fields,
  name: string,
  [first, inner, element]: ReadonlyArray<string | number>
): ReadonlyArray<unknown> => {
  const outer = layoutOf(types).get(name)!
  const slot = state.slots.get(outer.key)
  if (slot === undefined) return []
  if (inner === undefined) return outer.crdt.dots!(slot.state, first!)
  const field = layoutOf(outer.type.fields!).get(String(inner))!
  const inside = outer.crdt.inside!(slot.state, String(first), field.key)
  return inside === undefined ? [] : field.crdt.dots!(inside, element!)
}

const mapIn = (shown: State.Shown, name: string): MapView<unknown> => {
  const view = shown[name]
  assert.instanceOf(view, MapView)
  return view as MapView<unknown>
}

describe("what is read", () => {
  it("is the same object until a change touches it, and so is what is nested", () => {
    const { write } = makeState()
    write("put", "tasks", "a", { done: false })
    write("add", "tasks", "a", "tags", "x")
    const one = write("put", "tasks", "b", { done: false })
    const two = write("set", "tasks", "b", "done", true)
    assert.strictEqual(two["kv"], one["kv"])
    assert.notStrictEqual(two["tasks"], one["tasks"])
    assert.strictEqual(mapIn(two, "tasks").get("a"), mapIn(one, "tasks").get("a"))
    assert.deepStrictEqual(mapIn(one, "tasks").get("b"), { ...(mapIn(two, "tasks").get("b") as object), done: false })
    const three = write("set", "tasks", "b", "done", true)
    assert.strictEqual(three, two)
    assert.isTrue(Object.isFrozen(mapIn(two, "tasks").get("a")))
  })

  it("keeps its records the same objects when somebody looks at one by other fields", () => {
    const { state, write } = makeState()
    const shown = write("put", "tasks", "a", { done: true })
    const before = mapIn(shown, "tasks").get("a")
    const done: Fields = { done: { kind: "LWWRegister", value: { kind: "boolean" } } }
    const slot = state.slots.get("tasks:ORMap")!
    assert.deepStrictEqual(slot.crdt.peek?.(slot.state, { kind: "ORMap", fields: done }, "a"), { done: true })
    assert.strictEqual(mapIn(shown, "tasks").get("a"), before)
  })

  it("shows records by the fields it is asked for, however they were read before", () => {
    const { state, write } = makeState()
    write("put", "tasks", "a", { done: true })
    const less: Fields = {
      tasks: { kind: "ORMap", fields: { done: { kind: "LWWRegister", value: { kind: "boolean" } } } }
    }
    assert.deepStrictEqual(mapIn(State.read(state, less), "tasks").get("a"), { done: true })
    assert.hasAllKeys(mapIn(State.read(state, fields), "tasks").get("a"), ["done", "tags"])
  })

  it("never changes afterwards, whether or not anybody had walked it, in every kind that shows a view", () => {
    const kinds: Fields = {
      kv: { kind: "LWWMap", value: { kind: "integer" } },
      g: { kind: "GSet", value: { kind: "integer" } },
      o: { kind: "ORSet", value: { kind: "integer" } },
      r: {
        kind: "ORMap",
        fields: {
          n: { kind: "LWWRegister", value: { kind: "integer" } },
          s: { kind: "ORSet", value: { kind: "integer" } }
        }
      }
    }
    const key = fc.nat(5)
    const deed = fc.oneof(
      fc.tuple(fc.constant("set" as const), key, fc.nat(9)),
      fc.tuple(fc.constantFrom("remove", "add", "take", "put", "drop", "field", "inside", "outside"), key, fc.nat(9)),
      fc.tuple(fc.constantFrom("look", "walk"), fc.constant(0), fc.constant(0))
    )
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
        const state = State.empty()
        const values = new Map<string, number>()
        const kept: Array<readonly [State.Shown, unknown]> = []
        let seq = 0
        const apply = (...change: ReadonlyArray<unknown>) =>
          State.apply(state, kinds, change as never, { time: seq, feed: feeds[0]!, seq: seq++, index: 0 })
        const dots = (name: string, ...path: ReadonlyArray<string | number>) => dotsIn(state, kinds, name, path)
        for (const [what, at, value] of deeds) {
          const id = `k${at}`
          if (what === "set") {
            apply("set", "kv", id, value)
            values.set(id, value)
          } else if (what === "remove") {
            apply("remove", "kv", id)
            values.delete(id)
          } else if (what === "add") {
            apply("add", "g", at)
            apply("add", "o", at)
          } else if (what === "take") apply("remove", "o", at, dots("o", at))
          else if (what === "put") apply("put", "r", id, { n: value })
          else if (what === "drop") apply("remove", "r", id, dots("r", id))
          else if (what === "field") apply("set", "r", id, "n", value)
          else if (what === "inside") apply("add", "r", id, "s", value)
          else if (what === "outside") apply("remove", "r", id, "s", value, dots("r", id, "s", value))
          else {
            const shown = State.read(state, kinds)
            const map = mapIn(shown, "kv")
            assert.strictEqual(map.size, values.size)
            for (let other = 0; other <= 5; other++) assert.strictEqual(map.get(`k${other}`), values.get(`k${other}`))
            if (what === "walk")
              assert.deepStrictEqual(
                [...map],
                [...values].sort(([a], [b]) => (a < b ? -1 : 1))
              )
            kept.push([shown, plain(State.read(copyOf(state), kinds))])
          }
        }
        for (const [shown, then] of kept) assert.deepStrictEqual(plain(shown), then)
      })
    )
  })

  it("can be read by pages, in the order of keys", () => {
    const { write } = makeState()
    for (const key of ["d", "b", "a", "c"]) write("set", "kv", key, 1)
    const view = mapIn(write("remove", "kv", "b"), "kv")
    const keys = (page: ReadonlyArray<readonly [string, unknown]>) => page.map(([key]) => key).join("")
    assert.strictEqual(keys(view.page({ limit: 2 })), "ac")
    assert.strictEqual(keys(view.page({ after: "a", limit: 2 })), "cd")
    assert.strictEqual(keys(view.page({ after: "b", limit: 9 })), "cd")
    assert.strictEqual(keys(view.page({ after: "d", limit: 9 })), "")
    assert.strictEqual(keys(view.page({ limit: 0 })), "")
    assert.deepStrictEqual(view.toJSON(), { a: 1, c: 1, d: 1 })
    assert.strictEqual(view.size, 3)
    assert.deepStrictEqual([view.has("b"), view.has("c")], [false, true])
  })

  it("keeps a state of its own for each kind that versions give to one name", () => {
    const { state, write } = makeState()
    write("set", "kv", "a", 1)
    const later: Fields = { kv: { kind: "GCounter" } }
    State.apply(state, later, ["add", "kv", 2], { time: 9, feed: feeds[1]!, seq: 0, index: 0 })
    assert.strictEqual(State.read(state, later)["kv"], 2)
    assert.deepStrictEqual([...mapIn(State.read(state, fields), "kv")], [["a", 1]])
  })
})
