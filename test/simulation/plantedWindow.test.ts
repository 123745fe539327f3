/** A bug, planted: rights of several chains are joined: one that lasts makes others last. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "rights of several chains are joined: one that lasts makes others last")
vi.mock("../../src/trust/Judge.ts", () => planted("trust/Judge.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 3)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
