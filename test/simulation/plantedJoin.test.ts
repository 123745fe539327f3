/** A bug, planted: rights of several chains are joined: what one lets pass on goes for all. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "rights of several chains are joined: what one lets pass on goes for all")
vi.mock("../../src/trust/Judge.ts", () => planted("trust/Judge.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("rights", 5)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
