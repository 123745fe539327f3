/** A bug, planted: a policy binds nobody who has not seen it. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "a policy binds nobody who has not seen it")
vi.mock("../../src/trust/PolicyChange.ts", () => planted("trust/PolicyChange.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 9)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
