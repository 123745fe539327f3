/** A bug in the guard, planted: what it sends is not charged. */
import { assert, it, vi } from "vitest"
import type * as Guard from "../../src/runtime/Guard.ts"
import { checkersOf, firstBroken } from "./planted.ts"

vi.mock("../../src/runtime/Guard.ts", async (original) => {
  const guard = await original<typeof Guard>()
  const send: typeof guard.send = (connection, message, space) =>
    guard.send(connection, message, space && { ...space, account: { ...space.account, take: () => true } })
  return { ...guard, send }
})

it("a guard that charges nothing is found by the witness", () => {
  const broken = firstBroken("charge")
  assert.isDefined(broken, "no seed shows it")
  console.info(`the planted guard is found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
