/** A bug, planted: a cut leaves alone the authority feeds that it does not name. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "a cut leaves alone the authority feeds that it does not name")
vi.mock("../../src/trust/Regime.ts", () => planted("trust/Regime.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("rights", 2)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
