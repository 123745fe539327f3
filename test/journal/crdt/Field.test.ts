/** Fields as an application writes them down: the types that follow, and the drafts that operations plan with. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { BlobHash } from "../../../src/identity/Id.ts"
import { accepted } from "../writing.ts"
import type { Change } from "../../../src/journal/crdt/Crdt.ts"
import type { CounterDraft, RegisterDraft } from "../../../src/journal/crdt/Draft.ts"
import * as Field from "../../../src/journal/crdt/Field.ts"
import {
  Blob,
  GCounter,
  GSet,
  LWWMap,
  LWWRegister,
  MaxRegister,
  MVRegister,
  ORMap,
  ORSet,
  PNCounter
} from "../../../src/journal/crdt/Field.ts"
import * as State from "../../../src/journal/crdt/State.ts"
import { Text } from "../../../src/journal/crdt/TextDraft.ts"
import { dotToCbor } from "../../../src/journal/crdt/Stamp.ts"
import type { MapView, SetView } from "../../../src/journal/crdt/Views.ts"
import { feeds } from "./arbitraries.ts"

const definition = {
  title: LWWRegister(Schema.String),
  due: LWWRegister(Schema.DateFromString),
  mood: MVRegister(Schema.Literals(["good", "bad"])),
  likes: GCounter(),
  stock: PNCounter(),
  seen: GSet(Schema.DateFromString),
  tags: ORSet(Schema.String),
  kv: LWWMap(Schema.FiniteFromString),
  best: MaxRegister(Schema.Int),
  cover: Blob(),
  tasks: ORMap({
    title: LWWRegister(Schema.String),
    done: LWWRegister(Schema.Boolean),
    votes: PNCounter(),
    due: LWWRegister(Schema.DateFromString)
  })
}

const types = Field.typesOf(definition)

/** One device's state, to which plans are applied at once. */
const makeDevice = () => {
  const state = State.empty()
  let seq = 0
  const perform = (plan: (draft: Field.DraftOf<typeof definition>) => ReadonlyArray<Change>) => {
    plan(Field.draftOf(definition, types, state, feeds[0]!)).forEach((change, index) => {
      const verdict = State.inspect(types, change)
      assert.strictEqual(verdict._tag, "Touch", JSON.stringify([change, verdict]))
      State.apply(state, types, change, { time: seq, feed: feeds[0]!, seq, index })
    })
    seq++
    return Field.show(definition, State.read(state, types))
  }
  return { state, perform, draft: () => Field.draftOf(definition, types, state, feeds[0]!) }
}

describe("a field that names a blob", () => {
  const ref = { hash: BlobHash.make("ab".repeat(32)), size: 3, type: "image/png" }
  const other = { ...ref, hash: BlobHash.make("cd".repeat(32)) }

  it("reads as what was set last, and as nothing when nothing is named", () => {
    const { perform, state } = makeDevice()
    assert.isUndefined(perform(() => []).cover)
    assert.deepStrictEqual(perform(({ cover }) => [cover.set({ ...ref, ...{ more: 1 } })]).cover, ref)
    assert.deepStrictEqual(perform(({ cover }) => [cover.set(other)]).cover, other)
    assert.deepStrictEqual([...State.blobs(state)], [other])
    assert.isUndefined(perform(({ cover }) => [cover.set(undefined)]).cover)
    assert.deepStrictEqual([...State.blobs(state)], [])
  })

  it("is found in the records that are there, and in those alone", () => {
    const { perform, state } = makeDevice()
    const fields = { albums: ORMap({ title: LWWRegister(Schema.String), cover: Blob() }) }
    const albumTypes = Field.typesOf(fields)
    let seq = 10
    const change = (plan: (draft: Field.DraftOf<typeof fields>) => Change) => {
      const made = plan(Field.draftOf(fields, albumTypes, state, feeds[0]!))
      assert.strictEqual(State.inspect(albumTypes, made)._tag, "Touch")
      State.apply(state, albumTypes, made, { time: seq, feed: feeds[0]!, seq: seq++, index: 0 })
    }
    perform(({ cover }) => [cover.set(other)])
    change(({ albums }) => albums.put("a", { title: "A", cover: ref }))
    change(({ albums }) => albums.put("b", { title: "B" }))
    assert.deepStrictEqual([...State.blobs(state)], [other, ref])
    const again = accepted(State.fromCbor(State.toCbor(state)))
    assert.sameDeepMembers([...State.blobs(again)], [other, ref])
    change(({ albums }) => albums.remove("a"))
    assert.deepStrictEqual([...State.blobs(state)], [other])
  })

  it("is refused in every other form, on every device", () => {
    for (const wrong of [0, "ab", [], {}, { ...ref, size: -1 }, { ...ref, more: 1 }, { ...ref, type: "" }] as const)
      assert.strictEqual(State.inspect(types, ["set", "cover", wrong])._tag, "Invalid", JSON.stringify(wrong))
    for (const change of [
      ["set", "cover"],
      ["set", "cover", ref, 1],
      ["add", "cover", ref]
    ] as const)
      assert.strictEqual(State.inspect(types, change)._tag, "Invalid", JSON.stringify(change))
  })
})

describe("drafts for many plans", () => {
  it("show the state as it is when they are asked, and change nothing that a plan could leave behind", () => {
    const device = makeDevice()
    const next = Field.drafter(definition, types, device.state, feeds[0]!)
    const first = next()
    assert.strictEqual(next(), first)
    device.perform(({ kv, likes, tasks }) => [likes.add(2), kv.set("a", 1), tasks.put("x", { title: "milk" })])
    const { kv, likes, tasks } = next()
    assert.deepStrictEqual([likes.value, kv.get("a"), tasks.get("x")?.title], [2, 1, "milk"])
    assert.deepStrictEqual(tasks.at("x").title.set("tea"), device.draft().tasks.at("x").title.set("tea"))
    assert.throws(() => Object.assign(first, { likes: undefined }), TypeError)
    assert.throws(() => Object.assign(likes, { add: () => ["add", "likes", 99] }), TypeError)
  })

  it("are new for each plan where they remember what was drafted", () => {
    const texts = { body: Text(), likes: GCounter() }
    const next = Field.drafter(texts, Field.typesOf(texts), State.empty(), feeds[0]!)
    const { body } = next()
    body.insert(0, "drafted and never written")
    assert.strictEqual(next().body.value, "")
  })
})

describe("drafts", () => {
  it("say what they change as data", () => {
    const { draft } = makeDevice()
    const { title, due, likes, tags, kv, tasks } = draft()
    assert.deepStrictEqual(title.set("x"), ["set", "title", "x"])
    assert.deepStrictEqual(due.set(new Date(0)), ["set", "due", "1970-01-01T00:00:00.000Z"])
    assert.deepStrictEqual(likes.add(2), ["add", "likes", 2])
    assert.deepStrictEqual(tags.remove("x"), ["remove", "tags", "x", []])
    assert.deepStrictEqual(kv.set("k", 1.5), ["set", "kv", "k", "1.5"])
    assert.deepStrictEqual(tasks.put("t", { title: "x", due: new Date(0) }), [
      "put",
      "tasks",
      "t",
      { title: "x", due: "1970-01-01T00:00:00.000Z" }
    ])
    assert.deepStrictEqual(tasks.at("t").done.set(true), ["set", "tasks", "t", "done", true])
    assert.deepStrictEqual(tasks.at("t").votes.add(-1), ["add", "tasks", "t", "votes", -1])
  })

  it("read the state, and name in removals and overwrites what it shows", () => {
    const { perform, draft } = makeDevice()
    perform(({ title, tags, mood, tasks, kv, stock, likes, best }) => [
      title.set("x"),
      tags.add("a"),
      mood.set("good"),
      tasks.put("t", { title: "milk", done: false }),
      kv.set("k", 1.5),
      stock.add(-3),
      likes.add(1),
      best.set(7)
    ])
    const { title, tags, mood, tasks, kv, stock, best } = draft()
    const dot = (index: number) => dotToCbor({ feed: feeds[0]!, seq: 0, index })
    assert.strictEqual(title.value, "x")
    assert.deepStrictEqual([tags.has("a"), tags.has("b"), tags.value.size], [true, false, 1])
    assert.deepStrictEqual(tags.remove("a"), ["remove", "tags", "a", [dot(1)]])
    assert.deepStrictEqual(mood.value, ["good"])
    assert.deepStrictEqual(mood.set("bad"), ["set", "mood", "bad", [dot(2)]])
    assert.deepStrictEqual([tasks.has("t"), tasks.has("u"), tasks.get("t")?.title], [true, false, "milk"])
    assert.deepStrictEqual(tasks.remove("t"), ["remove", "tasks", "t", [dot(3)]])
    assert.strictEqual(tasks.at("t").done.value, false)
    assert.strictEqual(tasks.at("u").done.value, undefined)
    assert.strictEqual(tasks.at("u").votes.value, 0)
    assert.deepStrictEqual([kv.get("k"), kv.get("l"), kv.has("k")], [1.5, undefined, true])
    assert.deepStrictEqual([stock.value, best.value], [-3, 7])
  })

  it("change nothing by themselves, and do not see each other", () => {
    const { state, draft } = makeDevice()
    const before = State.digest(state)
    const { title, tasks } = draft()
    title.set("x")
    tasks.put("t", { title: "x" })
    assert.strictEqual(title.value, undefined)
    assert.isFalse(tasks.has("t"))
    assert.deepStrictEqual(State.digest(state), before)
  })

  it("throw where a schema can't encode the value", () => {
    const { draft } = makeDevice()
    assert.throws(() => draft().due.set(new Date(NaN)))
  })
})

describe("what the application sees", () => {
  it("has the application's values, the same objects until they change", () => {
    const { perform } = makeDevice()
    const one = perform(({ due, seen, kv, tasks }) => [
      due.set(new Date(1)),
      seen.add(new Date(2)),
      kv.set("k", 3),
      tasks.put("t", { due: new Date(4) }),
      tasks.put("u", {})
    ])
    const two = perform(({ tasks }) => [tasks.at("u").done.set(true)])
    assert.deepStrictEqual(two.due, new Date(1))
    assert.strictEqual(two.due, one.due)
    assert.strictEqual(two.seen, one.seen)
    assert.deepStrictEqual([...two.seen], [new Date(2)])
    assert.isTrue(two.seen.has(new Date(2)))
    assert.deepStrictEqual([...two.kv], [["k", 3]])
    assert.strictEqual(two.tasks.get("t"), one.tasks.get("t"))
    assert.notStrictEqual(two.tasks, one.tasks)
    assert.deepStrictEqual(two.tasks.get("t")?.due, new Date(4))
    assert.isTrue(two.tasks.get("u")?.done)
  })

  it("passes over what the schema refuses: others judge only what is stored", () => {
    const { state } = makeDevice()
    const stamp = (seq: number) => ({ time: seq, feed: feeds[1]!, seq, index: 0 })
    State.apply(state, types, ["set", "kv", "k", "many"], stamp(0))
    State.apply(state, types, ["set", "kv", "l", "5"], stamp(1))
    const { kv } = Field.show(definition, State.read(state, types))
    assert.deepStrictEqual([...kv], [["l", 5]])
    assert.isFalse(kv.has("k"))
  })
})

describe("a definition", () => {
  it("names the path of what can't be judged by others", () => {
    assert.throws(() => Field.typesOf({ tasks: ORMap({ due: LWWRegister(Schema.Date) }) }), /state\.tasks\.due: a Date/)
    assert.throws(() => Field.typesOf({ "a b": GCounter() }), /state\.a b: a field's name/)
  })
})

it("types follow from the fields", () => {
  const { draft, perform } = makeDevice()
  expectTypeOf(perform(() => [])).toEqualTypeOf<Field.ReadOf<typeof definition>>()
  type Read = Field.ReadOf<typeof definition>
  expectTypeOf<Read["title"]>().toEqualTypeOf<string | undefined>()
  expectTypeOf<Read["due"]>().toEqualTypeOf<Date | undefined>()
  expectTypeOf<Read["mood"]>().toEqualTypeOf<ReadonlyArray<"good" | "bad">>()
  expectTypeOf<Read["likes"]>().toEqualTypeOf<number>()
  expectTypeOf<Read["seen"]>().toEqualTypeOf<SetView<Date>>()
  expectTypeOf<Read["kv"]>().toEqualTypeOf<MapView<number>>()
  type Task = {
    readonly title: string | undefined
    readonly done: boolean | undefined
    readonly votes: number
    readonly due: Date | undefined
  }
  expectTypeOf<Read["tasks"]>().toEqualTypeOf<MapView<Task>>()
  type Draft = Field.DraftOf<typeof definition>
  expectTypeOf<Draft["title"]>().toEqualTypeOf<RegisterDraft<string>>()
  expectTypeOf<Draft["stock"]>().toEqualTypeOf<CounterDraft>()
  expectTypeOf<Parameters<Draft["tasks"]["put"]>[1]>().toEqualTypeOf<{
    readonly title?: string
    readonly done?: boolean
    readonly due?: Date
  }>()
  expectTypeOf<ReturnType<Draft["tasks"]["at"]>["done"]>().toEqualTypeOf<RegisterDraft<boolean>>()
  const { title, tasks } = draft()
  // @ts-expect-error a title is a string
  title.set(1)
  // @ts-expect-error counters can't be put
  assert.throws(() => tasks.put("t", { votes: 1 }))
  // @ts-expect-error a maximum needs an order
  MaxRegister(Schema.Boolean)
})
