/** A bug in the guard, planted: whoever is connected is told everything. */
import * as Effect from "effect/Effect"
import { assert, it, vi } from "vitest"
import type * as Guard from "../../src/runtime/Guard.ts"
import * as Message from "../../src/sync/Message.ts"
import { checkersOf, firstBroken } from "./planted.ts"

vi.mock("../../src/runtime/Guard.ts", async (original) => {
  const guard = await original<typeof Guard>()
  const send: typeof guard.send = (connection, message) =>
    Effect.as(connection.send(Message.encode(message)), "Sent" as const)
  return { ...guard, mayRead: () => true, send }
})

it("a guard that lets everything out is found by the witness", () => {
  const broken = firstBroken("privacy")
  assert.isDefined(broken, "no seed shows it")
  console.info(`the planted guard is found by seed ${broken?.seed}: ${checkersOf(broken!).join(", ")}`)
})
