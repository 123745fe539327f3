/** Which changes a writes-path covers. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as State from "../../../src/journal/crdt/State.ts"
import type { Change, Fields, Touch } from "../../../src/journal/crdt/Crdt.ts"
import * as Writes from "../../../src/journal/crdt/Writes.ts"

const fields: Fields = {
  title: { kind: "LWWRegister", value: { kind: "string" } },
  count: { kind: "GCounter" },
  tags: { kind: "ORSet", value: { kind: "union", members: [{ kind: "string" }, { kind: "integer" }] } },
  kv: { kind: "LWWMap", value: { kind: "string" } },
  tasks: {
    kind: "ORMap",
    fields: {
      done: { kind: "LWWRegister", value: { kind: "boolean" } },
      notes: { kind: "LWWMap", value: { kind: "string" } }
    }
  }
}

const touch = (change: Change): Touch => {
  const verdict = State.inspect(fields, change)
  if (verdict._tag === "Invalid") throw new Error(verdict.reason)
  return verdict
}

const context: Writes.WritesContext = { self: "d1", isNew: (id) => id === "n1" || id === "n2" }

const verdict = (patterns: ReadonlyArray<string>, changes: ReadonlyArray<Change>): string => {
  const parsed = patterns.map((pattern) => Result.getOrThrow(Writes.parse(pattern)))
  const matched = Writes.matchAll(parsed, changes.map(touch), context)
  if (Result.isFailure(matched)) return `not ${Writes.show(matched.failure)}`
  const bound: Array<string> = []
  for (let binding = matched.success; binding !== undefined; binding = binding.before)
    bound.unshift(`${binding.name}=${binding.value}`)
  return bound.join(" ")
}

describe("a change", () => {
  // prettier-ignore
  const table: ReadonlyArray<readonly [patterns: ReadonlyArray<string>, changes: ReadonlyArray<Change>, verdict: string]> = [
    [["title:set"],               [["set", "title", "x"]],                    ""],
    [["title:*"],                 [["set", "title", "x"]],                    ""],
    [["count:set"],               [["add", "count", 1]],                      "not count:add"],
    [["tasks/{new}:put"],         [["put", "tasks", "n1", {}]],               ""],
    [["tasks/{new}:put"],         [["put", "tasks", "n1", {}], ["put", "tasks", "n2", { done: true }]], ""],
    [["tasks/{new}:put"],         [["put", "tasks", "t", {}]],                "not tasks/t:put"],
    [["tasks/{id}/done:set"],     [["set", "tasks", "t", "done", true]],      "id=t"],
    [["tasks/{id}/done:set"],     [["put", "tasks", "t", { done: true }]],    "not tasks/t:put"],
    [["tasks/{id}/done:set"],     [["remove", "tasks", "t", []]],             "not tasks/t:remove"],
    [["tasks/{id}:*"],            [["set", "tasks", "t", "done", true]],      "not tasks/t/done:set"],
    [["tasks/{id}/done:set"],     [["set", "tasks", "t", "done", true], ["set", "tasks", "u", "done", true]], "not tasks/u/done:set"],
    [["tasks/*/done:set"],        [["set", "tasks", "t", "done", true], ["set", "tasks", "u", "done", true]], ""],
    [["tasks/{a}:put", "tasks/{b}:put"], [["put", "tasks", "t", {}], ["put", "tasks", "u", {}]], "a=t b=u"],
    [["tasks/{id}/notes/{key}:set"], [["set", "tasks", "t", "notes", "k", "x"]], "id=t key=k"],
    [["kv/{self}:set"],           [["set", "kv", "d1", "x"]],                 ""],
    [["kv/{self}:set"],           [["set", "kv", "d2", "x"]],                 "not kv/d2:set"],
    [["kv/{key}:set"],            [["set", "kv", "a/b", "x"]],                "not kv/a/b:set"],
    [["kv/{key}:set"],            [["set", "kv", "*", "x"]],                  "not kv/*:set"],
    [["kv/*:set"],                [["set", "kv", "a/b", "x"]],                ""],
    [["tags/urgent:add"],         [["add", "tags", "urgent"]],                ""],
    [["tags/{tag}:add"],          [["add", "tags", 5]],                       "tag=5"],
    [[],                          [["set", "title", "x"]],                    "not title:set"],
    [[],                          [],                                         ""]
  ]
  for (const [patterns, changes, wanted] of table) {
    it(`${JSON.stringify(changes)} under ${JSON.stringify(patterns)}: ${wanted === "" ? "covered" : wanted}`, () => {
      assert.strictEqual(verdict(patterns, changes), wanted)
    })
  }
})

describe("a pattern", () => {
  const bad = [
    "tasks",
    "tasks/{id}",
    ":set",
    "tasks:",
    "tasks/:put",
    "{id}:put",
    "*:put",
    "tasks/{}:put",
    "tasks/{a b}:put"
  ]
  bad.push("tasks/é:put", "tasks:put:x", "a/".repeat(9) + "b:set", `${"a".repeat(600)}:set`)
  for (const text of bad) {
    it(`is refused with a reason: ${text.slice(0, 30)}`, () => {
      const parsed = Writes.parse(text)
      assert.include(Result.isFailure(parsed) ? parsed.failure : "", JSON.stringify(text.slice(0, 80)).slice(0, -1))
    })
  }
})
