/** A bug, planted: whether a right has ended is asked of the time of arrival. */
import { assert, it, vi } from "vitest"
import { planted } from "./mutations.ts"
import { checkersOf, firstBroken } from "./planted.ts"

const bug = vi.hoisted(() => "whether a right has ended is asked of the time of arrival")
vi.mock("../../src/runtime/Judging.ts", () => planted("runtime/Judging.ts", bug))

it(`${bug}: found by the oracle`, () => {
  const broken = firstBroken("verdict", 3)
  assert.isDefined(broken, "no seed shows it")
  console.info(`found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
