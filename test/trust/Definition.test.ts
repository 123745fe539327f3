/** Definitions as data: the bytes that entries name, in both versions, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Cbor from "../../src/journal/Cbor.ts"
import { capability } from "../../src/trust/Capability.ts"
import * as Definition from "../../src/trust/Definition.ts"
import { costMax, definitionRolesMax, grantDepthMax, grantRightsMax } from "../../src/trust/limits.ts"
import * as Policy from "../../src/trust/Policy.ts"
import frozen from "../vectors/definitions.json" with { type: "json" }
import { hexOf } from "../journal/writing.ts"
import { full, plain } from "./sources.ts"

type Data = { readonly [key: string]: Cbor.Cbor }

const made = (source: Definition.Source): Definition.Definition => Result.getOrThrow(Definition.make(source))
const dataOf = (source: Definition.Source): Data => Result.getOrThrow(Cbor.decode(made(source).bytes)) as Data
const read = (data: Data) => Definition.decode(Cbor.encode(data))
const isRefused = (data: Data): boolean => Result.isFailure(read(data))

/** The same with another operation. */
const withAdd = (part: Data): Data => {
  const data = dataOf(full)
  const operations = data["operations"] as { readonly "task.add": Data }
  return { ...data, operations: { ...operations, "task.add": { ...operations["task.add"], ...part } } }
}

describe("a definition", () => {
  it.each([
    ["plain", plain, 1],
    ["full", full, 2]
  ] as const)("that is %s has the bytes and the id that entries name for ever", (name, source, version) => {
    const { bytes, id } = made(source)
    assert.deepStrictEqual({ bytes: hexOf(bytes), id: id as string }, frozen[name])
    assert.strictEqual(dataOf(source)["v"], version)
    assert.deepStrictEqual(Result.getOrThrow(Definition.decode(bytes)), made(source))
  })

  it("is of version 2 only where more is said than version 1 can", () => {
    const [add] = Object.entries(plain.operations)
    const said = (part: Partial<Definition.Source["operations"][string]>) =>
      dataOf({ ...plain, operations: { [add![0]]: { ...add![1], ...part } } })["v"]
    assert.strictEqual(said({}), 1)
    assert.strictEqual(said({ cost: 0 }), 1)
    assert.strictEqual(said({ cost: 1 }), 2)
    assert.strictEqual(said({ policy: Policy.make({ capabilities: ["a"], chainMax: 3 }) }), 2)
    assert.strictEqual(said({ policy: Policy.make({ minTrust: "None" }) }), 2)
    assert.strictEqual(said({ policy: Policy.any(Policy.make({ capabilities: ["a"] })) }), 2)
    assert.strictEqual(dataOf({ ...plain, roles: {} })["v"], 1)
    assert.strictEqual(dataOf({ ...plain, roles: { a: [{ capability: capability("a"), depth: 0 }] } })["v"], 2)
  })

  it("of version 1 says that all of its capabilities are demanded, at no cost beyond its bytes", () => {
    const { operations, roles } = made(plain)
    assert.deepStrictEqual(
      operations.get("task.purge")?.policy,
      Policy.make({ capabilities: ["task:write", "task:purge"] })
    )
    assert.deepStrictEqual(
      [...operations.values()].map(({ cost }) => cost),
      [0, 0, 0]
    )
    assert.strictEqual(roles.size, 0)
  })

  it("of either version has exactly its keys, and no other version is known", () => {
    for (const source of [plain, full]) {
      const data = dataOf(source)
      assert.isFalse(isRefused(data))
      for (const key of Object.keys(data)) {
        const { [key]: _, ...rest } = data
        assert.isTrue(isRefused(rest), `without ${key}`)
      }
      assert.isTrue(isRefused({ ...data, more: 1 }))
      for (const v of [0, 3, "1", null]) assert.isTrue(isRefused({ ...data, v }))
    }
    assert.isTrue(isRefused({ ...dataOf(plain), v: 2 }), "keys of version 1")
    assert.isTrue(isRefused({ ...dataOf(full), v: 1 }), "keys of version 2")
    assert.isTrue(isRefused({ ...dataOf(plain), roles: {} }))
  })

  it("of version 2 has operations with a policy and a cost in range", () => {
    assert.isFalse(isRefused(withAdd({ cost: costMax })))
    for (const cost of [-1, costMax + 1, 0.5, null]) assert.isTrue(isRefused(withAdd({ cost })))
    for (const policy of [null, [], ["all"], ["trust", 9]]) assert.isTrue(isRefused(withAdd({ policy })))
    assert.isTrue(isRefused(withAdd({ capabilities: [] })))
    assert.isTrue(isRefused(withAdd({ resource: 7 })))
    assert.isTrue(isRefused(withAdd({ writes: "tasks" })))
  })

  it("of version 2 has roles of some capabilities each, under names like those of applications", () => {
    const data = dataOf(full)
    const one = { capability: "task:write", depth: 0 }
    const roles = (value: Cbor.Cbor): boolean => !isRefused({ ...data, roles: value })
    assert.isTrue(roles({ a: [one], "b-2": [one, one] }))
    for (const name of ["", "A", "2", "a b", "x".repeat(65)]) assert.isFalse(roles({ [name]: [one] }), name)
    for (const rights of [
      [],
      [{ ...one, depth: grantDepthMax + 1 }],
      [{ ...one, more: 1 }],
      [{ ...one, capability: "" }],
      one
    ])
      assert.isFalse(roles({ a: rights }))
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`r${index}`, [one]]))
    assert.isTrue(roles(many(definitionRolesMax)))
    assert.isFalse(roles(many(definitionRolesMax + 1)))
    assert.isTrue(roles({ a: Array.from({ length: grantRightsMax }, () => one) }))
    assert.isFalse(roles({ a: Array.from({ length: grantRightsMax + 1 }, () => one) }))
  })
})
