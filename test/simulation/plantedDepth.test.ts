/** A bug, planted: a right that may not be passed on is passed on once. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "a right that may not be passed on is passed on once")
vi.mock("../../src/trust/Holding.ts", () => planted("trust/Holding.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 9)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
