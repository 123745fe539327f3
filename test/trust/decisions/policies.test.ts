/** Policies that change. ⇒ = a change of policy for kv.write; |n = what its cut leaves alone. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Authority from "../../../src/trust/Authority.ts"
import * as Decision from "../../../src/trust/Decision.ts"
import * as Definition from "../../../src/trust/Definition.ts"
import * as Policy from "../../../src/trust/Policy.ts"
import {
  alice,
  bob,
  carol,
  dataAt,
  define,
  genesis,
  household,
  lift,
  mallory,
  right,
  revoke,
  root,
  setPolicy,
  type Paper
} from "../space.ts"
import { by, judged, lacks, may } from "./asking.ts"

const needs = (...capabilities: ReadonlyArray<string>) => Policy.make({ capabilities })
const setter = [right("policy:set")]

/** The entries whose policies bind now, the definition's as nothing. */
const binding = (sheet: Pick<Paper, "entries">) => {
  const authority = judged(sheet)
  const [view, regime] = [Authority.present(authority), Authority.regimeNow(authority)]
  return Authority.policiesFor(authority, view, regime, genesis.app, "kv.write").map(({ entry }) => entry)
}

describe("a policy that was changed", () => {
  // bob ── data 0 ── 1
  // mallory ── ⇒ kv:admin |0            whatever bob had seen
  it("binds what its cut leaves out, whether or not its author had seen the change", () => {
    const home = household({ bob: [right("kv:write")], mallory: setter })
    const seen = [home.mallory]
    const change = home.write(mallory, [setPolicy("kv.write", needs("kv:admin"), dataAt(bob, 0))])
    assert.deepStrictEqual(may(home, bob, "kv:write", { seq: 0, seen }), by("kv:write", home.bob))
    assert.deepStrictEqual(may(home, bob, "kv:write", { seq: 1, seen }), lacks("kv:admin", "kv:write"))
    assert.deepStrictEqual(may(home, bob, "kv:write", { seq: 1 }), lacks("kv:admin", "kv:write"))
    assert.deepStrictEqual(binding(home), [change.hash])
  })

  // mallory ── ⇒ kv:read           bob, who may read, has seen it or not
  it("lets more only who has seen it: nobody is let in by what came later", () => {
    const home = household({ bob: [right("kv:read")], mallory: setter })
    home.write(mallory, [setPolicy("kv.write", needs("kv:read"))])
    assert.deepStrictEqual(may(home, bob, "kv:write", { seen: [home.mallory] }), lacks("kv:write", "kv:read"))
    assert.deepStrictEqual(may(home, bob, "kv:write"), by("kv:read", home.bob))
  })

  // soundness 11: mallory ── ⇒ kv:a ──┐
  //               carol ──── ⇒ kv:b ──┴── alice ── ⇒ kv:c
  it("by two at once is both, until somebody who saw both replaces them", () => {
    const home = household({ bob: [right("kv:a"), right("kv:c")], carol: setter, mallory: setter })
    const seen = [home.mallory]
    const one = home.write(mallory, [setPolicy("kv.write", needs("kv:a"))], { seen })
    const other = home.write(carol, [setPolicy("kv.write", needs("kv:b"))], { seen })
    assert.deepStrictEqual(binding(home), [one.hash, other.hash])
    assert.deepStrictEqual(may(home, bob, "kv:write"), lacks("kv:b", "kv:a", "kv:c"))
    const last = home.write(alice, [setPolicy("kv.write", needs("kv:c"))])
    assert.deepStrictEqual(binding(home), [last.hash])
    assert.deepStrictEqual(may(home, bob, "kv:write"), by("kv:c", home.bob))
    assert.deepStrictEqual(
      may(home, bob, "kv:write", { seen: [one] }),
      lacks("kv:b", "kv:a", "kv:c"),
      "who saw one of them is bound by the others as well"
    )
  })

  it("to nothing is the definition's again", () => {
    const home = household({ bob: [right("kv:write")] })
    home.write(alice, [setPolicy("kv.write", needs("kv:admin"))])
    const back = home.write(alice, [setPolicy("kv.write", undefined)])
    assert.deepStrictEqual(may(home, bob, "kv:write"), by("kv:write", home.bob))
    assert.deepStrictEqual(binding(home), [back.hash])
  })

  it("is one operation's of one application", () => {
    const home = household({ bob: [right("kv:write")] })
    home.write(alice, [setPolicy("kv.read", needs("kv:admin"))])
    home.write(alice, [{ ...setPolicy("kv.write", needs("kv:admin")), app: "stone" }])
    assert.deepStrictEqual(may(home, bob, "kv:write"), by("kv:write", home.bob))
    assert.deepStrictEqual(may(home, bob, "kv:write", { operation: "kv.read" }), lacks("kv:admin", "kv:write"))
  })

  it("takes policy:set on the operation, of a member whom nothing ended", () => {
    for (const [held, stands] of [
      ["policy:set", true],
      ["policy:set/kv.write", true],
      ["policy:set/kv.read", false],
      ["app:define", false]
    ] as const) {
      const home = household({ bob: [right("kv:write")], mallory: [right(held)] })
      home.write(mallory, [setPolicy("kv.write", needs("kv:admin"))])
      const expected = stands ? lacks("kv:admin", "kv:write") : by("kv:write", home.bob)
      assert.deepStrictEqual(may(home, bob, "kv:write"), expected, held)
    }
    const late = household({ bob: [right("kv:write")], mallory: setter })
    late.write(alice, [revoke(mallory, late.mallory)])
    late.write(mallory, [setPolicy("kv.write", needs("kv:admin"))])
    assert.deepStrictEqual(may(late, bob, "kv:write"), by("kv:write", late.bob))
  })

  // mallory ── ⇒ kv:read         alice ── ✂M|start      it restricts all the same, and lets nobody in
  it("whose author was cut from before it goes on taking and gives no more", () => {
    const home = household({ bob: [right("kv:read")], carol: [right("kv:write")], mallory: setter })
    home.write(mallory, [setPolicy("kv.write", needs("kv:read"))])
    home.write(alice, [revoke(mallory, home.mallory)])
    assert.deepStrictEqual(may(home, bob, "kv:write"), lacks("kv:write", "kv:read"))
    assert.deepStrictEqual(may(home, carol, "kv:write"), lacks("kv:read", "kv:write"))
    home.write(root, [revoke(mallory, home.mallory)])
    assert.deepStrictEqual(may(home, carol, "kv:write"), by("kv:write", home.carol))
  })

  // alice ── ⇒ kv:a ── ⇒ kv:b ── root lifts both: or who leaves that out of what he has seen had more than who has it
  it("is replaced by another and never lifted, not by root either", () => {
    const home = household({ bob: [right("kv:a")], carol: [right("kv:b")] })
    const first = home.write(alice, [setPolicy("kv.write", needs("kv:a"))])
    const second = home.write(alice, [setPolicy("kv.write", needs("kv:b"))])
    home.write(alice, [lift(first), lift(second)])
    home.write(root, [lift(first), lift(second)])
    assert.deepStrictEqual(binding(home), [second.hash])
    assert.deepStrictEqual(may(home, bob, "kv:write"), lacks("kv:b", "kv:a"))
    assert.deepStrictEqual(may(home, carol, "kv:write"), by("kv:b", home.carol))
  })
})

describe("a definition", () => {
  const notes = { notes: { kind: "LWWMap", value: { kind: "string", maxLength: 10 } } } as const
  const [loose, strict] = ["notes/{id}:set", "notes/fixed:set"].map((path, index) =>
    Result.getOrThrow(
      Definition.make({
        app: "paper",
        version: index + 1,
        fields: notes,
        operations: { "kv.write": { writes: [path], policy: Policy.make({}), resource: undefined } }
      })
    )
  ) as [Definition.Definition, Definition.Definition]

  // soundness 11: device 1 runs version 1, device 2 version 2; the entry says which one it means
  it("judges the entries that name it, in whatever version others are", () => {
    const home = household({})
    home.write(alice, [
      { _tag: "Define", definition: loose },
      { _tag: "Define", definition: strict }
    ])
    const authority = judged(home)
    const view = Authority.present(authority)
    const request = {
      device: bob,
      time: 50,
      type: "kv.write",
      changes: [["set", "notes", "x", "y"]],
      fresh: () => false
    }
    const decide = (id: Definition.Definition["id"]) =>
      Decision.decide(authority, view, {
        ...request,
        definition: Result.getOrThrow(Decision.definitionFor(authority, view, id))
      })._tag
    assert.deepStrictEqual([loose.id, strict.id].map(decide), ["Allowed", "Denied"])
    const unseen = Decision.definitionFor(authority, Authority.emptyView(authority), loose.id)
    assert.deepStrictEqual(Result.isFailure(unseen) && unseen.failure, {
      _tag: "UnknownDefinition",
      definition: loose.id
    })
  })

  it("by somebody without app:define is none", () => {
    const home = household({ bob: [right("policy:set")] })
    home.write(bob, [define(1)])
    const authority = judged(home)
    const { id } = define(1).definition
    const found = Decision.definitionFor(authority, Authority.present(authority), id)
    assert.deepStrictEqual(Result.isFailure(found) && found.failure, { _tag: "UnknownDefinition", definition: id })
  })

  // soundness 30: what may be written stands in paths; a peer that sends other changes is refused, whatever it may
  it("lets an operation write where its paths say, and nowhere else, the founder included", () => {
    const home = household({ bob: [right("*")] })
    const authority = judged(home)
    for (const device of [alice, bob, root]) {
      const changes = [["set", "notes", "other", "y"]]
      const asked = { device, time: 50, definition: strict, type: "kv.write", changes, fresh: () => false }
      assert.deepStrictEqual(Decision.decide(authority, Authority.present(authority), asked), {
        _tag: "Denied",
        because: { _tag: "WriteOutside", type: "kv.write", touched: "notes/other:set", allowed: ["notes/fixed:set"] }
      })
    }
  })
})
