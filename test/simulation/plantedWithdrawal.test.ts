/** A bug, planted: a withdrawn grant goes on giving. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "a withdrawn grant goes on giving")
vi.mock("../../src/trust/Descent.ts", () => planted("trust/Descent.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 4)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
