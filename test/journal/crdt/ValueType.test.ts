/** What is a value of a type, as a table; how types are read from data; how they follow from schemas. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Cbor } from "../../../src/journal/Cbor.ts"
import { fieldsFromData, valueTypeFromData, type TypeRefused } from "../../../src/journal/crdt/TypeData.ts"
import { border, fromSchema } from "../../../src/journal/crdt/ValueSchema.ts"
import { check, type ValueType } from "../../../src/journal/crdt/ValueType.ts"

const person: ValueType = {
  kind: "struct",
  fields: { name: { kind: "string", maxLength: 5 }, age: { kind: "integer", min: 0 }, tags: list({ kind: "string" }) },
  optional: ["age", "tags"]
}

function list(items: ValueType): ValueType {
  return { kind: "array", items, maxItems: 2 }
}

describe("a value", () => {
  const ok = undefined
  // prettier-ignore
  const table: ReadonlyArray<readonly [type: ValueType, value: Cbor, verdict: string | undefined]> = [
    [{ kind: "boolean" },                         true,                      ok],
    [{ kind: "boolean" },                         0,                         "not a boolean"],
    [{ kind: "integer" },                         Number.MAX_SAFE_INTEGER,   ok],
    [{ kind: "integer" },                         2 ** 53,                   "not a safe integer"],
    [{ kind: "integer" },                         1n,                        "not a safe integer"],
    [{ kind: "integer", min: 1, max: 3 },         3,                         ok],
    [{ kind: "integer", min: 1, max: 3 },         4,                         "4 is above 3"],
    [{ kind: "integer", min: 1, max: 3 },         0,                         "0 is below 1"],
    [{ kind: "number" },                          0.5,                       ok],
    [{ kind: "number" },                          NaN,                       "not a finite number"],
    [{ kind: "number" },                          1e300,                     "an integer that is not safe"],
    [{ kind: "number", above: 0, below: 1 },      0,                         "0 is not above 0"],
    [{ kind: "number", above: 0, below: 1 },      1,                         "1 is not below 1"],
    [{ kind: "string" },                          "😀",                      ok],
    [{ kind: "string", maxLength: 1 },            "😀",                      "length 2 is above 1"],
    [{ kind: "string" },                          "\ud83d",                  "a string with half of a surrogate pair"],
    [{ kind: "string" },                          "x".repeat(65_537),        "length 65537 is above 65536"],
    [{ kind: "bytes", maxLength: 2 },             new Uint8Array(3),         "length 3 is above 2"],
    [{ kind: "bytes" },                           [1],                       "not bytes"],
    [{ kind: "literals", values: ["a", 1, null] }, null,                     ok],
    [{ kind: "literals", values: ["a", 1, null] }, "1",                      `none of "a", 1, null`],
    [list({ kind: "boolean" }),                   [true, 1],                 "at [1]: not a boolean"],
    [list({ kind: "boolean" }),                   [true, true, true],        "length 3 is above 2"],
    [person,                                      { name: "Bob" },           ok],
    [person,                                      { age: 1 },                "name is missing"],
    [person,                                      { name: "Bob", key: 1 },   `unknown key "key"`],
    [person,                                      { name: "Bob", toString: 1 }, `unknown key "toString"`],
    [person,                                      { name: "Bob", tags: ["a", 2] }, "at tags[1]: not a string"],
    [person,                                      [],                        "not a map"],
    [{ kind: "record", values: { kind: "boolean" }, maxKeys: 1 }, { a: true }, ok],
    [{ kind: "record", values: { kind: "boolean" }, maxKeys: 1 }, { a: 1 },  "at a: not a boolean"],
    [{ kind: "record", values: { kind: "boolean" }, maxKeys: 1 }, { a: true, b: true }, "number of keys 2 is above 1"],
    [{ kind: "union", members: [{ kind: "boolean" }, { kind: "string" }] }, 1, "none of the 2 alternatives"],
    [{ kind: "nullable", value: { kind: "string" } }, null,                  ok],
    [{ kind: "nullable", value: { kind: "string" } }, 1,                     "not a string"]
  ]
  for (const [type, value, verdict] of table) {
    const text =
      typeof value === "string" ? JSON.stringify(value.slice(0, 10)) : String(JSON.stringify(value, jsonable))
    it(`${text} as ${JSON.stringify(type).slice(0, 60)}: ${verdict ?? "is one"}`, () => {
      assert.strictEqual(check(type, value), verdict)
    })
  }
})

function jsonable(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value
}

describe("a type from data", () => {
  it("is what was written, for every kind", () => {
    const all: ValueType = {
      kind: "struct",
      fields: {
        a: { kind: "boolean" },
        b: { kind: "integer", min: -1, max: 1 },
        c: { kind: "number", min: 0.5, below: 2 },
        d: { kind: "string", minLength: 1, maxLength: 9 },
        e: { kind: "bytes", maxLength: 9 },
        f: { kind: "literals", values: ["x", 1, true, null] },
        g: { kind: "array", items: { kind: "boolean" }, minItems: 1 },
        h: { kind: "record", values: { kind: "nullable", value: { kind: "boolean" } }, maxKeys: 3 },
        i: { kind: "union", members: [{ kind: "boolean" }, { kind: "string" }] }
      },
      optional: ["a"]
    }
    assert.deepStrictEqual(Result.getOrThrow(valueTypeFromData(all as unknown as Cbor)), all)
  })

  const malformed: ReadonlyArray<readonly [what: string, data: Cbor]> = [
    ["no map", "string"],
    ["no kind", {}],
    ["an unknown key", { kind: "boolean", max: 1 }],
    ["a pattern", { kind: "string", pattern: "a*" }],
    ["bounds the wrong way round", { kind: "integer", min: 2, max: 1 }],
    ["a bound that is no number", { kind: "integer", min: "0" }],
    ["a length beyond the limit", { kind: "string", maxLength: 65_537 }],
    ["no literals", { kind: "literals", values: [] }],
    ["a composite literal", { kind: "literals", values: [[]] }],
    ["an optional field that is none", { kind: "struct", fields: {}, optional: ["a"] }],
    ["too deep", nested(6)]
  ]
  for (const [what, data] of malformed) {
    it(`is refused: ${what}`, () => {
      const refused = valueTypeFromData(data)
      assert.strictEqual(Result.isFailure(refused) ? refused.failure._tag : "accepted", "TypeMalformed")
    })
  }

  it("tells an unknown kind from a mistake", () => {
    const tagOf = (result: Result.Result<unknown, TypeRefused>) =>
      Result.isFailure(result) ? result.failure._tag : "accepted"
    const tags = [
      tagOf(valueTypeFromData({ kind: "decimal", digits: 3 })),
      tagOf(fieldsFromData({ body: { kind: "RichText", marks: ["bold"] } })),
      tagOf(fieldsFromData({ map: { kind: "ORMap", fields: { x: { kind: "Clock" } } } }))
    ]
    assert.deepStrictEqual(tags, ["UnknownKind", "UnknownKind", "UnknownKind"])
  })

  const malformedFields: ReadonlyArray<readonly [what: string, data: Cbor]> = [
    ["no fields", {}],
    ["a name that is none", { "a b": { kind: "GCounter" } }],
    ["a name with an underscore in front", { __proto: { kind: "GCounter" } }],
    ["a register without a value type", { a: { kind: "LWWRegister" } }],
    ["a blob with one", { a: { kind: "Blob", value: { kind: "string" } } }],
    ["a counter with one", { a: { kind: "GCounter", value: { kind: "integer" } } }],
    ["a maximum of what has no order", { a: { kind: "MaxRegister", value: { kind: "boolean" } } }],
    [
      "an ORMap in an ORMap",
      { a: { kind: "ORMap", fields: { b: { kind: "ORMap", fields: { c: { kind: "GCounter" } } } } } }
    ]
  ]
  for (const [what, data] of malformedFields) {
    it(`is refused as a definition's fields: ${what}`, () => {
      const refused = fieldsFromData(data)
      assert.strictEqual(Result.isFailure(refused) ? refused.failure._tag : "accepted", "TypeMalformed")
    })
  }
})

function nested(depth: number): Cbor {
  return depth === 0 ? { kind: "boolean" } : { kind: "array", items: nested(depth - 1) }
}

describe("a type from a schema", () => {
  class Person extends Schema.Class<Person>("Person")({ name: Schema.String }) {}
  const table: ReadonlyArray<readonly [schema: Schema.Top, type: ValueType]> = [
    [Schema.String, { kind: "string" }],
    [Schema.NonEmptyString.check(Schema.isMaxLength(9)), { kind: "string", minLength: 1, maxLength: 9 }],
    [
      Schema.String.check(Schema.isBetweenLength(1, 3), Schema.isMaxLength(2)),
      { kind: "string", minLength: 1, maxLength: 2 }
    ],
    [Schema.String.pipe(Schema.brand("Name")), { kind: "string" }],
    [Schema.Number, { kind: "number" }],
    [Schema.Finite, { kind: "number" }],
    [Schema.Int, { kind: "integer" }],
    [Schema.Int.check(Schema.isGreaterThan(0), Schema.isLessThan(2.5)), { kind: "integer", min: 1, max: 2 }],
    [Schema.Number.check(Schema.isInt32()), { kind: "integer", min: -2147483648, max: 2147483647 }],
    [
      Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1, exclusiveMaximum: true })),
      { kind: "number", min: 0, below: 1 }
    ],
    [Schema.Boolean, { kind: "boolean" }],
    [Schema.Null, { kind: "literals", values: [null] }],
    [Schema.Literals(["a", 1, true]), { kind: "literals", values: ["a", 1, true] }],
    [Schema.NullOr(Schema.Literals(["a"])), { kind: "literals", values: [null, "a"] }],
    [Schema.NullOr(Schema.String), { kind: "nullable", value: { kind: "string" } }],
    [Schema.Uint8Array, { kind: "bytes" }],
    [
      Schema.Array(Schema.Boolean).check(Schema.isMaxLength(2)),
      { kind: "array", items: { kind: "boolean" }, maxItems: 2 }
    ],
    [Schema.Record(Schema.String, Schema.Int), { kind: "record", values: { kind: "integer" } }],
    [
      Schema.Union([Schema.String, Schema.Boolean]),
      { kind: "union", members: [{ kind: "string" }, { kind: "boolean" }] }
    ],
    [
      Schema.Struct({ a: Schema.optionalKey(Schema.String), b: Schema.optional(Schema.Int), c: Schema.Boolean }),
      {
        kind: "struct",
        fields: { a: { kind: "string" }, b: { kind: "integer" }, c: { kind: "boolean" } },
        optional: ["a", "b"]
      }
    ],
    [Schema.DateFromString, { kind: "string" }],
    [Schema.DateFromMillis, { kind: "integer" }],
    [Schema.NumberFromString, { kind: "string" }],
    [Person, { kind: "struct", fields: { name: { kind: "string" } } }]
  ]
  for (const [schema, type] of table) {
    it(`is ${JSON.stringify(type).slice(0, 80)}`, () => {
      const derived = fromSchema(schema)
      assert.deepStrictEqual(derived, type)
      assert.deepStrictEqual(Result.getOrThrow(valueTypeFromData(derived as unknown as Cbor)), type)
    })
  }

  const refused: ReadonlyArray<readonly [what: RegExp, schema: Schema.Top]> = [
    [/state\.x: a Date as such can't be judged/, Schema.Date],
    [/state\.x: the check isPattern/, Schema.String.check(Schema.isPattern(/a/))],
    [/state\.x: the check of its own/, Schema.String.check(Schema.makeFilter((text) => text !== "x"))],
    [/state\.x\.a\[\]: a bigint literal/, Schema.Struct({ a: Schema.Array(Schema.Literal(1n)) })],
    [/state\.x: a tuple/, Schema.Tuple([Schema.String])],
    [/state\.x: Unknown/, Schema.Unknown],
    [/state\.x: BigInt/, Schema.BigInt]
  ]
  for (const [what, schema] of refused) {
    it(`does not exist, and says where and what is allowed: ${what.source}`, () => {
      assert.throws(() => fromSchema(schema, "state.x"), what)
      assert.throws(() => fromSchema(schema, "state.x"), /allowed are String/)
    })
  }
})

describe("the border", () => {
  it("lets values pass where the schema transforms nothing, and copies what has parts", () => {
    const { isDirect, encode, decode } = border(Schema.Struct({ list: Schema.Array(Schema.String) }))
    assert.isTrue(isDirect)
    const mine = { list: ["a"] }
    const stored = encode(mine)
    mine.list.push("b")
    assert.deepStrictEqual(stored, { list: ["a"] })
    assert.isTrue(Object.isFrozen(stored))
    assert.strictEqual(decode(stored), stored)
  })

  it("stores absence for undefined, and 0 for -0", () => {
    const { encode } = border(Schema.Struct({ a: Schema.optional(Schema.String), b: Schema.Number }))
    assert.deepStrictEqual(encode({ a: undefined, b: -0 }), { b: 0 })
  })

  it("decodes a stored value to the same object each time", () => {
    const { isDirect, encode, decode } = border(Schema.DateFromString)
    assert.isFalse(isDirect)
    const stored = encode(new Date(0))
    assert.strictEqual(stored, "1970-01-01T00:00:00.000Z")
    assert.strictEqual(decode(stored), decode(stored))
  })

  it("shows nothing for a stored value that the schema refuses", () => {
    assert.strictEqual(border(Schema.FiniteFromString).decode("many"), undefined)
  })
})
