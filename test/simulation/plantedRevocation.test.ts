/** A bug in the revocation rule, planted: one entry more than the cut allows still counts. */
import { assert, it, vi } from "vitest"
import type * as Authority from "../../src/trust/Authority.ts"
import { checkersOf, firstBroken } from "./planted.ts"

vi.mock("../../src/trust/Authority.ts", async (original) => {
  const authority = await original<typeof Authority>()
  const cutOf: typeof authority.cutOf = (...parameters) => {
    const cut = authority.cutOf(...parameters)
    return cut === undefined || cut === "start" ? cut : { ...cut, seq: cut.seq + 1 }
  }
  return { ...authority, cutOf }
})

it("a cut that is off by one is found by comparing with the oracle", () => {
  const broken = firstBroken("cut")
  assert.isDefined(broken, "no seed shows it")
  console.info(`the planted revocation is found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
