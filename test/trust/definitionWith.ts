/** A definition whose operations all ask for one policy and may change nothing. */
import type { Definition } from "../../src/trust/Definition.ts"
import type { Policy } from "../../src/trust/Policy.ts"
import { operations } from "./randomSpace.ts"
import { define } from "./space.ts"

const { definition: plain } = define(1)

export const definitionWith = (policy: Policy): Definition => ({
  ...plain,
  operations: new Map(operations.map((type) => [type, { type, writes: [], policy, resource: undefined, cost: 0 }]))
})
