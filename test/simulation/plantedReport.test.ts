/** A bug, planted: whoever is reported goes on. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "whoever is reported goes on")
vi.mock("../../src/trust/Decision.ts", () => planted("trust/Decision.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 70)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
