/** The words of pairing: understood when whole, refused otherwise, and a stranger's text is not repeated at length. */
import { assert, describe, it } from "@effect/vitest"
import type * as Cbor from "../../src/journal/Cbor.ts"
import * as Pairing from "../../src/sync/Pairing.ts"
import { deviceNameCharactersMax, reasonCharactersMax } from "../../src/trust/limits.ts"
import { accepted, bytesOf, refusal, space } from "../journal/writing.ts"

const steps: ReadonlyArray<Pairing.Step> = [
  { _tag: "Redeem", proof: bytesOf("proof"), box: bytesOf("box"), name: "Bob's phone" },
  { _tag: "Redeem", proof: bytesOf("proof"), box: bytesOf("box"), name: "b".repeat(deviceNameCharactersMax) },
  { _tag: "Welcome", space, app: "tasks" },
  { _tag: "Refused", reason: "r".repeat(reasonCharactersMax) }
]

describe("a step of pairing", () => {
  it("reads back as what was said", () => {
    for (const step of steps) assert.deepStrictEqual(accepted(Pairing.fromFields(Pairing.toFields(step))), step)
  })

  it("with anything wrong is refused", () => {
    const [id, short] = [bytesOf("id"), bytesOf("id").subarray(1)]
    const wrong: ReadonlyArray<ReadonlyArray<Cbor.Cbor>> = [
      [],
      ["redeem", id, id],
      ["redeem", short, id, "Bob"],
      ["redeem", id, short, "Bob"],
      ["redeem", id, id, 7],
      ["redeem", id, id, "b".repeat(deviceNameCharactersMax + 1)],
      ["redeem", id, id, "Bob", "more"],
      ["welcome", id],
      ["welcome", short, "tasks"],
      ["welcome", id, "Tasks!"],
      ["welcome", id, "tasks", "more"],
      ["refused"],
      ["refused", "r".repeat(reasonCharactersMax + 1)],
      ["refused", "no", "more"],
      ["admit", id],
      [1, 2, 3]
    ]
    for (const fields of wrong) assert.isDefined(refusal(Pairing.fromFields(fields)), JSON.stringify(fields))
  })

  it("quotes no more than the beginning of an unknown word", () => {
    assert.isBelow((refusal(Pairing.fromFields(["x".repeat(10_000)])) ?? "").length, 60)
  })
})
