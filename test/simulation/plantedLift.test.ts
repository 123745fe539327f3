/** A bug, planted: anybody lifts what others laid on. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "anybody lifts what others laid on")
vi.mock("../../src/trust/Judge.ts", () => planted("trust/Judge.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 45)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
