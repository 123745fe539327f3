/** Permissions: which cover which, as laws over a generator that collides and as a table where strings mislead. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import {
  all,
  Capability,
  capability,
  capabilityCharactersMax,
  implies,
  isCapability,
  meet,
  meetSets,
  normalize,
  permits
} from "../../src/trust/Capability.ts"

/** Two actions, one beginning like the other; patterns of up to three segments out of three, with and without a star. */
const capabilities = fc
  .oneof(
    { weight: 1, arbitrary: fc.constant("*") },
    {
      weight: 9,
      arbitrary: fc
        .tuple(
          fc.constantFrom("x", "xy", "x:y"),
          fc.array(fc.constantFrom("a", "b", "ab"), { maxLength: 3 }),
          fc.boolean()
        )
        .map(([action, segments, star]) => [action, ...segments, ...(star ? ["*"] : [])].join("/"))
    }
  )
  .map(capability)

const sets = fc.array(capabilities, { maxLength: 4 })

const runs = { numRuns: 3000 }

describe("a capability", () => {
  it.each([
    ["*", "x/a", true],
    ["*", "*", true],
    ["x", "*", false],
    ["x/*", "*", false],
    ["x", "x", true],
    ["x", "x/a/b", true],
    ["x", "x/*", true],
    ["x", "xy", false],
    ["x", "x:y", false],
    ["x:y", "x", false],
    ["x/*", "x/a", true],
    ["x/*", "x/a/b", true],
    ["x/*", "x/a/*", true],
    ["x/*", "x", false],
    ["x/*", "xy/a", false],
    ["x/a", "x/a/b", false],
    ["x/a", "x/ab", false],
    ["x/a", "x/a/*", false],
    ["x/a/*", "x/a", false],
    ["x/a/*", "x/ab", false],
    ["x/a/*", "x/ab/c", false],
    ["x/a/*", "x/a/b/c", true],
    ["x/a/*", "x/*", false],
    ["x/a/b", "x/a", false],
    ["storage:read/note", "storage:read/notes", false],
    ["storage:read/note/*", "storage:read/notes/1", false],
    ["journal", "journalx", false]
  ])("%s implies %s: %s", (a, b, expected) => {
    assert.strictEqual(implies(capability(a), capability(b)), expected)
  })

  it("implies as a partial order: reflexive, transitive, antisymmetric, with everything at the top", () => {
    fc.assert(
      fc.property(capabilities, capabilities, capabilities, (a, b, c) => {
        assert.isTrue(implies(a, a))
        assert.isTrue(implies(all, a))
        if (implies(a, b) && implies(b, c)) assert.isTrue(implies(a, c))
        if (implies(a, b) && implies(b, a)) assert.strictEqual(a, b)
      }),
      runs
    )
  })

  it("meets in the greatest one that both imply, and in none when they have nothing in common", () => {
    fc.assert(
      fc.property(capabilities, capabilities, capabilities, (a, b, c) => {
        const common = meet(a, b)
        assert.strictEqual(common, meet(b, a))
        assert.strictEqual(meet(a, a), a)
        assert.strictEqual(meet(all, a), a)
        // whatever both imply is implied by the meet, so without a meet there is nothing that both imply
        assert.strictEqual(implies(a, c) && implies(b, c), common !== undefined && implies(common, c))
      }),
      runs
    )
  })
})

describe("a set of capabilities", () => {
  it("meets associatively, commutatively and idempotently, with {*} at the top and {} at the bottom", () => {
    fc.assert(
      fc.property(sets, sets, sets, (a, b, c) => {
        assert.deepStrictEqual(meetSets(a, b), meetSets(b, a))
        assert.deepStrictEqual(meetSets(meetSets(a, b), c), meetSets(a, meetSets(b, c)))
        assert.deepStrictEqual(meetSets(a, a), normalize(a))
        assert.deepStrictEqual(meetSets([all], a), normalize(a))
        assert.deepStrictEqual(meetSets([], a), [])
      }),
      runs
    )
  })

  it("permits what one of its members implies, and after a meet what both sets permit", () => {
    fc.assert(
      fc.property(sets, sets, capabilities, (a, b, wanted) => {
        assert.strictEqual(permits(meetSets(a, b), wanted), permits(a, wanted) && permits(b, wanted))
        assert.strictEqual(permits(normalize(a), wanted), permits(a, wanted))
      }),
      runs
    )
  })

  it("has one normal form: equal for sets that permit the same, without a member that another implies", () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const normal = normalize(a)
        for (const one of normal) assert.strictEqual(normal.filter((other) => implies(other, one)).length, 1)
        assert.deepStrictEqual(normalize([...a, ...normal].toReversed()), normal)
        const isSame = b.every((one) => permits(a, one)) && a.every((one) => permits(b, one))
        assert.strictEqual(isSame, normal.join() === normalize(b).join())
      }),
      runs
    )
  })

  it("that is empty permits nothing", () => {
    fc.assert(fc.property(capabilities, (wanted) => assert.isFalse(permits([], wanted))))
  })
})

describe("the grammar", () => {
  it.each(["*", "x", "task:write", "a-b:c2", "x/*", "x/a/*", "x/a b/ü", "operation:execute/backup", "x/%2f", "x/.."])(
    "takes %j",
    (text) => {
      assert.isTrue(isCapability(text))
      assert.strictEqual(capability(text), text)
    }
  )

  it.each([
    "",
    "**",
    "*/*",
    "*/a",
    "/",
    "/a",
    "X",
    "x:",
    ":x",
    "x::y",
    "x:Y",
    "1x",
    "-x",
    "x y",
    "x*",
    "x/",
    "x//a",
    "x/a/",
    "x/a*",
    "x/*/a",
    "x/**",
    "x/a\n",
    "x\n",
    "x/\u0000",
    "x/\ud800",
    "x/a\udc00b",
    " x",
    "ｘ"
  ])("refuses %j", (text) => {
    assert.isFalse(isCapability(text))
    assert.throws(() => capability(text), /is no capability/)
    assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(Capability)(text)))
  })

  it("has a longest one", () => {
    const longest = `x/${"a".repeat(capabilityCharactersMax - 2)}`
    assert.isTrue(isCapability(longest))
    assert.isFalse(isCapability(`${longest}a`))
  })
})
