/** The record that founds a space and names it. */
import { assert, describe, it } from "@effect/vitest"
import { toBytes } from "../../src/identity/Id.ts"
import * as Cbor from "../../src/journal/Cbor.ts"
import * as Clock from "../../src/journal/Clock.ts"
import * as Genesis from "../../src/journal/Genesis.ts"
import { accepted, alice, bob, bytesOf, device, refusal } from "./writing.ts"

const root = device("recovery key")
const genesis: Genesis.Genesis = {
  root: root.id,
  creator: alice.id,
  app: "tasks",
  nonce: bytesOf("genesis").slice(0, Genesis.nonceBytes),
  time: 5_000
}
const fields = accepted(Cbor.decode(Genesis.encode(genesis).bytes)) as ReadonlyArray<Cbor.Cbor>

describe("a genesis record", () => {
  it("reads back as what was written, under the name it was written for", () => {
    const { space, bytes } = Genesis.encode(genesis)
    assert.deepStrictEqual(accepted(Genesis.decode(bytes)), { ...genesis, space })
  })

  it("names a space by all that stands in it", () => {
    const names = [
      genesis,
      { ...genesis, root: bob.id },
      { ...genesis, creator: bob.id },
      { ...genesis, app: "notes" },
      { ...genesis, nonce: new Uint8Array(16) },
      { ...genesis, time: 5_001 }
    ].map((one) => Genesis.encode(one).space)
    assert.strictEqual(new Set(names).size, names.length)
  })

  it("is refused with any field wrong, and the reason names it", () => {
    const wrong: ReadonlyArray<readonly [field: number, value: Cbor.Cbor, reason: RegExp]> = [
      [0, 2, /not a record of version 1/],
      [1, new Uint8Array(31), /keys of 32 bytes/],
      [1, toBytes(alice.id), /root is the creator's own key/],
      [2, "alice", /keys of 32 bytes/],
      [3, "Tasks", /app is no application name/],
      [3, "", /app is no application name/],
      [3, "a".repeat(65), /app is no application name/],
      [3, "tasks\n", /app is no application name/],
      [4, new Uint8Array(17), /nonce is not 16 bytes/],
      [5, Clock.timeMax, /time out of range/],
      [5, "now", /time out of range/]
    ]
    for (const [field, value, reason] of wrong) {
      assert.match(refusal(Genesis.decode(Cbor.encode(fields.with(field, value)))) ?? "accepted", reason)
    }
    assert.match(refusal(Genesis.decode(Cbor.encode(fields.slice(0, 5)))) ?? "", /5 fields instead of 6/)
    assert.match(refusal(Genesis.decode(Cbor.encode([...fields, 1]))) ?? "", /7 fields instead of 6/)
    assert.match(refusal(Genesis.decode(Uint8Array.of())) ?? "", /at byte 0/)
  })

  it("is not written when nobody could join the space", () => {
    for (const change of [
      { root: alice.id },
      { app: "" },
      { nonce: new Uint8Array(0) },
      { time: -1 }
    ] satisfies ReadonlyArray<Partial<Genesis.Genesis>>) {
      assert.throws(() => Genesis.encode({ ...genesis, ...change }), RangeError)
    }
  })
})
